//! Parameters that change with the frames' time.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Timestamp;

/// A parameter's value: one for all time, or one that goes from keyframe to keyframe as the frames' time does.
///
/// In JSON it is the value itself, or `{"keyframes": [[0.0, 0.1], [2.5, 0.4]], "repeats": true}` with times in seconds. Between two
/// keyframes it is interpolated linearly; before the first and after the last it stays what it is there, unless it repeats: then the
/// last keyframe's time is that of the first again. What is computed depends on the frame's time alone, so that the same recording
/// gives the same pictures.
///
/// ```
/// use streamlib_core::{Animated, Timestamp};
///
/// let fade: Animated<f32> = serde_json::from_str(r#"{"keyframes": [[1.0, 0.0], [3.0, 1.0]]}"#)?;
/// assert_eq!(fade.at(Timestamp::from_nanos(2_500_000_000)), 0.75);
/// assert_eq!(Animated::from(0.5f32).at(Timestamp::ZERO), 0.5);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Form<T>", into = "Form<T>", bound(serialize = "T: Clone + Serialize", deserialize = "T: Deserialize<'de>"))]
pub struct Animated<T>(Value<T>);

#[derive(Clone, Debug, PartialEq)]
enum Value<T> {
    Constant(T),
    Keyframes { keyframes: Arc<[(f64, T)]>, repeats: bool },
}

/// As it is written.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged, expecting = "it is neither a value nor {\"keyframes\": [[seconds, value], ...], \"repeats\": true or false}")]
enum Form<T> {
    Constant(T),
    Keyframes(Keyframes<T>),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keyframes<T> {
    keyframes: Vec<(f64, T)>,
    #[serde(default)]
    repeats: bool,
}

impl<T> TryFrom<Form<T>> for Animated<T> {
    type Error = String;

