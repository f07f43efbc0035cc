//! Parameters: what can be set of a processor, before it runs and while it does.

use std::sync::{Arc, LazyLock};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Context, Error, ErrorKind, Result};

/// A processor with a name, a one-line summary and parameters. A registry can make it, and its parameters can be set while it
/// runs.
///
/// The parameters are one struct. Its field docs, types, defaults and `#[schemars(range(...))]` (of arrays `inner(range(...))`) become the descriptor, so nothing
/// is written twice. A field with `#[schemars(extend("x-fixed" = true))]` cannot be set while the processor runs.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
/// use streamlib_core::{Context, Described, Filter, Result, Tunable, VideoFrame};
///
/// #[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
/// #[serde(default, deny_unknown_fields)]
/// struct TintParameters {
///     /// How much blue is added.
///     #[schemars(range(min = 0.0, max = 1.0))]
///     blue: f32,
/// }
///
/// struct Tint(TintParameters);
///
/// impl Described for Tint {
///     type Parameters = TintParameters;
///     const NAME: &'static str = "tint";
///     const SUMMARY: &'static str = "Makes pictures bluer.";
///
///     fn from_parameters(parameters: TintParameters) -> Result<Self> {
///         Ok(Self(parameters))
///     }
///     fn parameters(&self) -> &TintParameters {
///         &self.0
///     }
///     fn set_parameters(&mut self, parameters: TintParameters, _: &mut Context<'_>) -> Result<()> {
///         self.0 = parameters;
///         Ok(())
///     }
/// }
///
/// impl Filter for Tint {
///     fn tunable(&mut self) -> Option<&mut dyn Tunable> {
///         Some(self) // `Running::set_parameters` reaches it
///     }
///     fn process(&mut self, frame: VideoFrame, _: &mut Context<'_>) -> Result<VideoFrame> {
///         // Draw with `self.0.blue` here: see `Kernel`.
///         Ok(frame)
///     }
/// }
/// ```
pub trait Described: Sized + 'static {
    /// What can be set.
    type Parameters: Serialize + DeserializeOwned + JsonSchema + Default + 'static;
    /// The name in graphs: `bouncing-ball`.
    const NAME: &'static str;
    /// One line that says what it does.
    const SUMMARY: &'static str;

    /// Makes one. Ranges have been checked; fails where values contradict each other.
    fn from_parameters(parameters: Self::Parameters) -> Result<Self>;

    /// Refuses values that are each in their range but contradict each other. Default: there are none.
    fn check(parameters: &Self::Parameters) -> Result<()> {
        let _ = parameters;
        Ok(())
    }

    /// What it is set to.
    fn parameters(&self) -> &Self::Parameters;

    /// Sets it while it runs: between two frames, on the thread that processes them. Everything was checked. An error leaves
    /// everything as it was; the run goes on, and an event tells of it.
    fn set_parameters(&mut self, parameters: Self::Parameters, cx: &mut Context<'_>) -> Result<()>;

    /// What else other threads check before they set it: ranges that only the opened device knows. Asked for before
    /// set-up, and again after each change. Default: [`check`](Self::check).
    fn checker(&self) -> Checker<Self::Parameters> {
        Arc::new(Self::check)
    }
}

/// Refuses parameters that cannot be. Any thread may call it.
pub type Checker<P> = Arc<dyn Fn(&P) -> Result<()> + Send + Sync>;

/// A processor whose parameters can be set while it runs: every [`Described`] one. See
/// [`Processor::tunable`](crate::Processor::tunable).
pub trait Tunable {
    /// What other threads need to check values, and the values as they are.
    fn tuning(&self) -> Tuning;

    /// Takes values that were checked.
    fn tune(&mut self, values: &Value, cx: &mut Context<'_>) -> Result<()>;
}

type CheckValues = Box<dyn Fn(&Value) -> Result<()> + Send + Sync>;

/// What other threads know of the parameters of a running processor.
pub struct Tuning {
    /// A JSON object with every parameter.
    values: Value,
    descriptors: LazyLock<Vec<ParameterDescriptor>, Box<dyn FnOnce() -> Vec<ParameterDescriptor> + Send>>,
    check: CheckValues,
}

impl<P: Described> Tunable for P {
    fn tuning(&self) -> Tuning {
        let checker = self.checker();
        Tuning {
            values: serde_json::to_value(self.parameters()).unwrap_or_default(),
            descriptors: LazyLock::new(Box::new(parameter_descriptors::<P>)),
            check: Box::new(move |values| checker(&parse::<P>(values)?)),
        }
    }

    fn tune(&mut self, values: &Value, cx: &mut Context<'_>) -> Result<()> {
        self.set_parameters(parse::<P>(values)?, cx)
    }
}

/// Puts `change` in the place of `value`; maps keep what the change does not name.
pub(crate) fn merge(value: &mut Value, change: &Value) {
    // An animation is one value.
    match (value, change) {
        (Value::Object(map), Value::Object(changes)) if !changes.contains_key("keyframes") && !map.contains_key("keyframes") => {
            changes.iter().for_each(|(name, change)| merge(map.entry(name).or_insert(Value::Null), change));
        }
        (value, change) => *value = change.clone(),
    }
}

impl Tuning {
    /// For processors that are no [`Described`] ones: `values` is a JSON object with every parameter, `check` refuses what cannot be.
    pub fn new(
        values: Value,
        descriptors: Vec<ParameterDescriptor>,
        check: impl Fn(&Value) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { values, descriptors: LazyLock::new(Box::new(move || descriptors)), check: Box::new(check) }
    }

    pub(crate) fn values(&self) -> &Value {
        &self.values
    }

