//! `camera`: the source.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use send_wrapper::SendWrapper;
use streamlib_core::{
    Checker, Color, Context, Counter, Described, Next, OutputOptions, PixelFormat, Result, Source, Tunable, VideoFormat,
    VideoFrame, check_parameters,
};

use super::controls::resolve;
use super::{CameraControl, CameraDevice, Capture, CaptureCounts, CaptureOptions, ControlValue};

/// How long to wait for a picture before looking whether the run is ending.
const STEP: Duration = Duration::from_millis(100);

/// How much longer than its own timeout a camera may block before the runtime gives it up.
const PATIENCE: Duration = Duration::from_secs(2);

/// What frames can be where no format is asked for: everything that a camera delivers.
const ANY: &[PixelFormat] = &[
    PixelFormat::Yuyv,
    PixelFormat::Uyvy,
    PixelFormat::Nv12,
    PixelFormat::I420,
    PixelFormat::I422,
    PixelFormat::I444,
    PixelFormat::Rgb24,
    PixelFormat::Bgr24,
    PixelFormat::Grey8,
];

/// Captures from a camera. Frames have the pixel format that the camera delivers, JPEG that of its planes; the GPU converts where
/// a neighbour wants something else.
///
/// Times are the driver's where it gives them. Counters: `missed` (the driver dropped pictures: gaps in its sequence numbers),
/// `damaged` and `short` (left out), `gpu_behind` (dropped before the upload, because the GPU had too much to do).
///
/// `matrix`, `range` and `controls` can be set while it runs. Controls are checked against the opened camera's ranges at once;
/// what the camera itself refuses leaves everything as it was.
pub struct Camera {
    options: CaptureOptions,
    opened: Option<Opened>,
    /// The number of the first picture of what is opened next: after a restart numbers go on.
    next: u64,
    /// For those who check parameters on other threads.
    known: Arc<Mutex<Option<Known>>>,
}

/// The camera that is open, and its controls.
struct Known {
    device: CameraDevice,
    controls: Vec<CameraControl>,
}

struct Opened {
    /// A camera stays on the thread that opened it; the wrapper proves that, since the processor itself may move before.
    capture: SendWrapper<Capture>,
    counters: Counters,
    color: Color,
    /// The driver's number of the first picture.
    first: Option<u64>,
    /// The number that the first picture has in the stream.
    base: u64,
    delivered: u64,
    /// The number of the picture after the last.
    next: u64,
}

/// The driver's losses, as the node's counters.
struct Counters {
    counted: CaptureCounts,
    missed: Counter,
    damaged: Counter,
    short: Counter,
    gpu_behind: Counter,
}

impl Counters {
    fn new(cx: &Context<'_>) -> Self {
        let counter = |name| cx.counter(name);
        Self {
            counted: CaptureCounts::default(),
            missed: counter("missed"),
            damaged: counter("damaged"),
            short: counter("short"),
            gpu_behind: counter("gpu_behind"),
        }
    }

    fn update(&mut self, counts: CaptureCounts) {
        self.missed.add(counts.missed - self.counted.missed);
        self.damaged.add(counts.damaged - self.counted.damaged);
        self.short.add(counts.short - self.counted.short);
        self.counted = counts;
    }
}

impl Camera {
    /// The camera that these options ask for. It is opened when the graph starts.
    pub fn new(options: CaptureOptions) -> Result<Self> {
        check_parameters::<Self>(&options)?;
        options.check()?;
        Ok(Self { options, opened: None, next: 0, known: Arc::default() })
    }

    /// The first camera, in its best mode for live video.
    pub fn first() -> Self {
        Self { options: CaptureOptions::default(), opened: None, next: 0, known: Arc::default() }
    }
}

impl Described for Camera {
    type Parameters = CaptureOptions;
    const NAME: &'static str = "camera";
    const SUMMARY: &'static str = "Captures from a camera.";

    fn from_parameters(options: CaptureOptions) -> Result<Self> {
        Self::new(options)
    }

    fn parameters(&self) -> &CaptureOptions {
        &self.options
    }

    fn check(options: &CaptureOptions) -> Result<()> {
        options.check()
    }

    fn set_parameters(&mut self, mut options: CaptureOptions, _: &mut Context<'_>) -> Result<()> {
        if let Some(opened) = &mut self.opened {
            let changed: BTreeMap<String, ControlValue> = options
                .controls
                .iter()
                .filter(|(name, value)| self.options.controls.get(*name) != Some(value))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            if !changed.is_empty() {
                let set = opened.capture.set_controls(&changed)?;
                tracing::debug!(camera = %opened.capture.device(), ?set, "controls set");
                options.controls.extend(set);
            }
            let format = opened.capture.format();
            opened.color = options.color(format.format, format.color);
        }
        self.options = options;
        Ok(())
    }

    fn checker(&self) -> Checker<CaptureOptions> {
        let known = self.known.clone();
        Arc::new(move |options| {
            options.check()?;
            match &*known.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(known) => resolve(&known.device, &known.controls, &options.controls).map(|_| ()),
                None => Ok(()),
            }
        })
    }
}

