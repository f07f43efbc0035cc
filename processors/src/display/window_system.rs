//! The one event loop of the process: made when first needed, used by every window of every run.
//!
//! winit allows no second loop in a process. Off macOS it gets a thread of its own, for good; on macOS it must be on the main
//! thread, which [`Runtime::run`](streamlib_core::Runtime::run) lends it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crossbeam::channel::{Sender, bounded};
use streamlib_core::{Error, ErrorKind, MainLoop, Result, Size, StopHandle};
use winit::application::ApplicationHandler;
use winit::dpi::PhysicalSize;
use winit::event::{ElementState, WindowEvent};
use winit::event_loop::{ActiveEventLoop, ControlFlow, EventLoop, EventLoopProxy};
use winit::keyboard::{Key, NamedKey};
use winit::window::{Window, WindowId};

/// How long to wait for the window system's answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the loop is asked to do.
enum Command {
    Open {
        title: String,
        size: Size,
        stop: StopHandle,
        answer: Sender<Result<Arc<OpenWindow>>>,
    },
    Close(WindowId),
    /// Look whether the run that lent the main thread is over.
    Look,
}

/// A window and what became of it. Closes when dropped.
pub(super) struct OpenWindow {
    window: Option<Arc<Window>>,
    /// Width in the upper half, height in the lower.
    size: AtomicU64,
}

impl OpenWindow {
    pub(super) fn window(&self) -> Option<Arc<Window>> {
        self.window.clone()
    }

    /// Its size in pixels, now.
    pub(super) fn size(&self) -> (u32, u32) {
        let packed = self.size.load(Ordering::Relaxed);
        ((packed >> 32) as u32, packed as u32)
    }

    fn set_size(&self, size: PhysicalSize<u32>) {
        self.size.store(u64::from(size.width) << 32 | u64::from(size.height), Ordering::Relaxed);
    }

    /// Asks the loop to close it.
    pub(super) fn close(&self) {
        if let (Some(window), Some(proxy)) = (&self.window, connected()) {
            let _ = proxy.send_event(Command::Close(window.id()));
        }
    }
}

/// The way to the loop, once there is one; or why there is none.
static PROXY: Mutex<Option<Result<EventLoopProxy<Command>>>> = Mutex::new(None);
static CONNECTED: Condvar = Condvar::new();

fn connected() -> Option<EventLoopProxy<Command>> {
    PROXY.lock().unwrap_or_else(PoisonError::into_inner).clone()?.ok()
}

fn announce(proxy: Result<EventLoopProxy<Command>>) {
    *PROXY.lock().unwrap_or_else(PoisonError::into_inner) = Some(proxy);
    CONNECTED.notify_all();
}

/// Opens a window. Its close button and the escape key stop the run.
pub(super) fn open(title: &str, size: Size, stop: StopHandle) -> Result<Arc<OpenWindow>> {
    if !NEEDS_MAIN_THREAD {
        start_thread()?;
    }
    let proxy = proxy()?;
    let (answer, answered) = bounded(1);
    let gone = || Error::new(ErrorKind::Stalled, "the window system does not answer").hint("is the screen still there?");
    proxy.send_event(Command::Open { title: title.into(), size, stop, answer }).map_err(|_| gone())?;
    answered.recv_timeout(PATIENCE).map_err(|_| gone())?
}

/// The way to the loop; waits until its thread has it running.
fn proxy() -> Result<EventLoopProxy<Command>> {
    let state = PROXY.lock().unwrap_or_else(PoisonError::into_inner);
    let (state, _) =
        CONNECTED.wait_timeout_while(state, PATIENCE, |proxy| proxy.is_none()).unwrap_or_else(PoisonError::into_inner);
    state.clone().unwrap_or_else(|| Err(Error::new(ErrorKind::Stalled, "the window system did not start")))
}

/// Whether the window system insists on the main thread.
pub(super) const NEEDS_MAIN_THREAD: bool = cfg!(target_os = "macos");

#[cfg(not(target_os = "macos"))]
fn start_thread() -> Result<()> {
    static STARTED: Mutex<bool> = Mutex::new(false);
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if *started {
        return Ok(());
    }
    let thread = std::thread::Builder::new().name("window".into()).spawn(|| match create_loop() {
        Ok(event_loop) => {
            announce(Ok(event_loop.create_proxy()));
            if let Err(error) = event_loop.run_app(&mut Windows::default()) {
                tracing::error!(%error, "the window system failed");
            }
        }
        Err(error) => announce(Err(error)),
    });
    thread.map_err(|error| Error::new(ErrorKind::Io, "cannot start the windows' thread").caused_by(error))?;
    *started = true;
    Ok(())
}

#[cfg(target_os = "macos")]
fn start_thread() -> Result<()> {
    Ok(())
}

