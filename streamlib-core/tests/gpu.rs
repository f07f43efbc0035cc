//! Frames, pools, uploads, read-backs and shaders on whatever adapter this machine has.

#![allow(clippy::disallowed_methods, reason = "it does by hand what streamlib must notice")]
#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use std::sync::LazyLock;
use std::time::Duration;

use streamlib_core::{
    Context, Counter, Error, ErrorKind, FailurePolicy, Filter, FrameEncoder, GpuContext, GpuOptions, Graph, Kernel, ManualClock,
    Mode, Next, PixelFormat, Runtime, RuntimeOptions, Sink, Size, Source, Threading, VideoFormat, VideoFrame,
};

static GPU: LazyLock<GpuContext> = LazyLock::new(|| GpuContext::new(&GpuOptions::default()).unwrap());

fn format(pixel: PixelFormat, width: u32, height: u32) -> VideoFormat {
    VideoFormat::new(pixel, Size::new(width, height).unwrap())
}

/// Bytes that differ from their neighbours and between seeds.
fn noise(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 11) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn upload(gpu: &GpuContext, encoder: &mut FrameEncoder, format: VideoFormat, bytes: &[u8]) -> VideoFrame {
    let mut frame = gpu.frame(format, "test").unwrap();
    encoder.upload(&mut frame, bytes, format.row_bytes()).unwrap();
    frame
}

#[test]
fn what_is_uploaded_is_read_back() {
    for pixel in PixelFormat::ALL {
        for (width, height) in [(1, 1), (5, 3), (64, 64), (641, 7)] {
            let format = format(*pixel, width, height);
            let bytes = noise(format.bytes(), width + height);
            let mut encoder = GPU.encoder();
            let frame = upload(&GPU, &mut encoder, format, &bytes);
            let read_back = encoder.read_back(&frame).unwrap();
            encoder.submit().unwrap();
            assert_eq!(read_back.wait().unwrap().to_vec(), bytes, "{format}");
        }
    }
}

#[test]
fn strides_are_honoured_and_short_pictures_refused() {
    let format = format(PixelFormat::Rgba8, 3, 2);
    let mut encoder = GPU.encoder();
    let mut frame = GPU.frame(format, "test").unwrap();
    let rows = noise(40 + 12, 9);
    encoder.upload(&mut frame, &rows, 40).unwrap();
    let read_back = encoder.read_back(&frame).unwrap();
    encoder.submit().unwrap();
    assert_eq!(read_back.wait().unwrap().to_vec(), [&rows[..12], &rows[40..52]].concat());

    let mut frame = GPU.frame(format, "test").unwrap();
    let error = encoder.upload(&mut frame, &rows[..51], 40).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("52 bytes in all"), "{error}");
}

#[test]
fn a_token_becomes_ready_when_the_gpu_is_done() {
    let mut encoder = GPU.encoder();
    let frame = upload(&GPU, &mut encoder, format(PixelFormat::Rgba8, 8, 8), &noise(256, 3));
    assert!(frame.ready(&GPU).is_none(), "not submitted yet");
    let token = encoder.submit().unwrap().unwrap();
    assert_eq!(frame.ready(&GPU).unwrap().submission(), token.submission());
    token.wait(Duration::from_secs(10)).unwrap();
    assert!(token.is_ready().unwrap() && token.completed_at().is_some());
}

#[test]
fn the_last_clone_gives_the_texture_back_and_a_holder_of_the_texture_keeps_it() {
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    let format = format(PixelFormat::Rgba8, 16, 16);
    let frame = gpu.frame(format, "taker").unwrap();
    let clone = frame.clone();
    let first = frame.texture();
    drop(frame);
    assert_eq!(gpu.statistics().textures.in_use, 1);
    assert_eq!(gpu.leases()[0].taken_by.as_ref(), "taker");
    drop(first);
    drop(clone);
    assert_eq!(gpu.statistics().textures.in_use, 0);
    assert!(gpu.leases().is_empty());

    let again = gpu.frame(format, "taker").unwrap();
    assert_eq!(gpu.statistics().textures.created, 1, "reused");
    let held = again.texture();
    drop(again);
    let other = gpu.frame(format, "taker").unwrap();
    assert!(!std::sync::Arc::ptr_eq(&held, &other.texture()), "a held texture must not be handed out");
    assert_eq!(gpu.statistics().textures.allocated, 1, "the held one is its holder's now");
}

