//! The device: what makes everything else.

use std::collections::{BTreeMap, BTreeSet};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use streamlib::wgpu;

use super::adapter::{self, Adapter};
use super::binding::{self, BindGroup, BindGroupLayout, PipelineLayout, Sampler};
use super::buffer::Buffer;
use super::commands::CommandEncoder;
use super::data::Data;
use super::fields::{extent, items};
use super::object::{Object, make, some};
use super::pipeline::{self, ComputePipeline, QuerySet, ShaderModule};
use super::promise::promise;
use super::queue::Queue;
use super::texture::Texture;
use super::words::{buffer_usages, texture_usages, word};
use crate::debug::Kind;
use crate::errors::{Outcome, wrong, wrong_type};
use crate::gpu;

/// The GPU device of the process: frames and graphs are on it, too. It makes everything else.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub struct Device {
    queue: Py<Queue>,
}

impl Device {
    pub(crate) fn new<'py>(py: Python<'py>, gpu: &streamlib::GpuContext, label: &str) -> Outcome<Bound<'py, Self>> {
        let queue = make(py, Kind::Queue, gpu, "", Queue {})?.unbind();
        make(py, Kind::Device, gpu, label, Self { queue })
    }

    fn gpu<'a>(this: &'a Bound<'_, Self>) -> &'a streamlib::GpuContext {
        this.as_super().get().gpu()
    }
}

#[pymethods]
impl Device {
    /// Where commands are submitted.
    #[getter]
    fn queue(&self, py: Python<'_>) -> Py<Queue> {
        self.queue.clone_ref(py)
    }

