//! The plug is pulled.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use streamlib_core::ErrorKind;
use streamlib_processors::camera::{self, Backend};

use crate::harness::{DEADLINE, picture, vivid};

/// Moments within some hundred milliseconds, others in every run.
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
        println!("moments from {seed}");
        Self(seed)
    }

    fn next(&mut self) -> Duration {
        // Knuth's MMIX generator: the high bits are good.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((self.0 >> 33) % 400)
    }
}

#[test]
fn an_unplugged_camera_is_told_at_once_and_can_be_opened_again() {
    let Some(test) = vivid() else { return };
    let mut moments = Moments::new();
    for _ in 0..5 {
        let mut camera = camera::open(&test.options(Backend::V4l)).unwrap();
        picture(&mut camera).unwrap();
        let (moment, opened) = (moments.next(), Instant::now());
        while opened.elapsed() < moment {
            camera.next(moment.saturating_sub(opened.elapsed())).unwrap();
        }
        test.unplug();
        let start = Instant::now();
        let error = loop {
            match camera.next(DEADLINE) {
                Err(error) => break error,
                Ok(_) => assert!(start.elapsed() < DEADLINE),
            }
        };
        println!("v4l, {:?} after the plug was pulled at {moment:?}: {error:?}", start.elapsed());
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        assert!(error.to_string().starts_with("camera 0 'vivid' (/dev/video0) was unplugged; plug it in again"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(2));
        assert_eq!(camera.next(Duration::ZERO).unwrap_err().kind(), ErrorKind::Disconnected, "and it stays so");
        let gone = camera::open(&test.options(Backend::V4l)).err().unwrap();
        assert_eq!(gone.kind(), ErrorKind::NotFound);
        assert!(gone.to_string().starts_with("no camera '/dev/video0': there is no camera at all; plug one in"), "{gone}");
        drop(camera);
        test.plug();
    }
    picture(&mut camera::open(&test.options(Backend::V4l)).unwrap()).unwrap();
}

/// The plug is pulled while a thread waits inside the library.
#[test]
fn nokhwa_notices_that_a_camera_is_unplugged() {
    let Some(test) = vivid() else { return };
    let mut moments = Moments::new();
    for _ in 0..5 {
        let options = test.options(Backend::Nokhwa);
        let (report, reports) = mpsc::channel();
        let capturing = thread::spawn(move || {
            let mut camera = camera::open(&options).unwrap();
            loop {
                let seen = picture(&mut camera);
                let ended = seen.is_err();
                report.send(seen.map(|_| ())).unwrap();
                if ended {
                    return;
                }
            }
        });
        reports.recv_timeout(DEADLINE).unwrap().unwrap();
        let moment = moments.next();
        thread::sleep(moment);
        test.unplug();
        let start = Instant::now();
        let error = loop {
            match reports.recv_timeout(DEADLINE).expect("nokhwa waits for ever") {
                Err(error) => break error,
                Ok(()) => assert!(start.elapsed() < DEADLINE),
            }
        };
        println!("nokhwa, {:?} after the plug was pulled at {moment:?}: {error:?}", start.elapsed());
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        assert!(error.to_string().contains("was unplugged; plug it in again"), "{error}");
        capturing.join().unwrap();
        test.plug();
    }
}
