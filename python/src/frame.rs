//! `VideoFrame`: the engine's own handle, in an object of Python's.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyBufferError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString};
use streamlib::{Error, ErrorKind, PixelFormat, Timestamp};

use crate::debug::{Alive, Holding, Kind};
use crate::errors::{Outcome, wrong, wrong_type};
use crate::gpu::GpuContext;
use crate::pixels::{Picture, ReadBack};
use crate::scope;
use crate::waiting;
use crate::webgpu::Texture;

/// How long a frame that another thread has yet to submit is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// A picture on the GPU: a texture, what its pixels mean, when it was captured and its place in the stream.
///
/// It holds the very texture that the engine holds; no pixel is copied. When the last object that holds it goes, the texture is used again
/// for another frame. Once it was sent it cannot be changed: draw into a frame that is `like` it, or `edit` it.
#[pyclass(frozen, weakref, module = "streamlib")]
pub struct VideoFrame {
    frame: streamlib::VideoFrame,
    gpu: streamlib::GpuContext,
    holding: Holding,
    _alive: Alive,
}

static WAS_MADE: AtomicBool = AtomicBool::new(false);

impl VideoFrame {
    pub(crate) fn new(py: Python<'_>, frame: streamlib::VideoFrame, gpu: streamlib::GpuContext) -> Self {
        WAS_MADE.store(true, Ordering::Relaxed);
        let holding = Holding::new(py, frame.lease_id());
        Self { frame, gpu, holding, _alive: Alive::new(Kind::VideoFrame) }
    }

    /// For a frame that a function at this place is about to be given.
    pub(crate) fn for_call(
        py: Python<'_>,
        frame: streamlib::VideoFrame,
        gpu: streamlib::GpuContext,
        place: Option<&(String, u32)>,
    ) -> Self {
        let frame = Self::new(py, frame, gpu);
        Self { holding: frame.holding.at(place), ..frame }
    }

    pub(crate) fn frame(&self) -> &streamlib::VideoFrame {
        &self.frame
    }

    /// Whether Python ever had one.
    pub(crate) fn was_made() -> bool {
        WAS_MADE.load(Ordering::Relaxed)
    }

    /// Another description of the same texture.
    fn changed(&self, py: Python<'_>, change: impl FnOnce(streamlib::VideoFrame) -> streamlib::VideoFrame) -> Self {
        Self::new(py, change(self.frame.clone()), self.gpu.clone())
    }

    /// Records a read-back where what writes the frame has been submitted, or comes before it.
    fn read(&self, py: Python<'_>) -> Outcome<streamlib::ReadBack> {
        // What is of a device that is gone will never be written.
        self.gpu.check_alive()?;
        let is_written = || scope::is_written(&self.gpu, &self.frame);
        // Who writes it may wait for what this call has recorded.
        if !is_written() || scope::keeps_staging() {
            py.detach(scope::flush)?;
        }
        let is_there = waiting::wait(py, Some(PATIENCE), |slice| {
            let until = Instant::now() + slice;
            while !is_written() {
                if Instant::now() >= until {
                    return false;
                }
                std::thread::sleep(Duration::from_micros(200));
            }
            true
        })?;
        if !is_there {
            return Err(Error::new(ErrorKind::Stalled, "the frame has no pixels yet: what writes it was not submitted")
                .hint("write it first; what a processor records is submitted when its `process` returns")
                .into());
        }
        Ok(py.detach(|| {
            let pixels = scope::record(&self.gpu, |encoder| encoder.read_back(&self.frame))?;
            scope::flush().map(|()| pixels)
        })?)
    }
}

/// The format of that name.
pub(crate) fn pixel_format(name: &str) -> Outcome<PixelFormat> {
    PixelFormat::ALL.iter().copied().find(|format| format.name() == name).ok_or_else(|| {
        let names: Vec<_> = PixelFormat::ALL.iter().map(|format| format.name()).collect();
        wrong("format", format!("there is no pixel format '{name}'; there is: {}", names.join(", ")))
    })
}

