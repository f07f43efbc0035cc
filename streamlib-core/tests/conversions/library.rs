//! Every pair beside the `yuv` crate: both matrices, both ranges, tiny, odd and large pictures, within 2 of 255.
//!
//! The library repeats a chroma sample over the pixels that share it and averages squares, where we interpolate and filter about
//! the site. So colour is constant over tiles of 8x8 pixels and compared where no filter reaches beyond the tile; luma is noise
//! and compared everywhere.

use streamlib_core::{Color, Matrix, PixelFormat, Range, VideoFormat};
use yuv::{
    YuvBiPlanarImage, YuvBiPlanarImageMut, YuvChromaSubsampling, YuvConversionMode, YuvGrayImage, YuvGrayImageMut,
    YuvPackedImage, YuvPlanarImage, YuvPlanarImageMut, YuvRange, YuvStandardMatrix,
};

use crate::planes::{Planes, subsampling, texture};
use crate::{colors, converted, format, noise, pairs};

const TILE: usize = 8;
const TOLERANCE: u8 = 2;

fn range(color: Color) -> YuvRange {
    match color.range {
        Range::Limited => YuvRange::Limited,
        Range::Full => YuvRange::Full,
    }
}

fn matrix(color: Color) -> YuvStandardMatrix {
    match color.matrix {
        Matrix::Bt601 => YuvStandardMatrix::Bt601,
        Matrix::Bt709 => YuvStandardMatrix::Bt709,
    }
}

/// The library's `rgba8` of a picture.
fn to_rgba(from: VideoFormat, bytes: &[u8]) -> Vec<u8> {
    let (width, height) = (from.size.width(), from.size.height());
    let (range, matrix, mode) = (range(from.color), matrix(from.color), YuvConversionMode::Balanced);
    let planes = Planes::of(from, bytes);
    let chroma_stride = planes.chroma_size.0 as u32;
    let planar = YuvPlanarImage {
        y_plane: &planes.first,
        y_stride: width,
        u_plane: &planes.second,
        u_stride: chroma_stride,
        v_plane: &planes.third,
        v_stride: chroma_stride,
        width,
        height,
    };
    let packed = YuvPackedImage { yuy: bytes, yuy_stride: from.row_bytes() as u32, width, height };
    let mut rgba = vec![0; (width * height * 4) as usize];
    let (out, stride) = (&mut rgba[..], width * 4);
    match from.pixel {
        // In two steps: the library's own single one computes with six bits only.
        PixelFormat::Yuyv | PixelFormat::Uyvy => {
            let mut unpacked = YuvPlanarImageMut::alloc(width, height, YuvChromaSubsampling::Yuv422);
            match from.pixel {
                PixelFormat::Yuyv => yuv::yuyv422_to_yuv422(&mut unpacked, &packed),
                _ => yuv::uyvy422_to_yuv422(&mut unpacked, &packed),
            }
            .unwrap();
            yuv::yuv422_to_rgba(&unpacked.to_fixed(), out, stride, range, matrix).unwrap();
        }
        PixelFormat::Nv12 => {
            let chroma: Vec<u8> = planes.second.iter().zip(&planes.third).flat_map(|(cb, cr)| [*cb, *cr]).collect();
            let image = YuvBiPlanarImage {
                y_plane: &planes.first,
                y_stride: width,
                uv_plane: &chroma,
                uv_stride: chroma_stride * 2,
                width,
                height,
            };
            yuv::yuv_nv12_to_rgba(&image, out, stride, range, matrix, mode).unwrap();
        }
        PixelFormat::I420 => yuv::yuv420_to_rgba(&planar, out, stride, range, matrix).unwrap(),
        PixelFormat::I422 => yuv::yuv422_to_rgba(&planar, out, stride, range, matrix).unwrap(),
        PixelFormat::I444 => yuv::yuv444_to_rgba(&planar, out, stride, range, matrix).unwrap(),
        PixelFormat::Grey8 => {
            let image = YuvGrayImage { y_plane: &planes.first, y_stride: width, width, height };
            yuv::yuv400_to_rgba(&image, out, stride, range, matrix).unwrap();
        }
        _ => {
            for (pixel, index) in out.chunks_exact_mut(4).zip(0..) {
                pixel.copy_from_slice(&[planes.first[index], planes.second[index], planes.third[index], 255]);
            }
        }
    }
    rgba
}

