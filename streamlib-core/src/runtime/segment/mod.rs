//! A segment's thread: takes a frame, runs its processors in order into one encoder, submits once.

mod call;
mod deliveries;
mod failure;
mod join;
mod node;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::environment::SegmentEnvironment;
use super::shared::{Event, Phase, Shared};
use crate::gpu::attend_errors;
use crate::plan::Mode;
use crate::port::counts::DropReason;
use crate::port::link::AnyLink;
use crate::processor::{FailurePolicy, Flow};
use crate::{Error, ErrorKind, FrameEncoder, Result};

pub(super) use join::Join;
use join::Readiness;
use node::NodeState;
pub(super) use node::{Node, NodeKind};

/// What one turn of the loop came to.
enum Turn {
    /// Something was done; go on.
    Again,
    /// Nothing to do; sleep until woken.
    Sleep,
    /// The head will never do anything again.
    Over,
}

pub(super) struct Segment {
    number: usize,
    nodes: Vec<Node>,
    /// Links to other segments.
    leaving: Vec<Arc<dyn AnyLink>>,
    environment: SegmentEnvironment,
    encoder: Option<FrameEncoder>,
    /// The nodes that were called since the last submission, in the order of their first call.
    touched: Vec<usize>,
    /// The nodes that have recorded GPU work since the last submission.
    recorded: Vec<usize>,
    /// How many nodes wait to be set up again.
    away: usize,
    waits_for_restart: bool,
    /// Whether a node failed in this turn: what it did not take still waits.
    has_failed: bool,
    /// How many inputs of the run had been closed when it was last looked whether all nodes are still wanted.
    closures: u64,
    /// Whether a source asked last time whether there is room; if not, it is waited for in its stead.
    asks_for_room: bool,
    /// Since when nothing has been done, where a node wants to know.
    idle_since: Instant,
    /// How often parameters of the run had been set when it was last looked for them.
    tuned: u64,
}

impl Segment {
    pub(super) fn new(number: usize, nodes: Vec<Node>, leaving: Vec<Arc<dyn AnyLink>>, shared: Arc<Shared>) -> Self {
        Self {
            number,
            touched: Vec::with_capacity(nodes.len()),
            recorded: Vec::with_capacity(nodes.len()),
            nodes,
            leaving,
            environment: SegmentEnvironment::new(shared),
            encoder: None,
            away: 0,
            waits_for_restart: false,
            has_failed: false,
            closures: 0,
            asks_for_room: false,
            idle_since: Instant::now(),
            tuned: 0,
        }
    }

    pub(super) fn waker(&self) -> crossbeam::sync::Unparker {
        self.environment.parker.unparker().clone()
    }

    fn shared(&self) -> &Shared {
        &self.environment.shared
    }

    /// The thread's whole life. Whatever happens in it, the supervisor hears of its end.
    pub(super) fn run(mut self) {
        let shared = self.environment.shared.clone();
        let name = self.nodes[0].ports.name.clone();
        let finished = Event::Finished(self.number);
        let panicked = |what: &str| {
            let error = Error::new(ErrorKind::Panicked, format!("a message or a processor panicked {what}"));
            shared.tell(Event::Failed(error.hint("this is a bug in its `drop`").in_node(name.clone())));
        };
        if catch_unwind(AssertUnwindSafe(|| self.live())).is_err() {
            panicked("while it was dropped");
            for node in &self.nodes {
                let closed = catch_unwind(AssertUnwindSafe(|| node.inputs().for_each(|link| link.close())));
                let ended = catch_unwind(AssertUnwindSafe(|| node.outputs().for_each(|link| link.end())));
                if closed.is_err() || ended.is_err() {
                    panicked("again while its links were ended");
                }
            }
        }
        // Processors, frames and the encoder go before the supervisor hears of the end.
        if catch_unwind(AssertUnwindSafe(|| drop(self))).is_err() {
            panicked("while it was dropped");
        }
        shared.tell(finished);
    }

    /// Sets up the nodes that the graph names, or those that the plan has inserted.
    fn set_up_all(&mut self, are_inserted: bool) {
        for index in 0..self.nodes.len() {
            if self.nodes[index].is_inserted == are_inserted {
                match self.set_up(index) {
                    Ok(()) => self.nodes[index].begin(),
                    Err(error) => self.fail(index, error),
                }
            }
        }
    }

