//! Any bytes as a picture's file: decoded to as many pixels as its format says, or refused.

#![no_main]

#[path = "jpeg_size.rs"]
mod jpeg_size;

use libfuzzer_sys::{Corpus, fuzz_target};
use streamlib::images::decode;

/// Pictures between these are left out: they are decoded like others, and take long. Larger ones must be refused at once.
const FEW_PIXELS: u64 = 1 << 18;
const TOO_MANY_PIXELS: u64 = 1 << 29;

/// The size in a PNG's header, which is its first chunk.
fn png_size(file: &[u8]) -> Option<(u32, u32)> {
    let number = |index: usize| file.get(index..index + 4)?.try_into().ok().map(u32::from_be_bytes);
    file.starts_with(b"\x89PNG\r\n\x1a\n").then(|| Some((number(16)?, number(20)?))).flatten()
}

fuzz_target!(|file: &[u8]| -> Corpus {
    let (width, height) = png_size(file).or_else(|| jpeg_size::jpeg_size(file)).unwrap_or_default();
    if (FEW_PIXELS..TOO_MANY_PIXELS).contains(&(u64::from(width) * u64::from(height))) {
        return Corpus::Reject;
    }
    if let Ok(picture) = decode(file) {
        assert_eq!(picture.pixels.len(), picture.format.bytes());
    }
    Corpus::Keep
});
