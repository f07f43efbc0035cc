//! streamlib beside programs written by hand that do the same work, as a table in Markdown. `make bench` runs it.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program that prints a table and may stop where it fails")]

mod by_hand;

use by_hand::ByHand;
use streamlib::prelude::*;
use streamlib::{GpuOptions, Threading};
use streamlib_benches::{Comparison, median};

const FRAMES: usize = 60;
const ROUNDS: usize = 9;
const MESSAGES: u64 = 200_000;
const NODES: u32 = 10;

fn main() {
    // `cargo test` runs benches too, with `--test`: there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let gpu = GpuContext::new(&GpuOptions::default()).expect("a GPU adapter");
    println!("Adapter: {}\n", gpu.adapter_choice().chosen.name);
    println!("| what | limit, by hand | streamlib | streamlib's speed beside the limit |");
    println!("|---|---|---|---|");
    pattern_and_ball(&gpu);
    println!("\n| hop of a message from node to node, statistics on | median |");
    println!("|---|---|");
    for (name, threading) in [("direct call", Threading::Shared), ("queue between threads, pipelined", Threading::Own)] {
        println!("| {name} | {:.3} us |", hop(threading) * 1e6);
    }
}

fn pattern_and_ball(gpu: &GpuContext) {
    let size = Size::new(1920, 1080).expect("a size");
    let by_hand = ByHand::new(gpu.wgpu_device(), gpu.wgpu_queue(), (size.width(), size.height()));
    let ours = || {
        let pattern = TestPattern::new(TestPatternParameters { size, ..Default::default() }).expect("a pattern");
        let mut graph = Graph::new();
        graph.chain((pattern, BouncingBall::default(), Null::default())).expect("a graph");
        let options = RuntimeOptions { mode: Mode::Offline, frames: Some(FRAMES as u64), ..Default::default() };
        let statistics = Runtime::with_gpu(options, gpu.clone()).run(graph).expect("a run");
        statistics.seconds
    };
    let comparison = Comparison::measure(ROUNDS, || by_hand.run(FRAMES), ours);
    let per_frame = |seconds: &[f64]| median(seconds.to_vec()) / FRAMES as f64 * 1e3;
    println!(
        "| test pattern + ball, 1920x1080, offline | {:.2} ms a frame | {:.2} ms a frame | {:.3} |",
        per_frame(&comparison.limit),
        per_frame(&comparison.ours),
        comparison.ratio()
    );
}

#[derive(Clone)]
struct Number(#[allow(dead_code, reason = "what travels is to have a size")] u64);

impl Message for Number {}

struct Numbers(u64);

impl Source<Number> for Numbers {
    fn produce(&mut self, _: &mut Context<'_>) -> Result<Next<Number>> {
        self.0 += 1;
        Ok(if self.0 > MESSAGES { Next::End } else { Next::Item(Number(self.0)) })
    }
}

struct Pass(Threading);

impl Filter<Number, Number> for Pass {
    fn threading(&self) -> Threading {
        self.0
    }
    fn process(&mut self, number: Number, _: &mut Context<'_>) -> Result<Number> {
        Ok(number)
    }
}

/// Seconds a message and hop in a chain of nodes.
fn hop(threading: Threading) -> f64 {
    let run = || {
        let mut graph = Graph::new();
        graph.add("0", Numbers(0)).expect("a node");
        for node in 1..NODES {
            graph.add(node.to_string(), Pass(threading)).expect("a node");
            graph.connect_with(&(node - 1).to_string(), &node.to_string(), Delivery::Block(64)).expect("a link");
        }
        let options = RuntimeOptions { mode: Mode::Offline, ..Default::default() };
        let statistics = Runtime::new(options).run(graph).expect("a run");
        statistics.seconds / MESSAGES as f64 / f64::from(NODES - 1)
    };
    run();
    median((0..5).map(|_| run()).collect())
}