    /// The adapter that it is of.
    #[getter]
    fn adapter<'py>(this: &Bound<'py, Self>) -> Outcome<Bound<'py, Adapter>> {
        let gpu = Self::gpu(this);
        Ok(Bound::new(this.py(), Adapter::new(gpu.instance().clone(), gpu.adapter().clone()))?)
    }

    /// What is known of the adapter.
    #[getter]
    fn adapter_info<'py>(this: &Bound<'py, Self>) -> Outcome<Bound<'py, PyAny>> {
        adapter::info(this.py(), &Self::gpu(this).adapter().get_info())
    }

    /// What it can do beyond what every device can.
    #[getter]
    fn features(this: &Bound<'_, Self>) -> BTreeSet<&'static str> {
        adapter::features(Self::gpu(this).wgpu_device().features())
    }

    /// How much it can do, by name: `"max-texture-dimension-2d"`.
    #[getter]
    fn limits(this: &Bound<'_, Self>) -> Outcome<BTreeMap<String, u64>> {
        adapter::limits(&Self::gpu(this).wgpu_device().limits())
    }

    /// A buffer of zeros. With `mapped_at_creation`, `write_mapped` and `unmap` give it other contents.
    #[pyo3(signature = (*, label="", size, usage: "int | str", mapped_at_creation=false))]
    fn create_buffer<'py>(
        this: &Bound<'py, Self>,
        label: &str,
        size: u64,
        usage: &Bound<'py, PyAny>,
        mapped_at_creation: bool,
    ) -> Outcome<Bound<'py, Buffer>> {
        let usage = buffer_usages("usage", usage)?;
        let descriptor = wgpu::BufferDescriptor { label: some(label), size, usage, mapped_at_creation };
        Buffer::new(this.py(), Self::gpu(this), &descriptor)
    }

    /// A buffer with the bytes of an array, or of what else has the buffer protocol.
    #[pyo3(signature = (*, label="", data: "typing.Any", usage: "int | str"))]
    fn create_buffer_with_data<'py>(
        this: &Bound<'py, Self>,
        label: &str,
        data: &Bound<'py, PyAny>,
        usage: &Bound<'py, PyAny>,
    ) -> Outcome<Bound<'py, Buffer>> {
        let usage = buffer_usages("usage", usage)?;
        Buffer::with_data(this.py(), Self::gpu(this), label, &Data::of("data", data)?, usage)
    }

    /// A texture of zeros.
    #[pyo3(signature = (*, label="", size: "streamlib.webgpu.Extent3D", mip_level_count=1, sample_count=1, dimension="2d", format, usage: "int | str", view_formats: "collections.abc.Sequence[str] | None"=None))]
    #[allow(clippy::too_many_arguments, reason = "they are the specification's, by name")]
    fn create_texture<'py>(
        this: &Bound<'py, Self>,
        label: &str,
        size: &Bound<'py, PyAny>,
        mip_level_count: u32,
        sample_count: u32,
        dimension: &str,
        format: &str,
        usage: &Bound<'py, PyAny>,
        view_formats: Option<&Bound<'py, PyAny>>,
    ) -> Outcome<Bound<'py, Texture>> {
        let gpu = Self::gpu(this);
        let formats = view_formats.map_or(Ok(Default::default()), |formats| items("view_formats", formats))?;
        let formats = formats.iter().map(|format| match format.extract::<&str>() {
            Ok(format) => word("view_formats", format),
            Err(_) => Err(wrong_type("view_formats", "a list of str", format)),
        });
        let view_formats = formats.collect::<Outcome<Vec<_>>>()?;
        let descriptor = wgpu::TextureDescriptor {
            label: some(label),
            size: extent("size", size)?,
            mip_level_count,
            sample_count,
            dimension: word("dimension", dimension)?,
            format: word("format", format)?,
            usage: texture_usages("usage", usage)?,
            view_formats: &view_formats,
        };
        let texture = gpu.raw().create_texture(&descriptor)?;
        Texture::new(this.py(), gpu, label, texture)
    }

    /// A sampler.
    #[pyo3(signature = (*, label="", address_mode_u="clamp-to-edge", address_mode_v="clamp-to-edge", address_mode_w="clamp-to-edge", mag_filter="nearest", min_filter="nearest", mipmap_filter="nearest", lod_min_clamp=0.0, lod_max_clamp=32.0, compare=None, max_anisotropy=1))]
    #[allow(clippy::too_many_arguments, reason = "they are the specification's, by name")]
    fn create_sampler<'py>(
        this: &Bound<'py, Self>,
        label: &str,
        address_mode_u: &str,
        address_mode_v: &str,
        address_mode_w: &str,
        mag_filter: &str,
        min_filter: &str,
        mipmap_filter: &str,
        lod_min_clamp: f32,
        lod_max_clamp: f32,
        compare: Option<&str>,
        max_anisotropy: u16,
    ) -> Outcome<Bound<'py, Sampler>> {
        let gpu = Self::gpu(this);
        for (argument, clamp) in [("lod_min_clamp", lod_min_clamp), ("lod_max_clamp", lod_max_clamp)] {
            if !clamp.is_finite() {
                return Err(wrong(argument, format!("it cannot be {clamp}")));
            }
        }
        let descriptor = wgpu::SamplerDescriptor {
            label: some(label),
            address_mode_u: word("address_mode_u", address_mode_u)?,
            address_mode_v: word("address_mode_v", address_mode_v)?,
            address_mode_w: word("address_mode_w", address_mode_w)?,
            mag_filter: word("mag_filter", mag_filter)?,
            min_filter: word("min_filter", min_filter)?,
            mipmap_filter: word("mipmap_filter", mipmap_filter)?,
            lod_min_clamp,
            lod_max_clamp,
            compare: compare.map(|compare| word("compare", compare)).transpose()?,
            anisotropy_clamp: max_anisotropy,
            border_color: None,
        };
        let raw = gpu.raw().create_sampler(&descriptor)?;
        make(this.py(), Kind::Sampler, gpu, label, Sampler { raw })
    }

    /// The layout of a bind group.
    #[pyo3(signature = (*, label="", entries: "collections.abc.Sequence[streamlib.webgpu.BindGroupLayoutEntry]"))]
    fn create_bind_group_layout<'py>(
        this: &Bound<'py, Self>,
        label: &str,
        entries: &Bound<'py, PyAny>,
    ) -> Outcome<Bound<'py, BindGroupLayout>> {
        binding::bind_group_layout(this.py(), Self::gpu(this), label, entries)
    }

    /// A bind group: what a shader is given, all of which it keeps alive.
    #[pyo3(signature = (*, label="", layout, entries: "collections.abc.Sequence[streamlib.webgpu.BindGroupEntry]"))]
    fn create_bind_group<'py>(
        this: &Bound<'py, Self>,
        label: &str,
        layout: &Bound<'py, BindGroupLayout>,
        entries: &Bound<'py, PyAny>,
    ) -> Outcome<Bound<'py, BindGroup>> {
        binding::bind_group(this.py(), Self::gpu(this), label, layout, entries)
    }

    /// The layout of a pipeline: that of each of its bind groups, and how many bytes of immediate data there are.
    #[pyo3(signature = (*, label="", bind_group_layouts, immediate_size=0))]
    fn create_pipeline_layout<'py>(
        this: &Bound<'py, Self>,
        label: &str,
        bind_group_layouts: Vec<Option<Bound<'py, BindGroupLayout>>>,
        immediate_size: u32,
    ) -> Outcome<Bound<'py, PipelineLayout>> {
        binding::pipeline_layout(this.py(), Self::gpu(this), label, &bind_group_layouts, immediate_size)
    }

    /// A shader: WGSL, GLSL of a compute shader (which says `#version`), or SPIR-V (which is bytes).
    ///
    /// Mistakes in it raise `streamlib.GpuError`; WGSL's and GLSL's with line, column and text. Hints are not needed.
    #[pyo3(signature = (*, label="", code: "str | bytes", compilation_hints: "typing.Any"=None))]
    fn create_shader_module<'py>(
        this: &Bound<'py, Self>,
        label: &str,
        code: &Bound<'py, PyAny>,
        compilation_hints: Option<&Bound<'py, PyAny>>,
    ) -> Outcome<Bound<'py, ShaderModule>> {
        let _ = compilation_hints;
        pipeline::shader_module(this.py(), Self::gpu(this), label, code)
    }

    /// A compute pipeline. `layout` is a `PipelineLayout`, or `"auto"`: then the shader says it.
    #[pyo3(signature = (*, label="", layout: "PipelineLayout | str", compute: "streamlib.webgpu.ProgrammableStage"))]
    fn create_compute_pipeline<'py>(
        this: &Bound<'py, Self>,
        label: &str,
        layout: &Bound<'py, PyAny>,
        compute: &Bound<'py, PyAny>,
    ) -> Outcome<Bound<'py, ComputePipeline>> {
        pipeline::compute_pipeline(this.py(), Self::gpu(this), label, layout, compute)
    }

    /// The same, to be awaited.
    #[pyo3(signature = (*, label="", layout: "PipelineLayout | str", compute: "streamlib.webgpu.ProgrammableStage") -> "streamlib.webgpu.Promise[ComputePipeline]")]
    fn create_compute_pipeline_async<'py>(
        this: &Bound<'py, Self>,
        label: &str,
        layout: &Bound<'py, PyAny>,
        compute: &Bound<'py, PyAny>,
    ) -> Outcome<Bound<'py, PyAny>> {
        let py = this.py();
        let arguments = PyDict::new(py);
        arguments.set_item(intern!(py, "label"), label)?;
        arguments.set_item(intern!(py, "layout"), layout)?;
        arguments.set_item(intern!(py, "compute"), compute)?;
        let create = this.getattr(intern!(py, "create_compute_pipeline"))?;
        promise(py, PyModule::import(py, "functools")?.call_method("partial", (create,), Some(&arguments))?)
    }

    /// Records commands.
    #[pyo3(signature = (*, label=""))]
    fn create_command_encoder<'py>(this: &Bound<'py, Self>, label: &str) -> Outcome<Bound<'py, CommandEncoder>> {
        CommandEncoder::new(this.py(), Self::gpu(this), label)
    }

    /// A set of queries of a type: `"timestamp"`, if the device has the feature `"timestamp-query"`, or `"occlusion"`.
    #[pyo3(signature = (*, label="", r#type, count))]
    fn create_query_set<'py>(this: &Bound<'py, Self>, label: &str, r#type: &str, count: u32) -> Outcome<Bound<'py, QuerySet>> {
        pipeline::query_set(this.py(), Self::gpu(this), label, r#type, count)
    }

    /// Ends the device, once it has done what was submitted. What is done with it or what is of it afterwards raises `streamlib.DeviceLostError`; who needs a GPU then opens another.
    ///
    /// Raises `streamlib.BusyError` while a graph runs on it.
    fn destroy(this: &Bound<'_, Self>) -> Outcome<()> {
        gpu::destroy(this.py(), Self::gpu(this))
    }

    fn __eq__(this: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> bool {
        other.cast::<Self>().is_ok_and(|other| Self::gpu(this).is_same_device(Self::gpu(other)))
    }

    fn __hash__(this: &Bound<'_, Self>) -> usize {
        std::ptr::from_ref(Self::gpu(this).adapter_choice()).addr()
    }
}
