//! Any graph, from the built-in processors with any parameters and from processors with any ports: put together or refused with an
//! error, planned in both modes or refused, and never a panic. Nothing runs: no camera, no window, no file.

#![no_main]

use std::collections::HashSet;
use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::{Arbitrary, Result as Read, Unstructured};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use streamlib::prelude::*;
use streamlib::{FailurePolicy, Pairing, Plan, Registry, Restart, Threading, Transport};

static REGISTRY: LazyLock<Registry> = LazyLock::new(streamlib::registry);

const NAMES: [&str; 6] = ["a", "b", "c", "in", "out", "in"];

#[derive(Clone)]
struct Number;

impl Message for Number {}

/// What a port says of itself.
#[derive(Arbitrary, Debug)]
struct Port {
    name: u8,
    is_number: bool,
    /// Bits are positions in `PixelFormat::ALL`, `None` is what frames are by themselves.
    formats: Option<u16>,
    delivery: Choice,
    required: bool,
    pairing: u8,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Choice {
    Latest,
    DropOldest(usize),
    Block(usize),
}

impl From<Choice> for Delivery {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Latest => Self::Latest,
            Choice::DropOldest(capacity) => Self::DropOldest(capacity),
            Choice::Block(capacity) => Self::Block(capacity),
        }
    }
}

/// A processor of any ports, which never runs.
#[derive(Arbitrary, Debug)]
struct Any {
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    own_thread: bool,
}

/// Ports name their formats for the life of the program: each set is made once.
fn formats(bits: u16) -> &'static [PixelFormat] {
    static SETS: LazyLock<Vec<Vec<PixelFormat>>> = LazyLock::new(|| {
        let chosen = |bits: usize| {
            let all = PixelFormat::ALL.iter().enumerate();
            all.filter(|(position, _)| bits >> position & 1 == 1).map(|(_, format)| *format).collect()
        };
        (0..1usize << PixelFormat::ALL.len()).map(chosen).collect()
    });
    &SETS[usize::from(bits) % SETS.len()]
}

impl Processor for Any {
    fn ports(&mut self, ports: &mut Ports) {
        for port in &self.inputs {
            let pairing = match port.pairing % 3 {
                0 => Pairing::Each,
                1 => Pairing::Aligned { tolerance: Duration::from_millis(port.pairing.into()) },
                _ => Pairing::Latest,
            };
            let options = InputOptions {
                name: NAMES[usize::from(port.name) % NAMES.len()],
                formats: port.formats.map(formats),
                delivery: port.delivery.into(),
                required: port.required,
                pairing,
            };
            if port.is_number {
                let _ = ports.input::<Number>(options);
            } else {
                let _ = ports.input::<VideoFrame>(options);
            }
        }
        for port in &self.outputs {
            let options = OutputOptions { name: NAMES[usize::from(port.name) % NAMES.len()], formats: port.formats.map(formats) };
            if port.is_number {
                let _ = ports.output::<Number>(options);
            } else {
                let _ = ports.output::<VideoFrame>(options);
            }
        }
    }

    fn threading(&self) -> Threading {
        if self.own_thread { Threading::Own } else { Threading::Shared }
    }

    fn process(&mut self, _: &mut Context<'_>) -> Result<Flow> {
        Ok(Flow::End)
    }
}

/// One step of putting a graph together. Nodes and ports are given by position or as any text.
#[derive(Arbitrary, Debug)]
enum Step {
    BuiltIn { name: Option<String>, kind: u8, parameters: Vec<(u8, Setting)> },
    Any { name: Option<String>, processor: Any },
    Connect { from: End, to: End, delivery: Option<Choice> },
    ConnectTexts { from: String, to: String },
    OnFailure { node: u8, policy: u8, first_delay: u64, longest_delay: u64, limit: Option<u32> },
}

#[derive(Arbitrary, Debug)]
struct End {
    node: u8,
    port: Option<u8>,
}

/// A value of a parameter.
#[derive(Arbitrary, Debug)]
enum Setting {
    Default,
    Minimum,
    Maximum,
    Number(f64),
    Integer(i64),
    Text(String),
    Flag(bool),
    Nothing,
    List(Vec<i16>),
    Object(Vec<(String, i16)>),
    Unknown,
}

fn parameters(kind: usize, settings: Vec<(u8, Setting)>) -> (&'static str, Value) {
    let descriptor = REGISTRY.descriptors().nth(kind % REGISTRY.descriptors().count()).unwrap();
    let mut object = Map::new();
    for (which, setting) in settings {
        let Some(parameter) = descriptor.parameters.get(usize::from(which) % descriptor.parameters.len().max(1)) else { break };
        let value = match setting {
            Setting::Default => parameter.default.clone(),
            Setting::Minimum => json!(parameter.minimum),
            Setting::Maximum => json!(parameter.maximum),
            Setting::Number(number) => json!(number),
            Setting::Integer(number) => json!(number),
            Setting::Text(text) => json!(text),
            Setting::Flag(flag) => json!(flag),
            Setting::Nothing => Value::Null,
            Setting::List(list) => json!(list),
            Setting::Object(pairs) => pairs.into_iter().map(|(name, value)| (name, json!(value))).collect(),
            Setting::Unknown => {
                object.insert("unknown".into(), Value::Null);
                continue;
            }
        };
        object.insert(parameter.name.clone(), value);
    }
    (descriptor.name, Value::Object(object))
}