    fn live(&mut self) {
        attend_errors();
        self.set_up_all(false);
        self.shared().note_prepared();
        if self.nodes.iter().any(|node| node.is_inserted) {
            // What is inserted compiles what sources have announced, wherever they run.
            while !self.shared().is_prepared() && self.shared().phase() == Phase::Starting {
                self.environment.parker.park();
            }
            self.set_up_all(true);
        }
        self.shared().tell(Event::Ready);
        let mut has_worked = true;
        while self.shared().phase() == Phase::Starting {
            self.environment.parker.park();
        }
        while !self.environment.is_discarding() {
            match self.turn() {
                Turn::Again => has_worked = true,
                Turn::Sleep => {
                    if std::mem::take(&mut has_worked) {
                        self.idle_since = Instant::now();
                    }
                    self.sleep();
                }
                Turn::Over => break,
            }
        }
        self.wind_up();
    }

    /// Sleeps until woken, or somebody is to be set up again; calls `tick` where a node asks for it when nothing comes.
    fn sleep(&mut self) {
        let running = self.nodes.iter().filter(|node| node.state == NodeState::Running);
        let interval = running.filter_map(|node| node.processor.tick_interval()).min();
        let restart = self.next_restart().map(|at| at.saturating_duration_since(Instant::now()));
        // Whatever else wakes the thread, the time without a message goes on.
        let tick = interval.map(|interval| interval.saturating_sub(self.idle_since.elapsed()));
        let Some(timeout) = tick.into_iter().chain(restart).min() else {
            return self.environment.parker.park();
        };
        self.environment.parker.park_timeout(timeout);
        if interval.is_none_or(|interval| self.idle_since.elapsed() < interval) || self.nodes[0].has_message() {
            return;
        }
        self.idle_since = Instant::now();
        for index in 0..self.nodes.len() {
            let node = &self.nodes[index];
            if node.state == NodeState::Running
                && node.processor.tick_interval().is_some()
                && let Err(error) = self.call(index, |processor, cx| processor.tick(cx))
            {
                self.fail(index, error);
            }
        }
    }

    fn turn(&mut self) -> Turn {
        self.end_the_unwanted();
        if self.away > 0 {
            self.restart_the_due();
        }
        let had_failed = std::mem::take(&mut self.has_failed);
        self.tune();
        let mut now = Instant::now();
        let head = &self.nodes[0];
        match head.state {
            NodeState::Running | NodeState::Bypassed => {}
            NodeState::Away(_) => return self.turn_without_head(),
            NodeState::Ended | NodeState::Over => return Turn::Over,
        }
        let arrived = head.arrived();
        let progressed = if head.is_source() {
            if self.environment.shared.phase() >= Phase::Draining {
                return Turn::Over;
            }
            if self.shared().is_paused() {
                return Turn::Sleep;
            }
            let is_offline = self.shared().mode == Mode::Offline;
            if is_offline || !self.asks_for_room {
                self.environment.wait_for_room();
                now = Instant::now();
            }
            self.environment.forget_asking();
            now = self.process(0, now);
            self.asks_for_room = self.environment.has_asked_for_room();
            true
        } else {
            match head.join.readiness(&head.ports.inputs, self.shared().mode == Mode::Offline) {
                Ok(Readiness::Ready) => {}
                Ok(Readiness::Waiting) if had_failed => {
                    // A follower may have failed before it took its message.
                    let now = self.run_followers(now);
                    self.submit(now);
                    return Turn::Again;
                }
                Ok(Readiness::Waiting) => return Turn::Sleep,
                Ok(Readiness::Never) => return Turn::Over,
                Err(error) => {
                    self.fail(0, error);
                    return Turn::Again;
                }
            }
            let ended = head.inputs().all(|link| link.has_ended());
            // What waits in the queue meanwhile is the policy's business.
            self.environment.wait_for_room();
            let before = self.nodes[0].ports.taken;
            now = self.process(0, Instant::now());
            let took = self.nodes[0].ports.taken != before;
            if ended && !took && self.nodes[0].is_open() {
                // It waits for partners that will never come.
                return Turn::Over;
            }
            took
        };
        now = self.run_followers(now);
        self.submit(now);
        match self.nodes[0].state {
            NodeState::Ended | NodeState::Over => return Turn::Over,
            NodeState::Away(_) => return Turn::Again,
            NodeState::Running | NodeState::Bypassed => {}
        }
        // A head that took nothing waits for another of its inputs.
        match progressed || self.has_failed || self.nodes[0].arrived() != arrived {
            true => Turn::Again,
            false => Turn::Sleep,
        }
    }

