//! Pixel shaders: functions from a pixel's colour to another, of which one pass draws as many as stand beside each other.

mod function;
mod group;

pub(crate) use function::PixelFunction;
pub(crate) use group::{Draft, PixelGroup};
