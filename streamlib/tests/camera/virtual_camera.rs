//! The kernel's virtual camera, for one test at a time.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Where the kernel has its plug.
const DRIVER: &str = "/sys/bus/platform/drivers/vivid";
/// Longer than any wait that ends well, also on an emulated machine whose host is busy: half a minute to a program's end is usual there.
const DEADLINE: Duration = Duration::from_secs(300);

pub(crate) struct VirtualCamera {
    path: String,
    _alone: MutexGuard<'static, ()>,
}

impl VirtualCamera {
    /// `None`, and says so, where there is none.
    pub(crate) fn get() -> Option<Self> {
        static ALONE: Mutex<()> = Mutex::new(());
        let path = std::env::var("STREAMLIB_TEST_CAMERA").ok().filter(|_| Path::new(DRIVER).exists());
        let Some(path) = path else {
            println!("skipped: this needs the virtual camera (scripts/test-camera)");
            return None;
        };
        let camera = Self { path, _alone: ALONE.lock().unwrap_or_else(PoisonError::into_inner) };
        if !Path::new(&camera.path).exists() {
            camera.plug();
        }
        // No text in the picture, the timestamp of the start of the exposure, 75 % bars, and every picture delivered.
        for setting in ["osd_text_mode=2", "timestamp_source=1", "test_pattern=0", "percentage_of_dropped_buffers=0"] {
            camera.set(setting);
        }
        Some(camera)
    }

    /// Sets a control, as `v4l2-ctl --list-ctrls-menus` lists them.
    pub(crate) fn set(&self, setting: &str) {
        let done = Command::new("v4l2-ctl").args(["--device", &self.path, "--set-ctrl", setting]).output().unwrap();
        assert!(done.status.success(), "{setting}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// What `v4l2-ctl` says a control is: `brightness: 128`.
    pub(crate) fn read(&self, control: &str) -> String {
        let read = Command::new("v4l2-ctl").args(["--device", &self.path, "--get-ctrl", control]).output().unwrap();
        String::from_utf8_lossy(&read.stdout).trim().to_owned()
    }

    pub(crate) fn unplug(&self) {
        std::fs::write(format!("{DRIVER}/unbind"), "vivid.0").unwrap();
    }

    pub(crate) fn plug(&self) {
        std::fs::write(format!("{DRIVER}/bind"), "vivid.0").unwrap();
        eventually("the camera is back", || Path::new(&self.path).exists());
    }
}

/// Waits for a condition with a deadline.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "never happened: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
