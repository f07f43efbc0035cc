//! What was moved and what was created.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of pixels that were moved, row padding apart, and bytes of shader parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ByteStatistics {
    /// Pixels from the CPU to the GPU.
    pub uploaded: u64,
    /// Pixels from texture to texture.
    pub copied: u64,
    /// Pixels from the GPU to the CPU.
    pub read_back: u64,
    /// Bytes moved only because rows must start at multiples of 256 bytes.
    pub row_padding: u64,
    /// Shader parameters.
    pub uniforms: u64,
}

/// Relaxed counters: each is exact by itself.
#[derive(Default)]
pub(super) struct ByteCounters {
    pub(super) uploaded: AtomicU64,
    pub(super) copied: AtomicU64,
    pub(super) read_back: AtomicU64,
    pub(super) row_padding: AtomicU64,
    pub(super) uniforms: AtomicU64,
}

impl ByteCounters {
    pub(super) fn snapshot(&self) -> ByteStatistics {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        ByteStatistics {
            uploaded: get(&self.uploaded),
            copied: get(&self.copied),
            read_back: get(&self.read_back),
            row_padding: get(&self.row_padding),
            uniforms: get(&self.uniforms),
        }
    }
}

/// GPU objects that were created. In the steady state of a stream none is, command encoders and the window system's textures apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct CreationStatistics {
    /// Textures.
    pub textures: u64,
    /// Views of textures.
    pub views: u64,
    /// Buffers.
    pub buffers: u64,
    /// Bind groups.
    pub bind_groups: u64,
    /// Layouts of bind groups.
    pub layouts: u64,
    /// Pipelines, each with its shader module.
    pub pipelines: u64,
    /// Samplers.
    pub samplers: u64,
    /// Sets of queries.
    pub query_sets: u64,
}

#[derive(Default)]
pub(super) struct CreationCounters {
    pub(super) textures: AtomicU64,
    pub(super) views: AtomicU64,
    pub(super) buffers: AtomicU64,
    pub(super) bind_groups: AtomicU64,
    pub(super) layouts: AtomicU64,
    pub(super) pipelines: AtomicU64,
    pub(super) samplers: AtomicU64,
    pub(super) query_sets: AtomicU64,
}

impl CreationCounters {
    pub(super) fn snapshot(&self) -> CreationStatistics {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CreationStatistics {
            textures: get(&self.textures),
            views: get(&self.views),
            buffers: get(&self.buffers),
            bind_groups: get(&self.bind_groups),
            layouts: get(&self.layouts),
            pipelines: get(&self.pipelines),
            samplers: get(&self.samplers),
            query_sets: get(&self.query_sets),
        }
    }
}

/// GPU objects of wgpu's that somebody holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ObjectStatistics {
    /// Textures.
    pub textures: usize,
    /// Views of textures.
    pub views: usize,
    /// Buffers.
    pub buffers: usize,
    /// Bind groups.
    pub bind_groups: usize,
    /// Layouts of bind groups and of pipelines.
    pub layouts: usize,
    /// Shader modules.
    pub shader_modules: usize,
    /// Pipelines.
    pub pipelines: usize,
    /// Samplers.
    pub samplers: usize,
    /// Sets of queries.
    pub query_sets: usize,
    /// Encoders, and command buffers that were not submitted.
    pub command_encoders: usize,
}

impl ObjectStatistics {
    /// As wgpu counts them; zero where it does not.
    pub(super) fn of(instance: &wgpu::Instance) -> Self {
        let Some(report) = instance.generate_report() else { return Self::default() };
        let hub = report.hub_report();
        Self {
            textures: hub.textures.num_kept_from_user,
            views: hub.texture_views.num_kept_from_user,
            buffers: hub.buffers.num_kept_from_user,
            bind_groups: hub.bind_groups.num_kept_from_user,
            layouts: hub.bind_group_layouts.num_kept_from_user + hub.pipeline_layouts.num_kept_from_user,
            shader_modules: hub.shader_modules.num_kept_from_user,
            pipelines: hub.compute_pipelines.num_kept_from_user + hub.render_pipelines.num_kept_from_user,
            samplers: hub.samplers.num_kept_from_user,
            query_sets: hub.query_sets.num_kept_from_user,
            command_encoders: hub.command_encoders.num_kept_from_user + hub.command_buffers.num_kept_from_user,
        }
    }
}
