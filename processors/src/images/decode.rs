//! From the bytes of a file to pixels.

use std::io::Cursor;

use super::jpeg::JpegFile;
use image::codecs::png::PngDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, Limits};
use streamlib_core::{Alpha, Error, ErrorKind, MAX_DIMENSION, Result, Size, VideoFormat};

/// The most memory that the pixels of one picture may take while it is decoded, beside its file: 11585x11585 with 8 bits a
/// channel.
const MOST_BYTES: u64 = 512 << 20;

/// A decoded picture, tight rows of `rgba8`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// `rgba8` of the picture's size; colour is multiplied by alpha where the file has alpha.
    pub format: VideoFormat,
    /// `format.bytes()` bytes.
    pub pixels: Vec<u8>,
}

/// Decodes a PNG or JPEG file of any of their kinds: palette, grey, 16 bits, CMYK. Which of the two it is, the bytes say.
///
/// It stands as its Exif orientation says. Colour profiles are not looked at: what a file holds is taken for sRGB.
///
/// Fails with [`ErrorKind::Unsupported`] for other kinds of files and for pictures that are too large, before memory is taken for
/// them, and with [`ErrorKind::Io`] for broken ones. The error does not know the file's name.
pub fn decode(file: &[u8]) -> Result<Picture> {
    if file.is_empty() {
        return Err(broken("it is empty"));
    }
    match image::guess_format(file) {
        Ok(ImageFormat::Png) => read(PngDecoder::with_limits(Cursor::new(file), limits()).map_err(refused)?),
        Ok(ImageFormat::Jpeg) => read(JpegFile::new(file).map_err(refused)?),
        _ => Err(Error::new(ErrorKind::Unsupported, "it is neither PNG nor JPEG").hint("convert it to one of them")),
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_DIMENSION);
    limits.max_image_height = Some(MAX_DIMENSION);
    limits.max_alloc = Some(MOST_BYTES);
    limits
}

fn read(mut decoder: impl ImageDecoder) -> Result<Picture> {
    let mut limits = limits();
    let (width, height) = decoder.dimensions();
    limits.check_dimensions(width, height).and_then(|()| limits.reserve(decoder.total_bytes())).map_err(|_| {
        let message = format!("its {width}x{height} pixels are too many");
        let most = format!("up to {MAX_DIMENSION} a side and {} MiB in all are read: scale it down", MOST_BYTES >> 20);
        Error::new(ErrorKind::Unsupported, message).hint(most)
    })?;
    decoder.set_limits(limits).map_err(refused)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let has_alpha = decoder.color_type().has_alpha();
    let mut image = DynamicImage::from_decoder(decoder).map_err(refused)?;
    image.apply_orientation(orientation);
    let mut pixels = image.into_rgba8();
    let size = Size::new(pixels.width(), pixels.height())?;
    let mut format = VideoFormat::rgba8(size);
    if has_alpha {
        format.alpha = Alpha::Premultiplied;
        pixels.chunks_exact_mut(4).for_each(multiply);
    }
    Ok(Picture { format, pixels: pixels.into_raw() })
}

/// Multiplies a pixel's colour by its alpha, in the gamma-encoded values, as everybody does.
fn multiply(pixel: &mut [u8]) {
    let alpha = u16::from(pixel[3]);
    for channel in &mut pixel[..3] {
        *channel = ((u16::from(*channel) * alpha + 127) / 255) as u8;
    }
}

fn refused(error: ImageError) -> Error {
    match error {
        ImageError::Limits(error) => Error::new(ErrorKind::Unsupported, format!("it is too large: {error}"))
            .hint(format!("up to {MAX_DIMENSION} pixels a side and {} MiB in all are read: scale it down", MOST_BYTES >> 20)),
        ImageError::Unsupported(error) => {
            Error::new(ErrorKind::Unsupported, error.to_string()).hint("convert it to an ordinary PNG or JPEG")
        }
        error => broken(error),
    }
}

fn broken(reason: impl ToString) -> Error {
    Error::new(ErrorKind::Io, reason.to_string()).hint("the file is broken: make it anew, or leave it out")
}
