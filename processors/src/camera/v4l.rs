//! Cameras through Video4Linux2: mapped buffers, waits with a limit, the driver's timestamps, sequence numbers and strides.

mod color;
mod controls;
mod identity;
mod ioctl;
mod negotiate;
mod sequence;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::v4l::buffer::{Flags, Metadata, Type};
use ::v4l::device::{Device, Handle};
use ::v4l::io::mmap::Stream;
use ::v4l::io::traits::{CaptureStream, Stream as _};
use streamlib_core::{Error, Result};

use self::negotiate::negotiate;
use self::sequence::SequenceCounter;
use super::capture::{Delivered, Driver};
use super::choice::Mode;
use super::errors;
use super::stall::StallClock;
use super::{
    Backend, CameraControl, CameraDevice, CameraMode, CaptureClock, CaptureCounts, CaptureFormat, CaptureOptions, ControlValue,
};

/// Buffers shared with the driver: one is read here, one is being filled, and two take up what comes when the reader is late.
const BUFFERS: u32 = 4;
/// How long reading may take once the driver has said that it is ready. Every real wait happens before, in `V4lCapture::wait`.
const READ_TIMEOUT: Duration = Duration::from_millis(250);
/// `POLLIN` of `poll(2)`.
const POLLIN: i16 = 1;

pub(super) fn list() -> Result<Vec<CameraDevice>> {
    // No /dev, no cameras.
    let entries = fs::read_dir("/dev").into_iter().flatten().flatten();
    let mut numbers: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.strip_prefix("video")?.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers.into_iter().filter_map(describe).collect())
}

/// The camera with this number, if it is one.
fn describe(index: u32) -> Option<CameraDevice> {
    let id = format!("/dev/video{index}");
    let (name, bus) = match Device::with_path(&id) {
        Ok(video) => {
            let node = ioctl::capabilities(&video.handle()).ok().filter(|node| node.captures)?;
            (node.name, Some(node.bus))
        }
        // It cannot be asked. A camera's first node is the one that captures; opening it will say what is wrong.
        Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ResourceBusy) => {
            if identity::attribute(index, "index").is_some_and(|index| index != "0") {
                return None;
            }
            (identity::attribute(index, "name").unwrap_or_default(), None)
        }
        Err(_) => return None,
    };
    let bus = bus.filter(|bus| !bus.is_empty());
    Some(CameraDevice { bus, serial: identity::serial(index), ..CameraDevice::new(index, name, id, Backend::V4l) })
}

fn opened(device: &CameraDevice) -> Result<Device> {
    let refused = |error| errors::from_system(device, "open", error);
    let video = Device::with_path(&device.id).map_err(refused)?;
    ioctl::close_on_exec(&video.handle()).map_err(refused)?;
    Ok(video)
}

/// Works while another program captures, too.
pub(super) fn modes(device: &CameraDevice) -> Result<Vec<CameraMode>> {
    negotiate::modes(&opened(device)?, device)
}

/// Sets the camera to a mode for somebody else who will open it.
pub(super) fn set(device: &CameraDevice, mode: Mode) -> Result<CaptureFormat> {
    negotiate::set(&opened(device)?, device, mode)
}

/// A way to a camera's controls, whoever captures from it.
pub(super) struct Controls {
    device: CameraDevice,
    handle: Arc<Handle>,
}

impl Controls {
    pub(super) fn open(device: &CameraDevice) -> Result<Self> {
        Ok(Self { device: device.clone(), handle: opened(device)?.handle() })
    }

    pub(super) fn list(&self) -> Result<Vec<CameraControl>> {
        controls::list(&self.handle).map_err(|error| errors::from_system(&self.device, "list the controls of", error))
    }

    pub(super) fn apply(&self, values: &BTreeMap<String, ControlValue>) -> Result<BTreeMap<String, ControlValue>> {
        controls::apply(&self.device, &self.handle, values)
    }
}

pub(super) fn open(device: &CameraDevice, options: &CaptureOptions) -> Result<Box<dyn Driver>> {
    Ok(Box::new(V4lCapture::open(device, options)?))
}

/// Maps the buffers, queues them and starts the stream.
///
/// Buffer 0 is left out on purpose: `Stream::next` first gives back the buffer that it handed out last, which at the first call
/// is number 0. Its own way to start would wait for the first picture without telling the limit apart from the state it leaves.
fn start(video: &Device) -> io::Result<Stream<'static>> {
    let mut stream = Stream::with_buffers(video, Type::VideoCapture, BUFFERS)?;
    stream.set_timeout(READ_TIMEOUT);
    for index in 1.. {
        match CaptureStream::queue(&mut stream, index) {
            Ok(()) => {}
            // The driver may give more buffers than asked for, or fewer; the stream does not say how many there are.
            Err(error) if index > 1 && error.kind() == io::ErrorKind::InvalidInput => break,
            Err(error) => return Err(error),
        }
    }
    stream.start()?;
    Ok(stream)
}

