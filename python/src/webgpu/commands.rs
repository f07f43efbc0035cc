//! Commands: recorded by an encoder and its passes, finished, submitted once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::intern;
use pyo3::prelude::*;
use smallvec::SmallVec;
use streamlib::{Error, ErrorKind, wgpu};

use super::binding::BindGroup;
use super::buffer::Buffer;
use super::data::{bytes, part};
use super::fields::{Fields, TextureCopy, extent, layout};
use super::object::{Object, make, of, some};
use super::pipeline::{ComputePipeline, QuerySet};
use super::texture::Kept;
use crate::debug::Kind;
use crate::errors::{Failure, Outcome, wrong};

/// The frames that commands use.
#[derive(Default)]
pub(super) struct Frames {
    read: Vec<Arc<Kept>>,
    pub(super) written: Vec<Arc<Kept>>,
}

impl Frames {
    /// Keeps a frame that commands use until they are submitted. One that was sent cannot be written.
    fn keep(&mut self, gpu: &streamlib::GpuContext, kept: &Arc<Kept>, is_written: bool) -> Outcome<()> {
        let frames = match is_written {
            true => {
                gpu.raw().check_writable(&kept.frame)?;
                &mut self.written
            }
            false => &mut self.read,
        };
        if !frames.iter().any(|frame| Arc::ptr_eq(frame, kept)) {
            frames.push(kept.clone());
        }
        Ok(())
    }
}

/// Records commands. `finish` makes a command buffer of them, which the queue takes.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub struct CommandEncoder {
    recording: Mutex<Recording>,
}

struct Recording {
    /// `None` once it is finished.
    commands: Option<wgpu::CommandEncoder>,
    /// What the pass is called that was begun and not ended.
    pass: Option<String>,
    frames: Frames,
}

impl CommandEncoder {
    pub(super) fn new<'py>(py: Python<'py>, gpu: &streamlib::GpuContext, label: &str) -> Outcome<Bound<'py, Self>> {
        let commands = Some(gpu.raw().create_command_encoder(some(label))?);
        let recording = Recording { commands, pass: None, frames: Frames::default() };
        make(py, Kind::CommandEncoder, gpu, label, Self { recording: Mutex::new(recording) })
    }

    fn recording(&self) -> MutexGuard<'_, Recording> {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is recorded, if something can be.
    fn open<'a>(this: &'a Bound<'_, Self>) -> Outcome<MutexGuard<'a, Recording>> {
        let recording = this.get().recording();
        let refuse = |message: String, hint: &'static str| -> Failure {
            let called = this.as_super().get().called("command encoder");
            Error::new(ErrorKind::Gpu, format!("{called} {message}")).hint(hint).into()
        };
        match (&recording.commands, &recording.pass) {
            (None, _) => Err(refuse("was finished already".into(), "make a new one")),
            (_, Some(pass)) => Err(refuse(format!("is recording {pass}"), "`end` it first")),
            _ => Ok(recording),
        }
    }

    /// Records with wgpu's encoder.
    fn record<T>(
        this: &Bound<'_, Self>,
        record: impl FnOnce(&mut wgpu::CommandEncoder, &mut Frames) -> Outcome<T>,
    ) -> Outcome<T> {
        let mut recording = Self::open(this)?;
        let Recording { commands, frames, .. } = &mut *recording;
        let Some(commands) = commands else { return Err(finished()) };
        record(commands, frames)
    }
}

fn finished() -> Failure {
    Error::new(ErrorKind::Gpu, "the command encoder was finished already").hint("make a new one").into()
}

/// `{"buffer", "offset", "bytes_per_row", "rows_per_image"}`.
fn buffer_copy<'py>(argument: &str, value: &Bound<'py, PyAny>) -> Outcome<(Bound<'py, Buffer>, wgpu::TexelCopyBufferLayout)> {
    let fields = Fields::new(argument, value)?;
    let buffer = fields.object(intern!(value.py(), "buffer"))?;
    let layout = layout(&fields, value.py())?;
    if let Some(row) = layout.bytes_per_row.filter(|row| !row.is_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT)) {
        return Err(wrong(fields.member("bytes_per_row"), format!("it is {row}, but must be a multiple of 256")));
    }
    fields.end("buffer, offset, bytes_per_row, rows_per_image")?;
    Ok((buffer, layout))
}

