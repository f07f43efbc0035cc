//! The processor behind conversions that a plan inserts.

use crate::graph::conversion;
use crate::processor::{Context, Filter};
use crate::{Error, ErrorKind, PixelFormat, Result, VideoFrame};

/// Passes what its consumers accept, converts the rest. Its ports are the plan's business.
pub(super) struct Convert {
    pub(super) accepted: Vec<PixelFormat>,
}

impl Filter for Convert {
    fn process(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<VideoFrame> {
        let format = frame.format().pixel;
        match conversion(format, &self.accepted) {
            Some(to) if to == format => Ok(frame),
            Some(to) => {
                let gpu = cx.gpu()?.clone();
                let node = cx.node().clone();
                gpu.convert_for(cx.encoder()?, &frame, to, &node)
            }
            None => Err(Error::new(ErrorKind::Unsupported, format!("a {format} frame came, which cannot be converted"))
                .hint("declare this format at the output that gives it")),
        }
    }
}
