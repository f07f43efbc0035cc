//! The structures of WebGPU that are dicts in Python.

use std::cell::Cell;
use std::fmt::Display;

use pyo3::PyClass;
use pyo3::conversion::FromPyObjectOwned;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use smallvec::SmallVec;
use streamlib::wgpu;

use super::texture::Texture;
use super::words::word_or;
use crate::errors::{Failure, Outcome, wrong, wrong_type};

/// What something was given as. Written only where it is wrong.
#[derive(Clone, Copy)]
pub(super) enum Argument<'a> {
    Name(&'a str),
    Item(&'a str, usize),
    Member(&'a Argument<'a>, &'a str),
}

impl<'a> From<&'a str> for Argument<'a> {
    fn from(name: &'a str) -> Self {
        Self::Name(name)
    }
}

impl Display for Argument<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name}"),
            Self::Item(list, place) => write!(f, "{list}[{place}]"),
            Self::Member(whole, name) => write!(f, "{whole}.{name}"),
        }
    }
}

/// A dict that stands for a structure, its members read by name.
pub(super) struct Fields<'a, 'py> {
    argument: Argument<'a>,
    dict: Bound<'py, PyDict>,
    read: Cell<usize>,
}

impl<'a, 'py> Fields<'a, 'py> {
    pub(super) fn new(argument: impl Into<Argument<'a>>, value: &Bound<'py, PyAny>) -> Outcome<Self> {
        let argument = argument.into();
        match value.cast::<PyDict>() {
            Ok(dict) => Ok(Self { argument, dict: dict.clone(), read: Cell::new(0) }),
            Err(_) => Err(wrong_type(argument, "a dict", value)),
        }
    }

    /// The argument that a member is.
    pub(super) fn member<'b>(&'b self, name: &'b str) -> Argument<'b> {
        Argument::Member(&self.argument, name)
    }

