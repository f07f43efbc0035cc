//! Cameras, on a camera: `STREAMLIB_TEST_CAMERA=/dev/video0` names the one to use. Without it every test here says so and passes.
//!
//! `scripts/test-camera` runs them on the kernel's virtual camera. What only that camera can do (fixed colour bars, damaged
//! pictures, pulling its plug) is left out on others, and said.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test program, its helpers included")]

mod choice;
mod colors;
mod controls;
mod harness;
mod listing;
mod pictures;
mod refused;
mod trouble;
mod unplugged;
