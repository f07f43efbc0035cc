//! What cannot be is refused by a message that says what, to whom and what to do; what is only unusual works.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use streamlib::prelude::*;
use streamlib::{GpuOptions, Statistics};
use support::{Scratch, complaints};

fn options(budget_bytes: u64) -> RuntimeOptions {
    let gpu = GpuOptions { budget_bytes, ..Default::default() };
    RuntimeOptions { mode: Mode::Offline, frames: Some(10), stop_on_signals: false, gpu, ..Default::default() }
}

/// Runs to its end, which must come.
fn run(graph: Graph, options: RuntimeOptions) -> (Statistics, Result<()>) {
    let running = Runtime::new(options).start(graph).unwrap();
    assert!(running.wait_for(Duration::from_secs(120)), "it hangs");
    let (statistics, outcome) = running.wait();
    assert_eq!(statistics.unbalanced_links(), Vec::<&str>::new());
    if let Some(gpu) = &statistics.gpu {
        assert_eq!(gpu.textures.in_use, 0, "no texture is left behind");
    }
    (statistics, outcome)
}

fn pattern(size: &str, rate: &str) -> TestPattern {
    TestPattern::new(TestPatternParameters { size: size.parse().unwrap(), rate: rate.parse().unwrap() }).unwrap()
}

fn refusal(processor: &str, parameters: Value) -> String {
    let Err(error) = streamlib::registry().create(processor, &parameters) else { panic!("{processor} takes {parameters}") };
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    error.to_string()
}

#[test]
fn sizes_that_cannot_be_are_refused_with_what_can() {
    for (size, said) in [
        ("0x0", "a picture of 0x0 pixels cannot be; width and height go from 1 to 16384"),
        ("0x720", "a picture of 0x720 pixels cannot be"),
        ("1280x0", "a picture of 1280x0 pixels cannot be"),
        ("16385x16385", "a picture of 16385x16385 pixels cannot be; width and height go from 1 to 16384"),
        ("4294967296x1", "'4294967296x1' is no size; write it as 1280x720"),
        ("-1x-1", "'-1x-1' is no size"),
        ("big", "'big' is no size"),
        ("", "'' is no size"),
    ] {
        let message = refusal("test-pattern", json!({ "size": size }));
        assert!(message.starts_with("node 'test-pattern': ") && message.contains(said), "{message}");
    }
    assert!(refusal("test-pattern", json!({ "size": 720 })).contains("720"));
    for (width, height) in [(0, 0), (16_385, 16_385)] {
        let message = Size::new(width, height).unwrap_err().to_string();
        assert_eq!(message, format!("a picture of {width}x{height} pixels cannot be; width and height go from 1 to 16384"));
    }
}

#[test]
fn rates_that_cannot_be_are_refused_with_what_can() {
    for processor in ["test-pattern", "images"] {
        for rate in [json!(0), json!("0"), json!("0/1"), json!("30/0"), json!(-5), json!("fast"), json!(1e99), json!({})] {
            let message = refusal(processor, json!({ "rate": rate }));
            assert!(message.starts_with(&format!("node '{processor}': ")), "{message}");
        }
        let message = refusal(processor, json!({ "rate": "0" }));
        assert!(message.contains("'0' is no frame rate; give frames a second above 0, for example 30"), "{message}");
    }
}

#[test]
fn parameters_of_files_are_refused_by_name() {
    for (processor, parameters, said) in [
        ("save-images", json!({ "path": "one.png" }), "'one.png' has no place for the pictures' numbers"),
        ("save-images", json!({ "quality": 0 }), "parameter 'quality' cannot be 0; it goes from 1 to 100"),
        ("save-images", json!({ "quality": 101 }), "parameter 'quality' cannot be 101"),
        ("save-images", json!({ "format": "webp" }), "webp"),
        ("save-images", json!({ "first": -1 }), "-1"),
        ("images", json!({ "broken": "ignore" }), "ignore"),
        ("images", json!({ "pattern": "*.png" }), "no parameter 'pattern'; there is: broken, path, rate, repeat"),
        ("record", json!({ "quality": 11 }), "parameter 'quality' cannot be 11; it goes from 12 to 51"),
        ("record", json!({ "quality": 20, "bitrate": 1_000_000 }), "quality and bitrate cannot both be held constant"),
        ("record", json!({ "sync": "yes" }), "yes"),
    ] {
        let message = refusal(processor, parameters);
        assert!(message.starts_with(&format!("node '{processor}': ")) && message.contains(said), "{message}");
    }
}

#[test]
fn a_budget_below_one_frame_says_so_at_once() {
    for bytes in [0, 1, 64 * 48 * 4 - 1] {
        let mut graph = Graph::new();
        graph.chain((pattern("64x48", "30"), Null::default())).unwrap();
        let error = Runtime::new(options(bytes)).start(graph).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
        let said = format!(
            "the GPU memory budget of {bytes} bytes cannot hold this graph: thread 'test-pattern' alone holds 12288 bytes at once \
             ('test-pattern' makes 12288 bytes, rgba8 64x48); raise"
        );
        assert!(error.to_string().contains(&said), "{error}");
    }
}

