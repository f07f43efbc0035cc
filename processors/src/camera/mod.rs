//! Cameras: which are there, and the pictures that they deliver.
//!
//! [`list`] names the cameras, [`open`] opens one of them, and [`Capture`] hands its raw pictures out without copying them.
//! Two backends stand behind it: `v4l` (Linux) has time limits, the driver's timestamps, sequence numbers and strides;
//! `nokhwa` works on macOS and Windows too and has less of each. [`Backend`] says which does what.

mod capture;
mod devices;
mod errors;
mod modes;
mod nokhwa;
mod options;
mod source;

#[cfg_attr(not(target_os = "linux"), path = "v4l_elsewhere.rs")]
mod v4l;

pub use capture::{Capture, CaptureClock, CaptureCounts, CaptureFormat, RawPicture};
pub use devices::{CameraDevice, DeviceSelector};
pub use options::{Backend, CaptureOptions};
pub use source::Camera;

use streamlib_core::Result;

/// The cameras that `backend` finds, in the order of their numbers. Empty when there is none.
///
/// Nodes that deliver no pictures (the metadata nodes of USB cameras, encoders) are left out. Blocks for a few milliseconds
/// a camera.
///
/// # Errors
/// `Unsupported` where the backend does not work on this system.
///
/// ```
/// use streamlib_processors::camera::{self, Backend};
///
/// for camera in camera::list(Backend::Auto)? {
///     println!("{camera}");
/// }
/// # Ok::<(), streamlib_core::Error>(())
/// ```
pub fn list(backend: Backend) -> Result<Vec<CameraDevice>> {
    match backend.resolve() {
        Backend::Nokhwa => nokhwa::list(),
        Backend::V4l | Backend::Auto => v4l::list(),
    }
}

/// Opens a camera and starts it: pictures are captured from here on.
///
/// Call it on the thread that will call [`Capture::next`]: a camera does not move between threads. Blocks while the camera
/// starts, which takes up to a second or two with USB cameras.
///
/// # Errors
/// - `InvalidArgument`: options that cannot be, or a name that several cameras have.
/// - `NotFound`: no such camera; the message lists those that are there.
/// - `PermissionDenied`, `Busy`: the system or another program keeps it.
/// - `Unsupported`: it delivers none of the formats that can be used, or the backend does not work on this system.
/// - `Io`: the driver refused.
pub fn open(options: &CaptureOptions) -> Result<Box<dyn Capture>> {
    options.check()?;
    let devices = list(options.backend)?;
    let device = options.device.choose(&devices)?;
    match options.backend.resolve() {
        Backend::Nokhwa => nokhwa::open(device, options),
        Backend::V4l | Backend::Auto => v4l::open(device, options),
    }
}
