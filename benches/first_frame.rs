//! How long a program takes from its start to its first finished frame, beside a bare wgpu program that draws the same. Both are
//! this program, started anew with an argument. A table in Markdown; `make bench` runs it.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program that prints a table and may stop where it fails")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use streamlib::prelude::*;
use streamlib_benches::by_hand::ByHand;
use streamlib_benches::{Comparison, is_test, machine, verdict};

const ROUNDS: usize = 9;
const SIZE: (u32, u32) = (1920, 1080);

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("bare") => return bare(),
        Some("streamlib") => return streamlib(),
        _ if is_test() => return,
        _ => {}
    }
    machine::describe("make bench BENCH=first_frame");
    let comparison = Comparison::measure(ROUNDS, || first_frame("bare", None), || first_frame("streamlib", None));
    // Of an adapter that was never seen before: what suits it is measured. The driver's own cache is cold, too.
    let fresh = |way| {
        let cache = tempfile::tempdir().expect("a folder");
        first_frame(way, Some(cache.path()))
    };
    let first = Comparison::measure(ROUNDS, || fresh("bare"), || fresh("streamlib"));
    println!("| from the start of the process, medians of {ROUNDS} in turn | bare wgpu | streamlib | later | wanted | verdict |");
    println!("|---|---|---|---|---|---|");
    let (limit, ours) = comparison.medians();
    println!(
        "| first frame finished, test pattern + ball, 1920x1080 | {limit:.3} s | {ours:.3} s | {:.3} s | at most 0.2 s later | {} |",
        ours - limit,
        verdict(ours - limit <= 0.2)
    );
    let (limit, ours) = first.medians();
    println!("| the same, the first time on this adapter | {limit:.3} s | {ours:.3} s | {:.3} s | | |", ours - limit);
}

/// Seconds from starting this program to the line that says that the first frame is there; with its caches in this folder.
fn first_frame(way: &str, cache: Option<&Path>) -> f64 {
    let mut program = Command::new(std::env::current_exe().expect("this program"));
    program.arg(way).stdout(Stdio::piped()).envs(cache.map(|cache| ("XDG_CACHE_HOME", cache)));
    let begin = Instant::now();
    let mut child = program.spawn().expect("a child");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    let seconds = begin.elapsed().as_secs_f64();
    assert!(child.wait().expect("its end").success() && line.trim() == "first frame", "{way}: {line}");
    seconds
}

fn say() {
    println!("first frame");
    std::io::stdout().flush().expect("an output");
}

fn bare() {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())).expect("an adapter");
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default())).expect("a device");
    ByHand::new(&device, &queue, SIZE).run(1);
    say();
}

/// Says when the first frame is there.
#[derive(Default)]
struct First(Option<VideoFrame>);

impl Sink for First {
    fn consume(&mut self, frame: VideoFrame, _: &mut Context<'_>) -> Result<()> {
        self.0 = Some(frame);
        Ok(())
    }

    fn submitted(&mut self, cx: &mut Context<'_>) -> Result<()> {
        if let Some(token) = self.0.take().and_then(|frame| frame.ready(cx.gpu().ok()?)) {
            token.wait(Duration::from_secs(10))?;
            say();
        }
        Ok(())
    }
}

fn streamlib() {
    let size = Size::new(SIZE.0, SIZE.1).expect("a size");
    let pattern = TestPattern::new(TestPatternParameters { size, ..Default::default() }).expect("a pattern");
    let mut graph = Graph::new();
    graph.add("test-pattern", pattern).expect("a node");
    graph.add("bouncing-ball", BouncingBall::default()).expect("a node");
    graph.add("first", First::default()).expect("a node");
    graph.connect("test-pattern", "bouncing-ball").expect("a link");
    graph.connect("bouncing-ball", "first").expect("a link");
    let options = RuntimeOptions { frames: Some(1), ..Default::default() };
    Runtime::new(options).run(graph).expect("a run");
}
