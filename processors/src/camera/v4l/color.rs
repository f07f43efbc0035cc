//! How a driver's description of colour is read: the kernel's rules for values left at "default" (`videodev2.h`,
//! `V4L2_MAP_YCBCR_ENC_DEFAULT` and `V4L2_MAP_QUANTIZATION_DEFAULT`).

use streamlib_core::{Color, Matrix, Range};

/// `V4L2_COLORSPACE_...`.
mod colorspace {
    pub(super) const DEFAULT: u32 = 0;
    pub(super) const SMPTE240M: u32 = 2;
    pub(super) const REC709: u32 = 3;
    pub(super) const JPEG: u32 = 7;
    pub(super) const BT2020: u32 = 10;
    pub(super) const DCI_P3: u32 = 12;
}

/// `V4L2_YCBCR_ENC_...`.
mod encoding {
    pub(super) const DEFAULT: u32 = 0;
    pub(super) const BT601: u32 = 1;
    pub(super) const XV601: u32 = 3;
    pub(super) const SYCC: u32 = 5;
}

/// `V4L2_QUANTIZATION_...`.
mod quantization {
    pub(super) const DEFAULT: u32 = 0;
    pub(super) const FULL: u32 = 1;
}

/// The colour description of a Y'CbCr picture of `height` lines.
///
/// BT.2020 and SMPTE 240M, which no USB camera uses, are read as their nearest, BT.709.
pub(super) fn color(colorspace: u32, ycbcr_encoding: u32, quantization: u32, height: u32) -> Color {
    let custom = Color::default_for_height(height);
    let matrix = match (ycbcr_encoding, colorspace) {
        (encoding::DEFAULT, colorspace::DEFAULT) => custom.matrix,
        (encoding::DEFAULT, colorspace::REC709 | colorspace::DCI_P3 | colorspace::BT2020 | colorspace::SMPTE240M) => {
            Matrix::Bt709
        }
        (encoding::DEFAULT | encoding::BT601 | encoding::XV601 | encoding::SYCC, _) => Matrix::Bt601,
        _ => Matrix::Bt709,
    };
    let range = match (quantization, colorspace) {
        (quantization::FULL, _) | (quantization::DEFAULT, colorspace::JPEG) => Range::Full,
        _ => Range::Limited,
    };
    Color::new(matrix, range)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMPTE170M: u32 = 1;
    const SRGB: u32 = 8;
    const BT709: u32 = 2;
    const LIMITED: u32 = 2;

    #[test]
    fn defaults_are_read_as_the_kernel_defines_them() {
        for (colorspace, encoding, quantization, height, matrix, range) in [
            (colorspace::DEFAULT, 0, 0, 480, Matrix::Bt601, Range::Limited),
            (colorspace::DEFAULT, 0, 0, 1080, Matrix::Bt709, Range::Limited),
            // USB cameras say sRGB, and mean BT.601 at any height unless they say otherwise.
            (SRGB, 0, 0, 1080, Matrix::Bt601, Range::Limited),
            (SRGB, BT709, 0, 480, Matrix::Bt709, Range::Limited),
            (SMPTE170M, 0, quantization::FULL, 480, Matrix::Bt601, Range::Full),
            (colorspace::REC709, 0, 0, 480, Matrix::Bt709, Range::Limited),
            (colorspace::REC709, encoding::BT601, 0, 1080, Matrix::Bt601, Range::Limited),
            (colorspace::JPEG, 0, 0, 480, Matrix::Bt601, Range::Full),
            (colorspace::JPEG, 0, LIMITED, 480, Matrix::Bt601, Range::Limited),
        ] {
            let found = color(colorspace, encoding, quantization, height);
            assert_eq!((found.matrix, found.range), (matrix, range), "{colorspace} {encoding} {quantization} {height}");
        }
    }
}
