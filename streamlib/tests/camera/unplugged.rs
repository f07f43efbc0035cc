//! A cable that is pulled at any moment, again and again: always the same error, and always a whole file.

use std::iter::successors;
use std::time::{Duration, SystemTime};

use streamlib::camera::Backend;
use streamlib::prelude::*;

use crate::virtual_camera::{VirtualCamera, eventually};
use crate::{HEIGHT, WIDTH, judge};

/// How long after the recording began, in milliseconds: others in every run.
fn moments() -> impl Iterator<Item = u64> {
    let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("moments from {seed}");
    // Knuth's MMIX generator: the high bits are good.
    let step = |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    successors(Some(seed), step).skip(1).map(|state| (state >> 33) % 700)
}

#[test]
fn a_cable_that_is_pulled_at_any_moment_leaves_a_whole_recording() {
    let Some(virtual_camera) = VirtualCamera::get() else { return };
    let runtime = Runtime::new(RuntimeOptions::default());
    let folder = tempfile::tempdir().unwrap();
    for (number, moment) in moments().take(10).enumerate() {
        let backend = [Backend::V4l, Backend::Nokhwa][number % 2];
        let path = folder.path().join(format!("{number}.mp4"));
        let options = CaptureOptions {
            backend,
            size: Size::new(WIDTH as u32, HEIGHT as u32).ok(),
            rate: FrameRate::new(5, 1).ok(),
            ..Default::default()
        };
        let mut graph = Graph::new();
        graph.add("camera", Camera::new(options).unwrap()).unwrap();
        graph.add("record", Record::to(&path)).unwrap();
        graph.connect("camera", "record").unwrap();
        let running = runtime.start(graph).unwrap();
        eventually("the recording begins", || path.exists());
        std::thread::sleep(Duration::from_millis(moment));
        virtual_camera.unplug();
        let (statistics, outcome) = running.wait();
        virtual_camera.plug();
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        let message = "node 'camera': camera 0 'vivid' (/dev/video0) was unplugged; plug it in";
        assert!(error.to_string().starts_with(message), "{error}");
        assert_eq!(statistics.unbalanced_links(), [""; 0]);
        let frames = judge::times(&path).len() as u64;
        println!("{} pulled after {moment} ms: {frames} frames", backend.name());
        assert!(frames > 0);
        assert_eq!(statistics.nodes["record"].counters["frames"], frames);
    }
}
