//! Makes a plan's nodes: a graph's processors, and those that the plan has inserted, with their ends of the links.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use smallvec::smallvec;

use super::convert::Convert;
use super::draw::Draw;
use super::incoming::Incoming;
use super::segment::{Join, Node, NodeKind};
use crate::gpu::{PixelGroup, StagedPass};
use crate::graph::GraphSpec;
use crate::plan::{Plan, Role};
use crate::port::link::AnyLink;
use crate::processor::{Filter, IntoProcessor, NodePorts, Processor};
use crate::{Error, ErrorKind, Result};

/// The nodes, in the plan's order.
pub(super) fn assemble(
    plan: &Plan,
    spec: &GraphSpec,
    processors: Vec<Box<dyn Processor>>,
    links: &[Arc<dyn AnyLink>],
) -> Result<Vec<Option<Node>>> {
    let mut processors: Vec<_> = processors.into_iter().map(Some).collect();
    let ends = Ends::new(plan, links);
    let groups = pixel_groups(spec, plan)?;
    let mut stages = HashMap::new();
    for (pass, group) in &groups {
        if let Role::Draw { shaders, .. } = &plan.nodes[*pass].role {
            stages.extend(shaders.iter().enumerate().map(|(stage, node)| (*node, (group.clone(), stage))));
        }
    }
    let mut nodes = Vec::with_capacity(plan.nodes.len());
    for (index, planned) in plan.nodes.iter().enumerate() {
        let (processor, join, inputs, outputs) = match &planned.role {
            Role::Processor(position) => {
                let node = &spec.nodes[*position];
                (processors[*position].take(), Join::new(&node.inputs), node.inputs.len(), node.outputs.len())
            }
            Role::Convert { from, accepted, to } => {
                let incoming = Incoming { formats: from.clone(), producer: ends.producer(index), takers: ends.takers(index) };
                let convert = Convert { incoming, accepted: accepted.clone(), to: to.clone() };
                (Some(inserted(convert)), Join::default(), 1, 1)
            }
            Role::Draw { shaders, from, to, .. } => {
                let names: Vec<_> = shaders.iter().map(|shader| &*plan.nodes[*shader].name).collect();
                let pass = StagedPass::new(groups[&index].clone(), names.join(", "));
                let pass = pass.map_err(|error| error.in_node(planned.name.as_str()))?;
                let producer = shaders.first().and_then(|head| ends.producer(*head));
                let incoming = Incoming { formats: from.clone(), producer, takers: ends.takers(index) };
                (Some(inserted(Draw { pass, incoming, to: *to })), Join::default(), 1, 1)
            }
        };
        nodes.push(processor.map(|processor| {
            let mut ports = ends.of(index, &planned.name, inputs, outputs);
            ports.stage = stages.remove(&index);
            let kind = match planned.role {
                Role::Processor(position) => NodeKind::Named { is_filter: spec.nodes[position].is_filter() },
                Role::Convert { .. } | Role::Draw { .. } => NodeKind::Inserted,
            };
            Node::new(processor, ports, planned.is_sink, kind, planned.on_failure, join)
        }));
    }
    Ok(nodes)
}

/// A filter that a plan inserts.
fn inserted(filter: impl Filter) -> Box<dyn Processor> {
    let mut processor = filter.into_processor();
    processor.ports(&mut crate::Ports::default());
    processor
}

/// By the pass that draws it, each group of pixel shaders.
fn pixel_groups(spec: &GraphSpec, plan: &Plan) -> Result<HashMap<usize, Arc<PixelGroup>>> {
    let mut groups = HashMap::new();
    for (index, planned) in plan.nodes.iter().enumerate() {
        if let Role::Draw { shaders, .. } = &planned.role {
            let functions = shaders.iter().filter_map(|node| spec.nodes[*node].pixel.as_ref()).map(|stage| stage.0.clone());
            let group = PixelGroup::new(functions.collect()).ok_or_else(|| {
                Error::new(ErrorKind::InvalidGraph, "a pixel shader has too many parameters for a pass").in_node(&*planned.name)
            })?;
            groups.insert(index, Arc::new(group));
        }
    }
    Ok(groups)
}

/// Finds the links of each node.
struct Ends<'a> {
    plan: &'a Plan,
    links: &'a [Arc<dyn AnyLink>],
    /// For each node, its ports and their links.
    incoming: Vec<Vec<(usize, usize)>>,
    outgoing: Vec<Vec<(usize, usize)>>,
}

impl<'a> Ends<'a> {
    fn new(plan: &'a Plan, links: &'a [Arc<dyn AnyLink>]) -> Self {
        let none = vec![Vec::new(); plan.nodes.len()];
        let mut ends = Self { plan, links, incoming: none.clone(), outgoing: none };
        for (index, link) in plan.links.iter().enumerate() {
            ends.outgoing[link.from.node].push((link.from.port, index));
            ends.incoming[link.to.node].push((link.to.port, index));
        }
        ends
    }

    fn of(&self, node: usize, name: &str, inputs: usize, outputs: usize) -> NodePorts {
        let mut ports = NodePorts {
            node,
            name: name.into(),
            inputs: smallvec![None; inputs],
            outputs: smallvec![smallvec![]; outputs],
            taken: 0,
            sent: 0,
            stage: None,
            delivering: Vec::new(),
            undelivered: VecDeque::with_capacity(16),
        };
        for (port, link) in &self.incoming[node] {
            ports.inputs[*port] = Some(self.links[*link].clone());
        }
        for (port, link) in &self.outgoing[node] {
            ports.outputs[*port].push(self.links[*link].clone());
        }
        ports
    }

    /// Who sends to a node of one input.
    fn producer(&self, node: usize) -> Option<usize> {
        self.incoming[node].first().map(|(_, link)| self.plan.links[*link].from.node)
    }

    /// Who takes what a node sends, by name.
    fn takers(&self, node: usize) -> String {
        let takers = self.outgoing[node].iter().map(|(_, link)| self.plan.links[*link].to.node);
        takers.map(|taker| format!("'{}'", self.plan.nodes[taker].name)).collect::<Vec<_>>().join(", ")
    }
}