/// The library's Y'CbCr of a picture in R'G'B': luma, Cb, Cr, the latter empty for grey.
fn from_rgb(from: VideoFormat, bytes: &[u8], to: PixelFormat) -> [Vec<u8>; 3] {
    let (width, height) = (from.size.width(), from.size.height());
    let (range, matrix, mode) = (range(from.color), matrix(from.color), YuvConversionMode::Balanced);
    let samples = if from.pixel == PixelFormat::Rgba8 { 4 } else { 3 };
    let rows: Vec<u8> = bytes.chunks(from.row_bytes()).flat_map(|row| &row[..width as usize * samples]).copied().collect();
    let stride = width * samples as u32;
    match to {
        PixelFormat::I420 => {
            let mut image = YuvPlanarImageMut::alloc(width, height, YuvChromaSubsampling::Yuv420);
            match from.pixel {
                PixelFormat::Rgb24 => yuv::rgb_to_yuv420(&mut image, &rows, stride, range, matrix, mode),
                PixelFormat::Bgr24 => yuv::bgr_to_yuv420(&mut image, &rows, stride, range, matrix, mode),
                _ => yuv::rgba_to_yuv420(&mut image, &rows, stride, range, matrix, mode),
            }
            .unwrap();
            [image.y_plane, image.u_plane, image.v_plane].map(|plane| plane.borrow().to_vec())
        }
        PixelFormat::Nv12 => {
            let mut image = YuvBiPlanarImageMut::alloc(width, height, YuvChromaSubsampling::Yuv420);
            match from.pixel {
                PixelFormat::Rgb24 => yuv::rgb_to_yuv_nv12(&mut image, &rows, stride, range, matrix, mode),
                PixelFormat::Bgr24 => yuv::bgr_to_yuv_nv12(&mut image, &rows, stride, range, matrix, mode),
                _ => yuv::rgba_to_yuv_nv12(&mut image, &rows, stride, range, matrix, mode),
            }
            .unwrap();
            let chroma = image.uv_plane.borrow();
            let take = |first: usize| chroma.iter().skip(first).step_by(2).copied().collect();
            [image.y_plane.borrow().to_vec(), take(0), take(1)]
        }
        _ => {
            let mut image = YuvGrayImageMut::alloc(width, height);
            match from.pixel {
                PixelFormat::Rgb24 => yuv::rgb_to_yuv400(&mut image, &rows, stride, range, matrix),
                PixelFormat::Bgr24 => yuv::bgr_to_yuv400(&mut image, &rows, stride, range, matrix),
                _ => yuv::rgba_to_yuv400(&mut image, &rows, stride, range, matrix),
            }
            .unwrap();
            [image.y_plane.borrow().to_vec(), Vec::new(), Vec::new()]
        }
    }
}

/// The texture's bytes of a picture whose colours are constant over tiles. Luma is noise, where it stands by itself.
fn picture(format: VideoFormat, seed: u32) -> Vec<u8> {
    let (across, down) = subsampling(format.pixel);
    let mut luma = noise(seed);
    let tiles = |plane: usize, x: usize, y: usize| {
        let tile = (y / TILE * 1000 + x / TILE) * 3 + plane;
        noise(seed.wrapping_add(tile as u32 * 7919 + 1))()
    };
    texture(format, |plane, x, y| match plane {
        0 if format.pixel.is_yuv() => luma(),
        0 => tiles(0, x, y),
        _ => tiles(plane, x * across, y * down),
    })
}

/// Whether a filter of five pixels about `at` stays in its tile. Beyond the picture the edge is repeated.
fn is_flat(at: usize, length: usize) -> bool {
    at.saturating_sub(2) / TILE == (at + 2).min(length - 1) / TILE
}

/// The worst difference, of the samples that count; pictures of so many samples a place, of which one is `step` pixels.
fn worst(ours: &[u8], theirs: &[u8], width: usize, samples: usize, counts: impl Fn(usize, usize) -> bool) -> u8 {
    assert_eq!(ours.len(), theirs.len());
    let places = ours.chunks(samples).zip(theirs.chunks(samples)).zip(0..);
    let counted = places.filter(|(_, index)| counts(index % width, index / width));
    counted.flat_map(|((a, b), _)| a.iter().zip(b)).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

/// How far our conversion is from the library's.
fn difference(from: VideoFormat, to: PixelFormat, seed: u32) -> u8 {
    let bytes = picture(from, seed);
    let (frame, ours) = converted(from, &bytes, to);
    let (width, height) = (from.size.width() as usize, from.size.height() as usize);
    let flat = |x, y| is_flat(x, width) && is_flat(y, height);
    if from.pixel.is_yuv() {
        // The library shows both; for 4:2:0 and grey this is the comparison of our planes with the source.
        let mut theirs = to_rgba(from, &bytes);
        let mut ours = if to == PixelFormat::Rgba8 { ours } else { to_rgba(frame.format(), &ours) };
        if to == PixelFormat::Grey8 {
            let neutral = Planes::of(from, &bytes);
            let grey = from.with_pixel(PixelFormat::Grey8);
            theirs = to_rgba(grey, &neutral.first);
        }
        assert_eq!(ours.len(), theirs.len());
        ours.iter_mut().skip(3).step_by(4).for_each(|alpha| assert_eq!(*alpha, 255));
        return worst(&ours, &theirs, width, 4, flat);
    }
    if to == PixelFormat::Rgba8 {
        return worst(&ours, &to_rgba(from, &bytes), width, 4, |_, _| true);
    }
    let planes = Planes::of(frame.format(), &ours);
    let [luma, cb, cr] = from_rgb(from, &bytes, to);
    let chroma_width = planes.chroma_size.0.max(1);
    let flat_square = |x, y| flat(2 * x, 2 * y);
    worst(&planes.first, &luma, width, 1, |_, _| true).max(worst(&planes.second, &cb, chroma_width, 1, flat_square)).max(worst(
        &planes.third,
        &cr,
        chroma_width,
        1,
        flat_square,
    ))
}

#[test]
fn small_pictures_are_as_the_library_has_them() {
    for (from, to) in pairs() {
        for size in [(1, 1), (2, 2), (1, 4), (7, 5), (64, 36), (67, 33)] {
            for color in colors() {
                let from = VideoFormat { color, ..format(from, size) };
                let off = difference(from, to, size.0);
                assert!(off <= TOLERANCE, "{from} to {to}, {color:?}: off by {off}");
            }
        }
    }
}

#[test]
fn full_hd_is_as_the_library_has_it() {
    for ((from, to), index) in pairs().zip(0..) {
        // Every colour description comes to every target.
        let color = colors()[index % 4];
        let from = VideoFormat { color, ..format(from, (1920, 1080)) };
        let off = difference(from, to, 1);
        assert!(off <= TOLERANCE, "{from} to {to}, {color:?}: off by {off}");
    }
}
