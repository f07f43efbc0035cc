//! The colours of the virtual camera's bars, before they are encoded.

use std::sync::mpsc::{Sender, channel};

use streamlib::ReadBack;
use streamlib::camera::{Backend, CameraFormat};
use streamlib::prelude::*;

use crate::virtual_camera::VirtualCamera;
use crate::{HEIGHT, WIDTH};

/// vivid's 75 % bars from left to right, in R'G'B': 190 is its 0.75, rounded down.
pub(crate) const BARS: [(&str, [u8; 3]); 8] = [
    ("white", [190, 190, 190]),
    ("yellow", [190, 190, 0]),
    ("cyan", [0, 190, 190]),
    ("green", [0, 190, 0]),
    ("magenta", [190, 0, 190]),
    ("red", [190, 0, 0]),
    ("blue", [0, 0, 190]),
    ("black", [0, 0, 0]),
];

/// How far the centres of the bars are from what they should be, at most. `bytes` is how many a pixel has, `y` the line.
pub(crate) fn worst_bar(pixels: &[u8], bytes: usize, y: usize) -> u8 {
    let differences = BARS.iter().enumerate().map(|(bar, (name, expected))| {
        let x = WIDTH * (2 * bar + 1) / (2 * BARS.len());
        let found = &pixels[(y * WIDTH + x) * bytes..][..3];
        let difference = found.iter().zip(expected).map(|(found, expected)| found.abs_diff(*expected)).max().unwrap();
        if difference > 3 {
            println!("{name} is {found:?}, not {expected:?}");
        }
        difference
    });
    differences.max().unwrap()
}

/// Brings every picture to the CPU.
struct Probe {
    pending: Option<ReadBack>,
    pictures: Sender<Vec<u8>>,
}

impl Sink for Probe {
    fn input(&self) -> InputOptions {
        InputOptions { formats: Some(&[PixelFormat::Rgba8]), ..Default::default() }
    }

    fn consume(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<()> {
        self.pending = Some(cx.read_back(&frame)?);
        Ok(())
    }

    fn submitted(&mut self, _: &mut Context<'_>) -> Result<()> {
        if let Some(pending) = self.pending.take() {
            self.pictures.send(pending.wait()?.to_vec()).unwrap();
        }
        Ok(())
    }
}

/// A ball that hangs where it starts: in the second bar, well above the middle line.
fn still_ball() -> BouncingBall {
    BouncingBall::new(BouncingBallParameters { radius: 0.05, gravity: 0.0, speed: 0.0, ..Default::default() }).unwrap()
}

#[test]
fn the_bars_keep_their_colours_on_the_way_to_the_sink() {
    let Some(_camera) = VirtualCamera::get() else { return };
    let runtime = Runtime::new(RuntimeOptions { frames: Some(2), ..Default::default() });
    // Frames are the same whoever captured them; every format of both is looked at before the GPU in `camera_hardware`.
    let nokhwa = [(Backend::Nokhwa, CameraFormat::Yuyv)];
    let colourful = |format: &CameraFormat| !matches!(format, CameraFormat::Mjpeg | CameraFormat::Grey8);
    let v4l = CameraFormat::ALL.into_iter().filter(colourful).map(|format| (Backend::V4l, format));
    for (backend, pixel) in v4l.chain(nokhwa) {
        let camera = Camera::new(CaptureOptions {
            backend,
            size: Size::new(WIDTH as u32, HEIGHT as u32).ok(),
            rate: FrameRate::new(5, 1).ok(),
            pixel_format: Some(pixel),
            ..Default::default()
        });
        let (sender, pictures) = channel();
        let mut graph = Graph::new();
        graph.add("camera", camera.unwrap()).unwrap();
        graph.add("ball", still_ball()).unwrap();
        graph.add("probe", Probe { pending: None, pictures: sender }).unwrap();
        graph.connect("camera", "ball").unwrap();
        graph.connect("ball", "probe").unwrap();
        let statistics = runtime.run(graph).unwrap();
        assert_eq!(statistics.unbalanced_links(), [""; 0]);
        assert_eq!(statistics.gpu.unwrap().textures.in_use, 0);

        let pictures: Vec<_> = pictures.iter().collect();
        assert_eq!(pictures.len(), 2);
        for picture in pictures {
            let worst = worst_bar(&picture, 4, HEIGHT / 2);
            println!("{} {pixel}: the bars are off by {worst} at most", backend.name());
            assert!(worst <= 3);
            let (x, y) = (HEIGHT / 4, HEIGHT / 5);
            assert_eq!(
                picture[(y * WIDTH + x) * 4..][..3],
                BouncingBallParameters::default().color.at(Timestamp::ZERO),
                "where the ball hangs"
            );
        }
    }
}
