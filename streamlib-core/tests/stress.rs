//! Random graphs, policies and stops: every message is accounted for, whatever happens.
//!
//! `STREAMLIB_STRESS_ROUNDS` sets how many (default 150); a failure names the seed, `STREAMLIB_STRESS_SEED` runs just that.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use streamlib_core::*;

/// Counts how many of it are alive: at the end there must be none.
struct Tracked(Arc<AtomicU64>);

impl Tracked {
    fn new(alive: &Arc<AtomicU64>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(alive.clone())
    }
}

impl Clone for Tracked {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Message for Tracked {}

/// splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
    fn delivery(&mut self) -> Delivery {
        let capacity = 1 + self.below(4) as usize;
        match self.below(3) {
            0 => Delivery::Latest,
            1 => Delivery::DropOldest(capacity),
            _ => Delivery::Block(capacity),
        }
    }
}

struct Emit {
    alive: Arc<AtomicU64>,
    left: u64,
}

impl Source<Tracked> for Emit {
    fn produce(&mut self, _: &mut Context<'_>) -> Result<Next<Tracked>> {
        if self.left == 0 {
            return Ok(Next::End);
        }
        self.left -= 1;
        Ok(Next::Item(Tracked::new(&self.alive)))
    }
}

/// Any number of inputs, one output: passes on, multiplies, swallows, fails or dawdles, as the dice say.
struct Mess {
    inputs: Vec<In<Tracked>>,
    count: usize,
    deliveries: Vec<Delivery>,
    out: Out<Tracked>,
    random: Random,
    threading: Threading,
    fails_after: Option<u64>,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

impl Processor for Mess {
    fn ports(&mut self, ports: &mut Ports) {
        let input = |index: usize| InputOptions { name: NAMES[index], delivery: self.deliveries[index], ..Default::default() };
        self.inputs = (0..self.count).map(|index| ports.input(input(index))).collect();
        self.out = ports.output(OutputOptions::default());
    }
    fn threading(&self) -> Threading {
        self.threading
    }
    fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        for index in 0..self.inputs.len() {
            let input = self.inputs[index];
            let message = if self.random.below(8) == 0 { cx.latest(input) } else { cx.take(input) };
            let Some(message) = message else { continue };
            for _ in 0..[1, 1, 1, 0, 2][self.random.below(5) as usize] {
                cx.send(self.out, message.clone());
            }
            if self.random.below(50) == 0 {
                std::thread::yield_now();
            }
            if let Some(left) = &mut self.fails_after {
                match left.checked_sub(1) {
                    Some(less) => *left = less,
                    None if self.random.below(2) == 0 => panic!("as the dice said"),
                    None => return Err(Error::new(ErrorKind::Io, "as the dice said")),
                }
            }
        }
        Ok(if self.random.below(400) == 0 { Flow::End } else { Flow::Continue })
    }
}

fn round(seed: u64) {
    let mut random = Random(seed);
    let alive = Arc::new(AtomicU64::new(0));
    let mut graph = Graph::new();
    let sources = 1 + random.below(2);
    for index in 0..sources {
        let left = if random.below(3) == 0 { u64::MAX } else { random.below(300) };
        graph.add(format!("n{index}"), Emit { alive: alive.clone(), left }).unwrap();
    }
    let mut fails = false;
    for index in sources..10 {
        let count = 1 + random.below(3) as usize;
        let deliveries = (0..count).map(|_| random.delivery()).collect();
        let threading = if random.below(3) == 0 { Threading::Own } else { Threading::Shared };
        let fails_after = (random.below(12) == 0).then(|| random.below(100));
        fails |= fails_after.is_some();
        let inner = Random(random.next());
        let mess = Mess { inputs: Vec::new(), count, deliveries, out: Out::default(), random: inner, threading, fails_after };
        graph.add(format!("n{index}"), mess).unwrap();
        for name in NAMES.iter().take(count) {
            graph.connect(&format!("n{}", random.below(index)), &format!("n{index}.{name}")).unwrap();
        }
    }
    let mode = if random.below(2) == 0 { Mode::Live } else { Mode::Offline };
    let frames = (random.below(3) == 0).then(|| 1 + random.below(200));
    // A drain that hangs must not be saved by its deadline.
    let drain_deadline = Duration::from_secs(3600);
    let options = RuntimeOptions { mode, frames, drain_deadline, stop_on_signals: false, ..Default::default() };
    let begun = Instant::now();
    let mut discards = false;
    let running = Runtime::new(options).start(graph).unwrap();
    while !running.wait_for(Duration::from_micros(random.below(3000))) {
        let statistics = running.statistics();
        assert!(statistics.unbalanced_links().is_empty(), "seed {seed}, while running: {:?}", statistics.links);
        assert!(begun.elapsed() < Duration::from_secs(60), "seed {seed} hangs: {:?}", statistics.links);
        match random.below(4) {
            0 => running.stop(Stop::Drain),
            1 if seed.is_multiple_of(2) => {
                discards = true;
                running.stop(Stop::Discard);
            }
            2 => running.pause(),
            _ => running.resume(),
        }
    }
    let (statistics, outcome) = running.wait();
    match outcome {
        Err(error) => assert!(fails && error.to_string().contains("as the dice said"), "seed {seed}: {error}"),
        Ok(()) => assert!(statistics.nodes.values().all(|node| node.errors == 0), "seed {seed}: an error was lost"),
    }
    assert!(statistics.unbalanced_links().is_empty(), "seed {seed}: {:?}", statistics.links);
    assert!(statistics.links.values().all(|link| link.counts.queued == 0), "seed {seed}: {:?}", statistics.links);
    let discarded: u64 = statistics.links.values().map(|link| link.counts.dropped.discarded).sum();
    assert!(discards || discarded == 0, "seed {seed}: draining discarded {discarded}: {:?}", statistics.links);
    assert_eq!(alive.load(Ordering::Relaxed), 0, "seed {seed}: messages leaked");
}

#[test]
fn every_message_is_accounted_for() {
    std::panic::set_hook(Box::new({
        let default = std::panic::take_hook();
        move |info| {
            if !info.to_string().contains("as the dice said") {
                default(info);
            }
        }
    }));
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse::<u64>().unwrap());
    if let Some(seed) = number("STREAMLIB_STRESS_SEED") {
        return round(seed);
    }
    for seed in 0..number("STREAMLIB_STRESS_ROUNDS").unwrap_or(150) {
        round(seed);
    }
}
