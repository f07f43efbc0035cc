//! Which of the virtual camera's modes is taken.

use streamlib_core::{ErrorKind, FrameRate};
use streamlib_processors::camera::{self, Backend, CameraFormat, CaptureOptions, ModeChoice};

use crate::harness::{BACKENDS, size, vivid};

#[test]
fn what_cannot_be_had_exactly_is_had_nearly() {
    let Some(test) = vivid() else { return };
    for backend in BACKENDS {
        let odd =
            CaptureOptions { size: Some(size("645x485")), rate: Some(FrameRate::new(1000, 1).unwrap()), ..test.options(backend) };
        let format = camera::open(&odd).unwrap().format();
        assert_eq!((format.size, format.rate), (size("640x480"), FrameRate::new(25, 1).unwrap()), "{}", backend.name());
        let anything = CaptureOptions { size: None, rate: None, ..test.options(backend) };
        let format = camera::open(&anything).unwrap().format();
        println!("{} by default: {format:?}", backend.name());
        assert_eq!((format.size, format.rate), (size("640x360"), FrameRate::default()), "the largest that reaches 30 a second");
        assert_eq!(format.format, CameraFormat::Yuyv);
    }
}

#[test]
fn what_is_asked_exactly_is_had_exactly_or_not_at_all() {
    let Some(test) = vivid() else { return };
    for backend in BACKENDS {
        let options = |text: &str, rate: &str| CaptureOptions {
            size: Some(size(text)),
            rate: rate.parse().ok(),
            choose: ModeChoice::Exact,
            ..test.options(backend)
        };
        let format = camera::open(&options("320x180", "10")).unwrap().format();
        assert_eq!((format.size, format.rate.to_string()), (size("320x180"), "10".into()));
        for (text, rate) in [("645x485", "15"), ("640x480", "1000")] {
            let error = camera::open(&options(text, rate)).err().unwrap();
            println!("{}: {error}", backend.name());
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            let start = format!(
                "camera 0 'vivid' (/dev/video0) does not have exactly {text} at {rate} a second; it has, nearest first: yuyv 640x480 at "
            );
            assert!(error.to_string().starts_with(&start), "{error}");
        }
    }
}

#[test]
fn the_largest_is_had_that_reaches_the_rate() {
    let Some(test) = vivid() else { return };
    for backend in BACKENDS {
        let largest = |size, rate: &str| {
            let rate = rate.parse().ok();
            camera::open(&CaptureOptions { size, rate, choose: ModeChoice::Largest, ..test.options(backend) }).unwrap().format()
        };
        let modes = test.device(backend).modes().unwrap();
        for rate in ["1", "10", "50"] {
            let wanted: FrameRate = rate.parse().unwrap();
            let reaches = |mode: &&camera::CameraMode| mode.rates.iter().any(|range| range.fastest.as_f64() >= wanted.as_f64());
            let sizes = modes.iter().filter(reaches).map(|mode| mode.size.largest);
            let expected = sizes.max_by_key(|size| size.width() * size.height()).unwrap();
            let found = largest(None, rate);
            println!("{} at {rate}: {} at {}", backend.name(), found.size, found.rate);
            assert_eq!(found.size, expected, "{rate}");
        }
        assert_eq!(largest(Some(size("1000x700")), "10").size, size("640x480"));
    }
}

/// nokhwa alone cannot open a camera that was left at a format or a rate that it does not know.
#[test]
fn nokhwa_opens_a_camera_whatever_it_was_left_at() {
    let Some(test) = vivid() else { return };
    let grey = CaptureOptions { pixel_format: Some(CameraFormat::Grey8), ..test.options(Backend::V4l) };
    for rate in ["15", "15/2"] {
        drop(camera::open(&CaptureOptions { rate: rate.parse().ok(), ..grey.clone() }).unwrap());
        let format = camera::open(&test.options(Backend::Nokhwa)).unwrap().format();
        assert_eq!(format.format, CameraFormat::Yuyv);
    }
}
