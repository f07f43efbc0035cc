//! Pixel shaders that are drawn together draw what they draw one after the other, and what a CPU makes of it.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use serde_json::json;
use streamlib_core::*;
use support::assert_adds_up;

static GPU: LazyLock<GpuContext> = LazyLock::new(|| GpuContext::new(&GpuOptions::default()).unwrap());

/// xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.next() % 10_001) as f32 / 10_000.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// What a stage is told: two numbers.
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Two {
    a: f32,
    b: f32,
}

uniform_fields!(Two { a, b });

type Color = [f64; 4];

/// A stage: its WGSL, the same on the CPU, and by how much it can make a difference larger.
struct Kind {
    wgsl: &'static str,
    cpu: fn(Color, [f64; 2], Two) -> Color,
    gain: f64,
}

macro_rules! function {
    ($body:literal) => {
        concat!(
            "struct Two { a: f32, b: f32 }
             const HALF = 0.5;
             fn mixed(x: vec3f, y: vec3f, t: f32) -> vec3f { return x * (1.0 - t) + y * t; }
             fn pixel(c: vec4f, p: vec2f, two: Two) -> vec4f { ",
            $body,
            " }"
        )
    };
}

mod nodes;

fn each(color: Color, change: impl Fn(f64) -> f64) -> Color {
    [change(color[0]), change(color[1]), change(color[2]), color[3]]
}

const KINDS: [Kind; 6] = [
    Kind {
        wgsl: function!("return vec4f(c.rgb * (0.5 + two.a) + (two.b - HALF) * 0.2, c.a);"),
        cpu: |c, _, two| each(c, |x| x * (0.5 + f64::from(two.a)) + (f64::from(two.b) - 0.5) * 0.2),
        gain: 1.5,
    },
    Kind { wgsl: function!("return c.gbra;"), cpu: |c, _, _| [c[1], c[2], c[0], c[3]], gain: 1.0 },
    Kind { wgsl: function!("return vec4f(c.rgb * c.rgb, c.a);"), cpu: |c, _, _| each(c, |x| x * x), gain: 2.0 },
    Kind {
        wgsl: function!("return vec4f(c.rgb * (HALF + HALF * sin(p.x * two.a * 0.3 + p.y * two.b * 0.2)), c.a);"),
        cpu: |c, p, two| each(c, |x| x * (0.5 + 0.5 * (p[0] * f64::from(two.a) * 0.3 + p[1] * f64::from(two.b) * 0.2).sin())),
        gain: 1.0,
    },
    Kind { wgsl: function!("return vec4f(1.0 - c.rgb, c.a);"), cpu: |c, _, _| each(c, |x| 1.0 - x), gain: 1.0 },
    Kind {
        wgsl: function!("return vec4f(mixed(c.rgb, c.brg, two.a), c.a * two.b);"),
        cpu: |c, _, two| {
            let t = f64::from(two.a);
            let at = |x: usize, y: usize| c[x] * (1.0 - t) + c[y] * t;
            [at(0, 2), at(1, 0), at(2, 1), c[3] * f64::from(two.b)]
        },
        gain: 1.0,
    },
];

struct Stage<const KIND: usize>(Two);

impl<const KIND: usize> PixelShader for Stage<KIND> {
    type Uniform = Two;
    const WGSL: &'static str = KINDS[KIND].wgsl;
    fn uniform(&mut self, _: &VideoFrame) -> Result<Two> {
        Ok(self.0)
    }
}

fn stage(kind: usize, two: Two) -> Box<dyn Processor> {
    match kind {
        0 => Stage::<0>(two).into_processor(),
        1 => Stage::<1>(two).into_processor(),
        2 => Stage::<2>(two).into_processor(),
        3 => Stage::<3>(two).into_processor(),
        4 => Stage::<4>(two).into_processor(),
        _ => Stage::<5>(two).into_processor(),
    }
}

/// Uploads one picture, so many times.
struct Picture {
    format: VideoFormat,
    bytes: Vec<u8>,
    left: u64,
}

impl Source for Picture {
    fn output(&self) -> OutputOptions {
        let only = PixelFormat::ALL.iter().position(|pixel| *pixel == self.format.pixel).unwrap();
        OutputOptions { formats: Some(&PixelFormat::ALL[only..=only]), ..Default::default() }
    }
    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        if self.left == 0 {
            return Ok(Next::End);
        }
        self.left -= 1;
        let mut frame = cx.frame(self.format)?.with_color(self.format.color);
        cx.encoder()?.upload(&mut frame, &self.bytes, self.format.row_bytes())?;
        Ok(Next::Item(frame))
    }
}

