//! Compute shaders, called by name.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use smallvec::SmallVec;
use streamlib::{Error, ErrorKind, KernelBinding, wgpu};

use crate::debug::{Alive, Kind};
use crate::errors::{Outcome, wrong, wrong_type};
use crate::frame::VideoFrame;
use crate::scope;
use crate::uniforms::{Bytes, Layout};
use crate::webgpu::{Buffer, Texture, of};

/// A compiled compute shader. Call it with everything that its WGSL declares, by name: frames for textures (or a `webgpu.Texture`, of
/// which it has mip level 0 of layer 0), dicts or numbers for uniforms, a `webgpu.Buffer` for storage buffers, `"linear"` or `"nearest"` for samplers (which may be left out).
///
/// The shader is invoked once for each texel of the first texture that it writes; if it writes none, say how often, across and down:
/// `kernel(frame.size, src=frame, counts=buffer)`.
///
/// Within a processor's call the work is recorded in the order of the calls and submitted when `process` has returned; elsewhere each call
/// is submitted at once.
#[pyclass(frozen, weakref, module = "streamlib")]
pub struct Kernel {
    kernel: streamlib::Kernel,
    gpu: streamlib::GpuContext,
    bindings: Vec<Declared>,
    _alive: Alive,
}

/// What the WGSL declares under a name.
struct Declared {
    name: String,
    /// The same: the very object that a call's keyword is.
    keyword: Py<PyString>,
    binding: Binding,
}

enum Binding {
    Texture,
    StorageTexture,
    Sampler,
    Buffer,
    Uniform(Layout),
    Unused,
}

