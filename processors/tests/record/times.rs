//! When pictures are shown, when keyframes come, how many bits there are a second.

use std::process::Command;
use std::time::Duration;

use streamlib_core::Timestamp;
use streamlib_processors::record::{Encoder, EncoderOptions, RateControl};

use super::judge;
use super::support::{HD, Recorder, at, folder, record};

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
