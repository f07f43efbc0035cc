//! Buffers, and their memory while it is the CPU's.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyMemoryView};
use streamlib::{Error, ErrorKind, wgpu};

use super::data::{Data, copy};
use super::mapped::{Lent, MappedBytes, release};
use super::object::{Object, make, naming, some};
use super::promise::{Mapping, wait_mapped};
use super::words::check_class;
use crate::debug::Kind;
use crate::errors::{Failure, Outcome, wrong};
use crate::scope;

/// Bytes on the GPU.
///
/// With `MAP_READ` or `MAP_WRITE`, the CPU can have its memory for a while: `map_sync`, then `read_mapped` or `write_mapped`, then `unmap`. Others are
/// written and read by the queue.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub struct Buffer {
    /// As large as asked for, rounded up to whole words: only those can be copied and mapped.
    raw: wgpu::Buffer,
    bytes: u64,
    memory: Mutex<Memory>,
}

/// Whose the memory is, and what Python was given of it.
struct Memory {
    state: State,
    lent: Vec<Lent>,
    /// How many calls are copying from it, during which it stays mapped.
    readers: usize,
}

/// While this lives, a buffer's memory stays mapped: what is copied meanwhile is copied without the lock.
struct Reading<'a>(&'a Buffer);

impl<'a> Reading<'a> {
    fn begin(buffer: &'a Buffer, mut held: MutexGuard<'_, Memory>) -> Self {
        held.readers += 1;
        Self(buffer)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.memory().readers -= 1;
    }
}

enum State {
    Destroyed,
    Unmapped,
    /// A call is asking wgpu to map it.
    Asked,
    Pending {
        mapping: Arc<streamlib::Mapping>,
        mode: wgpu::MapMode,
        range: Range<u64>,
    },
    Mapped {
        mode: wgpu::MapMode,
        range: Range<u64>,
    },
}

