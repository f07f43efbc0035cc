//! What a segment does with a node that fails.

use std::time::{Duration, Instant};

use super::{NodeState, Segment, Turn};
use crate::plan::Mode;
use crate::port::counts::DropReason;
use crate::processor::FailurePolicy;
use crate::runtime::events::{Reaction, RunEventKind};
use crate::runtime::shared::{Event, Phase};
use crate::{Error, ErrorKind};

impl Segment {
    /// Does with a node that failed what its policy says.
    pub(super) fn fail(&mut self, index: usize, error: Error) {
        let error = error.in_node(self.nodes[index].ports.name.clone());
        let reaction = self.reaction(index, &error);
        self.has_failed = true;
        let node = &mut self.nodes[index];
        self.environment.shared.meters[node.ports.node].failed(&error);
        if let NodeState::Away(_) = node.state {
            self.away -= 1;
        }
        node.ports.delivering.clear();
        match reaction {
            Reaction::Stop | Reaction::GiveUp => {
                node.state = NodeState::Over;
                self.close_inputs(index);
                self.shared().tell(Event::Failed(error.clone()));
            }
            Reaction::Bypass if node.is_sink => {
                node.state = NodeState::Over;
                self.close_inputs(index);
                self.shared().tell(Event::LeftOut { error: error.clone(), is_sink: true });
            }
            Reaction::Bypass => node.state = NodeState::Bypassed,
            Reaction::Skip => {}
            Reaction::RestartAfter(delay) => {
                node.state = NodeState::Away(Instant::now() + delay);
                node.failure = Some(error.clone());
                self.away += 1;
            }
        }
        let name = self.nodes[index].ports.name.clone();
        if reaction != Reaction::Stop {
            tracing::warn!(node = &*name, %error, ?reaction, "a processor failed; the others go on");
        }
        self.shared().announce(name, RunEventKind::Failed { error, reaction });
        if let Reaction::RestartAfter(_) = reaction {
            self.let_go_of_what_was_done(index);
        }
        if let Reaction::RestartAfter(_) = reaction
            && self.shared().mode == Mode::Offline
            && !self.waits_for_restart
        {
            self.waits_for_restart = true;
            self.wait_for_restart(index);
            self.waits_for_restart = false;
        }
    }

    /// Before a node is set up again: what it has recorded may use what it then drops, and what others have sent need not wait.
    fn let_go_of_what_was_done(&mut self, index: usize) {
        match self.submit_commands(Some(index)) {
            Err((culprit, error)) if culprit != index => self.fail(culprit, error),
            Err((_, error)) => tracing::debug!(%error, "what a failed processor had recorded was refused"),
            Ok(()) => {}
        }
        self.flush();
    }

    fn reaction(&mut self, index: usize, error: &Error) -> Reaction {
        let phase = self.shared().phase();
        let (is_starting, is_ending) = (phase == Phase::Starting, phase >= Phase::Draining);
        let node = &mut self.nodes[index];
        if node.state == NodeState::Over || error.kind() == ErrorKind::DeviceLost || error.is_for_every_policy() {
            return Reaction::Stop;
        }
        match node.policy {
            FailurePolicy::Stop => Reaction::Stop,
            // What cannot even begin is better known than missed, and a filter without an input lets nothing through.
            FailurePolicy::Bypass if node.is_sink && is_starting => Reaction::Stop,
            FailurePolicy::Bypass if !node.is_sink && node.is_source() => Reaction::Stop,
            FailurePolicy::Bypass => Reaction::Bypass,
            FailurePolicy::Skip if is_starting || node.is_source() => Reaction::Stop,
            FailurePolicy::Skip => Reaction::Skip,
            FailurePolicy::Restart(restart) => {
                let was_well = node.was_well_for(restart.longest_delay);
                node.failures = if was_well { 1 } else { node.failures.saturating_add(1) };
                match restart.delay(node.failures) {
                    Some(delay) if !is_ending => Reaction::RestartAfter(delay),
                    _ => Reaction::Stop,
                }
            }
        }
    }