#[pymethods]
impl CommandEncoder {
    /// Begins a compute pass. Nothing else can be recorded before it has ended.
    #[pyo3(signature = (*, label="", timestamp_writes: "streamlib.webgpu.ComputePassTimestampWrites | None"=None) -> "ComputePass")]
    fn begin_compute_pass<'py>(
        this: &Bound<'py, Self>,
        label: &str,
        timestamp_writes: Option<&Bound<'py, PyAny>>,
    ) -> Outcome<Bound<'py, ComputePass>> {
        let (py, gpu) = (this.py(), this.as_super().get().gpu());
        let times = timestamp_writes.map(|times| {
            let fields = Fields::new("timestamp_writes", times)?;
            let query_set: Bound<'_, QuerySet> = fields.object(intern!(py, "query_set"))?;
            let query_set = QuerySet::raw(gpu, "timestamp_writes.query_set", &query_set)?;
            let begin = fields.number(intern!(py, "beginning_of_pass_write_index"))?;
            let end = fields.number(intern!(py, "end_of_pass_write_index"))?;
            fields.end("query_set, beginning_of_pass_write_index, end_of_pass_write_index")?;
            Ok::<_, Failure>((query_set, begin, end))
        });
        let times = times.transpose()?;
        let timestamp_writes = times.as_ref().map(|(query_set, begin, end)| wgpu::ComputePassTimestampWrites {
            query_set,
            beginning_of_pass_write_index: *begin,
            end_of_pass_write_index: *end,
        });
        let mut recording = Self::open(this)?;
        let Some(commands) = &mut recording.commands else { return Err(finished()) };
        let descriptor = wgpu::ComputePassDescriptor { label: some(label), timestamp_writes };
        let pass = gpu.raw().call("begin_compute_pass", || commands.begin_compute_pass(&descriptor).forget_lifetime())?;
        let begun = ComputePass { pass: Mutex::new(Some(pass)), encoder: this.clone().unbind() };
        let begun = make(py, Kind::ComputePass, gpu, label, begun)?;
        recording.pass = Some(begun.as_super().get().called("compute pass"));
        Ok(begun)
    }

    /// Zeroes a part of a buffer: all from `offset` on, unless told. Both are multiples of 4.
    #[pyo3(signature = (buffer, offset=0, size=None))]
    fn clear_buffer(this: &Bound<'_, Self>, buffer: &Bound<'_, Buffer>, offset: u64, size: Option<u64>) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        let buffer = of(gpu, "buffer", buffer)?;
        Self::record(this, |commands, _| {
            Ok(gpu.raw().call("clear_buffer", || commands.clear_buffer(buffer.raw(), offset, size))?)
        })
    }

    /// Copies bytes from buffer to buffer: all that fit, unless told. Offsets and size are multiples of 4.
    #[pyo3(signature = (source, source_offset, destination, destination_offset, size=None))]
    fn copy_buffer_to_buffer(
        this: &Bound<'_, Self>,
        source: &Bound<'_, Buffer>,
        source_offset: u64,
        destination: &Bound<'_, Buffer>,
        destination_offset: u64,
        size: Option<u64>,
    ) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        let (source, destination) = (of(gpu, "source", source)?, of(gpu, "destination", destination)?);
        let (source, destination) = (source.raw(), destination.raw());
        Self::record(this, |commands, _| {
            Ok(gpu.raw().call("copy_buffer_to_buffer", || {
                commands.copy_buffer_to_buffer(source, source_offset, destination, destination_offset, size);
            })?)
        })
    }

    /// Copies texels from a buffer, whose rows begin at multiples of 256 bytes, to a texture.
    #[pyo3(signature = (source: "streamlib.webgpu.TexelCopyBufferInfo", destination: "streamlib.webgpu.TexelCopyTextureInfo", copy_size: "streamlib.webgpu.Extent3D"))]
    fn copy_buffer_to_texture(
        this: &Bound<'_, Self>,
        source: &Bound<'_, PyAny>,
        destination: &Bound<'_, PyAny>,
        copy_size: &Bound<'_, PyAny>,
    ) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        let (buffer, layout) = buffer_copy("source", source)?;
        let to = TextureCopy::new("destination", destination)?;
        let size = extent("copy_size", copy_size)?;
        let (buffer, texture) = (of(gpu, "source.buffer", &buffer)?.raw(), of(gpu, "destination.texture", &to.texture)?);
        Self::record(this, |commands, frames| {
            texture.kept().map_or(Ok(()), |kept| frames.keep(gpu, kept, true))?;
            let source = wgpu::TexelCopyBufferInfo { buffer, layout };
            let destination = to.on(texture.raw());
            Ok(gpu.raw().call("copy_buffer_to_texture", || commands.copy_buffer_to_texture(source, destination, size))?)
        })
    }

    /// Copies texels from a texture to a buffer, whose rows begin at multiples of 256 bytes.
    #[pyo3(signature = (source: "streamlib.webgpu.TexelCopyTextureInfo", destination: "streamlib.webgpu.TexelCopyBufferInfo", copy_size: "streamlib.webgpu.Extent3D"))]
    fn copy_texture_to_buffer(
        this: &Bound<'_, Self>,
        source: &Bound<'_, PyAny>,
        destination: &Bound<'_, PyAny>,
        copy_size: &Bound<'_, PyAny>,
    ) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        let from = TextureCopy::new("source", source)?;
        let (buffer, layout) = buffer_copy("destination", destination)?;
        let size = extent("copy_size", copy_size)?;
        let (texture, buffer) = (of(gpu, "source.texture", &from.texture)?, of(gpu, "destination.buffer", &buffer)?.raw());
        Self::record(this, |commands, frames| {
            texture.kept().map_or(Ok(()), |kept| frames.keep(gpu, kept, false))?;
            let source = from.on(texture.raw());
            let destination = wgpu::TexelCopyBufferInfo { buffer, layout };
            Ok(gpu.raw().call("copy_texture_to_buffer", || commands.copy_texture_to_buffer(source, destination, size))?)
        })
    }

    /// Copies texels from texture to texture.
    #[pyo3(signature = (source: "streamlib.webgpu.TexelCopyTextureInfo", destination: "streamlib.webgpu.TexelCopyTextureInfo", copy_size: "streamlib.webgpu.Extent3D"))]
    fn copy_texture_to_texture(
        this: &Bound<'_, Self>,
        source: &Bound<'_, PyAny>,
        destination: &Bound<'_, PyAny>,
        copy_size: &Bound<'_, PyAny>,
    ) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        let (from, to) = (TextureCopy::new("source", source)?, TextureCopy::new("destination", destination)?);
        let size = extent("copy_size", copy_size)?;
        let (read, written) = (of(gpu, "source.texture", &from.texture)?, of(gpu, "destination.texture", &to.texture)?);
        Self::record(this, |commands, frames| {
            written.kept().map_or(Ok(()), |kept| frames.keep(gpu, kept, true))?;
            read.kept().map_or(Ok(()), |kept| frames.keep(gpu, kept, false))?;
            let (source, destination) = (from.on(read.raw()), to.on(written.raw()));
            Ok(gpu.raw().call("copy_texture_to_texture", || commands.copy_texture_to_texture(source, destination, size))?)
        })
    }

    /// Writes what queries have found to a buffer, 8 bytes each.
    fn resolve_query_set(
        this: &Bound<'_, Self>,
        query_set: &Bound<'_, QuerySet>,
        first_query: u32,
        query_count: u32,
        destination: &Bound<'_, Buffer>,
        destination_offset: u64,
    ) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        let (set, destination) = (QuerySet::raw(gpu, "query_set", query_set)?, of(gpu, "destination", destination)?);
        let end = first_query.checked_add(query_count).ok_or_else(|| wrong("query_count", "it is too large"))?;
        Self::record(this, |commands, _| {
            Ok(gpu.raw().call("resolve_query_set", || {
                commands.resolve_query_set(&set, first_query..end, destination.raw(), destination_offset);
            })?)
        })
    }

    /// Begins a group of commands, for debuggers.
    fn push_debug_group(this: &Bound<'_, Self>, group_label: &str) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        Self::record(this, |commands, _| Ok(gpu.raw().call("push_debug_group", || commands.push_debug_group(group_label))?))
    }

    /// Ends it.
    fn pop_debug_group(this: &Bound<'_, Self>) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        Self::record(this, |commands, _| Ok(gpu.raw().call("pop_debug_group", || commands.pop_debug_group())?))
    }

    /// Marks a place among the commands, for debuggers.
    fn insert_debug_marker(this: &Bound<'_, Self>, marker_label: &str) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        Self::record(this, |commands, _| {
            Ok(gpu.raw().call("insert_debug_marker", || commands.insert_debug_marker(marker_label))?)
        })
    }

    /// The commands, to be submitted. Mistakes in them show here. Nothing can be recorded afterwards.
    #[pyo3(signature = (*, label=""))]
    fn finish<'py>(this: &Bound<'py, Self>, label: &str) -> Outcome<Bound<'py, CommandBuffer>> {
        let gpu = this.as_super().get().gpu();
        let mut recording = Self::open(this)?;
        let Some(commands) = recording.commands.take() else { return Err(finished()) };
        let frames = std::mem::take(&mut recording.frames);
        drop(recording);
        let commands = gpu.raw().call("finish", || commands.finish())?;
        make(this.py(), Kind::CommandBuffer, gpu, label, CommandBuffer { finished: Mutex::new(Some((commands, frames))) })
    }
}

