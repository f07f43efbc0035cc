//! What a call was given, and the bind groups of it.

use std::sync::Arc;

use super::interface::BindingKind;
use crate::gpu::bind_groups::{Key, Layout, ResourceId};
use crate::gpu::buffer::{Buffer, BufferMemory};
use crate::gpu::device::Device;
use crate::gpu::slot::Lease;
use crate::{Result, VideoFrame};

/// What a binding was given.
#[derive(Clone)]
pub(super) enum Bound<'a> {
    Frame { frame: &'a VideoFrame, writes: bool },
    Sampler(wgpu::FilterMode),
    Buffer { lease: &'a Lease<BufferMemory>, raw: &'a wgpu::Buffer, bytes: u64, elements: usize, writes: bool },
    RawBuffer { raw: &'a wgpu::Buffer, elements: u64 },
    RawTexture { raw: &'a wgpu::Texture, view: wgpu::TextureView },
}

/// What a kernel's textures hold: whether one is sampled or loaded, it can be.
pub(super) const FILTERABLE: wgpu::TextureSampleType = wgpu::TextureSampleType::Float { filterable: true };

/// What makes two of them the same.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Identity<'a> {
    Pooled(ResourceId),
    Raw(&'a wgpu::Buffer),
    RawTexture(&'a wgpu::Texture),
}

impl<'a> Bound<'a> {
    pub(super) fn of<T>(buffer: &'a Buffer<T>, writes: bool) -> Self {
        let (lease, raw) = (buffer.lease(), buffer.raw());
        Self::Buffer { lease, raw, bytes: buffer.word_bytes(), elements: buffer.len(), writes }
    }

    /// What must not be written where it is bound a second time.
    pub(super) fn identity(&self) -> Option<Identity<'a>> {
        match self {
            Self::Frame { frame, .. } => Some(Identity::Pooled(frame.lease().id())),
            Self::Buffer { lease, .. } => Some(Identity::Pooled(lease.id())),
            Self::RawBuffer { raw, .. } => Some(Identity::Raw(raw)),
            Self::RawTexture { raw, .. } => Some(Identity::RawTexture(raw)),
            Self::Sampler(_) => None,
        }
    }

    /// How often a kernel is called that writes it, across and down; before that, its rank: textures come before buffers.
    pub(super) fn invocations(&self) -> Option<(u8, u32, u32)> {
        let elements = |elements: u64| Some((1, u32::try_from(elements).unwrap_or(u32::MAX), 1));
        match self {
            Self::Frame { frame, .. } => {
                let size = frame.format().texture_size();
                Some((0, size.width, size.height))
            }
            Self::RawTexture { raw, .. } => Some((0, raw.width(), raw.height())),
            Self::Buffer { elements: count, .. } => elements(*count as u64),
            Self::RawBuffer { elements: count, .. } => elements(*count),
            Self::Sampler(_) => None,
        }
    }

    /// Whether it is of this device.
    pub(super) fn is_of(&self, device: &Arc<Device>) -> bool {
        match self {
            Self::Frame { frame, .. } => frame.lease().is_of(device),
            Self::Buffer { lease, .. } => lease.is_of(device),
            // wgpu does not tell; the caller answers for it.
            Self::RawBuffer { .. } | Self::RawTexture { .. } | Self::Sampler(_) => true,
        }
    }
}

impl BindingKind {
    pub(super) fn is_written(self) -> bool {
        match self {
            Self::StorageTexture { access, .. } => access != wgpu::StorageTextureAccess::ReadOnly,
            Self::Buffer { is_written, .. } => is_written,
            Self::Texture | Self::Sampler => false,
        }
    }
}

/// The bind group of what was given, made now or found.
pub(super) fn bind_group(
    gpu: &crate::GpuContext,
    kernel: &str,
    (id, layout): &Layout,
    bound: &[Option<Bound<'_>>],
) -> Result<wgpu::BindGroup> {
    let (device, bound_count) = (gpu.device(), bound.len());
    let sampler = |bound: &Option<Bound<'_>>| match bound {
        Some(Bound::Sampler(wgpu::FilterMode::Nearest)) => &device.samplers.nearest,
        _ => &device.samplers.linear,
    };
    let resource = |place: usize| match &bound[place] {
        Some(Bound::Frame { frame, .. }) => wgpu::BindingResource::TextureView(frame.view()),
        Some(Bound::Buffer { raw, bytes, .. }) => {
            wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer: raw, offset: 0, size: std::num::NonZeroU64::new(*bytes) })
        }
        Some(Bound::RawBuffer { raw, .. }) => raw.as_entire_binding(),
        Some(Bound::RawTexture { view, .. }) => wgpu::BindingResource::TextureView(view),
        other => wgpu::BindingResource::Sampler(&sampler(other).1),
    };
    let mut key: Key = std::iter::once(*id).collect();
    for bound in bound {
        match bound {
            Some(Bound::Frame { frame, .. }) => key.push(frame.lease().id()),
            // How much of its memory is bound, too.
            Some(Bound::Buffer { lease, bytes, .. }) => key.extend([lease.id(), ResourceId::of_size(*bytes)]),
            // A group that is kept would keep what is not the pools' alive.
            Some(Bound::RawBuffer { .. } | Bound::RawTexture { .. }) => {
                let create = || device.create_group(layout, bound_count, resource);
                return gpu.raw().call(&format!("kernel '{kernel}' cannot be called"), create);
            }
            other => key.push(sampler(other).0),
        }
    }
    Ok(device.bind_groups.find(key, || device.create_group(layout, bound_count, resource)))
}
