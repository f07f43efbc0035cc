//! Parameters on their way from whoever sets them to the thread that runs the processor.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::parameters::merge;
use crate::{Context, Error, ErrorKind, Result, Tunable, Tuning};

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

    /// What the node is to take.
    pub(crate) fn take(&self) -> Option<Waiting> {
        let mut state = self.state();
        let waiting = std::mem::take(&mut state.waiting);
        let tuning = state.tuning.as_ref().filter(|_| !waiting.is_empty())?;
        let mut values = tuning.values().clone();
        let (mut changes, mut refusals) = (Vec::new(), Vec::new());
        for change in waiting {
            // It was possible when it was set, but one before it may have been refused since.
            match tuning.changed(&values, &change) {
                Ok(changed) => {
                    values = changed;
                    changes.push(change);
                }
                Err(refused) => refusals.push(refused),
            }
        }
        Some(Waiting { values, changes, refusals })
    }

    /// The node has taken or refused what it was given: these values are in force.
    pub(crate) fn settle(&self, mut tuning: Tuning) {
        let mut state = self.state();
        if let Some(before) = state.tuning.take() {
            tuning.inherit(before);
        }
        state.tuning = Some(tuning);
        state.recall();
    }

    /// The node has failed over what it was given: the values before are in force.
    pub(crate) fn revert(&self) {
        self.state().recall();
    }
}

impl State {
    /// Finds out anew what is wanted.
    fn recall(&mut self) {
        let Some(tuning) = &self.tuning else { return };
        let values = tuning.values().clone();
        self.wanted = self.waiting.iter().fold(values, |values, changes| tuning.changed(&values, changes).unwrap_or(values));
    }
}

/// Changes that a node has not been told yet.
pub(crate) struct Waiting {
    /// The values with all of them.
    values: Value,
    changes: Vec<Value>,
    /// Of those that cannot be any more.
    refusals: Vec<Error>,
}

impl Waiting {
    /// Has the node take all at once; if it refuses, one by one, so that one which it does not like takes no other with it.
    /// Returns what it refused.
    pub(crate) fn apply(self, tunable: &mut dyn Tunable, cx: &mut Context<'_>) -> Vec<Error> {
        self.apply_with(|values| match values {
            Some(values) => tunable.tune(values, cx).map(|()| tunable.tuning()),
            None => Ok(tunable.tuning()),
        })
    }

    /// `tune` takes values and returns what is in force then; without values, what is in force.
    fn apply_with(self, mut tune: impl FnMut(Option<&Value>) -> Result<Tuning>) -> Vec<Error> {
        let mut refusals = self.refusals;
        match (tune(Some(&self.values)), &self.changes[..]) {
            (Ok(_), _) => {}
            (Err(refused), [_]) => refusals.push(refused),
            (Err(_), changes) => {
                for change in changes {
                    let changed = tune(None).and_then(|tuning| tuning.changed(tuning.values(), change));
                    refusals.extend(changed.and_then(|values| tune(Some(&values))).err());
                }
            }
        }
        refusals
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
    use crate::Described;

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

    /// A processor that has these values and refuses some.
    fn apply(tuner: &Tuner, span: &mut Span, is_refused: impl Fn(Span) -> bool) -> usize {
        let refusals = tuner.take().unwrap().apply_with(|values| {
            if let Some(values) = values {
                let wanted = serde_json::from_value(values.clone()).unwrap();
                if is_refused(wanted) {
                    return Err(no_parameters());
                }
                *span = wanted;
            }
            Ok(span.tuning())
        });
        tuner.settle(span.tuning());
        refusals.len()
    }

    #[test]
    fn what_the_processor_refuses_does_not_take_other_changes_with_it() {
        let (tuner, mut span) = (tuner(), Span::default());
        for changes in [json!({ "high": 9 }), json!({ "low": 5 }), json!({ "high": 7 })] {
            tuner.set(&changes).unwrap();
        }
        assert_eq!(tuner.values().unwrap(), json!({ "low": 5, "high": 7 }));
        assert_eq!(apply(&tuner, &mut span, |wanted| wanted.low == 5), 1);
        assert_eq!(tuner.values().unwrap(), json!({ "low": 0, "high": 7 }), "what is in force");
        assert!(tuner.take().is_none());
    }

    #[test]
    fn what_needed_a_refused_change_is_refused_too() {
        let (tuner, mut span) = (tuner(), Span::default());
        tuner.set(&json!({ "high": 9 })).unwrap();
        tuner.set(&json!({ "low": 5 })).unwrap();
        assert_eq!(apply(&tuner, &mut span, |wanted| wanted.high == 9), 2);
        assert_eq!(tuner.values().unwrap(), json!({ "low": 0, "high": 0 }));
    }

    #[test]
    fn what_was_set_meanwhile_still_waits() {
        let (tuner, mut span) = (tuner(), Span::default());
        tuner.set(&json!({ "high": 9 })).unwrap();
        let waiting = tuner.take().unwrap();
        tuner.set(&json!({ "low": 5 })).unwrap();
        assert!(waiting.apply_with(|_| Ok(span.tuning())).is_empty());
        // It failed over it.
        tuner.revert();
        assert_eq!(tuner.values().unwrap(), json!({ "low": 0, "high": 0 }), "5 cannot be without 9");
        assert_eq!(apply(&tuner, &mut span, |wanted| wanted.low > wanted.high), 1);
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes under Miri")]
    fn changes_that_nobody_takes_do_not_pile_up() {
        let tuner = tuner();
        for high in 0..10 * MOST_WAITING {
            tuner.set(&json!({ "high": high })).unwrap();
        }
        let waiting = tuner.take().unwrap();
        assert_eq!(waiting.changes.len(), MOST_WAITING);
        assert_eq!(waiting.values, json!({ "low": 0, "high": 10 * MOST_WAITING - 1 }));
    }
}
