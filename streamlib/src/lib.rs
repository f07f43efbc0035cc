//! Real-time video processing on the GPU.
//!
//! A [`Graph`] of processors passes [`VideoFrame`]s, each a handle to a texture, from a camera through shaders to a window, a
//! recording or code of your own, without copying pixels between them.
//!
//! ```
//! use streamlib::prelude::*;
//!
//! fn main() -> streamlib::Result<()> {
//!     let mut graph = Graph::new();
//!     graph.chain((TestPattern::default(), BouncingBall::default(), Null::default()))?;
//!     let options = RuntimeOptions { mode: Mode::Offline, frames: Some(30), ..Default::default() };
//!     let statistics = Runtime::new(options).run(graph)?;
//!     assert_eq!(statistics.nodes["null"].processed, 30);
//!     Ok(())
//! }
//! ```

#![forbid(unsafe_code)]

pub use streamlib_core::*;
pub use streamlib_processors::{bouncing_ball, camera, display, images, null, record, test_pattern};

/// Its Rust is compiled by the tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// So is this page's, which is also run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/shaders.md")]
struct Shaders;

/// What most programs need.
pub mod prelude {
    /// Parameters as JSON.
    pub use serde_json::json;
    pub use streamlib_core::{
        Animated, Buffer, Context, Delivery, Described, Error, ErrorKind, FailurePolicy, Filter, Flow, FrameEncoder, FrameRate,
        GpuContext, GpuOptions, Graph, In, InputOptions, Kernel, Message, Mode, Next, Out, OutputOptions, Pairing, PixelFormat,
        PixelShader, Ports, Processor, Restart, Result, RunEventKind, Running, Runtime, RuntimeOptions, Sink, Size, Source,
        Statistics, Stop, Timestamp, Tunable, VideoFormat, VideoFrame, uniform_fields,
    };
    pub use streamlib_processors::bouncing_ball::{BouncingBall, BouncingBallParameters};
    pub use streamlib_processors::camera::{Camera, CaptureOptions};
    pub use streamlib_processors::display::{Display, DisplayParameters};
    pub use streamlib_processors::images::{Images, ImagesParameters, SaveImages, SaveImagesParameters};
    pub use streamlib_processors::null::Null;
    pub use streamlib_processors::record::{Record, RecordParameters};
    pub use streamlib_processors::test_pattern::{TestPattern, TestPatternParameters};
}

/// The built-in processors by name. A processor of your own is one more line: `registry.register::<Mine, _>()?`.
///
/// ```
/// let registry = streamlib::registry();
/// let ball = registry.descriptors().find(|descriptor| descriptor.name == "bouncing-ball").unwrap();
/// let radius = ball.parameters.iter().find(|parameter| parameter.name == "radius").unwrap();
/// assert_eq!((radius.minimum, radius.maximum), (Some(0.001), Some(0.5)));
/// ```
pub fn registry() -> Registry {
    let mut registry = Registry::new();
    register_built_ins(&mut registry).unwrap_or_else(|error| unreachable!("the built-in names are distinct: {error}"));
    registry
}

fn register_built_ins(registry: &mut Registry) -> Result<()> {
    registry.register::<bouncing_ball::BouncingBall, _>()?;
    registry.register::<camera::Camera, _>()?;
    registry.register::<display::Display, _>()?;
    registry.register::<images::Images, _>()?;
    registry.register::<images::SaveImages, _>()?;
    registry.register::<null::Null, _>()?;
    registry.register::<record::Record, _>()?;
    registry.register::<test_pattern::TestPattern, _>()
}
