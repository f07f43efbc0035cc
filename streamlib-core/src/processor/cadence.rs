//! When a source that makes its own pictures makes the next.

use super::{Context, Counter};
use crate::{FrameRate, Timestamp};

/// The rhythm of a source that makes pictures by itself, rather than wait for a device. Live it follows the run's clock: pictures that are
/// missed are skipped, their numbers too. Offline it gives one number after the other.
#[derive(Clone, Debug)]
pub struct Cadence {
    rate: FrameRate,
    next: u64,
    /// The number of the picture whose time is `origin`.
    base: u64,
    origin: Option<Timestamp>,
    skipped: Counter,
    gpu_behind: Counter,
}

impl Cadence {
    /// So many pictures a second, from the first call of [`next`](Self::next) on.
    pub fn new(rate: FrameRate) -> Self {
        Self { rate, next: 0, base: 0, origin: None, skipped: Counter::default(), gpu_behind: Counter::default() }
    }

    /// For `setup`: counts what is not made among the node's counters, as `skipped` (the clock was ahead) and `gpu_behind` (the GPU had too
    /// much to do). After a failure numbers and times go on: who aligns or records them cannot go back.
    pub fn count(&mut self, cx: &Context<'_>) {
        self.skipped = cx.counter("skipped");
        self.gpu_behind = cx.counter("gpu_behind");
    }

    /// Pictures a second.
    pub fn rate(&self) -> FrameRate {
        self.rate
    }

    /// Changes the rate: the next picture keeps its time, those after it follow at the new rate.
    pub fn set_rate(&mut self, rate: FrameRate) {
        if rate != self.rate {
            self.origin = Some(self.time_of(self.next));
            self.base = self.next;
            self.rate = rate;
        }
    }

    /// Waits until a picture is due and the GPU can take it. Returns its number and capture time; `None` if there is none to be made now:
    /// the run is ending, or the GPU is behind.
    pub fn next(&mut self, cx: &Context<'_>) -> Option<(u64, Timestamp)> {
        if !cx.is_offline() {
            // Pictures whose successor is due already are missed.
            let origin = *self.origin.get_or_insert_with(|| cx.now());
            let since = Timestamp::ZERO + cx.now().saturating_since(origin);
            let due = (self.base + self.rate.index_at(since)).max(self.next);
            self.skipped.add(due - self.next);
            self.next = due;
            if !cx.wait_until(self.time_of(due)) {
                return None;
            }
        }
        self.next += 1;
        if !cx.admit(self.time_of(self.next)) {
            self.gpu_behind.add(1);
            return None;
        }
        Some((self.next - 1, self.time_of(self.next - 1)))
    }

    /// The capture time of a picture: live, the first one's is the moment at which it was asked for.
    fn time_of(&self, sequence: u64) -> Timestamp {
        let since = self.rate.timestamp_of(sequence.saturating_sub(self.base)).saturating_since(Timestamp::ZERO);
        self.origin.unwrap_or_default() + since
    }
}
