//! A recording survives `kill -9`: it plays without a message and lacks at most the last second.
//!
//! `STREAMLIB_KILLS` sets how often (default 3).

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod support;

use std::time::{Duration, Instant};

use streamlib::Size;
use support::{Scratch, block, complaints, decode, eventually, start_example};

#[test]
fn a_killed_recording_plays() {
    let kills: u32 = std::env::var("STREAMLIB_KILLS").ok().map_or(3, |kills| kills.parse().unwrap());
    let size = Size::new(320, 240).unwrap();
    for kill in 0..kills {
        let scratch = Scratch::new();
        let sink = scratch.sink("killed.mp4");
        let mut child = start_example(&["--source", "test-pattern", "--sink", &sink, "--size", "320x240"]);
        eventually("the first frame is recorded", || {
            scratch.path(".killed.mp4.part").exists() || scratch.path("killed.mp4").exists()
        });
        let begun = Instant::now();
        // Moments that differ from one to the next, over one and a half seconds.
        let moment = Duration::from_secs(1) + Duration::from_millis(u64::from(kill) * 617 % 1500);
        while begun.elapsed() < moment {
            std::thread::park_timeout(moment - begun.elapsed());
        }
        let elapsed = begun.elapsed();
        child.kill().unwrap();
        child.wait().unwrap();

        let path = scratch.path("killed.mp4");
        assert_eq!(complaints(&path), "", "killed after {elapsed:?}");
        let pictures = decode(&path, size);
        let last = block(pictures.last().unwrap(), size).unwrap();
        let first = block(&pictures[0], size).unwrap();
        let recorded = last.time.saturating_since(first.time);
        assert!(recorded + Duration::from_secs(1) >= elapsed, "killed after {elapsed:?}, but only {recorded:?} are there");
    }
}
