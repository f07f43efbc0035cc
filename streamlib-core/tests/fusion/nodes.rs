//! A pixel shader stays a node: its policy, its switch, its parameters and its statistics.

use super::*;

/// A ramp that is inverted, and inverts nothing at its fifth frame, where it fails.
struct Failing(u64);

impl PixelShader for Failing {
    type Uniform = Two;
    const WGSL: &'static str = KINDS[4].wgsl;
    fn uniform(&mut self, _: &VideoFrame) -> Result<Two> {
        self.0 += 1;
        match self.0 {
            5 => Err(Error::new(ErrorKind::Io, "the fifth")),
            _ => Ok(Two { a: 0.0, b: 0.0 }),
        }
    }
}

/// Ten pictures through one that squares, the failing one, and another kind of stage.
fn with_failing(policy: FailurePolicy, last: &str, kind: usize) -> (Graph, Seen) {
    let format = VideoFormat::rgba8(Size::new(4, 4).unwrap());
    let mut graph = Graph::new();
    let seen = Seen::new(&[PixelFormat::Rgba8]);
    graph.add("picture", Picture { format, bytes: vec![200; 64], left: 10 }).unwrap();
    graph.add("square", Stage::<2>(Two { a: 0.0, b: 0.0 })).unwrap();
    graph.add("failing", Failing(0)).unwrap();
    graph.add_boxed(last, stage(kind, Two { a: 0.0, b: 0.0 })).unwrap();
    graph.add("seen", seen.clone()).unwrap();
    for (from, to) in [("picture", "square"), ("square", "failing"), ("failing", last), (last, "seen")] {
        graph.connect(from, to).unwrap();
    }
    graph.on_failure("failing", policy).unwrap();
    (graph, seen)
}

/// What a run that ends well has done.
fn statistics_of(graph: Graph) -> Statistics {
    let running = runtime(true).start(graph).unwrap();
    assert!(running.wait_for(Duration::from_secs(30)));
    let (statistics, outcome) = running.wait();
    outcome.unwrap();
    assert_adds_up(&statistics);
    statistics
}

#[test]
fn each_keeps_its_switch_its_policy_and_its_statistics() {
    let (mut graph, seen) = with_failing(FailurePolicy::Bypass, "off", 2);
    graph.set_enabled("off", false).unwrap();
    let error = graph.set_enabled("seen", false).unwrap_err();
    assert!(error.to_string().contains("node 'seen': it cannot be switched"), "{error}");
    let nodes = statistics_of(graph).nodes;
    let counts =
        ["square", "failing", "off", "off-drawn"].map(|name| (nodes[name].processed, nodes[name].bypassed, nodes[name].errors));
    assert_eq!(counts, [(10, 0, 0), (4, 6, 1), (0, 10, 0), (10, 0, 0)]);
    // 200 squared is 157, inverted 98; alpha stays.
    let firsts: Vec<_> = seen.pictures().iter().map(|picture| (picture[0], picture[3])).collect();
    assert_eq!(firsts, [[(98, 200); 4].as_slice(), &[(157, 200); 6]].concat());
}

#[test]
fn one_that_is_restarted_leaves_the_others_of_its_group_as_they_are() {
    let restart = Restart { first_delay: Duration::from_millis(1), ..Default::default() };
    let (graph, seen) = with_failing(FailurePolicy::Restart(restart), "invert", 4);
    let plan = runtime(true).plan(&graph).unwrap().explain();
    assert!(plan.contains("draws square, failing, invert in one pass"), "{plan}");
    let nodes = statistics_of(graph).nodes;
    let counts = ["square", "failing", "invert", "invert-drawn"].map(|name| (nodes[name].processed, nodes[name].errors));
    // The picture at which it failed is gone; offline no other is.
    assert_eq!(counts, [(10, 0), (9, 1), (9, 0), (9, 0)]);
    assert_eq!(nodes["failing"].restarts, 1);
    // 200 squared is 157, inverted twice.
    let levels: Vec<_> = seen.pictures().iter().map(|picture| picture[0]).collect();
    assert_eq!(levels, [157; 9]);
}

#[test]
fn switching_while_it_runs_compiles_nothing() {
    let format = VideoFormat::rgba8(Size::new(4, 4).unwrap());
    let mut graph = Graph::new();
    graph.add("picture", Picture { format, bytes: vec![200; 64], left: u64::MAX }).unwrap();
    graph.add("invert", Stage::<4>(Two { a: 0.0, b: 0.0 })).unwrap();
    let seen = Seen::new(&[PixelFormat::Rgba8]);
    graph.add("seen", seen.clone()).unwrap();
    graph.connect("picture", "invert").unwrap();
    graph.connect("invert", "seen").unwrap();
    let gpu = GpuContext::new(&GpuOptions::default()).unwrap();
    let options = RuntimeOptions { mode: Mode::Offline, stop_on_signals: false, ..Default::default() };
    let running = Runtime::with_gpu(options, gpu.clone()).start(graph).unwrap();
    let wait_for = |level: u8| {
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while seen.pictures().last().is_none_or(|picture| picture[0] != level) {
            assert!(std::time::Instant::now() < deadline, "no picture of {level}");
            std::thread::park_timeout(Duration::from_millis(1));
        }
    };
    wait_for(55);
    let compiled = gpu.statistics().kernels.compiled;
    for _ in 0..3 {
        running.set_enabled("invert", false).unwrap();
        assert!(!running.is_enabled("invert").unwrap());
        wait_for(200);
        running.set_enabled("invert", true).unwrap();
        wait_for(55);
    }
    assert_eq!(gpu.statistics().kernels.compiled, compiled);
    assert!(running.set_enabled("picture", false).is_err());
    let error = running.set_enabled("invert-drawn", false).unwrap_err().to_string();
    assert!(
        error.contains("node 'invert-drawn': it cannot be switched: the plan has inserted it")
            && error.ends_with("switch invert"),
        "{error}"
    );
    let error = running.set_enabled("nobody", false).unwrap_err().to_string();
    assert!(error.contains("there is no node 'nobody'; there is: picture, invert, seen"), "{error}");
    assert!(running.set_parameters("invert", json!({ "a": 1 })).is_err(), "it has no parameters that can be set");
    running.stop(Stop::Discard);
    running.wait().1.unwrap();
}

