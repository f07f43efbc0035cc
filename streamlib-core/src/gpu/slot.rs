//! A pooled texture with what belongs to it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Instant;

use super::bind_groups::ResourceId;
use super::pool::TexturePool;
use crate::PixelFormat;

/// What makes two textures interchangeable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TextureKey {
    pub(super) size: wgpu::Extent3d,
    pub(super) pixel: PixelFormat,
}

impl TextureKey {
    pub(super) fn bytes(self) -> u64 {
        u64::from(self.size.width) * u64::from(self.size.height) * u64::from(self.pixel.texel_bytes())
    }
}

/// No submission has this number: the commands that write the frame have not been submitted yet.
const NOT_SUBMITTED: u64 = u64::MAX;

/// One texture, its view and who has it. The bind groups with it in them go when it goes; neither they nor the view hold an `Arc` of
/// the slot.
pub(super) struct Slot {
    pub(super) texture: Arc<wgpu::Texture>,
    pub(super) key: TextureKey,
    pub(super) view: wgpu::TextureView,
    pub(super) id: ResourceId,
    pool: Weak<TexturePool>,
    leases: AtomicUsize,
    ready: AtomicU64,
    published: AtomicBool,
    taken: Mutex<Option<(Arc<str>, Instant)>>,
}

impl Slot {
    pub(super) fn new(texture: wgpu::Texture, view: wgpu::TextureView, key: TextureKey, pool: Weak<TexturePool>) -> Self {
        Self {
            view,
            texture: Arc::new(texture),
            key,
            id: ResourceId::new(),
            pool,
            leases: AtomicUsize::new(0),
            ready: AtomicU64::new(NOT_SUBMITTED),
            published: AtomicBool::new(false),
            taken: Mutex::new(None),
        }
    }

    /// Whether nobody but the slot holds the texture's `Arc`.
    pub(super) fn is_unshared(&self) -> bool {
        Arc::strong_count(&self.texture) == 1
    }

    /// By which node and since when it is out; `None` when it is in the pool.
    pub(super) fn taken(&self) -> Option<(Arc<str>, Instant)> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_taken(&self, taken: Option<(Arc<str>, Instant)>) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = taken;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.forget(self.id);
        }
    }
}

/// A counted reference to a slot. When the last one drops, the slot goes back to its pool.
///
/// It counts by itself rather than through `Arc::strong_count` because giving back must happen exactly once, at the moment of
/// the last drop, without an allocation.
pub(crate) struct Lease {
    slot: Arc<Slot>,
}

impl Lease {
    /// The first lease of a slot that has none.
    pub(super) fn first(slot: Arc<Slot>, taker: &Arc<str>) -> Self {
        slot.leases.store(1, Ordering::Relaxed);
        slot.ready.store(NOT_SUBMITTED, Ordering::Relaxed);
        slot.published.store(false, Ordering::Relaxed);
        slot.set_taken(Some((taker.clone(), Instant::now())));
        Self { slot }
    }

    pub(super) fn slot(&self) -> &Slot {
        &self.slot
    }

    pub(super) fn pool(&self) -> Option<Arc<TexturePool>> {
        self.slot.pool.upgrade()
    }

    pub(crate) fn texture(&self) -> &Arc<wgpu::Texture> {
        &self.slot.texture
    }

    pub(crate) fn view(&self) -> &wgpu::TextureView {
        &self.slot.view
    }

    /// The submission that writes it; `None` before it was submitted.
    pub(crate) fn submission(&self) -> Option<u64> {
        Some(self.slot.ready.load(Ordering::Acquire)).filter(|number| *number != NOT_SUBMITTED)
    }

    pub(super) fn set_submission(&self, submission: u64) {
        self.slot.ready.store(submission, Ordering::Release);
    }

    /// From here on nobody may write the pixels.
    pub(crate) fn publish(&self) {
        self.slot.published.store(true, Ordering::Release);
    }

    pub(super) fn is_published(&self) -> bool {
        self.slot.published.load(Ordering::Acquire)
    }
}

impl Clone for Lease {
    fn clone(&self) -> Self {
        self.slot.leases.fetch_add(1, Ordering::Relaxed);
        Self { slot: self.slot.clone() }
    }
}

impl Drop for Lease {
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
