//! A graph: which processors there are and how their ports are linked. Plain data; nothing runs here.

use std::collections::HashMap;
use std::fmt;

use crate::gpu::loss;
use crate::port::{Delivery, InputSpec, OutputSpec, Ports};
use crate::processor::{FailurePolicy, IntoProcessor, MainLoop, PixelStage, Processor, Threading};
use crate::{Error, ErrorKind, PixelFormat, Result};

/// A node as data.
#[derive(Clone, Debug)]
pub struct NodeSpec {
    /// Unique in the graph.
    pub name: String,
    /// What it takes.
    pub inputs: Vec<InputSpec>,
    /// What it gives.
    pub outputs: Vec<OutputSpec>,
    /// On which thread it wants to run.
    pub threading: Threading,
    /// What happens when it fails.
    pub on_failure: FailurePolicy,
    /// Whether it is switched on at first. What a filter takes that is switched off goes through unchanged.
    pub enabled: bool,
    /// What it does to a pixel, if that is all it does: then it can be drawn together with others.
    pub pixel: Option<PixelStage>,
}

impl NodeSpec {
    fn check_policy(&self, policy: FailurePolicy) -> Result<()> {
        if policy == FailurePolicy::Bypass && !self.can_be_bypassed() {
            let message =
                format!("node '{}' cannot be bypassed: it is no sink and no filter that gives what it takes", self.name);
            return Err(Error::new(ErrorKind::InvalidArgument, message).hint("let it restart, or stop the run"));
        }
        Ok(())
    }

    /// Whether the graph can go on without it: a sink, or a filter that gives what it takes.
    fn can_be_bypassed(&self) -> bool {
        match (self.inputs.as_slice(), self.outputs.as_slice()) {
            ([_, ..], []) => true,
            _ => self.is_filter(),
        }
    }

    /// Whether it gives what it takes: what comes to it can go past it.
    pub(crate) fn is_filter(&self) -> bool {
        match (self.inputs.as_slice(), self.outputs.as_slice()) {
            ([input], [output]) => {
                input.message == output.message && input.formats.iter().all(|format| output.formats.contains(format))
            }
            _ => false,
        }
    }
}

/// A port of a node, by their positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortRef {
    /// The node's position in [`GraphSpec::nodes`].
    pub node: usize,
    /// The port's position among the node's inputs or outputs.
    pub port: usize,
}

/// A link as data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSpec {
    /// The output it comes from.
    pub from: PortRef,
    /// The input it goes to.
    pub to: PortRef,
    /// What its queue does, if it gets one; `None`: what the input declares.
    pub delivery: Option<Delivery>,
}

/// A graph as data, without the processors themselves: can be checked, printed and planned.
#[derive(Clone, Debug, Default)]
pub struct GraphSpec {
    /// The nodes, in the order in which they were added.
    pub nodes: Vec<NodeSpec>,
    /// The links, in the order in which they were made.
    pub links: Vec<LinkSpec>,
}

/// Processors and the links between their ports.
///
/// ```
/// use streamlib_core::{Context, Graph, Message, Next, Result, Sink, Source};
///
/// #[derive(Clone)]
/// struct Count(u32);
/// impl Message for Count {}
///
/// struct Numbers(u32);
/// impl Source<Count> for Numbers {
///     fn produce(&mut self, _: &mut Context) -> Result<Next<Count>> {
///         self.0 += 1;
///         Ok(if self.0 <= 3 { Next::Item(Count(self.0)) } else { Next::End })
///     }
/// }
///
/// struct Print;
/// impl Sink<Count> for Print {
///     fn consume(&mut self, count: Count, _: &mut Context) -> Result<()> {
///         println!("{}", count.0);
///         Ok(())
///     }
/// }
///
/// let mut graph = Graph::new();
/// let double = |count: Count, _: &mut Context| Ok(Count(2 * count.0));
/// graph.chain((Numbers(0), double, Print))?;
/// assert_eq!(graph.to_string(), "numbers.out -> closure.in\nclosure.out -> print.in\n");
/// # Ok::<(), streamlib_core::Error>(())
/// ```
#[derive(Default)]
pub struct Graph {
    spec: GraphSpec,
    processors: Vec<Box<dyn Processor>>,
    by_name: HashMap<String, usize>,
    /// The link of each connected input, so that connecting stays cheap in large graphs.
    producers: HashMap<PortRef, usize>,
    /// The last number given to nodes without a name, by the name of their type.
    unnamed: HashMap<String, usize>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a node. Names are unique, not empty and free of dots and white space.
    pub fn add<M>(&mut self, name: impl Into<String>, processor: impl IntoProcessor<M>) -> Result<()> {
        self.add_boxed(name, processor.into_processor())
    }

