//! The size that a JPEG says it has.

/// Width and height of the first frame header (ITU-T T.81, B.2.2), whatever else is in the file.
pub fn jpeg_size(jpeg: &[u8]) -> Option<(u32, u32)> {
    let header = jpeg
        .windows(9)
        .find(|bytes| bytes[0] == 0xff && matches!(bytes[1], 0xc0..=0xcf) && !matches!(bytes[1], 0xc4 | 0xc8 | 0xcc))?;
    let number = |index: usize| u32::from(u16::from_be_bytes([header[index], header[index + 1]]));
    Some((number(7), number(5)))
}
