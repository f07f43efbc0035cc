//! What all objects of a device have in common.

use pyo3::PyClass;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use streamlib::{Error, GpuContext};

use crate::debug::{Alive, Kind};
use crate::errors::{Failure, Outcome, wrong};

/// What every object of a device is: it has a label, by which errors call it.
#[pyclass(frozen, subclass, weakref, module = "streamlib.webgpu")]
pub struct Object {
    gpu: GpuContext,
    label: String,
    _alive: Alive,
}

impl Object {
    pub(crate) fn gpu(&self) -> &GpuContext {
        &self.gpu
    }

    /// What `repr` says.
    pub(super) fn described(&self, class: &str, more: &str) -> String {
        let label = if self.label.is_empty() { String::new() } else { format!(" '{}'", self.label) };
        format!("<streamlib.webgpu.{class}{label}{more}>")
    }

    /// Its kind and its label, for errors.
    pub(super) fn called(&self, what: &str) -> String {
        match &*self.label {
            "" => format!("the {what}"),
            label => format!("{what} '{label}'"),
        }
    }
}

#[pymethods]
impl Object {
    /// What errors call it.
    #[getter]
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    fn __repr__(this: &Bound<'_, Self>) -> PyResult<String> {
        Ok(this.get().described(&this.get_type().name()?.to_string(), ""))
    }
}

/// An object of a device.
pub(crate) fn make<'py, T>(py: Python<'py>, kind: Kind, gpu: &GpuContext, label: &str, object: T) -> Outcome<Bound<'py, T>>
where
    T: PyClass<BaseType = Object>,
{
    let base = Object { gpu: gpu.clone(), label: label.to_owned(), _alive: Alive::new(kind) };
    Ok(Bound::new(py, PyClassInitializer::from(base).add_subclass(object))?)
}

/// What wgpu is told of a label.
pub(super) fn some(label: &str) -> Option<&str> {
    (!label.is_empty()).then_some(label)
}

/// An error of a call with this object, which it names.
pub(super) fn naming<T>(this: &Bound<'_, T>, what: &str, error: Error) -> Failure
where
    T: PyClass<BaseType = Object, Frozen = True> + Sync,
{
    let object = this.as_super().get();
    let is_named = object.label.is_empty() || error.to_string().contains(&format!("'{}'", object.label));
    match is_named {
        true => error.into(),
        false => error.with_context(object.called(what)).into(),
    }
}

/// What is behind an object that was given as this argument, if it is of the device.
pub(crate) fn of<'a, T>(gpu: &GpuContext, argument: impl std::fmt::Display, object: &'a Bound<'_, T>) -> Outcome<&'a T>
where
    T: PyClass<BaseType = Object, Frozen = True> + Sync,
{
    let base = object.as_super().get();
    match base.gpu.is_same_device(gpu) {
        true => Ok(object.get()),
        false if base.label.is_empty() => Err(wrong(argument, "it is of another GPU device")),
        false => Err(wrong(argument, format!("'{}' is of another GPU device", base.label))),
    }
}
