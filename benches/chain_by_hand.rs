//! The limit: functions of a pixel's colour, one behind the other, each a pass of a wgpu program written by hand.

#![allow(clippy::disallowed_methods, reason = "a program by hand")]

use crate::by_hand::{Bound, IN_FLIGHT, Uniform, group, pipeline, rgba8, time, uniform};

/// What stands around a pixel shader to make a pass of it.
const PASS: &str = "
    @group(0) @binding(0) var src: texture_2d<f32>;
    @group(1) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
    @group(2) @binding(0) var<uniform> two: Two;
    @compute @workgroup_size(16, 16)
    fn main(@builtin(global_invocation_id) id: vec3u) {
        if any(id.xy >= textureDimensions(dst)) {
            return;
        }
        textureStore(dst, id.xy, pixel(textureLoad(src, id.xy, 0), vec2f(id.xy) + 0.5, two));
    }";

struct Step {
    pipeline: wgpu::ComputePipeline,
    source: wgpu::BindGroup,
    target: wgpu::BindGroup,
    uniform: Uniform,
}

/// The program.
pub struct ChainByHand {
    device: wgpu::Device,
    queue: wgpu::Queue,
    /// For each frame in flight its own.
    frames: Vec<Vec<Step>>,
    size: (u32, u32),
}

impl ChainByHand {
    /// A pass for each of these: WGSL with a struct `Two` and a function `pixel` from a colour, a position and a `Two`, whose values follow.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue, size: (u32, u32), stages: &[(&str, [f32; 2])]) -> Self {
        let pipelines: Vec<_> = stages.iter().map(|(wgsl, _)| pipeline(device, &format!("{wgsl}{PASS}"))).collect();
        let frame = |_| {
            let mut source = view_of(device, size);
            let step = |(pipeline, (_, values)): (&wgpu::ComputePipeline, &(&str, [f32; 2]))| {
                let target = view_of(device, size);
                let uniform = uniform(device, pipeline);
                queue.write_buffer(&uniform.buffer, 0, bytemuck::cast_slice(values));
                Step {
                    pipeline: pipeline.clone(),
                    source: group(device, pipeline, 0, Bound::View(std::mem::replace(&mut source, target.clone()))),
                    target: group(device, pipeline, 1, Bound::View(target)),
                    uniform,
                }
            };
            pipelines.iter().zip(stages).map(step).collect()
        };
        let frames = (0..IN_FLIGHT).map(frame).collect();
        Self { device: device.clone(), queue: queue.clone(), frames, size }
    }

    /// Draws so many frames; seconds from the first submission to the last completion.
    pub fn run(&self, frames: usize) -> f64 {
        time(&self.device, frames, |number| self.submit(number))
    }

    fn submit(&self, number: usize) -> wgpu::SubmissionIndex {
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for step in &self.frames[number % IN_FLIGHT] {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&step.pipeline);
            pass.set_bind_group(0, &step.source, &[]);
            pass.set_bind_group(1, &step.target, &[]);
            pass.set_bind_group(2, &step.uniform.group, &[]);
            pass.dispatch_workgroups(self.size.0.div_ceil(16), self.size.1.div_ceil(16), 1);
        }
        self.queue.submit([encoder.finish()])
    }
}

fn view_of(device: &wgpu::Device, size: (u32, u32)) -> wgpu::TextureView {
    rgba8(device, size).create_view(&wgpu::TextureViewDescriptor::default())
}
