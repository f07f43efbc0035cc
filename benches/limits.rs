//! streamlib beside programs written by hand that do the same work: drawing, uploading, recording. Tables in Markdown;
//! `make bench` runs it.

#![allow(clippy::disallowed_methods, reason = "its limits are programs by hand")]
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program that prints a table and may stop where it fails")]

use std::time::{Duration, Instant};

use streamlib::prelude::*;
use streamlib::{GpuOptions, Plan};
use streamlib_benches::bare_encoder::BareEncoder;
use streamlib_benches::by_hand::ByHand;
use streamlib_benches::pictures::{Collect, Draw, Film};
use streamlib_benches::{Comparison, is_test, machine, median, verdict};

const FRAMES: usize = 60;
const ROUNDS: usize = 9;
const UPLOADS: usize = 20;
/// Frames of a recording: enough for its start and its end not to count.
const RECORDED: usize = 300;

fn main() {
    if is_test() {
        return;
    }
    machine::describe("make bench BENCH=limits");
    let gpu = GpuContext::new(&GpuOptions::default()).expect("a GPU adapter");
    let size = Size::new(1920, 1080).expect("a size");
    println!("| 1920x1080, medians of {ROUNDS} rounds in turn | by hand | streamlib | beside it | wanted | verdict |");
    println!("|---|---|---|---|---|---|");
    pattern_and_ball(&gpu, size);
    upload(&gpu, VideoFormat::new(PixelFormat::Rgba8, size));
    upload(&gpu, VideoFormat::new(PixelFormat::Nv12, size));
    let pictures = pictures(&gpu, size);
    let encoding = recording(&gpu, size, &pictures);
    drawing_and_recording(&gpu, size, encoding);
}

fn offline(frames: usize) -> RuntimeOptions {
    RuntimeOptions { mode: Mode::Offline, frames: Some(frames as u64), ..Default::default() }
}

/// A graph of test pattern, ball and a sink.
fn drawn<M>(size: Size, sink: impl streamlib::IntoProcessor<M>) -> Graph {
    let pattern = TestPattern::new(TestPatternParameters { size, ..Default::default() }).expect("a pattern");
    let mut graph = Graph::new();
    graph.add("test-pattern", pattern).expect("a node");
    graph.add("bouncing-ball", BouncingBall::default()).expect("a node");
    graph.add("sink", sink).expect("a node");
    graph.connect("test-pattern", "bouncing-ball").expect("a link");
    graph.connect("bouncing-ball", "sink").expect("a link");
    graph
}

/// Seconds a run took.
fn run(gpu: &GpuContext, graph: Graph, frames: usize) -> f64 {
    Runtime::with_gpu(offline(frames), gpu.clone()).run(graph).expect("a run").seconds
}

fn pattern_and_ball(gpu: &GpuContext, size: Size) {
    let by_hand = ByHand::new(gpu.wgpu_device(), gpu.wgpu_queue(), (size.width(), size.height()));
    let comparison = Comparison::measure(ROUNDS, || by_hand.run(FRAMES), || run(gpu, drawn(size, Null::default()), FRAMES));
    let (limit, ours) = comparison.medians();
    let frame = |seconds: f64| seconds / FRAMES as f64 * 1e3;
    let ratio = comparison.ratio();
    println!(
        "| test pattern + ball, offline | {:.2} ms a frame | {:.2} ms a frame | {ratio:.3} of its speed | at least 0.95 | {} |",
        frame(limit),
        frame(ours),
        verdict(ratio >= 0.95)
    );
}

/// A picture from the CPU into a texture, and waiting until it is there.
fn upload(gpu: &GpuContext, format: VideoFormat) {
    let picture: Vec<u8> = (0..format.bytes()).map(|at| (at * 7 % 251) as u8).collect();
    let by_hand = StagedByHand::new(gpu, format);
    let ours = || {
        let begin = Instant::now();
        for _ in 0..UPLOADS {
            let mut frame = gpu.frame(format, "upload").expect("a frame");
            let mut encoder = gpu.encoder();
            encoder.upload(&mut frame, &picture, format.row_bytes()).expect("an upload");
            let token = encoder.submit().expect("a submission").expect("something recorded");
            token.wait(Duration::from_secs(10)).expect("a completion");
        }
        begin.elapsed().as_secs_f64()
    };
    let comparison = Comparison::measure(2 * ROUNDS, || by_hand.run(&picture), ours);
    let (limit, ours) = comparison.medians();
    let (one, ratio) = (|seconds: f64| seconds / UPLOADS as f64 * 1e3, 1.0 / comparison.ratio());
    println!(
        "| upload of a frame, {} | {:.2} ms | {:.2} ms | {ratio:.2} times as long | at most 1.2 | {} |",
        format.pixel,
        one(limit),
        one(ours),
        verdict(ratio <= 1.2)
    );
}

/// The upload as one would write it: one mapped buffer, filled, copied from, waited for, mapped again.
struct StagedByHand {
    device: wgpu::Device,
    queue: wgpu::Queue,
    texture: wgpu::Texture,
    buffer: wgpu::Buffer,
    row: usize,
    padded: usize,
}

