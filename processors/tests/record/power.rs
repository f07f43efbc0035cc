//! With `sync`, what is committed is on the disk itself, in the right order: the system calls say so.
#![cfg(target_os = "linux")]

use std::process::Command;

use streamlib_core::Size;
use streamlib_processors::record::{
    Encoder, EncoderOptions, Mp4Options, Mp4Writer, OpenH264Encoder, RecordParameters, VideoTrack,
};

use super::support::{HD, Recorder, at, folder};

/// What the child below needs: whether to sync, and where to record to.
const CHILD: &str = "STREAMLIB_TEST_SYNC";

/// The calls that a child made on the recording and its directory, in order.
fn calls(sync: bool) -> Vec<String> {
    let (directory, path) = folder();
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("strace.log");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-e", "trace=write,fsync,fdatasync,rename,renameat,renameat2,ftruncate", "-o"]).arg(&log);
    command.arg(std::env::current_exe().unwrap()).args(["--exact", "power::records_a_little"]);
    let output = command.env(CHILD, format!("{sync}:{}", path.display())).output();
    let output = output.unwrap_or_else(|error| panic!("this test needs strace ({error})"));
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let log = std::fs::read_to_string(log).unwrap();
    let folder = format!("<{}>", directory.path().display());
    let file = format!("{}/", directory.path().display());
    log.lines()
        .filter_map(|line| {
            let call = line.split_once(' ').unwrap().1.trim_start();
            let name = call.split('(').next().unwrap();
            let name = if name.starts_with("rename") { "rename" } else { name };
            let on = if call.contains(&folder) && name == "fsync" { "directory" } else { "file" };
            (on == "directory" || call.contains(&file)).then(|| format!("{name} {on}"))
        })
        .collect()
}

#[test]
fn each_fragment_is_on_the_disk_before_its_header_and_its_header_before_the_name() {
    let fragment = ["write file", "write file", "fdatasync file", "write file", "fdatasync file"];
    let index = ["write file", "fdatasync file", "write file", "fdatasync file"];
    let mut expected = vec!["write file"];
    expected.extend(fragment);
    expected.extend(["rename file", "fsync directory"]);
    expected.extend(fragment);
    expected.extend(index);
    expected.extend(["ftruncate file", "fsync file"]);
    assert_eq!(calls(true), expected);
    let unasked: Vec<_> = calls(false).into_iter().filter(|call| call.contains("sync")).collect();
    assert!(unasked.is_empty() && !RecordParameters::default().sync, "{unasked:?}");
}

/// Runs in the child process of the test above; does nothing when it runs by itself.
#[test]
fn records_a_little() {
    let Ok(child) = std::env::var(CHILD) else { return };
    let (sync, path) = child.split_once(':').unwrap();
    let size = Size::new(64, 64).unwrap();
    let encoder = OpenH264Encoder::new(size, HD, &EncoderOptions::default()).unwrap();
    let track = VideoTrack { size, coded_size: encoder.coded_size(), color: HD };
    let writer = Mp4Writer::create_with(path, track, Mp4Options { sync: sync == "true" }).unwrap();
    let mut recorder = Recorder { encoder, writer, size };
    for number in 0..8 {
        recorder.push_numbered(at(number * 100_000), number as u32);
    }
    recorder.writer.finish().unwrap();
}
