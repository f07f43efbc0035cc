//! The engine of streamlib: frames, ports, graphs, plans and the runtime that carries them out.
//!
//! No processor is known here by name. Applications depend on the `streamlib` crate, which adds the built-in processors.

#![forbid(unsafe_code)]

mod error;
mod format;
mod frame;
mod gpu;
mod time;

pub use error::{Error, ErrorKind, Result};
pub use format::{Alpha, Color, MAX_DIMENSION, Matrix, PixelFormat, Range, Size, VideoFormat};
pub use frame::VideoFrame;
pub use gpu::{
    AdapterChoice, AdapterOptions, ByteStatistics, FrameEncoder, FrameShader, GpuContext, GpuOptions, GpuStatistics, LeaseReport,
    ReadBack, ReadBackView, ReadyToken, TextureStatistics,
};
pub use time::{FrameRate, Timestamp};
