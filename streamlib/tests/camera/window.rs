//! From a camera to a window, on a screen without a screen.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::program::{KilledOnDrop, Program};
use crate::virtual_camera::VirtualCamera;

struct Screen {
    name: String,
    _server: KilledOnDrop,
}

impl Screen {
    /// An X server that has picked a number of its own.
    fn start() -> Self {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        Self { name: format!(":{}", number.trim()), _server: KilledOnDrop(server) }
    }
}

/// The camera's frames go up once and nothing comes down but what is recorded.
#[test]
fn a_window_costs_one_upload_a_frame_and_a_file_a_byte_and_a_half_a_pixel() {
    let Some(_camera) = VirtualCamera::get() else { return };
    let screen = Screen::start();
    for (backend, sinks, frames) in
        [("v4l", &["--sink", "window", "--sink", "recording"][..], 5), ("nokhwa", &["--sink", "window"], 0)]
    {
        let ended = Program::with_camera_and_screen(backend, &[sinks, &["--frames", "5"]].concat(), Some(&screen.name)).end();
        assert!(ended.status.success());
        assert!(ended.number("/nodes/display/processed") >= 5);
        ended.check_the_books(frames);
        if frames > 0 {
            assert_eq!(ended.check_the_recording(), frames);
        }
    }
}
