//! A screen of the test's own: an X server in memory, seen and operated as a person would.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConfigureWindowAux, ConnectionExt as _, EventMask, ImageFormat, InputFocus, KEY_PRESS_EVENT,
    KEY_RELEASE_EVENT, MapState, Window,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::rust_connection::RustConnection;

use crate::picture::Picture;

/// How long anything may take; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The keysym of the escape key, from X11/keysymdef.h.
const ESCAPE: u32 = 0xff1b;

/// Asks `attempt` until it has something to say.
pub(crate) fn wait_for<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(15));
    }
}

/// An X server on a display number that was free. It has no window manager. Ends when dropped.
pub(crate) struct Screen {
    server: Child,
    display: String,
    connection: RustConnection,
    root: Window,
}

impl Screen {
    pub(crate) fn start() -> Self {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1400x1000x24", "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need Xvfb: on Debian and Ubuntu 'apt-get install xvfb'");
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        assert!(!number.trim().is_empty(), "Xvfb did not start");
        let display = format!(":{}", number.trim());
        let (connection, screen) = x11rb::connect(Some(&display)).unwrap();
        let root = connection.setup().roots[screen].root;
        Self { server, display, connection, root }
    }

    /// What `DISPLAY` has to be.
    pub(crate) fn display(&self) -> &str {
        &self.display
    }

    fn title(&self, window: Window) -> Option<String> {
        let property = self.connection.get_property(false, window, AtomEnum::WM_NAME, AtomEnum::ANY, 0, 256).ok()?;
        String::from_utf8(property.reply().ok()?.value).ok()
    }

    /// The windows of this title that can be seen, in the order in which they were opened.
    pub(crate) fn windows(&self, title: &str) -> Vec<Window> {
        let mut windows = self.connection.query_tree(self.root).unwrap().reply().unwrap().children;
        windows.retain(|window| {
            let is_seen = |window| {
                let attributes = self.connection.get_window_attributes(window).ok()?.reply().ok()?;
                Some(attributes.map_state == MapState::VIEWABLE)
            };
            self.title(*window).as_deref() == Some(title) && is_seen(*window) == Some(true)
        });
        windows.sort_unstable();
        windows
    }

    pub(crate) fn wait_for_windows(&self, title: &str, count: usize) -> Vec<Window> {
        wait_for("windows", || Some(self.windows(title)).filter(|windows| windows.len() == count))
    }

    pub(crate) fn wait_for_window(&self, title: &str) -> Window {
        self.wait_for_windows(title, 1)[0]
    }

    /// What a window shows.
    pub(crate) fn picture(&self, window: Window) -> Picture {
        let geometry = self.connection.get_geometry(window).unwrap().reply().unwrap();
        let (width, height) = (geometry.width, geometry.height);
        let image = self.connection.get_image(ImageFormat::Z_PIXMAP, window, 0, 0, width, height, !0).unwrap();
        let bgrx = image.reply().unwrap().data;
        let pixels = bgrx.chunks_exact(4).map(|pixel| [pixel[2], pixel[1], pixel[0]]).collect();
        Picture { width: width.into(), height: height.into(), pixels }
    }

    pub(crate) fn resize(&self, window: Window, width: u32, height: u32) {
        self.configure(window, ConfigureWindowAux::new().width(width).height(height));
    }

    pub(crate) fn move_to(&self, window: Window, x: i32, y: i32) {
        self.configure(window, ConfigureWindowAux::new().x(x).y(y));
    }

    fn configure(&self, window: Window, change: ConfigureWindowAux) {
        self.connection.configure_window(window, &change).unwrap().check().unwrap();
    }

    /// What a window manager does when somebody clicks on the close button (ICCCM 4.2.8.1).
    pub(crate) fn click_close(&self, window: Window) {
        let atom = |name: &str| self.connection.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom;
        let data = [atom("WM_DELETE_WINDOW"), x11rb::CURRENT_TIME, 0, 0, 0];
        let message = ClientMessageEvent::new(32, window, atom("WM_PROTOCOLS"), data);
        self.connection.send_event(false, window, EventMask::NO_EVENT, message).unwrap().check().unwrap();
    }

    /// What no well-behaved program does to another.
    pub(crate) fn destroy(&self, window: Window) {
        self.connection.destroy_window(window).unwrap().check().unwrap();
    }

    pub(crate) fn press_escape(&self, window: Window) {
        self.connection.set_input_focus(InputFocus::PARENT, window, x11rb::CURRENT_TIME).unwrap().check().unwrap();
        let key = self.key_code(ESCAPE);
        for kind in [KEY_PRESS_EVENT, KEY_RELEASE_EVENT] {
            self.connection.xtest_fake_input(kind, key, x11rb::CURRENT_TIME, self.root, 0, 0, 0).unwrap().check().unwrap();
        }
    }

    fn key_code(&self, symbol: u32) -> u8 {
        let setup = self.connection.setup();
        let (first, count) = (setup.min_keycode, setup.max_keycode - setup.min_keycode + 1);
        let mapping = self.connection.get_keyboard_mapping(first, count).unwrap().reply().unwrap();
        let row = usize::from(mapping.keysyms_per_keycode);
        let at = mapping.keysyms.iter().position(|candidate| *candidate == symbol).expect("the keyboard has this key");
        first + (at / row) as u8
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
