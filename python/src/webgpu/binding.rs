//! What shaders are given: samplers, layouts and bind groups.

use std::num::NonZeroU64;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use smallvec::SmallVec;
use streamlib::wgpu;

use super::buffer::Buffer;
use super::fields::{Argument, Fields, items, number};
use super::object::{Object, make, of, some};
use super::texture::{Kept, Texture, TextureView};
use super::words::{shader_stages, word, word_or};
use crate::debug::Kind;
use crate::errors::{Outcome, wrong, wrong_type};

/// How a texture is sampled.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub(crate) struct Sampler {
    pub(super) raw: wgpu::Sampler,
}

/// Of which types the members of a bind group are.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub(crate) struct BindGroupLayout {
    pub(super) raw: wgpu::BindGroupLayout,
    /// The bindings that are textures which are written.
    pub(super) writes: Arc<[u32]>,
}

/// The layouts of the bind groups of a pipeline.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub(crate) struct PipelineLayout {
    pub(super) raw: wgpu::PipelineLayout,
    /// What each group writes.
    pub(super) writes: Vec<Arc<[u32]>>,
}

/// What a shader is given: buffers, textures and samplers, all of which it keeps alive.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub(crate) struct BindGroup {
    pub(super) raw: wgpu::BindGroup,
    /// The frames in it, and which of them are written.
    pub(super) frames: Frames,
}

/// Frames, and whether they are written.
pub(super) type Frames = SmallVec<[(Arc<Kept>, bool); 2]>;

/// One member of a layout: `GPUBindGroupLayoutEntry`.
fn layout_entry(argument: Argument<'_>, value: &Bound<'_, PyAny>) -> Outcome<wgpu::BindGroupLayoutEntry> {
    let py = value.py();
    let entry = Fields::new(argument, value)?;
    let binding = entry.number(intern!(py, "binding"))?.ok_or_else(|| wrong(argument, "it has no 'binding'"))?;
    let visibility = shader_stages(entry.member("visibility"), &entry.get(intern!(py, "visibility"))?)?;
    let mut types = Vec::new();
    if let Some(buffer) = entry.find(intern!(py, "buffer"))? {
        let buffer = Fields::new(entry.member("buffer"), &buffer)?;
        let ty = match buffer.text(intern!(py, "type"))?.as_deref() {
            None | Some("uniform") => wgpu::BufferBindingType::Uniform,
            Some("storage") => wgpu::BufferBindingType::Storage { read_only: false },
            Some("read-only-storage") => wgpu::BufferBindingType::Storage { read_only: true },
            Some(other) => {
                let expected = "expected 'uniform', 'storage' or 'read-only-storage'";
                return Err(wrong(buffer.member("type"), format!("there is no type '{other}'; {expected}")));
            }
        };
        let has_dynamic_offset = truth(&buffer, intern!(py, "has_dynamic_offset"))?;
        let min_binding_size = buffer.number(intern!(py, "min_binding_size"))?.and_then(NonZeroU64::new);
        buffer.end("type, has_dynamic_offset, min_binding_size")?;
        types.push(wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size });
    }
    if let Some(sampler) = entry.find(intern!(py, "sampler"))? {
        let sampler = Fields::new(entry.member("sampler"), &sampler)?;
        let ty = sampler.text(intern!(py, "type"))?;
        let ty = word_or(sampler.member("type"), ty.as_deref(), wgpu::SamplerBindingType::Filtering)?;
        sampler.end("type")?;
        types.push(wgpu::BindingType::Sampler(ty));
    }
    if let Some(texture) = entry.find(intern!(py, "texture"))? {
        let texture = Fields::new(entry.member("texture"), &texture)?;
        let sample_type = match texture.text(intern!(py, "sample_type"))?.as_deref() {
            None | Some("float") => wgpu::TextureSampleType::Float { filterable: true },
            Some("unfilterable-float") => wgpu::TextureSampleType::Float { filterable: false },
            Some("depth") => wgpu::TextureSampleType::Depth,
            Some("sint") => wgpu::TextureSampleType::Sint,
            Some("uint") => wgpu::TextureSampleType::Uint,
            Some(other) => {
                let expected = "expected 'float', 'unfilterable-float', 'depth', 'sint' or 'uint'";
                return Err(wrong(texture.member("sample_type"), format!("there is no type '{other}'; {expected}")));
            }
        };
        let view_dimension = dimension(&texture)?;
        let multisampled = truth(&texture, intern!(py, "multisampled"))?;
        texture.end("sample_type, view_dimension, multisampled")?;
        types.push(wgpu::BindingType::Texture { sample_type, view_dimension, multisampled });
    }
    if let Some(texture) = entry.find(intern!(py, "storage_texture"))? {
        let texture = Fields::new(entry.member("storage_texture"), &texture)?;
        let access = texture.text(intern!(py, "access"))?;
        let access = word_or(texture.member("access"), access.as_deref(), wgpu::StorageTextureAccess::WriteOnly)?;
        let format = texture.text(intern!(py, "format"))?;
        let format = format.ok_or_else(|| wrong(entry.member("storage_texture"), "it has no 'format'"))?;
        let format = word(texture.member("format"), &format)?;
        let view_dimension = dimension(&texture)?;
        texture.end("access, format, view_dimension")?;
        types.push(wgpu::BindingType::StorageTexture { access, format, view_dimension });
    }
    entry.end("binding, visibility, buffer, sampler, texture, storage_texture")?;
    match types[..] {
        [ty] => Ok(wgpu::BindGroupLayoutEntry { binding, visibility, ty, count: None }),
        _ => Err(wrong(argument, "it must have one of 'buffer', 'sampler', 'texture' and 'storage_texture'")),
    }
}

