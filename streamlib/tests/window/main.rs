//! The display on a real X server: what it shows, and how its window opens, changes and closes.
//!
//! Each test has a screen of its own, Xvfb, which it sees and operates through the X protocol as a person would.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a test that cannot go on fails and says why")]

mod picture;
mod program;
mod screen;
mod within;

use streamlib::prelude::*;

use picture::Picture;
use program::Program;
use screen::{Screen, wait_for};

const TITLE: &str = "Bouncing ball";

fn size() -> Size {
    Size::new(640, 480).unwrap()
}

/// A picture in which all is where it should be, in a window of any shape.
fn wait_for_picture(screen: &Screen, window: u32, program: &mut Program, accept: impl Fn(&Picture) -> bool) -> Picture {
    wait_for("the picture", || {
        program.assert_runs();
        Some(screen.picture(window)).filter(|picture| picture.block(size()).is_some() && accept(picture))
    })
}

#[test]
fn a_window_shows_bars_block_and_ball_and_closes_by_its_button() {
    let screen = Screen::start();
    let mut program = Program::example(Some(screen.display()), &["--sink", "window", "--size", "640x480"]);
    let window = screen.wait_for_window(TITLE);
    let mut pictures: Vec<Picture> = Vec::new();
    while pictures.len() < 4 {
        let last = pictures.last().and_then(|picture| picture.block(size()));
        let next = wait_for_picture(&screen, window, &mut program, |picture| picture.block(size()) != last);
        assert_eq!((next.width, next.height), (640, 480));
        next.bars(size()).unwrap();
        next.ball_shape(size()).unwrap();
        pictures.push(next);
    }
    let sequences: Vec<_> = pictures.iter().map(|picture| picture.block(size()).unwrap()).collect();
    // Live, the first picture's time is the moment at which it was drawn.
    let origins = sequences.iter().map(|block| block.time.saturating_since(FrameRate::default().timestamp_of(block.sequence)));
    let origins: Vec<_> = origins.collect();
    assert!(origins.iter().all(|origin| *origin == origins[0]), "{sequences:?}");
    assert!(sequences.windows(2).all(|pair| pair[0].sequence < pair[1].sequence), "{sequences:?}");
    // Pictures that were due while the graph was set up are skipped, and the ball starts with the first that is drawn. There is
    // one such first picture for all that were seen.
    let errors_from = |first| pictures.iter().map(move |picture| picture.ball_error(size(), FrameRate::default(), first));
    let worst = |first| errors_from(first).fold(0.0, f64::max);
    let best = (0..=sequences[0].sequence).map(worst).fold(f64::INFINITY, f64::min);
    assert!(best < 0.5, "the ball is {best} pixels from where it should be");
    screen.click_close(window);
    program.outcome().assert_clean();
}

#[test]
fn offline_the_ball_is_exactly_where_the_physics_say() {
    let screen = Screen::start();
    let arguments = ["--sink", "window", "--size", "640x480", "--offline"];
    let mut program = Program::example(Some(screen.display()), &arguments);
    let window = screen.wait_for_window(TITLE);
    for least in [1, 30, 100] {
        let picture = wait_for_picture(&screen, window, &mut program, |picture| picture.block(size()).unwrap().sequence >= least);
        let error = picture.ball_error(size(), FrameRate::default(), 0);
        assert!(error < 0.5, "the ball is {error} pixels from where it should be in {:?}", picture.block(size()));
        picture.bars(size()).unwrap();
    }
    screen.click_close(window);
    let statistics = program.outcome().assert_clean();
    for (name, link) in statistics["links"].as_object().unwrap() {
        assert_eq!(link["dropped"]["overflow"], 0, "{name}: offline nothing is lost");
    }
}

#[test]
fn a_resized_window_is_letterboxed() {
    let screen = Screen::start();
    let mut program = Program::example(Some(screen.display()), &["--sink", "window", "--size", "640x480"]);
    let window = screen.wait_for_window(TITLE);
    for (width, height) in [(1200, 480), (480, 800), (960, 720), (640, 480)] {
        screen.resize(window, width, height);
        let picture = wait_for_picture(&screen, window, &mut program, |picture| {
            (picture.width, picture.height) == (width, height) && picture.bars(size()).is_ok() && picture.rest_is_black(size())
        });
        picture.ball_shape(size()).unwrap_or_else(|wrong| panic!("in {width}x{height}: {wrong}"));
    }
    screen.click_close(window);
    program.outcome().assert_clean();
}

#[test]
fn two_windows_survive_being_resized_all_the_time() {
    let screen = Screen::start();
    let arguments = ["--sink", "window", "--sink", "window", "--size", "640x480"];
    let mut program = Program::example(Some(screen.display()), &arguments);
    let windows = screen.wait_for_windows(TITLE, 2);
    screen.move_to(windows[1], 700, 0);
    for step in 0..80 {
        for window in &windows {
            screen.resize(*window, 300 + step * 4, 600 - step * 5);
        }
        // Every second step waits for a picture, so that resizing meets frames under way in many places.
        if step % 2 == 0 {
            wait_for_picture(&screen, windows[step as usize / 2 % 2], &mut program, |_| true);
        }
    }
    for window in &windows {
        screen.resize(*window, 640, 480);
        wait_for_picture(&screen, *window, &mut program, |picture| picture.bars(size()).is_ok());
    }
    screen.click_close(windows[0]);
    let statistics = program.outcome().assert_clean();
    assert!(statistics["nodes"].get("display-2").is_some());
}

#[test]
fn the_escape_key_ends_the_program() {
    let screen = Screen::start();
    let mut program = Program::example(Some(screen.display()), &["--sink", "window", "--size", "640x480"]);
    let window = screen.wait_for_window(TITLE);
    wait_for_picture(&screen, window, &mut program, |_| true);
    screen.press_escape(window);
    program.outcome().assert_clean();
}

#[test]
fn a_window_that_somebody_else_destroys_ends_the_program() {
    let screen = Screen::start();
    let mut program = Program::example(Some(screen.display()), &["--sink", "window", "--size", "640x480"]);
    let window = screen.wait_for_window(TITLE);
    wait_for_picture(&screen, window, &mut program, |_| true);
    screen.destroy(window);
    let outcome = program.outcome();
    assert_eq!(outcome.status.code(), Some(0), "{}", outcome.stderr);
}

#[test]
fn a_window_with_a_number_of_frames_closes_by_itself() {
    let screen = Screen::start();
    let program = Program::example(Some(screen.display()), &["--sink", "window", "--size", "320x240", "--frames", "20"]);
    let statistics = program.outcome().assert_clean();
    assert_eq!(statistics["nodes"]["display"]["processed"], 20);
    assert!(screen.windows(TITLE).is_empty());
}

#[test]
fn without_a_screen_the_error_names_the_display_and_the_way_out() {
    for display in [None, Some(":64999")] {
        let outcome = Program::example(display, &["--sink", "window", "--size", "320x240"]).outcome();
        assert_eq!(outcome.status.code(), Some(1));
        for part in ["node 'display'", "no screen", "DISPLAY", "record to a file"] {
            assert!(outcome.stderr.contains(part), "no '{part}' in {}", outcome.stderr);
        }
    }
}
