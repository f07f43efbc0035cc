//! The engine of streamlib: frames, ports, graphs, plans and the runtime that carries them out.
//!
//! No processor is known here by name. Applications depend on the `streamlib` crate, which adds the built-in processors.

mod error;
mod format;
mod time;

pub use error::{Error, ErrorKind, Result};
pub use format::{Alpha, Color, MAX_DIMENSION, Matrix, PixelFormat, Range, Size, VideoFormat};
pub use time::{FrameRate, Timestamp};
