//! What a camera can be set to, and setting it.

use ::v4l::device::Device;
use ::v4l::format::FieldOrder;
use ::v4l::frameinterval::FrameIntervalEnum;
use ::v4l::framesize::{FrameSizeEnum, Stepwise};
use ::v4l::video::Capture as _;
use ::v4l::video::capture::Parameters;
use ::v4l::{Format, FourCC, Fraction};
use streamlib_core::{FrameRate, Result, Size};

use super::super::choice::{Mode, check_agreed, choose};
use super::super::modes::{CameraMode, RateRange, SizeRange};
use super::super::{CameraDevice, CameraFormat, CaptureFormat, CaptureOptions, errors};
use super::{color, ioctl};

/// Sets the camera to the mode that the options take, and reads back what it made of it.
pub(super) fn negotiate(video: &Device, device: &CameraDevice, options: &CaptureOptions) -> Result<CaptureFormat> {
    let modes = modes(video, device)?;
    if modes.is_empty() {
        let offered = video.enum_formats().unwrap_or_default();
        let names: Vec<_> = offered.iter().map(|offer| offer.fourcc.to_string().trim().to_owned()).collect();
        return Err(errors::no_format(device, None, &names));
    }
    let format = set(video, device, choose(device, &modes, options)?)?;
    check_agreed(device, options, &format)?;
    Ok(format)
}

/// Sets the camera to a mode, and reads back what it made of it.
pub(super) fn set(video: &Device, device: &CameraDevice, mode: Mode) -> Result<CaptureFormat> {
    let refused = |error| errors::from_system(device, "set the format of", error);
    let mut request = Format::new(mode.size.width(), mode.size.height(), fourcc(mode.format));
    request.field_order = FieldOrder::Progressive;
    video.set_format(&request).map_err(refused)?;
    let agreed = ioctl::picture_format(&video.handle()).map_err(refused)?;
    let format = CaptureFormat {
        format: mode.format,
        size: Size::new(agreed.width, agreed.height)?,
        rate: set_rate(video, mode.rate.unwrap_or_default()),
        bytes_per_line: if mode.format == CameraFormat::Mjpeg { 0 } else { agreed.bytes_per_line },
        color: color::color(mode.format, agreed.colorspace, agreed.ycbcr_encoding, agreed.quantization, agreed.height),
    };
    if agreed.fourcc != fourcc(mode.format).repr || !format.is_sound() {
        let instead = format!("{} {}", String::from_utf8_lossy(&agreed.fourcc), format.size);
        return Err(errors::no_format(device, Some(mode.format), &[instead]));
    }
    tracing::debug!(%device, colorspace = agreed.colorspace, ycbcr_encoding = agreed.ycbcr_encoding, quantization = agreed.quantization, "camera colour");
    Ok(format)
}

/// `V4L2_PIX_FMT_...`.
fn fourcc(format: CameraFormat) -> FourCC {
    FourCC::new(match format {
        CameraFormat::Yuyv => b"YUYV",
        CameraFormat::Uyvy => b"UYVY",
        CameraFormat::Nv12 => b"NV12",
        CameraFormat::I420 => b"YU12",
        CameraFormat::Rgb24 => b"RGB3",
        CameraFormat::Bgr24 => b"BGR3",
        CameraFormat::Mjpeg => b"MJPG",
        CameraFormat::Grey8 => b"GREY",
    })
}

/// What the camera can be set to, out of what can be read.
pub(super) fn modes(video: &Device, device: &CameraDevice) -> Result<Vec<CameraMode>> {
    let offered = video.enum_formats().map_err(|error| errors::from_system(device, "list the formats of", error))?;
    let is_offered = |format: &CameraFormat| offered.iter().any(|offer| offer.fourcc == fourcc(*format));
    Ok(CameraFormat::ALL.into_iter().filter(is_offered).flat_map(|format| modes_of(video, format)).collect())
}

fn modes_of(video: &Device, format: CameraFormat) -> Vec<CameraMode> {
    let sizes: Vec<SizeRange> = match video.enum_framesizes(fourcc(format)) {
        Ok(sizes) => sizes
            .into_iter()
            .filter_map(|offer| match offer.size {
                FrameSizeEnum::Discrete(size) => Size::new(size.width, size.height).ok().map(SizeRange::one),
                FrameSizeEnum::Stepwise(range) => size_range(&range),
            })
            .collect(),
        Err(_) => SizeRange::any().into_iter().collect(),
    };
    let holds = |range: &SizeRange| range.smallest != range.largest || format.can_hold(range.largest);
    let mode = |size: SizeRange| CameraMode { format, size, rates: rates(video, format, size.largest) };
    sizes.into_iter().filter(holds).map(mode).collect()
}

fn size_range(range: &Stepwise) -> Option<SizeRange> {
    let most = |side: u32| side.min(streamlib_core::MAX_DIMENSION);
    Some(SizeRange {
        smallest: Size::new(range.min_width.max(1), range.min_height.max(1)).ok()?,
        largest: Size::new(most(range.max_width), most(range.max_height)).ok()?,
        step: (range.step_width.max(1), range.step_height.max(1)),
    })
}

fn rates(video: &Device, format: CameraFormat, size: Size) -> Vec<RateRange> {
    let offers = video.enum_frameintervals(fourcc(format), size.width(), size.height()).unwrap_or_default();
    offers
        .into_iter()
        .filter_map(|offer| match offer.interval {
            FrameIntervalEnum::Discrete(interval) => rate_of(interval).map(RateRange::one),
            FrameIntervalEnum::Stepwise(range) => Some(RateRange { slowest: rate_of(range.max)?, fastest: rate_of(range.min)? }),
        })
        .collect()
}

/// V4L2 counts seconds a frame.
fn rate_of(interval: Fraction) -> Option<FrameRate> {
    FrameRate::new(interval.denominator, interval.numerator).ok()
}

/// Sets the rate, and returns what the driver made of it. Drivers that cannot be set are left at what they do.
fn set_rate(video: &Device, rate: FrameRate) -> FrameRate {
    let parameters = Parameters::new(Fraction::new(rate.denominator(), rate.numerator()));
    let agreed = video.set_params(&parameters).or_else(|error| {
        tracing::debug!(%error, "the camera's frame rate cannot be set");
        video.params()
    });
    agreed.ok().and_then(|agreed| rate_of(agreed.interval)).unwrap_or(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_become_rates() {
        assert_eq!(rate_of(Fraction::new(1, 30)).unwrap().to_string(), "30");
        assert_eq!(rate_of(Fraction::new(1001, 30_000)).unwrap().to_string(), "30000/1001");
        assert!(rate_of(Fraction::new(0, 0)).is_none());
    }

    #[test]
    fn ranges_of_sizes_end_where_pictures_do() {
        let range = Stepwise { min_width: 0, max_width: 99_999, step_width: 0, min_height: 2, max_height: 8, step_height: 2 };
        let found = size_range(&range).unwrap();
        assert_eq!(found.to_string(), "1x2 to 16384x8 in steps of 1x2");
    }
}
