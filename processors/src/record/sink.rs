//! `record`: the sink.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use streamlib_core::{
    Context, Counter, Delivery, Described, Error, ErrorKind, FailurePolicy, InputOptions, PixelFormat, ReadBack, Result, Sink,
    Size, Threading, Timestamp, Tunable, VideoFormat, VideoFrame, check_parameters,
};

use super::parts::next_part;
use super::{Encoder, EncoderOptions, I420Picture, Mp4Options, Mp4Writer, OpenH264Encoder, RateControl, VideoTrack};

/// After so long without a frame the file gets what is pending.
const STALL: Duration = Duration::from_millis(500);

/// Records frames as H.264 in a fragmented MP4 file.
///
/// Frames keep their own times: a variable rate stays variable, gaps stay gaps. The file grows by a fragment at least every half
/// second and plays up to there however the process ends; nothing stands under its name before it plays. Pictures of odd size
/// are padded to even by repeating the edge, and the file says the true size. What is transparent stands on black.
///
/// When it fails (a full disk, a change of size) the file is closed at once, and plays up to there; frames that come later are let
/// go. After a restart it goes on in `NAME-2.mp4`, or the first number above that is free: what was written is never overwritten.
///
/// Frames come as `i420`: the GPU converts, and 1.5 bytes a pixel are read back. Has a thread of its own, on which it encodes.
/// Latency ends when a frame was handed to the file's writer. Counters: `frames`, `keyframes`, `bytes` (of H.264).
pub struct Record {
    parameters: RecordParameters,
    options: EncoderOptions,
    /// Frames on their way from the GPU, oldest first.
    pending: VecDeque<Pending>,
    recording: Option<Recording>,
    /// The file of this attempt.
    path: PathBuf,
    /// Whether that file has its name by now.
    is_published: bool,
    has_failed: bool,
    counters: Counters,
}

/// What can be set of a [`Record`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecordParameters {
    /// The file to write. One that is there already is replaced when the new one plays.
    #[schemars(extend("x-fixed" = true))]
    pub path: PathBuf,
    /// Constant quality: the quantizer, from 12 (hardly to be told from the source) to 51 (coarse). Null, and no bitrate: 26.
    #[schemars(range(min = 12, max = 51), extend("x-fixed" = true))]
    pub quality: Option<u8>,
    /// Bits a second on average, instead of constant quality.
    #[schemars(range(min = 10_000, max = 240_000_000), extend("x-fixed" = true))]
    pub bitrate: Option<u32>,
    /// The longest time between two keyframes in seconds. Longer saves bits and makes seeking slower.
    #[schemars(range(min = 0.0, max = 60.0), extend("x-fixed" = true))]
    pub keyframe_interval: f64,
    /// Whether the file survives a power failure, up to the last fragment: each is waited for until the disk has it. Costs time, and
    /// wears flash memory. Without it the file survives whatever ends the process.
    #[schemars(extend("x-fixed" = true))]
    pub sync: bool,
}

/// `recording.mp4` in the current directory, constant quality, a keyframe every two seconds.
impl Default for RecordParameters {
    fn default() -> Self {
        Self { path: "recording.mp4".into(), quality: None, bitrate: None, keyframe_interval: 2.0, sync: false }
    }
}

#[derive(Default)]
struct Counters {
    frames: Counter,
    keyframes: Counter,
    bytes: Counter,
}

struct Pending {
    pixels: ReadBack,
    time: Timestamp,
    captured_at: Instant,
}

/// A file in the making.
struct Recording {
    format: VideoFormat,
    /// The picture's size rounded up to even.
    even: Size,
    encoder: Box<dyn Encoder>,
    writer: Mp4Writer,
}

impl Record {
    /// A recording of these parameters. The file is begun when the graph starts.
    pub fn new(parameters: RecordParameters) -> Result<Self> {
        check_parameters::<Self>(&parameters)?;
        let rate = match (parameters.quality, parameters.bitrate) {
            (Some(_), Some(_)) => {
                return Err(Error::new(ErrorKind::InvalidArgument, "quality and bitrate cannot both be held constant")
                    .hint("set one of them")
                    .in_node(Self::NAME));
            }
            (Some(quality), None) => RateControl::Quality(quality),
            (None, Some(bitrate)) => RateControl::Bitrate(bitrate),
            (None, None) => RateControl::default(),
        };
        Ok(Self::with_rate(parameters, rate))
    }

    /// A recording to this file, otherwise as by default. Whether it can be written is known when the graph starts.
    pub fn to(path: impl Into<PathBuf>) -> Self {
        Self::with_rate(RecordParameters { path: path.into(), ..Default::default() }, RateControl::default())
    }

    fn with_rate(parameters: RecordParameters, rate: RateControl) -> Self {
        let keyframe_interval = Duration::try_from_secs_f64(parameters.keyframe_interval).unwrap_or_default();
        let options = EncoderOptions { rate, keyframe_interval };
        let path = parameters.path.clone();
        Self {
            parameters,
            options,
            pending: VecDeque::new(),
            recording: None,
            path,
            is_published: false,
            has_failed: false,
            counters: Counters::default(),
        }
    }

    /// The recording that fits `format`: begun with the first frame, the same for all.
    fn recording(&mut self, format: VideoFormat) -> Result<&mut Recording> {
        let recording = match self.recording.take() {
            Some(recording) if recording.fits(format) => recording,
            Some(recording) => {
                let message = format!("the picture changed from {} to {format} during a recording", recording.format);
                self.recording = Some(recording);
                return Err(Error::new(ErrorKind::InvalidArgument, message)
                    .hint("a file has one size and colour description; end this recording and begin another"));
            }
            None => self.begin(format)?,
        };
        Ok(self.recording.insert(recording))
    }

