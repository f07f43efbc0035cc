//! One opened camera.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use streamlib_core::Result;

use super::mjpeg::Decoder;
use super::picture::Planes;
use super::stall::StallClock;
use super::{CameraControl, CameraDevice, CameraFormat, CaptureClock, CaptureFormat, ControlValue, RawPicture, errors};

/// An opened camera that captures.
///
/// It is not `Send`: several systems tie a camera to the thread that opened it. Open it on the thread that captures.
pub struct Capture {
    driver: Box<dyn Driver>,
    /// Where pictures are compressed.
    decoder: Option<Decoder>,
    stall: StallClock,
    timeout: Duration,
    /// Pictures that the driver handed out and that could not be decoded.
    undecodable: u64,
}

/// What a backend makes of an opened camera.
pub(super) trait Driver {
    fn device(&self) -> &CameraDevice;

    fn format(&self) -> CaptureFormat;

    /// As [`Capture::next`]. What is handed out is at least [`CaptureFormat::bytes`] long.
    fn next(&mut self, timeout: Duration) -> Result<Option<Delivered<'_>>>;

    fn counts(&self) -> CaptureCounts;

    fn controls(&self) -> Result<Vec<CameraControl>>;

    /// As [`Capture::set_controls`].
    fn set_controls(&mut self, values: &BTreeMap<String, ControlValue>) -> Result<BTreeMap<String, ControlValue>>;
}

/// What a driver hands out: pixels or a JPEG.
pub(super) struct Delivered<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) sequence: Option<u64>,
    pub(super) age: Duration,
    pub(super) clock: CaptureClock,
}

impl Capture {
    pub(super) fn new(driver: Box<dyn Driver>, timeout: Duration) -> Self {
        let decoder = (driver.format().format == CameraFormat::Mjpeg).then(Decoder::default);
        Self { driver, decoder, stall: StallClock::new(timeout), timeout, undecodable: 0 }
    }

    /// The camera.
    pub fn device(&self) -> &CameraDevice {
        self.driver.device()
    }

    /// What was agreed with the camera. It does not change while the camera is open.
    pub fn format(&self) -> CaptureFormat {
        self.driver.format()
    }

    /// Waits up to `timeout` for the next picture. Its bytes belong to the driver and are not copied; JPEG is decoded into memory
    /// of its own. Either is valid until the next call. `Duration::ZERO` takes a picture that is there already and waits for none.
    ///
    /// `None` means that there is no picture yet: the time is up, or what came was damaged and has been counted. Call again.
    /// With the `nokhwa` backend the call blocks until a picture comes, however long that takes.
    ///
    /// # Errors
    /// - `Disconnected`: the camera was unplugged, which is told at once. Drop the camera and open it again.
    /// - `Stalled`: no whole picture for [`CaptureOptions::timeout`](super::CaptureOptions::timeout). Calling again waits as long
    ///   again.
    /// - `Io`: the driver failed. Drop the camera and open it again.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<RawPicture<'_>>> {
        let format = self.driver.format();
        let Some(decoder) = &mut self.decoder else {
            let Some(Delivered { bytes, sequence, age, clock }) = self.driver.next(timeout)? else { return Ok(None) };
            let (pixel, arrived) = (format.format.pixel_formats()[0], Instant::now());
            return Ok(Some(RawPicture { planes: format.planes(bytes), pixel, format, sequence, age, arrived, clock }));
        };
        let Some(Delivered { bytes, sequence, age, clock }) = self.driver.next(timeout)? else { return Ok(None) };
        let arrived = Instant::now();
        let damage = match decoder.decode(bytes, format.size) {
            Ok(pixel) => {
                self.stall.reset();
                let (planes, count) = decoder.planes();
                // Decoding takes time, in which the picture grows older.
                let age = age + arrived.elapsed();
                return Ok(Some(RawPicture { planes: Planes { planes, count }, pixel, format, sequence, age, arrived, clock }));
            }
            Err(damage) => damage,
        };
        tracing::trace!(sequence, %damage, "picture left out");
        self.undecodable += 1;
        if self.stall.is_over(Instant::now()) {
            return Err(errors::stalled(self.driver.device(), self.timeout, Some(&damage.to_string())));
        }
        Ok(None)
    }

    /// What came and what did not, since the camera was opened.
    pub fn counts(&self) -> CaptureCounts {
        let counts = self.driver.counts();
        CaptureCounts { delivered: counts.delivered - self.undecodable, damaged: counts.damaged + self.undecodable, ..counts }
    }

    /// What can be set of the camera, as it is now.
    ///
    /// # Errors
    /// `Unsupported` where the backend has no controls on this system; `Disconnected`, `Io`.
    pub fn controls(&self) -> Result<Vec<CameraControl>> {
        self.driver.controls()
    }

    /// Sets controls by name, switches and menus before numbers: automatic modes hold numbers, and have to be off first. Returns
    /// what the camera made of the values.
    ///
    /// # Errors
    /// `InvalidArgument` for a name that the camera does not have or a value out of its range, which the message states;
    /// `Unsupported` for one that cannot be set, `Busy` for one that is held: by an automatic mode, or while pictures flow. Then
    /// what had been set before is put back.
    pub fn set_controls(&mut self, values: &BTreeMap<String, ControlValue>) -> Result<BTreeMap<String, ControlValue>> {
        self.driver.set_controls(values)
    }
}

/// What came from a camera and what did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureCounts {
    /// Pictures handed out.
    pub delivered: u64,
    /// Pictures that the driver marked as damaged, or that were no whole JPEG of the agreed size; left out.
    pub damaged: u64,
    /// Pictures that were shorter than their format; left out.
    pub short: u64,
    /// Pictures that the driver dropped because no buffer was free: gaps in its sequence numbers. 0 where there are none.
    pub missed: u64,
}

#[cfg(test)]
mod tests;
