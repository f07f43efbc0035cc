//! The processor behind passes that a plan inserts to draw pixel shaders.

use crate::gpu::StagedPass;
use crate::processor::{Context, Filter};
use crate::{PixelFormat, Result, Size, VideoFormat, VideoFrame};

/// Draws what the pixel shaders before it have noted. Its ports are the plan's business.
pub(super) struct Draw {
    pass: StagedPass,
    /// The formats that come.
    from: Vec<PixelFormat>,
    to: PixelFormat,
    /// The node whose frames they are.
    producer: Option<usize>,
}

impl Draw {
    pub(super) fn new(pass: StagedPass, from: &[PixelFormat], to: PixelFormat, producer: Option<usize>) -> Self {
        Self { pass, from: from.to_vec(), to, producer }
    }
}

impl Filter for Draw {
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let announced = self.producer.and_then(|producer| cx.announced(producer));
        // Where several may come, most will not.
        let size = Size::new(1, 1)?;
        let only = if let [only] = *self.from { Some(VideoFormat::new(only, size)) } else { None };
        match announced.or(only) {
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
