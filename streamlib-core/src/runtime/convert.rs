//! The processor behind conversions that a plan inserts.

use super::assemble::Incoming;
use crate::graph::conversion;
use crate::processor::{Context, Filter};
use crate::{Error, ErrorKind, PixelFormat, Result, Size, VideoFormat, VideoFrame};

/// Passes what its consumers accept, converts the rest. Its ports are the plan's business.
pub(super) struct Convert {
    pub(super) incoming: Incoming,
    pub(super) accepted: Vec<PixelFormat>,
    /// What it makes.
    pub(super) to: Vec<PixelFormat>,
}

impl Filter for Convert {
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.to.iter().try_for_each(|to| self.incoming.check_target(cx, *to))?;
        match self.incoming.format(cx)? {
            Some(format) => match conversion(format.pixel, &self.accepted) {
                Some(to) if to != format.pixel => cx.gpu()?.prepare_conversion(format, to),
                _ => Ok(()),
            },
            None => Ok(()),
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

impl Incoming {
    /// What will come, as far as it is known before it does.
    pub(super) fn format(&self, cx: &Context<'_>) -> Result<Option<VideoFormat>> {
        if let Some(announced) = self.producer.and_then(|producer| cx.announced(producer)) {
            return Ok(Some(announced));
        }
        // Where several may come, most will not.
        let size = Size::new(1, 1)?;
        Ok(if let [only] = *self.formats { Some(VideoFormat::new(only, size)) } else { None })
    }

    /// Fails if this GPU cannot make pictures of `to`, naming who takes them.
    pub(super) fn check_target(&self, cx: &Context<'_>, to: PixelFormat) -> Result<()> {
        cx.gpu()?.check_target(to).map_err(|error| error.with_message(|message| format!("{message}; needed by {}", self.takers)))
    }
}
