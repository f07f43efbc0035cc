//! What a camera can be set to, and setting it.

use ::v4l::device::Device;
use ::v4l::format::FieldOrder;
use ::v4l::frameinterval::FrameIntervalEnum;
use ::v4l::framesize::{FrameSizeEnum, Stepwise};
use ::v4l::video::Capture as _;
use ::v4l::video::capture::Parameters;
use ::v4l::{Format, FourCC, Fraction};
use streamlib_core::{FrameRate, PixelFormat, Result, Size};

use super::super::capture::can_hold;
use super::super::modes::{LARGEST_BY_DEFAULT, Mode, Wanted, log_choice};
use super::super::{CameraDevice, CaptureFormat, CaptureOptions, errors};
use super::{color, ioctl};

/// Sets the camera to the mode that is nearest to what was asked, and reads back what it made of it.
pub(super) fn negotiate(video: &Device, device: &CameraDevice, options: &CaptureOptions) -> Result<CaptureFormat> {
    let refused = |error| errors::from_system(device, "set the format of", error);
    let offered = video.enum_formats().map_err(refused)?;
    let formats = [PixelFormat::Yuyv, PixelFormat::Nv12]
        .into_iter()
        .filter(|pixel| offered.iter().any(|offer| offer.fourcc == fourcc(*pixel)));
    let mode = Wanted::new(options).nearest(formats.flat_map(|pixel| modes(video, pixel, options)));
    let Some(mode) = mode else {
        let names: Vec<_> = offered.iter().map(|offer| offer.fourcc.to_string().trim().to_owned()).collect();
        return Err(errors::no_format(device, options.pixel_format, &names));
    };

    let mut request = Format::new(mode.size.width(), mode.size.height(), fourcc(mode.pixel));
    request.field_order = FieldOrder::Progressive;
    video.set_format(&request).map_err(refused)?;
    let agreed = ioctl::picture_format(&video.handle()).map_err(refused)?;
    let format = CaptureFormat {
        pixel: mode.pixel,
        size: Size::new(agreed.width, agreed.height)?,
        rate: set_rate(video, mode.rate.or(options.rate).unwrap_or_default()),
        bytes_per_line: agreed.bytes_per_line,
        color: color::color(agreed.colorspace, agreed.ycbcr_encoding, agreed.quantization, agreed.height),
    };
    if agreed.fourcc != fourcc(mode.pixel).repr || !format.is_sound() {
        let instead = format!("{} {}", String::from_utf8_lossy(&agreed.fourcc), format.size);
        return Err(errors::no_format(device, Some(mode.pixel), &[instead]));
    }
    log_choice(device, options, &format);
    tracing::debug!(%device, colorspace = agreed.colorspace, ycbcr_encoding = agreed.ycbcr_encoding, quantization = agreed.quantization, "camera colour");
    Ok(format)
}

fn fourcc(pixel: PixelFormat) -> FourCC {
    FourCC::new(if pixel == PixelFormat::Nv12 { b"NV12" } else { b"YUYV" })
}

/// What the camera can be set to with this pixel format. From a range, the size and the rate in it that are nearest to the wanted.
fn modes(video: &Device, pixel: PixelFormat, options: &CaptureOptions) -> Vec<Mode> {
    let (width, height) = options.size.map_or(LARGEST_BY_DEFAULT, |size| (size.width(), size.height()));
    let sizes: Vec<Size> = match video.enum_framesizes(fourcc(pixel)) {
        Ok(sizes) => sizes
            .into_iter()
            .filter_map(|offer| match offer.size {
                FrameSizeEnum::Discrete(size) => Size::new(size.width, size.height).ok(),
                FrameSizeEnum::Stepwise(range) => nearest_in(&range, width, height),
            })
            .collect(),
        // The driver does not list sizes: it will set the nearest itself.
        Err(_) => Size::new(width, height).into_iter().collect(),
    };
    let mut modes = Vec::new();
    for size in sizes.into_iter().filter(|size| can_hold(pixel, *size)) {
        let rates = rates(video, pixel, size, options.rate.unwrap_or_default());
        if rates.is_empty() {
            modes.push(Mode { pixel, size, rate: None });
        }
        modes.extend(rates.into_iter().map(|rate| Mode { pixel, size, rate: Some(rate) }));
    }
    modes
}

/// The size in a range that is nearest to the wanted and has even sides, which every pixel format can hold.
fn nearest_in(range: &Stepwise, width: u32, height: u32) -> Option<Size> {
    let nearest = |wanted: u32, min: u32, max: u32, step: u32| {
        let (max, step) = (max.max(min), step.max(1));
        let within = wanted.clamp(min, max);
        let found = within - (within - min) % step;
        let even = |side: &u32| side.is_multiple_of(2) && (min..=max).contains(side);
        [found, found.saturating_sub(step), found.saturating_add(step)].into_iter().find(even)
    };
    let width = nearest(width, range.min_width, range.max_width, range.step_width)?;
    let height = nearest(height, range.min_height, range.max_height, range.step_height)?;
    Size::new(width, height).ok()
}

fn rates(video: &Device, pixel: PixelFormat, size: Size, wanted: FrameRate) -> Vec<FrameRate> {
    let offers = video.enum_frameintervals(fourcc(pixel), size.width(), size.height()).unwrap_or_default();
    let nearest_in = |shortest: FrameRate, longest: FrameRate| {
        if wanted.as_f64() > shortest.as_f64() {
            shortest
        } else if wanted.as_f64() < longest.as_f64() {
            longest
        } else {
            wanted
        }
    };
    offers
        .into_iter()
        .filter_map(|offer| match offer.interval {
            FrameIntervalEnum::Discrete(interval) => rate_of(interval),
            FrameIntervalEnum::Stepwise(range) => Some(nearest_in(rate_of(range.min)?, rate_of(range.max)?)),
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
    fn a_range_of_sizes_is_entered_at_its_nearest_step() {
        let range = Stepwise { min_width: 16, max_width: 1920, step_width: 16, min_height: 16, max_height: 1080, step_height: 8 };
        let nearest = |width, height| nearest_in(&range, width, height).unwrap().to_string();
        assert_eq!(nearest(640, 480), "640x480");
        assert_eq!(nearest(645, 485), "640x480");
        assert_eq!(nearest(1, 1), "16x16");
        assert_eq!(nearest(9999, 9999), "1920x1080");
        let any = Stepwise { min_width: 1, max_width: 9, step_width: 0, min_height: 1, max_height: 9, step_height: 1 };
        assert_eq!(nearest_in(&any, 5, 7).unwrap().to_string(), "4x6");
        assert_eq!(nearest_in(&any, 1, 99).unwrap().to_string(), "2x8");
        let odd = Stepwise { min_width: 3, max_width: 3, step_width: 1, ..any };
        assert!(nearest_in(&odd, 3, 4).is_none());
    }

    #[test]
    fn intervals_become_rates() {
        assert_eq!(rate_of(Fraction::new(1, 30)).unwrap().to_string(), "30");
        assert_eq!(rate_of(Fraction::new(1001, 30_000)).unwrap().to_string(), "30000/1001");
        assert!(rate_of(Fraction::new(0, 0)).is_none());
    }
}
