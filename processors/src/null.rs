//! `null`: a sink that counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use streamlib_core::{Context, Counter, Described, InputOptions, PixelFormat, Result, Sink, Tunable, VideoFrame};

/// Takes frames of every format, counts them and lets them go. Latency ends when the GPU has finished a frame.
///
/// Joins its producer's thread. Counter: `frames`.
#[derive(Debug, Default)]
pub struct Null {
    frames: Counter,
}

/// [`Null`] has nothing to set.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NullParameters {}

impl Described for Null {
    type Parameters = NullParameters;
    const NAME: &'static str = "null";
    const SUMMARY: &'static str = "Counts frames and lets them go.";

    fn from_parameters(_: NullParameters) -> Result<Self> {
        Ok(Self::default())
    }

    fn parameters(&self) -> &NullParameters {
        &NullParameters {}
    }

    fn set_parameters(&mut self, _: NullParameters, _: &mut Context<'_>) -> Result<()> {
        Ok(())
    }
}

impl Sink for Null {
    fn input(&self) -> InputOptions {
        InputOptions { formats: Some(PixelFormat::ALL), ..Default::default() }
    }

    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        Some(self)
    }

    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.frames = cx.counter("frames");
        Ok(())
    }

    fn consume(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<()> {
        self.frames.add(1);
        cx.delivered_when_ready(&frame);
        Ok(())
    }
}
