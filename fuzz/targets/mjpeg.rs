//! Any bytes as a picture of a camera that gives Motion JPEG: decoded or refused, and the same again by a decoder that has
//! decoded before.

#![no_main]

#[path = "jpeg_size.rs"]
mod jpeg_size;

use libfuzzer_sys::{Corpus, fuzz_target};
use streamlib::Size;
use streamlib::camera::decode_motion_jpeg;

/// A good picture of 45x29, to leave something behind in the decoder.
const BEFORE: &[u8] = include_bytes!("../../processors/src/camera/mjpeg/pictures/optimised.jpg");

/// More pixels than this tell nothing new, and take long.
const MOST_PIXELS: u32 = 1 << 18;

fuzz_target!(|jpeg: &[u8]| -> Corpus {
    let (width, height) = jpeg_size::jpeg_size(jpeg).unwrap_or((45, 29));
    if width.saturating_mul(height) > MOST_PIXELS {
        return Corpus::Reject;
    }
    let Ok(size) = Size::new(width, height) else { return Corpus::Keep };
    let fresh = decode_motion_jpeg(&[jpeg], size);
    let used = decode_motion_jpeg(&[BEFORE, jpeg, jpeg], size);
    assert_eq!(fresh[0], used[1], "after another picture");
    assert_eq!(fresh[0], used[2], "after itself");
    if let Some((format, planes)) = &fresh[0] {
        for (bytes, stride) in planes {
            assert!(*stride > 0 && bytes.len() % stride == 0, "{format}: {} bytes in rows of {stride}", bytes.len());
        }
        let (bytes, stride) = &planes[0];
        assert!(*stride >= width as usize && bytes.len() / stride >= height as usize, "{format}: luma of {width}x{height}");
    }
    Corpus::Keep
});
