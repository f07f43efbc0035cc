//! The GPU: one device and queue, pooled textures, uploads, read-backs, shaders and conversions.

mod adapter;
mod bind_groups;
mod budget;
mod buffer;
mod capabilities;
mod convert;
mod counters;
mod device;
mod disk_cache;
mod encoder;
mod kernel;
mod mapping;
mod painter;
mod pixel;
mod pool;
mod raw;
mod refusals;
mod shape;
mod slot;
mod stack;
mod staging;
mod texture;
mod timeline;
mod timer;
mod uniform;
mod upload;
mod wgsl;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use adapter::{AdapterChoice, AdapterOptions};
pub use budget::MemoryStatistics;
pub use buffer::{Buffer, BufferReadBack};
pub(crate) use convert::{StagedPass, loss};
pub use counters::{ByteStatistics, CreationStatistics, ObjectStatistics};
pub use disk_cache::DiskCacheStatistics;
pub use encoder::FrameEncoder;
pub use kernel::{
    DeclaredField, DeclaredUniform, Kernel, KernelBinding, KernelCall, KernelOptions, KernelStatistics, Scalar, Uniform,
    UniformField, UniformLayout, UniformNumber, UniformType, UniformValue, type_of_field,
};
pub use mapping::Mapping;
pub use painter::{FramePainter, PainterOptions, Viewport};
pub(crate) use pixel::{Draft, PixelFunction, PixelGroup};
pub use pool::{LeaseReport, PoolStatistics};
pub use raw::{Raw, RawBytes, RawReadBack, RawShader, ShaderSource, WrittenTexture};
pub(crate) use refusals::attend_errors;
pub use shape::PassShape;
pub(crate) use slot::Lease;
pub use staging::{ReadBack, ReadBackView};
pub(crate) use texture::Texture;
pub use timeline::ReadyToken;
pub(crate) use timeline::Timeline;
pub(crate) use timer::PassTimer;
pub use upload::{Plane, UploadMemory};

use crate::{Result, VideoFormat, VideoFrame};

/// What frames and buffers take.
const FRAMES: budget::Purse = budget::Purse {
    what: "the GPU memory budget",
    hint: "raise `GpuOptions::budget_bytes` (Python: `streamlib.gpu(budget_bytes=...)`), shorten queues or let go of frames and buffers",
};

/// What is on its way between the CPU and the GPU.
const STAGING: budget::Purse = budget::Purse {
    what: "the budget of staging memory",
    hint: "submit before more is uploaded, and let go of read-backs; `GpuOptions::budget_bytes` bounds it, too",
};

/// A budget that is small for frames is no reason to refuse their way to the GPU, whose rows are padded.
const LEAST_STAGING: u64 = 64 << 20;

/// How to open the GPU.
#[derive(Clone, Debug)]
pub struct GpuOptions {
    /// Which adapter. Default: the best there is.
    pub adapter: AdapterOptions,
    /// The most bytes of textures and buffers that may exist at once; as many again, and 64 MiB in any case, may be staging memory, through
    /// which both are uploaded and read back. Default: 1 GiB, which is 129 frames of 1920x1080 `rgba8`.
    pub budget_bytes: u64,
    /// Features that the program's own shaders need, beside those that streamlib uses by itself; an adapter that lacks one is an error. What a
    /// graph's processors need ([`Processor::required_features`](crate::Processor::required_features)) is added by itself. Default: none.
    pub features: wgpu::Features,
    /// The most buffers of one size class, of which each doubling has four, that are kept for later when nobody uses them. Default: 64.
    pub buffers_kept: usize,
    /// Where to keep what the driver has compiled and what was measured of the adapter, so that the next start is faster: a file for each
    /// adapter, of some kilobytes to 64 megabytes as the driver has it, written once a graph is set up, at its end and when the context goes. Several processes may
    /// share it. Drivers trust it: nobody else may be able to write there. `None` keeps nothing. Default: `streamlib` in the user's cache
    /// directory (`$XDG_CACHE_HOME` or `~/.cache`; `%LOCALAPPDATA%` on Windows).
    pub cache_directory: Option<PathBuf>,
}

impl Default for GpuOptions {
    fn default() -> Self {
        Self {
            adapter: AdapterOptions::default(),
            budget_bytes: 1 << 30,
            features: wgpu::Features::empty(),
            buffers_kept: 64,
            cache_directory: disk_cache::default_directory(),
        }
    }
}

