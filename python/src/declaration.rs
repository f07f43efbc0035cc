//! What a processor that is written in Python takes, gives and can be set to: read off its annotations by `streamlib.processors`, once a class.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use pyo3::{PyTraverseError, PyVisit};
use serde_json::Value;
use streamlib::{
    Delivery, Error, ErrorKind, FailurePolicy, FrameRate, InputSpec, MessageType, OutputSpec, Pairing, ParameterDescriptor,
    PixelFormat, PixelStage, Size,
};

use crate::debug::{Alive, Kind};
use crate::errors::{Outcome, wrong};
use crate::frame::{VideoFrame, loads, pixel_format};
use crate::message::PythonMessage;
use crate::uniforms::Layout;

/// A port as Python describes it.
#[derive(FromPyObject)]
pub(crate) struct Port<'py> {
    name: String,
    /// The class of its messages.
    message: Bound<'py, PyType>,
    formats: Option<Vec<String>>,
    delivery: Option<String>,
    pairing: String,
    tolerance: f64,
    required: bool,
    optional: bool,
    size: Option<(u32, u32)>,
}

pub(crate) struct Input {
    pub(crate) spec: InputSpec,
    /// The class of its messages; none for frames. Ports know it by its address: it must not go to another class.
    pub(crate) class: Option<Py<PyType>>,
    /// It gets the newest message, the same again if need be, `None` before the first.
    pub(crate) is_latest: bool,
}

pub(crate) struct Output {
    pub(crate) spec: OutputSpec,
    /// The class of its messages; none for frames.
    pub(crate) class: Option<Py<PyType>>,
    /// Whether `process` may give it nothing.
    pub(crate) is_optional: bool,
}

/// What `process` returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Returns {
    /// A message for the only output, or nothing.
    One,
    /// A tuple with one for each output.
    Tuple,
    /// An iterator of either.
    Iterator { of_tuples: bool },
}

/// A pixel shader's WGSL and how its parameters lie.
pub(crate) struct Shader {
    pub(crate) stage: PixelStage,
    pub(crate) layout: Option<Layout>,
    /// Whether a method says the parameters; else they are the attributes of their names.
    pub(crate) has_method: bool,
}

/// What the engine knows of a class of processors.
#[pyclass(frozen, weakref, module = "streamlib._native")]
pub struct Declaration {
    pub(crate) name: String,
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) returns: Returns,
    pub(crate) parameters: Vec<ParameterDescriptor>,
    pub(crate) has_setup: bool,
    pub(crate) has_teardown: bool,
    pub(crate) rate: Option<FrameRate>,
    pub(crate) shader: Option<Shader>,
    pub(crate) on_failure: FailurePolicy,
    /// Where `process` is written.
    pub(crate) place: Option<(String, u32)>,
    _alive: Alive,
}

#[pymethods]
impl Declaration {
    /// The classes of its messages may refer to the class that it declares.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let (inputs, outputs) = (self.inputs.iter().map(|input| &input.class), self.outputs.iter().map(|output| &output.class));
        inputs.chain(outputs).flatten().try_for_each(|class| visit.call(class))
    }

    #[new]
    #[pyo3(signature = (name, inputs: "collections.abc.Sequence[typing.Any]", outputs: "collections.abc.Sequence[typing.Any]", *, returns, parameters, has_setup, has_teardown, rate, wgsl, has_uniform, on_failure, place))]
    #[allow(clippy::too_many_arguments, reason = "Python calls it, once, with names")]
    fn new(
        py: Python<'_>,
        name: String,
        inputs: Vec<Port<'_>>,
        outputs: Vec<Port<'_>>,
        returns: &str,
        parameters: &str,
        has_setup: bool,
        has_teardown: bool,
        rate: Option<&str>,
        wgsl: Option<&str>,
        has_uniform: bool,
        on_failure: &str,
        place: Option<(String, u32)>,
    ) -> Outcome<Self> {
        let in_node = |error: Error| error.in_node(&*name);
        let shader = match wgsl {
            None => None,
            Some(wgsl) => {
                let stage = PixelStage::new(wgsl).map_err(in_node)?;
                let layout = stage.parameters().map(|declared| Layout::new(py, declared));
                Some(Shader { stage, layout, has_method: has_uniform })
            }
        };
        let returns = match returns {
            "one" => Returns::One,
            "tuple" => Returns::Tuple,
            "iterator" => Returns::Iterator { of_tuples: false },
            "iterator of tuples" => Returns::Iterator { of_tuples: true },
            other => return Err(wrong("returns", format!("it cannot be '{other}'"))),
        };
        let parameters = serde_json::from_str(parameters).map_err(|error| wrong("parameters", error))?;
        let rate = rate.map(str::parse::<FrameRate>).transpose().map_err(in_node)?;
        let on_failure = policy(on_failure)?;
        let inputs = inputs.into_iter().map(|port| port.input(py)).collect::<Outcome<_>>()?;
        let outputs = outputs.into_iter().map(|port| port.output(py)).collect::<Outcome<_>>()?;
        Ok(Self {
            name,
            inputs,
            outputs,
            returns,
            parameters,
            has_setup,
            has_teardown,
            rate,
            shader,
            on_failure,
            place,
            _alive: Alive::new(Kind::Declaration),
        })
    }

    /// Refuses values of parameters that cannot be: names, types, ranges. `values` is a JSON object.
    fn check(&self, values: &str) -> Outcome<()> {
        let values: Value = serde_json::from_str(values).map_err(|error| wrong("parameters", error))?;
        check(&self.parameters, &values).map_err(|error| error.in_node(&*self.name))?;
        Ok(())
    }

    /// The attributes that a pixel shader takes its parameters from, if no method says them.
    #[getter]
    fn fields(&self, py: Python<'_>) -> Vec<Py<PyString>> {
        let layout = self.shader.as_ref().filter(|shader| !shader.has_method).and_then(|shader| shader.layout.as_ref());
        layout.into_iter().flat_map(Layout::keys).map(|key| key.clone_ref(py)).collect()
    }

    /// The parameters, as the descriptors of built-in processors have them.
    #[getter]
    fn parameters<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, PyAny>> {
        Ok(loads(py, &serde_json::to_string(&self.parameters).unwrap_or_default())?)
    }
}

