//! The run's clock: monotonic, or advanced by hand in tests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crossbeam::sync::Unparker;

use crate::Timestamp;

/// A clock that a test advances. Sources that wait for a time sleep until it is reached.
///
/// ```
/// use std::time::Duration;
/// use streamlib_core::{ManualClock, Timestamp};
///
/// let clock = ManualClock::default();
/// clock.advance(Duration::from_millis(40));
/// assert_eq!(clock.now(), Timestamp::from_nanos(40_000_000));
/// ```
#[derive(Clone, Default)]
pub struct ManualClock(Arc<Mutex<Manual>>);

#[derive(Default)]
struct Manual {
    now: Timestamp,
    sleepers: Vec<Unparker>,
}

impl ManualClock {
    fn state(&self) -> MutexGuard<'_, Manual> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        self.state().now
    }

    /// Lets time pass and wakes who waited for it.
    pub fn advance(&self, duration: Duration) {
        let mut state = self.state();
        state.now = state.now + duration;
        for sleeper in &state.sleepers {
            sleeper.unpark();
        }
    }

    fn wake_on_advance(&self, sleeper: Unparker) {
        self.state().sleepers.push(sleeper);
    }
}

impl std::fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ManualClock({:?})", self.now())
    }
}

/// The clock of one run.
pub(crate) enum Clock {
    Monotonic { origin: Instant, wall: SystemTime },
    Manual(ManualClock),
}

impl Clock {
    pub(crate) fn new(manual: Option<&ManualClock>) -> Self {
        match manual {
            Some(clock) => Self::Manual(clock.clone()),
            None => Self::Monotonic { origin: Instant::now(), wall: SystemTime::now() },
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.timestamp_of(Instant::now())
    }

    pub(crate) fn timestamp_of(&self, instant: Instant) -> Timestamp {
        match self {
            Self::Monotonic { origin, .. } if instant >= *origin => Timestamp::ZERO + (instant - *origin),
            Self::Monotonic { origin, .. } => Timestamp::ZERO - (*origin - instant),
            Self::Manual(clock) => clock.now(),
        }
    }

    /// When a sleeper must wake by itself to see `time`; `None` on a manual clock, which wakes its sleepers.
    pub(crate) fn instant_of(&self, time: Timestamp) -> Option<Instant> {
        match self {
            Self::Monotonic { origin, .. } => Some(*origin + time.saturating_since(Timestamp::ZERO)),
            Self::Manual(_) => None,
        }
    }

    /// The wall time of timestamp 0, in nanoseconds of Unix time, so that machines can be compared.
    pub(crate) fn unix_origin_nanos(&self) -> Option<u64> {
        match self {
            Self::Monotonic { wall, .. } => {
                wall.duration_since(SystemTime::UNIX_EPOCH).ok().and_then(|since| u64::try_from(since.as_nanos()).ok())
            }
            Self::Manual(_) => None,
        }
    }

    pub(crate) fn wake_on_advance(&self, sleeper: Unparker) {
        if let Self::Manual(clock) = self {
            clock.wake_on_advance(sleeper);
        }
    }
}
