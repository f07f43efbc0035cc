//! How a graph will run: segments, direct calls, queues and conversions. A pure function of the graph; needs no GPU.

mod cut;
mod fuse;
mod memory;

use std::collections::HashMap;
use std::fmt::Write;

use crate::graph::{GraphSpec, PortRef, conversion};
use crate::port::link::Transport;
use crate::port::{Delivery, MessageType};
use crate::processor::{Domain, FailurePolicy};
use crate::{PixelFormat, Result};
use cut::{check_inputs, cut, insert, topological_order};

/// Whether time passes while the graph runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Sources follow the clock; who is slow loses frames, as each link's policy says.
    #[default]
    Live,
    /// As fast as it goes; every queue blocks and nothing is lost.
    Offline,
}

/// How a graph is to be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanOptions {
    /// Whether time passes. Default: live.
    pub mode: Mode,
    /// Whether pixel shaders that follow each other are drawn in one pass, with the conversions before and behind them. Default: `true`;
    /// without, each of these is a pass.
    pub fusion: bool,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self::from(Mode::default())
    }
}

impl From<Mode> for PlanOptions {
    fn from(mode: Mode) -> Self {
        Self { mode, fusion: true }
    }
}

/// What a planned node does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Runs the graph's processor of this position.
    Processor(usize),
    /// Converts frames, where neighbours differ. Frames that are right already pass as they are.
    Convert {
        /// The formats that come.
        from: Vec<PixelFormat>,
        /// The formats that pass as they are.
        accepted: Vec<PixelFormat>,
        /// What the others become: each what loses least of it. One, unless several are accepted.
        to: Vec<PixelFormat>,
    },
    /// Draws what pixel shaders before it ask for, in one pass.
    Draw {
        /// The positions of their nodes, in their order.
        shaders: Vec<usize>,
        /// The formats that come.
        from: Vec<PixelFormat>,
        /// What is drawn.
        to: PixelFormat,
        /// Why it is not one pass with what follows, where that could be thought.
        apart: Option<String>,
    },
}

/// A node of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedNode {
    /// Unique in the plan.
    pub name: String,
    /// What it does.
    pub role: Role,
    /// The segment that runs it.
    pub segment: usize,
    /// Whether nothing leaves it: the run's frame limit counts at these.
    pub is_sink: bool,
    /// What happens when it fails.
    pub on_failure: FailurePolicy,
}

/// A link of the plan. Ports are positions in [`Plan::nodes`] and among their ports.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedLink {
    /// `A.port->B.port`.
    pub name: String,
    /// The output it comes from.
    pub from: PortRef,
    /// The input it goes to.
    pub to: PortRef,
    /// What travels.
    pub message: MessageType,
    /// A direct call or a queue.
    pub transport: Transport,
}

/// Processors that run one after the other on one thread, with one GPU submission for each frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentPlan {
    /// The name of its first node, and of its thread.
    pub name: String,
    /// Its nodes in the order in which they run.
    pub nodes: Vec<usize>,
    /// Why it has a thread of its own.
    pub reason: &'static str,
    /// Whose thread it is, if some of its nodes ask for a domain.
    pub domain: Option<Domain>,
}

/// How a graph will run.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Plan {
    /// Whether time passes.
    pub mode: Mode,
    /// The graph's nodes, then the inserted ones.
    pub nodes: Vec<PlannedNode>,
    /// All links.
    pub links: Vec<PlannedLink>,
    /// One thread each.
    pub segments: Vec<SegmentPlan>,
}

/// What has to be done to get from one plan to another, by the names of segments.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PlanChange {
    /// Segments to stop: they are not in the new plan, or are different there.
    pub stop: Vec<String>,
    /// Segments to start.
    pub start: Vec<String>,
    /// Segments that go on as they are.
    pub keep: Vec<String>,
}

