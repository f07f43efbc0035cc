//! Pooled memory between the CPU and the GPU: mapped for writing on the way up, mapped for reading on the way down.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::GpuContext;
use super::device::Device;
use super::pool::Resource;
use super::slot::Lease;
use super::timeline::ReadyToken;
use crate::{Error, ErrorKind, Result, VideoFormat, VideoFrame};

/// How long a read-back may take before the driver is taken to hang.
const READ_BACK_TIMEOUT: Duration = Duration::from_secs(30);

/// Where the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Direction {
    /// To the GPU.
    Upload,
    /// To the CPU.
    ReadBack,
}

/// What makes two of them interchangeable. Frames of a stream have one size, so theirs are found again at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct StagingKey {
    direction: Direction,
    bytes: u64,
}

/// A buffer that the CPU writes or reads. Between uses it is mapped if it is for uploads, and is not if it is for reading back.
pub(super) struct Staging {
    raw: wgpu::Buffer,
    direction: Direction,
    is_mapped: AtomicBool,
    has_failed: AtomicBool,
    /// Whether who reads it has it for himself.
    is_kept: AtomicBool,
    fate: AtomicU64,
}

/// What becomes of a read-back.
#[derive(Clone, Copy)]
pub(super) enum Fate {
    Pending,
    /// The submission that has it.
    Submitted(u64),
    /// Its encoder was dropped.
    Cancelled,
    /// wgpu did not take the commands.
    Refused,
}

impl Fate {
    fn number(self) -> u64 {
        match self {
            Self::Pending => 0,
            Self::Submitted(number) => number,
            Self::Cancelled => u64::MAX,
            Self::Refused => u64::MAX - 1,
        }
    }

    fn of(number: u64) -> Self {
        let others = [Self::Pending, Self::Cancelled, Self::Refused];
        others.into_iter().find(|other| other.number() == number).unwrap_or(Self::Submitted(number))
    }
}

impl Resource for Staging {
    type Key = StagingKey;
    const WHAT: &'static str = "staging memory";

    fn bytes(key: StagingKey) -> u64 {
        key.bytes
    }

    fn describe(key: StagingKey) -> String {
        match key.direction {
            Direction::Upload => "upload memory".into(),
            Direction::ReadBack => "read-back memory".into(),
        }
    }

    fn create(device: &Device, key: StagingKey) -> Result<Self> {
        use wgpu::BufferUsages as Usages;
        let raw = match key.direction {
            Direction::Upload => {
                device.create_buffer("streamlib upload", key.bytes, Usages::MAP_WRITE | Usages::COPY_SRC, true)?
            }
            Direction::ReadBack => {
                device.create_buffer("streamlib read-back", key.bytes, Usages::MAP_READ | Usages::COPY_DST, false)?
            }
        };
        let is_mapped = AtomicBool::new(key.direction == Direction::Upload);
        let (has_failed, is_kept) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { raw, direction: key.direction, is_mapped, has_failed, is_kept, fate: AtomicU64::new(Fate::Pending.number()) })
    }

    fn restore(&self) {
        self.set_fate(Fate::Pending);
        if self.direction == Direction::ReadBack && self.is_mapped.swap(false, Ordering::AcqRel) {
            self.raw.unmap();
        }
    }

    /// What could not be mapped is not, nor are uploads that the GPU has not given back.
    fn is_reusable(&self) -> bool {
        let is_as_new = self.is_mapped.load(Ordering::Acquire) == (self.direction == Direction::Upload);
        is_as_new && !self.has_failed.load(Ordering::Acquire) && !self.is_kept.load(Ordering::Acquire)
    }
}

impl Staging {
    /// Mapped memory to write into.
    pub(super) fn for_upload(gpu: &GpuContext, bytes: u64, taker: &Arc<str>) -> Result<Lease<Self>> {
        gpu.0.staging.take(StagingKey { direction: Direction::Upload, bytes }, taker)
    }

    /// wgpu has mapped it, or has failed to.
    fn note_mapped(&self, mapped: Result<(), wgpu::BufferAsyncError>) {
        self.is_mapped.store(mapped.is_ok(), Ordering::Release);
        self.has_failed.fetch_or(mapped.is_err(), Ordering::AcqRel);
    }

