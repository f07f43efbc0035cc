//! Motion JPEG: each picture is a JPEG of its own (ITU-T T.81), mostly without the Huffman tables, which are then those of T.81's
//! Annex K. Decoded to the planes that are in it: colour is left to the GPU.

mod huffman;

use std::fmt;

use streamlib_core::{ChromaSite, Color, Matrix, PixelFormat, Plane, Range, Size};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// How JPEG's colours are to be read (JFIF, ITU-T T.871): BT.601, full range, chroma in the middle of the pixels that share it.
pub(super) const COLOR: Color = Color { chroma_site: ChromaSite::Center, ..Color::new(Matrix::Bt601, Range::Full) };

/// Decodes pictures into memory that it reuses.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    planes: [Vec<u8>; 3],
    strides: [usize; 3],
    count: usize,
    /// A JPEG with the tables that it came without.
    completed: Vec<u8>,
}

/// Why a picture was left out.
#[derive(Debug)]
pub(super) enum Damage {
    /// It ends too early, or is no JPEG.
    Broken(DecodeErrors),
    /// It is whole, and of another size than was agreed.
    Size(u32, u32),
    /// It is whole, and its colours cannot be had as planes that a frame can hold.
    Layout(String),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(error) => write!(f, "a broken JPEG: {error:?}"),
            Self::Size(width, height) => write!(f, "a JPEG of {width}x{height}"),
            Self::Layout(layout) => write!(f, "a JPEG of {layout}"),
        }
    }
}

impl Decoder {
    /// Decodes a picture that must have this size. Its planes are what [`planes`](Self::planes) gives, up to the next call; after
    /// an error there are none.
    pub(super) fn decode(&mut self, jpeg: &[u8], size: Size) -> Result<PixelFormat, Damage> {
        self.count = 0;
        // Zeros after the end are padding; instead of an end they are a hole, and would be decoded as if they were pixels.
        let jpeg = &jpeg[..jpeg.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)];
        let jpeg = huffman::complete(jpeg, &mut self.completed);
        // Strict: a picture with a hole in it is left out and not guessed at.
        let options = DecoderOptions::default().set_strict_mode(true);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(jpeg), options);
        decoder.decode_headers().map_err(Damage::Broken)?;
        let found = decoder.info().map_or((0, 0), |info| (u32::from(info.width), u32::from(info.height)));
        if found != (size.width(), size.height()) {
            return Err(Damage::Size(found.0, found.1));
        }
        let colorspace = decoder.input_colorspace();
        let mut raw = decoder.raw_output();
        let (Some(count), Some(layout)) = (raw.num_components(), raw.layout()) else {
            return Err(Damage::Broken(DecodeErrors::FormatStatic("no components")));
        };
        let factors = |index: usize| {
            let component: &zune_jpeg::PlaneInfo = &layout[index];
            (component.horizontal_sampling_factor, component.vertical_sampling_factor)
        };
        let pixel = match (count, colorspace) {
            (1, _) => PixelFormat::Grey8,
            (3, Some(ColorSpace::YCbCr)) => sampling(factors(0), factors(1), factors(2))?,
            (_, colorspace) => return Err(Damage::Layout(format!("{count} components, {colorspace:?}"))),
        };
        for (index, plane) in layout[..count].iter().enumerate() {
            self.planes[index].resize(plane.width * plane.height, 0);
            self.strides[index] = plane.width;
        }
        let [first, second, third] = &mut self.planes;
        let mut planes = [first.as_mut_slice(), second.as_mut_slice(), third.as_mut_slice()];
        raw.decode_into_planes_strided(&mut planes[..count], &self.strides[..count]).map_err(Damage::Broken)?;
        self.count = count;
        Ok(pixel)
    }

    /// The planes of the picture that was decoded last, and how many they are.
    pub(super) fn planes(&self) -> ([Plane<'_>; 3], usize) {
        let plane = |index: usize| Plane { bytes: &self.planes[index], stride: self.strides[index] };
        ([plane(0), plane(1), plane(2)], self.count)
    }
}

/// How a picture's pixels share chroma, from the sampling factors of its components (T.81, A.1.1).
fn sampling(luma: (usize, usize), cb: (usize, usize), cr: (usize, usize)) -> Result<PixelFormat, Damage> {
    // Factors count samples in a block that the components share: 2x2 to 1x2 is 4:2:2 as much as 2x1 to 1x1.
    let shares = |horizontal, vertical| cb == cr && luma == (cb.0 * horizontal, cb.1 * vertical);
    match () {
        () if shares(1, 1) => Ok(PixelFormat::I444),
        () if shares(2, 1) => Ok(PixelFormat::I422),
        () if shares(2, 2) => Ok(PixelFormat::I420),
        () => Err(Damage::Layout(format!("the sampling factors {luma:?}, {cb:?}, {cr:?}"))),
    }
}

#[cfg(test)]
mod tests;
