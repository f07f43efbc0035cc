//! The processors that come with streamlib, one module each.

pub mod camera;
pub mod record;
