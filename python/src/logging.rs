//! What the engine says through `tracing`, on its way to Python's `logging`: through a queue, so that no thread of the engine takes the
//! interpreter's lock.

use std::fmt::Write;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded};
use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

/// How many records wait for Python; what comes beyond that is counted and dropped.
const CAPACITY: usize = 1024;

/// A target, a level as `logging` numbers it, a message.
type Record = (String, u8, String);

/// The sending end goes when no more is to come.
type Queue = (Mutex<Option<Sender<Record>>>, Receiver<Record>);

static QUEUE: OnceLock<Queue> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);
/// The lowest level that Python wants, as `logging` numbers it.
static WANTED: AtomicU8 = AtomicU8::new(u8::MAX);

struct ToPython;

fn number(level: &Level) -> u8 {
    match *level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG => 10,
        Level::TRACE => 5,
    }
}

/// What `logging` calls a module of ours, under `streamlib`: `streamlib.core.runtime` is `streamlib_core::runtime`.
fn logger(target: &str) -> Option<String> {
    let (name, module) = target.split_once("::").unwrap_or((target, ""));
    let name = match name {
        "_native" => "streamlib.python",
        "streamlib_core" => "streamlib.core",
        "streamlib_processors" => "streamlib.processors",
        "streamlib" => "streamlib",
        _ => return None,
    };
    Some(if module.is_empty() { name.into() } else { format!("{name}.{}", module.replace("::", ".")) })
}

impl<S: Subscriber> Layer<S> for ToPython {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        logger(metadata.target()).is_some() && number(metadata.level()) >= WANTED.load(Ordering::Relaxed)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let Some(logger) = logger(event.metadata().target()) else { return };
        let record = (logger, number(event.metadata().level()), text.message + &text.fields);
        let Some((sender, _)) = QUEUE.get() else { return };
        let sent = sender.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|sender| sender.try_send(record));
        if matches!(sent, Some(Err(_))) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

/// Says which records Python wants: those of this level of `logging`'s and above.
#[pyfunction]
pub(crate) fn set_log_level(level: u8) {
    QUEUE.get_or_init(|| {
        let (sender, receiver) = bounded(CAPACITY);
        // A program that embeds Python may have a subscriber of its own.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(ToPython));
        (Mutex::new(Some(sender)), receiver)
    });
    WANTED.store(level, Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
}

/// The next record, `(logger, level, message)`, once there is one; `None` when there will be none any more. Waits without the
/// interpreter's lock.
#[pyfunction]
pub(crate) fn next_log(py: Python<'_>) -> Option<Record> {
    let (_, receiver) = QUEUE.get()?;
    let dropped = DROPPED.swap(0, Ordering::Relaxed);
    if dropped > 0 {
        return Some((
            "streamlib".into(),
            30,
            format!("{dropped} log records were dropped: they came faster than they were written"),
        ));
    }
    py.detach(|| {
        // In steps, so that what was dropped meanwhile is told.
        loop {
            match receiver.recv_timeout(Duration::from_secs(3600)) {
                Ok(record) => return Some(record),
                Err(crossbeam::channel::RecvTimeoutError::Timeout) => {}
                Err(crossbeam::channel::RecvTimeoutError::Disconnected) => return None,
            }
        }
    })
}

/// Ends the queue: `next_log` gives what is left, then `None`.
#[pyfunction]
pub(crate) fn stop_logging() {
    if let Some((sender, _)) = QUEUE.get() {
        sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
    WANTED.store(u8::MAX, Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
}
