//! A picture in the driver's memory, and how its planes lie there.

use std::time::{Duration, Instant};

use streamlib_core::{Color, FrameRate, PixelFormat, Plane, Size, VideoFormat};

use super::CameraFormat;

/// What was agreed with a camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureFormat {
    /// How the camera codes its pictures.
    pub format: CameraFormat,
    /// The size of the picture.
    pub size: Size,
    /// Pictures a second, as the camera states it. In the dark many deliver fewer.
    pub rate: FrameRate,
    /// Bytes from the start of a line of the first plane to the start of the next, padding included. The chroma plane of `nv12`
    /// has the same, those of `i420` half of it. 0 for `mjpeg`, which has no lines.
    pub bytes_per_line: u32,
    /// How Y'CbCr is to be read: what the driver says, or else the custom for the height; of `mjpeg` always JPEG's own (JFIF):
    /// BT.601, full range, chroma in the middle.
    pub color: Color,
}

/// Where a plane of an uncompressed picture lies in the driver's memory.
#[derive(Clone, Copy, Default)]
struct Place {
    offset: usize,
    stride: usize,
    row_bytes: usize,
    rows: usize,
}

impl CaptureFormat {
    /// The planes of an uncompressed picture; none of `mjpeg`.
    fn places(self) -> ([Place; 3], usize) {
        let (width, height, stride) = (self.size.width() as usize, self.size.height() as usize, self.bytes_per_line as usize);
        let luma = |row_bytes| Place { offset: 0, stride, row_bytes, rows: height };
        let one = |row_bytes| ([luma(row_bytes), Place::default(), Place::default()], 1);
        match self.format {
            CameraFormat::Yuyv | CameraFormat::Uyvy => one(width * 2),
            CameraFormat::Rgb24 | CameraFormat::Bgr24 => one(width * 3),
            CameraFormat::Grey8 => one(width),
            CameraFormat::Nv12 => {
                let chroma = Place { offset: stride * height, stride, row_bytes: width, rows: height / 2 };
                ([luma(width), chroma, Place::default()], 2)
            }
            CameraFormat::I420 => {
                let (offset, stride) = (stride * height, stride / 2);
                let cb = Place { offset, stride, row_bytes: width / 2, rows: height / 2 };
                ([luma(width), cb, Place { offset: offset + stride * (height / 2), ..cb }], 3)
            }
            CameraFormat::Mjpeg => ([Place::default(); 3], 0),
        }
    }

    /// Bytes of the picture in the driver's buffer, up to the last pixel of the last line; of `mjpeg` any number.
    pub fn bytes(self) -> usize {
        let (places, count) = self.places();
        places[..count].last().map_or(1, |last| last.offset + last.stride * (last.rows - 1) + last.row_bytes)
    }

    /// Whether such a picture can be uploaded: sides even where pixels share colour, and lines at least as long as the picture
    /// is wide.
    pub(super) fn is_sound(self) -> bool {
        let (places, count) = self.places();
        self.format.can_hold(self.size) && places[..count].iter().all(|place| place.stride >= place.row_bytes)
    }

    /// The planes of an uncompressed picture in `bytes`, which are at least [`bytes`](Self::bytes).
    pub(super) fn planes(self, bytes: &[u8]) -> Planes<'_> {
        let (places, count) = self.places();
        Planes { planes: places.map(|place| Plane { bytes: &bytes[place.offset..], stride: place.stride }), count }
    }
}

/// The planes of a picture, without allocation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planes<'a> {
    pub(super) planes: [Plane<'a>; 3],
    pub(super) count: usize,
}

/// A picture. Its bytes belong to the driver or, decoded, to the [`Capture`](super::Capture).
#[derive(Clone, Copy, Debug)]
pub struct RawPicture<'a> {
    pub(super) planes: Planes<'a>,
    /// How its pixels are stored: the same for every picture of a camera, but for `mjpeg`, of which each can have another.
    pub pixel: PixelFormat,
    /// What was agreed with the camera; the same for every picture.
    pub format: CaptureFormat,
    /// The driver's count of pictures, from any start. It goes up by one a picture; a gap is pictures that the driver dropped.
    /// `None` where the backend passes none on.
    pub sequence: Option<u64>,
    /// How long ago the picture was captured, measured when the driver handed it out. Subtract it from the time of your own
    /// clock, read right away.
    pub age: Duration,
    /// When the driver handed it out.
    pub arrived: Instant,
    /// What the age was taken from.
    pub clock: CaptureClock,
}

