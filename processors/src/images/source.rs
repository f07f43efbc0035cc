//! `images`: pictures from files, as a source.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use streamlib_core::{
    Context, Counter, Described, Error, ErrorKind, FrameRate, Next, Result, Source, Timestamp, Tunable, VideoFrame,
    check_parameters,
};

use super::decode::{Picture, decode};
use super::list::list;

/// Files above this are not read: no picture that can be decoded is as large.
const MOST_FILE_BYTES: u64 = 1 << 30;

/// Reads pictures from PNG and JPEG files, `img2` before `img10`, and gives each as a frame of its own size.
///
/// Live, each picture has its time by the rate and the clock; one that cannot be ready in time is left out. Offline all are given,
/// as fast as they are taken. Pictures may differ in size; whoever wants one size refuses the change by name. Which files there
/// are is asked once, at the start; what is in them, when their turn comes. A single picture that is repeated is read once.
///
/// Colour is taken for sRGB. Pictures with alpha are given premultiplied.
///
/// Decodes on the thread of its own that every source has. Counters: `broken` (files that could not be read), `skipped` (the
/// clock was ahead), `gpu_behind` (the GPU had too much to do).
pub struct Images {
    parameters: ImagesParameters,
    files: Vec<PathBuf>,
    /// The number of the next picture, over all repetitions.
    next: u64,
    /// The number that the first picture of the list has, or had in an earlier round.
    first: u64,
    /// The number of the picture whose time is `origin`.
    base: u64,
    origin: Option<Timestamp>,
    /// The picture of a list of one.
    still: Option<VideoFrame>,
    /// A picture that waits for its time, and its number.
    decoded: Option<(u64, Picture)>,
    file: Vec<u8>,
    good: u64,
    broken_in_a_row: usize,
    first_failure: Option<Error>,
    counters: Counters,
}

/// What can be set of [`Images`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ImagesParameters {
    /// Which files: a pattern with `*`, `?`, `[a-z]` and `**`, one file, or a folder for all .png, .jpg and .jpeg in it.
    #[schemars(extend("x-fixed" = true))]
    pub path: String,
    /// Pictures a second, as 30 or "30000/1001". Offline it only decides which time each has.
    pub rate: FrameRate,
    /// Whether it begins again after the last picture, for ever.
    pub repeat: bool,
    /// What a file comes to that cannot be read: `skip` leaves it out and counts it, and is an error only if all are broken;
    /// `stop` ends with an error.
    pub broken: Broken,
}

/// All PNG files in the current directory, 30 a second, once; broken ones are left out.
impl Default for ImagesParameters {
    fn default() -> Self {
        Self { path: "*.png".into(), rate: FrameRate::default(), repeat: false, broken: Broken::Skip }
    }
}

/// What a file comes to that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Broken {
    /// It is left out and counted; its time passes without a frame.
    #[default]
    Skip,
    /// An error that names it.
    Stop,
}

#[derive(Default)]
struct Counters {
    broken: Counter,
    skipped: Counter,
    gpu_behind: Counter,
}

impl Images {
    /// Pictures by these parameters. Whether there are any is known when the graph starts.
    pub fn new(parameters: ImagesParameters) -> Result<Self> {
        check_parameters::<Self>(&parameters)?;
        Ok(Self::unchecked(parameters))
    }

    /// The pictures that a pattern, file or folder names, otherwise as by default.
    pub fn from(path: impl Into<String>) -> Self {
        Self::unchecked(ImagesParameters { path: path.into(), ..Default::default() })
    }

    fn unchecked(parameters: ImagesParameters) -> Self {
        Self {
            parameters,
            files: Vec::new(),
            next: 0,
            first: 0,
            base: 0,
            origin: None,
            still: None,
            decoded: None,
            file: Vec::new(),
            good: 0,
            broken_in_a_row: 0,
            first_failure: None,
            counters: Counters::default(),
        }
    }

    /// Live, leaves out pictures whose successor is due already.
    fn catch_up(&mut self, cx: &Context<'_>) {
        let Some(origin) = self.origin.filter(|_| !cx.is_offline()) else { return };
        let since = Timestamp::ZERO + cx.now().saturating_since(origin);
        let mut due = self.base + self.parameters.rate.index_at(since);
        if !self.parameters.repeat {
            // There is nothing to leave out behind the last.
            due = due.min(self.first + self.files.len() as u64);
        }
        let due = due.max(self.next);
        self.counters.skipped.add(due - self.next);
        self.next = due;
    }

    /// Where picture `number` is; `None` after the last.
    fn position(&self, number: u64) -> Option<usize> {
        let count = self.files.len() as u64;
        let place = number - self.first;
        let position = if self.parameters.repeat { place.checked_rem(count)? } else { place };
        (position < count).then_some(position as usize)
    }

    /// The capture time of a picture: live, the first one's is the moment at which it was ready.
    fn time_of(&self, number: u64) -> Timestamp {
        let since = self.parameters.rate.timestamp_of(number.saturating_sub(self.base)).saturating_since(Timestamp::ZERO);
        self.origin.unwrap_or_default() + since
    }

    fn read(&mut self, position: usize) -> Result<Picture> {
        let path = &self.files[position];
        let outcome = read_file(path, &mut self.file).and_then(|()| decode(&self.file));
        outcome.map_err(|error| {
            let message = format!("cannot read the picture '{}': {error}", path.display());
            Error::new(error.kind(), message).caused_by(error)
        })
    }

