//! WebGPU in Python: `streamlib.webgpu`. Names and arguments are the specification's, in snake_case.
//!
//! Every class holds what wgpu counts by itself (or, once and until it is consumed, what it does not), so there is nothing to clean up. What
//! refers to a frame's texture holds the frame.

mod adapter;
mod binding;
mod buffer;
mod commands;
mod data;
mod device;
mod fields;
mod mapped;
mod object;
mod pass;
mod pipeline;
mod promise;
mod queue;
mod texture;
mod words;

pub(crate) use adapter::{Adapter, adapters};
pub(crate) use binding::{BindGroup, BindGroupLayout, PipelineLayout, Sampler};
pub(crate) use buffer::Buffer;
pub(crate) use commands::{CommandBuffer, CommandEncoder};
pub(crate) use device::Device;
pub(crate) use object::{Object, of};
pub(crate) use pass::ComputePass;
pub(crate) use pipeline::{ComputePipeline, QuerySet, ShaderModule};
pub(crate) use promise::Mapping;
pub(crate) use queue::Queue;
pub(crate) use texture::{Texture, TextureView};
