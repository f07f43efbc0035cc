//! One call of a kernel: what is bound, then the dispatch.

use std::any::TypeId;
use std::sync::atomic::Ordering;

use smallvec::SmallVec;

use super::bound::{Bound, FILTERABLE, bind_group};
use super::interface::{BindingKind, UniformBinding, format_name};
use super::layout::{Uniform, UniformType, UniformValue};
use super::{Compiled, Kernel};
use crate::gpu::buffer::Buffer;
use crate::gpu::encoder::FrameEncoder;
use crate::gpu::uniform::MAX_UNIFORMS;
use crate::{Error, Result, VideoFrame};

/// The value of a single field: whatever can be a field of a [`Uniform`].
pub trait UniformNumber {
    /// As the WGSL has it.
    fn ty(&self) -> UniformType;

    /// Its bytes in memory.
    fn bytes(&self) -> &[u8];
}

impl<V: UniformValue + bytemuck::NoUninit> UniformNumber for V {
    fn ty(&self) -> UniformType {
        V::TYPE
    }

    fn bytes(&self) -> &[u8] {
        bytemuck::bytes_of(self)
    }
}

/// A call of a [`Kernel`] in the making. Give it everything that [`Kernel::describe`] names, samplers apart; then dispatch.
///
/// Frames are kept until the encoder is submitted. An error leaves nothing recorded.
#[must_use = "nothing is recorded before `dispatch`"]
pub struct KernelCall<'a> {
    kernel: &'a Kernel,
    compiled: &'a Compiled,
    encoder: &'a mut FrameEncoder,
    bound: SmallVec<[Option<Bound<'a>>; 8]>,
    /// The bytes of all uniforms, and which of them were given.
    parameters: SmallVec<[u8; 256]>,
    given: u8,
    timestamps: Option<&'a wgpu::QuerySet>,
}

impl Kernel {
    /// Begins a call, to be recorded in `encoder`. Fails if it was not compiled.
    pub fn call<'a>(&'a self, encoder: &'a mut FrameEncoder) -> Result<KernelCall<'a>> {
        let compiled = self.compiled()?;
        let interface = &compiled.interface;
        let mut bound = SmallVec::new();
        bound.resize(interface.bindings.len(), None);
        let parameters = SmallVec::from_elem(0, interface.uniform_bytes());
        Ok(KernelCall { kernel: self, compiled, encoder, bound, parameters, given: 0, timestamps: None })
    }
}

impl Compiled {
    fn binding(&self, name: &str) -> Option<(usize, BindingKind)> {
        let bindings = &self.interface.bindings;
        let place = bindings.iter().position(|binding| binding.name == name)?;
        Some((place, bindings[place].kind))
    }

    /// Whether a name is declared, but by nothing used: the author is at work.
    fn is_unused(&self, name: &str) -> bool {
        self.interface.unused.iter().any(|unused| unused == name)
    }

    /// The uniform of that name, which lies in memory as `U` does; `None` if nothing uses it. The error begins after the kernel's
    /// name.
    pub(super) fn checked_uniform<U: Uniform>(&self, name: &str) -> Result<Option<usize>, String> {
        let Some((place, uniform)) = self.uniform_named(name)? else { return Ok(None) };
        let this = TypeId::of::<U>();
        if uniform.checked.get() != Some(&this) {
            let fits = uniform.declared.check(U::LAYOUT, size_of::<U>());
            fits.map_err(|message| format!("has a uniform '{name}' that {message}"))?;
            // Whoever was first; the others are checked each time.
            let _ = uniform.checked.set(this);
        }
        Ok(Some(place))
    }

    fn uniform_named(&self, name: &str) -> Result<Option<(usize, &UniformBinding)>, String> {
        let uniforms = &self.interface.uniforms;
        match uniforms.iter().position(|uniform| uniform.name == name) {
            Some(place) => Ok(Some((place, &uniforms[place]))),
            None if self.is_unused(name) => Ok(None),
            None => Err(self.unknown("uniform", name)),
        }
    }

    fn unknown(&self, what: &str, name: &str) -> String {
        format!("has no {what} '{name}'; it has {}", self.interface.describe())
    }
}