struct V4lCapture {
    device: CameraDevice,
    format: CaptureFormat,
    handle: Arc<Handle>,
    controls: Controls,
    /// Taken in `drop` only.
    stream: Option<Stream<'static>>,
    /// The buffer that was handed out last is back with the driver, but none came for it.
    resynchronise: bool,
    stall: StallClock,
    timeout: Duration,
    sequence: SequenceCounter,
    counts: CaptureCounts,
}

impl V4lCapture {
    fn open(device: &CameraDevice, options: &CaptureOptions) -> Result<Self> {
        let video = opened(device)?;
        let format = negotiate(&video, device, options)?;
        // Before the stream starts: some cannot be set any more then.
        controls::apply(device, &video.handle(), &options.controls)?;
        let stream = start(&video).map_err(|error| errors::from_system(device, "start", error))?;
        Ok(Self {
            device: device.clone(),
            format,
            handle: video.handle(),
            controls: Controls { device: device.clone(), handle: video.handle() },
            stream: Some(stream),
            resynchronise: false,
            stall: StallClock::new(options.timeout),
            timeout: options.timeout,
            sequence: SequenceCounter::default(),
            counts: CaptureCounts::default(),
        })
    }

    /// Waits until the driver has something to say: a picture, or an error that reading will name.
    fn wait(&mut self, timeout: Duration) -> Result<bool> {
        let start = Instant::now();
        let mut now = start;
        loop {
            let left = timeout.saturating_sub(now.duration_since(start));
            let slice = left.min(self.stall.wait(now));
            // Rounded up: poll(2) counts milliseconds, and a wait of 0 would spin.
            let milliseconds = slice.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128) as i32;
            match self.handle.poll(POLLIN, milliseconds) {
                Ok(0) => {}
                Ok(_) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_error(&self.device, &self.handle, error)),
            }
            // Drivers wake those who wait on a camera that is unplugged; one that does not is found out here.
            if is_gone(&self.handle) {
                return Err(errors::disconnected(&self.device));
            }
            now = Instant::now();
            if self.stall.is_over(now) {
                return Err(errors::stalled(&self.device, self.timeout, None));
            }
            if now.duration_since(start) >= timeout {
                return Ok(false);
            }
        }
    }

    /// Gives the last buffer back and takes the one that is ready.
    fn take(&mut self) -> Result<Option<Delivered<'_>>> {
        let Some(stream) = &mut self.stream else {
            return Err(errors::disconnected(&self.device));
        };
        if self.resynchronise {
            // What is read here cannot be handed out; it shows as a gap in the sequence numbers.
            return match CaptureStream::dequeue(stream) {
                Ok(_) => {
                    self.resynchronise = false;
                    Ok(None)
                }
                Err(error) if is_passing(&error) => Ok(None),
                Err(error) => Err(read_error(&self.device, &self.handle, error)),
            };
        }
        let (buffer, metadata) = match CaptureStream::next(stream) {
            Ok(next) => next,
            Err(error) if is_passing(&error) => {
                self.resynchronise = true;
                return Ok(None);
            }
            Err(error) => return Err(read_error(&self.device, &self.handle, error)),
        };
        let (sequence, missed) = self.sequence.advance(metadata.sequence);
        self.counts.missed += missed;
        let bytes = buffer.get(..metadata.bytesused as usize).unwrap_or(buffer);
        let damaged = metadata.flags.contains(Flags::ERROR);
        if damaged || bytes.len() < self.format.bytes() {
            *(if damaged { &mut self.counts.damaged } else { &mut self.counts.short }) += 1;
            tracing::trace!(sequence, damaged, bytes = bytes.len(), "picture left out");
            let over = self.stall.is_over(Instant::now());
            let damage = if damaged { "marked as damaged" } else { "too short" };
            return if over { Err(errors::stalled(&self.device, self.timeout, Some(damage))) } else { Ok(None) };
        }
        self.stall.reset();
        self.counts.delivered += 1;
        let (age, clock) = age(metadata);
        Ok(Some(Delivered { bytes, sequence: Some(sequence), age, clock }))
    }
}

impl Driver for V4lCapture {
    fn device(&self) -> &CameraDevice {
        &self.device
    }

    fn format(&self) -> CaptureFormat {
        self.format
    }