    /// Ends the nodes whose consumers have all ended, from the last to the first, so that nothing is made in vain.
    fn end_the_unwanted(&mut self) {
        let closures = self.shared().closures.load(Ordering::Acquire);
        if std::mem::replace(&mut self.closures, closures) == closures {
            return;
        }
        for index in (0..self.nodes.len()).rev() {
            let node = &self.nodes[index];
            match node.state {
                NodeState::Running if node.is_unwanted() => self.finish(index),
                NodeState::Bypassed | NodeState::Away(_) if node.is_unwanted() => self.give_up(index),
                _ => {}
            }
        }
    }

    /// Sets parameters that other threads have asked for.
    fn tune(&mut self) {
        let tuned = self.shared().tuned.load(Ordering::Acquire);
        if std::mem::replace(&mut self.tuned, tuned) == tuned {
            return;
        }
        let shared = self.environment.shared.clone();
        for index in 0..self.nodes.len() {
            let tuner = &shared.tuners[self.nodes[index].ports.node];
            // For one that is away they wait until it is back.
            if self.nodes[index].state != NodeState::Running {
                continue;
            }
            let Some(waiting) = tuner.take() else { continue };
            let mut refusals = Vec::new();
            let outcome = self.call(index, |processor, cx| {
                let Some(tunable) = processor.tunable() else { return Ok(()) };
                refusals = waiting.apply(tunable, cx);
                tuner.settle(tunable.tuning());
                Ok(())
            });
            refusals.into_iter().for_each(|refused| self.tell_refused(index, refused));
            if let Err(error) = outcome {
                tuner.revert();
                self.fail(index, error);
            }
        }
    }

    /// Runs every node behind the head on what it was sent.
    fn run_followers(&mut self, mut now: Instant) -> Instant {
        for index in 1..self.nodes.len() {
            while self.nodes[index].has_message() {
                if let NodeState::Away(_) = self.nodes[index].state {
                    self.nodes[index].inputs().for_each(|link| link.discard(DropReason::Restarting));
                    break;
                }
                if !self.nodes[index].is_open() || self.is_satisfied(index) {
                    break;
                }
                let before = self.nodes[index].ports.taken;
                now = self.process(index, now);
                if self.nodes[index].ports.taken == before {
                    break;
                }
            }
        }
        now
    }

    /// Whether a sink has had all the frames it was asked for.
    fn is_satisfied(&self, index: usize) -> bool {
        let node = &self.nodes[index];
        node.is_sink && self.shared().options.frames.is_some_and(|frames| node.processed >= frames)
    }

    /// Calls `process`, which began at `begin`, and returns when it ended: where the next one begins, so that a chain reads
    /// the clock once a node.
    fn process(&mut self, index: usize, begin: Instant) -> Instant {
        let node = &self.nodes[index];
        if node.state == NodeState::Bypassed || self.shared().is_off(node.ports.node) {
            self.forward(index);
            return begin;
        }
        let (taken, sent) = (self.nodes[index].ports.taken, self.nodes[index].ports.sent);
        // What was waited for before is not this call's.
        self.environment.take_waited();
        let outcome = self.call_at(index, begin, |processor, cx| processor.process(cx));
        let end = Instant::now();
        match outcome {
            Ok(flow) => {
                let took = end.saturating_duration_since(begin).saturating_sub(self.environment.take_waited());
                self.touch(index);
                let node = &mut self.nodes[index];
                if flow != Flow::Skip {
                    self.environment.shared.meters[node.ports.node].processed(took);
                    node.processed += 1;
                }
                if flow == Flow::End {
                    node.state = NodeState::Ended;
                }
            }
            Err(error) => {
                let node = &mut self.nodes[index];
                if node.policy == FailurePolicy::Skip && node.ports.taken == taken {
                    // The message is still there: the next call would fail at it, too.
                    node.policy = FailurePolicy::Stop;
                }
                self.fail(index, error);
                let node = &self.nodes[index];
                let goes_on = node.state == NodeState::Bypassed || node.state == NodeState::Running && node.keeps_taken;
                if goes_on && node.ports.taken != taken && node.ports.sent == sent {
                    self.forward_taken(index);
                }
            }
        }
        end
    }

