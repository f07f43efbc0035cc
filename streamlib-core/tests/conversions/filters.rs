//! Where chroma lies and how it is filtered, by definition, in floating point, on noise: every pair, both sites, within 1 of 255
//! (rounding).

use streamlib_core::{ChromaSite, Color, Matrix, PixelFormat, Range, VideoFormat};

use crate::planes::{Planes, subsampling, texture};
use crate::{colors, converted, format, noise, pairs};

/// Code values of black and of no colour, and the spans of luma and chroma.
fn code_values(color: Color) -> (f64, f64, f64) {
    match color.range {
        Range::Limited => (16.0, 219.0, 224.0),
        Range::Full => (0.0, 255.0, 255.0),
    }
}

fn weights(color: Color) -> (f64, f64, f64) {
    match color.matrix {
        Matrix::Bt601 => (0.299, 0.587, 0.114),
        Matrix::Bt709 => (0.2126, 0.7152, 0.0722),
    }
}

/// Code values of Y'CbCr as R'G'B' of 0 to 255.
fn rgb(color: Color, [luma, cb, cr]: [f64; 3]) -> [f64; 3] {
    let ((black, luma_span, chroma_span), (kr, kg, kb)) = (code_values(color), weights(color));
    let luma = (luma - black) / luma_span;
    let red = luma + 2.0 * (1.0 - kr) * (cr - 128.0) / chroma_span;
    let blue = luma + 2.0 * (1.0 - kb) * (cb - 128.0) / chroma_span;
    let green = (luma - kr * red - kb * blue) / kg;
    [red, green, blue].map(|value| value.clamp(0.0, 1.0) * 255.0)
}

/// R'G'B' of 0 to 255 as code values of Y'CbCr.
fn yuv(color: Color, rgb: [f64; 3]) -> [f64; 3] {
    let ((black, luma_span, chroma_span), (kr, kg, kb)) = (code_values(color), weights(color));
    let [red, green, blue] = rgb.map(|value| value / 255.0);
    let luma = kr * red + kg * green + kb * blue;
    let cb = (blue - luma) / (2.0 * (1.0 - kb));
    let cr = (red - luma) / (2.0 * (1.0 - kr));
    [black + luma_span * luma, 128.0 + chroma_span * cb, 128.0 + chroma_span * cr]
}

/// A picture whose samples can be asked for anywhere; beyond its edge the edge is repeated.
struct Samples {
    planes: Planes,
    format: VideoFormat,
}

impl Samples {
    fn luma(&self, x: usize, y: usize) -> f64 {
        let (width, height) = self.planes.size;
        f64::from(self.planes.first[y.min(height - 1) * width + x.min(width - 1)])
    }

    fn chroma(&self, x: i64, y: i64) -> [f64; 2] {
        let (width, height) = self.planes.chroma_size;
        if width == 0 {
            return [128.0; 2];
        }
        let at = y.clamp(0, height as i64 - 1) as usize * width + x.clamp(0, width as i64 - 1) as usize;
        [f64::from(self.planes.second[at]), f64::from(self.planes.third[at])]
    }

    /// Code values of a pixel of R'G'B', or of Y'CbCr that is not subsampled, as Y'CbCr.
    fn full(&self, x: i64, y: i64) -> [f64; 3] {
        let [second, third] = self.chroma(x, y);
        let pixel = [self.luma(x.max(0) as usize, y.max(0) as usize), second, third];
        if self.format.pixel.is_yuv() { pixel } else { yuv(self.format.color, pixel) }
    }

    /// Chroma at a pixel, linearly between the samples.
    fn interpolated(&self, x: usize, y: usize) -> [f64; 2] {
        let (across, down) = subsampling(self.format.pixel);
        let site = if self.format.color.chroma_site == ChromaSite::Center { 0.5 } else { 0.0 };
        let u = if across == 2 { (x as f64 - site) / 2.0 } else { x as f64 };
        let v = if down == 2 { (y as f64 - 0.5) / 2.0 } else { y as f64 };
        let (left, top) = (u.floor() as i64, v.floor() as i64);
        let (right_weight, bottom_weight) = (u - u.floor(), v - v.floor());
        let row = |y| mix(self.chroma(left, y), self.chroma(left + 1, y), right_weight);
        mix(row(top), row(top + 1), bottom_weight)
    }

