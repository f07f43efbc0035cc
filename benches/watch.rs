//! Sinks that note for each frame how long it took from its capture: the runtime's own percentiles are of the whole run.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use streamlib::Counter;
use streamlib::prelude::*;
use streamlib::{ReadyToken, Threading};

use crate::median;

/// Moments of capture, and how many milliseconds later each frame was delivered.
#[derive(Clone, Default)]
pub struct Latencies(Arc<Mutex<Vec<(Instant, f64)>>>);

impl Latencies {
    /// Notes a frame that was delivered then.
    pub fn note(&self, captured_at: Instant, delivered: Instant) {
        let latency = delivered.saturating_duration_since(captured_at).as_secs_f64() * 1e3;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((captured_at, latency));
    }

    /// Adds those of another run.
    pub fn extend(&self, other: &Self) {
        let others = other.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(others);
    }

    /// All of them.
    pub fn all(&self) -> Vec<f64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(_, latency)| *latency).collect()
    }

    /// The medians of the first and of the last frames, those captured within `window` of the beginning and of the end.
    pub fn first_and_last(&self, window: Duration) -> (f64, f64) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some((begin, _)), Some((end, _))) = (all.first(), all.last()) else { return (f64::NAN, f64::NAN) };
        let median_of = |is_within: &dyn Fn(Instant) -> bool| {
            median(all.iter().filter(|(captured, _)| is_within(*captured)).map(|(_, latency)| *latency).collect())
        };
        (median_of(&|captured| captured < *begin + window), median_of(&|captured| captured + window > *end))
    }
}

/// Notes when the GPU has finished each frame. Waits for nothing until the end.
#[derive(Default)]
pub struct Watch {
    /// What it has noted.
    pub latencies: Latencies,
    recorded: Vec<VideoFrame>,
    submitted: VecDeque<(ReadyToken, Instant)>,
}

impl Sink for Watch {
    fn input(&self) -> InputOptions {
        // Nothing is to be converted for who only looks on.
        InputOptions { formats: Some(PixelFormat::ALL), ..Default::default() }
    }

    fn consume(&mut self, frame: VideoFrame, _: &mut Context<'_>) -> Result<()> {
        self.recorded.push(frame);
        Ok(())
    }

    fn submitted(&mut self, cx: &mut Context<'_>) -> Result<()> {
        for frame in self.recorded.drain(..) {
            self.submitted.extend(frame.ready(cx.gpu()?).map(|token| (token, frame.captured_at())));
        }
        while let Some((token, captured_at)) = self.submitted.front() {
            let Some(completed) = token.completed_at() else { break };
            self.latencies.note(*captured_at, completed);
            self.submitted.pop_front();
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Context<'_>) -> Result<()> {
        for (token, captured_at) in self.submitted.drain(..) {
            token.wait(Duration::from_secs(10))?;
            self.latencies.note(captured_at, token.completed_at().unwrap_or_else(Instant::now));
        }
        Ok(())
    }
}

/// A recording that notes when each frame was handed to the file's writer.
pub struct WatchedRecord {
    record: Record,
    /// What it has noted.
    pub latencies: Latencies,
    /// How many frames `record` says it has written.
    written: Counter,
    noted: u64,
    taken: VecDeque<Instant>,
}

impl WatchedRecord {
    /// Watches this recording.
    pub fn new(record: Record) -> Self {
        Self { record, latencies: Latencies::default(), written: Counter::default(), noted: 0, taken: VecDeque::new() }
    }

    fn note(&mut self) {
        let now = Instant::now();
        for captured_at in self.taken.drain(..(self.written.get() - self.noted) as usize) {
            self.latencies.note(captured_at, now);
        }
        self.noted = self.written.get();
    }
}

impl Sink for WatchedRecord {
    fn input(&self) -> InputOptions {
        self.record.input()
    }

    fn threading(&self) -> Threading {
        self.record.threading()
    }

    fn tick_interval(&self) -> Option<Duration> {
        self.record.tick_interval()
    }

    fn tick(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.record.tick(cx)?;
        self.note();
        Ok(())
    }

    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.written = cx.counter("frames");
        self.record.setup(cx)
    }

    fn consume(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<()> {
        self.taken.push_back(frame.captured_at());
        self.record.consume(frame, cx)
    }

    fn submitted(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.record.submitted(cx)?;
        self.note();
        Ok(())
    }

    fn finish(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.record.finish(cx)?;
        self.note();
        Ok(())
    }
}
