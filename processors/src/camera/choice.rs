//! Which of a camera's modes is taken.

use std::cmp::Ordering;

use streamlib_core::{Error, ErrorKind, FrameRate, Result, Size};

use super::modes::{CameraMode, distance};
use super::{CameraDevice, CameraFormat, CaptureFormat, CaptureOptions, errors};

/// Which mode is taken where a camera has several, or not the one that was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModeChoice {
    /// The nearest: the size counts before the rate. Where no size is asked for, the largest up to 1920x1080 that reaches the rate.
    #[default]
    Nearest,
    /// The size and the rate that are asked for, or an error that lists what the camera has, the nearest first.
    Exact,
    /// The largest size that reaches the rate; not above the size, where one is asked for. The fastest where none reaches it.
    Largest,
}

/// What a camera is to be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mode {
    pub(super) format: CameraFormat,
    pub(super) size: Size,
    /// `None` when the driver does not tell its rates.
    pub(super) rate: Option<FrameRate>,
}

/// The size that is not exceeded unless asked for.
const LARGEST_BY_DEFAULT: (u32, u32) = (1920, 1080);
/// As many modes are listed in an error.
const LISTED: usize = 12;

/// What was asked, with the defaults filled in.
struct Wanted {
    format: Option<CameraFormat>,
    size: Option<Size>,
    rate: FrameRate,
    limit: (u32, u32),
}

/// The mode of the camera that these options take.
pub(super) fn choose(device: &CameraDevice, modes: &[CameraMode], options: &CaptureOptions) -> Result<Mode> {
    let wanted = Wanted::new(options);
    let mut candidates = wanted.candidates(modes);
    candidates.sort_by(|a, b| wanted.compare(a, b));
    let Some(best) = candidates.first().copied() else {
        let mut offered: Vec<_> = modes.iter().map(|mode| mode.format.to_string()).collect();
        offered.dedup();
        return Err(errors::no_format(device, options.pixel_format, &offered));
    };
    let is_exact = |mode: &Mode| {
        options.size.is_none_or(|size| size == mode.size)
            && options.rate.is_none_or(|rate| mode.rate.is_none_or(|mode| same(mode, rate)))
    };
    if options.choose == ModeChoice::Exact && !is_exact(&best) {
        return Err(not_exact(device, options, &candidates));
    }
    Ok(best)
}

/// What the driver agreed to is what was asked for, if it has to be.
pub(super) fn check_agreed(device: &CameraDevice, options: &CaptureOptions, agreed: &CaptureFormat) -> Result<()> {
    let exact = options.size.is_none_or(|size| size == agreed.size) && options.rate.is_none_or(|rate| same(rate, agreed.rate));
    if exact {
        tracing::debug!(%device, ?agreed, "camera format chosen");
    } else if options.choose == ModeChoice::Exact {
        let mode = Mode { format: agreed.format, size: agreed.size, rate: Some(agreed.rate) };
        return Err(not_exact(device, options, &[mode]));
    } else {
        tracing::warn!(%device, asked_size = ?options.size, asked_rate = ?options.rate, ?agreed, "nearest camera format chosen");
    }
    Ok(())
}

