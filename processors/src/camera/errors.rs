//! What the system says about a camera, as errors that a person can act on.

use std::io;
use std::time::Duration;

use streamlib_core::{Error, ErrorKind};

use super::{CameraDevice, CameraFormat};

/// "No such device": the same number on Linux, macOS and the BSDs.
const ENODEV: i32 = 19;
/// "No such device or address".
const ENXIO: i32 = 6;
/// "Inappropriate ioctl for device": the driver does not know the call.
const ENOTTY: i32 = 25;
/// "Cannot send after transport endpoint shutdown": what Linux's USB stack says while a device goes away.
const ESHUTDOWN: i32 = 108;

/// Whether the system says that the device has gone.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(ENODEV | ENXIO | ESHUTDOWN))
}

/// The camera went away.
pub(super) fn disconnected(device: &CameraDevice) -> Error {
    Error::new(ErrorKind::Disconnected, format!("camera {device} was unplugged")).hint("plug it in again and open it again")
}

/// The camera delivers nothing that can be used.
pub(super) fn no_format(device: &CameraDevice, wanted: Option<CameraFormat>, offered: &[String]) -> Error {
    let offered = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
    match wanted {
        Some(wanted) => {
            Error::new(ErrorKind::Unsupported, format!("camera {device} does not offer {wanted}; it offers {offered}"))
                .hint("leave 'pixel_format' out to take what it offers")
        }
        None => {
            let known = CameraFormat::ALL.map(CameraFormat::name).join(", ");
            Error::new(ErrorKind::Unsupported, format!("camera {device} offers none of {known}; it offers {offered}"))
                .hint("use another camera")
        }
    }
}

/// No whole picture for so long; `damage` is what was wrong with the last that came.
pub(super) fn stalled(device: &CameraDevice, limit: Duration, damage: Option<&str>) -> Error {
    let message = format!("camera {device} delivered no picture for {limit:?}");
    match damage {
        Some(damage) => Error::new(ErrorKind::Stalled, format!("{message} that was whole: the last was {damage}"))
            .hint("try another cable or USB port, or another 'pixel_format' or 'size'"),
        None => Error::new(ErrorKind::Stalled, message)
            .hint("unplug it and plug it in again; where it is only slow (in the dark), raise 'timeout'"),
    }
}

/// Whether the system says that the driver does not know the call.
pub(super) fn is_unknown_call(error: &io::Error) -> bool {
    error.raw_os_error() == Some(ENOTTY)
}

/// What the system said while `doing` something with the camera: "open", "set the format of".
pub(super) fn from_system(device: &CameraDevice, doing: &str, error: io::Error) -> Error {
    if is_gone(&error) {
        return disconnected(device).caused_by(error);
    }
    let failed = format!("could not {doing} camera {device}");
    let (kind, message, hint) = match error.kind() {
        io::ErrorKind::NotFound => (ErrorKind::NotFound, format!("{failed}: it is not there"), "plug it in".to_owned()),
        io::ErrorKind::PermissionDenied => {
            let hint = if cfg!(target_os = "linux") {
                "add the user to the group 'video' (`sudo usermod -aG video $USER`) and log in again"
            } else {
                "allow this program to use the camera in the system's privacy settings"
            };
            (ErrorKind::PermissionDenied, format!("{failed}: the system refuses access"), hint.to_owned())
        }
        io::ErrorKind::ResourceBusy => {
            let hint = if cfg!(target_os = "linux") && !device.id.is_empty() {
                format!("close the other program; `fuser -v {}` names it", device.id)
            } else {
                "close the other program".to_owned()
            };
            (ErrorKind::Busy, format!("{failed}: another program is using it"), hint)
        }
        io::ErrorKind::OutOfMemory => {
            (ErrorKind::OutOfMemory, format!("{failed}: no memory for its buffers"), "ask for a smaller size".to_owned())
        }
        // What drivers of USB cameras say when the bus has not enough bandwidth left.
        io::ErrorKind::StorageFull => (
            ErrorKind::Busy,
            format!("{failed}: its bus has no bandwidth left for it"),
            "ask for a smaller size or rate, or plug it into another USB controller".to_owned(),
        ),
        _ if is_unknown_call(&error) => {
            (ErrorKind::Unsupported, format!("{failed}: the driver cannot do it"), "use another camera".to_owned())
        }
        _ => (ErrorKind::Io, format!("{failed}: {error}"), "unplug it, plug it in and open it again".to_owned()),
    };
    Error::new(kind, message).hint(hint).caused_by(error)
}