#[pymethods]
impl VideoFrame {
    /// A frame with the pixels of an array of `uint8`.
    ///
    /// `[height, width, 4]` is `rgba8`, `[height, width, 3]` is `rgb24` (say `format="bgr24"` for OpenCV's order), `[height, width]` is
    /// `grey8`; for other formats see `to_numpy`. One copy, into memory that the GPU reads; rows may lie apart, but the pixels of a row must
    /// follow each other. `time` is in nanoseconds, `sequence` the place in the stream: by default those of the frame that `process` was given, else 0. `gpu`
    /// is the process's by default.
    #[staticmethod]
    #[pyo3(signature = (array: "numpy.typing.NDArray[typing.Any]", *, format=None, time=None, sequence=None, gpu=None))]
    fn from_numpy(
        py: Python<'_>,
        array: &Bound<'_, PyAny>,
        format: Option<&str>,
        time: Option<i64>,
        sequence: Option<u64>,
        gpu: Option<&GpuContext>,
    ) -> Outcome<Self> {
        let picture = Picture::of(array, format.map(pixel_format).transpose()?)?;
        let gpu = match gpu {
            Some(gpu) => gpu.gpu.clone(),
            None => py.detach(|| crate::gpu::runtime(Default::default()).gpu())?,
        };
        let taker = scope::taker();
        let format = picture.format();
        let (frame, memory) = py.detach(|| {
            let memory = gpu.upload_memory(format, &taker)?;
            Ok::<_, Error>((gpu.frame(format, taker)?, memory))
        })?;
        let mut frame = scope::stamped(frame);
        if let Some(time) = time {
            frame = frame.with_time(Timestamp::from_nanos(time));
        }
        if let Some(sequence) = sequence {
            frame = frame.with_sequence(sequence);
        }
        picture.upload(py, &gpu, &mut frame, memory)?;
        Ok(Self::new(py, frame, gpu))
    }

    /// Replaces the pixels by those of an array, which must have the frame's shape; see `from_numpy`.
    ///
    /// Raises `streamlib.InvalidArgumentError` if the frame was sent already.
    #[pyo3(signature = (array: "numpy.typing.NDArray[typing.Any]"))]
    fn write(&self, py: Python<'_>, array: &Bound<'_, PyAny>) -> Outcome<()> {
        let picture = Picture::of(array, Some(self.frame.format().pixel))?;
        if picture.format().size != self.frame.size() {
            return Err(wrong(
                "array",
                format!("its picture is of {}, the frame of {}", picture.format().size, self.frame.size()),
            ));
        }
        let memory = py.detach(|| self.gpu.upload_memory(self.frame.format(), &scope::taker()))?;
        picture.upload(py, &self.gpu, &mut self.frame.clone(), memory)
    }

