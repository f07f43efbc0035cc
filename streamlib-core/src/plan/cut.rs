//! From a graph to segments: checks, inserts conversions and the passes that draw pixel shaders, orders, cuts.

use std::collections::{HashMap, HashSet};

use super::fuse::{Group, groups};
use super::{PlannedNode, Role, SegmentPlan};
use crate::graph::{GraphSpec, PortRef, conversion};
use crate::port::{Delivery, InputOptions, MessageType};
use crate::processor::{FailurePolicy, Threading};
use crate::{Error, ErrorKind, PixelFormat, Result, VideoFrame};

/// Links before transports are known.
pub(super) struct Wire {
    pub(super) from: PortRef,
    pub(super) to: PortRef,
    pub(super) delivery: Delivery,
    pub(super) message: MessageType,
}

pub(super) fn check_inputs(graph: &GraphSpec) -> Result<()> {
    if graph.nodes.is_empty() {
        return Err(Error::new(ErrorKind::InvalidGraph, "the graph has no nodes").hint("add a source and a sink"));
    }
    let connected: HashSet<_> = graph.links.iter().map(|link| link.to).collect();
    for (index, node) in graph.nodes.iter().enumerate() {
        for (port, input) in node.inputs.iter().enumerate() {
            if input.required && !connected.contains(&PortRef { node: index, port }) {
                let message = format!("input '{}' is not connected", input.name);
                return Err(Error::new(ErrorKind::InvalidGraph, message)
                    .hint(format!("connect an output to '{}.{}'", node.name, input.name))
                    .in_node(node.name.as_str()));
            }
        }
    }
    Ok(())
}

/// The graph's nodes, behind each group of pixel shaders the pass that draws them and, where an output's formats are not an input's,
/// one conversion for each output and target, shared by all who need it.
pub(super) fn insert(graph: &GraphSpec, fusion: bool) -> (Vec<PlannedNode>, Vec<Wire>) {
    let planned = |name: String, role, on_failure| PlannedNode { name, role, segment: usize::MAX, is_sink: true, on_failure };
    let processors = graph.nodes.iter().enumerate();
    let mut nodes: Vec<_> =
        processors.map(|(index, node)| planned(node.name.clone(), Role::Processor(index), node.on_failure)).collect();
    let mut names: HashSet<_> = graph.nodes.iter().map(|node| node.name.clone()).collect();
    let mut wires = Vec::with_capacity(graph.links.len());
    let mut unique = |base: String| {
        let numbered = (2..).map(|number| format!("{base}-{number}"));
        let name = std::iter::once(base.clone()).chain(numbered).find(|name| !names.contains(name)).unwrap_or(base.clone());
        names.insert(name.clone());
        name
    };
    // What draws the pictures of a pixel shader that is the last of its group, and what that gives.
    let mut drawn: HashMap<usize, (PortRef, Vec<PixelFormat>)> = HashMap::new();
    let mut inner = HashSet::new();
    let mut heads = HashSet::new();
    let groups = groups(graph, fusion);
    for Group { nodes: shaders, to, apart } in groups {
        let (Some(&head), Some(&last)) = (shaders.first(), shaders.last()) else { continue };
        let producer = graph.links.iter().find(|link| link.to.node == head);
        let from = match producer {
            Some(link) if fusion => graph.nodes[link.from.node].outputs[link.from.port].formats.clone(),
            _ => vec![PixelFormat::Rgba8],
        };
        inner.extend(shaders[..shaders.len() - 1].iter().copied());
        heads.insert(head);
        let name = unique(format!("{}-drawn", graph.nodes[last].name));
        let policy = policy_of_pass(graph, &shaders, from.iter().all(|format| *format == to));
        nodes.push(planned(name, Role::Draw { shaders, from, to, apart }, policy));
        let pass = PortRef { node: nodes.len() - 1, port: 0 };
        drawn.insert(last, (pass, vec![to]));
        let delivery = InputOptions::default().delivery;
        wires.push(Wire { from: PortRef { node: last, port: 0 }, to: pass, delivery, message: MessageType::of::<VideoFrame>() });
    }
    let mut converters: HashMap<(PortRef, Vec<PixelFormat>), usize> = HashMap::new();
    for link in &graph.links {
        let input = &graph.nodes[link.to.node].inputs[link.to.port];
        let (from, formats) = match drawn.get(&link.from.node) {
            Some((pass, formats)) => (*pass, formats),
            None => (link.from, &graph.nodes[link.from.node].outputs[link.from.port].formats),
        };
        let delivery = link.delivery.unwrap_or(input.delivery);
        // A pass reads every format; within a group nothing is drawn yet.
        let reads_all = inner.contains(&link.from.node) || fusion && heads.contains(&link.to.node);
        let fits = |format: &PixelFormat| reads_all || input.formats.is_empty() || input.formats.contains(format);
        let differing = formats.iter().filter(|format| !fits(format));
        let mut to: Vec<_> = differing.filter_map(|format| conversion(*format, &input.formats)).collect();
        to.sort_unstable();
        to.dedup();
        if to.is_empty() {
            wires.push(Wire { from, to: link.to, delivery, message: input.message.clone() });
            continue;
        }
        let converter = *converters.entry((from, input.formats.clone())).or_insert_with(|| {
            let targets = to.iter().map(ToString::to_string).collect::<Vec<_>>().join("-or-");
            let name = unique(format!("{}-to-{targets}", graph.nodes[link.from.node].name));
            let role = Role::Convert { from: formats.clone(), accepted: input.formats.clone(), to };
            nodes.push(planned(name, role, FailurePolicy::Stop));
            wires.push(Wire { from, to: PortRef { node: nodes.len() - 1, port: 0 }, delivery, message: input.message.clone() });
            nodes.len() - 1
        });
        wires.push(Wire {
            from: PortRef { node: converter, port: 0 },
            to: link.to,
            delivery,
            message: MessageType::of::<VideoFrame>(),
        });
    }
    (nodes, wires)
}

