//! Processors by name: factories, and descriptors that say what each takes, gives and can be set to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::port::Ports;
use crate::processor::{IntoProcessor, Processor};
use crate::{Error, ErrorKind, Result};

/// A processor that a registry can make: it has a name, a one-line summary and parameters.
///
/// The parameters are one struct. Its field docs, types, defaults and `#[schemars(range(...))]` become the descriptor, so nothing
/// is written twice.
pub trait Described: Sized {
    /// What can be set.
    type Parameters: Serialize + DeserializeOwned + JsonSchema + Default;
    /// The name in graphs: `bouncing-ball`.
    const NAME: &'static str;
    /// One line that says what it does.
    const SUMMARY: &'static str;

    /// Makes one. Ranges have been checked; fails where values contradict each other.
    fn from_parameters(parameters: Self::Parameters) -> Result<Self>;
}

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
    /// The Rust type of its messages.
    pub message: &'static str,
    /// The pixel formats, for ports of frames.
    pub formats: Vec<&'static str>,
}

/// A parameter of a descriptor.
#[derive(Clone, Debug, Serialize)]
pub struct ParameterDescriptor {
    /// Its name.
    pub name: String,
    /// Its JSON type, or the values it can take.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its default.
    pub default: Value,
    /// The smallest value, where there is one.
    pub minimum: Option<f64>,
    /// The largest value, where there is one.
    pub maximum: Option<f64>,
    /// What it does.
    pub doc: String,
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

/// Makes a `P` from a JSON object of parameters, checked by name, type and range.
pub fn make<P: Described>(parameters: &Value) -> Result<P> {
    check(&parameter_descriptors::<P>(), parameters).map_err(|error| error.in_node(P::NAME))?;
    let object = if parameters.is_null() { Value::Object(Map::new()) } else { parameters.clone() };
    let parsed = serde_json::from_value(object).map_err(|error| {
        Error::new(ErrorKind::InvalidArgument, format!("a parameter cannot be read: {error}"))
            .hint("see the processor's parameters")
            .in_node(P::NAME)
    })?;
    P::from_parameters(parsed).map_err(|error| error.in_node(P::NAME))
}

/// Checks values that a program filled in itself against the ranges of their descriptors.
pub fn check_parameters<P: Described>(parameters: &P::Parameters) -> Result<()> {
    let values = serde_json::to_value(parameters).map_err(|error| {
        Error::new(ErrorKind::InvalidArgument, "the parameters cannot be written as JSON").caused_by(error).in_node(P::NAME)
    })?;
    check(&parameter_descriptors::<P>(), &values).map_err(|error| error.in_node(P::NAME))
}

fn check(descriptors: &[ParameterDescriptor], values: &Value) -> Result<()> {
    let wrong = |message: String, hint: String| Error::new(ErrorKind::InvalidArgument, message).hint(hint);
    let object = match values {
        Value::Null => return Ok(()),
        Value::Object(object) => object,
        other => return Err(wrong(format!("parameters are no JSON object: {other}"), "write {\"name\": value}".into())),
    };
    for (name, value) in object {
        let Some(descriptor) = descriptors.iter().find(|descriptor| descriptor.name == *name) else {
            let names = descriptors.iter().map(|descriptor| &*descriptor.name).collect::<Vec<_>>().join(", ");
            return Err(wrong(format!("there is no parameter '{name}'"), format!("there is: {names}")));
        };
        let Some(number) = value.as_f64() else { continue };
        let (minimum, maximum) = (descriptor.minimum.unwrap_or(f64::MIN), descriptor.maximum.unwrap_or(f64::MAX));
        if !(minimum..=maximum).contains(&number) {
            return Err(wrong(format!("parameter '{name}' cannot be {value}"), format!("it goes from {minimum} to {maximum}")));
        }
    }
    Ok(())
}

fn describe<P: Described + IntoProcessor<M>, M>() -> Result<Descriptor> {
    let mut ports = Ports::default();
    P::from_parameters(P::Parameters::default())?.into_processor().ports(&mut ports);
    let port = |name: &str, message: &'static str, formats: &[crate::PixelFormat]| PortDescriptor {
        name: name.into(),
        message,
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

/// Reads the parameters off the JSON schema of their struct.
fn parameter_descriptors<P: Described>() -> Vec<ParameterDescriptor> {
    let mut settings = schemars::generate::SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let schema = settings.into_generator().into_root_schema_for::<P::Parameters>();
    let defaults = serde_json::to_value(P::Parameters::default()).unwrap_or_default();
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
    properties
        .iter()
        .map(|(name, property)| ParameterDescriptor {
            name: name.clone(),
            kind: kind(property),
            default: defaults.get(name).cloned().unwrap_or_default(),
            minimum: property.get("minimum").and_then(Value::as_f64),
            maximum: property.get("maximum").and_then(Value::as_f64),
            doc: property.get("description").and_then(Value::as_str).unwrap_or_default().into(),
        })
        .collect()
}

/// `number`, `integer or null`, `'bt601' or 'bt709'`.
fn kind(property: &Value) -> String {
    let name = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToString::to_string);
    let quoted = |value: &Value| if value.is_null() { "null".into() } else { format!("'{}'", name(value)) };
    let join = |names: Vec<String>| names.join(" or ");
    if let Some(values) = property.get("enum").and_then(Value::as_array) {
        return join(values.iter().map(quoted).collect());
    }
    if let Some(value) = property.get("const") {
        return quoted(value);
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(choices) = property.get(choice).and_then(Value::as_array) {
            return join(choices.iter().map(kind).collect());
        }
    }
    match property.get("type") {
        Some(Value::Array(types)) => join(types.iter().map(name).collect()),
        Some(one) => name(one),
        None => "any".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Filter, VideoFrame};
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

    struct Gain;

    impl Filter for Gain {
        fn process(&mut self, frame: VideoFrame, _: &mut Context<'_>) -> Result<VideoFrame> {
            Ok(frame)
        }
    }

    impl Described for Gain {
        type Parameters = Parameters;
        const NAME: &'static str = "gain";
        const SUMMARY: &'static str = "Multiplies.";
        fn from_parameters(_: Parameters) -> Result<Self> {
            Ok(Self)
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
        assert!(message(serde_json::json!({"direction": "left"})).contains("left"));
        assert!(registry.create("gain", &Value::Null).is_ok());
        assert!(registry.create("pain", &Value::Null).err().unwrap().to_string().contains("there is: gain"));
    }
}
