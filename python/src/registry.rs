//! The built-in processors.

use std::sync::{Mutex, OnceLock, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use serde_json::Value;
use streamlib::{Processor, Registry};

use crate::errors::{Outcome, wrong};
use crate::frame::{dumps, loads};

static REGISTRY: OnceLock<Registry> = OnceLock::new();

fn registry() -> &'static Registry {
    REGISTRY.get_or_init(streamlib::registry)
}

/// What there is to know of each built-in processor: a list of dicts with `name`, `summary`, `inputs`, `outputs` and `parameters`.
#[pyfunction]
#[pyo3(signature = () -> "list[dict[str, typing.Any]]")]
pub(crate) fn descriptors(py: Python<'_>) -> Outcome<Bound<'_, PyAny>> {
    let descriptors: Vec<_> = registry().descriptors().collect();
    Ok(loads(py, &serde_json::to_string(&descriptors).unwrap_or_default())?)
}

/// The cameras that there are: a list of dicts with `index`, `name`, `id` (on Linux the path), `bus` and `serial`, by any of which
/// `streamlib.Camera(device=...)` takes one.
#[pyfunction]
#[pyo3(signature = () -> "list[dict[str, typing.Any]]")]
pub(crate) fn cameras(py: Python<'_>) -> Outcome<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for camera in py.detach(|| streamlib::camera::list(streamlib::camera::Backend::Auto))? {
        let row = PyDict::new(py);
        row.set_item("index", camera.index)?;
        row.set_item("name", camera.name)?;
        row.set_item("id", camera.id)?;
        row.set_item("bus", camera.bus)?;
        row.set_item("serial", camera.serial)?;
        list.append(row)?;
    }
    Ok(list)
}

/// Whether there is a screen to open a window on, as far as the environment says. Opening one may fail all the same.
#[pyfunction]
pub(crate) fn has_screen() -> bool {
    streamlib::display::has_screen()
}

/// A processor that comes with streamlib. Use its classes: `streamlib.Camera` and the others.
#[pyclass(subclass, frozen, weakref, module = "streamlib._native")]
pub struct BuiltIn {
    name: String,
    parameters: Value,
    /// What was made to check the parameters, for the first graph that it is added to.
    made: Mutex<Option<Box<dyn Processor>>>,
}

impl BuiltIn {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn recipe(&self) -> (String, Value) {
        (self.name.clone(), self.parameters.clone())
    }

    pub(crate) fn take(&self) -> Option<Box<dyn Processor>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Makes a built-in processor.
pub(crate) fn make(name: &str, parameters: &Value) -> streamlib::Result<Box<dyn Processor>> {
    registry().create(name, parameters)
}

#[pymethods]
impl BuiltIn {
    #[new]
    fn new(py: Python<'_>, name: String, parameters: &Bound<'_, PyAny>) -> Outcome<Self> {
        let text = dumps(py, parameters)?;
        let parameters = serde_json::from_str(&text).map_err(|error| wrong("parameters", error))?;
        let made = make(&name, &parameters)?;
        Ok(Self { name, parameters, made: Mutex::new(Some(made)) })
    }

    /// Its name in graphs.
    #[getter]
    fn _name(&self) -> &str {
        &self.name
    }

    /// The parameters that were given.
    #[getter]
    fn _parameters<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, PyAny>> {
        Ok(loads(py, &self.parameters.to_string())?)
    }
}
