//! Textures: the program's own, and those of frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;
use streamlib::{Error, ErrorKind, VideoFrame, wgpu};

use super::object::{Object, make, naming, some};
use super::words::{name_of, texture_usages, word};
use crate::debug::{Holding, Kind};
use crate::errors::{Outcome, wrong};
use crate::scope;

/// A frame that something of WebGPU's refers to: as long as that lives, its texture is used for no other frame.
pub(crate) struct Kept {
    pub(crate) frame: VideoFrame,
    _holding: Holding,
}

impl Kept {
    /// Fails if the frame cannot be written; `what` would.
    pub(super) fn check_writable(&self, gpu: &streamlib::GpuContext, what: impl std::fmt::Display) -> Outcome<()> {
        gpu.raw().check_writable(&self.frame).map_err(|error| {
            let number = self.frame.sequence();
            let message = format!("{what} would change frame #{number}: {error}");
            let hint = "write to the texture of a frame that is `like` it; what names a frame is made anew for each";
            Error::new(error.kind(), message).hint(hint).into()
        })
    }
}

/// Texels on the GPU: the program's own, or the very texture of a frame.
///
/// That of a frame is used like any other; `streamlib` uses it for no other frame while this, or what refers to it, lives. Once the frame was
/// sent, it cannot be written; it can never be destroyed, as it is the pool's.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub struct Texture {
    raw: Arc<wgpu::Texture>,
    kept: Option<Arc<Kept>>,
    is_destroyed: AtomicBool,
}

impl Texture {
    pub(crate) fn of_frame<'py>(py: Python<'py>, gpu: &streamlib::GpuContext, frame: &VideoFrame) -> Outcome<Bound<'py, Self>> {
        let kept = Kept { frame: frame.clone(), _holding: Holding::new(py, frame.lease_id()) };
        make(py, Kind::Texture, gpu, "streamlib frame", Self::with(frame.texture(), Some(Arc::new(kept))))
    }

    pub(super) fn new<'py>(
        py: Python<'py>,
        gpu: &streamlib::GpuContext,
        label: &str,
        texture: wgpu::Texture,
    ) -> Outcome<Bound<'py, Self>> {
        make(py, Kind::Texture, gpu, label, Self::with(Arc::new(texture), None))
    }

    fn with(raw: Arc<wgpu::Texture>, kept: Option<Arc<Kept>>) -> Self {
        Self { raw, kept, is_destroyed: AtomicBool::new(false) }
    }

    /// Refuses one that was destroyed and is given as this argument.
    pub(crate) fn check_usable(this: &Bound<'_, Self>, argument: &str) -> Outcome<()> {
        match this.get().is_destroyed.load(Ordering::Acquire) {
            true => Err(wrong(argument, format!("{} was destroyed", this.as_super().get().called("texture")))),
            false => Ok(()),
        }
    }

    /// The frame that it is of.
    pub(crate) fn frame(&self) -> Option<&VideoFrame> {
        self.kept.as_ref().map(|kept| &kept.frame)
    }

    pub(crate) fn raw(&self) -> &wgpu::Texture {
        &self.raw
    }

    pub(super) fn kept(&self) -> Option<&Arc<Kept>> {
        self.kept.as_ref()
    }
}

#[pymethods]
impl Texture {
    /// `(width, height, depth_or_array_layers)` in texels. Frames of formats with several planes, or several pixels a texel, have other sizes
    /// than the picture.
    #[getter]
    fn size(&self) -> (u32, u32, u32) {
        (self.width(), self.height(), self.depth_or_array_layers())
    }

    /// In texels.
    #[getter]
    fn width(&self) -> u32 {
        self.raw.width()
    }

    /// In texels.
    #[getter]
    fn height(&self) -> u32 {
        self.raw.height()
    }

    /// In texels of a 3D texture, else how many layers there are.
    #[getter]
    fn depth_or_array_layers(&self) -> u32 {
        self.raw.depth_or_array_layers()
    }

    /// How many mip levels there are.
    #[getter]
    fn mip_level_count(&self) -> u32 {
        self.raw.mip_level_count()
    }

    /// How many samples a texel has.
    #[getter]
    fn sample_count(&self) -> u32 {
        self.raw.sample_count()
    }

