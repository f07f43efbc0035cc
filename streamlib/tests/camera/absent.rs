//! Cameras that are not there.

use streamlib::camera::{self, Backend};

use crate::program::Program;
use crate::virtual_camera::VirtualCamera;

fn fails_with(arguments: &[&str], message: &str) {
    let ended = Program::start(&[arguments, &["--sink", "recording", "--frames", "1"]].concat()).end();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains(message), "not {message:?}");
    assert!(!ended.recording().exists());
}

#[test]
fn an_unknown_camera_is_told_which_there_are() {
    let Some(_camera) = VirtualCamera::get() else { return };
    for device in ["nonsense", "7", "/dev/video7"] {
        let message = format!(
            "Error: node 'camera': no camera '{device}' (there is: 0 'vivid' (/dev/video0, bus:platform:vivid-000), \
             2 'vivid' (/dev/video2, bus:platform:vivid-001)); pass one of these numbers, names, paths, buses or serials\n"
        );
        fails_with(&["--source", &format!("camera:{device}")], &message);
    }
}

#[test]
fn without_a_camera_that_is_said_and_auto_shows_the_test_pattern() {
    let camera = VirtualCamera::get();
    if let Some(camera) = &camera {
        camera.unplug();
    } else if !camera::list(Backend::Auto).unwrap().is_empty() {
        println!("skipped: this machine has a camera");
        return;
    }
    for backend in ["v4l", "nokhwa"] {
        fails_with(&["--source", "camera", "--backend", backend], "Error: node 'camera': there is no camera; plug one in; ");
    }
    fails_with(
        &["--source", "camera:front"],
        "Error: node 'camera': no camera 'front': there is no camera at all; plug one in; ",
    );
    let arguments = ["--source", "auto", "--sink", "null", "--size", "320x180", "--frames", "1"];
    let ended = Program::start(&arguments).end();
    assert!(ended.status.success());
    assert!(ended.stderr.contains("There is no camera: a test pattern takes its place.\n"));
    assert_eq!(ended.number("/nodes/test-pattern/errors"), 0);
    if let Some(camera) = camera {
        camera.plug();
    }
}
