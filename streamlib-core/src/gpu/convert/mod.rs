//! Conversions between pixel formats on the GPU: every format to `rgba8`, `i420`, `nv12` and `grey8`, each in one pass.
//!
//! A target is a WGSL file, a source is a [`Layout`]: constants with which the file is compiled when a pair is first needed. Pairs
//! of Y'CbCr formats never pass through R'G'B', unless pixel shaders stand between them.

mod layout;
mod matrix;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use layout::{Layout, blocks, chroma_samples};
use matrix::{Rows, rgb_to_yuv, yuv_to_rgb};

use super::pixel::{Draft, PixelGroup};
use super::shape::{Strip, Tile};
use super::{FrameEncoder, GpuContext, Kernel, KernelCall, KernelOptions, PassTimer};
use crate::{Alpha, ChromaSite, Color, Error, ErrorKind, PixelFormat, Result, Size, VideoFormat, VideoFrame};

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

const TARGETS: &[Target] = &[
    Target { pixel: PixelFormat::Rgba8, label: "convert to rgba8", wgsl: include_str!("to_rgba8.wgsl"), constants: &[] },
    Target {
        pixel: PixelFormat::I420,
        label: "convert to i420",
        wgsl: include_str!("to_420.wgsl"),
        constants: &[("is_interleaved", 0.0)],
    },
    Target {
        pixel: PixelFormat::Nv12,
        label: "convert to nv12",
        wgsl: include_str!("to_420.wgsl"),
        constants: &[("is_interleaved", 1.0)],
    },
    Target { pixel: PixelFormat::Grey8, label: "convert to grey8", wgsl: include_str!("to_grey8.wgsl"), constants: &[] },
];

impl Target {
    fn of(pixel: PixelFormat) -> Option<usize> {
        TARGETS.iter().position(|target| target.pixel == pixel)
    }

    /// How many blocks of two by two pixels one invocation makes.
    fn strip(&self, gpu: &GpuContext) -> Result<Strip> {
        match self.pixel {
            PixelFormat::I420 | PixelFormat::Nv12 => gpu.strip(),
            _ => Ok(1),
        }
    }

    /// The pass from a source to here, with pixel shaders between them, if there are any.
    fn compile(&self, gpu: &GpuContext, from: Source, stages: Option<&str>, label: &str) -> Result<Pass> {
        self.compile_in(gpu.tile()?, self.strip(gpu)?, gpu, from, stages, label)
    }

    fn compile_in(
        &self,
        [width, height]: Tile,
        strip: Strip,
        gpu: &GpuContext,
        from: Source,
        stages: Option<&str>,
        label: &str,
    ) -> Result<Pass> {
        let (reading, block) = (include_str!("source.wgsl"), include_str!("block.wgsl"));
        let text = [reading, block, stages.unwrap_or(include_str!("unstaged.wgsl")), self.wgsl].join("\n");
        let mut constants = [&Layout::of(from.pixel).constants(from.site), self.constants].concat();
        if self.pixel != PixelFormat::Rgba8 {
            constants.push(("is_encoded", f64::from(u32::from(stages.is_some() || !from.pixel.is_yuv()))));
        }
        if matches!(self.pixel, PixelFormat::I420 | PixelFormat::Nv12) {
            constants.push(("strip", f64::from(strip)));
        }
        constants.extend([("tile_width", f64::from(width)), ("tile_height", f64::from(height))]);
        let kernel = gpu.kernel_with(label, &text, &KernelOptions { constants: &constants, ..Default::default() })?;
        Ok(Pass { kernel, strip })
    }
}

/// A compiled pass from a source to a target.
#[derive(Clone)]
struct Pass {
    kernel: Kernel,
    strip: Strip,
}

impl Pass {
    /// Begins a call that reads the one and writes the other.
    fn call<'a>(
        &'a self,
        encoder: &'a mut FrameEncoder,
        source: &'a VideoFrame,
        target: &'a mut VideoFrame,
    ) -> Result<KernelCall<'a>> {
        let call = self.kernel.call(encoder)?.texture("src", source)?.texture_mut("dst", target)?;
        call.uniform("parameters", &Parameters::of(source.format()))
    }

    /// Dispatches what covers a picture.
    fn dispatch(&self, call: KernelCall<'_>, source: VideoFormat) -> Result<()> {
        let (width, height) = blocks(source);
        call.dispatch_over(width.div_ceil(self.strip), height)
    }
}

/// A pass in some shape, to see how long it takes.
pub(super) struct Trial {
    pass: Pass,
    to: PixelFormat,
}

/// What a stage may cost: chroma shares it, so that strips are compared by what they are for.
const TRIAL_STAGE: &str = "fn staged(colour: vec4f, at: vec2u) -> vec4f { return pow(colour, vec4f(1.1)); }";

impl Trial {
    /// Changes nothing, in workgroups of this shape.
    pub(super) fn copying(gpu: &GpuContext, tile: Tile) -> Result<Self> {
        Self::new(gpu, PixelFormat::Rgba8, tile, 1, None)
    }