/// `node.port` of an output or an input of the graph so far, if it has nodes.
fn end(graph: &Graph, end: &End, is_output: bool) -> Option<String> {
    let nodes = &graph.spec().nodes;
    let node = nodes.get(usize::from(end.node) % nodes.len().max(1))?;
    let ports: Vec<&str> = if is_output {
        node.outputs.iter().map(|port| &*port.name).collect()
    } else {
        node.inputs.iter().map(|port| &*port.name).collect()
    };
    let port = end.port.and_then(|port| ports.get(usize::from(port) % ports.len().max(1)));
    Some(port.map_or_else(|| node.name.clone(), |port| format!("{}.{port}", node.name)))
}

fn add(graph: &mut Graph, step: Step) -> Result<()> {
    let number = graph.spec().nodes.len();
    let named = |name: Option<String>| name.unwrap_or_else(|| format!("n{number}"));
    match step {
        Step::BuiltIn { name, kind, parameters: settings } => {
            let (kind, values) = parameters(kind.into(), settings);
            graph.add_boxed(named(name), REGISTRY.create(kind, &values)?)
        }
        Step::Any { name, processor } => graph.add_boxed(named(name), Box::new(processor)),
        Step::Connect { from, to, delivery } => {
            let (Some(from), Some(to)) = (end(graph, &from, true), end(graph, &to, false)) else { return Ok(()) };
            match delivery {
                Some(delivery) => graph.connect_with(&from, &to, delivery.into()),
                None => graph.connect(&from, &to),
            }
        }
        Step::ConnectTexts { from, to } => graph.connect(&from, &to),
        Step::OnFailure { node, policy, first_delay, longest_delay, limit } => {
            let Some(node) = end(graph, &End { node, port: None }, true) else { return Ok(()) };
            let restart = Restart {
                first_delay: Duration::from_millis(first_delay),
                longest_delay: Duration::from_millis(longest_delay),
                limit,
            };
            let policies = [FailurePolicy::Stop, FailurePolicy::Bypass, FailurePolicy::Restart(restart)];
            graph.on_failure(&node, policies[usize::from(policy) % policies.len()])
        }
    }
}

/// What every plan must be.
fn check(graph: &Graph, plan: &Plan) {
    let text = plan.explain();
    let names: HashSet<_> = plan.nodes.iter().map(|node| &node.name).collect();
    assert_eq!(names.len(), plan.nodes.len(), "names are unique:\n{text}");
    assert!(names.iter().all(|name| text.contains(name.as_str())), "all nodes are explained:\n{text}");
    assert!(plan.nodes.len() >= graph.spec().nodes.len() && plan.links.len() >= graph.spec().links.len(), "{text}");
    let mut run = vec![0; plan.nodes.len()];
    for (index, segment) in plan.segments.iter().enumerate() {
        for node in &segment.nodes {
            run[*node] += 1;
            assert_eq!(plan.nodes[*node].segment, index, "{text}");
        }
    }
    assert!(run.iter().all(|times| *times == 1), "each node is in one segment:\n{text}");
    for link in &plan.links {
        let is_within = plan.nodes[link.from.node].segment == plan.nodes[link.to.node].segment;
        assert_eq!(link.transport == Transport::Direct, is_within, "queues are between segments, '{}':\n{text}", link.name);
        let blocks = !matches!(link.transport, Transport::Queue(Delivery::Latest | Delivery::DropOldest(_)));
        assert!(plan.mode == Mode::Live || blocks, "offline nothing is lost, '{}':\n{text}", link.name);
    }
    let change = plan.change_from(plan);
    assert!(change.start.is_empty() && change.stop.is_empty(), "nothing changes: {change:?}\n{text}");
}

fn steps(bytes: &[u8]) -> Read<Vec<Step>> {
    let mut bytes = Unstructured::new(bytes);
    bytes.arbitrary_iter()?.take(40).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(steps) = steps(bytes) else { return };
    let mut graph = Graph::new();
    for step in steps {
        // What is refused changes nothing, and says who and what to do.
        let before = (graph.spec().nodes.len(), graph.spec().links.len());
        if let Err(error) = add(&mut graph, step) {
            assert_eq!(before, (graph.spec().nodes.len(), graph.spec().links.len()), "{error}");
            assert!(!error.to_string().is_empty());
        }
    }
    for mode in [Mode::Live, Mode::Offline] {
        let runtime = Runtime::new(RuntimeOptions { mode, ..Default::default() });
        match runtime.plan(&graph) {
            Ok(plan) => check(&graph, &plan),
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidGraph, "{error}"),
        }
    }
});