fn dimension(fields: &Fields<'_, '_>) -> Outcome<wgpu::TextureViewDimension> {
    Python::attach(|py| {
        let dimension = fields.text(&pyo3::types::PyString::intern(py, "view_dimension"))?;
        word_or(fields.member("view_dimension"), dimension.as_deref(), wgpu::TextureViewDimension::D2)
    })
}

fn truth<'py>(fields: &Fields<'_, 'py>, name: &Bound<'py, pyo3::types::PyString>) -> Outcome<bool> {
    match fields.find(name)? {
        Some(value) => {
            value.extract().map_err(|_| wrong_type(format_args!("{}", fields.member(&name.to_string())), "a bool", &value))
        }
        None => Ok(false),
    }
}

fn is_written(entry: &wgpu::BindGroupLayoutEntry) -> bool {
    use wgpu::StorageTextureAccess::ReadOnly;
    matches!(entry.ty, wgpu::BindingType::StorageTexture { access, .. } if access != ReadOnly)
}

pub(super) fn bind_group_layout<'py>(
    py: Python<'py>,
    gpu: &streamlib::GpuContext,
    label: &str,
    entries: &Bound<'py, PyAny>,
) -> Outcome<Bound<'py, BindGroupLayout>> {
    let entries = items("entries", entries)?;
    let entries = entries.iter().enumerate().map(|(place, entry)| layout_entry(Argument::Item("entries", place), entry));
    let entries = entries.collect::<Outcome<Vec<_>>>()?;
    let descriptor = wgpu::BindGroupLayoutDescriptor { label: some(label), entries: &entries };
    let raw = gpu.raw().create_bind_group_layout(&descriptor)?;
    let writes = entries.iter().filter(|entry| is_written(entry)).map(|entry| entry.binding).collect();
    make(py, Kind::BindGroupLayout, gpu, label, BindGroupLayout { raw, writes })
}

pub(super) fn pipeline_layout<'py>(
    py: Python<'py>,
    gpu: &streamlib::GpuContext,
    label: &str,
    layouts: &[Option<Bound<'py, BindGroupLayout>>],
    immediate_size: u32,
) -> Outcome<Bound<'py, PipelineLayout>> {
    let room = gpu.wgpu_device().limits().max_bind_groups as usize;
    if layouts.len() > room {
        return Err(wrong("bind_group_layouts", format!("there are {}, and no more than {room} can be", layouts.len())));
    }
    let layouts = layouts.iter().map(|layout| layout.as_ref().map(|layout| of(gpu, "bind_group_layouts", layout)).transpose());
    let layouts = layouts.collect::<Outcome<Vec<_>>>()?;
    let raws: Vec<_> = layouts.iter().map(|layout| layout.map(|layout| &layout.raw)).collect();
    let descriptor = wgpu::PipelineLayoutDescriptor { label: some(label), bind_group_layouts: &raws, immediate_size };
    let raw = gpu.raw().create_pipeline_layout(&descriptor)?;
    let writes = layouts.iter().map(|layout| layout.map_or_else(|| Arc::from([]), |layout| layout.writes.clone())).collect();
    make(py, Kind::PipelineLayout, gpu, label, PipelineLayout { raw, writes })
}