    fn next(&mut self, timeout: Duration) -> Result<Option<Delivered<'_>>> {
        if self.wait(timeout)? { self.take() } else { Ok(None) }
    }

    fn counts(&self) -> CaptureCounts {
        self.counts
    }

    fn controls(&self) -> Result<Vec<CameraControl>> {
        self.controls.list()
    }

    fn set_controls(&mut self, values: &BTreeMap<String, ControlValue>) -> Result<BTreeMap<String, ControlValue>> {
        self.controls.apply(values)
    }
}

/// The `v4l` crate's stream panics in `drop` when the driver refuses to stop for another reason than being unplugged. Leaving
/// the buffers and the descriptor to the end of the process is the lesser harm.
impl Drop for V4lCapture {
    fn drop(&mut self) {
        let Some(mut stream) = self.stream.take() else { return };
        match stream.stop() {
            Err(error) if !errors::is_gone(&error) => {
                tracing::warn!(device = %self.device, %error, "the camera would not stop; its buffers are left to the system");
                std::mem::forget(stream);
            }
            _ => drop(stream),
        }
    }
}

fn is_gone(handle: &Handle) -> bool {
    ioctl::capabilities(handle).is_err_and(|error| errors::is_gone(&error))
}

/// Why reading failed. While a camera is being unplugged, drivers say all kinds of things.
fn read_error(device: &CameraDevice, handle: &Handle, error: io::Error) -> Error {
    if is_gone(handle) { errors::disconnected(device).caused_by(error) } else { errors::from_system(device, "read", error) }
}

/// Nothing is wrong: the driver said "ready" and then had nothing.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::TimedOut)
}

/// How old a picture is. Only timestamps that the driver says are of the monotonic clock can be compared with it; one that lies
/// ahead (a driver that reckons the end of the exposure in advance) says nothing.
fn age(metadata: &Metadata) -> (Duration, CaptureClock) {
    if metadata.flags & Flags::TIMESTAMP_MASK != Flags::TIMESTAMP_MONOTONIC {
        return (Duration::ZERO, CaptureClock::Arrival);
    }
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let now = Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32);
    now.checked_sub(metadata.timestamp.into())
        .map_or((Duration::ZERO, CaptureClock::Arrival), |age| (age, CaptureClock::Monotonic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_monotonic_timestamps_give_an_age() {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let second_ago = Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32) - Duration::from_secs(1);
        let metadata = |flags| Metadata { flags, timestamp: second_ago.into(), ..Metadata::default() };
        let (found, clock) = age(&metadata(Flags::TIMESTAMP_MONOTONIC | Flags::DONE));
        assert_eq!(clock, CaptureClock::Monotonic);
        assert!((Duration::from_secs(1)..Duration::from_secs(60)).contains(&found), "{found:?}");
        let ahead =
            Metadata { timestamp: (second_ago + Duration::from_secs(3600)).into(), ..metadata(Flags::TIMESTAMP_MONOTONIC) };
        assert_eq!(age(&ahead), (Duration::ZERO, CaptureClock::Arrival));
        assert_eq!(age(&metadata(Flags::TIMESTAMP_COPY)), (Duration::ZERO, CaptureClock::Arrival));
        assert_eq!(age(&metadata(Flags::empty())), (Duration::ZERO, CaptureClock::Arrival));
    }

    /// On a camera, as `tests/camera_hardware.rs`: what cannot be caused from outside.
    #[test]
    fn a_driver_that_says_ready_and_is_not_costs_one_picture() {
        let Ok(path) = std::env::var("STREAMLIB_TEST_CAMERA") else {
            println!("skipped: STREAMLIB_TEST_CAMERA names no camera (scripts/test-camera brings one)");
            return;
        };
        let options = CaptureOptions { rate: "1".parse().ok(), ..CaptureOptions::default() };
        let devices = list().unwrap();
        let device = super::super::DeviceSelector::Path(path.into()).choose(&devices).unwrap();
        let mut camera = V4lCapture::open(device, &options).unwrap();
        let next = |camera: &mut V4lCapture| loop {
            if let Some(picture) = camera.next(Duration::from_secs(5)).unwrap() {
                break picture.sequence.unwrap();
            }
        };
        let before = next(&mut camera);
        assert!(camera.take().unwrap().is_none(), "a camera of one picture a second has none yet");
        assert!(camera.resynchronise);
        assert_eq!(next(&mut camera), before + 2);
        assert_eq!(next(&mut camera), before + 3);
        assert_eq!(camera.counts(), CaptureCounts { delivered: 3, missed: 1, ..CaptureCounts::default() });
    }
}
