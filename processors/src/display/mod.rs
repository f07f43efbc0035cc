//! `display`: shows frames in a window.

mod presenter;
mod window_system;
mod window_thread;

use std::sync::Arc;
use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use streamlib_core::{
    Context, Counter, Delivery, Described, InputOptions, MainLoop, Result, Sink, Size, Threading, Tunable, VideoFrame,
    check_parameters,
};

use presenter::Presenter;
pub use window_thread::{WindowThread, serve_windows_on};

/// Whether there is a screen to open a window on, as far as the environment says. Opening one may fail all the same.
pub fn has_screen() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(target_os = "macos", target_os = "windows")) || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// Shows the newest frame in a window, letterboxed. The close button and the escape key end the run.
///
/// Scaling averages linear light. Latency ends when the picture was handed to the window system. Counters: `presented`,
/// `hidden` (the window could not show a picture).
#[derive(Default)]
pub struct Display {
    parameters: DisplayParameters,
    opened: Option<Opened>,
}

/// What can be set of a [`Display`].
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DisplayParameters {
    /// The window's title.
    pub title: String,
    /// The window's size at first; null: that of the first frame.
    #[schemars(extend("x-fixed" = true))]
    pub size: Option<Size>,
    /// Whether pictures change between two refreshes of the screen only. Without it latency is lower and pictures may tear.
    #[schemars(extend("x-fixed" = true))]
    pub vsync: bool,
}

/// Titled "streamlib", as large as the first frame, with vsync.
impl Default for DisplayParameters {
    fn default() -> Self {
        Self { title: "streamlib".into(), size: None, vsync: true }
    }
}

/// Dropped in this order: a texture that was never shown goes back to its surface, and wgpu panics if that is gone.
struct Opened {
    /// What was drawn and is to be shown once it was submitted.
    drawn: Option<(wgpu::SurfaceTexture, Instant)>,
    presenter: Presenter,
    presented: Counter,
    hidden: Counter,
}

impl Display {
    /// A window of these parameters. It opens when the graph starts.
    pub fn new(parameters: DisplayParameters) -> Result<Self> {
        check_parameters::<Self>(&parameters)?;
        Ok(Self { parameters, opened: None })
    }

    /// A window of this title.
    pub fn titled(title: impl Into<String>) -> Self {
        Self { parameters: DisplayParameters { title: title.into(), ..Default::default() }, opened: None }
    }

    /// Opens the window: in set-up if its size is known, else when the first frame comes.
    fn open(&mut self, size: Size, cx: &Context<'_>) -> Result<()> {
        let gpu = cx.gpu()?;
        let (window, surface) = window_system::open(&self.parameters.title, size, gpu, cx.stop_handle())?;
        let presenter = Presenter::new(gpu, window, surface, self.parameters.vsync)?;
        let (presented, hidden) = (cx.counter("presented"), cx.counter("hidden"));
        self.opened = Some(Opened { drawn: None, presenter, presented, hidden });
        Ok(())
    }
}

impl Described for Display {
    type Parameters = DisplayParameters;
    const NAME: &'static str = "display";
    const SUMMARY: &'static str = "Shows the newest frame in a window.";

    fn from_parameters(parameters: DisplayParameters) -> Result<Self> {
        Self::new(parameters)
    }

    fn parameters(&self) -> &DisplayParameters {
        &self.parameters
    }

    fn set_parameters(&mut self, parameters: DisplayParameters, _: &mut Context<'_>) -> Result<()> {
        if let Some(opened) = &self.opened {
            opened.presenter.set_title(&parameters.title);
        }
        self.parameters = parameters;
        Ok(())
    }
}

impl Sink for Display {
    fn input(&self) -> InputOptions {
        InputOptions { delivery: Delivery::Latest, ..Default::default() }
    }

    fn threading(&self) -> Threading {
        Threading::Own
    }

    fn main_loop(&self) -> Option<Arc<dyn MainLoop>> {
        window_thread::main_loop()
    }

    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        Some(self)
    }

    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        // After a failure: the old window closes before another opens.
        self.opened = None;
        match self.parameters.size {
            Some(size) => self.open(size, cx),
            None => Ok(()),
        }
    }

    fn consume(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<()> {
        if self.opened.is_none() {
            self.open(frame.size(), cx)?;
        }
        let Some(opened) = &mut self.opened else { return Ok(()) };
        // A surface gives out one texture at a time; the last one may not have been submitted.
        opened.drawn = None;
        match opened.presenter.acquire()? {
            Some(target) => {
                let encoder = cx.encoder()?;
                opened.presenter.draw(encoder, &frame, &target)?;
                opened.drawn = Some((target, frame.captured_at()));
            }
            None => opened.hidden.add(1),
        }
        Ok(())
    }

    fn submitted(&mut self, cx: &mut Context<'_>) -> Result<()> {
        if let Some(opened) = &mut self.opened
            && let Some((texture, captured_at)) = opened.drawn.take()
        {
            opened.presenter.present(texture);
            opened.presented.add(1);
            cx.delivered(captured_at);
        }
        Ok(())
    }
}