    /// The pixels on the CPU: an array of `uint8`, read-only. Waits for the GPU without the interpreter's lock.
    ///
    /// | format | shape |
    /// |---|---|
    /// | `rgba8` | `[height, width, 4]`, gamma-encoded; colour is premultiplied where alpha is not 255 |
    /// | `rgb24`, `bgr24` | `[height, width, 3]` |
    /// | `yuyv`, `uyvy` | `[height, width rounded up to even, 2]` |
    /// | `grey8` | `[height, width]` |
    /// | `nv12`, `i420` | `[even height * 3 / 2, even width]`: the rows of luma, then of chroma (OpenCV's `COLOR_YUV2RGB_NV12`) |
    /// | `i422` | `[height * 2, even width]`; `i444`: `[height * 3, width]` |
    ///
    /// The array is the memory that the GPU wrote: its rows begin at multiples of 256 bytes. `copy=True` gives a contiguous one that can
    /// be written, as OpenCV likes it. Arrays may be kept for as long as one likes.
    #[pyo3(signature = (*, copy=false) -> "numpy.typing.NDArray[numpy.uint8]")]
    fn to_numpy<'py>(&self, py: Python<'py>, copy: bool) -> Outcome<Bound<'py, PyAny>> {
        crate::pixels::read(py, self.read(py)?, copy)
    }

    /// Starts bringing the pixels to the CPU and returns at once. `await` what is returned, or call its `wait`.
    fn read_back(&self, py: Python<'_>) -> Outcome<ReadBack> {
        Ok(ReadBack::new(self.read(py)?))
    }

    /// For `numpy.asarray(frame)`: `to_numpy()`, which waits for the GPU. `copy=False` is refused: the pixels are on the GPU.
    #[pyo3(signature = (dtype: "typing.Any"=None, copy=None) -> "numpy.typing.NDArray[typing.Any]")]
    fn __array__<'py>(
        &self,
        py: Python<'py>,
        dtype: Option<&Bound<'py, PyAny>>,
        copy: Option<bool>,
    ) -> Outcome<Bound<'py, PyAny>> {
        if copy == Some(false) {
            return Err(wrong("copy", "pixels cannot be given without a copy: they are on the GPU"));
        }
        let array = self.to_numpy(py, copy == Some(true))?;
        match dtype {
            Some(dtype) => Ok(array.call_method1("astype", (dtype,))?),
            None => Ok(array),
        }
    }

    /// For `numpy.from_dlpack` and `torch.from_dlpack`: a copy of the pixels on the CPU, `to_numpy(copy=True)`.
    #[pyo3(signature = (**options: "typing.Any") -> "typing.Any")]
    fn __dlpack__<'py>(&self, py: Python<'py>, options: Option<&Bound<'py, PyDict>>) -> Outcome<Bound<'py, PyAny>> {
        let copy = options.map_or(Ok(None), |options| options.get_item("copy"))?;
        if copy.is_some_and(|copy| copy.is(PyBool::new(py, false))) {
            return Err(
                PyBufferError::new_err("argument 'copy': pixels cannot be given without a copy: they are on the GPU").into()
            );
        }
        Ok(self.to_numpy(py, true)?.call_method("__dlpack__", (), options)?)
    }

    /// The CPU: `(1, 0)`.
    fn __dlpack_device__(&self) -> (i32, i32) {
        (1, 0)
    }

    /// A pooled frame of the same size, time, sequence number and metadata, its pixels undefined; of the same format, or another.
    ///
    /// Waits up to two seconds, without the interpreter's lock, when the memory budget is used up; then raises
    /// `streamlib.OutOfMemoryError`, which says who holds what.
    #[pyo3(signature = (format=None))]
    fn like(&self, py: Python<'_>, format: Option<&str>) -> Outcome<Self> {
        let format = format.map_or(Ok(self.frame.format().pixel), pixel_format)?;
        let taker = scope::taker();
        let frame = match self.frame.like_if_free(format, &taker) {
            Some(frame) => frame,
            None => py.detach(|| self.frame.like_taken_by(format, &taker))?,
        };
        Ok(Self::new(py, frame, self.gpu.clone()))
    }

    /// The same picture in another pixel format: `rgba8`, `i420`, `nv12` or `grey8`. One pass on the GPU.
    fn convert(&self, py: Python<'_>, format: &str) -> Outcome<Self> {
        let format = pixel_format(format)?;
        scope::check_written(&self.gpu, &self.frame, "the frame")?;
        let frame = py.detach(|| scope::record(&self.gpu, |encoder| self.gpu.convert(encoder, &self.frame, format)))?;
        Ok(Self::new(py, frame, self.gpu.clone()))
    }

    /// The same picture to be changed: this very frame if nothing else holds its texture, else a copy. Others who hold the picture see no
    /// change. Draw into it with a kernel that writes some of its pixels, or `write` it.
    fn edit<'py>(this: &Bound<'py, Self>) -> Outcome<Bound<'py, Self>> {
        let (py, me) = (this.py(), this.get());
        let is_mine = py.detach(|| scope::record(&me.gpu, |encoder| Ok(encoder.edit_in_place(&me.frame))))?;
        if is_mine {
            return Ok(this.clone());
        }
        scope::check_written(&me.gpu, &me.frame, "the frame")?;
        let taker = scope::taker();
        let copy = py.detach(|| {
            let mut copy = me.frame.like_taken_by(me.frame.format().pixel, &taker)?;
            scope::record(&me.gpu, |encoder| encoder.copy(&me.frame, &mut copy))?;
            Ok::<_, Error>(copy)
        })?;
        Ok(Bound::new(py, Self::new(py, copy, me.gpu.clone()))?)
    }

    /// This frame's description with the pixels of a texture, which must have the same size and format.
    fn with_texture(&self, py: Python<'_>, texture: &Texture) -> Outcome<Self> {
        let Some(other) = texture.frame() else {
            return Err(wrong("texture", "it is no frame's; copy it to the texture of a frame that is `like` this one"));
        };
        if other.format().texture_size() != self.frame.format().texture_size()
            || other.format().pixel != self.frame.format().pixel
        {
            return Err(wrong("texture", format!("it is {}, the frame is {}", other.format(), self.frame.format())));
        }
        let mut frame = other
            .clone()
            .with_time(self.frame.time())
            .with_captured_at(self.frame.captured_at())
            .with_sequence(self.frame.sequence())
            .with_color(self.frame.format().color);
        for (name, value) in self.frame.metadata() {
            frame = frame.with_metadata(name, value.clone());
        }
        Ok(Self::new(py, frame, self.gpu.clone()))
    }

    /// The texture. As long as somebody holds it, it is not used for another frame.
    #[getter]
    fn texture<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, Texture>> {
        Texture::of_frame(py, &self.gpu, &self.frame)
    }

    /// The same as `texture`.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, Texture>> {
        self.texture(py)
    }

    /// The GPU that it is on.
    #[getter]
    fn gpu(&self) -> GpuContext {
        GpuContext::new(self.gpu.clone())
    }

    /// In pixels.
    #[getter]
    fn width(&self) -> u32 {
        self.frame.size().width()
    }

    /// In pixels.
    #[getter]
    fn height(&self) -> u32 {
        self.frame.size().height()
    }

    /// `(width, height)` in pixels.
    #[getter]
    fn size(&self) -> (u32, u32) {
        (self.width(), self.height())
    }

    /// The pixel format: `rgba8`, `yuyv`, `uyvy`, `nv12`, `i420`, `i422`, `i444`, `grey8`, `rgb24` or `bgr24`.
    #[getter]
    fn format(&self) -> &'static str {
        self.frame.format().pixel.name()
    }

    /// How its Y'CbCr is to be read, or, for `rgba8`, what it will become: matrix (`bt601`, `bt709`), range (`limited`, `full`) and where
    /// chroma lies (`left`, `center`).
    #[getter]
    fn color(&self) -> (String, String, String) {
        let streamlib::Color { matrix, range, chroma_site } = self.frame.format().color;
        let name = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
        (name(&matrix), name(&range), name(&chroma_site))
    }

    /// How alpha relates to colour: `opaque`, or `premultiplied`.
    #[getter]
    fn alpha(&self) -> String {
        format!("{:?}", self.frame.format().alpha).to_lowercase()
    }

    /// When it was captured, in nanoseconds on the run's clock. Offline: its place in the medium.
    #[getter]
    fn time(&self) -> i64 {
        self.frame.time().as_nanos()
    }

    /// Its number in the stream, as its source counts.
    #[getter]
    fn sequence(&self) -> u64 {
        self.frame.sequence()
    }

    /// How many seconds ago it was captured, in real time: live and offline alike.
    #[getter]
    fn age(&self) -> f64 {
        self.frame.captured_at().elapsed().as_secs_f64()
    }

    /// Whether the GPU has written it.
    #[getter]
    fn is_ready(&self) -> Outcome<bool> {
        Ok(self.frame.ready(&self.gpu).map_or(Ok(false), |token| token.is_ready())?)
    }

    /// What processors have said of the picture beside its pixels, by name. A copy: see `with_metadata`.
    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> Outcome<BTreeMap<String, Bound<'py, PyAny>>> {
        self.frame.metadata().map(|(name, value)| Ok((name.to_owned(), loads(py, &value.to_string())?))).collect()
    }

    /// The same picture, of which something more is said: values that JSON knows. It goes on to what is made of the picture.
    #[pyo3(signature = (**values: "typing.Any"))]
    fn with_metadata(&self, py: Python<'_>, values: Option<&Bound<'_, PyDict>>) -> Outcome<Self> {
        let mut frame = self.frame.clone();
        for (name, value) in values.into_iter().flatten() {
            let name = name.extract::<String>()?;
            let text = dumps(py, &value).map_err(|error| match error.is_instance_of::<PyTypeError>(py) {
                true => wrong_type(&name, "what JSON knows: numbers, text, lists, dicts", &value),
                false => wrong(&name, error.value(py)),
            })?;
            let value: serde_json::Value =
                serde_json::from_str(&text).map_err(|error| wrong(&name, format!("it cannot be written as JSON: {error}")))?;
            frame = frame.with_metadata(name, value);
        }
        Ok(Self::new(py, frame, self.gpu.clone()))
    }

    /// The same picture with another capture time, in nanoseconds.
    fn with_time(&self, py: Python<'_>, time: i64) -> Self {
        self.changed(py, |frame| frame.with_time(Timestamp::from_nanos(time)))
    }

    /// The same picture with another number.
    fn with_sequence(&self, py: Python<'_>, sequence: u64) -> Self {
        self.changed(py, |frame| frame.with_sequence(sequence))
    }

    fn __repr__(&self) -> String {
        let (width, height) = self.size();
        format!("<streamlib.VideoFrame #{} {} {width}x{height} at {} ns>", self.sequence(), self.format(), self.time())
    }
}

/// A value of Python's as JSON.
pub(crate) fn dumps(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<String> {
    PyModule::import(py, "streamlib.values")?.call_method1("to_json", (value,))?.extract()
}

/// JSON as a value of Python's.
pub(crate) fn loads<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    let json = PyModule::import(py, "json")?;
    json.call_method1("loads", (PyString::new(py, text),))
}

/// A frame's description for the formats that an output may give: as it is, or converted to the first of them.
pub(crate) fn in_format(
    gpu: &streamlib::GpuContext,
    frame: &streamlib::VideoFrame,
    formats: &[PixelFormat],
) -> streamlib::Result<streamlib::VideoFrame> {
    match formats.first() {
        Some(first) if !formats.contains(&frame.format().pixel) => {
            scope::record(gpu, |encoder| gpu.convert(encoder, frame, *first))
        }
        _ => Ok(frame.clone()),
    }
}
