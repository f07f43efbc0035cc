//! Live runs beside loops written by hand that do the same: 1920x1080 into `null`, 1280x720 into a recording, at 30 frames a
//! second, drawn and as a camera's pictures come. Tables in Markdown; `make bench` runs it.
//!
//! `STREAMLIB_LIVE_SECONDS` says how long each takes (default 60), `STREAMLIB_LIVE_IN_FLIGHT` how many submissions may be
//! outstanding (default: as shipped), `STREAMLIB_LIVE_ONLY` a part of the name of the runs that are wanted (default: all).
//!
//! The loop by hand draws with the same shaders when a frame is due and waits for the GPU; for the recording it reads the frame
//! back too, and another thread encodes it (and writes no file). It runs half its time before streamlib and half after it, so
//! that a machine that changes meanwhile meets both.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program that prints a table and may stop where it fails")]

use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use streamlib::GpuOptions;
use streamlib::prelude::*;
use streamlib_benches::bare_encoder::BareEncoder;
use streamlib_benches::by_hand::{ByHand, Limit, UploadByHand, stride};
use streamlib_benches::pictures::{Collect, Player};
use streamlib_benches::watch::{Latencies, Watch, WatchedRecord};
use streamlib_benches::{is_test, machine, median, quantile, verdict};

/// Frames that may wait for an encoder, as in streamlib.
const QUEUE: usize = 8;

/// What a way of doing it came to.
#[derive(Default)]
struct Outcome {
    /// Frames that were due.
    due: u64,
    dropped: u64,
    /// What the drops were.
    drops: String,
    /// From capture to the GPU's completion.
    drawn: Latencies,
    /// From capture to the encoded frame.
    encoded: Latencies,
}

impl Outcome {
    fn drop_percent(&self) -> f64 {
        100.0 * self.dropped as f64 / self.due as f64
    }
}

fn main() {
    if is_test() {
        return;
    }
    machine::describe("make bench BENCH=live");
    let seconds = setting("STREAMLIB_LIVE_SECONDS").unwrap_or(60);
    let duration = Duration::from_secs(seconds);
    let gpu = GpuContext::new(&GpuOptions::default()).expect("a GPU adapter");
    // On some adapters drawing is more than the GPU can do in time; what a camera brings it can take.
    let runs = [
        ("test pattern + ball, 1920x1080 into `null`", (1920, 1080), false, true),
        ("test pattern + ball, 1280x720 into a recording", (1280, 720), true, true),
        ("test pattern + ball, 480x270 into `null`", (480, 270), false, true),
        ("`i420` pictures as of a camera, 1920x1080 into `null`", (1920, 1080), false, false),
        ("`i420` pictures as of a camera, 1280x720 into a recording", (1280, 720), true, false),
    ];
    let wanted = std::env::var("STREAMLIB_LIVE_ONLY").unwrap_or_default();
    for (name, size, records, is_drawn) in runs.into_iter().filter(|run| run.0.contains(&wanted)) {
        let (device, queue) = (gpu.wgpu_device(), gpu.wgpu_queue());
        let pictures = if is_drawn { Vec::new() } else { pictures(&gpu, size) };
        let by_hand: Box<dyn Limit> = match (is_drawn, records) {
            (true, false) => Box::new(ByHand::new(device, queue, size)),
            (true, true) => Box::new(ByHand::recording(device, queue, size)),
            (false, _) => Box::new(UploadByHand::new(device, queue, size.0 as usize, pictures.clone(), records)),
        };
        let before = machine::load();
        let mut control = control(&*by_hand, size, records, duration / 2);
        let ours = streamlib(&gpu, size, records, pictures, duration);
        control.add(self::control(&*by_hand, size, records, duration / 2));
        report(&format!("{name}, 30 frames/s, {seconds} s"), duration, &control, &ours, records);
        println!("\nLoad before {before}, after {}. Drops of streamlib: {}.\n", machine::load(), ours.drops);
    }
}

/// Half a second of test pattern and ball on the CPU, as `i420`.
fn pictures(gpu: &GpuContext, size: (u32, u32)) -> Vec<Vec<u8>> {
    let (collect, pictures) = Collect::new();
    let size = Size::new(size.0, size.1).expect("a size");
    let pattern = TestPattern::new(TestPatternParameters { size, ..Default::default() }).expect("a pattern");
    let mut graph = Graph::new();
    graph.chain((pattern, BouncingBall::default(), collect)).expect("a graph");
    let options = RuntimeOptions { mode: Mode::Offline, frames: Some(15), ..Default::default() };
    Runtime::with_gpu(options, gpu.clone()).run(graph).expect("a run");
    pictures.into_iter().collect()
}

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.due += other.due;
        self.dropped += other.dropped;
        self.drawn.extend(&other.drawn);
        self.encoded.extend(&other.encoded);
    }
}

