//! What every registered processor has to keep, whoever wrote it. A new one is covered by its line in the registry; if its
//! defaults cannot run in a test, `parameters` below says what to run it with.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod faulty;
mod setting;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use streamlib::prelude::*;
use streamlib::{Descriptor, FailurePolicy, Registry, Restart};

use faulty::{Faulty, How, Place};
use setting::Setting;

const DEADLINE: Duration = Duration::from_secs(60);

fn size(width: u32, height: u32) -> Size {
    Size::new(width, height).unwrap()
}

/// Starts a screen and runs itself on it, so that `display` conforms as well and nobody else's threads are counted.
#[test]
fn every_registered_processor_conforms() {
    if std::env::var_os("STREAMLIB_CONFORMANCE").is_none() {
        return setting::run_on_a_screen("every_registered_processor_conforms");
    }
    let setting = Setting::new();
    let registry = streamlib::registry();
    let mut conforming = Vec::new();
    for descriptor in registry.descriptors() {
        describes_itself(descriptor, &registry);
        refuses_bad_parameters_by_name(descriptor, &registry);
        if !setting.has(descriptor.name) {
            println!("{}: not run, there is no such device here", descriptor.name);
            continue;
        }
        for size in [size(1, 1), size(7, 5), size(3840, 2160)] {
            setting.run(descriptor, size, 2);
        }
        leaks_nothing(descriptor, &setting);
        takes_its_parameters_while_it_runs(descriptor, &setting);
        stops_within_a_deadline(descriptor, &setting);
        for how in [How::Error, How::Panic] {
            for place in [Place::BeforeProcess, Place::AfterProcess, Place::Submitted] {
                fails_under_each_policy(descriptor, &setting, how, place);
            }
            fails_at_the_end(descriptor, &setting, how);
        }
        conforming.push(descriptor.name);
    }
    println!("conform: {}", conforming.join(", "));
    assert!(conforming.len() >= registry.descriptors().count() - 1, "only the camera may be missing");
}

