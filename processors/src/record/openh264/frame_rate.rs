//! How many pictures a second arrive, as bitrate control needs to know it.

use std::time::Duration;

use streamlib_core::Timestamp;

/// Measures the rate of timestamps and says when it has changed enough to matter.
pub(super) struct FrameRateMeter {
    last: Option<Timestamp>,
    interval: Option<f32>,
    intervals: u32,
    told: f32,
}

impl Default for FrameRateMeter {
    fn default() -> Self {
        Self { last: None, interval: None, intervals: 0, told: Self::ASSUMED }
    }
}

impl FrameRateMeter {
    /// What an encoder is told before anything was measured, in pictures a second.
    pub(super) const ASSUMED: f32 = 30.0;
    /// What OpenH264's rate control can be told.
    const RATES: (f32, f32) = (1.0, 60.0);
    /// A longer interval is a stall, not a rate.
    const STALL: Duration = Duration::from_secs(2);
    /// Intervals before the first word and between two.
    const PATIENCE: u32 = 4;
    /// Differences below this fraction are not worth disturbing the rate control.
    const TOLERANCE: f32 = 0.1;

    /// Takes the next timestamp; gives the new rate in pictures a second if it has changed.
    pub(super) fn measure(&mut self, timestamp: Timestamp) -> Option<f32> {
        let interval = timestamp.saturating_since(self.last.replace(timestamp)?);
        if interval.is_zero() || interval > Self::STALL {
            return None;
        }
        let seconds = interval.as_secs_f32();
        let mean = self.interval.get_or_insert(seconds);
        *mean += (seconds - *mean) / 8.0;
        let rate = (1.0 / *mean).clamp(Self::RATES.0, Self::RATES.1);
        self.intervals += 1;
        if self.intervals < Self::PATIENCE || (rate / self.told - 1.0).abs() < Self::TOLERANCE {
            return None;
        }
        self.intervals = 0;
        self.told = rate;
        Some(rate)
    }

    /// The listener has forgotten the rate and assumes [`ASSUMED`](Self::ASSUMED) again.
    pub(super) fn say_again(&mut self) {
        self.told = Self::ASSUMED;
        self.intervals = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(intervals_ms: impl IntoIterator<Item = u64>) -> Vec<f32> {
        let mut meter = FrameRateMeter::default();
        let mut at = Timestamp::ZERO;
        meter.measure(at);
        intervals_ms
            .into_iter()
            .filter_map(|interval| {
                meter.measure({
                    at = at + Duration::from_millis(interval);
                    at
                })
            })
            .collect()
    }

    #[test]
    fn a_steady_rate_is_told_once_and_the_assumed_one_never() {
        assert_eq!(rates([100; 50]), [10.0]);
        assert!(rates([33; 50]).is_empty());
        assert_eq!(rates([1; 50]), [60.0]);
    }

    #[test]
    fn stalls_and_equal_timestamps_are_no_rate() {
        assert!(rates([33, 33, 0, 33, 60_000, 33, 33, 0, 0, 33]).is_empty());
    }

    #[test]
    fn a_change_is_followed() {
        let told = rates([33; 30].into_iter().chain([100; 60]));
        assert!((told.last().unwrap() - 10.0).abs() < 1.0, "{told:?}");
        assert!(told.len() < 12, "{told:?}");
    }
}
