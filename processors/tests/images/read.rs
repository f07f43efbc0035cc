//! The source: order, times, rates, broken files, sizes.

use std::path::Path;
use std::time::Duration;

use streamlib_core::{
    ErrorKind, FailurePolicy, FrameRate, Graph, ManualClock, Mode, Restart, Runtime, RuntimeOptions, Timestamp,
};
use streamlib_processors::images::{Broken, Images, ImagesParameters};
use streamlib_processors::record::Record;

use super::support::{Collect, Seen, collect, eventually, ffmpeg, gpu, options, run, size};

/// A picture of one grey.
fn grey(folder: &Path, name: &str, picture: &str, level: u8) {
    let source = format!("color=s={picture}:c=0x{level:02x}{level:02x}{level:02x},format=rgb24");
    ffmpeg(&["-f", "lavfi", "-i", &source, "-frames:v", "1"], &folder.join(name), &[]);
}

fn levels(seen: &[Seen]) -> Vec<u8> {
    seen.iter().map(|frame| frame.pixels[0]).collect()
}

fn images(folder: &Path) -> ImagesParameters {
    ImagesParameters {
        path: folder.join("*.png").display().to_string(),
        rate: FrameRate::new(10, 1).unwrap(),
        ..Default::default()
    }
}

#[test]
fn pictures_come_in_the_order_of_their_numbers_at_their_times() {
    let folder = tempfile::tempdir().unwrap();
    for (name, level) in [("img10.png", 30), ("img2.png", 20), ("img1.png", 10)] {
        grey(folder.path(), name, "3x5", level);
    }
    let (seen, outcome) = collect(Images::new(images(folder.path())).unwrap(), None);
    let statistics = outcome.unwrap();
    assert_eq!(levels(&seen), [10, 20, 30]);
    assert_eq!(seen.iter().map(|frame| frame.sequence).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(seen.iter().map(|frame| frame.time.as_nanos() / 1_000_000).collect::<Vec<_>>(), [0, 100, 200]);
    assert_eq!(statistics.gpu.unwrap().textures.in_use, 0);
}

#[test]
fn repeated_pictures_begin_again_and_a_single_one_is_uploaded_once() {
    let folder = tempfile::tempdir().unwrap();
    let uploaded = || gpu().statistics().bytes.uploaded;
    grey(folder.path(), "1.png", "64x64", 10);
    let repeated = || Images::new(ImagesParameters { repeat: true, ..images(folder.path()) }).unwrap();
    // Other tests upload at the same time, but never a picture of this size.
    let bytes = 3001 * 1999 * 4;
    let still = tempfile::tempdir().unwrap();
    grey(still.path(), "1.png", "3001x1999", 40);
    let before = uploaded();
    let (seen, outcome) = collect(Images::new(ImagesParameters { repeat: true, ..images(still.path()) }).unwrap(), Some(4));
    outcome.unwrap();
    assert_eq!(levels(&seen), [40; 4]);
    assert!((bytes..2 * bytes).contains(&(uploaded() - before)), "{} bytes", uploaded() - before);
    assert_eq!(seen.iter().map(|frame| frame.time.as_nanos() / 1_000_000).collect::<Vec<_>>(), [0, 100, 200, 300]);

    grey(folder.path(), "2.png", "64x64", 20);
    let (seen, outcome) = collect(repeated(), Some(5));
    outcome.unwrap();
    assert_eq!(levels(&seen), [10, 20, 10, 20, 10]);
    assert_eq!(seen.iter().map(|frame| frame.sequence).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
}

#[test]
fn live_the_clock_decides_and_late_pictures_are_left_out() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..8 {
        grey(folder.path(), &format!("{number}.png"), "2x2", number * 10);
    }
    let clock = ManualClock::default();
    clock.advance(Duration::from_secs(7));
    let sink = Collect::default();
    let mut graph = Graph::new();
    graph.chain((Images::new(images(folder.path())).unwrap(), sink.clone())).unwrap();
    let options = RuntimeOptions { clock: Some(clock.clone()), ..options(Mode::Live, None) };
    let running = Runtime::with_gpu(options, gpu()).start(graph).unwrap();
    let shown = |expected: &[u8]| eventually(&format!("{expected:?} are shown"), || levels(&sink.seen()) == expected);
    shown(&[0]);
    clock.advance(Duration::from_millis(100));
    shown(&[0, 10]);
    // The picture that was waiting is given; 3 is missed, 4 is due, 5 is not.
    clock.advance(Duration::from_millis(350));
    shown(&[0, 10, 20, 40]);
    clock.advance(Duration::from_millis(50));
    shown(&[0, 10, 20, 40, 50]);
    // 6 was waiting, 7 is missed, and that was the last.
    clock.advance(Duration::from_secs(60));
    assert!(running.wait_for(Duration::from_secs(20)));
    shown(&[0, 10, 20, 40, 50, 60]);
    let (statistics, outcome) = running.wait();
    outcome.unwrap();
    assert_eq!(statistics.nodes["images"].counters["skipped"], 2);
    let first = Timestamp::ZERO + Duration::from_secs(7);
    assert_eq!(sink.seen()[0].time, first);
    assert_eq!(sink.seen()[4].time, first + Duration::from_millis(500));
}

#[test]
fn broken_pictures_are_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    grey(folder.path(), "1.png", "4x4", 10);
    std::fs::write(folder.path().join("2.png"), "").unwrap();
    let whole = std::fs::read(folder.path().join("1.png")).unwrap();
    std::fs::write(folder.path().join("3.png"), &whole[..whole.len() - 30]).unwrap();
    grey(folder.path(), "4.png", "4x4", 40);
    let (seen, outcome) = collect(Images::new(images(folder.path())).unwrap(), None);
    assert_eq!(levels(&seen), [10, 40]);
    assert_eq!(seen[1].time.as_nanos(), 300_000_000, "it keeps its own time");
    assert_eq!(outcome.unwrap().nodes["images"].counters["broken"], 2);

    let strict = ImagesParameters { broken: Broken::Stop, ..images(folder.path()) };
    let (seen, outcome) = collect(Images::new(strict).unwrap(), None);
    assert_eq!(levels(&seen), [10]);
    let (error, path) = (outcome.unwrap_err(), folder.path().join("2.png"));
    let said = format!("node 'images': cannot read the picture '{}': it is empty; the file is broken", path.display());
    assert!(error.kind() == ErrorKind::Io && error.to_string().starts_with(&said), "{error}");
}