    pub(super) fn set_fate(&self, fate: Fate) {
        self.fate.store(fate.number(), Ordering::Release);
    }

    fn fate(&self) -> Fate {
        Fate::of(self.fate.load(Ordering::Acquire))
    }
}

impl Lease<Staging> {
    pub(super) fn raw(&self) -> &wgpu::Buffer {
        &self.resource().raw
    }

    /// The first bytes, to be written.
    pub(super) fn write(&self, bytes: u64) -> Result<wgpu::BufferViewMut> {
        let view = self.raw().get_mapped_range_mut(..bytes);
        view.map_err(|error| Error::new(ErrorKind::Gpu, "cannot write to upload memory").caused_by(error))
    }

    /// Gives what was written to the GPU with these commands. It is mapped again, and back in its pool, once the GPU has read it.
    pub(super) fn map_after(self, commands: &wgpu::CommandEncoder) {
        let raw = self.raw().clone();
        raw.unmap();
        self.resource().is_mapped.store(false, Ordering::Release);
        commands.map_buffer_on_submit(&raw, wgpu::MapMode::Write, .., move |mapped| {
            self.resource().note_mapped(mapped);
        });
    }
}

/// Rows start at multiples of this in copies between buffers and textures.
pub(super) fn padded_row_bytes(format: VideoFormat) -> u32 {
    (format.row_bytes() as u32).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT)
}

/// Memory that the GPU copies to and the CPU reads.
pub(super) struct Mapped {
    device: Arc<Device>,
    staging: Lease<Staging>,
}

impl Mapped {
    pub(super) fn new(gpu: &GpuContext, bytes: u64, taker: &Arc<str>) -> Result<Self> {
        let staging = gpu.0.staging.take(StagingKey { direction: Direction::ReadBack, bytes }, taker)?;
        Ok(Self { device: gpu.device().clone(), staging })
    }

    pub(super) fn raw(&self) -> &wgpu::Buffer {
        self.staging.raw()
    }

    /// Has the memory mapped once the GPU has done what was recorded so far. The encoder tells what is returned about its fate.
    pub(super) fn map_on_submit(&self, commands: &wgpu::CommandEncoder) -> Lease<Staging> {
        let staging = self.staging.clone();
        commands.map_buffer_on_submit(self.raw(), wgpu::MapMode::Read, .., move |mapped| {
            staging.resource().note_mapped(mapped);
        });
        self.staging.clone()
    }

    pub(super) fn is_ready(&self) -> bool {
        match self.staging.resource().fate() {
            Fate::Pending => false,
            Fate::Cancelled | Fate::Refused => true,
            Fate::Submitted(submission) => {
                let timeline = self.device.submitter.timeline();
                timeline.is_complete(submission) || timeline.check_alive().is_err()
            }
        }
    }

    /// The submission that brings the bytes, once it was made.
    pub(super) fn ready(&self) -> Option<ReadyToken> {
        match self.staging.resource().fate() {
            Fate::Submitted(submission) => Some(ReadyToken::new(self.device.submitter.timeline().clone(), submission)),
            Fate::Pending | Fate::Cancelled | Fate::Refused => None,
        }
    }

    /// Blocks until the bytes are there.
    pub(super) fn wait(self) -> Result<MappedView> {
        let submission = match self.staging.resource().fate() {
            Fate::Submitted(submission) => submission,
            Fate::Pending => {
                return Err(Error::new(ErrorKind::InvalidArgument, "a read-back was waited for before it was submitted")
                    .hint("wait for it in a later call, or in `submitted`"));
            }
            Fate::Refused => {
                return Err(Error::new(ErrorKind::Gpu, "what was read back was never done: the GPU refused the submission"));
            }
            Fate::Cancelled => {
                return Err(Error::new(ErrorKind::Cancelled, "what was read back was never submitted: its encoder was dropped"));
            }
        };
        self.device.submitter.timeline().wait(submission, READ_BACK_TIMEOUT)?;
        let view = self.raw().get_mapped_range(..);
        let view = view
            .map_err(|error| Error::new(ErrorKind::Gpu, "the GPU could not give its memory back to the CPU").caused_by(error))?;
        Ok(MappedView { view, staging: self.staging })
    }
}

