//! Buffers, and their memory while it is the CPU's.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyMemoryView, PyTuple, PyWeakrefMethods, PyWeakrefReference};
use streamlib::{Error, ErrorKind, wgpu};

use super::data::{bytes, memory};
use super::object::{Object, make, some};
use super::promise::{Mapping, PATIENCE};
use crate::debug::{Alive, Kind};
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

/// Whose the memory is.
struct Memory {
    state: State,
    /// The memoryviews that were made of it without a copy.
    views: Vec<Py<PyWeakrefReference>>,
    /// As many holders, beside this one, as there are arrays in it.
    lent: Arc<()>,
}

enum State {
    Unmapped,
    Pending { mapping: Arc<streamlib::Mapping>, mode: wgpu::MapMode, range: Range<u64> },
    Mapped { mode: wgpu::MapMode, range: Range<u64> },
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
        let memory = Mutex::new(Memory { state, views: Vec::new(), lent: Arc::new(()) });
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
    fn part(this: &Bound<'_, Self>, mode: wgpu::MapMode, offset: Option<i64>, size: Option<u64>) -> Outcome<Range<u64>> {
        let memory = this.get().settled();
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
        py.detach(scope::flush)?;
        // The lock is held while wgpu is asked, so that of two threads one is refused.
        let mut memory = me.settled();
        match memory.state {
            State::Mapped { .. } => return Err(Self::refuse(this, "is mapped already")),
            State::Pending { .. } => return Err(Self::refuse(this, "is being mapped already")),
            State::Unmapped => {}
        }
        let mapping = Arc::new(gpu.raw().map(&me.raw, mode, range.clone())?);
        memory.state = State::Pending { mapping: mapping.clone(), mode, range };
        Ok(mapping)
    }

    /// Takes the memory back from what was made of it without a copy.
    fn take_back(this: &Bound<'_, Self>) -> Outcome<()> {
        let views = std::mem::take(&mut this.get().memory().views);
        // One that an array was made from cannot be released yet; that is looked for below.
        let in_use = views
            .into_iter()
            .filter(|view| view.bind(this.py()).upgrade().is_some_and(|view| view.call_method0("release").is_err()));
        let in_use: Vec<_> = in_use.collect();
        this.get().memory().views.extend(in_use);
        match Arc::strong_count(&this.get().memory().lent) - 1 {
            0 => Ok(()),
            arrays => {
                let called = this.as_super().get().called("buffer");
                Err(Error::new(ErrorKind::Gpu, format!("{called} is in use: {arrays} arrays or views lie in its mapped memory"))
                    .hint("let go of them (`del`) first, or copy")
                    .into())
            }
        }
    }
}

fn unmappable(error: wgpu::MapRangeError) -> Failure {
    Error::new(ErrorKind::Gpu, format!("the mapped memory cannot be used: {error}")).into()
}

