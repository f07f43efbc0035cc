//! Kernels: compute shaders whose textures and parameters are given by name.

mod bound;
mod cache;
mod call;
mod interface;
mod layout;

use std::sync::Arc;

pub(super) use cache::KernelCache;
pub use cache::KernelStatistics;
pub use call::{KernelCall, UniformNumber};
pub use layout::{
    DeclaredField, DeclaredUniform, Scalar, Uniform, UniformField, UniformLayout, UniformType, UniformValue, type_of_field,
};

use super::GpuContext;
use super::bind_groups::Layout;
use super::stack::with_room;
use crate::{Error, ErrorKind, Result};
use cache::KernelKey;
use interface::{BindingKind, Interface, Room, format_name};

/// A compute shader, compiled. Cloning is cheap; keep it and call it for every frame. The default one is to be compiled yet: it
/// can be a processor's until its `setup`.
///
/// What the WGSL declares is bound by name; the numbers in `@group` and `@binding` only have to differ. It can read frames
/// (`texture_2d<f32>`, with or without a `sampler`), write them (`texture_storage_2d` of `rgba8unorm`, or of `r8unorm` for planes), read and write
/// [`Buffer`](crate::Buffer)s (`var<storage>` of arrays) and have up to four uniforms of at most 4096 bytes each.
///
/// ```
/// # use streamlib_core::{GpuContext, GpuOptions, Size, VideoFormat};
/// let gpu = GpuContext::new(&GpuOptions::default())?;
/// let gradient = gpu.kernel("gradient", "
///     @group(0) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
///     @group(0) @binding(1) var<uniform> level: f32;
///     @compute @workgroup_size(16, 16)
///     fn main(@builtin(global_invocation_id) id: vec3u) {
///         if all(id.xy < textureDimensions(dst)) { textureStore(dst, id.xy, vec4f(level, 0.0, 0.0, 1.0)); }
///     }")?;
/// let mut frame = gpu.frame(VideoFormat::rgba8(Size::new(5, 3)?), "doc")?;
/// let mut encoder = gpu.encoder();
/// gradient.call(&mut encoder)?.texture_mut("dst", &mut frame)?.uniform("level", &1.0f32)?.dispatch()?;
/// let pixels = encoder.read_back(&frame)?;
/// encoder.submit()?;
/// assert_eq!(pixels.wait()?.to_vec(), [255, 0, 0, 255].repeat(15));
/// # Ok::<(), streamlib_core::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Kernel {
    label: Arc<str>,
    compiled: Option<Arc<Compiled>>,
}

/// How to compile a kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelOptions<'a> {
    /// The `@compute` function. Default: the only one there is.
    pub entry_point: Option<&'a str>,
    /// Values of `override`s. Default: those that the WGSL gives them.
    pub constants: &'a [(&'a str, f64)],
}

/// What a name that a kernel declares stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelBinding<'a> {
    /// A texture that is read: give a frame with [`KernelCall::texture`].
    Texture,
    /// A texture that is written: give a frame with [`KernelCall::texture_mut`].
    StorageTexture,
    /// Choose how it samples with [`KernelCall::sampler`], or leave it.
    Sampler,
    /// Elements: [`KernelCall::buffer`], or [`KernelCall::buffer_mut`] for those that are written.
    Buffer {
        /// Whether the kernel writes it.
        is_written: bool,
    },
    /// Parameters: [`KernelCall::uniform`], [`KernelCall::fields`] or [`KernelCall::uniform_bytes`].
    Uniform(&'a DeclaredUniform),
    /// Nothing uses it. It may be given, whatever it is.
    Unused,
}

/// What the cache keeps: nothing in it knows who asked.
struct Compiled {
    device_generation: u32,
    pipeline: wgpu::ComputePipeline,
    /// Of each group, but that of the uniforms.
    layouts: Vec<Layout>,
    interface: Interface,
}

impl GpuContext {
    /// Compiles a compute shader, or finds it where it was compiled before. `label` names it in errors. Blocks for as long as the
    /// driver takes: the place for it is `setup`.
    ///
    /// Mistakes in the WGSL are [`ErrorKind::InvalidArgument`] with line, column and text; what this adapter cannot do is
    /// [`ErrorKind::Unsupported`].
    pub fn kernel(&self, label: &str, wgsl: &str) -> Result<Kernel> {
        self.kernel_with(label, wgsl, &KernelOptions::default())
    }

