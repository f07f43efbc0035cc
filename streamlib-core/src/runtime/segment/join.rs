//! When a processor of several inputs has what it waits for.

use std::sync::Arc;
use std::time::Duration;

use crate::port::counts::DropReason;
use crate::port::link::{AnyLink, Waiting};
use crate::port::{InputSpec, Pairing};
use crate::{Error, ErrorKind, Result, Timestamp};

/// What a node waits for before it is called.
#[derive(Default)]
pub(in crate::runtime) struct Join {
    /// Inputs whose messages are no reason to call it.
    passive: Vec<usize>,
    /// Inputs that are aligned, with their tolerances.
    aligned: Vec<(usize, Duration)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    Ready,
    Waiting,
    /// What it waits for will never come.
    Never,
}

type Inputs = [Option<Arc<dyn AnyLink>>];

impl Join {
    pub(in crate::runtime) fn new(inputs: &[InputSpec]) -> Self {
        let mut join = Self::default();
        for (index, input) in inputs.iter().enumerate() {
            match input.pairing {
                Pairing::Each => {}
                Pairing::Latest => join.passive.push(index),
                Pairing::Aligned { tolerance } => join.aligned.push((index, tolerance)),
            }
        }
        if join.passive.len() == inputs.len() {
            join.passive.clear();
        }
        join
    }

    /// Whether the node is to be called. Drops what will never have a partner.
    pub(super) fn readiness(&self, inputs: &Inputs, is_offline: bool) -> Result<Readiness> {
        // Inputs that are neither aligned nor passive call it in any case.
        let is_free = |index: &usize| !self.passive.contains(index) && !self.aligned.iter().any(|(input, _)| input == index);
        let mut free = inputs.iter().enumerate().filter(|(index, _)| is_free(index)).filter_map(|(_, link)| link.as_ref());
        if free.clone().any(|link| link.has_message()) {
            return Ok(Readiness::Ready);
        }
        let has_free = free.clone().next().is_some();
        let free_is_over = free.all(|link| link.is_exhausted());
        let aligned = self.align(inputs, is_offline)?;
        Ok(match aligned {
            Some(Readiness::Ready) => Readiness::Ready,
            Some(Readiness::Waiting) => Readiness::Waiting,
            Some(Readiness::Never) | None if !has_free || free_is_over => Readiness::Never,
            _ => Readiness::Waiting,
        })
    }

    /// `None` when no connected input is aligned.
    fn align(&self, inputs: &Inputs, is_offline: bool) -> Result<Option<Readiness>> {
        let links = || self.aligned.iter().filter_map(|(input, tolerance)| Some((inputs[*input].as_ref()?, *tolerance)));
        if links().next().is_none() {
            return Ok(None);
        }
        let readiness = loop {
            if let Some((missing, _)) = links().find(|(link, _)| !link.has_message()) {
                if !missing.is_exhausted() {
                    break Readiness::Waiting;
                }
                links().filter(|(link, _)| link.has_message()).for_each(|(link, _)| link.drop_first(DropReason::Unmatched));
                if links().all(|(link, _)| !link.has_message()) {
                    break Readiness::Never;
                }
                continue;
            }
            let mut newest = None;
            for (link, _) in links() {
                newest = newest.max(time_of(link.waiting())?);
            }
            let Some(newest) = newest else { break Readiness::Waiting };
            let mut has_dropped = false;
            let mut may_improve = false;
            for (link, tolerance) in links() {
                let waiting = link.waiting();
                let behind = newest.saturating_since(time_of(waiting)?.unwrap_or(newest));
                let next_is_nearer = waiting.second.is_some_and(|second| distance(second, newest) < behind);
                if behind > tolerance || next_is_nearer {
                    link.drop_first(DropReason::Unmatched);
                    has_dropped = true;
                }
                let is_last = waiting.messages == 1 && !waiting.is_full && !link.has_ended();
                may_improve |= is_offline && !behind.is_zero() && is_last;
            }
            match (has_dropped, may_improve) {
                (true, _) => {}
                (false, true) => break Readiness::Waiting,
                (false, false) => break Readiness::Ready,
            }
        };
        Ok(Some(readiness))
    }
}

/// The time of the first message; `None` if it was taken away meanwhile, because the run gave this thread up.
fn time_of(waiting: Waiting) -> Result<Option<Timestamp>> {
    if waiting.messages > 0 && waiting.first.is_none() {
        return Err(Error::new(ErrorKind::InvalidGraph, "a message without a time came to an aligned input")
            .hint("give its type a time (`Message::time`; in Python a field `time`, in nanoseconds), or let the input take the newest message (pairing `latest`)"));
    }
    Ok(waiting.first)
}

fn distance(a: Timestamp, b: Timestamp) -> Duration {
    a.saturating_since(b).max(b.saturating_since(a))
}
