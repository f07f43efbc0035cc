//! ffmpeg and ffprobe as the judges of recordings.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::{HEIGHT, WIDTH};

fn output(program: &str, arguments: &[&OsStr]) -> Vec<u8> {
    let output = Command::new(program).args(["-v", "error"]).args(arguments).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{program} {arguments:?}");
    assert!(output.status.success());
    output.stdout
}

/// The times of the frames of a recording in seconds. Every frame has to be decoded without a message.
pub(crate) fn times(path: &Path) -> Vec<f64> {
    let flags = ["-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0"].map(OsStr::new);
    let text = String::from_utf8(output("ffprobe", &[&flags[..], &[path.as_os_str()]].concat())).unwrap();
    text.lines().map(|line| line.trim_end_matches(',').parse().unwrap()).collect()
}

/// The pictures of a recording, decoded into R'G'B' without a message. In the recording's own time base: the rate that ffmpeg guesses may be too low for the
/// jitter of a camera that had to wait.
pub(crate) fn pictures(path: &Path) -> Vec<Vec<u8>> {
    let arguments = ["-vsync", "passthrough", "-enc_time_base", "-1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"].map(OsStr::new);
    let bytes = output("ffmpeg", &[&[OsStr::new("-i"), path.as_os_str()], &arguments[..]].concat());
    assert_eq!(bytes.len() % (WIDTH * HEIGHT * 3), 0, "pictures of another size");
    bytes.chunks(WIDTH * HEIGHT * 3).map(<[u8]>::to_vec).collect()
}