#[test]
fn the_budget_names_the_holders_and_free_textures_make_room() {
    let gpu = GpuContext::new(&GpuOptions { budget_bytes: 3000, ..Default::default() }).unwrap();
    let small = format(PixelFormat::Rgba8, 16, 16);
    drop((gpu.frame(small, "a").unwrap(), gpu.frame(small, "b").unwrap()));
    let large = gpu.frame(format(PixelFormat::Rgba8, 25, 25), "hoarder").expect("free textures are trimmed");
    let error = gpu.frame(small, "late").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfMemory);
    assert!(error.to_string().contains("'hoarder'"), "{error}");
    drop(large);
    gpu.frame(small, "late").unwrap();
}

/// An encoder must keep what it recorded: the texture of a dropped frame would otherwise be handed out, overwritten and
/// submitted before the read was.
#[test]
fn a_recorded_frame_is_not_reused_before_its_reader_was_submitted() {
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    let format = format(PixelFormat::Rgba8, 32, 32);
    let (first, second) = (noise(format.bytes(), 1), noise(format.bytes(), 2));
    let mut setup = gpu.encoder();
    let frame = upload(&gpu, &mut setup, format, &first);
    setup.submit().unwrap();

    let mut slow = gpu.encoder();
    let read_back = slow.read_back(&frame).unwrap();
    drop(frame);
    let mut quick = gpu.encoder();
    let overwriting = upload(&gpu, &mut quick, format, &second);
    quick.submit().unwrap();
    slow.submit().unwrap();
    assert!(read_back.wait().unwrap().to_vec() == first, "the recorded frame was overwritten before it was read");
    drop(overwriting);
    assert_eq!(gpu.statistics().textures.in_use, 0);
}

#[test]
fn steady_work_creates_no_texture_and_counts_its_bytes() {
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    let format = format(PixelFormat::Nv12, 66, 6);
    let bytes = noise(format.bytes(), 5);
    let mut encoder = gpu.encoder();
    for _ in 0..50 {
        let frame = upload(&gpu, &mut encoder, format, &bytes);
        let converted = gpu.convert(&mut encoder, &frame, PixelFormat::Rgba8).unwrap();
        let read_back = encoder.read_back(&converted).unwrap();
        drop((frame, converted));
        encoder.submit().unwrap();
        read_back.wait().unwrap();
    }
    let statistics = gpu.statistics();
    assert_eq!(statistics.textures.created, 2);
    assert_eq!(statistics.bytes.uploaded, 50 * format.bytes() as u64);
    assert_eq!(statistics.bytes.read_back, 50 * 66 * 6 * 4);
    assert_eq!(statistics.bytes.copied, 0);
}

#[test]
fn a_texture_beyond_the_adapters_limit_is_an_error() {
    let limit = GPU.wgpu_device().limits().max_texture_dimension_2d;
    if let Ok(size) = Size::new(limit + 1, 1) {
        let error = GPU.frame(VideoFormat::rgba8(size), "test").unwrap_err();
        assert!(error.to_string().contains(&limit.to_string()), "{error}");
    }
}

#[test]
fn a_lost_device_is_a_named_error() {
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    let mut encoder = gpu.encoder();
    let frame = upload(&gpu, &mut encoder, format(PixelFormat::Rgba8, 4, 4), &noise(64, 1));
    encoder.submit().unwrap();
    let token = frame.ready(&gpu).unwrap();
    token.wait(Duration::from_secs(10)).unwrap();
    gpu.wgpu_device().destroy();
    let read_back = encoder.read_back(&frame);
    let outcome = read_back.and_then(|read_back| {
        encoder.submit()?;
        read_back.wait()
    });
    assert!(matches!(outcome.err().unwrap().kind(), ErrorKind::Gpu | ErrorKind::DeviceLost));
}