impl<'a> RawPicture<'a> {
    /// Its planes in the order of [`FrameEncoder::upload_planes`](streamlib_core::FrameEncoder::upload_planes).
    pub fn planes(&self) -> &[Plane<'a>] {
        &self.planes.planes[..self.planes.count]
    }

    /// The format of the frame that holds it.
    pub fn video(&self) -> VideoFormat {
        VideoFormat { color: self.format.color, ..VideoFormat::new(self.pixel, self.format.size) }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn format(format: CameraFormat, size: &str, bytes_per_line: u32) -> CaptureFormat {
        let size: Size = size.parse().unwrap();
        let color = Color::default_for_height(size.height());
        CaptureFormat { format, size, rate: FrameRate::default(), bytes_per_line, color }
    }

    /// The rows of the planes, without what lies between them.
    fn rows(format: CaptureFormat, bytes: &[u8]) -> Vec<Vec<&[u8]>> {
        let (places, count) = format.places();
        let planes = format.planes(bytes);
        assert_eq!(planes.count, count);
        let row = |plane: &Plane<'_>, index: usize, length: usize| -> Option<()> {
            plane.bytes.get(index * plane.stride..)?.get(..length).map(|_| ())
        };
        std::iter::zip(&planes.planes[..count], places)
            .map(|(plane, place)| {
                assert!((0..place.rows).all(|index| row(plane, index, place.row_bytes).is_some()));
                (0..place.rows).map(|index| &plane.bytes[index * plane.stride..][..place.row_bytes]).collect()
            })
            .collect()
    }

    #[test]
    fn planes_are_found_between_padding() {
        // 2x2: lines are five apart. The last line's padding is missing, as some drivers leave it.
        let nv12 = format(CameraFormat::Nv12, "2x2", 5);
        let bytes = [1, 2, 0, 0, 0, 3, 4, 0, 0, 0, 5, 6];
        assert_eq!(nv12.bytes(), bytes.len());
        assert_eq!(rows(nv12, &bytes), [vec![&[1, 2][..], &[3, 4]], vec![&[5, 6]]]);
        let i420 = format(CameraFormat::I420, "4x2", 6);
        let bytes = [1, 2, 3, 4, 0, 0, 5, 6, 7, 8, 0, 0, 9, 10, 0, 11, 12];
        assert_eq!(i420.bytes(), bytes.len());
        assert_eq!(rows(i420, &bytes), [vec![&[1, 2, 3, 4][..], &[5, 6, 7, 8]], vec![&[9, 10]], vec![&[11, 12]]]);
        let rgb = format(CameraFormat::Rgb24, "1x2", 4);
        assert_eq!(rows(rgb, &[1, 2, 3, 0, 4, 5, 6]), [[&[1, 2, 3][..], &[4, 5, 6]]]);
    }

    #[test]
    fn formats_that_cannot_be_uploaded_are_found() {
        assert!(format(CameraFormat::Yuyv, "4x3", 8).is_sound());
        assert!(!format(CameraFormat::Yuyv, "3x3", 8).is_sound(), "half a pair");
        assert!(!format(CameraFormat::Nv12, "4x3", 8).is_sound(), "half a square");
        assert!(!format(CameraFormat::Uyvy, "4x2", 7).is_sound(), "lines that overlap");
        assert!(!format(CameraFormat::Bgr24, "4x2", 11).is_sound(), "lines that overlap");
        assert!(!format(CameraFormat::I420, "6x2", 5).is_sound(), "lines that overlap");
        assert!(format(CameraFormat::Mjpeg, "3x3", 0).is_sound());
    }
}