    /// Makes 4:2:0 in strips of this length.
    pub(super) fn encoding(gpu: &GpuContext, tile: Tile, strip: Strip) -> Result<Self> {
        Self::new(gpu, PixelFormat::I420, tile, strip, Some(TRIAL_STAGE))
    }

    /// Makes any target, in any shape.
    #[cfg(test)]
    pub(super) fn shaped(gpu: &GpuContext, to: PixelFormat, tile: Tile, strip: Strip) -> Result<Self> {
        let strip = if to == PixelFormat::Rgba8 { 1 } else { strip };
        Self::new(gpu, to, tile, strip, Some(TRIAL_STAGE))
    }

    fn new(gpu: &GpuContext, to: PixelFormat, tile: Tile, strip: Strip, stages: Option<&str>) -> Result<Self> {
        let source = Source { pixel: PixelFormat::Rgba8, site: ChromaSite::Left };
        let target = Target::of(to).ok_or_else(|| no_conversion(PixelFormat::Rgba8, to))?;
        Ok(Self { pass: TARGETS[target].compile_in(tile, strip, gpu, source, stages, "trial")?, to })
    }

    /// What it reads, whatever is in it, and what it writes.
    pub(super) fn pictures(&self, gpu: &GpuContext, size: Size) -> Result<(VideoFrame, VideoFrame)> {
        let source = gpu.frame(VideoFormat::rgba8(size), "trial")?;
        let target = gpu.frame(drawn(source.format(), self.to), "trial")?;
        Ok((source, target))
    }

    pub(super) fn record(&self, encoder: &mut FrameEncoder, (source, target): &mut (VideoFrame, VideoFrame)) -> Result<()> {
        let call = self.pass.call(encoder, source, target)?;
        self.pass.dispatch(call, source.format())
    }
}

/// What a shader is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Source {
    pixel: PixelFormat,
    site: ChromaSite,
}

impl Source {
    /// The site makes a difference only where halved chroma is interpolated.
    fn of(format: VideoFormat, is_interpolated: bool) -> Self {
        let has_site = is_interpolated && Layout::of(format.pixel).chroma[0] == 2;
        Self { pixel: format.pixel, site: if has_site { format.color.chroma_site } else { ChromaSite::Left } }
    }
}

/// The passes of all pairs, by target, source and chroma site. Each is compiled when it is first used.
pub(super) struct Conversions {
    passes: Vec<Vec<[OnceLock<Pass>; 2]>>,
}

impl Default for Conversions {
    fn default() -> Self {
        let sources = |_: &Target| PixelFormat::ALL.iter().map(|_| Default::default()).collect();
        Self { passes: TARGETS.iter().map(sources).collect() }
    }
}

impl Conversions {
    /// Compiles the pass of a pair, if there is one.
    pub(super) fn prepare(&self, gpu: &GpuContext, from: VideoFormat, to: PixelFormat) -> Result<()> {
        self.pass(gpu, from, to).map_or(Ok(()), |pass| pass.map(drop))
    }

    /// The pass of a pair; `None` if there is no such conversion.
    fn pass(&self, gpu: &GpuContext, from: VideoFormat, to: PixelFormat) -> Option<Result<&Pass>> {
        let target = Target::of(to)?;
        let pixel = PixelFormat::ALL.iter().position(|pixel| *pixel == from.pixel).filter(|_| from.pixel != to)?;
        let source = Source::of(from, to == PixelFormat::Rgba8);
        let pass = &self.passes[target][pixel][usize::from(source.site == ChromaSite::Center)];
        if let Some(pass) = pass.get() {
            return Some(Ok(pass));
        }
        // Whoever else compiles it meanwhile finds the same one in the cache.
        let target = &TARGETS[target];
        Some(target.compile(gpu, source, None, target.label).map(|compiled| pass.get_or_init(|| compiled)))
    }
}

/// A pass that draws a group of pixel shaders: of any source, to any target.
pub(crate) struct StagedPass {
    group: Arc<PixelGroup>,
    label: String,
    text: String,
    /// One for each format that came.
    passes: Vec<(Source, PixelFormat, Pass)>,
    timer: PassTimer,
}

impl StagedPass {
    /// `label` names it in errors.
    pub(crate) fn new(group: Arc<PixelGroup>, label: String) -> Result<Self> {
        let text = group.text().map_err(|message| {
            Error::new(ErrorKind::Gpu, format!("pixel shaders cannot be fused: {message}")).hint("this is a bug in streamlib")
        })?;
        Ok(Self { group, label, text, passes: Vec::new(), timer: PassTimer::default() })
    }

    /// Whether a picture is the same kind of picture when nothing is drawn of it, so that it can go on as it is.
    pub(crate) fn leaves(&self, format: VideoFormat, to: PixelFormat) -> bool {
        drawn(format, to) == format
    }

    /// Whether converting a picture gives the same kind of picture as drawing it, and spares it the way through R'G'B'.
    pub(crate) fn is_conversion(&self, format: VideoFormat, to: PixelFormat) -> bool {
        format.pixel.is_yuv() && to.is_yuv() && format.pixel != to && drawn(format, to) == converted(format, to)
    }

