//! WebGPU's words and flags, as Python writes them.

use std::fmt::Display;
use std::ops::BitOr;

use pyo3::prelude::*;
use pyo3::types::PyInt;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use streamlib::wgpu;

use crate::errors::{Outcome, wrong, wrong_type};

/// The value of an enumeration of WebGPU's: `"clamp-to-edge"`.
pub(super) fn word<T: DeserializeOwned>(argument: impl Display, name: &str) -> Outcome<T> {
    let word: StrDeserializer<'_, WordError> = name.into_deserializer();
    T::deserialize(word).map_err(|error| wrong(argument, error))
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
    if let Some(other) = FLAGS.iter().find(|other| **other != class && value.get_type().name().is_ok_and(|name| name == **other))
    {
        return Err(wrong(argument, format!("it is a {other}; a {class} has {}", names())));
    }
    if value.cast::<PyInt>().is_ok() {
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

/// The classes of flags that Python has.
const FLAGS: [&str; 4] = ["BufferUsage", "MapMode", "ShaderStage", "TextureUsage"];

macro_rules! flags_of {
    ($name:ident, $class:literal, $flags:ty, $known:expr) => {
        pub(super) fn $name(argument: impl Display, value: &Bound<'_, PyAny>) -> Outcome<$flags> {
            let names = || $known.iter_names().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
            let from_name = |name: &str| <$flags>::from_name(name);
            flags(argument, value, $class, <$flags>::empty(), <$flags>::from_bits, from_name, names)
        }
    };
}

// WebGPU's own: wgpu has more.
flags_of!(buffer_usages, "BufferUsage", wgpu::BufferUsages, wgpu::BufferUsages::from_bits_truncate(0x3ff));
flags_of!(texture_usages, "TextureUsage", wgpu::TextureUsages, wgpu::TextureUsages::from_bits_truncate(0x1f));
flags_of!(shader_stages, "ShaderStage", wgpu::ShaderStages, wgpu::ShaderStages::from_bits_truncate(0x7));
