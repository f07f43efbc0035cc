//! Pixels on the CPU: arrays of numpy's on their way to a frame, and a frame's on their way to numpy.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use numpy::{PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use streamlib::{PixelFormat, Size, VideoFormat};

use crate::debug::{Alive, Kind};
use crate::errors::{Outcome, wrong, wrong_type};
use crate::scope;
use crate::waiting::wait_ready;

/// Of so many arrays the memory is used again when they go; that of those beyond is their own. Streams that keep one or two of the last
/// frames allocate nothing; who keeps thousands takes nothing away from others.
const IN_THE_RING: usize = 4;

static ARRAYS: AtomicUsize = AtomicUsize::new(0);

/// The pixels of a frame, where the GPU has written them: what is behind an array of `to_numpy`.
#[pyclass(frozen, weakref, module = "streamlib._native")]
pub struct Pixels {
    view: streamlib::ReadBackView,
    _alive: Alive,
}

impl Drop for Pixels {
    fn drop(&mut self) {
        ARRAYS.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pixels {
    fn new(view: streamlib::ReadBackView) -> Self {
        let view = if ARRAYS.fetch_add(1, Ordering::Relaxed) < IN_THE_RING { view } else { view.keep() };
        Self { view, _alive: Alive::new(Kind::Pixels) }
    }

    fn into_numpy(self, py: Python<'_>, copy: bool) -> Outcome<Bound<'_, PyAny>> {
        let numpy = PyModule::import(py, "numpy")?;
        let array = numpy.call_method1("asarray", (Bound::new(py, self)?,))?;
        match copy {
            false => Ok(array),
            true => {
                let options = PyDict::new(py);
                options.set_item("order", "C")?;
                Ok(numpy.call_method("array", (array,), Some(&options))?)
            }
        }
    }
}

#[pymethods]
impl Pixels {
    /// numpy's protocol: where the bytes lie. They live as long as this object.
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> Outcome<HashMap<&'static str, Bound<'py, PyAny>>> {
        let shape = shape(self.view.format());
        let inner = shape[2..].iter().product::<usize>();
        let strides: Vec<usize> = match shape.len() {
            2 => vec![self.view.stride(), 1],
            _ => vec![self.view.stride(), inner, 1],
        };
        Ok(HashMap::from([
            ("version", 3i32.into_bound_py_any(py)?),
            ("typestr", "|u1".into_bound_py_any(py)?),
            ("shape", PyTuple::new(py, shape)?.into_any()),
            ("strides", PyTuple::new(py, strides)?.into_any()),
            ("data", (self.view.as_ptr().addr(), true).into_bound_py_any(py)?),
        ]))
    }
}

/// The shape of an array with such pixels.
fn shape(format: VideoFormat) -> Vec<usize> {
    let (width, height) = (format.size.width() as usize, format.size.height() as usize);
    let texture = format.texture_size();
    match format.pixel {
        PixelFormat::Rgba8 => vec![height, width, 4],
        PixelFormat::Rgb24 | PixelFormat::Bgr24 => vec![height, width, 3],
        PixelFormat::Yuyv | PixelFormat::Uyvy => vec![height, texture.width as usize * 2, 2],
        _ => vec![texture.height as usize, texture.width as usize],
    }
}

/// Pixels on their way to the CPU. `await` it, or `wait` for it, for an array.
#[pyclass(frozen, weakref, module = "streamlib")]
pub struct ReadBack {
    pixels: Mutex<Option<streamlib::ReadBack>>,
    _alive: Alive,
}

impl ReadBack {
    pub(crate) fn new(pixels: streamlib::ReadBack) -> Self {
        Self { pixels: Mutex::new(Some(pixels)), _alive: Alive::new(Kind::ReadBack) }
    }

    fn pixels(&self) -> MutexGuard<'_, Option<streamlib::ReadBack>> {
        self.pixels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl ReadBack {
    /// Whether `wait` would return at once.
    #[getter]
    fn is_ready(&self) -> bool {
        self.pixels().as_ref().is_none_or(streamlib::ReadBack::is_ready)
    }

    /// The array, as `VideoFrame.to_numpy` gives it. Blocks, without the interpreter's lock, until it is there. Once.
    #[pyo3(signature = (*, copy=false) -> "numpy.typing.NDArray[numpy.uint8]")]
    fn wait<'py>(&self, py: Python<'py>, copy: bool) -> Outcome<Bound<'py, PyAny>> {
        let ready = self.pixels().as_ref().and_then(streamlib::ReadBack::ready);
        wait_ready(py, ready)?;
        let Some(pixels) = self.pixels().take() else {
            return Err(streamlib::Error::new(streamlib::ErrorKind::InvalidArgument, "this read-back was waited for already")
                .hint("keep the array that it gave")
                .into());
        };
        let view = py.detach(|| pixels.wait())?;
        Pixels::new(view).into_numpy(py, copy)
    }

    fn __await__<'py>(slf: &Bound<'py, Self>) -> Outcome<Bound<'py, PyAny>> {
        let asyncio = PyModule::import(slf.py(), "asyncio")?;
        let wait = slf.getattr("wait")?;
        Ok(asyncio.call_method1("to_thread", (wait,))?.call_method0("__await__")?)
    }
}

