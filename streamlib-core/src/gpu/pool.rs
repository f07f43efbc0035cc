//! Pools: reuse what is alike, within the device's budget, and know who holds what.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::budget::{Budget, Pooled, Reservation, Room};
use super::device::Device;
use super::slot::{Lease, Slot};
use crate::Result;

/// What a pool keeps: a texture, a buffer.
pub(crate) trait Resource: Sized + Send + Sync + 'static {
    /// What makes two of them interchangeable.
    type Key: Copy + Eq + Hash + Send + Sync + 'static;

    /// `a texture`.
    const WHAT: &'static str;

    fn bytes(key: Self::Key) -> u64;

    /// `rgba8 texture of 64x48`.
    fn describe(key: Self::Key) -> String;

    fn create(device: &Device, key: Self::Key) -> Result<Self>;

    /// What is to be done to it when its last user is done.
    fn restore(&self) {}

    /// Whether it is as good as new: nobody but the pool's slot holds it.
    fn is_reusable(&self) -> bool;
}

/// Numbers and bytes of what a pool has made. `allocated` and `bytes` hold those in the pool and those in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PoolStatistics {
    /// Those that exist.
    pub allocated: u64,
    /// Those that frames, buffers or encoders hold.
    pub in_use: u64,
    /// Bytes of those that exist.
    pub bytes: u64,
    /// The most there ever were.
    pub peak_bytes: u64,
    /// How many were ever created: does not rise in the steady state.
    pub created: u64,
}

/// Something that is out of its pool.
#[derive(Clone, Debug)]
pub struct LeaseReport {
    /// What is out, for as long as it exists: that of a frame's texture is [`VideoFrame::lease_id`](crate::VideoFrame::lease_id).
    pub id: u64,
    /// The node that took it.
    pub taken_by: Arc<str>,
    /// How long ago.
    pub held: Duration,
    /// What it is: `rgba8 texture of 64x48`, `buffer`.
    pub what: String,
    /// Its size in memory.
    pub bytes: u64,
}

impl LeaseReport {
    /// Whether it differs in nothing but time.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (&self.what, self.bytes, &self.taken_by) == (&other.what, other.bytes, &other.taken_by)
    }
}

impl fmt::Display for LeaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes) taken by '{}' {:.1?} ago", self.what, self.bytes, self.taken_by, self.held)
    }
}

pub(super) struct Pool<R: Resource> {
    device: Arc<Device>,
    budget: Arc<Budget>,
    /// The most free ones of one key that are kept.
    kept: usize,
    state: Mutex<State<R>>,
    /// Itself, for the slots.
    this: Weak<Self>,
}

struct State<R: Resource> {
    free: HashMap<R::Key, Vec<Arc<Slot<R>>>>,
    /// Every slot that belongs to the pool, free or out.
    slots: Vec<Arc<Slot<R>>>,
    statistics: PoolStatistics,
}

impl<R: Resource> Pool<R> {
    pub(super) fn new(device: Arc<Device>, budget: Arc<Budget>, kept: usize) -> Arc<Self> {
        let state = State { free: HashMap::new(), slots: Vec::new(), statistics: PoolStatistics::default() };
        let pool = Arc::new_cyclic(|this| Self { device, budget, kept, state: Mutex::new(state), this: this.clone() });
        let weak = Arc::downgrade(&pool);
        pool.budget.join(weak);
        pool
    }

    pub(super) fn device(&self) -> &Arc<Device> {
        &self.device
    }

    fn state(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of this key that nobody uses, its contents undefined. Does not block.
    pub(super) fn find(&self, key: R::Key, taker: &Arc<str>) -> Option<Lease<R>> {
        let mut state = self.state();
        let slot = state.free.get_mut(&key).and_then(Vec::pop)?;
        state.statistics.in_use += 1;
        Some(Lease::first(slot, taker))
    }

    /// One of this key, its contents undefined. Waits up to two seconds when the budget is used up, then fails with
    /// [`ErrorKind::OutOfMemory`](crate::ErrorKind::OutOfMemory), saying who holds what.
    pub(super) fn take(&self, key: R::Key, taker: &Arc<str>) -> Result<Lease<R>> {
        match self.budget.reserve(R::WHAT, &key, R::bytes(key), || self.find(key, taker))? {
            Room::Found(lease) => Ok(lease),
            Room::Reserved(reservation) => self.create(key, taker, reservation),
        }
    }

    /// Makes what was reserved, outside the lock: drivers take their time.
    fn create(&self, key: R::Key, taker: &Arc<str>, reservation: Reservation) -> Result<Lease<R>> {
        let bytes = R::bytes(key);
        let resource = R::create(&self.device, key)?;
        let slot = Arc::new(Slot::new(resource, key, self.this.clone(), &self.device, reservation));
        let mut state = self.state();
        let statistics = &mut state.statistics;
        statistics.allocated += 1;
        statistics.created += 1;
        statistics.in_use += 1;
        statistics.bytes += bytes;
        statistics.peak_bytes = statistics.peak_bytes.max(statistics.bytes);
        state.slots.push(slot.clone());
        // Room for every slot of this key, so that giving back never allocates.
        let siblings = state.slots.iter().filter(|slot| slot.key == key).count();
        let free = state.free.entry(key).or_default();
        free.reserve(siblings.saturating_sub(free.len()));
        Ok(Lease::first(slot, taker))
    }

    /// Takes a slot back whose last lease was dropped. What somebody else holds lives on with them, outside the pool.
    pub(super) fn give_back(&self, slot: Arc<Slot<R>>) {
        slot.resource.restore();
        let mut state = self.state();
        state.statistics.in_use -= 1;
        let has_room = state.free.get(&slot.key).is_none_or(|free| free.len() < self.kept);
        let stays = slot.resource.is_reusable() && has_room;
        if stays {
            state.free.entry(slot.key).or_default().push(slot);
            drop(state);
            self.budget.notice_return();
        } else {
            state.remove(&slot);
        }
    }

    pub(super) fn statistics(&self) -> PoolStatistics {
        self.state().statistics
    }
}

impl<R: Resource> State<R> {
    fn remove(&mut self, slot: &Arc<Slot<R>>) {
        self.slots.retain(|other| !Arc::ptr_eq(other, slot));
        self.statistics.allocated -= 1;
        self.statistics.bytes -= R::bytes(slot.key);
    }
}

impl<R: Resource> Pooled for Pool<R> {
    fn trim(&self, wanted: &dyn Any) {
        let wanted = wanted.downcast_ref::<R::Key>();
        let mut state = self.state();
        let unwanted = state.free.extract_if(|key, _| Some(key) != wanted);
        let free: Vec<_> = unwanted.flat_map(|(_, slots)| slots).collect();
        free.iter().for_each(|slot| state.remove(slot));
        // They go without the lock: drivers take their time.
        drop(state);
    }

    fn leases(&self) -> Vec<LeaseReport> {
        let report = |slot: &Arc<Slot<R>>| {
            let (taken_by, since) = slot.taken()?;
            let (id, held) = (slot.id.number(), since.elapsed());
            Some(LeaseReport { id, taken_by, held, what: R::describe(slot.key), bytes: R::bytes(slot.key) })
        };
        self.state().slots.iter().filter_map(report).collect()
    }
}