impl Port<'_> {
    fn message(&self, py: Python<'_>) -> (MessageType, bool) {
        match self.message.is(py.get_type::<VideoFrame>()) {
            true => (MessageType::of::<streamlib::VideoFrame>(), true),
            // The class lives as long as the declaration that names it.
            false => (MessageType::variant::<PythonMessage>(self.message.as_ptr().addr() as u64, name_of(&self.message)), false),
        }
    }

    fn formats(&self, is_frame: bool) -> Outcome<Vec<PixelFormat>> {
        match (&self.formats, is_frame) {
            (Some(formats), true) => formats.iter().map(|name| pixel_format(name)).collect(),
            (Some(_), false) => Err(wrong(&self.name, "only ports of frames have pixel formats")),
            (None, true) => Ok(vec![PixelFormat::Rgba8]),
            (None, false) => Ok(Vec::new()),
        }
    }

    fn input(self, py: Python<'_>) -> Outcome<Input> {
        let (message, is_frame) = self.message(py);
        let formats = self.formats(is_frame)?;
        let tolerance = Duration::try_from_secs_f64(self.tolerance).map_err(|_| wrong("tolerance", "it is a time in seconds"))?;
        let pairing = match &*self.pairing {
            "each" => Pairing::Each,
            "aligned" => Pairing::Aligned { tolerance },
            "latest" => Pairing::Latest,
            other => return Err(wrong("pairing", format!("it is 'each', 'aligned' or 'latest', not '{other}'"))),
        };
        let delivery = match &self.delivery {
            Some(delivery) => delivery.parse()?,
            // Room for what waits for a partner.
            None if matches!(pairing, Pairing::Aligned { .. }) => Delivery::DropOldest(4),
            None => Delivery::Latest,
        };
        let is_latest = pairing == Pairing::Latest;
        let spec = InputSpec { name: self.name, message, formats, delivery, required: self.required, pairing };
        let class = (!is_frame).then(|| self.message.clone().unbind());
        Ok(Input { spec, class, is_latest })
    }

    fn output(self, py: Python<'_>) -> Outcome<Output> {
        let (message, is_frame) = self.message(py);
        let formats = self.formats(is_frame)?;
        let size = self.size.map(|(width, height)| Size::new(width, height)).transpose()?;
        let class = (!is_frame).then(|| self.message.clone().unbind());
        let spec = OutputSpec { name: self.name, message, formats, size };
        Ok(Output { spec, class, is_optional: self.optional })
    }
}

/// A class's name as people write it.
pub(crate) fn name_of(class: &Bound<'_, PyType>) -> String {
    class.qualname().map_or_else(|_| "?".into(), |name| name.to_string())
}

/// A policy by its name.
pub(crate) fn policy(name: &str) -> Outcome<FailurePolicy> {
    match name {
        "stop" => Ok(FailurePolicy::Stop),
        "bypass" => Ok(FailurePolicy::Bypass),
        "skip" => Ok(FailurePolicy::Skip),
        "restart" => Ok(FailurePolicy::Restart(streamlib::Restart::default())),
        other => Err(wrong("on_failure", format!("it is 'stop', 'bypass', 'skip' or 'restart', not '{other}'"))),
    }
}

/// Refuses values that cannot be.
pub(crate) fn check(descriptors: &[ParameterDescriptor], values: &Value) -> streamlib::Result<()> {
    streamlib::check_values(descriptors, values)?;
    for (name, value) in values.as_object().into_iter().flatten() {
        let Some(descriptor) = descriptors.iter().find(|descriptor| descriptor.name == *name) else { continue };
        if !kinds(&descriptor.kind).iter().any(|kind| is_a(kind, value)) {
            let message = format!("parameter '{name}' cannot be {value}");
            return Err(Error::new(ErrorKind::InvalidArgument, message).hint(format!("it takes: {}", descriptor.kind)));
        }
    }
    Ok(())
}

/// The alternatives: `'a or b' or null` is two.
fn kinds(kind: &str) -> Vec<String> {
    let mut kinds: Vec<String> = Vec::new();
    for part in kind.split(" or ") {
        match kinds.last_mut().filter(|last| last.starts_with('\'') && !last[1..].ends_with('\'')) {
            Some(open) => *open = format!("{open} or {part}"),
            None => kinds.push(part.into()),
        }
    }
    kinds
}

fn is_a(kind: &str, value: &Value) -> bool {
    match kind {
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        "any" => true,
        literal => match literal.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
            Some(text) => value == text,
            None => serde_json::from_str::<Value>(literal).is_ok_and(|literal| literal == *value),
        },
    }
}