impl Source for Camera {
    fn output(&self) -> OutputOptions {
        // What it will be is known when the camera is open; a wish narrows it down before.
        OutputOptions {
            formats: Some(self.options.pixel_format.map_or(ANY, |format| format.pixel_formats())),
            ..Default::default()
        }
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.options.timeout.saturating_add(PATIENCE))
    }

    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        Some(self)
    }

    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        // What an attempt before left is closed first: it would keep the camera busy, or its number.
        self.close();
        let capture = super::open(&self.options)?;
        let format = capture.format();
        tracing::info!(
            camera = %capture.device(), format = %format.format, size = %format.size, rate = %format.rate, "camera opened"
        );
        // Without controls none can be set; that is said when one is.
        let controls = capture.controls().unwrap_or_default();
        self.know(Some(Known { device: capture.device().clone(), controls }));
        let color = self.options.color(format.format, format.color);
        // What a JPEG holds is seen when it comes.
        if let [pixel] = format.format.pixel_formats() {
            cx.announce(VideoFormat { color, ..VideoFormat::new(*pixel, format.size) })?;
        }
        let counters = Counters::new(cx);
        self.opened = Some(Opened {
            capture: SendWrapper::new(capture),
            counters,
            color,
            first: None,
            base: self.next,
            delivered: 0,
            next: self.next,
        });
        Ok(())
    }

    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        let Some(opened) = &mut self.opened else { return Ok(Next::End) };
        let frame = opened.capture(cx);
        self.next = opened.next;
        opened.counters.update(opened.capture.counts());
        frame
    }

    fn finish(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.close();
        Ok(())
    }
}

impl Camera {
    /// Closes the camera, on the thread that opened it.
    fn close(&mut self) {
        self.opened = None;
        self.know(None);
    }

    fn know(&self, known: Option<Known>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

impl Opened {
    fn capture(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        let Some(picture) = self.capture.next(STEP)? else { return Ok(Next::Skip) };
        let now = Instant::now();
        let captured_at = now.checked_sub(picture.age).unwrap_or(now);
        let number = picture.sequence.unwrap_or(self.delivered);
        let sequence = self.base + number.saturating_sub(*self.first.get_or_insert(number));
        self.delivered += 1;
        self.next = sequence + 1;
        let time = cx.timestamp_of(captured_at);
        // Until the next one comes: this one may have taken longer on its way than that.
        if !cx.admit(cx.timestamp_of(picture.arrived) + picture.format.rate.interval()) {
            self.counters.gpu_behind.add(1);
            return Ok(Next::Skip);
        }
        let frame = cx.frame(picture.video())?.with_color(self.color);
        let mut frame = frame.with_time(time).with_captured_at(captured_at).with_sequence(sequence);
        cx.encoder()?.upload_planes(&mut frame, picture.planes())?;
        Ok(Next::Item(frame))
    }
}

#[cfg(test)]
mod tests {
    use streamlib_core::ErrorKind;

    use super::super::{Backend, CameraFormat, ControlFlags, ControlKind};
    use super::*;

    #[test]
    fn the_ports_formats_are_those_that_may_come() {
        for format in CameraFormat::ALL {
            assert!(format.pixel_formats().iter().all(|pixel| ANY.contains(pixel)), "{format}");
            let options = CaptureOptions { pixel_format: Some(format), ..CaptureOptions::default() };
            assert_eq!(Camera::new(options).unwrap().output().formats, Some(format.pixel_formats()));
        }
    }

    /// `tests/camera_hardware` shows that opening fills in what is filled in here.
    #[test]
    fn controls_are_checked_against_the_camera_that_is_open() {
        let camera = Camera::first();
        let check = camera.checker();
        let asking = |text: &str| CaptureOptions { controls: serde_json::from_str(text).unwrap(), ..CaptureOptions::default() };
        assert!(check(&asking(r#"{"gain": 300}"#)).is_ok(), "nothing is known of a camera that is not open");
        let gain = CameraControl {
            id: 1,
            name: "gain".into(),
            label: "Gain".into(),
            kind: ControlKind::Integer(0, 255, 1),
            default: None,
            value: None,
            flags: ControlFlags::default(),
        };
        let device = CameraDevice::new(0, "C920".into(), "/dev/video0".into(), Backend::V4l);
        camera.know(Some(Known { device, controls: vec![gain] }));
        assert!(check(&asking(r#"{"gain": 255}"#)).is_ok());
        let error = check(&asking(r#"{"gain": 300}"#)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("cannot be 300; it can be 0 to 255"), "{error}");
        assert!(check(&asking(r#"{"zoom": 1}"#)).unwrap_err().to_string().contains("no control 'zoom'; it has gain"));
        let hasty = CaptureOptions { timeout: Duration::ZERO, ..CaptureOptions::default() };
        assert!(check(&hasty).is_err());
        camera.know(None);
        assert!(check(&asking(r#"{"gain": 300}"#)).is_ok());
    }
}