/// Commands that can be submitted once.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub(crate) struct CommandBuffer {
    finished: Mutex<Option<(wgpu::CommandBuffer, Frames)>>,
}

impl CommandBuffer {
    fn finished(&self) -> MutexGuard<'_, Option<(wgpu::CommandBuffer, Frames)>> {
        self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the commands of all of them, or of none.
    pub(super) fn take_all(
        gpu: &streamlib::GpuContext,
        buffers: &[Bound<'_, Self>],
    ) -> Outcome<SmallVec<[(wgpu::CommandBuffer, Frames); 2]>> {
        let mut taken: SmallVec<[_; 2]> = SmallVec::new();
        for buffer in buffers {
            let finished = of(gpu, "command_buffers", buffer).and_then(|this| {
                let mut finished = this.finished();
                let Some((_, frames)) = &*finished else {
                    let called = buffer.as_super().get().called("command buffer");
                    let error = Error::new(ErrorKind::Gpu, format!("{called} was submitted already"));
                    return Err(error.hint("record the commands again").into());
                };
                frames.written.iter().try_for_each(|kept| gpu.raw().check_writable(&kept.frame))?;
                finished.take().ok_or_else(self::finished)
            });
            match finished {
                Ok(finished) => taken.push(finished),
                Err(error) => {
                    for (buffer, finished) in buffers.iter().zip(taken) {
                        *buffer.get().finished() = Some(finished);
                    }
                    return Err(error);
                }
            }
        }
        Ok(taken)
    }
}

/// Records dispatches of compute shaders, until it is ended.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub struct ComputePass {
    /// `None` once it has ended.
    pass: Mutex<Option<wgpu::ComputePass<'static>>>,
    encoder: Py<CommandEncoder>,
}

