//! Cameras, on a camera: `STREAMLIB_TEST_CAMERA=/dev/video0` names the one to use. Without it every test here says so and passes.
//!
//! `scripts/test-camera` runs them on the kernel's virtual camera. What only that camera can do (fixed colour bars, damaged
//! pictures, pulling its plug) is left out on others, and said.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test program, its helpers included")]

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use streamlib_core::{Color, ErrorKind, FrameRate, Matrix, PixelFormat, Range, Result, Size};
use streamlib_processors::camera::{self, Backend, Capture, CaptureClock, CaptureFormat, CaptureOptions, DeviceSelector};

/// Where the kernel's virtual camera has its plug.
const VIVID: &str = "/sys/bus/platform/drivers/vivid";
/// Longer than any wait that ends well, in a virtual machine too.
const DEADLINE: Duration = Duration::from_secs(20);

/// The camera to test, for one test at a time.
struct TestCamera {
    path: String,
    is_vivid: bool,
    _alone: MutexGuard<'static, ()>,
}

fn test_camera() -> Option<TestCamera> {
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

fn vivid() -> Option<TestCamera> {
    let camera = test_camera()?;
    if !camera.is_vivid {
        println!("skipped: this needs the virtual camera (scripts/test-camera)");
    }
    Some(camera).filter(|camera| camera.is_vivid)
}

impl TestCamera {
    fn options(&self, backend: Backend) -> CaptureOptions {
        CaptureOptions {
            device: DeviceSelector::Path(self.path.clone().into()),
            backend,
            size: Some(size("640x480")),
            rate: Some(FrameRate::new(15, 1).unwrap()),
            ..CaptureOptions::default()
        }
    }

    fn set(&self, control: &str, value: u32) {
        let setting = format!("{control}={value}");
        let done = Command::new("v4l2-ctl").args(["--device", &self.path, "--set-ctrl", &setting]).output().unwrap();
        assert!(done.status.success(), "{setting}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Bars without text in them, and timestamps of the start of the exposure, as USB cameras give them.
    fn settle(&self) {
        for (control, value) in [("osd_text_mode", 2), ("timestamp_source", 1), ("test_pattern", 0), ("wrap_sequence_number", 0)]
        {
            self.set(control, value);
        }
    }

    fn unplug(&self) {
        std::fs::write(format!("{VIVID}/unbind"), "vivid.0").unwrap();
    }

    fn plug(&self) {
        std::fs::write(format!("{VIVID}/bind"), "vivid.0").unwrap();
        let start = Instant::now();
        while !Path::new(&self.path).exists() {
            assert!(start.elapsed() < DEADLINE, "{} did not come back", self.path);
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn size(text: &str) -> Size {
    text.parse().unwrap()
}

/// What a test keeps of a picture.
struct Seen {
    bytes: Vec<u8>,
    format: CaptureFormat,
    sequence: Option<u64>,
    captured: Instant,
    age: Duration,
    clock: CaptureClock,
}

fn picture(camera: &mut dyn Capture) -> Result<Seen> {
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < DEADLINE, "no picture came");
        if let Some(picture) = camera.next(Duration::from_millis(500))? {
            let captured = Instant::now().checked_sub(picture.age).unwrap();
            let (format, sequence, age, clock) = (picture.format, picture.sequence, picture.age, picture.clock);
            return Ok(Seen { bytes: picture.bytes.to_vec(), format, sequence, captured, age, clock });
        }
    }
}

#[test]
fn cameras_are_listed_and_found_by_number_name_and_path() {
    let Some(test) = test_camera() else { return };
    for backend in [Backend::V4l, Backend::Nokhwa] {
        let cameras = camera::list(backend).unwrap();
        for camera in &cameras {
            println!("{}: {camera}", backend.name());
        }
        let found = DeviceSelector::Path(test.path.clone().into()).choose(&cameras).unwrap();
        assert_eq!(DeviceSelector::Index(found.index).choose(&cameras).unwrap(), found);
        assert_eq!(found.backend, backend);
        if test.is_vivid {
            let other = DeviceSelector::Name(format!("{} of another maker", found.name)).choose(&cameras).unwrap_err();
            assert_eq!(other.kind(), ErrorKind::NotFound);
            println!("{other}");
            for camera in &cameras {
                // The kernel names a camera's nodes by what they do: vid-cap, meta-cap.
                let entity = std::fs::read_to_string(format!("/sys/class/video4linux/video{}/name", camera.index)).unwrap();
                assert!(entity.trim().ends_with("vid-cap"), "{camera} captures no video: {entity}");
            }
        }
    }
}

#[test]
fn thirty_pictures_come_in_order_and_in_time() {
    let Some(test) = test_camera() else { return };
    for backend in [Backend::V4l, Backend::Nokhwa] {
        for pixel in [PixelFormat::Yuyv, PixelFormat::Nv12] {
            let options = CaptureOptions { pixel_format: Some(pixel), ..test.options(backend) };
            let mut camera = match camera::open(&options) {
                Err(error) if !test.is_vivid && error.kind() == ErrorKind::Unsupported => {
                    println!("skipped: {error}");
                    continue;
                }
                opened => opened.unwrap(),
            };
            let format = camera.format();
            println!("{} {format:?}", backend.name());
            assert_eq!(format.pixel, pixel);
            assert!(format.bytes_per_line as usize >= format.video().row_bytes());
            if test.is_vivid {
                assert_eq!((format.size, format.rate), (size("640x480"), FrameRate::new(15, 1).unwrap()));
            }

            let pictures: Vec<Seen> = (0..30).map(|_| picture(camera.as_mut()).unwrap()).collect();
            let nominal = format.rate.interval();
            // A busy machine misses pictures now and then: what counts is that none is missed unseen.
            let mut steps = 0;
            for pair in pictures.windows(2) {
                assert!(pair[0].captured < pair[1].captured, "time went back");
                assert!(pair[0].sequence.is_none() || pair[0].sequence < pair[1].sequence, "the numbers went back");
                let interval = pair[1].captured.duration_since(pair[0].captured);
                steps += interval.div_duration_f64(nominal).round().max(1.0) as u32;
            }
            for picture in &pictures {
                assert!(picture.bytes.len() >= format.bytes());
                assert!(picture.age < Duration::from_secs(1), "{:?}", picture.age);
                let expected = if backend == Backend::V4l { CaptureClock::Monotonic } else { CaptureClock::Wall };
                assert_eq!(picture.clock, expected);
            }
            assert_eq!(pictures[0].sequence.is_some(), backend == Backend::V4l);
            let (first, last) = (&pictures[0], &pictures[29]);
            let mean = last.captured.duration_since(first.captured) / steps;
            if let (Some(first), Some(last)) = (first.sequence, last.sequence) {
                assert_eq!(last - first, 29 + camera.counts().missed);
            }
            println!(
                "  mean interval {mean:?}, age {:?} to {:?}, {} bytes, {:?}",
                pictures.iter().map(|picture| picture.age).min().unwrap(),
                pictures.iter().map(|picture| picture.age).max().unwrap(),
                last.bytes.len(),
                camera.counts()
            );
            assert!(mean > nominal.mul_f64(0.8), "faster than it says: {mean:?}");
            assert!(!test.is_vivid || mean < nominal.mul_f64(1.25), "slower than it says: {mean:?}");
            assert_eq!(camera.counts().delivered, 30);
        }
    }
}

#[test]
fn what_cannot_be_had_exactly_is_had_nearly() {
    let Some(test) = vivid() else { return };
    for backend in [Backend::V4l, Backend::Nokhwa] {
        let odd =
            CaptureOptions { size: Some(size("645x485")), rate: Some(FrameRate::new(1000, 1).unwrap()), ..test.options(backend) };
        let format = camera::open(&odd).unwrap().format();
        assert_eq!((format.size, format.rate), (size("640x480"), FrameRate::new(25, 1).unwrap()), "{}", backend.name());
        let anything = CaptureOptions { size: None, rate: None, ..test.options(backend) };
        let format = camera::open(&anything).unwrap().format();
        println!("{} by default: {format:?}", backend.name());
        assert_eq!((format.size, format.rate), (size("640x360"), FrameRate::default()), "the largest that reaches 30 a second");
    }
}

/// The luma and chroma at a point, as a picture of either format has them.
fn pixel_at(picture: &Seen, x: usize, y: usize) -> [u8; 3] {
    let stride = picture.format.bytes_per_line as usize;
    let at = |offset: usize| picture.bytes[offset];
    if picture.format.pixel == PixelFormat::Yuyv {
        let pair = y * stride + x / 2 * 4;
        [at(y * stride + x * 2), at(pair + 1), at(pair + 3)]
    } else {
        let chroma = (picture.format.size.height() as usize + y / 2) * stride + x / 2 * 2;
        [at(y * stride + x), at(chroma), at(chroma + 1)]
    }
}

/// What vivid 6.1 delivers at 640x480 in its default colour space (sRGB, BT.601 limited): 75 % bars are R'G'B' 190 where 1/255 is
/// one step, 100 % bars 254, both rounded down on their way to Y'CbCr.
const BARS: [(&str, [u8; 3], [u8; 3]); 8] = [
    ("white", [179, 128, 128], [234, 128, 128]),
    ("yellow", [160, 44, 141], [209, 16, 146]),
    ("cyan", [130, 156, 44], [168, 165, 16]),
    ("green", [111, 72, 58], [144, 54, 34]),
    ("magenta", [83, 183, 197], [106, 201, 221]),
    ("red", [64, 99, 211], [81, 90, 239]),
    ("blue", [34, 211, 114], [40, 239, 109]),
    ("black", [16, 128, 128], [16, 128, 128]),
];

#[test]
fn colour_bars_have_their_colours() {
    let Some(test) = vivid() else { return };
    for (backend, pixel, pattern) in [
        (Backend::V4l, PixelFormat::Yuyv, 0),
        (Backend::V4l, PixelFormat::Nv12, 0),
        (Backend::V4l, PixelFormat::Yuyv, 1),
        (Backend::Nokhwa, PixelFormat::Yuyv, 0),
        (Backend::Nokhwa, PixelFormat::Nv12, 0),
    ] {
        test.set("test_pattern", pattern);
        let options = CaptureOptions { pixel_format: Some(pixel), ..test.options(backend) };
        let mut camera = camera::open(&options).unwrap();
        assert_eq!(camera.format().color, Color::new(Matrix::Bt601, Range::Limited));
        let picture = picture(camera.as_mut()).unwrap();
        for (bar, (name, three_quarters, full)) in BARS.into_iter().enumerate() {
            let (x, y) = (640 * (2 * bar + 1) / 16, 240);
            let (found, expected) = (pixel_at(&picture, x, y), if pattern == 0 { three_quarters } else { full });
            println!("{} {pixel} pattern {pattern} {name:8} at {x},{y}: Y'CbCr {found:?}", backend.name());
            assert!(found.iter().zip(expected).all(|(found, expected)| found.abs_diff(expected) <= 1), "expected {expected:?}");
        }
    }
}

#[test]
fn a_camera_in_use_is_busy() {
    let Some(test) = test_camera() else { return };
    let mut first = camera::open(&test.options(Backend::V4l)).unwrap();
    picture(first.as_mut()).unwrap();
    for backend in [Backend::V4l, Backend::Nokhwa] {
        let error = camera::open(&test.options(backend)).err().unwrap();
        println!("{error:?}");
        assert_eq!(error.kind(), ErrorKind::Busy);
        assert!(error.is_recoverable());
    }
    picture(first.as_mut()).unwrap();
}

/// Runs itself again as a user who may not read the camera.
#[test]
fn a_camera_that_may_not_be_used_is_listed_and_told() {
    const NOBODY: u32 = 65534;
    let Some(test) = vivid() else { return };
    if std::env::var_os("STREAMLIB_TEST_AS_NOBODY").is_some() {
        for backend in [Backend::V4l, Backend::Nokhwa] {
            assert!(camera::list(backend).unwrap().iter().any(|camera| camera.id == test.path));
            let error = camera::open(&test.options(backend)).err().unwrap();
            println!("{error:?}");
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert!(error.to_string().contains("group 'video'"));
        }
        return;
    }
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "a_camera_that_may_not_be_used_is_listed_and_told"])
        .env("STREAMLIB_TEST_AS_NOBODY", "1")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&done.stdout));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn waits_end_when_told_and_stalls_are_errors() {
    let Some(test) = vivid() else { return };
    let options = CaptureOptions {
        rate: Some(FrameRate::new(1, 1).unwrap()),
        timeout: Duration::from_millis(400),
        ..test.options(Backend::V4l)
    };
    let mut camera = camera::open(&options).unwrap();
    let start = Instant::now();
    while !matches!(camera.next(DEADLINE), Ok(Some(_))) {
        assert!(start.elapsed() < DEADLINE);
    }
    assert!(camera.next(Duration::ZERO).unwrap().is_none());
    let start = Instant::now();
    assert!(camera.next(Duration::from_millis(50)).unwrap().is_none());
    assert!(start.elapsed() >= Duration::from_millis(50));
    let error = camera.next(DEADLINE).unwrap_err();
    println!("{error}, {:?} after the last picture", start.elapsed());
    assert_eq!(error.kind(), ErrorKind::Stalled);
    assert!(start.elapsed() >= Duration::from_millis(399));
    // A stall is no end: the next picture is handed out, and none is lost or torn out of order.
    let picture = loop {
        match picture(camera.as_mut()) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Stalled),
            Ok(picture) => break picture,
        }
    };
    assert!(picture.sequence.is_some());
    assert_eq!(camera.counts().missed, 0);
}

