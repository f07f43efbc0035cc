//! `camera`: the source.

use std::time::{Duration, Instant};

use send_wrapper::SendWrapper;
use streamlib_core::{
    Color, Context, Counter, Described, Next, OutputOptions, PixelFormat, Result, Source, Tunable, VideoFrame, check_parameters,
};

use super::{Capture, CaptureCounts, CaptureOptions};

/// How long to wait for a picture before looking whether the run is ending.
const STEP: Duration = Duration::from_millis(100);

/// How much longer than its own timeout a camera may block before the runtime gives it up.
const PATIENCE: Duration = Duration::from_secs(2);

/// Captures from a camera. Frames are `yuyv` or `nv12` as the camera delivers them; the GPU converts where a neighbour wants
/// something else.
///
/// Times are the driver's where it gives them. Counters: `missed` (the driver dropped pictures: gaps in its sequence numbers),
/// `damaged` and `short` (left out), `gpu_behind` (dropped before the upload, because the GPU had too much to do).
pub struct Camera {
    options: CaptureOptions,
    opened: Option<Opened>,
}

struct Opened {
    /// A camera stays on the thread that opened it; the wrapper proves that, since the processor itself may move before.
    capture: SendWrapper<Box<dyn Capture>>,
    counters: Counters,
    color: Color,
    /// The driver's number of the first picture.
    first: Option<u64>,
    delivered: u64,
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
        Ok(Self { options, opened: None })
    }

    /// The first camera, in its best mode for live video.
    pub fn first() -> Self {
        Self { options: CaptureOptions::default(), opened: None }
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

    fn set_parameters(&mut self, options: CaptureOptions, _: &mut Context<'_>) -> Result<()> {
        self.options = options;
        if let Some(opened) = &mut self.opened {
            opened.color = self.options.color(opened.capture.format().color);
        }
        Ok(())
    }
}

impl Source for Camera {
    fn output(&self) -> OutputOptions {
        // What it will be is known when the camera is open; a wish narrows it down before.
        let formats: &[_] = match self.options.pixel_format {
            Some(PixelFormat::Yuyv) => &[PixelFormat::Yuyv],
            Some(PixelFormat::Nv12) => &[PixelFormat::Nv12],
            _ => &[PixelFormat::Yuyv, PixelFormat::Nv12],
        };
        OutputOptions { formats: Some(formats), ..Default::default() }
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.options.timeout.saturating_add(PATIENCE))
    }

    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        Some(self)
    }

    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let capture = super::open(&self.options)?;
        let format = capture.format();
        tracing::info!(camera = %capture.device(), format = %format.video(), rate = %format.rate, "camera opened");
        let color = self.options.color(format.color);
        let counters = Counters::new(cx);
        self.opened = Some(Opened { capture: SendWrapper::new(capture), counters, color, first: None, delivered: 0 });
        Ok(())
    }

    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        let Some(opened) = &mut self.opened else { return Ok(Next::End) };
        let frame = opened.capture(cx);
        opened.counters.update(opened.capture.counts());
        frame
    }

    fn finish(&mut self, _: &mut Context<'_>) -> Result<()> {
        // Closes the camera on the thread that opened it.
        self.opened = None;
        Ok(())
    }
}

impl Opened {
    fn capture(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        let Some(picture) = self.capture.next(STEP)? else { return Ok(Next::Skip) };
        let now = Instant::now();
        let captured_at = now.checked_sub(picture.age).unwrap_or(now);
        let number = picture.sequence.unwrap_or(self.delivered);
        let sequence = number.saturating_sub(*self.first.get_or_insert(number));
        self.delivered += 1;
        if !cx.admit() {
            self.counters.gpu_behind.add(1);
            return Ok(Next::Skip);
        }
        let frame = cx.frame(picture.format.video())?.with_color(self.color);
        let time = cx.timestamp_of(captured_at);
        let mut frame = frame.with_time(time).with_captured_at(captured_at).with_sequence(sequence);
        cx.encoder()?.upload(&mut frame, picture.bytes, picture.format.bytes_per_line as usize)?;
        Ok(Next::Item(frame))
    }
}