    fn begin(&self, format: VideoFormat) -> Result<Recording> {
        let encoder = OpenH264Encoder::new(format.size, format.color, &self.options)?;
        let track = VideoTrack { size: format.size, coded_size: encoder.coded_size(), color: format.color };
        let writer = Mp4Writer::create_with(&self.path, track, Mp4Options { sync: self.parameters.sync })?;
        let (width, height) = format.size.even();
        Ok(Recording { format, even: Size::new(width, height)?, encoder: Box::new(encoder), writer })
    }

    /// Closes the file, which plays from here on.
    fn close(&mut self) -> Result<()> {
        let Some(recording) = self.recording.take() else { return Ok(()) };
        self.is_published |= recording.writer.published().is_some();
        let done = recording.writer.finish()?;
        self.is_published |= done.path.is_some();
        tracing::info!(path = ?done.path, frames = done.frames, duration = ?done.duration, bytes = done.bytes, "recorded");
        Ok(())
    }

    /// Ends the recording because of `error`, which it gives back.
    fn fail(&mut self, error: Error) -> Error {
        self.has_failed = true;
        self.pending.clear();
        if let Err(second) = self.close() {
            tracing::warn!(error = %second, "the end of a recording was lost");
        }
        error
    }

    fn write_pending(&mut self, keep: usize, cx: &mut Context<'_>) -> Result<()> {
        while self.pending.len() > keep {
            self.write_oldest(cx).map_err(|error| self.fail(error))?;
        }
        Ok(())
    }

    /// Encodes and writes the oldest pending frame, waiting for the GPU if need be.
    fn write_oldest(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let Some(Pending { pixels, time, captured_at }) = self.pending.pop_front() else { return Ok(()) };
        let pixels = pixels.wait()?;
        let recording = self.recording(pixels.format())?;
        let picture = I420Picture::stacked(recording.even, &pixels, pixels.stride())?;
        let encoded = recording.encoder.encode(&picture, time)?;
        recording.writer.push(&encoded)?;
        let (is_keyframe, bytes) = (encoded.is_keyframe, encoded.nal_units.len() as u64);
        self.counters.frames.add(1);
        self.counters.keyframes.add(u64::from(is_keyframe));
        self.counters.bytes.add(bytes);
        cx.delivered(captured_at);
        Ok(())
    }
}

impl Recording {
    /// H.264 has no alpha, so that may change.
    fn fits(&self, format: VideoFormat) -> bool {
        self.format == VideoFormat { alpha: self.format.alpha, ..format }
    }
}

impl Described for Record {
    type Parameters = RecordParameters;
    const NAME: &'static str = "record";
    const SUMMARY: &'static str = "Records frames as H.264 in a fragmented MP4 file.";

    fn from_parameters(parameters: RecordParameters) -> Result<Self> {
        Self::new(parameters)
    }

    fn parameters(&self) -> &RecordParameters {
        &self.parameters
    }

    fn set_parameters(&mut self, parameters: RecordParameters, _: &mut Context<'_>) -> Result<()> {
        self.parameters = parameters;
        Ok(())
    }
}

impl Sink for Record {
    fn input(&self) -> InputOptions {
        // Live, a burst that the encoder cannot keep up with costs frames of the recording, never the source.
        InputOptions { formats: Some(&[PixelFormat::I420]), delivery: Delivery::DropOldest(8), ..Default::default() }
    }

    /// A full disk is no reason to stop what others do.
    fn failure_policy(&self) -> FailurePolicy {
        FailurePolicy::Bypass
    }

    fn threading(&self) -> Threading {
        Threading::Own
    }

    fn tick_interval(&self) -> Option<Duration> {
        Some(STALL)
    }

    /// No frame comes: what is there is not to wait for the next one.
    fn tick(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.write_pending(0, cx)?;
        match &mut self.recording {
            Some(recording) => recording.writer.flush().map_err(|error| self.fail(error)),
            None => Ok(()),
        }
    }

    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        Some(self)
    }

    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.counters = Counters { frames: cx.counter("frames"), keyframes: cx.counter("keyframes"), bytes: cx.counter("bytes") };
        // What an earlier attempt left.
        self.pending.clear();
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the end of a recording was lost");
        }
        self.has_failed = false;
        if std::mem::take(&mut self.is_published) {
            self.path = next_part(&self.parameters.path);
        }
        // Whether the file can be written is better known before the first frame is made.
        Mp4Writer::check_path(&self.path)
    }

    fn consume(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<()> {
        if self.has_failed {
            return Ok(());
        }
        let pixels = cx.read_back(&frame)?;
        self.pending.push_back(Pending { pixels, time: frame.time(), captured_at: frame.captured_at() });
        Ok(())
    }

    fn submitted(&mut self, cx: &mut Context<'_>) -> Result<()> {
        // While the GPU works on the newest frame, the one before is encoded. Who has time finishes the newest as well.
        let keep = usize::from(cx.is_offline() || cx.has_backlog());
        self.write_pending(keep, cx)
    }

    fn finish(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.write_pending(0, cx)?;
        if self.recording.is_none() && !self.has_failed {
            tracing::warn!(path = %self.path.display(), "no frame came: nothing was recorded");
        }
        self.close()
    }
}
