//! What programs that embed Python share.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use streamlib::{Error, ErrorKind, GpuContext, GpuOptions, Result};

use ::_native::_native;

/// A GPU that does nothing, on wgpu's no-op backend: no driver, and no thread of one.
pub(crate) fn noop() -> Result<GpuContext> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::NOOP;
    descriptor.backend_options.noop.enable = true;
    let instance = wgpu::Instance::new(descriptor);
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::NOOP));
    let adapter = adapters.into_iter().next().ok_or_else(|| Error::new(ErrorKind::NoAdapter, "wgpu has no no-op adapter"))?;
    let options = GpuOptions { cache_directory: None, ..Default::default() };
    GpuContext::with_adapter(instance, adapter, &options)
}

/// Runs `program` in an interpreter whose `streamlib` uses this very program's native half, on `gpu`; then what the end of a program does.
pub(crate) fn with_python<T>(gpu: GpuContext, program: impl FnOnce(Python<'_>) -> PyResult<T>) -> PyResult<T> {
    ::_native::adopt(gpu);
    pyo3::append_to_inittab!(_native);
    Python::attach(|py| {
        let modules = PyModule::import(py, "sys")?.getattr("modules")?.cast_into::<PyDict>()?;
        modules.set_item("streamlib._native", PyModule::import(py, "_native")?)?;
        let outcome = program(py)?;
        // The GPU goes, too.
        PyModule::import(py, "atexit")?.call_method0("_run_exitfuncs")?;
        Ok(outcome)
    })
}
