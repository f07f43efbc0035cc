//! How a driver's description of colour is read: the kernel's rules for values left at "default" (`videodev2.h`,
//! `V4L2_MAP_YCBCR_ENC_DEFAULT` and `V4L2_MAP_QUANTIZATION_DEFAULT`).

use streamlib_core::{Color, Matrix, Range};

use super::super::CameraFormat;

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
    pub(super) const LIMITED: u32 = 2;
}

/// The colour description of a picture of `height` lines.
///
/// Luma alone (`grey8`) is a sensor's and has the full range unless the driver says otherwise: so has the kernel's own test
/// picture. A JPEG says itself what it is: JFIF's BT.601, full range. Red, green and blue have neither matrix nor range; a
/// conversion to Y'CbCr will use what is customary. BT.2020 and SMPTE 240M, which no
/// USB camera uses, are read as their nearest, BT.709.
pub(super) fn color(format: CameraFormat, colorspace: u32, ycbcr_encoding: u32, quantization: u32, height: u32) -> Color {
    let custom = Color::default_for_height(height);
    match format {
        CameraFormat::Mjpeg => return super::super::mjpeg::COLOR,
        CameraFormat::Rgb24 | CameraFormat::Bgr24 => {
            if quantization == quantization::LIMITED {
                tracing::warn!("the camera says that its red, green and blue go from 16 to 235; they are read as 0 to 255");
            }
            return custom;
        }
        CameraFormat::Grey8 => {
            let range = if quantization == quantization::LIMITED { Range::Limited } else { Range::Full };
            return Color { range, ..custom };
        }
        _ => {}
    }
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
    use streamlib_core::ChromaSite;

    use super::*;

    const SMPTE170M: u32 = 1;
    const SRGB: u32 = 8;
    const BT709: u32 = 2;

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
            (colorspace::JPEG, 0, quantization::LIMITED, 480, Matrix::Bt601, Range::Limited),
        ] {
            let found = color(CameraFormat::Yuyv, colorspace, encoding, quantization, height);
            assert_eq!((found.matrix, found.range), (matrix, range), "{colorspace} {encoding} {quantization} {height}");
        }
    }

    #[test]
    fn what_is_no_ycbcr_is_read_by_its_own_rules() {
        assert_eq!(color(CameraFormat::Grey8, SRGB, 0, 0, 480).range, Range::Full);
        assert_eq!(color(CameraFormat::Grey8, SRGB, 0, quantization::LIMITED, 480).range, Range::Limited);
        let jpeg = color(CameraFormat::Mjpeg, colorspace::REC709, BT709, quantization::LIMITED, 1080);
        assert_eq!((jpeg.matrix, jpeg.range, jpeg.chroma_site), (Matrix::Bt601, Range::Full, ChromaSite::Center));
        let rgb = color(CameraFormat::Rgb24, colorspace::JPEG, 0, quantization::FULL, 1080);
        assert_eq!(rgb, Color::default_for_height(1080));
    }
}