fn not_exact(device: &CameraDevice, options: &CaptureOptions, nearest_first: &[Mode]) -> Error {
    let mut asked = options.pixel_format.map(|format| format!(" {format}")).unwrap_or_default();
    if let Some(size) = options.size {
        asked += &format!(" {size}");
    }
    if let Some(rate) = options.rate {
        asked += &format!(" at {rate} a second");
    }
    let mut listed: Vec<String> = Vec::new();
    for mode in nearest_first {
        let text = format!("{} {}", mode.format, mode.size);
        let text = mode.rate.map_or_else(|| text.clone(), |rate| format!("{text} at {rate}"));
        if !listed.contains(&text) {
            listed.push(text);
        }
    }
    let more = listed.len().saturating_sub(LISTED);
    listed.truncate(LISTED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let message = format!("camera {device} does not have exactly{asked}; it has, nearest first: {}{more}", listed.join(", "));
    Error::new(ErrorKind::Unsupported, message).hint("ask for one of these, or take what is nearest with choose=nearest")
}

impl Wanted {
    fn new(options: &CaptureOptions) -> Self {
        let sides = |size: Size| (size.width(), size.height());
        let (size, limit) = match options.choose {
            ModeChoice::Largest => (None, options.size.map_or((u32::MAX, u32::MAX), sides)),
            _ => (options.size, LARGEST_BY_DEFAULT),
        };
        Self { format: options.pixel_format, size, rate: options.rate.unwrap_or_default(), limit }
    }

    /// From each mode the size and the rates in it that are nearest. Without a wish for it, luma alone only where there is no
    /// colour.
    fn candidates(&self, modes: &[CameraMode]) -> Vec<Mode> {
        let fits = |mode: &&CameraMode| self.format.is_none_or(|format| mode.format == format);
        let colour = modes.iter().filter(fits).any(|mode| mode.format.has_color());
        let mut candidates = Vec::new();
        for mode in modes.iter().filter(fits).filter(|mode| mode.format.has_color() || !colour) {
            let largest =
                || Size::new(self.limit.0.min(mode.size.largest.width()), self.limit.1.min(mode.size.largest.height())).ok();
            let Some(size) = self.size.or_else(largest).and_then(|wanted| mode.size.nearest(wanted, mode.format)) else {
                continue;
            };
            let format = mode.format;
            if mode.rates.is_empty() {
                candidates.push(Mode { format, size, rate: None });
            }
            let rates = mode.rates.iter().map(|range| range.nearest(self.rate));
            candidates.extend(rates.map(|rate| Mode { format, size, rate: Some(rate) }));
        }
        candidates
    }

    fn compare(&self, a: &Mode, b: &Mode) -> Ordering {
        self.compare_sizes(a, b).then_with(|| self.compare_rates(a, b)).then_with(|| a.format.cmp(&b.format))
    }

    fn compare_sizes(&self, a: &Mode, b: &Mode) -> Ordering {
        let area = |mode: &Mode| u64::from(mode.size.width()) * u64::from(mode.size.height());
        let is_too_large = |mode: &Mode| mode.size.width() > self.limit.0 || mode.size.height() > self.limit.1;
        match self.size {
            Some(size) => distance(a.size, size).cmp(&distance(b.size, size)),
            None => (self.times_too_slow(a).total_cmp(&self.times_too_slow(b)))
                .then_with(|| is_too_large(a).cmp(&is_too_large(b)))
                .then_with(|| if is_too_large(a) { area(a).cmp(&area(b)) } else { area(b).cmp(&area(a)) }),
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

/// 30/1 and 60/2 are one rate.
fn same(a: FrameRate, b: FrameRate) -> bool {
    u64::from(a.numerator()) * u64::from(b.denominator()) == u64::from(b.numerator()) * u64::from(a.denominator())
}

#[cfg(test)]
mod tests {
    use super::super::Backend;
    use super::super::modes::{RateRange, SizeRange};
    use super::*;

    /// `yuyv 640x480 30`
    fn mode(text: &str) -> Mode {
        let mut words = text.split(' ');
        let format = words.next().unwrap().parse().unwrap();
        Mode { format, size: words.next().unwrap().parse().unwrap(), rate: words.next().map(|rate| rate.parse().unwrap()) }
    }

    fn chosen(choose: ModeChoice, size: &str, rate: &str, format: Option<CameraFormat>, modes: &[&str]) -> Result<Mode> {
        let options = CaptureOptions {
            size: (!size.is_empty()).then(|| size.parse().unwrap()),
            rate: (!rate.is_empty()).then(|| rate.parse().unwrap()),
            pixel_format: format,
            choose,
            ..CaptureOptions::default()
        };
        let modes: Vec<CameraMode> = modes
            .iter()
            .map(|text| mode(text))
            .map(|mode| CameraMode {
                format: mode.format,
                size: SizeRange::one(mode.size),
                rates: mode.rate.into_iter().map(RateRange::one).collect(),
            })
            .collect();
        super::choose(&camera(), &modes, &options)
    }

    fn camera() -> CameraDevice {
        CameraDevice::new(0, "C920".into(), "/dev/video0".into(), Backend::V4l)
    }

    fn nearest(size: &str, rate: &str, format: Option<CameraFormat>, modes: &[&str]) -> Option<Mode> {
        chosen(ModeChoice::Nearest, size, rate, format, modes).ok()
    }

    /// What USB cameras offer: small pictures fast, large ones slowly.
    const WEBCAM: [&str; 5] =
        ["yuyv 640x480 30", "yuyv 640x480 15", "yuyv 1280x720 10", "yuyv 1920x1080 5", "nv12 1280x720 30000/1001"];

    #[test]
    fn what_is_asked_exactly_is_taken_exactly() {
        for text in WEBCAM {
            let exact = mode(text);
            let found = nearest(&exact.size.to_string(), &exact.rate.unwrap().to_string(), Some(exact.format), &WEBCAM);
            assert_eq!(found, Some(exact));
        }
    }

    #[test]
    fn the_size_counts_before_the_rate() {
        assert_eq!(nearest("1900x1000", "30", None, &WEBCAM), Some(mode("yuyv 1920x1080 5")));
        assert_eq!(nearest("1x1", "14", None, &WEBCAM), Some(mode("yuyv 640x480 15")));
        assert_eq!(nearest("1280x720", "", None, &WEBCAM), Some(mode("nv12 1280x720 30000/1001")));
        assert_eq!(nearest("1280x720", "1000", Some(CameraFormat::Yuyv), &WEBCAM), Some(mode("yuyv 1280x720 10")));
    }

    #[test]
    fn the_default_is_the_largest_size_that_reaches_the_rate() {
        assert_eq!(nearest("", "", None, &WEBCAM), Some(mode("nv12 1280x720 30000/1001")));
        assert_eq!(nearest("", "", Some(CameraFormat::Yuyv), &WEBCAM), Some(mode("yuyv 640x480 30")));
        assert_eq!(nearest("", "10", Some(CameraFormat::Yuyv), &WEBCAM), Some(mode("yuyv 1280x720 10")));
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
        assert_eq!(nearest("640x480", "", Some(CameraFormat::Nv12), &WEBCAM), Some(mode("nv12 1280x720 30000/1001")));
        assert_eq!(nearest("", "", Some(CameraFormat::Nv12), &["yuyv 640x480 30"]), None);
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

    #[test]
    fn luma_alone_is_taken_where_there_is_nothing_else_or_it_is_asked_for() {
        let modes = ["grey8 1280x720 30", "mjpeg 640x480 30"];
        assert_eq!(nearest("", "", None, &modes), Some(mode(modes[1])));
        assert_eq!(nearest("", "", Some(CameraFormat::Grey8), &modes), Some(mode(modes[0])));
        assert_eq!(nearest("", "", None, &modes[..1]), Some(mode(modes[0])));
    }

    #[test]
    fn uncompressed_is_preferred_where_it_is_as_large_and_as_fast() {
        let webcam = ["mjpeg 1920x1080 30", "mjpeg 640x480 30", "yuyv 1920x1080 5", "yuyv 640x480 30"];
        assert_eq!(nearest("", "", None, &webcam), Some(mode("mjpeg 1920x1080 30")));
        assert_eq!(nearest("640x480", "", None, &webcam), Some(mode("yuyv 640x480 30")));
    }

    #[test]
    fn exactly_what_is_asked_or_a_list_of_what_there_is() {
        let exact = |size: &str, rate: &str, format| chosen(ModeChoice::Exact, size, rate, format, &WEBCAM);
        for text in WEBCAM {
            let mode = mode(text);
            assert_eq!(exact(&mode.size.to_string(), &mode.rate.unwrap().to_string(), Some(mode.format)).unwrap(), mode);
        }
        assert_eq!(exact("640x480", "", None).unwrap(), mode("yuyv 640x480 30"), "what is not asked for is free");
        let error = exact("1280x720", "30", None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(
            error.to_string(),
            "camera 0 'C920' (/dev/video0) does not have exactly 1280x720 at 30 a second; it has, nearest first: \
             nv12 1280x720 at 30000/1001, yuyv 1280x720 at 10, yuyv 640x480 at 30, yuyv 640x480 at 15, yuyv 1920x1080 at 5; \
             ask for one of these, or take what is nearest with choose=nearest"
        );
        let many: Vec<String> = (1..=20).map(|step| format!("yuyv {}x480 30", step * 16)).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let error = chosen(ModeChoice::Exact, "640x480", "", None, &many).unwrap_err().to_string();
        assert!(error.contains("nearest first: yuyv 320x480 at 30, yuyv 304x480") && error.contains(" and 8 more;"), "{error}");
    }

    #[test]
    fn the_largest_is_the_largest_that_reaches_the_rate() {
        let modes = ["yuyv 640x480 30", "mjpeg 3840x2160 30", "mjpeg 1920x1080 60", "yuyv 1920x1080 5"];
        let largest = |size, rate| chosen(ModeChoice::Largest, size, rate, None, &modes).unwrap();
        assert_eq!(largest("", ""), mode("mjpeg 3840x2160 30"));
        assert_eq!(largest("", "60"), mode("mjpeg 1920x1080 60"));
        assert_eq!(largest("", "500"), mode("mjpeg 1920x1080 60"), "the fastest, as none reaches it");
        assert_eq!(largest("1280x720", ""), mode("yuyv 640x480 30"), "a size is the limit");
    }
}
