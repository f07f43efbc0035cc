//! What a node that a plan inserts knows of those around it.

use crate::processor::Context;
use crate::{PixelFormat, Result, Size, VideoFormat};

pub(super) struct Incoming {
    /// The formats that can come.
    pub(super) formats: Vec<PixelFormat>,
    /// The node whose frames they are.
    pub(super) producer: Option<usize>,
    /// Who takes what becomes of them.
    pub(super) takers: String,
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
