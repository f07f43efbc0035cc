//! What a processor runs among: a source for each of its inputs, a sink for each of its outputs, files, a screen.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use streamlib::prelude::*;
use streamlib::{Descriptor, GpuOptions, Running};

use crate::{DEADLINE, size};

pub(crate) struct Setting {
    gpu: GpuContext,
    scratch: tempfile::TempDir,
    /// For names of files.
    next: AtomicU32,
}

impl Setting {
    pub(crate) fn new() -> Self {
        let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
        Self { gpu, scratch: tempfile::tempdir().unwrap(), next: AtomicU32::new(0) }
    }

    /// Whether what the processor needs is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        name != "camera" || std::env::var_os("STREAMLIB_TEST_CAMERA").is_some()
    }

    fn new_path(&self, suffix: &str) -> PathBuf {
        self.scratch.path().join(format!("{}{suffix}", self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// What to run a processor with so that its pictures have this size.
    fn parameters(&self, name: &str, size: Size) -> Value {
        match name {
            "test-pattern" => json!({ "size": size }),
            "camera" => json!({ "device": std::env::var("STREAMLIB_TEST_CAMERA").unwrap() }),
            "display" => json!({ "size": "320x200", "vsync": false }),
            "record" => json!({ "path": self.new_path(".mp4") }),
            "images" => json!({ "path": self.pictures(size).join("*.png"), "repeat": true }),
            "save-images" => json!({ "path": self.new_path("-%04d.png") }),
            _ => json!({}),
        }
    }

    /// Six pictures of this size.
    fn pictures(&self, size: Size) -> PathBuf {
        let folder = self.scratch.path().join(size.to_string());
        if !folder.exists() {
            std::fs::create_dir(&folder).unwrap();
            let registry = streamlib::registry();
            let mut graph = Graph::new();
            graph.add_boxed("pattern", registry.create("test-pattern", &json!({ "size": size })).unwrap()).unwrap();
            let parameters = json!({ "path": folder.join("%04d.png") });
            graph.add_boxed("pictures", registry.create("save-images", &parameters).unwrap()).unwrap();
            graph.connect("pattern", "pictures").unwrap();
            self.runtime(Mode::Offline, Some(6)).run(graph).unwrap();
        }
        folder
    }

    /// The processor as `it`, with a `source-N` for each input and a `sink-N` for each output.
    pub(crate) fn graph(
        &self,
        descriptor: &Descriptor,
        size: Size,
        wrap: impl FnOnce(Box<dyn Processor>) -> Box<dyn Processor>,
    ) -> Graph {
        let registry = streamlib::registry();
        let it = registry.create(descriptor.name, &self.parameters(descriptor.name, size)).unwrap();
        let mut graph = Graph::new();
        graph.add_boxed("it", wrap(it)).unwrap();
        for (index, input) in descriptor.inputs.iter().enumerate() {
            let source = format!("source-{index}");
            let pattern = registry.create("test-pattern", &json!({ "size": size, "rate": 60 })).unwrap();
            graph.add_boxed(source.clone(), pattern).unwrap();
            graph.connect(&source, &format!("it.{}", input.name)).unwrap();
        }
        for (index, output) in descriptor.outputs.iter().enumerate() {
            let sink = format!("sink-{index}");
            graph.add_boxed(sink.clone(), registry.create("null", &Value::Null).unwrap()).unwrap();
            graph.connect(&format!("it.{}", output.name), &sink).unwrap();
        }
        graph
    }

    pub(crate) fn runtime(&self, mode: Mode, frames: Option<u64>) -> Runtime {
        let options = RuntimeOptions { mode, frames, stop_on_signals: false, ..Default::default() };
        Runtime::with_gpu(options, self.gpu.clone())
    }

    pub(crate) fn start(&self, descriptor: &Descriptor, mode: Mode, frames: Option<u64>) -> Running {
        self.runtime(mode, frames).start(self.graph(descriptor, size(64, 48), |it| it)).unwrap()
    }

    /// Runs it offline (a camera live) for so many frames of this size; everything adds up and nothing is left.
    pub(crate) fn run(&self, descriptor: &Descriptor, size: Size, frames: u64) {
        let mode = if descriptor.name == "camera" { Mode::Live } else { Mode::Offline };
        let running = self.runtime(mode, Some(frames)).start(self.graph(descriptor, size, |it| it)).unwrap();
        assert!(running.wait_for(DEADLINE), "{} does not end with {size}", descriptor.name);
        let statistics = self.finish(descriptor, running);
        assert!(statistics.nodes["it"].processed >= frames, "{} with {size}: {statistics:?}", descriptor.name);
    }

    /// Ends a run; everything adds up and nothing is left.
    pub(crate) fn finish(&self, descriptor: &Descriptor, running: Running) -> Statistics {
        let name = descriptor.name;
        running.stop(Stop::Drain);
        assert!(running.wait_for(DEADLINE), "{name} does not end");
        let (statistics, outcome) = running.wait();
        outcome.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(statistics.unbalanced_links(), Vec::<&str>::new(), "{name}");
        assert!(statistics.links.values().all(|link| link.counts.queued == 0), "{name}: {:?}", statistics.links);
        self.assert_no_texture_is_in_use(name);
        statistics
    }

    pub(crate) fn assert_no_texture_is_in_use(&self, name: &str) {
        // The GPU may still be at work on what a run that was cut short had submitted.
        eventually("textures and staging memory come back", || {
            let statistics = self.gpu.statistics();
            statistics.textures.in_use == 0 && statistics.staging.in_use == 0
        });
        assert!(self.gpu.leases().is_empty(), "{name}: {:?}", self.gpu.leases());
    }
}

/// A value that is not this one.
pub(crate) fn other(value: &Value) -> Value {
    match value {
        Value::Bool(value) => json!(!value),
        Value::Number(_) => json!(17.5),
        Value::String(text) => json!(format!("{text}1")),
        _ => json!("17"),
    }
}

/// Threads and open files of this process.
pub(crate) fn held() -> (usize, usize) {
    let count = |folder: &str| std::fs::read_dir(folder).map_or(0, |entries| entries.count());
    (count("/proc/self/task"), count("/proc/self/fd"))
}

pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {DEADLINE:?} in vain: {what}");
        std::thread::park_timeout(std::time::Duration::from_millis(1));
    }
}

/// An X server that ends with this.
struct Screen(Child);

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a test of this program in a process of its own, which has a screen.
pub(crate) fn run_on_a_screen(test: &str) {
    let mut screen = Screen(
        Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("Xvfb: {error}; install it (on Debian: apt-get install xvfb)")),
    );
    let mut number = String::new();
    BufReader::new(screen.0.stdout.take().unwrap()).read_line(&mut number).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env("STREAMLIB_CONFORMANCE", "1")
        .env("DISPLAY", format!(":{}", number.trim()))
        .env_remove("WAYLAND_DISPLAY")
        .status()
        .unwrap();
    assert!(status.success(), "see above");
}
