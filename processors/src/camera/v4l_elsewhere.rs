//! Video4Linux2 on systems that are not Linux: not there, and it says so.

use std::collections::BTreeMap;

use streamlib_core::{Error, ErrorKind, Result};

use super::capture::Driver;
use super::choice::Mode;
use super::{CameraControl, CameraDevice, CameraMode, CaptureFormat, CaptureOptions, ControlValue};

pub(super) fn list() -> Result<Vec<CameraDevice>> {
    Err(unsupported())
}

pub(super) fn modes(_: &CameraDevice) -> Result<Vec<CameraMode>> {
    Err(unsupported())
}

pub(super) fn set(_: &CameraDevice, _: Mode) -> Result<CaptureFormat> {
    Err(unsupported())
}

pub(super) fn open(_: &CameraDevice, _: &CaptureOptions) -> Result<Box<dyn Driver>> {
    Err(unsupported())
}

/// There are none.
pub(super) enum Controls {}

impl Controls {
    pub(super) fn open(device: &CameraDevice) -> Result<Self> {
        let message = format!("the controls of camera {device} cannot be reached on this system");
        Err(Error::new(ErrorKind::Unsupported, message).hint("leave 'controls' out; they work on Linux"))
    }

    pub(super) fn list(&self) -> Result<Vec<CameraControl>> {
        match *self {}
    }

    pub(super) fn apply(&self, _: &BTreeMap<String, ControlValue>) -> Result<BTreeMap<String, ControlValue>> {
        match *self {}
    }
}

fn unsupported() -> Error {
    Error::new(ErrorKind::Unsupported, "the camera backend 'v4l' works on Linux only").hint("use 'auto' or 'nokhwa'")
}
