//! Adapters, and what they can do.

use std::collections::{BTreeMap, BTreeSet};

use pyo3::prelude::*;
use pyo3::types::PyDict;
use streamlib::{AdapterOptions, Error, ErrorKind, wgpu};

use super::device::Device;
use super::fields::{items, number};
use super::promise::promise;
use super::words::suggestion;
use crate::debug::{Alive, Kind};
use crate::errors::{Outcome, wrong, wrong_type};
use crate::gpu;

/// A GPU, or a driver that computes on the CPU.
#[pyclass(frozen, weakref, module = "streamlib.webgpu")]
pub struct Adapter {
    instance: wgpu::Instance,
    adapter: wgpu::Adapter,
    _alive: Alive,
}

impl Adapter {
    pub(super) fn new(instance: wgpu::Instance, adapter: wgpu::Adapter) -> Self {
        Self { instance, adapter, _alive: Alive::new(Kind::Adapter) }
    }
}

#[pymethods]
impl Adapter {
    /// What is known of it.
    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, PyAny>> {
        info(py, &self.adapter.get_info())
    }

    /// What it can do beyond what every adapter can: `"timestamp-query"`.
    #[getter]
    fn features(&self) -> BTreeSet<&'static str> {
        features(self.adapter.features())
    }

    /// How much it can do, by name: `"max-texture-dimension-2d"`.
    #[getter]
    fn limits(&self) -> Outcome<BTreeMap<String, u64>> {
        limits(&self.adapter.limits())
    }

    /// Its name, its kind and the API through which it is used, in a line.
    #[getter]
    fn summary(&self) -> String {
        let info = self.adapter.get_info();
        format!("{} ({}) via {}", info.name, kind(&info), info.backend)
    }

    /// The device of the process, opened on this adapter if none was opened yet. `default_queue` is what it always is.
    ///
    /// There is one: graphs and frames are on it. Raises `streamlib.BusyError` if it is open on another adapter, and
    /// `streamlib.UnsupportedError` if it was opened without a feature, or has less of something, than is asked for: ask before the first graph or call that
    /// needs the GPU.
    #[pyo3(signature = (*, label="", required_features: "collections.abc.Iterable[str] | None"=None, required_limits: "dict[str, int | None] | None"=None, default_queue: "typing.Any"=None))]
    fn request_device_sync<'py>(
        &self,
        py: Python<'py>,
        label: &str,
        required_features: Option<&Bound<'py, PyAny>>,
        required_limits: Option<&Bound<'py, PyDict>>,
        default_queue: Option<&Bound<'py, PyAny>>,
    ) -> Outcome<Bound<'py, Device>> {
        let _ = default_queue;
        let wanted = required_features.map_or(Ok(Default::default()), |names| items("required_features", names))?;
        let wanted = wanted.iter().map(|name| match name.extract::<String>() {
            Ok(name) => feature(&name),
            Err(_) => Err(wrong_type("required_features", "a list of str", name)),
        });
        let wanted = wanted.collect::<Outcome<Vec<_>>>()?;
        let wanted = wanted.into_iter().fold(wgpu::Features::empty(), |all, feature| all | feature);
        let wanted_limits = required_limits.map_or(Ok(Vec::new()), required)?;
        check_limits(&wanted_limits, &self.adapter.limits(), "the adapter")?;
        let gpu = py.detach(|| gpu::open_on(&self.instance, &self.adapter, wanted))?;
        check_limits(&wanted_limits, &gpu.wgpu_device().limits(), "the device")?;
        Device::new(py, &gpu, label)
    }

    /// The same, to be awaited.
    #[pyo3(signature = (*, label="", required_features: "collections.abc.Iterable[str] | None"=None, required_limits: "dict[str, int | None] | None"=None, default_queue: "typing.Any"=None) -> "streamlib.webgpu.Promise[Device]")]
    fn request_device_async<'py>(
        this: &Bound<'py, Self>,
        label: &str,
        required_features: Option<&Bound<'py, PyAny>>,
        required_limits: Option<&Bound<'py, PyDict>>,
        default_queue: Option<&Bound<'py, PyAny>>,
    ) -> Outcome<Bound<'py, PyAny>> {
        let _ = default_queue;
        let py = this.py();
        let arguments = PyDict::new(py);
        arguments.set_item("label", label)?;
        if let Some(features) = required_features {
            arguments.set_item("required_features", features)?;
        }
        arguments.set_item("required_limits", required_limits)?;
        let request = this.getattr("request_device_sync")?;
        promise(py, PyModule::import(py, "functools")?.call_method("partial", (request,), Some(&arguments))?)
    }

    fn __repr__(&self) -> String {
        format!("<streamlib.webgpu.Adapter {}>", self.summary())
    }
}

/// The adapters that can serve, the best first; if the GPU is open, the one that it is on is the first, by whichever name.
#[pyfunction]
#[pyo3(signature = () -> "list[Adapter]")]
pub(crate) fn adapters(py: Python<'_>) -> Outcome<Vec<Adapter>> {
    let adapters = py.detach(|| {
        if let Some(gpu) = gpu::opened() {
            return Ok(vec![(gpu.instance().clone(), gpu.adapter().clone())]);
        }
        let (instance, adapters) = streamlib::GpuContext::adapters(&AdapterOptions::default())?;
        Ok::<_, Error>(adapters.into_iter().map(|adapter| (instance.clone(), adapter)).collect())
    })?;
    Ok(adapters.into_iter().map(|(instance, adapter)| Adapter::new(instance, adapter)).collect())
}