impl<'a> KernelCall<'a> {
    /// The frame that a `texture_2d<f32>`, or a storage texture for reading, stands for.
    pub fn texture(mut self, name: &str, frame: &'a VideoFrame) -> Result<Self> {
        match self.compiled.binding(name) {
            Some((place, BindingKind::Texture)) => self.bound[place] = Some(Bound::Frame { frame, writes: false }),
            Some((place, BindingKind::StorageTexture { format, access: wgpu::StorageTextureAccess::ReadOnly })) => {
                self.check_format(name, format, frame)?;
                self.bound[place] = Some(Bound::Frame { frame, writes: false });
            }
            Some((_, kind @ BindingKind::StorageTexture { .. })) => {
                return Err(self.kernel.wrong(format!("writes '{name}', {kind}")).hint("give it with `texture_mut`"));
            }
            Some((_, kind)) => return Err(self.wrong_kind("frame", name, kind)),
            None if self.compiled.is_unused(name) => {}
            None => return Err(self.kernel.wrong(self.compiled.unknown("texture", name))),
        }
        Ok(self)
    }

    /// The frame that a storage texture writes, or reads and writes. Its format must be the declared one, and it must not have
    /// been written to a port yet.
    pub fn texture_mut(mut self, name: &str, frame: &'a mut VideoFrame) -> Result<Self> {
        match self.compiled.binding(name) {
            Some((_, kind @ BindingKind::StorageTexture { access: wgpu::StorageTextureAccess::ReadOnly, .. })) => {
                return Err(self.kernel.wrong(format!("only reads '{name}', {kind}")).hint("give it with `texture`"));
            }
            Some((place, BindingKind::StorageTexture { format, .. })) => {
                self.check_format(name, format, frame)?;
                FrameEncoder::check_writable(frame)?;
                self.bound[place] = Some(Bound::Frame { frame, writes: true });
            }
            Some((_, kind @ BindingKind::Texture)) => {
                let message = format!("does not write '{name}', which is {kind}");
                return Err(self.kernel.wrong(message).hint("give it with `texture`"));
            }
            Some((_, kind)) => return Err(self.wrong_kind("frame", name, kind)),
            None if self.compiled.is_unused(name) => {}
            None => return Err(self.kernel.wrong(self.compiled.unknown("texture", name))),
        }
        Ok(self)
    }

    /// The texture of the program's own ([`GpuContext::raw`](crate::GpuContext::raw)) that a `texture_2d<f32>` or a `texture_storage_2d` stands
    /// for: mip level 0 of its layer 0. It must be of this device, and have `TEXTURE_BINDING` or `STORAGE_BINDING`. Frames are given with
    /// [`texture`](Self::texture), which orders and keeps them.
    ///
    /// The call makes a bind group, where one with frames finds the last one's.
    pub fn raw_texture(mut self, name: &str, texture: &'a wgpu::Texture) -> Result<Self> {
        let (place, kind) = match self.compiled.binding(name) {
            Some(found) => found,
            None if self.compiled.is_unused(name) => return Ok(self),
            None => return Err(self.kernel.wrong(self.compiled.unknown("texture", name))),
        };
        let needed = match kind {
            BindingKind::Texture => wgpu::TextureUsages::TEXTURE_BINDING,
            BindingKind::StorageTexture { .. } => wgpu::TextureUsages::STORAGE_BINDING,
            kind => return Err(self.wrong_kind("texture", name, kind)),
        };
        if let BindingKind::StorageTexture { format, .. } = kind
            && texture.format() != format
        {
            let (format, actual) = (format_name(format), format_name(texture.format()));
            return Err(self.kernel.wrong(format!("takes {format} as '{name}', but the texture is {actual}")));
        }
        if texture.dimension() != wgpu::TextureDimension::D2 || texture.sample_count() != 1 {
            let (dimension, samples) = (texture.dimension(), texture.sample_count());
            let message = format!(
                "takes a texture of two dimensions as '{name}', but was given one of {dimension:?}, {samples} samples a texel"
            );
            return Err(self.kernel.wrong(message));
        }
        let features = self.encoder.gpu().device().raw.features();
        if kind == BindingKind::Texture && texture.format().sample_type(None, Some(features)) != Some(FILTERABLE) {
            let format = format_name(texture.format());
            let message = format!("reads '{name}' as numbers that can be filtered (texture_2d<f32>), which {format} has not");
            return Err(self.kernel.wrong(message).hint("give one of another format, or use a bind group of your own"));
        }
        if !texture.usage().contains(needed) {
            let message = format!("was given a texture as '{name}' that is not for {needed:?}, but for {:?}", texture.usage());
            return Err(self.kernel.wrong(message).hint("make it with that usage, too"));
        }
        let descriptor = wgpu::TextureViewDescriptor {
            dimension: Some(wgpu::TextureViewDimension::D2),
            usage: Some(needed),
            mip_level_count: Some(1),
            array_layer_count: Some(1),
            ..Default::default()
        };
        let view = self.encoder.gpu().raw().create_view(texture, &descriptor)?;
        self.bound[place] = Some(Bound::RawTexture { raw: texture, view });
        Ok(self)
    }

