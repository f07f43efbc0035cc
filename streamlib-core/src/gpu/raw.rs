//! WebGPU itself, on streamlib's device and in its order: for what frames, buffers and kernels have no words for.

#![allow(clippy::disallowed_methods, reason = "what programs create for themselves is created, and counted, here")]

use std::any::Any;
use std::borrow::Cow;
use std::ops::{Deref, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use naga::front::{glsl, spv};
use naga::valid::{GlobalUse, ModuleInfo};

use super::buffer::SizeClass;
use super::capabilities::ASK_FIRST;
use super::device::ROOM;
use super::mapping::Mapping;
use super::refusals::Attending;
use super::stack::with_room;
use super::staging::{Mapped, MappedView};
use super::{FrameEncoder, GpuContext, ReadyToken, wgsl};
use crate::{Error, ErrorKind, Result, VideoFrame};

/// WebGPU itself: what [`GpuContext::raw`] gives.
///
/// What is made here is the program's own: in no pool and in no budget, counted in [`GpuStatistics`](super::GpuStatistics), freed with its last handle.
/// What wgpu refuses is the error of the very call, of the kind [`ErrorKind::Gpu`] or [`ErrorKind::OutOfMemory`]; mistakes in commands show
/// when their encoder is finished, as WebGPU has it.
///
/// ```
/// # use streamlib_core::{GpuContext, GpuOptions, wgpu};
/// let gpu = GpuContext::new(&GpuOptions::default())?;
/// let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
/// let buffer = gpu.raw().create_buffer(&wgpu::BufferDescriptor { label: None, size: 8, usage, mapped_at_creation: false })?;
/// gpu.raw().write_buffer(&buffer, 4, &[1, 2, 3, 4])?;
/// assert_eq!(gpu.raw().read_buffer(&buffer, 0..8, "doc")?.wait()?[..], [0, 0, 0, 0, 1, 2, 3, 4]);
/// # Ok::<(), streamlib_core::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Raw<'a> {
    gpu: &'a GpuContext,
}

/// A shader's text, or its binary form.
#[derive(Clone, Copy, Debug)]
pub enum ShaderSource<'a> {
    /// WGSL.
    Wgsl(&'a str),
    /// GLSL 4.50 of a compute shader.
    Glsl(&'a str),
    /// SPIR-V.
    Spirv(&'a [u8]),
}

impl ShaderSource<'_> {
    fn bytes(self) -> usize {
        match self {
            Self::Wgsl(text) | Self::Glsl(text) => text.len(),
            Self::Spirv(bytes) => bytes.len(),
        }
    }
}

/// A shader module and what WebGPU would not say of it.
#[derive(Clone, Debug)]
pub struct RawShader {
    /// wgpu's module.
    pub module: wgpu::ShaderModule,
    /// The textures that it writes.
    pub written: Arc<[WrittenTexture]>,
}

/// Where a shader has a texture that it writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenTexture {
    /// Which of its entry points writes it.
    pub entry_point: Arc<str>,
    /// `@group`.
    pub group: u32,
    /// `@binding`.
    pub binding: u32,
}

impl GpuContext {
    /// WebGPU itself, on this device.
    pub fn raw(&self) -> Raw<'_> {
        Raw { gpu: self }
    }

    /// Whether the other one is of the same device: what is made with one can be used with the other.
    pub fn is_same_device(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.device(), other.device())
    }
}