fn describes_itself(descriptor: &Descriptor, registry: &Registry) {
    let name = descriptor.name;
    assert!(
        name.chars().all(|character| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-'),
        "{name}"
    );
    assert!(descriptor.summary.ends_with('.') && !descriptor.summary.contains('\n'), "{name}: {}", descriptor.summary);
    assert!(!descriptor.inputs.is_empty() || !descriptor.outputs.is_empty(), "{name} has no ports");
    for parameter in &descriptor.parameters {
        assert!(!parameter.doc.is_empty(), "{name}.{} has no documentation", parameter.name);
        assert_ne!(parameter.kind, "any", "{name}.{} has no type", parameter.name);
        assert!(parameter.minimum.is_none_or(|minimum| parameter.maximum.is_none_or(|maximum| minimum < maximum)));
    }
    let defaults: serde_json::Map<_, _> =
        descriptor.parameters.iter().map(|parameter| (parameter.name.clone(), parameter.default.clone())).collect();
    let defaults = Value::Object(defaults.into_iter().filter(|(_, value)| !value.is_null()).collect());
    let mut processor = registry.create(name, &defaults).unwrap();
    assert!(processor.tunable().is_some(), "{name} does not answer `tunable`: its parameters cannot be set while it runs");
    serde_json::to_string(descriptor).unwrap();
}

fn refuses_bad_parameters_by_name(descriptor: &Descriptor, registry: &Registry) {
    let name = descriptor.name;
    let refused = |parameters: Value, part: &str| {
        let error = registry.create(name, &parameters).err().unwrap_or_else(|| panic!("{name} takes {parameters}"));
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert_eq!(error.node(), Some(name), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(json!({ "no-such-thing": 1 }), "'no-such-thing'");
    refused(json!(7), "no JSON object");
    for parameter in &descriptor.parameters {
        let beyond = |value: f64| json!({ &parameter.name: value });
        parameter.minimum.into_iter().for_each(|minimum| refused(beyond(minimum - 1.0), &format!("'{}'", parameter.name)));
        parameter.maximum.into_iter().for_each(|maximum| refused(beyond(maximum + 1.0), &format!("'{}'", parameter.name)));
        refused(json!({ &parameter.name: [{ "neither": "here nor there" }] }), "");
    }
}

fn leaks_nothing(descriptor: &Descriptor, setting: &Setting) {
    let before = setting::held();
    for _ in 0..5 {
        setting.run(descriptor, size(64, 48), 3);
    }
    // The last run's threads may be on their way out still.
    setting::eventually(descriptor.name, || {
        let (threads, files) = setting::held();
        threads <= before.0 && files <= before.1
    });
}

fn takes_its_parameters_while_it_runs(descriptor: &Descriptor, setting: &Setting) {
    let running = setting.start(descriptor, Mode::Live, None);
    let values = running.parameters("it").unwrap();
    for parameter in descriptor.parameters.iter().filter(|parameter| parameter.live) {
        running.set_parameters("it", json!({ &parameter.name: values[&parameter.name] })).unwrap();
    }
    let error = running.set_parameters("it", json!({ "no-such-thing": 1 })).unwrap_err();
    assert!(error.to_string().starts_with("node 'it': there is no parameter 'no-such-thing'"), "{error}");
    for parameter in descriptor.parameters.iter().filter(|parameter| !parameter.live) {
        let error = running.set_parameters("it", json!({ &parameter.name: setting::other(&values[&parameter.name]) }));
        assert!(error.is_err(), "{}.{} is fixed", descriptor.name, parameter.name);
    }
    assert_eq!(running.parameters("it").unwrap(), values);
    setting.finish(descriptor, running);
}

fn stops_within_a_deadline(descriptor: &Descriptor, setting: &Setting) {
    for how in [Stop::Drain, Stop::Discard] {
        let running = setting.start(descriptor, Mode::Live, None);
        setting::eventually("it processes", || running.statistics().nodes["it"].processed > 0);
        running.stop(how);
        assert!(running.wait_for(Duration::from_secs(10)), "{} does not stop ({how:?})", descriptor.name);
        setting.finish(descriptor, running);
    }
}

/// Runs it with one fault until its neighbours have had six frames.
fn run_with_a_fault(
    descriptor: &Descriptor,
    setting: &Setting,
    (how, place): (How, Place),
    policy: FailurePolicy,
    mode: Mode,
) -> Result<Statistics> {
    let what = format!("{} ({how:?}, {place:?}, {policy}, {mode:?})", descriptor.name);
    let mut graph = setting.graph(descriptor, size(64, 48), |it| Box::new(Faulty::new(it, how, place)));
    graph.on_failure("it", policy)?;
    let order = Order::default();
    if descriptor.inputs.is_empty() {
        graph.add("order", order.clone())?;
        graph.connect("it", "order")?;
    }
    let mut last = None;
    let outcome = setting.runtime(mode, Some(6)).run_with(graph, DEADLINE, |running| last = Some(running.statistics()));
    let statistics = last.unwrap();
    assert_eq!(statistics.unbalanced_links(), Vec::<&str>::new(), "{what}");
    assert_eq!(statistics.nodes["it"].errors, 1, "{what}: {:?}, {outcome:?}", statistics.nodes["it"].last_error);
    setting.assert_no_texture_is_in_use(&what);
    let seen = order.0.lock().unwrap();
    assert!(seen.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1), "{what} goes back in time: {seen:?}");
    assert!(seen.len() >= 6 || !descriptor.inputs.is_empty() || outcome.is_err(), "{what}: {seen:?}");
    if let Err(error) = &outcome {
        assert_eq!(error.node(), Some("it"), "{what}: {error:?}");
        assert!(error.to_string().contains("on purpose"), "{what}: {error:?}");
    }
    outcome
}

/// Numbers and times of the frames that a source gives.
#[derive(Clone, Default)]
struct Order(Arc<Mutex<Vec<(u64, Timestamp)>>>);

impl Sink for Order {
    fn consume(&mut self, frame: VideoFrame, _: &mut Context<'_>) -> Result<()> {
        self.0.lock().unwrap().push((frame.sequence(), frame.time()));
        Ok(())
    }
}

/// Fails once, on its way.
fn fails_under_each_policy(descriptor: &Descriptor, setting: &Setting, how: How, place: Place) {
    let what = format!("{} ({how:?}, {place:?})", descriptor.name);
    let run = |policy, mode| run_with_a_fault(descriptor, setting, (how, place), policy, mode);
    assert!(run(FailurePolicy::Stop, Mode::Offline).is_err(), "{what}");

    let restart = FailurePolicy::Restart(Restart { first_delay: Duration::from_millis(1), ..Default::default() });
    for mode in [Mode::Offline, Mode::Live] {
        let statistics = run(restart, mode).unwrap_or_else(|error| panic!("{what} does not restart ({mode:?}): {error:?}"));
        assert_eq!(statistics.nodes["it"].restarts, 1, "{what}");
    }

    match (descriptor.inputs.len(), descriptor.outputs.len()) {
        // Of the only sink nothing is left to run for.
        (_, 0) => assert!(run(FailurePolicy::Bypass, Mode::Offline).is_err(), "{what}"),
        (1, 1) => {
            let statistics = run(FailurePolicy::Bypass, Mode::Offline).unwrap();
            assert_eq!(statistics.nodes["sink-0"].processed, 6, "{what} lost something");
            assert!(statistics.nodes["it"].bypassed >= 4, "{what}");
        }
        _ => {}
    }
}

/// What cannot be finished is an error under every policy.
fn fails_at_the_end(descriptor: &Descriptor, setting: &Setting, how: How) {
    let restart = FailurePolicy::Restart(Restart::default());
    let bypass = (!descriptor.inputs.is_empty()).then_some(FailurePolicy::Bypass);
    for policy in [FailurePolicy::Stop, restart].into_iter().chain(bypass) {
        let outcome = run_with_a_fault(descriptor, setting, (how, Place::Finish), policy, Mode::Offline);
        assert!(outcome.is_err(), "{} ({how:?}, {policy})", descriptor.name);
    }
}
