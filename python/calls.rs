//! Python inside a Rust program that calls the same kernel itself: `benches/python_calls.py` has them take turns, call by call, on one queue.
//! Two programs would differ by more than Python does.

mod embedded;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyList};
use streamlib::prelude::*;

const WGSL: &str = include_str!("../benches/kernel_call.wgsl");

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Ball {
    centre: [f32; 2],
    radius: f32,
    _padding: f32,
    color: [f32; 4],
}

uniform_fields!(Ball { centre, radius, color });

thread_local! {
    static CALLER: RefCell<Option<Caller>> = const { RefCell::new(None) };
}

/// A frame from the pool, bindings and a uniform by name, a submission: what Python does, too.
struct Caller {
    kernel: Kernel,
    frame: VideoFrame,
    encoder: FrameEncoder,
}

impl Caller {
    fn call(&mut self) -> Result<Duration> {
        let begin = Instant::now();
        let mut out = self.frame.like()?;
        let ball = Ball { centre: [32.0, 32.0], radius: 10.0, _padding: 0.0, color: [1.0, 0.4, 0.0, 1.0] };
        let call = self.kernel.call(&mut self.encoder)?.texture("src", &self.frame)?.texture_mut("dst", &mut out)?;
        call.uniform("ball", &ball)?.dispatch()?;
        self.encoder.submit()?;
        drop(out);
        Ok(begin.elapsed())
    }
}

/// Makes a call; gives its microseconds.
fn called(_: &Bound<'_, pyo3::types::PyTuple>, _: Option<&Bound<'_, PyDict>>) -> PyResult<f64> {
    let time = CALLER.with_borrow_mut(|caller| caller.as_mut().map(Caller::call));
    let time = time.unwrap_or_else(|| Err(Error::new(ErrorKind::InvalidArgument, "another thread has it")));
    time.map(|time| time.as_secs_f64() * 1e6).map_err(|error| pyo3::exceptions::PyRuntimeError::new_err(error.to_string()))
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let gpu = match arguments.iter().any(|argument| argument == "noop") {
        true => embedded::noop()?,
        false => GpuContext::new(&GpuOptions::default())?,
    };
    let kernel = gpu.kernel("ball", WGSL)?;
    let frame = gpu.frame(VideoFormat::rgba8(Size::new(64, 64)?), "bench")?;
    CALLER.set(Some(Caller { kernel, frame, encoder: gpu.encoder() }));
    embedded::with_python(gpu, |py| {
        PyModule::import(py, "sys")?.getattr("path")?.call_method1("insert", (0, "benches"))?;
        let rust = PyCFunction::new_closure(py, Some(c"rust"), None, called)?;
        PyModule::import(py, "python_calls")?.call_method1("main", (rust, PyList::new(py, arguments)?)).map(drop)
    })?;
    CALLER.take();
    Ok(())
}
