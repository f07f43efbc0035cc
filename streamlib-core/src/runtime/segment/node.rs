//! A node as its segment's thread runs it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Error;
use crate::port::link::AnyLink;
use crate::processor::{FailurePolicy, NodePorts, Processor};

use super::join::Join;

pub(in crate::runtime) struct Node {
    pub(super) processor: Box<dyn Processor>,
    pub(super) ports: NodePorts,
    pub(super) is_sink: bool,
    /// Whether the plan has put it there.
    pub(super) is_inserted: bool,
    pub(super) policy: FailurePolicy,
    pub(super) join: Join,
    pub(super) state: NodeState,
    /// Whether it is among those that were called since the last submission.
    pub(super) touched: bool,
    pub(super) processed: u64,
    /// Whether it has recorded GPU work since the last submission.
    pub(super) has_recorded: bool,
    /// Whether its inputs keep what was taken last.
    pub(super) keeps_taken: bool,
    /// Failures in a row.
    pub(super) failures: u32,
    /// When it was set up, and what it had processed then.
    pub(super) well_since: (Instant, u64),
    /// Why it is away.
    pub(super) failure: Option<Error>,
}

/// Where a node comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::runtime) enum NodeKind {
    /// The graph names it. A filter gives what it takes.
    Named { is_filter: bool },
    /// The plan has put it there: a filter.
    Inserted,
}

impl NodeKind {
    fn is_filter(self) -> bool {
        matches!(self, Self::Named { is_filter: true } | Self::Inserted)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NodeState {
    Running,
    /// It failed; what it would take goes through.
    Bypassed,
    /// It failed and is set up again at this time.
    Away(Instant),
    /// It wants nothing more, but was not told to finish yet.
    Ended,
    /// `finish` was called, or it failed; it is not called any more.
    Over,
}

impl Node {
    /// How long one call may take.
    pub(in crate::runtime) fn patience(&self) -> Option<Duration> {
        self.processor.patience()
    }

    pub(in crate::runtime) fn new(
        processor: Box<dyn Processor>,
        ports: NodePorts,
        is_sink: bool,
        kind: NodeKind,
        policy: FailurePolicy,
        join: Join,
    ) -> Self {
        let keeps_taken = matches!(policy, FailurePolicy::Bypass | FailurePolicy::Skip) && kind.is_filter();
        let node = Self {
            processor,
            ports,
            is_sink,
            is_inserted: kind == NodeKind::Inserted,
            policy,
            join,
            state: NodeState::Running,
            touched: false,
            processed: 0,
            has_recorded: false,
            keeps_taken,
            failures: 0,
            well_since: (Instant::now(), 0),
            failure: None,
        };
        node.inputs().for_each(|link| link.keep_taken(keeps_taken));
        node
    }

    pub(super) fn inputs(&self) -> impl Iterator<Item = &Arc<dyn AnyLink>> {
        self.ports.inputs.iter().flatten()
    }

    pub(super) fn outputs(&self) -> impl Iterator<Item = &Arc<dyn AnyLink>> {
        self.ports.outputs.iter().flatten()
    }

    pub(super) fn has_message(&self) -> bool {
        self.inputs().any(|link| link.has_message())
    }

    pub(super) fn is_source(&self) -> bool {
        self.inputs().next().is_none()
    }

    /// Whether messages go through it, by its own doing or past it.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, NodeState::Running | NodeState::Bypassed)
    }

    /// It was set up and begins to work.
    pub(super) fn begin(&mut self) {
        self.well_since = (Instant::now(), self.processed);
        self.failure = None;
    }

    /// Whether it has worked for so long since it was set up, and not only waited.
    pub(super) fn was_well_for(&self, time: Duration) -> bool {
        let (since, processed) = self.well_since;
        self.state == NodeState::Running && self.processed > processed && since.elapsed() >= time
    }

    /// Whether nobody wants what it makes.
    pub(super) fn is_unwanted(&self) -> bool {
        !self.is_sink && self.outputs().all(|link| link.is_closed())
    }

    pub(super) fn arrived(&self) -> u64 {
        self.inputs().map(|link| link.arrived()).sum()
    }
}
