//! A long run takes nothing more after its beginning: nothing at the GPU, no memory, no thread, no file.
//! `STREAMLIB_LONG_FRAMES` sets how long (default 2000).

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use streamlib::prelude::*;
use streamlib::{Counter, CreationStatistics, GpuOptions};

/// The frames after which everything that a run needs has been made; half a run that is not even twice as long.
const BEGINNING: u64 = 1000;

/// What resident memory may grow by from there to the end.
const GROWTH_KILOBYTES: u64 = 1024;

/// What the process holds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Holdings {
    /// Textures, buffers, bind groups and whatever else there is at the GPU, that were ever created.
    created: CreationStatistics,
    /// Physical memory. 0 where the system does not tell, as with the next two.
    resident_kilobytes: u64,
    threads: usize,
    files: usize,
}

impl Holdings {
    fn now(gpu: &GpuContext) -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
        let entries = |folder| std::fs::read_dir(folder).map_or(0, Iterator::count);
        Self {
            created: gpu.statistics().created,
            resident_kilobytes: resident.unwrap_or(0),
            threads: entries("/proc/self/task"),
            files: entries("/proc/self/fd"),
        }
    }
}

/// Looks at what the process holds at the end of the beginning and at the last frame, and counts frames as `null` does.
struct Watch {
    beginning: u64,
    last: u64,
    seen: Arc<Mutex<Vec<Holdings>>>,
    frames: Counter,
}

impl Sink for Watch {
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.frames = cx.counter("frames");
        Ok(())
    }

    fn consume(&mut self, _: VideoFrame, cx: &mut Context<'_>) -> Result<()> {
        self.frames.add(1);
        if [self.beginning, self.last].contains(&self.frames.get()) {
            self.seen.lock().unwrap().push(Holdings::now(cx.gpu()?));
        }
        Ok(())
    }
}

/// Draws so many frames, counts and records them. Returns what the process held at the end of the beginning and at the end.
fn run(gpu: &GpuContext, frames: u64, folder: &std::path::Path) -> (Statistics, Vec<Holdings>) {
    let size = Size::new(320, 240).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let watch = Watch { beginning: BEGINNING.min(frames / 2), last: frames, seen: seen.clone(), frames: Counter::default() };
    let mut graph = Graph::new();
    graph.add("test-pattern", TestPattern::new(TestPatternParameters { size, ..Default::default() }).unwrap()).unwrap();
    graph.add("bouncing-ball", BouncingBall::default()).unwrap();
    graph.add("null", Null::default()).unwrap();
    graph.add("watch", watch).unwrap();
    graph.add("record", Record::to(folder.join("long.mp4"))).unwrap();
    for (from, to) in
        [("test-pattern", "bouncing-ball"), ("bouncing-ball", "null"), ("bouncing-ball", "watch"), ("bouncing-ball", "record")]
    {
        graph.connect(from, to).unwrap();
    }
    let options = RuntimeOptions { mode: Mode::Offline, frames: Some(frames), stop_on_signals: false, ..Default::default() };
    let statistics = Runtime::with_gpu(options, gpu.clone()).run(graph).unwrap();
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    (statistics, seen)
}

#[test]
fn a_long_run_takes_nothing_more_after_its_beginning() {
    let frames: u64 = std::env::var("STREAMLIB_LONG_FRAMES").ok().map_or(2000, |frames| frames.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    // Drivers make threads of their own when they are first used.
    run(&gpu, 100, folder.path());
    let before = Holdings::now(&gpu);
    let (statistics, seen) = run(&gpu, frames, folder.path());
    for sink in ["null", "record", "watch"] {
        assert_eq!(statistics.nodes[sink].counters["frames"], frames, "{sink}");
    }
    assert_eq!(statistics.unbalanced_links(), Vec::<&str>::new());
    let [beginning, end] = seen.try_into().unwrap();
    println!(
        "{frames} frames in {:.0} s\nbefore:    {before:?}\nbeginning: {beginning:?}\nend:       {end:?}",
        statistics.seconds
    );
    assert_eq!(end.created, beginning.created, "GPU objects were created after the beginning");
    let growth = end.resident_kilobytes.saturating_sub(beginning.resident_kilobytes);
    assert!(growth < GROWTH_KILOBYTES, "memory grew by {growth} KB after the beginning");
    assert_eq!((end.threads, end.files), (beginning.threads, beginning.files), "threads and files");
    assert_eq!(statistics.gpu.unwrap().textures.in_use, 0);
    // The last thread of a run may still be on its way out when the run is over: of the first one when it was counted, too.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let after = Holdings::now(&gpu);
        if after.threads <= before.threads && after.files <= before.files {
            break;
        }
        assert!(Instant::now() < deadline, "before the run {before:?}, after it {after:?}");
        std::thread::yield_now();
    }
}
