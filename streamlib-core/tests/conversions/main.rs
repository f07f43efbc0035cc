//! Conversions between pixel formats: every pair, judged by a library (`library.rs`) in colours and layout, and by the filters'
//! definition (`filters.rs`) in the places of chroma.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod filters;
mod library;
mod planes;

use std::sync::LazyLock;

use streamlib_core::{
    Alpha, ChromaSite, Color, ErrorKind, GpuContext, GpuOptions, Matrix, PixelFormat, Range, Size, VideoFormat, VideoFrame,
};

static GPU: LazyLock<GpuContext> = LazyLock::new(|| GpuContext::new(&GpuOptions::default()).unwrap());

/// What frames can be converted to.
const TARGETS: [PixelFormat; 4] = [PixelFormat::Rgba8, PixelFormat::I420, PixelFormat::Nv12, PixelFormat::Grey8];

fn format(pixel: PixelFormat, (width, height): (u32, u32)) -> VideoFormat {
    VideoFormat::new(pixel, Size::new(width, height).unwrap())
}

/// Every source with every target.
fn pairs() -> impl Iterator<Item = (PixelFormat, PixelFormat)> {
    let from = |to: PixelFormat| PixelFormat::ALL.iter().map(move |from| (*from, to));
    TARGETS.into_iter().flat_map(from).filter(|(from, to)| from != to)
}

/// Both matrices and both ranges, chroma sited left.
fn colors() -> [Color; 4] {
    let of = |matrix, range| Color::new(matrix, range);
    [
        of(Matrix::Bt601, Range::Limited),
        of(Matrix::Bt601, Range::Full),
        of(Matrix::Bt709, Range::Limited),
        of(Matrix::Bt709, Range::Full),
    ]
}

/// Numbers that differ from their neighbours and between seeds.
fn noise(seed: u32) -> impl FnMut() -> u8 {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 11) as u8
    }
}

/// What the GPU makes of the texture's bytes.
fn converted(from: VideoFormat, bytes: &[u8], to: PixelFormat) -> (VideoFrame, Vec<u8>) {
    let mut encoder = GPU.encoder();
    let mut frame = GPU.frame(from, "test").unwrap().with_color(from.color);
    encoder.upload(&mut frame, bytes, from.row_bytes()).unwrap();
    let converted = GPU.convert(&mut encoder, &frame, to).unwrap();
    let read_back = encoder.read_back(&converted).unwrap();
    encoder.submit().unwrap();
    let pixels = read_back.wait().unwrap().to_vec();
    (converted, pixels)
}

#[test]
fn flat_rgb_becomes_ycbcr_and_comes_back() {
    for color in colors() {
        for to in [PixelFormat::I420, PixelFormat::Nv12] {
            for rgb in [[255, 255, 255], [0, 0, 0], [191, 0, 0], [12, 200, 99]] {
                let from = VideoFormat { color, ..format(PixelFormat::Rgba8, (5, 3)) };
                let bytes = [rgb[0], rgb[1], rgb[2], 255].repeat(15);
                let (_, planes) = converted(from, &bytes, to);
                assert_eq!(planes.len(), 6 * 4 * 3 / 2);
                let (_, back) = converted(from.with_pixel(to), &planes, PixelFormat::Rgba8);
                let worst = back.iter().zip(&bytes).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                assert!(worst <= 2, "{color:?} {rgb:?}: came back off by {worst}");
            }
        }
    }
}

#[test]
fn odd_pictures_are_padded_by_repeating_the_edge() {
    let from = VideoFormat { color: Color::new(Matrix::Bt709, Range::Full), ..format(PixelFormat::Rgba8, (3, 1)) };
    let bytes: Vec<u8> = [10u8, 100, 200].into_iter().flat_map(|level| [level, level, level, 255]).collect();
    let (_, planes) = converted(from, &bytes, PixelFormat::I420);
    assert_eq!(planes, [10, 100, 200, 200, 10, 100, 200, 200, 128, 128, 128, 128]);
    // What a packed picture has beyond its edge is not seen.
    let (_, planes) = converted(format(PixelFormat::Uyvy, (1, 1)), &[70, 1, 80, 250], PixelFormat::I420);
    assert_eq!(planes, [1, 1, 1, 1, 70, 80]);
}

