//! `images` and `save-images` in graphs, on real files.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod kinds;
mod read;
mod save;
mod support;
