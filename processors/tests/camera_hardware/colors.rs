//! The virtual camera's bars in every format that it has.

use streamlib_core::{Color, Matrix, PixelFormat, Range};
use streamlib_processors::camera::{self, Backend, CameraFormat, CaptureOptions};

use crate::harness::{BACKENDS, Seen, picture, size, vivid};

/// What vivid 6.1 delivers at 640x480 in its default colour space (sRGB, BT.601 limited): 75 % bars are R'G'B' 190 where 1/255 is
/// one step, 100 % bars 254, both rounded down on their way to Y'CbCr.
const BARS: [(&str, [u8; 3], [u8; 3]); 8] = [
    ("white", [179, 128, 128], [234, 128, 128]),
    ("yellow", [160, 44, 141], [209, 16, 146]),
    ("cyan", [130, 156, 44], [168, 165, 16]),
    ("green", [111, 72, 58], [144, 54, 34]),
    ("magenta", [83, 183, 197], [106, 201, 221]),
    ("red", [64, 99, 211], [81, 90, 239]),
    ("blue", [34, 211, 114], [40, 239, 109]),
    ("black", [16, 128, 128], [16, 128, 128]),
];

/// The luma of the 75 % bars in full range: for luma alone vivid weighs red, green and blue as BT.709 does.
const GREYS: [u8; 8] = [190, 176, 150, 136, 54, 40, 14, 0];

/// What a picture has at a point: Y'CbCr, R'G'B', or luma of full range three times.
fn pixel_at(picture: &Seen, x: usize, y: usize) -> [u8; 3] {
    let at = |plane: usize, x: usize, y: usize| {
        let (bytes, stride) = &picture.planes[plane];
        bytes[y * stride + x]
    };
    match picture.pixel {
        PixelFormat::Yuyv => [at(0, x * 2, y), at(0, x / 2 * 4 + 1, y), at(0, x / 2 * 4 + 3, y)],
        PixelFormat::Uyvy => [at(0, x * 2 + 1, y), at(0, x / 2 * 4, y), at(0, x / 2 * 4 + 2, y)],
        PixelFormat::Nv12 => [at(0, x, y), at(1, x / 2 * 2, y / 2), at(1, x / 2 * 2 + 1, y / 2)],
        PixelFormat::I420 => [at(0, x, y), at(1, x / 2, y / 2), at(2, x / 2, y / 2)],
        PixelFormat::Rgb24 => [at(0, x * 3, y), at(0, x * 3 + 1, y), at(0, x * 3 + 2, y)],
        PixelFormat::Bgr24 => [at(0, x * 3 + 2, y), at(0, x * 3 + 1, y), at(0, x * 3, y)],
        PixelFormat::Grey8 => [at(0, x, y); 3],
        other => panic!("{other}"),
    }
}

/// The same bars in R'G'B'.
fn rgb(name: &str) -> [u8; 3] {
    let on = |colors: &[&str]| if colors.contains(&name) { 190 } else { 0 };
    [
        on(&["white", "yellow", "magenta", "red"]),
        on(&["white", "yellow", "cyan", "green"]),
        on(&["white", "cyan", "magenta", "blue"]),
    ]
}

#[test]
fn colour_bars_have_their_colours_in_every_format() {
    let Some(test) = vivid() else { return };
    let passed = [CameraFormat::Yuyv, CameraFormat::Nv12, CameraFormat::Rgb24, CameraFormat::Bgr24];
    let v4l = CameraFormat::ALL.into_iter().filter(|format| *format != CameraFormat::Mjpeg);
    let cases = v4l.map(|format| (Backend::V4l, format)).chain(passed.map(|format| (Backend::Nokhwa, format)));
    for (backend, format) in cases {
        for text in ["640x480", "320x180"] {
            let options = CaptureOptions { pixel_format: Some(format), size: Some(size(text)), ..test.options(backend) };
            let options = CaptureOptions { rate: "25".parse().ok(), ..options };
            let mut camera = camera::open(&options).unwrap();
            assert_eq!((camera.format().format, camera.format().size), (format, size(text)));
            let range = if format == CameraFormat::Grey8 { Range::Full } else { Range::Limited };
            assert_eq!(camera.format().color, Color::new(Matrix::Bt601, range));
            check_bars(&picture(&mut camera).unwrap(), 0, backend);
        }
    }
    test.set("test_pattern", 1);
    let mut camera = camera::open(&test.options(Backend::V4l)).unwrap();
    check_bars(&picture(&mut camera).unwrap(), 1, Backend::V4l);
}

/// The driver's word, where it gives one, and the parameter over it.
#[test]
fn matrix_and_range_are_what_the_driver_says() {
    let Some(test) = vivid() else { return };
    for (encoding, quantization, matrix, range) in [
        (2, 1, Matrix::Bt709, Range::Full),
        (2, 2, Matrix::Bt709, Range::Limited),
        (1, 1, Matrix::Bt601, Range::Full),
        (0, 0, Matrix::Bt601, Range::Limited),
    ] {
        test.set("y_cbcr_encoding", encoding);
        test.set("quantization", quantization);
        for backend in BACKENDS {
            let camera = camera::open(&test.options(backend)).unwrap();
            assert_eq!(camera.format().color, Color::new(matrix, range), "{}", backend.name());
        }
    }
}

fn check_bars(picture: &Seen, pattern: usize, backend: Backend) {
    let (width, height) = (picture.format.size.width() as usize, picture.format.size.height() as usize);
    let mut all = Vec::new();
    for (bar, (name, three_quarters, full)) in BARS.into_iter().enumerate() {
        let found = pixel_at(picture, width * (2 * bar + 1) / 16, height / 2);
        let ycbcr = [three_quarters, full][pattern];
        let expected = match picture.pixel {
            PixelFormat::Rgb24 | PixelFormat::Bgr24 => rgb(name),
            PixelFormat::Grey8 => [GREYS[bar]; 3],
            _ => ycbcr,
        };
        all.push(found);
        let right = found.iter().zip(expected).all(|(found, expected)| found.abs_diff(expected) <= 1);
        assert!(right, "{} {} {name}: {found:?}, not {expected:?}", backend.name(), picture.format.format);
    }
    println!("{} {} {width}x{height} pattern {pattern}: {all:?}", backend.name(), picture.format.format);
}
