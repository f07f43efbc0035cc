//! Ctrl-C and SIGTERM: the first drains, the second ends at once.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, Once, PoisonError, Weak};

use super::shared::{Event, Phase, Shared};

/// The exit status of a program that was interrupted, by custom 128 + SIGINT.
const INTERRUPTED: i32 = 130;

static RUNS: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());
static SIGNALS: AtomicU32 = AtomicU32::new(0);
static INSTALL: Once = Once::new();

/// Lets signals stop this run. Replaces what the program does on them: a shell that starts it in the background has it ignore
/// Ctrl-C, which must not take SIGTERM away as well.
pub(super) fn stop_on_signals(run: Weak<Shared>) {
    INSTALL.call_once(|| {
        if let Err(error) = ctrlc::set_handler(on_signal) {
            tracing::warn!(%error, "signals will not stop the graph");
        }
    });
    let mut runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    runs.retain(|run| run.strong_count() > 0);
    SIGNALS.store(0, Ordering::Relaxed);
    runs.push(run);
}

/// Runs on a thread of its own.
fn on_signal() {
    let runs: Vec<_> = RUNS.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect();
    if SIGNALS.fetch_add(1, Ordering::Relaxed) > 0 || runs.is_empty() {
        std::process::exit(INTERRUPTED);
    }
    for run in runs {
        run.tell(Event::Stop(Phase::Draining));
    }
}