impl StagedByHand {
    fn new(gpu: &GpuContext, format: VideoFormat) -> Self {
        let (device, size) = (gpu.wgpu_device(), format.texture_size());
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: format.pixel.texture_format(),
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        let padded = (format.row_bytes() as u32).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: u64::from(padded) * u64::from(size.height),
            usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: true,
        });
        let (row, padded) = (format.row_bytes(), padded as usize);
        Self { device: device.clone(), queue: gpu.wgpu_queue().clone(), texture, buffer, row, padded }
    }

    fn run(&self, picture: &[u8]) -> f64 {
        let begin = Instant::now();
        for _ in 0..UPLOADS {
            let mut view = self.buffer.get_mapped_range_mut(..).expect("mapped memory");
            if self.row == self.padded {
                view.copy_from_slice(picture);
            } else {
                for (index, row) in picture.chunks_exact(self.row).enumerate() {
                    view.slice(index * self.padded..index * self.padded + self.row).copy_from_slice(row);
                }
            }
            drop(view);
            self.buffer.unmap();
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(self.padded as u32), rows_per_image: None };
            let from = wgpu::TexelCopyBufferInfo { buffer: &self.buffer, layout };
            encoder.copy_buffer_to_texture(from, self.texture.as_image_copy(), self.texture.size());
            encoder.map_buffer_on_submit(&self.buffer, wgpu::MapMode::Write, .., |mapped| mapped.expect("a mapped buffer"));
            let index = self.queue.submit([encoder.finish()]);
            let waited = self.device.poll(wgpu::PollType::Wait { submission_index: Some(index), timeout: None });
            waited.expect("a completion");
        }
        begin.elapsed().as_secs_f64()
    }
}

/// Pictures of test pattern and ball on the CPU, as `i420`.
fn pictures(gpu: &GpuContext, size: Size) -> Vec<Vec<u8>> {
    let (collect, pictures) = Collect::new();
    run(gpu, drawn(size, collect), FRAMES);
    pictures.into_iter().collect()
}

/// Frames that are `i420` on the GPU already, into a file. Returns how many milliseconds the bare encoder takes for one.
fn recording(gpu: &GpuContext, size: Size, pictures: &[Vec<u8>]) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let film = Film::new(gpu, size, pictures).expect("frames");
    let mut bytes = 0;
    let bare = || {
        let begin = Instant::now();
        let mut encoder = BareEncoder::new((size.width(), size.height()));
        bytes = pictures.iter().cycle().take(RECORDED).map(|picture| encoder.encode(picture, size.width() as usize)).sum();
        begin.elapsed().as_secs_f64()
    };
    let mut ours_bytes = 0;
    let ours = || {
        let mut graph = Graph::new();
        graph.chain((film.clone(), Record::to(folder.path().join("film.mp4")))).expect("a graph");
        let statistics = Runtime::with_gpu(offline(RECORDED), gpu.clone()).run(graph).expect("a run");
        assert_eq!(statistics.nodes["record"].counters["frames"], RECORDED as u64);
        ours_bytes = statistics.nodes["record"].counters["bytes"];
        statistics.seconds
    };
    let comparison = Comparison::measure(ROUNDS, bare, ours);
    let (limit, ours) = comparison.medians();
    let (rate, ratio) = (|seconds: f64| RECORDED as f64 / seconds, comparison.ratio());
    println!(
        "| recording `i420` frames, beside OpenH264 alone ({bytes} and {ours_bytes} bytes) | {:.1} frames/s | {:.1} frames/s | {ratio:.3} of its speed | at least 0.9 | {} |",
        rate(limit),
        rate(ours),
        verdict(ratio >= 0.9)
    );
    limit / RECORDED as f64 * 1e3
}

/// The whole way, and which part of it decides.
fn drawing_and_recording(gpu: &GpuContext, size: Size, encoding: f64) {
    let folder = tempfile::tempdir().expect("a folder");
    let graph = || drawn(size, Record::to(folder.path().join("drawn.mp4")));
    let plan = Plan::new(graph().spec(), Mode::Offline).expect("a plan");
    let rounds: Vec<_> = (0..ROUNDS).map(|_| (run(gpu, drawn(size, Draw), FRAMES), run(gpu, graph(), FRAMES))).collect();
    let frame = |seconds: Vec<f64>| median(seconds) / FRAMES as f64 * 1e3;
    let drawing = frame(rounds.iter().map(|round| round.0).collect());
    let all = frame(rounds.iter().map(|round| round.1).collect());
    println!("\n| test pattern + ball into a recording, 1920x1080, offline | a frame |");
    println!("|---|---|");
    println!("| all of it | {all:.1} ms, {:.1} frames/s |", 1e3 / all);
    println!("| drawing and conversion to `i420` alone | {drawing:.1} ms |");
    println!("| encoding alone | {encoding:.1} ms |");
    let (what, longer) = if drawing > encoding { ("drawing", drawing) } else { ("encoding", encoding) };
    println!(
        "\nThe limit is {what}: all of it takes {:.2} times as long. The plan puts the encoder on a thread of its own:",
        all / longer
    );
    println!("\n```text\n{}```", plan.explain());
}
