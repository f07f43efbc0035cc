//! Objects of Python's on their way from processor to processor.

use std::sync::Arc;

use pyo3::prelude::*;
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
    /// Looks at the fields of a dataclass, or what else has a `__dict__`, for frames, and for a time: its own `time` (nanoseconds), else that
    /// of its first frame.
    pub(crate) fn new(object: &Bound<'_, PyAny>) -> Self {
        let mut frames = Vec::new();
        if let Ok(fields) = object.getattr(pyo3::intern!(object.py(), "__dict__"))
            && let Ok(fields) = fields.cast::<pyo3::types::PyDict>()
        {
            for value in fields.values() {
                if let Ok(frame) = value.cast::<crate::frame::VideoFrame>() {
                    frames.push(frame.get().frame().clone());
                }
            }
        }
        let own = object.getattr(pyo3::intern!(object.py(), "time")).ok().and_then(|time| time.extract().ok());
        let time = own.map(Timestamp::from_nanos).or_else(|| frames.first().map(VideoFrame::time));
        Self(Arc::new(Carried { object: object.clone().unbind(), time, frames }))
    }

    pub(crate) fn object<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.0.object.bind(py).clone()
    }
}
