//! How each pixel format lies in its texture, as the shaders read it.

use crate::{ChromaSite, PixelFormat, Size, VideoFormat};

/// What a texel is. The numbers are those of `source.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// A sample of a plane.
    Planes = 0,
    /// Two pixels that share their chroma.
    Pairs = 1,
    /// A pixel.
    Pixels = 2,
    /// Four bytes out of a row that has three a pixel.
    Triples = 3,
}

/// The description that one shader a target reads all formats by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) packing: Packing,
    /// Whether pairs begin with chroma, triples with blue.
    is_reversed: bool,
    /// Pixels a chroma sample, across and down; 0 where there is no chroma. R'G'B' has all its colour at every pixel: 1.
    pub(super) chroma: [u32; 2],
    /// Where Cb and Cr lie, if they have planes.
    planes: ChromaPlanes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChromaPlanes {
    None,
    /// Cb and Cr take turns in a row.
    Interleaved,
    /// Cb in the left half of a row, Cr in the right.
    Beside,
    /// Cr below Cb.
    Below,
}

impl Layout {
    pub(super) fn of(pixel: PixelFormat) -> Self {
        let layout = |packing, chroma, planes| Self { packing, is_reversed: false, chroma, planes };
        let reversed = |layout| Self { is_reversed: true, ..layout };
        let pairs = layout(Packing::Pairs, [2, 1], ChromaPlanes::None);
        let triples = layout(Packing::Triples, [1, 1], ChromaPlanes::None);
        match pixel {
            PixelFormat::Rgba8 => layout(Packing::Pixels, [1, 1], ChromaPlanes::None),
            PixelFormat::Yuyv => pairs,
            PixelFormat::Uyvy => reversed(pairs),
            PixelFormat::Nv12 => layout(Packing::Planes, [2, 2], ChromaPlanes::Interleaved),
            PixelFormat::I420 => layout(Packing::Planes, [2, 2], ChromaPlanes::Beside),
            PixelFormat::I422 => layout(Packing::Planes, [2, 1], ChromaPlanes::Beside),
            PixelFormat::I444 => layout(Packing::Planes, [1, 1], ChromaPlanes::Below),
            PixelFormat::Grey8 => layout(Packing::Planes, [0, 0], ChromaPlanes::None),
            PixelFormat::Rgb24 => triples,
            PixelFormat::Bgr24 => reversed(triples),
        }
    }

    /// What `source.wgsl` has to be told when it is compiled.
    pub(super) fn constants(self, site: ChromaSite) -> Vec<(&'static str, f64)> {
        let step = if self.planes == ChromaPlanes::Interleaved { 2 } else { 1 };
        vec![
            ("packing", f64::from(self.packing as u32)),
            ("is_reversed", f64::from(u32::from(self.is_reversed))),
            ("chroma_across", f64::from(self.chroma[0])),
            ("chroma_down", f64::from(self.chroma[1])),
            ("chroma_step", f64::from(step)),
            ("is_centred", f64::from(u32::from(site == ChromaSite::Center))),
        ]
    }

    /// From a Cb to its Cr, in texels.
    pub(super) fn cr_from_cb(self, size: Size) -> [u32; 2] {
        match self.planes {
            ChromaPlanes::None => [0, 0],
            ChromaPlanes::Interleaved => [1, 0],
            ChromaPlanes::Beside => [size.even().0 / 2, 0],
            ChromaPlanes::Below => [0, size.height()],
        }
    }

    /// The row of the texture that holds the first Cb.
    pub(super) fn chroma_top(self, size: Size) -> u32 {
        if self.chroma[1] == 2 { size.even().1 } else { size.height() }
    }
}

/// How many samples of chroma a picture has for every eight pixels: what it can lose.
pub(super) fn chroma_samples(pixel: PixelFormat) -> u32 {
    match Layout::of(pixel).chroma {
        [0, _] | [_, 0] => 0,
        [across, down] => 8 / (across * down),
    }
}

/// The invocations that cover a picture when each makes two by two pixels.
pub(super) fn blocks(format: VideoFormat) -> (u32, u32) {
    let (width, height) = format.size.even();
    (width / 2, height / 2)
}