    /// The same, with an entry point or constants to choose.
    pub fn kernel_with(&self, label: &str, wgsl: &str, options: &KernelOptions<'_>) -> Result<Kernel> {
        let mut constants: Vec<_> = options.constants.iter().map(|(name, value)| ((*name).into(), value.to_bits())).collect();
        constants.sort_unstable();
        let key = KernelKey { text: wgsl.into(), entry_point: options.entry_point.map(Into::into), constants };
        let compile = || with_room(wgsl.len(), || self.compile(wgsl, options));
        let too_long = |why| Err(Error::new(ErrorKind::InvalidArgument, why));
        let compiled = self.0.kernels.find(key, || compile().unwrap_or_else(too_long));
        let compiled = compiled.map_err(|error| error.of_kernel(label))?;
        Ok(Kernel { label: label.into(), compiled: Some(compiled) })
    }

    fn compile(&self, wgsl: &str, options: &KernelOptions<'_>) -> Result<Compiled> {
        let constants: Vec<_> = options.constants.iter().map(|(name, value)| (String::from(*name), *value)).collect();
        let device = self.device();
        let room = Room { groups: device.raw.limits().max_bind_groups, immediate_bytes: device.immediate_bytes() };
        let (module, interface) = interface::read(wgsl, options.entry_point, &constants, room)
            .map_err(|message| Error::new(ErrorKind::InvalidArgument, message).hint("correct the WGSL"))?;
        check_workgroup(interface.workgroup, &device.raw.limits())?;
        let types = interface.bindings.iter().map(|binding| {
            Ok(match binding.kind {
                BindingKind::Texture => wgpu::BindingType::Texture {
                    sample_type: bound::FILTERABLE,
                    view_dimension: wgpu::TextureViewDimension::D2,
                    multisampled: false,
                },
                BindingKind::StorageTexture { format, access } => {
                    self.check_storage(&binding.name, format, access)?;
                    wgpu::BindingType::StorageTexture { access, format, view_dimension: wgpu::TextureViewDimension::D2 }
                }
                BindingKind::Buffer { is_written, .. } => wgpu::BindingType::Buffer {
                    ty: wgpu::BufferBindingType::Storage { read_only: !is_written },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                BindingKind::Sampler => wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering),
            })
        });
        let types = types.collect::<Result<Vec<_>>>()?;
        let layouts: Vec<_> = interface.groups().map(|group| device.bind_groups.layout(device, &types[group])).collect();
        let uniforms = match interface.uniforms_in_group() {
            0 => None,
            count => Some(self.uniform_blocks().layout(count)),
        };
        let groups: Vec<_> = layouts.iter().map(|(_, layout)| layout).chain(uniforms).map(Some).collect();
        let immediate_bytes = interface.immediate_bytes();
        let pipeline = device.create_compute_pipeline(module, &interface.entry_point, &groups, immediate_bytes);
        let pipeline = pipeline.map_err(|error| match error.kind() {
            // It was checked: what is wrong with it is wrong here.
            ErrorKind::Gpu => error
                .with_kind(ErrorKind::Unsupported)
                .with_message(|message| format!(" is sound WGSL, but this device cannot run it{message}"))
                .hint(
                "ask for features that it needs in `GpuOptions::features`, or `required_features` of its processor; some adapters cannot do it",
            ),
            _ => error,
        })?;
        Ok(Compiled { device_generation: self.timeline().generation(), pipeline, layouts, interface })
    }

    fn check_storage(&self, name: &str, format: wgpu::TextureFormat, access: wgpu::StorageTextureAccess) -> Result<()> {
        let device = self.device();
        let needed = match access {
            wgpu::StorageTextureAccess::WriteOnly => wgpu::TextureFormatFeatureFlags::STORAGE_WRITE_ONLY,
            wgpu::StorageTextureAccess::ReadOnly => wgpu::TextureFormatFeatureFlags::STORAGE_READ_ONLY,
            _ => wgpu::TextureFormatFeatureFlags::STORAGE_READ_WRITE,
        };
        if device.storage_access(format).contains(needed) {
            return Ok(());
        }
        let format = format_name(format);
        let message = match access {
            wgpu::StorageTextureAccess::WriteOnly => format!(" writes '{name}' as {format}, which this adapter cannot"),
            _ => format!(" reads '{name}' as a storage texture of {format}, which this adapter cannot"),
        };
        let hint = match access {
            wgpu::StorageTextureAccess::WriteOnly => "use another adapter, or rgba8unorm",
            _ => "read it as texture_2d<f32> and write another frame",
        };
        Err(Error::new(ErrorKind::Unsupported, message).hint(hint))
    }
}

/// Fails if a device of these limits cannot run workgroups of this size.
fn check_workgroup(size: [u32; 3], limits: &wgpu::Limits) -> Result<()> {
    let most = [limits.max_compute_workgroup_size_x, limits.max_compute_workgroup_size_y, limits.max_compute_workgroup_size_z];
    let invocations: u64 = size.into_iter().map(u64::from).product();
    let at_once = limits.max_compute_invocations_per_workgroup;
    if invocations <= u64::from(at_once) && size.iter().zip(most).all(|(size, most)| *size <= most) {
        return Ok(());
    }
    let ([x, y, z], [most_x, most_y, most_z]) = (size, most);
    let message = format!(
        " has workgroups of {x}x{y}x{z}, {invocations} invocations; this adapter takes up to {most_x}x{most_y}x{most_z}, and {at_once} invocations"
    );
    Err(Error::new(ErrorKind::Unsupported, message).hint("make them smaller: 16x16 runs everywhere"))
}

