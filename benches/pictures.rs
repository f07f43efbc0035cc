//! Pictures to record: sources that play frames which are on the GPU already or come to it as a camera's do, and a sink that
//! collects them.

use std::sync::mpsc::{Receiver, Sender, channel};

use streamlib::prelude::*;
use streamlib::{Counter, ReadBack, Threading};

/// What the pictures of a recording are.
const I420: Option<&[PixelFormat]> = Some(&[PixelFormat::I420]);

/// Brings `i420` pictures to the CPU, without padding.
pub struct Collect {
    waiting: Option<ReadBack>,
    pictures: Sender<Vec<u8>>,
}

impl Collect {
    /// The sink, and where its pictures come out.
    pub fn new() -> (Self, Receiver<Vec<u8>>) {
        let (pictures, collected) = channel();
        (Self { waiting: None, pictures }, collected)
    }
}

impl Sink for Collect {
    fn input(&self) -> InputOptions {
        InputOptions { formats: I420, ..Default::default() }
    }

    fn threading(&self) -> Threading {
        Threading::Own
    }

    fn consume(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<()> {
        self.waiting = Some(cx.read_back(&frame)?);
        Ok(())
    }

    fn submitted(&mut self, _: &mut Context<'_>) -> Result<()> {
        if let Some(pixels) = self.waiting.take() {
            // Who asked may have gone: then nobody needs it.
            let _ = self.pictures.send(pixels.wait()?.to_vec());
        }
        Ok(())
    }
}

/// Takes `i420` and lets it go when the GPU has drawn it: a recording without its encoder.
pub struct Draw;

impl Sink for Draw {
    fn input(&self) -> InputOptions {
        InputOptions { formats: I420, ..Default::default() }
    }

    fn consume(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<()> {
        cx.delivered_when_ready(&frame);
        Ok(())
    }
}

/// Plays frames that are on the GPU already, over and over, at 30 frames a second of the medium.
pub struct Film {
    frames: Vec<VideoFrame>,
    next: usize,
}

impl Film {
    /// A film of these pictures, which [`Collect`] has collected. Uploads them.
    pub fn new(gpu: &GpuContext, size: Size, pictures: &[Vec<u8>]) -> Result<Self> {
        let format = VideoFormat::new(PixelFormat::I420, size);
        let frames = pictures.iter().map(|picture| {
            let mut frame = gpu.frame(format, "film")?;
            let mut encoder = gpu.encoder();
            encoder.upload(&mut frame, picture, format.row_bytes())?;
            encoder.submit()?;
            Ok(frame)
        });
        let frames = frames.collect::<Result<_>>()?;
        gpu.wait_idle(std::time::Duration::from_secs(60))?;
        Ok(Self { frames, next: 0 })
    }
}

impl Clone for Film {
    fn clone(&self) -> Self {
        Self { frames: self.frames.clone(), next: 0 }
    }
}

impl Source for Film {
    fn output(&self) -> OutputOptions {
        OutputOptions { formats: I420, ..Default::default() }
    }

    fn produce(&mut self, _: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        let frame = self.frames[self.next % self.frames.len()].clone();
        let number = self.next as u64;
        self.next += 1;
        let frame = frame.with_time(FrameRate::default().timestamp_of(number)).with_sequence(number);
        Ok(Next::Item(frame.with_captured_at(std::time::Instant::now())))
    }
}

/// Uploads pictures at 30 frames a second, as a camera's are.
pub struct Player {
    format: VideoFormat,
    pictures: Vec<Vec<u8>>,
    origin: Option<Timestamp>,
    next: u64,
    skipped: Counter,
    gpu_behind: Counter,
}

impl Player {
    /// Plays these pictures of `format`, without padding, over and over.
    pub fn new(format: VideoFormat, pictures: Vec<Vec<u8>>) -> Self {
        Self { format, pictures, origin: None, next: 0, skipped: Counter::default(), gpu_behind: Counter::default() }
    }
}

impl Source for Player {
    fn output(&self) -> OutputOptions {
        OutputOptions { formats: I420, ..Default::default() }
    }

    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.skipped = cx.counter("skipped");
        self.gpu_behind = cx.counter("gpu_behind");
        Ok(())
    }

    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        let (rate, now) = (FrameRate::default(), cx.now());
        let origin = *self.origin.get_or_insert(now);
        let time_of = |number| origin + rate.timestamp_of(number).saturating_since(Timestamp::ZERO);
        let number = rate.index_at(Timestamp::ZERO + now.saturating_since(origin)).max(self.next);
        self.skipped.add(number - self.next);
        if !cx.wait_until(time_of(number)) {
            self.next = number;
            return Ok(Next::Skip);
        }
        self.next = number + 1;
        let captured_at = std::time::Instant::now();
        if !cx.admit(time_of(number + 1)) {
            self.gpu_behind.add(1);
            return Ok(Next::Skip);
        }
        let frame = cx.frame(self.format)?.with_time(time_of(number)).with_captured_at(captured_at);
        let mut frame = frame.with_sequence(number);
        cx.encoder()?.upload(&mut frame, &self.pictures[number as usize % self.pictures.len()], self.format.row_bytes())?;
        Ok(Next::Item(frame))
    }
}
