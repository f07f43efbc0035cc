//! What a camera can be set to, and which of that is nearest to what was asked.

use std::cmp::Ordering;

use streamlib_core::{FrameRate, PixelFormat, Size};

use super::{CameraDevice, CaptureFormat, CaptureOptions};

/// Something that a camera can be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mode {
    pub(super) pixel: PixelFormat,
    pub(super) size: Size,
    /// `None` when the driver does not tell its rates.
    pub(super) rate: Option<FrameRate>,
}

/// The size that is not exceeded unless asked for: above full HD, cameras reach their rate only with compressed pictures.
pub(super) const LARGEST_BY_DEFAULT: (u32, u32) = (1920, 1080);

/// What was asked, with the defaults filled in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pixel: Option<PixelFormat>,
    size: Option<Size>,
    rate: FrameRate,
}

impl Wanted {
    pub(super) fn new(options: &CaptureOptions) -> Self {
        Self { pixel: options.pixel_format, size: options.size, rate: options.rate.unwrap_or_default() }
    }

    /// The mode that is nearest. A pixel format that was asked for is kept to; then the size counts, then the rate.
    ///
    /// Where no size was asked for, the largest that reaches the rate wins; where none reaches it, the fastest.
    pub(super) fn nearest(&self, modes: impl IntoIterator<Item = Mode>) -> Option<Mode> {
        modes
            .into_iter()
            .filter(|mode| self.pixel.is_none_or(|pixel| mode.pixel == pixel))
            .min_by(|a, b| self.compare_sizes(a, b).then_with(|| self.compare_rates(a, b)).then_with(|| a.pixel.cmp(&b.pixel)))
    }

    fn compare_sizes(&self, a: &Mode, b: &Mode) -> Ordering {
        let area = |mode: &Mode| u64::from(mode.size.width()) * u64::from(mode.size.height());
        match self.size {
            Some(size) => distance(a.size, size).cmp(&distance(b.size, size)),
            None => (self.times_too_slow(a).total_cmp(&self.times_too_slow(b)))
                .then_with(|| is_too_large(a.size).cmp(&is_too_large(b.size)))
                .then_with(|| if is_too_large(a.size) { area(a).cmp(&area(b)) } else { area(b).cmp(&area(a)) }),
        }
    }

    fn compare_rates(&self, a: &Mode, b: &Mode) -> Ordering {
        let distance = |mode: &Mode| mode.rate.map_or(0.0, |rate| (rate.as_f64() / self.rate.as_f64()).ln().abs());
        distance(a).total_cmp(&distance(b))
    }

    /// How many times too slow the mode is, to a tenth, so that 29.97 is fast enough for 30; 1 for fast enough.
    fn times_too_slow(&self, mode: &Mode) -> f64 {
        let times = mode.rate.map_or(1.0, |rate| self.rate.as_f64() / rate.as_f64());
        ((times * 10.0).round() / 10.0).max(1.0)
    }
}

/// Logs what was agreed with a camera, louder where it is not what was asked.
pub(super) fn log_choice(device: &CameraDevice, options: &CaptureOptions, format: &CaptureFormat) {
    let exact = options.size.is_none_or(|size| size == format.size) && options.rate.is_none_or(|rate| same(rate, format.rate));
    if exact {
        tracing::debug!(%device, ?format, "camera format chosen");
    } else {
        tracing::warn!(%device, asked_size = ?options.size, asked_rate = ?options.rate, ?format, "nearest camera format chosen");
    }
}

/// 30/1 and 60/2 are one rate.
fn same(a: FrameRate, b: FrameRate) -> bool {
    u64::from(a.numerator()) * u64::from(b.denominator()) == u64::from(b.numerator()) * u64::from(a.denominator())
}

fn distance(a: Size, b: Size) -> u32 {
    a.width().abs_diff(b.width()) + a.height().abs_diff(b.height())
}

