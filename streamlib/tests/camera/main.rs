//! From a camera through both backends to pictures, recordings and windows, on the kernel's virtual camera: `scripts/test-camera`
//! brings it, and sets `STREAMLIB_TEST_CAMERA`. Elsewhere only what needs no camera is tested; the rest says so and passes.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test program, its helpers included")]

mod absent;
mod bars;
mod judge;
mod program;
mod running;
mod trouble;
mod unplugged;
mod virtual_camera;
mod window;

/// The picture's size in these tests: the smallest that the virtual camera has, since instructions are emulated there.
const WIDTH: usize = 320;
const HEIGHT: usize = 180;
