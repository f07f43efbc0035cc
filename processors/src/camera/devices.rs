//! Which cameras are there, and how one of them is chosen.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use streamlib_core::{Error, ErrorKind, Result};

use super::{Backend, CameraControl, CameraMode, nokhwa, v4l};

/// A camera that is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CameraDevice {
    /// The system's number for it. On Linux it is the N of `/dev/videoN`, so numbers have gaps: a USB camera takes two or more,
    /// and only those that deliver pictures are cameras.
    pub index: u32,
    /// Its name, as people see it. Two cameras of one model have the same.
    pub name: String,
    /// The path (`/dev/video0`), or what the system has instead of one. Unique.
    pub id: String,
    /// Which backend found it: `v4l` or `nokhwa`.
    pub backend: Backend,
    /// Where it is plugged in (`usb-0000:00:14.0-1`), which stays the same over restarts; two cameras of one model differ in it.
    /// `None` where the system does not say.
    pub bus: Option<String>,
    /// Its serial number, which goes with it to any socket. Many USB cameras have none.
    pub serial: Option<String>,
}

impl CameraDevice {
    /// A camera of which no more is known.
    pub(super) fn new(index: u32, name: String, id: String, backend: Backend) -> Self {
        Self { index, name, id, backend, bus: None, serial: None }
    }

    /// What it can be set to: formats, sizes and rates, the preferred format first. On Linux this works while another program
    /// captures; elsewhere it opens the camera. Blocks for some milliseconds.
    ///
    /// # Errors
    /// As [`open`](super::open).
    pub fn modes(&self) -> Result<Vec<CameraMode>> {
        match self.backend.resolve() {
            Backend::Nokhwa => nokhwa::modes(self),
            Backend::V4l | Backend::Auto => v4l::modes(self),
        }
    }

    /// What can be set of it while it captures, with ranges and present values. Works while another program captures.
    ///
    /// # Errors
    /// As [`open`](super::open); `Unsupported` off Linux.
    pub fn controls(&self) -> Result<Vec<CameraControl>> {
        match self.backend.resolve() {
            Backend::Nokhwa => nokhwa::controls(self),
            Backend::V4l | Backend::Auto => v4l::Controls::open(self)?.list(),
        }
    }
}

/// `0 'Integrated Camera' (/dev/video0)`; with `{:#}` also what tells it from others of its model:
/// `0 'Integrated Camera' (/dev/video0, bus:usb-0000:00:14.0-1, serial:1A2B3C)`.
impl fmt::Display for CameraDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} '{}'", self.index, self.name)?;
        let mut told = Vec::new();
        if !self.id.is_empty() {
            told.push(self.id.clone());
        }
        if f.alternate() {
            told.extend(self.bus.iter().map(|bus| format!("{BUS}{bus}")));
            told.extend(self.serial.iter().map(|serial| format!("{SERIAL}{serial}")));
        }
        if told.is_empty() { Ok(()) } else { write!(f, " ({})", told.join(", ")) }
    }
}

/// How selectors begin that are no name.
const BUS: &str = "bus:";
const SERIAL: &str = "serial:";

/// Which camera to open.
///
/// As text: nothing (the first), a number, a path that starts with `/`, `bus:` or `serial:` and what [`CameraDevice`] has of it,
/// or a name. Numbers and names change when cameras are plugged in elsewhere or in another order; the bus is the socket, the
/// serial number is the camera.
///
/// ```
/// use streamlib_processors::camera::DeviceSelector;
///
/// assert_eq!("".parse::<DeviceSelector>()?, DeviceSelector::First);
/// assert_eq!("2".parse::<DeviceSelector>()?, DeviceSelector::Index(2));
/// assert_eq!("/dev/video2".parse::<DeviceSelector>()?, DeviceSelector::Path("/dev/video2".into()));
/// assert_eq!("serial:1A2B3C".parse::<DeviceSelector>()?, DeviceSelector::Serial("1A2B3C".into()));
/// assert_eq!("c920".parse::<DeviceSelector>()?, DeviceSelector::Name("c920".into()));
/// # Ok::<(), streamlib_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeviceSelector {
    /// The camera with the lowest number.
    #[default]
    First,
    /// The camera with this number: 2 is `/dev/video2` on Linux.
    Index(u32),
    /// The camera behind this path. Symbolic links are followed, so the lasting names under `/dev/v4l/by-id` and
    /// `/dev/v4l/by-path` work.
    Path(PathBuf),
    /// The camera that is plugged in there: [`CameraDevice::bus`].
    Bus(String),
    /// The camera with this serial number: [`CameraDevice::serial`].
    Serial(String),
    /// The camera with this name or [`id`](CameraDevice::id), else the only one whose name contains it, upper or lower case.
    Name(String),
}

