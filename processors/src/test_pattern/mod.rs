//! `test-pattern`: bars, something that moves, and a block that machines can read.

mod block;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use streamlib_core::{
    Cadence, Context, Described, FrameRate, Kernel, Next, OutputOptions, Result, Size, Source, Timestamp, Tunable, VideoFormat,
    VideoFrame, check_parameters,
};

pub use block::{Block, read_block};

const WGSL: &str = include_str!("pattern.wgsl");

/// How long the moving square takes from left to right.
const SWEEP_SECONDS: f64 = 4.0;

/// Draws colour bars with a moving part on the GPU, and in each picture a machine-readable block with its sequence number and
/// capture time, which [`read_block`] reads back, also after H.264.
///
/// Live, it keeps its rate by the clock: a picture that is missed is skipped, its number too. Counters: `skipped` (the clock was
/// ahead), `gpu_behind` (the GPU had too much to do).
pub struct TestPattern {
    parameters: TestPatternParameters,
    cadence: Cadence,
    draw: Kernel,
}

/// What can be set of a [`TestPattern`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TestPatternParameters {
    /// Width and height in pixels.
    pub size: Size,
    /// Frames a second, as 30 or "30000/1001".
    pub rate: FrameRate,
}

/// 1280x720 at 30 frames a second.
impl Default for TestPatternParameters {
    fn default() -> Self {
        let size = Size::new(1280, 720).unwrap_or_else(|_| unreachable!("it is a valid size"));
        Self { size, rate: FrameRate::default() }
    }
}

/// The shader's uniform.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Uniform {
    bits_0: [u32; 4],
    bits_1: u32,
    cell: u32,
    left: [u32; 2],
    right: [u32; 2],
    sweep: f32,
    _padding: u32,
}

streamlib_core::uniform_fields!(Uniform { bits_0, bits_1, cell, left, right, sweep });

impl TestPattern {
    /// A pattern of this size and rate.
    pub fn new(parameters: TestPatternParameters) -> Result<Self> {
        check_parameters::<Self>(&parameters)?;
        Ok(Self { cadence: Cadence::new(parameters.rate), parameters, draw: Kernel::default() })
    }

    fn uniform(&self, sequence: u64, time: Timestamp) -> Uniform {
        let [left, right] = block::corners(self.parameters.size);
        let way = time.as_secs_f64() / SWEEP_SECONDS;
        let [a, b, c, d, bits_1] = Block { sequence, time }.words();
        Uniform {
            bits_0: [a, b, c, d],
            bits_1,
            cell: block::cell(self.parameters.size),
            left,
            right,
            sweep: (way - way.floor()) as f32,
            _padding: 0,
        }
    }
}

impl Default for TestPattern {
    fn default() -> Self {
        Self::new(TestPatternParameters::default()).unwrap_or_else(|_| unreachable!("the defaults are valid"))
    }
}

impl Described for TestPattern {
    type Parameters = TestPatternParameters;
    const NAME: &'static str = "test-pattern";
    const SUMMARY: &'static str = "Draws moving colour bars with a machine-readable number and time in each picture.";

    fn from_parameters(parameters: TestPatternParameters) -> Result<Self> {
        Self::new(parameters)
    }

    fn parameters(&self) -> &TestPatternParameters {
        &self.parameters
    }

    fn set_parameters(&mut self, parameters: TestPatternParameters, _: &mut Context<'_>) -> Result<()> {
        self.cadence.set_rate(parameters.rate);
        self.parameters = parameters;
        Ok(())
    }
}

impl Source for TestPattern {
    fn output(&self) -> OutputOptions {
        OutputOptions { size: Some(self.parameters.size), ..Default::default() }
    }

    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        Some(self)
    }

    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.cadence.count(cx);
        cx.announce(VideoFormat::rgba8(self.parameters.size))?;
        self.draw = cx.gpu()?.kernel(Self::NAME, WGSL)?;
        self.draw.check_uniform::<Uniform>("parameters")
    }

    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        let Some((sequence, time)) = self.cadence.next(cx) else { return Ok(Next::Skip) };
        let frame = cx.frame(VideoFormat::rgba8(self.parameters.size))?;
        let mut frame = frame.with_time(time).with_sequence(sequence);
        let uniform = self.uniform(sequence, time);
        self.draw.call(cx.encoder()?)?.texture_mut("dst", &mut frame)?.uniform("parameters", &uniform)?.dispatch()?;
        Ok(Next::Item(frame))
    }
}
