//! The virtual camera's controls.

use std::collections::BTreeMap;

use streamlib_core::ErrorKind;
use streamlib_processors::camera::{self, Backend, CameraControl, CaptureOptions, ControlKind, ControlValue};

use crate::harness::{BACKENDS, TestCamera, picture, vivid};

fn values(text: &str) -> BTreeMap<String, ControlValue> {
    serde_json::from_str(text).unwrap()
}

fn control<'a>(controls: &'a [CameraControl], name: &str) -> &'a CameraControl {
    controls.iter().find(|control| control.name == name).unwrap_or_else(|| panic!("no {name}"))
}

/// What `v4l2-ctl` says that a control is set to.
fn told(test: &TestCamera, name: &str) -> String {
    let done = std::process::Command::new("v4l2-ctl").args(["--device", &test.path, "--get-ctrl", name]).output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    // Of menus it names the item, too: `test_pattern: 1 (100% Colorbar)`.
    told.split(" (").next().unwrap().trim().to_owned()
}

#[test]
fn controls_are_listed_with_their_ranges() {
    let Some(test) = vivid() else { return };
    for backend in BACKENDS {
        let controls = test.device(backend).controls().unwrap();
        for control in &controls {
            println!("{}: {control}", backend.name());
        }
        let brightness = control(&controls, "brightness");
        assert_eq!(brightness.kind, ControlKind::Integer(0, 255, 1));
        assert_eq!(
            (&brightness.default, &brightness.value),
            (&Some(ControlValue::Integer(128)), &Some(ControlValue::Integer(128)))
        );
        assert_eq!(control(&controls, "horizontal_flip").kind, ControlKind::Boolean);
        assert!(
            matches!(&control(&controls, "test_pattern").kind, ControlKind::Menu(items) if items[0] == (0, "75% Colorbar".into()))
        );
        assert_eq!(control(&controls, "button").kind, ControlKind::Button);
        assert!(matches!(control(&controls, "integer_64_bits").kind, ControlKind::Integer(min, ..) if min < i64::from(i32::MIN)));
        assert_eq!(control(&controls, "string").kind, ControlKind::Other);
        assert!(control(&controls, "read_only_integer_32_bits").flags.read_only);
    }
}

#[test]
fn controls_are_set_when_it_opens_and_while_it_runs_and_are_read_back() {
    let Some(test) = vivid() else { return };
    for backend in BACKENDS {
        let at_start = r#"{"brightness": 100, "horizontal_flip": true, "test_pattern": "100% colorbar", "gain_automatic": false, "gain": 77}"#;
        let options = CaptureOptions { controls: values(at_start), ..test.options(backend) };
        let mut camera = camera::open(&options).unwrap();
        for (name, value) in
            [("brightness", 100), ("horizontal_flip", 1), ("test_pattern", 1), ("gain_automatic", 0), ("gain", 77)]
        {
            assert_eq!(told(&test, name), format!("{name}: {value}"), "{}", backend.name());
        }
        picture(&mut camera).unwrap();
        let running =
            r#"{"brightness": 128, "horizontal_flip": false, "test_pattern": 0, "button": true, "integer_64_bits": -5000000000}"#;
        let set = camera.set_controls(&values(running)).unwrap();
        let expected = running.replace("\"test_pattern\": 0", "\"test_pattern\": \"75% Colorbar\"");
        assert_eq!(set, values(&expected));
        let controls = camera.controls().unwrap();
        assert_eq!(control(&controls, "brightness").value, Some(ControlValue::Integer(128)));
        assert_eq!(control(&controls, "integer_64_bits").value, Some(ControlValue::Integer(-5_000_000_000)));
        assert_eq!(control(&controls, "test_pattern").value, Some(ControlValue::Item("75% Colorbar".into())));
        picture(&mut camera).unwrap();
    }
}

#[test]
fn controls_that_cannot_be_set_say_why_and_leave_everything_as_it_was() {
    let Some(test) = vivid() else { return };
    for backend in BACKENDS {
        let mut camera = camera::open(&test.options(backend)).unwrap();
        camera.set_controls(&values(r#"{"gain_automatic": true}"#)).unwrap();
        for (text, kind, message) in [
            (r#"{"brightness": 256}"#, ErrorKind::InvalidArgument, "control 'brightness' cannot be 256; it can be 0 to 255"),
            (r#"{"bright": 1}"#, ErrorKind::InvalidArgument, "has no control 'bright'; it has "),
            (r#"{"test_pattern": "bars"}"#, ErrorKind::InvalidArgument, "it can be '75% Colorbar' or '100% Colorbar'"),
            (
                r#"{"read_only_integer_32_bits": 1}"#,
                ErrorKind::Unsupported,
                "control 'read_only_integer_32_bits' can only be read",
            ),
            (r#"{"string": "x"}"#, ErrorKind::Unsupported, "control 'string' has a type that cannot be set"),
            (
                r#"{"brightness": 1, "gain": 5, "test_pattern": 3}"#,
                ErrorKind::Busy,
                "control 'gain' of camera 0 'vivid' (/dev/video0) cannot be set now: it is inactive, as if an automatic mode were on; \
                 switch that mode off first: gain_automatic is true",
            ),
        ] {
            let error = camera.set_controls(&values(text)).unwrap_err();
            println!("{}: {error}", backend.name());
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(message), "{error}");
            assert_eq!(
                (told(&test, "brightness"), told(&test, "test_pattern")),
                ("brightness: 128".into(), "test_pattern: 0".into())
            );
        }
        camera.set_controls(&values(r#"{"gain_automatic": false, "gain": 5}"#)).unwrap();
        let options = CaptureOptions { controls: values(r#"{"brightness": -1}"#), ..test.options(backend) };
        drop(camera);
        let error = camera::open(&options).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    }
}

/// What pictures show of it.
#[test]
fn brightness_is_seen_in_the_next_pictures() {
    let Some(test) = vivid() else { return };
    let mut camera = camera::open(&test.options(Backend::V4l)).unwrap();
    let luma = |camera: &mut camera::Capture| picture(camera).unwrap().planes[0].0[240 * 1280 + 40 * 2];
    let before = luma(&mut camera);
    camera.set_controls(&values(r#"{"brightness": 90}"#)).unwrap();
    let start = std::time::Instant::now();
    let mut after = luma(&mut camera);
    while after == before {
        assert!(start.elapsed() < crate::harness::DEADLINE, "it stays at {before}");
        after = luma(&mut camera);
    }
    println!("white goes from {before} to {after}");
    assert!(after < before);
}
