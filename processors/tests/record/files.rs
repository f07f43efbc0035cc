//! The file itself: its name, its owner, its end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use streamlib_core::{Color, ErrorKind, Matrix, Range, Size};
use streamlib_processors::record::{Encoder, EncoderOptions, I420Picture, Mp4Writer, OpenH264Encoder, Recording, VideoTrack};

use super::judge;
use super::support::{HD, Recorder, Tight, at, folder, moving, part, record};

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
