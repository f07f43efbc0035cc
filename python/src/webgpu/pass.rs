//! Compute passes.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use smallvec::SmallVec;
use streamlib::{Error, ErrorKind, wgpu};

use super::binding::{BindGroup, Frames};
use super::buffer::Buffer;
use super::commands::CommandEncoder;
use super::data::{Data, part};
use super::object::{Object, of};
use super::pipeline::ComputePipeline;
use crate::errors::{Failure, Outcome};

/// Records dispatches of compute shaders, until it is ended.
#[pyclass(frozen, extends = Object, module = "streamlib.webgpu")]
pub struct ComputePass {
    /// `None` once it has ended.
    pass: Mutex<Option<Recording>>,
    encoder: Py<CommandEncoder>,
}

struct Recording {
    pass: wgpu::ComputePass<'static>,
    /// The frames of the groups that are set, by their places.
    groups: SmallVec<[(u32, Frames); 2]>,
}

impl ComputePass {
    pub(super) fn new(pass: wgpu::ComputePass<'static>, encoder: Py<CommandEncoder>) -> Self {
        Self { pass: Mutex::new(Some(Recording { pass, groups: SmallVec::new() })), encoder }
    }

    /// Records with wgpu's pass.
    fn record<T>(this: &Bound<'_, Self>, record: impl FnOnce(&mut Recording) -> Outcome<T>) -> Outcome<T> {
        match &mut *this.get().pass.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(pass) => record(pass),
            None => Err(Self::ended(this)),
        }
    }

    fn ended(this: &Bound<'_, Self>) -> Failure {
        let called = this.as_super().get().called("compute pass");
        Error::new(ErrorKind::Gpu, format!("{called} has ended")).hint("begin a new one").into()
    }

    fn call(this: &Bound<'_, Self>, what: &str, call: impl FnOnce(&mut wgpu::ComputePass<'static>)) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        Self::record(this, |recording| Ok(gpu.raw().call(what, || call(&mut recording.pass))?))
    }
}

impl ComputePass {
    /// Frames that are in a group to be written are written by what is dispatched, if it does something.
    fn dispatch(
        this: &Bound<'_, Self>,
        what: &str,
        does_something: bool,
        call: impl FnOnce(&mut wgpu::ComputePass<'static>),
    ) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        Self::record(this, |Recording { pass, groups }| {
            gpu.raw().call(what, || call(pass))?;
            if does_something && !groups.is_empty() {
                let frames = groups.iter().flat_map(|(_, frames)| frames);
                this.get().encoder.get().writes(frames.filter(|(_, is_written)| *is_written).map(|(kept, _)| kept));
            }
            Ok(())
        })
    }
}

#[pymethods]
impl ComputePass {
    /// The pipeline of the dispatches that follow.
    fn set_pipeline(this: &Bound<'_, Self>, pipeline: &Bound<'_, ComputePipeline>) -> Outcome<()> {
        let pipeline = of(this.as_super().get().gpu(), "pipeline", pipeline)?;
        Self::call(this, "set_pipeline", |pass| pass.set_pipeline(&pipeline.raw))
    }