impl DeviceSelector {
    /// The camera that is meant.
    ///
    /// # Errors
    /// `NotFound` when there is none, `InvalidArgument` when several are meant. Both list what is there.
    pub fn choose<'a>(&self, devices: &'a [CameraDevice]) -> Result<&'a CameraDevice> {
        let named = |same: &dyn Fn(&CameraDevice) -> bool| devices.iter().filter(|device| same(device)).collect::<Vec<_>>();
        let chosen = match self {
            Self::First => devices.first(),
            Self::Index(index) => devices.iter().find(|device| device.index == *index),
            Self::Path(path) => {
                let target = path.canonicalize().unwrap_or_else(|_| path.clone());
                devices.iter().find(|device| target.as_os_str() == device.id.as_str())
            }
            Self::Name(name) => {
                let folded = name.to_lowercase();
                let mut matches = named(&|device| device.id == *name);
                if matches.is_empty() {
                    matches = named(&|device| device.name == *name);
                }
                if matches.is_empty() {
                    matches = named(&|device| device.name.to_lowercase().contains(&folded));
                }
                self.only(&matches)?
            }
            Self::Bus(bus) => self.only(&named(&|device| device.bus.as_ref() == Some(bus)))?,
            Self::Serial(serial) => self.only(&named(&|device| device.serial.as_ref() == Some(serial)))?,
        };
        chosen.ok_or_else(|| self.not_found(devices))
    }

    /// The one camera of these; `None` if there is none.
    fn only<'a>(&self, matches: &[&'a CameraDevice]) -> Result<Option<&'a CameraDevice>> {
        if matches.len() < 2 {
            return Ok(matches.first().copied());
        }
        let message = format!("'{self}' names {} cameras: {}", matches.len(), listed(matches.iter().copied()));
        Err(Error::new(ErrorKind::InvalidArgument, message)
            .hint("pass the number or the path of one of them, or its bus or serial"))
    }

    fn not_found(&self, devices: &[CameraDevice]) -> Error {
        if devices.is_empty() {
            let message = match self {
                Self::First => "there is no camera".to_owned(),
                _ => format!("no camera '{self}': there is no camera at all"),
            };
            return Error::new(ErrorKind::NotFound, message).hint(if cfg!(target_os = "linux") {
                "plug one in; `ls /dev/video*` shows whether the system sees it (in a container, pass it in with --device)"
            } else {
                "plug one in, and see that the system's privacy settings let this program use it"
            });
        }
        Error::new(ErrorKind::NotFound, format!("no camera '{self}' (there is: {})", listed(devices)))
            .hint("pass one of these numbers, names, paths, buses or serials")
    }
}

fn listed<'a>(devices: impl IntoIterator<Item = &'a CameraDevice>) -> String {
    devices.into_iter().map(|device| format!("{device:#}")).collect::<Vec<_>>().join(", ")
}

/// The text that [`FromStr`] reads.
impl fmt::Display for DeviceSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => Ok(()),
            Self::Index(index) => write!(f, "{index}"),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Bus(bus) => write!(f, "{BUS}{bus}"),
            Self::Serial(serial) => write!(f, "{SERIAL}{serial}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Fails for a number that is too large and for nothing else.
impl FromStr for DeviceSelector {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        Ok(match text.as_bytes() {
            [] => Self::First,
            [b'/', ..] => Self::Path(text.into()),
            digits if digits.iter().all(u8::is_ascii_digit) => Self::Index(text.parse().map_err(|_| {
                Error::new(ErrorKind::InvalidArgument, format!("no camera has the number {text}"))
                    .hint("pass a camera's number, name or path")
            })?),
            _ => match (text.strip_prefix(BUS), text.strip_prefix(SERIAL)) {
                (Some(bus), _) => Self::Bus(bus.trim().to_owned()),
                (_, Some(serial)) => Self::Serial(serial.trim().to_owned()),
                _ => Self::Name(text.to_owned()),
            },
        })
    }
}

/// The text that [`FromStr`] reads, or a plain number.
impl<'de> serde::Deserialize<'de> for DeviceSelector {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged, expecting = "expected a camera's number, name or path")]
        enum Written {
            Number(u32),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(index) => Ok(Self::Index(index)),
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

impl serde::Serialize for DeviceSelector {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Index(index) => serializer.serialize_u32(*index),
            other => serializer.collect_str(other),
        }
    }
}

