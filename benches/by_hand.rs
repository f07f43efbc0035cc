//! The limit: test pattern and ball as a wgpu program written by hand, a pass each and nothing else; for recordings also their
//! conversion to `i420` and the way back to the CPU.

#![allow(clippy::disallowed_methods, reason = "a program by hand")]

use std::collections::VecDeque;
use std::time::Instant;

const PATTERN: &str = include_str!("../processors/src/test_pattern/pattern.wgsl");
const BALL: &str = include_str!("by_hand/ball.wgsl");
const TO_I420: &str = include_str!("by_hand/to_i420.wgsl");
/// R'G'B' to Y'CbCr after BT.709, limited range.
const BT709: [[f32; 4]; 3] = [
    [0.182_59, 0.614_23, 0.062_007, 0.062_745],
    [-0.100_64, -0.338_57, 0.439_22, 0.501_96],
    [0.439_22, -0.398_94, -0.040_27, 0.501_96],
];

/// Submissions that may be outstanding, as in streamlib.
pub(crate) const IN_FLIGHT: usize = 3;

/// Parameters of a shader: a buffer, and its bind group.
pub(crate) struct Uniform {
    pub(crate) buffer: wgpu::Buffer,
    pub(crate) group: wgpu::BindGroup,
}

/// What a frame in flight uses.
struct Frame {
    pattern_parameters: Uniform,
    ball_parameters: Uniform,
    pattern_target: wgpu::BindGroup,
    ball_source: wgpu::BindGroup,
    ball_target: wgpu::BindGroup,
    recorded: Option<Recorded>,
}

/// What a frame that is recorded uses besides.
struct Recorded {
    source: wgpu::BindGroup,
    target: wgpu::BindGroup,
    texture: wgpu::Texture,
    /// Where they come back to the CPU, if they do.
    pixels: Option<wgpu::Buffer>,
}

/// The program.
pub struct ByHand {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pattern: wgpu::ComputePipeline,
    ball: wgpu::ComputePipeline,
    to_i420: Option<(wgpu::ComputePipeline, Uniform)>,
    frames: Vec<Frame>,
    size: (u32, u32),
}

impl ByHand {
    /// Draws pictures of `size`.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue, size: (u32, u32)) -> Self {
        Self::with(device, queue, size, None)
    }

    /// Draws pictures of `size`, both sides even, makes them `i420` and brings them to the CPU.
    pub fn recording(device: &wgpu::Device, queue: &wgpu::Queue, size: (u32, u32)) -> Self {
        Self::with(device, queue, size, Some((Self::to_i420(device, queue, size), true)))
    }

    /// Draws pictures of `size`, both sides even, and makes them `i420`.
    pub fn planar(device: &wgpu::Device, queue: &wgpu::Queue, size: (u32, u32)) -> Self {
        Self::with(device, queue, size, Some((Self::to_i420(device, queue, size), false)))
    }

    fn to_i420(device: &wgpu::Device, queue: &wgpu::Queue, size: (u32, u32)) -> (wgpu::ComputePipeline, Uniform) {
        let to_i420 = pipeline(device, TO_I420);
        let parameters = uniform(device, &to_i420);
        queue.write_buffer(&parameters.buffer, 0, bytemuck::cast_slice(&BT709));
        queue.write_buffer(&parameters.buffer, 48, bytemuck::cast_slice(&[size.0, size.1]));
        (to_i420, parameters)
    }

    fn with(
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        size: (u32, u32),
        to_i420: Option<((wgpu::ComputePipeline, Uniform), bool)>,
    ) -> Self {
        let (pattern, ball) = (pipeline(device, PATTERN), pipeline(device, BALL));
        let conversion = to_i420.as_ref().map(|((pipeline, _), reads_back)| (pipeline, *reads_back));
        let frames = (0..IN_FLIGHT).map(|_| Frame::new(device, &pattern, &ball, conversion, size)).collect();
        let to_i420 = to_i420.map(|(to_i420, _)| to_i420);
        Self { device: device.clone(), queue: queue.clone(), pattern, ball, to_i420, frames, size }
    }

    /// Draws so many frames; seconds from the first submission to the last completion.
    pub fn run(&self, frames: usize) -> f64 {
        time(&self.device, frames, |number| self.submit(number))
    }

    /// Blocks until the GPU has done a submission.
    pub fn wait(&self, index: wgpu::SubmissionIndex) {
        wait(&self.device, index);
    }

    /// Starts drawing a frame.
    pub fn submit(&self, number: usize) -> wgpu::SubmissionIndex {
        let frame = &self.frames[number % IN_FLIGHT];
        let (width, height) = self.size;
        let cell = (width / 40).min(height / 48).min(24);
        let sweep = (number as f32 / 120.0).fract().to_bits();
        let words = [0, number as u32, 0, number as u32, number as u32, cell, cell, height - 11 * cell, width - 17 * cell];
        let pattern: Vec<u32> = words.into_iter().chain([height - 11 * cell, sweep, 0]).collect();
        let way = number as f32 * 0.013 * height as f32;
        let ball =
            [way % width as f32, height as f32 / 2.0, 0.08 * height as f32, 0.0, 1.0, 0.4, 0.0, 1.0, 1.0, 0.1329, 0.0, 1.0];
        self.queue.write_buffer(&frame.pattern_parameters.buffer, 0, bytemuck::cast_slice(&pattern));
        self.queue.write_buffer(&frame.ball_parameters.buffer, 0, bytemuck::cast_slice(&ball));
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = |pipeline, groups: [Option<&wgpu::BindGroup>; 3], (x, y): (u32, u32)| {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(pipeline);
            for (index, group) in groups.into_iter().enumerate() {
                pass.set_bind_group(index as u32, group, &[]);
            }
            pass.dispatch_workgroups(x.div_ceil(16), y.div_ceil(16), 1);
        };
        pass(&self.pattern, [None, Some(&frame.pattern_target), Some(&frame.pattern_parameters.group)], self.size);
        let groups = [Some(&frame.ball_source), Some(&frame.ball_target), Some(&frame.ball_parameters.group)];
        pass(&self.ball, groups, self.size);
        if let (Some((to_i420, parameters)), Some(recorded)) = (&self.to_i420, &frame.recorded) {
            let groups = [Some(&recorded.source), Some(&recorded.target), Some(&parameters.group)];
            pass(to_i420, groups, (width / 2, height / 2));
            if let Some(pixels) = &recorded.pixels {
                let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(stride(width)), rows_per_image: None };
                let to = wgpu::TexelCopyBufferInfo { buffer: pixels, layout };
                encoder.copy_texture_to_buffer(recorded.texture.as_image_copy(), to, recorded.texture.size());
                encoder.map_buffer_on_submit(pixels, wgpu::MapMode::Read, .., |mapped| mapped.expect("a mapped buffer"));
            }
        }
        self.queue.submit([encoder.finish()])
    }

    /// The pixels of a frame that was waited for, in rows of [`stride`] bytes. To be called once for each, before its buffer's
    /// next turn.
    pub fn pixels(&self, number: usize) -> Vec<u8> {
        let recorded = self.frames[number % IN_FLIGHT].recorded.as_ref();
        let Some(buffer) = recorded.and_then(|recorded| recorded.pixels.as_ref()) else { return Vec::new() };
        let pixels = buffer.get_mapped_range(..).expect("mapped pixels").to_vec();
        buffer.unmap();
        pixels
    }
}

