//! From nanoseconds on the run's clock to the file's ticks.

use streamlib_core::Timestamp;

/// Ticks a second. Microseconds: finer than any camera's clock and 30000/1001 pictures a second stay exact to half of one, while the 32
/// bits of a sample's duration still reach over an hour (with nanoseconds they would end at 4 s).
pub(super) const TIMESCALE: u32 = 1_000_000;
const NANOS_PER_TICK: u128 = 1_000;

/// Places pictures on the file's timeline, which begins at the first of them.
#[derive(Default)]
pub(super) struct Timeline {
    first: Option<Timestamp>,
    last: Option<u64>,
}

impl Timeline {
    /// The tick of the next picture, each rounded by itself, so that nothing adds up. A picture that is not later than the one before is
    /// placed one tick after it: durations in a file are above 0, and pictures keep the order they came in.
    pub(super) fn place(&mut self, timestamp: Timestamp) -> u64 {
        let first = *self.first.get_or_insert(timestamp);
        let nanos = timestamp.saturating_since(first).as_nanos();
        let tick = ((nanos + NANOS_PER_TICK / 2) / NANOS_PER_TICK) as u64;
        let tick = self.last.map_or(tick, |last| tick.max(last + 1));
        self.last = Some(tick);
        tick
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_rounded_one_by_one_and_always_rise() {
        let mut timeline = Timeline::default();
        let mut place = |nanos| timeline.place(Timestamp::from_nanos(nanos));
        assert_eq!(place(-5_000), 0);
        assert_eq!(place(-3_501), 1);
        assert_eq!(place(-3_500), 2);
        assert_eq!(place(-3_500), 3);
        assert_eq!(place(-9_000), 4);
        assert_eq!(place(33_361_666), 33_367);
        assert_eq!(place(3_600_000_000_000), 3_600_000_005);
        assert_eq!(place(i64::MAX), 9_223_372_036_854_776);
    }
}