    /// Adds a node from a boxed processor, as a registry makes them.
    pub fn add_boxed(&mut self, name: impl Into<String>, mut processor: Box<dyn Processor>) -> Result<()> {
        let name = name.into();
        if name.is_empty() || name.contains(|character: char| character == '.' || character.is_whitespace()) {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("'{name}' cannot be a node's name"))
                .hint("names are not empty and have no dots or spaces"));
        }
        if self.by_name.contains_key(&name) {
            return Err(Error::new(ErrorKind::InvalidGraph, format!("there are two nodes of the name '{name}'"))
                .hint("give one of them another name"));
        }
        let mut ports = Ports::default();
        processor.ports(&mut ports);
        for input in &ports.inputs {
            input.delivery.check().map_err(|error| error.in_node(name.as_str()))?;
        }
        let (threading, on_failure) = (processor.threading(), processor.failure_policy());
        let pixel = processor.pixel_function().map_err(|error| error.in_node(name.as_str()))?;
        let node = NodeSpec { name, inputs: ports.inputs, outputs: ports.outputs, threading, on_failure, enabled: true, pixel };
        node.check_policy(on_failure)?;
        self.by_name.insert(node.name.clone(), self.spec.nodes.len());
        self.spec.nodes.push(node);
        self.processors.push(processor);
        Ok(())
    }

    /// Adds a node under its type's name (`bouncing-ball`, or `bouncing-ball-2` if that is taken) and returns the name.
    pub fn add_unnamed<M, P: IntoProcessor<M>>(&mut self, processor: P) -> Result<String> {
        self.add_boxed_unnamed(P::default_name(), processor.into_processor())
    }

    /// Adds a boxed processor under this name, or with a number behind it if that is taken, and returns the name.
    pub fn add_boxed_unnamed(&mut self, base: impl Into<String>, processor: Box<dyn Processor>) -> Result<String> {
        let base = base.into();
        // Begins where the last one of this name was found, so that adding stays cheap in large graphs.
        let mut number = self.unnamed.get(&base).copied().unwrap_or(0);
        let name = loop {
            number += 1;
            let name = if number == 1 { base.clone() } else { format!("{base}-{number}") };
            if !self.by_name.contains_key(&name) {
                break name;
            }
        };
        self.unnamed.insert(base, number);
        self.add_boxed(name.clone(), processor)?;
        Ok(name)
    }

    /// Links an output to an input, given as `node.port`, or `node` alone where it has just one. The types must be the same, and
    /// there must be a conversion where the pixel formats differ.
    pub fn connect(&mut self, from: &str, to: &str) -> Result<()> {
        self.link(from, to, None)
    }

    /// The same, and says what the queue does if this link gets one.
    pub fn connect_with(&mut self, from: &str, to: &str, delivery: Delivery) -> Result<()> {
        self.link(from, to, Some(delivery.check()?))
    }

    /// Adds processors and links each to the next: `graph.chain((Camera::first(), BouncingBall::default(), Display::default()))`.
    pub fn chain<M>(&mut self, chain: impl IntoChain<M>) -> Result<()> {
        let names = chain.add_to(self)?;
        names.windows(2).try_for_each(|pair| self.connect(&pair[0], &pair[1]))
    }

    /// Says what happens when a node fails. A node that gives something else than it takes cannot be bypassed.
    pub fn on_failure(&mut self, node: &str, policy: FailurePolicy) -> Result<()> {
        let index = self.find_node(node)?;
        let node = &mut self.spec.nodes[index];
        node.check_policy(policy)?;
        node.on_failure = policy;
        Ok(())
    }

    /// Switches a filter off at first, or on again; see [`Running::set_enabled`](crate::Running::set_enabled).
    pub fn set_enabled(&mut self, node: &str, enabled: bool) -> Result<()> {
        let index = self.find_node(node)?;
        let spec = &mut self.spec.nodes[index];
        if !spec.is_filter() {
            return Err(cannot_be_switched(node));
        }
        spec.enabled = enabled;
        Ok(())
    }

    /// The graph as data.
    pub fn spec(&self) -> &GraphSpec {
        &self.spec
    }

    pub(crate) fn main_loop(&self) -> Option<std::sync::Arc<dyn MainLoop>> {
        self.processors.iter().find_map(|processor| processor.main_loop())
    }

    pub(crate) fn into_parts(self) -> (GraphSpec, Vec<Box<dyn Processor>>) {
        (self.spec, self.processors)
    }

    fn link(&mut self, from: &str, to: &str, delivery: Option<Delivery>) -> Result<()> {
        let from = self.find(from, "output", |node| node.outputs.iter().map(|port| &*port.name).collect())?;
        let to = self.find(to, "input", |node| node.inputs.iter().map(|port| &*port.name).collect())?;
        let output = &self.spec.nodes[from.node].outputs[from.port];
        let input = &self.spec.nodes[to.node].inputs[to.port];
        let (from_name, to_name) = (self.spec.output_name(from), self.spec.input_name(to));
        if output.message != input.message {
            let message = format!("{from_name} gives {}, but {to_name} takes {}", output.message.name(), input.message.name());
            return Err(
                Error::new(ErrorKind::InvalidGraph, message).hint("put a processor between them that makes one of the other")
            );
        }
        if let Some(producer) = self.producers.get(&to) {
            let other = self.spec.output_name(self.spec.links[*producer].from);
            return Err(Error::new(ErrorKind::InvalidGraph, format!("{to_name} gets its messages from {other} already"))
                .hint("an input has one link; join streams with a processor of several inputs"));
        }
        if let Some(format) = output.formats.iter().find(|format| conversion(**format, &input.formats).is_none()) {
            let takes = input.formats.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let message = format!("{from_name} may give {format}, but {to_name} takes {takes}, and there is no conversion");
            return Err(Error::new(ErrorKind::InvalidGraph, message).hint("use a processor that takes this format"));
        }
        self.producers.insert(to, self.spec.links.len());
        self.spec.links.push(LinkSpec { from, to, delivery });
        Ok(())
    }

    fn find_node(&self, name: &str) -> Result<usize> {
        self.by_name.get(name).copied().ok_or_else(|| {
            let names = self.spec.nodes.iter().take(20).map(|node| &*node.name).collect::<Vec<_>>().join(", ");
            Error::new(ErrorKind::InvalidGraph, format!("there is no node '{name}'")).hint(format!("there is: {names}"))
        })
    }

    fn find<'a>(&'a self, end: &str, kind: &str, ports: impl Fn(&'a NodeSpec) -> Vec<&'a str>) -> Result<PortRef> {
        let (name, port) = match end.split_once('.') {
            Some((name, port)) => (name, Some(port)),
            None => (end, None),
        };
        let wrong = |message: String, hint: String| Error::new(ErrorKind::InvalidGraph, message).hint(hint);
        let node = self.find_node(name)?;
        let names = ports(&self.spec.nodes[node]);
        let list = names.join(", ");
        match (port, names.as_slice()) {
            (_, []) => Err(wrong(format!("node '{name}' has no {kind}"), format!("link it by an {}", other(kind)))),
            (None, [_]) => Ok(PortRef { node, port: 0 }),
            (None, _) => Err(wrong(format!("node '{name}' has several {kind}s"), format!("say which: {name}.PORT, of {list}"))),
            (Some(port), _) => match names.iter().position(|name| *name == port) {
                Some(port) => Ok(PortRef { node, port }),
                None => Err(wrong(format!("node '{name}' has no {kind} '{port}'"), format!("it has: {list}"))),
            },
        }
    }
}