#[test]
fn damaged_pictures_are_left_out_and_counted() {
    let Some(test) = vivid() else { return };
    let mut camera = camera::open(&test.options(Backend::V4l)).unwrap();
    let mut last = picture(camera.as_mut()).unwrap();
    test.set("inject_v4l2_buf_flag_error", 1);
    let start = Instant::now();
    while camera.counts().damaged == 0 {
        assert!(start.elapsed() < DEADLINE);
        last = picture(camera.as_mut()).unwrap();
    }
    let before = last.sequence.unwrap();
    println!("{:?}, sequence {before}", camera.counts());
    let after = picture(camera.as_mut()).unwrap();
    assert_eq!(after.sequence, Some(before + 1));
}

#[test]
fn a_driver_that_fails_is_an_error_and_can_be_opened_again() {
    let Some(test) = vivid() else { return };
    let mut camera = camera::open(&test.options(Backend::V4l)).unwrap();
    picture(camera.as_mut()).unwrap();
    test.set("inject_fatal_streaming_error", 1);
    let start = Instant::now();
    let error = loop {
        match camera.next(DEADLINE) {
            Err(error) => break error,
            Ok(_) => assert!(start.elapsed() < DEADLINE),
        }
    };
    println!("{:?} after the failure: {error:?}", start.elapsed());
    assert_eq!(error.kind(), ErrorKind::Io);
    drop(camera);
    test.set("inject_vidioc_streamon_error", 1);
    let error = camera::open(&test.options(Backend::V4l)).err().unwrap();
    println!("{error:?}");
    assert_eq!(error.kind(), ErrorKind::Io);
    picture(camera::open(&test.options(Backend::V4l)).unwrap().as_mut()).unwrap();
}

