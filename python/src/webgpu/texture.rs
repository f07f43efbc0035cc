//! A frame's texture.

use std::sync::Arc;

use pyo3::prelude::*;
use streamlib::wgpu;

use crate::debug::{Alive, Holding, Kind};

/// A texture of a frame: the engine's own. `streamlib` uses it for no other frame while this lives.
#[pyclass(frozen, weakref, module = "streamlib")]
pub struct Texture {
    texture: Arc<wgpu::Texture>,
    /// So that it is seen among the leases, and in the budget.
    frame: streamlib::VideoFrame,
    _holding: Holding,
}

impl Texture {
    pub(crate) fn new(py: Python<'_>, frame: streamlib::VideoFrame) -> Self {
        let holding = Holding::new(py, Kind::Texture, frame.lease_id());
        Self { texture: frame.texture(), frame, _holding: holding }
    }

    pub(crate) fn frame(&self) -> &streamlib::VideoFrame {
        &self.frame
    }
}

#[pymethods]
impl Texture {
    /// `(width, height, 1)` in texels: formats with several planes, or several pixels a texel, have other sizes than the picture.
    #[getter]
    fn size(&self) -> (u32, u32, u32) {
        (self.texture.width(), self.texture.height(), self.texture.depth_or_array_layers())
    }

    /// In texels.
    #[getter]
    fn width(&self) -> u32 {
        self.texture.width()
    }

    /// In texels.
    #[getter]
    fn height(&self) -> u32 {
        self.texture.height()
    }

    /// WebGPU's name of the format: `rgba8unorm` or `r8unorm`.
    #[getter]
    fn format(&self) -> &'static str {
        match self.texture.format() {
            wgpu::TextureFormat::R8Unorm => "r8unorm",
            _ => "rgba8unorm",
        }
    }

    /// What it may be used for: WebGPU's `GPUTextureUsage` flags.
    #[getter]
    fn usage(&self) -> u32 {
        self.texture.usage().bits()
    }

    /// A view of the whole texture.
    fn create_view(slf: &Bound<'_, Self>) -> TextureView {
        TextureView { texture: slf.clone().unbind(), _alive: Alive::new(Kind::TextureView) }
    }

    fn __repr__(&self) -> String {
        format!("<streamlib.Texture {} {}x{}>", self.format(), self.width(), self.height())
    }
}

/// A view of a texture, which it keeps alive.
#[pyclass(frozen, weakref, module = "streamlib")]
pub struct TextureView {
    texture: Py<Texture>,
    _alive: Alive,
}

#[pymethods]
impl TextureView {
    /// The texture that it is of.
    #[getter]
    fn texture(&self, py: Python<'_>) -> Py<Texture> {
        self.texture.clone_ref(py)
    }
}
