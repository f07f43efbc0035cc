//! Which cameras there are and what they can be set to.

use streamlib_core::ErrorKind;
use streamlib_processors::camera::{self, CameraFormat, DeviceSelector};

use crate::harness::{BACKENDS, picture, test_camera, vivid};

#[test]
fn cameras_are_listed_and_found_by_number_name_and_path() {
    let Some(test) = test_camera() else { return };
    for backend in BACKENDS {
        let cameras = camera::list(backend).unwrap();
        for camera in &cameras {
            println!("{}: {camera:#}", backend.name());
        }
        let found = DeviceSelector::Path(test.path.clone().into()).choose(&cameras).unwrap();
        assert_eq!(DeviceSelector::Index(found.index).choose(&cameras).unwrap(), found);
        assert_eq!(found.backend, backend);
        if test.is_vivid {
            let other = DeviceSelector::Name(format!("{} of another maker", found.name)).choose(&cameras).unwrap_err();
            assert_eq!(other.kind(), ErrorKind::NotFound);
            println!("{other}");
            for camera in &cameras {
                // The kernel names a camera's nodes by what they do: vid-cap, meta-cap.
                let entity = std::fs::read_to_string(format!("/sys/class/video4linux/video{}/name", camera.index)).unwrap();
                assert!(entity.trim().ends_with("vid-cap"), "{camera} captures no video: {entity}");
            }
        }
    }
}

/// The virtual cameras are of one model, and differ in where they are plugged in.
#[test]
fn two_equal_cameras_are_told_apart() {
    let Some(_test) = vivid() else { return };
    for backend in BACKENDS {
        let cameras = camera::list(backend).unwrap();
        let [first, second] = &cameras[..] else { panic!("{} cameras", cameras.len()) };
        assert_eq!(first.name, second.name);
        for camera in [first, second] {
            let bus = camera.bus.clone().unwrap();
            assert_eq!(format!("bus:{bus}").parse::<DeviceSelector>().unwrap().choose(&cameras).unwrap(), camera);
            assert!(format!("{camera:#}").contains(&format!("bus:{bus}")));
        }
        let error = DeviceSelector::Name(first.name.clone()).choose(&cameras).unwrap_err();
        println!("{error}");
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("bus:platform:vivid-000") && error.to_string().contains("bus:platform:vivid-001"));
    }
}

#[test]
fn modes_are_listed_while_pictures_flow() {
    let Some(test) = test_camera() else { return };
    for backend in BACKENDS {
        let mut camera = camera::open(&test.options(backend)).unwrap();
        picture(&mut camera).unwrap();
        let modes = camera.device().modes().unwrap();
        for mode in &modes {
            println!("{}: {mode}", backend.name());
        }
        assert!(modes.iter().any(|mode| mode.format == camera.format().format && mode.size.largest == camera.format().size));
        if !test.is_vivid {
            continue;
        }
        let mut formats: Vec<CameraFormat> = modes.iter().map(|mode| mode.format).collect();
        formats.dedup();
        let sizes: Vec<String> =
            modes.iter().filter(|mode| mode.format == CameraFormat::Yuyv).map(|mode| mode.size.to_string()).collect();
        assert_eq!(sizes, ["320x180", "640x360", "640x480", "1280x720", "1920x1080", "3840x2160"]);
        let own = std::process::Command::new("v4l2-ctl").args(["--device", &test.path, "--list-formats"]).output().unwrap();
        let own = String::from_utf8_lossy(&own.stdout).into_owned();
        for (format, name) in [
            ("yuyv", "YUYV"),
            ("uyvy", "UYVY"),
            ("nv12", "NV12"),
            ("i420", "YU12"),
            ("grey8", "GREY"),
            ("rgb24", "RGB3"),
            ("bgr24", "BGR3"),
        ] {
            assert!(own.contains(name), "{own}");
            let listed = formats.iter().any(|found| found.name() == format);
            let passed = backend == camera::Backend::V4l || ["yuyv", "nv12", "rgb24", "bgr24"].contains(&format);
            assert_eq!(listed, passed, "{} {format}", backend.name());
        }
    }
}
