//! The windows, and how displays on their own threads reach the event loop that serves them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use crossbeam::channel::{Sender, bounded};
use streamlib_core::{Error, ErrorKind, GpuContext, Result, Size, StopHandle};
use winit::application::ApplicationHandler;
use winit::dpi::PhysicalSize;
use winit::event::{ElementState, WindowEvent};
use winit::event_loop::{ActiveEventLoop, ControlFlow};
use winit::keyboard::{Key, NamedKey};
use winit::window::{Window, WindowId};

use super::window_thread;

/// How long to wait for the window system's answers.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A window and the surface to draw on it.
type WindowAndSurface = (Arc<OpenWindow>, wgpu::Surface<'static>);

/// What the loop is asked to do. Surfaces are made there because macOS gives a window's handle to the main thread only.
pub(super) enum Command {
    Open {
        title: String,
        size: Size,
        gpu: GpuContext,
        stop: StopHandle,
        answer: Sender<Result<WindowAndSurface>>,
    },
    CreateSurface {
        window: Arc<Window>,
        gpu: GpuContext,
        answer: Sender<Result<wgpu::Surface<'static>>>,
    },
    /// The window of this id was dropped.
    Forget(WindowId),
    /// Look whether the run that lent the main thread is over.
    Look,
}

/// A window and what became of it. It closes when this and its surfaces are dropped.
pub(super) struct OpenWindow {
    window: Arc<Window>,
    /// Width in the upper half, height in the lower.
    size: AtomicU64,
    gone: AtomicBool,
    /// Dropped after the window, so that the loop, which this wakes, passes its closing on to the screen.
    _farewell: Farewell,
}

struct Farewell(WindowId);

impl Drop for Farewell {
    fn drop(&mut self) {
        if let Some(proxy) = window_thread::connected() {
            let _ = proxy.send_event(Command::Forget(self.0));
        }
    }
}

impl OpenWindow {
    fn new(window: Arc<Window>) -> Self {
        let (size, farewell) = (window.inner_size(), Farewell(window.id()));
        let opened = Self { window, size: AtomicU64::new(0), gone: AtomicBool::new(false), _farewell: farewell };
        opened.set_size(size);
        opened
    }

    /// Its size in pixels, now; a side is 0 while it is minimised on some systems.
    pub(super) fn size(&self) -> (u32, u32) {
        let packed = self.size.load(Ordering::Relaxed);
        ((packed >> 32) as u32, packed as u32)
    }

    fn set_size(&self, size: PhysicalSize<u32>) {
        self.size.store(u64::from(size.width) << 32 | u64::from(size.height), Ordering::Relaxed);
    }

    /// Whether somebody else destroyed it.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    pub(super) fn set_title(&self, title: &str) {
        self.window.set_title(title);
    }

    pub(super) fn pre_present_notify(&self) {
        self.window.pre_present_notify();
    }

    /// Another surface, for when the first one was lost.
    pub(super) fn create_surface(&self, gpu: &GpuContext) -> Result<wgpu::Surface<'static>> {
        let (window, gpu) = (self.window.clone(), gpu.clone());
        ask(|answer| Command::CreateSurface { window, gpu, answer })
    }
}

/// Opens a window. Its close button and the escape key stop the run.
pub(super) fn open(title: &str, size: Size, gpu: &GpuContext, stop: StopHandle) -> Result<WindowAndSurface> {
    ask(|answer| Command::Open { title: title.into(), size, gpu: gpu.clone(), stop, answer })
}

fn ask<T>(command: impl FnOnce(Sender<Result<T>>) -> Command) -> Result<T> {
    let proxy = window_thread::connect()?;
    let (answer, answered) = bounded(1);
    let silent = || {
        Error::new(ErrorKind::Stalled, "the window system does not answer")
            .hint("is the screen still there, and was the graph run on the main thread?")
    };
    proxy.send_event(command(answer)).map_err(|_| silent())?;
    answered.recv_timeout(PATIENCE).map_err(|_| silent())?
}

fn create_surface(gpu: &GpuContext, window: Arc<Window>) -> Result<wgpu::Surface<'static>> {
    gpu.instance().create_surface(window).map_err(|error| {
        Error::new(ErrorKind::Unsupported, "the GPU cannot draw to this window")
            .hint("choose an adapter that can, or record to a file instead")
            .caused_by(error)
    })
}

/// The windows that are open, and what happens to them.
#[derive(Default)]
pub(super) struct Windows<'a> {
    open: HashMap<WindowId, (Weak<OpenWindow>, StopHandle)>,
    /// Whether the run that lent this thread is over; the loop leaves then.
    is_over: Option<&'a dyn Fn() -> bool>,
}

impl<'a> Windows<'a> {
    /// For a loop that leaves when `is_over`.
    pub(super) fn until(is_over: &'a dyn Fn() -> bool) -> Self {
        Self { open: HashMap::new(), is_over: Some(is_over) }
    }

    fn open(
        &mut self,
        event_loop: &ActiveEventLoop,
        title: String,
        size: Size,
        gpu: &GpuContext,
        stop: StopHandle,
    ) -> Result<WindowAndSurface> {
        let size = PhysicalSize::new(size.width(), size.height());
        let attributes = Window::default_attributes().with_title(title).with_inner_size(size);
        let window = event_loop.create_window(attributes).map_err(|error| {
            Error::new(ErrorKind::Unsupported, "the window system opened no window")
                .hint("is a screen connected?")
                .caused_by(error)
        })?;
        let window = Arc::new(window);
        let surface = create_surface(gpu, window.clone())?;
        let id = window.id();
        let opened = Arc::new(OpenWindow::new(window));
        self.open.insert(id, (Arc::downgrade(&opened), stop));
        Ok((opened, surface))
    }
}

impl ApplicationHandler<Command> for Windows<'_> {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        event_loop.set_control_flow(ControlFlow::Wait);
    }

    /// Answers to nobody (it took too long) are dropped, and the window with them.
    fn user_event(&mut self, event_loop: &ActiveEventLoop, command: Command) {
        match command {
            Command::Open { title, size, gpu, stop, answer } => {
                let _ = answer.send(self.open(event_loop, title, size, &gpu, stop));
            }
            Command::CreateSurface { window, gpu, answer } => {
                let _ = answer.send(create_surface(&gpu, window));
            }
            Command::Forget(id) => {
                self.open.remove(&id);
            }
            Command::Look => {}
        }
    }

    fn window_event(&mut self, _: &ActiveEventLoop, id: WindowId, event: WindowEvent) {
        let Some((window, stop)) = self.open.get(&id) else { return };
        let Some(window) = window.upgrade() else { return };
        match event {
            WindowEvent::Resized(size) => window.set_size(size),
            WindowEvent::CloseRequested => stop.stop(),
            WindowEvent::Destroyed => {
                window.gone.store(true, Ordering::Relaxed);
                stop.stop();
            }
            WindowEvent::KeyboardInput { event, .. }
                if event.state == ElementState::Pressed && event.logical_key == Key::Named(NamedKey::Escape) =>
            {
                stop.stop();
            }
            _ => {}
        }
    }

    /// Looks here, before every sleep, because a run can be over before the loop takes its first command.
    fn about_to_wait(&mut self, event_loop: &ActiveEventLoop) {
        if self.is_over.is_some_and(|is_over| is_over()) {
            event_loop.exit();
        }
    }
}
