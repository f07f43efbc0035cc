//! Kernels: bound by name, compiled once, and nothing made anew from frame to frame.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use std::sync::{Barrier, LazyLock};

use streamlib_core::{
    ErrorKind, FrameEncoder, GpuContext, GpuOptions, Kernel, KernelOptions, PixelFormat, Result, Size, VideoFormat, VideoFrame,
};

static GPU: LazyLock<GpuContext> = LazyLock::new(|| GpuContext::new(&GpuOptions::default()).unwrap());

const GAIN: &str = "@group(0) @binding(0) var src: texture_2d<f32>;
    @group(1) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
    @group(2) @binding(0) var<uniform> gain: vec4f;
    @compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) id: vec3u) {
        if all(id.xy < textureDimensions(dst)) { textureStore(dst, id.xy, gain * textureLoad(src, id.xy, 0)); }
    }";

fn rgba8(width: u32, height: u32) -> VideoFormat {
    VideoFormat::rgba8(Size::new(width, height).unwrap())
}

/// A frame whose bytes are all this.
fn grey(gpu: &GpuContext, encoder: &mut FrameEncoder, format: VideoFormat, level: u8) -> VideoFrame {
    let mut frame = gpu.frame(format, "test").unwrap();
    encoder.upload(&mut frame, &vec![level; format.bytes()], format.row_bytes()).unwrap();
    frame
}

fn pixels(mut encoder: FrameEncoder, frame: &VideoFrame) -> Vec<u8> {
    let read_back = encoder.read_back(frame).unwrap();
    encoder.submit().unwrap();
    read_back.wait().unwrap().to_vec()
}

fn message<T>(outcome: Result<T>) -> String {
    let error = outcome.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    error.to_string()
}

#[test]
fn what_is_given_wrongly_is_named_with_what_there_is() {
    let kernel = GPU.kernel("gain", GAIN).unwrap();
    let mut encoder = GPU.encoder();
    let frame = grey(&GPU, &mut encoder, rgba8(4, 4), 100);
    let mut out = frame.like().unwrap();
    let mut planar = frame.like_in(PixelFormat::I420).unwrap();
    let mut also_out = out.clone();
    let mut also_frame = frame.clone();
    macro_rules! said {
        ($($step:tt)+) => {
            message((|| kernel.call(&mut encoder)?$($step)+)())
        };
    }
    let said = said!(.texture("source", &frame).map(drop));
    assert!(said.contains("kernel 'gain' has no texture 'source'; it has src: a texture to read"), "{said}");
    assert!(said.contains("dst: a storage texture (texture_storage_2d<rgba8unorm, write>), gain: a uniform"), "{said}");
    let said = said!(.uniform("gain", &1.0f32).map(drop));
    assert!(said.contains("has a uniform 'gain' that is vec4<f32>, not f32"), "{said}");
    let said = said!(.fields("gain", &[("", &[1u32; 4])]).map(drop));
    assert!(said.contains("which is vec4<f32>, but was given vec4<u32>"), "{said}");
    let said = said!(.texture("dst", &frame).map(drop));
    assert!(said.contains("writes 'dst'") && said.contains("texture_mut"), "{said}");
    let said = said!(.texture("gain", &frame).map(drop));
    assert!(said.contains("has no texture 'gain'"), "{said}");
    let said = said!(.texture_mut("dst", &mut planar).map(drop));
    assert!(said.contains("takes rgba8unorm as 'dst', but the frame is i420 4x4, whose texture is r8unorm"), "{said}");
    let said = said!(.texture_mut("dst", &mut also_out)?.dispatch());
    assert!(said.contains("was not given src, gain"), "{said}");
    let said = said!(.texture("src", &frame)?.texture_mut("dst", &mut also_frame)?.uniform("gain", &[1.0f32; 4])?.dispatch());
    assert!(said.contains("the same as 'src' and as 'dst', which it writes"), "{said}");
    let said = said!(
        .texture("src", &frame)?.texture_mut("dst", &mut out)?.uniform("gain", &[1.0f32; 4])?.dispatch_groups([1 << 20, 1, 1])
    );
    assert!(said.contains("this adapter takes 65535 in each direction"), "{said}");
    let said = message(Kernel::default().call(&mut encoder));
    assert!(said.contains("before it was compiled; set it in `setup`"), "{said}");
    // Nothing of all this has spoilt the encoder.
    let call = kernel.call(&mut encoder).unwrap().texture("src", &frame).unwrap().texture_mut("dst", &mut out).unwrap();
    call.fields("gain", &[("", &[0.5f32, 1.0, 2.0, 0.0])]).unwrap().dispatch().unwrap();
    assert_eq!(pixels(encoder, &out)[..4], [50, 100, 200, 0]);
}

