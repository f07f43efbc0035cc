//! WebGPU itself, through streamlib: errors of the very call, frames that raw commands write, mapped memory.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use std::time::Duration;

use streamlib_core::{Context, Graph, Next, WrittenTexture};
use streamlib_core::{
    ErrorKind, GpuContext, GpuOptions, InputOptions, Mode, Result, Runtime, RuntimeOptions, ShaderSource, Sink, Size, Source,
    VideoFormat, VideoFrame,
};
use wgpu::BufferUsages as Usages;

const PATIENCE: Duration = Duration::from_secs(20);

fn gpu() -> GpuContext {
    GpuContext::new(&GpuOptions { cache_directory: None, ..Default::default() }).unwrap()
}

fn buffer(gpu: &GpuContext, size: u64, usage: Usages) -> wgpu::Buffer {
    let label = Some("numbers");
    gpu.raw().create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false }).unwrap()
}

#[test]
fn what_wgpu_refuses_is_the_error_of_the_very_call() {
    let gpu = gpu();
    let usage = Usages::MAP_READ | Usages::MAP_WRITE;
    let descriptor = wgpu::BufferDescriptor { label: Some("both"), size: 16, usage, mapped_at_creation: false };
    let error = gpu.raw().create_buffer(&descriptor).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gpu);
    let message = error.to_string();
    assert!(message.starts_with("create_buffer: ") && message.contains("'both'"), "{message}");
    // It is told once: nobody else is blamed for it.
    gpu.encoder().submit().unwrap();
    let few = buffer(&gpu, 16, Usages::COPY_SRC);
    let error = gpu.raw().write_buffer(&few, 0, &[0; 16]).unwrap_err();
    assert!(error.to_string().contains("COPY_DST"), "{error}");
    let mut encoder = gpu.raw().create_command_encoder(Some("copy")).unwrap();
    encoder.copy_buffer_to_buffer(&few, 0, &few, 8, 8);
    let error = gpu.raw().call("finish", || encoder.finish()).unwrap_err();
    assert!(error.to_string().contains("'copy'"), "{error}");
}

#[test]
fn a_panic_within_a_call_is_an_error() {
    let error = gpu().raw().call("something", || panic!("as a test")).map(|()| 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked);
    assert!(error.to_string().contains("something: wgpu panicked: as a test"), "{error}");
}

#[test]
fn shaders_say_which_textures_they_write() {
    let gpu = gpu();
    let wgsl = "
        @group(0) @binding(1) var reads: texture_2d<f32>;
        @group(1) @binding(0) var writes: texture_storage_2d<rgba8unorm, write>;
        @group(0) @binding(3) var looks: texture_storage_2d<r32float, read>;
        @compute @workgroup_size(1) fn main() {
            textureStore(writes, vec2u(), textureLoad(reads, vec2u(), 0) + textureLoad(looks, vec2u()));
        }";
    let shader = gpu.raw().create_shader_module(None, ShaderSource::Wgsl(wgsl)).unwrap();
    assert_eq!(*shader.written, [WrittenTexture { entry_point: "main".into(), group: 1, binding: 0 }]);
    let error = gpu.raw().create_shader_module(Some("half"), ShaderSource::Wgsl("fn f() {\n let x = y;\n}")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gpu);
    assert!(error.to_string().contains("shader 'half' cannot be compiled, line 2, column 10"), "{error}");
    let error = gpu.raw().create_shader_module(None, ShaderSource::Glsl("#version 450\nvoid main() { f(); }")).unwrap_err();
    assert!(error.to_string().contains("line 2, column 15: Unknown function 'f'"), "{error}");
    assert_eq!(gpu.raw().create_shader_module(None, ShaderSource::Spirv(&[3, 2, 35, 7])).unwrap_err().kind(), ErrorKind::Gpu);
}

