//! What pictures look like: sizes, colours, strides, noise.

use streamlib_core::{Color, ErrorKind, Matrix, Range, Size, Timestamp};
use streamlib_processors::record::{Encoder, EncoderOptions, I420Picture, OpenH264Encoder, RateControl};

use super::judge;
use super::support::{HD, Recorder, Tight, at, flat, folder, moving};

#[test]
fn every_size_is_recorded_with_its_true_size() {
    let sizes = [(1, 1), (2, 2), (1, 40), (3, 5), (15, 17), (16, 16), (17, 33), (34, 18), (639, 479), (1920, 1080)];
    for (width, height) in sizes {
        let (_directory, path) = folder();
        let size = Size::new(width, height).unwrap();
        let options = EncoderOptions { rate: RateControl::Quality(12), ..Default::default() };
        let mut recorder = Recorder::new(&path, &size.to_string(), HD, &options);
        let source = gradient(recorder.size);
        for number in 0..3 {
            recorder.push(at(number * 40_000), &source).unwrap();
        }
        let coded = recorder.encoder.coded_size();
        recorder.writer.finish().unwrap();

        assert_eq!(judge::complaints(&path), "", "{size}");
        let expected = (width.next_multiple_of(2).max(16), height.next_multiple_of(2).max(16));
        assert_eq!((coded.width(), coded.height()), expected, "{size}");
        let shown = judge::probe(&path, "stream", &["width", "height", "sample_aspect_ratio"]).concat();
        let square = if size == coded { "N/A" } else { "1:1" };
        assert!(shown[..2] == [coded.width().to_string(), coded.height().to_string()], "{size}: {shown:?}");
        assert!(shown[2] == square || shown[2] == "1:1", "{size}: {shown:?}");

        let clap = clap(&std::fs::read(&path).unwrap());
        let offset = |true_side: u32, coded_side: u32| (true_side as i32 - coded_side as i32) as u32;
        let true_size = [width, 1, height, 1, offset(width, coded.width()), 2, offset(height, coded.height()), 2];
        assert_eq!(clap, (size != coded).then_some(true_size), "{size}");

        let decoded = judge::decoded(&path);
        let (even, frame) = (recorder_stride(size), (coded.width() * coded.height() * 3 / 2) as usize);
        assert_eq!(decoded.len(), 3 * frame, "{size}");
        for (y, x) in (0..height as usize).flat_map(|y| (0..width as usize).map(move |x| (y, x))) {
            let (got, expected) = (decoded[2 * frame + y * coded.width() as usize + x], source[y * even + x]);
            assert!(got.abs_diff(expected) <= 6, "{size}: {got} for {expected} at {x},{y}");
        }
    }
}

fn recorder_stride(size: Size) -> usize {
    size.even().0 as usize
}

fn gradient(size: Size) -> Vec<u8> {
    let luma = (0..size.height()).flat_map(|y| (0..size.width()).map(move |x| 40 + ((x + 2 * y) % 150) as u8));
    luma.chain(std::iter::repeat_n(120, (size.width() * size.height() / 2) as usize)).collect()
}

fn clap(file: &[u8]) -> Option<[u32; 8]> {
    let at = file.windows(4).position(|window| window == b"clap")?;
    Some(std::array::from_fn(|index| u32::from_be_bytes(file[at + 4 + 4 * index..][..4].try_into().unwrap())))
}

#[test]
fn colours_come_back_and_are_described() {
    for (color, name, range) in [
        (Color::new(Matrix::Bt601, Range::Limited), "smpte170m", "tv"),
        (HD, "bt709", "tv"),
        (Color::new(Matrix::Bt709, Range::Full), "bt709", "pc"),
    ] {
        let (_directory, path) = folder();
        let colours = [
            [16, 128, 128],
            [235, 128, 128],
            [81, 90, 240],
            [145, 54, 34],
            [41, 240, 110],
            [126, 128, 128],
            [16, 16, 240],
            [235, 240, 16],
        ];
        let mut recorder = Recorder::new(&path, "64x48", color, &EncoderOptions::default());
        for (number, colour) in colours.iter().enumerate() {
            let picture = flat(recorder.size, *colour);
            recorder.push(at(number as i64 * 33_333), &picture).unwrap();
        }
        recorder.writer.finish().unwrap();
        let described =
            judge::probe(&path, "stream", &["color_space", "color_range", "color_primaries", "color_transfer"]).concat();
        assert_eq!(described, [name, range, "bt709", "bt709"]);
        let decoded = judge::decoded(&path);
        for (frame, colour) in decoded.chunks_exact(64 * 48 * 3 / 2).zip(colours) {
            for (plane, expected) in [&frame[..64 * 48], &frame[64 * 48..64 * 60], &frame[64 * 60..]].into_iter().zip(colour) {
                let worst = plane.iter().map(|value| value.abs_diff(expected)).max().unwrap();
                assert!(worst <= 2, "{color:?} {colour:?}: off by {worst}");
            }
        }
        let file = std::fs::read(&path).unwrap();
        let colr = file.windows(8).position(|window| window == b"colrnclx").unwrap();
        let matrix = if color.matrix == Matrix::Bt601 { 6 } else { 1 };
        assert_eq!(file[colr + 8..colr + 15], [0, 1, 0, 1, 0, matrix, u8::from(color.range == Range::Full) << 7]);
    }
}

