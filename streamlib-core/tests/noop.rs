//! Frames, pools, encoders and threads on wgpu's no-op backend: whatever it takes to move pictures, except pictures. Without a
//! driver, and so the one test of the GPU's side that can run under sanitizers.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod support;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use streamlib_core::*;
use support::{assert_adds_up, options};

/// Room for so many bytes of textures.
fn gpu(budget_bytes: u64) -> GpuContext {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::NOOP;
    descriptor.backend_options.noop.enable = true;
    let instance = wgpu::Instance::new(descriptor);
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::NOOP));
    let adapter = adapters.into_iter().next().unwrap();
    GpuContext::with_adapter(instance, adapter, &GpuOptions { budget_bytes, ..Default::default() }).unwrap()
}

fn format(pixel: PixelFormat) -> VideoFormat {
    VideoFormat::new(pixel, Size::new(64, 48).unwrap())
}

/// Uploads pictures in a camera's format.
struct Upload(u64);

impl Source for Upload {
    fn output(&self) -> OutputOptions {
        OutputOptions { formats: Some(&[PixelFormat::Yuyv]), ..Default::default() }
    }
    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        if self.0 == 0 {
            return Ok(Next::End);
        }
        self.0 -= 1;
        if !cx.admit(cx.now() + Duration::from_millis(1)) {
            return Ok(Next::Skip);
        }
        let format = format(PixelFormat::Yuyv);
        let mut frame = cx.frame(format)?;
        cx.encoder()?.upload(&mut frame, &vec![self.0 as u8; format.bytes()], format.row_bytes())?;
        Ok(Next::Item(frame))
    }
}

const WGSL: &str = "@group(0) @binding(0) var src: texture_2d<f32>;
@group(1) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
@group(2) @binding(0) var<uniform> gain: vec4f;
@compute @workgroup_size(16, 16) fn main(@builtin(global_invocation_id) id: vec3u) {
    textureStore(dst, id.xy, gain * textureLoad(src, id.xy, 0));
}";

/// Draws, and fails now and then.
struct Gain(Kernel, u64);

impl Filter for Gain {
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.0 = cx.gpu()?.kernel("gain", WGSL)?;
        Ok(())
    }
    fn process(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<VideoFrame> {
        self.1 += 1;
        if self.1.is_multiple_of(50) {
            return Err(Error::new(ErrorKind::Io, "now and then"));
        }
        let mut out = frame.like()?;
        let call = self.0.call(cx.encoder()?)?.texture("src", &frame)?.texture_mut("dst", &mut out)?;
        call.uniform("gain", &[self.1 as f32; 4])?.dispatch()?;
        Ok(out)
    }
}

/// Reads every frame back, on a thread of its own, two at a time.
#[derive(Default)]
struct ReadBackSink {
    pending: VecDeque<ReadBack>,
    late: Option<VideoFrame>,
}

impl Sink for ReadBackSink {
    fn threading(&self) -> Threading {
        Threading::Own
    }
    fn consume(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<()> {
        self.pending.push_back(cx.read_back(&frame)?);
        self.late = Some(frame);
        Ok(())
    }
    fn submitted(&mut self, cx: &mut Context<'_>) -> Result<()> {
        while self.pending.len() > 1
            && let Some(read_back) = self.pending.pop_front()
        {
            assert_eq!(read_back.wait()?.to_vec().len(), format(PixelFormat::Rgba8).bytes());
            cx.delivered(Instant::now());
        }
        Ok(())
    }
}

/// Takes what it gets, here or on a thread of its own.
struct Take(Threading);

impl Sink for Take {
    fn threading(&self) -> Threading {
        self.0
    }
    fn consume(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<()> {
        cx.delivered_when_ready(&frame);
        Ok(())
    }
}

fn graph(frames: u64) -> Graph {
    let mut graph = Graph::new();
    graph.add("upload", Upload(frames)).unwrap();
    graph.add("gain", Gain(Kernel::default(), 0)).unwrap();
    graph.add("read-back", ReadBackSink::default()).unwrap();
    graph.add("beside", Take(Threading::Shared)).unwrap();
    graph.add("apart", Take(Threading::Own)).unwrap();
    for (from, to) in [("upload", "gain"), ("gain", "read-back"), ("gain", "beside"), ("upload", "apart")] {
        graph.connect(from, to).unwrap();
    }
    let delay = Duration::from_millis(1);
    let restart = Restart { first_delay: delay, longest_delay: delay, limit: None };
    graph.on_failure("gain", FailurePolicy::Restart(restart)).unwrap();
    graph
}

#[test]
fn frames_cross_threads_and_every_texture_comes_back() {
    for mode in [Mode::Offline, Mode::Live] {
        let runtime = Runtime::with_gpu(RuntimeOptions { mode, ..options() }, gpu(1 << 20));
        for _ in 0..2 {
            let (statistics, outcome) = runtime.start(graph(200)).unwrap().wait();
            if let Err(error) = outcome {
                // Live, the source may end while it is away.
                assert_eq!((mode, error.node()), (Mode::Live, Some("gain")), "{error}");
            }
            assert_adds_up(&statistics);
            let gpu = statistics.gpu.as_ref().unwrap();
            assert_eq!((gpu.backend.as_str(), gpu.textures.in_use), ("noop", 0));
            if mode == Mode::Offline {
                let processed = |node: &str| statistics.nodes[node].processed;
                assert_eq!([processed("gain"), processed("read-back"), processed("apart")], [196, 196, 200]);
            }
        }
    }
}

#[test]
fn a_run_that_is_cut_off_leaves_no_texture_out() {
    let gpu = gpu(1 << 20);
    for round in 0..20 {
        let runtime = Runtime::with_gpu(RuntimeOptions { mode: Mode::Offline, ..options() }, gpu.clone());
        let running = runtime.start(graph(u64::MAX)).unwrap();
        support::eventually("a frame came through", || running.statistics().nodes["read-back"].processed > round);
        running.stop(if round % 2 == 0 { Stop::Drain } else { Stop::Discard });
        let (statistics, outcome) = running.wait();
        // Who was away when it was stopped is missed.
        assert!(outcome.is_ok() || statistics.nodes["gain"].errors > 0);
        assert_adds_up(&statistics);
        assert_eq!(gpu.statistics().textures.in_use, 0);
    }
}

#[test]
fn threads_that_share_too_few_textures_wait_for_each_other() {
    let format = format(PixelFormat::Rgba8);
    let gpu = gpu(3 * format.bytes() as u64);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut encoder = gpu.encoder();
                for _ in 0..100 {
                    let mut frame = gpu.frame(format, "a thread").unwrap();
                    encoder.upload(&mut frame, &vec![1; format.bytes()], format.row_bytes()).unwrap();
                    let token = encoder.submit().unwrap().unwrap();
                    let copy = frame.clone();
                    drop(frame);
                    token.wait(Duration::from_secs(20)).unwrap();
                    assert!(copy.ready(&gpu).unwrap().is_ready().unwrap());
                }
            });
        }
    });
    let textures = gpu.statistics().textures;
    assert_eq!((textures.in_use, textures.created), (0, 3));
}
