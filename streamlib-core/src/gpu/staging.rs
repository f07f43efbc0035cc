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

/// A buffer of a ring. Between uses an upload buffer is mapped and a read-back buffer is not.
pub(super) struct StagingBuffer {
    pub(super) raw: wgpu::Buffer,
    /// The submission that uses it; 0 before.
    submission: AtomicU64,
    map_failed: AtomicBool,
}

impl BufferRing {
    fn take(&self, size: u64, create: impl FnOnce() -> Result<wgpu::Buffer>) -> Result<Arc<StagingBuffer>> {
        let found = self.free.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&size).and_then(Vec::pop);
        match found {
            Some(buffer) => {
                buffer.submission.store(0, Ordering::Relaxed);
                Ok(buffer)
            }
            None => {
                Ok(Arc::new(StagingBuffer { raw: create()?, submission: AtomicU64::new(0), map_failed: AtomicBool::new(false) }))
            }
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

/// A copy of a frame on its way to the CPU.
///
/// Made by [`FrameEncoder::read_back`](super::FrameEncoder::read_back); the bytes are there once the encoder was submitted and
/// the GPU is done. Dropping it early is fine.
pub struct ReadBack {
    pub(super) device: Arc<Device>,
    pub(super) ring: Arc<BufferRing>,
    pub(super) buffer: Arc<StagingBuffer>,
    pub(super) format: VideoFormat,
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
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let buffer = ring.take(size, || device.create_buffer("streamlib read-back", size, usage, false))?;
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
        let destination = wgpu::TexelCopyBufferInfo { buffer: &buffer.raw, layout };
        commands.copy_texture_to_buffer(texture.as_image_copy(), destination, extent);
        commands.map_buffer_on_submit(&buffer.raw, wgpu::MapMode::Read, .., {
            let buffer = buffer.clone();
            move |mapped| buffer.map_failed.store(mapped.is_err(), Ordering::Release)
        });
        device.bytes.read_back.fetch_add(format.bytes() as u64, Ordering::Relaxed);
        device.bytes.row_padding.fetch_add(size - format.bytes() as u64, Ordering::Relaxed);
        Ok(Self { device: device.clone(), ring: ring.clone(), buffer, format })
    }

    /// Whether [`wait`](Self::wait) would return at once.
    pub fn is_ready(&self) -> bool {
        match self.buffer.submission.load(Ordering::Acquire) {
            0 => false,
            submission => self.device.submitter.timeline().is_complete(submission),
        }
    }

    /// Blocks until the bytes are there. For sinks on their own segment; the encoder must have been submitted.
    ///
    /// Fails with [`ErrorKind::InvalidArgument`] before that, [`ErrorKind::DeviceLost`] or [`ErrorKind::Stalled`].
    pub fn wait(self) -> Result<ReadBackView> {
        let submission = self.buffer.submission.load(Ordering::Acquire);
        if submission == 0 {
            return Err(Error::new(ErrorKind::InvalidArgument, "a read-back was waited for before it was submitted")
                .hint("wait for it in a later call, or in `submitted`"));
        }
        self.device.submitter.timeline().wait(submission, READ_BACK_TIMEOUT)?;
        if self.buffer.map_failed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Gpu, "the GPU could not give a frame back to the CPU"));
        }
        let view = self
            .buffer
            .raw
            .get_mapped_range(..)
            .map_err(|error| Error::new(ErrorKind::Gpu, "the GPU could not give a frame back to the CPU").caused_by(error))?;
        Ok(ReadBackView { view: Some(view), read_back: self })
    }
}

/// The bytes of a frame on the CPU: rows of [`stride`](Self::stride) bytes, of which the first
/// [`VideoFormat::row_bytes`] are pixels.
///
/// The buffer is used again once this is dropped.
pub struct ReadBackView {
    view: Option<wgpu::BufferView>,
    read_back: ReadBack,
}

impl ReadBackView {
    /// What the bytes mean.
    pub fn format(&self) -> VideoFormat {
        self.read_back.format
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
        self.view.as_deref().unwrap_or_default()
    }
}

impl Drop for ReadBackView {
    fn drop(&mut self) {
        self.view = None;
        self.read_back.buffer.raw.unmap();
        self.read_back.ring.give_back(self.read_back.buffer.clone());
    }
}
