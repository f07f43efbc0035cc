//! Recordings, judged by ffmpeg and ffprobe.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests, and what a child process has to say")]

#[path = "../src/record/judge.rs"]
mod judge;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use streamlib_core::{Color, ErrorKind, Matrix, Range, Size, Timestamp};
use streamlib_processors::record::{
    Encoder, EncoderOptions, I420Picture, Mp4Writer, OpenH264Encoder, Plane, RateControl, Recording, VideoTrack,
};

const HD: Color = Color::new(Matrix::Bt709, Range::Limited);

struct Recorder {
    encoder: OpenH264Encoder,
    writer: Mp4Writer,
    size: Size,
}

impl Recorder {
    fn new(path: &Path, size: &str, color: Color, options: &EncoderOptions) -> Self {
        let size: Size = size.parse().unwrap();
        let encoder = OpenH264Encoder::new(size, color, options).unwrap();
        let writer = Mp4Writer::create(path, VideoTrack { size, coded_size: encoder.coded_size(), color }).unwrap();
        let (width, height) = size.even();
        Self { encoder, writer, size: Size::new(width, height).unwrap() }
    }

    fn push(&mut self, at: Timestamp, i420: &[u8]) -> streamlib_core::Result<bool> {
        let picture = I420Picture::stacked_tight(self.size, i420);
        let encoded = self.encoder.encode(&picture, at)?;
        self.writer.push(&encoded)?;
        Ok(encoded.is_keyframe)
    }

    /// A picture whose content depends on its number.
    fn push_numbered(&mut self, at: Timestamp, number: u32) -> bool {
        let picture = moving(self.size, number);
        self.push(at, &picture).unwrap()
    }
}

/// Three tight planes.
trait Tight<'a> {
    fn stacked_tight(size: Size, bytes: &'a [u8]) -> Self;
}

impl<'a> Tight<'a> for I420Picture<'a> {
    fn stacked_tight(size: Size, bytes: &'a [u8]) -> Self {
        let (width, luma) = (size.width() as usize, (size.width() * size.height()) as usize);
        let (y, chroma) = bytes.split_at(luma);
        let (u, v) = chroma.split_at(luma / 4);
        I420Picture::new(size, Plane::new(y, width), Plane::new(u, width / 2), Plane::new(v, width / 2)).unwrap()
    }
}

/// A gradient that moves, with some noise in it.
fn moving(size: Size, number: u32) -> Vec<u8> {
    let (width, height) = (size.width(), size.height());
    let noise = |index: u32| (index.wrapping_add(number * 7919).wrapping_mul(2_654_435_761) >> 28) as u8;
    let luma = (0..height).flat_map(|y| (0..width).map(move |x| 32 + ((x + y + number * 3) % 160) as u8 + noise(y * width + x)));
    let chroma = (0..width * height / 2).map(|index| 100 + ((index / 64 + number) % 50) as u8);
    luma.chain(chroma).collect()
}

fn flat(size: Size, [y, u, v]: [u8; 3]) -> Vec<u8> {
    let luma = (size.width() * size.height()) as usize;
    [vec![y; luma], vec![u; luma / 4], vec![v; luma / 4]].concat()
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_nanos(micros * 1_000)
}

fn record(path: &Path, size: &str, options: &EncoderOptions, times: &[Timestamp]) -> Recording {
    let mut recorder = Recorder::new(path, size, HD, options);
    for (number, time) in times.iter().enumerate() {
        recorder.push_numbered(*time, number as u32);
    }
    recorder.writer.finish().unwrap()
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("video.mp4");
    (directory, path)
}

fn part(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}.part", path.file_name().unwrap().to_str().unwrap()))
}

#[test]
fn pictures_keep_their_own_times_across_jitter_and_gaps() {
    let (_directory, path) = folder();
    let mut micros = vec![0, 33_367, 66_733, 66_800, 141_007, 600_000, 7_900_001, 7_933_334];
    micros.extend((1..40).map(|number| 8_000_000 + number * 16_683));
    // Longer than 32 bits of microseconds, the most that a sample's duration holds.
    micros.extend([5_008_000_000, 5_008_040_000, 5_008_640_000]);
    let first = 123_456_789_000;
    let times: Vec<Timestamp> = micros.iter().map(|micros| at(first + micros)).collect();

    let recording = record(&path, "160x120", &EncoderOptions::default(), &times);

    assert_eq!(judge::complaints(&path), "");
    assert_eq!(judge::times(&path), micros);
    let frames: Vec<i64> = judge::probe(&path, "frame", &["pts_time"])
        .iter()
        .map(|row| (row[0].parse::<f64>().unwrap() * 1e6).round() as i64)
        .collect();
    assert_eq!(frames, micros);
    assert_eq!(recording.frames, micros.len() as u64);
    assert_eq!(recording.duration, Duration::from_micros(5_008_640_000 + 600_000));
    assert_eq!(recording.path.as_deref(), Some(&*path));
    assert_eq!(recording.bytes, path.metadata().unwrap().len());
    let length: f64 = judge::probe(&path, "format", &["duration"])[0][0].parse().unwrap();
    assert!((length - recording.duration.as_secs_f64()).abs() < 1e-3, "ffprobe says {length} s");
}

