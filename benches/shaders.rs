//! Pixel shaders drawn together, beside a pass each: in streamlib and in programs written by hand. Tables in Markdown; `make bench`
//! runs it.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program that prints a table and may stop where it fails")]

use streamlib::prelude::*;
use streamlib::{GpuOptions, IntoProcessor, uniform_fields};
use streamlib_benches::by_hand::ByHand;
use streamlib_benches::chain_by_hand::ChainByHand;
use streamlib_benches::pictures::Draw;
use streamlib_benches::{Comparison, is_test, machine, median, verdict};

const FRAMES: usize = 30;
const ROUNDS: usize = 9;
const LENGTHS: [usize; 5] = [1, 2, 4, 8, 16];

macro_rules! stage {
    ($body:literal) => {
        concat!("struct Two { a: f32, b: f32 } fn pixel(c: vec4f, p: vec2f, two: Two) -> vec4f { ", $body, " }")
    };
}

/// The mix: what one does to pictures, no step functions. Longer chains go through it again.
const MIX: [(&str, &str); 8] = [
    ("brightness and contrast", stage!("return vec4f((c.rgb - 0.5) * two.a + 0.5 + two.b, c.a);")),
    ("saturation", stage!("return vec4f(mix(vec3f(dot(c.rgb, vec3f(0.2126, 0.7152, 0.0722))), c.rgb, two.a + two.b), c.a);")),
    ("gain by channel", stage!("return c * vec4f(two.a, 1.0, two.b + 1.0, 1.0);")),
    ("inversion", stage!("return vec4f(1.0 - c.rgb, c.a);")),
    ("vignette", stage!("let d = (p - vec2f(960.0, 540.0)) / 1100.0; return vec4f(c.rgb * (1.0 - two.b * dot(d, d)), c.a);")),
    (
        "sepia",
        stage!(
            "let m = vec3f(dot(c.rgb, vec3f(0.39, 0.77, 0.19)), dot(c.rgb, vec3f(0.35, 0.69, 0.17)), dot(c.rgb, vec3f(0.27, 0.53, 0.13))); return vec4f(mix(c.rgb, m, two.b), c.a);"
        ),
    ),
    ("soft curve", stage!("return vec4f(c.rgb * c.rgb * (3.0 - 2.0 * c.rgb) * two.a, c.a);")),
    ("fade", stage!("return vec4f(mix(c.rgb, vec3f(0.1, 0.1, 0.2), two.b), c.a);")),
];

const TWO: Two = Two { a: 0.95, b: 0.1 };

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Two {
    a: f32,
    b: f32,
}

uniform_fields!(Two { a, b });

struct Stage<const KIND: usize>;

impl<const KIND: usize> PixelShader for Stage<KIND> {
    type Uniform = Two;
    const WGSL: &'static str = MIX[KIND].1;

    fn uniform(&mut self, _: &VideoFrame) -> Result<Two> {
        Ok(TWO)
    }
}

fn stage(kind: usize) -> Box<dyn Processor> {
    match kind {
        0 => Stage::<0>.into_processor(),
        1 => Stage::<1>.into_processor(),
        2 => Stage::<2>.into_processor(),
        3 => Stage::<3>.into_processor(),
        4 => Stage::<4>.into_processor(),
        5 => Stage::<5>.into_processor(),
        6 => Stage::<6>.into_processor(),
        _ => Stage::<7>.into_processor(),
    }
}

/// Gives one picture that is on the GPU already, again and again.
struct Still(VideoFormat, Option<VideoFrame>);

impl Source for Still {
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let mut frame = cx.frame(self.0)?;
        let picture: Vec<u8> = (0..self.0.bytes()).map(|at| (at * 7 % 251) as u8).collect();
        cx.encoder()?.upload(&mut frame, &picture, self.0.row_bytes())?;
        self.1 = Some(frame);
        Ok(())
    }

    fn produce(&mut self, _: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        Ok(self.1.clone().map_or(Next::End, Next::Item))
    }
}

fn main() {
    if is_test() {
        return;
    }
    machine::describe("make bench BENCH=shaders");
    let gpu = GpuContext::new(&GpuOptions::default()).expect("a GPU adapter");
    let size = Size::new(1920, 1080).expect("a size");
    println!("The mix, in this order: {}.\n", MIX.map(|(name, _)| name).join(", "));
    chains(&gpu, size);
    from_the_pattern_to_planes(&gpu, size);
}

fn options(fusion: bool) -> RuntimeOptions {
    RuntimeOptions { mode: Mode::Offline, frames: Some(FRAMES as u64), fusion, ..Default::default() }
}

