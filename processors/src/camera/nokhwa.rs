//! Cameras through nokhwa: AVFoundation, Media Foundation, and Video4Linux2 where one wants it.
//!
//! Its `frame()` waits for a picture without a limit, and there is no way to end the wait from outside: whoever needs a limit
//! watches the thread that captures. It passes on neither sequence numbers nor strides nor the driver's "damaged" mark, takes
//! rates in whole frames a second, and cannot open a Video4Linux2 camera whose present format it does not know (UYVY) or whose
//! present rate is not whole.

use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use ::nokhwa::utils::{ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution};
use ::nokhwa::{Buffer, Camera, NokhwaError};
use streamlib_core::{Color, Error, ErrorKind, FrameRate, PixelFormat, Result, Size};

use super::capture::can_hold;
use super::errors;
use super::modes::{Mode, Wanted, log_choice};
use super::{Backend, CameraDevice, Capture, CaptureClock, CaptureCounts, CaptureFormat, CaptureOptions, RawPicture, v4l};

/// The formats that can be used, out of those that nokhwa knows.
const FORMATS: [FrameFormat; 2] = [FrameFormat::YUYV, FrameFormat::NV12];
/// How long a person may take to answer the system's question whether this program may use the camera.
const PERMISSION_TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn list() -> Result<Vec<CameraDevice>> {
    if cfg!(target_os = "linux") {
        // nokhwa's own list has every video node in it, those that capture nothing too.
        let cameras = v4l::list()?;
        return Ok(cameras.into_iter().map(|camera| CameraDevice { backend: Backend::Nokhwa, ..camera }).collect());
    }
    let cameras = ::nokhwa::query(ApiBackend::Auto)
        .map_err(|error| Error::new(ErrorKind::Unsupported, "the system's cameras cannot be listed").caused_by(error))?;
    Ok(cameras
        .into_iter()
        .enumerate()
        .map(|(position, camera)| CameraDevice {
            index: camera.index().as_index().unwrap_or(position as u32),
            name: camera.human_name(),
            id: camera.misc(),
            backend: Backend::Nokhwa,
        })
        .collect())
}

pub(super) fn open(device: &CameraDevice, options: &CaptureOptions) -> Result<Box<dyn Capture>> {
    ask_for_permission(device)?;
    let any = RequestedFormat::with_formats(RequestedFormatType::None, &FORMATS);
    let mut camera =
        OpenCamera(Some(Camera::new(CameraIndex::Index(device.index), any).map_err(|error| explain(device, "open", &error))?));
    let format = negotiate(camera.get(device)?, device, options)?;
    camera.get(device)?.open_stream().map_err(|error| explain(device, "start", &error))?;
    Ok(Box::new(NokhwaCapture { device: device.clone(), format, camera, picture: None, counts: CaptureCounts::default() }))
}

/// On macOS the system asks the user, once. Elsewhere this returns at once.
fn ask_for_permission(device: &CameraDevice) -> Result<()> {
    if ::nokhwa::nokhwa_check() {
        return Ok(());
    }
    let (answer, answered) = mpsc::channel();
    ::nokhwa::nokhwa_initialize(move |granted| {
        // Nobody listens any more when the answer comes too late.
        let _ = answer.send(granted);
    });
    match answered.recv_timeout(PERMISSION_TIMEOUT) {
        Ok(true) => Ok(()),
        _ => Err(errors::from_system(device, "open", std::io::ErrorKind::PermissionDenied.into())),
    }
}

/// Sets the camera to the mode that is nearest to what was asked.
fn negotiate(camera: &mut Camera, device: &CameraDevice, options: &CaptureOptions) -> Result<CaptureFormat> {
    let refused = |error: NokhwaError| explain(device, "set the format of", &error);
    let offered = camera.compatible_camera_formats().map_err(refused)?;
    let modes = offered.iter().filter_map(|offer| mode_of(*offer)).filter(|mode| can_hold(mode.pixel, mode.size));
    let Some(mode) = Wanted::new(options).nearest(modes) else {
        let mut names: Vec<_> = offered.iter().map(|offer| offer.format().to_string()).collect();
        names.sort_unstable();
        names.dedup();
        return Err(errors::no_format(device, options.pixel_format, &names));
    };
    let frame_format = if mode.pixel == PixelFormat::Nv12 { FrameFormat::NV12 } else { FrameFormat::YUYV };
    let resolution = Resolution::new(mode.size.width(), mode.size.height());
    let request = CameraFormat::new(resolution, frame_format, mode.rate.map_or(30, FrameRate::numerator));
    camera
        .set_camera_requset(RequestedFormat::with_formats(RequestedFormatType::Exact(request), &[frame_format]))
        .map_err(refused)?;
    let agreed = camera.camera_format();
    let unusable = || errors::no_format(device, Some(mode.pixel), &[agreed.to_string()]);
    let mode = mode_of(agreed).ok_or_else(unusable)?;
    let format = CaptureFormat {
        pixel: mode.pixel,
        size: mode.size,
        rate: mode.rate.unwrap_or_default(),
        bytes_per_line: mode.size.width() * if mode.pixel == PixelFormat::Nv12 { 1 } else { 2 },
        color: Color::default_for_height(mode.size.height()),
    };
    if !format.is_sound() {
        return Err(unusable());
    }
    log_choice(device, options, &format);
    Ok(format)
}

