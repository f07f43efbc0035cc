//! The limit: test pattern and ball as a wgpu program written by hand, with the same shaders and nothing else.

use std::collections::VecDeque;
use std::time::Instant;

const PATTERN: &str = include_str!("../processors/src/test_pattern/pattern.wgsl");
const BALL: &str = include_str!("../processors/src/bouncing_ball/ball.wgsl");

/// Submissions that may be outstanding, as in streamlib.
const IN_FLIGHT: usize = 3;

/// Parameters of a shader: a buffer, and its bind group.
struct Uniform {
    buffer: wgpu::Buffer,
    group: wgpu::BindGroup,
}

/// What a frame in flight uses.
struct Frame {
    pattern_parameters: Uniform,
    ball_parameters: Uniform,
    pattern_target: wgpu::BindGroup,
    ball_source: wgpu::BindGroup,
    ball_target: wgpu::BindGroup,
}

pub(crate) struct ByHand {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pattern: wgpu::ComputePipeline,
    ball: wgpu::ComputePipeline,
    frames: Vec<Frame>,
    size: (u32, u32),
}

impl ByHand {
    pub(crate) fn new(device: &wgpu::Device, queue: &wgpu::Queue, size: (u32, u32)) -> Self {
        let pipeline = |wgsl: &str| {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(wgsl.into()),
            });
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: None,
                module: &module,
                entry_point: None,
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
        };
        let (pattern, ball) = (pipeline(PATTERN), pipeline(BALL));
        let frames = (0..IN_FLIGHT).map(|_| Frame::new(device, &pattern, &ball, size)).collect();
        Self { device: device.clone(), queue: queue.clone(), pattern, ball, frames, size }
    }

    /// Draws so many frames; seconds from the first submission to the last completion.
    pub(crate) fn run(&self, frames: usize) -> f64 {
        let begin = Instant::now();
        let mut in_flight = VecDeque::new();
        for number in 0..frames {
            if in_flight.len() == IN_FLIGHT {
                self.wait(in_flight.pop_front());
            }
            in_flight.push_back(self.submit(number));
        }
        in_flight.into_iter().for_each(|index| self.wait(Some(index)));
        begin.elapsed().as_secs_f64()
    }

    fn wait(&self, submission_index: Option<wgpu::SubmissionIndex>) {
        let waited = self.device.poll(wgpu::PollType::Wait { submission_index, timeout: None });
        waited.unwrap_or_else(|error| panic!("the GPU failed: {error}"));
    }

    fn submit(&self, number: usize) -> wgpu::SubmissionIndex {
        let frame = &self.frames[number % IN_FLIGHT];
        let (width, height) = self.size;
        let cell = (width / 40).min(height / 48).min(24);
        let words = [0, number as u32, 0, number as u32, number as u32, cell, cell, height - 11 * cell, width - 17 * cell];
        let pattern: Vec<u32> = words.into_iter().chain([height - 11 * cell, 0.5f32.to_bits(), 0]).collect();
        let way = number as f32 % width as f32;
        let ball = [way, height as f32 / 2.0, 0.08 * height as f32, 0.0, 1.0, 0.4, 0.0, 1.0];
        self.queue.write_buffer(&frame.pattern_parameters.buffer, 0, bytemuck::cast_slice(&pattern));
        self.queue.write_buffer(&frame.ball_parameters.buffer, 0, bytemuck::cast_slice(&ball));
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let groups = (width.div_ceil(16), height.div_ceil(16));
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&self.pattern);
            pass.set_bind_group(1, &frame.pattern_target, &[]);
            pass.set_bind_group(2, &frame.pattern_parameters.group, &[]);
            pass.dispatch_workgroups(groups.0, groups.1, 1);
        }
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&self.ball);
            pass.set_bind_group(0, &frame.ball_source, &[]);
            pass.set_bind_group(1, &frame.ball_target, &[]);
            pass.set_bind_group(2, &frame.ball_parameters.group, &[]);
            pass.dispatch_workgroups(groups.0, groups.1, 1);
        }
        self.queue.submit([encoder.finish()])
    }
}

impl Frame {
    fn new(device: &wgpu::Device, pattern: &wgpu::ComputePipeline, ball: &wgpu::ComputePipeline, size: (u32, u32)) -> Self {
        let view = || {
            let texture = device.create_texture(&wgpu::TextureDescriptor {
                label: None,
                size: wgpu::Extent3d { width: size.0, height: size.1, depth_or_array_layers: 1 },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::Rgba8Unorm,
                usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::STORAGE_BINDING,
                view_formats: &[],
            });
            texture.create_view(&wgpu::TextureViewDescriptor::default())
        };
        let uniform = |pipeline| {
            let buffer = device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: 64,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            let group = group(device, pipeline, 2, buffer.as_entire_binding());
            Uniform { buffer, group }
        };
        let (drawn, out) = (view(), view());
        Self {
            pattern_parameters: uniform(pattern),
            ball_parameters: uniform(ball),
            pattern_target: group(device, pattern, 1, wgpu::BindingResource::TextureView(&drawn)),
            ball_source: group(device, ball, 0, wgpu::BindingResource::TextureView(&drawn)),
            ball_target: group(device, ball, 1, wgpu::BindingResource::TextureView(&out)),
        }
    }
}

fn group(
    device: &wgpu::Device,
    pipeline: &wgpu::ComputePipeline,
    index: u32,
    resource: wgpu::BindingResource<'_>,
) -> wgpu::BindGroup {
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(index),
        entries: &[wgpu::BindGroupEntry { binding: 0, resource }],
    })
}
