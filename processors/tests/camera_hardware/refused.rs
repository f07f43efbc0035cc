//! Cameras that somebody else has, or that may not be used.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use streamlib_core::ErrorKind;
use streamlib_processors::camera::{self, Backend};

use crate::harness::{BACKENDS, picture, test_camera, vivid};

#[test]
fn a_camera_in_use_is_busy() {
    let Some(test) = test_camera() else { return };
    let mut first = camera::open(&test.options(Backend::V4l)).unwrap();
    picture(&mut first).unwrap();
    for backend in BACKENDS {
        let error = camera::open(&test.options(backend)).err().unwrap();
        println!("{error:?}");
        assert_eq!(error.kind(), ErrorKind::Busy);
        let told = error.to_string();
        assert!(
            told.contains(": another program is using it; close the other program; `fuser -v /dev/video0` names it"),
            "{told}"
        );
        assert!(error.is_recoverable());
    }
    picture(&mut first).unwrap();
}

/// Runs itself again as a user who may not read the camera.
#[test]
fn a_camera_that_may_not_be_used_is_listed_and_told() {
    const NOBODY: u32 = 65534;
    let Some(test) = vivid() else { return };
    if std::env::var_os("STREAMLIB_TEST_AS_NOBODY").is_some() {
        for backend in BACKENDS {
            assert!(camera::list(backend).unwrap().iter().any(|camera| camera.id == test.path));
            let error = camera::open(&test.options(backend)).err().unwrap();
            println!("{error:?}");
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            assert!(error.to_string().contains("group 'video'"));
        }
        return;
    }
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "refused::a_camera_that_may_not_be_used_is_listed_and_told"])
        .env("STREAMLIB_TEST_AS_NOBODY", "1")
        .uid(NOBODY)
        .gid(NOBODY)
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&done.stdout));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
