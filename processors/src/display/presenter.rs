//! The GPU half of the display: a surface, and the drawing of a frame into it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use streamlib_core::{Error, ErrorKind, FrameEncoder, FramePainter, GpuContext, PainterOptions, Result, VideoFrame, Viewport};

use super::window_system::OpenWindow;

const WGSL: &str = include_str!("display.wgsl");

/// How long a surface may fail before it is an error: that of a window that somebody destroys fails before anybody says why.
const GRACE: Duration = Duration::from_secs(1);

pub(super) struct Presenter {
    gpu: GpuContext,
    window: Arc<OpenWindow>,
    surface: wgpu::Surface<'static>,
    configuration: wgpu::SurfaceConfiguration,
    painter: FramePainter,
    /// Whether the surface has this configuration. wgpu lets nobody draw to one that has none.
    configured: bool,
    failing_since: Option<Instant>,
}

/// The largest place of the picture's shape in the middle of the window; what is left over stays black.
fn letterbox(picture: (u32, u32), window: (u32, u32)) -> Viewport {
    let [picture_width, picture_height, window_width, window_height] =
        [picture.0, picture.1, window.0, window.1].map(|side| f64::from(side.max(1)));
    let scale = (window_width / picture_width).min(window_height / picture_height);
    let (width, height) = ((picture_width * scale).round().max(1.0), (picture_height * scale).round().max(1.0));
    let (x, y) = (((window_width - width) / 2.0).floor(), ((window_height - height) / 2.0).floor());
    Viewport { x: x as f32, y: y as f32, width: width as f32, height: height as f32 }
}

impl Presenter {
    pub(super) fn new(gpu: &GpuContext, window: Arc<OpenWindow>, surface: wgpu::Surface<'static>, vsync: bool) -> Result<Self> {
        let capabilities = surface.get_capabilities(gpu.adapter());
        let format = pick_format(&capabilities.formats).ok_or_else(|| {
            let name = &gpu.adapter_choice().chosen.name;
            Error::new(ErrorKind::Unsupported, format!("adapter '{name}' cannot draw to this screen"))
                .hint("choose the adapter that the screen is connected to")
        })?;
        let (width, height) = window.size();
        let configuration = wgpu::SurfaceConfiguration {
            present_mode: pick_present_mode(&capabilities.present_modes, vsync),
            desired_maximum_frame_latency: 2,
            ..surface.get_default_config(gpu.adapter(), width.max(1), height.max(1)).ok_or_else(|| {
                Error::new(ErrorKind::Unsupported, "the adapter cannot draw to this screen").hint("choose another adapter")
            })?
        };
        let configuration = wgpu::SurfaceConfiguration { format, view_formats: vec![format], ..configuration };
        let painter = painter(gpu, format)?;
        let gpu = gpu.clone();
        let (configured, failing_since) = (false, None);
        let mut presenter = Self { gpu, window, surface, configuration, painter, configured, failing_since };
        presenter.configure()?;
        Ok(presenter)
    }

    pub(super) fn set_title(&self, title: &str) {
        self.window.set_title(title);
    }

    fn configure(&mut self) -> Result<()> {
        self.configured = false;
        self.gpu.configure_surface(&self.surface, &self.configuration)?;
        self.configured = true;
        Ok(())
    }