#[test]
fn nanosecond_timestamps_do_not_drift() {
    let (_directory, path) = folder();
    let rate = streamlib_core::FrameRate::new(30_000, 1001).unwrap();
    let times: Vec<Timestamp> = (0..300).map(|index| rate.timestamp_of(index)).collect();
    record(&path, "32x32", &EncoderOptions::default(), &times);
    for (time, shown) in times.iter().zip(judge::times(&path)) {
        assert!((time.as_nanos() - shown * 1_000).abs() <= 500, "{time:?} became {shown} us");
    }
}

#[test]
fn timestamps_that_do_not_rise_are_placed_a_microsecond_later() {
    let (_directory, path) = folder();
    let recording = record(&path, "32x32", &EncoderOptions::default(), &[0, 40_000, 40_000, 10_000, 80_000, -5_000].map(at));
    assert_eq!(judge::complaints(&path), "");
    assert_eq!(judge::times(&path), [0, 40_000, 40_001, 40_002, 80_000, 80_001]);
    assert_eq!(recording.frames, 6);
}

#[test]
fn keyframes_come_at_their_interval_and_when_forced() {
    let (_directory, path) = folder();
    let options = EncoderOptions { keyframe_interval: Duration::from_secs(1), ..Default::default() };
    let mut recorder = Recorder::new(&path, "64x64", HD, &options);
    let mut keyframes = Vec::new();
    for number in 0..40 {
        if number == 13 {
            recorder.encoder.force_keyframe();
        }
        // A cut at 26, which is no reason for a keyframe.
        if recorder.push_numbered(at(number * 100_000), if number < 26 { number as u32 } else { 1000 + number as u32 }) {
            keyframes.push(number);
        }
    }
    recorder.writer.finish().unwrap();
    assert_eq!(keyframes, [0, 10, 13, 23, 33]);
    let flagged: Vec<i64> = judge::probe(&path, "packet", &["flags"])
        .iter()
        .enumerate()
        .filter_map(|(number, row)| row[0].starts_with('K').then_some(number as i64))
        .collect();
    assert_eq!(flagged, keyframes);
    let decoded: Vec<String> = judge::probe(&path, "frame", &["pict_type"]).concat();
    assert_eq!(decoded.iter().filter(|kind| *kind == "I").count(), keyframes.len());
    assert!(decoded.iter().all(|kind| kind == "I" || kind == "P"));
}

#[test]
fn the_index_leads_a_seek_to_the_keyframe() {
    let (_directory, path) = folder();
    let options = EncoderOptions { keyframe_interval: Duration::from_secs(1), ..Default::default() };
    record(&path, "64x64", &options, &(0..60).map(|number| at(number * 100_000)).collect::<Vec<_>>());
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-read_intervals", "4.35%+#1", "-show_entries", "packet=pts_time", "-of", "csv=p=0"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "4.000000", "{}", String::from_utf8_lossy(&output.stderr));
}

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
fn the_bitrate_is_kept_at_every_frame_rate() {
    for frames_a_second in [5, 30, 60] {
        let (_directory, path) = folder();
        let options = EncoderOptions { rate: RateControl::Bitrate(1_000_000), ..Default::default() };
        let times: Vec<Timestamp> = (0..frames_a_second * 10).map(|number| at(number * 1_000_000 / frames_a_second)).collect();
        let recording = record(&path, "320x240", &options, &times);
        let bits = recording.bytes as f64 * 8.0 / recording.duration.as_secs_f64();
        assert!((0.6..1.25).contains(&(bits / 1e6)), "{bits} bits a second at {frames_a_second} pictures a second");
    }
}