    fn wrong_kind(&self, given: &str, name: &str, kind: BindingKind) -> Error {
        let hint = match kind {
            BindingKind::Texture => "give a frame with `texture`",
            BindingKind::StorageTexture { .. } => "give a frame with `texture_mut`",
            BindingKind::Buffer { is_written: true, .. } => "give a `Buffer` with `buffer_mut`",
            BindingKind::Buffer { .. } => "give a `Buffer` with `buffer`",
            BindingKind::Sampler => "choose how it samples with `sampler`",
        };
        self.kernel.wrong(format!("was given a {given} for '{name}', which is {kind}")).hint(hint)
    }

    fn check_format(&self, name: &str, format: wgpu::TextureFormat, frame: &VideoFrame) -> Result<()> {
        let actual = frame.format().pixel.texture_format();
        if actual == format {
            return Ok(());
        }
        let (format, actual) = (format_name(format), format_name(actual));
        let message = format!("takes {format} as '{name}', but the frame is {}, whose texture is {actual}", frame.format());
        Err(self
            .kernel
            .wrong(message)
            .hint("let the input take, or the frame have, a format of such textures: rgba8 is rgba8unorm"))
    }

    /// The buffer that a `var<storage, read>` stands for. Its elements must be as large as the WGSL's.
    pub fn buffer<T: bytemuck::Pod>(mut self, name: &str, buffer: &'a Buffer<T>) -> Result<Self> {
        if let Some(place) = self.buffer_place(name, buffer, false)? {
            self.bound[place] = Some(Bound::of(buffer, false));
        }
        Ok(self)
    }

    /// The buffer that a `var<storage, read_write>` stands for. Its elements must be as large as the WGSL's.
    pub fn buffer_mut<T: bytemuck::Pod>(mut self, name: &str, buffer: &'a mut Buffer<T>) -> Result<Self> {
        if let Some(place) = self.buffer_place(name, buffer, true)? {
            self.bound[place] = Some(Bound::of(buffer, true));
        }
        Ok(self)
    }

    fn buffer_place<T>(&self, name: &str, buffer: &Buffer<T>, writes: bool) -> Result<Option<usize>> {
        let (place, kind) = match self.compiled.binding(name) {
            Some(found) => found,
            None if self.compiled.is_unused(name) => return Ok(None),
            None => return Err(self.kernel.wrong(self.compiled.unknown("buffer", name))),
        };
        let BindingKind::Buffer { is_written, stride, head, least } = kind else {
            return Err(self.wrong_kind("buffer", name, kind));
        };
        if is_written && !writes {
            return Err(self.kernel.wrong(format!("writes '{name}', {kind}")).hint("give it with `buffer_mut`"));
        }
        if head == 0 && size_of::<T>() as u32 != stride {
            let message =
                format!("takes elements of {stride} bytes as '{name}', but the buffer has elements of {}", size_of::<T>());
            return Err(self.kernel.wrong(message));
        }
        self.check_least(name, least, buffer.bytes())?;
        Ok(Some(place))
    }

    /// The buffer of the program's own ([`GpuContext::raw`](crate::GpuContext::raw)) that a `var<storage>` stands for: all of it. It must be of this device, and
    /// have `STORAGE`.
    ///
    /// The call that uses it makes a bind group, where one with a [`Buffer`] finds the last one's.
    pub fn raw_buffer(mut self, name: &str, buffer: &'a wgpu::Buffer) -> Result<Self> {
        let (place, kind) = match self.compiled.binding(name) {
            Some(found) => found,
            None if self.compiled.is_unused(name) => return Ok(self),
            None => return Err(self.kernel.wrong(self.compiled.unknown("buffer", name))),
        };
        let BindingKind::Buffer { stride, least, .. } = kind else {
            return Err(self.wrong_kind("buffer", name, kind));
        };
        self.check_least(name, least, buffer.size())?;
        if !buffer.usage().contains(wgpu::BufferUsages::STORAGE) {
            let message = format!("was given a buffer as '{name}' that is not for `STORAGE`, but for {:?}", buffer.usage());
            return Err(self.kernel.wrong(message).hint("make it with that usage, too"));
        }
        self.bound[place] = Some(Bound::RawBuffer { raw: buffer, elements: buffer.size() / u64::from(stride.max(1)) });
        Ok(self)
    }

