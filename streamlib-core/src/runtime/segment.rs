//! A segment's thread: takes a frame, runs its processors in order into one encoder, submits once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::environment::SegmentEnvironment;
use super::shared::{Event, Phase, Shared};
use crate::plan::Mode;
use crate::port::link::AnyLink;
use crate::processor::{Context, Flow, NodePorts, Processor};
use crate::{Error, ErrorKind, FrameEncoder, Result};

/// A node as its segment runs it.
pub(super) struct Node {
    pub(super) processor: Box<dyn Processor>,
    pub(super) ports: NodePorts,
    pub(super) is_sink: bool,
    state: NodeState,
    /// Whether `process` was called since the last submission.
    touched: bool,
    processed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum NodeState {
    Running,
    /// It wants nothing more, but was not told to finish yet.
    Ended,
    /// `finish` was called, or it failed; it is not called any more.
    Over,
}

impl Node {
    pub(super) fn new(processor: Box<dyn Processor>, ports: NodePorts, is_sink: bool) -> Self {
        Self { processor, ports, is_sink, state: NodeState::Running, touched: false, processed: 0 }
    }

    fn inputs(&self) -> impl Iterator<Item = &Arc<dyn AnyLink>> {
        self.ports.inputs.iter().flatten()
    }

    fn outputs(&self) -> impl Iterator<Item = &Arc<dyn AnyLink>> {
        self.ports.outputs.iter().flatten()
    }

    fn has_message(&self) -> bool {
        self.inputs().any(|link| link.has_message())
    }

    fn is_source(&self) -> bool {
        self.inputs().next().is_none()
    }

    /// Whether nobody wants what it makes.
    fn is_unwanted(&self) -> bool {
        !self.is_sink && self.outputs().all(|link| link.is_closed())
    }

    fn arrived(&self) -> u64 {
        self.inputs().map(|link| link.arrived()).sum()
    }
}

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
    environment: SegmentEnvironment,
    encoder: Option<FrameEncoder>,
    /// How many inputs of the run had been closed when it was last looked whether all nodes are still wanted.
    closures: u64,
}

