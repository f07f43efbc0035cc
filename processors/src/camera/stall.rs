//! When a camera counts as stalled.

use std::time::{Duration, Instant};

/// Notices that nothing has come for too long. Time during which nobody asked does not count.
#[derive(Debug)]
pub(super) struct StallClock {
    limit: Duration,
    waiting_since: Option<Instant>,
}

impl StallClock {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, waiting_since: None }
    }

    /// Somebody waits for a picture. Returns how long may be waited before this is a stall.
    pub(super) fn wait(&mut self, now: Instant) -> Duration {
        let since = *self.waiting_since.get_or_insert(now);
        self.limit.saturating_sub(now.saturating_duration_since(since))
    }

    /// Whether this is a stall. If so, the next one is a whole limit away.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        let over = self.wait(now).is_zero();
        if over {
            self.waiting_since = None;
        }
        over
    }

    /// A picture came.
    pub(super) fn reset(&mut self) {
        self.waiting_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_told_once_a_limit() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut clock = StallClock::new(Duration::from_secs(5));
        assert_eq!(clock.wait(at(0)), Duration::from_secs(5));
        assert_eq!(clock.wait(at(3)), Duration::from_secs(2));
        assert!(!clock.is_over(at(4)));
        assert!(clock.is_over(at(5)));
        assert!(!clock.is_over(at(6)), "the next stall is a whole limit away");
        assert!(clock.is_over(at(11)));
        clock.reset();
        assert!(!clock.is_over(at(60)), "time during which nobody asked does not count");
    }
}
