//! The shape of passes over whole pictures, found by trying what is fastest on this adapter: how large a workgroup is, and how much
//! of a picture one invocation makes.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use super::GpuContext;
use super::convert::Trial;
use crate::{Result, Size};

/// A workgroup's invocations across and down.
pub(super) type Tile = [u32; 2];

/// Blocks of two by two pixels that one invocation makes of 4:2:0. A block's chroma needs the column before it, which is made
/// again for the first block: the longer the strip, the less is made twice, and the fewer invocations there are.
pub(super) type Strip = u32;

/// What is tried, if the device can do it; the first is taken where nothing can be measured.
const TILES: [Tile; 6] = [[16, 16], [8, 8], [16, 8], [32, 8], [64, 4], [64, 1]];
const STRIPS: [Strip; 5] = [4, 1, 2, 8, 16];

/// Turns of all candidates.
const TURNS: usize = 10;

/// How long all may take: a driver that is slower than this is slow with every shape.
const PATIENCE: Duration = Duration::from_millis(500);

/// What was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PassShape {
    /// The workgroup, its invocations across and down; none before the first such pass was compiled.
    pub workgroup: Option<[u32; 2]>,
    /// How many blocks of two by two pixels one invocation makes of `i420` and `nv12`; none before the first such pass was compiled.
    pub strip: Option<u32>,
}

impl PassShape {
    /// Whether it can have been measured here.
    pub(super) fn is_one_of_ours(&self) -> bool {
        self.workgroup.is_none_or(|tile| TILES.contains(&tile)) && self.strip.is_none_or(|strip| STRIPS.contains(&strip))
    }
}

impl GpuContext {
    /// The workgroup of passes over whole pictures: measured when it is first asked for. Of several threads that ask at once each may
    /// measure; they agree on one.
    pub(super) fn tile(&self) -> Tile {
        let kept = &self.device().disk_cache;
        kept.shape().workgroup.unwrap_or_else(|| {
            let limits = self.device().raw.limits();
            let can = |[width, height]: &Tile| {
                width * height <= limits.max_compute_invocations_per_workgroup
                    && *width <= limits.max_compute_workgroup_size_x
                    && *height <= limits.max_compute_workgroup_size_y
            };
            let tiles: Vec<_> = TILES.into_iter().filter(can).collect();
            kept.set_workgroup(fastest(self, &tiles, Trial::copying).unwrap_or(TILES[0]))
        })
    }

    /// The strip of passes that make 4:2:0, in the same way.
    pub(super) fn strip(&self) -> Strip {
        let kept = &self.device().disk_cache;
        kept.shape().strip.unwrap_or_else(|| {
            let tile = self.tile();
            kept.set_strip(fastest(self, &STRIPS, |gpu, strip| Trial::encoding(gpu, tile, strip)).unwrap_or(STRIPS[0]))
        })
    }
}

/// The fastest of these; none if that cannot be seen. A driver that is too slow for this, or lacks the memory, draws all the same.
fn fastest<T: Copy + Debug>(gpu: &GpuContext, candidates: &[T], trial: impl Fn(&GpuContext, T) -> Result<Trial>) -> Option<T> {
    let begin = Instant::now();
    let measured = measure(&gpu.aside(), candidates, trial);
    tracing::debug!(?measured, took = ?begin.elapsed(), "shapes of passes compared");
    measured.unwrap_or_default()
}

/// Shapes differ by less than the machine's other work makes a difference, so all take turns, and what counts is the best that each
/// has done.
fn measure<T: Copy>(gpu: &GpuContext, candidates: &[T], trial: impl Fn(&GpuContext, T) -> Result<Trial>) -> Result<Option<T>> {
    let begin = Instant::now();
    // Drivers that compute on the CPU take as long for a picture as others for a hundred.
    let is_software = gpu.adapter().get_info().device_type == wgpu::DeviceType::Cpu;
    let size = if is_software { Size::new(640, 360)? } else { Size::new(1920, 1080)? };
    let trials = candidates.iter().map(|candidate| Ok((*candidate, trial(gpu, *candidate)?)));
    let trials = trials.collect::<Result<Vec<_>>>()?;
    let mut encoder = gpu.encoder();
    let mut best: Option<(Duration, T)> = None;
    for turn in 0..TURNS {
        for (candidate, trial) in &trials {
            let mut pictures = trial.pictures(gpu, size)?;
            let start = Instant::now();
            trial.record(&mut encoder, &mut pictures)?;
            encoder.submit_and_wait(PATIENCE)?;
            let took = start.elapsed();
            // The first turn warms up.
            if turn > 0 && best.is_none_or(|(fastest, _)| took < fastest) {
                best = Some((took, *candidate));
            }
            if begin.elapsed() > PATIENCE {
                return Ok(None);
            }
        }
    }
    Ok(best.map(|(_, candidate)| candidate))
}