/// A segment's nodes and its links, by name. Positions in the graph do not matter: they move when other nodes come and go.
type Outline<'a> = (Vec<(&'a str, Option<Role>, FailurePolicy)>, Vec<(&'a str, Transport)>);

impl Plan {
    /// Plans a graph. Fails with [`ErrorKind::InvalidGraph`](crate::ErrorKind::InvalidGraph) for an empty graph, a required input without a link, or a cycle.
    pub fn new(graph: &GraphSpec, options: impl Into<PlanOptions>) -> Result<Self> {
        let PlanOptions { mode, fusion } = options.into();
        check_inputs(graph)?;
        let (mut nodes, wires) = insert(graph, fusion);
        let order = topological_order(&nodes, &wires)?;
        let segments = cut(graph, &mut nodes, &wires, &order);
        for wire in &wires {
            nodes[wire.from.node].is_sink = false;
        }
        let name_of = |node: usize, port: usize, output: bool| {
            let port = match (&nodes[node].role, output) {
                (Role::Processor(index), true) => &*graph.nodes[*index].outputs[port].name,
                (Role::Processor(index), false) => &*graph.nodes[*index].inputs[port].name,
                (Role::Convert { .. } | Role::Draw { .. }, true) => "out",
                (Role::Convert { .. } | Role::Draw { .. }, false) => "in",
            };
            format!("{}.{port}", nodes[node].name)
        };
        let links = wires
            .iter()
            .map(|wire| PlannedLink {
                name: format!(
                    "{}->{}",
                    name_of(wire.from.node, wire.from.port, true),
                    name_of(wire.to.node, wire.to.port, false)
                ),
                from: wire.from,
                to: wire.to,
                message: wire.message.clone(),
                transport: match nodes[wire.from.node].segment == nodes[wire.to.node].segment {
                    true => Transport::Direct,
                    false if mode == Mode::Offline => Transport::Queue(Delivery::Block(wire.delivery.capacity())),
                    false => Transport::Queue(wire.delivery),
                },
            })
            .collect();
        Ok(Self { mode, nodes, links, segments })
    }

    /// What has to be done to get from `old` to this. Starting is the change from an empty plan, stopping the change to one.
    pub fn change_from(&self, old: &Self) -> PlanChange {
        let (mine, theirs) = (self.outlines(), old.outlines());
        let mut change = PlanChange::default();
        for segment in &old.segments {
            if mine.get(&*segment.name) == theirs.get(&*segment.name) {
                change.keep.push(segment.name.clone());
            } else {
                change.stop.push(segment.name.clone());
            }
        }
        let started = self.segments.iter().filter(|segment| mine.get(&*segment.name) != theirs.get(&*segment.name));
        change.start.extend(started.map(|segment| segment.name.clone()));
        change
    }

    /// Everything that makes each segment what it is, by names, so that two plans can be compared.
    fn outlines(&self) -> HashMap<&str, Outline<'_>> {
        let mut links = vec![Vec::new(); self.segments.len()];
        for link in &self.links {
            let (from, to) = (self.nodes[link.from.node].segment, self.nodes[link.to.node].segment);
            links[from].push((&*link.name, link.transport));
            if to != from {
                links[to].push((&*link.name, link.transport));
            }
        }
        let inserted = |node: &'_ PlannedNode| match node.role.clone() {
            Role::Processor(_) => None,
            // They are in its segment, by name.
            Role::Draw { from, to, apart, .. } => Some(Role::Draw { shaders: Vec::new(), from, to, apart }),
            convert @ Role::Convert { .. } => Some(convert),
        };
        let outline = |(segment, mut links): (&'_ SegmentPlan, Vec<_>)| {
            let planned = segment.nodes.iter().map(|index| &self.nodes[*index]);
            let nodes = planned.map(|node| (&*node.name, inserted(node), node.on_failure)).collect();
            links.sort_unstable_by_key(|(name, _)| *name);
            (nodes, links)
        };
        self.segments.iter().zip(links).map(|(segment, links)| (&*segment.name, outline((segment, links)))).collect()
    }

    /// The plan in words: a line a segment, a node and a link.
    pub fn explain(&self) -> String {
        let mut text = String::new();
        let mut leaving = vec![Vec::new(); self.nodes.len()];
        for link in &self.links {
            leaving[link.from.node].push(link);
        }
        for segment in &self.segments {
            let _ = writeln!(text, "segment '{}' ({})", segment.name, segment.reason);
            for index in &segment.nodes {
                let node = &self.nodes[*index];
                let _ = match &node.role {
                    Role::Processor(_) if node.on_failure == FailurePolicy::Stop => writeln!(text, "  {}", node.name),
                    Role::Processor(_) => writeln!(text, "  {} (on failure: {})", node.name, node.on_failure),
                    Role::Convert { from, accepted, to } => {
                        let becoming = |to: &PixelFormat| {
                            let becomes = |format: &&PixelFormat| *format != to && conversion(**format, accepted) == Some(*to);
                            let from = from.iter().filter(becomes).map(ToString::to_string).collect::<Vec<_>>().join(" or ");
                            format!("{from} becomes {to}")
                        };
                        let what = to.iter().map(becoming).collect::<Vec<_>>().join(", ");
                        writeln!(text, "  {} (inserted: {what})", node.name)
                    }
                    Role::Draw { shaders, from, to, apart } => {
                        let shaders: Vec<_> = shaders.iter().map(|shader| &*self.nodes[*shader].name).collect();
                        let together = if shaders.len() > 1 { " in one pass" } else { "" };
                        let from = from.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
                        let apart = apart.as_ref().map_or_else(String::new, |why| format!("; not with what follows: {why}"));
                        writeln!(
                            text,
                            "  {} (inserted: draws {}{together}, {from} becomes {to}{apart})",
                            node.name,
                            shaders.join(", ")
                        )
                    }
                };
                for link in &leaving[*index] {
                    let _ = writeln!(text, "    {} ({})", link.name, link.transport);
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests;