    fn check_least(&self, name: &str, least: u32, bytes: u64) -> Result<()> {
        match bytes >= u64::from(least) {
            true => Ok(()),
            false => {
                let message = format!("takes at least {least} bytes as '{name}', but the buffer has {bytes}");
                Err(self.kernel.wrong(message))
            }
        }
    }

    /// Has the GPU write the times at which it begins and ends.
    pub(in crate::gpu) fn timestamps(mut self, timestamps: Option<&'a wgpu::QuerySet>) -> Self {
        self.timestamps = timestamps;
        self
    }

    /// How a sampler samples between texels. Without it, linearly. Beyond the edge every sampler repeats the edge.
    pub fn sampler(mut self, name: &str, filter: wgpu::FilterMode) -> Result<Self> {
        match self.compiled.binding(name) {
            Some((place, BindingKind::Sampler)) => self.bound[place] = Some(Bound::Sampler(filter)),
            Some((_, kind)) => return Err(self.wrong_kind("sampler", name, kind)),
            None if self.compiled.is_unused(name) => {}
            None => return Err(self.kernel.wrong(self.compiled.unknown("sampler", name))),
        }
        Ok(self)
    }

    /// The value of a uniform. That `U` has the names, offsets and types of the WGSL's is checked at the first call.
    pub fn uniform<U: Uniform>(mut self, name: &str, value: &U) -> Result<Self> {
        if let Some(place) = self.compiled.checked_uniform::<U>(name).map_err(|message| self.kernel.wrong(message))? {
            self.give(place, bytemuck::bytes_of(value));
        }
        Ok(self)
    }

    /// Sets the bytes of a uniform: what is missing at its end is zero, what is too much is padding.
    fn give(&mut self, place: usize, value: &[u8]) {
        let bytes = &mut self.parameters[self.compiled.interface.uniforms[place].bytes()];
        let (begin, end) = bytes.split_at_mut(value.len().min(bytes.len()));
        begin.copy_from_slice(&value[..begin.len()]);
        end.fill(0);
        self.given |= 1 << place;
    }

    /// The value of a uniform whose layout the caller knows from [`Kernel::bindings`]. What is missing at its end is zero;
    /// padding to a multiple of 16 bytes may be there.
    pub fn uniform_bytes(mut self, name: &str, value: &[u8]) -> Result<Self> {
        let named = self.compiled.uniform_named(name).map_err(|message| self.kernel.wrong(message))?;
        if let Some((place, uniform)) = named {
            let declared = uniform.declared.bytes as usize;
            if value.len() > declared.next_multiple_of(16) {
                let message = format!("takes {declared} bytes as '{name}', but was given {}", value.len());
                return Err(self.kernel.wrong(message));
            }
            self.give(place, value);
        }
        Ok(self)
    }

    /// The value of a uniform, field by field: `.fields("ball", &[("centre", &[0.5f32, 0.5]), ("radius", &0.1f32)])`. Every field is
    /// to be given, those of inner structs as `inner.field`; a uniform that is no struct has one field without a name.
    pub fn fields(mut self, name: &str, fields: &[(&str, &dyn UniformNumber)]) -> Result<Self> {
        let named = self.compiled.uniform_named(name).map_err(|message| self.kernel.wrong(message))?;
        let Some((place, uniform)) = named else { return Ok(self) };
        let written = uniform.declared.write(fields, &mut self.parameters[uniform.bytes()]);
        written.map_err(|message| self.kernel.wrong(format!("has a uniform '{name}' that {message}")))?;
        self.given |= 1 << place;
        Ok(self)
    }

    /// Records the call, one invocation for each texel of the first texture that is written or, if there is none, for each element of the
    /// first buffer; the number of workgroups is rounded up, so check the bounds.
    pub fn dispatch(self) -> Result<()> {
        let bindings = self.compiled.interface.bindings.iter().zip(&self.bound);
        let mut written =
            bindings.filter(|(binding, _)| binding.kind.is_written()).filter_map(|(_, bound)| bound.as_ref()?.invocations());
        let first = written.next();
        match first.into_iter().chain(written).min_by_key(|(is_buffer, ..)| *is_buffer) {
            Some((_, width, height)) => self.dispatch_over(width, height),
            None => {
                self.check_complete()?;
                Err(self.kernel.wrong("writes nothing that says how often to call it".into()).hint("call `dispatch_over`"))
            }
        }
    }

    /// Records the call with so many invocations across and down, rounded up to whole workgroups.
    pub fn dispatch_over(self, width: u32, height: u32) -> Result<()> {
        let [x, y, _] = self.compiled.interface.workgroup;
        self.dispatch_groups([width.div_ceil(x), height.div_ceil(y), 1])
    }