#[test]
fn a_refused_submission_does_not_spoil_the_next() {
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    let buffer = |usage| {
        gpu.wgpu_device().create_buffer(&wgpu::BufferDescriptor { label: None, size: 16, usage, mapped_at_creation: false })
    };
    let mut encoder = gpu.encoder();
    // Neither may be copied from or to.
    let (from, to) = (buffer(wgpu::BufferUsages::UNIFORM), buffer(wgpu::BufferUsages::UNIFORM));
    encoder.commands().copy_buffer_to_buffer(&from, 0, &to, 0, 16);
    assert_eq!(encoder.submit().unwrap_err().kind(), ErrorKind::Gpu);

    let format = format(PixelFormat::Rgba8, 8, 8);
    let bytes = noise(format.bytes(), 4);
    let frame = upload(&gpu, &mut encoder, format, &bytes);
    let read_back = encoder.read_back(&frame).unwrap();
    encoder.submit().unwrap();
    assert_eq!(read_back.wait().unwrap().to_vec(), bytes);
}

/// Uploads noise for ever; at a frame, the device is destroyed.
struct Doomed(u64);

impl Source for Doomed {
    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>, Error> {
        self.0 += 1;
        if self.0 == 10 {
            cx.gpu()?.wgpu_device().destroy();
        }
        let format = format(PixelFormat::Rgba8, 8, 8);
        let mut frame = cx.frame(format)?;
        cx.encoder()?.upload(&mut frame, &noise(256, 1), 32)?;
        Ok(Next::Item(frame))
    }
}

/// Counts on a thread of its own and records nothing itself.
struct Deliver;

impl Sink for Deliver {
    fn threading(&self) -> Threading {
        Threading::Own
    }
    fn consume(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<(), Error> {
        cx.delivered_when_ready(&frame);
        Ok(())
    }
}

#[test]
fn a_device_that_is_lost_in_a_run_ends_it_and_the_next_run_gets_another() {
    let options = RuntimeOptions { mode: Mode::Offline, frames: Some(50), stop_on_signals: false, ..Default::default() };
    let runtime = Runtime::new(options);
    let run = |first| {
        let mut graph = Graph::new();
        graph.chain((Doomed(first), Deliver)).unwrap();
        let running = runtime.start(graph).unwrap();
        assert!(running.wait_for(Duration::from_secs(60)), "it goes on for ever");
        running.wait()
    };
    let (_, outcome) = run(0);
    let error = outcome.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::DeviceLost | ErrorKind::Gpu), "{error}");
    // Beyond the frame at which the device is destroyed.
    let (statistics, outcome) = run(10);
    outcome.unwrap();
    assert_eq!(statistics.nodes["deliver"].processed, 50);
    assert!(statistics.latency_ms["deliver"].max > 0.0);
    assert_eq!(statistics.gpu.unwrap().textures.in_use, 0);
}

const SLOW: &str = "@group(1) @binding(0) var dst: texture_storage_2d<rgba8unorm, write>;
    @group(2) @binding(0) var<uniform> seed: u32;
    @compute @workgroup_size(16, 16) fn main(@builtin(global_invocation_id) id: vec3u) {
        var state = seed + id.x * 7919 + id.y;
        for (var i = 0u; i < 3000u; i++) { state = state * 1664525u + 1013904223u; }
        textureStore(dst, id.xy, unpack4x8unorm(state));
    }";

/// Draws what takes long, and asks whether there is room for more: at once, and with time.
struct Hasty {
    kernel: Kernel,
    last: Option<VideoFrame>,
    round: u32,
    refused: Counter,
}

