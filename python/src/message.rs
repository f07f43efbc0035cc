//! Objects of Python's on their way from processor to processor.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use streamlib::{Message, Timestamp, VideoFrame};

/// An object of a class of one's own. Native threads clone and drop it without the interpreter's lock.
#[derive(Clone)]
pub(crate) struct PythonMessage(Arc<Carried>);

struct Carried {
    object: Py<PyAny>,
    time: Option<Timestamp>,
    /// The frames among its fields: they become immutable when it is sent.
    frames: Vec<VideoFrame>,
}

impl Message for PythonMessage {
    fn visit_frames(&self, visit: &mut dyn FnMut(&VideoFrame)) {
        self.0.frames.iter().for_each(visit);
    }

    fn time(&self) -> Option<Timestamp> {
        self.0.time
    }
}

impl PythonMessage {
    /// Looks for frames in its fields, and in lists, tuples and dicts there, and for a time: its own `time` (nanoseconds), else that of its
    /// first frame.
    pub(crate) fn new(object: &Bound<'_, PyAny>) -> Self {
        let mut frames = Vec::new();
        frames_of_fields(object, &mut frames);
        let own = object.getattr(pyo3::intern!(object.py(), "time")).ok().and_then(|time| time.extract().ok());
        let time = own.map(Timestamp::from_nanos).or_else(|| frames.first().map(VideoFrame::time));
        Self(Arc::new(Carried { object: object.clone().unbind(), time, frames }))
    }

    /// The frames in it.
    pub(crate) fn frames(&self) -> &[VideoFrame] {
        &self.0.frames
    }

    pub(crate) fn object<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.0.object.bind(py).clone()
    }
}

/// How deep frames are looked for.
const DEPTH: usize = 3;

/// The fields of a dataclass, of anything else its `__dict__`; and what a tuple with names holds.
fn frames_of_fields(object: &Bound<'_, PyAny>, frames: &mut Vec<VideoFrame>) {
    let py = object.py();
    let dict = |name| object.getattr(name).ok().and_then(|fields| fields.cast_into::<PyDict>().ok());
    if let Some(fields) = dict(pyo3::intern!(py, "__dataclass_fields__")) {
        let names = fields.keys().into_iter().filter_map(|name| name.cast_into::<PyString>().ok());
        names.filter_map(|name| object.getattr(name).ok()).for_each(|value| frames_in(&value, DEPTH, frames));
    } else if let Some(fields) = dict(pyo3::intern!(py, "__dict__")) {
        fields.values().iter().for_each(|value| frames_in(&value, DEPTH, frames));
    }
    frames_in(object, DEPTH, frames);
}

fn frames_in(value: &Bound<'_, PyAny>, depth: usize, frames: &mut Vec<VideoFrame>) {
    if let Ok(frame) = value.cast::<crate::frame::VideoFrame>() {
        frames.push(frame.get().frame().clone());
    } else if depth == 0 {
    } else if let Ok(values) = value.cast::<PyList>() {
        values.iter().for_each(|value| frames_in(&value, depth - 1, frames));
    } else if let Ok(values) = value.cast::<PyTuple>() {
        values.iter().for_each(|value| frames_in(&value, depth - 1, frames));
    } else if let Ok(values) = value.cast::<PyDict>() {
        values.values().iter().for_each(|value| frames_in(&value, depth - 1, frames));
    }
}
