//! The workgroup of passes over whole pictures: the shape that is fastest here, found by trying.

use std::time::{Duration, Instant};

use super::GpuContext;
use super::convert::Copying;
use crate::{Result, Size, VideoFormat};

/// Texels across and down.
pub(super) type Tile = [u32; 2];

/// What is taken where nothing can be measured.
pub(super) const USUAL: Tile = [16, 16];

/// What is tried, if the device can do it.
const CANDIDATES: [Tile; 6] = [USUAL, [8, 8], [16, 8], [32, 8], [64, 4], [64, 1]];

/// Turns of all candidates.
const TURNS: usize = 3;

/// How long all may take: a driver that is slower than this is slow with every shape.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether it is one of those that are tried.
pub(super) fn is_candidate(tile: Tile) -> bool {
    CANDIDATES.contains(&tile)
}

/// Measures the candidates on a pass that reads a picture, whatever is in it, and writes one.
///
/// The shapes differ by less than the machine's other work makes a difference, so all take turns, and what counts is the best that each has done.
pub(super) fn fastest(gpu: &GpuContext) -> Result<Tile> {
    let begin = Instant::now();
    let limits = gpu.device().raw.limits();
    let can = |[width, height]: &Tile| {
        width * height <= limits.max_compute_invocations_per_workgroup
            && *width <= limits.max_compute_workgroup_size_x
            && *height <= limits.max_compute_workgroup_size_y
    };
    // Drivers that compute on the CPU take as long for a picture as others for a hundred.
    let is_software = gpu.adapter().get_info().device_type == wgpu::DeviceType::Cpu;
    let size = if is_software { Size::new(320, 180)? } else { Size::new(1920, 1080)? };
    let mut encoder = gpu.encoder();
    let source = gpu.frame(VideoFormat::rgba8(size), "workgroup shapes")?;
    let mut target = source.like()?;
    let mut best: Option<(Duration, Tile)> = None;
    let mut tried = Vec::new();
    for tile in CANDIDATES.into_iter().filter(can) {
        tried.push((tile, Copying::new(gpu, tile)?));
    }
    for turn in 0..TURNS {
        for (tile, kernel) in &tried {
            let start = Instant::now();
            kernel.record(&mut encoder, &source, &mut target)?;
            encoder.submit_and_wait(PATIENCE)?;
            let took = start.elapsed();
            // The first turn warms up.
            if turn > 0 && best.is_none_or(|(fastest, _)| took < fastest) {
                best = Some((took, *tile));
            }
            if begin.elapsed() > PATIENCE {
                return Ok(best.map_or(USUAL, |(_, tile)| tile));
            }
        }
    }
    let tile = best.map_or(USUAL, |(_, tile)| tile);
    tracing::debug!(?tile, took = ?begin.elapsed(), "workgroup shape measured");
    Ok(tile)
}