#[test]
fn a_mistake_in_wgsl_is_named_with_line_column_and_text() {
    let said = |wgsl| message(GPU.kernel("broken", wgsl));
    let unknown = said("fn main() {\n  let x = y;\n}");
    assert_eq!(
        unknown,
        "kernel 'broken', line 2, column 11: no definition in scope for identifier: `y` (in \"let x = y;\"); correct the WGSL"
    );
    // Sound by grammar, but not by type: the texture has two coordinates.
    let mistyped = said(
        "@group(1) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
         @compute @workgroup_size(1) fn main() {
             textureStore(dst, vec3u(1u), vec4f(1.0));
         }",
    );
    assert!(mistyped.starts_with("kernel 'broken', line 3, column "), "{mistyped}");
    assert!(mistyped.contains("(in \"textureStore(dst, vec3u(1u), vec4f(1.0));\")"), "{mistyped}");
    assert!(said("fn f() {}").contains("kernel 'broken': it has no compute entry point"));
}

#[test]
fn samplers_constants_and_several_uniforms_reach_the_shader() {
    let wgsl = "struct Where { at: vec2f, scale: f32 }
        @group(0) @binding(0) var src: texture_2d<f32>;
        @group(0) @binding(1) var smoothly: sampler;
        @group(0) @binding(2) var dst: texture_storage_2d<rgba8unorm, write>;
        @group(0) @binding(3) var<uniform> place: Where;
        @group(0) @binding(4) var<uniform> offset: f32;
        override channel: u32;
        @compute @workgroup_size(1) fn main() {
            let level = textureSampleLevel(src, smoothly, place.at, 0.0)[channel];
            textureStore(dst, vec2u(0u), vec4f(level * place.scale + offset));
        }";
    let options = KernelOptions { constants: &[("channel", 1.0)], ..Default::default() };
    let kernel = GPU.kernel_with("between", wgsl, &options).unwrap();
    let levels = [wgpu::FilterMode::Linear, wgpu::FilterMode::Nearest].map(|filter| {
        let mut encoder = GPU.encoder();
        let mut src = GPU.frame(rgba8(2, 1), "test").unwrap();
        encoder.upload(&mut src, &[0, 40, 0, 0, 0, 80, 0, 0], 8).unwrap();
        let mut dst = GPU.frame(rgba8(1, 1), "test").unwrap();
        let call = kernel.call(&mut encoder).unwrap().texture("src", &src).unwrap().texture_mut("dst", &mut dst).unwrap();
        let call = call.sampler("smoothly", filter).unwrap().uniform("offset", &(10.0f32 / 255.0)).unwrap();
        call.fields("place", &[("scale", &2.0f32), ("at", &[0.55f32, 0.5])]).unwrap().dispatch().unwrap();
        pixels(encoder, &dst)[0]
    });
    // 0.55 of two texels lies a tenth of a texel beyond their middle: 40 + 0.6 * 40.
    assert!((137..=139).contains(&levels[0]), "{levels:?}");
    assert_eq!(levels[1], 170);
}

#[test]
fn eight_threads_compile_a_hundred_kernels_once_each() {
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    let start = Barrier::new(8);
    std::thread::scope(|scope| {
        for thread in 0..8usize {
            let (gpu, start) = (&gpu, &start);
            scope.spawn(move || {
                start.wait();
                for step in 0..100usize {
                    // Half of them begin at the other end.
                    let number = if thread % 2 == 0 { step } else { 99 - step };
                    let wgsl = format!("{GAIN} // {number}");
                    let kernel = gpu.kernel("one of many", &wgsl).unwrap();
                    assert!(kernel.describe().contains("gain: a uniform"));
                }
            });
        }
    });
    let statistics = gpu.statistics();
    assert_eq!((statistics.kernels.compiled, statistics.kernels.cached, statistics.kernels.hits), (100, 100, 700));
    assert_eq!(statistics.created.pipelines, 100);
    // A mistake is not kept: the next one is told of it, too.
    for _ in 0..2 {
        assert!(gpu.kernel("broken", "fn").is_err());
    }
    assert_eq!(gpu.statistics().kernels.cached, 100);
    assert_eq!(gpu.statistics().kernels.compiled, 102);
}

