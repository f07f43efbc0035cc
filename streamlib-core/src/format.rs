//! What the pixels of a texture mean: pixel format, colour description, alpha, and how a picture lies in its texture.

use std::fmt;

use crate::{Error, ErrorKind, Result};

/// How pixels are stored. Names are V4L2's and GStreamer's.
///
/// Every frame is one texture. Planes of a planar format are stacked in one single-channel texture of the picture's width,
/// rounded up to even: the luma rows first, the chroma rows below them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PixelFormat {
    /// Red, green, blue, alpha, 8 bits each, gamma-encoded: texture `[height, width]` of `rgba8unorm`. The usual format.
    Rgba8,
    /// 4:2:2 packed `Y0 Cb Y1 Cr`: texture `[height, ceil(width / 2)]` of `rgba8unorm`, two pixels a texel.
    Yuyv,
    /// 4:2:2 packed `Cb Y0 Cr Y1`: texture as of [`Yuyv`](Self::Yuyv).
    Uyvy,
    /// 4:2:0, luma then interleaved `Cb Cr`: texture `[even height * 3 / 2, even width]` of `r8unorm`.
    Nv12,
    /// 4:2:0, luma, then rows that hold a row of Cb in their left half and a row of Cr in their right half: texture
    /// `[even height * 3 / 2, even width]` of `r8unorm`.
    I420,
    /// 4:2:2, luma, then as many rows that hold a row of Cb in their left half and a row of Cr in their right half: texture
    /// `[height * 2, even width]` of `r8unorm`.
    I422,
    /// 4:4:4, luma, then the rows of Cb, then those of Cr: texture `[height * 3, width]` of `r8unorm`.
    I444,
    /// Luma alone: texture `[height, width]` of `r8unorm`.
    Grey8,
    /// Red, green, blue, 8 bits each, gamma-encoded, without gaps: texture `[height, ceil(width * 3 / 4)]` of `rgba8unorm` whose
    /// bytes are the row's, so that four pixels take three texels.
    Rgb24,
    /// Blue, green, red: otherwise as [`Rgb24`](Self::Rgb24).
    Bgr24,
}

impl PixelFormat {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Rgba8,
        Self::Yuyv,
        Self::Uyvy,
        Self::Nv12,
        Self::I420,
        Self::I422,
        Self::I444,
        Self::Grey8,
        Self::Rgb24,
        Self::Bgr24,
    ];

    /// The name used in descriptors, graph files and messages: `rgba8`, `yuyv`, `i420`, `grey8`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rgba8 => "rgba8",
            Self::Yuyv => "yuyv",
            Self::Uyvy => "uyvy",
            Self::Nv12 => "nv12",
            Self::I420 => "i420",
            Self::I422 => "i422",
            Self::I444 => "i444",
            Self::Grey8 => "grey8",
            Self::Rgb24 => "rgb24",
            Self::Bgr24 => "bgr24",
        }
    }

    /// Whether the pixels are luma and chroma rather than red, green and blue.
    pub const fn is_yuv(self) -> bool {
        !matches!(self, Self::Rgba8 | Self::Rgb24 | Self::Bgr24)
    }

    /// The wgpu format of the texture that holds it.
    pub const fn texture_format(self) -> wgpu::TextureFormat {
        match self {
            Self::Rgba8 | Self::Yuyv | Self::Uyvy | Self::Rgb24 | Self::Bgr24 => wgpu::TextureFormat::Rgba8Unorm,
            Self::Nv12 | Self::I420 | Self::I422 | Self::I444 | Self::Grey8 => wgpu::TextureFormat::R8Unorm,
        }
    }

    /// Bytes of a texel of [`texture_format`](Self::texture_format).
    pub const fn texel_bytes(self) -> u32 {
        match self.texture_format() {
            wgpu::TextureFormat::R8Unorm => 1,
            _ => 4,
        }
    }
}

impl fmt::Display for PixelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The matrix between R'G'B' and Y'CbCr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Matrix {
    /// ITU-R BT.601: standard definition.
    Bt601,
    /// ITU-R BT.709: high definition.
    Bt709,
}