    fn try_from(form: Form<T>) -> Result<Self, String> {
        match form {
            Form::Constant(value) => Ok(Self::from(value)),
            Form::Keyframes(Keyframes { keyframes, repeats }) => Self::new(keyframes, repeats),
        }
    }
}

impl<T: Clone> From<Animated<T>> for Form<T> {
    fn from(animated: Animated<T>) -> Self {
        match animated.0 {
            Value::Constant(value) => Self::Constant(value),
            Value::Keyframes { keyframes, repeats } => Self::Keyframes(Keyframes { keyframes: keyframes.to_vec(), repeats }),
        }
    }
}

impl<T> From<T> for Animated<T> {
    fn from(value: T) -> Self {
        Self(Value::Constant(value))
    }
}

impl<T: Default> Default for Animated<T> {
    fn default() -> Self {
        Self::from(T::default())
    }
}

impl<T> Animated<T> {
    /// From keyframes: seconds and values. The error says why there can be no such animation.
    pub fn new(keyframes: Vec<(f64, T)>, repeats: bool) -> Result<Self, String> {
        if keyframes.is_empty() {
            return Err("an animation has at least one keyframe".into());
        }
        let is_sorted = keyframes.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !is_sorted || keyframes.iter().any(|(seconds, _)| !seconds.is_finite() || *seconds < 0.0) {
            return Err("the times of keyframes are seconds from 0 on, each later than the one before".into());
        }
        if repeats && keyframes.len() < 2 {
            return Err("an animation that repeats has at least two keyframes".into());
        }
        Ok(Self(Value::Keyframes { keyframes: keyframes.into(), repeats }))
    }
}

impl<T: Interpolate> Animated<T> {
    /// The value for a frame of this time.
    pub fn at(&self, time: Timestamp) -> T {
        let (keyframes, repeats) = match &self.0 {
            Value::Constant(value) => return value.clone(),
            Value::Keyframes { keyframes, repeats } => (keyframes, *repeats),
        };
        let (first, last) = (&keyframes[0], &keyframes[keyframes.len() - 1]);
        let mut seconds = time.as_secs_f64();
        if repeats && seconds > first.0 {
            seconds = first.0 + (seconds - first.0) % (last.0 - first.0);
        }
        let next = keyframes.partition_point(|(at, _)| *at <= seconds);
        match (next.checked_sub(1).map(|before| &keyframes[before]), keyframes.get(next)) {
            (None, _) => first.1.clone(),
            (_, None) => last.1.clone(),
            (Some((from, a)), Some((to, b))) => a.interpolate(b, (seconds - from) / (to - from)),
        }
    }
}

/// What an [`Animated`] can be of.
pub trait Interpolate: Clone {
    /// What lies between this and `other`, `part` of the way from 0 to 1.
    fn interpolate(&self, other: &Self, part: f64) -> Self;
}

impl Interpolate for f64 {
    fn interpolate(&self, other: &Self, part: f64) -> Self {
        self + (other - self) * part
    }
}

impl Interpolate for f32 {
    fn interpolate(&self, other: &Self, part: f64) -> Self {
        f64::from(*self).interpolate(&f64::from(*other), part) as Self
    }
}

impl Interpolate for u8 {
    fn interpolate(&self, other: &Self, part: f64) -> Self {
        f64::from(*self).interpolate(&f64::from(*other), part).round() as Self
    }
}

impl<T: Interpolate, const N: usize> Interpolate for [T; N] {
    fn interpolate(&self, other: &Self, part: f64) -> Self {
        std::array::from_fn(|index| self[index].interpolate(&other[index], part))
    }
}

/// The value's schema, or keyframes of it.
impl<T: JsonSchema> JsonSchema for Animated<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Animated{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = T::json_schema(generator);
        let keyframe =
            json_schema!({ "type": "array", "prefixItems": [{ "type": "number" }, value], "minItems": 2, "maxItems": 2 });
        // One schema of two types rather than two: a range that is asked of the value finds it.
        let types: Vec<_> = value.get("type").cloned().into_iter().chain([json!("object")]).collect();
        let mut schema = value;
        schema.insert("type".into(), types.into());
        schema.insert(
            "properties".into(),
            json!({
                "keyframes": { "type": "array", "items": keyframe, "minItems": 1 },
                "repeats": { "type": "boolean" },
            }),
        );
        schema.insert("required".into(), json!(["keyframes"]));
        schema.insert("additionalProperties".into(), json!(false));
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<T: Interpolate>(animated: &Animated<T>, millis: i64) -> T {
        animated.at(Timestamp::from_nanos(millis * 1_000_000))
    }

    #[test]
    fn values_go_from_keyframe_to_keyframe_and_stay_or_repeat() {
        let once = Animated::new(vec![(1.0, 10.0), (2.0, 20.0), (4.0, 0.0)], false).unwrap();
        assert_eq!([0, 1000, 1500, 2000, 3000, 9000].map(|millis| at(&once, millis)), [10.0, 10.0, 15.0, 20.0, 10.0, 0.0]);
        let again = Animated::new(vec![(1.0, 10.0), (2.0, 20.0), (4.0, 0.0)], true).unwrap();
        assert_eq!([500, 1500, 4500, 7500].map(|millis| at(&again, millis)), [10.0, 15.0, 15.0, 15.0]);
        let colors = Animated::new(vec![(0.0, [0u8, 255, 10]), (1.0, [255, 0, 10])], false).unwrap();
        assert_eq!(at(&colors, 250), [64, 191, 10]);
    }

    #[test]
    fn what_cannot_be_says_so() {
        let said = |text: &str| serde_json::from_str::<Animated<f64>>(text).unwrap_err().to_string();
        assert!(said("\"x\"").contains("neither a value nor {\"keyframes\""));
        assert!(said(r#"{"keyframes": []}"#).contains("at least one keyframe"));
        assert!(said(r#"{"keyframes": [[1, 0], [1, 2]]}"#).contains("each later than the one before"));
        assert!(said(r#"{"keyframes": [[1, 0]], "repeats": true}"#).contains("at least two"));
        for text in ["0.5", r#"{"keyframes":[[0.0,1.0],[2.0,3.0]],"repeats":true}"#] {
            let animated: Animated<f64> = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&animated).unwrap(), text);
        }
    }
}
