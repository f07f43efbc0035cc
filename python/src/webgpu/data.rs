//! Bytes on their way from Python to the GPU and back.

use std::ops::{Deref, Range};

use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView};

use crate::errors::{Outcome, wrong, wrong_type};

/// As few bytes are copied sooner than borrowed.
const FEW: usize = 1024;

/// Copying more bytes than these takes longer than letting go of the interpreter's lock.
const MANY: usize = 1 << 16;

/// Bytes of Python's, while the interpreter's lock is held: nobody changes them meanwhile.
pub(super) enum Data<'py> {
    Bytes(Bound<'py, PyBytes>),
    /// Where they lie in another object.
    Borrowed(PyReadonlyArray1<'py, u8>),
}

impl<'py> Data<'py> {
    /// The bytes of whatever has Python's buffer protocol: bytes, bytearray, memoryview, arrays of any kind, in C order. Those that do not lie
    /// in that order are copied.
    pub(super) fn of(argument: &str, data: &Bound<'py, PyAny>) -> Outcome<Self> {
        if let Ok(bytes) = data.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.clone()));
        }
        let Ok(view) = PyMemoryView::from(data) else {
            return Err(wrong_type(argument, "bytes, an array, or what else has the buffer protocol", data));
        };
        if view.getattr("format")?.extract::<&str>()?.contains('O') {
            return Err(wrong(argument, "an array of objects has no bytes for the GPU; give it a type, such as float32"));
        }
        if view.getattr("c_contiguous")?.is_truthy()? && view.getattr("nbytes")?.extract::<usize>()? > FEW {
            static FROM_BUFFER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
            let array = FROM_BUFFER.import(data.py(), "numpy", "frombuffer")?.call1((view, "u1"))?;
            return Ok(Self::Borrowed(array.extract()?));
        }
        Ok(Self::Bytes(view.call_method0("tobytes")?.cast_into()?))
    }
}

impl Deref for Data<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes.as_bytes(),
            // numpy makes contiguous ones of buffers.
            Self::Borrowed(array) => array.as_slice().unwrap_or_default(),
        }
    }
}

/// The part of data that begins at `offset` and is `size` bytes long, or goes to the end.
pub(super) fn part(bytes: usize, offset: u64, size: Option<u64>) -> Outcome<Range<usize>> {
    let all = bytes as u64;
    if offset > all {
        return Err(wrong("data_offset", format!("it is {offset}, but the data have {all} bytes")));
    }
    let size = size.unwrap_or(all - offset);
    match offset.checked_add(size).filter(|end| *end <= all) {
        Some(end) => Ok(offset as usize..end as usize),
        None => Err(wrong("size", format!("{size} bytes from {offset} on are more than the {all} of the data"))),
    }
}

/// A copy of bytes for Python, which may change it. Many are copied without the interpreter's lock.
pub(super) fn copy<'py>(py: Python<'py>, bytes: &[u8]) -> Outcome<Bound<'py, PyByteArray>> {
    if bytes.len() <= MANY {
        return Ok(PyByteArray::new(py, bytes));
    }
    Ok(PyByteArray::new_with(py, bytes.len(), |copy| {
        py.detach(|| copy.copy_from_slice(bytes));
        Ok(())
    })?)
}

/// The same as a memoryview.
pub(super) fn memory<'py>(py: Python<'py>, bytes: &[u8]) -> Outcome<Bound<'py, PyMemoryView>> {
    let copy = copy(py, bytes)?;
    Ok(PyMemoryView::from(&copy)?)
}
