//! A fragmented MP4 file with one H.264 track, which plays up to its last fragment whatever ends the process.

mod boxes;
mod free_space;
mod part_file;
mod timeline;

use std::path::{Path, PathBuf};
use std::time::Duration;

use mp4_atom::{FragmentInfo, TrunEntry};
use streamlib_core::{Color, Error, ErrorKind, Result, Size};

use self::part_file::PartFile;
use self::timeline::{TIMESCALE, Timeline};
use super::encoder::{EncodedPicture, ParameterSets};

/// Media time after which a fragment is committed: what a kill can cost.
const FRAGMENT_TICKS: u64 = TIMESCALE as u64 / 2;
/// Bounds on what is held in memory, whatever the timestamps say.
const FRAGMENT_BYTES: usize = 4 << 20;
const FRAGMENT_SAMPLES: usize = 1024;
/// How long a picture lasts that has neither a successor nor a predecessor.
const NOMINAL_TICKS: u32 = TIMESCALE / 30;

/// What the file says about its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoTrack {
    /// The picture's size. Where it is smaller than `coded_size`, a `clap` box says so; players that do not know it (ffmpeg before 7.1) show
    /// the coded size.
    pub size: Size,
    /// The size that the stream's sequence parameter set gives: [`Encoder::coded_size`](super::Encoder::coded_size).
    pub coded_size: Size,
    /// How its Y'CbCr is to be read, written as a `colr` box.
    pub color: Color,
}

/// How a recording is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mp4Options {
    /// Whether what is committed is on the disk itself, not in the system's memory: it then survives a power failure, too. Default: no; whatever
    /// ends the process costs nothing then, but a power failure can cost the last half minute, or the file. Costs three waits for the disk with the
    /// first fragment and two with every later one.
    pub sync: bool,
}

/// Writes a recording.
///
/// Pictures stand in the file at their own times: the first at 0, every other at its distance from the first, to the microsecond. A picture lasts
/// until the next one; gaps stay gaps. A picture that is not later than the one before is placed a microsecond after it.
///
/// Until the first fragment is committed (half a second of media, a second keyframe, 4 MiB or 1024 pictures, whichever comes first) the file is
/// called `.NAME.part`; then it gets its name and replaces an older file of that name. From there on it plays at any moment. Killing the process
/// costs at most the fragment that was not yet committed. Dropping a writer commits like [`finish`](Self::finish), but cannot say how it went.
pub struct Mp4Writer {
    track: VideoTrack,
    file: PartFile,
    timeline: Timeline,
    parameter_sets: Option<ParameterSets>,
    pending: Fragment,
    index: Vec<FragmentInfo>,
    sequence: u32,
    frames: u64,
    end: u64,
    failure: Option<Error>,
    is_closed: bool,
}

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The file, or nothing if no picture was committed.
    pub path: Option<PathBuf>,
    /// Pictures in the file.
    pub frames: u64,
    /// From the first picture to the end of the last, which lasts as long as the one before it.
    pub duration: Duration,
    /// The file's size.
    pub bytes: u64,
}

/// Samples that are not in the file yet.
#[derive(Default)]
struct Fragment {
    samples: Vec<TrunEntry>,
    data: Vec<u8>,
    start: u64,
    last: u64,
    is_keyframe: bool,
    last_duration: Option<u32>,
}

impl Fragment {
    /// Ends the last sample where the next one begins. Gives the time from the fragment's start to there.
    fn end_last(&mut self, next: u64) -> u64 {
        // A longer gap than this is still right: the next fragment says when it begins.
        let duration = u32::try_from(next - self.last).unwrap_or(u32::MAX);
        self.last_duration = Some(duration);
        if let Some(sample) = self.samples.last_mut() {
            sample.duration = Some(duration);
        }
        next - self.start
    }

    fn add(&mut self, tick: u64, picture: &EncodedPicture<'_>) {
        if self.samples.is_empty() {
            self.start = tick;
            self.is_keyframe = picture.is_keyframe;
        }
        self.last = tick;
        self.data.extend_from_slice(picture.nal_units);
        self.samples.push(TrunEntry {
            duration: None,
            size: Some(picture.nal_units.len() as u32),
            // Keyframes are always first in their fragment.
            flags: picture.is_keyframe.then_some(boxes::KEYFRAME),
            cts: None,
        });
    }
}

impl Mp4Writer {
    /// Whether a recording to `path` could begin now; fails as [`create`](Self::create) does. Leaves nothing behind.
    pub fn check_path(path: impl AsRef<Path>) -> Result<()> {
        PartFile::create(path.as_ref(), false)?.close()
    }

    /// Begins a recording to `path`.
    ///
    /// Fails with [`ErrorKind::Io`] if the directory is missing or not writable or `path` is no ordinary file, and with [`ErrorKind::Busy`]
    /// while another writer, of this process or another, records to the same path.
    pub fn create(path: impl AsRef<Path>, track: VideoTrack) -> Result<Self> {
        Self::create_with(path, track, Mp4Options::default())
    }

