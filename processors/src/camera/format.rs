//! How a camera codes its pictures.

use std::fmt;
use std::str::FromStr;

use streamlib_core::{Error, ErrorKind, PixelFormat, Result, Size};

/// How a camera codes its pictures. The names are those of [`PixelFormat`], and `mjpeg`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum CameraFormat {
    /// 4:2:2, `Y0 Cb Y1 Cr`: what most cameras have uncompressed.
    Yuyv,
    /// 4:2:2, `Cb Y0 Cr Y1`.
    Uyvy,
    /// 4:2:0 in two planes.
    Nv12,
    /// 4:2:0 in three planes.
    I420,
    /// Red, green, blue.
    Rgb24,
    /// Blue, green, red.
    Bgr24,
    /// Pictures compressed as JPEG: what USB cameras have at large sizes. Decoded to planes on the thread that captures, 5 to 20 ms
    /// a full-HD picture; the GPU converts the colours.
    Mjpeg,
    /// Luma alone: infrared and measuring cameras.
    Grey8,
}

impl CameraFormat {
    /// All of them; where a camera has several in one mode, the first is preferred: uncompressed before compressed, more colour
    /// before less.
    pub const ALL: [Self; 8] =
        [Self::Yuyv, Self::Uyvy, Self::Nv12, Self::I420, Self::Rgb24, Self::Bgr24, Self::Mjpeg, Self::Grey8];

    /// The name in graph files and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mjpeg => "mjpeg",
            other => other.pixel_formats()[0].name(),
        }
    }

    /// What the frames are. That of `mjpeg` depends on each picture.
    pub const fn pixel_formats(self) -> &'static [PixelFormat] {
        match self {
            Self::Yuyv => &[PixelFormat::Yuyv],
            Self::Uyvy => &[PixelFormat::Uyvy],
            Self::Nv12 => &[PixelFormat::Nv12],
            Self::I420 => &[PixelFormat::I420],
            Self::Rgb24 => &[PixelFormat::Rgb24],
            Self::Bgr24 => &[PixelFormat::Bgr24],
            Self::Mjpeg => &[PixelFormat::I422, PixelFormat::I420, PixelFormat::I444, PixelFormat::Grey8],
            Self::Grey8 => &[PixelFormat::Grey8],
        }
    }

    /// Whether pictures have colour.
    pub(super) fn has_color(self) -> bool {
        self != Self::Grey8
    }

    /// Whether a picture of this size fills whole pairs (4:2:2) or squares (4:2:0) of pixels. No camera offers others
    /// uncompressed, and how their last line would lie in memory nobody defines.
    pub(super) fn can_hold(self, size: Size) -> bool {
        let (width, height) = (size.width().is_multiple_of(2), size.height().is_multiple_of(2));
        match self {
            Self::Yuyv | Self::Uyvy => width,
            Self::Nv12 | Self::I420 => width && height,
            Self::Rgb24 | Self::Bgr24 | Self::Mjpeg | Self::Grey8 => true,
        }
    }
}

impl fmt::Display for CameraFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for CameraFormat {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Error::new(ErrorKind::InvalidArgument, format!("no camera codes its pictures as '{text}'"))
                .hint(format!("use one of {names}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for format in CameraFormat::ALL {
            assert_eq!(format.name().parse::<CameraFormat>().unwrap(), format);
            assert_eq!(serde_json::to_value(format).unwrap(), format.name());
        }
        assert!("rgba8".parse::<CameraFormat>().unwrap_err().to_string().contains("yuyv, uyvy, nv12"));
        assert!(CameraFormat::ALL.is_sorted(), "the order of preference is the order of the enum");
    }

    #[test]
    fn pictures_of_shared_colour_have_even_sides() {
        let size = |text: &str| text.parse::<Size>().unwrap();
        for (format, text, holds) in [
            (CameraFormat::Yuyv, "4x3", true),
            (CameraFormat::Uyvy, "3x3", false),
            (CameraFormat::Nv12, "4x3", false),
            (CameraFormat::I420, "4x2", true),
            (CameraFormat::Grey8, "3x3", true),
            (CameraFormat::Mjpeg, "3x3", true),
        ] {
            assert_eq!(format.can_hold(size(text)), holds, "{format} {text}");
        }
    }
}
