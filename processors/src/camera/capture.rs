//! One opened camera and the raw pictures that it hands out.

use std::time::Duration;

use streamlib_core::{Color, FrameRate, PixelFormat, Result, Size, VideoFormat};

use super::CameraDevice;

/// An opened camera that captures.
///
/// It need not be `Send`: several systems tie a camera to the thread that opened it. Open it on the thread that captures.
pub trait Capture {
    /// The camera.
    fn device(&self) -> &CameraDevice;

    /// What was agreed with the camera. It does not change while the camera is open.
    fn format(&self) -> CaptureFormat;

    /// Waits up to `timeout` for the next picture. The bytes belong to the driver: they are valid until the next call, and are
    /// not copied. `Duration::ZERO` takes a picture that is there already and waits for none.
    ///
    /// `None` means that there is no picture yet: the time is up, or what came was damaged and has been counted. Call again.
    /// With the `nokhwa` backend the call blocks until a picture comes, however long that takes.
    ///
    /// # Errors
    /// - `Disconnected`: the camera was unplugged, which is told at once. Drop the camera and open it again.
    /// - `Stalled`: no picture for [`CaptureOptions::timeout`](super::CaptureOptions::timeout). Calling again waits as long again.
    /// - `Io`: the driver failed. Drop the camera and open it again.
    fn next(&mut self, timeout: Duration) -> Result<Option<RawPicture<'_>>>;

    /// What came and what did not, since the camera was opened.
    fn counts(&self) -> CaptureCounts;
}

/// What was agreed with a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureFormat {
    /// How pixels are stored: `yuyv` or `nv12`.
    pub pixel: PixelFormat,
    /// The size of the picture.
    pub size: Size,
    /// Pictures a second, as the camera states it. In the dark many deliver fewer.
    pub rate: FrameRate,
    /// Bytes from the start of a line to the start of the next, padding included: of YUYV's one plane, of both planes of NV12.
    pub bytes_per_line: u32,
    /// How Y'CbCr is to be read: what the driver says, or else the custom for the height.
    pub color: Color,
}

impl CaptureFormat {
    /// The format of the frames that hold such pictures.
    pub fn video(self) -> VideoFormat {
        VideoFormat { color: self.color, ..VideoFormat::new(self.pixel, self.size) }
    }

    /// Bytes of the picture in the driver's buffer, up to the last pixel of the last line.
    pub fn bytes(self) -> usize {
        let lines = self.video().texture_size().height as usize;
        self.bytes_per_line as usize * (lines - 1) + self.video().row_bytes()
    }

    /// Whether a texture can hold such a picture as it lies in the driver's buffer: sides even where pixels share colour, and
    /// lines at least as long as the picture is wide.
    pub(super) fn is_sound(self) -> bool {
        can_hold(self.pixel, self.size) && self.bytes_per_line as usize >= self.video().row_bytes()
    }
}

/// Whether a picture of this size fills whole pairs (4:2:2) or squares (4:2:0) of pixels. No camera offers others, and how
/// their last line would lie in memory nobody defines.
pub(super) fn can_hold(pixel: PixelFormat, size: Size) -> bool {
    let even = |side: u32| side.is_multiple_of(2);
    even(size.width()) && (pixel == PixelFormat::Yuyv || even(size.height()))
}

/// A picture in the driver's memory.
#[derive(Clone, Copy, Debug)]
pub struct RawPicture<'a> {
    /// The bytes that the driver filled: at least [`CaptureFormat::bytes`], the planes one behind the other.
    pub bytes: &'a [u8],
    /// What the bytes mean; the same for every picture of a camera.
    pub format: CaptureFormat,
    /// The driver's count of pictures, from any start. It goes up by one a picture; a gap is pictures that the driver dropped.
    /// `None` where the backend passes none on.
    pub sequence: Option<u64>,
    /// How long ago the picture was captured, measured when [`Capture::next`] returned. Subtract it from the time of your own
    /// clock, read right away.
    pub age: Duration,
    /// What the age was taken from.
    pub clock: CaptureClock,
}