    /// What the shader's `@group(index)` is from now on. Of `dynamic_offsets_data`, a part can be named by its begin and its length.
    #[pyo3(signature = (index, bind_group, dynamic_offsets_data=None, dynamic_offsets_data_start=None, dynamic_offsets_data_length=None))]
    fn set_bind_group(
        this: &Bound<'_, Self>,
        index: u32,
        bind_group: Option<&Bound<'_, BindGroup>>,
        dynamic_offsets_data: Option<Vec<u32>>,
        dynamic_offsets_data_start: Option<usize>,
        dynamic_offsets_data_length: Option<usize>,
    ) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        let offsets = dynamic_offsets_data.unwrap_or_default();
        let start = dynamic_offsets_data_start.unwrap_or(0).min(offsets.len());
        let end = dynamic_offsets_data_length.map_or(offsets.len(), |length| start.saturating_add(length).min(offsets.len()));
        let group = bind_group.map(|group| of(gpu, "bind_group", group)).transpose()?;
        Self::record(this, |Recording { pass, groups }| {
            let frames = group.map_or(&[][..], |group| &group.frames);
            for (kept, _) in frames.iter().filter(|(_, is_written)| *is_written) {
                kept.check_writable(gpu, format_args!("set_bind_group({index})"))?;
            }
            let (group, offsets) = (group.map(|group| &group.raw), &offsets[start..end]);
            gpu.raw().call("set_bind_group", || pass.set_bind_group(index, group, offsets))?;
            // Not before: if it is refused, the pass has the group that it had.
            groups.retain(|(place, _)| *place != index);
            if !frames.is_empty() {
                this.get().encoder.get().reads(frames.iter().map(|(kept, _)| kept));
                groups.push((index, frames.into()));
            }
            Ok(())
        })
    }

    /// Sets bytes of the pipeline's immediate data.
    #[pyo3(signature = (range_offset, data: "typing.Any", data_offset=0, data_size=None))]
    fn set_immediates(
        this: &Bound<'_, Self>,
        range_offset: u32,
        data: &Bound<'_, PyAny>,
        data_offset: u64,
        data_size: Option<u64>,
    ) -> Outcome<()> {
        let data = Data::of("data", data)?;
        let range = part(data.len(), data_offset, data_size)?;
        Self::call(this, "set_immediates", |pass| pass.set_immediates(range_offset, &data[range]))
    }

    /// Runs the shader in so many workgroups.
    #[pyo3(signature = (workgroup_count_x, workgroup_count_y=1, workgroup_count_z=1))]
    fn dispatch_workgroups(
        this: &Bound<'_, Self>,
        workgroup_count_x: u32,
        workgroup_count_y: u32,
        workgroup_count_z: u32,
    ) -> Outcome<()> {
        let does_something = workgroup_count_x > 0 && workgroup_count_y > 0 && workgroup_count_z > 0;
        Self::dispatch(this, "dispatch_workgroups", does_something, |pass| {
            pass.dispatch_workgroups(workgroup_count_x, workgroup_count_y, workgroup_count_z);
        })
    }

    /// The same, as often as three numbers in a buffer say.
    fn dispatch_workgroups_indirect(
        this: &Bound<'_, Self>,
        indirect_buffer: &Bound<'_, Buffer>,
        indirect_offset: u64,
    ) -> Outcome<()> {
        let buffer = of(this.as_super().get().gpu(), "indirect_buffer", indirect_buffer)?;
        Self::dispatch(this, "dispatch_workgroups_indirect", true, |pass| {
            pass.dispatch_workgroups_indirect(buffer.raw(), indirect_offset);
        })
    }

    /// Begins a group of commands, for debuggers.
    fn push_debug_group(this: &Bound<'_, Self>, group_label: &str) -> Outcome<()> {
        Self::call(this, "push_debug_group", |pass| pass.push_debug_group(group_label))
    }

    /// Ends it.
    fn pop_debug_group(this: &Bound<'_, Self>) -> Outcome<()> {
        Self::call(this, "pop_debug_group", |pass| pass.pop_debug_group())
    }

    /// Marks a place among the commands, for debuggers.
    fn insert_debug_marker(this: &Bound<'_, Self>, marker_label: &str) -> Outcome<()> {
        Self::call(this, "insert_debug_marker", |pass| pass.insert_debug_marker(marker_label))
    }

    /// Ends it: its encoder can record again.
    fn end(this: &Bound<'_, Self>) -> Outcome<()> {
        let gpu = this.as_super().get().gpu();
        let pass = this.get().pass.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(pass) = pass else { return Err(Self::ended(this)) };
        let ended = gpu.raw().call("end", || drop(pass));
        this.get().encoder.get().pass_ended();
        Ok(ended?)
    }
}