/// One member of a bind group, as it was given.
enum Resource<'py> {
    Buffer { buffer: Bound<'py, Buffer>, offset: u64, size: Option<NonZeroU64> },
    View(Bound<'py, TextureView>),
    Sampler(Bound<'py, Sampler>),
}

impl<'py> Resource<'py> {
    fn new(argument: Argument<'_>, gpu: &streamlib::GpuContext, value: Bound<'py, PyAny>) -> Outcome<Self> {
        let py = value.py();
        if let Ok(view) = value.cast::<TextureView>() {
            of(gpu, argument, view)?;
            return Ok(Self::View(view.clone()));
        }
        if let Ok(buffer) = value.cast::<Buffer>() {
            of(gpu, argument, buffer)?;
            return Ok(Self::Buffer { buffer: buffer.clone(), offset: 0, size: None });
        }
        if let Ok(sampler) = value.cast::<Sampler>() {
            of(gpu, argument, sampler)?;
            return Ok(Self::Sampler(sampler.clone()));
        }
        if let Ok(texture) = value.cast::<Texture>() {
            of(gpu, argument, texture)?;
            return Ok(Self::View(texture.call_method0(intern!(py, "create_view"))?.cast_into()?));
        }
        if value.cast::<pyo3::types::PyDict>().is_err() {
            return Err(wrong_type(
                argument,
                "a Buffer, a dict with a 'buffer', a TextureView, a Texture (a frame's is `frame.texture`) or a Sampler",
                &value,
            ));
        }
        let fields = Fields::new(argument, &value)?;
        let buffer: Bound<'_, Buffer> = fields.object(intern!(py, "buffer"))?;
        of(gpu, argument, &buffer)?;
        let offset = fields.number(intern!(py, "offset"))?.unwrap_or(0);
        let size = match fields.number::<u64>(intern!(py, "size"))? {
            Some(size) => Some(NonZeroU64::new(size).ok_or_else(|| wrong(fields.member("size"), "it cannot be 0"))?),
            None => None,
        };
        fields.end("buffer, offset, size")?;
        Ok(Self::Buffer { buffer, offset, size })
    }

    fn raw(&self) -> wgpu::BindingResource<'_> {
        match self {
            Self::Buffer { buffer, offset, size } => {
                let buffer = buffer.get().raw();
                wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset: *offset, size: *size })
            }
            Self::View(view) => wgpu::BindingResource::TextureView(view.get().raw()),
            Self::Sampler(sampler) => wgpu::BindingResource::Sampler(&sampler.get().raw),
        }
    }
}

pub(super) fn bind_group<'py>(
    py: Python<'py>,
    gpu: &streamlib::GpuContext,
    label: &str,
    layout: &Bound<'py, BindGroupLayout>,
    entries: &Bound<'py, PyAny>,
) -> Outcome<Bound<'py, BindGroup>> {
    let layout = of(gpu, "layout", layout)?;
    let entries = items("entries", entries)?;
    let entries = entries.iter().enumerate().map(|(place, entry)| {
        let fields = Fields::new(Argument::Item("entries", place), entry)?;
        let binding: u32 = number(fields.member("binding"), &fields.get(intern!(py, "binding"))?)?;
        let resource = Resource::new(fields.member("resource"), gpu, fields.get(intern!(py, "resource"))?)?;
        fields.end("binding, resource")?;
        Ok((binding, resource))
    });
    let resources = entries.collect::<Outcome<SmallVec<[_; 8]>>>()?;
    let mut frames = SmallVec::new();
    for (place, (binding, resource)) in resources.iter().enumerate() {
        if let Resource::View(view) = resource
            && let Some(kept) = view.get().kept()
        {
            let is_written = layout.writes.contains(binding);
            if is_written {
                kept.check_writable(gpu, format_args!("create_bind_group: entries[{place}], binding {binding},"))?;
            }
            frames.push((kept.clone(), is_written));
        }
    }
    let entries =
        resources.iter().map(|(binding, resource)| wgpu::BindGroupEntry { binding: *binding, resource: resource.raw() });
    let entries: SmallVec<[_; 8]> = entries.collect();
    let descriptor = wgpu::BindGroupDescriptor { label: some(label), layout: &layout.raw, entries: &entries };
    let raw = gpu.raw().create_bind_group(&descriptor)?;
    make(py, Kind::BindGroup, gpu, label, BindGroup { raw, frames })
}