impl Segment {
    pub(super) fn new(number: usize, nodes: Vec<Node>, shared: Arc<Shared>) -> Self {
        Self { number, nodes, environment: SegmentEnvironment::new(shared), encoder: None, closures: 0 }
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

    fn live(&mut self) {
        for index in 0..self.nodes.len() {
            if let Err(error) = self.call(index, |processor, cx| processor.setup(cx)) {
                self.fail(index, error);
            }
        }
        self.shared().tell(Event::Ready);
        while self.shared().phase() == Phase::Starting {
            self.environment.parker.park();
        }
        while !self.environment.is_discarding() {
            match self.turn() {
                Turn::Again => {}
                Turn::Sleep => self.sleep(),
                Turn::Over => break,
            }
        }
        self.wind_up();
    }

    /// Sleeps until woken; calls `tick` where a node asks for it when nothing comes.
    fn sleep(&mut self) {
        let running = self.nodes.iter().filter(|node| node.state == NodeState::Running);
        let Some(interval) = running.filter_map(|node| node.processor.tick_interval()).min() else {
            return self.environment.parker.park();
        };
        let begin = Instant::now();
        self.environment.parker.park_timeout(interval);
        if begin.elapsed() < interval {
            return;
        }
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
        let mut now = Instant::now();
        let head = &self.nodes[0];
        let arrived = head.arrived();
        if head.state != NodeState::Running {
            return Turn::Over;
        }
        let progressed = if head.is_source() {
            if self.environment.shared.phase() >= Phase::Draining {
                return Turn::Over;
            }
            if self.shared().is_paused() {
                return Turn::Sleep;
            }
            let is_offline = self.shared().mode == Mode::Offline;
            if is_offline || self.environment.is_overfull() {
                self.environment.wait_for_room();
                now = Instant::now();
            }
            now = self.process(0, now);
            true
        } else {
            if !head.has_message() {
                let exhausted = head.inputs().all(|link| link.is_exhausted());
                return if exhausted { Turn::Over } else { Turn::Sleep };
            }
            let ended = head.inputs().all(|link| link.has_ended());
            // What waits in the queue meanwhile is the policy's business.
            self.environment.wait_for_room();
            let before = self.nodes[0].ports.taken;
            now = self.process(0, Instant::now());
            let took = self.nodes[0].ports.taken != before;
            if ended && !took {
                // It waits for partners that will never come.
                return Turn::Over;
            }
            took
        };
        self.run_followers(now);
        self.submit();
        if self.nodes[0].state != NodeState::Running {
            return Turn::Over;
        }
        // A head that took nothing waits for another of its inputs.
        match progressed || self.nodes[0].arrived() != arrived {
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
            if self.nodes[index].state == NodeState::Running && self.nodes[index].is_unwanted() {
                self.finish(index);
            }
        }
    }

    /// Runs every node behind the head on what it was sent.
    fn run_followers(&mut self, mut now: Instant) {
        for index in 1..self.nodes.len() {
            while self.nodes[index].state == NodeState::Running && self.nodes[index].has_message() && !self.is_satisfied(index) {
                let before = self.nodes[index].ports.taken;
                now = self.process(index, now);
                if self.nodes[index].ports.taken == before {
                    break;
                }
            }
        }
    }

    /// Whether a sink has had all the frames it was asked for.
    fn is_satisfied(&self, index: usize) -> bool {
        let node = &self.nodes[index];
        node.is_sink && self.shared().options.frames.is_some_and(|frames| node.processed >= frames)
    }

    /// Calls `process`, which began at `begin`, and returns when it ended: where the next one begins, so that a chain reads
    /// the clock once a node.
    fn process(&mut self, index: usize, begin: Instant) -> Instant {
        let outcome = self.call_at(index, begin, |processor, cx| processor.process(cx));
        let end = Instant::now();
        match outcome {
            Ok(flow) => {
                let took = end.saturating_duration_since(begin).saturating_sub(self.environment.take_waited());
                let node = &mut self.nodes[index];
                node.touched = true;
                if flow != Flow::Skip {
                    self.environment.shared.meters[node.ports.node].processed(took);
                    node.processed += 1;
                }
                if flow == Flow::End {
                    node.state = NodeState::Ended;
                }
            }
            Err(error) => self.fail(index, error),
        }
        end
    }

    /// Submits what was recorded, makes what was sent visible to other threads, and tells the processors.
    fn submit(&mut self) {
        let mut submission = None;
        if let Some(encoder) = &mut self.encoder {
            match encoder.submit() {
                Ok(Some(token)) => submission = Some(token.submission()),
                Ok(None) => {}
                Err(error) => {
                    let culprit = self.nodes.iter().rposition(|node| node.touched).unwrap_or(0);
                    self.fail(culprit, error);
                }
            }
        }
        if let Some(submission) = submission {
            self.environment.submitted(submission);
        }
        self.flush();
        for index in 0..self.nodes.len() {
            if std::mem::take(&mut self.nodes[index].touched) && self.nodes[index].state != NodeState::Over {
                if let Err(error) = self.call(index, |processor, cx| processor.submitted(cx)) {
                    self.fail(index, error);
                }
                self.note_deliveries(index);
                if self.is_satisfied(index) {
                    self.finish(index);
                    self.shared().tell(Event::SinkSatisfied);
                } else if index > 0 && self.nodes[index].state == NodeState::Ended {
                    self.finish(index);
                }
            }
        }
    }

    /// Moves what was sent into the queues, waiting for room where the policy says so.
    fn flush(&mut self) {
        // A queue that is full does not hold back the others.
        loop {
            let links = self.nodes.iter().flat_map(Node::outputs);
            let full = links.filter(|link| !link.flush()).count();
            if full == 0 || self.environment.is_discarding() {
                return;
            }
            self.environment.parker.park();
        }
    }

    /// Records the latency of frames that the GPU has finished.
    fn note_deliveries(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let meter = &self.environment.shared.meters[node.ports.node];
        for frame in node.ports.delivering.drain(..) {
            match frame.lease().submission() {
                Some(submission) => node.ports.undelivered.push_back((submission, frame.captured_at())),
                None => meter.delivered(frame.captured_at().elapsed()),
            }
        }
        let Some(gpu) = self.environment.shared.opened_gpu() else { return };
        if node.ports.undelivered.is_empty() {
            return;
        }
        // Before it is looked whether it is complete: completion must wake.
        self.environment.watch_gpu();
        if gpu.timeline().check_alive().is_err() {
            node.ports.undelivered.clear();
        }
        while let Some((submission, captured_at)) = node.ports.undelivered.front().copied() {
            if !gpu.timeline().is_complete(submission) {
                break;
            }
            node.ports.undelivered.pop_front();
            if let Some(completed) = gpu.timeline().completed_at(submission) {
                meter.delivered(completed.saturating_duration_since(captured_at));
            }
        }
    }

    /// Carries the rest to the sinks, or throws it away, and ends every link.
    fn wind_up(&mut self) {
        for index in 0..self.nodes.len() {
            if self.environment.is_discarding() {
                self.nodes[index].inputs().for_each(|link| link.discard());
            }
            while index > 0 && self.nodes[index].state == NodeState::Running && self.nodes[index].has_message() {
                if self.is_satisfied(index) {
                    break;
                }
                self.process(index, Instant::now());
                self.submit();
            }
            self.submit();
            if self.nodes[index].state != NodeState::Over {
                self.finish(index);
            }
        }
        self.submit();
        self.wait_for_deliveries();
        for node in &self.nodes {
            node.outputs().for_each(|link| link.end());
        }
    }

    /// The last frames of sinks whose latency ends when the GPU is done.
    fn wait_for_deliveries(&mut self) {
        for index in 0..self.nodes.len() {
            loop {
                self.note_deliveries(index);
                if self.nodes[index].ports.undelivered.is_empty() || self.environment.is_discarding() {
                    break;
                }
                self.environment.parker.park();
            }
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
        self.shared().wake_all();
    }

    /// Ends a node that failed; the run drains.
    fn fail(&mut self, index: usize, error: Error) {
        let node = &mut self.nodes[index];
        node.state = NodeState::Over;
        node.touched = false;
        self.environment.shared.meters[node.ports.node].failed();
        let name = node.ports.name.clone();
        self.close_inputs(index);
        self.shared().tell(Event::Failed(error.in_node(name)));
    }

    fn call<T>(&mut self, index: usize, call: impl FnOnce(&mut dyn Processor, &mut Context<'_>) -> Result<T>) -> Result<T> {
        self.call_at(index, Instant::now(), call)
    }

    /// Calls into a processor under the watchdog's eyes; a panic becomes an error.
    fn call_at<T>(
        &mut self,
        index: usize,
        now: Instant,
        call: impl FnOnce(&mut dyn Processor, &mut Context<'_>) -> Result<T>,
    ) -> Result<T> {
        let node = &mut self.nodes[index];
        let activity = &self.environment.shared.activities[self.number];
        activity.begin(node.ports.node, now);
        let mut cx = Context { ports: &mut node.ports, encoder: &mut self.encoder, environment: &self.environment };
        let processor = &mut *node.processor;
        let outcome = catch_unwind(AssertUnwindSafe(|| call(processor, &mut cx)));
        activity.end();
        outcome.unwrap_or_else(|panic| {
            let text =
                panic.downcast_ref::<&str>().copied().map(String::from).or_else(|| panic.downcast_ref::<String>().cloned());
            let text = text.unwrap_or_else(|| "it gave no reason".into());
            Err(Error::new(ErrorKind::Panicked, format!("the processor panicked: {text}")).hint("this is a bug in the processor"))
        })
    }
}
