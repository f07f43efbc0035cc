//! Full disks.

use std::path::Path;
use std::process::Command;

use streamlib_core::{ErrorKind, Graph, Mode, Runtime, RuntimeOptions};
use streamlib_processors::null::Null;
use streamlib_processors::record::{EncoderOptions, RateControl, Record, RecordParameters};
use streamlib_processors::test_pattern::{TestPattern, TestPatternParameters};

use super::judge;
use super::support::{HD, Recorder, at, folder, moving};

/// What the child below needs: where to record to.
const CHILD: &str = "STREAMLIB_TEST_FULL_DISK";

#[test]
fn a_full_disk_stops_the_recording_and_keeps_what_was_committed() {
    let (directory, path) = folder();
    let program = std::env::current_exe().unwrap();
    // A limit on file sizes (in blocks of 512 bytes) stands for a full disk; the signal it sends is ignored, so that writes fail.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact disk::records_until_the_disk_is_full --nocapture"])
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
#[allow(clippy::print_stdout, reason = "what a child process has to say")]
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

/// What the child below needs: a folder on a disk that is full soon.
const PROCESSOR: &str = "STREAMLIB_TEST_FULL_DISK_OF_PROCESSOR";

/// The processor on a disk that is really full: it says so once, and its file plays. The disk is in namespaces of its own, which
/// need no rights where the system has them.
#[test]
#[allow(clippy::print_stderr, reason = "a test that could not be made says so")]
fn a_full_disk_ends_a_recording_with_one_error_and_a_file_that_plays() {
    if !Command::new("unshare").args(["-Urm", "true"]).output().is_ok_and(|output| output.status.success()) {
        eprintln!("there are no user namespaces here: only a file size limit stands for a full disk");
        return;
    }
    let (directory, path) = folder();
    let (disk, copies) = (directory.path().join("disk"), directory.path().join("copies"));
    std::fs::create_dir(&disk).unwrap();
    std::fs::create_dir(&copies).unwrap();
    // What was written is copied out while the small disk is still there.
    let script = "mount -t tmpfs -o size=96k none \"$1\" && \
        \"$0\" --exact disk::records_a_graph_until_the_disk_is_full --nocapture; code=$?; cp \"$1\"/* \"$2\"; exit $code";
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", script]).arg(std::env::current_exe().unwrap()).args([&disk, &copies]);
    let output = command.env(PROCESSOR, &disk).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let copy = copies.join(path.file_name().unwrap());
    assert_eq!(judge::complaints(&copy), "");
    assert!(judge::times(&copy).len() >= 5, "{} pictures", judge::times(&copy).len());
    let file = std::fs::read(&copy).unwrap();
    assert_eq!(judge::boxes(&file).iter().map(|(_, _, length)| length).sum::<usize>(), file.len(), "nothing unfinished is left");
    let path = disk.join("video.mp4");
    assert_eq!(said.matches("No space left on device").count(), 1, "{said}");
    assert!(said.contains(&format!("error: node 'record': recording to '{}' failed", path.display())), "{said}");
    assert!(said.contains("make room on that disk (") && said.contains("what was recorded before plays"), "{said}");
}

/// Runs in the child process of the test above; does nothing when it runs by itself.
#[test]
#[allow(clippy::print_stdout, reason = "what a child process has to say")]
fn records_a_graph_until_the_disk_is_full() {
    let Some(folder) = std::env::var_os(PROCESSOR) else { return };
    let path = Path::new(&folder).join("video.mp4");
    let record = Record::new(RecordParameters { path, quality: Some(30), ..Default::default() }).unwrap();
    let pattern = TestPatternParameters { size: "320x240".parse().unwrap(), ..Default::default() };
    let mut graph = Graph::new();
    graph.chain((TestPattern::new(pattern).unwrap(), record)).unwrap();
    graph.add("null", Null::default()).unwrap();
    graph.connect("test-pattern", "null").unwrap();
    let options = RuntimeOptions { mode: Mode::Offline, frames: Some(2_000), stop_on_signals: false, ..Default::default() };
    let (statistics, outcome) = Runtime::new(options).start(graph).unwrap().wait();
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.node()), (ErrorKind::Io, Some("record")));
    let record = &statistics.nodes["record"];
    assert_eq!((record.errors, statistics.nodes["null"].processed), (1, 2_000), "the other sink goes on");
    assert!(record.processed < 2_000 && statistics.unbalanced_links().is_empty());
    println!("error: {error}");
}
