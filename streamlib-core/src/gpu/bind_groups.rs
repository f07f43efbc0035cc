//! Bind groups, kept for as long as all that they bind exists.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use smallvec::SmallVec;

use super::device::Device;

/// The bit of numbers that are sizes.
const SIZE: u64 = 1 << 63;

/// Beyond so many groups, those of buffers are made anew.
const ROOM: usize = 1024;

/// A number for something that can be bound, or that binds: never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ResourceId(u64);

impl ResourceId {
    pub(super) fn new() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// What tells two bindings of one resource apart: no resource has this number.
    pub(super) fn of_size(bytes: u64) -> Self {
        Self(bytes | SIZE)
    }

    pub(crate) fn number(self) -> u64 {
        self.0
    }

    fn is_size(self) -> bool {
        self.0 & SIZE != 0
    }
}

/// The layout, and what its bindings are bound to, in their order.
pub(super) type Key = SmallVec<[ResourceId; 8]>;

/// A layout and its number. Kernels that bind the same kinds of things share it, and with it the bind groups.
pub(super) type Layout = (ResourceId, wgpu::BindGroupLayout);

/// The bind groups of all kernels, and their layouts. Most hold one texture, so that a stream soon finds all of its groups here.
///
/// A group keeps its textures alive, so it must not outlive them in the pool: whoever lets go of a resource calls
/// [`forget`](Self::forget). The lock is held for a look-up; groups are made outside of it.
#[derive(Default)]
pub(super) struct BindGroups {
    layouts: Mutex<HashMap<Vec<wgpu::BindingType>, Layout>>,
    groups: Mutex<HashMap<Key, wgpu::BindGroup>>,
}

impl BindGroups {
    fn groups(&self) -> MutexGuard<'_, HashMap<Key, wgpu::BindGroup>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The layout of bindings of these types, for compute shaders; made if there is none yet.
    pub(super) fn layout(&self, device: &Device, types: &[wgpu::BindingType]) -> Layout {
        let mut layouts = self.layouts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(layout) = layouts.get(types) {
            return layout.clone();
        }
        let entry = |(binding, ty): (usize, &wgpu::BindingType)| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: *ty,
            count: None,
        };
        let entries: Vec<_> = types.iter().enumerate().map(entry).collect();
        let layout = (ResourceId::new(), device.create_bind_group_layout("streamlib kernel", &entries));
        layouts.entry(types.to_vec()).or_insert(layout).clone()
    }

    /// The group of this key, made if there is none yet.
    pub(super) fn find(&self, key: Key, make: impl FnOnce() -> wgpu::BindGroup) -> wgpu::BindGroup {
        if let Some(group) = self.groups().get(&key) {
            return group.clone();
        }
        let group = make();
        let mut groups = self.groups();
        if groups.len() >= ROOM {
            // Textures are few; buffers come in every length.
            groups.retain(|key, _| !key.iter().any(|id| id.is_size()));
        }
        groups.entry(key).or_insert(group).clone()
    }

    /// Lets go of every group with this in it.
    pub(super) fn forget(&self, id: ResourceId) {
        self.groups().retain(|key, _| !key.contains(&id));
    }

    pub(super) fn len(&self) -> usize {
        self.groups().len()
    }
}
