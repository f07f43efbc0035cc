//! What these tests share.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use streamlib_core::{
    Context, Error, GpuContext, GpuOptions, Graph, Mode, ReadBack, Result, Runtime, RuntimeOptions, Sink, Size, Source,
    Statistics, Threading, Timestamp, VideoFormat, VideoFrame,
};
use streamlib_processors::test_pattern::{TestPattern, TestPatternParameters};

/// A frame as it came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) sequence: u64,
    pub(crate) time: Timestamp,
    pub(crate) format: VideoFormat,
    pub(crate) pixels: Vec<u8>,
}

/// Keeps what it gets, for the test to see.
#[derive(Clone, Default)]
pub(crate) struct Collect {
    seen: Arc<Mutex<Vec<Seen>>>,
    pending: Arc<Mutex<Vec<(VideoFrame, ReadBack)>>>,
}

impl Collect {
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Sink for Collect {
    fn threading(&self) -> Threading {
        Threading::Own
    }
    fn input(&self) -> streamlib_core::InputOptions {
        streamlib_core::InputOptions { delivery: streamlib_core::Delivery::Block(2), ..Default::default() }
    }
    fn consume(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<()> {
        let read_back = cx.read_back(&frame)?;
        self.pending.lock().unwrap().push((frame, read_back));
        Ok(())
    }
    fn submitted(&mut self, _: &mut Context<'_>) -> Result<()> {
        for (frame, read_back) in self.pending.lock().unwrap().drain(..) {
            let (sequence, time, format, pixels) = (frame.sequence(), frame.time(), frame.format(), read_back.wait()?.to_vec());
            self.seen.lock().unwrap().push(Seen { sequence, time, format, pixels });
        }
        Ok(())
    }
}

/// One GPU for all tests of this program.
pub(crate) fn gpu() -> GpuContext {
    static GPU: OnceLock<GpuContext> = OnceLock::new();
    GPU.get_or_init(|| GpuContext::new(&GpuOptions::default()).unwrap()).clone()
}

pub(crate) fn options(mode: Mode, frames: Option<u64>) -> RuntimeOptions {
    RuntimeOptions { mode, frames, stop_on_signals: false, ..Default::default() }
}

/// Runs to its end, which must come.
pub(crate) fn run(graph: Graph, frames: Option<u64>) -> (Statistics, Result<()>) {
    let running = Runtime::with_gpu(options(Mode::Offline, frames), gpu()).start(graph).unwrap();
    assert!(running.wait_for(Duration::from_secs(120)), "it goes on for ever");
    running.wait()
}

/// What a source gives, offline.
pub(crate) fn collect(source: impl Source, frames: Option<u64>) -> (Vec<Seen>, Result<Statistics, Error>) {
    let sink = Collect::default();
    let mut graph = Graph::new();
    graph.chain((source, sink.clone())).unwrap();
    let (statistics, outcome) = run(graph, frames);
    (sink.seen(), outcome.map(|()| statistics))
}

pub(crate) fn pattern(size: &str) -> TestPattern {
    TestPattern::new(TestPatternParameters { size: size.parse().unwrap(), ..Default::default() }).unwrap()
}

pub(crate) fn size(text: &str) -> Size {
    text.parse().unwrap()
}

/// Waits for a condition with a deadline.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

pub(crate) fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// ffmpeg, told to be quiet; what it says is an error.
pub(crate) fn ffmpeg(arguments: &[&str], path: &Path, after: &[&str]) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-y"]).args(arguments).arg(path).args(after);
    let output = command.output().unwrap_or_else(|error| panic!("these tests need ffmpeg to judge pictures ({error})"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{command:?}: {said}");
    output.stdout
}

/// A picture as ffmpeg decodes it: `rgba` without premultiplication.
pub(crate) fn judged(path: &Path) -> Vec<u8> {
    ffmpeg(&["-i"], path, &["-f", "rawvideo", "-pix_fmt", "rgba", "-sws_flags", "accurate_rnd+full_chroma_int", "-"])
}