pub(crate) fn cannot_be_switched(node: &str) -> Error {
    let message = "it cannot be switched: it is no filter that gives what it takes";
    Error::new(ErrorKind::InvalidArgument, message).hint("leave it out of the graph").in_node(node)
}

fn other(kind: &str) -> &'static str {
    if kind == "input" { "output" } else { "input" }
}

/// What `format` becomes for an input that takes `accepted`: itself, or the one that loses least; of equals the first. Ports of
/// other messages name no formats and take what comes.
pub(crate) fn conversion(format: PixelFormat, accepted: &[PixelFormat]) -> Option<PixelFormat> {
    if accepted.contains(&format) || accepted.is_empty() {
        return Some(format);
    }
    let losses = accepted.iter().filter_map(|to| Some((loss(format, *to)?, *to)));
    losses.min_by_key(|(loss, _)| *loss).map(|(_, to)| to)
}

impl GraphSpec {
    /// `node.port` of an output.
    pub fn output_name(&self, port: PortRef) -> String {
        let node = &self.nodes[port.node];
        format!("{}.{}", node.name, node.outputs[port.port].name)
    }

    /// `node.port` of an input.
    pub fn input_name(&self, port: PortRef) -> String {
        let node = &self.nodes[port.node];
        format!("{}.{}", node.name, node.inputs[port.port].name)
    }
}

/// A line a link.
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for link in &self.spec.links {
            writeln!(f, "{} -> {}", self.spec.output_name(link.from), self.spec.input_name(link.to))?;
        }
        Ok(())
    }
}

/// A tuple of up to eight processors.
pub trait IntoChain<Markers> {
    /// Adds them all and returns their names.
    fn add_to(self, graph: &mut Graph) -> Result<Vec<String>>;
}

macro_rules! chains {
    ($(($($processor:ident $marker:ident),+))+) => {
        $(impl<$($processor: IntoProcessor<$marker>, $marker),+> IntoChain<($($marker,)+)> for ($($processor,)+) {
            #[allow(non_snake_case, reason = "the type parameters' names serve as variables")]
            fn add_to(self, graph: &mut Graph) -> Result<Vec<String>> {
                let ($($processor,)+) = self;
                Ok(vec![$(graph.add_unnamed($processor)?),+])
            }
        })+
    };
}

chains! {
    (A MA)
    (A MA, B MB)
    (A MA, B MB, C MC)
    (A MA, B MB, C MC, D MD)
    (A MA, B MB, C MC, D MD, E ME)
    (A MA, B MB, C MC, D MD, E ME, F MF)
    (A MA, B MB, C MC, D MD, E ME, F MF, G MG)
    (A MA, B MB, C MC, D MD, E ME, F MF, G MG, H MH)
}