fn mode_of(offer: CameraFormat) -> Option<Mode> {
    let pixel = match offer.format() {
        FrameFormat::YUYV => PixelFormat::Yuyv,
        FrameFormat::NV12 => PixelFormat::Nv12,
        _ => return None,
    };
    Some(Mode { pixel, size: Size::new(offer.width(), offer.height()).ok()?, rate: FrameRate::new(offer.frame_rate(), 1).ok() })
}

/// What nokhwa says, which holds the system's error as text only.
fn explain(device: &CameraDevice, doing: &str, error: &NokhwaError) -> Error {
    let text = error.to_string();
    if let Some(error) = errors::system_error_in(&text) {
        return errors::from_system(device, doing, error);
    }
    let kind = match error {
        NokhwaError::UnsupportedOperationError(_)
        | NokhwaError::NotImplementedError(_)
        | NokhwaError::GetPropertyError { .. } => ErrorKind::Unsupported,
        _ => ErrorKind::Io,
    };
    let hint = if cfg!(target_os = "linux") { "use the backend 'v4l'" } else { "unplug it, plug it in and open it again" };
    Error::new(kind, format!("could not {doing} camera {device}: {text}")).hint(hint)
}

/// nokhwa's camera panics in `drop` when it cannot stop its stream.
struct OpenCamera(Option<Camera>);

impl OpenCamera {
    fn get(&mut self, device: &CameraDevice) -> Result<&mut Camera> {
        self.0.as_mut().ok_or_else(|| errors::disconnected(device))
    }
}

impl Drop for OpenCamera {
    fn drop(&mut self) {
        let Some(mut camera) = self.0.take() else { return };
        if let Err(error) = camera.stop_stream() {
            tracing::warn!(%error, "the camera would not stop; it is left to the system");
            std::mem::forget(camera);
        }
    }
}

struct NokhwaCapture {
    device: CameraDevice,
    format: CaptureFormat,
    camera: OpenCamera,
    /// The picture that was handed out last.
    picture: Option<Buffer>,
    counts: CaptureCounts,
}

impl Capture for NokhwaCapture {
    fn device(&self) -> &CameraDevice {
        &self.device
    }

    fn format(&self) -> CaptureFormat {
        self.format
    }

    fn next(&mut self, _: Duration) -> Result<Option<RawPicture<'_>>> {
        self.picture = None;
        let picture = self.camera.get(&self.device)?.frame().map_err(|error| explain(&self.device, "read", &error))?;
        if picture.buffer().len() < self.format.bytes() {
            self.counts.short += 1;
            return Ok(None);
        }
        self.counts.delivered += 1;
        // The timestamp is of the wall clock, counted from 1970.
        let captured = picture.capture_timestamp().and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
        let age = captured.and_then(|captured| SystemTime::now().duration_since(captured).ok());
        let (age, clock) = age.map_or((Duration::ZERO, CaptureClock::Arrival), |age| (age, CaptureClock::Wall));
        let bytes = self.picture.insert(picture).buffer();
        Ok(Some(RawPicture { bytes, format: self.format, sequence: None, age, clock }))
    }

    fn counts(&self) -> CaptureCounts {
        self.counts
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_nokhwa_says_becomes_a_kind_and_a_way_out() {
        let device = CameraDevice { index: 0, name: "vivid".into(), id: "/dev/video0".into(), backend: Backend::Nokhwa };
        let gone = std::io::Error::from_raw_os_error(19).to_string();
        let error = explain(&device, "read", &NokhwaError::ReadFrameError(gone));
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        let busy = std::io::Error::from_raw_os_error(16).to_string();
        let error = explain(&device, "start", &NokhwaError::OpenStreamError(busy));
        assert_eq!(error.kind(), ErrorKind::Busy);
        let unknown = NokhwaError::GetPropertyError { property: "FrameFormat".into(), error: "unsupported".into() };
        let error = explain(&device, "open", &unknown);
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().ends_with("; use the backend 'v4l'"), "{error}");
    }
}
