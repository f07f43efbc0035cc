//! The plain way to run a compute shader over a frame: from nothing or one frame to another.

use std::sync::{Arc, Mutex, PoisonError};

use super::GpuContext;
use super::encoder::FrameEncoder;
use super::uniform::MAX_UNIFORM_BYTES;
use super::wgsl;
use crate::{Error, ErrorKind, PixelFormat, Result, VideoFrame};

/// A compute shader that draws a whole frame.
///
/// The WGSL has one compute entry point and up to three bindings, all by convention:
///
/// ```wgsl
/// @group(0) @binding(0) var src: texture_2d<f32>;                             // the frame to read; leave it out in a source
/// @group(1) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;       // the frame to draw
/// @group(2) @binding(0) var<uniform> parameters: Parameters;                  // leave it out if there are none
/// ```
///
/// One invocation is started for each texel of `dst` (the number of workgroups is rounded up, so check the bounds).
///
/// ```
/// # use streamlib_core::{FrameShader, GpuContext, GpuOptions, Size, VideoFormat};
/// let gpu = GpuContext::new(&GpuOptions::default())?;
/// let red = FrameShader::new("red", "
///     @group(1) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
///     @group(2) @binding(0) var<uniform> level: f32;
///     @compute @workgroup_size(16, 16)
///     fn main(@builtin(global_invocation_id) id: vec3u) {
///         if all(id.xy < textureDimensions(dst)) { textureStore(dst, id.xy, vec4f(level, 0.0, 0.0, 1.0)); }
///     }");
/// let mut frame = gpu.frame(VideoFormat::rgba8(Size::new(5, 3)?), "doc")?;
/// let mut encoder = gpu.encoder();
/// red.draw(&mut encoder, None, &mut frame, &1.0f32)?;
/// let pixels = encoder.read_back(&frame)?;
/// encoder.submit()?;
/// assert_eq!(pixels.wait()?.to_vec(), [255, 0, 0, 255].repeat(15));
/// # Ok::<(), streamlib_core::Error>(())
/// ```
pub struct FrameShader {
    label: &'static str,
    wgsl: &'static str,
    /// Values of the WGSL's `override`s.
    constants: Vec<(&'static str, f64)>,
    /// For the device that it was last used on.
    compiled: Mutex<Option<Arc<Compiled>>>,
}

struct Compiled {
    device_generation: u32,
    pipeline: wgpu::ComputePipeline,
    interface: Interface,
}

/// What the WGSL says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interface {
    reads_source: bool,
    writes: wgpu::TextureFormat,
    uniform_bytes: Option<u32>,
    workgroup: [u32; 3],
}

impl FrameShader {
    /// A shader that is compiled when it is first used, or by [`prepare`](Self::prepare). `label` names it in errors.
    pub const fn new(label: &'static str, wgsl: &'static str) -> Self {
        Self { label, wgsl, constants: Vec::new(), compiled: Mutex::new(None) }
    }

    /// Gives the WGSL's `override`s their values.
    pub(super) fn with_constants(self, constants: Vec<(&'static str, f64)>) -> Self {
        Self { constants, ..self }
    }

    /// Compiles it now, as is best done in `setup`: mistakes are named with line, column and text before a frame flows.
    pub fn prepare(&self, gpu: &GpuContext) -> Result<()> {
        self.compiled(gpu).map(drop)
    }

    /// The pipeline for this device; compiles it if there is none yet. Who comes second waits for the first.
    fn compiled(&self, gpu: &GpuContext) -> Result<Arc<Compiled>> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        match &*compiled {
            Some(ready) if ready.device_generation == gpu.timeline().generation() => Ok(ready.clone()),
            _ => Ok(compiled.insert(Arc::new(self.compile(gpu)?)).clone()),
        }
    }

