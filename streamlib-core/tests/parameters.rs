//! Parameters that are set while a graph runs. Needs no GPU.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use streamlib_core::*;
use support::*;

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ScaleParameters {
    /// Multiplies.
    #[schemars(range(min = 0, max = 1000))]
    factor: u64,
    /// Must stay above the factor.
    ceiling: u64,
    /// The device.
    #[schemars(extend("x-fixed" = true))]
    device: String,
}

impl Default for ScaleParameters {
    fn default() -> Self {
        Self { factor: 1, ceiling: 10_000, device: "first".into() }
    }
}

/// Multiplies, and notes whether its parameters changed while it was at work.
#[derive(Default)]
struct Scale {
    parameters: ScaleParameters,
    is_working: bool,
    torn: Arc<Mutex<bool>>,
}

impl Described for Scale {
    type Parameters = ScaleParameters;
    const NAME: &'static str = "scale";
    const SUMMARY: &'static str = "Multiplies.";

    fn from_parameters(parameters: ScaleParameters) -> Result<Self> {
        Self::check(&parameters)?;
        Ok(Self { parameters, ..Self::default() })
    }
    fn check(parameters: &ScaleParameters) -> Result<()> {
        if parameters.factor > parameters.ceiling {
            return Err(Error::new(ErrorKind::InvalidArgument, "the factor is above the ceiling").hint("raise the ceiling first"));
        }
        Ok(())
    }
    fn parameters(&self) -> &ScaleParameters {
        &self.parameters
    }
    fn set_parameters(&mut self, parameters: ScaleParameters, _: &mut Context<'_>) -> Result<()> {
        *self.torn.lock().unwrap() |= self.is_working;
        if parameters.factor == 13 {
            return Err(Error::new(ErrorKind::Unsupported, "the device does not like 13"));
        }
        self.parameters = parameters;
        Ok(())
    }
}

impl Filter<Number, Number> for Scale {
    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        Some(self)
    }
    fn process(&mut self, number: Number, _: &mut Context<'_>) -> Result<Number> {
        self.is_working = true;
        let first = number.0 * self.parameters.factor;
        std::thread::yield_now();
        *self.torn.lock().unwrap() |= first != number.0 * self.parameters.factor;
        self.is_working = false;
        Ok(Number(self.parameters.factor))
    }
}

fn start() -> (Running, Collect, Arc<Mutex<bool>>) {
    let (scale, sink) = (Scale::default(), Collect::default());
    let torn = scale.torn.clone();
    let mut graph = Graph::new();
    graph.chain((Numbers::at(2000), scale, sink.clone())).unwrap();
    (Runtime::new(options()).start(graph).unwrap(), sink, torn)
}

#[test]
fn they_are_set_from_other_threads_and_applied_between_messages() {
    let (running, sink, torn) = start();
    std::thread::scope(|scope| {
        for thread in 1..4u64 {
            let running = &running;
            scope.spawn(move || {
                for step in 0..200 {
                    running.set_parameters("scale", json!({ "factor": 100 * thread + step % 7 })).unwrap();
                    std::thread::yield_now();
                }
            });
        }
    });
    running.set_parameters("scale", ScaleParameters { factor: 777, ..Default::default() }).unwrap();
    eventually("the last one that was set is in force", || sink.seen().last() == Some(&777));
    assert_eq!(running.parameters("scale").unwrap()["factor"], 777);
    assert!(!*torn.lock().unwrap());
    running.stop(Stop::Drain);
    running.wait().1.unwrap();
}

