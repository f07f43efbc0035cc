//! What an adapter can do, what a device is opened with, and who asks for what it lacks.

use super::GpuContext;
use super::texture::TextureKey;
use crate::{Error, ErrorKind, PixelFormat, Result, VideoFormat};

/// What to do for a feature with which the GPU was not opened.
pub(super) const ASK_FIRST: &str =
    "ask for it before the GPU is opened: in Rust, with `GpuOptions::features`, in Python, in the first `request_device_sync`";

impl GpuContext {
    /// Fails if compute shaders cannot write pictures of this format here.
    pub(crate) fn check_target(&self, to: PixelFormat) -> Result<()> {
        let format = to.texture_format();
        if self.device().storage_access(format).contains(wgpu::TextureFormatFeatureFlags::STORAGE_WRITE_ONLY) {
            return Ok(());
        }
        let adapter = &self.0.choice.chosen.name;
        let message = format!("{to} cannot be made: compute shaders cannot write {format:?} textures on '{adapter}'");
        Err(Error::new(ErrorKind::Unsupported, message).hint("use another adapter, or what takes rgba8"))
    }

    /// Fails if a texture of this format is too large for this GPU.
    pub(crate) fn check_size(&self, format: VideoFormat) -> Result<()> {
        TextureKey::new(format, self.device()).map(drop)
    }

    /// Whether it was opened with what the adapter has of these features.
    pub(crate) fn offers(&self, features: wgpu::Features) -> bool {
        self.features().contains(features & available(&self.0.adapter))
    }

    /// What it was opened with.
    pub(crate) fn features(&self) -> wgpu::Features {
        self.device().raw.features()
    }

    /// Fails with [`ErrorKind::Unsupported`] if it was opened without one of these features, naming it.
    pub fn check_features(&self, features: wgpu::Features) -> Result<()> {
        check_adapter(&self.0.adapter, features)?;
        match features - self.features() {
            missing if missing.is_empty() => Ok(()),
            missing => Err(lacking(missing, "with which the GPU was not opened", ASK_FIRST)),
        }
    }
}

/// Fails if the adapter lacks one of these features, naming it.
pub(super) fn check_adapter(adapter: &wgpu::Adapter, features: wgpu::Features) -> Result<()> {
    let missing = features - available(adapter);
    if missing.is_empty() {
        return Ok(());
    }
    let absent = missing - adapter.features();
    if absent.is_empty() {
        return Err(lacking(missing, "which wgpu calls experimental", "do without it"));
    }
    let why = format!("which adapter '{}' lacks", adapter.get_info().name);
    Err(lacking(absent, &why, "use another adapter, or do without"))
}

fn lacking(features: wgpu::Features, why: &str, hint: &'static str) -> Error {
    let names = features.iter_names().map(|(name, _)| name).collect::<Vec<_>>().join(", ");
    Error::new(ErrorKind::Unsupported, format!("the GPU feature {names} is needed, {why}")).hint(hint)
}

/// What a device on this adapter can be opened with.
fn available(adapter: &wgpu::Adapter) -> wgpu::Features {
    adapter.features() - wgpu::Features::all_experimental_mask()
}

/// What to open a device with: what streamlib uses and what the program asks for, as far as the adapter offers it.
pub(super) fn wanted(adapter: &wgpu::Adapter, features: wgpu::Features) -> wgpu::Features {
    // Tell how long passes take, keep compiled shaders from run to run, and carry parameters within the commands.
    let mut wanted = features | wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::PIPELINE_CACHE | wgpu::Features::IMMEDIATES;
    if writes_r8(adapter) {
        // Lets compute shaders write the planes of `i420`.
        wanted |= wgpu::Features::TEXTURE_ADAPTER_SPECIFIC_FORMAT_FEATURES;
    }
    wanted & available(adapter)
}

/// Whether compute shaders can write `r8unorm` on this adapter, if the device is opened for it.
fn writes_r8(adapter: &wgpu::Adapter) -> bool {
    let usages = adapter.get_texture_format_features(PixelFormat::I420.texture_format()).allowed_usages;
    usages.contains(wgpu::TextureUsages::STORAGE_BINDING)
}