#[test]
fn no_shader_exhausts_the_stack() {
    let gpu = gpu();
    let many = |begin: &str, middle: &str, end: &str, count| format!("{begin}{}{end}", middle.repeat(count));
    let glsl = "#version 450\nlayout(local_size_x = 1) in; void main() { float b = 1.0; float a = ";
    for text in [
        many("@compute @workgroup_size(1) fn main() { let a = ", "!", "true; }", 20_000),
        many("@compute @workgroup_size(1) fn main() { let b = 1.0; let a = b", "+b", "; }", 20_000),
        many("@compute @workgroup_size(1) fn main() { if true {}", " else if true {}", "}", 4_000),
    ] {
        // Right or wrong, it is said.
        let _ = gpu.raw().create_shader_module(None, ShaderSource::Wgsl(&text)).map_err(|error| error.to_string());
        let _ = gpu.kernel("deep", &text).map_err(|error| error.to_string());
    }
    for text in [many(glsl, "(", &")".repeat(8_000), 8_000), many(glsl, "b+", "b; }", 8_000)] {
        let _ = gpu.raw().create_shader_module(None, ShaderSource::Glsl(&text)).map_err(|error| error.to_string());
    }
    let long = " ".repeat(2 << 20);
    let error = gpu.raw().create_shader_module(None, ShaderSource::Wgsl(&long)).unwrap_err();
    assert!(error.to_string().contains("no more than 1048576 are compiled"), "{error}");
}

#[test]
fn memory_is_mapped_written_and_read() {
    let gpu = gpu();
    let up = buffer(&gpu, 16, Usages::MAP_WRITE | Usages::COPY_SRC);
    let mapping = gpu.raw().map(&up, wgpu::MapMode::Write, 0..16).unwrap();
    mapping.wait(PATIENCE).unwrap();
    assert!(mapping.is_ready());
    up.get_mapped_range_mut(8..12).unwrap().copy_from_slice(&[1, 2, 3, 4]);
    up.unmap();
    assert_eq!(gpu.raw().read_buffer(&up, 4..12, "test").unwrap().wait().unwrap()[..], [0, 0, 0, 0, 1, 2, 3, 4]);
    for range in [4..16, 0..6, 8..8, 8..20] {
        let error = gpu.raw().map(&up, wgpu::MapMode::Write, range).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
    let error = gpu.raw().map(&up, wgpu::MapMode::Read, 0..16).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gpu);
    // What was refused is forgotten.
    let mapping = gpu.raw().map(&up, wgpu::MapMode::Write, 0..16).unwrap();
    mapping.wait(PATIENCE).unwrap();
    up.unmap();
    let gone = buffer(&gpu, 16, Usages::MAP_WRITE);
    gone.destroy();
    let error = gpu.raw().map(&gone, wgpu::MapMode::Write, 0..16).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gpu);
    let error = gpu.raw().read_buffer(&buffer(&gpu, 16, Usages::STORAGE), 0..16, "test").map(drop).unwrap_err();
    assert!(error.to_string().starts_with("read_buffer: "), "{error}");
    let mapping = gpu.raw().map(&up, wgpu::MapMode::Write, 0..16).unwrap();
    up.unmap();
    // Whether it came first or the unmapping: it returns.
    if let Err(error) = mapping.wait(PATIENCE) {
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
}

#[test]
fn frames_are_written_and_read_by_raw_commands() {
    let gpu = gpu();
    let format = VideoFormat::rgba8(Size::new(5, 3).unwrap());
    let frame = gpu.frame(format, "test").unwrap();
    let pixels: Vec<u8> = (0..60).collect();
    let size = format.texture_size();
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(20), rows_per_image: None };
    gpu.raw().write_texture(frame.texture().as_image_copy(), &pixels, layout, size).unwrap();
    assert!(frame.ready(&gpu).is_none());
    gpu.raw().submit([], [&frame]).unwrap().wait(PATIENCE).unwrap();
    assert!(frame.ready(&gpu).is_some());
    let read = gpu.raw().read_texture(frame.texture().as_image_copy(), size, (256, 3), "test").unwrap().wait().unwrap();
    for (row, expected) in read.chunks_exact(256).zip(pixels.chunks_exact(20)) {
        assert_eq!(row[..20], *expected);
    }
    drop(read);
    assert_eq!(gpu.statistics().staging.in_use, 0);
    let other = self::gpu();
    assert_eq!(other.raw().submit([], [&frame]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert!(!gpu.is_same_device(&other) && gpu.is_same_device(&gpu.clone()));
}

struct Grey;

impl Source for Grey {
    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        let mut frame = cx.frame(VideoFormat::rgba8(Size::new(4, 4)?))?;
        cx.encoder()?.upload(&mut frame, &[127; 64], 16)?;
        Ok(Next::Item(frame))
    }
}

struct Meddler;

