//! What wgpu refuses: it says so to a handler, on the thread that made the mistake. Here that becomes the error of whoever was calling.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Error, ErrorKind, Result};

thread_local! {
    /// For a thread that looks for its errors after each of its calls: the first that no error scope caught, and of which
    /// device. wgpu reports on the thread that made the mistake.
    static OWN: RefCell<Option<Option<(u32, Error)>>> = const { RefCell::new(None) };
}

/// From now on this thread's errors are kept for itself: it asks for them after all it does.
pub(crate) fn attend_errors() {
    OWN.set(Some(None));
}

/// While this lives, the thread's errors are kept for itself.
pub(super) struct Attending {
    did_before: bool,
}

impl Attending {
    pub(super) fn begin() -> Self {
        OWN.with_borrow_mut(|own| {
            let did_before = own.is_some();
            own.get_or_insert(None);
            Self { did_before }
        })
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        if !self.did_before {
            OWN.set(None);
        }
    }
}

/// What wgpu has refused of one device and nobody was told yet.
pub(super) struct Refusals {
    generation: u32,
    /// The first of threads that do not look for theirs.
    stray: Mutex<Option<Error>>,
    has_stray: AtomicBool,
}

impl Refusals {
    pub(super) fn new(generation: u32) -> Self {
        Self { generation, stray: Mutex::new(None), has_stray: AtomicBool::new(false) }
    }

    /// wgpu has refused something of this thread's.
    pub(super) fn note(&self, error: wgpu::Error) {
        tracing::debug!(%error, "uncaptured GPU error");
        let mut error = Some(from_wgpu("a GPU command failed", error));
        // A thread that is ending has no store any more.
        let _ = OWN.try_with(|own| match &mut *own.borrow_mut() {
            Some(Some((of, _))) if *of == self.generation => error = None,
            Some(own) => *own = error.take().map(|error| (self.generation, error)),
            None => {}
        });
        if let Some(error) = error {
            self.stray().get_or_insert(error);
            self.has_stray.store(true, Ordering::Release);
        }
    }

    /// The first since the last call that no call returned by itself: this thread's, if it attends to its errors, else that of any
    /// thread which does not.
    pub(super) fn take(&self) -> Result<()> {
        let own = OWN
            .with_borrow_mut(|own| own.as_mut().map(|own| own.take_if(|(of, _)| *of == self.generation).map(|(_, error)| error)));
        match own.unwrap_or_else(|| self.take_stray()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// The first of threads that do not attend to theirs.
    pub(super) fn take_stray(&self) -> Option<Error> {
        self.has_stray.load(Ordering::Acquire).then(|| {
            self.has_stray.store(false, Ordering::Release);
            self.stray().take()
        })?
    }

    fn stray(&self) -> MutexGuard<'_, Option<Error>> {
        self.stray.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `create`, turning what wgpu finds wrong in it into a value.
pub(super) fn in_scopes<T>(device: &wgpu::Device, create: impl FnOnce() -> T) -> Result<T, wgpu::Error> {
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let created = create();
    let validation = pollster::block_on(validation.pop());
    let memory = pollster::block_on(memory.pop());
    memory.or(validation).map_or(Ok(created), Err)
}

/// A wgpu error as one of ours.
pub(super) fn from_wgpu(what: &str, error: wgpu::Error) -> Error {
    let kind = match &error {
        wgpu::Error::OutOfMemory { .. } => ErrorKind::OutOfMemory,
        _ => ErrorKind::Gpu,
    };
    Error::new(kind, format!("{what}: {error}")).caused_by(error)
}