impl Source for Hasty {
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        self.refused = cx.counter("refused");
        self.kernel = cx.gpu()?.kernel("slow", SLOW)?;
        Ok(())
    }

    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>, Error> {
        if let Some(last) = &self.last {
            let gpu = cx.gpu()?.clone();
            let is_ready = || last.ready(&gpu).is_some_and(|token| token.is_ready().unwrap());
            let was_ready = is_ready();
            let is_admitted = cx.admit(cx.now());
            assert!(is_admitted || !was_ready, "it is refused though the GPU has nothing to do");
            assert!(!is_admitted || is_ready(), "it is admitted though the GPU is busy");
            self.refused.add(u64::from(!is_admitted));
            assert!(cx.admit(cx.now() + Duration::from_secs(3600)), "it is not waited until there is room");
            assert!(is_ready());
        }
        self.round += 1;
        if self.round > 10 {
            return Ok(Next::End);
        }
        let mut frame = cx.frame(format(PixelFormat::Rgba8, 256, 256))?;
        self.kernel.call(cx.encoder()?)?.texture_mut("dst", &mut frame)?.uniform("seed", &self.round)?.dispatch()?;
        self.last = Some(frame.clone());
        Ok(Next::Item(frame))
    }
}

#[test]
fn a_live_source_has_one_frame_at_the_gpu_and_waits_for_room_until_its_next_is_due() {
    // Its clock stands still: nothing that is waited for comes by itself.
    let options = RuntimeOptions { clock: Some(ManualClock::default()), stop_on_signals: false, ..Default::default() };
    let mut graph = Graph::new();
    let hasty = Hasty { kernel: Kernel::default(), last: None, round: 0, refused: Counter::default() };
    graph.chain((hasty, Deliver)).unwrap();
    let statistics = Runtime::with_gpu(options, GPU.clone()).run(graph).unwrap();
    assert!(statistics.nodes["hasty"].counters["refused"] > 0, "the GPU was never busy");
}

