//! How a graph will run: segments, direct calls, queues and conversions. A pure function of the graph; needs no GPU.

use std::collections::HashMap;
use std::fmt::Write;

use crate::graph::{GraphSpec, PortRef, conversion};
use crate::port::link::Transport;
use crate::port::{Delivery, MessageType};
use crate::processor::Threading;
use crate::{Error, ErrorKind, PixelFormat, Result, VideoFrame};

/// Whether time passes while the graph runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Sources follow the clock; who is slow loses frames, as each link's policy says.
    #[default]
    Live,
    /// As fast as it goes; every queue blocks and nothing is lost.
    Offline,
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
type Outline<'a> = (Vec<(&'a str, Option<&'a Role>)>, Vec<(&'a str, Transport)>);

/// Links before transports are known.
struct Wire {
    from: PortRef,
    to: PortRef,
    delivery: Delivery,
    message: MessageType,
}

impl Plan {
    /// Plans a graph. Fails with [`ErrorKind::InvalidGraph`] for an empty graph, a required input without a link, or a cycle.
    pub fn new(graph: &GraphSpec, mode: Mode) -> Result<Self> {
        check_inputs(graph)?;
        let (mut nodes, wires) = insert_conversions(graph);
        let order = topological_order(&nodes, &wires)?;
        let segments = cut(graph, &mut nodes, &wires, &order);
        for wire in &wires {
            nodes[wire.from.node].is_sink = false;
        }
        let name_of = |node: usize, port: usize, output: bool| {
            let port = match (&nodes[node].role, output) {
                (Role::Processor(index), true) => &*graph.nodes[*index].outputs[port].name,
                (Role::Processor(index), false) => &*graph.nodes[*index].inputs[port].name,
                (Role::Convert { .. }, true) => "out",
                (Role::Convert { .. }, false) => "in",
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
                message: wire.message,
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
        let mine: HashMap<_, _> = self.segments.iter().map(|segment| (&segment.name, self.outline(segment))).collect();
        let theirs: HashMap<_, _> = old.segments.iter().map(|segment| (&segment.name, old.outline(segment))).collect();
        let mut change = PlanChange::default();
        for segment in &old.segments {
            if mine.get(&segment.name) == theirs.get(&segment.name) {
                change.keep.push(segment.name.clone());
            } else {
                change.stop.push(segment.name.clone());
            }
        }
        let started = self.segments.iter().filter(|segment| mine.get(&segment.name) != theirs.get(&segment.name));
        change.start.extend(started.map(|segment| segment.name.clone()));
        change
    }

    /// Everything that makes a segment what it is, by names, so that two plans can be compared.
    fn outline(&self, segment: &SegmentPlan) -> Outline<'_> {
        let inserted = |node: &'_ PlannedNode| matches!(node.role, Role::Convert { .. });
        let planned = segment.nodes.iter().map(|index| &self.nodes[*index]);
        let nodes = planned.map(|node| (&*node.name, inserted(node).then_some(&node.role))).collect();
        let touches = |link: &&PlannedLink| segment.nodes.contains(&link.from.node) || segment.nodes.contains(&link.to.node);
        let mut links: Vec<_> = self.links.iter().filter(touches).map(|link| (&*link.name, link.transport)).collect();
        links.sort_unstable_by_key(|(name, _)| *name);
        (nodes, links)
    }

    /// The plan in words: a line a segment, a node and a link.
    pub fn explain(&self) -> String {
        let mut text = String::new();
        for segment in &self.segments {
            let _ = writeln!(text, "segment '{}' ({})", segment.name, segment.reason);
            for index in &segment.nodes {
                let node = &self.nodes[*index];
                let _ = match &node.role {
                    Role::Processor(_) => writeln!(text, "  {}", node.name),
                    Role::Convert { from, accepted, to } => {
                        let becoming = |to: &PixelFormat| {
                            let becomes = |format: &&PixelFormat| *format != to && conversion(**format, accepted) == Some(*to);
                            let from = from.iter().filter(becomes).map(ToString::to_string).collect::<Vec<_>>().join(" or ");
                            format!("{from} becomes {to}")
                        };
                        let what = to.iter().map(becoming).collect::<Vec<_>>().join(", ");
                        writeln!(text, "  {} (inserted: {what})", node.name)
                    }
                };
                for link in self.links.iter().filter(|link| link.from.node == *index) {
                    let _ = writeln!(text, "    {} ({})", link.name, link.transport);
                }
            }
        }
        text
    }
}

fn check_inputs(graph: &GraphSpec) -> Result<()> {
    if graph.nodes.is_empty() {
        return Err(Error::new(ErrorKind::InvalidGraph, "the graph has no nodes").hint("add a source and a sink"));
    }
    let connected: std::collections::HashSet<_> = graph.links.iter().map(|link| link.to).collect();
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

/// The graph's nodes and, where an output's formats are not an input's, one conversion for each output and target, shared by
/// all who need it.
fn insert_conversions(graph: &GraphSpec) -> (Vec<PlannedNode>, Vec<Wire>) {
    let planned = |name: String, role| PlannedNode { name, role, segment: usize::MAX, is_sink: true };
    let mut nodes: Vec<_> =
        graph.nodes.iter().enumerate().map(|(index, node)| planned(node.name.clone(), Role::Processor(index))).collect();
    let mut wires = Vec::with_capacity(graph.links.len());
    let mut converters: HashMap<(PortRef, Vec<PixelFormat>), usize> = HashMap::new();
    for link in &graph.links {
        let output = &graph.nodes[link.from.node].outputs[link.from.port];
        let input = &graph.nodes[link.to.node].inputs[link.to.port];
        let delivery = link.delivery.unwrap_or(input.delivery);
        let fits = |format: &PixelFormat| input.formats.is_empty() || input.formats.contains(format);
        let differing = output.formats.iter().filter(|format| !fits(format));
        let mut to: Vec<_> = differing.filter_map(|format| conversion(*format, &input.formats)).collect();
        to.sort_unstable();
        to.dedup();
        if to.is_empty() {
            wires.push(Wire { from: link.from, to: link.to, delivery, message: input.message });
            continue;
        }
        let converter = *converters.entry((link.from, input.formats.clone())).or_insert_with(|| {
            let targets = to.iter().map(ToString::to_string).collect::<Vec<_>>().join("-or-");
            let base = format!("{}-to-{targets}", graph.nodes[link.from.node].name);
            let taken = |name: &str| nodes.iter().any(|node| node.name == name);
            let name = std::iter::once(base.clone())
                .chain((2..).map(|number| format!("{base}-{number}")))
                .find(|name| !taken(name))
                .unwrap_or(base);
            nodes.push(planned(name, Role::Convert { from: output.formats.clone(), accepted: input.formats.clone(), to }));
            wires.push(Wire {
                from: link.from,
                to: PortRef { node: nodes.len() - 1, port: 0 },
                delivery,
                message: input.message,
            });
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

/// Producers before consumers, otherwise as added (Kahn's algorithm). What is left over is in a cycle.
fn topological_order(nodes: &[PlannedNode], wires: &[Wire]) -> Result<Vec<usize>> {
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
fn cut(graph: &GraphSpec, nodes: &mut [PlannedNode], wires: &[Wire], order: &[usize]) -> Vec<SegmentPlan> {
    let mut incoming = vec![Vec::new(); nodes.len()];
    let mut outgoing = vec![Vec::new(); nodes.len()];
    for wire in wires {
        incoming[wire.to.node].push(wire.from.node);
        outgoing[wire.from.node].push(wire.to.node);
    }
    let wants_own = |nodes: &[PlannedNode], node: usize| match nodes[node].role {
        Role::Processor(index) => graph.nodes[index].threading == Threading::Own,
        Role::Convert { .. } => false,
    };
    let mut segments: Vec<SegmentPlan> = Vec::new();
    for &node in order {
        let converts = matches!(nodes[node].role, Role::Convert { .. });
        let reason = match incoming[node].as_slice() {
            [] => Some("a source"),
            [producer] if wants_own(nodes, node) => {
                // A conversion that was given a thread for this node alone is its neighbour.
                let with_converter = matches!(nodes[*producer].role, Role::Convert { .. }) && outgoing[*producer].len() == 1;
                (!with_converter).then_some("it blocks or computes for long")
            }
            [_] if converts && matches!(outgoing[node].as_slice(), [only] if wants_own(nodes, *only)) => {
                // Frames that the queue drops are not converted.
                Some("it converts for a consumer on its own thread")
            }
            [_] => None,
            _ => Some("it has several inputs"),
        };
        nodes[node].segment = match (reason, incoming[node].as_slice()) {
            (None, [producer, ..]) => nodes[*producer].segment,
            (reason, _) => {
                let reason = reason.unwrap_or("a source");
                segments.push(SegmentPlan { name: nodes[node].name.clone(), nodes: Vec::new(), reason });
                segments.len() - 1
            }
        };
        segments[nodes[node].segment].nodes.push(node);
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{LinkSpec, NodeSpec};
    use crate::port::{InputOptions, OutputOptions, Ports};

    /// A node with so many inputs and outputs of frames.
    fn node(name: &str, inputs: &[InputOptions], outputs: &[OutputOptions], threading: Threading) -> NodeSpec {
        let mut ports = Ports::default();
        for input in inputs {
            ports.input::<VideoFrame>(*input);
        }
        for output in outputs {
            ports.output::<VideoFrame>(*output);
        }
        NodeSpec { name: name.into(), inputs: ports.inputs, outputs: ports.outputs, threading }
    }

    fn link(from: usize, to: usize) -> LinkSpec {
        LinkSpec { from: PortRef { node: from, port: 0 }, to: PortRef { node: to, port: 0 }, delivery: None }
    }

    const INPUT: InputOptions = InputOptions { name: "in", formats: None, delivery: Delivery::DropOldest(8), required: true };
    const OUTPUT: OutputOptions = OutputOptions { name: "out", formats: None };

    /// Camera (yuyv or nv12) to ball (rgba8) to a window and a recording (i420).
    fn main_job() -> GraphSpec {
        let camera = OutputOptions { formats: Some(&[PixelFormat::Yuyv, PixelFormat::Nv12]), ..OUTPUT };
        let record = InputOptions { formats: Some(&[PixelFormat::I420]), ..INPUT };
        GraphSpec {
            nodes: vec![
                node("camera", &[], &[camera], Threading::Own),
                node("ball", &[INPUT], &[OUTPUT], Threading::Shared),
                node("display", &[INPUT], &[], Threading::Own),
                node("record", &[record], &[], Threading::Own),
            ],
            links: vec![link(0, 1), link(1, 2), link(1, 3)],
        }
    }

    #[test]
    fn the_main_job_is_cut_at_the_sinks_and_converts_where_neighbours_differ() {
        let plan = Plan::new(&main_job(), Mode::Live).unwrap();
        let expected = "\
segment 'camera' (a source)
  camera
    camera.out->camera-to-rgba8.in (direct)
  camera-to-rgba8 (inserted: yuyv or nv12 becomes rgba8)
    camera-to-rgba8.out->ball.in (direct)
  ball
    ball.out->display.in (drop-oldest(8))
    ball.out->ball-to-i420.in (drop-oldest(8))
segment 'display' (it blocks or computes for long)
  display
segment 'ball-to-i420' (it converts for a consumer on its own thread)
  ball-to-i420 (inserted: rgba8 becomes i420)
    ball-to-i420.out->record.in (direct)
  record
";
        assert_eq!(plan.explain(), expected);
        let sinks: Vec<_> = plan.nodes.iter().filter(|node| node.is_sink).map(|node| &*node.name).collect();
        assert_eq!(sinks, ["display", "record"]);
    }

    #[test]
    fn a_camera_that_is_only_recorded_never_becomes_rgba() {
        let mut graph = main_job();
        graph.nodes.swap(1, 3);
        graph.nodes.truncate(2);
        graph.links = vec![link(0, 1)];
        let plan = Plan::new(&graph, Mode::Live).unwrap();
        assert!(!plan.explain().contains("rgba8"), "{}", plan.explain());
    }

    /// What the plan inserts between an output that gives `gives` and an input that takes `takes`.
    fn inserted(gives: &'static [PixelFormat], takes: &'static [PixelFormat]) -> Option<String> {
        let output = OutputOptions { formats: Some(gives), ..OUTPUT };
        let input = InputOptions { formats: Some(takes), ..INPUT };
        let nodes = vec![node("a", &[], &[output], Threading::Own), node("b", &[input], &[], Threading::Own)];
        let text = Plan::new(&GraphSpec { nodes, links: vec![link(0, 1)] }, Mode::Live).unwrap().explain();
        text.lines().find(|line| line.contains("inserted")).map(|line| line.trim().to_string())
    }

    #[test]
    fn conversions_are_inserted_only_where_neighbours_differ_and_lose_as_little_as_can_be() {
        use PixelFormat::{Bgr24, Grey8, I420, I422, I444, Nv12, Rgb24, Rgba8, Uyvy, Yuyv};
        let table: &[(&[PixelFormat], &[PixelFormat], &str)] = &[
            // Equal neighbours, and all that fit.
            (&[Rgba8], &[Rgba8], ""),
            (&[I420], &[I420], ""),
            (&[I444], &[I422, I444], ""),
            (PixelFormat::ALL, PixelFormat::ALL, ""),
            // What cameras give, recorded: never R'G'B'.
            (&[Yuyv], &[I420], "a-to-i420 (inserted: yuyv becomes i420)"),
            (&[Uyvy], &[I420], "a-to-i420 (inserted: uyvy becomes i420)"),
            (&[Nv12], &[I420], "a-to-i420 (inserted: nv12 becomes i420)"),
            (&[I422], &[I420], "a-to-i420 (inserted: i422 becomes i420)"),
            (&[I444], &[I420], "a-to-i420 (inserted: i444 becomes i420)"),
            (&[Grey8], &[I420], "a-to-i420 (inserted: grey8 becomes i420)"),
            (&[Rgb24], &[I420], "a-to-i420 (inserted: rgb24 becomes i420)"),
            (&[Bgr24], &[I420], "a-to-i420 (inserted: bgr24 becomes i420)"),
            // The same in a window.
            (&[Yuyv, Uyvy, Nv12], &[Rgba8], "a-to-rgba8 (inserted: yuyv or uyvy or nv12 becomes rgba8)"),
            (&[I420, I422, I444], &[Rgba8], "a-to-rgba8 (inserted: i420 or i422 or i444 becomes rgba8)"),
            (&[Grey8, Rgb24, Bgr24], &[Rgba8], "a-to-rgba8 (inserted: grey8 or rgb24 or bgr24 becomes rgba8)"),
            // Who fits passes, and is not named.
            (&[Rgba8, Yuyv], &[Rgba8], "a-to-rgba8 (inserted: yuyv becomes rgba8)"),
            // A choice: chroma is kept first, then the matrix spared.
            (&[Nv12], &[Grey8, Rgba8, I420], "a-to-i420 (inserted: nv12 becomes i420)"),
            (&[Yuyv], &[I420, Rgba8], "a-to-rgba8 (inserted: yuyv becomes rgba8)"),
            (&[Rgb24], &[I420, Nv12], "a-to-i420 (inserted: rgb24 becomes i420)"),
            (&[Rgb24], &[Nv12, I420], "a-to-nv12 (inserted: rgb24 becomes nv12)"),
            (
                &[Yuyv, Nv12, Bgr24],
                &[Rgba8, I420],
                "a-to-rgba8-or-i420 (inserted: yuyv or bgr24 becomes rgba8, nv12 becomes i420)",
            ),
        ];
        for (gives, takes, expected) in table {
            assert_eq!(inserted(gives, takes).unwrap_or_default(), *expected, "{gives:?} to {takes:?}");
        }
    }

    #[test]
    fn consumers_of_one_format_share_a_conversion() {
        let mut graph = main_job();
        graph.links = vec![link(0, 1), link(0, 2), link(1, 3)];
        let plan = Plan::new(&graph, Mode::Live).unwrap();
        let conversions =
            plan.nodes.iter().filter(|node| matches!(&node.role, Role::Convert { to, .. } if *to == [PixelFormat::Rgba8]));
        assert_eq!(conversions.count(), 1, "{}", plan.explain());
    }

    #[test]
    fn offline_every_queue_blocks() {
        let plan = Plan::new(&main_job(), Mode::Offline).unwrap();
        let blocks = |link: &PlannedLink| matches!(link.transport, Transport::Direct | Transport::Queue(Delivery::Block(8)));
        assert!(plan.links.iter().all(blocks), "{}", plan.explain());
    }

    #[test]
    fn what_cannot_run_is_named() {
        let error = |graph: &GraphSpec| Plan::new(graph, Mode::Live).unwrap_err();
        assert_eq!(error(&GraphSpec::default()).kind(), ErrorKind::InvalidGraph);
        let mut graph = main_job();
        graph.links.pop();
        assert!(
            error(&graph).to_string().starts_with("node 'record': input 'in' is not connected; connect an output to 'record.in'")
        );
        let mut graph = main_job();
        let input = graph.nodes[1].inputs[0].clone();
        graph.nodes[0].inputs.push(input);
        graph.links.push(link(1, 0));
        let message = error(&graph).to_string();
        assert!(message.contains("cycle") && message.contains("camera") && message.contains("ball"), "{message}");
    }

    #[test]
    fn starting_and_stopping_are_changes_like_any_other() {
        let plan = Plan::new(&main_job(), Mode::Live).unwrap();
        let start = plan.change_from(&Plan::default());
        assert_eq!((start.start.len(), start.stop.len()), (3, 0));
        let stop = Plan::default().change_from(&plan);
        assert_eq!((stop.start.len(), stop.stop.len()), (0, 3));
        assert_eq!(plan.change_from(&plan).keep.len(), 3);

        let mut without_window = main_job();
        without_window.nodes.remove(2);
        without_window.links = vec![link(0, 1), link(1, 2)];
        let change = Plan::new(&without_window, Mode::Live).unwrap().change_from(&plan);
        // The recording has moved in the graph, but is the same; the camera's segment has lost a link.
        assert_eq!(change.stop, ["camera", "display"]);
        assert_eq!(change.start, ["camera"]);
        assert_eq!(change.keep, ["ball-to-i420"]);
    }

    #[test]
    fn ten_thousand_nodes_are_planned() {
        let mut graph = GraphSpec::default();
        graph.nodes.push(node("source", &[], &[OUTPUT], Threading::Own));
        for index in 1..10_000 {
            graph.nodes.push(node(&format!("n{index}"), &[INPUT], &[OUTPUT], Threading::Shared));
            graph.links.push(link(index - 1, index));
        }
        assert_eq!(Plan::new(&graph, Mode::Live).unwrap().segments.len(), 1);
    }
}