fn create_loop() -> Result<EventLoop<Command>> {
    let mut builder = EventLoop::<Command>::with_user_event();
    allow_any_thread(&mut builder);
    builder.build().map_err(|error| {
        Error::new(ErrorKind::Unsupported, "there is no screen to open a window on")
            .hint("set DISPLAY or WAYLAND_DISPLAY, or record to a file instead")
            .caused_by(error)
    })
}

#[cfg(target_os = "linux")]
fn allow_any_thread(builder: &mut winit::event_loop::EventLoopBuilder<Command>) {
    winit::platform::x11::EventLoopBuilderExtX11::with_any_thread(builder, true);
    winit::platform::wayland::EventLoopBuilderExtWayland::with_any_thread(builder, true);
}

#[cfg(target_os = "windows")]
fn allow_any_thread(builder: &mut winit::event_loop::EventLoopBuilder<Command>) {
    winit::platform::windows::EventLoopBuilderExtWindows::with_any_thread(builder, true);
}

#[cfg(not(any(target_os = "linux", target_os = "windows")))]
fn allow_any_thread(_: &mut winit::event_loop::EventLoopBuilder<Command>) {}

/// The windows that are open.
#[derive(Default)]
struct Windows<'a> {
    open: HashMap<WindowId, (Arc<OpenWindow>, StopHandle)>,
    /// Whether the run that lent this thread is over; the loop leaves then.
    is_over: Option<&'a dyn Fn() -> bool>,
}

impl Windows<'_> {
    fn open(&mut self, event_loop: &ActiveEventLoop, title: String, size: Size, stop: StopHandle) -> Result<Arc<OpenWindow>> {
        let size = PhysicalSize::new(size.width(), size.height());
        let attributes = Window::default_attributes().with_title(title).with_inner_size(size);
        let window = event_loop.create_window(attributes).map_err(|error| {
            Error::new(ErrorKind::Unsupported, "the window system opened no window")
                .hint("is a screen connected?")
                .caused_by(error)
        })?;
        let id = window.id();
        let opened = OpenWindow { size: AtomicU64::new(0), window: Some(Arc::new(window)) };
        opened.set_size(opened.window.as_ref().map_or(size, |window| window.inner_size()));
        let opened = Arc::new(opened);
        self.open.insert(id, (opened.clone(), stop));
        Ok(opened)
    }
}

impl ApplicationHandler<Command> for Windows<'_> {
    fn resumed(&mut self, event_loop: &ActiveEventLoop) {
        event_loop.set_control_flow(ControlFlow::Wait);
    }

    fn user_event(&mut self, event_loop: &ActiveEventLoop, command: Command) {
        match command {
            Command::Open { title, size, stop, answer } => {
                let opened = self.open(event_loop, title, size, stop);
                // Nobody listens any more if the answer took too long; the window is closed then.
                if let Err(unheard) = answer.send(opened)
                    && let Ok(window) = unheard.into_inner()
                    && let Some(window) = &window.window
                {
                    self.open.remove(&window.id());
                }
            }
            Command::Close(id) => {
                self.open.remove(&id);
            }
            Command::Look => {}
        }
        if self.is_over.is_some_and(|is_over| is_over()) {
            event_loop.exit();
        }
    }

    fn window_event(&mut self, _: &ActiveEventLoop, id: WindowId, event: WindowEvent) {
        let Some((window, stop)) = self.open.get(&id) else { return };
        match event {
            WindowEvent::Resized(size) => window.set_size(size),
            WindowEvent::CloseRequested => stop.stop(),
            WindowEvent::KeyboardInput { event, .. }
                if event.state == ElementState::Pressed && event.logical_key == Key::Named(NamedKey::Escape) =>
            {
                stop.stop();
            }
            _ => {}
        }
    }
}

/// Runs the loop on the thread that the runtime lends: the main one.
pub(super) struct OnMainThread;

impl MainLoop for OnMainThread {
    fn run(&self, is_over: &dyn Fn() -> bool) {
        use winit::platform::run_on_demand::EventLoopExtRunOnDemand;
        thread_local! {
            /// Kept for later runs: winit allows no second one.
            static LOOP: RefCell<Option<EventLoop<Command>>> = const { RefCell::new(None) };
        }
        LOOP.with_borrow_mut(|kept| {
            if kept.is_none() {
                match create_loop() {
                    Ok(event_loop) => {
                        announce(Ok(event_loop.create_proxy()));
                        *kept = Some(event_loop);
                    }
                    Err(error) => return announce(Err(error)),
                }
            }
            let Some(event_loop) = kept else { return };
            let mut windows = Windows { open: HashMap::new(), is_over: Some(is_over) };
            if let Err(error) = event_loop.run_app_on_demand(&mut windows) {
                tracing::error!(%error, "the window system failed");
            }
        });
    }

    fn wake(&self) {
        if let Some(proxy) = connected() {
            let _ = proxy.send_event(Command::Look);
        }
    }
}