/// A loop that makes one frame after the other.
pub trait Limit {
    /// Has the GPU make a frame, and waits until it has.
    fn make(&self, number: usize);
    /// The pixels of the frame that was made last, in rows of [`stride`] bytes.
    fn pixels(&self, number: usize) -> Vec<u8>;
}

impl Limit for ByHand {
    fn make(&self, number: usize) {
        self.wait(self.submit(number));
    }

    fn pixels(&self, number: usize) -> Vec<u8> {
        Self::pixels(self, number)
    }
}

/// Pictures of one channel that are brought to a texture, as a camera's are, and back.
pub struct UploadByHand {
    device: wgpu::Device,
    queue: wgpu::Queue,
    pictures: Vec<Vec<u8>>,
    texture: wgpu::Texture,
    staged: wgpu::Buffer,
    /// Where they come back.
    pixels: Option<wgpu::Buffer>,
    row: usize,
}

impl UploadByHand {
    /// Plays these pictures, `row` bytes a row, over and over; brings them back to the CPU if that is wanted.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue, row: usize, pictures: Vec<Vec<u8>>, reads_back: bool) -> Self {
        let size = (row as u32, (pictures[0].len() / row) as u32);
        let buffer = |usage, mapped_at_creation| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: u64::from(stride(size.0)) * u64::from(size.1),
                usage,
                mapped_at_creation,
            })
        };
        Self {
            device: device.clone(),
            queue: queue.clone(),
            pictures,
            texture: texture(device, wgpu::TextureFormat::R8Unorm, size),
            staged: buffer(wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC, true),
            pixels: reads_back.then(|| buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST, false)),
            row,
        }
    }

    fn layout<'a>(&self, buffer: &'a wgpu::Buffer) -> wgpu::TexelCopyBufferInfo<'a> {
        let bytes_per_row = Some(stride(self.row as u32));
        wgpu::TexelCopyBufferInfo {
            buffer,
            layout: wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row, rows_per_image: None },
        }
    }
}

