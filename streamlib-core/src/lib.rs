//! The engine of streamlib: frames, ports, graphs, plans and the runtime that carries them out.
//!
//! No processor is known here by name. Applications depend on the `streamlib` crate, which adds the built-in processors.

#![deny(unsafe_code)]

mod animation;
mod concurrency;
mod error;
mod format;
mod frame;
mod gpu;
mod graph;
mod parameters;
mod plan;
mod port;
mod processor;
mod registry;
mod runtime;
mod time;

/// The wgpu whose types appear here: features, textures, what kernels sample with.
pub use wgpu;

pub use animation::{Animated, Interpolate};
pub use error::{Error, ErrorKind, Result};
pub use format::{Alpha, ChromaSite, Color, MAX_DIMENSION, Matrix, PixelFormat, Range, Size, VideoFormat};
pub use frame::VideoFrame;
#[doc(hidden)]
pub use gpu::type_of_field;
pub use gpu::{
    AdapterChoice, AdapterOptions, Buffer, BufferReadBack, ByteStatistics, CreationStatistics, DeclaredField, DeclaredUniform,
    DiskCacheStatistics, FrameEncoder, FramePainter, GpuContext, GpuOptions, GpuStatistics, Kernel, KernelBinding, KernelCall,
    KernelOptions, KernelStatistics, LeaseReport, Mapping, MemoryStatistics, ObjectStatistics, PainterOptions, PassShape, Plane,
    PoolStatistics, Raw, RawBytes, RawReadBack, RawShader, ReadBack, ReadBackView, ReadyToken, Scalar, ShaderSource, Uniform,
    UniformField, UniformLayout, UniformNumber, UniformType, UniformValue, UploadMemory, Viewport, WrittenTexture,
};
pub use graph::{Graph, GraphSpec, IntoChain, LinkSpec, NodeSpec, PortRef};
pub use parameters::{Checker, Described, ParameterDescriptor, Tunable, Tuning, check_parameters, check_values, make};
pub use plan::{Mode, Plan, PlanChange, PlanOptions, PlannedLink, PlannedNode, Role, SegmentPlan};
pub use port::counts::{Dropped, LinkCounts};
pub use port::link::Transport;
pub use port::{Delivery, In, InputOptions, InputSpec, Message, MessageType, Out, OutputOptions, OutputSpec, Pairing, Ports};
pub use processor::{
    Cadence, Context, Counter, Domain, FailurePolicy, Filter, Flow, IntoProcessor, MainLoop, Next, PixelShader, PixelStage,
    Processor, Restart, Sink, Source, StopHandle, Threading,
};
pub use registry::{Descriptor, PortDescriptor, Registry};
pub use runtime::{
    Events, Latency, LinkStatistics, ManualClock, NodeStatistics, Percentiles, Reaction, RunEvent, RunEventKind, Running,
    Runtime, RuntimeOptions, Statistics, Stop,
};
pub use time::{FrameRate, Timestamp};
