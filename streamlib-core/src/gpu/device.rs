//! The wgpu device with what must be counted and caught around it. GPU objects are created here and nowhere else, but for the one
//! pipeline cache of a device (`disk_cache.rs`).

#![allow(clippy::disallowed_methods, reason = "this is the one place that creates")]

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::bind_groups::{BindGroups, ResourceId};
use super::disk_cache::DiskCache;
use super::painter::PainterOptions;
use super::timeline::Submitter;
use crate::{Error, ErrorKind, Result};

/// Bytes of pixels that were moved, row padding apart, and bytes of shader parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ByteStatistics {
    /// Pixels from the CPU to the GPU.
    pub uploaded: u64,
    /// Pixels from texture to texture.
    pub copied: u64,
    /// Pixels from the GPU to the CPU.
    pub read_back: u64,
    /// Bytes moved only because rows must start at multiples of 256 bytes.
    pub row_padding: u64,
    /// Shader parameters.
    pub uniforms: u64,
}

/// Relaxed counters: each is exact by itself.
#[derive(Default)]
pub(super) struct ByteCounters {
    pub(super) uploaded: AtomicU64,
    pub(super) copied: AtomicU64,
    pub(super) read_back: AtomicU64,
    pub(super) row_padding: AtomicU64,
    pub(super) uniforms: AtomicU64,
}

impl ByteCounters {
    pub(super) fn snapshot(&self) -> ByteStatistics {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ByteStatistics {
            uploaded: get(&self.uploaded),
            copied: get(&self.copied),
            read_back: get(&self.read_back),
            row_padding: get(&self.row_padding),
            uniforms: get(&self.uniforms),
        }
    }
}

/// GPU objects that were created. In the steady state of a stream none is, command encoders and the window system's textures apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct CreationStatistics {
    /// Textures.
    pub textures: u64,
    /// Views of textures.
    pub views: u64,
    /// Buffers.
    pub buffers: u64,
    /// Bind groups.
    pub bind_groups: u64,
    /// Layouts of bind groups.
    pub layouts: u64,
    /// Pipelines, each with its shader module.
    pub pipelines: u64,
    /// Samplers.
    pub samplers: u64,
    /// Sets of queries.
    pub query_sets: u64,
}

#[derive(Default)]
pub(super) struct CreationCounters {
    textures: AtomicU64,
    views: AtomicU64,
    buffers: AtomicU64,
    bind_groups: AtomicU64,
    layouts: AtomicU64,
    pipelines: AtomicU64,
    samplers: AtomicU64,
    query_sets: AtomicU64,
}

impl CreationCounters {
    pub(super) fn snapshot(&self) -> CreationStatistics {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CreationStatistics {
            textures: get(&self.textures),
            views: get(&self.views),
            buffers: get(&self.buffers),
            bind_groups: get(&self.bind_groups),
            layouts: get(&self.layouts),
            pipelines: get(&self.pipelines),
            samplers: get(&self.samplers),
            query_sets: get(&self.query_sets),
        }
    }
}

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
    generation: u32,
    /// The first error that no error scope caught, of threads that do not look for theirs.
    stray: Arc<Stray>,
}

#[derive(Default)]
struct Stray {
    error: Mutex<Option<Error>>,
    is_there: AtomicBool,
}

impl Stray {
    fn note(&self, error: Error) {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.is_there.store(true, Ordering::Release);
    }

    fn take(&self) -> Option<Error> {
        self.is_there.load(Ordering::Acquire).then(|| {
            self.is_there.store(false, Ordering::Release);
            self.error.lock().unwrap_or_else(PoisonError::into_inner).take()
        })?
    }
}

thread_local! {
    /// For a thread that looks for its errors after each of its calls: the first that no error scope caught, and of which
    /// device. wgpu reports on the thread that made the mistake.
    static OWN: RefCell<Option<Option<(u32, Error)>>> = const { RefCell::new(None) };
}

/// From now on this thread's errors are kept for itself: it calls [`Device::take_error`] after all it does.
pub(crate) fn attend_errors() {
    OWN.set(Some(None));
}

/// While this lives, the thread's errors are kept for itself.
pub(super) struct Attending {
    did_before: bool,
}

impl Attending {
    pub(super) fn begin() -> Self {
        OWN.with_borrow_mut(|own| {
            let did_before = own.is_some();
            own.get_or_insert(None);
            Self { did_before }
        })
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        if !self.did_before {
            OWN.set(None);
        }
    }
}

impl Device {
    pub(super) fn new(raw: wgpu::Device, queue: wgpu::Queue, disk_cache: DiskCache, writes_r8: bool) -> Result<Arc<Self>> {
        static GENERATION: AtomicU64 = AtomicU64::new(0);
        let generation = (GENERATION.fetch_add(1, Ordering::Relaxed) + 1) as u32;
        let submitter = Submitter::new(generation, raw.clone(), queue.clone())?;
        let stray = Arc::<Stray>::default();
        raw.on_uncaptured_error(Arc::new({
            let stray = stray.clone();
            move |error| {
                tracing::debug!(%error, "uncaptured GPU error");
                let mut error = Some(from_wgpu("a GPU command failed", error));
                // A thread that is ending has no store any more.
                let _ = OWN.try_with(|own| match &mut *own.borrow_mut() {
                    Some(Some((of, _))) if *of == generation => error = None,
                    Some(own) => *own = error.take().map(|error| (generation, error)),
                    None => {}
                });
                if let Some(error) = error {
                    stray.note(error);
                }
            }
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
        Ok(Arc::new(Self {
            raw,
            queue,
            submitter,
            bytes,
            created,
            bind_groups,
            samplers,
            disk_cache,
            writes_r8,
            generation,
            stray,
        }))
    }

    /// The first error since the last call that no call returned by itself: this thread's, if it attends to its errors, else
    /// that of any thread which does not.
    pub(super) fn take_error(&self) -> Result<()> {
        let own = OWN
            .with_borrow_mut(|own| own.as_mut().map(|own| own.take_if(|(of, _)| *of == self.generation).map(|(_, error)| error)));
        match own.unwrap_or_else(|| self.stray.take()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// The first error of threads that do not attend to theirs.
    pub(super) fn take_stray_error(&self) -> Option<Error> {
        self.stray.take()
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
        self.catch("", || {
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
        })
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

/// Runs `create`, turning what wgpu finds wrong in it into a value.
pub(super) fn in_scopes<T>(device: &wgpu::Device, create: impl FnOnce() -> T) -> Result<T, wgpu::Error> {
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let created = create();
    let validation = pollster::block_on(validation.pop());
    let memory = pollster::block_on(memory.pop());
    memory.or(validation).map_or(Ok(created), Err)
}

/// A wgpu error as one of ours.
pub(super) fn from_wgpu(what: &str, error: wgpu::Error) -> Error {
    let kind = match &error {
        wgpu::Error::OutOfMemory { .. } => ErrorKind::OutOfMemory,
        _ => ErrorKind::Gpu,
    };
    Error::new(kind, format!("{what}: {error}")).caused_by(error)
}
