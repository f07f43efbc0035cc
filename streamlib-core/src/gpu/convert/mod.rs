//! Conversions between pixel formats on the GPU: every format to `rgba8`, `i420`, `nv12` and `grey8`, each in one pass.
//!
//! A target is a WGSL file, a source is a [`Layout`]: constants with which the file is compiled when a pair is first needed. Pairs
//! of Y'CbCr formats never pass through R'G'B'.

mod layout;
mod matrix;

use layout::{Layout, Packing, blocks, chroma_samples};
use std::sync::OnceLock;

use matrix::{rgb_to_yuv, yuv_to_rgb};

use super::{FrameEncoder, GpuContext, Kernel, KernelOptions};
use crate::{Alpha, ChromaSite, Color, Error, ErrorKind, PixelFormat, Result, VideoFormat, VideoFrame};

/// What a conversion takes away, worst first: smaller is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Loss {
    /// Chroma samples for every eight pixels.
    chroma: u32,
    /// Whether colours pass through a matrix: they are rounded, and Y'CbCr beyond R'G'B' is clipped.
    matrix: bool,
}

/// What [`GpuContext::convert`] loses on the way; `None` if it cannot, or if there is nothing to do.
pub(crate) fn loss(from: PixelFormat, to: PixelFormat) -> Option<Loss> {
    let is_target = TARGETS.iter().any(|target| target.pixel == to);
    (is_target && from != to)
        .then(|| Loss { chroma: chroma_samples(from).saturating_sub(chroma_samples(to)), matrix: from.is_yuv() != to.is_yuv() })
}

/// A format that frames can be converted to, by a shader that is compiled for each source.
struct Target {
    pixel: PixelFormat,
    label: &'static str,
    wgsl: &'static str,
    constants: &'static [(&'static str, f64)],
}

/// A file of this folder after the one that reads the source.
macro_rules! wgsl {
    ($file:literal) => {
        concat!(include_str!("source.wgsl"), "\n", include_str!($file))
    };
}

const TARGETS: &[Target] = &[
    Target { pixel: PixelFormat::Rgba8, label: "convert to rgba8", wgsl: wgsl!("to_rgba8.wgsl"), constants: &[] },
    Target {
        pixel: PixelFormat::I420,
        label: "convert to i420",
        wgsl: wgsl!("to_420.wgsl"),
        constants: &[("is_interleaved", 0.0)],
    },
    Target {
        pixel: PixelFormat::Nv12,
        label: "convert to nv12",
        wgsl: wgsl!("to_420.wgsl"),
        constants: &[("is_interleaved", 1.0)],
    },
    Target { pixel: PixelFormat::Grey8, label: "convert to grey8", wgsl: wgsl!("to_grey8.wgsl"), constants: &[] },
];

const SITES: [ChromaSite; 2] = [ChromaSite::Left, ChromaSite::Center];

/// The kernels of all pairs, by target, source and chroma site. Each is compiled when it is first used.
pub(super) struct Conversions {
    kernels: Vec<Vec<[OnceLock<Kernel>; 2]>>,
}

impl Default for Conversions {
    fn default() -> Self {
        let sources = |_: &Target| PixelFormat::ALL.iter().map(|_| Default::default()).collect();
        Self { kernels: TARGETS.iter().map(sources).collect() }
    }
}

impl Conversions {
    /// The kernel of a pair; `None` if there is no such conversion.
    fn kernel(&self, gpu: &GpuContext, from: VideoFormat, to: PixelFormat) -> Option<Result<&Kernel>> {
        let target = TARGETS.iter().position(|target| target.pixel == to)?;
        let source = PixelFormat::ALL.iter().position(|pixel| *pixel == from.pixel).filter(|_| from.pixel != to)?;
        // The site makes a difference only where halved chroma is interpolated.
        let is_interpolated = to == PixelFormat::Rgba8 && Layout::of(from.pixel).chroma[0] == 2;
        let site = usize::from(is_interpolated && from.color.chroma_site == ChromaSite::Center);
        let kernel = &self.kernels[target][source][site];
        if let Some(kernel) = kernel.get() {
            return Some(Ok(kernel));
        }
        let Target { label, wgsl, constants, .. } = &TARGETS[target];
        let constants = [&Layout::of(from.pixel).constants(SITES[site]), *constants].concat();
        // Whoever else compiles it meanwhile finds the same one in the cache.
        let compiled = gpu.kernel_with(label, wgsl, &KernelOptions { constants: &constants, ..Default::default() });
        Some(compiled.map(|compiled| kernel.get_or_init(|| compiled)))
    }
}

