//! From pixels to the bytes of a file.

use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use streamlib_core::{Alpha, Error, ErrorKind, ReadBackView, Result};

/// What kind of file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImageFormat {
    /// PNG, which loses nothing: 8 bits a channel, with alpha if the frame has it.
    #[default]
    Png,
    /// JPEG, without alpha: what is transparent stands on black.
    Jpeg,
}

impl ImageFormat {
    /// The customary ending of file names.
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
        }
    }

    /// What a file name's ending says.
    pub(super) fn of_ending(path: &Path) -> Option<Self> {
        match path.extension()?.to_ascii_lowercase().to_str()? {
            "png" => Some(Self::Png),
            "jpg" | "jpeg" => Some(Self::Jpeg),
            _ => None,
        }
    }
}

/// Encodes pictures into memory that is used again.
#[derive(Default)]
pub(super) struct Encoder {
    pixels: Vec<u8>,
    file: Vec<u8>,
}

impl Encoder {
    /// The file of a picture of `rgba8`. `quality` is JPEG's.
    pub(super) fn encode(&mut self, picture: &ReadBackView, format: ImageFormat, quality: u8) -> Result<&[u8]> {
        self.pixels.clear();
        self.file.clear();
        let has_alpha = picture.format().alpha == Alpha::Premultiplied && format == ImageFormat::Png;
        for row in picture.rows() {
            if has_alpha {
                self.pixels.extend(row.chunks_exact(4).flat_map(divide));
            } else {
                self.pixels.extend(row.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]));
            }
        }
        let color = if has_alpha { ExtendedColorType::Rgba8 } else { ExtendedColorType::Rgb8 };
        let size = picture.format().size;
        let (width, height) = (size.width(), size.height());
        let refused = |error: &dyn std::fmt::Display| {
            let message = format!("a picture of {size} cannot be encoded as {}: {error}", format.ending());
            Error::new(ErrorKind::Encode, message).hint("choose the other format or another size")
        };
        match format {
            ImageFormat::Png => {
                // Frames come 30 a second: time matters more than bytes.
                let encoder = PngEncoder::new_with_quality(&mut self.file, CompressionType::Fast, FilterType::Adaptive);
                encoder.write_image(&self.pixels, width, height, color).map_err(|error| refused(&error).caused_by(error))?;
            }
            ImageFormat::Jpeg => {
                // Sizes go to 16384: they fit.
                let encoder = jpeg_encoder::Encoder::new(&mut self.file, quality);
                let encoded = encoder.encode(&self.pixels, width as u16, height as u16, jpeg_encoder::ColorType::Rgb);
                encoded.map_err(|error| refused(&error).caused_by(error))?;
            }
        }
        Ok(&self.file)
    }
}

/// Takes the alpha out of a pixel's colour. Multiplied again, it gives the same pixel.
fn divide(pixel: &[u8]) -> [u8; 4] {
    let alpha = u16::from(pixel[3]);
    let channel = |value: u8| match alpha {
        0 => 0,
        alpha => ((u16::from(value) * 255 + alpha / 2) / alpha).min(255) as u8,
    };
    [channel(pixel[0]), channel(pixel[1]), channel(pixel[2]), pixel[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alpha_taken_out_and_multiplied_in_again_changes_nothing() {
        for alpha in 0..=255u8 {
            for value in 0..=alpha {
                let [red, ..] = divide(&[value, 0, 0, alpha]);
                assert_eq!((u16::from(red) * u16::from(alpha) + 127) / 255, u16::from(value), "{value} of {alpha}");
            }
        }
        assert_eq!(divide(&[200, 0, 0, 100])[0], 255, "more than can be");
    }
}
