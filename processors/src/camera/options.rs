//! What can be asked of a camera.

use std::collections::BTreeMap;
use std::time::Duration;

use streamlib_core::{Color, Error, ErrorKind, FrameRate, Matrix, Range, Result, Size};

use super::{CameraFormat, ControlValue, DeviceSelector, ModeChoice};

/// Which code talks to the camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// `v4l` on Linux, `nokhwa` elsewhere.
    #[default]
    Auto,
    /// Video4Linux2 directly. Linux only. Waits with a time limit, notices at once when a camera is unplugged, and passes on
    /// the driver's timestamps, sequence numbers, strides and colour description.
    V4l,
    /// The nokhwa library: macOS, Windows and Linux. It waits for a picture without a time limit, copies each picture once more,
    /// and passes on no sequence numbers; on Linux it knows `yuyv`, `nv12`, `rgb24`, `bgr24` and `mjpeg`. Strides, colour and
    /// controls come from Video4Linux2 there, and from nowhere elsewhere.
    Nokhwa,
}

impl Backend {
    /// The backend that is used on this system: never `Auto`.
    pub const fn resolve(self) -> Self {
        match self {
            Self::Auto if cfg!(target_os = "linux") => Self::V4l,
            Self::Auto => Self::Nokhwa,
            chosen => chosen,
        }
    }

    /// The name used in graph files and messages: `auto`, `v4l`, `nokhwa`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::V4l => "v4l",
            Self::Nokhwa => "nokhwa",
        }
    }
}

impl std::str::FromStr for Backend {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        // The interface's other name.
        let text = if text == "v4l2" { "v4l" } else { text };
        [Self::Auto, Self::V4l, Self::Nokhwa].into_iter().find(|backend| backend.name() == text).ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, format!("there is no camera backend '{text}'")).hint("use auto, v4l or nokhwa")
        })
    }
}

/// What is asked of a camera. The default takes the first camera in the best mode for live video.
///
/// What a camera cannot do exactly it does as nearly as it can, or not at all: see [`choose`](Self::choose). What was chosen is
/// logged and told by [`Capture::format`](super::Capture::format).
///
/// ```
/// use std::time::Duration;
/// use streamlib_processors::camera::CaptureOptions;
///
/// let options: CaptureOptions = serde_json::from_str(
///     r#"{ "device": "Integrated Camera", "size": "1280x720", "rate": 30, "pixel_format": "nv12", "timeout": 2.5,
///         "controls": { "auto_exposure": "Manual Mode", "exposure_time_absolute": 150 } }"#,
/// )?;
/// assert_eq!(options.device.to_string(), "Integrated Camera");
/// assert_eq!(options.timeout, Duration::from_millis(2500));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CaptureOptions {
    /// Which camera: its number, its name or a part of it, its path (`/dev/video2`), the socket that it is plugged into
    /// (`bus:usb-0000:00:14.0-1`) or its serial number (`serial:1A2B3C`). Default: the first.
    #[schemars(extend("x-fixed" = true))]
    pub device: DeviceSelector,
    /// Which code talks to it. Default: `auto`.
    #[schemars(extend("x-fixed" = true))]
    pub backend: Backend,
    /// The picture's size, for example `1280x720`; `choose` says what is taken where the camera does not have it. Default: the
    /// largest up to 1920x1080 that reaches the frame rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-fixed" = true))]
    pub size: Option<Size>,
    /// Pictures a second; `choose` says what is taken where the camera does not have it at this size. Default: 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-fixed" = true))]
    pub rate: Option<FrameRate>,
    /// `nearest`, `exact` or `largest`: which mode is taken where the camera has several, or not the one that is asked for.
    /// Default: `nearest`.
    #[schemars(extend("x-fixed" = true))]
    pub choose: ModeChoice,
    /// How the camera is to code its pictures; a camera that does not offer it is an error. Default: whichever it has at the
    /// chosen size and rate, uncompressed rather than `mjpeg`, with colour rather than without.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-fixed" = true))]
    pub pixel_format: Option<CameraFormat>,
    /// How many seconds to wait for a picture before the camera counts as stalled. Default: 5. The `nokhwa` backend cannot
    /// keep it.
    #[serde(with = "seconds")]
    #[schemars(with = "f64", range(min = 0.001), extend("x-fixed" = true))]
    pub timeout: Duration,
    /// The matrix of its Y'CbCr. Default: what the driver says, else BT.601 up to 576 lines and BT.709 above; of `mjpeg` BT.601.
    /// It means nothing to pictures that are red, green and blue, or luma alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matrix: Option<Matrix>,
    /// The range of its Y'CbCr or luma. Default: what the driver says, else limited; of `mjpeg` and `grey8` full. It means nothing
    /// to red, green and blue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// What is set of the camera itself, by the names that `v4l2-ctl` has (`exposure_time_absolute`): a number, `true` or
    /// `false`, or the name of a menu's item. Switches and menus are set before numbers. What is left out stays as it is. Linux
    /// only. Default: nothing.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub controls: BTreeMap<String, ControlValue>,
}