    /// A member that may be missing, or `None`.
    pub(super) fn find(&self, name: &Bound<'py, PyString>) -> Outcome<Option<Bound<'py, PyAny>>> {
        let found = self.dict.get_item(name)?;
        self.read.set(self.read.get() + usize::from(found.is_some()));
        Ok(found.filter(|value| !value.is_none()))
    }

    /// A member that must be there.
    pub(super) fn get(&self, name: &Bound<'py, PyString>) -> Outcome<Bound<'py, PyAny>> {
        self.find(name)?.ok_or_else(|| wrong(self.argument, format!("it has no '{name}'")))
    }

    /// A number that may be missing.
    pub(super) fn number<T>(&self, name: &Bound<'py, PyString>) -> Outcome<Option<T>>
    where
        T: FromPyObjectOwned<'py>,
    {
        self.find(name)?.map(|value| number(format_args!("{}.{name}", self.argument), &value)).transpose()
    }

    /// A text that may be missing.
    pub(super) fn text(&self, name: &Bound<'py, PyString>) -> Outcome<Option<String>> {
        let Some(value) = self.find(name)? else { return Ok(None) };
        value.extract().map(Some).map_err(|_| wrong_type(format_args!("{}.{name}", self.argument), "a str", &value))
    }

    /// An object that must be there.
    pub(super) fn object<T: PyClass>(&self, name: &Bound<'py, PyString>) -> Outcome<Bound<'py, T>> {
        let value = self.get(name)?;
        let class = value.py().get_type::<T>();
        value.cast_into().map_err(|error| {
            let expected = class.name().map_or_else(|_| "another".into(), |name| name.to_string());
            wrong_type(format_args!("{}.{name}", self.argument), &format!("a {expected}"), &error.into_inner())
        })
    }

    /// Refuses members that nobody has asked for.
    pub(super) fn end(self, known: &str) -> Outcome<()> {
        if self.dict.len() == self.read.get() {
            return Ok(());
        }
        let unknown = self.dict.keys().iter().find(|key| {
            let key = key.to_string();
            !known.split(", ").any(|known| known == key)
        });
        let unknown = unknown.map_or_else(String::new, |key| key.to_string());
        Err(wrong(self.argument, format!("it has '{unknown}', of which nothing is known; it may have {known}")))
    }
}

/// A number that is none, negative or too large is named with what it was given for.
pub(super) fn number<'py, T>(argument: impl Display, value: &Bound<'py, PyAny>) -> Outcome<T>
where
    T: FromPyObjectOwned<'py>,
{
    value.extract::<T>().map_err(|error| {
        let error: PyErr = error.into();
        match error.is_instance_of::<pyo3::exceptions::PyTypeError>(value.py()) {
            true => wrong_type(argument, "a number", value),
            false => wrong(argument, format!("it cannot be {value}")),
        }
    })
}

/// Three numbers, the last of which may be missing: a tuple, a list, or a dict with these names.
fn three(argument: Argument<'_>, value: &Bound<'_, PyAny>, names: [&str; 3], default: u32, least: usize) -> Outcome<[u32; 3]> {
    let mut numbers = [default; 3];
    if value.cast::<PyDict>().is_ok() {
        let fields = Fields::new(argument, value)?;
        for (place, name) in names.iter().enumerate() {
            let name = PyString::intern(value.py(), name);
            match fields.number(&name)? {
                Some(number) => numbers[place] = number,
                None if place < least => return Err(wrong(argument, format!("it has no '{name}'"))),
                None => {}
            }
        }
        fields.end(&names.join(", "))?;
        return Ok(numbers);
    }
    let expected = || format!("a tuple of {least} to 3 numbers ({}), or a dict of them", names.join(", "));
    let Ok(items) = value.try_iter() else { return Err(wrong_type(argument, &expected(), value)) };
    let items = items.collect::<PyResult<Vec<_>>>()?;
    if items.len() > 3 || items.len() < least {
        return Err(wrong(argument, format!("expected {}, got {} numbers", expected(), items.len())));
    }
    for (place, item) in items.iter().enumerate() {
        numbers[place] = number(format_args!("{argument}[{place}]"), item)?;
    }
    Ok(numbers)
}

pub(super) fn extent<'a>(argument: impl Into<Argument<'a>>, value: &Bound<'_, PyAny>) -> Outcome<wgpu::Extent3d> {
    let [width, height, depth_or_array_layers] =
        three(argument.into(), value, ["width", "height", "depth_or_array_layers"], 1, 1)?;
    Ok(wgpu::Extent3d { width, height, depth_or_array_layers })
}

/// Whether there is something in it: what is copied by a copy of nothing is not written.
pub(super) fn has_texels(size: wgpu::Extent3d) -> bool {
    size.width > 0 && size.height > 0 && size.depth_or_array_layers > 0
}

fn origin(argument: Argument<'_>, value: &Bound<'_, PyAny>) -> Outcome<wgpu::Origin3d> {
    let [x, y, z] = three(argument, value, ["x", "y", "z"], 0, 0)?;
    Ok(wgpu::Origin3d { x, y, z })
}

/// `GPUTexelCopyTextureInfo`.
pub(super) struct TextureCopy<'py> {
    pub(super) texture: Bound<'py, Texture>,
    mip_level: u32,
    origin: wgpu::Origin3d,
    pub(super) aspect: wgpu::TextureAspect,
}

impl<'py> TextureCopy<'py> {
    pub(super) fn new(argument: &str, value: &Bound<'py, PyAny>) -> Outcome<Self> {
        let py = value.py();
        let fields = Fields::new(argument, value)?;
        let texture = fields.object(pyo3::intern!(py, "texture"))?;
        let mip_level = fields.number(pyo3::intern!(py, "mip_level"))?.unwrap_or(0);
        let place = fields.find(pyo3::intern!(py, "origin"))?;
        let place = place.map_or(Ok(wgpu::Origin3d::ZERO), |value| origin(fields.member("origin"), &value))?;
        let aspect = fields.text(pyo3::intern!(py, "aspect"))?;
        let aspect = word_or(fields.member("aspect"), aspect.as_deref(), wgpu::TextureAspect::All)?;
        fields.end("texture, mip_level, origin, aspect")?;
        Ok(Self { texture, mip_level, origin: place, aspect })
    }

    pub(super) fn on<'a>(&self, texture: &'a wgpu::Texture) -> wgpu::TexelCopyTextureInfo<'a> {
        wgpu::TexelCopyTextureInfo { texture, mip_level: self.mip_level, origin: self.origin, aspect: self.aspect }
    }
}

/// `GPUTexelCopyBufferLayout`, which is a part of `GPUTexelCopyBufferInfo`, too.
pub(super) fn layout(fields: &Fields<'_, '_>, py: Python<'_>) -> Outcome<wgpu::TexelCopyBufferLayout> {
    Ok(wgpu::TexelCopyBufferLayout {
        offset: fields.number(pyo3::intern!(py, "offset"))?.unwrap_or(0),
        bytes_per_row: fields.number(pyo3::intern!(py, "bytes_per_row"))?,
        rows_per_image: fields.number(pyo3::intern!(py, "rows_per_image"))?,
    })
}

/// The items of a list.
pub(super) fn items<'py>(argument: &str, value: &Bound<'py, PyAny>) -> Outcome<SmallVec<[Bound<'py, PyAny>; 8]>> {
    let items = if value.cast::<PyString>().is_ok() { None } else { value.try_iter().ok() };
    let Some(items) = items else { return Err(wrong_type(argument, "a list", value)) };
    items.map(|item| Ok::<_, Failure>(item?)).collect()
}