    pub(crate) fn group(&self) -> &PixelGroup {
        &self.group
    }

    /// Tells how long the GPU took for passes that were measured since the last call.
    pub(crate) fn times(&mut self, gpu: &GpuContext, tell: impl FnMut(Duration)) {
        self.timer.collect(gpu, tell);
    }

    /// Compiles what a source of this format most likely needs, if it was not compiled yet.
    pub(crate) fn prepare(&mut self, gpu: &GpuContext, from: VideoFormat, to: PixelFormat) -> Result<()> {
        self.pass(gpu, Source::of(from, true), to)?;
        // For when all are switched off.
        if self.is_conversion(from, to) { gpu.prepare_conversion(from, to) } else { Ok(()) }
    }

    fn pass(&mut self, gpu: &GpuContext, source: Source, to: PixelFormat) -> Result<&Pass> {
        let found = self.passes.iter().position(|(has, target, _)| (*has, *target) == (source, to));
        let index = match found {
            Some(index) => index,
            None => {
                let target = Target::of(to).ok_or_else(|| no_conversion(source.pixel, to))?;
                let pass = TARGETS[target].compile(gpu, source, Some(&self.text), &self.label)?;
                self.passes.push((source, to, pass));
                self.passes.len() - 1
            }
        };
        Ok(&self.passes[index].2)
    }

    /// Records the drawing of `source` with what its pixel shaders asked for.
    pub(crate) fn draw(
        &mut self,
        gpu: &GpuContext,
        encoder: &mut FrameEncoder,
        source: &VideoFrame,
        draft: Draft,
        to: PixelFormat,
        taker: &Arc<str>,
    ) -> Result<VideoFrame> {
        let format = source.format();
        let mut destination = source.like_for(drawn(format, to), taker)?;
        let timing = self.timer.begin(gpu)?;
        let pass = self.pass(gpu, Source::of(format, true), to)?.clone();
        let call = pass.call(encoder, source, &mut destination)?.uniform_bytes("stages", &draft.bytes)?;
        pass.dispatch(call.timestamps(timing.map(|timing| self.timer.queries(timing))), format)?;
        if let Some(timing) = timing {
            self.timer.end(timing, encoder.commands());
        }
        self.group.give_back(draft);
        Ok(destination)
    }
}

/// What a picture of `from` is after pixel shaders. Colours come out of them, whatever went in: chroma is made anew, sited left.
fn drawn(from: VideoFormat, to: PixelFormat) -> VideoFormat {
    match (from.pixel, to) {
        (PixelFormat::Rgba8, PixelFormat::Rgba8) => from,
        _ => converted(VideoFormat { pixel: PixelFormat::Rgba8, ..from }, to),
    }
}

fn no_conversion(from: PixelFormat, to: PixelFormat) -> Error {
    let targets = TARGETS.iter().map(|target| target.pixel.name()).collect::<Vec<_>>().join(", ");
    let message = match from == to {
        true => format!("a frame of {to} needs no conversion to {to}"),
        false => format!("there is no conversion from {from} to {to}"),
    };
    Error::new(ErrorKind::Unsupported, message).hint(format!("frames are converted to {targets}"))
}

/// The uniform of `source.wgsl`.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Parameters {
    decode: Rows,
    encode: Rows,
    size: [u32; 2],
    cr_from_cb: [u32; 2],
    chroma_top: u32,
    _padding: [u32; 3],
}

crate::uniform_fields!(Parameters { decode, encode, size, cr_from_cb, chroma_top });

impl Parameters {
    fn of(format: VideoFormat) -> Self {
        let layout = Layout::of(format.pixel);
        Self {
            decode: yuv_to_rgb(format.color),
            encode: rgb_to_yuv(format.color),
            size: [format.size.width(), format.size.height()],
            cr_from_cb: layout.cr_from_cb(format.size),
            chroma_top: layout.chroma_top(format.size),
            _padding: [0; 3],
        }
    }
}

/// What a picture of `from` is once it was converted. Matrix and range stay: for `rgba8` they say what a later conversion to
/// Y'CbCr will use. Chroma that was resampled across, or is no longer subsampled, counts as sited left.
fn converted(from: VideoFormat, to: PixelFormat) -> VideoFormat {
    let keeps_site = Layout::of(from.pixel).chroma[0] == 2 && Layout::of(to).chroma[0] == 2;
    let chroma_site = if keeps_site { from.color.chroma_site } else { ChromaSite::Left };
    let color = Color { chroma_site, ..from.color };
    VideoFormat { pixel: to, color, alpha: Alpha::Opaque, ..from }
}

pub(super) fn convert(
    gpu: &GpuContext,
    encoder: &mut FrameEncoder,
    source: &VideoFrame,
    to: PixelFormat,
    taker: &Arc<str>,
) -> Result<VideoFrame> {
    let format = source.format();
    let pass = gpu.0.conversions.pass(gpu, format, to).ok_or_else(|| no_conversion(format.pixel, to))??;
    let mut destination = source.like_for(converted(format, to), taker)?;
    let call = pass.call(encoder, source, &mut destination)?;
    pass.dispatch(call, format)?;
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
