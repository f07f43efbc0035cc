//! Pooled buffers of typed elements, for work beside the frames.

use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::device::Device;
use super::pool::Resource;
use super::slot::Lease;
use super::staging::{Mapped, Staging};
use super::{FrameEncoder, GpuContext, ReadyToken};
use crate::{Error, ErrorKind, Result};

/// The smallest size class.
const SMALLEST: u64 = 256;

/// What every pooled buffer may be used for.
const USAGES: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE
    .union(wgpu::BufferUsages::COPY_SRC)
    .union(wgpu::BufferUsages::COPY_DST)
    .union(wgpu::BufferUsages::INDIRECT);

/// A buffer of a size class.
pub(crate) struct BufferMemory(wgpu::Buffer);

/// The bytes of a class. There are four to each doubling: no buffer is more than a quarter larger than it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SizeClass(u64);

impl SizeClass {
    pub(super) fn of(bytes: u64) -> Self {
        let bytes = bytes.max(SMALLEST);
        Self(bytes.next_multiple_of(bytes.next_power_of_two() / 8))
    }

    pub(super) fn bytes(self) -> u64 {
        self.0
    }

    /// No more than the device can do; such a buffer is as large as it must be.
    pub(super) fn at_most(self, limit: u64, bytes: u64) -> Self {
        if self.0 <= limit { self } else { Self(bytes.next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT)) }
    }
}

impl Resource for BufferMemory {
    type Key = SizeClass;
    const WHAT: &'static str = "a buffer";

    fn bytes(key: SizeClass) -> u64 {
        key.0
    }

    fn describe(_: SizeClass) -> String {
        "buffer".into()
    }

    fn create(device: &Device, key: SizeClass) -> Result<Self> {
        device.create_buffer("streamlib buffer", key.0, USAGES, false).map(Self)
    }

    fn is_reusable(&self) -> bool {
        true
    }
}

/// Elements on the GPU: what kernels read and write as `var<storage>`. Its contents are undefined until they are written.
///
/// The memory goes back to its pool when this drops, and after all submissions that were recorded with it.
///
/// ```
/// # use streamlib_core::{GpuContext, GpuOptions};
/// # use std::time::Duration;
/// let gpu = GpuContext::new(&GpuOptions::default())?;
/// let double = gpu.kernel("double", "
///     @group(0) @binding(0) var<storage, read_write> numbers: array<u32>;
///     @compute @workgroup_size(64)
///     fn main(@builtin(global_invocation_id) id: vec3u) {
///         if id.x < arrayLength(&numbers) { numbers[id.x] = 2u * numbers[id.x]; }
///     }")?;
/// let mut numbers = gpu.buffer::<u32>(3, "doc")?;
/// let mut encoder = gpu.encoder();
/// encoder.write_buffer(&mut numbers, &[1, 2, 3])?;
/// double.call(&mut encoder)?.buffer_mut("numbers", &mut numbers)?.dispatch()?;
/// let doubled = encoder.read_buffer(&numbers)?;
/// encoder.submit_and_wait(Duration::from_secs(10))?;
/// assert_eq!(doubled.wait()?, [2, 4, 6]);
/// # Ok::<(), streamlib_core::Error>(())
/// ```
pub struct Buffer<T> {
    lease: Lease<BufferMemory>,
    len: usize,
    elements: PhantomData<fn() -> T>,
}

impl<T> Buffer<T> {
    /// How many elements there are.
    #[allow(clippy::len_without_is_empty, reason = "there is no empty buffer")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes of its elements. The memory behind them may be larger, to be used again for others.
    pub fn bytes(&self) -> u64 {
        (self.len * size_of::<T>()) as u64
    }

    /// The bytes that are bound and copied: whole words.
    pub(super) fn word_bytes(&self) -> u64 {
        self.bytes().next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT)
    }

    pub(super) fn raw(&self) -> &wgpu::Buffer {
        &self.lease.resource().0
    }

    pub(super) fn lease(&self) -> &Lease<BufferMemory> {
        &self.lease
    }

    /// When the GPU will have done what was last submitted that writes it; `None` before anything was.
    pub fn ready(&self, gpu: &GpuContext) -> Option<ReadyToken> {
        self.lease.submission().map(|submission| gpu.token(submission))
    }
}