fn is_too_large(size: Size) -> bool {
    size.width() > LARGEST_BY_DEFAULT.0 || size.height() > LARGEST_BY_DEFAULT.1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `yuyv 640x480 30`
    fn mode(text: &str) -> Mode {
        let mut words = text.split(' ');
        let pixel = if words.next() == Some("nv12") { PixelFormat::Nv12 } else { PixelFormat::Yuyv };
        Mode { pixel, size: words.next().unwrap().parse().unwrap(), rate: words.next().map(|rate| rate.parse().unwrap()) }
    }

    fn nearest(size: &str, rate: &str, pixel: Option<PixelFormat>, modes: &[&str]) -> Option<Mode> {
        let options = CaptureOptions {
            size: (!size.is_empty()).then(|| size.parse().unwrap()),
            rate: (!rate.is_empty()).then(|| rate.parse().unwrap()),
            pixel_format: pixel,
            ..CaptureOptions::default()
        };
        Wanted::new(&options).nearest(modes.iter().map(|text| mode(text)))
    }

    /// What USB cameras offer: small pictures fast, large ones slowly.
    const WEBCAM: [&str; 5] =
        ["yuyv 640x480 30", "yuyv 640x480 15", "yuyv 1280x720 10", "yuyv 1920x1080 5", "nv12 1280x720 30000/1001"];

    #[test]
    fn what_is_asked_exactly_is_taken_exactly() {
        for text in WEBCAM {
            let exact = mode(text);
            let found = nearest(&exact.size.to_string(), &exact.rate.unwrap().to_string(), Some(exact.pixel), &WEBCAM);
            assert_eq!(found, Some(exact));
        }
    }

    #[test]
    fn the_size_counts_before_the_rate() {
        assert_eq!(nearest("1900x1000", "30", None, &WEBCAM), Some(mode("yuyv 1920x1080 5")));
        assert_eq!(nearest("1x1", "14", None, &WEBCAM), Some(mode("yuyv 640x480 15")));
        assert_eq!(nearest("1280x720", "", None, &WEBCAM), Some(mode("nv12 1280x720 30000/1001")));
        assert_eq!(nearest("1280x720", "1000", Some(PixelFormat::Yuyv), &WEBCAM), Some(mode("yuyv 1280x720 10")));
    }

    #[test]
    fn the_default_is_the_largest_size_that_reaches_the_rate() {
        assert_eq!(nearest("", "", None, &WEBCAM), Some(mode("nv12 1280x720 30000/1001")));
        assert_eq!(nearest("", "", Some(PixelFormat::Yuyv), &WEBCAM), Some(mode("yuyv 640x480 30")));
        assert_eq!(nearest("", "10", Some(PixelFormat::Yuyv), &WEBCAM), Some(mode("yuyv 1280x720 10")));
        assert_eq!(nearest("", "60", None, &WEBCAM), Some(mode("nv12 1280x720 30000/1001")));
        assert_eq!(
            nearest("", "", None, &["yuyv 3840x2160 30", "yuyv 1920x1080 30", "yuyv 1920x1080 60"]),
            Some(mode("yuyv 1920x1080 30")),
            "nothing above full HD, and the rate that is nearest"
        );
        assert_eq!(nearest("", "", None, &["yuyv 4096x2160 30", "yuyv 3840x2160 30"]), Some(mode("yuyv 3840x2160 30")));
    }

    #[test]
    fn the_format_is_kept_to_and_yuyv_preferred() {
        assert_eq!(nearest("640x480", "", Some(PixelFormat::Nv12), &WEBCAM), Some(mode("nv12 1280x720 30000/1001")));
        assert_eq!(nearest("", "", Some(PixelFormat::Nv12), &["yuyv 640x480 30"]), None);
        assert_eq!(nearest("", "", None, &["nv12 640x480 30", "yuyv 640x480 30"]), Some(mode("yuyv 640x480 30")));
        assert_eq!(nearest("", "", None, &[]), None);
    }

    #[test]
    fn a_driver_that_tells_no_rates_is_taken_at_its_word() {
        assert_eq!(nearest("", "", None, &["yuyv 640x480", "yuyv 1280x720"]), Some(mode("yuyv 1280x720")));
    }

    #[test]
    fn a_rate_is_the_same_however_it_is_written() {
        let rate = |text: &str| text.parse::<FrameRate>().unwrap();
        assert!(same(rate("60/2"), rate("30")));
        assert!(!same(rate("30"), rate("30000/1001")));
    }
}