/// Reads back what comes, in this format.
#[derive(Clone)]
struct Seen {
    formats: &'static [PixelFormat],
    pending: Arc<Mutex<VecDeque<ReadBack>>>,
    kinds: Arc<Mutex<Vec<VideoFormat>>>,
    pictures: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Seen {
    fn new(formats: &'static [PixelFormat]) -> Self {
        Self { formats, pending: Arc::default(), kinds: Arc::default(), pictures: Arc::default() }
    }

    fn pictures(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.pictures.lock().unwrap())
    }
}

impl Sink for Seen {
    fn input(&self) -> InputOptions {
        InputOptions { formats: Some(self.formats), ..Default::default() }
    }
    fn consume(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<()> {
        assert!(self.formats.contains(&frame.format().pixel));
        self.kinds.lock().unwrap().push(frame.format());
        self.pending.lock().unwrap().push_back(cx.read_back(&frame)?);
        Ok(())
    }
    fn submitted(&mut self, _: &mut Context<'_>) -> Result<()> {
        while let Some(read_back) = self.pending.lock().unwrap().pop_front() {
            self.pictures.lock().unwrap().push(read_back.wait()?.to_vec());
        }
        Ok(())
    }
}

fn runtime(fusion: bool) -> Runtime {
    let options = RuntimeOptions { mode: Mode::Offline, stop_on_signals: false, fusion, ..Default::default() };
    Runtime::with_gpu(options, GPU.clone())
}

/// A picture, stages behind each other, and what comes out.
fn chain(format: VideoFormat, bytes: &[u8], stages: &[(usize, Two)], seen: Seen) -> Graph {
    let mut graph = Graph::new();
    graph.add("picture", Picture { format, bytes: bytes.to_vec(), left: 1 }).unwrap();
    let mut last = "picture".to_string();
    for (index, (kind, two)) in stages.iter().enumerate() {
        let name = format!("stage-{index}");
        graph.add_boxed(name.clone(), stage(*kind, *two)).unwrap();
        graph.connect(&last, &name).unwrap();
        last = name;
    }
    graph.add("seen", seen).unwrap();
    graph.connect(&last, "seen").unwrap();
    graph
}

/// The picture that comes out. Each pass is one dispatch.
fn drawn(fusion: bool, format: VideoFormat, bytes: &[u8], stages: &[(usize, Two)], to: &'static [PixelFormat]) -> Vec<u8> {
    let seen = Seen::new(to);
    let statistics = runtime(fusion).run(chain(format, bytes, stages, seen.clone())).unwrap();
    assert_adds_up(&statistics);
    seen.pictures().remove(0)
}

/// How far apart unfused and fused may be: a level, and half a level for each picture in between, as much as what follows makes of it.
fn tolerance(gains: impl DoubleEndedIterator<Item = f64>) -> f64 {
    let mut following = 1.0;
    let mut sum = 1.0;
    for gain in gains.rev() {
        sum += 0.5 * following;
        following *= gain;
    }
    sum + 1e-3
}

fn largest_difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().map_or(0.0, f64::from)
}

fn reference(size: Size, bytes: &[u8], stages: &[(usize, Two)]) -> Vec<f64> {
    let width = size.width() as usize;
    let pixels = bytes.chunks(4).enumerate().flat_map(|(index, pixel)| {
        let position = [(index % width) as f64 + 0.5, (index / width) as f64 + 0.5];
        let color: Color = std::array::from_fn(|channel| f64::from(pixel[channel]) / 255.0);
        stages
            .iter()
            .fold(color, |color, (kind, two)| (KINDS[*kind].cpu)(color, position, *two).map(|level| level.clamp(0.0, 1.0)))
    });
    pixels.map(|level| level * 255.0).collect()
}

#[test]
fn a_thousand_random_chains_are_what_they_are_apart_and_on_a_cpu() {
    let mut random = Random(0x5eed);
    let chains: Vec<Vec<usize>> =
        (0..40).map(|_| (0..1 + random.below(5)).map(|_| random.below(KINDS.len())).collect()).collect();
    for case in 0..1000 {
        let kinds = &chains[random.below(chains.len())];
        let size = Size::new(1 + random.below(40) as u32, 1 + random.below(30) as u32).unwrap();
        let format = VideoFormat::rgba8(size);
        let bytes = random.bytes(format.bytes());
        let stages: Vec<_> =
            kinds.iter().map(|kind| (*kind, Two { a: random.between(0.0, 1.0), b: random.between(0.0, 1.0) })).collect();
        let fused = drawn(true, format, &bytes, &stages, &[PixelFormat::Rgba8]);
        let expected = reference(size, &bytes, &stages);
        let off = fused.iter().zip(&expected).map(|(level, exact)| (f64::from(*level) - exact).abs()).fold(0.0, f64::max);
        assert!(off <= 1.0, "case {case}, {stages:?}: {off} levels beside the CPU's");
        let apart = drawn(false, format, &bytes, &stages, &[PixelFormat::Rgba8]);
        let off = largest_difference(&fused, &apart);
        let allowed = tolerance(kinds[1..].iter().map(|kind| KINDS[*kind].gain));
        assert!(off <= allowed, "case {case}, {stages:?}: {off} levels between fused and not, {allowed} at most");
    }
}