impl GpuContext {
    /// A pooled buffer of so many elements, its contents undefined. `taker` is named in [`leases`](Self::leases).
    ///
    /// Waits up to two seconds when the budget is used up, then fails with [`ErrorKind::OutOfMemory`], saying who holds what.
    pub fn buffer<T: bytemuck::Pod>(&self, len: usize, taker: impl Into<Arc<str>>) -> Result<Buffer<T>> {
        let bytes = (len as u64).checked_mul(size_of::<T>() as u64).filter(|bytes| *bytes > 0);
        let limits = self.device().raw.limits();
        let limit = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
        let Some(bytes) = bytes.filter(|bytes| *bytes <= limit) else {
            let message = format!("a buffer of {len} elements of {} bytes cannot be", size_of::<T>());
            return Err(
                Error::new(ErrorKind::InvalidArgument, message).hint(format!("this adapter takes buffers of 1 to {limit} bytes"))
            );
        };
        let lease = self.0.buffers.take(SizeClass::of(bytes).at_most(limit, bytes), &taker.into())?;
        Ok(Buffer { lease, len, elements: PhantomData })
    }
}

impl FrameEncoder {
    /// Records the writing of the first elements: all of them, or a multiple of 4 bytes. One copy on the CPU, into reused memory.
    pub fn write_buffer<T: bytemuck::Pod>(&mut self, buffer: &mut Buffer<T>, elements: &[T]) -> Result<()> {
        if elements.len() > buffer.len {
            let message = format!("{} elements do not fit into a buffer of {}", elements.len(), buffer.len);
            return Err(Error::new(ErrorKind::InvalidArgument, message).hint("take a larger one"));
        }
        let bytes: &[u8] = bytemuck::cast_slice(elements);
        if bytes.is_empty() {
            return Ok(());
        }
        let alignment = wgpu::COPY_BUFFER_ALIGNMENT as usize;
        if elements.len() < buffer.len && !bytes.len().is_multiple_of(alignment) {
            let message = format!("{} bytes cannot be written to the start of a buffer of {}", bytes.len(), buffer.bytes());
            return Err(Error::new(ErrorKind::InvalidArgument, message)
                .hint(format!("write all of it, or a multiple of {alignment} bytes")));
        }
        let words = (bytes.len() as u64).next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT);
        let gpu = self.gpu().clone();
        let staging = Staging::for_upload(&gpu, SizeClass::of(words).bytes(), &buffer.lease.taker())?;
        staging.write(words)?.slice(..bytes.len()).copy_from_slice(bytes);
        self.commands().copy_buffer_to_buffer(staging.raw(), 0, buffer.raw(), 0, words);
        self.uploads.push(staging);
        self.keeps_buffer(buffer.lease(), true);
        gpu.device().bytes.uploaded.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Starts bringing the elements to the CPU. Does not block; see [`BufferReadBack::wait`].
    pub fn read_buffer<T: bytemuck::Pod>(&mut self, buffer: &Buffer<T>) -> Result<BufferReadBack<T>> {
        let gpu = self.gpu().clone();
        let words = buffer.word_bytes();
        let mapped = Mapped::new(&gpu, SizeClass::of(words).bytes(), &buffer.lease.taker())?;
        self.commands().copy_buffer_to_buffer(buffer.raw(), 0, mapped.raw(), 0, words);
        let staging = mapped.map_on_submit(self.commands());
        self.read_backs.push(staging);
        self.keeps_buffer(buffer.lease(), false);
        gpu.device().bytes.read_back.fetch_add(buffer.bytes(), Ordering::Relaxed);
        Ok(BufferReadBack { mapped, len: buffer.len, elements: PhantomData })
    }
}

/// Elements on their way to the CPU. Dropping it early is fine.
pub struct BufferReadBack<T> {
    mapped: Mapped,
    len: usize,
    elements: PhantomData<fn() -> T>,
}

impl<T: bytemuck::Pod> BufferReadBack<T> {
    /// Whether [`wait`](Self::wait) would return at once.
    pub fn is_ready(&self) -> bool {
        self.mapped.is_ready()
    }

    /// Blocks until the elements are there; not for the frame path. Fails with [`ErrorKind::Cancelled`] if the encoder was dropped before it was
    /// submitted, with [`ErrorKind::InvalidArgument`] before it was, with [`ErrorKind::DeviceLost`] or [`ErrorKind::Stalled`].
    pub fn wait(self) -> Result<Vec<T>> {
        let view = self.mapped.wait()?;
        Ok(bytemuck::pod_collect_to_vec(&view[..self.len * size_of::<T>()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_waste_a_quarter_at_most() {
        for bytes in (1..100_000).chain([513 << 20, (1 << 30) + 4]) {
            let SizeClass(class) = SizeClass::of(bytes);
            assert!(class >= bytes && class * 4 <= bytes.max(SMALLEST) * 5, "{bytes} bytes in a class of {class}");
            assert_eq!(class % wgpu::COPY_BUFFER_ALIGNMENT, 0);
            assert_eq!(SizeClass::of(class), SizeClass(class));
        }
    }
}
