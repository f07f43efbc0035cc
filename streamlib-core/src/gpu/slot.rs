//! Something pooled, and who has it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use super::bind_groups::ResourceId;
use super::budget::Reservation;
use super::device::Device;
use super::pool::{Pool, Resource};

/// No submission has this number: the commands that write it have not been submitted yet.
const NOT_SUBMITTED: u64 = u64::MAX;

/// One resource and who has it. The bind groups with it in them go when it goes; none of them holds an `Arc` of the slot.
pub(super) struct Slot<R: Resource> {
    pub(super) id: ResourceId,
    pub(super) resource: R,
    pub(super) key: R::Key,
    pool: Weak<Pool<R>>,
    /// It may outlive the pool.
    device: Weak<Device>,
    leases: AtomicUsize,
    ready: AtomicU64,
    published: AtomicBool,
    taken: Mutex<Option<(Arc<str>, Instant)>>,
    /// Its bytes are free once it is gone; none if they have been given up before.
    reservation: Mutex<Option<Reservation>>,
}

impl<R: Resource> Slot<R> {
    pub(super) fn new(resource: R, key: R::Key, pool: Weak<Pool<R>>, device: &Arc<Device>, reservation: Reservation) -> Self {
        Self {
            id: ResourceId::new(),
            resource,
            key,
            pool,
            device: Arc::downgrade(device),
            leases: AtomicUsize::new(0),
            ready: AtomicU64::new(NOT_SUBMITTED),
            published: AtomicBool::new(false),
            taken: Mutex::new(None),
            reservation: Mutex::new(Some(reservation)),
        }
    }

    /// By which node and since when it is out; `None` when it is in the pool.
    pub(super) fn taken(&self) -> Option<(Arc<str>, Instant)> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_taken(&self, taken: Option<(Arc<str>, Instant)>) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = taken;
    }
}

impl<R: Resource> Drop for Slot<R> {
    fn drop(&mut self) {
        if let Some(device) = self.device.upgrade() {
            device.bind_groups.forget(self.id);
        }
    }
}

/// A counted reference to a slot. When the last one drops, the slot goes back to its pool.
///
/// It counts by itself rather than through `Arc::strong_count` because giving back must happen exactly once, at the moment of
/// the last drop, without an allocation.
pub(crate) struct Lease<R: Resource> {
    slot: Arc<Slot<R>>,
}

impl<R: Resource> Lease<R> {
    /// The first lease of a slot that has none.
    pub(super) fn first(slot: Arc<Slot<R>>, taker: &Arc<str>) -> Self {
        slot.leases.store(1, Ordering::Relaxed);
        slot.ready.store(NOT_SUBMITTED, Ordering::Relaxed);
        slot.published.store(false, Ordering::Relaxed);
        slot.set_taken(Some((taker.clone(), Instant::now())));
        Self { slot }
    }

    pub(crate) fn id(&self) -> ResourceId {
        self.slot.id
    }

    pub(super) fn resource(&self) -> &R {
        &self.slot.resource
    }

    pub(super) fn pool(&self) -> Option<Arc<Pool<R>>> {
        self.slot.pool.upgrade()
    }

    /// Whether it is of this device.
    pub(super) fn is_of(&self, device: &Arc<Device>) -> bool {
        self.pool().is_some_and(|pool| Arc::ptr_eq(pool.device(), device))
    }

    /// It counts against no budget any more.
    pub(super) fn give_up_reservation(&self) {
        let reservation = self.slot.reservation.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(reservation);
    }

    /// Who took it.
    pub(crate) fn taker(&self) -> Arc<str> {
        self.slot.taken().map_or_else(|| Arc::from("unknown"), |(taker, _)| taker)
    }

    /// Whether these many leases are all that holds it.
    pub(super) fn is_unshared(&self, leases: usize) -> bool {
        self.slot.leases.load(Ordering::Acquire) == leases && self.slot.resource.is_reusable()
    }

    /// The submission that writes it; `None` before it was submitted.
    pub(crate) fn submission(&self) -> Option<u64> {
        Some(self.slot.ready.load(Ordering::Acquire)).filter(|number| *number != NOT_SUBMITTED)
    }

    pub(super) fn set_submission(&self, submission: u64) {
        // Of two that write it at once, the later one counts.
        let later = |before| (before == NOT_SUBMITTED || before < submission).then_some(submission);
        let _ = self.slot.ready.fetch_update(Ordering::Release, Ordering::Relaxed, later);
    }

    /// From here on nobody may write it.
    pub(crate) fn publish(&self) {
        self.slot.published.store(true, Ordering::Release);
    }

    /// It may be written again, by whoever asks: nobody else holds it.
    pub(super) fn unpublish(&self) {
        self.slot.published.store(false, Ordering::Release);
    }

    pub(super) fn is_published(&self) -> bool {
        self.slot.published.load(Ordering::Acquire)
    }
}

impl<R: Resource> Clone for Lease<R> {
    fn clone(&self) -> Self {
        self.slot.leases.fetch_add(1, Ordering::Relaxed);
        Self { slot: self.slot.clone() }
    }
}

impl<R: Resource> Drop for Lease<R> {
    fn drop(&mut self) {
        // Acquire-release, so that the next taker sees everything that earlier holders did.
        if self.slot.leases.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.slot.set_taken(None);
            if let Some(pool) = self.slot.pool.upgrade() {
                pool.give_back(self.slot.clone());
            }
        }
    }
}