#[test]
fn camera_and_encoder_formats_are_drawn_in_the_same_pass() {
    use PixelFormat::{Grey8, I420, I422, I444, Nv12, Rgba8, Yuyv};
    let mut random = Random(0xca3e);
    for case in 0..180 {
        let size = Size::new(1 + random.below(40) as u32, 1 + random.below(30) as u32).unwrap();
        let to: &'static [PixelFormat] = [&[I420][..], &[Nv12], &[Grey8], &[Rgba8]][case % 4];
        let from = [Yuyv, Rgba8, I420, Nv12, Grey8, I422, I444][random.below(7)];
        let chroma_site = [ChromaSite::Left, ChromaSite::Center][random.below(2)];
        let format = VideoFormat::new(from, size);
        let format = VideoFormat { color: streamlib_core::Color { chroma_site, ..format.color }, ..format };
        let bytes = random.bytes(format.bytes());
        let stages = [3usize, 4].map(|kind| (kind, Two { a: random.between(0.0, 1.0), b: random.between(0.0, 1.0) }));
        let fused = drawn(true, format, &bytes, &stages, to);
        let apart = drawn(false, format, &bytes, &stages, to);
        let off = largest_difference(&fused, &apart);
        // Up to three pictures between, whose roundings the matrices make no larger.
        let allowed = tolerance([1.0, 1.0, 1.0].into_iter());
        assert!(
            off <= allowed,
            "case {case}, {format} {chroma_site:?} to {to:?}: {off} levels between fused and not, {allowed} at most"
        );
    }
}

#[test]
fn what_is_switched_off_keeps_its_luma_and_its_kind_of_picture() {
    for (site, to) in
        [(ChromaSite::Left, PixelFormat::I420), (ChromaSite::Center, PixelFormat::I420), (ChromaSite::Left, PixelFormat::Nv12)]
    {
        let format = VideoFormat::new(PixelFormat::I420, Size::new(8, 6).unwrap());
        let format = VideoFormat { color: streamlib_core::Color { chroma_site: site, ..format.color }, ..format };
        let bytes = Random(7).bytes(format.bytes());
        let to: &'static [PixelFormat] = if to == PixelFormat::I420 { &[PixelFormat::I420] } else { &[PixelFormat::Nv12] };
        let formats = [true, false].map(|enabled| {
            let seen = Seen::new(to);
            let mut graph = chain(format, &bytes, &[(4, Two { a: 0.0, b: 0.0 })], seen.clone());
            graph.set_enabled("stage-0", enabled).unwrap();
            runtime(true).run(graph).unwrap();
            let kind = seen.kinds.lock().unwrap()[0];
            (kind, seen.pictures().remove(0))
        });
        assert_eq!(formats[0].0, formats[1].0, "a recording would end when it is switched");
        if site == ChromaSite::Left {
            assert_eq!(formats[1].1[..48], bytes[..48], "luma went through R'G'B'");
        }
    }
}

#[test]
fn those_who_share_a_picture_see_the_same() {
    let format = VideoFormat::rgba8(Size::new(4, 4).unwrap());
    let two = Two { a: 0.0, b: 0.0 };
    let mut graph = Graph::new();
    graph.add("picture", Picture { format, bytes: vec![200; 64], left: 3 }).unwrap();
    graph.add("square", Stage::<2>(two)).unwrap();
    graph.add("invert", Stage::<4>(two)).unwrap();
    let (squared, inverted) = (Seen::new(&[PixelFormat::Rgba8]), Seen::new(&[PixelFormat::Rgba8]));
    graph.add("squared", squared.clone()).unwrap();
    graph.add("inverted", inverted.clone()).unwrap();
    for (from, to) in [("picture", "square"), ("square", "invert"), ("square", "squared"), ("invert", "inverted")] {
        graph.connect(from, to).unwrap();
    }
    runtime(true).run(graph).unwrap();
    let levels = |seen: &Seen| seen.pictures().iter().map(|picture| picture[0]).collect::<Vec<_>>();
    assert_eq!((levels(&squared), levels(&inverted)), (vec![157; 3], vec![98; 3]));
}