/// The system's error inside a library's message: `... No such device (os error 19)`. Rust's own messages end so.
pub(super) fn system_error_in(message: &str) -> Option<io::Error> {
    let (_, tail) = message.rsplit_once("(os error ")?;
    let (code, _) = tail.split_once(')')?;
    code.parse().ok().map(io::Error::from_raw_os_error)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::Backend;
    use super::*;

    fn device() -> CameraDevice {
        CameraDevice::new(2, "C920".into(), "/dev/video2".into(), Backend::V4l)
    }

    #[test]
    fn what_the_system_says_becomes_a_kind_and_a_way_out() {
        use ErrorKind::{Busy, Disconnected, Io, NotFound, OutOfMemory, PermissionDenied, Unsupported};
        for (errno, kind, part) in [
            (2, NotFound, "could not open camera 2 'C920' (/dev/video2): it is not there"),
            (5, Io, "Input/output error"),
            (6, Disconnected, "was unplugged"),
            (12, OutOfMemory, "ask for a smaller size"),
            (13, PermissionDenied, "group 'video'"),
            (16, Busy, "`fuser -v /dev/video2`"),
            (19, Disconnected, "camera 2 'C920' (/dev/video2) was unplugged; plug it in again"),
            (25, Unsupported, "the driver cannot do it"),
            (28, Busy, "no bandwidth"),
            (108, Disconnected, "was unplugged"),
        ] {
            let error = from_system(&device(), "open", io::Error::from_raw_os_error(errno));
            assert_eq!(error.kind(), kind, "errno {errno}");
            assert!(error.to_string().contains(part), "errno {errno}: {error}");
            assert!(std::error::Error::source(&error).is_some(), "errno {errno} is kept as the cause");
        }
    }

    #[test]
    fn system_errors_are_found_in_messages() {
        let message = format!("Could not capture frame: {}", io::Error::from_raw_os_error(19));
        assert_eq!(system_error_in(&message).unwrap().raw_os_error(), Some(19));
        for other in ["", "no such frame", "(os error x)", "(os error 1"] {
            assert!(system_error_in(other).is_none(), "{other}");
        }
    }

    #[test]
    fn what_a_camera_offers_instead_is_named() {
        let offered = ["S910".to_owned(), "H264".to_owned()];
        let error = no_format(&device(), None, &offered);
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(
            error.to_string().contains("offers none of yuyv, uyvy, nv12, i420, rgb24, bgr24, mjpeg, grey8; it offers S910, H264"),
            "{error}"
        );
        let error = no_format(&device(), Some(CameraFormat::Nv12), &[]);
        assert!(error.to_string().contains("does not offer nv12; it offers nothing"), "{error}");
    }

    #[test]
    fn a_stall_says_what_was_wrong_with_what_came() {
        let error = stalled(&device(), Duration::from_secs(5), None);
        assert_eq!(error.kind(), ErrorKind::Stalled);
        assert!(error.to_string().starts_with("camera 2 'C920' (/dev/video2) delivered no picture for 5s; unplug it"), "{error}");
        let error = stalled(&device(), Duration::from_secs(5), Some("a JPEG of 8x8"));
        assert!(error.to_string().contains("for 5s that was whole: the last was a JPEG of 8x8; try another cable"), "{error}");
    }
}
