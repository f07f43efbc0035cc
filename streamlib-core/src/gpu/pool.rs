//! The texture pool: reuses textures of equal shape, within a byte budget, and knows who holds what.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::bind_groups::ResourceId;
use super::device::Device;
use super::slot::{Lease, Slot, TextureKey};
use crate::{Error, ErrorKind, Result, VideoFormat};

/// How long a taker waits for a texture to come back when the budget is used up.
const PATIENCE: Duration = Duration::from_secs(2);

/// What every pooled texture may be used for.
const USAGES: wgpu::TextureUsages = wgpu::TextureUsages::COPY_SRC
    .union(wgpu::TextureUsages::COPY_DST)
    .union(wgpu::TextureUsages::TEXTURE_BINDING)
    .union(wgpu::TextureUsages::RENDER_ATTACHMENT)
    .union(wgpu::TextureUsages::STORAGE_BINDING);

/// Numbers of textures and bytes. `allocated` and `bytes` hold those in the pool and those in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct TextureStatistics {
    /// Textures that exist.
    pub allocated: u64,
    /// Textures that frames or encoders hold.
    pub in_use: u64,
    /// Bytes of the textures that exist.
    pub bytes: u64,
    /// The most there ever were.
    pub peak_bytes: u64,
    /// Textures ever created: does not rise in the steady state.
    pub created: u64,
}

/// A texture that is out.
#[derive(Clone, Debug)]
pub struct LeaseReport {
    /// The node that took it.
    pub taken_by: Arc<str>,
    /// How long ago.
    pub held: Duration,
    /// Its size in texels and its pixel format.
    pub texture: String,
    /// Its size in memory.
    pub bytes: u64,
}

impl fmt::Display for LeaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes) taken by '{}' {:.1?} ago", self.texture, self.bytes, self.taken_by, self.held)
    }
}

pub(super) struct TexturePool {
    device: Arc<Device>,
    budget_bytes: u64,
    state: Mutex<State>,
    returned: Condvar,
    /// Itself, for the slots.
    this: Weak<TexturePool>,
}

#[derive(Default)]
struct State {
    free: HashMap<TextureKey, Vec<Arc<Slot>>>,
    /// Every slot that belongs to the pool, free or out.
    slots: Vec<Arc<Slot>>,
    statistics: TextureStatistics,
}

impl TexturePool {
    pub(super) fn new(device: Arc<Device>, budget_bytes: u64) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            device,
            budget_bytes,
            state: Mutex::default(),
            returned: Condvar::new(),
            this: this.clone(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A texture for a picture of `format`, its contents undefined. Waits up to two seconds when the budget is used up,
    /// then fails with [`ErrorKind::OutOfMemory`], saying who holds what.
    pub(super) fn take(&self, format: VideoFormat, taker: &Arc<str>) -> Result<Lease> {
        let key = TextureKey { size: format.texture_size(), pixel: format.pixel };
        let limit = self.device.raw.limits().max_texture_dimension_2d;
        if key.size.width > limit || key.size.height > limit {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("a texture of {}x{} texels is too large", key.size.width, key.size.height),
            )
            .hint(format!("this adapter takes up to {limit}x{limit}; choose a smaller picture")));
        }
        if key.bytes() > self.budget_bytes {
            // Nobody can give back enough.
            let message =
                format!("a texture of {} bytes does not fit into the texture budget of {} bytes", key.bytes(), self.budget_bytes);
            return Err(Error::new(ErrorKind::OutOfMemory, message).hint("raise the budget or choose a smaller picture"));
        }
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state();
        loop {
            if let Some(slot) = state.free.get_mut(&key).and_then(Vec::pop) {
                state.statistics.in_use += 1;
                return Ok(Lease::first(slot, taker));
            }
            let within_budget = |state: &State| state.statistics.bytes + key.bytes() <= self.budget_bytes;
            if !within_budget(&state) {
                state.trim();
            }
            if within_budget(&state) {
                state.reserve(key);
                drop(state);
                return self.create(key, taker);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.budget_error(&state, key));
            }
            state = self.returned.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Makes the texture that was reserved, outside the lock: drivers take their time.
    fn create(&self, key: TextureKey, taker: &Arc<str>) -> Result<Lease> {
        match self.device.create_texture(key.size, key.pixel.texture_format(), USAGES) {
            Ok(texture) => {
                let view = self.device.create_view(&texture);
                let slot = Arc::new(Slot::new(texture, view, key, self.this.clone()));
                let mut state = self.state();
                state.slots.push(slot.clone());
                // Room for every slot of this key, so that giving back never allocates.
                let siblings = state.slots.iter().filter(|slot| slot.key == key).count();
                let free = state.free.entry(key).or_default();
                free.reserve(siblings.saturating_sub(free.len()));
                Ok(Lease::first(slot, taker))
            }
            Err(error) => {
                let mut state = self.state();
                state.unreserve(key);
                state.statistics.in_use -= 1;
                Err(error)
            }
        }
    }

    /// Takes a slot back whose last lease was dropped. A texture that somebody else holds lives on with them, outside the pool.
    pub(super) fn give_back(&self, slot: Arc<Slot>) {
        let mut state = self.state();
        state.statistics.in_use -= 1;
        if slot.is_unshared() {
            state.free.entry(slot.key).or_default().push(slot);
        } else {
            state.slots.retain(|other| !Arc::ptr_eq(other, &slot));
            state.unreserve(slot.key);
        }
        drop(state);
        self.returned.notify_one();
    }

    /// A slot is gone: so are the bind groups with it in them.
    pub(super) fn forget(&self, slot: ResourceId) {
        self.device.bind_groups.forget(slot);
    }

    pub(super) fn statistics(&self) -> TextureStatistics {
        self.state().statistics
    }

    pub(super) fn leases(&self) -> Vec<LeaseReport> {
        self.state().leases()
    }

    fn budget_error(&self, state: &State, key: TextureKey) -> Error {
        let holders = state.leases().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let message = format!(
            "the texture budget of {} bytes is used up: {} more bytes are needed, held are: {holders}",
            self.budget_bytes,
            key.bytes()
        );
        Error::new(ErrorKind::OutOfMemory, message).hint("raise the budget, shorten queues or let go of frames")
    }
}

impl State {
    fn reserve(&mut self, key: TextureKey) {
        let statistics = &mut self.statistics;
        statistics.allocated += 1;
        statistics.created += 1;
        statistics.in_use += 1;
        statistics.bytes += key.bytes();
        statistics.peak_bytes = statistics.peak_bytes.max(statistics.bytes);
    }

    fn unreserve(&mut self, key: TextureKey) {
        self.statistics.allocated -= 1;
        self.statistics.bytes -= key.bytes();
    }

    /// Lets every free texture go.
    fn trim(&mut self) {
        for slot in std::mem::take(&mut self.free).into_values().flatten() {
            self.slots.retain(|other| !Arc::ptr_eq(other, &slot));
            self.unreserve(slot.key);
        }
    }

    fn leases(&self) -> Vec<LeaseReport> {
        let report = |slot: &Arc<Slot>| {
            let (taken_by, since) = slot.taken()?;
            let texture = format!("{} texture of {}x{}", slot.key.pixel, slot.key.size.width, slot.key.size.height);
            Some(LeaseReport { taken_by, held: since.elapsed(), texture, bytes: slot.key.bytes() })
        };
        self.slots.iter().filter_map(report).collect()
    }
}
