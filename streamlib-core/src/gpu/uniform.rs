//! Shader parameters: blocks that are written through mapped memory and bound with a dynamic offset.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use smallvec::SmallVec;

use super::device::Device;
use super::staging::{BufferRing, StagingBuffer, recycle_upload, upload_buffer};
use crate::{Error, ErrorKind, Result};

/// The size of a block.
const BLOCK_BYTES: u64 = 64 * 1024;

/// The most bytes a uniform can have: what a binding of a block spans.
pub(super) const MAX_UNIFORM_BYTES: u64 = 4096;

/// The most uniforms of one kernel.
pub(super) const MAX_UNIFORMS: usize = 4;

/// Where in a block each uniform of a kernel lies.
pub(super) type UniformOffsets = SmallVec<[u32; MAX_UNIFORMS]>;

/// A piece of GPU memory for the parameters of one submission, and by how many uniforms a kernel has, the bind group in which each
/// of them has an offset of its own.
struct Block {
    buffer: wgpu::Buffer,
    bind_groups: [OnceLock<wgpu::BindGroup>; MAX_UNIFORMS],
}

/// Blocks that no encoder is using.
pub(super) struct UniformBlocks {
    /// By how many uniforms a kernel has, less one.
    layouts: [wgpu::BindGroupLayout; MAX_UNIFORMS],
    alignment: u64,
    free: Mutex<Vec<Arc<Block>>>,
}

impl UniformBlocks {
    pub(super) fn new(device: &Device) -> Self {
        let entry = |binding| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Uniform,
                has_dynamic_offset: true,
                min_binding_size: None,
            },
            count: None,
        };
        let entries: [_; MAX_UNIFORMS] = std::array::from_fn(|binding| entry(binding as u32));
        let layouts = std::array::from_fn(|last| device.create_bind_group_layout("streamlib parameters", &entries[..=last]));
        let alignment = u64::from(device.raw.limits().min_uniform_buffer_offset_alignment);
        Self { layouts, alignment, free: Mutex::default() }
    }

    /// The layout of a kernel's group 1, if it has so many uniforms, at least one.
    pub(super) fn layout(&self, uniforms: usize) -> &wgpu::BindGroupLayout {
        &self.layouts[uniforms - 1]
    }

    fn take(&self, device: &Device) -> Result<Arc<Block>> {
        if let Some(block) = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(block);
        }
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let buffer = device.create_buffer("streamlib parameters", BLOCK_BYTES, usage, false)?;
        Ok(Arc::new(Block { buffer, bind_groups: Default::default() }))
    }

    fn bind_group<'a>(&self, device: &Device, block: &'a Block, uniforms: usize) -> &'a wgpu::BindGroup {
        block.bind_groups[uniforms - 1].get_or_init(|| {
            let resource = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &block.buffer,
                offset: 0,
                size: std::num::NonZeroU64::new(MAX_UNIFORM_BYTES),
            });
            let entry = |binding| wgpu::BindGroupEntry { binding: binding as u32, resource: resource.clone() };
            let entries: [_; MAX_UNIFORMS] = std::array::from_fn(entry);
            device.create_bind_group("streamlib parameters", self.layout(uniforms), &entries[..uniforms])
        })
    }
}

/// The parameters recorded by one encoder since its last submission.
#[derive(Default)]
pub(super) struct UniformWriter {
    current: Option<Open>,
    used: Vec<Open>,
}

struct Open {
    block: Arc<Block>,
    staging: Arc<StagingBuffer>,
    offset: u64,
}

impl UniformWriter {
    /// Writes what a kernel that is recorded next can read: each uniform's bytes. Returns the bind group and the offsets in it.
    /// No uniform has more than [`MAX_UNIFORM_BYTES`], and there is at least one.
    pub(super) fn write(
        &mut self,
        device: &Device,
        blocks: &UniformBlocks,
        ring: &BufferRing,
        commands: &mut wgpu::CommandEncoder,
        uniforms: &[&[u8]],
    ) -> Result<(wgpu::BindGroup, UniformOffsets)> {
        let room = uniforms.len() as u64 * MAX_UNIFORM_BYTES;
        if let Some(full) = self.current.take_if(|open| open.offset + room > BLOCK_BYTES) {
            self.used.push(full);
        }
        let open = match &mut self.current {
            Some(open) => open,
            none => {
                none.insert(Open { block: blocks.take(device)?, staging: upload_buffer(device, ring, BLOCK_BYTES)?, offset: 0 })
            }
        };
        let begin = open.offset;
        let mut offsets = UniformOffsets::new();
        let size = |bytes: &[u8]| (bytes.len() as u64).next_multiple_of(blocks.alignment.max(wgpu::COPY_BUFFER_ALIGNMENT));
        let end = begin + uniforms.iter().map(|bytes| size(bytes)).sum::<u64>();
        let mut view = open
            .staging
            .raw
            .get_mapped_range_mut(begin..end)
            .map_err(|error| Error::new(ErrorKind::Gpu, "cannot write shader parameters").caused_by(error))?;
        let mut at = 0;
        for bytes in uniforms {
            offsets.push((begin + at) as u32);
            view.slice(at as usize..at as usize + bytes.len()).copy_from_slice(bytes);
            at += size(bytes);
            device.bytes.uniforms.fetch_add(bytes.len() as u64, std::sync::atomic::Ordering::Relaxed);
        }
        drop(view);
        commands.copy_buffer_to_buffer(&open.staging.raw, begin, &open.block.buffer, begin, end - begin);
        open.offset = end;
        Ok((blocks.bind_group(device, &open.block, uniforms.len()).clone(), offsets))
    }

    /// Before submission: unmaps what was written and arranges for it to be mapped again.
    pub(super) fn close(&mut self, commands: &wgpu::CommandEncoder, ring: &Arc<BufferRing>) {
        self.used.extend(self.current.take());
        for open in &self.used {
            open.staging.raw.unmap();
            recycle_upload(commands, ring, open.staging.clone());
        }
    }

    /// After submission: later submissions may overwrite the blocks, since the queue runs in order.
    pub(super) fn release(&mut self, blocks: &UniformBlocks) {
        let mut free = blocks.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.extend(self.used.drain(..).map(|open| open.block));
    }
}
