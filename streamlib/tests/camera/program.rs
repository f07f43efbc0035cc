//! The example `camera_with_bouncing_ball` with a camera: what it records, and how it counts.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::bars::worst_bar;
use crate::virtual_camera::{VirtualCamera, eventually};
use crate::{HEIGHT, WIDTH, judge};

pub(crate) const BACKENDS: [&str; 2] = ["v4l", "nokhwa"];

/// The example as it runs, and what it writes. A test that fails does not leave it behind with the camera in its hands.
pub(crate) struct Program {
    child: KilledOnDrop,
    folder: tempfile::TempDir,
}

pub(crate) struct KilledOnDrop(pub(crate) Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The example after its end.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
    /// `Null` if there are none.
    pub(crate) statistics: Value,
    folder: tempfile::TempDir,
}

impl Program {
    /// Starts it with these arguments; `recording` among them is `record:` and a path of its own.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, None)
    }

    fn start_with(arguments: &[&str], screen: Option<&str>) -> Self {
        let test = std::env::current_exe().unwrap();
        let path = test.parent().unwrap().with_file_name("examples").join("camera_with_bouncing_ball");
        assert!(path.exists(), "{} is missing: run `cargo build --example camera_with_bouncing_ball`", path.display());
        let folder = tempfile::tempdir().unwrap();
        let sink = format!("record:{}", recording(&folder).display());
        let arguments = arguments.iter().map(|argument| if *argument == "recording" { &sink } else { *argument });
        let mut command = Command::new(path);
        command.args(arguments).arg("--stats").arg(folder.path().join("statistics.json")).env_remove("RUST_LOG");
        command.envs(screen.map(|screen| ("DISPLAY", screen)));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        Self { child: KilledOnDrop(child), folder }
    }

    /// Starts it with a camera of five small pictures a second.
    pub(crate) fn with_camera(backend: &str, arguments: &[&str]) -> Self {
        Self::with_camera_and_screen(backend, arguments, None)
    }

    /// The same, where `screen` is an X server's name.
    pub(crate) fn with_camera_and_screen(backend: &str, arguments: &[&str], screen: Option<&str>) -> Self {
        let size = format!("{WIDTH}x{HEIGHT}");
        let camera = ["--source", "camera", "--backend", backend, "--size", &size, "--fps", "5"];
        Self::start_with(&[&camera[..], arguments].concat(), screen)
    }

    /// Waits until something that plays is recorded.
    pub(crate) fn wait_for_the_recording(&mut self) {
        eventually("the recording begins", || {
            if self.child.0.try_wait().unwrap().is_some() {
                let mut said = String::new();
                self.child.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("it ended too early: {said}");
            }
            recording(&self.folder).exists()
        });
    }

    pub(crate) fn interrupt(&self) {
        assert!(Command::new("kill").args(["-INT", &self.child.0.id().to_string()]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let mut pipe = self.child.0.stderr.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            pipe.read_to_string(&mut text).unwrap();
            text
        });
        let mut status = None;
        eventually("the program ends", || {
            status = self.child.0.try_wait().unwrap();
            status.is_some()
        });
        let stderr = reader.join().unwrap();
        println!("{stderr}");
        let statistics = std::fs::read(self.folder.path().join("statistics.json")).unwrap_or_default();
        let statistics = serde_json::from_slice(&statistics).unwrap_or_default();
        Ended { status: status.unwrap(), stderr, statistics, folder: self.folder }
    }
}

fn recording(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("recording.mp4")
}

impl Ended {
    pub(crate) fn recording(&self) -> PathBuf {
        recording(&self.folder)
    }

    pub(crate) fn number(&self, pointer: &str) -> u64 {
        let found = self.statistics.pointer(pointer).and_then(Value::as_u64);
        found.unwrap_or_else(|| panic!("no {pointer} in {:#}", self.statistics))
    }

    /// What every run owes: links that add up, no texture in use, one upload for each frame that the camera sent, no copies.
    /// `read_back` is how many frames went to the CPU, as I420.
    pub(crate) fn check_the_books(&self, read_back: u64) {
        for (name, link) in self.statistics["links"].as_object().unwrap() {
            let count = |field: &str| link[field].as_u64().unwrap();
            let dropped: u64 = link["dropped"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
            assert_eq!(count("sent"), count("received") + dropped + count("queued"), "{name}: {link}");
            assert_eq!(count("queued"), 0, "{name}: {link}");
        }
        assert_eq!(self.number("/gpu/textures/in_use"), 0);
        let pixels = (WIDTH * HEIGHT) as u64;
        let taken = self.number("/links/camera.out->bouncing-ball.in/sent");
        println!("{taken} frames from the camera, {read_back} read back: {}", self.statistics["gpu"]["bytes"]);
        assert_eq!(self.number("/gpu/bytes/uploaded"), taken * pixels * 2, "one upload of each yuyv frame");
        assert_eq!(self.number("/gpu/bytes/copied"), 0);
        assert_eq!(self.number("/gpu/bytes/read_back"), read_back * pixels * 3 / 2);
    }

    /// The recording plays and has every frame that was counted, at the times of a camera of five pictures a second.
    pub(crate) fn check_the_recording(&self) -> u64 {
        let frames = self.number("/nodes/record/counters/frames");
        check_the_times(&self.recording(), frames);
        frames
    }
}

/// From this many frames on, the rhythm of most of them is that of the camera, however busy the machine was at the start.
const ENOUGH_FOR_A_RHYTHM: u64 = 12;

/// Times grow. In recordings that are long enough, frames come at multiples of the camera's interval, but for the moments at which a
/// busy machine lets the camera itself wait, and catch up.
fn check_the_times(path: &Path, frames: u64) {
    let times = judge::times(path);
    assert_eq!(times.len() as u64, frames);
    let steps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) * 5.0).collect();
    println!("{frames} frames; steps in the camera's intervals: {steps:.2?}");
    assert!(steps.iter().all(|step| *step > 0.0), "{times:?}");
    if frames >= ENOUGH_FOR_A_RHYTHM {
        let mut off: Vec<f64> = steps.iter().map(|step| (step - step.round()).abs()).collect();
        off.sort_unstable_by(f64::total_cmp);
        assert!(off[off.len() / 2] < 0.15, "{times:?}");
    }
}

#[test]
fn a_camera_is_recorded_with_its_colours_and_times() {
    let Some(_camera) = VirtualCamera::get() else { return };
    for backend in BACKENDS {
        let ended = Program::with_camera(backend, &["--sink", "recording", "--frames", &ENOUGH_FOR_A_RHYTHM.to_string()]).end();
        assert!(ended.status.success());
        if let Some(folder) = std::env::var_os("STREAMLIB_TEST_OUTPUT") {
            std::fs::copy(ended.recording(), Path::new(&folder).join(format!("{backend}.mp4"))).unwrap();
        }
        assert_eq!(ended.check_the_recording(), ENOUGH_FOR_A_RHYTHM);
        ended.check_the_books(ENOUGH_FOR_A_RHYTHM);
        let pictures = judge::pictures(&ended.recording());
        assert_eq!(pictures.len() as u64, ENOUGH_FOR_A_RHYTHM);
        // The bottom line but a few: the ball is above it for the first second.
        let early = judge::times(&ended.recording()).iter().take_while(|time| **time < 1.0).count();
        for picture in &pictures[..early] {
            let worst = worst_bar(picture, 3, HEIGHT - 6);
            println!("{backend}: the decoded bars are off by {worst} at most");
            assert!(worst <= 6);
        }
    }
}