#[test]
fn a_budget_that_cannot_hold_the_graph_is_refused_before_it_starts_with_what_every_node_and_link_needs() {
    let frame = 64 * 48 * 4;
    let scratch = Scratch::new();
    let mut graph = Graph::new();
    graph.chain((pattern("64x48", "30"), BouncingBall::default(), Record::to(scratch.path("small.mp4")))).unwrap();
    let message = Runtime::new(options(frame)).start(graph).err().unwrap().to_string();
    let expected = [
        "thread 'test-pattern' alone holds 16896 bytes at once",
        "'test-pattern' makes 12288 bytes, rgba8 64x48",
        "'bouncing-ball-drawn' makes 4608 bytes, i420 64x48",
        "queue 'bouncing-ball-drawn.out->record.in' holds up to 8 of 4608 bytes",
        "raise `GpuOptions::budget_bytes`, or choose smaller pictures",
    ];
    assert!(expected.iter().all(|part| message.contains(part)), "{message}");
    assert!(!scratch.path("small.mp4").exists(), "it began to record");

    // What is switched off draws nothing.
    let mut off = Graph::new();
    off.chain((pattern("64x48", "30"), BouncingBall::default(), Null::default())).unwrap();
    off.set_enabled("bouncing-ball", false).unwrap();
    run(off, options(frame)).1.unwrap();

    let mut graph = Graph::new();
    graph.chain((pattern("64x48", "30"), BouncingBall::default(), Null::default())).unwrap();
    let (statistics, outcome) = run(graph, options(2 * frame));
    outcome.unwrap();
    assert_eq!(statistics.nodes["null"].processed, 10, "two frames are all that this graph needs");
}

/// Keeps every frame.
struct Hoard(Vec<VideoFrame>);

impl Filter for Hoard {
    fn process(&mut self, frame: VideoFrame, _: &mut Context<'_>) -> Result<VideoFrame> {
        self.0.push(frame.clone());
        Ok(frame)
    }
}

#[test]
fn what_nobody_could_know_before_says_who_wanted_more_and_who_holds_what() {
    let mut graph = Graph::new();
    graph.chain((pattern("64x48", "30"), Hoard(Vec::new()), Null::default())).unwrap();
    let error = run(graph, options(3 * 64 * 48 * 4)).1.unwrap_err();
    assert_eq!((error.kind(), error.node()), (ErrorKind::OutOfMemory, Some("test-pattern")), "{error}");
    let message = error.to_string();
    assert!(
        message.contains("the GPU memory budget of 36864 bytes is used up") && message.contains("by 'test-pattern'"),
        "{message}"
    );
    assert!(message.contains("raise `GpuOptions::budget_bytes`"), "{message}");
}

#[test]
fn every_size_and_a_thousand_frames_a_second_are_nothing_special() {
    for (size, rate) in [("1x1", "30"), ("1x1", "1000"), ("3x5", "1000"), ("641x359", "30"), ("64x48", "1000"), ("1x4096", "1/7")]
    {
        let scratch = Scratch::new();
        let mut graph = Graph::new();
        graph.add("pattern", pattern(size, rate)).unwrap();
        graph.add("ball", BouncingBall::default()).unwrap();
        graph.add("record", Record::to(scratch.path("video.mp4"))).unwrap();
        graph.add("save", SaveImages::to(scratch.path("%d.png")).unwrap()).unwrap();
        graph.add("null", Null::default()).unwrap();
        graph.connect("pattern", "ball").unwrap();
        for sink in ["record", "save", "null"] {
            graph.connect("ball", sink).unwrap();
        }
        if size == "1x4096" {
            // Higher than the encoder goes: said by name.
            let error = run(graph, options(1 << 30)).1.unwrap_err();
            assert!(error.to_string().contains("node 'record': openh264 cannot encode 1x4096"), "{error}");
            continue;
        }
        let (statistics, outcome) = run(graph, options(1 << 30));
        outcome.unwrap();
        for sink in ["record", "save", "null"] {
            assert_eq!(statistics.nodes[sink].counters["frames"], 10, "{sink} at {size} and {rate}");
        }
        assert_eq!(complaints(&scratch.path("video.mp4")), "", "{size} at {rate}");
        let picture = std::fs::read(scratch.path("9.png")).unwrap();
        assert_eq!(streamlib::images::decode(&picture).unwrap().format.size.to_string(), size);
    }
}

#[test]
fn a_thousand_frames_a_second_live_are_all_accounted_for() {
    let scratch = Scratch::new();
    let mut graph = Graph::new();
    graph.add("pattern", pattern("64x48", "1000")).unwrap();
    graph.add("record", Record::to(scratch.path("fast.mp4"))).unwrap();
    graph.add("null", Null::default()).unwrap();
    graph.connect("pattern", "record").unwrap();
    graph.connect("pattern", "null").unwrap();
    let (statistics, outcome) = run(graph, RuntimeOptions { mode: Mode::Live, frames: Some(200), ..options(1 << 30) });
    outcome.unwrap();
    assert_eq!((statistics.nodes["null"].processed, statistics.nodes["record"].processed), (200, 200));
    assert_eq!(complaints(&scratch.path("fast.mp4")), "");
}
