//! Which pixel shaders are drawn together.

use std::sync::Arc;

use crate::PixelFormat;
use crate::gpu::PixelGroup;
use crate::graph::{GraphSpec, PortRef, conversion};

/// Pixel shaders that one pass draws.
pub(super) struct Group {
    /// The nodes, in their order.
    pub(super) nodes: Vec<usize>,
    /// What is drawn: the format of those who take it, if all take one, else `rgba8`.
    pub(super) to: PixelFormat,
    /// Why a pixel shader that follows is drawn by another pass, or a conversion that follows is another pass.
    pub(super) apart: Option<String>,
}

/// The groups of a graph; without fusion each pixel shader is one.
pub(super) fn groups(graph: &GraphSpec, fusion: bool) -> Vec<Group> {
    let mut consumers: Vec<Vec<PortRef>> = vec![Vec::new(); graph.nodes.len()];
    for link in &graph.links {
        consumers[link.from.node].push(link.to);
    }
    let is_pixel = |node: usize| graph.nodes[node].pixel.is_some();
    let mut is_grouped = vec![false; graph.nodes.len()];
    let mut groups = Vec::new();
    for head in heads(graph) {
        let mut next = Some(head);
        while let Some(node) = next.filter(|node| !is_grouped[*node]) {
            let mut group = Group { nodes: vec![node], to: PixelFormat::Rgba8, apart: None };
            next = None;
            let mut last = node;
            is_grouped[node] = true;
            loop {
                let follows = match consumers[last].as_slice() {
                    [only] if is_pixel(only.node) => only.node,
                    _ => break,
                };
                if !fusion {
                    group.apart = Some("fusion is off".into());
                } else if !fits(graph, &group.nodes, follows) {
                    group.apart = Some("a pass draws no more of them".into());
                } else if !is_grouped[follows] {
                    is_grouped[follows] = true;
                    group.nodes.push(follows);
                    last = follows;
                    continue;
                }
                next = Some(follows);
                break;
            }
            let takers = &consumers[last];
            if takers.len() > 1 && takers.iter().any(|taker| is_pixel(taker.node)) {
                group.apart =
                    Some(format!("'{}' goes to {} inputs, for which it is drawn once", graph.nodes[last].name, takers.len()));
            } else if fusion {
                if let [only] = takers.as_slice()
                    && !graph.nodes[only.node].outputs.is_empty()
                    && !is_pixel(only.node)
                {
                    group.apart = Some(format!("'{}' is no pixel shader", graph.nodes[only.node].name));
                }
                target(graph, takers, &mut group);
            }
            groups.push(group);
        }
    }
    groups
}

/// Pixel shaders that no other goes to with all that it gives, and, so that cycles are told of as such, the rest.
fn heads(graph: &GraphSpec) -> Vec<usize> {
    let mut outgoing = vec![0usize; graph.nodes.len()];
    graph.links.iter().for_each(|link| outgoing[link.from.node] += 1);
    let mut follows = vec![false; graph.nodes.len()];
    for link in &graph.links {
        follows[link.to.node] = graph.nodes[link.from.node].pixel.is_some() && outgoing[link.from.node] == 1;
    }
    let pixel = (0..graph.nodes.len()).filter(|node| graph.nodes[*node].pixel.is_some());
    let (rest, heads): (Vec<_>, Vec<_>) = pixel.partition(|node| follows[*node]);
    heads.into_iter().chain(rest).collect()
}

fn fits(graph: &GraphSpec, nodes: &[usize], more: usize) -> bool {
    let functions = nodes.iter().chain([&more]).filter_map(|node| graph.nodes[*node].pixel.as_ref());
    PixelGroup::new(functions.map(|stage| Arc::clone(&stage.0)).collect()).is_some()
}

/// Lets the pass give what those who take its picture want, if they want one format.
fn target(graph: &GraphSpec, takers: &[PortRef], group: &mut Group) {
    let wanted = |taker: &PortRef| conversion(PixelFormat::Rgba8, &graph.nodes[taker.node].inputs[taker.port].formats);
    let mut formats = takers.iter().filter_map(wanted);
    let Some(first) = formats.next() else { return };
    match formats.all(|format| format == first) {
        true => group.to = first,
        false => group.apart = Some("those who take it want different pixel formats".into()),
    }
}