    /// Takes over what does not change from an older one of the same processor.
    pub(crate) fn inherit(&mut self, older: Self) {
        self.descriptors = older.descriptors;
    }

    /// `values` with `changes` in them. Refuses what cannot be, or cannot be set while the processor runs.
    pub(crate) fn changed(&self, values: &Value, changes: &Value) -> Result<Value> {
        let descriptors = &*self.descriptors;
        check_values(descriptors, changes)?;
        let mut changed = values.clone();
        if let (Some(values), Some(changes)) = (changed.as_object_mut(), changes.as_object()) {
            for (name, value) in changes {
                let is_live = descriptors.iter().any(|descriptor| descriptor.name == *name && descriptor.live);
                if !is_live && values.get(name).unwrap_or(&Value::Null) != value {
                    let message = format!("parameter '{name}' cannot be set while the graph runs");
                    return Err(Error::new(ErrorKind::InvalidArgument, message).hint("stop the run, set it and start again"));
                }
                merge(values.entry(name).or_insert(Value::Null), value);
            }
        }
        (self.check)(&changed)?;
        Ok(changed)
    }
}

/// A parameter of a descriptor.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// Whether it can be set while the processor runs.
    pub live: bool,
    /// What it does.
    pub doc: String,
}

/// Makes a `P` from a JSON object of parameters, checked by name, type and range.
pub fn make<P: Described>(parameters: &Value) -> Result<P> {
    check_values(&parameter_descriptors::<P>(), parameters).map_err(|error| error.in_node(P::NAME))?;
    let parsed = parse::<P>(parameters).map_err(|error| error.in_node(P::NAME))?;
    P::from_parameters(parsed).map_err(|error| error.in_node(P::NAME))
}

fn parse<P: Described>(values: &Value) -> Result<P::Parameters> {
    let object = if values.is_null() { Value::Object(Map::new()) } else { values.clone() };
    serde_json::from_value(object).map_err(|error| match unreadable::<P>(values) {
        Some((name, value, error)) => {
            let message = format!("parameter '{name}' cannot be {value}: {error}");
            let descriptors = parameter_descriptors::<P>();
            let kind =
                descriptors.iter().find(|descriptor| descriptor.name == *name).map_or("value", |descriptor| &*descriptor.kind);
            Error::new(ErrorKind::InvalidArgument, message).hint(format!("it takes: {kind}"))
        }
        None => Error::new(ErrorKind::InvalidArgument, format!("a parameter cannot be read: {error}"))
            .hint("see the processor's parameters"),
    })
}

/// The first parameter that cannot be read even alone, where the others have defaults.
fn unreadable<P: Described>(values: &Value) -> Option<(&String, &Value, serde_json::Error)> {
    let read = |object| serde_json::from_value::<P::Parameters>(Value::Object(object));
    read(Map::new()).ok()?;
    values.as_object()?.iter().find_map(|(name, value)| {
        let alone = Map::from_iter([(name.clone(), value.clone())]);
        read(alone).err().map(|error| (name, value, error))
    })
}

/// Checks values that a program filled in itself against the ranges of their descriptors.
pub fn check_parameters<P: Described>(parameters: &P::Parameters) -> Result<()> {
    let values = serde_json::to_value(parameters).map_err(|error| {
        Error::new(ErrorKind::InvalidArgument, "the parameters cannot be written as JSON").caused_by(error).in_node(P::NAME)
    })?;
    check_values(&parameter_descriptors::<P>(), &values)
        .and_then(|()| P::check(parameters))
        .map_err(|error| error.in_node(P::NAME))
}

/// Refuses a JSON object with names that are none of these parameters', and with values out of their ranges. Types are the business of who
/// reads the values.
pub fn check_values(descriptors: &[ParameterDescriptor], values: &Value) -> Result<()> {
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
        if value.is_null() && !descriptor.default.is_null() && !descriptor.kind.contains("null") {
            return Err(wrong(format!("parameter '{name}' is no number"), format!("give a {}", descriptor.kind)));
        }
        let (minimum, maximum) = (descriptor.minimum.unwrap_or(f64::MIN), descriptor.maximum.unwrap_or(f64::MAX));
        let is_outside = |number: f64| !(minimum..=maximum).contains(&number);
        if let Some(value) = std::iter::once(value).chain(keyframes(value)).find(|value| any_number(value, &is_outside)) {
            return Err(wrong(format!("parameter '{name}' cannot be {value}"), format!("it goes from {minimum} to {maximum}")));
        }
    }
    Ok(())
}

/// Whether it is such a number, or an array with one in it.
fn any_number(value: &Value, is_such: &impl Fn(f64) -> bool) -> bool {
    match value {
        Value::Array(values) => values.iter().any(|value| any_number(value, is_such)),
        value => value.as_f64().is_some_and(is_such),
    }
}

/// A bound of a parameter, or of the elements of one that is an array.
fn bound(property: &Value, name: &str) -> Option<f64> {
    let own = property.get(name).and_then(Value::as_f64);
    own.or_else(|| property.get("items").and_then(|items| bound(items, name)))
}

/// The values of an [`Animated`](crate::Animated) parameter, if it is one.
fn keyframes(value: &Value) -> impl Iterator<Item = &Value> {
    let keyframes = value.get("keyframes").and_then(Value::as_array).into_iter().flatten();
    keyframes.filter_map(|keyframe| keyframe.get(1))
}

/// Reads the parameters off the JSON schema of their struct.
pub(crate) fn parameter_descriptors<P: Described>() -> Vec<ParameterDescriptor> {
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
            minimum: bound(property, "minimum"),
            maximum: bound(property, "maximum"),
            live: property.get("x-fixed").and_then(Value::as_bool) != Some(true),
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
