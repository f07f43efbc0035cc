//! What a graph needs of the adapter is asked before a frame flows, and who needs what is named.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod support;

use streamlib_core::*;
use support::{Collect, Number, Numbers};

/// Needs something, and sees in its set-up that it is there.
struct Needing(wgpu::Features);

impl Filter<Number, Number> for Needing {
    fn required_features(&self) -> wgpu::Features {
        self.0
    }
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        assert!(cx.gpu()?.wgpu_device().features().contains(self.0));
        Ok(())
    }
    fn process(&mut self, number: Number, _: &mut Context<'_>) -> Result<Number> {
        Ok(number)
    }
}

fn graph(features: wgpu::Features) -> (Graph, Collect) {
    let collect = Collect::default();
    let mut graph = Graph::new();
    graph.chain((Numbers::up_to(3), Needing(features), collect.clone())).unwrap();
    (graph, collect)
}

fn options() -> RuntimeOptions {
    RuntimeOptions { mode: Mode::Offline, stop_on_signals: false, ..Default::default() }
}

/// Features that the adapter has and streamlib does not ask for by itself, and those that it lacks.
fn features(gpu: &GpuContext) -> (wgpu::Features, wgpu::Features) {
    let stable = wgpu::Features::all() - wgpu::Features::all_experimental_mask();
    let has = gpu.adapter().features() & stable;
    (has - gpu.wgpu_device().features(), stable - has)
}

#[test]
fn a_feature_that_the_adapter_lacks_is_named_with_who_needs_it() {
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    let (_, lacking) = features(&gpu);
    let (name, feature) = lacking.iter_names().next().unwrap();
    let (graph, collect) = graph(feature);
    let error = Runtime::new(options()).run(graph).unwrap_err();
    let message = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{message}");
    let adapter = &gpu.adapter_choice().chosen.name;
    let said = format!("the GPU feature {name} is needed, which adapter '{adapter}' lacks");
    assert!(message.contains("node 'needing'") && message.contains(&said), "{message}");
    assert!(collect.seen().is_empty());
}

#[test]
fn the_device_is_opened_with_what_the_processors_need() {
    let first = GpuContext::new(&GpuOptions::default()).unwrap();
    let (having, _) = features(&first);
    let (name, feature) = having.iter_names().next().unwrap();
    let runtime = Runtime::new(options());
    // The second asks for more than the device has that the first has opened.
    for needed in [wgpu::Features::empty(), feature] {
        let (graph, collect) = graph(needed);
        runtime.run(graph).unwrap();
        assert_eq!(collect.seen(), [0, 1, 2]);
    }
    // A device of the program's own stays as it is.
    let error = Runtime::with_gpu(options(), first).run(graph(feature).0).unwrap_err();
    let message = error.to_string();
    assert!(message.contains(&format!("the GPU feature {name} is needed, with which the GPU was not opened")), "{message}");
    assert!(message.contains("ask for it before the GPU is opened"), "{message}");
    let gpu = GpuContext::new(&GpuOptions { features: feature, ..Default::default() }).unwrap();
    Runtime::with_gpu(options(), gpu).run(graph(feature).0).unwrap();
    // The next device has what both graphs need.
    let other = having.iter().find(|other| *other != feature).unwrap();
    runtime.run(graph(other).0).unwrap();
    runtime.run(graph(feature | other).0).unwrap();
}

#[test]
fn what_a_program_asks_for_and_the_adapter_lacks_is_an_error_at_once() {
    let (_, lacking) = features(&GpuContext::new(&GpuOptions::default()).unwrap());
    let (name, feature) = lacking.iter_names().next().unwrap();
    let error = GpuContext::new(&GpuOptions { features: feature, ..Default::default() }).err().unwrap();
    assert!(error.to_string().contains(&format!("the GPU feature {name} is needed, which adapter '")), "{error}");
}

#[test]
fn kernels_use_what_the_device_was_opened_with() {
    let gpu = GpuContext::new(&GpuOptions { features: wgpu::Features::SHADER_F64, ..Default::default() }).unwrap();
    let wgsl = "@group(0) @binding(0) var<storage, read_write> numbers: array<f32>;
        @compute @workgroup_size(1) fn main() { numbers[0] = f32(f64(numbers[0]) * 2.0lf); }";
    let kernel = gpu.kernel("double", wgsl).unwrap();
    let mut numbers = gpu.buffer::<f32>(1, "test").unwrap();
    let mut encoder = gpu.encoder();
    encoder.write_buffer(&mut numbers, &[21.0]).unwrap();
    kernel.call(&mut encoder).unwrap().buffer_mut("numbers", &mut numbers).unwrap().dispatch().unwrap();
    let doubled = encoder.read_buffer(&numbers).unwrap();
    encoder.submit().unwrap();
    assert_eq!(doubled.wait().unwrap(), [42.0]);
    let error = GpuContext::new(&GpuOptions::default()).unwrap().kernel("double", wgsl).err().unwrap();
    let message = error.to_string();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{message}");
    assert!(message.contains("kernel 'double' is sound WGSL, but this device cannot run it: "), "{message}");
    assert!(message.contains("ask for features that it needs in `GpuOptions::features`"), "{message}");
}

/// Says that its pictures will be of this format.
struct Announcing(VideoFormat);

impl Source for Announcing {
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        cx.announce(self.0)
    }
    fn produce(&mut self, _: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        Ok(Next::End)
    }
}

#[test]
fn pictures_that_are_too_large_are_refused_when_they_are_announced() {
    let limit = GpuContext::new(&GpuOptions::default()).unwrap().wgpu_device().limits().max_texture_dimension_2d;
    let side = limit.min(MAX_DIMENSION);
    let run = |pixel| {
        let mut graph = Graph::new();
        graph.add("camera", Announcing(VideoFormat::new(pixel, Size::new(side, side).unwrap()))).unwrap();
        Runtime::new(options()).run(graph).map(drop)
    };
    // Three planes on top of each other.
    let error = run(PixelFormat::I444).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("node 'camera'") && message.contains(&format!("{side}x{} texels is too large", 3 * side)),
        "{message}"
    );
    run(PixelFormat::Rgba8).unwrap();
}
