//! What a camera can be set to.

use std::fmt;

use streamlib_core::{FrameRate, MAX_DIMENSION, Size};

use super::CameraFormat;

/// Something that a camera can be set to: a format, a size or a range of sizes, and the rates at that size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraMode {
    /// How pictures are coded.
    pub format: CameraFormat,
    /// The size, or the range of sizes.
    pub size: SizeRange,
    /// The rates as the driver lists them; of a range of sizes those of its largest. Empty where the driver tells none.
    pub rates: Vec<RateRange>,
}

/// Sizes from the smallest to the largest in steps; most cameras have one size a mode, which is both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeRange {
    /// The smallest width and height.
    pub smallest: Size,
    /// The largest width and height.
    pub largest: Size,
    /// By how many pixels the width and the height go up.
    pub step: (u32, u32),
}

/// Rates from the slowest to the fastest; most cameras have single rates, which are both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateRange {
    /// The slowest.
    pub slowest: FrameRate,
    /// The fastest.
    pub fastest: FrameRate,
}

impl SizeRange {
    /// This size alone.
    pub fn one(size: Size) -> Self {
        Self { smallest: size, largest: size, step: (1, 1) }
    }

    /// Any size: what a driver that lists none is taken to have. It will set the nearest itself.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only Video4Linux2 drivers list none"))]
    pub(super) fn any() -> Option<Self> {
        Some(Self { smallest: Size::new(1, 1).ok()?, largest: Size::new(MAX_DIMENSION, MAX_DIMENSION).ok()?, step: (1, 1) })
    }

    /// The size in the range that is nearest to the wanted and that the format can hold.
    pub(super) fn nearest(&self, wanted: Size, format: CameraFormat) -> Option<Size> {
        let candidates = |wanted: u32, min: u32, max: u32, step: u32| {
            let (max, step) = (max.max(min), step.max(1));
            let within = wanted.clamp(min, max);
            let found = within - (within - min) % step;
            let neighbours = [found, found.saturating_sub(step), found.saturating_add(step)];
            neighbours.into_iter().filter(move |side| (min..=max).contains(side)).collect::<Vec<_>>()
        };
        let widths = candidates(wanted.width(), self.smallest.width(), self.largest.width(), self.step.0);
        let heights = candidates(wanted.height(), self.smallest.height(), self.largest.height(), self.step.1);
        let sizes = widths.iter().flat_map(|width| heights.iter().filter_map(|height| Size::new(*width, *height).ok()));
        sizes.filter(|size| format.can_hold(*size)).min_by_key(|size| distance(*size, wanted))
    }
}

impl RateRange {
    /// This rate alone.
    pub fn one(rate: FrameRate) -> Self {
        Self { slowest: rate, fastest: rate }
    }

    /// The rate in the range that is nearest to the wanted.
    pub(super) fn nearest(&self, wanted: FrameRate) -> FrameRate {
        if wanted.as_f64() >= self.fastest.as_f64() {
            self.fastest
        } else if wanted.as_f64() <= self.slowest.as_f64() {
            self.slowest
        } else {
            wanted
        }
    }
}

/// By how many pixels the sides of two sizes differ.
pub(super) fn distance(a: Size, b: Size) -> u32 {
    a.width().abs_diff(b.width()) + a.height().abs_diff(b.height())
}

/// `640x480`, or `16x16 to 1920x1080 in steps of 16x8`.
impl fmt::Display for SizeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.smallest)?;
        if self.smallest == self.largest {
            return Ok(());
        }
        write!(f, " to {}", self.largest)?;
        if self.step == (1, 1) { Ok(()) } else { write!(f, " in steps of {}x{}", self.step.0, self.step.1) }
    }
}

/// `30`, or `1 to 60`.
impl fmt::Display for RateRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.slowest)?;
        if self.slowest == self.fastest { Ok(()) } else { write!(f, " to {}", self.fastest) }
    }
}

/// `yuyv 640x480 at 30, 15`.
impl fmt::Display for CameraMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.format, self.size)?;
        for (index, rate) in self.rates.iter().enumerate() {
            write!(f, "{}{rate}", if index == 0 { " at " } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(text: &str) -> Size {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_of_sizes_is_entered_at_its_nearest_step() {
        let range = SizeRange { smallest: size("16x16"), largest: size("1920x1080"), step: (16, 8) };
        let nearest = |wanted| range.nearest(size(wanted), CameraFormat::Nv12).unwrap().to_string();
        assert_eq!(nearest("640x480"), "640x480");
        assert_eq!(nearest("645x485"), "640x488");
        assert_eq!(nearest("1x1"), "16x16");
        assert_eq!(nearest("9999x9999"), "1920x1080");
        let any = SizeRange { smallest: size("1x1"), largest: size("9x9"), step: (1, 1) };
        assert_eq!(any.nearest(size("5x7"), CameraFormat::Nv12).unwrap().to_string(), "4x6");
        assert_eq!(any.nearest(size("1x99"), CameraFormat::Nv12).unwrap().to_string(), "2x8");
        assert_eq!(any.nearest(size("5x7"), CameraFormat::Mjpeg).unwrap().to_string(), "5x7");
        let odd = SizeRange { smallest: size("3x1"), largest: size("3x9"), ..any };
        assert!(odd.nearest(size("3x4"), CameraFormat::Yuyv).is_none());
    }

    #[test]
    fn a_range_of_rates_is_entered_at_its_nearest() {
        let rate = |text: &str| text.parse::<FrameRate>().unwrap();
        let range = RateRange { slowest: rate("5"), fastest: rate("30") };
        for (wanted, found) in [("1", "5"), ("5", "5"), ("25/2", "25/2"), ("30000/1001", "30000/1001"), ("60", "30")] {
            assert_eq!(range.nearest(rate(wanted)).to_string(), found);
        }
    }

    #[test]
    fn modes_are_printed_in_a_line() {
        let rate = |text: &str| RateRange::one(text.parse().unwrap());
        let mode = CameraMode {
            format: CameraFormat::Yuyv,
            size: SizeRange::one(size("640x480")),
            rates: vec![rate("30"), rate("15/2")],
        };
        assert_eq!(mode.to_string(), "yuyv 640x480 at 30, 15/2");
        let any = CameraMode { size: SizeRange::any().unwrap(), rates: Vec::new(), ..mode };
        assert_eq!(any.to_string(), "yuyv 1x1 to 16384x16384");
    }
}