    /// Records the call with so many workgroups.
    pub fn dispatch_groups(self, groups: [u32; 3]) -> Result<()> {
        self.check_complete()?;
        self.check_aliases()?;
        let Self { kernel, compiled, encoder, bound, parameters, timestamps, .. } = self;
        let gpu = encoder.gpu().clone();
        let limit = gpu.device().raw.limits().max_compute_workgroups_per_dimension;
        if groups.iter().any(|count| *count > limit) {
            return Err(
                kernel.wrong(format!("was to run in {groups:?} workgroups; this adapter takes {limit} in each direction"))
            );
        }
        if compiled.device_generation != gpu.timeline().generation() {
            return Err(kernel.wrong("was compiled for another GPU device".into()).hint("compile it again, in `setup`"));
        }
        if !bound.iter().flatten().all(|bound| bound.is_of(gpu.device())) {
            return Err(kernel.wrong("was given a frame or a buffer of another GPU device".into()).hint("take new ones"));
        }
        let bind_groups = compiled.interface.groups().zip(&compiled.layouts);
        let bind_groups: SmallVec<[_; 4]> =
            bind_groups.map(|(group, layout)| bind_group(&gpu, &kernel.label, layout, &bound[group])).collect::<Result<_>>()?;
        let in_group = match compiled.interface.uniforms_in_group() {
            0 => None,
            _ => {
                let uniforms = compiled.interface.uniforms.iter().map(|uniform| &parameters[uniform.bytes()]);
                Some(encoder.uniforms(&uniforms.collect::<SmallVec<[&[u8]; MAX_UNIFORMS]>>())?)
            }
        };
        // From here on nothing fails.
        for bound in bound.iter().flatten() {
            match bound {
                Bound::Frame { frame, writes } => encoder.keeps(frame, *writes),
                Bound::Buffer { lease, writes, .. } => encoder.keeps_buffer(lease, *writes),
                // wgpu keeps what its commands use.
                Bound::RawBuffer { .. } | Bound::RawTexture { .. } | Bound::Sampler(_) => {}
            }
        }
        let timestamp_writes = timestamps.map(|query_set| wgpu::ComputePassTimestampWrites {
            query_set,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        });
        let descriptor = wgpu::ComputePassDescriptor { label: Some(&kernel.label), timestamp_writes };
        let mut pass = encoder.commands().begin_compute_pass(&descriptor);
        pass.set_pipeline(&compiled.pipeline);
        for (place, group) in bind_groups.iter().enumerate() {
            pass.set_bind_group(place as u32, group, &[]);
        }
        if let Some((group, offsets)) = &in_group {
            pass.set_bind_group(bind_groups.len() as u32, group, offsets);
        }
        if compiled.interface.is_immediate {
            pass.set_immediates(0, &parameters);
            gpu.device().bytes.uniforms.fetch_add(parameters.len() as u64, Ordering::Relaxed);
        }
        pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
        gpu.0.kernels.count_dispatch();
        Ok(())
    }

    /// Everything is given, samplers apart.
    fn check_complete(&self) -> Result<()> {
        let interface = &self.compiled.interface;
        let bindings = interface.bindings.iter().zip(&self.bound);
        let missing = bindings.filter(|(binding, bound)| bound.is_none() && binding.kind != BindingKind::Sampler);
        let missing = missing.map(|(binding, _)| &*binding.name);
        let uniforms = interface.uniforms.iter().enumerate().filter(|(place, _)| self.given & (1 << place) == 0);
        let missing = missing.chain(uniforms.map(|(_, uniform)| &*uniform.name));
        let missing = missing.fold(String::new(), |list, name| if list.is_empty() { name.into() } else { list + ", " + name });
        match missing.is_empty() {
            true => Ok(()),
            false => {
                Err(self.kernel.wrong(format!("was not given {missing}")).hint("give all that it declares before `dispatch`"))
            }
        }
    }

    /// What is written is bound once: the GPU would read what it is writing.
    fn check_aliases(&self) -> Result<()> {
        let bindings = self.compiled.interface.bindings.iter().zip(&self.bound);
        let given = bindings.filter_map(|(binding, bound)| Some((binding, bound.as_ref()?.identity()?)));
        for (written, id) in given.clone().filter(|(binding, _)| binding.kind.is_written()) {
            if let Some((other, _)) = given.clone().find(|(other, same)| *same == id && other.name != written.name) {
                let message = format!("was given the same as '{}' and as '{}', which it writes", other.name, written.name);
                return Err(self.kernel.wrong(message).hint("write another one"));
            }
        }
        Ok(())
    }
}