#[test]
fn pictures_that_nobody_takes_in_time_are_counted_as_missed() {
    let Some(test) = vivid() else { return };
    let mut camera = camera::open(&test.options(Backend::V4l)).unwrap();
    let before = picture(camera.as_mut()).unwrap().sequence.unwrap();
    // The driver has to run out of buffers, which takes its time: four pictures at 15 a second.
    thread::sleep(Duration::from_secs(1));
    let after = loop {
        let sequence = picture(camera.as_mut()).unwrap().sequence.unwrap();
        if camera.counts().missed > 0 {
            break sequence;
        }
    };
    let counts = camera.counts();
    println!("{counts:?}, sequence {before} to {after}");
    assert_eq!(after - before, counts.delivered - 1 + counts.missed);
}

#[test]
fn sequence_numbers_go_on_where_the_driver_starts_over() {
    let Some(test) = vivid() else { return };
    test.set("wrap_sequence_number", 1);
    let mut camera = camera::open(&test.options(Backend::V4l)).unwrap();
    let numbers: Vec<u64> = (0..200)
        .map(|_| picture(camera.as_mut()).unwrap().sequence.unwrap())
        .take_while(|number| *number <= u64::from(u32::MAX))
        .collect();
    let wrapped = picture(camera.as_mut()).unwrap().sequence.unwrap();
    println!("{:?} .. {:?}, then {wrapped}", numbers.first(), numbers.last());
    assert!(numbers.is_sorted_by(|before, after| before < after));
    let counts = camera.counts();
    assert_eq!(wrapped - numbers[0], counts.delivered - 1 + counts.missed);
    assert!(wrapped > u64::from(u32::MAX));
}