    /// A file could not be read.
    fn note_broken(&mut self, error: Error) -> Result<()> {
        self.counters.broken.add(1);
        if self.parameters.broken == Broken::Stop {
            return Err(error);
        }
        tracing::warn!(%error, "a picture is left out");
        self.first_failure.get_or_insert(error);
        self.broken_in_a_row += 1;
        // Otherwise a repetition would never give anything and never end.
        if self.broken_in_a_row >= self.files.len() { self.check_any_was_good() } else { Ok(()) }
    }

    fn check_any_was_good(&self) -> Result<()> {
        let is_hopeless = self.good == 0 || self.broken_in_a_row >= self.files.len();
        match &self.first_failure {
            Some(first) if is_hopeless => {
                let message = format!("no picture of '{}' can be read; the first failure: {first}", self.parameters.path);
                Err(Error::new(first.kind(), message).caused_by(first.clone()))
            }
            _ => Ok(()),
        }
    }

    fn give(&mut self, frame: VideoFrame, number: u64) -> Next<VideoFrame> {
        self.next = number + 1;
        Next::Item(frame.with_time(self.time_of(number)).with_sequence(number).with_captured_at(Instant::now()))
    }
}

impl Described for Images {
    type Parameters = ImagesParameters;
    const NAME: &'static str = "images";
    const SUMMARY: &'static str = "Reads PNG and JPEG files as a stream, by a pattern of names.";

    fn from_parameters(parameters: ImagesParameters) -> Result<Self> {
        Ok(Self::unchecked(parameters))
    }

    fn parameters(&self) -> &ImagesParameters {
        &self.parameters
    }

    fn set_parameters(&mut self, parameters: ImagesParameters, _: &mut Context<'_>) -> Result<()> {
        if parameters.rate != self.parameters.rate && (self.next > 0 || self.origin.is_some()) {
            // The next picture keeps its time; those after it follow at the new rate.
            self.origin = Some(self.time_of(self.next));
            self.base = self.next;
        }
        if parameters.repeat != self.parameters.repeat && !self.files.is_empty() {
            // Whoever ends the repetition sees this round to its end.
            self.first = self.next - (self.next - self.first) % self.files.len() as u64;
        }
        self.parameters = parameters;
        Ok(())
    }
}

impl Source for Images {
    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        Some(self)
    }

    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let counters =
            Counters { broken: cx.counter("broken"), skipped: cx.counter("skipped"), gpu_behind: cx.counter("gpu_behind") };
        self.counters = counters;
        self.still = None;
        self.decoded = None;
        // After a failure it goes on where it was: who aligns or records its pictures cannot go back in time.
        if self.files.is_empty() {
            self.files = list(&self.parameters.path)?;
        }
        Ok(())
    }

    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        self.catch_up(cx);
        let number = self.next;
        let Some(position) = self.position(number) else {
            self.check_any_was_good()?;
            return Ok(Next::End);
        };
        // Decoded before its time is waited for, so that it is there when its time comes.
        if self.still.is_none() && self.decoded.as_ref().is_none_or(|(decoded, _)| *decoded != number) {
            match self.read(position) {
                Ok(picture) => self.decoded = Some((number, picture)),
                Err(error) => {
                    self.next += 1;
                    self.note_broken(error)?;
                    return Ok(Next::Skip);
                }
            }
            self.good += 1;
            self.broken_in_a_row = 0;
        }
        if !cx.is_offline() {
            self.origin.get_or_insert_with(|| cx.now());
            if !cx.wait_until(self.time_of(number)) {
                return Ok(Next::Skip);
            }
        }
        if !cx.admit(self.time_of(number + 1)) {
            self.counters.gpu_behind.add(1);
            self.next += 1;
            return Ok(Next::Skip);
        }
        if let Some(frame) = self.still.clone() {
            return Ok(self.give(frame, number));
        }
        let Some((_, picture)) = self.decoded.take() else { return Ok(Next::Skip) };
        let mut frame = cx.frame(picture.format)?;
        cx.encoder()?.upload(&mut frame, &picture.pixels, picture.format.row_bytes())?;
        if self.files.len() == 1 && self.parameters.repeat {
            self.still = Some(frame.clone());
        }
        Ok(self.give(frame, number))
    }
}

/// Reads a whole file into `bytes`, in place of what is there.
fn read_file(path: &Path, bytes: &mut Vec<u8>) -> Result<()> {
    let failed = |error: std::io::Error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => "it was there when the graph started: leave the files alone while it runs",
            std::io::ErrorKind::PermissionDenied => "see to its rights",
            _ => "see to that disk",
        };
        Error::new(ErrorKind::Io, error.to_string()).hint(hint).caused_by(error)
    };
    bytes.clear();
    let file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    if length > MOST_FILE_BYTES {
        let message = format!("it has {length} bytes");
        return Err(Error::new(ErrorKind::Unsupported, message).hint(format!("up to {MOST_FILE_BYTES} are read")));
    }
    // Bounded once more: a file may grow.
    file.take(MOST_FILE_BYTES).read_to_end(bytes).map_err(failed).map(drop)
}