/// The loop by hand.
fn control(by_hand: &dyn Limit, size: (u32, u32), records: bool, duration: Duration) -> Outcome {
    let mut outcome = Outcome::default();
    let (to_encode, frames) = sync_channel::<(Instant, Vec<u8>)>(QUEUE);
    let encoded = outcome.encoded.clone();
    let encoder = std::thread::spawn(move || {
        let mut encoder = records.then(|| BareEncoder::new(size));
        for (captured_at, pixels) in frames {
            encoder.as_mut().map(|encoder| encoder.encode(&pixels, stride(size.0) as usize));
            encoded.note(captured_at, Instant::now());
        }
    });
    let (rate, origin) = (FrameRate::default(), Instant::now());
    let time_of = |number: u64| rate.timestamp_of(number).saturating_since(Timestamp::ZERO);
    let mut next = 0;
    loop {
        let number = rate.index_at(Timestamp::ZERO + origin.elapsed()).max(next);
        if time_of(number) >= duration {
            break;
        }
        outcome.dropped += number - next;
        next = number + 1;
        std::thread::sleep(time_of(number).saturating_sub(origin.elapsed()));
        let captured_at = Instant::now();
        by_hand.make(number as usize);
        outcome.drawn.note(captured_at, Instant::now());
        if records {
            outcome.dropped += u64::from(to_encode.try_send((captured_at, by_hand.pixels(number as usize))).is_err());
        }
    }
    outcome.due = next;
    drop(to_encode);
    encoder.join().expect("the encoder's thread");
    outcome
}

/// Draws where there are no pictures.
fn streamlib(gpu: &GpuContext, size: (u32, u32), records: bool, pictures: Vec<Vec<u8>>, duration: Duration) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    let size = Size::new(size.0, size.1).expect("a size");
    let watch = Watch::default();
    let record = WatchedRecord::new(Record::to(folder.path().join("live.mp4")));
    let (drawn, encoded) = (watch.latencies.clone(), record.latencies.clone());
    let mut graph = Graph::new();
    let last = if pictures.is_empty() {
        let pattern = TestPattern::new(TestPatternParameters { size, ..Default::default() }).expect("a pattern");
        graph.add("source", pattern).expect("a node");
        graph.add("bouncing-ball", BouncingBall::default()).expect("a node");
        graph.connect("source", "bouncing-ball").expect("a link");
        "bouncing-ball"
    } else {
        graph.add("source", Player::new(VideoFormat::new(PixelFormat::I420, size), pictures)).expect("a node");
        "source"
    };
    graph.add("watch", watch).expect("a node");
    let sink = if records { "record" } else { "null" };
    match records {
        true => graph.add(sink, record).expect("a node"),
        false => graph.add(sink, Null::default()).expect("a node"),
    }
    for to in [sink, "watch"] {
        graph.connect(last, to).expect("a link");
    }
    let max_in_flight = setting("STREAMLIB_LIVE_IN_FLIGHT").map(|most| most as usize);
    let options = RuntimeOptions { duration: Some(duration), max_in_flight, ..Default::default() };
    let statistics = Runtime::with_gpu(options, gpu.clone()).run(graph).expect("a run");
    assert_eq!(statistics.unbalanced_links(), Vec::<&str>::new());
    let source = &statistics.nodes["source"];
    let [skipped, gpu_behind] = ["skipped", "gpu_behind"].map(|name| source.counters[name]);
    let delivered = statistics.nodes[sink].counters["frames"];
    let due = source.processed + skipped + gpu_behind;
    let latency = statistics.latency_ms.get(sink).copied().unwrap_or_default();
    let drops = format!(
        "{skipped} skipped (the clock was ahead), {gpu_behind} because the GPU was behind, {} in queues; the statistics' own latency is p50 {:.1} ms, p99 {:.1} ms",
        source.processed - delivered,
        latency.p50,
        latency.p99
    );
    Outcome { due, dropped: due - delivered, drops, drawn, encoded }
}

fn report(what: &str, duration: Duration, control: &Outcome, ours: &Outcome, records: bool) {
    let window = Duration::from_secs(10).min(duration / 3);
    println!("| {what} | by hand | streamlib | beside it | wanted | verdict |");
    println!("|---|---|---|---|---|---|");
    let (limit, drops) = (control.drop_percent(), ours.drop_percent());
    println!(
        "| frames dropped | {limit:.2}% of {} | {drops:.2}% of {} | {:+.2}% | at most +0.1% | {} |",
        control.due,
        ours.due,
        drops - limit,
        verdict(drops - limit <= 0.1)
    );
    let (work, to) = match records {
        false => (&control.drawn, "the GPU's completion"),
        true => (&control.encoded, "the encoded frame"),
    };
    let latencies = if records { &ours.encoded } else { &ours.drawn };
    let (limit, median_ours) = (median(work.all()), median(latencies.all()));
    let times = median_ours / limit;
    println!(
        "| from capture to {to}, median | {limit:.1} ms | {median_ours:.1} ms | {times:.2} times as long | at most 1.5 | {} |",
        verdict(times <= 1.5)
    );
    println!("| the same, 99 of 100 | {:.1} ms | {:.1} ms | | | |", quantile(work.all(), 0.99), quantile(latencies.all(), 0.99));
    if records {
        let (limit, ours) = (median(control.drawn.all()), median(ours.drawn.all()));
        println!("| from capture to the GPU's completion, median | {limit:.1} ms, read back | {ours:.1} ms, drawn | | | |");
    }
    let busy = 100.0 * median(control.drawn.all()) * 30.0 / 1e3;
    println!("| the GPU's share of the time between two frames | {busy:.0}% | | | below 100% or frames must drop | |");
    let (first, last) = latencies.first_and_last(window);
    let (seconds, drift) = (window.as_secs(), last / first);
    println!(
        "| median of the last {seconds} s beside the first {seconds} s | | {last:.1} ms beside {first:.1} ms | {drift:.2} times as long | at most 1.2 | {} |",
        verdict(drift <= 1.2)
    );
}