impl Matrix {
    /// The weights of red and blue in luma, Kr and Kb (BT.601-7 section 2.5.1, BT.709-6 section 3.2).
    pub const fn luma_weights(self) -> (f32, f32) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
        }
    }

    /// The custom where nobody says otherwise: BT.601 up to 576 lines, BT.709 above.
    pub const fn default_for_height(height: u32) -> Self {
        if height <= 576 { Self::Bt601 } else { Self::Bt709 }
    }
}

/// Which code values stand for black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Range {
    /// Luma 16 to 235, chroma 16 to 240 (of 255).
    Limited,
    /// 0 to 255.
    Full,
}

/// Where chroma samples of subsampled formats lie (ITU-T H.273 calls it `ChromaLocation`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChromaSite {
    /// Horizontally on the even columns, vertically (4:2:0) half-way between two rows: MPEG-2, H.264's default, and cameras.
    #[default]
    Left,
    /// In the middle of the pixels that share it: JPEG (JFIF), MPEG-1.
    Center,
}

/// How Y'CbCr is to be read. For `rgba8` it is what a conversion to Y'CbCr will use by default.
///
/// Transfer and primaries are BT.709's throughout (an `rgba8` frame is gamma-encoded with BT.709 primaries).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Color {
    /// The matrix between R'G'B' and Y'CbCr.
    pub matrix: Matrix,
    /// Which code values stand for black and white.
    pub range: Range,
    /// Where chroma samples lie.
    pub chroma_site: ChromaSite,
}

impl Color {
    /// This matrix and range; chroma is sited as usual, [`ChromaSite::Left`].
    pub const fn new(matrix: Matrix, range: Range) -> Self {
        Self { matrix, range, chroma_site: ChromaSite::Left }
    }

    /// The custom where nobody says otherwise: limited range, BT.601 up to 576 lines, BT.709 above.
    pub const fn default_for_height(height: u32) -> Self {
        Self::new(Matrix::default_for_height(height), Range::Limited)
    }
}

/// How alpha relates to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alpha {
    /// There is none, or it is 1 everywhere.
    Opaque,
    /// Colour has been multiplied by alpha.
    Premultiplied,
}

/// The largest width and height that WebGPU guarantees on every adapter is 8192; streamlib takes what the adapter takes,
/// and never more than this.
pub const MAX_DIMENSION: u32 = 16_384;

/// The size of a picture in pixels, neither side 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    width: u32,
    height: u32,
}

impl Size {
    /// `width` by `height` pixels, each from 1 to [`MAX_DIMENSION`].
    pub fn new(width: u32, height: u32) -> Result<Self> {
        if (1..=MAX_DIMENSION).contains(&width) && (1..=MAX_DIMENSION).contains(&height) {
            return Ok(Self { width, height });
        }
        Err(Error::new(ErrorKind::InvalidArgument, format!("a picture of {width}x{height} pixels cannot be"))
            .hint(format!("width and height go from 1 to {MAX_DIMENSION}")))
    }

    /// Pixels a row.
    pub fn width(self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(self) -> u32 {
        self.height
    }

    /// Both sides rounded up to even, as 4:2:0 wants them.
    pub fn even(self) -> (u32, u32) {
        (self.width.next_multiple_of(2), self.height.next_multiple_of(2))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `1280x720`.
impl std::str::FromStr for Size {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let sides = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
        match sides {
            Some((width, height)) => Self::new(width, height),
            None => Err(Error::new(ErrorKind::InvalidArgument, format!("'{text}' is no size")).hint("write it as 1280x720")),
        }
    }
}

impl serde::Serialize for Size {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged, expecting = "expected a size, as \"1280x720\" or [1280, 720]")]
        enum Sides {
            Numbers(u32, u32),
            Text(String),
        }
        match Sides::deserialize(deserializer)? {
            Sides::Numbers(width, height) => Self::new(width, height),
            Sides::Text(text) => text.parse(),
        }
        .map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "size".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "array"] })
    }
}