struct Wrong;

impl PixelShader for Wrong {
    type Uniform = Two;
    const WGSL: &'static str = "struct Two { b: f32, a: f32 }
fn pixel(c: vec4f, p: vec2f, two: Two) -> vec4f { return c * two.a; }";
    fn uniform(&mut self, _: &VideoFrame) -> Result<Two> {
        Ok(Two { a: 0.0, b: 0.0 })
    }
}

#[test]
fn a_pixel_shader_that_cannot_be_is_refused_when_it_is_added() {
    let error = Graph::new().add("tint", Wrong).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let said = error.to_string();
    assert!(said.contains("node 'tint': the pixel shader takes parameters, a struct that has a field 'b', which lies at byte 0 in the WGSL, but at byte 4 in Rust"), "{said}");
}

/// Fades by the frames' time.
#[derive(Default)]
struct Fade(FadeParameters);

#[derive(Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct FadeParameters {
    /// How much is left.
    #[schemars(range(min = 0.0, max = 1.0))]
    level: Animated<f32>,
}

impl Described for Fade {
    type Parameters = FadeParameters;
    const NAME: &'static str = "fade";
    const SUMMARY: &'static str = "Fades.";
    fn from_parameters(parameters: FadeParameters) -> Result<Self> {
        Ok(Self(parameters))
    }
    fn parameters(&self) -> &FadeParameters {
        &self.0
    }
    fn set_parameters(&mut self, parameters: FadeParameters, _: &mut Context<'_>) -> Result<()> {
        self.0 = parameters;
        Ok(())
    }
}

impl PixelShader for Fade {
    type Uniform = Two;
    const WGSL: &'static str = function!("return c * two.a;");
    fn uniform(&mut self, frame: &VideoFrame) -> Result<Two> {
        Ok(Two { a: self.0.level.at(frame.time()), b: 0.0 })
    }
    fn tunable(&mut self) -> Option<&mut dyn Tunable> {
        Some(self)
    }
}

/// White pictures, ten a second.
struct White(u32);

impl Source for White {
    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<VideoFrame>> {
        if self.0 == 10 {
            return Ok(Next::End);
        }
        let format = VideoFormat::rgba8(Size::new(2, 2).unwrap());
        let mut frame = cx.frame(format)?.with_time(Timestamp::from_nanos(i64::from(self.0) * 100_000_000));
        cx.encoder()?.upload(&mut frame, &[255; 16], format.row_bytes())?;
        self.0 += 1;
        Ok(Next::Item(frame))
    }
}

#[test]
fn parameters_are_animated_over_the_frames_time_fused_or_not() {
    let fade = |level: serde_json::Value| make::<Fade>(&json!({ "level": level }));
    let ramp = json!({ "keyframes": [[0.0, 0.0], [0.5, 1.0]], "repeats": true });
    for fusion in [true, false] {
        let mut graph = Graph::new();
        let seen = Seen::new(&[PixelFormat::Rgba8]);
        graph.chain((White(0), fade(ramp.clone()).unwrap(), fade(json!(0.5)).unwrap(), seen.clone())).unwrap();
        runtime(fusion).run(graph).unwrap();
        let levels: Vec<_> = seen.pictures().iter().map(|picture| picture[0]).collect();
        let expected = [0, 26, 51, 77, 102].repeat(2);
        let is_near = |(level, expected): (&u8, &u8)| level.abs_diff(*expected) <= 1;
        assert!(levels.len() == 10 && levels.iter().zip(&expected).all(is_near), "{levels:?}");
    }
    let error = fade(json!({ "keyframes": [[0.0, 0.0], [1.0, 1.5]] })).err().unwrap();
    assert!(error.to_string().contains("node 'fade': parameter 'level' cannot be 1.5; it goes from 0 to 1"), "{error}");
    let error = fade(json!({ "keyframes": [] })).err().unwrap();
    assert!(error.to_string().contains("at least one keyframe"), "{error}");
    // An animation is set as a whole: this one does not repeat because the last did.
    let mut graph = Graph::new();
    graph.chain((White(0), fade(ramp).unwrap(), Seen::new(&[PixelFormat::Rgba8]))).unwrap();
    let running = runtime(true).start(graph).unwrap();
    let once = json!({ "level": { "keyframes": [[0.0, 0.25]] } });
    running.set_parameters("fade", &once).unwrap();
    assert_eq!(running.parameters("fade").unwrap()["level"]["keyframes"], json!([[0.0, 0.25]]));
    running.wait().1.unwrap();
}
