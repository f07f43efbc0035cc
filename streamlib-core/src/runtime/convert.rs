//! The processor behind conversions that a plan inserts.

use super::incoming::Incoming;
use crate::graph::conversion;
use crate::processor::{Context, Filter};
use crate::{Error, ErrorKind, PixelFormat, Result, VideoFrame};

/// Passes what its consumers accept, converts the rest. Its ports are the plan's business.
pub(super) struct Convert {
    pub(super) incoming: Incoming,
    pub(super) accepted: Vec<PixelFormat>,
    /// What it makes.
    pub(super) to: Vec<PixelFormat>,
}

impl Filter for Convert {
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let Some(format) = self.incoming.format(cx)? else {
            return self.to.iter().try_for_each(|to| self.incoming.check_target(cx, *to));
        };
        match conversion(format.pixel, &self.accepted) {
            Some(to) if to != format.pixel => {
                self.incoming.check_target(cx, to)?;
                cx.gpu()?.prepare_conversion(format, to)
            }
            _ => Ok(()),
        }
    }

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
