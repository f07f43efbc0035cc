//! Commands: recorded by an encoder and its passes, finished, submitted once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::intern;
use pyo3::prelude::*;
use smallvec::SmallVec;
use streamlib::{Error, ErrorKind, wgpu};

use super::buffer::Buffer;
use super::fields::{Fields, TextureCopy, extent, has_texels, layout};
use super::object::{Object, make, of, some};
use super::pass::ComputePass;
use super::pipeline::QuerySet;
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
    /// Keeps a frame that commands use until they are submitted.
    fn reads(&mut self, kept: &Arc<Kept>) {
        if !self.read.iter().any(|other| other.frame.lease_id() == kept.frame.lease_id()) {
            self.read.push(kept.clone());
        }
    }

    /// The same, of commands that write it.
    fn writes(&mut self, kept: &Arc<Kept>) {
        if !self.written.iter().any(|other| other.frame.lease_id() == kept.frame.lease_id()) {
            self.written.push(kept.clone());
        }
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

    /// Keeps frames that a pass has in its groups.
    pub(super) fn reads<'a>(&self, frames: impl IntoIterator<Item = &'a Arc<Kept>>) {
        let mut recording = self.recording();
        frames.into_iter().for_each(|kept| recording.frames.reads(kept));
    }

    /// Keeps frames that a pass writes.
    pub(super) fn writes<'a>(&self, frames: impl IntoIterator<Item = &'a Arc<Kept>>) {
        let mut recording = self.recording();
        frames.into_iter().for_each(|kept| recording.frames.writes(kept));
    }

    /// It can record again.
    pub(super) fn pass_ended(&self) {
        self.recording().pass = None;
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
            (_, Some(pass)) => Err(refuse(format!("is recording {pass}"), "`end` it first, or make a new encoder")),
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
        recording.pass = Some(if label.is_empty() { "a compute pass".into() } else { format!("compute pass '{label}'") });
        drop(recording);
        make(py, Kind::ComputePass, gpu, label, ComputePass::new(pass, this.clone().unbind()))
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
            if let Some(kept) = texture.kept() {
                kept.check_writable(gpu, "copy_buffer_to_texture")?;
                if has_texels(size) {
                    frames.writes(kept);
                }
            }
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
            texture.kept().into_iter().for_each(|kept| frames.reads(kept));
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
            if let Some(kept) = written.kept() {
                kept.check_writable(gpu, "copy_texture_to_texture")?;
                if has_texels(size) {
                    frames.writes(kept);
                }
            }
            read.kept().into_iter().for_each(|kept| frames.reads(kept));
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
        let label = if label.is_empty() { this.as_super().get().label() } else { label };
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
                let called = buffer.as_super().get().called("command buffer");
                frames.written.iter().try_for_each(|kept| kept.check_writable(gpu, format_args!("submit of {called}")))?;
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
