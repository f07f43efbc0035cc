//! Shaders and pipelines, and what measures them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use streamlib::{Error, ErrorKind, ShaderSource, WrittenTexture, wgpu};

use super::binding::{BindGroupLayout, PipelineLayout};
use super::fields::{Fields, number};
use super::object::{Object, make, of, some};
use super::promise::promise;
use crate::debug::Kind;
use crate::errors::{Outcome, wrong, wrong_type};

/// A compiled shader's source.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub struct ShaderModule {
    raw: wgpu::ShaderModule,
    written: Arc<[WrittenTexture]>,
}

#[pymethods]
impl ShaderModule {
    /// What the compiler has to say: nothing. Mistakes are raised where the module is made.
    #[pyo3(signature = () -> "list[typing.Any]")]
    fn get_compilation_info_sync(&self) -> Vec<Py<PyAny>> {
        Vec::new()
    }

    /// The same, to be awaited.
    #[pyo3(signature = () -> "streamlib.webgpu.Promise[list[typing.Any]]")]
    fn get_compilation_info_async<'py>(this: &Bound<'py, Self>) -> Outcome<Bound<'py, PyAny>> {
        promise(this.py(), this.getattr(intern!(this.py(), "get_compilation_info_sync"))?)
    }
}

/// WGSL, GLSL (which says `#version`) or SPIR-V (which is bytes).
pub(super) fn shader_module<'py>(
    py: Python<'py>,
    gpu: &streamlib::GpuContext,
    label: &str,
    code: &Bound<'py, PyAny>,
) -> Outcome<Bound<'py, ShaderModule>> {
    const SPIRV: [u8; 4] = 0x0723_0203_u32.to_le_bytes();
    let text = code.cast::<PyString>().ok().map(|text| text.to_str()).transpose();
    let text = text.map_err(|_| wrong("code", "it has characters that are none: surrogates"))?;
    let binary = code.cast::<PyBytes>().ok().map(|bytes| bytes.as_bytes());
    let source = match (text, binary) {
        (Some(text), _) if text.trim_start().starts_with("#version") => ShaderSource::Glsl(text),
        (Some(text), _) => ShaderSource::Wgsl(text),
        (_, Some(bytes)) if bytes.starts_with(&SPIRV) => ShaderSource::Spirv(bytes),
        (_, Some(_)) => return Err(wrong("code", "bytes are SPIR-V, but these do not begin as SPIR-V does")),
        _ => return Err(wrong_type("code", "WGSL or GLSL, as a str, or SPIR-V, as bytes", code)),
    };
    let streamlib::RawShader { module: raw, written } = py.detach(|| gpu.raw().create_shader_module(some(label), source))?;
    make(py, Kind::ShaderModule, gpu, label, ShaderModule { raw, written })
}

/// A shader that can be dispatched.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub struct ComputePipeline {
    pub(super) raw: wgpu::ComputePipeline,
    /// The textures that are written, by group.
    writes: Vec<Arc<[u32]>>,
}

#[pymethods]
impl ComputePipeline {
    /// The layout of `@group(index)`: with the layout `"auto"`, the one to make bind groups with.
    fn get_bind_group_layout<'py>(this: &Bound<'py, Self>, index: u32) -> Outcome<Bound<'py, BindGroupLayout>> {
        let (gpu, me) = (this.as_super().get().gpu(), this.get());
        let raw = gpu.raw().call("get_bind_group_layout", || me.raw.get_bind_group_layout(index))?;
        let writes = me.writes.get(index as usize).cloned().unwrap_or_else(|| Arc::from([]));
        make(this.py(), Kind::BindGroupLayout, gpu, "", BindGroupLayout { raw, writes })
    }
}

