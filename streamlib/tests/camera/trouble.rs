//! What ends a recording from a camera: a pulled cable, a stall, Ctrl-C. The recording is complete up to then.

use crate::program::{BACKENDS, Ended, Program};
use crate::virtual_camera::VirtualCamera;

/// Starts a recording, has something happen to it, and waits for the end.
fn recording_until(backend: &str, happens: impl FnOnce(&Program)) -> Ended {
    let mut program = Program::with_camera(backend, &["--sink", "recording"]);
    program.wait_for_the_recording();
    happens(&program);
    program.end()
}

/// The recording has every frame that went into it, and everything else was accounted for too.
fn check_what_is_left(ended: &Ended) {
    let frames = ended.check_the_recording();
    assert!(frames > 0);
    ended.check_the_books(frames);
}

#[test]
fn a_pulled_cable_ends_the_recording_with_an_error() {
    let Some(camera) = VirtualCamera::get() else { return };
    for backend in BACKENDS {
        let ended = recording_until(backend, |_| camera.unplug());
        camera.plug();
        assert_eq!(ended.status.code(), Some(1));
        let message = ended.stderr.lines().find(|line| line.starts_with("Error: ")).expect("an error");
        assert!(
            message.starts_with("Error: node 'camera': camera 0 'vivid' (/dev/video0) was unplugged; plug it in"),
            "{message}"
        );
        assert_eq!(ended.number("/nodes/camera/errors"), 1);
        check_what_is_left(&ended);
    }
}

/// The virtual camera can drop all its pictures, which is what a camera that hangs looks like. v4l notices by itself; nokhwa waits
/// for ever, and the watchdog leaves its thread behind.
#[test]
fn a_stalled_camera_ends_the_recording_with_an_error() {
    let Some(camera) = VirtualCamera::get() else { return };
    for (backend, what, way_out) in [
        ("v4l", "camera 0 'vivid' (/dev/video0) delivered no picture for 5s; ", "unplug it and plug it in again"),
        ("nokhwa", "it has not answered for 7.", "its thread is stuck in the driver and was left behind; reconnect the device"),
    ] {
        let ended = recording_until(backend, |_| camera.set("percentage_of_dropped_buffers=100"));
        camera.set("percentage_of_dropped_buffers=0");
        assert_eq!(ended.status.code(), Some(1));
        let message = ended.stderr.lines().find(|line| line.starts_with("Error: ")).expect("an error");
        assert!(message.starts_with(&format!("Error: node 'camera': {what}")) && message.contains(way_out), "{message}");
        check_what_is_left(&ended);
    }
}

#[test]
fn an_interrupt_ends_the_recording_well() {
    let Some(_camera) = VirtualCamera::get() else { return };
    for backend in BACKENDS {
        let ended = recording_until(backend, Program::interrupt);
        assert_eq!(ended.status.code(), Some(0));
        check_what_is_left(&ended);
    }
}