#[test]
fn if_all_are_broken_that_is_an_error_also_when_repeated() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["1.png", "2.png"] {
        std::fs::write(folder.path().join(name), "no picture").unwrap();
    }
    for repeat in [false, true] {
        let (seen, outcome) = collect(Images::new(ImagesParameters { repeat, ..images(folder.path()) }).unwrap(), None);
        let error = outcome.unwrap_err();
        assert!(seen.is_empty());
        assert!(error.to_string().contains("no picture of '") && error.to_string().contains("1.png': it is neither"), "{error}");
    }
}

#[test]
fn if_all_are_broken_restarts_end_at_their_limit() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("1.png"), "no picture").unwrap();
    let mut graph = Graph::new();
    graph.chain((Images::new(images(folder.path())).unwrap(), Collect::default())).unwrap();
    let restart = Restart { first_delay: Duration::from_millis(1), limit: Some(2), ..Default::default() };
    graph.on_failure("images", FailurePolicy::Restart(restart)).unwrap();
    let error = Runtime::with_gpu(options(Mode::Offline, None), gpu()).run(graph).unwrap_err();
    assert!(error.to_string().contains("no picture of '"), "{error}");
}

#[test]
fn without_a_picture_the_run_does_not_begin() {
    let folder = tempfile::tempdir().unwrap();
    let (_, outcome) = collect(Images::new(images(folder.path())).unwrap(), None);
    let error = outcome.unwrap_err();
    let said = format!("node 'images': no picture matches '{0}/*.png' in the folder '{0}'", folder.path().display());
    assert!(error.kind() == ErrorKind::NotFound && error.to_string().starts_with(&said), "{error}");
}

#[test]
fn pictures_of_different_sizes_pass_and_a_recording_says_that_it_cannot() {
    let folder = tempfile::tempdir().unwrap();
    for (number, picture) in ["1x1", "640x3", "17x33"].iter().enumerate() {
        grey(folder.path(), &format!("{number}.png"), picture, 50);
    }
    let (seen, outcome) = collect(Images::new(images(folder.path())).unwrap(), None);
    outcome.unwrap();
    assert_eq!(seen.iter().map(|frame| frame.format.size).collect::<Vec<_>>(), ["1x1", "640x3", "17x33"].map(size));

    let path = folder.path().join("sizes.mp4");
    let mut graph = Graph::new();
    graph.chain((Images::new(images(folder.path())).unwrap(), Record::to(&path))).unwrap();
    let error = run(graph, None).1.unwrap_err();
    let said = "node 'record': the picture changed from i420 1x1 to i420 640x3 during a recording; a file has one size";
    assert!(error.to_string().starts_with(said), "{error}");
    assert!(path.exists(), "what came before is kept");
}

#[test]
fn pictures_with_and_without_alpha_make_one_recording() {
    let folder = tempfile::tempdir().unwrap();
    grey(folder.path(), "1.png", "32x32", 50);
    let half = "color=s=32x32:c=white@0.5,format=rgba";
    ffmpeg(&["-f", "lavfi", "-i", half, "-frames:v", "1"], &folder.path().join("2.png"), &[]);
    let mut graph = Graph::new();
    let path = folder.path().join("mixed.mp4");
    graph.chain((Images::new(images(folder.path())).unwrap(), Record::to(&path))).unwrap();
    run(graph, None).1.unwrap();
    let decoded = ffmpeg(&["-i"], &path, &["-f", "rawvideo", "-pix_fmt", "gray", "-"]);
    assert_eq!(decoded.len(), 2 * 32 * 32);
}
