//! What a running graph does with its camera: looks for it when it is lost, and sets its controls.

use std::time::Duration;

use serde_json::json;
use streamlib::camera::Backend;
use streamlib::prelude::*;
use streamlib::{RunEventKind, Running};

use crate::virtual_camera::{VirtualCamera, eventually};

/// The camera into nowhere, on a thread of its own, restarted for ever.
fn start(backend: Backend) -> Running {
    let options = CaptureOptions { backend, size: "320x180".parse().ok(), rate: "5".parse().ok(), ..Default::default() };
    let mut graph = Graph::new();
    graph.chain((Camera::new(options).unwrap(), in_order(), Null::default())).unwrap();
    let restart = Restart { first_delay: Duration::from_millis(200), longest_delay: Duration::from_secs(1), limit: None };
    graph.on_failure("camera", FailurePolicy::Restart(restart)).unwrap();
    Runtime::new(RuntimeOptions { stop_on_signals: false, ..Default::default() }).start(graph).unwrap()
}

/// Refuses frames whose numbers or times go back, as after a restart they must not.
fn in_order() -> impl FnMut(VideoFrame, &mut Context<'_>) -> Result<VideoFrame> + Send + 'static {
    let mut last = None;
    move |frame, _| {
        let this = Some((frame.sequence(), frame.time()));
        let before = std::mem::replace(&mut last, this);
        match before.is_none_or(|before| before.0 < frame.sequence() && before.1 < frame.time()) {
            true => Ok(frame),
            false => Err(Error::new(ErrorKind::InvalidArgument, format!("{this:?} comes after {before:?}"))),
        }
    }
}

fn frames(running: &Running) -> u64 {
    running.statistics().nodes["null"].processed
}

#[test]
fn a_camera_that_was_unplugged_is_looked_for_until_it_is_back() {
    let Some(camera) = VirtualCamera::get() else { return };
    for backend in [Backend::V4l, Backend::Nokhwa] {
        let running = start(backend);
        eventually("frames come", || frames(&running) > 2);
        camera.unplug();
        eventually("it is missed", || running.statistics().nodes["camera"].errors > 1);
        let before = frames(&running);
        camera.plug();
        eventually("frames come again", || frames(&running) > before + 2);
        running.stop(Stop::Drain);
        let mut events = running.events();
        let told: Vec<_> = std::iter::from_fn(|| events.next(Duration::ZERO)).collect();
        assert!(
            matches!(&told[0].kind, RunEventKind::Failed { error, .. } if error.to_string().contains("was unplugged")),
            "{told:?}"
        );
        assert!(matches!(told.last().unwrap().kind, RunEventKind::Restarted { .. }), "{told:?}");
        let (statistics, outcome) = running.wait();
        outcome.unwrap();
        assert_eq!(statistics.nodes["camera"].restarts, 1);
        assert_eq!(statistics.unbalanced_links(), Vec::<&str>::new());
    }
}

#[test]
fn controls_are_set_and_refused_while_it_runs() {
    let Some(camera) = VirtualCamera::get() else { return };
    let running = start(Backend::V4l);
    eventually("frames come", || frames(&running) > 0);
    running.set_parameters("camera", json!({ "controls": { "brightness": 77 } })).unwrap();
    eventually("the device has it", || camera.read("brightness") == "brightness: 77");
    let error = running.set_parameters("camera", json!({ "controls": { "brightness": 7777 } })).unwrap_err().to_string();
    assert!(error.starts_with("node 'camera': ") && error.contains("brightness") && error.contains("255"), "{error}");
    let error = running.set_parameters("camera", json!({ "controls": { "brihgtness": 1 } })).unwrap_err().to_string();
    assert!(error.contains("brihgtness") && error.contains("brightness"), "{error}");
    assert_eq!(running.parameters("camera").unwrap()["controls"], json!({ "brightness": 77 }));
    running.set_parameters("camera", json!({ "controls": { "brightness": 128 } })).unwrap();
    eventually("the device has it", || camera.read("brightness") == "brightness: 128");
    running.stop(Stop::Drain);
    running.wait().1.unwrap();
}