    fn compile(&self, gpu: &GpuContext) -> Result<Compiled> {
        let (label, wgsl) = (self.label, self.wgsl);
        let interface = read_interface(wgsl).map_err(|message| {
            Error::new(ErrorKind::InvalidArgument, format!("shader '{label}'{message}")).hint("correct the WGSL")
        })?;
        let device = gpu.device();
        let layouts = gpu.layouts();
        let storage = layouts.storage(interface.writes).ok_or_else(|| {
            Error::new(
                ErrorKind::Unsupported,
                format!("shader '{label}' writes {:?}, which this adapter cannot", interface.writes),
            )
            .hint("use another adapter, or rgba8unorm")
        })?;
        let pipeline = device.catch(&format!("shader '{label}'"), || {
            let module = device.raw.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(label),
                source: wgpu::ShaderSource::Wgsl(wgsl.into()),
            });
            let layout = device.raw.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(label),
                bind_group_layouts: &[
                    interface.reads_source.then_some(layouts.sampled()),
                    Some(storage),
                    interface.uniform_bytes.map(|_| gpu.uniform_blocks().layout()),
                ],
                immediate_size: 0,
            });
            device.raw.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(label),
                layout: Some(&layout),
                module: &module,
                entry_point: None,
                compilation_options: wgpu::PipelineCompilationOptions { constants: &self.constants, ..Default::default() },
                cache: None,
            })
        })?;
        Ok(Compiled { device_generation: gpu.timeline().generation(), pipeline, interface })
    }

    /// Records the drawing of `destination`. `parameters` must have the size of the WGSL's uniform; pass `&()` if it has none.
    pub fn draw<P: bytemuck::NoUninit>(
        &self,
        encoder: &mut FrameEncoder,
        source: Option<&VideoFrame>,
        destination: &mut VideoFrame,
        parameters: &P,
    ) -> Result<()> {
        let extent = destination.format().texture_size();
        self.draw_over(encoder, source, destination, parameters, (extent.width, extent.height))
    }

    /// The same for shaders whose invocations draw more than one texel: `invocations` are started in x and y.
    pub fn draw_over<P: bytemuck::NoUninit>(
        &self,
        encoder: &mut FrameEncoder,
        source: Option<&VideoFrame>,
        destination: &mut VideoFrame,
        parameters: &P,
        invocations: (u32, u32),
    ) -> Result<()> {
        let bytes = bytemuck::bytes_of(parameters);
        let gpu = encoder.gpu().clone();
        let compiled = self.compiled(&gpu)?;
        let interface = &compiled.interface;
        self.check(interface, source, destination, bytes)?;
        encoder.writes(destination)?;
        if let Some(source) = source {
            encoder.reads(source);
        }
        let uniforms = match interface.uniform_bytes {
            Some(_) => Some(encoder.uniforms(bytes)?),
            None => None,
        };
        let [x, y, _] = interface.workgroup;
        let mut pass = encoder
            .commands()
            .begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some(self.label), timestamp_writes: None });
        pass.set_pipeline(&compiled.pipeline);
        if let Some(source) = source {
            pass.set_bind_group(0, gpu.layouts().sampled_group(&gpu.device().raw, source.lease().slot()), &[]);
        }
        pass.set_bind_group(1, gpu.layouts().storage_group(&gpu.device().raw, destination.lease().slot())?, &[]);
        if let Some((group, offset)) = &uniforms {
            pass.set_bind_group(2, group, &[*offset]);
        }
        pass.dispatch_workgroups(invocations.0.div_ceil(x), invocations.1.div_ceil(y), 1);
        Ok(())
    }

    fn check(
        &self,
        interface: &Interface,
        source: Option<&VideoFrame>,
        destination: &VideoFrame,
        parameters: &[u8],
    ) -> Result<()> {
        let label = self.label;
        let wrong = |message: String| Err(Error::new(ErrorKind::InvalidArgument, format!("shader '{label}' {message}")));
        if source.is_some() != interface.reads_source {
            return wrong(match interface.reads_source {
                true => "reads a source (group 0), but was given none".into(),
                false => "reads no source (group 0), but was given one".into(),
            });
        }
        if destination.format().pixel.texture_format() != interface.writes {
            return wrong(format!("writes {:?}, but the destination is {}", interface.writes, destination.format()));
        }
        let expected = interface.uniform_bytes.unwrap_or(0) as usize;
        if parameters.len() != expected {
            return wrong(format!("takes {expected} bytes of parameters, but was given {}", parameters.len()));
        }
        Ok(())
    }
}

