//! The wgpu device with what must be counted and caught around it. streamlib's GPU objects are created here and nowhere else, but for the one
//! pipeline cache of a device (`disk_cache.rs`); those of programs in `raw.rs`.

#![allow(clippy::disallowed_methods, reason = "this is the one place that creates")]

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use smallvec::SmallVec;

use super::bind_groups::{BindGroups, ResourceId};
use super::counters::{ByteCounters, CreationCounters};
use super::disk_cache::DiskCache;
use super::painter::PainterOptions;
use super::refusals::{Refusals, from_wgpu, in_scopes};
use super::stack::with_room;
use super::timeline::Submitter;
use crate::{Error, ErrorKind, Result};

/// As long a shader as a driver may be given: the module does not say how long its text was.
pub(super) const ROOM: usize = 64 << 10;

/// The samplers that kernels are given.
pub(super) struct Samplers {
    pub(super) linear: (ResourceId, wgpu::Sampler),
    pub(super) nearest: (ResourceId, wgpu::Sampler),
}

impl Samplers {
    fn new(device: &wgpu::Device, created: &CreationCounters) -> Self {
        let sampler = |filter| {
            created.samplers.fetch_add(1, Ordering::Relaxed);
            let descriptor = wgpu::SamplerDescriptor { mag_filter: filter, min_filter: filter, ..Default::default() };
            (ResourceId::new(), device.create_sampler(&descriptor))
        };
        Self { linear: sampler(wgpu::FilterMode::Linear), nearest: sampler(wgpu::FilterMode::Nearest) }
    }
}

pub(crate) struct Device {
    pub(super) raw: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) submitter: Submitter,
    pub(super) bytes: ByteCounters,
    pub(super) created: CreationCounters,
    pub(super) bind_groups: BindGroups,
    pub(super) samplers: Samplers,
    pub(super) disk_cache: DiskCache,
    /// Whether compute shaders can write `r8unorm`.
    writes_r8: bool,
    pub(super) refusals: Arc<Refusals>,
}

impl Device {
    pub(super) fn new(raw: wgpu::Device, queue: wgpu::Queue, disk_cache: DiskCache, writes_r8: bool) -> Result<Arc<Self>> {
        static GENERATION: AtomicU64 = AtomicU64::new(0);
        let generation = (GENERATION.fetch_add(1, Ordering::Relaxed) + 1) as u32;
        let submitter = Submitter::new(generation, raw.clone(), queue.clone())?;
        let refusals = Arc::new(Refusals::new(generation));
        raw.on_uncaptured_error(Arc::new({
            let refusals = refusals.clone();
            move |error| refusals.note(error)
        }));
        raw.set_device_lost_callback({
            let timeline = Arc::downgrade(submitter.timeline());
            move |reason, message| {
                if let Some(timeline) = timeline.upgrade() {
                    timeline.device_lost(format!("{reason:?}: {message}"));
                }
            }
        });
        let created = CreationCounters::default();
        let samplers = Samplers::new(&raw, &created);
        let (bytes, bind_groups) = Default::default();
        Ok(Arc::new(Self { raw, queue, submitter, bytes, created, bind_groups, samplers, disk_cache, writes_r8, refusals }))
    }

    /// Runs `create`, turning the errors that wgpu raises in it into a value. `what` begins the message.
    pub(super) fn catch<T>(&self, what: &str, create: impl FnOnce() -> T) -> Result<T> {
        in_scopes(&self.raw, create).map_err(|error| from_wgpu(what, error))
    }

    pub(super) fn create_texture(
        &self,
        size: wgpu::Extent3d,
        format: wgpu::TextureFormat,
        wanted: wgpu::TextureUsages,
    ) -> Result<wgpu::Texture> {
        let usage = wanted & self.allowed_usages(format);
        // Lets the display sample in linear light.
        let view_formats: &[_] = match format {
            wgpu::TextureFormat::Rgba8Unorm => &[wgpu::TextureFormat::Rgba8UnormSrgb],
            _ => &[],
        };
        self.created.textures.fetch_add(1, Ordering::Relaxed);
        self.catch("cannot create a texture", || {
            self.raw.create_texture(&wgpu::TextureDescriptor {
                label: Some("streamlib frame"),
                size,
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format,
                usage,
                view_formats,
            })
        })
    }

