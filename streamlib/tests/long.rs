//! A long run creates nothing after its beginning. `STREAMLIB_LONG_FRAMES` sets how long (default 2000).

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

use streamlib::prelude::*;

#[test]
fn a_long_run_creates_no_texture_after_its_beginning() {
    let frames: u64 = std::env::var("STREAMLIB_LONG_FRAMES").ok().map_or(2000, |frames| frames.parse().unwrap());
    let gpu = GpuContext::new(&streamlib::GpuOptions::default()).unwrap();
    let run = |frames| {
        let pattern = TestPattern::new(TestPatternParameters { size: Size::new(64, 48)?, ..Default::default() })?;
        let mut graph = Graph::new();
        graph.chain((pattern, BouncingBall::default(), Null::default()))?;
        let options = RuntimeOptions { mode: Mode::Offline, frames: Some(frames), stop_on_signals: false, ..Default::default() };
        Runtime::with_gpu(options, gpu.clone()).run(graph)
    };
    let warm = run(100).unwrap().gpu.unwrap().textures;
    let statistics = run(frames).unwrap();
    assert_eq!(statistics.nodes["null"].counters["frames"], frames);
    assert_eq!(statistics.unbalanced_links(), Vec::<&str>::new());
    let textures = statistics.gpu.unwrap().textures;
    assert_eq!((textures.in_use, textures.created), (0, warm.created), "{textures:?}");
}