#[test]
fn an_unplugged_camera_is_told_at_once_and_can_be_opened_again() {
    let Some(test) = vivid() else { return };
    let mut camera = camera::open(&test.options(Backend::V4l)).unwrap();
    picture(camera.as_mut()).unwrap();
    test.unplug();
    let start = Instant::now();
    let error = loop {
        match camera.next(DEADLINE) {
            Err(error) => break error,
            Ok(_) => assert!(start.elapsed() < DEADLINE),
        }
    };
    println!("v4l, {:?} after the plug was pulled: {error:?}", start.elapsed());
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(camera.next(Duration::ZERO).unwrap_err().kind(), ErrorKind::Disconnected, "and it stays so");
    let gone = camera::open(&test.options(Backend::V4l)).err().unwrap();
    println!("opened again: {gone}");
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    drop(camera);
    test.plug();
    picture(camera::open(&test.options(Backend::V4l)).unwrap().as_mut()).unwrap();
}

/// The plug is pulled while a thread waits inside the library.
#[test]
fn nokhwa_notices_that_a_camera_is_unplugged() {
    let Some(test) = vivid() else { return };
    let options = test.options(Backend::Nokhwa);
    let (report, reports) = mpsc::channel();
    let capturing = thread::spawn(move || {
        let mut camera = camera::open(&options).unwrap();
        loop {
            let seen = picture(camera.as_mut());
            let ended = seen.is_err();
            report.send(seen.map(|_| ())).unwrap();
            if ended {
                return;
            }
        }
    });
    reports.recv_timeout(DEADLINE).unwrap().unwrap();
    test.unplug();
    let start = Instant::now();
    let error = loop {
        match reports.recv_timeout(DEADLINE).expect("nokhwa waits for ever") {
            Err(error) => break error,
            Ok(()) => assert!(start.elapsed() < DEADLINE),
        }
    };
    println!("nokhwa, {:?} after the plug was pulled: {error:?}", start.elapsed());
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    capturing.join().unwrap();
    test.plug();
}
