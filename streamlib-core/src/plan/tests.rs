use super::*;
use crate::graph::{LinkSpec, NodeSpec};
use crate::port::{InputOptions, OutputOptions, Pairing, Ports};
use crate::processor::Threading;
use crate::{ErrorKind, VideoFrame};

/// A node with so many inputs and outputs of frames.
fn node(name: &str, inputs: &[InputOptions], outputs: &[OutputOptions], threading: Threading) -> NodeSpec {
    let mut ports = Ports::default();
    for input in inputs {
        ports.input::<VideoFrame>(*input);
    }
    for output in outputs {
        ports.output::<VideoFrame>(*output);
    }
    NodeSpec {
        name: name.into(),
        inputs: ports.inputs,
        outputs: ports.outputs,
        threading,
        on_failure: FailurePolicy::Stop,
        enabled: true,
        pixel: None,
    }
}

fn link(from: usize, to: usize) -> LinkSpec {
    LinkSpec { from: PortRef { node: from, port: 0 }, to: PortRef { node: to, port: 0 }, delivery: None }
}

const INPUT: InputOptions =
    InputOptions { name: "in", formats: None, delivery: Delivery::DropOldest(8), required: true, pairing: Pairing::Each };
const OUTPUT: OutputOptions = OutputOptions { name: "out", formats: None, size: None };

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
        (&[Yuyv, Nv12, Bgr24], &[Rgba8, I420], "a-to-rgba8-or-i420 (inserted: yuyv or bgr24 becomes rgba8, nv12 becomes i420)"),
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
#[cfg_attr(miri, ignore = "minutes under Miri")]
fn ten_thousand_nodes_are_planned() {
    let mut graph = GraphSpec::default();
    graph.nodes.push(node("source", &[], &[OUTPUT], Threading::Own));
    for index in 1..10_000 {
        graph.nodes.push(node(&format!("n{index}"), &[INPUT], &[OUTPUT], Threading::Shared));
        graph.links.push(link(index - 1, index));
    }
    assert_eq!(Plan::new(&graph, Mode::Live).unwrap().segments.len(), 1);
}
