//! Parameters on their way from whoever sets them to the thread that runs the processor.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::parameters::merge;
use crate::{Error, ErrorKind, Result, Tuning};

/// Changes that wait for a node's thread. Beyond that (it may be paused for hours) new ones join the last.
const MOST_WAITING: usize = 64;

/// The parameters of one node of a run.
#[derive(Default)]
pub(crate) struct Tuner(Mutex<State>);

#[derive(Default)]
struct State {
    /// With the values that are in force. `None`: they cannot be set while it runs.
    tuning: Option<Tuning>,
    /// Changes that the node has not been told yet, oldest first. Each was possible after those before it.
    waiting: VecDeque<Value>,
    /// The values with those changes.
    wanted: Value,
}

impl Tuner {
    pub(crate) fn new(tuning: Option<Tuning>) -> Self {
        let wanted = tuning.as_ref().map(|tuning| tuning.values().clone()).unwrap_or_default();
        Self(Mutex::new(State { tuning, waiting: VecDeque::new(), wanted }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks changes and keeps them for the node's thread.
    pub(crate) fn set(&self, changes: &Value) -> Result<()> {
        let mut state = self.state();
        let tuning = state.tuning.as_ref().ok_or_else(no_parameters)?;
        state.wanted = tuning.changed(&state.wanted, changes)?;
        if state.waiting.len() < MOST_WAITING {
            state.waiting.push_back(changes.clone());
        } else if let Some(last) = state.waiting.back_mut() {
            merge(last, changes);
        }
        Ok(())
    }

    /// The values, those included that were set and not taken yet.
    pub(crate) fn values(&self) -> Result<Value> {
        let state = self.state();
        if state.tuning.is_some() { Ok(state.wanted.clone()) } else { Err(no_parameters()) }
    }

    /// The values with the change that the node is to take next; an error where one before it was refused, and without that one
    /// it cannot be.
    pub(crate) fn next(&self) -> Option<Result<Value>> {
        let mut state = self.state();
        let changes = state.waiting.pop_front()?;
        state.tuning.as_ref().map(|tuning| tuning.changed(tuning.values(), &changes))
    }

    /// The node has taken or refused values: these are in force.
    pub(crate) fn settle(&self, tuning: Tuning) {
        let mut state = self.state();
        let values = tuning.values().clone();
        state.wanted = state.waiting.iter().fold(values, |values, changes| tuning.changed(&values, changes).unwrap_or(values));
        state.tuning = Some(tuning);
    }
}

fn no_parameters() -> Error {
    Error::new(ErrorKind::InvalidArgument, "it has no parameters that can be set while it runs")
        .hint("a processor that implements `Described` and returns `Some(self)` from `tunable` has them")
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;
    use crate::{Context, Described, Tunable};

    #[derive(Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
    struct Span {
        low: u32,
        high: u32,
    }

    impl Described for Span {
        type Parameters = Self;
        const NAME: &'static str = "span";
        const SUMMARY: &'static str = "";

        fn from_parameters(parameters: Self) -> Result<Self> {
            Ok(parameters)
        }
        fn check(parameters: &Self) -> Result<()> {
            match parameters.low <= parameters.high {
                true => Ok(()),
                false => Err(Error::new(ErrorKind::InvalidArgument, "low is above high")),
            }
        }
        fn parameters(&self) -> &Self {
            self
        }
        fn set_parameters(&mut self, _: Self, _: &mut Context<'_>) -> Result<()> {
            Ok(())
        }
    }

    fn tuner() -> Tuner {
        Tuner::new(Some(Span::default().tuning()))
    }

    /// Has the processor take what is next.
    fn take(tuner: &Tuner) -> Value {
        let values = tuner.next().unwrap().unwrap();
        tuner.settle(serde_json::from_value::<Span>(values.clone()).unwrap().tuning());
        values
    }

    #[test]
    fn what_the_processor_refuses_does_not_take_later_changes_with_it() {
        let tuner = tuner();
        for changes in [json!({ "high": 9 }), json!({ "low": 5 }), json!({ "high": 7 })] {
            tuner.set(&changes).unwrap();
        }
        assert_eq!(tuner.values().unwrap(), json!({ "low": 5, "high": 7 }));
        assert_eq!(take(&tuner), json!({ "low": 0, "high": 9 }));
        // It refuses the second: what is in force stays so.
        assert_eq!(tuner.next().unwrap().unwrap(), json!({ "low": 5, "high": 9 }));
        tuner.settle(Span { low: 0, high: 9 }.tuning());
        assert_eq!(tuner.values().unwrap(), json!({ "low": 0, "high": 7 }));
        assert_eq!(take(&tuner), json!({ "low": 0, "high": 7 }));
        assert!(tuner.next().is_none());
    }

    #[test]
    fn what_needed_a_refused_change_is_refused_too() {
        let tuner = tuner();
        tuner.set(&json!({ "high": 9 })).unwrap();
        tuner.set(&json!({ "low": 5 })).unwrap();
        assert!(tuner.next().unwrap().is_ok());
        tuner.settle(Span::default().tuning());
        assert!(tuner.next().unwrap().is_err());
        assert_eq!(tuner.values().unwrap(), json!({ "low": 0, "high": 0 }));
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes under Miri")]
    fn changes_that_nobody_takes_do_not_pile_up() {
        let tuner = tuner();
        for high in 0..10 * MOST_WAITING {
            tuner.set(&json!({ "high": high })).unwrap();
        }
        let taken: Vec<_> = std::iter::from_fn(|| tuner.next()?.ok()).collect();
        assert_eq!(taken.len(), MOST_WAITING);
        assert_eq!(taken.last(), Some(&json!({ "low": 0, "high": 10 * MOST_WAITING - 1 })));
    }
}
