//! Golden images of the conversions' shaders: one picture in every pixel format, converted.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

#[path = "support/golden.rs"]
mod golden;

use std::sync::LazyLock;

use golden::{Picture, Tolerance};
use streamlib_core::{ChromaSite, Color, GpuContext, GpuOptions, Matrix, PixelFormat, Plane, Range, Size, VideoFormat};

static GPU: LazyLock<GpuContext> = LazyLock::new(|| GpuContext::new(&GpuOptions::default()).unwrap());

/// Odd, so that the edges are seen.
const WIDTH: usize = 61;
const HEIGHT: usize = 47;

/// Pictures beside each other on a sheet.
const COLUMNS: usize = 3;

/// Y'CbCr of a place, in BT.709 and limited range: a disc, whose edge is sharp, on ramps of luma down and right, Cb to the right and
/// Cr down.
fn picture(x: f64, y: f64) -> [f64; 3] {
    let (u, v) = (x / WIDTH as f64, y / HEIGHT as f64);
    if (x - 36.0).hypot(y - 20.0) < 13.0 {
        return [150.0, 60.0, 190.0];
    }
    [60.0 + 70.0 * (u + v), 70.0 + 110.0 * u, 180.0 - 110.0 * v]
}

fn rgb([luma, cb, cr]: [f64; 3]) -> [u8; 3] {
    let (luma, cb, cr) = ((luma - 16.0) / 219.0, (cb - 128.0) / 224.0, (cr - 128.0) / 224.0);
    let (red, blue) = (luma + 1.5748 * cr, luma + 1.8556 * cb);
    let green = (luma - 0.2126 * red - 0.0722 * blue) / 0.7152;
    [red, green, blue].map(|value| (value * 255.0).round() as u8)
}

/// One plane: as many samples of the picture, `across` and `down` pixels apart, each of so many bytes.
fn plane(across: usize, down: usize, site: f64, bytes: impl Fn([f64; 3]) -> Vec<u8>) -> (Vec<u8>, usize) {
    let (width, height) = (WIDTH.div_ceil(across), HEIGHT.div_ceil(down));
    let at = |x: usize, y: usize| {
        let middle = if down == 2 { 0.5 } else { 0.0 };
        picture((x * across) as f64 + site, (y * down) as f64 + middle)
    };
    let all: Vec<u8> = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| bytes(at(x, y))).collect();
    let stride = all.len() / height;
    (all, stride)
}

/// The picture's planes in a format.
fn planes(format: VideoFormat) -> Vec<(Vec<u8>, usize)> {
    let site = if format.color.chroma_site == ChromaSite::Center { 0.5 } else { 0.0 };
    let one = |index: usize| move |yuv: [f64; 3]| vec![yuv[index].round() as u8];
    let luma = || plane(1, 1, 0.0, one(0));
    let chroma = |across, down, index: usize| plane(across, down, if across == 2 { site } else { 0.0 }, one(index));
    // A packed pair: chroma of its site, luma of both pixels.
    let pairs = |order: [usize; 4]| {
        let ((luma, _), (cb, _), (cr, _)) = (luma(), chroma(2, 1, 1), chroma(2, 1, 2));
        let pair = |index: usize| {
            let (x, y) = (index % WIDTH.div_ceil(2) * 2, index / WIDTH.div_ceil(2));
            let left = y * WIDTH + x;
            let samples = [luma[left], cb[index], luma[if x + 1 < WIDTH { left + 1 } else { left }], cr[index]];
            order.map(|sample| samples[sample])
        };
        vec![((0..cb.len()).flat_map(pair).collect::<Vec<u8>>(), WIDTH.div_ceil(2) * 4)]
    };
    match format.pixel {
        PixelFormat::Yuyv => pairs([0, 1, 2, 3]),
        PixelFormat::Uyvy => pairs([1, 0, 3, 2]),
        PixelFormat::Nv12 => vec![luma(), plane(2, 2, site, |yuv| vec![yuv[1].round() as u8, yuv[2].round() as u8])],
        PixelFormat::I420 => vec![luma(), chroma(2, 2, 1), chroma(2, 2, 2)],
        PixelFormat::I422 => vec![luma(), chroma(2, 1, 1), chroma(2, 1, 2)],
        PixelFormat::I444 => vec![luma(), chroma(1, 1, 1), chroma(1, 1, 2)],
        PixelFormat::Grey8 => vec![luma()],
        PixelFormat::Rgb24 => vec![plane(1, 1, 0.0, |yuv| rgb(yuv).to_vec())],
        PixelFormat::Bgr24 => vec![plane(1, 1, 0.0, |yuv| rgb(yuv).into_iter().rev().collect())],
        _ => vec![plane(1, 1, 0.0, |yuv| rgb(yuv).into_iter().chain([255]).collect())],
    }
}

