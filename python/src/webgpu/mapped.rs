//! What Python gets of mapped memory: bytes of its own.

use std::collections::HashMap;
use std::ops::Range;

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyMemoryView, PyTuple};
use streamlib::wgpu;

use crate::errors::Outcome;

/// A part of the memory in Python's hands: bytes of Python's own, which are written back when it is unmapped. So nothing in Python ever points
/// to memory that a driver may take away.
pub(super) struct Lent {
    pub(super) range: Range<u64>,
    pub(super) bytes: Py<PyByteArray>,
    pub(super) view: Py<PyMemoryView>,
}

/// Releases the memoryviews. One that an array was made from cannot be: the array keeps its bytes, which are the buffer's no more.
pub(super) fn release(py: Python<'_>, lent: Vec<Lent>) {
    for Lent { view, .. } in lent {
        let _ = view.call_method0(py, "release");
    }
}

/// Mapped memory, for as long as it is copied: it never leaves `copied`.
#[pyclass(frozen, module = "streamlib._native")]
pub(super) struct MappedBytes {
    address: usize,
    bytes: usize,
}

impl MappedBytes {
    /// What is in memory that is mapped for writing. It must stay mapped meanwhile: code of Python's may run.
    pub(super) fn copied<'py>(py: Python<'py>, view: &mut wgpu::BufferViewMut) -> Outcome<Bound<'py, PyByteArray>> {
        let mut all = view.slice(..);
        let mapped = Self { address: all.as_raw_ptr().cast::<u8>().addr().get(), bytes: all.len() };
        let array = PyModule::import(py, "numpy")?.call_method1("asarray", (Bound::new(py, mapped)?,))?;
        Ok(PyByteArray::from(&array)?)
    }
}

#[pymethods]
impl MappedBytes {
    /// numpy's protocol: where the bytes lie.
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> Outcome<HashMap<&'static str, Bound<'py, PyAny>>> {
        Ok(HashMap::from([
            ("version", 3i32.into_bound_py_any(py)?),
            ("typestr", "|u1".into_bound_py_any(py)?),
            ("shape", PyTuple::new(py, [self.bytes])?.into_any()),
            ("data", (self.address, true).into_bound_py_any(py)?),
        ]))
    }
}
