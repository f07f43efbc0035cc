//! Cameras through nokhwa: AVFoundation, Media Foundation, and Video4Linux2 where one wants it.
//!
//! Its `frame()` waits for a picture without a limit, and there is no way to end the wait from outside: whoever needs a limit
//! watches the thread that captures. It passes on neither sequence numbers nor the driver's "damaged" mark, takes rates in whole
//! frames a second, and cannot open a Video4Linux2 camera whose present format it does not know (UYVY) or whose present rate is
//! not whole. So on Linux the camera is set beforehand by way of `v4l`, which also tells strides and colour, and its controls are
//! reached that way; nokhwa captures.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use ::nokhwa::utils::{
    ApiBackend, CameraFormat as Request, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};
use ::nokhwa::{Buffer, Camera, NokhwaError};
use streamlib_core::{Color, Error, ErrorKind, FrameRate, Range, Result, Size};

use super::capture::{Delivered, Driver};
use super::choice::{Mode, check_agreed, choose};
use super::modes::{RateRange, SizeRange};
use super::{
    Backend, CameraControl, CameraDevice, CameraFormat, CameraMode, CaptureClock, CaptureCounts, CaptureFormat, CaptureOptions,
    ControlValue, errors, mjpeg, v4l,
};

/// The formats that can be used, out of those that nokhwa knows. Its "GRAY" is not Video4Linux2's `GREY`.
const FORMATS: &[FrameFormat] = {
    const SHARED: &[FrameFormat] =
        &[FrameFormat::YUYV, FrameFormat::NV12, FrameFormat::RAWRGB, FrameFormat::RAWBGR, FrameFormat::MJPEG, FrameFormat::GRAY];
    if cfg!(target_os = "linux") { SHARED.split_at(5).0 } else { SHARED }
};
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
        .map(|(position, camera)| {
            let index = camera.index().as_index().unwrap_or(position as u32);
            CameraDevice::new(index, camera.human_name(), camera.misc(), Backend::Nokhwa)
        })
        .collect())
}

/// Off Linux this opens the camera, which must not be in use.
pub(super) fn modes(device: &CameraDevice) -> Result<Vec<CameraMode>> {
    if cfg!(target_os = "linux") {
        return Ok(v4l::modes(device)?.into_iter().filter_map(passed).collect());
    }
    ask_for_permission(device)?;
    let mut camera = OpenCamera::open(device, RequestedFormatType::None, FORMATS)?;
    modes_of(camera.get(device)?, device)
}

pub(super) fn controls(device: &CameraDevice) -> Result<Vec<CameraControl>> {
    v4l::Controls::open(device)?.list()
}

pub(super) fn open(device: &CameraDevice, options: &CaptureOptions) -> Result<Box<dyn Driver>> {
    ask_for_permission(device)?;
    let (mut camera, format) = if cfg!(target_os = "linux") {
        let mode = choose(device, &modes(device)?, options)?;
        let format = v4l::set(device, mode)?;
        let (request, frame_format) = request(mode)?;
        (OpenCamera::open(device, RequestedFormatType::Exact(request), &[frame_format])?, format)
    } else {
        let mut camera = OpenCamera::open(device, RequestedFormatType::None, FORMATS)?;
        let format = negotiate(camera.get(device)?, device, options)?;
        (camera, format)
    };
    check_agreed(device, options, &format)?;
    let controls = match v4l::Controls::open(device) {
        Ok(controls) => Some(controls),
        Err(_) if options.controls.is_empty() => None,
        Err(error) => return Err(error),
    };
    if let Some(controls) = &controls {
        controls.apply(&options.controls)?;
    }
    camera.get(device)?.open_stream().map_err(|error| explain(device, "start", &error))?;
    let device = device.clone();
    Ok(Box::new(NokhwaCapture { device, format, camera, controls, picture: None, counts: CaptureCounts::default() }))
}

/// What nokhwa passes on of a Video4Linux2 camera's modes: single sizes and whole rates.
fn passed(mut mode: CameraMode) -> Option<CameraMode> {
    mode.rates.retain(|rate| rate.slowest == rate.fastest && rate.slowest.denominator() == 1);
    let passed = frame_format(mode.format).is_some() && mode.size.smallest == mode.size.largest && !mode.rates.is_empty();
    passed.then_some(mode)
}

/// What nokhwa calls a format that it passes.
fn frame_format(format: CameraFormat) -> Option<FrameFormat> {
    FORMATS.iter().copied().find(|known| camera_format(*known) == format)
}

fn camera_format(format: FrameFormat) -> CameraFormat {
    match format {
        FrameFormat::YUYV => CameraFormat::Yuyv,
        FrameFormat::NV12 => CameraFormat::Nv12,
        FrameFormat::RAWRGB => CameraFormat::Rgb24,
        FrameFormat::RAWBGR => CameraFormat::Bgr24,
        FrameFormat::MJPEG => CameraFormat::Mjpeg,
        FrameFormat::GRAY => CameraFormat::Grey8,
    }
}

