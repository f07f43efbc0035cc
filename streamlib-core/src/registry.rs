//! Processors by name: factories, and descriptors that say what each takes, gives and can be set to.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::parameters::{Described, ParameterDescriptor, make, parameter_descriptors};
use crate::port::Ports;
use crate::processor::{IntoProcessor, Processor};
use crate::{Error, ErrorKind, Result};

/// What there is to know of a processor without making one.
#[derive(Clone, Debug, Serialize)]
pub struct Descriptor {
    /// The name in graphs.
    pub name: &'static str,
    /// One line that says what it does.
    pub summary: &'static str,
    /// What it takes.
    pub inputs: Vec<PortDescriptor>,
    /// What it gives.
    pub outputs: Vec<PortDescriptor>,
    /// What can be set.
    pub parameters: Vec<ParameterDescriptor>,
}

/// A port of a descriptor.
#[derive(Clone, Debug, Serialize)]
pub struct PortDescriptor {
    /// Its name.
    pub name: String,
    /// The type of its messages, as Rust calls it.
    pub message: String,
    /// The pixel formats, for ports of frames.
    pub formats: Vec<&'static str>,
}

type Factory = fn(&Value) -> Result<Box<dyn Processor>>;

struct Entry {
    descriptor: Descriptor,
    make: Factory,
}

/// Names and factories: a value, filled explicitly.
#[derive(Default)]
pub struct Registry {
    entries: BTreeMap<&'static str, Entry>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a processor. Two of one name are an error.
    pub fn register<P, M>(&mut self) -> Result<()>
    where
        P: Described + IntoProcessor<M> + 'static,
    {
        if self.entries.contains_key(P::NAME) {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("there are two processors of the name '{}'", P::NAME))
                .hint("rename one of them"));
        }
        let descriptor = describe::<P, M>()?;
        let make: Factory = |parameters| Ok(make::<P>(parameters)?.into_processor());
        self.entries.insert(P::NAME, Entry { descriptor, make });
        Ok(())
    }

    /// All processors, by name.
    pub fn descriptors(&self) -> impl Iterator<Item = &Descriptor> {
        self.entries.values().map(|entry| &entry.descriptor)
    }

    /// Makes a processor with `parameters`, a JSON object; what it does not name has its default.
    pub fn create(&self, name: &str, parameters: &Value) -> Result<Box<dyn Processor>> {
        let entry = self.entries.get(name).ok_or_else(|| {
            let names = self.entries.keys().copied().collect::<Vec<_>>().join(", ");
            Error::new(ErrorKind::NotFound, format!("there is no processor '{name}'")).hint(format!("there is: {names}"))
        })?;
        (entry.make)(parameters)
    }
}

fn describe<P: Described + IntoProcessor<M>, M>() -> Result<Descriptor> {
    let mut ports = Ports::default();
    P::from_parameters(P::Parameters::default())?.into_processor().ports(&mut ports);
    let port = |name: &str, message: &str, formats: &[crate::PixelFormat]| PortDescriptor {
        name: name.into(),
        message: message.into(),
        formats: formats.iter().map(|format| format.name()).collect(),
    };
    Ok(Descriptor {
        name: P::NAME,
        summary: P::SUMMARY,
        inputs: ports.inputs.iter().map(|input| port(&input.name, input.message.name(), &input.formats)).collect(),
        outputs: ports.outputs.iter().map(|output| port(&output.name, output.message.name(), &output.formats)).collect(),
        parameters: parameter_descriptors::<P>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_parameters;
    use crate::{Context, Filter, VideoFrame};
    use schemars::JsonSchema;
    use serde::Deserialize;

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(default, deny_unknown_fields)]
    struct Parameters {
        /// How strong it is.
        #[schemars(range(min = 0.0, max = 2.0))]
        gain: f64,
        /// Which way it goes.
        direction: Option<Direction>,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Direction {
        Up,
        Down,
    }

    impl Default for Parameters {
        fn default() -> Self {
            Self { gain: 1.0, direction: None }
        }
    }

    struct Gain(Parameters);

    impl Filter for Gain {
        fn process(&mut self, frame: VideoFrame, _: &mut Context<'_>) -> Result<VideoFrame> {
            Ok(frame)
        }
    }

    impl Described for Gain {
        type Parameters = Parameters;
        const NAME: &'static str = "gain";
        const SUMMARY: &'static str = "Multiplies.";
        fn from_parameters(parameters: Parameters) -> Result<Self> {
            Ok(Self(parameters))
        }
        fn parameters(&self) -> &Parameters {
            &self.0
        }
        fn set_parameters(&mut self, parameters: Parameters, _: &mut Context<'_>) -> Result<()> {
            self.0 = parameters;
            Ok(())
        }
    }

    #[test]
    fn a_descriptor_says_everything() {
        let mut registry = Registry::new();
        registry.register::<Gain, _>().unwrap();
        let descriptor = registry.descriptors().next().unwrap();
        assert_eq!(
            (descriptor.name, &*descriptor.inputs[0].name, &*descriptor.outputs[0].formats),
            ("gain", "in", &["rgba8"][..])
        );
        let [direction, gain] = &*descriptor.parameters else { panic!("{:?}", descriptor.parameters) };
        assert_eq!((&*gain.kind, &gain.default, gain.minimum, gain.maximum), ("number", &1.0.into(), Some(0.0), Some(2.0)));
        assert_eq!(gain.doc, "How strong it is.");
        assert_eq!(direction.kind, "'up' or 'down' or null");
        assert!(registry.register::<Gain, _>().is_err(), "two of one name");
    }

    #[test]
    fn bad_parameters_are_refused_by_name() {
        let mut registry = Registry::new();
        registry.register::<Gain, _>().unwrap();
        let message = |parameters: Value| registry.create("gain", &parameters).err().unwrap().to_string();
        let refused = message(serde_json::json!({"gain": 3.0}));
        assert_eq!(refused, "node 'gain': parameter 'gain' cannot be 3.0; it goes from 0 to 2");
        assert!(message(serde_json::json!({"gian": 1.0})).contains("no parameter 'gian'; there is: direction, gain"));
        assert!(message(serde_json::json!({"gain": "loud"})).contains("loud"));
        let not_a_number = check_parameters::<Gain>(&Parameters { gain: f64::NAN, direction: None }).unwrap_err();
        assert!(not_a_number.to_string().contains("'gain' is no number"), "{not_a_number}");
        assert!(message(serde_json::json!({"direction": "left"})).contains("left"));
        assert!(registry.create("gain", &Value::Null).is_ok());
        assert!(registry.create("pain", &Value::Null).err().unwrap().to_string().contains("there is: gain"));
    }
}
