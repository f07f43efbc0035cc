//! Python inside a Rust program, on wgpu's no-op backend: runs pytest with the arguments that it is given. Sanitizers see the extension's code
//! this way, and no driver's.

mod embedded;

use pyo3::prelude::*;
use pyo3::types::PyList;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let status = embedded::with_python(embedded::noop()?, |py| {
        let arguments = PyList::new(py, std::env::args().skip(1))?;
        PyModule::import(py, "pytest")?.call_method1("main", (arguments,))?.extract()
    })?;
    std::process::exit(status)
}
