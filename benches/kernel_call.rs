//! What a kernel costs to call from Rust on an idle queue: a frame from the pool, bindings and a uniform by name, a submission. The Python
//! benchmark, `make bench-python`, runs it in turns with the same calls from Python.
//!
//! `kernel_call` prints the median in microseconds. `kernel_call CALLS callgrind` waits for the queue so often, then waits and calls so often;
//! callgrind, under which it is to run, writes what it counted before, between and after.

use std::time::{Duration, Instant};

use streamlib::prelude::*;

const WGSL: &str = include_str!("kernel_call.wgsl");
const CALLS: usize = 500;
const WARM_UP: usize = 50;

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Ball {
    centre: [f32; 2],
    radius: f32,
    _padding: f32,
    color: [f32; 4],
}

uniform_fields!(Ball { centre, radius, color });

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let counted: Option<usize> = match &arguments[..] {
        [calls, tool] if tool == "callgrind" => calls.parse().ok(),
        _ => None,
    };
    let gpu = GpuContext::new(&GpuOptions::default())?;
    let kernel = gpu.kernel("ball", WGSL)?;
    let frame = gpu.frame(VideoFormat::rgba8(Size::new(64, 64)?), "bench")?;
    let mut encoder = gpu.encoder();
    let mut call = || -> Result<Duration> {
        gpu.wait_idle(Duration::from_secs(10))?;
        let begin = Instant::now();
        let mut out = frame.like()?;
        let ball = Ball { centre: [32.0, 32.0], radius: 10.0, _padding: 0.0, color: [1.0, 0.4, 0.0, 1.0] };
        kernel.call(&mut encoder)?.texture("src", &frame)?.texture_mut("dst", &mut out)?.uniform("ball", &ball)?.dispatch()?;
        encoder.submit()?;
        Ok(begin.elapsed())
    };
    for _ in 0..WARM_UP {
        call()?;
    }
    if let Some(calls) = counted {
        dump()?;
        for _ in 0..calls {
            gpu.wait_idle(Duration::from_secs(10))?;
        }
        dump()?;
        for _ in 0..calls {
            call()?;
        }
        return dump();
    }
    let mut times = (0..CALLS).map(|_| call()).collect::<Result<Vec<_>>>()?;
    times.sort_unstable();
    #[allow(clippy::print_stdout, reason = "it is a program's result")]
    {
        println!("{:.2}", times[CALLS / 2].as_secs_f64() * 1e6);
    }
    Ok(())
}

/// Has callgrind write what it counted, and count anew.
fn dump() -> Result<()> {
    let process = std::process::id().to_string();
    let done = std::process::Command::new("callgrind_control").args(["--dump", &process]).output();
    done.map(drop).map_err(|error| Error::new(ErrorKind::Io, "cannot run callgrind_control").caused_by(error))
}
