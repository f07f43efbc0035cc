//! The queue: what is submitted, and what is copied between the CPU and the GPU.

use pyo3::PyClass;
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::types::{PyByteArray, PyMemoryView};
use streamlib::wgpu;

use super::buffer::Buffer;
use super::commands::CommandBuffer;
use super::data::{Data, memory, part};
use super::fields::{Fields, TextureCopy, extent, has_texels, layout};
use super::object::{Object, naming, of};
use super::promise::promise;
use super::words::name_of;
use crate::errors::{Failure, Outcome, wrong, wrong_type};
use crate::scope;
use crate::waiting::{PATIENCE, wait_idle, wait_ready, wait_submitted};

/// Takes commands and data to the GPU, in the order of the calls. Within a processor's call, what its kernels have recorded before comes before.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub struct Queue {}

/// How texels of a format lie in memory.
struct Texels {
    block: (u32, u32),
    bytes: u32,
}

impl Texels {
    fn of(argument: &str, copy: &TextureCopy<'_>) -> Outcome<Self> {
        let format = copy.texture.get().raw().format();
        let aspect = copy.aspect;
        let bytes = format.block_copy_size(Some(aspect));
        let bytes = bytes.ok_or_else(|| {
            wrong(argument, format!("the aspect '{}' of {} cannot be copied", name_of(&aspect), name_of(&format)))
        })?;
        Ok(Self { block: format.block_dimensions(), bytes })
    }

    /// Bytes of a row and rows of a layer.
    fn layer(&self, size: wgpu::Extent3d) -> (u32, u32) {
        let (width, height) = self.block;
        (size.width.div_ceil(width).saturating_mul(self.bytes), size.height.div_ceil(height))
    }
}

