//! The camera under test, and what a test keeps of its pictures.

use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use streamlib_core::{FrameRate, PixelFormat, Result, Size};
use streamlib_processors::camera::{Backend, CameraDevice, Capture, CaptureClock, CaptureFormat, CaptureOptions, DeviceSelector};

/// Where the kernel's virtual camera has its plug.
const VIVID: &str = "/sys/bus/platform/drivers/vivid";
/// Longer than any wait that ends well, in a virtual machine too.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The camera to test, for one test at a time.
pub(crate) struct TestCamera {
    pub(crate) path: String,
    pub(crate) is_vivid: bool,
    _alone: MutexGuard<'static, ()>,
}

pub(crate) fn test_camera() -> Option<TestCamera> {
    static ALONE: Mutex<()> = Mutex::new(());
    let Ok(path) = std::env::var("STREAMLIB_TEST_CAMERA") else {
        println!("skipped: STREAMLIB_TEST_CAMERA names no camera (scripts/test-camera brings one)");
        return None;
    };
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let camera = TestCamera { path, is_vivid: Path::new(VIVID).exists(), _alone: alone };
    if camera.is_vivid && std::env::var_os("STREAMLIB_TEST_AS_NOBODY").is_none() {
        camera.settle();
    }
    Some(camera)
}

pub(crate) fn vivid() -> Option<TestCamera> {
    let camera = test_camera()?;
    if !camera.is_vivid {
        println!("skipped: this needs the virtual camera (scripts/test-camera)");
    }
    Some(camera).filter(|camera| camera.is_vivid)
}

impl TestCamera {
    pub(crate) fn options(&self, backend: Backend) -> CaptureOptions {
        CaptureOptions {
            device: DeviceSelector::Path(self.path.clone().into()),
            backend,
            size: Some(size("640x480")),
            rate: Some(FrameRate::new(15, 1).unwrap()),
            ..CaptureOptions::default()
        }
    }

    pub(crate) fn device(&self, backend: Backend) -> CameraDevice {
        let cameras = streamlib_processors::camera::list(backend).unwrap();
        DeviceSelector::Path(self.path.clone().into()).choose(&cameras).unwrap().clone()
    }

    pub(crate) fn set(&self, control: &str, value: u32) {
        let setting = format!("{control}={value}");
        let done = Command::new("v4l2-ctl").args(["--device", &self.path, "--set-ctrl", &setting]).output().unwrap();
        assert!(done.status.success(), "{setting}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Bars without text in them, and timestamps of the start of the exposure, as USB cameras give them.
    fn settle(&self) {
        for (control, value) in [
            ("osd_text_mode", 2),
            ("timestamp_source", 1),
            ("test_pattern", 0),
            ("wrap_sequence_number", 0),
            ("brightness", 128),
            ("percentage_of_dropped_buffers", 0),
            ("y_cbcr_encoding", 0),
            ("quantization", 0),
        ] {
            self.set(control, value);
        }
    }

    pub(crate) fn unplug(&self) {
        std::fs::write(format!("{VIVID}/unbind"), "vivid.0").unwrap();
    }

    pub(crate) fn plug(&self) {
        std::fs::write(format!("{VIVID}/bind"), "vivid.0").unwrap();
        let start = Instant::now();
        while !Path::new(&self.path).exists() {
            assert!(start.elapsed() < DEADLINE, "{} did not come back", self.path);
            thread::sleep(Duration::from_millis(10));
        }
    }
}

pub(crate) const BACKENDS: [Backend; 2] = [Backend::V4l, Backend::Nokhwa];

pub(crate) fn size(text: &str) -> Size {
    text.parse().unwrap()
}

/// What a test keeps of a picture.
pub(crate) struct Seen {
    /// The planes with their strides.
    pub(crate) planes: Vec<(Vec<u8>, usize)>,
    pub(crate) pixel: PixelFormat,
    pub(crate) format: CaptureFormat,
    pub(crate) sequence: Option<u64>,
    pub(crate) captured: Instant,
    pub(crate) age: Duration,
    pub(crate) clock: CaptureClock,
}

pub(crate) fn picture(camera: &mut Capture) -> Result<Seen> {
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < DEADLINE, "no picture came");
        if let Some(picture) = camera.next(Duration::from_millis(500))? {
            let captured = Instant::now().checked_sub(picture.age).unwrap();
            let (pixel, format, sequence) = (picture.pixel, picture.format, picture.sequence);
            let planes = picture.planes().iter().map(|plane| (plane.bytes.to_vec(), plane.stride)).collect();
            return Ok(Seen { planes, pixel, format, sequence, captured, age: picture.age, clock: picture.clock });
        }
    }
}