impl Sink for Meddler {
    fn input(&self) -> InputOptions {
        InputOptions::default()
    }

    fn consume(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<()> {
        cx.gpu()?.raw().submit([], [&frame]).map(drop)
    }
}

#[test]
fn a_frame_that_was_sent_is_not_written() {
    let mut graph = Graph::new();
    graph.chain((Grey, Meddler)).unwrap();
    let options = RuntimeOptions { mode: Mode::Offline, frames: Some(1), ..Default::default() };
    let error = Runtime::with_gpu(options, gpu()).run(graph).unwrap_err();
    assert_eq!((error.kind(), error.node()), (ErrorKind::InvalidArgument, Some("meddler")));
    assert!(error.to_string().contains("a frame that was sent, or came in, cannot be changed"), "{error}");
}

#[test]
fn kernels_take_the_program_s_own_buffers() {
    let gpu = gpu();
    let kernel = gpu
        .kernel(
            "double",
            "@group(0) @binding(0) var<storage, read_write> to: array<u32>;
             @group(0) @binding(1) var<storage, read> numbers: array<u32>;
             @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3u) { to[id.x] = 2u * numbers[id.x]; }",
        )
        .unwrap();
    let usage = Usages::STORAGE | Usages::COPY_DST | Usages::COPY_SRC;
    let (from, to, other) = (buffer(&gpu, 12, usage), buffer(&gpu, 12, usage), buffer(&gpu, 12, Usages::COPY_DST));
    gpu.raw().write_buffer(&from, 0, bytemuck::cast_slice(&[1u32, 2, 3])).unwrap();
    let before = gpu.statistics().alive.bind_groups;
    let mut encoder = gpu.encoder();
    kernel.call(&mut encoder).unwrap().raw_buffer("numbers", &from).unwrap().raw_buffer("to", &to).unwrap().dispatch().unwrap();
    encoder.submit_and_wait(PATIENCE).unwrap();
    let read = gpu.raw().read_buffer(&to, 0..12, "test").unwrap().wait().unwrap();
    assert_eq!(bytemuck::pod_collect_to_vec::<u8, u32>(&read), [2, 4, 6]);
    // No bind group keeps them.
    assert_eq!(gpu.statistics().alive.bind_groups, before);
    let call = kernel.call(&mut encoder).unwrap();
    let aliased = call.raw_buffer("numbers", &to).unwrap().raw_buffer("to", &to).unwrap().dispatch().unwrap_err();
    assert!(aliased.to_string().contains("was given the same as 'numbers' and as 'to'"), "{aliased}");
    let error = kernel.call(&mut encoder).unwrap().raw_buffer("numbers", &other).map(drop).unwrap_err();
    assert!(error.to_string().contains("not for `STORAGE`"), "{error}");
}