impl Error {
    /// Puts the kernel's name before the message, which goes on from there.
    fn of_kernel(self, label: &str) -> Self {
        self.with_message(|message| format!("kernel '{label}'{message}"))
    }
}

impl Kernel {
    /// Its name in errors.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The names that can be given, each with what it is: `dst: a storage texture (texture_storage_2d<rgba8unorm, write>)`.
    pub fn describe(&self) -> String {
        self.compiled.as_ref().map_or_else(String::new, |compiled| compiled.interface.describe())
    }

    /// What it declares, by name.
    pub fn bindings(&self) -> impl Iterator<Item = (&str, KernelBinding<'_>)> {
        self.compiled.iter().flat_map(|compiled| {
            let Interface { bindings, uniforms, unused, .. } = &compiled.interface;
            let bindings = bindings.iter().map(|binding| {
                let kind = match binding.kind {
                    BindingKind::Texture => KernelBinding::Texture,
                    BindingKind::StorageTexture { access: wgpu::StorageTextureAccess::ReadOnly, .. } => KernelBinding::Texture,
                    BindingKind::StorageTexture { .. } => KernelBinding::StorageTexture,
                    BindingKind::Sampler => KernelBinding::Sampler,
                    BindingKind::Buffer { is_written, .. } => KernelBinding::Buffer { is_written },
                };
                (&*binding.name, kind)
            });
            let uniforms = uniforms.iter().map(|uniform| (&*uniform.name, KernelBinding::Uniform(&uniform.declared)));
            bindings.chain(uniforms).chain(unused.iter().map(|name| (&**name, KernelBinding::Unused)))
        })
    }

    /// Fails unless a uniform of this name lies in memory as `U` does. For `setup`: [`KernelCall::uniform`] asks the same once.
    pub fn check_uniform<U: Uniform>(&self, name: &str) -> Result<()> {
        self.compiled()?.checked_uniform::<U>(name).map_err(|message| self.wrong(message)).map(drop)
    }

    fn compiled(&self) -> Result<&Compiled> {
        self.compiled.as_deref().ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "a kernel was called before it was compiled")
                .hint("set it in `setup`: `self.kernel = cx.gpu()?.kernel(\"name\", WGSL)?`")
        })
    }

    /// An error of what comes after its name.
    fn wrong(&self, message: String) -> Error {
        Error::new(ErrorKind::InvalidArgument, format!("kernel '{}' {message}", self.label))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;
    use crate::GpuOptions;

    /// A kernel that differs in its text only.
    fn wgsl(number: u32) -> String {
        format!(
            "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
            @compute @workgroup_size(1) fn main() {{ out[0] = {number}u; }}"
        )
    }

    #[test]
    fn a_kernel_that_is_being_compiled_blocks_only_those_who_want_it() {
        const LONG: Duration = Duration::from_secs(30);
        let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
        gpu.kernel("quick", &wgsl(2)).unwrap();
        let (begun, has_begun) = channel();
        let (finish, may_finish) = channel::<()>();
        let slow = std::thread::spawn({
            let gpu = gpu.clone();
            move || {
                let key = KernelKey { text: wgsl(1).as_str().into(), entry_point: None, constants: Vec::new() };
                let compile = || {
                    begun.send(()).unwrap();
                    // Others that are blocked let go of `finish` when they fail.
                    let _ = may_finish.recv();
                    gpu.compile(&wgsl(1), &KernelOptions::default())
                };
                gpu.0.kernels.find(key, compile).map(drop)
            }
        });
        has_begun.recv_timeout(LONG).unwrap();
        let ask = |number| {
            let (gpu, (tell, told)) = (gpu.clone(), channel());
            std::thread::spawn(move || tell.send(gpu.kernel("asked for", &wgsl(number)).map(drop)));
            told
        };
        ask(2).recv_timeout(LONG).unwrap().unwrap();
        ask(3).recv_timeout(LONG).unwrap().unwrap();
        let same = ask(1);
        assert!(same.recv_timeout(Duration::from_millis(50)).is_err(), "it waits");
        finish.send(()).unwrap();
        same.recv_timeout(LONG).unwrap().unwrap();
        slow.join().unwrap().unwrap();
        let statistics = gpu.statistics().kernels;
        assert_eq!((statistics.compiled, statistics.hits), (3, 2));
    }
}