/// The texture of the converted picture: width and height in texels, and its bytes.
fn converted(from: PixelFormat, to: PixelFormat, site: ChromaSite) -> (usize, usize, Vec<u8>) {
    let color = Color { chroma_site: site, ..Color::new(Matrix::Bt709, Range::Limited) };
    let format = VideoFormat { color, ..VideoFormat::new(from, Size::new(WIDTH as u32, HEIGHT as u32).unwrap()) };
    let mut encoder = GPU.encoder();
    let mut frame = GPU.frame(format, "test").unwrap().with_color(color);
    let planes = planes(format);
    let planes: Vec<_> = planes.iter().map(|(bytes, stride)| Plane { bytes, stride: *stride }).collect();
    encoder.upload_planes(&mut frame, &planes).unwrap();
    let converted = GPU.convert(&mut encoder, &frame, to).unwrap();
    let read_back = encoder.read_back(&converted).unwrap();
    encoder.submit().unwrap();
    let extent = converted.format().texture_size();
    (extent.width as usize, extent.height as usize, read_back.wait().unwrap().to_vec())
}

/// The picture out of every other format, in the order of [`PixelFormat::ALL`], as textures on one sheet.
fn sheet(to: PixelFormat, site: ChromaSite) -> Picture {
    let textures: Vec<_> = PixelFormat::ALL.iter().filter(|from| **from != to).map(|from| converted(*from, to, site)).collect();
    let (width, height, bytes) = (textures[0].0, textures[0].1, to.texel_bytes() as usize);
    let row = COLUMNS * width * bytes;
    let mut samples = vec![0; row * height * textures.len().div_ceil(COLUMNS)];
    for (index, (.., texture)) in textures.iter().enumerate() {
        let corner = index / COLUMNS * height * row + index % COLUMNS * width * bytes;
        for (y, line) in texture.chunks(width * bytes).enumerate() {
            samples[corner + y * row..][..line.len()].copy_from_slice(line);
        }
    }
    Picture {
        width: (COLUMNS * width) as u32,
        height: (samples.len() / row) as u32,
        color: if bytes == 4 { png::ColorType::Rgba } else { png::ColorType::Grayscale },
        samples,
    }
}

/// GPUs differ in the last bit of a sum of products.
const ROUNDING: Tolerance = Tolerance { level: 1, outliers_in_1000: 0 };

#[test]
fn every_format_becomes_rgba8() {
    golden::check("to_rgba8", &sheet(PixelFormat::Rgba8, ChromaSite::Left), ROUNDING);
    golden::check("to_rgba8-centred", &sheet(PixelFormat::Rgba8, ChromaSite::Center), ROUNDING);
}

#[test]
fn every_format_becomes_i420() {
    golden::check("to_420-i420", &sheet(PixelFormat::I420, ChromaSite::Left), ROUNDING);
}

#[test]
fn every_format_becomes_nv12() {
    golden::check("to_420-nv12", &sheet(PixelFormat::Nv12, ChromaSite::Left), ROUNDING);
}

#[test]
fn every_format_becomes_grey8() {
    golden::check("to_grey8", &sheet(PixelFormat::Grey8, ChromaSite::Left), ROUNDING);
}