/// The uniform of `source.wgsl`.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Parameters {
    first: [f32; 4],
    second: [f32; 4],
    third: [f32; 4],
    size: [u32; 2],
    cr_from_cb: [u32; 2],
    chroma_top: u32,
    _padding: [u32; 3],
}

crate::uniform_fields!(Parameters { first, second, third, size, cr_from_cb, chroma_top });

/// What a picture of `from` is once it was converted. Matrix and range stay: for `rgba8` they say what a later conversion to
/// Y'CbCr will use. Chroma that was resampled across, or is no longer subsampled, counts as sited left.
fn converted(from: VideoFormat, to: PixelFormat) -> VideoFormat {
    let keeps_site = Layout::of(from.pixel).chroma[0] == 2 && Layout::of(to).chroma[0] == 2;
    let chroma_site = if keeps_site { from.color.chroma_site } else { ChromaSite::Left };
    let color = Color { chroma_site, ..from.color };
    VideoFormat { pixel: to, color, alpha: Alpha::Opaque, ..from }
}

pub(super) fn convert(gpu: &GpuContext, encoder: &mut FrameEncoder, source: &VideoFrame, to: PixelFormat) -> Result<VideoFrame> {
    let format = source.format();
    let Some(kernel) = gpu.0.conversions.kernel(gpu, format, to) else {
        let targets = TARGETS.iter().map(|target| target.pixel.name()).collect::<Vec<_>>().join(", ");
        let message = match format.pixel == to {
            true => format!("a frame of {to} needs no conversion to {to}"),
            false => format!("there is no conversion from {} to {to}", format.pixel),
        };
        return Err(Error::new(ErrorKind::Unsupported, message).hint(format!("frames are converted to {targets}")));
    };
    let kernel = kernel?;
    let layout = Layout::of(format.pixel);
    let [first, second, third] = match layout.packing {
        Packing::Pixels | Packing::Triples => rgb_to_yuv(format.color),
        Packing::Planes | Packing::Pairs => yuv_to_rgb(format.color),
    };
    let parameters = Parameters {
        first,
        second,
        third,
        size: [format.size.width(), format.size.height()],
        cr_from_cb: layout.cr_from_cb(format.size),
        chroma_top: layout.chroma_top(format.size),
        _padding: [0; 3],
    };
    let mut destination = source.like_with(converted(format, to))?;
    let (width, height) = blocks(format);
    let call = kernel.call(encoder)?.texture("src", source)?.texture_mut("dst", &mut destination)?;
    call.uniform("parameters", &parameters)?.dispatch_over(width, height)?;
    Ok(destination)
}

#[cfg(test)]
mod tests {
    use super::*;
    use PixelFormat::{Grey8, I420, I444, Nv12, Rgb24, Rgba8, Yuyv};

    #[test]
    fn losses_are_ordered_as_an_eye_would() {
        let less = |from, better, worse| assert!(loss(from, better) < loss(from, worse), "{from}: {better} before {worse}");
        less(Nv12, I420, Rgba8);
        less(Yuyv, Rgba8, I420);
        less(Yuyv, I420, Grey8);
        less(I444, Rgba8, Nv12);
        less(Rgb24, Rgba8, I420);
        less(Grey8, I420, Rgba8);
        assert_eq!(loss(Nv12, I420), loss(I420, Nv12));
    }

    #[test]
    fn every_pair_is_either_converted_or_refused() {
        for from in PixelFormat::ALL {
            for to in PixelFormat::ALL {
                assert_eq!(loss(*from, *to).is_some(), from != to && [Rgba8, I420, Nv12, Grey8].contains(to), "{from} to {to}");
            }
        }
    }
}