impl Raw<'_> {
    /// Makes a call of wgpu's. What wgpu refuses of it is the error, which begins with `what`; so is a panic of wgpu's
    /// ([`ErrorKind::Panicked`]).
    pub fn call<T>(&self, what: &str, call: impl FnOnce() -> T) -> Result<T> {
        let attending = Attending::begin();
        let made = catch_unwind(AssertUnwindSafe(call));
        let refused = self.gpu.take_error();
        drop(attending);
        let made = made.map_err(|panic| {
            let message = format!("{what}: wgpu panicked: {}", said(&*panic));
            Error::new(ErrorKind::Panicked, message).hint("this is a defect of wgpu's or of a driver's: tell its authors")
        })?;
        refused.map_err(|error| named(what, error))?;
        // A lost device takes everything and does nothing.
        self.gpu.check_alive()?;
        Ok(made)
    }

    fn create<T>(&self, what: &str, counter: &AtomicU64, create: impl FnOnce(&wgpu::Device) -> T) -> Result<T> {
        counter.fetch_add(1, Ordering::Relaxed);
        self.call(what, || create(&self.gpu.device().raw))
    }

    /// A buffer of zeros.
    pub fn create_buffer(&self, descriptor: &wgpu::BufferDescriptor<'_>) -> Result<wgpu::Buffer> {
        self.create("create_buffer", &self.gpu.device().created.buffers, |device| device.create_buffer(descriptor))
    }

    /// A texture of zeros.
    pub fn create_texture(&self, descriptor: &wgpu::TextureDescriptor<'_>) -> Result<wgpu::Texture> {
        self.create("create_texture", &self.gpu.device().created.textures, |device| device.create_texture(descriptor))
    }

    /// A view of a texture, of a frame's too.
    pub fn create_view(
        &self,
        texture: &wgpu::Texture,
        descriptor: &wgpu::TextureViewDescriptor<'_>,
    ) -> Result<wgpu::TextureView> {
        self.create("create_view", &self.gpu.device().created.views, |_| texture.create_view(descriptor))
    }

    /// A sampler.
    pub fn create_sampler(&self, descriptor: &wgpu::SamplerDescriptor<'_>) -> Result<wgpu::Sampler> {
        self.create("create_sampler", &self.gpu.device().created.samplers, |device| device.create_sampler(descriptor))
    }

    /// A set of queries.
    pub fn create_query_set(&self, descriptor: &wgpu::QuerySetDescriptor<'_>) -> Result<wgpu::QuerySet> {
        self.create("create_query_set", &self.gpu.device().created.query_sets, |device| device.create_query_set(descriptor))
    }

    /// The layout of a bind group.
    pub fn create_bind_group_layout(&self, descriptor: &wgpu::BindGroupLayoutDescriptor<'_>) -> Result<wgpu::BindGroupLayout> {
        let counter = &self.gpu.device().created.layouts;
        self.create("create_bind_group_layout", counter, |device| device.create_bind_group_layout(descriptor))
    }

    /// A bind group.
    pub fn create_bind_group(&self, descriptor: &wgpu::BindGroupDescriptor<'_>) -> Result<wgpu::BindGroup> {
        let counter = &self.gpu.device().created.bind_groups;
        self.create("create_bind_group", counter, |device| device.create_bind_group(descriptor))
    }

    /// The layout of a pipeline.
    pub fn create_pipeline_layout(&self, descriptor: &wgpu::PipelineLayoutDescriptor<'_>) -> Result<wgpu::PipelineLayout> {
        let counter = &self.gpu.device().created.layouts;
        self.create("create_pipeline_layout", counter, |device| device.create_pipeline_layout(descriptor))
    }

    /// A shader module. Mistakes in the source are [`ErrorKind::Gpu`], WGSL's and GLSL's with line, column and text.
    pub fn create_shader_module(&self, label: Option<&str>, source: ShaderSource<'_>) -> Result<RawShader> {
        let what = label.map_or_else(|| "the shader".into(), |label| format!("shader '{label}'"));
        let wrong = |why: String| Error::new(ErrorKind::Gpu, format!("create_shader_module: {what} cannot be compiled{why}"));
        let compile = || {
            // naga panics at some sources.
            let parsed =
                catch_unwind(|| parse(source)).unwrap_or_else(|panic| Err(format!(": naga panicked: {}", said(&*panic))));
            let (module, info) = parsed.map_err(wrong)?;
            let written = written(&module, &info);
            let source = wgpu::ShaderSource::Naga(Cow::Owned(module));
            let create = || self.gpu.device().raw.create_shader_module(wgpu::ShaderModuleDescriptor { label, source });
            let module = self.call("create_shader_module", create).map_err(|error| {
                match error.to_string().contains("Capabilities::") {
                    true => error.hint(format!("it needs a feature with which the GPU was not opened; {ASK_FIRST}")),
                    false => error,
                }
            })?;
            Ok(RawShader { module, written })
        };
        with_room(source.bytes(), compile).map_err(wrong)?
    }

    /// A compute pipeline. What the driver compiles is kept for later starts.
    pub fn create_compute_pipeline(&self, descriptor: &wgpu::ComputePipelineDescriptor<'_>) -> Result<wgpu::ComputePipeline> {
        let device = self.gpu.device();
        let create = || {
            self.create("create_compute_pipeline", &device.created.pipelines, |raw| {
                device.disk_cache.pipeline(|cache| {
                    raw.create_compute_pipeline(&wgpu::ComputePipelineDescriptor { cache, ..descriptor.clone() })
                })
            })
        };
        with_room(ROOM, create).map_err(|why| Error::new(ErrorKind::Gpu, format!("create_compute_pipeline{why}")))?
    }

    /// An encoder of commands. [`submit`](Self::submit) takes what it makes.
    pub fn create_command_encoder(&self, label: Option<&str>) -> Result<wgpu::CommandEncoder> {
        self.call("create_command_encoder", || {
            self.gpu.device().raw.create_command_encoder(&wgpu::CommandEncoderDescriptor { label })
        })
    }

    /// Submits commands, in streamlib's order; the frames that they write are written from then on. Does not wait for the GPU.
    ///
    /// A frame that was written to a port, or is of another device, is [`ErrorKind::InvalidArgument`], and nothing is submitted.
    pub fn submit<'f>(
        &self,
        commands: impl IntoIterator<Item = wgpu::CommandBuffer>,
        written: impl IntoIterator<Item = &'f VideoFrame> + Clone,
    ) -> Result<ReadyToken> {
        written.clone().into_iter().try_for_each(|frame| self.check_writable(frame))?;
        let submission = self.call("submit", || self.gpu.device().submitter.submit(commands))?;
        written.into_iter().for_each(|frame| frame.lease().set_submission(submission));
        Ok(self.gpu.token(submission))
    }

    /// Fails if a frame is of another device, or was written to a port: then nobody may change it.
    pub fn check_writable(&self, frame: &VideoFrame) -> Result<()> {
        if !frame.is_of(self.gpu) {
            return Err(Error::new(ErrorKind::InvalidArgument, "the frame is of another GPU device"));
        }
        FrameEncoder::check_writable(frame)
    }

    /// Writes bytes, a multiple of 4 to an offset that is one, before whatever is submitted next.
    pub fn write_buffer(&self, buffer: &wgpu::Buffer, offset: u64, data: &[u8]) -> Result<()> {
        self.gpu.device().bytes.uploaded.fetch_add(data.len() as u64, Ordering::Relaxed);
        self.call("write_buffer", || self.gpu.device().queue.write_buffer(buffer, offset, data))
    }

    /// Writes texels before whatever is submitted next. Their rows may lie as close as one likes.
    pub fn write_texture(
        &self,
        destination: wgpu::TexelCopyTextureInfo<'_>,
        data: &[u8],
        layout: wgpu::TexelCopyBufferLayout,
        size: wgpu::Extent3d,
    ) -> Result<()> {
        self.gpu.device().bytes.uploaded.fetch_add(data.len() as u64, Ordering::Relaxed);
        self.call("write_texture", || self.gpu.device().queue.write_texture(destination, data, layout, size))
    }

    /// Copies bytes of a buffer that has `COPY_SRC` to the CPU, once the GPU has done what was submitted before.
    ///
    /// Offset and length are multiples of 4. `taker` is named in [`leases`](GpuContext::leases) meanwhile.
    pub fn read_buffer(&self, buffer: &wgpu::Buffer, range: Range<u64>, taker: impl Into<Arc<str>>) -> Result<RawReadBack> {
        let bytes = range.end.saturating_sub(range.start);
        let copy = |encoder: &mut wgpu::CommandEncoder, to: &wgpu::Buffer| {
            encoder.copy_buffer_to_buffer(buffer, range.start, to, 0, bytes);
        };
        self.read("read_buffer", bytes, &taker.into(), copy)
    }

    /// Copies texels of a texture that has `COPY_SRC` to the CPU, rows at multiples of `bytes_per_row`, itself one of 256, and layers at
    /// multiples of `rows_per_image` rows.
    pub fn read_texture(
        &self,
        source: wgpu::TexelCopyTextureInfo<'_>,
        size: wgpu::Extent3d,
        (bytes_per_row, rows_per_image): (u32, u32),
        taker: impl Into<Arc<str>>,
    ) -> Result<RawReadBack> {
        let rows = u64::from(rows_per_image) * u64::from(size.depth_or_array_layers);
        let bytes = u64::from(bytes_per_row).saturating_mul(rows);
        let copy = |encoder: &mut wgpu::CommandEncoder, to: &wgpu::Buffer| {
            let (bytes_per_row, rows_per_image) = (Some(bytes_per_row), Some(rows_per_image));
            let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row, rows_per_image };
            encoder.copy_texture_to_buffer(source, wgpu::TexelCopyBufferInfo { buffer: to, layout }, size);
        };
        self.read("read_texture", bytes, &taker.into(), copy)
    }

    fn read(
        &self,
        what: &str,
        bytes: u64,
        taker: &Arc<str>,
        copy: impl FnOnce(&mut wgpu::CommandEncoder, &wgpu::Buffer),
    ) -> Result<RawReadBack> {
        let limit = self.gpu.device().raw.limits().max_buffer_size;
        if bytes == 0 || bytes > limit {
            let message = format!("{what}: {bytes} bytes cannot be copied at once");
            return Err(Error::new(ErrorKind::InvalidArgument, message).hint(format!("this adapter takes 1 to {limit}")));
        }
        let size = SizeClass::of(bytes).at_most(limit, bytes).bytes();
        let mapped = Mapped::new(self.gpu, size, taker)?;
        let mut encoder = self.gpu.encoder();
        copy(encoder.commands(), mapped.raw());
        let staging = mapped.map_on_submit(encoder.commands());
        encoder.read_backs.push(staging);
        encoder.submit().map_err(|error| named(what, error))?;
        self.gpu.device().bytes.read_back.fetch_add(bytes, Ordering::Relaxed);
        Ok(RawReadBack { mapped, bytes: bytes as usize })
    }

    /// Begins to map a part of a buffer: once the GPU has done what was submitted with it, [`Mapping::wait`] returns.
    ///
    /// The offset is a multiple of 8, the length one of 4. A buffer that is mapped already, or was asked for, is an error, too.
    pub fn map(&self, buffer: &wgpu::Buffer, mode: wgpu::MapMode, range: Range<u64>) -> Result<Mapping> {
        let is_aligned = range.start.is_multiple_of(wgpu::MAP_ALIGNMENT)
            && range.end.is_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT)
            && range.start < range.end;
        if !is_aligned || range.end > buffer.size() {
            let message = format!("bytes {} to {} of a buffer of {} cannot be mapped", range.start, range.end, buffer.size());
            return Err(Error::new(ErrorKind::InvalidArgument, message)
                .hint("within it, from a multiple of 8 on, a multiple of 4 bytes and at least 4"));
        }
        let needed = match mode {
            wgpu::MapMode::Read => wgpu::BufferUsages::MAP_READ,
            wgpu::MapMode::Write => wgpu::BufferUsages::MAP_WRITE,
        };
        if !buffer.usage().contains(needed) {
            let message = format!("map: the buffer is not for {needed:?}, but for {:?}", buffer.usage());
            return Err(Error::new(ErrorKind::Gpu, message).hint("make it with that usage, too"));
        }
        let (mapping, outcome) = Mapping::begin(self.gpu);
        let asked = self.call("map", || buffer.map_async(mode, range, move |mapped| outcome.set(mapped)));
        if let Err(refused) = asked {
            // wgpu keeps the range that it refused.
            let _ = self.call("unmap", || buffer.unmap());
            return Err(refused);
        }
        // Whoever polls looks for mappings, too; somebody polls after each submission.
        let submitted = self.submit([], []);
        if submitted.is_err() {
            let _ = self.call("unmap", || buffer.unmap());
        }
        submitted.map(|_| mapping)
    }

    /// Ends the device: whatever is done with it from now on fails with [`ErrorKind::DeviceLost`].
    pub fn destroy(&self) {
        self.gpu.device().raw.destroy();
        self.gpu.timeline().device_lost("the program has destroyed it".into());
    }
}