/// What happens when a pass fails to draw its pixel shaders: what they ask for, where it can be done for all of them.
fn policy_of_pass(graph: &GraphSpec, shaders: &[usize], keeps_format: bool) -> FailurePolicy {
    let mut policies = shaders.iter().map(|shader| graph.nodes[*shader].on_failure);
    let Some(first) = policies.next() else { return FailurePolicy::Stop };
    match first {
        // Past it, pictures would go in a format that nobody behind it takes.
        FailurePolicy::Bypass | FailurePolicy::Skip if !keeps_format => FailurePolicy::Stop,
        first if policies.all(|policy| policy == first) => first,
        _ => FailurePolicy::Stop,
    }
}

/// Producers before consumers, otherwise as added (Kahn's algorithm). What is left over is in a cycle.
pub(super) fn topological_order(nodes: &[PlannedNode], wires: &[Wire]) -> Result<Vec<usize>> {
    let mut incoming = vec![0usize; nodes.len()];
    let mut consumers = vec![Vec::new(); nodes.len()];
    for wire in wires {
        incoming[wire.to.node] += 1;
        consumers[wire.from.node].push(wire.to.node);
    }
    let mut order: Vec<usize> = (0..nodes.len()).filter(|node| incoming[*node] == 0).collect();
    let mut next = 0;
    while let Some(&node) = order.get(next) {
        next += 1;
        for &consumer in &consumers[node] {
            incoming[consumer] -= 1;
            if incoming[consumer] == 0 {
                order.push(consumer);
            }
        }
    }
    if order.len() == nodes.len() {
        return Ok(order);
    }
    let cycle: Vec<_> = (0..nodes.len()).filter(|node| incoming[*node] > 0).take(10).map(|node| &*nodes[node].name).collect();
    Err(Error::new(ErrorKind::InvalidGraph, format!("the graph has a cycle through or before: {}", cycle.join(", ")))
        .hint("nothing travels back; remove the link that closes the circle"))
}

/// Gives every node its segment.
pub(super) fn cut(graph: &GraphSpec, nodes: &mut [PlannedNode], wires: &[Wire], order: &[usize]) -> Vec<SegmentPlan> {
    let mut incoming = vec![Vec::new(); nodes.len()];
    let mut outgoing = vec![Vec::new(); nodes.len()];
    for wire in wires {
        incoming[wire.to.node].push(wire.from.node);
        outgoing[wire.from.node].push(wire.to.node);
    }
    let threading = |nodes: &[PlannedNode], node: usize| match nodes[node].role {
        Role::Processor(index) => graph.nodes[index].threading,
        Role::Convert { .. } | Role::Draw { .. } => Threading::Shared,
    };
    let mut segments: Vec<SegmentPlan> = Vec::new();
    // Whether a node cannot be in its producer's segment.
    let wants_apart = |nodes: &[PlannedNode], segments: &[SegmentPlan], node: usize, producer: usize| match threading(nodes, node)
    {
        Threading::Shared => None,
        Threading::Own => Some("it blocks or computes for long"),
        Threading::Within(domain) if segments[nodes[producer].segment].domain == Some(domain) => None,
        Threading::Within(domain) => Some(domain.name),
    };
    for &node in order {
        let converts = matches!(nodes[node].role, Role::Convert { .. });
        let reason = match incoming[node].as_slice() {
            [] => Some("a source"),
            [producer] => match wants_apart(nodes, &segments, node, *producer) {
                // A conversion that was given a thread for this node alone is its neighbour.
                Some(_) if matches!(nodes[*producer].role, Role::Convert { .. }) && outgoing[*producer].len() == 1 => None,
                // Frames that the queue drops are not converted.
                None if converts
                    && matches!(outgoing[node].as_slice(), [only] if wants_apart(nodes, &segments, *only, *producer).is_some()) =>
                {
                    Some("it converts for a consumer on its own thread")
                }
                reason => reason,
            },
            _ => Some("it has several inputs"),
        };
        nodes[node].segment = match (reason, incoming[node].as_slice()) {
            (None, [producer, ..]) => nodes[*producer].segment,
            (reason, _) => {
                let reason = reason.unwrap_or("a source");
                segments.push(SegmentPlan { name: nodes[node].name.clone(), nodes: Vec::new(), reason, domain: None });
                segments.len() - 1
            }
        };
        let domain = &mut segments[nodes[node].segment].domain;
        *domain = domain.or(threading(nodes, node).domain());
        segments[nodes[node].segment].nodes.push(node);
    }
    segments
}
