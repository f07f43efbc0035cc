#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write as _;
use std::process::{Command, Stdio};

use streamlib_core::{ErrorKind, FrameRate, GpuContext, GpuOptions, PixelFormat, Size};

use super::super::{Backend, mjpeg};
use super::*;

/// Plays JPEGs: no virtual camera delivers any.
struct Player {
    device: CameraDevice,
    size: Size,
    pictures: Vec<Vec<u8>>,
    delivered: u64,
}

impl Driver for Player {
    fn device(&self) -> &CameraDevice {
        &self.device
    }

    fn format(&self) -> CaptureFormat {
        let (format, rate) = (CameraFormat::Mjpeg, FrameRate::default());
        CaptureFormat { format, size: self.size, rate, bytes_per_line: 0, color: mjpeg::COLOR }
    }

    fn next(&mut self, _: Duration) -> Result<Option<Delivered<'_>>> {
        let bytes = &self.pictures[self.delivered as usize % self.pictures.len()];
        self.delivered += 1;
        let (age, clock) = (Duration::ZERO, CaptureClock::Arrival);
        Ok(Some(Delivered { bytes, sequence: Some(self.delivered), age, clock }))
    }

    fn counts(&self) -> CaptureCounts {
        CaptureCounts { delivered: self.delivered, ..CaptureCounts::default() }
    }

    fn controls(&self) -> Result<Vec<CameraControl>> {
        Ok(Vec::new())
    }

    fn set_controls(&mut self, _: &BTreeMap<String, ControlValue>) -> Result<BTreeMap<String, ControlValue>> {
        Ok(BTreeMap::new())
    }
}

fn playing(pictures: Vec<Vec<u8>>, size: &str, timeout: Duration) -> Capture {
    let device = CameraDevice::new(0, "C920".into(), "/dev/video0".into(), Backend::V4l);
    Capture::new(Box::new(Player { device, size: size.parse().unwrap(), pictures, delivered: 0 }), timeout)
}

const SIDES: (usize, usize) = (320, 180);
const BARS: [[u8; 3]; 8] =
    [[255, 255, 255], [200, 200, 30], [20, 190, 190], [0, 190, 0], [190, 0, 190], [190, 20, 10], [0, 0, 190], [0, 0, 0]];

/// Bars as a JPEG, by ffmpeg.
fn bars(pixels: &str) -> Vec<u8> {
    let (width, height) = SIDES;
    let rgb: Vec<u8> = (0..width * height).flat_map(|at| BARS[at % width * BARS.len() / width]).collect();
    let arguments = format!(
        "-v error -f rawvideo -pix_fmt rgb24 -s {width}x{height} -i - -pix_fmt {pixels} -c:v mjpeg -huffman default -q:v 2 -f image2pipe -"
    );
    let mut child =
        Command::new("ffmpeg").args(arguments.split(' ')).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || pipe.write_all(&rgb).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[test]
fn jpegs_become_frames_with_their_colours() {
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    for (name, pixel) in [("yuvj420p", PixelFormat::I420), ("yuvj422p", PixelFormat::I422), ("yuvj444p", PixelFormat::I444)] {
        let mut camera = playing(vec![bars(name)], "320x180", Duration::from_secs(5));
        let picture = camera.next(Duration::ZERO).unwrap().unwrap();
        assert_eq!((picture.pixel, picture.video().color), (pixel, mjpeg::COLOR));
        let mut encoder = gpu.encoder();
        let mut frame = gpu.frame(picture.video(), "test").unwrap();
        encoder.upload_planes(&mut frame, picture.planes()).unwrap();
        let rgba = gpu.convert(&mut encoder, &frame, PixelFormat::Rgba8).unwrap();
        let read_back = encoder.read_back(&rgba).unwrap();
        encoder.submit().unwrap();
        let pixels = read_back.wait().unwrap().to_vec();
        for (bar, expected) in BARS.iter().enumerate() {
            let at = (SIDES.1 / 2 * SIDES.0 + SIDES.0 * (2 * bar + 1) / 16) * 4;
            let found = &pixels[at..at + 3];
            let right = found.iter().zip(expected).all(|(found, expected)| found.abs_diff(*expected) <= 4);
            assert!(right, "{pixel}: {found:?}, not {expected:?}");
        }
    }
}

#[test]
fn broken_jpegs_are_counted_and_the_next_is_taken() {
    let whole = bars("yuvj422p");
    let cut = whole[..whole.len() / 2].to_vec();
    let mut camera = playing(vec![whole.clone(), cut, Vec::new(), whole], "320x180", Duration::from_secs(5));
    let sequences: Vec<Option<u64>> =
        (0..4).map(|_| camera.next(Duration::ZERO).unwrap().and_then(|picture| picture.sequence)).collect();
    assert_eq!(sequences, [Some(1), None, None, Some(4)]);
    assert_eq!(camera.counts(), CaptureCounts { delivered: 2, damaged: 2, ..CaptureCounts::default() });
}

#[test]
fn a_camera_that_delivers_nothing_whole_has_stalled() {
    let mut camera = playing(vec![bars("yuvj420p")], "640x480", Duration::from_millis(20));
    let error = loop {
        match camera.next(Duration::ZERO) {
            Ok(picture) => assert!(picture.is_none()),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Stalled);
    let message =
        "camera 0 'C920' (/dev/video0) delivered no picture for 20ms that was whole: the last was a JPEG of 320x180; try";
    assert!(error.to_string().starts_with(message), "{error}");
    assert_eq!(camera.counts().delivered, 0);
}