/// The same, on a device.
pub(super) fn can_write_r8(adapter: &wgpu::Adapter, device: &wgpu::Device) -> bool {
    writes_r8(adapter) && device.features().contains(wgpu::Features::TEXTURE_ADAPTER_SPECIFIC_FORMAT_FEATURES)
}

/// So many bind groups wgpu has room for.
const MAX_BIND_GROUPS: u32 = 8;

/// Opens a device with all that the adapter can do at once.
pub(super) fn open(adapter: &wgpu::Adapter, features: wgpu::Features) -> Result<(wgpu::Device, wgpu::Queue)> {
    let limits = adapter.limits();
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("streamlib"),
        required_features: features,
        // wgpu has room for no more; its no-op adapter promises them all the same, and panics when it derives a layout.
        required_limits: wgpu::Limits { max_bind_groups: limits.max_bind_groups.min(MAX_BIND_GROUPS), ..limits },
        ..Default::default()
    };
    pollster::block_on(adapter.request_device(&descriptor)).map_err(|error| {
        let message = format!("adapter '{}' gives no device", adapter.get_info().name);
        Error::new(ErrorKind::NoAdapter, message).hint("its driver may be too old; update it").caused_by(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{adapter, device, disk_cache};
    use crate::{
        AdapterOptions, Context, GpuOptions, Graph, InputOptions, Mode, Next, PixelShader, Runtime, RuntimeOptions, Sink, Size,
        Source, VideoFrame,
    };

    /// A context on a device that has no more than every WebGPU device.
    fn bare() -> GpuContext {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let (adapter, choice) = adapter::choose(&instance, &AdapterOptions::default()).unwrap();
        let (device, queue) = open(&adapter, wgpu::Features::empty()).unwrap();
        let options = GpuOptions { cache_directory: None, ..Default::default() };
        let disk_cache = disk_cache::DiskCache::open(&device, &adapter, None);
        let device = device::Device::new(device, queue, disk_cache, false).unwrap();
        GpuContext::on(device, instance, adapter, choice, &options)
    }

    struct Grey;

    impl Source for Grey {
        fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>> {
            let size = Size::new(4, 4)?;
            let mut frame = cx.frame(VideoFormat::rgba8(size))?;
            cx.encoder()?.upload(&mut frame, &[127; 64], 16)?;
            Ok(Next::Item(frame))
        }
    }

    struct Encode(&'static [PixelFormat]);

    impl Sink for Encode {
        fn input(&self) -> InputOptions {
            InputOptions { formats: Some(self.0), ..Default::default() }
        }
        fn consume(&mut self, _: VideoFrame, _: &mut Context<'_>) -> Result<()> {
            Ok(())
        }
    }

    struct Through;

    impl PixelShader for Through {
        type Uniform = ();
        const WGSL: &str = "fn pixel(color: vec4f, position: vec2f) -> vec4f { return color; }";
        fn uniform(&mut self, _: &VideoFrame) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_the_device_cannot_write_is_said_before_a_frame_flows_with_who_needs_it() {
        let gpu = bare();
        let options = RuntimeOptions { mode: Mode::Offline, frames: Some(1), ..Default::default() };
        for (with_shader, node) in [(false, "grey-to-i420"), (true, "through-drawn")] {
            let mut graph = Graph::new();
            match with_shader {
                false => graph.chain((Grey, Encode(&[PixelFormat::I420]))).unwrap(),
                true => graph.chain((Grey, Through, Encode(&[PixelFormat::I420]))).unwrap(),
            };
            let running = Runtime::with_gpu(options.clone(), gpu.clone()).start(graph).unwrap();
            let (statistics, outcome) = running.wait();
            let error = outcome.unwrap_err();
            let message = error.to_string();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{message}");
            assert!(message.contains(node), "{message}");
            assert!(message.contains("i420 cannot be made: compute shaders cannot write R8Unorm textures on '"), "{message}");
            assert!(message.contains("needed by 'encode'"), "{message}");
            assert_eq!(statistics.nodes["grey"].processed, 0);
        }
        // What needs no more than every device has works there.
        let mut graph = Graph::new();
        graph.chain((Grey, Through, Encode(&[PixelFormat::Rgba8]))).unwrap();
        Runtime::with_gpu(options, gpu).run(graph).unwrap();
    }
}
