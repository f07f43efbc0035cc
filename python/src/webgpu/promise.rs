//! What is under way: `await` it, or wait for it.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::errors::Outcome;
use crate::waiting::{PATIENCE, wait_for_gpu};

/// A buffer's memory on its way to the CPU.
#[pyclass(frozen, module = "streamlib._native")]
pub struct Mapping {
    mapping: Arc<streamlib::Mapping>,
}

impl Mapping {
    pub(super) fn promise(py: Python<'_>, mapping: Arc<streamlib::Mapping>) -> Outcome<Bound<'_, PyAny>> {
        let wait = Bound::new(py, Self { mapping })?.getattr("wait")?;
        promise(py, wait)
    }
}

#[pymethods]
impl Mapping {
    /// Blocks, without the interpreter's lock, until the memory is the CPU's.
    fn wait(&self, py: Python<'_>) -> Outcome<()> {
        wait_mapped(py, &self.mapping)
    }
}

/// Blocks, without the interpreter's lock, until the memory is the CPU's.
pub(super) fn wait_mapped(py: Python<'_>, mapping: &streamlib::Mapping) -> Outcome<()> {
    wait_for_gpu(py, PATIENCE, |slice| mapping.wait_for(slice))?;
    Ok(py.detach(|| mapping.wait(PATIENCE))?)
}

/// The promise of what `call` will return; it is called where it is waited for.
pub(super) fn promise<'py>(py: Python<'py>, call: Bound<'py, PyAny>) -> Outcome<Bound<'py, PyAny>> {
    Ok(PyModule::import(py, "streamlib.webgpu.promise")?.call_method1("Promise", (call,))?)
}
