//! Parameters on their way from whoever sets them to the thread that runs the processor.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::{Error, ErrorKind, Result, Tuning};

/// The parameters of one node of a run.
#[derive(Default)]
pub(crate) struct Tuner(Mutex<State>);

#[derive(Default)]
struct State {
    /// `None`: they cannot be set while it runs.
    tuning: Option<Tuning>,
    is_pending: bool,
}

impl Tuner {
    pub(crate) fn new(tuning: Option<Tuning>) -> Self {
        Self(Mutex::new(State { tuning, is_pending: false }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks changes and keeps them for the node's thread.
    pub(crate) fn set(&self, changes: &Value) -> Result<()> {
        let mut state = self.state();
        let tuning = state.tuning.as_mut().ok_or_else(no_parameters)?;
        let values = tuning.changed(changes)?;
        tuning.set_values(values);
        state.is_pending = true;
        Ok(())
    }

    /// The values, those included that were set and not taken yet.
    pub(crate) fn values(&self) -> Result<Value> {
        self.state().tuning.as_ref().map(|tuning| tuning.values().clone()).ok_or_else(no_parameters)
    }

    /// Values that the node is to take, once.
    pub(crate) fn take_pending(&self) -> Option<Value> {
        let mut state = self.state();
        if !std::mem::take(&mut state.is_pending) {
            return None;
        }
        state.tuning.as_ref().map(|tuning| tuning.values().clone())
    }

    /// The node did not take them: these are in force.
    pub(crate) fn reset(&self, tuning: Option<Tuning>) {
        let mut state = self.state();
        if !state.is_pending {
            state.tuning = tuning;
        }
    }
}

fn no_parameters() -> Error {
    Error::new(ErrorKind::InvalidArgument, "it has no parameters that can be set while it runs")
        .hint("a processor that implements `Described` and returns `Some(self)` from `tunable` has them")
}
