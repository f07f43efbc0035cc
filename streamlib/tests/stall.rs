//! When the source stalls, the recording on disk does not wait for the next frame.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod support;

use std::time::Duration;

use streamlib::ManualClock;
use streamlib::prelude::*;
use support::{Scratch, complaints, decode, eventually};

#[test]
fn what_came_before_a_stall_is_in_the_file_while_the_run_goes_on() {
    let scratch = Scratch::new();
    let (path, size) = (scratch.path("stalled.mp4"), Size::new(64, 48).unwrap());
    let clock = ManualClock::default();
    let mut graph = Graph::new();
    let pattern = TestPattern::new(TestPatternParameters { size, ..Default::default() }).unwrap();
    graph.chain((pattern, Record::to(&path))).unwrap();
    let options = RuntimeOptions { clock: Some(clock.clone()), stop_on_signals: false, ..Default::default() };
    let running = Runtime::new(options).start(graph).unwrap();
    let recorded = || running.statistics().nodes["record"].counters.get("frames").copied().unwrap_or(0);
    for frame in 1..=3 {
        eventually("the frame is encoded", || recorded() == frame);
        // The clock stands still after the third frame, far from the half second that would end a fragment.
        if frame < 3 {
            clock.advance(Duration::from_millis(34));
        }
    }
    eventually("the file has its name", || path.exists());
    assert_eq!(complaints(&path), "");
    assert_eq!(decode(&path, size).len(), 3);
    assert!(!running.is_over());
    running.stop(Stop::Drain);
    let (statistics, outcome) = running.wait();
    outcome.unwrap();
    assert!(statistics.unbalanced_links().is_empty());
    assert_eq!((complaints(&path), decode(&path, size).len()), (String::new(), 3));
}