    pub(super) fn create_buffer(&self, label: &str, size: u64, usage: wgpu::BufferUsages, mapped: bool) -> Result<wgpu::Buffer> {
        self.created.buffers.fetch_add(1, Ordering::Relaxed);
        self.catch("cannot create a buffer", || {
            self.raw.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: mapped })
        })
    }

    pub(super) fn create_view(&self, texture: &wgpu::Texture) -> wgpu::TextureView {
        self.created.views.fetch_add(1, Ordering::Relaxed);
        texture.create_view(&wgpu::TextureViewDescriptor::default())
    }

    pub(super) fn create_bind_group_layout(&self, label: &str, entries: &[wgpu::BindGroupLayoutEntry]) -> wgpu::BindGroupLayout {
        self.created.layouts.fetch_add(1, Ordering::Relaxed);
        self.raw.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(label), entries })
    }

    pub(super) fn create_bind_group(
        &self,
        label: &str,
        layout: &wgpu::BindGroupLayout,
        entries: &[wgpu::BindGroupEntry<'_>],
    ) -> wgpu::BindGroup {
        self.created.bind_groups.fetch_add(1, Ordering::Relaxed);
        self.raw.create_bind_group(&wgpu::BindGroupDescriptor { label: Some(label), layout, entries })
    }

    /// A group of bindings that are numbered from 0 on.
    pub(super) fn create_group<'r>(
        &self,
        layout: &wgpu::BindGroupLayout,
        bindings: usize,
        resource: impl Fn(usize) -> wgpu::BindingResource<'r>,
    ) -> wgpu::BindGroup {
        let entry = |binding| wgpu::BindGroupEntry { binding: binding as u32, resource: resource(binding) };
        let entries: SmallVec<[_; 8]> = (0..bindings).map(entry).collect();
        self.create_bind_group("streamlib kernel", layout, &entries)
    }

    /// A view of a texture that is not the pools', as a window gives one for each picture: not counted.
    pub(super) fn foreign_view(texture: &wgpu::Texture, format: wgpu::TextureFormat) -> wgpu::TextureView {
        texture.create_view(&wgpu::TextureViewDescriptor {
            format: Some(format),
            usage: Some(wgpu::TextureUsages::RENDER_ATTACHMENT),
            ..Default::default()
        })
    }

    /// The view through which an `rgba8` texture is read in linear light.
    pub(super) fn create_light_view(&self, texture: &wgpu::Texture) -> wgpu::TextureView {
        self.created.views.fetch_add(1, Ordering::Relaxed);
        texture.create_view(&wgpu::TextureViewDescriptor {
            format: Some(wgpu::TextureFormat::Rgba8UnormSrgb),
            usage: Some(wgpu::TextureUsages::TEXTURE_BINDING),
            ..Default::default()
        })
    }

    pub(super) fn create_render_pipeline(
        &self,
        what: &str,
        wgsl: &str,
        options: &PainterOptions<'_>,
        group: &wgpu::BindGroupLayout,
    ) -> Result<wgpu::RenderPipeline> {
        self.created.pipelines.fetch_add(1, Ordering::Relaxed);
        self.catch(what, || {
            let module = self.raw.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(wgsl.into()),
            });
            let layout = self.raw.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: None,
                bind_group_layouts: &[Some(group)],
                immediate_size: 0,
            });
            let descriptor = wgpu::RenderPipelineDescriptor {
                label: None,
                layout: Some(&layout),
                vertex: wgpu::VertexState {
                    module: &module,
                    entry_point: Some(options.vertex),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    buffers: &[],
                },
                primitive: wgpu::PrimitiveState::default(),
                depth_stencil: None,
                multisample: wgpu::MultisampleState::default(),
                fragment: Some(wgpu::FragmentState {
                    module: &module,
                    entry_point: Some(options.fragment),
                    compilation_options: wgpu::PipelineCompilationOptions::default(),
                    targets: &[Some(options.target.into())],
                }),
                multiview_mask: None,
                cache: None,
            };
            self.disk_cache
                .pipeline(|cache| self.raw.create_render_pipeline(&wgpu::RenderPipelineDescriptor { cache, ..descriptor }))
        })
    }

    pub(super) fn create_timestamps(&self, count: u32) -> Result<wgpu::QuerySet> {
        self.created.query_sets.fetch_add(1, Ordering::Relaxed);
        self.catch("cannot create timestamps", || {
            self.raw.create_query_set(&wgpu::QuerySetDescriptor { label: None, ty: wgpu::QueryType::Timestamp, count })
        })
    }

    pub(super) fn create_command_encoder(&self) -> wgpu::CommandEncoder {
        self.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("streamlib segment") })
    }

    /// A pipeline of a module that was checked. The error's message begins with `: `.
    pub(super) fn create_compute_pipeline(
        &self,
        module: naga::Module,
        entry_point: &str,
        groups: &[Option<&wgpu::BindGroupLayout>],
        immediate_bytes: u32,
    ) -> Result<wgpu::ComputePipeline> {
        self.created.pipelines.fetch_add(1, Ordering::Relaxed);
        let create = || {
            let module = self.raw.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Naga(Cow::Owned(module)),
            });
            let layout = self.raw.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: None,
                bind_group_layouts: groups,
                immediate_size: immediate_bytes,
            });
            let descriptor = wgpu::ComputePipelineDescriptor {
                label: None,
                layout: Some(&layout),
                module: &module,
                entry_point: Some(entry_point),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            };
            self.disk_cache
                .pipeline(|cache| self.raw.create_compute_pipeline(&wgpu::ComputePipelineDescriptor { cache, ..descriptor }))
        };
        with_room(ROOM, || self.catch("", create)).unwrap_or_else(|why| Err(Error::new(ErrorKind::Gpu, why)))
    }

    /// The most bytes of immediate data that a pipeline can have: parameters that are part of the commands.
    pub(super) fn immediate_bytes(&self) -> u32 {
        match self.raw.features().contains(wgpu::Features::IMMEDIATES) {
            true => self.raw.limits().max_immediate_size,
            false => 0,
        }
    }

    /// How shaders may use storage textures of `format`.
    pub(super) fn storage_access(&self, format: wgpu::TextureFormat) -> wgpu::TextureFormatFeatureFlags {
        let mut flags = format.guaranteed_format_features(self.raw.features()).flags;
        if self.allowed_usages(format).contains(wgpu::TextureUsages::STORAGE_BINDING) {
            flags |= wgpu::TextureFormatFeatureFlags::STORAGE_WRITE_ONLY;
        }
        flags
    }

    /// What this device lets textures of `format` be used for.
    pub(super) fn allowed_usages(&self, format: wgpu::TextureFormat) -> wgpu::TextureUsages {
        format.guaranteed_format_features(self.raw.features()).allowed_usages
            | match format {
                wgpu::TextureFormat::R8Unorm if self.writes_r8 => wgpu::TextureUsages::STORAGE_BINDING,
                _ => wgpu::TextureUsages::empty(),
            }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.disk_cache.save();
    }
}
