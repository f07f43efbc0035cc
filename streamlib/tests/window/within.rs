//! Several runs with windows in one process.
//!
//! A process has one window system, and its screen is chosen by its environment, so each of these runs as a process of its own:
//! the tests that are ignored are started by the others.

#![allow(clippy::disallowed_methods, reason = "it does by hand what streamlib must notice")]

use std::sync::Arc;

use streamlib::display::{WindowThread, serve_windows_on};
use streamlib::prelude::*;
use streamlib::{MainLoop, Threading};

use crate::program::{Outcome, Program};
use crate::screen::{PATIENCE, Screen, wait_for};

const CLOSED: &str = "Closed by its button";

fn pattern() -> TestPattern {
    let size = Size::new(320, 240).unwrap();
    TestPattern::new(TestPatternParameters { size, ..Default::default() }).unwrap()
}

fn run(sink: Display, frames: Option<u64>) -> Result<Statistics> {
    let mut graph = Graph::new();
    graph.chain((pattern(), BouncingBall::default(), sink))?;
    let options = RuntimeOptions { frames, duration: Some(2 * PATIENCE), ..Default::default() };
    let statistics = Runtime::new(options).run(graph)?;
    assert_eq!(statistics.unbalanced_links(), Vec::<&str>::new());
    assert!(statistics.links.values().all(|link| link.counts.queued == 0));
    assert_eq!(statistics.gpu.as_ref().unwrap().textures.in_use, 0);
    Ok(statistics)
}

/// Runs one after the other, the last until its window is closed.
fn several_runs() {
    for vsync in [true, false] {
        let display = Display::new(DisplayParameters { vsync, ..Default::default() }).unwrap();
        assert_eq!(run(display, Some(10)).unwrap().nodes["display"].counters["presented"], 10);
    }
    let size = Some(Size::new(400, 400).unwrap());
    let display = Display::new(DisplayParameters { title: CLOSED.into(), size, ..Default::default() }).unwrap();
    let statistics = run(display, None).unwrap();
    assert!(statistics.seconds < PATIENCE.as_secs_f64(), "its window was closed long before the time was up");
}

/// A graph that fails before the loop of the main thread starts.
struct Broken;

impl Sink for Broken {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "it is broken"))
    }

    fn consume(&mut self, _: VideoFrame, _: &mut Context<'_>) -> Result<()> {
        Ok(())
    }
}

fn run_a_broken_graph() {
    let mut graph = Graph::new();
    graph.add("pattern", pattern()).unwrap();
    graph.add("display", Display::default()).unwrap();
    graph.add("broken", Broken).unwrap();
    graph.connect("pattern", "display").unwrap();
    graph.connect("pattern", "broken").unwrap();
    let error = Runtime::default().run(graph).unwrap_err();
    assert!(error.to_string().contains("node 'broken': it is broken"), "{error}");
}

/// A display that records something impossible with each picture.
struct Clumsy(Display);

impl Sink for Clumsy {
    fn threading(&self) -> Threading {
        self.0.threading()
    }

    fn main_loop(&self) -> Option<Arc<dyn MainLoop>> {
        self.0.main_loop()
    }

    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.0.setup(cx)
    }

    fn consume(&mut self, frame: VideoFrame, cx: &mut Context<'_>) -> Result<()> {
        self.0.consume(frame, cx)?;
        let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let descriptor = wgpu::BufferDescriptor { label: None, size: 4, usage, mapped_at_creation: false };
        let buffer = cx.gpu()?.wgpu_device().create_buffer(&descriptor);
        cx.encoder()?.commands().copy_buffer_to_buffer(&buffer, 0, &buffer, 0, 8);
        Ok(())
    }

    fn submitted(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.0.submitted(cx)
    }
}

/// The submission that draws the picture fails, so its texture of the window is never shown.
fn run_with_a_picture_that_cannot_be_shown() {
    let mut graph = Graph::new();
    graph.chain((pattern(), Clumsy(Display::default()))).unwrap();
    let error = Runtime::default().run(graph).unwrap_err();
    assert_eq!((error.kind(), error.node()), (ErrorKind::Gpu, Some("clumsy")), "{error}");
}

#[test]
#[ignore = "run by windows_on_a_thread_of_their_own in a process with a screen"]
fn child_with_own_thread() {
    several_runs();
    run_a_broken_graph();
    run_with_a_picture_that_cannot_be_shown();
    let error = serve_windows_on(WindowThread::Main).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
}

#[test]
#[ignore = "run by windows_on_the_main_thread in a process with a screen"]
fn child_with_main_thread() {
    serve_windows_on(WindowThread::Main).unwrap();
    let mut graph = Graph::new();
    graph.chain((pattern(), Display::default())).unwrap();
    assert!(Runtime::default().start(graph).is_err(), "only `run` can lend the thread");
    run_a_broken_graph();
    several_runs();
    run_a_broken_graph();
    assert_eq!(serve_windows_on(WindowThread::Own).unwrap_err().kind(), ErrorKind::Busy);
}

/// Runs it, and closes the window that waits for that.
fn run_child(name: &str) {
    let screen = Screen::start();
    let mut program = Program::this_test(name, Some(screen.display()));
    let window = wait_for("the window that is to be closed", || {
        program.assert_runs();
        screen.windows(CLOSED).pop()
    });
    wait_for("its picture", || {
        program.assert_runs();
        let picture = screen.picture(window);
        // 320x240 in 400x400: 300 rows in the middle.
        picture.bars(Size::new(320, 240).unwrap()).ok().filter(|()| picture.at(200, 20) == [0, 0, 0])
    });
    screen.click_close(window);
    assert_passed(&program.outcome());
}

fn assert_passed(outcome: &Outcome) {
    assert!(outcome.status.success(), "{}{}", outcome.stdout, outcome.stderr);
    // Also one that the runtime caught.
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("1 passed"), "it was not run: {}", outcome.stdout);
}

#[test]
fn windows_on_a_thread_of_their_own() {
    run_child("within::child_with_own_thread");
}

#[test]
fn windows_on_the_main_thread() {
    run_child("within::child_with_main_thread");
}

#[test]
#[ignore = "run by without_a_screen_no_run_waits_for_one in a process without a screen"]
fn child_without_screen() {
    serve_windows_on(WindowThread::Main).unwrap();
    for _ in 0..2 {
        let error = run(Display::default(), Some(10)).unwrap_err();
        assert!(error.to_string().contains("node 'display': there is no screen"), "{error}");
    }
}

#[test]
fn without_a_screen_no_run_waits_for_one() {
    assert_passed(&Program::this_test("within::child_without_screen", None).outcome());
}
