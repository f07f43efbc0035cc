//! Shader parameters: blocks that are written through mapped memory and bound with a dynamic offset.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use smallvec::SmallVec;

use super::device::Device;
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
    /// Where the CPU writes them: mapped, unless the GPU has yet to read it.
    staging: wgpu::Buffer,
    bind_groups: [OnceLock<wgpu::BindGroup>; MAX_UNIFORMS],
}

type Free = Mutex<Vec<Arc<Block>>>;

/// Blocks that neither an encoder nor the GPU is using.
pub(super) struct UniformBlocks {
    /// By how many uniforms a kernel has, less one.
    layouts: [wgpu::BindGroupLayout; MAX_UNIFORMS],
    alignment: u64,
    free: Arc<Free>,
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
        Self { layouts, alignment, free: Arc::default() }
    }

    /// The layout of a kernel's group 1, if it has so many uniforms, at least one.
    pub(super) fn layout(&self, uniforms: usize) -> &wgpu::BindGroupLayout {
        &self.layouts[uniforms - 1]
    }

    fn take(&self, device: &Device) -> Result<Arc<Block>> {
        if let Some(block) = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(block);
        }
        use wgpu::BufferUsages as Usages;
        let buffer = device.create_buffer("streamlib parameters", BLOCK_BYTES, Usages::UNIFORM | Usages::COPY_DST, false)?;
        let usage = Usages::MAP_WRITE | Usages::COPY_SRC;
        let staging = device.create_buffer("streamlib parameters' upload", BLOCK_BYTES, usage, true)?;
        Ok(Arc::new(Block { buffer, staging, bind_groups: Default::default() }))
    }

    fn give_back(free: &Free, block: Arc<Block>) {
        free.lock().unwrap_or_else(PoisonError::into_inner).push(block);
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
    offset: u64,
}

impl UniformWriter {
    /// Writes what a kernel that is recorded next can read: each uniform's bytes. Returns the bind group and the offsets in it.
    /// No uniform has more than [`MAX_UNIFORM_BYTES`], and there is at least one.
    pub(super) fn write(
        &mut self,
        device: &Device,
        blocks: &UniformBlocks,
        commands: &mut wgpu::CommandEncoder,
        uniforms: &[&[u8]],
    ) -> Result<(wgpu::BindGroup, UniformOffsets)> {
        let room = uniforms.len() as u64 * MAX_UNIFORM_BYTES;
        if let Some(full) = self.current.take_if(|open| open.offset + room > BLOCK_BYTES) {
            self.used.push(full);
        }
        let open = match &mut self.current {
            Some(open) => open,
            none => none.insert(Open { block: blocks.take(device)?, offset: 0 }),
        };
        let begin = open.offset;
        let mut offsets = UniformOffsets::new();
        let size = |bytes: &[u8]| (bytes.len() as u64).next_multiple_of(blocks.alignment.max(wgpu::COPY_BUFFER_ALIGNMENT));
        let end = begin + uniforms.iter().map(|bytes| size(bytes)).sum::<u64>();
        let mut view = open
            .block
            .staging
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
        commands.copy_buffer_to_buffer(&open.block.staging, begin, &open.block.buffer, begin, end - begin);
        open.offset = end;
        Ok((blocks.bind_group(device, &open.block, uniforms.len()).clone(), offsets))
    }

    /// Before submission: gives what was written to the GPU. A block is mapped again, and free, once the GPU has read it.
    pub(super) fn submit(&mut self, commands: &wgpu::CommandEncoder, blocks: &UniformBlocks) {
        for Open { block, .. } in self.used.drain(..).chain(self.current.take()) {
            block.staging.unmap();
            let (staging, free) = (block.staging.clone(), blocks.free.clone());
            commands.map_buffer_on_submit(&staging, wgpu::MapMode::Write, .., move |mapped| {
                if mapped.is_ok() {
                    UniformBlocks::give_back(&free, block);
                }
            });
        }
    }

    /// Nothing of it will be submitted.
    pub(super) fn cancel(&mut self, blocks: &UniformBlocks) {
        let written = self.used.drain(..).chain(self.current.take());
        written.for_each(|open| UniformBlocks::give_back(&blocks.free, open.block));
    }
}
