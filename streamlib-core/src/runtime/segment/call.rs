//! How a segment's thread calls into its processors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::Segment;
use crate::processor::{Context, Processor};
use crate::{Error, ErrorKind, FrameEncoder, Result};

impl Segment {
    pub(super) fn call<T>(
        &mut self,
        index: usize,
        call: impl FnOnce(&mut dyn Processor, &mut Context<'_>) -> Result<T>,
    ) -> Result<T> {
        self.call_at(index, Instant::now(), call)
    }

    /// Has a processor get ready, if the GPU has what it needs.
    pub(super) fn set_up(&mut self, index: usize) -> Result<()> {
        self.call(index, |processor, cx| {
            let features = processor.required_features();
            if !features.is_empty() {
                cx.gpu()?.check_features(features)?;
            }
            processor.setup(cx)
        })
    }

    /// Calls into a processor under the watchdog's eyes; a panic becomes an error.
    pub(super) fn call_at<T>(
        &mut self,
        index: usize,
        now: Instant,
        call: impl FnOnce(&mut dyn Processor, &mut Context<'_>) -> Result<T>,
    ) -> Result<T> {
        let node = &mut self.nodes[index];
        let activity = &self.environment.shared.activities[self.number];
        activity.begin(node.ports.node, now);
        let mut cx = Context { ports: &mut node.ports, encoder: &mut self.encoder, environment: &self.environment };
        let processor = &mut *node.processor;
        let outcome = catch_unwind(AssertUnwindSafe(|| call(processor, &mut cx)));
        activity.end();
        if self.encoder.as_mut().is_some_and(FrameEncoder::take_recorded) && !std::mem::replace(&mut node.has_recorded, true) {
            self.recorded.push(index);
        }
        // What it did wrong must not be found by the next one.
        let refused = self.environment.shared.opened_gpu().and_then(|gpu| gpu.take_error().err());
        let error = match (outcome, refused) {
            (Ok(Ok(done)), None) => return Ok(done),
            (Ok(Ok(_)), Some(refused)) => return Err(refused),
            // A lost device is nobody's failure: no policy applies.
            (Ok(Err(error)), Some(lost)) if lost.kind() == ErrorKind::DeviceLost => return Err(lost.caused_by(error)),
            (Ok(Err(error)), refused) => (error, refused),
            (Err(panic), refused) => (panicked(&*panic), refused),
        };
        Err(match error {
            (error, Some(refused)) if std::error::Error::source(&error).is_none() => error.caused_by(refused),
            (error, refused) => {
                tracing::debug!(?refused, %error, "wgpu complained as well");
                error
            }
        })
    }
}

/// A processor's panic as an error.
fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied().map(String::from).or_else(|| panic.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_else(|| "it gave no reason".into());
    Error::new(ErrorKind::Panicked, format!("the processor panicked: {text}")).hint("this is a bug in the processor")
}