/// Checks the WGSL and finds its bindings. The error is what comes after the shader's name: for mistakes in the text `, line 2,
/// column 5: ...`, otherwise `: ...`.
fn read_interface(wgsl: &str) -> Result<Interface, String> {
    let module = wgsl::checked(wgsl)?;
    interface_of(&module).map_err(|message| format!(": {message}"))
}

fn interface_of(module: &naga::Module) -> Result<Interface, String> {
    let entry = match module.entry_points.as_slice() {
        [entry] if entry.stage == naga::ShaderStage::Compute => entry,
        others => return Err(format!("it takes one entry point, '@compute', but there are {} of any kind", others.len())),
    };
    let mut interface = Interface {
        reads_source: false,
        writes: wgpu::TextureFormat::Rgba8Unorm,
        uniform_bytes: None,
        workgroup: entry.workgroup_size,
    };
    let mut writes = None;
    for (_, variable) in module.global_variables.iter() {
        let Some(binding) = variable.binding else { continue };
        let name = variable.name.as_deref().unwrap_or("?");
        let inner = &module.types[variable.ty].inner;
        match (binding.group, binding.binding, inner) {
            (
                0,
                0,
                naga::TypeInner::Image {
                    class: naga::ImageClass::Sampled { kind: naga::ScalarKind::Float, multi: false }, ..
                },
            ) => {
                interface.reads_source = true;
            }
            (1, 0, naga::TypeInner::Image { class: naga::ImageClass::Storage { format, .. }, .. }) => {
                writes = match format {
                    naga::StorageFormat::Rgba8Unorm => Some(PixelFormat::Rgba8.texture_format()),
                    naga::StorageFormat::R8Unorm => Some(PixelFormat::I420.texture_format()),
                    other => return Err(format!("'{name}' is a storage texture of {other:?}; frames are rgba8unorm or r8unorm")),
                };
            }
            (2, 0, _) if variable.space == naga::AddressSpace::Uniform => {
                let bytes = inner.size(module.to_ctx());
                if u64::from(bytes) > MAX_UNIFORM_BYTES {
                    return Err(format!("'{name}' has {bytes} bytes; at most {MAX_UNIFORM_BYTES} are passed"));
                }
                interface.uniform_bytes = Some(bytes);
            }
            (group, index, _) => {
                return Err(format!(
                    "'{name}' at group {group}, binding {index} is none of: texture_2d<f32> at 0, 0; texture_storage_2d at 1, 0; uniform at 2, 0"
                ));
            }
        }
    }
    interface.writes = writes.ok_or("there is no storage texture at group 1, binding 0 to draw to")?;
    Ok(interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DST: &str = "@group(1) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;";

    #[test]
    fn the_interface_is_read_from_the_wgsl() {
        let wgsl = format!(
            "struct P {{ centre: vec2f, radius: f32 }}
             @group(0) @binding(0) var src: texture_2d<f32>; {DST} @group(2) @binding(0) var<uniform> p: P;
             @compute @workgroup_size(16, 8) fn main() {{ textureStore(dst, vec2u(0), textureLoad(src, vec2u(0), 0) * p.radius); }}"
        );
        let interface = read_interface(&wgsl).unwrap();
        assert_eq!(interface.uniform_bytes, Some(16));
        assert_eq!(interface.workgroup, [16, 8, 1]);
        assert!(interface.reads_source);
    }

    #[test]
    fn mistakes_are_named() {
        let missing = "@compute @workgroup_size(1) fn main() {}";
        assert!(read_interface(missing).unwrap_err().contains("group 1, binding 0"));
        let elsewhere = format!("{DST} @group(3) @binding(7) var<uniform> q: f32; {missing}");
        assert!(read_interface(&elsewhere).unwrap_err().contains("'q' at group 3, binding 7"));
        assert!(read_interface(&format!("{DST} @fragment fn main() {{}}")).unwrap_err().contains("'@compute'"));
    }
}