    /// The chroma sample of a square of 4:2:0.
    fn of_square(&self, x: usize, y: usize) -> [f64; 2] {
        let last_row = self.planes.size.1 as i64 - 1;
        let (x, y) = (x as i64, y as i64);
        let mean = |of: &dyn Fn(i64) -> [f64; 2]| mix(of(2 * y), of((2 * y + 1).min(last_row)), 0.5);
        match subsampling(self.format.pixel) {
            (2, 2) => self.chroma(x, y),
            (2, _) => mean(&|row| self.chroma(x, row)),
            _ => {
                let last = self.planes.size.0 as i64 - 1;
                let at = |column: i64, row| {
                    let [_, cb, cr] = self.full(column.clamp(0, last), row);
                    [cb, cr]
                };
                mean(&|row| mix(at(2 * x, row), mix(at(2 * x - 1, row), at(2 * x + 1, row), 0.5), 0.5))
            }
        }
    }
}

fn mix(a: [f64; 2], b: [f64; 2], weight: f64) -> [f64; 2] {
    [a[0] * (1.0 - weight) + b[0] * weight, a[1] * (1.0 - weight) + b[1] * weight]
}

/// What a picture has to become, plane after plane.
fn expected(samples: &Samples, to: PixelFormat) -> [Vec<f64>; 3] {
    let (width, height) = samples.planes.size;
    let grid = |width: usize, height: usize| (0..height).flat_map(move |y| (0..width).map(move |x| (x, y)));
    if to == PixelFormat::Rgba8 {
        let pixels: Vec<_> = grid(width, height)
            .map(|(x, y)| {
                let [second, third] = samples.interpolated(x, y);
                let pixel = [samples.luma(x, y), second, third];
                if samples.format.pixel.is_yuv() { rgb(samples.format.color, pixel) } else { pixel }
            })
            .collect();
        return [0, 1, 2].map(|plane| pixels.iter().map(|pixel| pixel[plane]).collect());
    }
    let luma = grid(width, height).map(|(x, y)| match samples.format.pixel.is_yuv() {
        true => samples.luma(x, y),
        false => samples.full(x as i64, y as i64)[0],
    });
    let (columns, rows) = if to == PixelFormat::Grey8 { (0, 0) } else { (width.div_ceil(2), height.div_ceil(2)) };
    let chroma: Vec<_> = grid(columns, rows).map(|(x, y)| samples.of_square(x, y)).collect();
    let plane = |index: usize| chroma.iter().map(|sample| sample[index]).collect();
    [luma.collect(), plane(0), plane(1)]
}

#[test]
fn chroma_is_filtered_about_its_site() {
    for (from, to) in pairs() {
        for size in [(1, 1), (2, 2), (7, 5), (5, 1), (64, 36), (35, 18)] {
            for color in colors() {
                for chroma_site in [ChromaSite::Left, ChromaSite::Center] {
                    let from = VideoFormat { color: Color { chroma_site, ..color }, ..format(from, size) };
                    let mut random = noise(size.0 + 1);
                    let bytes = texture(from, |_, _, _| random());
                    let (frame, ours) = converted(from, &bytes, to);
                    let ours = Planes::of(frame.format(), &ours);
                    let samples = Samples { planes: Planes::of(from, &bytes), format: from };
                    for (ours, expected) in [ours.first, ours.second, ours.third].iter().zip(expected(&samples, to)) {
                        assert_eq!(ours.len(), expected.len());
                        let off = ours.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
                        assert!(off <= 1.0, "{from} to {to}, {:?}: off by {off}", from.color);
                    }
                }
            }
        }
    }
}
