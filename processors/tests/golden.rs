//! Golden images of what the processors draw.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

#[path = "../../streamlib-core/tests/support/golden.rs"]
mod golden;

use std::sync::{Arc, LazyLock, Mutex};

use golden::{Picture, Tolerance};
use streamlib_core::{
    Context, FrameRate, GpuContext, GpuOptions, Graph, Mode, PainterOptions, Result, Runtime, RuntimeOptions, Sink, Size,
    VideoFormat, VideoFrame, Viewport,
};
use streamlib_processors::bouncing_ball::{BouncingBall, BouncingBallParameters};
use streamlib_processors::test_pattern::{TestPattern, TestPatternParameters};

static GPU: LazyLock<GpuContext> = LazyLock::new(|| GpuContext::new(&GpuOptions::default()).unwrap());

/// Keeps the last frame.
struct Keep(Arc<Mutex<Option<VideoFrame>>>);

impl Sink for Keep {
    fn consume(&mut self, frame: VideoFrame, _: &mut Context<'_>) -> Result<()> {
        *self.0.lock().unwrap() = Some(frame);
        Ok(())
    }
}

fn pattern() -> TestPattern {
    let rate = FrameRate::new(10, 1).unwrap();
    TestPattern::new(TestPatternParameters { size: Size::new(360, 240).unwrap(), rate }).unwrap()
}

/// The last of so many frames that arrive in `kept`.
fn last_frame(frames: u64, graph: Graph, kept: &Mutex<Option<VideoFrame>>) -> Picture {
    let options =
        RuntimeOptions { mode: Mode::Offline, frames: Some(frames), stop_on_signals: false, ..RuntimeOptions::default() };
    Runtime::with_gpu(options, GPU.clone()).run(graph).unwrap();
    let frame = kept.lock().unwrap().take().unwrap();
    assert_eq!(frame.sequence(), frames - 1);
    picture(&frame)
}

fn picture(frame: &VideoFrame) -> Picture {
    let mut encoder = GPU.encoder();
    let read_back = encoder.read_back(frame).unwrap();
    encoder.submit().unwrap();
    Picture {
        width: frame.size().width(),
        height: frame.size().height(),
        color: png::ColorType::Rgba,
        samples: read_back.wait().unwrap().to_vec(),
    }
}

/// Edges may fall on the next pixel where a GPU divides otherwise.
const EDGES: Tolerance = Tolerance { level: 2, outliers_in_1000: 1 };

#[test]
fn the_test_pattern() {
    let kept = Arc::default();
    let mut graph = Graph::new();
    graph.chain((pattern(), Keep(Arc::clone(&kept)))).unwrap();
    // The moving square is between the blocks.
    golden::check("pattern", &last_frame(21, graph, &kept), EDGES);
}

#[test]
fn the_ball_over_the_test_pattern() {
    let kept = Arc::default();
    let mut graph = Graph::new();
    let ball = BouncingBall::new(BouncingBallParameters { radius: 0.15, ..Default::default() }).unwrap();
    graph.chain((pattern(), ball, Keep(Arc::clone(&kept)))).unwrap();
    golden::check("ball", &last_frame(8, graph, &kept), EDGES);
}

/// Draws a frame through the display's shader into a target of 200x160, as a window of that size would show it stretched.
fn displayed(frame: &VideoFrame, entry_point: &str, format: wgpu::TextureFormat) -> Picture {
    let options = PainterOptions { vertex: "corner", fragment: entry_point, target: format };
    let painter = GPU.painter("display", include_str!("../src/display/display.wgsl"), &options).unwrap();
    let mut target = GPU.frame(VideoFormat::rgba8(Size::new(200, 160).unwrap()), "test").unwrap();
    let mut encoder = GPU.encoder();
    encoder.writes(&mut target).unwrap();
    let all = Viewport { x: 0.0, y: 0.0, width: 200.0, height: 160.0 };
    painter.paint(&mut encoder, frame, &target.texture(), all).unwrap();
    encoder.submit().unwrap();
    picture(&target)
}

/// Checks of black and white, a pixel wide, beside colours: enlarged, the grey between black and white is that of light (188), not
/// of code values (128).
#[test]
fn what_the_display_shows() {
    let format = VideoFormat::rgba8(Size::new(50, 40).unwrap());
    let pixels = (0..40u8).flat_map(|y| (0..50u8).map(move |x| (x, y)));
    let bytes: Vec<u8> = pixels
        .flat_map(|(x, y)| match (x / 25, (x + y) % 2) {
            (0, 0) => [0, 0, 0, 255],
            (0, _) => [255, 255, 255, 255],
            _ => [x * 5, 255 - y * 6, y * 6, 255],
        })
        .collect();
    let mut encoder = GPU.encoder();
    let mut frame = GPU.frame(format, "test").unwrap();
    encoder.upload(&mut frame, &bytes, format.row_bytes()).unwrap();
    encoder.submit().unwrap();
    // Samplers compute with few bits: more so than arithmetic.
    let sampled = Tolerance { level: 3, outliers_in_1000: 0 };
    golden::check("display-linear", &displayed(&frame, "linear", wgpu::TextureFormat::Rgba8UnormSrgb), sampled);
    golden::check("display-encoded", &displayed(&frame, "encoded", wgpu::TextureFormat::Rgba8Unorm), sampled);
}
