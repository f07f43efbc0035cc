//! The processor behind passes that a plan inserts to draw pixel shaders.

use super::incoming::Incoming;
use crate::gpu::StagedPass;
use crate::processor::{Context, Filter};
use crate::{PixelFormat, Result, VideoFrame};

/// Draws what the pixel shaders before it have noted. Its ports are the plan's business.
pub(super) struct Draw {
    pub(super) pass: StagedPass,
    pub(super) incoming: Incoming,
    pub(super) to: PixelFormat,
}

impl Filter for Draw {
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.incoming.check_target(cx, self.to)?;
        match self.incoming.format(cx)? {
            Some(format) => self.pass.prepare(cx.gpu()?, format, self.to),
            None => Ok(()),
        }
    }

    fn process(&mut self, mut frame: VideoFrame, cx: &mut Context<'_>) -> Result<VideoFrame> {
        let draft = frame.take_draft(self.pass.group());
        let format = frame.format();
        // All were passed by, or are switched off: the picture keeps what it has, if it stays the same kind of picture.
        if draft.is_none() && self.pass.leaves(format, self.to) {
            return Ok(frame);
        }
        let (gpu, node) = (cx.gpu()?.clone(), cx.node().clone());
        if draft.is_none() && self.pass.is_conversion(format, self.to) {
            return gpu.convert_for(cx.encoder()?, &frame, self.to, &node);
        }
        self.pass.times(&gpu, |time| cx.gpu_took(time));
        let draft = draft.unwrap_or_else(|| self.pass.group().draft());
        self.pass.draw(&gpu, cx.encoder()?, &frame, draft, self.to, &node)
    }
}
