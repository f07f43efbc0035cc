//! What the tests of whole programs share: the built example, and ffmpeg as the judge of recordings.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use streamlib::Size;
use streamlib::test_pattern::{Block, read_block};

/// The example `camera_with_bouncing_ball`, which `cargo test` builds beside the tests.
pub fn example() -> Command {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples/camera_with_bouncing_ball");
    assert!(path.exists(), "{} is missing: run `cargo build --example camera_with_bouncing_ball`", path.display());
    let mut command = Command::new(path);
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// Runs the example to its end.
pub fn run_example(arguments: &[&str]) -> Output {
    example().args(arguments).output().unwrap()
}

/// Starts the example with its output captured.
pub fn start_example(arguments: &[&str]) -> Child {
    example().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The statistics that `--stats -` printed; every link adds up and no texture is in use, whatever else the test looks at.
pub fn statistics(output: &Output) -> serde_json::Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let statistics: serde_json::Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error} in {text:?}; stderr: {}", String::from_utf8_lossy(&output.stderr)));
    for (name, link) in statistics["links"].as_object().unwrap() {
        let count = |field: &str| link[field].as_u64().unwrap();
        let dropped: u64 = link["dropped"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(count("sent"), count("received") + dropped + count("queued"), "{name}: {link}");
        assert_eq!(count("queued"), 0, "{name}: {link}");
    }
    assert_eq!(statistics["gpu"]["textures"]["in_use"].as_u64().unwrap_or(0), 0, "{}", statistics["gpu"]);
    statistics
}

/// Waits for a condition with a deadline.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

fn judge(program: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["-v", "error"]).stdin(Stdio::null());
    command
}

fn judged(command: &mut Command) -> Output {
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{command:?}: {error}; install ffmpeg (on Debian: apt-get install ffmpeg)"))
}

/// What ffmpeg has to say against a file; nothing if it plays.
pub fn complaints(path: &Path) -> String {
    let output = judged(judge("ffmpeg").arg("-i").arg(path).args(["-enc_time_base", "-1", "-f", "null", "-"]));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Decodes a recording into RGB pictures of this size.
pub fn decode(path: &Path, size: Size) -> Vec<Vec<u8>> {
    let flags = ["-vsync", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"];
    let output = judged(judge("ffmpeg").arg("-i").arg(path).args(flags));
    assert!(output.stderr.is_empty(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    let bytes = size.width() as usize * size.height() as usize * 3;
    assert_eq!(output.stdout.len() % bytes, 0, "pictures of another size than {size}");
    output.stdout.chunks(bytes).map(<[u8]>::to_vec).collect()
}

/// The machine-readable block of an RGB picture.
pub fn block(rgb: &[u8], size: Size) -> Option<Block> {
    read_block(size, |x, y| rgb[(y as usize * size.width() as usize + x as usize) * 3 + 1])
}

/// The centre of the orange ball in an RGB picture.
pub fn ball(rgb: &[u8], size: Size) -> Option<(f64, f64)> {
    let orange = |pixel: &[u8]| pixel[0] > 225 && (70..135).contains(&pixel[1]) && pixel[2] < 60;
    let (mut x, mut y, mut count) = (0.0, 0.0, 0.0);
    for (index, _) in rgb.chunks_exact(3).enumerate().filter(|(_, pixel)| orange(pixel)) {
        x += (index % size.width() as usize) as f64 + 0.5;
        y += (index / size.width() as usize) as f64 + 0.5;
        count += 1.0;
    }
    (count > 0.0).then(|| (x / count, y / count))
}

/// A file in a directory that is removed at the end.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `record:PATH` for a file of this name.
    pub fn sink(&self, name: &str) -> String {
        format!("record:{}", self.path(name).display())
    }
}

/// Sends a signal by its name, as `kill` does.
pub fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}
