//! Shader parameters: blocks that are written through mapped memory and bound with a dynamic offset.

use std::sync::{Arc, Mutex, PoisonError};

use super::device::Device;
use super::staging::{BufferRing, StagingBuffer, recycle_upload, upload_buffer};
use crate::{Error, ErrorKind, Result};

/// The size of a block.
const BLOCK_BYTES: u64 = 16 * 1024;

/// The most bytes one shader's parameters can have: what a binding of a block may span.
pub(super) const MAX_UNIFORM_BYTES: u64 = 1024;

/// A piece of GPU memory for the parameters of one submission.
struct Block {
    buffer: wgpu::Buffer,
    bind_group: wgpu::BindGroup,
}

/// Blocks that no encoder is using.
pub(super) struct UniformBlocks {
    layout: wgpu::BindGroupLayout,
    alignment: u64,
    free: Mutex<Vec<Arc<Block>>>,
}

impl UniformBlocks {
    pub(super) fn new(device: &Device) -> Self {
        let layout = device.raw.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("streamlib parameters"),
            entries: &[wgpu::BindGroupLayoutEntry {
                binding: 0,
                visibility: wgpu::ShaderStages::COMPUTE | wgpu::ShaderStages::FRAGMENT,
                ty: wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Uniform,
                    has_dynamic_offset: true,
                    min_binding_size: None,
                },
                count: None,
            }],
        });
        let alignment = u64::from(device.raw.limits().min_uniform_buffer_offset_alignment);
        Self { layout, alignment, free: Mutex::default() }
    }

    pub(super) fn layout(&self) -> &wgpu::BindGroupLayout {
        &self.layout
    }

    fn take(&self, device: &Device) -> Result<Arc<Block>> {
        if let Some(block) = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(block);
        }
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let buffer = device.create_buffer("streamlib parameters", BLOCK_BYTES, usage, false)?;
        let bind_group = device.raw.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("streamlib parameters"),
            layout: &self.layout,
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: &buffer,
                    offset: 0,
                    size: std::num::NonZeroU64::new(MAX_UNIFORM_BYTES),
                }),
            }],
        });
        Ok(Arc::new(Block { buffer, bind_group }))
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
    /// Writes `bytes` where a shader recorded next can read them; returns the bind group and its offset.
    pub(super) fn write(
        &mut self,
        device: &Device,
        blocks: &UniformBlocks,
        ring: &BufferRing,
        commands: &mut wgpu::CommandEncoder,
        bytes: &[u8],
    ) -> Result<(wgpu::BindGroup, u32)> {
        let size = (bytes.len() as u64).next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT);
        if size > MAX_UNIFORM_BYTES {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("{size} bytes of shader parameters are too many"))
                .hint(format!("at most {MAX_UNIFORM_BYTES} fit; put the rest into a texture")));
        }
        if let Some(full) = self.current.take_if(|open| open.offset + MAX_UNIFORM_BYTES > BLOCK_BYTES) {
            self.used.push(full);
        }
        let open = match &mut self.current {
            Some(open) => open,
            none => {
                none.insert(Open { block: blocks.take(device)?, staging: upload_buffer(device, ring, BLOCK_BYTES)?, offset: 0 })
            }
        };
        let offset = open.offset;
        let end = offset + bytes.len() as u64;
        let mut view = open
            .staging
            .raw
            .get_mapped_range_mut(offset..offset + size)
            .map_err(|error| Error::new(ErrorKind::Gpu, "cannot write shader parameters").caused_by(error))?;
        view.slice(..bytes.len()).copy_from_slice(bytes);
        drop(view);
        commands.copy_buffer_to_buffer(&open.staging.raw, offset, &open.block.buffer, offset, size);
        open.offset = end.next_multiple_of(blocks.alignment);
        device.bytes.uniforms.fetch_add(bytes.len() as u64, std::sync::atomic::Ordering::Relaxed);
        Ok((open.block.bind_group.clone(), offset as u32))
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