    /// When the next node is to be set up again.
    pub(super) fn next_restart(&self) -> Option<Instant> {
        if self.away == 0 {
            return None;
        }
        self.nodes.iter().filter_map(|node| if let NodeState::Away(until) = node.state { Some(until) } else { None }).min()
    }

    /// Sets up again those whose time has come.
    pub(super) fn restart_the_due(&mut self) {
        for index in 0..self.nodes.len() {
            if let NodeState::Away(until) = self.nodes[index].state
                && Instant::now() >= until
                && self.shared().phase() < Phase::Draining
            {
                self.restart(index);
            }
        }
    }

    fn restart(&mut self, index: usize) {
        match self.set_up(index) {
            Ok(()) => {
                self.away -= 1;
                // Parameters that were set meanwhile, and messages that it had not taken, still wait.
                self.tuned = u64::MAX;
                self.has_failed = true;
                let node = &mut self.nodes[index];
                node.state = NodeState::Running;
                node.begin();
                let (name, failures) = (node.ports.name.clone(), node.failures);
                self.environment.shared.meters[node.ports.node].restarted();
                tracing::info!(node = &*name, failures, "a processor was restarted");
                self.shared().announce(name, RunEventKind::Restarted { failures });
            }
            Err(error) => self.fail(index, error),
        }
    }

    /// Offline nothing is lost while a node is away: everybody before it waits.
    fn wait_for_restart(&mut self, index: usize) {
        while let NodeState::Away(until) = self.nodes[index].state
            && self.shared().phase() < Phase::Draining
        {
            let left = until.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                self.restart(index);
            } else {
                self.environment.parker.park_timeout(left);
            }
        }
    }

    /// A turn while the head is away: what comes to it is lost, unless the run is ending.
    pub(super) fn turn_without_head(&mut self) -> Turn {
        let head = &self.nodes[0];
        if self.shared().phase() >= Phase::Draining {
            return Turn::Over;
        }
        head.inputs().for_each(|link| link.discard(DropReason::Restarting));
        match !head.is_source() && head.inputs().all(|link| link.is_exhausted()) {
            true => Turn::Over,
            false => Turn::Sleep,
        }
    }

    /// Ends a node that failed before and is not to be called again. What one that was to be restarted has not had is missing:
    /// the run returns its error, unless nobody wants that any more. A source owes nothing, if it was ever there.
    pub(super) fn give_up(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if let NodeState::Away(_) = node.state {
            self.away -= 1;
            let owes_nothing = node.is_unwanted() || node.is_source() && node.processed > 0;
            if let Some(error) = node.failure.take().filter(|_| !owes_nothing) {
                let (name, is_sink) = (node.ports.name.clone(), node.is_sink);
                self.shared().tell(Event::LeftOut { error: error.clone(), is_sink });
                self.shared().announce(name, RunEventKind::Failed { error, reaction: Reaction::GiveUp });
            }
        }
        self.nodes[index].state = NodeState::Over;
        self.close_inputs(index);
    }

    /// Lets the next message past a node that is bypassed or switched off.
    pub(super) fn forward(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if node.state == NodeState::Bypassed && std::mem::take(&mut node.keeps_taken) {
            node.inputs().for_each(|link| link.keep_taken(false));
        }
        let (Some(Some(input)), Some(outputs)) = (node.ports.inputs.first(), node.ports.outputs.first()) else { return };
        if input.forward(outputs) {
            node.ports.taken += 1;
            self.environment.shared.meters[node.ports.node].bypassed();
        }
    }

    /// Lets the message past at which the node failed.
    pub(super) fn forward_taken(&mut self, index: usize) {
        let node = &self.nodes[index];
        if let (Some(Some(input)), Some(outputs)) = (node.ports.inputs.first(), node.ports.outputs.first()) {
            input.forward_taken(outputs);
            self.environment.shared.meters[node.ports.node].bypassed();
        }
    }

    pub(super) fn tell_refused(&self, index: usize, error: Error) {
        let name = self.nodes[index].ports.name.clone();
        let error = error.in_node(name.clone());
        tracing::warn!(node = &*name, %error, "parameters were refused");
        self.shared().announce(name, RunEventKind::ParametersRefused { error });
    }
}