/// What the GPU did and holds.
#[derive(Clone, Debug, serde::Serialize)]
pub struct GpuStatistics {
    /// The adapter's name.
    pub adapter: String,
    /// The API through which it is used: `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: String,
    /// Textures and buffers together.
    pub memory: MemoryStatistics,
    /// The textures of frames.
    pub textures: PoolStatistics,
    /// Buffers.
    pub buffers: PoolStatistics,
    /// Memory through which pixels and elements are uploaded and read back.
    pub staging: PoolStatistics,
    /// Bytes moved.
    pub bytes: ByteStatistics,
    /// Compiled kernels.
    pub kernels: KernelStatistics,
    /// What is kept from run to run.
    pub disk_cache: DiskCacheStatistics,
    /// The shape of passes over whole pictures, as it was measured.
    pub shape: PassShape,
    /// GPU objects that were created.
    pub created: CreationStatistics,
    /// GPU objects that somebody holds, streamlib's and the program's own.
    pub alive: ObjectStatistics,
}

/// One GPU device with everything that frames need of it. Cloning is cheap and gives the same device.
#[derive(Clone)]
pub struct GpuContext(Arc<Inner>);

struct Inner {
    instance: wgpu::Instance,
    adapter: wgpu::Adapter,
    choice: AdapterChoice,
    budget: Arc<budget::Budget>,
    textures: Arc<pool::Pool<Texture>>,
    buffers: Arc<pool::Pool<buffer::BufferMemory>>,
    staging: Arc<pool::Pool<staging::Staging>>,
    staging_budget: Arc<budget::Budget>,
    uniform_blocks: uniform::UniformBlocks,
    kernels: kernel::KernelCache,
    conversions: convert::Conversions,
    device: Arc<device::Device>,
}

impl GpuContext {
    /// Opens the best adapter that can serve. Blocks for as long as the driver takes.
    ///
    /// Fails with [`ErrorKind::NoAdapter`](crate::ErrorKind::NoAdapter), saying what was tried and what to install.
    pub fn new(options: &GpuOptions) -> Result<Self> {
        Self::with_features(options, wgpu::Features::empty())
    }

