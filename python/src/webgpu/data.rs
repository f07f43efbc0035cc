//! Bytes on their way from Python to the GPU and back.

use std::ops::Range;

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView};

use crate::errors::{Outcome, wrong, wrong_type};

/// The bytes of whatever has Python's buffer protocol: bytes, bytearray, memoryview, arrays of any kind, in C order.
pub(super) fn bytes<'py>(argument: &str, data: &Bound<'py, PyAny>) -> Outcome<Bound<'py, PyBytes>> {
    if let Ok(bytes) = data.cast::<PyBytes>() {
        return Ok(bytes.clone());
    }
    let Ok(view) = PyMemoryView::from(data) else {
        return Err(wrong_type(argument, "bytes, an array, or what else has the buffer protocol", data));
    };
    Ok(view.call_method0("tobytes")?.cast_into::<PyBytes>()?)
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

/// What Python gets of bytes that were copied for it: it may change them.
pub(super) fn memory<'py>(py: Python<'py>, bytes: &[u8]) -> Outcome<Bound<'py, PyMemoryView>> {
    Ok(PyMemoryView::from(&PyByteArray::new(py, bytes))?)
}
