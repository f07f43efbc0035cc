//! Python inside a Rust program, on wgpu's no-op backend: runs pytest with the arguments that it is given. Sanitizers see the extension's code
//! this way, and no driver's.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use streamlib::{GpuContext, GpuOptions};

use ::_native::_native;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::NOOP;
    descriptor.backend_options.noop.enable = true;
    let instance = wgpu::Instance::new(descriptor);
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::NOOP));
    let adapter = adapters.into_iter().next().ok_or("wgpu has no no-op adapter")?;
    let options = GpuOptions { cache_directory: None, ..Default::default() };
    ::_native::adopt(GpuContext::with_adapter(instance, adapter, &options)?);

    pyo3::append_to_inittab!(_native);
    let status = Python::attach(|py| -> PyResult<i32> {
        let modules = PyModule::import(py, "sys")?.getattr("modules")?.cast_into::<PyDict>()?;
        modules.set_item("streamlib._native", PyModule::import(py, "_native")?)?;
        let arguments = PyList::new(py, std::env::args().skip(1))?;
        let status = PyModule::import(py, "pytest")?.call_method1("main", (arguments,))?.extract()?;
        // What a program's end does: the GPU goes, too.
        PyModule::import(py, "atexit")?.call_method0("_run_exitfuncs")?;
        Ok(status)
    })?;
    std::process::exit(status)
}