#[pymethods]
impl Queue {
    /// Submits commands, each once. Does not wait for the GPU.
    ///
    /// A frame's texture that they write is written from then on. If the frame was sent meanwhile, nothing is submitted.
    #[pyo3(signature = (command_buffers: "collections.abc.Iterable[CommandBuffer]"))]
    fn submit(this: &Bound<'_, Self>, command_buffers: &Bound<'_, PyAny>) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        const EXPECTED: &str = "a list of what the `finish` of encoders gives: CommandBuffers";
        let Ok(given) = command_buffers.try_iter() else { return Err(wrong_type("command_buffers", EXPECTED, command_buffers)) };
        let buffers = given.map(|buffer| match buffer?.cast_into::<CommandBuffer>() {
            Ok(buffer) => Ok(buffer),
            Err(error) => Err(wrong_type("command_buffers", EXPECTED, &error.into_inner())),
        });
        let command_buffers = buffers.collect::<Outcome<Vec<_>>>()?;
        let taken = CommandBuffer::take_all(gpu, &command_buffers)?;
        this.py().detach(|| {
            scope::flush()?;
            let (commands, frames): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
            let written: Vec<_> = frames.iter().flat_map(|frames| &frames.written).map(|kept| &kept.frame).collect();
            gpu.raw().submit(commands, written.iter().copied())
        })?;
        Ok(())
    }

    /// Writes data to a buffer that has `COPY_DST`, before what is submitted next: all of it, or `size` bytes from `data_offset` on; a multiple of 4.
    #[pyo3(signature = (buffer, buffer_offset, data: "typing.Any", data_offset=0, size=None))]
    fn write_buffer(
        this: &Bound<'_, Self>,
        buffer: &Bound<'_, Buffer>,
        buffer_offset: u64,
        data: &Bound<'_, PyAny>,
        data_offset: u64,
        size: Option<u64>,
    ) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        let raw = of(gpu, "buffer", buffer)?.raw();
        this.py().detach(scope::flush)?;
        let data = Data::of("data", data)?;
        let range = part(data.len(), data_offset, size)?;
        gpu.raw().write_buffer(raw, buffer_offset, &data[range]).map_err(|refused| naming(buffer, "buffer", refused))
    }

    /// What is in a buffer that has `COPY_SRC`, or in a part of it. Blocks, without the interpreter's lock, until the GPU has done what was submitted
    /// before.
    #[pyo3(signature = (buffer, buffer_offset=0, size=None) -> "memoryview")]
    fn read_buffer<'py>(
        this: &Bound<'py, Self>,
        buffer: &Bound<'py, Buffer>,
        buffer_offset: u64,
        size: Option<u64>,
    ) -> Outcome<Bound<'py, PyMemoryView>> {
        let (py, gpu) = (this.py(), this.as_super().get().gpu());
        let (all, raw) = (of(gpu, "buffer", buffer)?.size(), buffer.get().raw());
        if !raw.usage().contains(wgpu::BufferUsages::COPY_SRC) {
            return Err(unreadable("buffer", buffer, "buffer"));
        }
        let left = all.checked_sub(buffer_offset);
        let left =
            left.ok_or_else(|| wrong("buffer_offset", format!("it is {buffer_offset}, but the buffer has {all} bytes")))?;
        let size = size.unwrap_or(left);
        if size > left {
            return Err(wrong("size", format!("{size} bytes from {buffer_offset} on are more than the {all} of the buffer")));
        }
        if size == 0 {
            return memory(py, &[]);
        }
        // Whole words are copied.
        let word = wgpu::COPY_BUFFER_ALIGNMENT;
        let begin = buffer_offset - buffer_offset % word;
        let end = (buffer_offset + size).next_multiple_of(word);
        let read = py.detach(|| {
            scope::flush()?;
            gpu.raw().read_buffer(raw, begin..end, scope::taker())
        });
        let read = read.map_err(|refused| naming(buffer, "buffer", refused))?;
        let read = read_back(py, read)?;
        let skipped = (buffer_offset - begin) as usize;
        memory(py, &read[skipped..skipped + size as usize])
    }

    /// Writes texels to a texture that has `COPY_DST`, before what is submitted next. Rows lie `bytes_per_row` apart, which may be any number.
    #[pyo3(signature = (destination: "streamlib.webgpu.TexelCopyTextureInfo", data: "typing.Any", data_layout: "streamlib.webgpu.TexelCopyBufferLayout", size: "streamlib.webgpu.Extent3D"))]
    fn write_texture(
        this: &Bound<'_, Self>,
        destination: &Bound<'_, PyAny>,
        data: &Bound<'_, PyAny>,
        data_layout: &Bound<'_, PyAny>,
        size: &Bound<'_, PyAny>,
    ) -> Outcome<()> {
        let (py, gpu) = (this.py(), this.as_super().get().gpu());
        let copy = TextureCopy::new("destination", destination)?;
        let texture = of(gpu, "destination.texture", &copy.texture)?;
        let fields = Fields::new("data_layout", data_layout)?;
        let layout = layout(&fields, py)?;
        fields.end("offset, bytes_per_row, rows_per_image")?;
        let size = extent("size", size)?;
        py.detach(scope::flush)?;
        texture.kept().map_or(Ok(()), |kept| kept.check_writable(gpu, "write_texture"))?;
        let written = gpu.raw().write_texture(copy.on(texture.raw()), &Data::of("data", data)?, layout, size);
        written.map_err(|refused| naming(&copy.texture, "texture", refused))?;
        if let Some(frame) = texture.frame().filter(|_| has_texels(size)) {
            // From now on it has pixels.
            py.detach(|| gpu.raw().submit([], [frame]))?;
        }
        Ok(())
    }

    /// What is in a texture that has `COPY_SRC`, or in a part of it: rows as close as they can be, or `bytes_per_row` apart. Blocks like
    /// `read_buffer`.
    #[pyo3(signature = (source: "streamlib.webgpu.TexelCopyTextureInfo", data_layout: "streamlib.webgpu.TexelCopyBufferLayout", size: "streamlib.webgpu.Extent3D") -> "memoryview")]
    fn read_texture<'py>(
        this: &Bound<'py, Self>,
        source: &Bound<'py, PyAny>,
        data_layout: &Bound<'py, PyAny>,
        size: &Bound<'py, PyAny>,
    ) -> Outcome<Bound<'py, PyMemoryView>> {
        let (py, gpu) = (this.py(), this.as_super().get().gpu());
        let copy = TextureCopy::new("source", source)?;
        let texture = of(gpu, "source.texture", &copy.texture)?;
        let fields = Fields::new("data_layout", data_layout)?;
        let layout = layout(&fields, py)?;
        fields.end("offset, bytes_per_row, rows_per_image")?;
        let size = extent("size", size)?;
        if !texture.raw().usage().contains(wgpu::TextureUsages::COPY_SRC) {
            return Err(unreadable("source.texture", &copy.texture, "texture"));
        }
        let (row, rows) = Texels::of("source", &copy)?.layer(size);
        let apart = layout.bytes_per_row.unwrap_or(row);
        let rows_apart = layout.rows_per_image.unwrap_or(rows);
        if apart < row || rows_apart < rows {
            let message = format!("a row has {row} bytes and a layer {rows} rows, which {apart} and {rows_apart} are less than");
            return Err(wrong("data_layout", message));
        }
        let Some(padded) = row.checked_next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT) else {
            return Err(wrong("size", "a row is too large"));
        };
        let layers = size.depth_or_array_layers as usize;
        let [apart, rows_apart] = [apart, rows_apart].map(|number| number as usize);
        let begin = layout.offset as usize;
        let all = apart.checked_mul(rows_apart).and_then(|layer| layer.checked_mul(layers)?.checked_add(begin));
        let limit = gpu.wgpu_device().limits().max_buffer_size;
        let all = all.filter(|all| *all as u64 <= limit);
        let all =
            all.ok_or_else(|| wrong("data_layout", format!("that is more than the {limit} bytes that a buffer can have")))?;
        let from = copy.on(texture.raw());
        let read = py.detach(|| {
            scope::flush()?;
            gpu.raw().read_texture(from, size, (padded, rows), scope::taker())
        });
        let read = read.map_err(|refused| naming(&copy.texture, "texture", refused))?;
        let read = read_back(py, read)?;
        let [row, rows, padded] = [row, rows, padded].map(|number| number as usize);
        let texels = PyByteArray::new_with(py, all, |texels| {
            for (layer, from) in read.chunks_exact((padded * rows).max(1)).enumerate() {
                for (place, from) in from.chunks_exact(padded).enumerate() {
                    let to = begin + (layer * rows_apart + place) * apart;
                    texels[to..to + row].copy_from_slice(&from[..row]);
                }
            }
            Ok(())
        })?;
        Ok(PyMemoryView::from(&texels)?)
    }

    /// Blocks, without the interpreter's lock, until the GPU has done what was submitted before.
    fn on_submitted_work_done_sync(this: &Bound<'_, Self>) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        wait_idle(this.py(), gpu, PATIENCE)
    }

    /// The same, to be awaited: what is submitted after this call is not waited for.
    #[pyo3(signature = () -> "streamlib.webgpu.Promise[None]")]
    fn on_submitted_work_done_async<'py>(this: &Bound<'py, Self>) -> Outcome<Bound<'py, PyAny>> {
        let (py, gpu) = (this.py(), this.as_super().get().gpu());
        let token = py.detach(|| scope::flush().and_then(|()| gpu.raw().submit([], [])))?;
        promise(py, Bound::new(py, Submitted { token })?.getattr("wait")?)
    }
}

/// A buffer or a texture that was given as this argument to be read, and is not for that.
fn unreadable<T>(argument: &str, object: &Bound<'_, T>, what: &str) -> Failure
where
    T: PyClass<BaseType = Object, Frozen = True> + Sync,
{
    let called = object.as_super().get().called(what);
    wrong(argument, format!("{called} cannot be read: it is not for COPY_SRC; make it with that usage, too"))
}

/// The bytes, once the GPU has copied them.
fn read_back(py: Python<'_>, read: streamlib::RawReadBack) -> Outcome<streamlib::RawBytes> {
    wait_ready(py, read.ready())?;
    Ok(py.detach(|| read.wait())?)
}

/// Work that was submitted.
#[pyclass(frozen, module = "streamlib._native")]
struct Submitted {
    token: streamlib::ReadyToken,
}

#[pymethods]
impl Submitted {
    /// Blocks, without the interpreter's lock, until it is done.
    fn wait(&self, py: Python<'_>) -> Outcome<()> {
        wait_submitted(py, &self.token, PATIENCE)
    }
}