    /// `1d`, `2d` or `3d`.
    #[getter]
    fn dimension(&self) -> String {
        name_of(&self.raw.dimension())
    }

    /// WebGPU's name of the format: `rgba8unorm`. Frames have `rgba8unorm` or `r8unorm`.
    #[getter]
    fn format(&self) -> String {
        name_of(&self.raw.format())
    }

    /// What it may be used for: `TextureUsage` flags.
    #[getter]
    fn usage(&self) -> u32 {
        self.raw.usage().bits()
    }

    fn __repr__(this: &Bound<'_, Self>) -> String {
        let (width, height, layers) = this.get().size();
        let layers = if layers == 1 { String::new() } else { format!("x{layers}") };
        this.as_super().get().described("Texture", &format!(" {} {width}x{height}{layers}", this.get().format()))
    }

    /// A view: of the whole texture, unless told.
    #[pyo3(signature = (*, label="", format=None, dimension=None, usage: "int | str | None"=None, aspect="all", base_mip_level=0, mip_level_count=None, base_array_layer=0, array_layer_count=None) -> "TextureView")]
    #[allow(clippy::too_many_arguments, reason = "they are the specification's, by name")]
    fn create_view<'py>(
        this: &Bound<'py, Self>,
        label: &str,
        format: Option<&str>,
        dimension: Option<&str>,
        usage: Option<&Bound<'py, PyAny>>,
        aspect: &str,
        base_mip_level: u32,
        mip_level_count: Option<u32>,
        base_array_layer: u32,
        array_layer_count: Option<u32>,
    ) -> Outcome<Bound<'py, TextureView>> {
        let gpu = this.as_super().get().gpu();
        let usage = usage.map(|usage| texture_usages("usage", usage)).transpose()?;
        let descriptor = wgpu::TextureViewDescriptor {
            label: some(label).or(some(this.as_super().get().label())),
            format: format.map(|format| word("format", format)).transpose()?,
            dimension: dimension.map(|dimension| word("dimension", dimension)).transpose()?,
            // None is all that the texture has.
            usage: usage.filter(|usage| !usage.is_empty()),
            aspect: word("aspect", aspect)?,
            base_mip_level,
            mip_level_count,
            base_array_layer,
            array_layer_count,
        };
        let raw = gpu.raw().create_view(&this.get().raw, &descriptor)?;
        let label = if label.is_empty() { this.as_super().get().label() } else { label };
        make(this.py(), Kind::TextureView, gpu, label, TextureView { raw, texture: this.clone().unbind() })
    }

    /// Frees its memory now, whoever refers to it; whatever is submitted with it from then on is refused.
    ///
    /// Raises `streamlib.InvalidArgumentError` for a frame's texture: it is the pool's.
    fn destroy(this: &Bound<'_, Self>) -> Outcome<()> {
        if this.get().kept.is_some() {
            return Err(Error::new(ErrorKind::InvalidArgument, "a frame's texture cannot be destroyed: it is the pool's")
                .hint("let go of the frame and of what refers to it")
                .into());
        }
        this.py().detach(scope::flush)?;
        this.get().is_destroyed.store(true, Ordering::Release);
        // Some drivers have it wait for the GPU.
        let (gpu, raw) = (this.as_super().get().gpu(), &this.get().raw);
        let destroyed = this.py().detach(|| gpu.raw().call("destroy", || raw.destroy()));
        destroyed.map_err(|refused| naming(this, "texture", refused))
    }
}

/// A view of a texture, which it keeps alive.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub struct TextureView {
    raw: wgpu::TextureView,
    texture: Py<Texture>,
}

impl TextureView {
    pub(super) fn raw(&self) -> &wgpu::TextureView {
        &self.raw
    }

    pub(super) fn kept(&self) -> Option<&Arc<Kept>> {
        self.texture.get().kept()
    }
}

#[pymethods]
impl TextureView {
    /// The texture that it is of.
    #[getter]
    fn texture(&self, py: Python<'_>) -> Py<Texture> {
        self.texture.clone_ref(py)
    }

    /// That of the texture.
    #[getter]
    fn size(&self) -> (u32, u32, u32) {
        self.texture.get().size()
    }
}
