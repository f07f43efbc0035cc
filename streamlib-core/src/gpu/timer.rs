//! How long the GPU takes for a pass, where the adapter can tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::GpuContext;
use super::device::Device;
use crate::Result;

/// One pass in so many is measured.
const EVERY: u32 = 8;

/// Measurements that may be under way at once.
const AT_ONCE: usize = 4;

/// Two timestamps are two 64-bit numbers.
const BYTES: u64 = 16;

/// Measures passes now and then. Belongs to whoever records them.
#[derive(Default)]
pub(crate) struct PassTimer {
    timings: Vec<Timing>,
    count: u32,
    device_generation: u32,
}

/// A place for a measurement: timestamps, where the GPU puts them, and where the CPU reads them.
pub(super) struct Timing {
    pub(super) queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    mapped: wgpu::Buffer,
    is_out: bool,
    is_there: Arc<AtomicBool>,
}

impl PassTimer {
    /// Where the next pass is to put its timestamps, if it is to be measured.
    pub(super) fn begin(&mut self, gpu: &GpuContext) -> Result<Option<usize>> {
        let device = gpu.device();
        if !device.raw.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Ok(None);
        }
        let generation = gpu.timeline().generation();
        if std::mem::replace(&mut self.device_generation, generation) != generation {
            self.timings.clear();
        }
        self.count += 1;
        if self.count % EVERY != 1 {
            return Ok(None);
        }
        if let Some(free) = self.timings.iter().position(|timing| !timing.is_out) {
            return Ok(Some(free));
        }
        if self.timings.len() == AT_ONCE {
            return Ok(None);
        }
        self.timings.push(Timing::new(device)?);
        Ok(Some(self.timings.len() - 1))
    }

    pub(super) fn queries(&self, place: usize) -> &wgpu::QuerySet {
        &self.timings[place].queries
    }

    /// Records the timestamps' way to the CPU, behind the pass.
    pub(super) fn end(&mut self, place: usize, commands: &mut wgpu::CommandEncoder) {
        let timing = &mut self.timings[place];
        commands.resolve_query_set(&timing.queries, 0..2, &timing.resolved, 0);
        commands.copy_buffer_to_buffer(&timing.resolved, 0, &timing.mapped, 0, BYTES);
        timing.is_out = true;
        let is_there = timing.is_there.clone();
        commands.map_buffer_on_submit(&timing.mapped, wgpu::MapMode::Read, .., move |mapped| {
            is_there.store(mapped.is_ok(), Ordering::Release);
        });
    }

    /// Tells what has been measured since the last call.
    pub(crate) fn collect(&mut self, gpu: &GpuContext, mut tell: impl FnMut(Duration)) {
        let period = f64::from(gpu.wgpu_queue().get_timestamp_period());
        for timing in self.timings.iter_mut().filter(|timing| timing.is_there.swap(false, Ordering::AcqRel)) {
            if let Ok(view) = timing.mapped.get_mapped_range(..) {
                let tick = |at: usize| view[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
                // Timestamps may be reset, or turn back, when the GPU changes its clock.
                if let Some(ticks) = tick(8).checked_sub(tick(0)) {
                    tell(Duration::from_nanos((ticks as f64 * period) as u64));
                }
            }
            timing.mapped.unmap();
            timing.is_out = false;
        }
    }
}

impl Timing {
    fn new(device: &Device) -> Result<Self> {
        let resolve = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let map = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        Ok(Self {
            queries: device.create_timestamps(2)?,
            resolved: device.create_buffer("streamlib timestamps", BYTES, resolve, false)?,
            mapped: device.create_buffer("streamlib timestamps", BYTES, map, false)?,
            is_out: false,
            is_there: Arc::default(),
        })
    }
}
