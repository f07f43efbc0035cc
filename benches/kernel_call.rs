//! What a kernel costs to call from Rust on an idle queue: a frame from the pool, bindings and a uniform by name, a submission. The Python
//! benchmark, `make bench-python`, runs it in turns with the same calls from Python.

use std::time::{Duration, Instant};

use streamlib::prelude::*;

const WGSL: &str = include_str!("kernel_call.wgsl");
const CALLS: usize = 500;

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
    let gpu = GpuContext::new(&GpuOptions::default())?;
    let kernel = gpu.kernel("ball", WGSL)?;
    let frame = gpu.frame(VideoFormat::rgba8(Size::new(64, 64)?), "bench")?;
    let mut encoder = gpu.encoder();
    let mut microseconds = Vec::with_capacity(CALLS);
    for call in 0..CALLS + 50 {
        gpu.wait_idle(Duration::from_secs(10))?;
        let begin = Instant::now();
        let mut out = frame.like()?;
        let ball = Ball { centre: [32.0, 32.0], radius: 10.0, _padding: 0.0, color: [1.0, 0.4, 0.0, 1.0] };
        kernel.call(&mut encoder)?.texture("src", &frame)?.texture_mut("dst", &mut out)?.uniform("ball", &ball)?.dispatch()?;
        encoder.submit()?;
        if call >= 50 {
            microseconds.push(begin.elapsed().as_secs_f64() * 1e6);
        }
    }
    microseconds.sort_by(f64::total_cmp);
    #[allow(clippy::print_stdout, reason = "it is a program's result")]
    {
        println!("{:.2}", microseconds[CALLS / 2]);
    }
    Ok(())
}
