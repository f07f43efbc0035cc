//! What a hop from node to node costs in small and in large graphs, as a chain and as a fan, and how long large graphs take to
//! start and to stop. As tables in Markdown; `make bench` runs it.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program that prints a table and may stop where it fails")]

use std::time::{Duration, Instant};

use streamlib::Threading;
use streamlib::prelude::*;
use streamlib_benches::{is_test, machine, median};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
/// Hops a run, whatever the graph's size.
const HOPS: usize = 2_000_000;
const ROUNDS: usize = 5;

#[derive(Clone)]
struct Number(#[allow(dead_code, reason = "what travels is to have a size")] u64);

impl Message for Number {}

struct Numbers(u64, u64);

impl Source<Number> for Numbers {
    fn produce(&mut self, _: &mut Context<'_>) -> Result<Next<Number>> {
        self.0 += 1;
        Ok(if self.0 > self.1 { Next::End } else { Next::Item(Number(self.0)) })
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

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Chain,
    Fan,
}

fn graph(shape: Shape, nodes: usize, messages: u64, threading: Threading) -> Graph {
    let mut graph = Graph::new();
    graph.add("0", Numbers(0, messages)).expect("a node");
    for node in 1..nodes {
        graph.add(node.to_string(), Pass(threading)).expect("a node");
        let before = if shape == Shape::Chain { node - 1 } else { 0 };
        graph.connect_with(&before.to_string(), &node.to_string(), Delivery::Block(1)).expect("a link");
    }
    graph
}

/// Seconds a hop.
fn hop(shape: Shape, nodes: usize) -> f64 {
    let messages = (HOPS / (nodes - 1)).max(1) as u64;
    let options = RuntimeOptions { mode: Mode::Offline, ..Default::default() };
    let statistics = Runtime::new(options).run(graph(shape, nodes, messages, Threading::Shared)).expect("a run");
    statistics.seconds / messages as f64 / (nodes - 1) as f64
}

/// What a start and a stop came to.
struct StartAndStop {
    /// Seconds until the first message came through.
    started: f64,
    /// Seconds from asking to stop until the end.
    stopped: f64,
    /// Calls of nodes from asking to stop until the end, with what was under way.
    calls: u64,
}

fn start_and_stop(shape: Shape, nodes: usize, threading: Threading, stop: Stop) -> StartAndStop {
    let graph = graph(shape, nodes, u64::MAX, threading);
    let options = RuntimeOptions { mode: Mode::Offline, ..Default::default() };
    let begin = Instant::now();
    let running = Runtime::new(options).start(graph).expect("a start");
    let last = (nodes - 1).to_string();
    while running.statistics().nodes[&last].processed == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let started = begin.elapsed().as_secs_f64();
    let calls = |statistics: &Statistics| statistics.nodes.values().map(|node| node.processed).sum::<u64>();
    let before = calls(&running.statistics());
    let begin = Instant::now();
    running.stop(stop);
    let (statistics, outcome) = running.wait();
    let stopped = begin.elapsed().as_secs_f64();
    outcome.expect("a good end");
    assert_eq!(statistics.unbalanced_links(), Vec::<&str>::new());
    StartAndStop { started, stopped, calls: calls(&statistics) - before }
}

fn main() {
    if is_test() {
        return;
    }
    machine::describe("make bench BENCH=scale");
    println!("| cost of a hop by direct call | 10 nodes | 100 | 1,000 | 10,000 | 10,000 beside 10 |");
    println!("|---|---|---|---|---|---|");
    for (name, shape) in [("chain", Shape::Chain), ("fan", Shape::Fan)] {
        // In turn, so that whatever else the machine does meets all sizes.
        let rounds: Vec<_> = (0..ROUNDS).map(|_| SIZES.map(|nodes| hop(shape, nodes))).collect();
        let medians = [0, 1, 2, 3].map(|size| median(rounds.iter().map(|round| round[size]).collect()));
        let [ten, hundred, thousand, all] = medians.map(|seconds| seconds * 1e6);
        let ratio = median(rounds.iter().map(|round| round[3] / round[0]).collect());
        println!("| {name} | {ten:.3} us | {hundred:.3} us | {thousand:.3} us | {all:.3} us | {ratio:.2} |");
    }
    println!(
        "\n| 1,000 nodes | start, until the first message is through | stop, discarding | stop, draining | calls of nodes meanwhile |"
    );
    println!("|---|---|---|---|---|");
    for (name, shape, threading) in [
        ("chain on one thread", Shape::Chain, Threading::Shared),
        ("fan on one thread", Shape::Fan, Threading::Shared),
        ("chain, a thread each", Shape::Chain, Threading::Own),
        ("fan, a thread each", Shape::Fan, Threading::Own),
    ] {
        let rounds = |stop| (0..ROUNDS).map(|_| start_and_stop(shape, 1_000, threading, stop)).collect::<Vec<_>>();
        let (drained, discarded) = (rounds(Stop::Drain), rounds(Stop::Discard));
        let milliseconds = |rounds: &[StartAndStop], of: fn(&StartAndStop) -> f64| 1e3 * median(rounds.iter().map(of).collect());
        println!(
            "| {name} | {:.0} ms | {:.0} ms | {:.0} ms | {:.0} |",
            milliseconds(&drained, |round| round.started),
            milliseconds(&discarded, |round| round.stopped),
            milliseconds(&drained, |round| round.stopped),
            median(drained.iter().map(|round| round.calls as f64).collect()),
        );
    }
}
