//! `save-images`: numbered picture files, as a sink.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use streamlib_core::{
    Context, Counter, Delivery, Described, Error, ErrorKind, FailurePolicy, InputOptions, ReadBack, Result, Sink, Threading,
    Tunable, VideoFrame, check_parameters,
};
use tempfile::NamedTempFile;

use super::encode::{Encoder, ImageFormat};
use super::names::Names;

/// After so long without a frame the last one is written, rather than together with the next.
const STALL: Duration = Duration::from_millis(100);

/// Writes every frame to a PNG or JPEG file of its own, numbered in the order in which they come.
///
/// Nothing stands under its name before it is whole: each file is written hidden, in the same folder, and then renamed. Older
/// files of the same names are replaced. Frames may differ in size.
///
/// After a restart the numbers go on: nothing that it wrote is overwritten.
///
/// Has a thread of its own, on which it encodes. Latency ends when a file has its name. Counters: `frames`, `bytes` (of files).
pub struct SaveImages {
    parameters: SaveImagesParameters,
    names: Names,
    /// The number of the next file.
    next: u64,
    /// Frames on their way from the GPU, oldest first.
    pending: VecDeque<Pending>,
    encoder: Encoder,
    frames: Counter,
    bytes: Counter,
}

/// What can be set of [`SaveImages`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SaveImagesParameters {
    /// Which files: a name with a place for the number, as frames/frame-%05d.png (a % is written %%), or a folder, which must be
    /// there and gets 00000.png, 00001.png and so on.
    #[schemars(extend("x-fixed" = true))]
    pub path: PathBuf,
    /// The kind of file. Null: as the name's end says, in a folder PNG.
    #[schemars(extend("x-fixed" = true))]
    pub format: Option<ImageFormat>,
    /// JPEG's quality, from 1 (smallest) to 100 (best). PNG loses nothing and does not ask.
    #[schemars(range(min = 1, max = 100))]
    pub quality: u8,
    /// The first file's number.
    #[schemars(extend("x-fixed" = true))]
    pub first: u64,
}

/// `frame-00000.png` and so on in the current directory; JPEG, if asked for, of quality 90.
impl Default for SaveImagesParameters {
    fn default() -> Self {
        Self { path: "frame-%05d.png".into(), format: None, quality: 90, first: 0 }
    }
}

struct Pending {
    pixels: ReadBack,
    captured_at: Instant,
}

impl SaveImages {
    /// A sink of these parameters.
    pub fn new(parameters: SaveImagesParameters) -> Result<Self> {
        check_parameters::<Self>(&parameters)?;
        Self::from_parameters(parameters).map_err(|error| error.in_node(Self::NAME))
    }

    /// Files of these names, otherwise as by default.
    pub fn to(path: impl Into<PathBuf>) -> Result<Self> {
        Self::new(SaveImagesParameters { path: path.into(), ..Default::default() })
    }

    /// Encodes and writes the oldest pending frame, waiting for the GPU if need be.
    fn write_oldest(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let Some(Pending { pixels, captured_at }) = self.pending.pop_front() else { return Ok(()) };
        let path = self.names.path(self.next);
        let file = self.encoder.encode(&pixels.wait()?, self.names.format, self.parameters.quality)?;
        write(&path, &self.names, file).map_err(|error| cannot_write(&path, self.names.folder(), error))?;
        self.next += 1;
        self.frames.add(1);
        self.bytes.add(file.len() as u64);
        cx.delivered(captured_at);
        Ok(())
    }

    fn write_all(&mut self, cx: &mut Context<'_>) -> Result<()> {
        while !self.pending.is_empty() {
            self.write_oldest(cx)?;
        }
        Ok(())
    }
}

impl Described for SaveImages {
    type Parameters = SaveImagesParameters;
    const NAME: &'static str = "save-images";
    const SUMMARY: &'static str = "Writes frames to numbered PNG or JPEG files.";

    fn from_parameters(parameters: SaveImagesParameters) -> Result<Self> {
        let names = Names::parse(&parameters.path, parameters.format)?;
        Ok(Self {
            next: parameters.first,
            parameters,
            names,
            pending: VecDeque::new(),
            encoder: Encoder::default(),
            frames: Counter::default(),
            bytes: Counter::default(),
        })
    }

    fn check(parameters: &SaveImagesParameters) -> Result<()> {
        Names::parse(&parameters.path, parameters.format).map(drop)
    }

    fn parameters(&self) -> &SaveImagesParameters {
        &self.parameters
    }

    fn set_parameters(&mut self, parameters: SaveImagesParameters, _: &mut Context<'_>) -> Result<()> {
        self.parameters = parameters;
        Ok(())
    }
}

impl Sink for SaveImages {
    fn input(&self) -> InputOptions {
        // Live, a burst that the encoder cannot keep up with costs pictures, never the source.
        InputOptions { delivery: Delivery::DropOldest(4), ..Default::default() }
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

    fn tick(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.write_all(cx)
    }

    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        Some(self)
    }

    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.pending.clear();
        self.frames = cx.counter("frames");
        self.bytes = cx.counter("bytes");
        // Whether files can be written is better known before the first frame is made.
        let folder = self.names.folder();
        hidden_file(&self.names).map_err(|error| cannot_write(&self.names.path(self.next), folder, error)).map(drop)
    }

    fn consume(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<()> {
        let pixels = cx.read_back(&frame)?;
        self.pending.push_back(Pending { pixels, captured_at: frame.captured_at() });
        Ok(())
    }

    fn submitted(&mut self, cx: &mut Context<'_>) -> Result<()> {
        // While the GPU works on the newest frame, the one before is encoded. Who has time finishes the newest as well.
        let keep = usize::from(cx.is_offline() || cx.has_backlog());
        while self.pending.len() > keep {
            self.write_oldest(cx)?;
        }
        Ok(())
    }

    fn finish(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.write_all(cx)
    }
}

/// A file that goes away by itself unless it is given a name.
fn hidden_file(names: &Names) -> io::Result<NamedTempFile> {
    let prefix = names.hidden();
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".part");
    #[cfg(unix)]
    // As any other file, rather than for this user alone; the umask is taken off.
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(names.folder())
}

/// Writes a whole file, or none.
fn write(path: &Path, names: &Names, bytes: &[u8]) -> io::Result<()> {
    let mut file = hidden_file(names)?;
    file.as_file_mut().write_all(bytes)?;
    file.persist(path).map_err(|error| error.error).map(drop)
}

fn cannot_write(path: &Path, folder: &Path, error: io::Error) -> Error {
    use io::ErrorKind as Io;
    // tempfile adds the name of the hidden file, which is nobody's business.
    let reason = if error.raw_os_error().is_some() { error.to_string() } else { error.kind().to_string() };
    let shown = folder.display();
    let hint = match error.kind() {
        Io::NotFound => format!("the directory '{shown}' does not exist: create it first"),
        Io::NotADirectory => format!("'{shown}' is no directory"),
        Io::PermissionDenied | Io::ReadOnlyFilesystem => format!("the directory '{shown}' is not writable: save elsewhere"),
        Io::StorageFull | Io::QuotaExceeded | Io::FileTooLarge => {
            "make room on that disk and go on; the pictures before it are whole".to_owned()
        }
        Io::IsADirectory => "there is a directory of that name: move it away".to_owned(),
        _ => "save elsewhere".to_owned(),
    };
    Error::new(ErrorKind::Io, format!("cannot save the picture '{}': {reason}", path.display())).hint(hint).caused_by(error)
}