fn request(mode: Mode) -> Result<(Request, FrameFormat)> {
    let frame_format = frame_format(mode.format)
        .ok_or_else(|| Error::new(ErrorKind::Unsupported, format!("nokhwa does not know {}", mode.format)))?;
    let resolution = Resolution::new(mode.size.width(), mode.size.height());
    Ok((Request::new(resolution, frame_format, mode.rate.unwrap_or_default().numerator()), frame_format))
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

/// Sets the camera to the mode that the options take.
fn negotiate(camera: &mut Camera, device: &CameraDevice, options: &CaptureOptions) -> Result<CaptureFormat> {
    let mode = choose(device, &modes_of(camera, device)?, options)?;
    let (request, frame_format) = request(mode)?;
    camera
        .set_camera_requset(RequestedFormat::with_formats(RequestedFormatType::Exact(request), &[frame_format]))
        .map_err(|error| explain(device, "set the format of", &error))?;
    let agreed = camera.camera_format();
    let unusable = || errors::no_format(device, Some(mode.format), &[agreed.to_string()]);
    let format = capture_format(mode_of(agreed).ok_or_else(unusable)?);
    if format.is_sound() { Ok(format) } else { Err(unusable()) }
}

/// A mode as nokhwa hands its pictures out: without padding, and with nothing known of its colours.
fn capture_format(mode: Mode) -> CaptureFormat {
    let bytes_a_pixel = match mode.format {
        CameraFormat::Mjpeg => 0,
        CameraFormat::Yuyv | CameraFormat::Uyvy => 2,
        CameraFormat::Rgb24 | CameraFormat::Bgr24 => 3,
        CameraFormat::Nv12 | CameraFormat::I420 | CameraFormat::Grey8 => 1,
    };
    let custom = Color::default_for_height(mode.size.height());
    CaptureFormat {
        format: mode.format,
        size: mode.size,
        rate: mode.rate.unwrap_or_default(),
        bytes_per_line: mode.size.width() * bytes_a_pixel,
        color: match mode.format {
            CameraFormat::Mjpeg => mjpeg::COLOR,
            CameraFormat::Grey8 => Color { range: Range::Full, ..custom },
            _ => custom,
        },
    }
}

fn modes_of(camera: &mut Camera, device: &CameraDevice) -> Result<Vec<CameraMode>> {
    let offered = camera.compatible_camera_formats().map_err(|error| explain(device, "list the formats of", &error))?;
    let mut modes: Vec<CameraMode> = Vec::new();
    for mode in offered.into_iter().filter_map(mode_of).filter(|mode| mode.format.can_hold(mode.size)) {
        let size = SizeRange::one(mode.size);
        let rates = mode.rate.map(RateRange::one);
        match modes.iter_mut().find(|known| known.format == mode.format && known.size == size) {
            Some(known) => known.rates.extend(rates),
            None => modes.push(CameraMode { format: mode.format, size, rates: rates.into_iter().collect() }),
        }
    }
    Ok(modes)
}

fn mode_of(offer: Request) -> Option<Mode> {
    let format = FORMATS.contains(&offer.format()).then(|| camera_format(offer.format()))?;
    let size = Size::new(offer.width(), offer.height()).ok()?;
    Some(Mode { format, size, rate: FrameRate::new(offer.frame_rate(), 1).ok() })
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
    fn open(device: &CameraDevice, request: RequestedFormatType, formats: &[FrameFormat]) -> Result<Self> {
        let camera = Camera::new(CameraIndex::Index(device.index), RequestedFormat::with_formats(request, formats));
        Ok(Self(Some(camera.map_err(|error| explain(device, "open", &error))?)))
    }

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
    /// Where the system has any that can be reached.
    controls: Option<v4l::Controls>,
    /// The picture that was handed out last.
    picture: Option<Buffer>,
    counts: CaptureCounts,
}

impl Driver for NokhwaCapture {
    fn device(&self) -> &CameraDevice {
        &self.device
    }

    fn format(&self) -> CaptureFormat {
        self.format
    }

    fn next(&mut self, _: Duration) -> Result<Option<Delivered<'_>>> {
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
        Ok(Some(Delivered { bytes, sequence: None, age, clock }))
    }

    fn counts(&self) -> CaptureCounts {
        self.counts
    }

    fn controls(&self) -> Result<Vec<CameraControl>> {
        self.controls.as_ref().map_or_else(|| controls(&self.device), v4l::Controls::list)
    }

    fn set_controls(&mut self, values: &BTreeMap<String, ControlValue>) -> Result<BTreeMap<String, ControlValue>> {
        match &self.controls {
            Some(controls) => controls.apply(values),
            None => v4l::Controls::open(&self.device)?.apply(values),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_nokhwa_says_becomes_a_kind_and_a_way_out() {
        let device = CameraDevice::new(0, "vivid".into(), "/dev/video0".into(), Backend::Nokhwa);
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

    #[test]
    fn what_nokhwa_passes_of_a_cameras_modes() {
        let size = SizeRange::one("640x480".parse().unwrap());
        let rates: Vec<_> = ["30", "15/2"].iter().map(|rate| RateRange::one(rate.parse().unwrap())).collect();
        let mode = CameraMode { format: CameraFormat::Rgb24, size, rates };
        assert_eq!(passed(mode.clone()).unwrap().to_string(), "rgb24 640x480 at 30");
        for format in [CameraFormat::Uyvy, CameraFormat::I420, CameraFormat::Grey8] {
            assert_eq!(passed(CameraMode { format, ..mode.clone() }), None);
        }
        assert_eq!(passed(CameraMode { size: SizeRange::any().unwrap(), ..mode.clone() }), None);
        assert_eq!(passed(CameraMode { rates: vec![mode.rates[1]], ..mode }), None);
    }
}
