//! What a graph needs of the GPU's memory, as far as it can be known before it runs.

use std::collections::HashSet;
use std::fmt::Write;

use super::{Plan, Role};
use crate::graph::GraphSpec;
use crate::port::link::Transport;
use crate::{Error, ErrorKind, PixelFormat, Result, VideoFormat};

impl Plan {
    /// Fails if the graph cannot run within a budget of so many bytes: if a segment needs more for the pictures that it holds at once.
    ///
    /// Known are the pictures of sources that say how large they are, and what the plan has inserted to draw and convert them. A segment
    /// holds what it takes and what it makes until it submits.
    pub(crate) fn check_memory(&self, graph: &GraphSpec, budget: u64) -> Result<()> {
        let formats = self.formats(graph);
        let mut taken = vec![0u64; self.segments.len()];
        let mut counted = HashSet::new();
        for link in &self.links {
            let (from, to) = (self.nodes[link.from.node].segment, self.nodes[link.to.node].segment);
            if from != to && counted.insert((link.from.node, to)) {
                taken[to] += formats[link.from.node].picture.map_or(0, bytes);
            }
        }
        let made = |segment: usize| -> u64 {
            self.segments[segment].nodes.iter().filter_map(|node| formats[*node].made).map(bytes).sum()
        };
        let needs = (0..self.segments.len()).map(|segment| (taken[segment] + made(segment), segment));
        match needs.max() {
            Some((needed, segment)) if needed > budget => {
                let message = format!(
                    "the GPU memory budget of {budget} bytes cannot hold this graph: thread '{}' alone holds {needed} bytes at once ({})",
                    self.segments[segment].name,
                    self.describe_memory(&formats)
                );
                Err(Error::new(ErrorKind::OutOfMemory, message)
                    .hint("raise `GpuOptions::budget_bytes`, or choose smaller pictures"))
            }
            _ => Ok(()),
        }
    }

    /// The picture that leaves each node, and the one that it makes, in the order of the nodes.
    fn formats(&self, graph: &GraphSpec) -> Vec<Pictures> {
        let mut incoming = vec![None; self.nodes.len()];
        self.links.iter().for_each(|link| incoming[link.to.node] = Some(link.from.node));
        let mut formats = vec![Pictures::default(); self.nodes.len()];
        // Producers before consumers: a segment's nodes are in order, and its head comes after the segments that it takes from.
        for index in self.segments.iter().flat_map(|segment| segment.nodes.iter().copied()) {
            let comes = incoming[index].and_then(|producer: usize| formats[producer].picture);
            formats[index] = match &self.nodes[index].role {
                Role::Processor(position) if graph.nodes[*position].pixel.is_some() => Pictures { picture: comes, made: None },
                Role::Processor(position) => {
                    let node = &graph.nodes[*position];
                    let output = node.outputs.first().filter(|_| node.inputs.is_empty());
                    let sized = output.and_then(|output| Some((output.size?, output)));
                    let smallest = sized.and_then(|(size, output)| {
                        let formats = output.formats.iter().map(|pixel| VideoFormat::new(*pixel, size));
                        formats.min_by_key(|format| bytes(*format))
                    });
                    Pictures { picture: smallest, made: smallest }
                }
                Role::Draw { shaders, to, .. } => {
                    let is_on = |shader: &usize| match self.nodes[*shader].role {
                        Role::Processor(position) => graph.nodes[position].enabled,
                        _ => false,
                    };
                    let draws = shaders.iter().any(is_on) || comes.is_some_and(|format| format.pixel != *to);
                    let drawn = comes.map(|format| in_format(format, *to));
                    Pictures { picture: drawn, made: drawn.filter(|_| draws) }
                }
                Role::Convert { from, to, .. } => match (comes, from.as_slice(), to.as_slice()) {
                    (Some(format), [_], [to]) => {
                        let converted = Some(in_format(format, *to));
                        Pictures { picture: converted, made: converted }
                    }
                    _ => Pictures::default(),
                },
            };
        }
        formats
    }

    /// By node and link.
    fn describe_memory(&self, formats: &[Pictures]) -> String {
        let mut text = String::new();
        for (node, pictures) in self.nodes.iter().zip(formats) {
            if let Some(made) = pictures.made {
                let comma = if text.is_empty() { "" } else { ", " };
                let _ = write!(text, "{comma}'{}' makes {} bytes, {made}", node.name, bytes(made));
            }
        }
        for link in &self.links {
            if let (Transport::Queue(delivery), Some(picture)) = (link.transport, formats[link.from.node].picture) {
                let _ = write!(text, ", queue '{}' holds up to {} of {} bytes", link.name, delivery.capacity(), bytes(picture));
            }
        }
        text
    }
}

/// What is known of a node's pictures.
#[derive(Clone, Copy, Default)]
struct Pictures {
    /// What leaves it.
    picture: Option<VideoFormat>,
    /// What it takes from the pool for that.
    made: Option<VideoFormat>,
}

fn in_format(format: VideoFormat, pixel: PixelFormat) -> VideoFormat {
    VideoFormat { pixel, ..format }
}

/// Of the texture.
fn bytes(format: VideoFormat) -> u64 {
    let extent = format.texture_size();
    u64::from(extent.width) * u64::from(extent.height) * u64::from(format.pixel.texel_bytes())
}