#[test]
fn nothing_has_the_final_name_before_it_plays_and_then_it_always_does() {
    let (directory, path) = folder();
    let mut recorder = Recorder::new(&path, "64x64", HD, &EncoderOptions::default());
    let mut seen = 0;
    for number in 0..40 {
        recorder.push_numbered(at(number * 100_000), number as u32);
        // Five pictures make half a second; the sixth commits them.
        assert_eq!(path.exists(), number >= 5, "after picture {number}");
        if path.exists() {
            let frames = judge::times(&path).len() as i64;
            assert_eq!(judge::complaints(&path), "", "after picture {number}");
            assert!(number - frames <= 5 && frames >= seen, "{frames} pictures of {}", number + 1);
            seen = frames;
        }
    }
    // What a kill does: nobody cleans up.
    std::mem::forget(recorder);
    assert_eq!(judge::complaints(&path), "");
    assert_eq!(judge::times(&path).len(), 35);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_long_uncommitted_tail_cut_anywhere_plays_clean() {
    let (_directory, path) = folder();
    record(&path, "64x64", &EncoderOptions::default(), &(0..40).map(|number| at(number * 50_000)).collect::<Vec<_>>());
    let mut file = std::fs::read(&path).unwrap();
    let boxes = judge::boxes(&file);
    let last = boxes.iter().rposition(|(_, kind, _)| kind == "moof").unwrap();
    let (start, length) = (boxes[last].0, boxes[last].2 + boxes[last + 1].2);
    file.truncate(start + length);
    file[start..start + 4].copy_from_slice(&(length as u32).to_be_bytes());
    file[start + 4..start + 8].copy_from_slice(b"free");
    let mut cut = 1;
    for _ in 0..40 {
        cut = (cut * 48_271) % 2_147_483_647;
        std::fs::write(&path, &file[..start + cut % length]).unwrap();
        assert_eq!(judge::complaints(&path), "", "{} bytes of {length}", cut % length);
        assert_eq!(judge::times(&path).len(), 30);
    }
}

#[test]
fn a_stalled_source_can_be_flushed() {
    let (_directory, path) = folder();
    let mut recorder = Recorder::new(&path, "64x64", HD, &EncoderOptions::default());
    recorder.push_numbered(at(0), 0);
    recorder.writer.flush().unwrap();
    recorder.writer.flush().unwrap();
    assert_eq!(judge::times(&path), [0]);
    // Earlier than the flush took the first picture to end, and much later.
    recorder.push_numbered(at(10_000), 1);
    recorder.writer.flush().unwrap();
    recorder.push_numbered(at(9_000_000), 2);
    let recording = recorder.writer.finish().unwrap();
    assert_eq!(judge::complaints(&path), "");
    assert_eq!(judge::times(&path), [0, 10_000, 9_000_000]);
    assert_eq!(recording.frames, 3);
}

#[test]
fn a_dropped_writer_keeps_its_last_pictures() {
    let (_directory, path) = folder();
    let mut recorder = Recorder::new(&path, "64x64", HD, &EncoderOptions::default());
    for number in 0..8 {
        recorder.push_numbered(at(number * 100_000), number as u32);
    }
    drop(recorder);
    assert_eq!(judge::complaints(&path), "");
    assert_eq!(judge::times(&path).len(), 8);
}

#[test]
fn without_pictures_there_is_no_file() {
    let (directory, path) = folder();
    std::fs::write(&path, "an older recording").unwrap();
    let recording = Recorder::new(&path, "64x64", HD, &EncoderOptions::default()).writer.finish().unwrap();
    assert_eq!(recording, Recording { path: None, frames: 0, duration: Duration::ZERO, bytes: 0 });
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "an older recording");
}