fn kind(info: &wgpu::AdapterInfo) -> &'static str {
    match info.device_type {
        wgpu::DeviceType::DiscreteGpu => "DiscreteGPU",
        wgpu::DeviceType::IntegratedGpu => "IntegratedGPU",
        wgpu::DeviceType::VirtualGpu => "VirtualGPU",
        wgpu::DeviceType::Cpu => "CPU",
        wgpu::DeviceType::Other => "Unknown",
    }
}

/// `GPUAdapterInfo`, with wgpu's words for the adapter beside WebGPU's.
pub(super) fn info<'py>(py: Python<'py>, info: &wgpu::AdapterInfo) -> Outcome<Bound<'py, PyAny>> {
    let fields = PyDict::new(py);
    fields.set_item("vendor", &info.driver)?;
    fields.set_item("architecture", "")?;
    fields.set_item("device", &info.name)?;
    fields.set_item("description", &info.driver_info)?;
    fields.set_item("subgroup_min_size", info.subgroup_min_size)?;
    fields.set_item("subgroup_max_size", info.subgroup_max_size)?;
    fields.set_item("is_fallback_adapter", info.device_type == wgpu::DeviceType::Cpu)?;
    fields.set_item("adapter_type", kind(info))?;
    fields.set_item("backend_type", info.backend.to_str())?;
    fields.set_item("vendor_id", info.vendor)?;
    fields.set_item("device_id", info.device)?;
    Ok(PyModule::import(py, "streamlib.webgpu.structs")?.call_method1("AdapterInfo", (fields,))?)
}

/// The names of features.
pub(super) fn features(features: wgpu::Features) -> BTreeSet<&'static str> {
    features.iter().filter_map(named).collect()
}

/// The name of one; those that are wgpu's own are called as wgpu-py calls them.
fn named(feature: wgpu::Features) -> Option<&'static str> {
    feature.as_str().map(|name| name.strip_prefix("wgpu-").unwrap_or(name))
}

/// `timestamp-query`, `timestamp_query` or `TimestampQuery`.
fn feature(name: &str) -> Outcome<wgpu::Features> {
    let found = wgpu::Features::all().iter().find(|feature| named(*feature).is_some_and(|known| plain(known) == plain(name)));
    found.ok_or_else(|| wrong("required_features", format!("there is no feature '{name}'; {}", suggestion("FeatureName", name))))
}

/// A name without its case and what lies between its words.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Limits by their names in the specification: `maxBindGroups`.
fn by_name(limits: &wgpu::Limits) -> Outcome<Vec<(String, u64)>> {
    let limits = serde_json::to_value(limits).map_err(|error| Error::new(ErrorKind::Gpu, error.to_string()))?;
    let limits = limits.as_object().into_iter().flatten();
    Ok(limits.filter_map(|(name, limit)| Some((name.clone(), limit.as_u64()?))).collect())
}

/// Limits by their names in Python: `max-bind-groups`.
pub(super) fn limits(limits: &wgpu::Limits) -> Outcome<BTreeMap<String, u64>> {
    let words = |(name, limit): (String, u64)| {
        let mut words = String::new();
        let mut before = ' ';
        for letter in name.chars() {
            // `maxTextureDimension2D` has four words.
            let begins = !before.is_ascii_digit() && (letter.is_ascii_uppercase() || letter.is_ascii_digit());
            if begins {
                words.push('-');
            }
            words.push(letter.to_ascii_lowercase());
            before = letter;
        }
        (words, limit)
    };
    Ok(by_name(limits)?.into_iter().map(words).collect())
}

/// The limits that are asked for, each with its name in the specification.
fn required(limits: &Bound<'_, PyDict>) -> Outcome<Vec<(String, u64)>> {
    let known = by_name(&wgpu::Limits::default())?;
    let mut wanted = Vec::new();
    for (name, limit) in limits {
        let name = name.to_string();
        let Some((known, _)) = known.iter().find(|(known, _)| plain(known) == plain(&name)) else {
            return Err(wrong("required_limits", format!("there is no limit '{name}'")));
        };
        if !limit.is_none() {
            wanted.push((known.clone(), number(format_args!("required_limits.{name}"), &limit)?));
        }
    }
    Ok(wanted)
}

/// Fails if somebody has less than is wanted.
fn check_limits(wanted: &[(String, u64)], limits: &wgpu::Limits, who: &str) -> Outcome<()> {
    let has = by_name(limits)?;
    for (name, wanted) in wanted {
        let Some((_, limit)) = has.iter().find(|(other, _)| other == name) else { continue };
        // Of alignments, less is more.
        let is_enough = if name.starts_with("min") { wanted >= limit } else { wanted <= limit };
        if !is_enough {
            let message = format!("the limit {name} of {who} is {limit}, and {wanted} was asked for");
            return Err(Error::new(ErrorKind::Unsupported, message).hint("ask for less, or use another adapter").into());
        }
    }
    Ok(())
}
