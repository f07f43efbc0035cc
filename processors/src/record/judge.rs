//! What ffmpeg and ffprobe say about a file. Shared by the tests in this crate and those in `tests/`.
#![allow(dead_code, reason = "each set of tests asks other questions")]
#![allow(unreachable_pub, reason = "a module of two crates")]

use std::path::Path;
use std::process::{Command, Output};

fn run(program: &str, path: &Path, before: &[&str], after: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(["-v", "error"]).args(before).arg("-i").arg(path).args(after);
    command.output().unwrap_or_else(|error| panic!("these tests need {program} to judge files: install ffmpeg ({error})"))
}

/// Everything that ffmpeg has to say against the file when it decodes all of it; empty if it plays clean.
///
/// Times are judged as they are in the file: ffmpeg's null output would round them to a frame rate that it guesses and then complain that two
/// pictures fall together.
pub fn complaints(path: &Path) -> String {
    let output = run("ffmpeg", path, &[], &["-enc_time_base", "-1", "-f", "null", "-"]);
    let mut said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        said += &format!("{}", output.status);
    }
    said
}

/// All decoded pictures as tight I420, one after the other, each once and nothing converted.
pub fn decoded(path: &Path) -> Vec<u8> {
    let output = run("ffmpeg", path, &[], &["-vsync", "passthrough", "-f", "rawvideo", "-"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// `section` is `packet`, `frame`, `stream` or `format`; a row for each of them with the entries in the order asked for.
pub fn probe(path: &Path, section: &str, entries: &[&str]) -> Vec<Vec<String>> {
    let show = format!("{section}={}", entries.join(","));
    let output = run("ffprobe", path, &["-show_entries", &show, "-of", "default=nokey=0:noprint_wrappers=0"], &[]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (open, close) = (format!("[{}]", section.to_uppercase()), format!("[/{}]", section.to_uppercase()));
    text.split(open.as_str())
        .skip(1)
        .map(|row| {
            let row = row.split(close.as_str()).next().unwrap();
            let value = |entry: &&str| {
                row.lines().find_map(|line| line.strip_prefix(&format!("{entry}="))).unwrap_or("absent").to_owned()
            };
            entries.iter().map(value).collect()
        })
        .collect()
}

/// The presentation times of all packets, in microseconds.
pub fn times(path: &Path) -> Vec<i64> {
    let micros = |time: &String| (time.parse::<f64>().unwrap() * 1e6).round() as i64;
    probe(path, "packet", &["pts_time"]).iter().map(|row| micros(&row[0])).collect()
}

/// Offset, type and length of every box at the top of the file.
pub fn boxes(bytes: &[u8]) -> Vec<(usize, String, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + 8) {
        let length = u32::from_be_bytes(header[..4].try_into().unwrap()) as usize;
        found.push((at, String::from_utf8_lossy(&header[4..]).into_owned(), length));
        // This one goes to the end of the file.
        if length == 0 {
            break;
        }
        at += length;
    }
    found
}