    /// The same, and says how to write. Fails as [`create`](Self::create) does.
    pub fn create_with(path: impl AsRef<Path>, track: VideoTrack, options: Mp4Options) -> Result<Self> {
        Ok(Self {
            track,
            file: PartFile::create(path.as_ref(), options.sync)?,
            timeline: Timeline::default(),
            parameter_sets: None,
            pending: Fragment::default(),
            index: Vec::new(),
            sequence: 0,
            frames: 0,
            end: 0,
            failure: None,
            is_closed: false,
        })
    }

    /// The file, once it has its name.
    pub fn published(&self) -> Option<&Path> {
        self.file.published()
    }

    /// Adds a picture; writes to the file once or twice a second.
    ///
    /// Fails with [`ErrorKind::Io`] when the disk does, for this picture and all later ones: what was committed before stays and plays. Fails with
    /// [`ErrorKind::Encode`] if the first picture is no keyframe or if the parameter sets change; the picture is then left out.
    pub fn push(&mut self, picture: &EncodedPicture<'_>) -> Result<()> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.check(picture)?;
        self.add(picture).inspect_err(|error| self.failure = Some(error.clone()))
    }

    /// Commits what is pending now, rather than with the next picture: for a source that has stalled. The last picture is taken to last as long
    /// as the one before it; later pictures still stand at their own times.
    pub fn flush(&mut self) -> Result<()> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.end_and_commit().inspect_err(|error| self.failure = Some(error.clone()))
    }

    /// Commits the rest, adds an index for seeking and says what was recorded. Without any picture there is no file.
    ///
    /// After an error from [`push`](Self::push) it says what was recorded before that.
    pub fn finish(mut self) -> Result<Recording> {
        self.close()?;
        Ok(Recording {
            path: self.file.published().map(Path::to_owned),
            frames: self.frames,
            duration: Duration::from_micros(self.end),
            bytes: self.file.bytes(),
        })
    }

    fn check(&self, picture: &EncodedPicture<'_>) -> Result<()> {
        let wrong = match &self.parameter_sets {
            None if !picture.is_keyframe => "a recording cannot begin with a picture that is no keyframe",
            Some(sets) if sets != picture.parameter_sets => "the encoder has changed its parameter sets during a recording",
            _ => return Ok(()),
        };
        Err(Error::new(ErrorKind::Encode, wrong).hint("begin a new recording with a new encoder"))
    }

    fn add(&mut self, picture: &EncodedPicture<'_>) -> Result<()> {
        if self.parameter_sets.is_none() {
            self.file.begin(&boxes::header(&self.track, picture.parameter_sets)?)?;
            self.parameter_sets = Some(picture.parameter_sets.clone());
        }
        let tick = self.timeline.place(picture.timestamp);
        if !self.pending.samples.is_empty() {
            let length = self.pending.end_last(tick);
            let next = u64::from(self.pending.last_duration.unwrap_or(0));
            if length + next > FRAGMENT_TICKS
                || picture.is_keyframe
                || self.pending.samples.len() >= FRAGMENT_SAMPLES
                || self.pending.data.len() + picture.nal_units.len() > FRAGMENT_BYTES
            {
                self.commit()?;
            }
        }
        self.pending.add(tick, picture);
        Ok(())
    }

    fn end_and_commit(&mut self) -> Result<()> {
        if self.pending.samples.is_empty() {
            return Ok(());
        }
        let next = self.pending.last + u64::from(self.pending.last_duration.unwrap_or(NOMINAL_TICKS));
        self.pending.end_last(next);
        self.commit()
    }

    /// Writes the pending samples, of which the last has been ended.
    fn commit(&mut self) -> Result<()> {
        let Fragment { samples, data, start, last, is_keyframe, last_duration } = &mut self.pending;
        let frames = samples.len() as u64;
        let end = *last + u64::from(last_duration.unwrap_or(0));
        self.sequence = self.sequence.wrapping_add(1);
        let mut head = boxes::fragment(self.sequence, *start, std::mem::take(samples), data)?;
        let offset = self.file.commit(&mut head, data)?;
        if *is_keyframe {
            self.index.push(FragmentInfo { time: *start, moof_offset: offset, traf_number: 1, trun_number: 1, sample_delta: 1 });
        }
        data.clear();
        self.frames += frames;
        self.end = end;
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.is_closed, true) {
            return Ok(());
        }
        let written = match self.failure {
            Some(_) => Ok(()),
            None => self.end_and_commit().and_then(|()| self.write_index()),
        };
        written.and(self.file.close())
    }

    fn write_index(&mut self) -> Result<()> {
        if self.index.is_empty() {
            return Ok(());
        }
        self.file.commit(&mut boxes::index(std::mem::take(&mut self.index))?, &[]).map(drop)
    }
}

impl Drop for Mp4Writer {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the end of a recording was lost");
        }
    }
}
