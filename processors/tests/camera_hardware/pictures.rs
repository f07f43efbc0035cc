//! Pictures in order and in time.

use std::time::Duration;

use streamlib_core::{ErrorKind, FrameRate};
use streamlib_processors::camera::{self, Backend, CameraFormat, CaptureClock, CaptureOptions};

use crate::harness::{BACKENDS, Seen, picture, size, test_camera};

#[test]
fn thirty_pictures_come_in_order_and_in_time() {
    let Some(test) = test_camera() else { return };
    for backend in BACKENDS {
        for pixel in [CameraFormat::Yuyv, CameraFormat::Nv12] {
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
            assert_eq!(format.format, pixel);
            if test.is_vivid {
                assert_eq!((format.size, format.rate), (size("640x480"), FrameRate::new(15, 1).unwrap()));
            }

            let pictures: Vec<Seen> = (0..30).map(|_| picture(&mut camera).unwrap()).collect();
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
                assert_eq!(picture.planes.len(), if pixel == CameraFormat::Nv12 { 2 } else { 1 });
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
                last.planes[0].0.len(),
                camera.counts()
            );
            assert!(mean > nominal.mul_f64(0.8), "faster than it says: {mean:?}");
            assert!(!test.is_vivid || mean < nominal.mul_f64(1.25), "slower than it says: {mean:?}");
            assert_eq!(camera.counts().delivered, 30);
        }
    }
}
