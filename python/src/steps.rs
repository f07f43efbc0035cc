//! What a graph was made of, so that it can be made again: a run uses up the processors.

use std::sync::Arc;

use serde_json::Value;
use streamlib::{Delivery, FailurePolicy, Processor};

use crate::node::{Instance, Node};
use crate::registry::make;

/// Something that was said of a graph.
pub(crate) enum Step {
    Add { name: String, recipe: Recipe },
    Connect { from: String, to: String, delivery: Option<Delivery> },
    OnFailure { node: String, policy: FailurePolicy },
    SetEnabled { node: String, enabled: bool },
}

/// How a node's processor is made.
pub(crate) enum Recipe {
    BuiltIn(String, Value),
    Python(Arc<Instance>, Value),
}

impl Recipe {
    pub(crate) fn make(&self) -> streamlib::Result<Box<dyn Processor>> {
        match self {
            Self::BuiltIn(name, parameters) => make(name, parameters),
            Self::Python(instance, values) => Ok(Box::new(Node::new(instance.clone(), values.clone()))),
        }
    }
}

impl Step {
    pub(crate) fn apply(&self, graph: &mut streamlib::Graph) -> streamlib::Result<()> {
        match self {
            Self::Add { name, recipe } => graph.add_boxed(name, recipe.make()?),
            Self::Connect { from, to, delivery: None } => graph.connect(from, to),
            Self::Connect { from, to, delivery: Some(delivery) } => graph.connect_with(from, to, *delivery),
            Self::OnFailure { node, policy } => graph.on_failure(node, *policy),
            Self::SetEnabled { node, enabled } => graph.set_enabled(node, *enabled),
        }
    }
}
