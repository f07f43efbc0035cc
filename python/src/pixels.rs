//! Pixels on the CPU: arrays of numpy's on their way to a frame, and a frame's on their way to numpy.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// What the GPU has written, for as long as an array shows it.
struct Arrived(streamlib::ReadBackView);

impl Arrived {
    fn new(view: streamlib::ReadBackView) -> Arc<Self> {
        Arc::new(Self(if ARRAYS.fetch_add(1, Ordering::Relaxed) < IN_THE_RING { view } else { view.keep() }))
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        ARRAYS.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The pixels of a frame, where the GPU has written them: what is behind an array of `to_numpy`.
#[pyclass(frozen, weakref, module = "streamlib._native")]
pub struct Pixels {
    arrived: Arc<Arrived>,
    _alive: Alive,
}

impl Pixels {
    fn new(arrived: Arc<Arrived>) -> Self {
        Self { arrived, _alive: Alive::new(Kind::Pixels) }
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
        let Arrived(view) = &*self.arrived;
        let shape = shape(view.format());
        let inner = shape[2..].iter().product::<usize>();
        let strides: Vec<usize> = match shape.len() {
            2 => vec![view.stride(), 1],
            _ => vec![view.stride(), inner, 1],
        };
        Ok(HashMap::from([
            ("version", 3i32.into_bound_py_any(py)?),
            ("typestr", "|u1".into_bound_py_any(py)?),
            ("shape", PyTuple::new(py, shape)?.into_any()),
            ("strides", PyTuple::new(py, strides)?.into_any()),
            ("data", (view.as_ptr().addr(), true).into_bound_py_any(py)?),
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

/// Pixels on their way to the CPU. `await` it, or `wait` for it, for an array: as often as one likes.
#[pyclass(frozen, weakref, module = "streamlib")]
pub struct ReadBack {
    pixels: Mutex<Way>,
    _alive: Alive,
}

/// How far they are.
enum Way {
    Pending(streamlib::ReadBack),
    Arrived(Arc<Arrived>),
    Failed(streamlib::Error),
}

impl ReadBack {
    pub(crate) fn new(pixels: streamlib::ReadBack) -> Self {
        Self { pixels: Mutex::new(Way::Pending(pixels)), _alive: Alive::new(Kind::ReadBack) }
    }

    /// To be locked without the interpreter's lock, unless for a moment: who has it may wait for the GPU.
    fn pixels(&self) -> MutexGuard<'_, Way> {
        self.pixels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the GPU has written. Blocks until it has.
    fn arrived(&self) -> streamlib::Result<Arc<Arrived>> {
        let mut way = self.pixels();
        let meanwhile = streamlib::Error::new(streamlib::ErrorKind::Cancelled, "the read-back was given up");
        *way = match std::mem::replace(&mut *way, Way::Failed(meanwhile)) {
            Way::Pending(pixels) => pixels.wait().map_or_else(Way::Failed, |view| Way::Arrived(Arrived::new(view))),
            other => other,
        };
        match &*way {
            Way::Arrived(arrived) => Ok(arrived.clone()),
            Way::Failed(error) => Err(error.clone()),
            Way::Pending(_) => Err(streamlib::Error::new(streamlib::ErrorKind::Stalled, "the read-back is still under way")),
        }
    }
}

#[pymethods]
impl ReadBack {
    /// Whether `wait` would return at once.
    #[getter]
    fn is_ready(&self, py: Python<'_>) -> bool {
        py.detach(|| match &*self.pixels() {
            Way::Pending(pixels) => pixels.is_ready(),
            Way::Arrived(_) | Way::Failed(_) => true,
        })
    }

    /// The array, as `VideoFrame.to_numpy` gives it. Blocks, without the interpreter's lock, until it is there.
    #[pyo3(signature = (*, copy=false) -> "numpy.typing.NDArray[numpy.uint8]")]
    fn wait<'py>(&self, py: Python<'py>, copy: bool) -> Outcome<Bound<'py, PyAny>> {
        let ready = py.detach(|| match &*self.pixels() {
            Way::Pending(pixels) => pixels.ready(),
            Way::Arrived(_) | Way::Failed(_) => None,
        });
        wait_ready(py, ready)?;
        let arrived = py.detach(|| self.arrived())?;
        Pixels::new(arrived).into_numpy(py, copy)
    }

    fn __await__<'py>(slf: &Bound<'py, Self>) -> Outcome<Bound<'py, PyAny>> {
        let wait = slf.getattr("wait")?;
        Ok(PyModule::import(slf.py(), "streamlib.waits")?.call_method1("in_a_thread", (wait,))?.call_method0("__await__")?)
    }
}

/// The array, once the GPU has written it.
pub(crate) fn read(py: Python<'_>, pixels: streamlib::ReadBack, copy: bool) -> Outcome<Bound<'_, PyAny>> {
    wait_ready(py, pixels.ready())?;
    let view = py.detach(|| pixels.wait())?;
    Pixels::new(Arrived::new(view)).into_numpy(py, copy)
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
