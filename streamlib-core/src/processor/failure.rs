//! What becomes of a run when one of its processors fails.

use std::fmt;
use std::time::Duration;

/// What happens when a processor fails or panics. Set it with [`Graph::on_failure`](crate::Graph::on_failure).
///
/// Three things end the run whatever the policy says: a lost GPU device, a processor that is stuck (its thread cannot be
/// interrupted), and a failure to finish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FailurePolicy {
    /// The graph drains, and the run returns the error.
    #[default]
    Stop,
    /// The graph goes on without it: what a filter takes goes through unchanged, also the message at which it failed; a sink is
    /// left out, unless it cannot even be set up. The run then goes on to its end and returns the first such error there; when
    /// every sink has been left out it ends. Costs a filter one more texture, because its last message is kept.
    Bypass,
    /// Only the message at which it failed is passed over: of a filter that gives what it takes it goes through unchanged, otherwise it is left
    /// out. The next is processed as usual. A failure to set up is as under `Stop`; so is one before the message was taken, and any of a
    /// source, which has none. Costs a filter one more texture, because its last message is kept.
    Skip,
    /// Its [`setup`](crate::Processor::setup) is called again after a while, and it goes on. Meanwhile a live graph drops what
    /// comes to it, counted as `restarting`; an offline graph waits. When its inputs end meanwhile it is not tried again, and
    /// the run returns its error; so it does when it is stopped meanwhile. A source that has given something before owes nothing.
    Restart(Restart),
}

/// How often and after how long a processor is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// How long after the first failure. Doubles with each failure in a row. Default: 0.1 s.
    pub first_delay: Duration,
    /// The longest delay. A processor that has worked for so long since its restart begins anew with its count of failures; to
    /// have waited for a message is not to have worked. Default: 10 s.
    pub longest_delay: Duration,
    /// After so many failures in a row the next is as under [`FailurePolicy::Stop`]. `None`: it is tried for ever, as a robot
    /// wants its camera back. Default: 5.
    pub limit: Option<u32>,
}

impl Default for Restart {
    fn default() -> Self {
        Self { first_delay: Duration::from_millis(100), longest_delay: Duration::from_secs(10), limit: Some(5) }
    }
}

impl Restart {
    /// How long to wait after so many failures in a row; `None` when it is not to be tried again.
    pub(crate) fn delay(&self, failures: u32) -> Option<Duration> {
        if self.limit.is_some_and(|limit| failures > limit) {
            return None;
        }
        let factor = 2u32.saturating_pow(failures.saturating_sub(1));
        Some(self.first_delay.saturating_mul(factor).min(self.longest_delay))
    }
}

/// `stop`, `bypass`, `skip`, `restart`.
impl fmt::Display for FailurePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop => "stop",
            Self::Bypass => "bypass",
            Self::Skip => "skip",
            Self::Restart(_) => "restart",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_end_at_the_limit() {
        let restart = Restart { first_delay: Duration::from_secs(1), longest_delay: Duration::from_secs(5), limit: Some(4) };
        let delays: Vec<_> = (1..=5).map(|failures| restart.delay(failures).map(|delay| delay.as_secs())).collect();
        assert_eq!(delays, [Some(1), Some(2), Some(4), Some(5), None]);
        let endless = Restart { limit: None, ..restart };
        assert_eq!(endless.delay(u32::MAX), Some(Duration::from_secs(5)));
    }
}
