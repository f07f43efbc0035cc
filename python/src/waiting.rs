//! How Python waits: without the interpreter's lock, and awake to Ctrl-C.

use std::time::{Duration, Instant};

use pyo3::prelude::*;
use streamlib::{Error, ErrorKind, GpuContext, ReadyToken};

use crate::errors::Outcome;
use crate::scope;

/// How often who waits looks whether Python has handlers of signals to run.
const LOOK: Duration = Duration::from_millis(50);

/// How long what is waited for without a limit may take, before its driver is taken to hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Calls `wait_for` until it says that what it waits for is there, at most for `limit`. Whether it is. Python's handlers of signals run
/// meanwhile on the main thread; what one of them raises ends the wait.
pub(crate) fn wait(py: Python<'_>, limit: Option<Duration>, wait_for: impl Fn(Duration) -> bool + Sync) -> PyResult<bool> {
    let begin = Instant::now();
    loop {
        let left = limit.map(|limit| limit.saturating_sub(begin.elapsed()));
        if py.detach(|| wait_for(left.map_or(LOOK, |left| left.min(LOOK)))) {
            return Ok(true);
        }
        py.check_signals()?;
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(false);
        }
    }
}

/// The same for what the GPU is to do: not to be there within `limit` is an error.
pub(crate) fn wait_for_gpu(py: Python<'_>, limit: Duration, wait_for: impl Fn(Duration) -> bool + Sync) -> Outcome<()> {
    if !wait(py, Some(limit), wait_for)? {
        let message = format!("the GPU has not finished within {limit:?}");
        return Err(Error::new(ErrorKind::Stalled, message).hint("its driver may hang, or a shader may not end").into());
    }
    Ok(())
}

/// Waits for what brings bytes to the CPU; without a token it will not come, as who asks for the bytes is told.
pub(crate) fn wait_ready(py: Python<'_>, ready: Option<ReadyToken>) -> Outcome<()> {
    ready.map_or(Ok(()), |ready| wait_submitted(py, &ready, PATIENCE))
}

/// Waits until a submission is done.
pub(crate) fn wait_submitted(py: Python<'_>, token: &ReadyToken, limit: Duration) -> Outcome<()> {
    wait_for_gpu(py, limit, |slice| token.wait_for(slice))?;
    Ok(token.wait(limit)?)
}

/// Waits until everything that was submitted before this call is done.
pub(crate) fn wait_idle(py: Python<'_>, gpu: &GpuContext, limit: Duration) -> Outcome<()> {
    let token = py.detach(|| scope::flush().and_then(|()| gpu.raw().submit([], [])))?;
    wait_submitted(py, &token, limit)
}