/// Cameras' Y'CbCr becomes 4:2:0 without passing through R'G'B': luma is kept to the bit, chroma is moved or averaged over two
/// rows, and values that no R'G'B' has stay.
#[test]
fn ycbcr_becomes_420_without_loss_of_luma() {
    let check = |pixel, bytes: &[u8], i420: [u8; 12]| {
        let (_, planes) = converted(format(pixel, (4, 2)), bytes, PixelFormat::I420);
        assert_eq!(planes, i420, "{pixel}");
        if pixel != PixelFormat::Nv12 {
            let (_, planes) = converted(format(pixel, (4, 2)), bytes, PixelFormat::Nv12);
            let [.., b0, b1, r0, r1] = i420;
            assert_eq!(planes, [&i420[..8], &[b0, r0, b1, r1]].concat(), "{pixel}");
        }
        if pixel != PixelFormat::Grey8 {
            let (_, luma) = converted(format(pixel, (4, 2)), bytes, PixelFormat::Grey8);
            assert_eq!(luma, i420[..8], "{pixel}");
        }
    };
    let averaged = [1, 2, 3, 4, 5, 6, 7, 8, 105, 51, 205, 61];
    check(PixelFormat::Yuyv, &[1, 100, 2, 200, 3, 50, 4, 60, 5, 110, 6, 210, 7, 52, 8, 62], averaged);
    check(PixelFormat::Uyvy, &[100, 1, 200, 2, 50, 3, 60, 4, 110, 5, 210, 6, 52, 7, 62, 8], averaged);
    check(PixelFormat::I422, &[1, 2, 3, 4, 5, 6, 7, 8, 100, 50, 200, 60, 110, 52, 210, 62], averaged);
    check(PixelFormat::Nv12, &[1, 2, 3, 4, 5, 6, 7, 8, 100, 200, 50, 60], [1, 2, 3, 4, 5, 6, 7, 8, 100, 50, 200, 60]);
    check(PixelFormat::Grey8, &[1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8, 128, 128, 128, 128]);
}

#[test]
fn what_is_written_says_what_it_is() {
    for (from, to) in pairs() {
        for chroma_site in [ChromaSite::Left, ChromaSite::Center] {
            let color = Color { chroma_site, ..Color::new(Matrix::Bt601, Range::Full) };
            let source = VideoFormat { color, alpha: Alpha::Premultiplied, ..format(from, (4, 4)) };
            let (frame, _) = converted(source, &vec![9; source.bytes()], to);
            let passes_chroma =
                matches!(from, PixelFormat::Yuyv | PixelFormat::Uyvy | PixelFormat::Nv12 | PixelFormat::I420 | PixelFormat::I422)
                    && matches!(to, PixelFormat::I420 | PixelFormat::Nv12);
            let site = if passes_chroma { chroma_site } else { ChromaSite::Left };
            let expected =
                VideoFormat { color: Color { chroma_site: site, ..color }, alpha: Alpha::Opaque, ..source.with_pixel(to) };
            assert_eq!(frame.format(), expected, "{from} to {to}");
        }
    }
}

#[test]
fn what_cannot_be_converted_is_refused() {
    let mut encoder = GPU.encoder();
    let frame = GPU.frame(format(PixelFormat::Rgba8, (4, 4)), "test").unwrap();
    let error = GPU.convert(&mut encoder, &frame, PixelFormat::Yuyv).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let message = error.to_string();
    assert!(message.contains("from rgba8 to yuyv") && message.contains("rgba8, i420, nv12, grey8"), "{message}");
    let message = GPU.convert(&mut encoder, &frame, PixelFormat::Rgba8).unwrap_err().to_string();
    assert!(message.contains("needs no conversion"), "{message}");
}