impl ComputePass {
    /// Records with wgpu's pass.
    fn record<T>(this: &Bound<'_, Self>, record: impl FnOnce(&mut wgpu::ComputePass<'static>) -> Outcome<T>) -> Outcome<T> {
        match &mut *this.get().pass.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(pass) => record(pass),
            None => {
                let called = this.as_super().get().called("compute pass");
                Err(Error::new(ErrorKind::Gpu, format!("{called} has ended")).hint("begin a new one").into())
            }
        }
    }

    fn call(this: &Bound<'_, Self>, what: &str, call: impl FnOnce(&mut wgpu::ComputePass<'static>)) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        Self::record(this, |pass| Ok(gpu.raw().call(what, || call(pass))?))
    }
}

#[pymethods]
impl ComputePass {
    /// The pipeline of the dispatches that follow.
    fn set_pipeline(this: &Bound<'_, Self>, pipeline: &Bound<'_, ComputePipeline>) -> Outcome<()> {
        let pipeline = of(this.as_super().get().gpu(), "pipeline", pipeline)?;
        Self::call(this, "set_pipeline", |pass| pass.set_pipeline(&pipeline.raw))
    }

    /// What the shader's `@group(index)` is from now on. Of `dynamic_offsets_data`, a part can be named by its begin and its length.
    #[pyo3(signature = (index, bind_group, dynamic_offsets_data=None, dynamic_offsets_data_start=None, dynamic_offsets_data_length=None))]
    fn set_bind_group(
        this: &Bound<'_, Self>,
        index: u32,
        bind_group: Option<&Bound<'_, BindGroup>>,
        dynamic_offsets_data: Option<Vec<u32>>,
        dynamic_offsets_data_start: Option<usize>,
        dynamic_offsets_data_length: Option<usize>,
    ) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        let offsets = dynamic_offsets_data.unwrap_or_default();
        let start = dynamic_offsets_data_start.unwrap_or(0).min(offsets.len());
        let end = dynamic_offsets_data_length.map_or(offsets.len(), |length| start.saturating_add(length).min(offsets.len()));
        let Some(group) = bind_group.map(|group| of(gpu, "bind_group", group)).transpose()? else {
            return Self::call(this, "set_bind_group", |pass| pass.set_bind_group(index, None, &[]));
        };
        Self::record(this, |pass| {
            if !group.frames.is_empty() {
                let mut recording = this.get().encoder.get().recording();
                group.frames.iter().try_for_each(|(kept, is_written)| recording.frames.keep(gpu, kept, *is_written))?;
            }
            Ok(gpu.raw().call("set_bind_group", || pass.set_bind_group(index, &group.raw, &offsets[start..end]))?)
        })
    }

    /// Sets bytes of the pipeline's immediate data.
    #[pyo3(signature = (range_offset, data: "typing.Any", data_offset=0, data_size=None))]
    fn set_immediates(
        this: &Bound<'_, Self>,
        range_offset: u32,
        data: &Bound<'_, PyAny>,
        data_offset: u64,
        data_size: Option<u64>,
    ) -> Outcome<()> {
        let data = bytes("data", data)?;
        let range = part(data.as_bytes().len(), data_offset, data_size)?;
        Self::call(this, "set_immediates", |pass| pass.set_immediates(range_offset, &data.as_bytes()[range]))
    }

    /// Runs the shader in so many workgroups.
    #[pyo3(signature = (workgroup_count_x, workgroup_count_y=1, workgroup_count_z=1))]
    fn dispatch_workgroups(
        this: &Bound<'_, Self>,
        workgroup_count_x: u32,
        workgroup_count_y: u32,
        workgroup_count_z: u32,
    ) -> Outcome<()> {
        Self::call(this, "dispatch_workgroups", |pass| {
            pass.dispatch_workgroups(workgroup_count_x, workgroup_count_y, workgroup_count_z);
        })
    }

    /// The same, as often as three numbers in a buffer say.
    fn dispatch_workgroups_indirect(
        this: &Bound<'_, Self>,
        indirect_buffer: &Bound<'_, Buffer>,
        indirect_offset: u64,
    ) -> Outcome<()> {
        let buffer = of(this.as_super().get().gpu(), "indirect_buffer", indirect_buffer)?;
        Self::call(this, "dispatch_workgroups_indirect", |pass| pass.dispatch_workgroups_indirect(buffer.raw(), indirect_offset))
    }

    /// Begins a group of commands, for debuggers.
    fn push_debug_group(this: &Bound<'_, Self>, group_label: &str) -> Outcome<()> {
        Self::call(this, "push_debug_group", |pass| pass.push_debug_group(group_label))
    }

    /// Ends it.
    fn pop_debug_group(this: &Bound<'_, Self>) -> Outcome<()> {
        Self::call(this, "pop_debug_group", |pass| pass.pop_debug_group())
    }

    /// Marks a place among the commands, for debuggers.
    fn insert_debug_marker(this: &Bound<'_, Self>, marker_label: &str) -> Outcome<()> {
        Self::call(this, "insert_debug_marker", |pass| pass.insert_debug_marker(marker_label))
    }

    /// Ends it: its encoder can record again.
    fn end(this: &Bound<'_, Self>) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        Self::record(this, |_| Ok(()))?;
        let pass = this.get().pass.lock().unwrap_or_else(PoisonError::into_inner).take();
        this.get().encoder.get().recording().pass = None;
        Ok(gpu.raw().call("end", || drop(pass))?)
    }
}
