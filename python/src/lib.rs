//! The native half of the Python package `streamlib`: a thin shell over the Rust engine.
//!
//! What reads annotations, and what is pleasant to call, is Python and lies in `streamlib/`. Here are the objects that hold what the
//! engine holds.

#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "what is public here is documented in Python, where its users are")]

mod debug;
mod declaration;
mod errors;
mod events;
mod frame;
mod gpu;
mod graph;
mod interpreter;
mod kernel;
mod logging;
mod message;
mod node;
mod pixels;
mod registry;
mod run;
mod scope;
mod signals;
mod steps;
mod uniforms;
mod waiting;
mod webgpu;

pub use gpu::adopt;

/// The native half of `streamlib`. Import `streamlib` instead.
// No CPython without the lock was at hand to test with: there, importing this switches the lock on.
#[pyo3::pymodule(gil_used = true)]
pub mod _native {
    #[pymodule_export]
    use crate::debug::{gpu_objects, live_objects, trace_frames};
    #[pymodule_export]
    use crate::declaration::Declaration;
    #[pymodule_export]
    use crate::frame::VideoFrame;
    #[pymodule_export]
    use crate::gpu::{GpuContext, close, gpu};
    #[pymodule_export]
    use crate::graph::Graph;
    #[pymodule_export]
    use crate::interpreter::{attachments_elsewhere, python_threads};
    #[pymodule_export]
    use crate::kernel::Kernel;
    #[pymodule_export]
    use crate::logging::{next_log, set_log_level, stop_logging};
    #[pymodule_export]
    use crate::pixels::{Pixels, ReadBack};
    #[pymodule_export]
    use crate::registry::{BuiltIn, cameras, descriptors, has_screen};
    #[pymodule_export]
    use crate::signals::SignalPipe;
    #[pymodule_export]
    use crate::webgpu::{
        Adapter, BindGroup, BindGroupLayout, Buffer, CommandBuffer, CommandEncoder, ComputePass, ComputePipeline, Device,
        Mapping, Object, PipelineLayout, QuerySet, Queue, Sampler, ShaderModule, Texture, TextureView, adapters,
    };

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
