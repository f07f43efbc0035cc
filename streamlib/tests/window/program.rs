//! The example as a program of its own, and what it says at its end.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};

use tempfile::TempDir;

use crate::screen::wait_for;

/// A program that is running. Killed when dropped.
pub(crate) struct Program {
    child: Child,
    output: TempDir,
}

/// How it ended.
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

fn example() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let built = tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples/camera_with_bouncing_ball");
    assert!(built.exists(), "{} is missing: run 'cargo build --example camera_with_bouncing_ball'", built.display());
    built
}

impl Program {
    /// The example with these arguments.
    pub(crate) fn example(display: Option<&str>, arguments: &[&str]) -> Self {
        Self::start(Command::new(example()).args(arguments).args(["--source", "test-pattern", "--stats", "-"]), display)
    }

    /// One test of this very executable, in a process of its own.
    pub(crate) fn this_test(name: &str, display: Option<&str>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        Self::start(command.args(["--exact", name, "--ignored", "--nocapture"]), display)
    }

    fn start(command: &mut Command, display: Option<&str>) -> Self {
        let output = tempfile::tempdir().unwrap();
        let file = |name: &str| File::create(output.path().join(name)).unwrap();
        command.env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET").env_remove("DISPLAY").env_remove("RUST_LOG");
        command.env("XDG_RUNTIME_DIR", output.path()).stdout(file("stdout")).stderr(file("stderr"));
        if let Some(display) = display {
            command.env("DISPLAY", display);
        }
        Self { child: command.spawn().unwrap(), output }
    }

    fn said(&self, name: &str) -> String {
        std::fs::read_to_string(self.output.path().join(name)).unwrap()
    }

    /// Fails the test, with what the program said, if it has ended.
    pub(crate) fn assert_runs(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("it ended with {status}: {}{}", self.said("stdout"), self.said("stderr"));
        }
    }

    /// Waits for its end.
    pub(crate) fn outcome(mut self) -> Outcome {
        let status = wait_for("the program's end", || self.child.try_wait().unwrap());
        Outcome { status, stdout: self.said("stdout"), stderr: self.said("stderr") }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let status = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the program ended with {status:?}: {}", self.said("stderr"));
        }
    }
}

impl Outcome {
    /// That it ended well: exit code 0, no complaints, every message accounted for, no texture in use and no pixel moved.
    /// Returns the statistics.
    pub(crate) fn assert_clean(&self) -> serde_json::Value {
        assert!(self.status.success(), "{}: {}", self.status, self.stderr);
        let complaint =
            self.stderr.lines().find(|line| ["Validation", "ERROR", "WARN", "error"].iter().any(|w| line.contains(w)));
        assert_eq!(complaint, None, "{}", self.stderr);
        let statistics: serde_json::Value = serde_json::from_str(&self.stdout).unwrap();
        let number = |value: &serde_json::Value| value.as_u64().unwrap_or_else(|| panic!("{value} in {}", self.stdout));
        for (name, link) in statistics["links"].as_object().unwrap() {
            let dropped: u64 = link["dropped"].as_object().unwrap().values().map(number).sum();
            assert_eq!(number(&link["sent"]), number(&link["received"]) + dropped, "{name} in {}", self.stdout);
            assert_eq!(number(&link["queued"]), 0, "{name}");
        }
        assert_eq!(number(&statistics["gpu"]["textures"]["in_use"]), 0);
        for moved in ["uploaded", "copied", "read_back"] {
            assert_eq!(number(&statistics["gpu"]["bytes"][moved]), 0, "{moved}");
        }
        for (name, node) in statistics["nodes"].as_object().unwrap() {
            assert_eq!(number(&node["errors"]), 0, "{name}");
            if name.starts_with("display") {
                let presented = number(&node["counters"]["presented"]);
                assert!(presented > 0, "{name} presented nothing");
                assert_eq!(presented + number(&node["counters"]["hidden"]), number(&node["processed"]), "{name}");
            }
        }
        statistics
    }
}
