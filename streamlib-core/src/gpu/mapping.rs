//! Buffers of the program's own on their way into the CPU's memory.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::GpuContext;
use crate::time::deadline_after;
use crate::{Error, ErrorKind, Result};

/// How long a mapping that its submission does not hold up may take.
const GLANCE: Duration = Duration::from_millis(50);

/// A part of a buffer on its way into the CPU's memory.
pub struct Mapping {
    gpu: GpuContext,
    outcome: Arc<MapOutcome>,
}

#[derive(Default)]
pub(super) struct MapOutcome {
    mapped: Mutex<Option<Result<(), wgpu::BufferAsyncError>>>,
    is_there: Condvar,
}

impl MapOutcome {
    fn mapped(&self) -> MutexGuard<'_, Option<Result<(), wgpu::BufferAsyncError>>> {
        self.mapped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, mapped: Result<(), wgpu::BufferAsyncError>) {
        *self.mapped() = Some(mapped);
        self.is_there.notify_all();
    }
}

impl Mapping {
    /// One that is under way, and what is to be told how it went.
    pub(super) fn begin(gpu: &GpuContext) -> (Self, Arc<MapOutcome>) {
        let outcome = Arc::<MapOutcome>::default();
        (Self { gpu: gpu.clone(), outcome: outcome.clone() }, outcome)
    }

    /// Whether [`wait`](Self::wait) would return at once.
    pub fn is_ready(&self) -> bool {
        self.wait_for(Duration::ZERO)
    }

    /// Blocks until [`wait`](Self::wait) would return at once, at most for `timeout`. Whether it would.
    pub fn wait_for(&self, timeout: Duration) -> bool {
        let deadline = deadline_after(timeout);
        let mut mapped = self.outcome.mapped();
        // A device that is lost may never say so here.
        while mapped.is_none() && self.gpu.check_alive().is_ok() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            mapped = self.outcome.is_there.wait_timeout(mapped, left.min(GLANCE)).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Blocks until the bytes can be read or written. Fails with [`ErrorKind::Cancelled`] if the buffer was unmapped or destroyed
    /// meanwhile, with [`ErrorKind::DeviceLost`], and with [`ErrorKind::Stalled`] after `timeout`.
    pub fn wait(&self, timeout: Duration) -> Result<()> {
        self.wait_for(timeout);
        let mapped = self.outcome.mapped().clone();
        if mapped != Some(Ok(())) {
            self.gpu.check_alive()?;
        }
        match mapped {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                let message = "the buffer was not mapped: it was unmapped or destroyed before";
                Err(Error::new(ErrorKind::Cancelled, message).caused_by(error))
            }
            None => Err(Error::new(ErrorKind::Stalled, format!("the GPU has not given the buffer back within {timeout:?}"))
                .hint("its driver may hang, or a shader may not end")),
        }
    }
}