/// The module of a source and what naga finds out about it; what is wrong with it begins with a comma or a colon.
fn parse(source: ShaderSource<'_>) -> Result<(naga::Module, ModuleInfo), String> {
    let (module, text) = match source {
        ShaderSource::Wgsl(text) => return wgsl::checked(text),
        ShaderSource::Glsl(text) => {
            let options = glsl::Options::from(naga::ShaderStage::Compute);
            let module = glsl::Frontend::default().parse(&options, text).map_err(|errors| match errors.errors.first() {
                Some(error) => wgsl::at(text, Some(error.meta.location(text)), error.kind.to_string()),
                None => String::new(),
            })?;
            (module, text)
        }
        ShaderSource::Spirv(bytes) => {
            let module = spv::parse_u8_slice(bytes, &spv::Options::default());
            (module.map_err(|error| format!(": {}", wgsl::chain(&error)))?, "")
        }
    };
    let info = wgsl::validated(&module, text)?;
    Ok((module, info))
}

/// The textures that each entry point writes.
fn written(module: &naga::Module, info: &ModuleInfo) -> Arc<[WrittenTexture]> {
    let of_entry = |(place, entry): (usize, &naga::EntryPoint)| {
        let uses = info.get_entry_point(place);
        let written = module.global_variables.iter().filter(move |(variable, _)| uses[*variable].contains(GlobalUse::WRITE));
        let textures = written.filter(|(_, variable)| {
            let mut ty = &module.types[variable.ty].inner;
            if let naga::TypeInner::BindingArray { base, .. } = ty {
                ty = &module.types[*base].inner;
            }
            matches!(ty, naga::TypeInner::Image { .. })
        });
        let entry_point: Arc<str> = entry.name.as_str().into();
        let textures = textures.filter_map(move |(_, variable)| {
            let binding = variable.binding.as_ref()?;
            Some(WrittenTexture { entry_point: entry_point.clone(), group: binding.group, binding: binding.binding })
        });
        textures.collect::<Vec<_>>()
    };
    module.entry_points.iter().enumerate().flat_map(of_entry).collect()
}

