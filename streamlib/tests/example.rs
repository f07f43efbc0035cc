//! The example `camera_with_bouncing_ball` as a user runs it: what it records, how it ends, what it says.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod support;

use std::process::Output;

use streamlib::Size;
use streamlib::bouncing_ball::BouncingBall;
use support::{Scratch, ball, block, complaints, decode, eventually, run_example, signal, start_example, statistics};

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn three_hundred_frames_are_recorded_with_their_numbers_and_the_ball() {
    let scratch = Scratch::new();
    let sink = scratch.sink("ball.mp4");
    let arguments = ["--source", "test-pattern", "--sink", &sink, "--size", "640x360", "--frames", "300", "--offline"];
    let output = run_example(&[&arguments[..], &["--stats", "-"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let statistics = statistics(&output);
    assert_eq!(statistics["nodes"]["record"]["counters"]["frames"], 300);
    assert!(statistics["latency_ms"]["record"]["p50"].as_f64().unwrap() > 0.0);

    let size = Size::new(640, 360).unwrap();
    assert_eq!(complaints(&scratch.path("ball.mp4")), "");
    let pictures = decode(&scratch.path("ball.mp4"), size);
    assert_eq!(pictures.len(), 300);
    let mut physics = BouncingBall::default();
    for (number, picture) in pictures.iter().enumerate() {
        let block = block(picture, size).unwrap_or_else(|| panic!("the block of picture {number} cannot be read"));
        assert_eq!(block.sequence, number as u64);
        assert_eq!(block.time.as_nanos(), number as i64 * 1_000_000_000 / 30);
        let expected = physics.centre(size, block.time);
        let (x, y) = ball(picture, size).unwrap_or_else(|| panic!("there is no ball in picture {number}"));
        assert!((x - expected.0).hypot(y - expected.1) < 1.0, "picture {number}: ball at {x}, {y}, not at {expected:?}");
    }
}

#[test]
fn a_pattern_to_nowhere_moves_no_byte_and_a_recording_reads_back_a_byte_and_a_half_a_pixel() {
    let run = |sinks: &[&str]| {
        let fixed = ["--source", "test-pattern", "--size", "322x180", "--frames", "40", "--offline", "--stats", "-"];
        let output = run_example(&[&fixed[..], sinks].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        statistics(&output)
    };
    let moved = |statistics: &serde_json::Value| {
        ["uploaded", "copied", "read_back"].map(|field| statistics["gpu"]["bytes"][field].as_u64().unwrap())
    };
    let nowhere = run(&["--sink", "null"]);
    assert_eq!(moved(&nowhere), [0, 0, 0]);
    assert!(nowhere["latency_ms"]["null"]["p50"].as_f64().unwrap() > 0.0);

    let scratch = Scratch::new();
    let both = run(&["--sink", "null", "--sink", &scratch.sink("both.mp4")]);
    let recorded = both["nodes"]["record"]["processed"].as_u64().unwrap();
    assert_eq!(recorded, 40);
    assert_eq!(moved(&both), [0, 0, recorded * 322 * 180 * 3 / 2]);
}

#[test]
fn odd_sizes_are_recorded_with_a_repeated_edge() {
    let scratch = Scratch::new();
    let sink = scratch.sink("odd.mp4");
    let output = run_example(&["--source", "test-pattern", "--sink", &sink, "--size", "321x241", "--frames", "5", "--offline"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let path = scratch.path("odd.mp4");
    assert_eq!(complaints(&path), "");
    // Decoders that know the clean aperture show the true size, others the padded one.
    let (even, odd) = (Size::new(322, 242).unwrap(), Size::new(321, 241).unwrap());
    let bytes = std::fs::read(&path).unwrap();
    assert!(bytes.windows(4).any(|name| name == b"clap"), "the true size is in the file");
    let pictures = std::panic::catch_unwind(|| decode(&path, even)).unwrap_or_else(|_| decode(&path, odd));
    assert_eq!(pictures.len(), 5);
}

/// Waits until the recording exists, that is, plays.
fn start_recording(scratch: &Scratch, name: &str) -> std::process::Child {
    let sink = scratch.sink(name);
    let child = start_example(&["--source", "test-pattern", "--sink", &sink, "--size", "320x240", "--stats", "-"]);
    eventually("the recording plays", || scratch.path(name).exists());
    child
}

#[test]
fn signals_drain_the_graph_and_finish_the_file() {
    for name in ["INT", "TERM"] {
        let scratch = Scratch::new();
        let child = start_recording(&scratch, "interrupted.mp4");
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "SIG{name}: {:?} {}", output.status, stderr(&output));
        let frames = statistics(&output)["nodes"]["record"]["counters"]["frames"].as_u64().unwrap();
        let path = scratch.path("interrupted.mp4");
        assert_eq!(complaints(&path), "");
        assert_eq!(decode(&path, Size::new(320, 240).unwrap()).len() as u64, frames, "every frame that was taken is in the file");
    }
}

/// As a shell starts a program in the background.
#[test]
fn sigterm_finishes_the_file_of_a_program_that_ignores_ctrl_c() {
    let scratch = Scratch::new();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' INT; exec \"$@\"", "sh"]).arg(support::example().get_program());
    let sink = scratch.sink("background.mp4");
    command.args(["--source", "test-pattern", "--sink", &sink, "--size", "320x240"]);
    let mut child = command.spawn().unwrap();
    eventually("the recording plays", || scratch.path("background.mp4").exists());
    signal(&child, "TERM");
    assert!(child.wait().unwrap().success());
    assert_eq!(complaints(&scratch.path("background.mp4")), "");
}

/// Many large frames are under way, so that draining takes far longer than the second signal.
#[test]
fn a_second_signal_ends_the_program_at_once() {
    let scratch = Scratch::new();
    let sink = scratch.sink("large.mp4");
    let mut child = start_example(&["--source", "test-pattern", "--offline", "--sink", &sink, "--size", "3840x2160"]);
    eventually("it records", || scratch.path(".large.mp4.part").exists() || scratch.path("large.mp4").exists());
    // Two that come before the program has a turn are one to it.
    for _ in 0..5 {
        signal(&child, "INT");
        std::thread::park_timeout(std::time::Duration::from_millis(20));
        if child.try_wait().unwrap().is_some() {
            break;
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn nothing_else_is_left_beside_the_recording() {
    let scratch = Scratch::new();
    let sink = scratch.sink("only.mp4");
    let output = run_example(&["--source", "test-pattern", "--sink", &sink, "--size", "64x48", "--frames", "3", "--offline"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let parent = scratch.path("only.mp4").parent().unwrap().to_owned();
    let names: Vec<_> = std::fs::read_dir(parent).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["only.mp4"]);
}

#[test]
fn the_smallest_and_the_fastest_pictures_work() {
    for (size, fps) in [("1x1", "30"), ("3x2", "1000"), ("17x1", "30000/1001")] {
        let scratch = Scratch::new();
        let sink = scratch.sink("small.mp4");
        let arguments = ["--source", "test-pattern", "--sink", &sink, "--sink", "null", "--size", size, "--fps", fps];
        let output = run_example(&[&arguments[..], &["--frames", "7", "--offline", "--stats", "-"]].concat());
        assert!(output.status.success(), "{size}: {}", stderr(&output));
        statistics(&output);
        assert_eq!(complaints(&scratch.path("small.mp4")), "", "{size}");
    }
}

/// Every message names the way out, and the exit code is not 0.
#[test]
fn bad_input_gets_a_clear_error() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["--source", "camera:nonsense"], &["camera", "nonsense"]),
        (&["--source", "fax"], &["no source 'fax'", "test-pattern"]),
        (&["--sink", "printer"], &["no sink 'printer'", "record:PATH.mp4"]),
        (&["--size", "0x0"], &["0x0", "1 to 16384"]),
        (&["--size", "16385x16385"], &["16385x16385"]),
        (&["--fps", "0"], &["'0' is no frame rate"]),
        (&["--frames", "0"], &["0"]),
        (&["--seconds", "-1"], &["--seconds", "'-1' is no time", "above 0"]),
        (&["--seconds", "0"], &["--seconds", "above 0"]),
        (&["--source", "test-pattern", "--sink", "window"], &["node 'display'", "no screen", "DISPLAY"]),
        (&["--source", "test-pattern", "--sink", "record:/nowhere/at/all.mp4"], &["node 'record'", "/nowhere/at/all.mp4"]),
        (&["--source", "test-pattern", "--sink", "record:/"], &["node 'record'"]),
        (&["--source", "camera", "--offline", "--sink", "null"], &["offline", "test-pattern"]),
    ];
    for (arguments, expected) in cases {
        let output = run_example(
            &[*arguments, &["--seconds", "20"][..if arguments[0].starts_with("--seconds") { 0 } else { 2 }]].concat(),
        );
        let message = stderr(&output);
        assert!(!output.status.success(), "{arguments:?} succeeded: {message}");
        for part in *expected {
            assert!(message.contains(part), "{arguments:?} says {message:?}, without {part:?}");
        }
    }
}

#[test]
fn without_an_adapter_it_says_what_was_tried_and_what_to_install() {
    let mut command = support::example();
    command.args(["--source", "test-pattern", "--sink", "null", "--seconds", "5"]);
    // No Vulkan driver and no OpenGL display.
    let nowhere = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "__EGL_VENDOR_LIBRARY_FILENAMES"];
    let output = command.envs(nowhere.map(|name| (name, "/nonexistent.json"))).output().unwrap();
    let message = stderr(&output);
    assert!(!output.status.success(), "{message}");
    assert!(message.contains("no GPU adapter can be used") && message.contains("mesa-vulkan-drivers"), "{message}");
}

#[test]
fn one_file_is_not_recorded_twice_at_once() {
    let scratch = Scratch::new();
    let sink = scratch.sink("shared.mp4");
    let arguments = ["--source", "test-pattern", "--sink", &sink, "--sink", &sink, "--size", "64x48", "--frames", "30"];
    let output = run_example(&arguments);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("shared.mp4"), "{}", stderr(&output));
}

#[test]
fn the_example_of_a_processor_of_ones_own_inverts() {
    let scratch = Scratch::new();
    let path = scratch.path("inverted.mp4");
    let invert = std::path::Path::new(support::example().get_program()).with_file_name("invert");
    assert!(std::process::Command::new(invert).arg(&path).status().unwrap().success());
    let size = Size::new(1280, 720).unwrap();
    let pictures = decode(&path, size);
    assert_eq!(pictures.len(), 300);
    // 75% grey, yellow and blue of the bars.
    for (bar, inverted) in [(0, [64, 64, 64]), (1, [64, 64, 255]), (6, [255, 255, 64])] {
        let at = (100 * 1280 + 1280 * (2 * bar + 1) / 14) * 3;
        let pixel = &pictures[150][at..at + 3];
        assert!(pixel.iter().zip(inverted).all(|(actual, expected)| actual.abs_diff(expected) <= 6), "bar {bar}: {pixel:?}");
    }
}
