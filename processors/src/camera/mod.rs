//! Cameras: which are there, and the pictures that they deliver.
//!
//! [`list`] names the cameras, [`CameraDevice::modes`] and [`CameraDevice::controls`] what they can be set to, [`open`] opens one
//! of them, and [`Capture`] hands its pictures out without copying them; those that come as JPEG are decoded to planes.
//! Two backends stand behind it: `v4l` (Linux) has time limits, the driver's timestamps, sequence numbers and strides;
//! `nokhwa` works on macOS and Windows too and has less of each. [`Backend`] says which does what.

mod capture;
mod choice;
mod controls;
mod devices;
mod errors;
mod format;
mod mjpeg;
mod modes;
mod nokhwa;
mod options;
mod picture;
mod source;
mod stall;

#[cfg_attr(not(target_os = "linux"), path = "v4l_elsewhere.rs")]
mod v4l;

pub use capture::{Capture, CaptureCounts};
pub use choice::ModeChoice;
pub use controls::{CameraControl, ControlFlags, ControlKind, ControlValue};
pub use devices::{CameraDevice, DeviceSelector};
pub use format::CameraFormat;
pub use modes::{CameraMode, RateRange, SizeRange};
pub use options::{Backend, CaptureOptions};
pub use picture::{CaptureClock, CaptureFormat, RawPicture};
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
///     println!("{camera:#}");
///     for mode in camera.modes()? {
///         println!("  {mode}");
///     }
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
/// - `InvalidArgument`: options that cannot be, a name that several cameras have, or a control that the camera has not or not so.
/// - `NotFound`: no such camera; the message lists those that are there.
/// - `PermissionDenied`, `Busy`: the system or another program keeps it.
/// - `Unsupported`: it delivers none of the formats that can be used, or not exactly what was asked where it has to be; or the
///   backend does not work on this system.
/// - `Io`: the driver refused.
pub fn open(options: &CaptureOptions) -> Result<Capture> {
    options.check()?;
    let devices = list(options.backend)?;
    let device = options.device.choose(&devices)?;
    let driver = match options.backend.resolve() {
        Backend::Nokhwa => nokhwa::open(device, options)?,
        Backend::V4l | Backend::Auto => v4l::open(device, options)?,
    };
    Ok(Capture::new(driver, options.timeout))
}

/// For the fuzzer: what a decoder of Motion JPEG makes of these pictures, one after the other. Of each that it does not refuse the
/// format and the planes with their strides.
#[cfg(fuzzing)]
#[doc(hidden)]
pub fn decode_motion_jpeg(
    pictures: &[&[u8]],
    size: streamlib_core::Size,
) -> Vec<Option<(streamlib_core::PixelFormat, Vec<(Vec<u8>, usize)>)>> {
    let mut decoder = mjpeg::Decoder::default();
    let decoded = pictures.iter().map(|picture| {
        let format = decoder.decode(picture, size).ok()?;
        let (planes, count) = decoder.planes();
        Some((format, planes[..count].iter().map(|plane| (plane.bytes.to_vec(), plane.stride)).collect()))
    });
    decoded.collect()
}
