//! The processors that come with streamlib, one module each.

pub mod bouncing_ball;
pub mod camera;
pub mod display;
pub mod images;
pub mod null;
pub mod record;
pub mod test_pattern;
