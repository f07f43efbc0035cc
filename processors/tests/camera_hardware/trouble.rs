//! Drivers that stall, fail, or deliver something damaged.

use std::thread;
use std::time::{Duration, Instant};

use streamlib_core::{ErrorKind, FrameRate};
use streamlib_processors::camera::{self, Backend, CaptureOptions};

use crate::harness::{DEADLINE, picture, vivid};

#[test]
fn waits_end_when_told_and_stalls_are_errors() {
    let Some(test) = vivid() else { return };
    let options = CaptureOptions {
        rate: Some(FrameRate::new(1, 1).unwrap()),
        timeout: Duration::from_millis(400),
        ..test.options(Backend::V4l)
    };
    let mut camera = camera::open(&options).unwrap();
    let start = Instant::now();
    while !matches!(camera.next(DEADLINE), Ok(Some(_))) {
        assert!(start.elapsed() < DEADLINE);
    }
    // The clock of the stall runs from the first wait on.
    let start = Instant::now();
    assert!(camera.next(Duration::ZERO).unwrap().is_none());
    let wait = Instant::now();
    assert!(camera.next(Duration::from_millis(50)).unwrap().is_none());
    assert!(wait.elapsed() >= Duration::from_millis(50));
    let error = camera.next(DEADLINE).unwrap_err();
    println!("{error}, {:?} after the last picture", start.elapsed());
    assert_eq!(error.kind(), ErrorKind::Stalled);
    assert!(error.to_string().starts_with("camera 0 'vivid' (/dev/video0) delivered no picture for 400ms; unplug it"), "{error}");
    assert!(start.elapsed() >= options.timeout);
    // A stall is no end: the next picture is handed out, and none is lost or torn out of order.
    let picture = loop {
        match picture(&mut camera) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Stalled),
            Ok(picture) => break picture,
        }
    };
    assert!(picture.sequence.is_some());
    assert_eq!(camera.counts().missed, 0);
}

#[test]
fn damaged_pictures_are_left_out_and_counted() {
    let Some(test) = vivid() else { return };
    let mut camera = camera::open(&test.options(Backend::V4l)).unwrap();
    let mut last = picture(&mut camera).unwrap();
    test.set("inject_v4l2_buf_flag_error", 1);
    let start = Instant::now();
    while camera.counts().damaged == 0 {
        assert!(start.elapsed() < DEADLINE);
        last = picture(&mut camera).unwrap();
    }
    let before = last.sequence.unwrap();
    println!("{:?}, sequence {before}", camera.counts());
    let after = picture(&mut camera).unwrap();
    assert_eq!(after.sequence, Some(before + 1));
}

#[test]
fn a_driver_that_fails_is_an_error_and_can_be_opened_again() {
    let Some(test) = vivid() else { return };
    let mut camera = camera::open(&test.options(Backend::V4l)).unwrap();
    picture(&mut camera).unwrap();
    test.set("inject_fatal_streaming_error", 1);
    let start = Instant::now();
    let error = loop {
        match camera.next(DEADLINE) {
            Err(error) => break error,
            Ok(_) => assert!(start.elapsed() < DEADLINE),
        }
    };
    println!("{:?} after the failure: {error:?}", start.elapsed());
    assert_eq!(error.kind(), ErrorKind::Io);
    drop(camera);
    test.set("inject_vidioc_streamon_error", 1);
    let error = camera::open(&test.options(Backend::V4l)).err().unwrap();
    println!("{error:?}");
    assert_eq!(error.kind(), ErrorKind::Io);
    picture(&mut camera::open(&test.options(Backend::V4l)).unwrap()).unwrap();
}

#[test]
fn pictures_that_nobody_takes_in_time_are_counted_as_missed() {
    let Some(test) = vivid() else { return };
    let mut camera = camera::open(&test.options(Backend::V4l)).unwrap();
    let before = picture(&mut camera).unwrap().sequence.unwrap();
    // The driver has to run out of buffers, which takes its time: four pictures at 15 a second.
    thread::sleep(Duration::from_secs(1));
    let after = loop {
        let sequence = picture(&mut camera).unwrap().sequence.unwrap();
        if camera.counts().missed > 0 {
            break sequence;
        }
    };
    let counts = camera.counts();
    println!("{counts:?}, sequence {before} to {after}");
    assert_eq!(after - before, counts.delivered - 1 + counts.missed);
}

#[test]
fn sequence_numbers_go_on_where_the_driver_starts_over() {
    let Some(test) = vivid() else { return };
    test.set("wrap_sequence_number", 1);
    let mut camera = camera::open(&test.options(Backend::V4l)).unwrap();
    let numbers: Vec<u64> = (0..200)
        .map(|_| picture(&mut camera).unwrap().sequence.unwrap())
        .take_while(|number| *number <= u64::from(u32::MAX))
        .collect();
    let wrapped = picture(&mut camera).unwrap().sequence.unwrap();
    println!("{:?} .. {:?}, then {wrapped}", numbers.first(), numbers.last());
    assert!(numbers.is_sorted_by(|before, after| before < after));
    let counts = camera.counts();
    assert_eq!(wrapped - numbers[0], counts.delivered - 1 + counts.missed);
    assert!(wrapped > u64::from(u32::MAX));
}