/// The array, once the GPU has written it.
pub(crate) fn read(py: Python<'_>, pixels: streamlib::ReadBack, copy: bool) -> Outcome<Bound<'_, PyAny>> {
    wait_ready(py, pixels.ready())?;
    let view = py.detach(|| pixels.wait())?;
    Pixels::new(view).into_numpy(py, copy)
}

/// An array that is a picture.
pub(crate) struct Picture<'py> {
    array: Bound<'py, PyArrayDyn<u8>>,
    format: VideoFormat,
}

impl<'py> Picture<'py> {
    /// Checks type and shape; without a format, the shape says which.
    pub(crate) fn of(array: &Bound<'py, PyAny>, format: Option<PixelFormat>) -> Outcome<Self> {
        const EXPECTED: &str = "a numpy array of uint8";
        let Ok(array) = array.cast::<PyArrayDyn<u8>>() else {
            let Ok(dtype) = array.getattr("dtype") else { return Err(wrong_type("array", EXPECTED, array)) };
            return Err(crate::errors::Failure::Python(pyo3::exceptions::PyTypeError::new_err(format!(
                "argument 'array': expected {EXPECTED}, got one of {dtype}; convert it with `array.astype(numpy.uint8)`"
            ))));
        };
        let given = array.shape();
        let pixel = match (format, given) {
            (Some(format), _) => format,
            (None, [_, _, 4]) => PixelFormat::Rgba8,
            (None, [_, _, 3]) => PixelFormat::Rgb24,
            (None, [_, _]) => PixelFormat::Grey8,
            (None, given) => {
                let hint = "expected [height, width, 4] (rgba8), [height, width, 3] (rgb24) or [height, width] (grey8)";
                return Err(wrong("array", format!("its shape is {given:?}; {hint}")));
            }
        };
        let (width, height) = match (pixel, given) {
            (PixelFormat::Nv12 | PixelFormat::I420, [rows, columns]) => (*columns, rows / 3 * 2),
            (PixelFormat::I422, [rows, columns]) => (*columns, rows / 2),
            (PixelFormat::I444, [rows, columns]) => (*columns, rows / 3),
            (_, [rows, columns, ..]) => (*columns, *rows),
            _ => (0, 0),
        };
        let size = match (u32::try_from(width), u32::try_from(height)) {
            (Ok(width), Ok(height)) => Size::new(width, height).ok(),
            _ => None,
        };
        let format = size.map(|size| VideoFormat::rgba8(size).with_pixel(pixel));
        match format {
            Some(format) if shape(format) == given => Ok(Self { array: array.clone(), format }),
            _ => {
                let expected = match pixel {
                    PixelFormat::Rgba8 => "[height, width, 4]",
                    PixelFormat::Rgb24 | PixelFormat::Bgr24 => "[height, width, 3]",
                    PixelFormat::Yuyv | PixelFormat::Uyvy => "[height, even width, 2]",
                    PixelFormat::Nv12 | PixelFormat::I420 => "[even height * 3 / 2, even width]",
                    PixelFormat::I422 => "[height * 2, even width]",
                    PixelFormat::I444 => "[height * 3, width]",
                    _ => "[height, width]",
                };
                Err(wrong("array", format!("its shape is {given:?}; a picture of {pixel} is {expected}, sides from 1 to 16384")))
            }
        }
    }

    pub(crate) fn format(&self) -> VideoFormat {
        self.format
    }

    /// Copies the rows to `memory` and records their way into `frame`.
    pub(crate) fn upload(
        &self,
        py: Python<'py>,
        gpu: &streamlib::GpuContext,
        frame: &mut streamlib::VideoFrame,
        mut memory: streamlib::UploadMemory,
    ) -> Outcome<()> {
        let borrowed = self.array.try_readonly().map_err(|error| wrong("array", error))?;
        let view = borrowed.as_array();
        let mut rows = Vec::with_capacity(view.shape()[0]);
        // Texels are padded to whole ones; a row of rgb24 whose bytes are no multiple of four ends with zeros.
        let row_bytes = self.format.row_bytes();
        let own_bytes: usize = view.shape()[1..].iter().product();
        let mut padded = Vec::new();
        for row in view.outer_iter() {
            let Some(row) = row.to_slice() else {
                let hint = "the pixels of a row must follow each other; use `numpy.ascontiguousarray(array)`";
                return Err(wrong("array", format!("its strides are {:?}; {hint}", view.strides())));
            };
            match own_bytes == row_bytes {
                true => rows.push(row),
                false => {
                    padded.extend_from_slice(row);
                    padded.resize(padded.len().next_multiple_of(row_bytes), 0);
                }
            }
        }
        if own_bytes == row_bytes {
            memory.write_rows(rows)?;
        } else {
            memory.write_rows(padded.chunks_exact(row_bytes))?;
        }
        py.detach(|| scope::record(gpu, |encoder| encoder.upload_from(frame, memory)))?;
        Ok(())
    }
}