fn chain(gpu: &GpuContext, size: Size, length: usize, fusion: bool) -> f64 {
    let mut graph = Graph::new();
    graph.add("still", Still(VideoFormat::rgba8(size), None)).expect("a node");
    let mut last = String::from("still");
    for index in 0..length {
        let name = format!("stage-{index}");
        graph.add_boxed(name.clone(), stage(index % MIX.len())).expect("a node");
        graph.connect(&last, &name).expect("a link");
        last = name;
    }
    graph.add("null", Null::default()).expect("a node");
    graph.connect(&last, "null").expect("a link");
    Runtime::with_gpu(options(fusion), gpu.clone()).run(graph).expect("a run").seconds
}

fn chains(gpu: &GpuContext, size: Size) {
    let by_hand = LENGTHS.map(|length| {
        let stages: Vec<_> = (0..length).map(|index| (MIX[index % MIX.len()].1, [TWO.a, TWO.b])).collect();
        ChainByHand::new(gpu.wgpu_device(), gpu.wgpu_queue(), (size.width(), size.height()), &stages)
    });
    // Everything once to warm up, then all in turn.
    let mut seconds = vec![[const { Vec::<f64>::new() }; 3]; LENGTHS.len()];
    for round in 0..=ROUNDS {
        for (index, length) in LENGTHS.into_iter().enumerate() {
            let measured = [by_hand[index].run(FRAMES), chain(gpu, size, length, false), chain(gpu, size, length, true)];
            if round > 0 {
                seconds[index].iter_mut().zip(measured).for_each(|(all, one)| all.push(one));
            }
        }
    }
    let frame = |index: usize, way: usize| median(seconds[index][way].clone()) / FRAMES as f64 * 1e3;
    let beside = |a: (usize, usize), b: (usize, usize)| {
        median(seconds[a.0][a.1].iter().zip(&seconds[b.0][b.1]).map(|(a, b)| a / b).collect())
    };
    println!(
        "| 1920x1080 `rgba8`, ms a frame, medians of {ROUNDS} rounds in turn | {} |",
        LENGTHS.map(|n| n.to_string()).join(" | ")
    );
    println!("|---|{}", "---|".repeat(LENGTHS.len()));
    for (way, name) in ["a pass each, by hand", "a pass each (`fusion: false`)", "in one pass"].into_iter().enumerate() {
        let row: Vec<_> = (0..LENGTHS.len()).map(|index| format!("{:.2}", frame(index, way))).collect();
        println!("| {name} | {} |", row.join(" | "));
    }
    let (to_one, to_apart, to_hand) = (beside((3, 2), (0, 2)), beside((3, 2), (3, 1)), beside((3, 1), (3, 0)));
    println!("\n| eight pixel shaders | figure | wanted | verdict |\n|---|---|---|---|");
    println!("| in one pass, beside one | {to_one:.2} times as long | at most 1.8, target 1.3 | {} |", verdict(to_one <= 1.8));
    println!("| in one pass, beside a pass each | {to_apart:.2} times as long | at most 0.3 | {} |", verdict(to_apart <= 0.3));
    println!("| a pass each, beside a pass each by hand | {to_hand:.2} times as long | | |\n");
}

fn from_the_pattern_to_planes(gpu: &GpuContext, size: Size) {
    let by_hand = ByHand::planar(gpu.wgpu_device(), gpu.wgpu_queue(), (size.width(), size.height()));
    let graph = || {
        let mut graph = Graph::new();
        let pattern = TestPattern::new(TestPatternParameters { size, ..Default::default() }).expect("a pattern");
        graph.chain((pattern, BouncingBall::default(), Draw)).expect("a chain");
        graph
    };
    let ours = || Runtime::with_gpu(options(true), gpu.clone()).run(graph()).expect("a run").seconds;
    let comparison = Comparison::measure(ROUNDS, || by_hand.run(FRAMES), ours);
    let ((limit, ours), ratio) = (comparison.medians(), comparison.ratio());
    let frame = |seconds: f64| seconds / FRAMES as f64 * 1e3;
    println!(
        "| 1920x1080, medians of {ROUNDS} rounds in turn | by hand, a pass a step | streamlib | beside it | wanted | verdict |"
    );
    println!("|---|---|---|---|---|---|");
    println!(
        "| test pattern, ball, `i420` | {:.2} ms a frame | {:.2} ms a frame | {ratio:.2} times as fast | at least 1.2 | {} |",
        frame(limit),
        frame(ours),
        verdict(ratio >= 1.2)
    );
    println!("\n```\n{}```", Runtime::new(options(true)).plan(&graph()).expect("a plan").explain());
}