#[test]
fn from_a_cameras_format_to_an_encoders_is_one_dispatch_a_frame() {
    let gpu = GpuContext::new(&GpuOptions { cache_directory: None, ..Default::default() }).unwrap();
    let dispatched = |fusion| {
        let format = VideoFormat::new(PixelFormat::Yuyv, Size::new(30, 20).unwrap());
        let two = Two { a: 0.5, b: 0.5 };
        let mut graph = Graph::new();
        graph.add("camera", Picture { format, bytes: vec![100; format.bytes()], left: 10 }).unwrap();
        for (from, name) in [("camera", "a"), ("a", "b"), ("b", "c")] {
            graph.add(name, Stage::<3>(two)).unwrap();
            graph.connect(from, name).unwrap();
        }
        graph.add("record", Seen::new(&[PixelFormat::I420])).unwrap();
        graph.connect("c", "record").unwrap();
        let before = gpu.statistics();
        let options = RuntimeOptions { mode: Mode::Offline, stop_on_signals: false, fusion, ..Default::default() };
        let statistics = Runtime::with_gpu(options, gpu.clone()).run(graph).unwrap();
        let times: Vec<_> =
            statistics.nodes.iter().filter(|(_, node)| node.gpu_us.is_some()).map(|(name, _)| name.as_str()).collect();
        match gpu.wgpu_device().features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            true if fusion => assert_eq!(times, ["c-drawn"]),
            true => assert_eq!(times, ["a-drawn", "b-drawn", "c-drawn"]),
            false => assert!(times.is_empty()),
        }
        gpu.statistics().kernels.dispatched - before.kernels.dispatched
    };
    assert_eq!(dispatched(true), 10);
    // The shape of passes was measured meanwhile, and left nothing.
    let statistics = gpu.statistics();
    assert!(statistics.shape.workgroup.is_some() && statistics.shape.strip.is_some());
    assert!(statistics.kernels.bind_groups <= statistics.textures.allocated, "{statistics:?}");
    assert_eq!(dispatched(false), 50, "two conversions and three pixel shaders");
}

#[test]
fn the_plan_says_what_is_fused_and_why_something_is_not() {
    let two = Two { a: 0.5, b: 0.5 };
    let picture = |format| Picture { format: VideoFormat::new(format, Size::new(4, 4).unwrap()), bytes: vec![0; 64], left: 1 };
    let mut graph = Graph::new();
    graph.add("camera", picture(PixelFormat::Yuyv)).unwrap();
    for name in ["tint", "flip", "glow", "fade"] {
        graph.add(name, Stage::<1>(two)).unwrap();
    }
    graph.add("screen", Seen::new(&[PixelFormat::Rgba8])).unwrap();
    graph.add("record", Seen::new(&[PixelFormat::I420])).unwrap();
    for (from, to) in
        [("camera", "tint"), ("tint", "flip"), ("flip", "glow"), ("flip", "screen"), ("glow", "fade"), ("fade", "record")]
    {
        graph.connect(from, to).unwrap();
    }
    let fused = runtime(true).plan(&graph).unwrap().explain();
    assert!(
        fused.contains(
            "flip-drawn (inserted: draws tint, flip in one pass, yuyv becomes rgba8; not with what follows: 'flip' goes to 2 inputs, for which it is drawn once)"
        ),
        "{fused}"
    );
    assert!(fused.contains("fade-drawn (inserted: draws glow, fade in one pass, rgba8 becomes i420)"), "{fused}");
    assert!(!fused.contains("-to-"), "{fused}");
    let apart = runtime(false).plan(&graph).unwrap().explain();
    assert!(
        apart.contains("tint-drawn (inserted: draws tint, rgba8 becomes rgba8; not with what follows: fusion is off)"),
        "{apart}"
    );
    assert!(apart.contains("camera-to-rgba8 (inserted: yuyv becomes rgba8)") && apart.contains("fade-to-i420"), "{apart}");
    runtime(true).run(graph).unwrap();
    // More than one pass can switch are more passes.
    let mut long = Graph::new();
    long.add("picture", picture(PixelFormat::Rgba8)).unwrap();
    let mut last = String::from("picture");
    for index in 0..40 {
        let name = format!("s{index}");
        long.add(name.clone(), Stage::<4>(two)).unwrap();
        long.connect(&last, &name).unwrap();
        last = name;
    }
    let seen = Seen::new(&[PixelFormat::Rgba8]);
    long.add("seen", seen.clone()).unwrap();
    long.connect(&last, "seen").unwrap();
    assert!(runtime(true).plan(&long).unwrap().explain().contains("a pass draws no more of them"));
    runtime(true).run(long).unwrap();
    assert_eq!(seen.pictures(), [vec![0; 64]], "inverted an even number of times");
}
