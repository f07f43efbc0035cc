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

/// How long the first turn may take, in which drivers compile: one that is slower is slow with every shape.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long the others may take.
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
    ///
    /// Fails only with what this thread has done wrong before: the measurement's own errors are nobody's.
    pub(super) fn tile(&self) -> Result<Tile> {
        let cache = &self.device().disk_cache;
        if let Some(tile) = cache.shape().workgroup {
            return Ok(tile);
        }
        self.take_error()?;
        let limits = self.device().raw.limits();
        let can = |[width, height]: &Tile| {
            width * height <= limits.max_compute_invocations_per_workgroup
                && *width <= limits.max_compute_workgroup_size_x
                && *height <= limits.max_compute_workgroup_size_y
        };
        let tiles: Vec<_> = TILES.into_iter().filter(can).collect();
        Ok(cache.set_workgroup(fastest(self, &tiles, Trial::copying), TILES[0]))
    }

    /// The strip of passes that make 4:2:0: measured like [`tile`](Self::tile).
    pub(super) fn strip(&self) -> Result<Strip> {
        let cache = &self.device().disk_cache;
        if let Some(strip) = cache.shape().strip {
            return Ok(strip);
        }
        let tile = self.tile()?;
        self.take_error()?;
        Ok(cache.set_strip(fastest(self, &STRIPS, |gpu, strip| Trial::encoding(gpu, tile, strip)), STRIPS[0]))
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
    // Drivers that compute on the CPU take as long for a picture as others for a hundred.
    let is_software = gpu.adapter().get_info().device_type == wgpu::DeviceType::Cpu;
    let size = if is_software { Size::new(640, 360)? } else { Size::new(1920, 1080)? };
    let trials = candidates.iter().map(|candidate| Ok((*candidate, trial(gpu, *candidate)?)));
    let trials = trials.collect::<Result<Vec<_>>>()?;
    let mut encoder = gpu.encoder();
    let mut best: Option<(Duration, T)> = None;
    let mut begin = Instant::now();
    for turn in 0..TURNS {
        for (candidate, trial) in &trials {
            let mut pictures = trial.pictures(gpu, size)?;
            let start = Instant::now();
            trial.record(&mut encoder, &mut pictures)?;
            encoder.submit_and_wait(WARM_UP)?;
            let took = start.elapsed();
            if turn > 0 && best.is_none_or(|(fastest, _)| took < fastest) {
                best = Some((took, *candidate));
            }
            if turn == 0 && begin.elapsed() > WARM_UP {
                return Ok(None);
            }
        }
        // Whole turns only: all candidates have had the same chances.
        if turn == 0 {
            begin = Instant::now();
        } else if begin.elapsed() > PATIENCE {
            break;
        }
    }
    Ok(best.map(|(_, candidate)| candidate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GpuOptions, PixelFormat, VideoFormat};

    /// The planes of a picture, made in some shape.
    fn drawn(gpu: &GpuContext, size: Size, to: PixelFormat, tile: Tile, strip: Strip) -> Vec<u8> {
        let format = VideoFormat::rgba8(size);
        let bytes: Vec<u8> = (0..format.bytes()).map(|at| (at * 37 % 251) as u8).collect();
        let trial = Trial::shaped(gpu, to, tile, strip).unwrap();
        let mut pictures = trial.pictures(gpu, size).unwrap();
        let mut encoder = gpu.encoder();
        encoder.upload(&mut pictures.0, &bytes, format.row_bytes()).unwrap();
        trial.record(&mut encoder, &mut pictures).unwrap();
        let planes = encoder.read_back(&pictures.1).unwrap();
        encoder.submit().unwrap();
        planes.wait().unwrap().to_vec()
    }

    #[test]
    fn every_shape_draws_the_same() {
        let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
        let strips = STRIPS.map(|strip| (TILES[0], strip));
        let tiles = TILES.map(|tile| (tile, 8));
        let both = [strips.as_slice(), &tiles].concat();
        for (to, shapes) in [(PixelFormat::I420, &both[..]), (PixelFormat::Nv12, &strips), (PixelFormat::Rgba8, &tiles)] {
            for (width, height) in [(1, 1), (2, 3), (3, 2), (15, 4), (17, 5), (33, 2), (130, 9)] {
                let size = Size::new(width, height).unwrap();
                let expected = drawn(&gpu, size, to, TILES[0], 1);
                assert!(expected.iter().any(|level| *level > 0));
                for (tile, strip) in shapes {
                    let found = drawn(&gpu, size, to, *tile, *strip);
                    assert!(found == expected, "{to} of {size} in {tile:?}, strips of {strip}");
                }
            }
        }
    }
}
