//! What a hop from node to node costs, beside GStreamer's `identity` (a direct call) and `queue` (between threads), where
//! `gst-launch-1.0` is installed. A table in Markdown; `make bench` runs it.
//!
//! A hop is the difference between a long chain and a short one over the same messages, so that starting, stopping, making
//! messages and dropping them cancel. Queues hold 200 messages, GStreamer's default, and work pipelined on both sides.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program that prints a table and may stop where it fails")]

use std::marker::PhantomData;
use std::process::{Command, Stdio};
use std::time::Instant;

use streamlib::prelude::*;
use streamlib::{GpuOptions, Threading};
use streamlib_benches::{Comparison, is_test, machine, median, verdict};

const ROUNDS: usize = 9;
const SHORT: usize = 1;
const LONG: usize = 11;

#[derive(Clone)]
struct Number(#[allow(dead_code, reason = "what travels is to have a size")] u64);

impl Message for Number {}

/// The same message over and over, a clone each, as a source of frames or of numbers.
struct Repeat<T> {
    message: T,
    left: u64,
}

impl<T: Message> Source<T> for Repeat<T> {
    fn produce(&mut self, _: &mut Context<'_>) -> Result<Next<T>> {
        if self.left == 0 {
            return Ok(Next::End);
        }
        self.left -= 1;
        Ok(Next::Item(self.message.clone()))
    }
}

struct Pass<T>(Threading, PhantomData<fn(T)>);

impl<T: Message> Filter<T, T> for Pass<T> {
    fn threading(&self) -> Threading {
        self.0
    }
    fn process(&mut self, message: T, _: &mut Context<'_>) -> Result<T> {
        Ok(message)
    }
}

struct Forget<T>(PhantomData<fn(T)>);

impl<T: Message> Sink<T> for Forget<T> {
    fn consume(&mut self, _: T, _: &mut Context<'_>) -> Result<()> {
        Ok(())
    }
}

/// A way of passing messages on.
struct Way {
    name: &'static str,
    threading: Threading,
    element: &'static str,
    messages: u64,
}

const WAYS: [Way; 2] = [
    Way { name: "direct call", threading: Threading::Shared, element: "identity silent=true", messages: 500_000 },
    Way { name: "queue between threads", threading: Threading::Own, element: "queue", messages: 200_000 },
];

fn main() {
    if is_test() {
        return;
    }
    machine::describe("make bench BENCH=hop");
    println!(
        "| a hop, statistics as shipped, medians of {ROUNDS} rounds in turn | GStreamer | streamlib | beside it | wanted | verdict |"
    );
    println!("|---|---|---|---|---|---|");
    let gpu = GpuContext::new(&GpuOptions::default()).expect("a GPU adapter");
    let size = Size::new(320, 240).expect("a size");
    let frame = gpu.frame(VideoFormat::rgba8(size), "hop").expect("a frame");
    for way in &WAYS {
        row(way, "`VideoFrame`", frame.clone());
        row(way, "number", Number(7));
    }
}

fn row<T: Message>(way: &Way, what: &str, message: T) {
    let ours = || {
        let [short, long] = [SHORT, LONG].map(|nodes| seconds(way, nodes, message.clone()));
        per_hop(way, short, long)
    };
    let name = format!("{}, {what}, beside `{}`", way.name, way.element);
    if gstreamer("identity", 1, 1).is_none() {
        ours();
        let hop = median((0..ROUNDS).map(|_| ours()).collect());
        println!("| {name} | not installed | {:.3} us | | | |", hop * 1e6);
        return;
    }
    let theirs = || {
        let [short, long] = [SHORT, LONG].map(|elements| gstreamer(way.element, elements, way.messages).expect("a pipeline"));
        per_hop(way, short, long)
    };
    let (theirs, ours) = Comparison::measure(ROUNDS, theirs, ours).medians();
    let times = ours / theirs;
    println!(
        "| {name} | {:.3} us | {:.3} us | {times:.2} times as long | at most 1, target 0.5 | {} |",
        theirs * 1e6,
        ours * 1e6,
        verdict(times <= 1.0)
    );
}

/// Seconds a hop.
fn per_hop(way: &Way, short: f64, long: f64) -> f64 {
    (long - short) / way.messages as f64 / (LONG - SHORT) as f64
}

/// Seconds that so many nodes between source and sink take for all messages.
fn seconds<T: Message>(way: &Way, nodes: usize, message: T) -> f64 {
    let mut graph = Graph::new();
    graph.add("0", Repeat { message, left: way.messages }).expect("a node");
    let mut before = "0".to_owned();
    for node in 1..=nodes {
        graph.add(node.to_string(), Pass::<T>(way.threading, PhantomData)).expect("a node");
        graph.connect_with(&before, &node.to_string(), Delivery::Block(200)).expect("a link");
        before = node.to_string();
    }
    graph.add("sink", Forget::<T>(PhantomData)).expect("a node");
    graph.connect_with(&before, "sink", Delivery::Block(200)).expect("a link");
    let options = RuntimeOptions { mode: Mode::Offline, ..Default::default() };
    Runtime::new(options).run(graph).expect("a run").seconds
}

/// Seconds that GStreamer takes for a chain of so many elements; `None` where it is not installed.
fn gstreamer(element: &str, elements: usize, messages: u64) -> Option<f64> {
    let chain = vec![element; elements].join(" ! ");
    let pipeline = format!("fakesrc silent=true num-buffers={messages} ! {chain} ! fakesink silent=true sync=false");
    let begin = Instant::now();
    let status =
        Command::new("gst-launch-1.0").arg("-q").args(pipeline.split_whitespace()).stdout(Stdio::null()).status().ok()?;
    status.success().then(|| begin.elapsed().as_secs_f64())
}