/// Everything that says how a texture's bytes become a picture. Two frames of equal formats can share a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VideoFormat {
    /// How pixels are stored.
    pub pixel: PixelFormat,
    /// The picture's size in pixels (not the texture's: see [`texture_size`](Self::texture_size)).
    pub size: Size,
    /// How Y'CbCr is to be read.
    pub color: Color,
    /// How alpha relates to colour.
    pub alpha: Alpha,
}

impl VideoFormat {
    /// A format with the customary colour description for its height, opaque.
    pub fn new(pixel: PixelFormat, size: Size) -> Self {
        Self { pixel, size, color: Color::default_for_height(size.height()), alpha: Alpha::Opaque }
    }

    /// The usual format: `rgba8`, opaque.
    pub fn rgba8(size: Size) -> Self {
        Self::new(PixelFormat::Rgba8, size)
    }

    /// The same picture in another pixel format.
    #[must_use]
    pub fn with_pixel(self, pixel: PixelFormat) -> Self {
        Self { pixel, ..self }
    }

    /// The size of the texture that holds such a picture, in texels.
    pub fn texture_size(self) -> wgpu::Extent3d {
        let (even_width, even_height) = self.size.even();
        let (width, height) = (self.size.width(), self.size.height());
        let (width, height) = match self.pixel {
            PixelFormat::Rgba8 | PixelFormat::Grey8 => (width, height),
            PixelFormat::Yuyv | PixelFormat::Uyvy => (even_width / 2, height),
            PixelFormat::Nv12 | PixelFormat::I420 => (even_width, even_height / 2 * 3),
            PixelFormat::I422 => (even_width, height * 2),
            PixelFormat::I444 => (width, height * 3),
            PixelFormat::Rgb24 | PixelFormat::Bgr24 => ((width * 3).div_ceil(4), height),
        };
        wgpu::Extent3d { width, height, depth_or_array_layers: 1 }
    }

    /// Bytes of a row of the texture, without padding.
    pub fn row_bytes(self) -> usize {
        self.texture_size().width as usize * self.pixel.texel_bytes() as usize
    }

    /// Bytes of the whole picture as the texture holds it, without padding.
    pub fn bytes(self) -> usize {
        self.row_bytes() * self.texture_size().height as usize
    }
}

/// `i420 1280x720`.
impl fmt::Display for VideoFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pixel, self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        for (width, height) in [(0, 0), (0, 1), (1, 0), (MAX_DIMENSION + 1, 1), (1, MAX_DIMENSION + 1)] {
            assert_eq!(Size::new(width, height).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
        assert_eq!("1280x720".parse::<Size>().unwrap().to_string(), "1280x720");
        for text in ["", "x", "12", "1280x", "0x0", "12x-3"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn odd_sizes_are_padded_to_even_in_subsampled_formats() {
        let odd = |pixel| VideoFormat::new(pixel, Size::new(5, 3).unwrap());
        assert_eq!(odd(PixelFormat::Rgba8).bytes(), 5 * 3 * 4);
        assert_eq!(odd(PixelFormat::Yuyv).bytes(), 6 * 3 * 2);
        assert_eq!(odd(PixelFormat::Nv12).bytes(), 6 * 4 * 3 / 2);
        assert_eq!(odd(PixelFormat::I420).bytes(), 6 * 4 * 3 / 2);
        assert_eq!(odd(PixelFormat::I422).bytes(), 6 * 3 * 2);
        assert_eq!(odd(PixelFormat::I444).bytes(), 5 * 3 * 3);
        assert_eq!(odd(PixelFormat::Grey8).bytes(), 5 * 3);
        assert_eq!(odd(PixelFormat::Rgb24).bytes(), 16 * 3, "three texels hold four pixels");
    }

    #[test]
    fn the_default_matrix_changes_above_576_lines() {
        assert_eq!(Matrix::default_for_height(576), Matrix::Bt601);
        assert_eq!(Matrix::default_for_height(577), Matrix::Bt709);
    }
}
