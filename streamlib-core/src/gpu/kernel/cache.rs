//! Compiled kernels: whoever asks for one that exists gets it, whoever asks for one that is being compiled waits for it alone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::Compiled;
use crate::{Error, Result};

/// Kernels that nobody holds are let go of when there are more than this.
const ROOM: usize = 256;

/// What a kernel is compiled from. The formats of its textures stand in its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct KernelKey {
    pub(super) text: Arc<str>,
    pub(super) entry_point: Option<String>,
    /// Sorted by name; the values' bits.
    pub(super) constants: Vec<(String, u64)>,
}

/// What the cache of compiled kernels has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct KernelStatistics {
    /// Kernels in the cache.
    pub cached: u64,
    /// Kernels that were compiled, those that failed to included.
    pub compiled: u64,
    /// How often a kernel was asked for that had been compiled, or was being compiled, already.
    pub hits: u64,
    /// Bind groups in the cache.
    pub bind_groups: u64,
    /// Calls that were recorded.
    pub dispatched: u64,
}

/// Filled once, by whoever comes first; the others wait for it.
type Cell = Arc<OnceLock<Result<Arc<Compiled>>>>;

#[derive(Default)]
pub(in crate::gpu) struct KernelCache {
    cells: Mutex<HashMap<KernelKey, Cell>>,
    compiled: AtomicU64,
    hits: AtomicU64,
    dispatched: AtomicU64,
}

impl KernelCache {
    fn cells(&self) -> MutexGuard<'_, HashMap<KernelKey, Cell>> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The kernel of this key, compiled by `compile` if it is not there. The lock is not held meanwhile: others find and compile
    /// theirs.
    pub(super) fn find(&self, key: KernelKey, compile: impl FnOnce() -> Result<Compiled>) -> Result<Arc<Compiled>> {
        let cell = {
            let mut cells = self.cells();
            if cells.len() >= ROOM && !cells.contains_key(&key) {
                cells.retain(|_, cell| !matches!(cell.get(), Some(Ok(compiled)) if Arc::strong_count(compiled) == 1));
            }
            cells.entry(key.clone()).or_default().clone()
        };
        let mut was_there = true;
        let found = cell.get_or_init(|| {
            was_there = false;
            self.compiled.fetch_add(1, Ordering::Relaxed);
            compile().map(Arc::new)
        });
        if was_there {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
        if found.is_err() {
            // The next one tries again: memory may be there then.
            let mut cells = self.cells();
            if cells.get(&key).is_some_and(|other| Arc::ptr_eq(other, &cell)) {
                cells.remove(&key);
            }
        }
        found.as_ref().map(Arc::clone).map_err(Error::clone)
    }

    pub(super) fn count_dispatch(&self) {
        self.dispatched.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::gpu) fn statistics(&self, bind_groups: usize) -> KernelStatistics {
        KernelStatistics {
            cached: self.cells().len() as u64,
            compiled: self.compiled.load(Ordering::Relaxed),
            hits: self.hits.load(Ordering::Relaxed),
            bind_groups: bind_groups as u64,
            dispatched: self.dispatched.load(Ordering::Relaxed),
        }
    }
}