#[test]
fn workgroups_that_are_too_large_say_what_fits() {
    let most = GPU.wgpu_device().limits().max_compute_invocations_per_workgroup;
    let wgsl = "override side: u32 = 16;
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(side, side) fn main() { out[0] = 1u; }";
    assert!(GPU.kernel("square", wgsl).is_ok());
    let options = KernelOptions { constants: &[("side", 200.0)], ..Default::default() };
    let error = GPU.kernel_with("square", wgsl, &options).err().unwrap();
    let said = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{said}");
    assert!(said.contains("kernel 'square' has workgroups of 200x200x1, 40000 invocations; this adapter takes up to"), "{said}");
    assert!(said.contains(&format!("and {most} invocations; make them smaller: 16x16 runs everywhere")), "{said}");
}

#[test]
fn one_text_with_other_constants_or_another_entry_point_is_another_kernel() {
    let wgsl = "override step: u32 = 1;
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(1) fn up() { out[0] += step; }
        @compute @workgroup_size(1) fn down() { out[0] -= step; }";
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    let mut value = gpu.buffer::<u32>(1, "test").unwrap();
    let mut encoder = gpu.encoder();
    encoder.write_buffer(&mut value, &[100]).unwrap();
    for (entry_point, step) in [("up", 1.0), ("up", 20.0), ("down", 1.0), ("down", 20.0), ("up", 20.0), ("up", 7.0)] {
        let options = KernelOptions { entry_point: Some(entry_point), constants: &[("step", step)] };
        let kernel = gpu.kernel_with(entry_point, wgsl, &options).unwrap();
        kernel.call(&mut encoder).unwrap().buffer_mut("out", &mut value).unwrap().dispatch().unwrap();
    }
    let read = encoder.read_buffer(&value).unwrap();
    encoder.submit().unwrap();
    assert_eq!(read.wait().unwrap(), [100 + 1 + 20 - 1 - 20 + 20 + 7]);
    let statistics = gpu.statistics().kernels;
    assert_eq!((statistics.compiled, statistics.hits), (5, 1));
}

#[test]
fn kernels_that_nobody_holds_make_room() {
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    let held = gpu.kernel("held", GAIN).unwrap();
    for number in 0..300 {
        gpu.kernel("one of many", &format!("{GAIN} // {number}")).unwrap();
    }
    let statistics = gpu.statistics().kernels;
    assert!(statistics.cached <= 256, "{statistics:?}");
    gpu.kernel("held", GAIN).unwrap();
    assert_eq!(gpu.statistics().kernels.compiled, statistics.compiled, "one that is held was let go of");
    drop(held);
}

#[test]
fn a_steady_stream_creates_nothing_and_bind_groups_go_with_their_textures() {
    let gpu = GpuContext::new(&GpuOptions { budget_bytes: 1 << 20, ..Default::default() }).unwrap();
    let kernel = gpu.kernel("gain", GAIN).unwrap();
    let mut encoder = gpu.encoder();
    let mut source = grey(&gpu, &mut encoder, rgba8(64, 64), 1);
    let mut settled = None;
    for round in 0..1000 {
        let mut next = source.like().unwrap();
        let call = kernel.call(&mut encoder).unwrap().texture("src", &source).unwrap().texture_mut("dst", &mut next).unwrap();
        call.uniform("gain", &[1.0f32; 4]).unwrap().dispatch().unwrap();
        encoder.submit().unwrap().unwrap().wait(std::time::Duration::from_secs(10)).unwrap();
        source = next;
        if round == 100 {
            settled = Some(gpu.statistics().created);
        }
    }
    assert_eq!(Some(gpu.statistics().created), settled);
    assert!(gpu.statistics().kernels.bind_groups > 0);
    drop((source, encoder));
    // A texture as large as the budget makes the pool let go of the others.
    drop(gpu.frame(rgba8(512, 512), "test").unwrap());
    assert_eq!(gpu.statistics().kernels.bind_groups, 0);
}
