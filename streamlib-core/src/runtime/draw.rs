//! The processor behind passes that a plan inserts to draw pixel shaders.

use crate::gpu::StagedPass;
use crate::processor::{Context, Filter};
use crate::{PixelFormat, Result, VideoFrame};

/// Draws what the pixel shaders before it have noted. Its ports are the plan's business.
pub(super) struct Draw {
    pass: StagedPass,
    /// The formats that come.
    from: Vec<PixelFormat>,
    to: PixelFormat,
}

impl Draw {
    pub(super) fn new(pass: StagedPass, from: &[PixelFormat], to: PixelFormat) -> Self {
        Self { pass, from: from.to_vec(), to }
    }
}

impl Filter for Draw {
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        // Where several may come, most will not.
        match *self.from {
            [only] => self.pass.prepare(cx.gpu()?, only, self.to),
            _ => Ok(()),
        }
    }

    fn process(&mut self, mut frame: VideoFrame, cx: &mut Context<'_>) -> Result<VideoFrame> {
        let draft = frame.take_draft();
        if draft.is_none() && frame.format().pixel == self.to {
            // All were passed by, or are switched off.
            return Ok(frame);
        }
        let gpu = cx.gpu()?.clone();
        self.pass.times(&gpu, |time| cx.gpu_took(time));
        let draft = draft.unwrap_or_else(|| self.pass.group().draft());
        self.pass.draw(&gpu, cx.encoder()?, &frame, draft, self.to)
    }
}
