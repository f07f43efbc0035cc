//! Recordings, judged by ffmpeg and ffprobe.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod disk;
mod files;
#[path = "../../src/record/judge.rs"]
mod judge;
mod pictures;
mod planar;
mod power;
mod support;
mod times;
