//! What is under way: `await` it, or wait for it.

use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;

use crate::errors::Outcome;

/// How long what is waited for without a limit may take, before its driver is taken to hang.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

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
        py.detach(|| self.mapping.wait(PATIENCE))?;
        Ok(())
    }
}

/// The promise of what `call` will return; it is called where it is waited for.
pub(super) fn promise<'py>(py: Python<'py>, call: Bound<'py, PyAny>) -> Outcome<Bound<'py, PyAny>> {
    Ok(PyModule::import(py, "streamlib.webgpu.promise")?.call_method1("Promise", (call,))?)
}