impl Buffer {
    pub(super) fn new<'py>(
        py: Python<'py>,
        gpu: &streamlib::GpuContext,
        descriptor: &wgpu::BufferDescriptor<'_>,
    ) -> Outcome<Bound<'py, Self>> {
        let size = descriptor.size.checked_next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT).unwrap_or(descriptor.size);
        let raw = gpu.raw().create_buffer(&wgpu::BufferDescriptor { size, ..descriptor.clone() })?;
        let state = match descriptor.mapped_at_creation {
            true => State::Mapped { mode: wgpu::MapMode::Write, range: 0..size },
            false => State::Unmapped,
        };
        let memory = Mutex::new(Memory { state, lent: Vec::new(), readers: 0 });
        make(py, Kind::Buffer, gpu, descriptor.label.unwrap_or_default(), Self { raw, bytes: descriptor.size, memory })
    }

    /// One with these bytes.
    pub(super) fn with_data<'py>(
        py: Python<'py>,
        gpu: &streamlib::GpuContext,
        label: &str,
        data: &[u8],
        usage: wgpu::BufferUsages,
    ) -> Outcome<Bound<'py, Self>> {
        let size = data.len() as u64;
        let descriptor = wgpu::BufferDescriptor { label: some(label), size, usage, mapped_at_creation: true };
        let buffer = Self::new(py, gpu, &descriptor)?;
        let this = buffer.get();
        if !data.is_empty() {
            this.write(0, data)?;
        }
        this.raw.unmap();
        this.memory().state = State::Unmapped;
        Ok(buffer)
    }

    pub(crate) fn raw(&self) -> &wgpu::Buffer {
        &self.raw
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory, of which it is known whose it is by now.
    fn settled(&self) -> MutexGuard<'_, Memory> {
        let mut memory = self.memory();
        if let State::Pending { mapping, mode, range } = &memory.state
            && mapping.is_ready()
        {
            memory.state = match mapping.wait(std::time::Duration::ZERO) {
                Ok(()) => State::Mapped { mode: *mode, range: range.clone() },
                Err(_) => State::Unmapped,
            };
        }
        memory
    }

    /// The end of the part that begins at `offset`, or at the begin of what is mapped: all there is, unless told.
    fn part(
        this: &Bound<'_, Self>,
        memory: &Memory,
        mode: wgpu::MapMode,
        offset: Option<i64>,
        size: Option<u64>,
    ) -> Outcome<Range<u64>> {
        // The memory of a device that is gone goes with it.
        this.as_super().get().gpu().check_alive()?;
        let State::Mapped { mode: mapped, range } = &memory.state else { return Err(Self::refuse(this, "is not mapped")) };
        if *mapped != mode {
            let message = match mapped {
                wgpu::MapMode::Read => "is mapped to be read, not to be written",
                wgpu::MapMode::Write => "is mapped to be written, not to be read",
            };
            return Err(Self::refuse(this, message));
        }
        let begin = match offset {
            None => range.start,
            Some(offset) => u64::try_from(offset).map_err(|_| wrong("buffer_offset", format!("it cannot be {offset}")))?,
        };
        if !begin.is_multiple_of(wgpu::MAP_ALIGNMENT) {
            return Err(wrong("buffer_offset", format!("it is {begin}, but must be a multiple of {}", wgpu::MAP_ALIGNMENT)));
        }
        let size = size.unwrap_or(range.end.saturating_sub(begin));
        let end = begin.checked_add(size).filter(|end| begin >= range.start && *end <= range.end);
        let end = end.ok_or_else(|| {
            wrong(
                "size",
                format!("bytes {begin} to {} are not within those that are mapped, {range:?}", begin.saturating_add(size)),
            )
        })?;
        if size == 0 || !size.is_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT) {
            return Err(wrong("size", format!("it is {size} bytes, but must be a multiple of 4, and not 0")));
        }
        Ok(begin..end)
    }

    fn refuse(this: &Bound<'_, Self>, message: &str) -> Failure {
        let called = this.as_super().get().called("buffer");
        Error::new(ErrorKind::Gpu, format!("{called} {message}")).into()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Outcome<()> {
        let padded = (data.len() as u64).next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT);
        let view = self.raw.get_mapped_range_mut(offset..offset + padded);
        view.map_err(unmappable)?.slice(..data.len()).copy_from_slice(data);
        Ok(())
    }

    /// Has the memory mapped, once the GPU has done what was submitted with it.
    fn begin(
        this: &Bound<'_, Self>,
        mode: &Bound<'_, PyAny>,
        offset: u64,
        size: Option<u64>,
    ) -> Outcome<Arc<streamlib::Mapping>> {
        let (mode, me) = (map_mode(mode)?, this.get());
        let range = offset..size.map_or(me.raw.size(), |size| offset.saturating_add(size));
        let gpu = this.as_super().get().gpu();
        let py = this.py();
        let (needed, other) = match mode {
            wgpu::MapMode::Read => (wgpu::BufferUsages::MAP_READ, "MAP_READ | COPY_DST"),
            wgpu::MapMode::Write => (wgpu::BufferUsages::MAP_WRITE, "MAP_WRITE | COPY_SRC"),
        };
        py.detach(scope::flush)?;
        let mut memory = me.settled();
        match memory.state {
            State::Mapped { .. } => return Err(Self::refuse(this, "is mapped already")),
            State::Asked | State::Pending { .. } => return Err(Self::refuse(this, "is being mapped already")),
            State::Destroyed => return Err(Self::refuse(this, "was destroyed")),
            State::Unmapped => {}
        }
        if !me.raw.usage().contains(needed) {
            return Err(Self::refuse(
                this,
                &format!("cannot be mapped so: that takes one for {other}, to or from which it is copied"),
            ));
        }
        // To ask takes a submission, which some drivers hold up: neither lock is held meanwhile.
        memory.state = State::Asked;
        drop(memory);
        let asked = py.detach(|| gpu.raw().map(&me.raw, mode, range.clone()));
        let mut memory = me.memory();
        // It may have been destroyed meanwhile.
        let is_asked = matches!(memory.state, State::Asked);
        let mapping = match asked {
            Ok(mapping) => Arc::new(mapping),
            Err(refused) => {
                if is_asked {
                    memory.state = State::Unmapped;
                }
                drop(memory);
                return Err(naming(this, "buffer", refused));
            }
        };
        if is_asked {
            memory.state = State::Pending { mapping: mapping.clone(), mode, range };
        }
        Ok(mapping)
    }

    /// Refuses a buffer that the GPU cannot use: one that was given as this argument.
    pub(crate) fn check_usable(this: &Bound<'_, Self>, argument: &str) -> Outcome<()> {
        let called = || this.as_super().get().called("buffer");
        match this.get().settled().state {
            State::Unmapped => Ok(()),
            State::Destroyed => Err(wrong(argument, format!("{} was destroyed", called()))),
            _ => Err(wrong(argument, format!("{} is mapped; `unmap` it first", called()))),
        }
    }

    /// Fails if a part of these bytes is in Python's hands, to be written.
    fn check_not_lent(this: &Bound<'_, Self>, memory: &Memory, range: &Range<u64>) -> Outcome<()> {
        match memory.lent.iter().any(|lent| lent.range.start < range.end && range.start < lent.range.end) {
            true => Err(Self::refuse(this, "was asked for bytes that `get_mapped_range` gave already: ranges may not overlap")),
            false => Ok(()),
        }
    }

    /// A part of the mapped memory, for Python to read or to write.
    fn lend<'py>(this: &Bound<'py, Self>, offset: Option<i64>, size: Option<u64>) -> Outcome<Bound<'py, PyMemoryView>> {
        let (py, me) = (this.py(), this.get());
        let held = me.settled();
        let mode = match held.state {
            State::Mapped { mode, .. } => mode,
            _ => wgpu::MapMode::Read,
        };
        let range = Self::part(this, &held, mode, offset, size)?;
        if mode == wgpu::MapMode::Write {
            Self::check_not_lent(this, &held, &range)?;
        }
        let bytes = match mode {
            wgpu::MapMode::Read => me.copied(py, held, range.clone())?,
            wgpu::MapMode::Write => Self::written(this, held, range.clone())?,
        };
        let view = PyMemoryView::from(&bytes)?;
        let view = match mode {
            wgpu::MapMode::Read => view.call_method0("toreadonly")?.cast_into::<PyMemoryView>()?,
            wgpu::MapMode::Write => view,
        };
        let mut memory = me.memory();
        if !matches!(memory.state, State::Mapped { .. }) {
            return Err(Self::refuse(this, "is not mapped"));
        }
        memory.lent.push(Lent { range, bytes: bytes.unbind(), view: view.clone().unbind() });
        Ok(view)
    }

    /// What is in memory that is mapped for reading.
    fn copied<'py>(&self, py: Python<'py>, held: MutexGuard<'_, Memory>, range: Range<u64>) -> Outcome<Bound<'py, PyByteArray>> {
        let _reading = Reading::begin(self, held);
        let view = self.raw.get_mapped_range(range).map_err(unmappable)?;
        copy(py, &view)
    }

    /// What is in memory that is mapped for writing: wgpu lends no eyes for it, numpy does.
    fn written<'py>(
        this: &Bound<'py, Self>,
        held: MutexGuard<'_, Memory>,
        range: Range<u64>,
    ) -> Outcome<Bound<'py, PyByteArray>> {
        let (py, me) = (this.py(), this.get());
        // Whatever Python does meanwhile, a finalizer's code included, it cannot unmap it. The view goes first.
        let _reading = Reading::begin(me, held);
        let mut view = me.raw.get_mapped_range_mut(range).map_err(unmappable)?;
        MappedBytes::copied(py, &mut view)
    }

    /// Ends the mapping, in one step; what was lent is written back, unless the buffer is destroyed.
    fn give_back(this: &Bound<'_, Self>, state: State) -> Outcome<()> {
        let (py, me) = (this.py(), this.get());
        let gpu = this.as_super().get().gpu();
        let mut memory = me.memory();
        if memory.readers > 0 {
            return Err(Self::refuse(this, "is being read by another call"));
        }
        let lent = std::mem::take(&mut memory.lent);
        if matches!(state, State::Destroyed) {
            memory.state = state;
            drop(memory);
            release(py, lent);
            // Some drivers have it wait for the GPU.
            return py
                .detach(|| gpu.raw().call("destroy", || me.raw.destroy()))
                .map_err(|refused| naming(this, "buffer", refused));
        }
        let is_written = matches!(memory.state, State::Mapped { mode: wgpu::MapMode::Write, .. }) && gpu.check_alive().is_ok();
        let ended = gpu.raw().call("unmap", || {
            for lent in lent.iter().filter(|_| is_written) {
                let bytes = lent.bytes.bind(py).to_vec();
                // Whoever has released the view could make the bytes more, or fewer.
                if let Ok(mut view) = me.raw.get_mapped_range_mut(lent.range.clone())
                    && view.len() == bytes.len()
                {
                    view.slice(..).copy_from_slice(&bytes);
                }
            }
            me.raw.unmap();
        });
        if ended.is_err() && gpu.check_alive().is_ok() {
            // It is as it was.
            memory.lent = lent;
            return Err(ended
                .err()
                .map_or_else(|| Self::refuse(this, "was not given back"), |refused| naming(this, "buffer", refused)));
        }
        memory.state = state;
        drop(memory);
        release(py, lent);
        Ok(ended?)
    }
}