    /// The next texture of the window, as large as the window is now; `None` if this picture cannot be shown (the window is
    /// hidden, has no area or is gone, or its surface had to be made anew).
    pub(super) fn acquire(&mut self) -> Result<Option<wgpu::SurfaceTexture>> {
        match self.try_acquire() {
            Ok(texture) => {
                self.failing_since = None;
                Ok(texture)
            }
            Err(_) if self.failing_since.get_or_insert_with(Instant::now).elapsed() < GRACE => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn try_acquire(&mut self) -> Result<Option<wgpu::SurfaceTexture>> {
        let (width, height) = self.window.size();
        if self.window.is_gone() || width == 0 || height == 0 {
            return Ok(None);
        }
        if !self.configured || (width, height) != (self.configuration.width, self.configuration.height) {
            (self.configuration.width, self.configuration.height) = (width, height);
            self.configure()?;
        }
        let mut refused = None;
        for _ in 0..3 {
            match self.gpu.catch("the window gives no picture to draw on", || self.surface.get_current_texture()) {
                Ok(wgpu::CurrentSurfaceTexture::Success(texture) | wgpu::CurrentSurfaceTexture::Suboptimal(texture)) => {
                    return Ok(Some(texture));
                }
                Ok(wgpu::CurrentSurfaceTexture::Timeout | wgpu::CurrentSurfaceTexture::Occluded) => return Ok(None),
                Ok(wgpu::CurrentSurfaceTexture::Outdated) => self.configure()?,
                lost => {
                    refused = lost.err();
                    self.surface = self.window.create_surface(&self.gpu)?;
                    self.configure()?;
                }
            }
        }
        refused.map_or(Ok(None), Err)
    }

    /// Records the drawing of `frame` into `target`.
    pub(super) fn draw(&self, encoder: &mut FrameEncoder, frame: &VideoFrame, target: &wgpu::SurfaceTexture) -> Result<()> {
        let size = frame.size();
        let place = letterbox((size.width(), size.height()), (target.texture.width(), target.texture.height()));
        self.painter.paint(encoder, frame, &target.texture, place)
    }

    /// Shows what was drawn, after it was submitted.
    pub(super) fn present(&self, texture: wgpu::SurfaceTexture) {
        self.window.pre_present_notify();
        self.gpu.present(texture);
    }
}

/// An sRGB format where there is one: then the hardware encodes.
fn pick_format(formats: &[wgpu::TextureFormat]) -> Option<wgpu::TextureFormat> {
    formats.iter().find(|format| format.is_srgb()).or(formats.first()).copied()
}

/// With vsync the one that never tears; without it the one that never waits.
fn pick_present_mode(modes: &[wgpu::PresentMode], vsync: bool) -> wgpu::PresentMode {
    let wanted = [wgpu::PresentMode::Mailbox, wgpu::PresentMode::Immediate];
    let without = wanted.into_iter().find(|mode| modes.contains(mode));
    without.filter(|_| !vsync).unwrap_or(wgpu::PresentMode::Fifo)
}

/// What paints frames on textures of `format`.
fn painter(gpu: &GpuContext, format: wgpu::TextureFormat) -> Result<FramePainter> {
    let fragment = if format.is_srgb() { "linear" } else { "encoded" };
    gpu.painter("display", WGSL, &PainterOptions { vertex: "corner", fragment, target: format })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_keeps_its_shape_and_fits() {
        let place = |x, y, width, height| Viewport { x, y, width, height };
        assert_eq!(letterbox((1280, 720), (1280, 720)), place(0.0, 0.0, 1280.0, 720.0));
        assert_eq!(letterbox((1280, 720), (1280, 1000)), place(0.0, 140.0, 1280.0, 720.0));
        assert_eq!(letterbox((640, 480), (1920, 1080)), place(240.0, 0.0, 1440.0, 1080.0));
        assert_eq!(letterbox((1, 1), (0, 0)), place(0.0, 0.0, 1.0, 1.0));
        let thin = letterbox((16_384, 1), (100, 100));
        assert!(thin.width <= 100.0 && thin.height >= 1.0);
    }

    #[test]
    fn vsync_never_tears_and_its_absence_never_waits() {
        use wgpu::PresentMode::{Fifo, Immediate, Mailbox};
        assert_eq!(pick_present_mode(&[Fifo, Immediate, Mailbox], true), Fifo);
        assert_eq!(pick_present_mode(&[Fifo, Immediate, Mailbox], false), Mailbox);
        assert_eq!(pick_present_mode(&[Fifo], false), Fifo);
    }
}