impl Default for CaptureOptions {
    fn default() -> Self {
        Self {
            device: DeviceSelector::First,
            backend: Backend::Auto,
            size: None,
            rate: None,
            choose: ModeChoice::Nearest,
            pixel_format: None,
            timeout: Duration::from_secs(5),
            matrix: None,
            range: None,
            controls: BTreeMap::new(),
        }
    }
}

impl CaptureOptions {
    /// The colour description of its pictures, when the driver says `color`.
    pub(super) fn color(&self, format: CameraFormat, color: Color) -> Color {
        if matches!(format, CameraFormat::Rgb24 | CameraFormat::Bgr24) {
            return color;
        }
        Color { matrix: self.matrix.unwrap_or(color.matrix), range: self.range.unwrap_or(color.range), ..color }
    }

    /// Refuses what no camera can do.
    pub(super) fn check(&self) -> Result<()> {
        if self.timeout.is_zero() {
            return Err(Error::new(ErrorKind::InvalidArgument, "a timeout of 0 seconds would find every camera stalled")
                .hint("give the seconds without a picture after which the camera counts as stalled, for example 5"));
        }
        Ok(())
    }
}

/// Seconds, whole or not, in files.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(duration.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(|_| D::Error::custom(format!("{seconds} is no number of seconds")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> serde_json::Result<CaptureOptions> {
        serde_json::from_str(text)
    }

    #[test]
    fn a_file_may_say_nothing_or_everything() {
        assert_eq!(parse("{}").unwrap(), CaptureOptions::default());
        let all = parse(
            r#"{"device": 2, "backend": "nokhwa", "size": "640x480", "rate": "30000/1001", "pixel_format": "yuyv", "timeout": 1,
                "choose": "exact"}"#,
        )
        .unwrap();
        assert_eq!(all.device, DeviceSelector::Index(2));
        assert_eq!(all.backend, Backend::Nokhwa);
        assert_eq!(all.size, Some(Size::new(640, 480).unwrap()));
        assert_eq!(all.rate, Some(FrameRate::new(30_000, 1001).unwrap()));
        assert_eq!(all.pixel_format, Some(CameraFormat::Yuyv));
        assert_eq!(all.choose, ModeChoice::Exact);
        assert_eq!(all.timeout, Duration::from_secs(1));
    }

    #[test]
    fn options_survive_a_file() {
        for options in [
            CaptureOptions::default(),
            CaptureOptions {
                device: DeviceSelector::Path("/dev/video3".into()),
                backend: Backend::V4l,
                size: Some(Size::new(1280, 720).unwrap()),
                rate: Some(FrameRate::new(25, 1).unwrap()),
                choose: ModeChoice::Largest,
                pixel_format: Some(CameraFormat::Mjpeg),
                timeout: Duration::from_millis(1500),
                matrix: Some(Matrix::Bt709),
                range: Some(Range::Full),
                controls: BTreeMap::from([
                    ("gain".into(), ControlValue::Integer(-3)),
                    ("autogain".into(), ControlValue::Boolean(false)),
                    ("auto_exposure".into(), ControlValue::Item("Manual Mode".into())),
                ]),
            },
        ] {
            assert_eq!(parse(&serde_json::to_string(&options).unwrap()).unwrap(), options);
        }
    }

    #[test]
    fn mistakes_in_a_file_are_named() {
        for (text, part) in [
            (r#"{"colour": 1}"#, "colour"),
            (r#"{"size": "big"}"#, "'big' is no size"),
            (r#"{"rate": 0}"#, "frame rate of 0/1"),
            (r#"{"timeout": -1}"#, "-1 is no number of seconds"),
            (r#"{"backend": "gstreamer"}"#, "gstreamer"),
            (r#"{"pixel_format": "rgba8"}"#, "unknown variant `rgba8`, expected one of `yuyv`"),
            (r#"{"choose": "best"}"#, "expected one of `nearest`, `exact`, `largest`"),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn what_no_camera_can_do_is_refused() {
        let hasty = CaptureOptions { timeout: Duration::ZERO, ..CaptureOptions::default() };
        assert_eq!(hasty.check().unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert!(CaptureOptions::default().check().is_ok());
    }

    #[test]
    fn parameters_overrule_the_driver_where_there_is_a_matrix() {
        let options = CaptureOptions { matrix: Some(Matrix::Bt709), range: Some(Range::Full), ..CaptureOptions::default() };
        let driver = Color::new(Matrix::Bt601, Range::Limited);
        assert_eq!(options.color(CameraFormat::Nv12, driver), Color::new(Matrix::Bt709, Range::Full));
        assert_eq!(options.color(CameraFormat::Rgb24, driver), driver);
        assert_eq!(CaptureOptions::default().color(CameraFormat::Nv12, driver), driver);
    }

    #[test]
    fn the_schema_names_every_option() {
        let schema = schemars::schema_for!(CaptureOptions).to_value();
        for name in ["device", "backend", "size", "rate", "choose", "pixel_format", "timeout", "controls"] {
            assert!(schema["properties"][name]["description"].is_string(), "{name}: {schema}");
        }
    }
}