/// What a call was given.
#[derive(Default)]
struct Given<'a> {
    frames: SmallVec<[(&'a str, bool, streamlib::VideoFrame); 4]>,
    uniforms: SmallVec<[(&'a str, Bytes); 2]>,
    samplers: SmallVec<[(&'a str, wgpu::FilterMode); 2]>,
    buffers: SmallVec<[(&'a str, wgpu::Buffer); 2]>,
    textures: SmallVec<[(&'a str, wgpu::Texture); 2]>,
}

/// How often the shader is invoked.
#[derive(Clone, Copy)]
enum Extent {
    /// For each texel of the first texture that is written.
    Texels,
    /// So often across and down.
    Invocations(u32, u32),
    /// In so many workgroups.
    Workgroups([u32; 3]),
}

impl Kernel {
    pub(crate) fn new(py: Python<'_>, kernel: streamlib::Kernel, gpu: streamlib::GpuContext) -> Self {
        let bindings = kernel.bindings().map(|(name, binding)| {
            let binding = match binding {
                KernelBinding::Texture => Binding::Texture,
                KernelBinding::StorageTexture => Binding::StorageTexture,
                KernelBinding::Sampler => Binding::Sampler,
                KernelBinding::Buffer { .. } => Binding::Buffer,
                KernelBinding::Uniform(declared) => Binding::Uniform(Layout::new(py, declared)),
                KernelBinding::Unused => Binding::Unused,
            };
            Declared { name: name.to_owned(), keyword: PyString::intern(py, name).unbind(), binding }
        });
        let bindings = bindings.collect();
        Self { kernel, gpu, bindings, _alive: Alive::new(Kind::Kernel) }
    }

    fn declared(&self, keyword: &Bound<'_, PyString>) -> Outcome<&Declared> {
        if let Some(declared) = self.bindings.iter().find(|declared| keyword.is(&declared.keyword)) {
            return Ok(declared);
        }
        let name = keyword.to_str()?;
        self.bindings.iter().find(|declared| declared.name == name).ok_or_else(|| {
            let label = self.kernel.label();
            wrong(name, format!("kernel '{label}' has no such binding; it has {}", self.kernel.describe()))
        })
    }

    fn gather<'a>(&'a self, arguments: Option<&Bound<'_, PyDict>>) -> Outcome<Given<'a>> {
        let mut given = Given::default();
        for (name, value) in arguments.into_iter().flatten() {
            let Declared { name, binding, .. } = self.declared(name.cast::<PyString>()?)?;
            match binding {
                Binding::Texture | Binding::StorageTexture => {
                    let writes = matches!(binding, Binding::StorageTexture);
                    if let Ok(frame) = value.cast::<VideoFrame>() {
                        given.frames.push((name, writes, frame.get().frame().clone()));
                        continue;
                    }
                    let Ok(texture) = value.cast::<Texture>() else {
                        return Err(wrong_type(name, "a VideoFrame or a webgpu.Texture", &value));
                    };
                    Texture::check_usable(texture, name)?;
                    match of(&self.gpu, name, texture)? {
                        texture if texture.frame().is_some() => {
                            given.frames.extend(texture.frame().map(|frame| (&**name, writes, frame.clone())));
                        }
                        texture => given.textures.push((name, texture.raw().clone())),
                    }
                }
                Binding::Uniform(layout) => given.uniforms.push((name, layout.pack(name, &value)?)),
                Binding::Sampler => {
                    let filter = match value.extract::<String>().as_deref() {
                        Ok("linear") => wgpu::FilterMode::Linear,
                        Ok("nearest") => wgpu::FilterMode::Nearest,
                        _ => return Err(wrong(name, "a sampler is 'linear' or 'nearest'")),
                    };
                    given.samplers.push((name, filter));
                }
                Binding::Buffer => {
                    let Ok(buffer) = value.cast::<Buffer>() else { return Err(wrong_type(name, "a webgpu.Buffer", &value)) };
                    Buffer::check_usable(buffer, name)?;
                    given.buffers.push((name, of(&self.gpu, name, buffer)?.raw().clone()));
                }
                Binding::Unused => {}
            }
        }
        Ok(given)
    }

    /// Refuses to guess: a shader that reads a picture and writes numbers may be meant for each texel, or for each number.
    fn check_extent(&self, given: &Given<'_>, extent: Extent) -> Outcome<()> {
        let is_written = |name: &&str| {
            self.bindings.iter().any(|declared| declared.name == **name && matches!(declared.binding, Binding::StorageTexture))
        };
        let mut textures = given.frames.iter().map(|(name, ..)| name).chain(given.textures.iter().map(|(name, _)| name));
        let reads_pictures = given.frames.len() + given.textures.len() > 0 && !textures.any(is_written);
        if !matches!(extent, Extent::Texels) || !reads_pictures || given.buffers.is_empty() {
            return Ok(());
        }
        let message = format!("kernel '{}' writes no texture: it has to be said how often it is invoked", self.kernel.label());
        let hint = "give the invocations across and down first: `kernel(frame.size, src=frame, ...)`";
        Err(Error::new(ErrorKind::InvalidArgument, message).hint(hint).into())
    }

    fn dispatch(&self, py: Python<'_>, arguments: Option<&Bound<'_, PyDict>>, extent: Extent) -> Outcome<()> {
        let mut given = self.gather(arguments)?;
        self.check_extent(&given, extent)?;
        for (name, _, frame) in given.frames.iter().filter(|(_, writes, _)| !writes) {
            scope::check_written(&self.gpu, frame, format_args!("kernel '{}' reads '{name}', which", self.kernel.label()))?;
        }
        let mut record = || {
            scope::record(&self.gpu, |encoder| {
                let mut call = self.kernel.call(encoder)?;
                for (name, writes, frame) in &mut given.frames {
                    call = if *writes { call.texture_mut(name, frame)? } else { call.texture(name, frame)? };
                }
                for (name, bytes) in &given.uniforms {
                    call = call.uniform_bytes(name, bytes)?;
                }
                for (name, filter) in &given.samplers {
                    call = call.sampler(name, *filter)?;
                }
                for (name, buffer) in &given.buffers {
                    call = call.raw_buffer(name, buffer)?;
                }
                for (name, texture) in &given.textures {
                    call = call.raw_texture(name, texture)?;
                }
                match extent {
                    Extent::Texels => call.dispatch(),
                    Extent::Invocations(width, height) => call.dispatch_over(width, height),
                    Extent::Workgroups(groups) => call.dispatch_groups(groups),
                }
            })
        };
        // Recording waits for nobody; submitting may.
        let recorded = if scope::records() { record() } else { py.detach(&mut record) };
        recorded?;
        Ok(())
    }
}

#[pymethods]
impl Kernel {
    /// Its name in errors.
    #[getter]
    fn label(&self) -> &str {
        self.kernel.label()
    }

    /// What it can be given, by name.
    #[getter]
    fn bindings(&self) -> Vec<&str> {
        self.bindings.iter().map(|declared| &*declared.name).collect()
    }

    /// Invokes the shader once for each texel of the first texture that it writes (if there is none, for each element of the first such buffer), or for `invocations` across and down; rounded up to whole
    /// workgroups, so check the bounds.
    #[pyo3(signature = (invocations=None, /, **bindings: "typing.Any"))]
    fn __call__(&self, py: Python<'_>, invocations: Option<(u32, u32)>, bindings: Option<&Bound<'_, PyDict>>) -> Outcome<()> {
        let extent = invocations.map_or(Extent::Texels, |(width, height)| Extent::Invocations(width, height));
        self.dispatch(py, bindings, extent)
    }

    /// Invokes the shader in so many workgroups.
    #[pyo3(signature = (workgroups, /, **bindings: "typing.Any"))]
    fn dispatch_workgroups(
        &self,
        py: Python<'_>,
        workgroups: (u32, u32, u32),
        bindings: Option<&Bound<'_, PyDict>>,
    ) -> Outcome<()> {
        let (x, y, z) = workgroups;
        self.dispatch(py, bindings, Extent::Workgroups([x, y, z]))
    }

    fn __repr__(&self) -> String {
        format!("<streamlib.Kernel '{}': {}>", self.kernel.label(), self.kernel.describe())
    }
}
