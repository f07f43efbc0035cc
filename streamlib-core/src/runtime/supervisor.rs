//! The thread that watches a run: starts the flow when all are ready, ends it, gives up what is stuck.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError};
use crossbeam::sync::Unparker;

use super::events::{Reaction, RunEventKind};
use super::shared::{Event, Phase, Shared};
use crate::port::link::AnyLink;
use crate::time::deadline_after;
use crate::{Error, ErrorKind, GpuContext};

/// How often limits and the watchdog are looked at.
const TICK: Duration = Duration::from_millis(20);

/// How long segments get to end after what waits was thrown away.
const LAST_GRACE: Duration = Duration::from_secs(1);

/// A segment as the supervisor sees it.
pub(super) struct Watched {
    pub(super) thread: Option<JoinHandle<()>>,
    pub(super) waker: Unparker,
    /// Links that leave it, to be ended in its stead if it is stuck.
    pub(super) outgoing: Vec<Arc<dyn AnyLink>>,
    /// Links that come to it, to be closed in its stead if it is stuck.
    pub(super) incoming: Vec<Arc<dyn AnyLink>>,
    pub(super) name: String,
}

pub(super) struct Supervisor {
    pub(super) shared: Arc<Shared>,
    pub(super) events: Receiver<Event>,
    pub(super) segments: Vec<Watched>,
    pub(super) sinks: usize,
    /// For each node its name and patience.
    pub(super) nodes: Vec<(String, Option<Duration>)>,
}

impl Supervisor {
    /// Runs until every segment has ended or was given up. Returns the first error.
    pub(super) fn run(mut self) -> Option<Error> {
        let mut ready = 0;
        let mut satisfied = 0;
        let mut left_out = 0;
        let mut error: Option<Error> = None;
        let mut drain_until: Option<Instant> = None;
        let mut give_up_at: Option<Instant> = None;
        while self.segments.iter().any(|segment| segment.thread.is_some()) {
            match self.events.recv_timeout(TICK) {
                Ok(Event::Ready) => ready += 1,
                Ok(Event::Failed(failure)) => {
                    tracing::debug!(%failure, "a processor failed");
                    error.get_or_insert(failure);
                    self.stop(Phase::Draining, &mut drain_until);
                }
                Ok(Event::SinkSatisfied) => satisfied += 1,
                Ok(Event::LeftOut { error: failure, is_sink }) => {
                    // The others go on; but a run that lacks something has not gone well.
                    error.get_or_insert(failure);
                    left_out += usize::from(is_sink);
                    if left_out == self.sinks {
                        self.stop(Phase::Draining, &mut drain_until);
                    }
                }
                Ok(Event::Finished(segment)) => self.join(segment),
                Ok(Event::Stop(phase)) => self.stop(phase, &mut drain_until),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            if ready == self.segments.len() && self.shared.phase() == Phase::Starting {
                let _ = self.shared.started.set(Instant::now());
                self.shared.advance_to(Phase::Running);
                self.shared.save_gpu_cache_aside();
            }
            let has_all_frames = self.sinks > 0 && satisfied + left_out >= self.sinks;
            let is_over_time = match (self.shared.options.duration, self.shared.started.get()) {
                (Some(duration), Some(started)) => started.elapsed() >= duration,
                _ => false,
            };
            if (has_all_frames || is_over_time) && drain_until.is_none() {
                self.stop(Phase::Draining, &mut drain_until);
            }
            if let Some(stray) = self.shared.opened_gpu().and_then(GpuContext::take_stray_error) {
                error.get_or_insert(stray);
                self.stop(Phase::Draining, &mut drain_until);
            }
            self.give_up_the_stuck(&mut error, &mut drain_until);
            let now = Instant::now();
            if drain_until.is_some_and(|deadline| now >= deadline) && self.shared.phase() < Phase::Discarding {
                tracing::warn!("draining took too long; what waits is discarded");
                self.shared.advance_to(Phase::Discarding);
            }
            if self.shared.phase() == Phase::Discarding && now >= *give_up_at.get_or_insert(now + LAST_GRACE) {
                self.give_up_all(&mut error);
            }
        }
        let _ = self.shared.ended.set(Instant::now());
        self.shared.log.end();
        error
    }

    fn stop(&self, phase: Phase, drain_until: &mut Option<Instant>) {
        drain_until.get_or_insert_with(|| deadline_after(self.shared.options.drain_deadline));
        // A run that has not started yet has nothing to drain, but its sinks are to finish all the same.
        let _ = self.shared.started.set(Instant::now());
        self.shared.advance_to(phase);
    }

    fn join(&mut self, segment: usize) {
        if let Some(thread) = self.segments[segment].thread.take() {
            // Panics of processors are caught within; one of ours must not pass unseen.
            if thread.join().is_err() {
                tracing::error!(segment = self.segments[segment].name, "a segment's thread panicked");
            }
        }
    }

    /// Looks for calls that take longer than their processor allows itself.
    fn give_up_the_stuck(&mut self, error: &mut Option<Error>, drain_until: &mut Option<Instant>) {
        for segment in 0..self.segments.len() {
            if self.segments[segment].thread.is_none() {
                continue;
            }
            let Some((node, took)) = self.shared.activities[segment].current() else { continue };
            let (name, Some(patience)) = &self.nodes[node] else { continue };
            if took < *patience {
                continue;
            }
            let stalled = Error::new(ErrorKind::Stalled, format!("it has not answered for {took:.1?}"))
                .hint("its thread is stuck in the driver and was left behind; reconnect the device and start again")
                .in_node(name.as_str());
            self.note_stall(node, &stalled);
            error.get_or_insert(stalled);
            self.abandon(segment);
            self.stop(Phase::Draining, drain_until);
        }
    }

    /// A stuck thread cannot tell of it itself.
    fn note_stall(&self, node: usize, stalled: &Error) {
        self.shared.meters[node].failed(stalled);
        let kind = RunEventKind::Failed { error: stalled.clone(), reaction: Reaction::Stop };
        self.shared.announce(self.nodes[node].0.as_str().into(), kind);
    }

    /// Everybody had their chance.
    fn give_up_all(&mut self, error: &mut Option<Error>) {
        for segment in 0..self.segments.len() {
            if self.segments[segment].thread.is_none() {
                continue;
            }
            let node = self.shared.activities[segment].current().map(|(node, _)| self.nodes[node].0.clone());
            let name = node.unwrap_or_else(|| self.segments[segment].name.clone());
            let stuck = Error::new(ErrorKind::Stalled, "it did not stop in time and its thread was left behind")
                .hint("a processor must return at least every 100 ms when the run is stopping")
                .in_node(name);
            error.get_or_insert(stuck);
            self.abandon(segment);
        }
    }

    /// Leaves a thread behind, so that the others can come to their end.
    fn abandon(&mut self, segment: usize) {
        let watched = &mut self.segments[segment];
        tracing::error!(segment = watched.name, "a thread is stuck and was left behind");
        drop(watched.thread.take());
        watched.outgoing.iter().for_each(|link| link.end());
        watched.incoming.iter().for_each(|link| link.close());
        self.segments.iter().for_each(|segment| segment.waker.unpark());
    }
}