    fn touch(&mut self, index: usize) {
        if !std::mem::replace(&mut self.nodes[index].touched, true) {
            self.touched.push(index);
        }
    }

    /// Submits what was recorded, makes what was sent visible to other threads, and tells the processors.
    fn submit(&mut self, mut now: Instant) {
        if let Err((culprit, error)) = self.submit_commands(None) {
            self.fail(culprit, error);
        }
        self.flush();
        for position in 0..self.touched.len() {
            let index = self.touched[position];
            self.nodes[index].touched = false;
            if !matches!(self.nodes[index].state, NodeState::Running | NodeState::Ended) {
                continue;
            }
            if let Err(error) = self.call_at(index, now, |processor, cx| processor.submitted(cx)) {
                self.fail(index, error);
                continue;
            }
            self.note_deliveries(index);
            if self.nodes[index].is_sink {
                // Others do not wait in `submitted`; their clock need not be read.
                now = Instant::now();
            }
            if self.is_satisfied(index) {
                self.finish(index);
                self.shared().tell(Event::SinkSatisfied);
            } else if index > 0 && self.nodes[index].state == NodeState::Ended {
                self.finish(index);
            }
        }
        self.touched.clear();
    }

    /// Submits what was recorded so far. An error comes with whose fault it is, as far as can be told: wgpu looks at commands
    /// only now, for all nodes together. `failed` has failed already and is blamed only if nobody else has recorded.
    fn submit_commands(&mut self, failed: Option<usize>) -> Result<(), (usize, Error)> {
        let Some(encoder) = &mut self.encoder else { return Ok(()) };
        let outcome = encoder.submit();
        let culprit = self.recorded.iter().rfind(|index| Some(**index) != failed).or(self.recorded.last());
        let culprit = culprit.copied().unwrap_or(0);
        let outcome = match outcome {
            Ok(token) => {
                token.into_iter().for_each(|token| self.environment.submitted(token.submission()));
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Gpu && self.recorded.len() > 1 => {
                let names: Vec<_> = self.recorded.iter().map(|index| format!("'{}'", self.nodes[*index].ports.name)).collect();
                let hint = format!("one of {} recorded this: their commands are submitted together", names.join(", "));
                Err((culprit, error.hint(hint)))
            }
            Err(error) => Err((culprit, error)),
        };
        for index in self.recorded.drain(..) {
            self.nodes[index].has_recorded = false;
        }
        outcome
    }

    /// Moves what was sent into the queues, waiting for room where the policy says so.
    fn flush(&mut self) {
        // A queue that is full does not hold back the others.
        loop {
            let full = self.leaving.iter().filter(|link| !link.flush()).count();
            if full == 0 || self.environment.is_discarding() {
                return;
            }
            self.environment.parker.park();
        }
    }

    /// Carries the rest to the sinks, or throws it away, and ends every link.
    fn wind_up(&mut self) {
        for index in 0..self.nodes.len() {
            if self.environment.is_discarding() {
                self.nodes[index].inputs().for_each(|link| link.discard(DropReason::Discarded));
            }
            while index > 0 && self.nodes[index].is_open() && self.nodes[index].has_message() {
                if self.is_satisfied(index) {
                    break;
                }
                let now = self.process(index, Instant::now());
                self.submit(now);
            }
            match self.nodes[index].state {
                NodeState::Running | NodeState::Ended => self.finish(index),
                NodeState::Bypassed | NodeState::Away(_) => self.give_up(index),
                NodeState::Over => {}
            }
        }
        self.submit(Instant::now());
        self.wait_for_deliveries();
        for node in &self.nodes {
            node.outputs().for_each(|link| link.end());
        }
    }

    /// Calls `finish` and closes the node's inputs.
    fn finish(&mut self, index: usize) {
        let finished = self.call(index, |processor, cx| processor.finish(cx));
        self.nodes[index].state = NodeState::Over;
        match finished {
            Ok(()) => self.close_inputs(index),
            Err(error) => self.fail(index, error),
        }
    }

    fn close_inputs(&self, index: usize) {
        self.nodes[index].inputs().for_each(|link| link.close());
        self.shared().closures.fetch_add(1, Ordering::AcqRel);
        // After the count: who is woken must see it.
        self.nodes[index].inputs().for_each(|link| link.wake_producer());
    }
}
