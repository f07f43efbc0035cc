//! What happens to the processors of a run, as Python is told of it.

use std::sync::Arc;
use std::time::Duration;

use streamlib::{Error, Reaction, RunEventKind, Running};

/// An event as Python is told of it.
#[derive(Clone)]
pub(crate) struct Happened {
    pub(crate) time: i64,
    pub(crate) node: Arc<str>,
    pub(crate) what: &'static str,
    pub(crate) reaction: Option<&'static str>,
    pub(crate) failures: Option<u32>,
    pub(crate) error: Option<Error>,
}

impl Happened {
    pub(crate) fn all(run: &Running) -> Vec<Self> {
        let mut events = run.events();
        std::iter::from_fn(|| events.next(Duration::ZERO)).map(Self::of).collect()
    }

    fn of(event: streamlib::RunEvent) -> Self {
        let mut happened =
            Self { time: event.time.as_nanos(), node: event.node, what: "other", reaction: None, failures: None, error: None };
        match event.kind {
            RunEventKind::Failed { error, reaction } => {
                happened.what = "failed";
                happened.error = Some(error);
                happened.reaction = Some(match reaction {
                    Reaction::Stop => "stop",
                    Reaction::Bypass => "bypass",
                    Reaction::Skip => "skip",
                    Reaction::RestartAfter(_) => "restart",
                    Reaction::GiveUp => "give up",
                });
            }
            RunEventKind::Restarted { failures } => {
                happened.what = "restarted";
                happened.failures = Some(failures);
            }
            RunEventKind::ParametersRefused { error } => {
                happened.what = "parameters refused";
                happened.error = Some(error);
            }
            _ => {}
        }
        happened
    }
}
