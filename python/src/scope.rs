//! What a processor's call lends to the Python code in it: the encoder of its segment, and its name.
//!
//! Whatever of the package is called within is found here by its thread, so that a kernel is called without naming an encoder.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use streamlib::{Context, Error, ErrorKind, FrameEncoder, GpuContext, Result, Timestamp, VideoFrame};

thread_local! {
    static SCOPE: RefCell<Option<Scope>> = const { RefCell::new(None) };
}

struct Scope {
    encoder: Option<FrameEncoder>,
    node: Arc<str>,
    /// Which processor's call it is.
    instance: usize,
    /// The time, real and of the stream, and the place of the first frame that the call was given.
    stamp: Option<(Timestamp, Instant, u64)>,
}

/// While this lives, the thread's calls belong to a node's.
struct Entered<'c, 'a> {
    cx: &'c mut Context<'a>,
}

impl<'c, 'a> Entered<'c, 'a> {
    /// With the segment's encoder, if the calls may have to do with pictures.
    fn begin(cx: &'c mut Context<'a>, instance: usize, has_pictures: bool) -> Result<Self> {
        let node = cx.node().clone();
        let encoder = if has_pictures {
            let spare = cx.gpu()?.encoder();
            Some(std::mem::replace(cx.encoder()?, spare))
        } else {
            None
        };
        SCOPE.set(Some(Scope { encoder, node, instance, stamp: None }));
        Ok(Self { cx })
    }
}

/// Gives the encoder back, also when the call panics: what others have recorded in it is submitted.
impl Drop for Entered<'_, '_> {
    fn drop(&mut self) {
        if let Some(encoder) = SCOPE.take().and_then(|scope| scope.encoder)
            && let Ok(place) = self.cx.encoder()
        {
            *place = encoder;
        }
    }
}

/// Runs `call` as a call of this node, whose processor has the address `instance`. `has_pictures` says whether it may need the segment's
/// encoder, and with it a GPU.
pub(crate) fn within<T>(
    cx: &mut Context<'_>,
    instance: usize,
    has_pictures: bool,
    call: impl FnOnce(&mut Context<'_>) -> Result<T>,
) -> Result<T> {
    let entered = Entered::begin(cx, instance, has_pictures)?;
    call(entered.cx)
}

/// The address of the processor whose call this is.
pub(crate) fn instance() -> Option<usize> {
    SCOPE.with_borrow(|scope| scope.as_ref().map(|scope| scope.instance))
}

/// Says that the call was given this frame: pictures that it makes belong to the same moment.
pub(crate) fn given(frame: &VideoFrame) {
    SCOPE.with_borrow_mut(|scope| {
        if let Some(scope) = scope {
            scope.stamp.get_or_insert((frame.time(), frame.captured_at(), frame.sequence()));
        }
    });
}

/// A picture that is made in this call, as one of the moment of what the call was given.
pub(crate) fn stamped(frame: VideoFrame) -> VideoFrame {
    match SCOPE.with_borrow(|scope| scope.as_ref().and_then(|scope| scope.stamp)) {
        Some((time, captured_at, sequence)) => frame.with_time(time).with_captured_at(captured_at).with_sequence(sequence),
        None => frame,
    }
}

/// Whether somebody has written this frame, or will have when what this call has recorded is submitted.
pub(crate) fn is_written(gpu: &GpuContext, frame: &VideoFrame) -> bool {
    frame.ready(gpu).is_some()
        || SCOPE.with_borrow(|scope| {
            scope.as_ref().and_then(|scope| scope.encoder.as_ref()).is_some_and(|encoder| encoder.has_written(frame))
        })
}

/// Refuses to read a frame that has no pixels yet: memory comes from a pool, with what was in it before.
pub(crate) fn check_written(gpu: &GpuContext, frame: &VideoFrame, what: impl std::fmt::Display) -> Result<()> {
    if is_written(gpu, frame) || !frame.is_of(gpu) {
        return Ok(());
    }
    let message = format!("{what} has no pixels yet: nothing was drawn into it, or what draws it was not submitted");
    let hint = "write it first; what a processor records is submitted when its `process` returns, and known before to its own thread only";
    Err(Error::new(ErrorKind::InvalidArgument, message).hint(hint))
}

/// Whether what this call has recorded keeps memory that another copy to or from the CPU may need.
pub(crate) fn keeps_staging() -> bool {
    SCOPE.with_borrow(|scope| scope.as_ref().and_then(|scope| scope.encoder.as_ref()).is_some_and(FrameEncoder::keeps_staging))
}

/// The node whose call this is.
pub(crate) fn node() -> Option<Arc<str>> {
    SCOPE.with_borrow(|scope| scope.as_ref().map(|scope| scope.node.clone()))
}

/// Who takes textures in this call: the node, or the program.
pub(crate) fn taker() -> Arc<str> {
    node().unwrap_or_else(|| Arc::from("python"))
}

/// Records with the encoder of the node's segment. Outside of a processor with one of its own, which is submitted at once.
pub(crate) fn record<T>(gpu: &GpuContext, record: impl FnOnce(&mut FrameEncoder) -> Result<T>) -> Result<T> {
    SCOPE.with_borrow_mut(|scope| match scope.as_mut().and_then(|scope| scope.encoder.as_mut()) {
        Some(encoder) => record(encoder),
        None => {
            let mut encoder = gpu.encoder();
            let recorded = record(&mut encoder)?;
            encoder.submit()?;
            Ok(recorded)
        }
    })
}

/// Submits what the node's segment has recorded so far, so that it can be waited for.
pub(crate) fn flush() -> Result<()> {
    SCOPE.with_borrow_mut(|scope| match scope.as_mut().and_then(|scope| scope.encoder.as_mut()) {
        Some(encoder) => encoder.submit().map(drop),
        None => Ok(()),
    })
}

/// Whether this thread's calls are recorded for a node, and submitted later.
pub(crate) fn records() -> bool {
    SCOPE.with_borrow(|scope| scope.as_ref().is_some_and(|scope| scope.encoder.is_some()))
}