#[test]
fn what_a_killed_run_left_is_replaced() {
    let (directory, path) = folder();
    std::fs::write(&path, "an older recording").unwrap();
    std::fs::write(part(&path), vec![7; 1 << 20]).unwrap();
    record(&path, "64x64", &EncoderOptions::default(), &[at(0)]);
    assert_eq!(judge::complaints(&path), "");
    assert_eq!(judge::times(&path), [0]);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn two_writers_do_not_share_a_file() {
    let (_directory, path) = folder();
    let track = VideoTrack { size: Size::new(64, 64).unwrap(), coded_size: Size::new(64, 64).unwrap(), color: HD };
    let refused = || Mp4Writer::create(&path, track).err().unwrap();
    let mut recorder = Recorder::new(&path, "64x64", HD, &EncoderOptions::default());
    assert_eq!(refused().kind(), ErrorKind::Busy);
    for number in 0..7 {
        recorder.push_numbered(at(number * 100_000), number as u32);
    }
    assert!(path.exists());
    assert_eq!(refused().kind(), ErrorKind::Busy);
    assert_eq!(recorder.writer.finish().unwrap().frames, 7);
    assert_eq!(judge::complaints(&path), "");
    assert!(Mp4Writer::create(&path, track).is_ok());
}

#[test]
fn places_that_cannot_be_recorded_to_are_refused_at_once() {
    let (directory, _) = folder();
    let track = VideoTrack { size: Size::new(64, 64).unwrap(), coded_size: Size::new(64, 64).unwrap(), color: HD };
    let in_directory = |name: &str| directory.path().join(name);
    std::fs::write(in_directory("file"), "").unwrap();
    for (path, hint) in [
        (in_directory("missing/video.mp4"), "does not exist: create it first"),
        (in_directory("file/video.mp4"), "is no directory"),
        (directory.path().to_owned(), "give a file name"),
        (PathBuf::from("/"), "give a file name"),
        (PathBuf::from("/dev/null"), "give a file name"),
        (PathBuf::from("/sys/video.mp4"), "is not writable: record elsewhere"),
    ] {
        let error = Mp4Writer::create(&path, track).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
        assert!(error.to_string().contains(hint) && error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    assert!(Path::new("/dev/null").metadata().is_ok_and(|metadata| !metadata.is_file()));
}

#[test]
fn a_recording_begins_with_a_keyframe_and_keeps_its_parameters() {
    let (_directory, path) = folder();
    let size = Size::new(64, 64).unwrap();
    let mut recorder = Recorder::new(&path, "64x64", HD, &EncoderOptions::default());
    let mut other = OpenH264Encoder::new(size, Color::new(Matrix::Bt601, Range::Limited), &EncoderOptions::default()).unwrap();
    let picture = moving(size, 0);
    let picture = I420Picture::stacked_tight(size, &picture);
    recorder.encoder.encode(&picture, at(0)).unwrap();
    let error = recorder.writer.push(&recorder.encoder.encode(&picture, at(1)).unwrap()).unwrap_err();
    assert!(error.kind() == ErrorKind::Encode && error.to_string().contains("no keyframe"), "{error}");
    recorder.encoder.force_keyframe();
    recorder.push_numbered(at(2), 0);
    let error = recorder.writer.push(&other.encode(&picture, at(3)).unwrap()).unwrap_err();
    assert!(error.kind() == ErrorKind::Encode && error.to_string().contains("parameter sets"), "{error}");
    recorder.push_numbered(at(4), 0);
    assert_eq!(recorder.writer.finish().unwrap().frames, 2);
    assert_eq!(judge::complaints(&path), "");
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

/// What the child below needs: where to record to.
const CHILD: &str = "STREAMLIB_TEST_FULL_DISK";

#[test]
fn a_full_disk_stops_the_recording_and_keeps_what_was_committed() {
    let (directory, path) = folder();
    let program = std::env::current_exe().unwrap();
    // A limit on file sizes (in blocks of 512 bytes) stands for a full disk; the signal it sends is ignored, so that writes fail.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact records_until_the_disk_is_full --nocapture"])
        .arg(program)
        .env(CHILD, &path)
        .output()
        .unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{errors}");
    assert_eq!(errors, "", "an encoder prints nothing");
    assert_eq!(judge::complaints(&path), "");
    let frames = judge::times(&path).len();
    assert!(said.contains(&format!("committed {frames} pictures")) && frames >= 5, "{frames}: {said}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

/// Runs in the child process of the test above; does nothing when it runs by itself.
#[test]
fn records_until_the_disk_is_full() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let options = EncoderOptions { rate: RateControl::Quality(20), ..Default::default() };
    let mut recorder = Recorder::new(Path::new(&path), "64x64", HD, &options);
    let failure = (0..10_000).find_map(|number| {
        let picture = moving(recorder.size, number);
        recorder.push(at(i64::from(number) * 100_000), &picture).err()
    });
    let failure = failure.unwrap();
    assert_eq!(failure.kind(), ErrorKind::Io);
    assert!(failure.to_string().contains(Path::new(&path).to_str().unwrap()), "{failure}");
    assert!(failure.to_string().contains("make room on that disk"), "{failure}");
    let picture = moving(recorder.size, 0);
    assert_eq!(recorder.push(at(i64::MAX / 1_000), &picture).unwrap_err().to_string(), failure.to_string());
    assert_eq!(recorder.writer.flush().unwrap_err().kind(), ErrorKind::Io);
    println!("committed {} pictures", recorder.writer.finish().unwrap().frames);
}