impl Limit for UploadByHand {
    fn make(&self, number: usize) {
        let mut view = self.staged.get_mapped_range_mut(..).expect("mapped memory");
        let padded = stride(self.row as u32) as usize;
        for (index, row) in self.pictures[number % self.pictures.len()].chunks_exact(self.row).enumerate() {
            view.slice(index * padded..index * padded + self.row).copy_from_slice(row);
        }
        drop(view);
        self.staged.unmap();
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let extent = self.texture.size();
        encoder.copy_buffer_to_texture(self.layout(&self.staged), self.texture.as_image_copy(), extent);
        encoder.map_buffer_on_submit(&self.staged, wgpu::MapMode::Write, .., |mapped| mapped.expect("a mapped buffer"));
        if let Some(pixels) = &self.pixels {
            encoder.copy_texture_to_buffer(self.texture.as_image_copy(), self.layout(pixels), extent);
            encoder.map_buffer_on_submit(pixels, wgpu::MapMode::Read, .., |mapped| mapped.expect("a mapped buffer"));
        }
        let index = self.queue.submit([encoder.finish()]);
        wait(&self.device, index);
    }

    fn pixels(&self, _: usize) -> Vec<u8> {
        let Some(buffer) = &self.pixels else { return Vec::new() };
        let pixels = buffer.get_mapped_range(..).expect("mapped pixels").to_vec();
        buffer.unmap();
        pixels
    }
}

/// Seconds from the first submission of so many frames to the last completion.
pub(crate) fn time(device: &wgpu::Device, frames: usize, submit: impl Fn(usize) -> wgpu::SubmissionIndex) -> f64 {
    let begin = Instant::now();
    let mut in_flight = VecDeque::new();
    for number in 0..frames {
        if in_flight.len() == IN_FLIGHT {
            in_flight.pop_front().into_iter().for_each(|index| wait(device, index));
        }
        in_flight.push_back(submit(number));
    }
    in_flight.into_iter().for_each(|index| wait(device, index));
    begin.elapsed().as_secs_f64()
}

/// Blocks until the GPU has done a submission.
fn wait(device: &wgpu::Device, index: wgpu::SubmissionIndex) {
    let waited = device.poll(wgpu::PollType::Wait { submission_index: Some(index), timeout: None });
    waited.unwrap_or_else(|error| panic!("the GPU failed: {error}"));
}

/// Bytes from one row of a picture's pixels to the next.
pub fn stride(width: u32) -> u32 {
    width.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT)
}

impl Frame {
    fn new(
        device: &wgpu::Device,
        pattern: &wgpu::ComputePipeline,
        ball: &wgpu::ComputePipeline,
        to_i420: Option<(&wgpu::ComputePipeline, bool)>,
        size: (u32, u32),
    ) -> Self {
        let (drawn, out) = (rgba8(device, size), rgba8(device, size));
        Self {
            pattern_parameters: uniform(device, pattern),
            ball_parameters: uniform(device, ball),
            pattern_target: group(device, pattern, 1, view(&drawn)),
            ball_source: group(device, ball, 0, view(&drawn)),
            ball_target: group(device, ball, 1, view(&out)),
            recorded: to_i420.map(|(to_i420, reads_back)| {
                let (width, height) = (size.0, size.1 / 2 * 3);
                let texture = texture(device, wgpu::TextureFormat::R8Unorm, (width, height));
                let buffer = || {
                    device.create_buffer(&wgpu::BufferDescriptor {
                        label: None,
                        size: u64::from(stride(width)) * u64::from(height),
                        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                        mapped_at_creation: false,
                    })
                };
                let pixels = reads_back.then(buffer);
                let (source, target) = (group(device, to_i420, 0, view(&out)), group(device, to_i420, 1, view(&texture)));
                Recorded { source, target, texture, pixels }
            }),
        }
    }
}

/// What a resource of a bind group is made of.
pub(crate) enum Bound {
    View(wgpu::TextureView),
    Buffer(wgpu::Buffer),
}

fn view(texture: &wgpu::Texture) -> Bound {
    Bound::View(texture.create_view(&wgpu::TextureViewDescriptor::default()))
}

pub(crate) fn rgba8(device: &wgpu::Device, size: (u32, u32)) -> wgpu::Texture {
    texture(device, wgpu::TextureFormat::Rgba8Unorm, size)
}

fn texture(device: &wgpu::Device, format: wgpu::TextureFormat, (width, height): (u32, u32)) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::TEXTURE_BINDING
            | wgpu::TextureUsages::STORAGE_BINDING
            | wgpu::TextureUsages::COPY_SRC
            | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    })
}

pub(crate) fn uniform(device: &wgpu::Device, pipeline: &wgpu::ComputePipeline) -> Uniform {
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 96,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let group = group(device, pipeline, 2, Bound::Buffer(buffer.clone()));
    Uniform { buffer, group }
}

pub(crate) fn pipeline(device: &wgpu::Device, wgsl: &str) -> wgpu::ComputePipeline {
    let module =
        device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source: wgpu::ShaderSource::Wgsl(wgsl.into()) });
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: None,
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    })
}

pub(crate) fn group(device: &wgpu::Device, pipeline: &wgpu::ComputePipeline, index: u32, bound: Bound) -> wgpu::BindGroup {
    let resource = match &bound {
        Bound::View(view) => wgpu::BindingResource::TextureView(view),
        Bound::Buffer(buffer) => buffer.as_entire_binding(),
    };
    device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(index),
        entries: &[wgpu::BindGroupEntry { binding: 0, resource }],
    })
}