#[test]
fn strides_and_side_by_side_chroma_change_nothing() {
    let size = Size::new(34, 18).unwrap();
    let tight = moving(size, 5);
    let stride = 256;
    let mut stacked = vec![0xee; stride * 27];
    for (row, luma) in tight[..34 * 18].chunks_exact(34).enumerate() {
        stacked[row * stride..][..34].copy_from_slice(luma);
    }
    for (row, (u, v)) in
        tight[34 * 18..34 * 18 * 5 / 4].chunks_exact(17).zip(tight[34 * 18 * 5 / 4..].chunks_exact(17)).enumerate()
    {
        stacked[(18 + row) * stride..][..17].copy_from_slice(u);
        stacked[(18 + row) * stride + 17..][..17].copy_from_slice(v);
    }
    let encode = |picture: &I420Picture<'_>| {
        let mut encoder = OpenH264Encoder::new(size, HD, &EncoderOptions::default()).unwrap();
        encoder.encode(picture, Timestamp::ZERO).unwrap().nal_units.to_vec()
    };
    let end = 26 * stride + 34;
    assert_eq!(
        encode(&I420Picture::stacked(size, &stacked[..end], stride).unwrap()),
        encode(&I420Picture::stacked_tight(size, &tight))
    );
}

#[test]
fn every_picture_becomes_one_access_unit_whatever_it_shows() {
    let size = Size::new(320, 240).unwrap();
    for rate in [
        RateControl::Bitrate(10_000),
        RateControl::Bitrate(240_000_000),
        RateControl::Quality(12),
        RateControl::default(),
        RateControl::Quality(51),
    ] {
        let (_directory, path) = folder();
        let mut recorder = Recorder::new(&path, "320x240", HD, &EncoderOptions { rate, ..Default::default() });
        for number in 0..60u32 {
            let picture = match number / 10 % 3 {
                0 => (0..320 * 360).map(|pixel: u32| ((pixel + number).wrapping_mul(2_654_435_761) >> 24) as u8).collect(),
                1 => flat(size, [if number % 2 == 0 { 16 } else { 235 }, 128, 128]),
                _ => moving(size, 3),
            };
            recorder.push(at(i64::from(number) * 1_000), &picture).unwrap();
        }
        let recording = recorder.writer.finish().unwrap();
        assert_eq!(recording.frames, 60);
        assert_eq!(judge::complaints(&path), "");
        assert_eq!(judge::probe(&path, "frame", &["pts_time"]).len(), 60);
    }
}

#[test]
fn what_openh264_cannot_do_is_said_with_the_way_out() {
    let new = |size: &str, rate| OpenH264Encoder::new(size.parse().unwrap(), HD, &EncoderOptions { rate, ..Default::default() });
    let error = new("4096x2160", RateControl::default()).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert_eq!(
        error.to_string(),
        "openh264 cannot encode 4096x2160; it takes up to 3840x2160: scale the picture down before recording it"
    );
    assert_eq!(new("64x64", RateControl::Quality(5)).err().unwrap().kind(), ErrorKind::InvalidArgument);
    let mut encoder = new("2160x3840", RateControl::default()).unwrap();
    let small = [0; 96];
    let error = encoder.encode(&I420Picture::stacked(Size::new(8, 8).unwrap(), &small, 8).unwrap(), at(0)).err().unwrap();
    assert!(error.kind() == ErrorKind::InvalidArgument && error.to_string().contains("8x8"), "{error}");
}
