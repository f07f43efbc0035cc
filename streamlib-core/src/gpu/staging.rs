//! Reused buffers between the CPU and the GPU: mapped for writing on the way up, mapped for reading on the way down.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::device::Device;
use crate::{Error, ErrorKind, Result, VideoFormat};

/// How long a read-back may take before the driver is taken to hang.
const READ_BACK_TIMEOUT: Duration = Duration::from_secs(30);

/// Free buffers by size. Frames of a stream have one size, so buffers are found again at once.
#[derive(Default)]
pub(super) struct BufferRing {
    free: Mutex<HashMap<u64, Vec<Arc<StagingBuffer>>>>,
}

/// What has not been submitted yet, what never will be, and what wgpu did not take.
const NOT_SUBMITTED: u64 = 0;
const CANCELLED: u64 = u64::MAX;
const REFUSED: u64 = u64::MAX - 1;

/// A buffer of a ring. Between uses an upload buffer is mapped and a read-back buffer is not.
pub(super) struct StagingBuffer {
    pub(super) raw: wgpu::Buffer,
    /// The submission that uses it.
    submission: AtomicU64,
    map_failed: AtomicBool,
}

impl BufferRing {
    fn take(&self, size: u64, create: impl FnOnce() -> Result<wgpu::Buffer>) -> Result<Arc<StagingBuffer>> {
        let found = self.free.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&size).and_then(Vec::pop);
        match found {
            Some(buffer) => {
                buffer.submission.store(NOT_SUBMITTED, Ordering::Relaxed);
                Ok(buffer)
            }
            None => Ok(Arc::new(StagingBuffer {
                raw: create()?,
                submission: AtomicU64::new(NOT_SUBMITTED),
                map_failed: AtomicBool::new(false),
            })),
        }
    }

    fn give_back(&self, buffer: Arc<StagingBuffer>) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).entry(buffer.raw.size()).or_default().push(buffer);
    }
}

impl StagingBuffer {
    pub(super) fn set_submission(&self, submission: u64) {
        self.submission.store(submission, Ordering::Release);
    }

    /// Nobody will submit what uses it.
    pub(super) fn cancel(&self) {
        self.submission.store(CANCELLED, Ordering::Release);
    }

    /// wgpu has refused what uses it.
    pub(super) fn refuse(&self) {
        self.submission.store(REFUSED, Ordering::Release);
    }
}

/// A mapped buffer to write into.
pub(super) fn upload_buffer(device: &Device, ring: &BufferRing, size: u64) -> Result<Arc<StagingBuffer>> {
    let usage = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
    ring.take(size, || device.create_buffer("streamlib upload", size, usage, true))
}

/// Maps `buffer` again once the GPU has read it, and then puts it back into its ring.
pub(super) fn recycle_upload(commands: &wgpu::CommandEncoder, ring: &Arc<BufferRing>, buffer: Arc<StagingBuffer>) {
    let ring = ring.clone();
    let raw = buffer.raw.clone();
    commands.map_buffer_on_submit(&raw, wgpu::MapMode::Write, .., move |mapped| {
        if mapped.is_ok() {
            ring.give_back(buffer);
        }
    });
}

/// Rows start at multiples of this in copies between buffers and textures.
pub(super) fn padded_row_bytes(format: VideoFormat) -> u32 {
    (format.row_bytes() as u32).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT)
}

/// A buffer that the GPU copies to and the CPU reads.
pub(super) struct Mapped {
    device: Arc<Device>,
    ring: Arc<BufferRing>,
    pub(super) buffer: Arc<StagingBuffer>,
}

impl Mapped {
    pub(super) fn new(device: &Arc<Device>, ring: &Arc<BufferRing>, size: u64) -> Result<Self> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let buffer = ring.take(size, || device.create_buffer("streamlib read-back", size, usage, false))?;
        Ok(Self { device: device.clone(), ring: ring.clone(), buffer })
    }

    /// Has the buffer mapped once the GPU has done what was recorded so far.
    pub(super) fn map_on_submit(&self, commands: &wgpu::CommandEncoder) {
        let buffer = self.buffer.clone();
        commands.map_buffer_on_submit(&self.buffer.raw, wgpu::MapMode::Read, .., move |mapped| {
            buffer.map_failed.store(mapped.is_err(), Ordering::Release);
        });
    }

    pub(super) fn is_ready(&self) -> bool {
        match self.buffer.submission.load(Ordering::Acquire) {
            NOT_SUBMITTED => false,
            CANCELLED | REFUSED => true,
            submission => {
                let timeline = self.device.submitter.timeline();
                timeline.is_complete(submission) || timeline.check_alive().is_err()
            }
        }
    }

    /// Blocks until the bytes are there.
    pub(super) fn wait(self) -> Result<MappedView> {
        let submission = self.buffer.submission.load(Ordering::Acquire);
        if submission == NOT_SUBMITTED {
            return Err(Error::new(ErrorKind::InvalidArgument, "a read-back was waited for before it was submitted")
                .hint("wait for it in a later call, or in `submitted`"));
        }
        if submission == REFUSED {
            return Err(Error::new(ErrorKind::Gpu, "what was read back was never done: the GPU refused the submission"));
        }
        if submission == CANCELLED {
            return Err(Error::new(ErrorKind::Cancelled, "what was read back was never submitted: its encoder was dropped"));
        }
        self.device.submitter.timeline().wait(submission, READ_BACK_TIMEOUT)?;
        if self.buffer.map_failed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Gpu, "the GPU could not give its memory back to the CPU"));
        }
        let view = self.buffer.raw.get_mapped_range(..);
        let view = view
            .map_err(|error| Error::new(ErrorKind::Gpu, "the GPU could not give its memory back to the CPU").caused_by(error))?;
        Ok(MappedView { view: Some(view), mapped: self })
    }
}

/// Mapped bytes. The buffer is used again once this is dropped.
pub(super) struct MappedView {
    view: Option<wgpu::BufferView>,
    mapped: Mapped,
}

impl Deref for MappedView {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.view.as_deref().unwrap_or_default()
    }
}

impl Drop for MappedView {
    fn drop(&mut self) {
        self.view = None;
        self.mapped.buffer.raw.unmap();
        self.mapped.ring.give_back(self.mapped.buffer.clone());
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
    pub(super) fn record(
        device: &Arc<Device>,
        ring: &Arc<BufferRing>,
        commands: &mut wgpu::CommandEncoder,
        texture: &wgpu::Texture,
        format: VideoFormat,
    ) -> Result<Self> {
        let row = padded_row_bytes(format);
        let extent = format.texture_size();
        let size = u64::from(row) * u64::from(extent.height);
        let mapped = Mapped::new(device, ring, size)?;
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
        let destination = wgpu::TexelCopyBufferInfo { buffer: &mapped.buffer.raw, layout };
        commands.copy_texture_to_buffer(texture.as_image_copy(), destination, extent);
        mapped.map_on_submit(commands);
        device.bytes.read_back.fetch_add(format.bytes() as u64, Ordering::Relaxed);
        device.bytes.row_padding.fetch_add(size - format.bytes() as u64, Ordering::Relaxed);
        Ok(Self { mapped, format })
    }

    /// Whether [`wait`](Self::wait) would return at once.
    pub fn is_ready(&self) -> bool {
        self.mapped.is_ready()
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