#[test]
fn kernels_take_the_program_s_own_textures() {
    let gpu = gpu();
    let kernel = gpu
        .kernel(
            "sum",
            "@group(0) @binding(0) var src: texture_2d<f32>;
             @group(0) @binding(1) var before: texture_2d<f32>;
             @group(0) @binding(2) var dst: texture_storage_2d<rgba8unorm, write>;
             @compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) id: vec3u) {
                 textureStore(dst, id.xy, textureLoad(src, id.xy, 0) + textureLoad(before, id.xy, 0));
             }",
        )
        .unwrap();
    let texture = |usage, dimension, format| {
        // Levels and layers, of which a kernel has the first.
        let size = wgpu::Extent3d { width: 9, height: 5, depth_or_array_layers: 2 };
        let (label, mip_level_count, sample_count, view_formats) = (None, 2, 1, &[][..]);
        gpu.raw()
            .create_texture(&wgpu::TextureDescriptor {
                label,
                size,
                mip_level_count,
                sample_count,
                dimension,
                format,
                usage,
                view_formats,
            })
            .unwrap()
    };
    let (two, rgba8) = (wgpu::TextureDimension::D2, wgpu::TextureFormat::Rgba8Unorm);
    let copied = wgpu::TextureUsages::COPY_SRC | wgpu::TextureUsages::COPY_DST;
    let (read, written) = (wgpu::TextureUsages::TEXTURE_BINDING, wgpu::TextureUsages::STORAGE_BINDING);
    let (one, other, sum) =
        (texture(read | copied, two, rgba8), texture(read | copied, two, rgba8), texture(written | copied, two, rgba8));
    let size = wgpu::Extent3d { width: 9, height: 5, depth_or_array_layers: 1 };
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(36), rows_per_image: None };
    for (texture, value) in [(&one, 30), (&other, 12)] {
        gpu.raw().write_texture(texture.as_image_copy(), &[value; 4 * 9 * 5], layout, size).unwrap();
        let origin = wgpu::Origin3d { x: 0, y: 0, z: 1 };
        let second = wgpu::TexelCopyTextureInfo { origin, ..texture.as_image_copy() };
        gpu.raw().write_texture(second, &[99; 4 * 9 * 5], layout, size).unwrap();
    }
    let mut encoder = gpu.encoder();
    let call = kernel.call(&mut encoder).unwrap().raw_texture("src", &one).unwrap().raw_texture("before", &other).unwrap();
    call.raw_texture("dst", &sum).unwrap().dispatch().unwrap();
    encoder.submit_and_wait(PATIENCE).unwrap();
    let texels = gpu.raw().read_texture(sum.as_image_copy(), size, (256, 5), "test").unwrap().wait().unwrap();
    assert!(texels.chunks(256).all(|row| row[..36] == [42; 36]), "{:?}", &texels[..]);

    let refused = |name: &str, texture: &wgpu::Texture| {
        let mut encoder = gpu.encoder();
        kernel.call(&mut encoder).unwrap().raw_texture(name, texture).map(drop).unwrap_err().to_string()
    };
    let message = refused("src", &sum);
    assert!(message.contains("'sum' was given a texture as 'src' that is not for TextureUsages(TEXTURE_BINDING)"), "{message}");
    let message = refused("dst", &texture(written, two, wgpu::TextureFormat::R32Float));
    assert!(message.contains("takes rgba8unorm as 'dst', but the texture is r32float"), "{message}");
    let message = refused("src", &texture(read, wgpu::TextureDimension::D3, rgba8));
    assert!(message.contains("takes a texture of two dimensions as 'src', but was given one of D3"), "{message}");
    for format in [wgpu::TextureFormat::Rgba8Uint, wgpu::TextureFormat::Depth32Float] {
        let message = refused("src", &texture(read, two, format));
        assert!(message.contains("reads 'src' as numbers that can be filtered"), "{message}");
    }
    let mut encoder = gpu.encoder();
    let both = texture(read | written, two, rgba8);
    let call = kernel.call(&mut encoder).unwrap().raw_texture("src", &both).unwrap().raw_texture("before", &one).unwrap();
    let message = call.raw_texture("dst", &both).unwrap().dispatch().unwrap_err().to_string();
    assert!(message.contains("was given the same as 'src' and as 'dst'"), "{message}");
}

#[test]
fn a_call_that_is_refused_has_written_nothing() {
    let gpu = gpu();
    let kernel = gpu
        .kernel(
            "fill",
            "@group(0) @binding(0) var<storage, read> level: array<f32>;
             @group(0) @binding(1) var dst: texture_storage_2d<rgba8unorm, write>;
             @compute @workgroup_size(1) fn main() { textureStore(dst, vec2u(0), vec4f(level[0])); }",
        )
        .unwrap();
    let level = buffer(&gpu, 4, Usages::STORAGE);
    level.destroy();
    let mut frame = gpu.frame(VideoFormat::rgba8(Size::new(1, 1).unwrap()), "test").unwrap();
    let mut encoder = gpu.encoder();
    let call = kernel.call(&mut encoder).unwrap().raw_buffer("level", &level).unwrap();
    let error = call.texture_mut("dst", &mut frame).unwrap().dispatch().unwrap_err();
    assert!(error.to_string().contains("kernel 'fill' cannot be called"), "{error}");
    assert!(!encoder.has_written(&frame));
}

#[test]
fn a_destroyed_device_says_so() {
    let gpu = gpu();
    gpu.raw().destroy();
    let descriptor = wgpu::BufferDescriptor { label: None, size: 4, usage: Usages::COPY_SRC, mapped_at_creation: false };
    assert_eq!(gpu.raw().create_buffer(&descriptor).unwrap_err().kind(), ErrorKind::DeviceLost);
    assert_eq!(gpu.check_alive().unwrap_err().kind(), ErrorKind::DeviceLost);
}
