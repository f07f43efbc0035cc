//! Video4Linux2 on systems that are not Linux: not there, and it says so.

use streamlib_core::{Error, ErrorKind, Result};

use super::{CameraDevice, Capture, CaptureOptions};

pub(super) fn list() -> Result<Vec<CameraDevice>> {
    Err(unsupported())
}

pub(super) fn open(_: &CameraDevice, _: &CaptureOptions) -> Result<Box<dyn Capture>> {
    Err(unsupported())
}

fn unsupported() -> Error {
    Error::new(ErrorKind::Unsupported, "the camera backend 'v4l' works on Linux only").hint("use 'auto' or 'nokhwa'")
}
