//! What happens during a run and is worth telling at once.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::time::deadline_after;
use crate::{Error, Timestamp};

/// How many events a run remembers for those who have not read them yet.
const CAPACITY: usize = 1024;

/// Something that happened during a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunEvent {
    /// When, on the run's clock.
    pub time: Timestamp,
    /// To which node.
    pub node: Arc<str>,
    /// What.
    pub kind: RunEventKind,
}

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RunEventKind {
    /// The processor failed or panicked.
    Failed {
        /// Why.
        error: Error,
        /// What becomes of it.
        reaction: Reaction,
    },
    /// The processor works again, after so many failures in a row.
    Restarted {
        /// How often it had failed.
        failures: u32,
    },
    /// Parameters that were set while it ran were refused by the processor itself, for instance by its device. It goes on as
    /// before.
    ParametersRefused {
        /// Why.
        error: Error,
    },
}

/// What becomes of a processor that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The run ends.
    Stop,
    /// The run goes on without it.
    Bypass,
    /// It goes on with the next message.
    Skip,
    /// It is set up again after this time.
    RestartAfter(Duration),
    /// It was to be set up again, but its inputs have ended, or the run was stopped. The run returns this error.
    GiveUp,
}

/// The events of one run.
#[derive(Default)]
pub(super) struct EventLog {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    events: VecDeque<RunEvent>,
    /// How many were ever told.
    told: u64,
    is_over: bool,
}

impl EventLog {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, event: RunEvent) {
        let mut state = self.state();
        state.told += 1;
        if state.events.len() == CAPACITY {
            state.events.pop_front();
        }
        state.events.push_back(event);
        self.changed.notify_all();
    }

    pub(super) fn end(&self) {
        self.state().is_over = true;
        self.changed.notify_all();
    }
}

/// The events of a run, from its beginning. Each `Events` reads all of them; of those that nobody reads, the run remembers the
/// last thousand.
pub struct Events {
    pub(super) log: Arc<EventLog>,
    /// The number of the next event to read.
    pub(super) next: u64,
}

impl Events {
    /// The next event. Waits for it at most so long; `None` if there was none, or the run is over.
    pub fn next(&mut self, timeout: Duration) -> Option<RunEvent> {
        let deadline = deadline_after(timeout);
        let mut state = self.log.state();
        loop {
            let oldest = state.told - state.events.len() as u64;
            let index = self.next.max(oldest);
            if let Some(event) = state.events.get((index - oldest) as usize) {
                self.next = index + 1;
                return Some(event.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.is_over || left.is_zero() {
                return None;
            }
            state = self.log.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