fn unmappable(error: wgpu::MapRangeError) -> Failure {
    Error::new(ErrorKind::Gpu, format!("the mapped memory cannot be used: {error}")).into()
}

fn map_mode(mode: &Bound<'_, PyAny>) -> Outcome<wgpu::MapMode> {
    check_class("mode", mode, "MapMode", || "READ, WRITE".into())?;
    let word = mode.extract::<String>().unwrap_or_default().to_lowercase();
    match (word.as_str(), mode.extract::<u32>()) {
        ("read", _) | (_, Ok(1)) => Ok(wgpu::MapMode::Read),
        ("write", _) | (_, Ok(2)) => Ok(wgpu::MapMode::Write),
        _ => Err(wrong("mode", format!("expected 'READ' or 'WRITE' (`MapMode`), got {mode}"))),
    }
}

#[pymethods]
impl Buffer {
    /// In bytes.
    #[getter]
    pub(super) fn size(&self) -> u64 {
        self.bytes
    }

    /// What it may be used for: `BufferUsage` flags.
    #[getter]
    fn usage(&self) -> u32 {
        self.raw.usage().bits()
    }

    /// `unmapped`, `pending` or `mapped`.
    #[getter]
    fn map_state(&self) -> &'static str {
        match self.settled().state {
            State::Unmapped | State::Destroyed => "unmapped",
            State::Asked | State::Pending { .. } => "pending",
            State::Mapped { .. } => "mapped",
        }
    }

    fn __repr__(this: &Bound<'_, Self>) -> String {
        this.as_super().get().described("Buffer", &format!(" of {} bytes", this.get().bytes))
    }

    /// Maps the memory, or a part of it, for `"READ"` or `"WRITE"`. Blocks, without the interpreter's lock, until the GPU has done what was submitted
    /// with it. The offset is a multiple of 8, the size of 4.
    #[pyo3(signature = (mode: "int | str", offset=0, size=None))]
    fn map_sync(this: &Bound<'_, Self>, mode: &Bound<'_, PyAny>, offset: u64, size: Option<u64>) -> Outcome<()> {
        let mapping = Self::begin(this, mode, offset, size)?;
        wait_mapped(this.py(), &mapping).inspect_err(|_| {
            // A wait that was interrupted has not mapped it; unless somebody else has meanwhile.
            let is_this = |state: &State| match state {
                State::Pending { mapping: pending, .. } => Arc::ptr_eq(pending, &mapping),
                _ => false,
            };
            if is_this(&this.get().memory().state) {
                let _ = Self::give_back(this, State::Unmapped);
            }
        })
    }

    /// The same, at once: `await` what is returned, or call its `sync_wait`.
    #[pyo3(signature = (mode: "int | str", offset=0, size=None) -> "streamlib.webgpu.Promise[None]")]
    fn map_async<'py>(
        this: &Bound<'py, Self>,
        mode: &Bound<'py, PyAny>,
        offset: u64,
        size: Option<u64>,
    ) -> Outcome<Bound<'py, PyAny>> {
        Mapping::promise(this.py(), Self::begin(this, mode, offset, size)?)
    }

    /// Gives the memory back to the GPU, with what was written to it. Memoryviews of it are released; arrays that were made from those keep their
    /// bytes, which are the buffer's no more.
    fn unmap(this: &Bound<'_, Self>) -> Outcome<()> {
        match this.get().settled().state {
            State::Unmapped | State::Destroyed => return Err(Self::refuse(this, "is not mapped")),
            State::Asked => return Err(Self::refuse(this, "is being mapped by another call: wait for that first")),
            State::Pending { .. } | State::Mapped { .. } => {}
        }
        Self::give_back(this, State::Unmapped)
    }

    /// The mapped bytes, or a part of them: to be kept, or, with `copy=False`, a read-only memoryview that `unmap` releases.
    #[pyo3(signature = (buffer_offset=None, size=None, *, copy=true) -> "memoryview")]
    fn read_mapped<'py>(
        this: &Bound<'py, Self>,
        buffer_offset: Option<i64>,
        size: Option<u64>,
        copy: bool,
    ) -> Outcome<Bound<'py, PyMemoryView>> {
        if !copy {
            // Refuses what is mapped for writing.
            Self::part(this, &this.get().settled(), wgpu::MapMode::Read, buffer_offset, size)?;
            return Self::lend(this, buffer_offset, size);
        }
        let held = this.get().settled();
        let range = Self::part(this, &held, wgpu::MapMode::Read, buffer_offset, size)?;
        let copied = this.get().copied(this.py(), held, range)?;
        Ok(PyMemoryView::from(&copied)?)
    }

    /// Writes to the mapped bytes: a multiple of 4 bytes, to an offset that is one of 8.
    #[pyo3(signature = (data: "typing.Any", buffer_offset=None))]
    fn write_mapped(this: &Bound<'_, Self>, data: &Bound<'_, PyAny>, buffer_offset: Option<i64>) -> Outcome<()> {
        let data = Data::of("data", data)?;
        let held = this.get().settled();
        let range = Self::part(this, &held, wgpu::MapMode::Write, buffer_offset, Some(data.len() as u64))?;
        Self::check_not_lent(this, &held, &range)?;
        this.get().write(range.start, &data)
    }

    /// The mapped memory, or a part of it, as a memoryview that `unmap` releases: to be written, or, if it is mapped for reading, read-only.
    #[pyo3(signature = (offset=0, size=None) -> "memoryview")]
    fn get_mapped_range<'py>(this: &Bound<'py, Self>, offset: i64, size: Option<u64>) -> Outcome<Bound<'py, PyMemoryView>> {
        Self::lend(this, Some(offset), size)
    }

    /// Frees its memory now, whoever refers to it; whatever is submitted with it from then on is refused.
    fn destroy(this: &Bound<'_, Self>) -> Outcome<()> {
        // What was recorded with it before comes before.
        this.py().detach(scope::flush)?;
        Self::give_back(this, State::Destroyed)
    }
}
