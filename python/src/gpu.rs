//! The process's GPU, and what can be asked of it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use streamlib::{AdapterOptions, Error, ErrorKind, GpuOptions, Runtime, RuntimeOptions, Size, VideoFormat, wgpu};

use crate::debug::{Alive, Kind};
use crate::errors::{Outcome, wrong};
use crate::frame::{VideoFrame, pixel_format};
use crate::kernel::Kernel;
use crate::run::{end_all, forget_the_ended, runs};
use crate::scope;
use crate::waiting::{PATIENCE, wait_idle};
use crate::webgpu::Device;

/// What all graphs of the process run on.
static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

/// The process's runtime with these options, those of its GPU apart: they are the first one's.
pub(crate) fn runtime(options: RuntimeOptions) -> Runtime {
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = runtime.get_or_insert_with(Runtime::default);
    let gpu = shared.options().gpu.clone();
    shared.with_options(RuntimeOptions { gpu, ..options })
}

/// The GPU, if it is open.
pub(crate) fn opened() -> Option<streamlib::GpuContext> {
    RUNTIME.lock().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(Runtime::opened_gpu)
}

/// The GPU, opened on this adapter and with these features if none is open.
pub(crate) fn open_on(
    instance: &wgpu::Instance,
    adapter: &wgpu::Adapter,
    features: wgpu::Features,
) -> streamlib::Result<streamlib::GpuContext> {
    let name = adapter.get_info().name;
    let mut shared = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let opened = shared.as_ref().and_then(Runtime::opened_gpu).filter(|gpu| gpu.check_alive().is_ok());
    if let Some(gpu) = opened {
        let (chosen, info) = (&gpu.adapter_choice().chosen, adapter.get_info());
        let identity = |info: &wgpu::AdapterInfo| (info.backend, info.vendor, info.device, info.device_pci_bus_id.clone());
        if chosen.name != name || identity(chosen) != identity(&info) {
            let of = |info: &wgpu::AdapterInfo| format!("'{}' ({})", info.name, info.backend);
            let message = format!("the GPU is open already, on {} and not on {}", of(chosen), of(&info));
            return Err(Error::new(ErrorKind::Busy, message).hint("there is one device a process: use that"));
        }
        gpu.check_features(features)?;
        return Ok(gpu);
    }
    let adapter_options = AdapterOptions { name: Some(name), ..Default::default() };
    let gpu_options = GpuOptions { adapter: adapter_options, features, ..Default::default() };
    let gpu = streamlib::GpuContext::with_adapter(instance.clone(), adapter.clone(), &gpu_options)?;
    let before = shared.replace(Runtime::with_gpu(RuntimeOptions { gpu: gpu_options, ..Default::default() }, gpu.clone()));
    drop(shared);
    drop(before);
    Ok(gpu)
}

/// Ends the device of this GPU, if no graph runs on it.
///
/// First it does what was submitted: the last reference to a device waits for its driver, whoever lets go of it, and with the interpreter's lock.
pub(crate) fn destroy(py: Python<'_>, gpu: &streamlib::GpuContext) -> Outcome<()> {
    if gpu.check_alive().is_err() {
        return Ok(());
    }
    py.detach(|| check_unused(gpu))?;
    wait_idle(py, gpu, PATIENCE)?;
    py.detach(|| {
        check_unused(gpu)?;
        let mut shared = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
        let before = if is_shared(&shared, gpu) { shared.take() } else { None };
        drop(shared);
        drop(before);
        gpu.raw().destroy();
        Ok::<_, Error>(())
    })?;
    Ok(())
}

/// Fails while a graph runs on this device.
fn check_unused(gpu: &streamlib::GpuContext) -> streamlib::Result<()> {
    forget_the_ended();
    let is_shared = is_shared(&RUNTIME.lock().unwrap_or_else(PoisonError::into_inner), gpu);
    if is_shared && runs().iter().any(|run| !run.is_over()) {
        return Err(Error::new(ErrorKind::Busy, "the device is in use: a graph runs on it").hint("stop it first"));
    }
    Ok(())
}

/// Whether graphs run on this device.
fn is_shared(shared: &Option<Runtime>, gpu: &streamlib::GpuContext) -> bool {
    shared.as_ref().and_then(Runtime::opened_gpu).is_some_and(|opened| opened.is_same_device(gpu))
}

/// For programs that embed Python: what graphs run on from now on.
pub fn adopt(gpu: streamlib::GpuContext) {
    let runtime = Runtime::with_gpu(RuntimeOptions::default(), gpu);
    *RUNTIME.lock().unwrap_or_else(PoisonError::into_inner) = Some(runtime);
}

