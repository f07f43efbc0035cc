//! One budget of bytes for all pools of a device: what is free anywhere goes before anybody is refused, and who is refused learns who
//! holds what.

use std::any::Any;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::pool::LeaseReport;
use crate::{Error, ErrorKind, Result};

/// How long a taker waits for memory to come back when the budget is used up.
const PATIENCE: Duration = Duration::from_secs(2);

/// What pools have in common for the budget.
pub(super) trait Pooled: Send + Sync {
    /// Lets everything go that nobody uses, but for what is of the key that is wanted: who wants it finds it.
    fn trim(&self, wanted: &dyn Any);

    /// What is out.
    fn leases(&self) -> Vec<LeaseReport>;
}

/// What a budget is for, in its errors.
#[derive(Clone, Copy)]
pub(super) struct Purse {
    pub(super) what: &'static str,
    pub(super) hint: &'static str,
}

pub(super) struct Budget {
    purse: Purse,
    limit: u64,
    state: Mutex<State>,
    return_seen: Condvar,
}

#[derive(Default)]
struct State {
    bytes: u64,
    peak: u64,
    /// Rises with each thing that comes back to a pool or is let go of.
    returns: u64,
    /// Threads that wait for that.
    waiting: usize,
    pools: Vec<Weak<dyn Pooled>>,
}

/// What all pools of a device hold together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MemoryStatistics {
    /// Bytes of the textures and buffers that exist, free or in use.
    pub bytes: u64,
    /// The most there ever were.
    pub peak_bytes: u64,
    /// The most there may be.
    pub budget_bytes: u64,
}

/// What a pool may do that wants one more.
pub(super) enum Room<T> {
    /// Take what was free.
    Found(T),
    /// Make a new one.
    Reserved(Reservation),
}

/// Bytes of the budget. They come back when this drops.
pub(super) struct Reservation {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        state.bytes -= self.bytes;
        self.budget.returned(state);
    }
}

impl Budget {
    pub(super) fn new(purse: Purse, limit: u64) -> Arc<Self> {
        Arc::new(Self { purse, limit, state: Mutex::default(), return_seen: Condvar::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn join(&self, pool: Weak<dyn Pooled>) {
        self.state().pools.push(pool);
    }

    pub(super) fn statistics(&self) -> MemoryStatistics {
        let state = self.state();
        MemoryStatistics { bytes: state.bytes, peak_bytes: state.peak, budget_bytes: self.limit }
    }

    fn pools(&self) -> Vec<Arc<dyn Pooled>> {
        self.state().pools.iter().filter_map(Weak::upgrade).collect()
    }

    /// What is out of all pools.
    pub(super) fn leases(&self) -> Vec<LeaseReport> {
        self.pools().iter().flat_map(|pool| pool.leases()).collect()
    }

    /// Finds something free, or takes `bytes` for something new, after letting go of what nobody uses. Waits up to two seconds when the
    /// budget is used up, then fails with [`ErrorKind::OutOfMemory`], saying who holds what. `what` is wanted, `a texture`, of the key
    /// `wanted`.
    ///
    /// No lock is held while `find` or the pools are asked.
    pub(super) fn reserve<T>(
        self: &Arc<Self>,
        what: &str,
        wanted: &dyn Any,
        bytes: u64,
        mut find: impl FnMut() -> Option<T>,
    ) -> Result<Room<T>> {
        if bytes > self.limit {
            // Nobody can give back enough.
            let message = format!("{what} of {bytes} bytes does not fit into {} of {} bytes", self.purse.what, self.limit);
            return Err(Error::new(ErrorKind::OutOfMemory, message).hint("raise the budget or take less"));
        }
        // In the steady state something is free, and nothing else is asked.
        if let Some(found) = find() {
            return Ok(Room::Found(found));
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let returns = self.state().returns;
            let mut look = || find().map(Room::Found).or_else(|| self.take(bytes).map(Room::Reserved));
            if let Some(room) = look() {
                return Ok(room);
            }
            self.pools().iter().for_each(|pool| pool.trim(wanted));
            if let Some(room) = look() {
                return Ok(room);
            }
            let mut state = self.state();
            // What came back since it was looked is looked at before waiting.
            while state.returns == returns {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    drop(state);
                    return Err(self.refusal(bytes));
                }
                state.waiting += 1;
                state = self.return_seen.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                state.waiting -= 1;
            }
        }
    }

    fn take(self: &Arc<Self>, bytes: u64) -> Option<Reservation> {
        let mut state = self.state();
        let after = state.bytes.checked_add(bytes).filter(|after| *after <= self.limit)?;
        state.bytes = after;
        state.peak = state.peak.max(after);
        Some(Reservation { budget: self.clone(), bytes })
    }

    fn refusal(&self, bytes: u64) -> Error {
        let mut groups: Vec<Vec<LeaseReport>> = Vec::new();
        for lease in self.leases() {
            match groups.iter_mut().find(|group| group[0].is_like(&lease)) {
                Some(group) => group.push(lease),
                None => groups.push(vec![lease]),
            }
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.iter().map(|lease| lease.bytes).sum::<u64>()));
        let holders = groups.iter_mut().map(|group| {
            group.sort_by_key(|lease| std::cmp::Reverse(lease.held));
            match &group[..] {
                [one] => one.to_string(),
                [first, more @ ..] => format!("{first} and {} more like it", more.len()),
                [] => String::new(),
            }
        });
        let holders = holders.collect::<Vec<_>>().join("; ");
        let Purse { what, hint } = self.purse;
        let message = format!("{what} of {} bytes is used up: {bytes} more bytes are needed, held are: {holders}", self.limit);
        Error::new(ErrorKind::OutOfMemory, message).hint(hint)
    }

    /// Something came back to its pool.
    pub(super) fn notice_return(&self) {
        self.returned(self.state());
    }

    fn returned(&self, mut state: MutexGuard<'_, State>) {
        state.returns += 1;
        let is_awaited = state.waiting > 0;
        drop(state);
        if is_awaited {
            self.return_seen.notify_all();
        }
    }
}