#[test]
fn what_cannot_be_is_refused_at_once_and_changes_nothing() {
    let (running, _, _) = start();
    let refused = |changes: serde_json::Value| running.set_parameters("scale", changes).unwrap_err().to_string();
    for (changes, message) in [
        (json!({ "factor": 1001 }), "node 'scale': parameter 'factor' cannot be 1001; it goes from 0 to 1000"),
        (json!({ "fcator": 1 }), "node 'scale': there is no parameter 'fcator'; there is: ceiling, device, factor"),
        (json!({ "factor": 3, "ceiling": 2 }), "node 'scale': the factor is above the ceiling; raise the ceiling first"),
        (
            json!({ "device": "second" }),
            "node 'scale': parameter 'device' cannot be set while the graph runs; stop the run, set it and start again",
        ),
    ] {
        assert_eq!(refused(changes), message);
    }
    assert!(refused(json!({ "factor": "much" })).contains("much"));
    assert!(refused(json!(7)).contains("no JSON object"));
    let error = running.set_parameters("sclae", json!({})).unwrap_err();
    assert_eq!(error.to_string(), "there is no node 'sclae'; there is: numbers, scale, collect");
    let error = running.set_parameters("numbers", json!({})).unwrap_err();
    assert!(error.to_string().contains("no parameters that can be set"), "{error}");
    assert_eq!(running.parameters("scale").unwrap(), serde_json::to_value(ScaleParameters::default()).unwrap());
    running.set_parameters("scale", json!({ "device": "first", "factor": 2 })).unwrap();
    running.stop(Stop::Drain);
    running.wait().1.unwrap();
}

#[test]
fn what_the_processor_refuses_later_is_an_event_and_the_run_goes_on() {
    let (running, sink, _) = start();
    running.set_parameters("scale", json!({ "factor": 13 })).unwrap();
    let event = running.events().next(Duration::from_secs(20)).unwrap();
    let RunEventKind::ParametersRefused { error } = &event.kind else { panic!("{event:?}") };
    assert_eq!(error.to_string(), "node 'scale': the device does not like 13");
    assert_eq!(running.parameters("scale").unwrap()["factor"], 1, "what is in force");
    let before = sink.seen().len();
    eventually("it goes on", || sink.seen().len() > before);
    running.stop(Stop::Drain);
    running.wait().1.unwrap();
}

/// Has arrays with ranges.
#[derive(Default)]
struct Tint(TintParameters);

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TintParameters {
    /// Red, green and blue.
    #[schemars(inner(range(min = 0, max = 1)))]
    tint: [f32; 3],
    /// The same, over time.
    #[schemars(inner(range(min = 0, max = 1)))]
    animated: Animated<[f32; 3]>,
}

impl Described for Tint {
    type Parameters = TintParameters;
    const NAME: &'static str = "tint";
    const SUMMARY: &'static str = "Tints.";

    fn from_parameters(parameters: TintParameters) -> Result<Self> {
        Ok(Self(parameters))
    }
    fn parameters(&self) -> &TintParameters {
        &self.0
    }
    fn set_parameters(&mut self, parameters: TintParameters, _: &mut Context<'_>) -> Result<()> {
        self.0 = parameters;
        Ok(())
    }
}

#[test]
fn every_number_of_an_array_is_within_its_range() {
    let said = |parameters| make::<Tint>(&parameters).map(drop).map_err(|error| error.to_string());
    assert_eq!(said(json!({ "tint": [0.0, 0.5, 1.0] })), Ok(()));
    let message = said(json!({ "tint": [0.0, 9.0, 0.0] })).unwrap_err();
    assert_eq!(message, "node 'tint': parameter 'tint' cannot be [0.0,9.0,0.0]; it goes from 0 to 1");
    let message = said(json!({ "animated": [0.0, 0.0, 0.0], "tint": [1, 0] })).unwrap_err();
    assert!(
        message.starts_with("node 'tint': parameter 'tint' cannot be [1,0]: ") && message.ends_with("; it takes: array"),
        "{message}"
    );
    assert_eq!(said(json!({ "animated": { "keyframes": [[0.0, [0.0, 0.0, 0.0]], [3.5, [1.0, 1.0, 1.0]]] } })), Ok(()));
    let message = said(json!({ "animated": { "keyframes": [[0.0, [0.0, 0.0, -0.5]]] } })).unwrap_err();
    assert_eq!(message, "node 'tint': parameter 'animated' cannot be [0.0,0.0,-0.5]; it goes from 0 to 1");
}
