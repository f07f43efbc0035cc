//! WebGPU's words and flags, as Python writes them.

use std::fmt::Display;
use std::ops::BitOr;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, Expected, IntoDeserializer, Unexpected};
use streamlib::wgpu;

use crate::errors::{Outcome, wrong, wrong_type};

/// The value of an enumeration of WebGPU's: `"clamp-to-edge"`.
pub(super) fn word<T: DeserializeOwned>(argument: impl Display, name: &str) -> Outcome<T> {
    let word: StrDeserializer<'_, Unknown> = name.into_deserializer();
    T::deserialize(word).map_err(|unknown| wrong(argument, format!("there is no '{name}'; {unknown}")))
}

/// What is there instead of a word that is not.
#[derive(Debug)]
struct Unknown(String);

impl Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Unknown {}

impl serde::de::Error for Unknown {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        let words: Vec<_> = expected.iter().map(|word| format!("'{word}'")).collect();
        Self(format!("expected {}", words.join(" or ")))
    }

    /// Of texture formats, wgpu does not say which there are.
    fn invalid_value(given: Unexpected<'_>, _: &dyn Expected) -> Self {
        let Unexpected::Str(given) = given else { return Self("expected a text".into()) };
        Self(suggestion("TextureFormat", given))
    }
}

/// The words of an enumeration that look like this one.
pub(super) fn suggestion(enumeration: &str, word: &str) -> String {
    let near = Python::attach(|py| -> PyResult<Vec<String>> {
        let words = PyModule::import(py, "streamlib.webgpu.enums")?.getattr(enumeration)?;
        let words = words.try_iter()?.collect::<PyResult<Vec<_>>>()?;
        let word = word.to_lowercase().replace('_', "-");
        PyModule::import(py, "difflib")?.call_method1("get_close_matches", (word, words))?.extract()
    });
    match &near.unwrap_or_default()[..] {
        [] => format!("`streamlib.webgpu.{enumeration}` lists what there is"),
        near => format!("did you mean '{}'?", near.join("' or '")),
    }
}

/// The same, of one that may be left out.
pub(super) fn word_or<T: DeserializeOwned>(argument: impl Display, name: Option<&str>, default: T) -> Outcome<T> {
    name.map_or(Ok(default), |name| word(argument, name))
}

/// WebGPU's name of a value.
pub(super) fn name_of(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

/// Flags, as a number or as their names: `BufferUsage.COPY_SRC | BufferUsage.COPY_DST`, `"COPY_SRC | COPY_DST"`.
pub(super) fn flags<F: BitOr<Output = F>>(
    argument: impl Display,
    value: &Bound<'_, PyAny>,
    class: &str,
    none: F,
    from_bits: fn(u32) -> Option<F>,
    from_name: fn(&str) -> Option<F>,
    names: fn() -> String,
) -> Outcome<F> {
    check_class(&argument, value, class, names)?;
    if value.cast::<PyBool>().is_err() && value.cast::<PyInt>().is_ok() {
        let flags = value.extract::<u32>().ok().and_then(from_bits);
        return flags.ok_or_else(|| wrong(argument, format!("there are no such flags: {value}; there are {}", names())));
    }
    let Ok(given) = value.extract::<String>() else { return Err(wrong_type(argument, "flags, as an int or a str", value)) };
    let given = given.split('|').map(str::trim).filter(|name| !name.is_empty());
    let mut flags = given.map(|name| {
        from_name(name)
            .ok_or_else(|| wrong(&argument, format!("there is no flag '{name}'; there are {}, joined by '|'", names())))
    });
    flags.try_fold(none, |all, flag| Ok(all | flag?))
}

/// Refuses flags of another class than this one.
pub(super) fn check_class(argument: impl Display, value: &Bound<'_, PyAny>, class: &str, names: fn() -> String) -> Outcome<()> {
    match FLAGS.iter().find(|other| **other != class && value.get_type().name().is_ok_and(|name| name == **other)) {
        Some(other) => Err(wrong(argument, format!("it is a {other}; a {class} has {}", names()))),
        None => Ok(()),
    }
}

/// The classes of flags that Python has.
const FLAGS: [&str; 4] = ["BufferUsage", "MapMode", "ShaderStage", "TextureUsage"];

macro_rules! flags_of {
    ($name:ident, $class:literal, $flags:ty, $known:expr) => {
        pub(super) fn $name(argument: impl Display, value: &Bound<'_, PyAny>) -> Outcome<$flags> {
            let names = || $known.iter_names().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
            let from_name = |name: &str| <$flags>::from_name(name);
            let from_bits = |bits| <$flags>::from_bits(bits).filter(|flags| $known.contains(*flags));
            flags(argument, value, $class, <$flags>::empty(), from_bits, from_name, names)
        }
    };
}

// WebGPU's own: wgpu has more.
flags_of!(buffer_usages, "BufferUsage", wgpu::BufferUsages, wgpu::BufferUsages::from_bits_truncate(0x3ff));
flags_of!(texture_usages, "TextureUsage", wgpu::TextureUsages, wgpu::TextureUsages::from_bits_truncate(0x1f));
flags_of!(shader_stages, "ShaderStage", wgpu::ShaderStages, wgpu::ShaderStages::from_bits_truncate(0x7));