fn map_mode(mode: &Bound<'_, PyAny>) -> Outcome<wgpu::MapMode> {
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
            State::Unmapped => "unmapped",
            State::Pending { .. } => "pending",
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
        this.py().detach(|| mapping.wait(PATIENCE))?;
        Ok(())
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

    /// Gives the memory back to the GPU. Memoryviews that were made of it without a copy are released; as long as arrays that were made
    /// from those live, it is refused.
    fn unmap(this: &Bound<'_, Self>) -> Outcome<()> {
        if matches!(this.get().settled().state, State::Unmapped) {
            return Err(Self::refuse(this, "is not mapped"));
        }
        Self::take_back(this)?;
        let mut memory = this.get().memory();
        memory.state = State::Unmapped;
        this.get().raw.unmap();
        Ok(())
    }

    /// The mapped bytes, or a part of them: a copy, or, with `copy=False`, a read-only memoryview of the memory itself, which `unmap` releases.
    #[pyo3(signature = (buffer_offset=None, size=None, *, copy=true) -> "memoryview")]
    fn read_mapped<'py>(
        this: &Bound<'py, Self>,
        buffer_offset: Option<i64>,
        size: Option<u64>,
        copy: bool,
    ) -> Outcome<Bound<'py, PyMemoryView>> {
        let range = Self::part(this, wgpu::MapMode::Read, buffer_offset, size)?;
        if !copy {
            return MappedRange::lend(this, wgpu::MapMode::Read, range);
        }
        let view = this.get().raw.get_mapped_range(range).map_err(unmappable)?;
        memory(this.py(), &view)
    }

    /// Writes to the mapped bytes: a multiple of 4 bytes, to an offset that is one of 8.
    #[pyo3(signature = (data: "typing.Any", buffer_offset=None))]
    fn write_mapped(this: &Bound<'_, Self>, data: &Bound<'_, PyAny>, buffer_offset: Option<i64>) -> Outcome<()> {
        let data = bytes("data", data)?;
        let data = data.as_bytes();
        let range = Self::part(this, wgpu::MapMode::Write, buffer_offset, Some(data.len() as u64))?;
        this.get().write(range.start, data)
    }

    /// The mapped memory itself, as a memoryview that `unmap` releases: to be written, or, if it is mapped for reading, read-only.
    #[pyo3(signature = (offset=0, size=None) -> "memoryview")]
    fn get_mapped_range<'py>(this: &Bound<'py, Self>, offset: i64, size: Option<u64>) -> Outcome<Bound<'py, PyMemoryView>> {
        let mode = match this.get().settled().state {
            State::Mapped { mode, .. } => mode,
            _ => wgpu::MapMode::Read,
        };
        let range = Self::part(this, mode, Some(offset), size)?;
        MappedRange::lend(this, mode, range)
    }

    /// Frees its memory now, whoever refers to it; whatever is submitted with it from then on is refused.
    fn destroy(this: &Bound<'_, Self>) -> Outcome<()> {
        Self::take_back(this)?;
        let mut memory = this.get().memory();
        memory.state = State::Unmapped;
        this.get().raw.destroy();
        Ok(())
    }
}

/// The memory of a buffer, while it is mapped: what is behind a memoryview without a copy.
#[pyclass(frozen, weakref, module = "streamlib._native")]
pub struct MappedRange {
    address: usize,
    bytes: usize,
    is_read_only: bool,
    /// wgpu's, which knows of it as long as it lives.
    _view: View,
    _lent: Arc<()>,
    _alive: Alive,
}

enum View {
    Read(#[allow(dead_code, reason = "it is held")] wgpu::BufferView),
    Write(#[allow(dead_code, reason = "it is held")] wgpu::BufferViewMut),
}

impl MappedRange {
    fn lend<'py>(buffer: &Bound<'py, Buffer>, mode: wgpu::MapMode, range: Range<u64>) -> Outcome<Bound<'py, PyMemoryView>> {
        let (py, me) = (buffer.py(), buffer.get());
        let bytes = (range.end - range.start) as usize;
        let (view, address) = match mode {
            wgpu::MapMode::Read => {
                let view = me.raw.get_mapped_range(range).map_err(unmappable)?;
                let address = view.as_ptr().addr();
                (View::Read(view), address)
            }
            wgpu::MapMode::Write => {
                let mut view = me.raw.get_mapped_range_mut(range).map_err(unmappable)?;
                let address = view.slice(..).as_raw_ptr().cast::<u8>().addr().get();
                (View::Write(view), address)
            }
        };
        let is_read_only = mode == wgpu::MapMode::Read;
        let lent = me.memory().lent.clone();
        let alive = Alive::new(Kind::MappedRange);
        let range = Self { address, bytes, is_read_only, _view: view, _lent: lent, _alive: alive };
        let array = PyModule::import(py, "numpy")?.call_method1("asarray", (Bound::new(py, range)?,))?;
        let view = PyMemoryView::from(&array)?;
        let weak = PyWeakrefReference::new(&view)?.unbind();
        let mut memory = me.memory();
        memory.views.retain(|view| view.bind(py).upgrade().is_some());
        memory.views.push(weak);
        Ok(view)
    }
}

#[pymethods]
impl MappedRange {
    /// numpy's protocol: where the bytes lie. They live as long as this object.
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> Outcome<HashMap<&'static str, Bound<'py, PyAny>>> {
        Ok(HashMap::from([
            ("version", 3i32.into_bound_py_any(py)?),
            ("typestr", "|u1".into_bound_py_any(py)?),
            ("shape", PyTuple::new(py, [self.bytes])?.into_any()),
            ("data", (self.address, self.is_read_only).into_bound_py_any(py)?),
        ]))
    }
}
