//! When the interpreter's lock is held: while somebody's Python runs, and never on a thread of the engine's own.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use streamlib::{Domain, Error, ErrorKind, Result};

/// The threads of segments with Python processors. Each keeps its interpreter state for its whole life, so that taking the lock for a
/// frame is cheap.
pub(crate) const DOMAIN: Domain = Domain { name: "python", around };

thread_local! {
    static IS_PYTHONS: Cell<bool> = const { Cell::new(false) };
}

/// How often the lock was taken on threads that have nothing to do with Python.
static ELSEWHERE: AtomicU64 = AtomicU64::new(0);

fn around(life: &mut (dyn FnMut() + Send)) {
    IS_PYTHONS.set(true);
    // `life` must be called whatever becomes of the interpreter: the run waits for its end.
    let mut has_lived = false;
    Python::try_attach(|py| {
        has_lived = true;
        let _listed = Listed::new(py);
        py.detach(&mut *life);
    });
    if !has_lived {
        life();
    }
}

/// What Python calls the threads that run processors, for as long as they do.
static THREADS: Mutex<Vec<u64>> = Mutex::new(Vec::new());

struct Listed(Option<u64>);

impl Listed {
    fn new(py: Python<'_>) -> Self {
        let ident = PyModule::import(py, "threading").and_then(|threading| threading.call_method0("get_ident")?.extract()).ok();
        threads().extend(ident);
        Self(ident)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        threads().retain(|ident| Some(*ident) != self.0);
    }
}

fn threads() -> MutexGuard<'static, Vec<u64>> {
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The threads that run processors, by what `threading.get_ident` says in them.
#[pyfunction]
pub(crate) fn python_threads() -> Vec<u64> {
    threads().clone()
}

/// Runs `call` with the interpreter's lock. Fails when the interpreter is going down.
pub(crate) fn attach<T>(call: impl FnOnce(Python<'_>) -> Result<T>) -> Result<T> {
    if !IS_PYTHONS.get() {
        ELSEWHERE.fetch_add(1, Ordering::Relaxed);
    }
    Python::try_attach(call).unwrap_or_else(|| Err(Error::new(ErrorKind::Cancelled, "the Python interpreter is shutting down")))
}

/// How often threads of the engine that have no Python to run have taken the interpreter's lock: never.
#[pyfunction]
pub(crate) fn attachments_elsewhere() -> u64 {
    ELSEWHERE.load(Ordering::Relaxed)
}