pub(super) fn compute_pipeline<'py>(
    py: Python<'py>,
    gpu: &streamlib::GpuContext,
    label: &str,
    layout: &Bound<'py, PyAny>,
    compute: &Bound<'py, PyAny>,
) -> Outcome<Bound<'py, ComputePipeline>> {
    let layout = match layout.cast::<PipelineLayout>() {
        Ok(layout) => Some(of(gpu, "layout", layout)?),
        Err(_) if layout.extract::<&str>().is_ok_and(|layout| layout == "auto") => None,
        Err(_) => return Err(wrong_type("layout", "a PipelineLayout or 'auto'", layout)),
    };
    let fields = Fields::new("compute", compute)?;
    let module: Bound<'_, ShaderModule> = fields.object(intern!(py, "module"))?;
    let module = of(gpu, "compute.module", &module)?;
    let entry_point = fields.text(intern!(py, "entry_point"))?;
    let constants = fields.find(intern!(py, "constants"))?;
    fields.end("module, entry_point, constants")?;
    let mut overrides = Vec::new();
    if let Some(constants) = constants {
        let Ok(constants) = constants.cast::<PyDict>() else {
            return Err(wrong_type("compute.constants", "a dict of numbers", &constants));
        };
        for (name, value) in constants {
            overrides.push((name.to_string(), number::<f64>(format_args!("compute.constants.{name}"), &value)?));
        }
    }
    let overrides: Vec<_> = overrides.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let compilation_options = wgpu::PipelineCompilationOptions { constants: &overrides, ..Default::default() };
    let descriptor = wgpu::ComputePipelineDescriptor {
        label: some(label),
        layout: layout.map(|layout| &layout.raw),
        module: &module.raw,
        entry_point: entry_point.as_deref(),
        compilation_options,
        cache: None,
    };
    let raw = py.detach(|| gpu.raw().create_compute_pipeline(&descriptor))?;
    let writes = match layout {
        Some(layout) => layout.writes.clone(),
        None => {
            let is_called = |written: &&WrittenTexture| entry_point.as_deref().is_none_or(|name| *written.entry_point == *name);
            let written: Vec<_> = module.written.iter().filter(is_called).collect();
            let groups = written.iter().map(|written| written.group + 1).max().unwrap_or(0);
            let of_group = |group| written.iter().filter(move |written| written.group == group);
            (0..groups).map(|group| of_group(group).map(|written| written.binding).collect()).collect()
        }
    };
    make(py, Kind::ComputePipeline, gpu, label, ComputePipeline { raw, writes })
}

/// Queries: of the times at which passes begin and end, in nanoseconds.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub struct QuerySet {
    /// `None` once it is destroyed.
    raw: Mutex<Option<wgpu::QuerySet>>,
    ty: wgpu::QueryType,
    count: u32,
}

impl QuerySet {
    fn kept(&self) -> MutexGuard<'_, Option<wgpu::QuerySet>> {
        self.raw.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// wgpu's, of a set that was given as this argument.
    pub(super) fn raw(gpu: &streamlib::GpuContext, argument: &str, this: &Bound<'_, Self>) -> Outcome<wgpu::QuerySet> {
        of(gpu, argument, this)?.kept().clone().ok_or_else(|| {
            let called = this.as_super().get().called("query set");
            Error::new(ErrorKind::Gpu, format!("{called} was destroyed")).hint("make a new one").into()
        })
    }
}

#[pymethods]
impl QuerySet {
    /// `timestamp` or `occlusion`.
    #[getter]
    fn r#type(&self) -> &'static str {
        match self.ty {
            wgpu::QueryType::Occlusion => "occlusion",
            _ => "timestamp",
        }
    }

    /// How many there are.
    #[getter]
    fn count(&self) -> u32 {
        self.count
    }

    /// Lets go of it: it cannot be used any more.
    fn destroy(&self) {
        let raw = self.kept().take();
        drop(raw);
    }
}

pub(super) fn query_set<'py>(
    py: Python<'py>,
    gpu: &streamlib::GpuContext,
    label: &str,
    ty: &str,
    count: u32,
) -> Outcome<Bound<'py, QuerySet>> {
    let ty = match ty {
        "timestamp" => wgpu::QueryType::Timestamp,
        "occlusion" => wgpu::QueryType::Occlusion,
        other => return Err(wrong("type", format!("there is no query '{other}'; expected 'timestamp' or 'occlusion'"))),
    };
    let raw = gpu.raw().create_query_set(&wgpu::QuerySetDescriptor { label: some(label), ty, count })?;
    make(py, Kind::QuerySet, gpu, label, QuerySet { raw: Mutex::new(Some(raw)), ty, count })
}
