//! The matrices between R'G'B' and code values of Y'CbCr.

use crate::{Color, Range};

/// The rows of a 3x4 matrix, for `(a, b, c, 1)`; in WGSL, the columns of a `mat3x4f` that is multiplied from the left.
pub(super) type Rows = [[f32; 4]; 3];

/// Code value of luma 0, luma span, code value of chroma 0 and chroma span, of 1.0 = 255 (BT.601-7 section 2.5.3, BT.709-6
/// section 4; full range as in JFIF).
fn code_values(range: Range) -> [f32; 4] {
    match range {
        Range::Limited => [16.0 / 255.0, 219.0 / 255.0, 128.0 / 255.0, 224.0 / 255.0],
        Range::Full => [0.0, 1.0, 128.0 / 255.0, 1.0],
    }
}

/// From code values of Y'CbCr to R'G'B'.
pub(super) fn yuv_to_rgb(color: Color) -> Rows {
    let (kr, kb) = color.matrix.luma_weights();
    let kg = 1.0 - kr - kb;
    let [black, luma, grey, chroma] = code_values(color.range);
    let row = |cb: f32, cr: f32| [1.0 / luma, cb / chroma, cr / chroma, -black / luma - (cb + cr) * grey / chroma];
    [row(0.0, 2.0 * (1.0 - kr)), row(-2.0 * kb * (1.0 - kb) / kg, -2.0 * kr * (1.0 - kr) / kg), row(2.0 * (1.0 - kb), 0.0)]
}

/// From R'G'B' to code values of Y'CbCr.
pub(super) fn rgb_to_yuv(color: Color) -> Rows {
    let (kr, kb) = color.matrix.luma_weights();
    let kg = 1.0 - kr - kb;
    let [black, luma, grey, chroma] = code_values(color.range);
    let (blue, red) = (chroma / (2.0 * (1.0 - kb)), chroma / (2.0 * (1.0 - kr)));
    [
        [kr * luma, kg * luma, kb * luma, black],
        [-kr * blue, -kg * blue, (1.0 - kb) * blue, grey],
        [(1.0 - kr) * red, -kg * red, -kb * red, grey],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Matrix;

    fn apply(rows: [[f32; 4]; 3], [a, b, c]: [f32; 3]) -> [f32; 3] {
        rows.map(|row| row[0] * a + row[1] * b + row[2] * c + row[3])
    }

    /// Code values from the recommendations: 75% colour bars of ITU-R BT.801 in BT.601, limited range.
    #[test]
    fn known_colours_have_their_known_code_values() {
        let bt601 = Color::new(Matrix::Bt601, Range::Limited);
        for (rgb, yuv) in [
            ([1.0, 1.0, 1.0], [235, 128, 128]),
            ([0.0, 0.0, 0.0], [16, 128, 128]),
            ([0.75, 0.75, 0.0], [162, 44, 142]),
            ([0.0, 0.75, 0.0], [112, 72, 58]),
            ([0.75, 0.0, 0.0], [65, 100, 212]),
            ([0.0, 0.0, 0.75], [35, 212, 114]),
        ] {
            assert_eq!(apply(rgb_to_yuv(bt601), rgb).map(|value| (value * 255.0).round() as i32), yuv, "{rgb:?}");
        }
    }

    #[test]
    fn the_two_matrices_are_inverse() {
        for matrix in [Matrix::Bt601, Matrix::Bt709] {
            for range in [Range::Limited, Range::Full] {
                let color = Color::new(matrix, range);
                for rgb in [[0.1, 0.5, 0.9], [1.0, 0.0, 0.3]] {
                    let back = apply(yuv_to_rgb(color), apply(rgb_to_yuv(color), rgb));
                    assert!(back.iter().zip(rgb).all(|(a, b)| (a - b).abs() < 1e-5), "{color:?}: {rgb:?} became {back:?}");
                }
            }
        }
    }
}