/// The GPU that everything in this process runs on: `streamlib.gpu` is the face of it.
#[pyfunction]
#[pyo3(signature = (*, adapter=None, budget_bytes=None))]
pub(crate) fn gpu(py: Python<'_>, adapter: Option<String>, budget_bytes: Option<u64>) -> Outcome<GpuContext> {
    let context = py.detach(|| {
        if adapter.is_none() && budget_bytes.is_none() {
            return runtime(RuntimeOptions::default()).gpu();
        }
        let mut shared = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.as_ref().is_some_and(|runtime| runtime.opened_gpu().is_some()) {
            return Err(Error::new(ErrorKind::Busy, "the GPU is open already")
                .hint("choose the adapter and the budget before the first graph or call that needs the GPU"));
        }
        let mut gpu = GpuOptions { adapter: AdapterOptions { name: adapter, ..Default::default() }, ..Default::default() };
        gpu.budget_bytes = budget_bytes.unwrap_or(gpu.budget_bytes);
        let chosen = Runtime::new(RuntimeOptions { gpu, ..Default::default() });
        let opened = chosen.gpu()?;
        *shared = Some(chosen);
        Ok(opened)
    })?;
    Ok(GpuContext::new(context))
}

/// Ends what runs, waits for the GPU and lets go of it. What still holds something of it keeps that.
#[pyfunction]
pub(crate) fn close(py: Python<'_>) {
    py.detach(|| {
        end_all();
        if let Some(gpu) = opened() {
            // A driver that hangs is no reason not to end.
            let _ = gpu.wait_idle(Duration::from_secs(5));
        }
        let runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(runtime);
    });
}

/// The GPU: makes frames and compiles kernels.
///
/// Processors are handed it in `setup`; elsewhere `streamlib.gpu()` gives it. All threads may use it.
#[pyclass(frozen, module = "streamlib")]
pub struct GpuContext {
    pub(crate) gpu: streamlib::GpuContext,
    _alive: Alive,
}

impl GpuContext {
    pub(crate) fn new(gpu: streamlib::GpuContext) -> Self {
        Self { gpu, _alive: Alive::new(Kind::GpuContext) }
    }
}

#[pymethods]
impl GpuContext {
    /// The adapter's name.
    #[getter]
    fn adapter(&self) -> &str {
        &self.gpu.adapter_choice().chosen.name
    }

    /// The API through which it is used: `vulkan`, `metal`, `dx12` or `gl`.
    #[getter]
    fn backend(&self) -> &'static str {
        self.gpu.adapter_choice().chosen.backend.to_str()
    }

    /// WebGPU itself, on the same device: `streamlib.webgpu`.
    #[getter]
    fn device<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, Device>> {
        Device::new(py, &self.gpu, "streamlib")
    }

    /// Compiles a compute shader, or finds it where it was compiled before, whoever asked. The place for it is `setup`.
    ///
    /// `label` names it in errors. `entry_point` chooses among several `@compute` functions, `constants` sets its `override`s. Mistakes in
    /// the WGSL raise `streamlib.InvalidArgumentError` with line, column and text.
    #[pyo3(signature = (wgsl, *, label="kernel", entry_point=None, constants=None))]
    fn kernel(
        &self,
        py: Python<'_>,
        wgsl: &str,
        label: &str,
        entry_point: Option<&str>,
        constants: Option<std::collections::HashMap<String, f64>>,
    ) -> Outcome<Kernel> {
        let constants = constants.unwrap_or_default();
        let constants: Vec<_> = constants.iter().map(|(name, value)| (&**name, *value)).collect();
        let options = streamlib::KernelOptions { entry_point, constants: &constants };
        let kernel = py.detach(|| self.gpu.kernel_with(label, wgsl, &options))?;
        Ok(Kernel::new(py, kernel, self.gpu.clone()))
    }

    /// A pooled frame whose pixels are undefined. It has the time and the place in the stream of the frame that `process` was given, if it
    /// was given one.
    ///
    /// Waits up to two seconds, without the interpreter's lock, when the memory budget is used up; then raises
    /// `streamlib.OutOfMemoryError`, which says who holds what.
    #[pyo3(signature = (width, height, format="rgba8"))]
    fn frame(&self, py: Python<'_>, width: u32, height: u32, format: &str) -> Outcome<VideoFrame> {
        let format = VideoFormat::rgba8(Size::new(width, height)?).with_pixel(pixel_format(format)?);
        let taker = scope::taker();
        let frame = py.detach(|| self.gpu.frame(format, taker))?;
        Ok(VideoFrame::new(py, scope::stamped(frame), self.gpu.clone()))
    }

    /// Blocks until the GPU has done everything that was submitted before this call, without the interpreter's lock.
    #[pyo3(signature = (timeout=30.0))]
    fn wait_idle(&self, py: Python<'_>, timeout: f64) -> Outcome<()> {
        let timeout = seconds("timeout", timeout)?;
        wait_idle(py, &self.gpu, timeout)
    }

    /// What the GPU did and holds, as JSON.
    fn _statistics(&self, py: Python<'_>) -> String {
        py.detach(|| serde_json::to_string(&self.gpu.statistics()).unwrap_or_default())
    }

    fn __repr__(&self) -> String {
        format!("<streamlib.GpuContext {:?} ({})>", self.adapter(), self.backend())
    }
}

/// A duration from seconds.
pub(crate) fn seconds(argument: &str, seconds: f64) -> Outcome<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong(argument, format!("{seconds} is no number of seconds from 0 on")))
}