    /// The same, with what the adapter has of further features.
    pub(crate) fn with_features(options: &GpuOptions, features: wgpu::Features) -> Result<Self> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let (adapter, choice) = adapter::choose(&instance, &options.adapter)?;
        tracing::info!(adapter = %choice, "GPU adapter chosen");
        Self::open(instance, adapter, choice, options, features)
    }

    /// Opens a device on an adapter that the program has chosen itself, from its own `instance`.
    pub fn with_adapter(instance: wgpu::Instance, adapter: wgpu::Adapter, options: &GpuOptions) -> Result<Self> {
        let choice = AdapterChoice { chosen: adapter.get_info(), passed_over: Vec::new() };
        Self::open(instance, adapter, choice, options, wgpu::Features::empty())
    }

    fn open(
        instance: wgpu::Instance,
        adapter: wgpu::Adapter,
        choice: AdapterChoice,
        options: &GpuOptions,
        features: wgpu::Features,
    ) -> Result<Self> {
        capabilities::check_adapter(&adapter, options.features)?;
        let (device, queue) = capabilities::open(&adapter, capabilities::wanted(&adapter, options.features | features))?;
        let disk_cache = disk_cache::DiskCache::open(&device, &adapter, options.cache_directory.as_deref());
        let writes_r8 = capabilities::can_write_r8(&adapter, &device);
        let device = device::Device::new(device, queue, disk_cache, writes_r8)?;
        Ok(Self::on(device, instance, adapter, choice, options))
    }

    /// Pools and caches on a device.
    fn on(
        device: Arc<device::Device>,
        instance: wgpu::Instance,
        adapter: wgpu::Adapter,
        choice: AdapterChoice,
        options: &GpuOptions,
    ) -> Self {
        let budget = budget::Budget::new(FRAMES, options.budget_bytes);
        // Of its own: who holds a frame and waits for staging memory must not wait for who waits for a frame.
        let staging_budget = budget::Budget::new(STAGING, options.budget_bytes.max(LEAST_STAGING));
        Self(Arc::new(Inner {
            instance,
            adapter,
            choice,
            textures: pool::Pool::new(device.clone(), budget.clone(), usize::MAX),
            buffers: pool::Pool::new(device.clone(), budget.clone(), options.buffers_kept),
            staging: pool::Pool::new(device.clone(), staging_budget.clone(), usize::MAX),
            staging_budget,
            budget,
            uniform_blocks: uniform::UniformBlocks::new(&device),
            kernels: kernel::KernelCache::default(),
            conversions: convert::Conversions::default(),
            device,
        }))
    }

    /// The same device with pools and caches of its own, for what is none of the program's business.
    fn aside(&self) -> Self {
        let Inner { device, instance, adapter, choice, .. } = &*self.0;
        Self::on(device.clone(), instance.clone(), adapter.clone(), choice.clone(), &GpuOptions::default())
    }

    /// The adapter in use and why.
    pub fn adapter_choice(&self) -> &AdapterChoice {
        &self.0.choice
    }

    /// wgpu's instance, for surfaces.
    pub fn instance(&self) -> &wgpu::Instance {
        &self.0.instance
    }

    /// wgpu's adapter.
    pub fn adapter(&self) -> &wgpu::Adapter {
        &self.0.adapter
    }

    /// wgpu's device. Waiting for it and submitting to its queue are streamlib's business. What wgpu refuses without saying so in
    /// its answer is an error of the node that was being called; on a thread of the program's own, of the next
    /// [`FrameEncoder::submit`] on such a thread or of the run that uses the device, whoever is first.
    pub fn wgpu_device(&self) -> &wgpu::Device {
        &self.0.device.raw
    }

    /// wgpu's queue. What is submitted there behind streamlib's back is not counted, and can make
    /// [`configure_surface`](Self::configure_surface) fail. [`present`](Self::present) shows windows.
    pub fn wgpu_queue(&self) -> &wgpu::Queue {
        &self.0.device.queue
    }

    /// Runs `create`, turning the errors that wgpu raises in it into a value whose message begins with `what`.
    pub fn catch<T>(&self, what: &str, create: impl FnOnce() -> T) -> Result<T> {
        self.0.device.catch(what, create)
    }

    /// Configures a window's surface. Waits until the GPU is idle, and lets no thread submit meanwhile: wgpu refuses to configure
    /// when somebody does.
    pub fn configure_surface(&self, surface: &wgpu::Surface<'_>, configuration: &wgpu::SurfaceConfiguration) -> Result<()> {
        let device = &self.0.device;
        let configure =
            || device.catch("cannot configure the window's surface", || surface.configure(&device.raw, configuration));
        device.submitter.hold(configure)
    }

    /// Shows a window's texture. wgpu may submit commands of its own for that, so this, too, excludes submissions of others.
    pub fn present(&self, texture: wgpu::SurfaceTexture) {
        let device = &self.0.device;
        device.submitter.hold(|| device.queue.present(texture));
    }

    /// A pooled frame with undefined contents. `taker` is named in [`leases`](Self::leases).
    ///
    /// Waits up to two seconds when the budget is used up, then fails, saying who holds what.
    pub fn frame(&self, format: VideoFormat, taker: impl Into<Arc<str>>) -> Result<VideoFrame> {
        let key = texture::TextureKey::new(format, &self.0.device)?;
        Ok(VideoFrame::new(self.0.textures.take(key, &taker.into())?, format))
    }

    /// A frame from the pool that `lease` came from.
    pub(crate) fn frame_like(lease: &Lease<Texture>, format: VideoFormat, taker: &Arc<str>) -> Result<VideoFrame> {
        let pool = lease.pool().ok_or_else(|| {
            crate::Error::new(crate::ErrorKind::DeviceLost, "the GPU context of this frame is gone")
                .hint("keep the context alive")
        })?;
        let key = texture::TextureKey::new(format, pool.device())?;
        Ok(VideoFrame::new(pool.take(key, taker)?, format))
    }

    /// The same, but only one that is free.
    pub(crate) fn free_frame_like(lease: &Lease<Texture>, format: VideoFormat, taker: &Arc<str>) -> Option<VideoFrame> {
        let pool = lease.pool()?;
        let key = texture::TextureKey::new(format, pool.device()).ok()?;
        Some(VideoFrame::new(pool.find(key, taker)?, format))
    }

    /// A new encoder with nothing recorded.
    pub fn encoder(&self) -> FrameEncoder {
        FrameEncoder::new(self.clone())
    }

    /// Records the conversion of `source` to `rgba8`, `i420`, `nv12` or `grey8` and returns the converted frame: same time, same
    /// sequence number, opaque.
    ///
    /// Matrix and range stay as they are; `rgb24`, `bgr24` and `rgba8` become Y'CbCr by those of their [`Color`](crate::Color).
    /// For `rgba8`, chroma is interpolated linearly between its sites. For 4:2:0, chroma of full width is filtered with weights
    /// 1 2 1 about every even column and so sited left; chroma of half the width keeps its columns and its site; rows of full
    /// height are averaged in twos. Other pairs are [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
    pub fn convert(&self, encoder: &mut FrameEncoder, source: &VideoFrame, to: crate::PixelFormat) -> Result<VideoFrame> {
        convert::convert(self, encoder, source, to, &source.lease().taker())
    }

    /// The same, for a node.
    pub(crate) fn convert_for(
        &self,
        encoder: &mut FrameEncoder,
        source: &VideoFrame,
        to: crate::PixelFormat,
        taker: &Arc<str>,
    ) -> Result<VideoFrame> {
        convert::convert(self, encoder, source, to, taker)
    }

    /// Compiles what [`convert`](Self::convert) needs, if it was not compiled yet.
    pub(crate) fn prepare_conversion(&self, from: VideoFormat, to: crate::PixelFormat) -> Result<()> {
        self.0.conversions.prepare(self, from, to)
    }

    /// Blocks until everything that was submitted before this call is done.
    pub fn wait_idle(&self, timeout: Duration) -> Result<()> {
        let device = &self.0.device;
        let commands = device.create_command_encoder();
        self.token(device.submitter.submit([commands.finish()])).wait(timeout)
    }

    /// What the GPU did and holds, now.
    pub fn statistics(&self) -> GpuStatistics {
        GpuStatistics {
            adapter: self.0.choice.chosen.name.clone(),
            backend: self.0.choice.chosen.backend.to_str().into(),
            memory: self.0.budget.statistics(),
            textures: self.0.textures.statistics(),
            buffers: self.0.buffers.statistics(),
            staging: self.0.staging.statistics(),
            bytes: self.0.device.bytes.snapshot(),
            shape: self.0.device.disk_cache.shape(),
            kernels: self.0.kernels.statistics(self.0.device.bind_groups.len()),
            created: self.0.device.created.snapshot(),
            alive: ObjectStatistics::of(&self.0.instance),
            disk_cache: self.0.device.disk_cache.statistics(),
        }
    }

    /// Which textures, buffers and staging memory are out, taken by which node, held how long.
    pub fn leases(&self) -> Vec<LeaseReport> {
        let staging = self.0.staging_budget.leases();
        self.0.budget.leases().into_iter().chain(staging).collect()
    }

    /// Fails with [`ErrorKind::DeviceLost`](crate::ErrorKind::DeviceLost) once the device is gone.
    pub fn check_alive(&self) -> Result<()> {
        self.timeline().check_alive()
    }

    /// The adapters that can serve, the best first, and the instance that they are of: for [`with_adapter`](Self::with_adapter). Blocks for as long as
    /// the drivers take.
    pub fn adapters(options: &AdapterOptions) -> Result<(wgpu::Instance, Vec<wgpu::Adapter>)> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let adapters = adapter::usable(&instance, options)?;
        Ok((instance, adapters))
    }

    pub(crate) fn timeline(&self) -> &Arc<Timeline> {
        self.0.device.submitter.timeline()
    }

    /// What this thread has done wrong with the GPU, where no call returned it by itself.
    pub(crate) fn take_error(&self) -> Result<()> {
        self.0.device.refusals.take().map_err(|refused| {
            let text = refused.to_string();
            if !text.contains("lost") && !text.contains("label is invalid") {
                return self.timeline().check_alive().err().unwrap_or(refused);
            }
            // A lost device refuses everything, and what was created on it without a word is invalid. wgpu tells of the loss when it
            // is polled and has nothing more to do. It panics where the driver answers a poll with an error.
            const MOMENT: Duration = Duration::from_millis(100);
            let wait = wgpu::PollType::Wait { submission_index: None, timeout: Some(MOMENT) };
            if catch_unwind(AssertUnwindSafe(|| self.0.device.raw.poll(wait))).is_err() {
                self.timeline().device_lost("its driver fails when it is asked how far it is".into());
            }
            // Our own textures are invalid on a lost device only; another thread's poll may have found the loss and be about to say so.
            let is_certain = text.contains("'streamlib frame' label is invalid");
            let told = self.timeline().wait(u64::MAX, if is_certain { MOMENT } else { Duration::ZERO });
            told.err().filter(|error| error.kind() == crate::ErrorKind::DeviceLost).unwrap_or(refused)
        })
    }

    /// What threads that are no segment's have done wrong.
    pub(crate) fn take_stray_error(&self) -> Option<crate::Error> {
        self.0.device.refusals.take_stray()
    }

    /// Writes what was compiled and measured since the last time to [`GpuOptions::cache_directory`]. Graphs do so by themselves. Takes
    /// some milliseconds: not for the frame path. A directory that cannot be written is no error: the next start is slower.
    pub fn save_cache(&self) {
        self.0.device.disk_cache.save();
    }

    fn token(&self, submission: u64) -> ReadyToken {
        ReadyToken::new(self.timeline().clone(), submission)
    }

    fn device(&self) -> &Arc<device::Device> {
        &self.0.device
    }

    fn uniform_blocks(&self) -> &uniform::UniformBlocks {
        &self.0.uniform_blocks
    }
}

impl VideoFrame {
    /// Whether its texture is of this GPU device. After a loss, or in a program with several, it may be another's.
    pub fn is_of(&self, gpu: &GpuContext) -> bool {
        self.lease().is_of(gpu.device())
    }

    /// When the GPU will have written it; `None` while the commands that write it have not been submitted.
    pub fn ready(&self, gpu: &GpuContext) -> Option<ReadyToken> {
        self.lease().submission().map(|submission| gpu.token(submission))
    }
}