/// Copies, and does something that wgpu refuses: at once (before it fails itself, it may be), when the commands are submitted,
/// or on another thread.
struct Clumsy(Option<When>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum When {
    AtOnce,
    BeforeAnError,
    BeforeAPanic,
    AtSubmission,
    Elsewhere,
    /// Nothing is refused; the device is lost.
    Never,
}

impl Filter for Clumsy {
    fn process(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<VideoFrame, Error> {
        let mut copy = frame.like()?;
        cx.encoder()?.copy(&frame, &mut copy)?;
        let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let buffer = |usage| wgpu::BufferDescriptor { label: Some("clumsy"), size: 16, usage, mapped_at_creation: false };
        let device = cx.gpu()?.wgpu_device().clone();
        let impossible = move || drop(device.create_buffer(&buffer(wgpu::BufferUsages::MAP_READ | usage)));
        match self.0 {
            None => {}
            Some(When::AtOnce) => impossible(),
            Some(When::BeforeAnError) => {
                impossible();
                return Err(Error::new(ErrorKind::Io, "its own"));
            }
            Some(When::BeforeAPanic) => {
                impossible();
                panic!("its own");
            }
            Some(When::AtSubmission) => {
                let buffer = cx.gpu()?.wgpu_device().create_buffer(&buffer(usage));
                cx.encoder()?.commands().copy_buffer_to_buffer(&buffer, 8, &buffer, 0, 16);
            }
            Some(When::Elsewhere) => std::thread::spawn(impossible).join().unwrap(),
            Some(When::Never) => cx.gpu()?.wgpu_device().destroy(),
        }
        Ok(copy)
    }
}

/// A source, `before`, `clumsy`, `after` and a sink on one thread, and beside them another thread that submits and has nothing to
/// do with it.
fn run_clumsily(gpu: GpuContext, when: When) -> Error {
    let mut graph = Graph::new();
    graph.add("source", Doomed(1000)).unwrap();
    for (name, clumsy) in [("before", None), ("clumsy", Some(when)), ("after", None)] {
        graph.add(name, Clumsy(clumsy)).unwrap();
    }
    graph.add("deliver", Deliver).unwrap();
    graph.add("other-source", Doomed(1000)).unwrap();
    graph.add("other", Deliver).unwrap();
    let links =
        [("source", "before"), ("before", "clumsy"), ("clumsy", "after"), ("after", "deliver"), ("other-source", "other")];
    for (from, to) in links {
        graph.connect(from, to).unwrap();
    }
    let options = RuntimeOptions { stop_on_signals: false, ..Default::default() };
    let running = Runtime::with_gpu(options, gpu).start(graph).unwrap();
    assert!(running.wait_for(Duration::from_secs(60)), "{when:?} goes unseen");
    running.wait().1.unwrap_err()
}

#[test]
fn what_wgpu_refuses_is_blamed_on_the_node_that_did_it() {
    let error = run_clumsily(GPU.clone(), When::AtOnce);
    assert_eq!((error.kind(), error.node()), (ErrorKind::Gpu, Some("clumsy")), "{error}");

    for (when, kind) in [(When::BeforeAnError, ErrorKind::Io), (When::BeforeAPanic, ErrorKind::Panicked)] {
        let error = run_clumsily(GPU.clone(), when);
        assert_eq!((error.kind(), error.node()), (kind, Some("clumsy")), "{error}");
        assert!(error.to_string().contains("its own"), "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("a GPU command failed"), "{cause}");
    }

    let error = run_clumsily(GPU.clone(), When::AtSubmission);
    let hint = "one of 'source', 'before', 'clumsy', 'after' recorded this: their commands are submitted together";
    assert!(error.to_string().contains(hint), "{error}");

    // A device of its own: others that use it at the same time might find the error first.
    let error = run_clumsily(GpuContext::new(&GpuOptions::default()).unwrap(), When::Elsewhere);
    assert_eq!((error.kind(), error.node()), (ErrorKind::Gpu, None), "{error}");
}

#[test]
fn a_lost_device_is_nobodys_fault() {
    let error = run_clumsily(GpuContext::new(&GpuOptions::default()).unwrap(), When::Never);
    assert!(!error.to_string().contains("recorded this"), "{error}");
}

/// `after` has recorded and fails with it; it is `clumsy` that is at fault then and later.
#[test]
fn a_node_that_failed_before_is_not_blamed_for_another() {
    let mut graph = Graph::new();
    graph.add("source", Doomed(1000)).unwrap();
    graph.add("clumsy", Late(Clumsy(Some(When::AtSubmission)), 20)).unwrap();
    graph.add("after", Failing(5)).unwrap();
    graph.add("deliver", Deliver).unwrap();
    for (from, to) in [("source", "clumsy"), ("clumsy", "after"), ("after", "deliver")] {
        graph.connect(from, to).unwrap();
    }
    graph.on_failure("after", FailurePolicy::Bypass).unwrap();
    let options = RuntimeOptions { stop_on_signals: false, ..Default::default() };
    let running = Runtime::with_gpu(options, GPU.clone()).start(graph).unwrap();
    assert!(running.wait_for(Duration::from_secs(60)), "its policy does not count");
    let (statistics, outcome) = running.wait();
    assert_eq!(outcome.unwrap_err().node(), Some("clumsy"));
    assert_eq!(statistics.nodes["after"].errors, 1);
}

/// Does nothing until a frame.
struct Late(Clumsy, u32);

impl Filter for Late {
    fn process(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<VideoFrame, Error> {
        self.1 = self.1.saturating_sub(1);
        if self.1 == 0 { self.0.process(frame, cx) } else { Ok(frame) }
    }
}

/// Records a copy with each frame; fails once it has done so with the last of some.
struct Failing(u32);

impl Filter for Failing {
    fn process(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<VideoFrame, Error> {
        let copy = Clumsy(None).process(frame, cx)?;
        self.0 -= 1;
        if self.0 == 0 { Err(Error::new(ErrorKind::Io, "enough")) } else { Ok(copy) }
    }
}
