//! Planes that lie apart in memory are put together in the texture's layout.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use std::sync::LazyLock;

use streamlib_core::{ErrorKind, GpuContext, GpuOptions, PixelFormat, Plane, Size, VideoFormat};

static GPU: LazyLock<GpuContext> = LazyLock::new(|| GpuContext::new(&GpuOptions::default()).unwrap());

/// Uploads planes and returns the texture's bytes.
fn texture_of(pixel: PixelFormat, (width, height): (u32, u32), planes: &[Plane<'_>]) -> Vec<u8> {
    let mut encoder = GPU.encoder();
    let format = VideoFormat::new(pixel, Size::new(width, height).unwrap());
    let mut frame = GPU.frame(format, "test").unwrap();
    encoder.upload_planes(&mut frame, planes).unwrap();
    let read_back = encoder.read_back(&frame).unwrap();
    encoder.submit().unwrap();
    read_back.wait().unwrap().to_vec()
}

/// 0 is what lies between the rows and must not be seen.
const LUMA_4X2: Plane<'static> = Plane { bytes: &[1, 2, 3, 4, 0, 5, 6, 7, 8], stride: 5 };

#[test]
fn planes_are_put_where_the_format_says() {
    let chroma = |bytes, stride| Plane { bytes, stride };
    let i420 = [LUMA_4X2, chroma(&[11, 12], 7), chroma(&[21, 22], 2)];
    assert_eq!(texture_of(PixelFormat::I420, (4, 2), &i420), [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 21, 22]);

    let i422 = [LUMA_4X2, chroma(&[11, 12, 0, 13, 14], 3), chroma(&[21, 22, 0, 0, 23, 24], 4)];
    assert_eq!(
        texture_of(PixelFormat::I422, (4, 2), &i422),
        [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 21, 22, 13, 14, 23, 24],
        "a row of Cb and one of Cr beside it"
    );

    let i444 = [LUMA_4X2, chroma(&[11, 12, 13, 14, 15, 16, 17, 18], 4), chroma(&[21, 22, 23, 24, 25, 26, 27, 28], 4)];
    assert_eq!(
        texture_of(PixelFormat::I444, (4, 2), &i444),
        [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 18, 21, 22, 23, 24, 25, 26, 27, 28]
    );

    let nv12 = [LUMA_4X2, chroma(&[11, 21, 12, 22], 4)];
    assert_eq!(texture_of(PixelFormat::Nv12, (4, 2), &nv12), [1, 2, 3, 4, 5, 6, 7, 8, 11, 21, 12, 22]);
    assert_eq!(texture_of(PixelFormat::Grey8, (4, 2), &[LUMA_4X2]), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(texture_of(PixelFormat::Uyvy, (2, 2), &[LUMA_4X2]), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn odd_pictures_need_no_padding() {
    let luma = Plane { bytes: &[1, 2, 3, 4, 5, 6, 7, 8, 9], stride: 3 };
    let four = |first: u8| [first, first + 1, first + 2, first + 3];
    let (cb, cr) = (four(11), four(21));
    let i420 = [luma, Plane { bytes: &cb, stride: 2 }, Plane { bytes: &cr, stride: 2 }];
    assert_eq!(
        texture_of(PixelFormat::I420, (3, 3), &i420),
        [1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9, 9, 7, 8, 9, 9, 11, 12, 21, 22, 13, 14, 23, 24],
        "the edge is repeated"
    );
    let one = |bytes| Plane { bytes, stride: 1 };
    assert_eq!(texture_of(PixelFormat::I420, (1, 1), &[one(&[1]), one(&[2]), one(&[3])]), [1, 1, 1, 1, 2, 3]);
    assert_eq!(texture_of(PixelFormat::I422, (1, 1), &[one(&[1]), one(&[2]), one(&[3])]), [1, 1, 2, 3]);
    assert_eq!(texture_of(PixelFormat::I444, (1, 1), &[one(&[1]), one(&[2]), one(&[3])]), [1, 2, 3]);
    let rows = Plane { bytes: &[1, 2, 3, 4, 5, 6], stride: 3 };
    assert_eq!(texture_of(PixelFormat::Bgr24, (1, 2), &[rows]), [1, 2, 3, 0, 4, 5, 6, 0]);
}

#[test]
fn wrong_planes_are_refused_and_named() {
    let mut encoder = GPU.encoder();
    let mut frame = GPU.frame(VideoFormat::new(PixelFormat::I420, Size::new(4, 2).unwrap()), "test").unwrap();
    let mut error = |planes: &[Plane<'_>]| {
        let error = encoder.upload_planes(&mut frame, planes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        error.to_string()
    };
    let message = error(&[LUMA_4X2]);
    assert!(message.contains("3 planes, not 1") && message.contains("luma, Cb, Cr"), "{message}");
    let chroma = Plane { bytes: &[1, 2], stride: 2 };
    let message = error(&[Plane { bytes: &LUMA_4X2.bytes[..8], stride: 5 }, chroma, chroma]);
    assert!(message.contains("luma") && message.contains("9 bytes in all"), "{message}");
    let message = error(&[LUMA_4X2, chroma, Plane { bytes: &[1, 2], stride: 1 }]);
    assert!(message.contains("Cr of i420 4x2") && message.contains("at least 2 bytes"), "{message}");
    let message = error(&[LUMA_4X2, Plane { bytes: &[], stride: usize::MAX }, chroma]);
    assert!(message.contains("0 bytes in rows of"), "{message}");
}