/// What a picture's age was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CaptureClock {
    /// The driver's timestamp on the system's monotonic clock: when the exposure began or ended, as the driver defines it.
    Monotonic,
    /// The driver's timestamp by way of the wall clock (`nokhwa`): wrong for a picture during which the wall clock was set.
    Wall,
    /// The driver gave no usable timestamp: the age is zero, and the time is that at which the picture was received.
    Arrival,
}

impl<'a> RawPicture<'a> {
    /// The lines of the picture without their padding, in the order of the texture that will hold it: for NV12 the luma lines,
    /// then the chroma lines.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let (bytes, stride) = (self.bytes, self.format.bytes_per_line as usize);
        let (length, lines) = (self.format.video().row_bytes(), self.format.video().texture_size().height as usize);
        (0..lines).map(move |line| &bytes[line * stride..][..length])
    }

    /// Copies the picture to where lines are `stride` bytes apart, through `write(offset, bytes)`: in one piece where the strides
    /// agree, else line by line. Mapped GPU memory may be writable only, hence the closure.
    pub fn copy_with(&self, stride: usize, mut write: impl FnMut(usize, &[u8])) {
        if stride == self.format.bytes_per_line as usize {
            write(0, &self.bytes[..self.format.bytes()]);
        } else {
            for (line, bytes) in self.lines().enumerate() {
                write(line * stride, bytes);
            }
        }
    }
}

/// What came from a camera and what did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureCounts {
    /// Pictures handed out.
    pub delivered: u64,
    /// Pictures that the driver marked as damaged; left out.
    pub damaged: u64,
    /// Pictures that were shorter than their format; left out.
    pub short: u64,
    /// Pictures that the driver dropped because no buffer was free: gaps in its sequence numbers. 0 where there are none.
    pub missed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(pixel: PixelFormat, width: u32, height: u32, bytes_per_line: u32) -> CaptureFormat {
        let size = Size::new(width, height).unwrap();
        CaptureFormat { pixel, size, rate: FrameRate::default(), bytes_per_line, color: Color::default_for_height(height) }
    }

    fn picture(format: CaptureFormat, bytes: &[u8]) -> RawPicture<'_> {
        RawPicture { bytes, format, sequence: None, age: Duration::ZERO, clock: CaptureClock::Arrival }
    }

    fn copied(picture: &RawPicture<'_>, stride: usize) -> (Vec<u8>, usize) {
        let (mut destination, mut pieces) = (vec![0; stride * picture.lines().len()], 0);
        picture.copy_with(stride, |offset, bytes| {
            destination[offset..offset + bytes.len()].copy_from_slice(bytes);
            pieces += 1;
        });
        (destination, pieces)
    }

    #[test]
    fn padding_is_left_out_line_by_line() {
        // 2x2 NV12: two luma lines and one chroma line, each of two bytes, five apart. The last line's padding is missing, as
        // some drivers leave it.
        let format = format(PixelFormat::Nv12, 2, 2, 5);
        let bytes = [1, 2, 0, 0, 0, 3, 4, 0, 0, 0, 5, 6];
        assert_eq!(format.bytes(), bytes.len());
        let picture = picture(format, &bytes);
        assert_eq!(picture.lines().collect::<Vec<_>>(), [[1, 2], [3, 4], [5, 6]]);
        assert_eq!(copied(&picture, 4), (vec![1, 2, 0, 0, 3, 4, 0, 0, 5, 6, 0, 0], 3));
    }

    #[test]
    fn equal_strides_are_copied_in_one_piece() {
        let format = format(PixelFormat::Yuyv, 4, 2, 8);
        let bytes: Vec<u8> = (0..20).collect();
        assert_eq!(format.bytes(), 16);
        let (destination, pieces) = copied(&picture(format, &bytes), 8);
        assert_eq!((destination.as_slice(), pieces), (&bytes[..16], 1), "what lies behind the picture is not copied");
    }

    #[test]
    fn formats_that_no_texture_can_hold_are_found() {
        assert!(format(PixelFormat::Yuyv, 4, 3, 8).is_sound());
        assert!(!format(PixelFormat::Yuyv, 3, 3, 8).is_sound(), "half a pair");
        assert!(!format(PixelFormat::Nv12, 4, 3, 8).is_sound(), "half a square");
        assert!(!format(PixelFormat::Yuyv, 4, 2, 7).is_sound(), "lines that overlap");
    }
}