impl schemars::JsonSchema for DeviceSelector {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "camera selector".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["integer", "string"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(index: u32, name: &str) -> CameraDevice {
        CameraDevice::new(index, name.into(), format!("/dev/video{index}"), Backend::V4l)
    }

    fn cameras() -> Vec<CameraDevice> {
        vec![camera(0, "Integrated Camera"), camera(2, "HD Pro Webcam C920"), camera(4, "Integrated Camera IR")]
    }

    fn choose(text: &str) -> Result<u32> {
        Ok(text.parse::<DeviceSelector>()?.choose(&cameras())?.index)
    }

    #[test]
    fn text_becomes_a_selector_and_back() {
        for (text, selector) in [
            ("", DeviceSelector::First),
            ("0", DeviceSelector::Index(0)),
            ("007", DeviceSelector::Index(7)),
            ("/dev/video0", DeviceSelector::Path("/dev/video0".into())),
            ("Integrated Camera", DeviceSelector::Name("Integrated Camera".into())),
            ("4K", DeviceSelector::Name("4K".into())),
            ("-1", DeviceSelector::Name("-1".into())),
            ("bus:usb-0000:00:14.0-1", DeviceSelector::Bus("usb-0000:00:14.0-1".into())),
            ("serial:007", DeviceSelector::Serial("007".into())),
        ] {
            let parsed: DeviceSelector = text.parse().unwrap();
            assert_eq!(parsed, selector);
            assert_eq!(parsed.to_string().parse::<DeviceSelector>().unwrap(), selector);
        }
        assert_eq!("4294967296".parse::<DeviceSelector>().unwrap_err().kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn cameras_are_chosen_by_number_name_and_path() {
        assert_eq!(choose("").unwrap(), 0);
        assert_eq!(choose("2").unwrap(), 2);
        assert_eq!(choose("/dev/video4").unwrap(), 4);
        assert_eq!(choose("Integrated Camera").unwrap(), 0, "an exact name wins over a part of another");
        assert_eq!(choose("c920").unwrap(), 2);
        assert_eq!(choose("camera ir").unwrap(), 4);
    }

    #[test]
    fn a_name_that_several_cameras_have_is_an_error_that_lists_them() {
        let error = choose("integrated").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert_eq!(
            error.to_string(),
            "'integrated' names 2 cameras: 0 'Integrated Camera' (/dev/video0), 4 'Integrated Camera IR' (/dev/video4); \
             pass the number or the path of one of them, or its bus or serial"
        );
        let twins = [camera(0, "vivid"), camera(1, "vivid")];
        let error = DeviceSelector::Name("vivid".into()).choose(&twins).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn a_camera_that_is_not_there_is_an_error_that_lists_those_that_are() {
        for text in ["1", "front", "/dev/video1"] {
            let error = choose(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            let message = error.to_string();
            assert!(
                message.starts_with(&format!("no camera '{text}' (there is: 0 'Integrated Camera' (/dev/video0), 2 '")),
                "{message}"
            );
        }
    }

    #[test]
    fn no_camera_at_all_is_said_plainly() {
        let error = DeviceSelector::First.choose(&[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().starts_with("there is no camera; plug one in"), "{error}");
        let error = DeviceSelector::Index(3).choose(&[]).unwrap_err();
        assert!(error.to_string().starts_with("no camera '3': there is no camera at all; plug one in"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn lasting_names_are_followed_to_the_node() {
        let folder = tempfile::tempdir().unwrap();
        let node = folder.path().canonicalize().unwrap().join("video7");
        std::fs::write(&node, "").unwrap();
        let link = folder.path().join("usb-camera-index0");
        std::os::unix::fs::symlink(&node, &link).unwrap();
        let devices = [CameraDevice { id: node.to_str().unwrap().into(), ..camera(7, "linked") }];
        assert_eq!(DeviceSelector::Path(link).choose(&devices).unwrap().index, 7);
    }

    #[test]
    fn two_of_one_model_are_told_apart() {
        let twin = |index, bus: &str, serial: Option<&str>| CameraDevice {
            bus: Some(bus.into()),
            serial: serial.map(Into::into),
            ..camera(index, "HD Webcam")
        };
        let twins = [twin(0, "usb-0000:00:14.0-1", Some("A1")), twin(2, "usb-0000:00:14.0-2", None)];
        let choose = |text: &str| text.parse::<DeviceSelector>().unwrap().choose(&twins).map(|camera| camera.index);
        assert_eq!(choose("bus:usb-0000:00:14.0-2").unwrap(), 2);
        assert_eq!(choose("serial:A1").unwrap(), 0);
        let error = choose("HD Webcam").unwrap_err().to_string();
        assert!(
            error.starts_with(
                "'HD Webcam' names 2 cameras: 0 'HD Webcam' (/dev/video0, bus:usb-0000:00:14.0-1, serial:A1), \
                 2 'HD Webcam' (/dev/video2, bus:usb-0000:00:14.0-2); pass"
            ),
            "{error}"
        );
        assert_eq!(choose("serial:B2").unwrap_err().kind(), ErrorKind::NotFound);
        // A camera with two sensors is one USB device.
        let pair = [twin(0, "usb-0000:00:14.0-1", Some("A1")), twin(2, "usb-0000:00:14.0-1", Some("A1"))];
        let error = DeviceSelector::Serial("A1".into()).choose(&pair).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
}