/// Mapped bytes. The memory is used again once this is dropped: the view goes first.
pub(super) struct MappedView {
    view: wgpu::BufferView,
    staging: Lease<Staging>,
}

impl Deref for MappedView {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.view
    }
}

/// A copy of a frame on its way to the CPU.
///
/// Made by [`FrameEncoder::read_back`](super::FrameEncoder::read_back); the bytes are there once the encoder was submitted and
/// the GPU is done. Dropping it early is fine.
pub struct ReadBack {
    pub(super) mapped: Mapped,
    format: VideoFormat,
}

impl ReadBack {
    /// Records the copy of `frame`. The encoder tells what is returned beside it about its fate.
    pub(super) fn record(
        gpu: &GpuContext,
        commands: &mut wgpu::CommandEncoder,
        frame: &VideoFrame,
    ) -> Result<(Self, Lease<Staging>)> {
        let format = frame.format();
        let row = padded_row_bytes(format);
        let extent = format.texture_size();
        let size = u64::from(row) * u64::from(extent.height);
        let mapped = Mapped::new(gpu, size, &frame.lease().taker())?;
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
        let destination = wgpu::TexelCopyBufferInfo { buffer: mapped.raw(), layout };
        commands.copy_texture_to_buffer(frame.lease().texture().as_image_copy(), destination, extent);
        let staging = mapped.map_on_submit(commands);
        let bytes = &gpu.device().bytes;
        bytes.read_back.fetch_add(format.bytes() as u64, Ordering::Relaxed);
        bytes.row_padding.fetch_add(size - format.bytes() as u64, Ordering::Relaxed);
        Ok((Self { mapped, format }, staging))
    }

    /// Whether [`wait`](Self::wait) would return at once.
    pub fn is_ready(&self) -> bool {
        self.mapped.is_ready()
    }

    /// When the bytes are there: to be waited for with a limit of one's own. `None` before the encoder was submitted, or if it never will be.
    pub fn ready(&self) -> Option<ReadyToken> {
        self.mapped.ready()
    }

    /// Blocks until the bytes are there. For sinks on their own segment; the encoder must have been submitted.
    ///
    /// Fails with [`ErrorKind::InvalidArgument`] before that, [`ErrorKind::Cancelled`] if it never will be,
    /// [`ErrorKind::DeviceLost`] or [`ErrorKind::Stalled`].
    pub fn wait(self) -> Result<ReadBackView> {
        Ok(ReadBackView { view: self.mapped.wait()?, format: self.format })
    }
}

/// The bytes of a frame on the CPU: rows of [`stride`](Self::stride) bytes, of which the first
/// [`VideoFormat::row_bytes`] are pixels.
///
/// The buffer is used again once this is dropped.
pub struct ReadBackView {
    view: MappedView,
    format: VideoFormat,
}

impl ReadBackView {
    /// What the bytes mean.
    pub fn format(&self) -> VideoFormat {
        self.format
    }

    /// Bytes from one row to the next: a multiple of 256.
    pub fn stride(&self) -> usize {
        padded_row_bytes(self.format()) as usize
    }

    /// The rows without their padding.
    pub fn rows(&self) -> impl Iterator<Item = &[u8]> {
        let length = self.format().row_bytes();
        self.chunks_exact(self.stride()).map(move |row| &row[..length])
    }

    /// Takes its memory out of the pool and its budget: for who keeps it for long. It is freed, and not used again, when this is dropped.
    #[must_use]
    pub fn keep(self) -> Self {
        self.view.staging.resource().is_kept.store(true, Ordering::Release);
        self.view.staging.give_up_reservation();
        self
    }

    /// A copy without padding, `format().bytes()` long.
    pub fn to_vec(&self) -> Vec<u8> {
        self.rows().flatten().copied().collect()
    }
}

impl Deref for ReadBackView {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.view
    }
}