/// What a panic says.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why")
}

/// What wgpu has refused of this call.
fn named(what: &str, error: Error) -> Error {
    match error.kind() {
        ErrorKind::Gpu | ErrorKind::OutOfMemory => {
            let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            Error::new(error.kind(), format!("{what}: {cause}"))
        }
        _ => error,
    }
}

/// Bytes on their way to the CPU. Dropping it early is fine.
pub struct RawReadBack {
    mapped: Mapped,
    bytes: usize,
}

impl RawReadBack {
    /// Whether [`wait`](Self::wait) would return at once.
    pub fn is_ready(&self) -> bool {
        self.mapped.is_ready()
    }

    /// When the bytes are there: to be waited for with a limit of one's own. `None` if the submission was refused.
    pub fn ready(&self) -> Option<ReadyToken> {
        self.mapped.ready()
    }

    /// Blocks until the bytes are there. Fails with [`ErrorKind::DeviceLost`] or [`ErrorKind::Stalled`].
    pub fn wait(self) -> Result<RawBytes> {
        Ok(RawBytes { view: self.mapped.wait()?, bytes: self.bytes })
    }
}

/// Bytes that the GPU has copied. Their memory is used again once this is dropped.
pub struct RawBytes {
    view: MappedView,
    bytes: usize,
}

impl Deref for RawBytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.view[..self.bytes]
    }
}
