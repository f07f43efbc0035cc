//! A run under way, and its end.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::shared::{Event, Phase, Shared};
use super::{Events, LinkStatistics, Statistics, Stop};
use crate::graph::cannot_be_switched;
use crate::plan::{Plan, Role};
use crate::port::link::AnyLink;
use crate::time::deadline_after;
use crate::{Error, ErrorKind, GpuContext, LeaseReport, Result};

/// How a run ended, once it has.
#[derive(Default)]
pub(super) struct Outcome {
    error: Mutex<Option<Option<Error>>>,
    changed: Condvar,
}

impl Outcome {
    pub(super) fn set(&self, error: Option<Error>) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.changed.notify_all();
    }

    /// `None` when the run goes on after `timeout`.
    fn wait(&self, timeout: Option<Duration>) -> Option<Result<()>> {
        let deadline = timeout.map(deadline_after);
        let mut ended = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(error) = &*ended {
                return Some(error.clone().map_or(Ok(()), Err));
            }
            ended = match deadline {
                None => self.changed.wait(ended).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.changed.wait_timeout(ended, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

/// A graph that is running. Dropping it lets the run go on; [`wait`](Self::wait) for its end.
pub struct Running {
    pub(super) shared: Arc<Shared>,
    pub(super) plan: Plan,
    pub(super) links: Vec<Arc<dyn AnyLink>>,
    pub(super) outcome: Arc<Outcome>,
    pub(super) supervisor: Mutex<Option<JoinHandle<()>>>,
}

impl Running {
    /// How it runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What it has done so far. Every link's account adds up at any moment.
    pub fn statistics(&self) -> Statistics {
        let end = self.shared.ended.get().copied().unwrap_or_else(Instant::now);
        let seconds = self.shared.started.get().map_or(0.0, |started| end.saturating_duration_since(*started).as_secs_f64());
        let nodes = self.plan.nodes.iter().zip(&self.shared.meters);
        let links = self.plan.links.iter().zip(&self.links);
        Statistics {
            version: env!("CARGO_PKG_VERSION"),
            seconds,
            unix_origin_ns: self.shared.clock.unix_origin_nanos(),
            latency_ms: nodes.clone().filter_map(|(node, meter)| Some((node.name.clone(), meter.latency()?))).collect(),
            nodes: nodes.map(|(node, meter)| (node.name.clone(), meter.statistics())).collect(),
            links: links
                .map(|(planned, link)| {
                    (planned.name.clone(), LinkStatistics { counts: link.counts(), policy: planned.transport.to_string() })
                })
                .collect::<BTreeMap<_, _>>(),
            gpu: self.shared.opened_gpu().map(GpuContext::statistics),
        }
    }

    /// Sets parameters of a node from any thread: `running.set_parameters("bouncing-ball", json!({ "radius": 0.1 }))`. What
    /// `changes`, a JSON object, does not name stays as it is.
    ///
    /// Names, types, ranges and what the processor itself checks are checked now; the processor takes the values between two
    /// frames, never in the middle of one. Fails with [`ErrorKind::InvalidArgument`] and changes nothing if a value cannot be,
    /// or cannot be set while the graph runs. What a device refuses later is an event ([`RunEventKind::ParametersRefused`](super::RunEventKind::ParametersRefused)).
    pub fn set_parameters(&self, node: &str, changes: impl serde::Serialize) -> Result<()> {
        let changes = serde_json::to_value(changes).map_err(|error| {
            Error::new(ErrorKind::InvalidArgument, "the parameters cannot be written as JSON").caused_by(error).in_node(node)
        })?;
        let index = self.find(node)?;
        self.shared.set_parameters(index, &changes).map_err(|error| error.in_node(node))
    }

    /// Switches a filter off, so that what it takes goes through unchanged, or on again: from the next message on. Fails for nodes that do not give
    /// what they take.
    pub fn set_enabled(&self, node: &str, enabled: bool) -> Result<()> {
        let index = self.find(node)?;
        match (&self.shared.switches[index], &self.plan.nodes[index].role) {
            (Some(switch), _) => switch.store(enabled, Ordering::Relaxed),
            (None, Role::Draw { shaders, .. }) => {
                let names = shaders.iter().map(|shader| &*self.plan.nodes[*shader].name).collect::<Vec<_>>().join(", ");
                let message = "it cannot be switched: the plan has inserted it to draw pixel shaders";
                return Err(Error::new(ErrorKind::InvalidArgument, message).hint(format!("switch {names}")).in_node(node));
            }
            (None, _) => return Err(cannot_be_switched(node)),
        }
        Ok(())
    }

    /// Whether a node is switched on.
    pub fn is_enabled(&self, node: &str) -> Result<bool> {
        Ok(!self.shared.is_off(self.find(node)?))
    }

    /// The parameters of a node as they were set last.
    pub fn parameters(&self, node: &str) -> Result<serde_json::Value> {
        self.shared.tuners[self.find(node)?].values().map_err(|error| error.in_node(node))
    }

    fn find(&self, node: &str) -> Result<usize> {
        self.plan.nodes.iter().position(|planned| planned.name == node).ok_or_else(|| {
            let theirs = self.plan.nodes.iter().filter(|planned| matches!(planned.role, Role::Processor(_)));
            let names = theirs.take(20).map(|planned| &*planned.name).collect::<Vec<_>>().join(", ");
            Error::new(ErrorKind::NotFound, format!("there is no node '{node}'")).hint(format!("there is: {names}"))
        })
    }

    /// What happens to its processors: failures, restarts, refused parameters. From the beginning of the run.
    pub fn events(&self) -> Events {
        Events { log: self.shared.log.clone(), next: 0 }
    }

    /// Which textures are out, taken by which node, held how long.
    pub fn leases(&self) -> Vec<LeaseReport> {
        self.shared.opened_gpu().map(GpuContext::leases).unwrap_or_default()
    }

    /// Asks the run to end. Returns at once; [`wait`](Self::wait) for it.
    pub fn stop(&self, how: Stop) {
        self.shared.tell(Event::Stop(match how {
            Stop::Drain => Phase::Draining,
            Stop::Discard => Phase::Discarding,
        }));
    }

    /// Sources rest until [`resume`](Self::resume); what is under way goes on to the sinks.
    pub fn pause(&self) {
        self.shared.set_paused(true);
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.shared.set_paused(false);
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.outcome.wait(Some(Duration::ZERO)).is_some()
    }

    /// Blocks until it has ended, at most for `timeout`. Whether it has.
    pub fn wait_for(&self, timeout: Duration) -> bool {
        self.outcome.wait(Some(timeout)).is_some()
    }

    /// Blocks until the last of its threads has gone, a moment after it has ended: what they hold of the GPU is let go of by then. A program
    /// that ends while a thread is in the driver may crash there.
    pub fn join(&self) {
        let supervisor = self.supervisor.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(supervisor) = supervisor {
            // Its panic is the run's error.
            let _ = supervisor.join();
        }
    }

    /// How it ended; `None` while it goes on.
    pub fn outcome(&self) -> Option<Result<()>> {
        self.outcome.wait(Some(Duration::ZERO))
    }

    /// Blocks until it has ended. Returns what it did, and the first error if there was one: statistics are worth having then
    /// too.
    pub fn wait(self) -> (Statistics, Result<()>) {
        let outcome = self.outcome.wait(None).unwrap_or(Ok(()));
        self.join();
        (self.statistics(), outcome)
    }
}
