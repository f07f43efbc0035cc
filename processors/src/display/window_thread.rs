//! The one event loop of the process: made when first needed, used by every window of every run.
//!
//! winit allows no second loop in a process. It runs on a thread of its own, for good, or on the main thread, which
//! [`Runtime::run`](streamlib_core::Runtime::run) lends it; macOS allows the latter only.

use std::cell::RefCell;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use streamlib_core::{Error, ErrorKind, MainLoop, Result};
use winit::event_loop::{EventLoop, EventLoopProxy};

use super::window_system::{Command, PATIENCE, Windows};

/// Which thread serves the windows of all displays in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowThread {
    /// One of its own, so that graphs with windows can be started from any thread. Not on macOS.
    Own,
    /// The one that calls `Runtime::run`, always the same: the main thread.
    Main,
}

/// A thread of its own where the system allows that.
impl Default for WindowThread {
    fn default() -> Self {
        if cfg!(target_os = "macos") { Self::Main } else { Self::Own }
    }
}

static CHOSEN: OnceLock<WindowThread> = OnceLock::new();

fn chosen() -> WindowThread {
    *CHOSEN.get_or_init(WindowThread::default)
}

/// Chooses the thread that serves the windows. Once for the process, because there is one window system, and before the first
/// graph with a window runs; without this call it is [`WindowThread::default`].
///
/// Fails when the other one was chosen or used already, or the system does not allow this one.
pub fn serve_windows_on(thread: WindowThread) -> Result<()> {
    if thread == WindowThread::Own && WindowThread::default() == WindowThread::Main {
        return Err(Error::new(ErrorKind::Unsupported, "this system serves windows on the main thread only")
            .hint("call Runtime::run on the main thread"));
    }
    if *CHOSEN.get_or_init(|| thread) != thread {
        return Err(Error::new(ErrorKind::Busy, "another thread serves the windows of this process already")
            .hint("choose the thread before the first graph with a window runs"));
    }
    Ok(())
}

/// What the runtime has to run on the main thread, if the windows are served there.
pub(super) fn main_loop() -> Option<Arc<dyn MainLoop>> {
    (chosen() == WindowThread::Main).then(|| Arc::new(OnMainThread) as _)
}

type Proxy = EventLoopProxy<Command>;

/// The way to the loop, once there is one; or why there is none.
static PROXY: Mutex<Option<Result<Proxy>>> = Mutex::new(None);
static CONNECTED: Condvar = Condvar::new();

fn announced() -> Option<Result<Proxy>> {
    PROXY.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn announce(proxy: Result<Proxy>) {
    *PROXY.lock().unwrap_or_else(PoisonError::into_inner) = Some(proxy);
    CONNECTED.notify_all();
}

/// The way to the loop if there is one.
pub(super) fn connected() -> Option<Proxy> {
    announced()?.ok()
}

/// The way to the loop; starts its thread, or waits until the main thread has it running.
pub(super) fn connect() -> Result<Proxy> {
    if chosen() == WindowThread::Own {
        start_thread()?;
    }
    let state = PROXY.lock().unwrap_or_else(PoisonError::into_inner);
    let (state, _) =
        CONNECTED.wait_timeout_while(state, PATIENCE, |proxy| proxy.is_none()).unwrap_or_else(PoisonError::into_inner);
    state.clone().unwrap_or_else(|| Err(Error::new(ErrorKind::Stalled, "the window system did not start")))
}

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

fn create_loop() -> Result<EventLoop<Command>> {
    let mut builder = EventLoop::<Command>::with_user_event();
    allow_any_thread(&mut builder);
    builder.build().map_err(|error| {
        Error::new(ErrorKind::Unsupported, "there is no screen to open a window on")
            .hint("set DISPLAY or WAYLAND_DISPLAY to a screen that is there, or record to a file instead")
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

/// Runs the loop on the thread that the runtime lends: the main one.
struct OnMainThread;

impl MainLoop for OnMainThread {
    fn run(&self, is_over: &dyn Fn() -> bool) {
        use winit::platform::run_on_demand::EventLoopExtRunOnDemand;
        thread_local! {
            /// Kept for later runs: winit allows no second one.
            static LOOP: RefCell<Option<EventLoop<Command>>> = const { RefCell::new(None) };
        }
        LOOP.with_borrow_mut(|kept| {
            // A loop that another thread has, or that could not be made, is not to be had here either.
            if kept.is_none() && announced().is_none() {
                match create_loop() {
                    Ok(event_loop) => {
                        announce(Ok(event_loop.create_proxy()));
                        *kept = Some(event_loop);
                    }
                    Err(error) => announce(Err(error)),
                }
            }
            let Some(event_loop) = kept else { return };
            if let Err(error) = event_loop.run_app_on_demand(&mut Windows::until(is_over)) {
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
