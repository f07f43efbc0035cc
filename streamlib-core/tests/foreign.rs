//! What processors need that are written in another language: threads of their own kind, ports and messages that are known late, memory
//! that its garbage collector may keep.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod support;

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use streamlib_core::*;
use support::{Collect, Numbers, offline};

thread_local! {
    static IS_THEIRS: Cell<bool> = const { Cell::new(false) };
}

static LIVES: AtomicUsize = AtomicUsize::new(0);

const DOMAIN: Domain = Domain {
    name: "theirs",
    around: |life| {
        LIVES.fetch_add(1, Ordering::SeqCst);
        IS_THEIRS.set(true);
        life();
        IS_THEIRS.set(false);
    },
};

/// A message whose type its own language knows.
#[derive(Clone)]
struct Object(u64);
impl Message for Object {}

/// Counts how often it was called on a thread of the domain, and elsewhere.
#[derive(Default)]
struct Theirs {
    input: In<Object>,
    output: Out<Object>,
    calls: Arc<Mutex<(usize, usize)>>,
}

fn spec(name: &str, variant: u64) -> InputSpec {
    InputSpec {
        name: name.into(),
        message: MessageType::variant::<Object>(variant, format!("Class{variant}")),
        formats: Vec::new(),
        delivery: Delivery::Block(4),
        required: true,
        pairing: Pairing::Each,
    }
}

fn output(name: &str, variant: u64) -> OutputSpec {
    let InputSpec { name, message, formats, .. } = spec(name, variant);
    OutputSpec { name, message, formats, size: None }
}

impl Processor for Theirs {
    fn ports(&mut self, ports: &mut Ports) {
        self.input = ports.declare_input(spec("numbers", 1));
        self.output = ports.declare_output(output("numbers", 1));
    }
    fn threading(&self) -> Threading {
        Threading::Within(DOMAIN)
    }
    fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        let mut calls = self.calls.lock().unwrap();
        *if IS_THEIRS.get() { &mut calls.0 } else { &mut calls.1 } += 1;
        if let Some(object) = cx.take(self.input) {
            cx.send(self.output, Object(object.0 + 1));
        }
        Ok(Flow::Continue)
    }
}

/// From numbers to objects and back, in Rust.
#[derive(Default)]
struct Wrap(In<support::Number>, Out<Object>);

impl Processor for Wrap {
    fn ports(&mut self, ports: &mut Ports) {
        self.0 = ports.input(InputOptions::default());
        self.1 = ports.declare_output(output("objects", 1));
    }
    fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if let Some(number) = cx.take(self.0) {
            cx.send(self.1, Object(number.0));
        }
        Ok(Flow::Continue)
    }
}

#[derive(Default)]
struct Unwrap(In<Object>, Out<support::Number>);

impl Processor for Unwrap {
    fn ports(&mut self, ports: &mut Ports) {
        self.0 = ports.declare_input(spec("objects", 1));
        self.1 = ports.output(OutputOptions::default());
    }
    fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        if let Some(object) = cx.take(self.0) {
            cx.send(self.1, support::Number(object.0));
        }
        Ok(Flow::Continue)
    }
}

#[test]
fn neighbours_of_a_domain_share_a_thread_of_its_kind() {
    let calls = Arc::default();
    let theirs = |calls: &Arc<Mutex<(usize, usize)>>| Theirs { calls: calls.clone(), ..Default::default() };
    let collect = Collect::default();
    let mut graph = Graph::new();
    graph
        .chain((Numbers::up_to(50), Wrap::default(), theirs(&calls), theirs(&calls), Unwrap::default(), collect.clone()))
        .unwrap();
    let runtime = offline();
    let plan = runtime.plan(&graph).unwrap();
    let segments: Vec<_> = plan.segments.iter().map(|segment| (&*segment.name, segment.nodes.len(), segment.domain)).collect();
    assert_eq!(segments, [("numbers", 2, None), ("theirs", 4, Some(DOMAIN))], "{}", plan.explain());
    assert!(plan.explain().contains("segment 'theirs' (theirs)"), "{}", plan.explain());
    runtime.run(graph).unwrap();
    assert_eq!(collect.seen(), (2..52).collect::<Vec<_>>());
    assert_eq!(*calls.lock().unwrap(), (100, 0));
    assert_eq!(LIVES.load(Ordering::SeqCst), 1, "one thread");
}

/// A branch beside leaves the segment, and one that comes back joins nobody else's.
#[test]
fn each_chain_of_a_domain_has_its_own_thread() {
    let mut graph = Graph::new();
    for chain in ["a", "b"] {
        graph.add(format!("numbers-{chain}"), Numbers::up_to(1)).unwrap();
        graph.add(format!("wrap-{chain}"), Wrap::default()).unwrap();
        graph.add(format!("theirs-{chain}"), Theirs::default()).unwrap();
        graph.connect(&format!("numbers-{chain}"), &format!("wrap-{chain}")).unwrap();
        graph.connect(&format!("wrap-{chain}"), &format!("theirs-{chain}")).unwrap();
    }
    let plan = offline().plan(&graph).unwrap();
    let of_domain: Vec<_> =
        plan.segments.iter().filter(|segment| segment.domain == Some(DOMAIN)).map(|segment| &*segment.name).collect();
    assert_eq!(of_domain, ["theirs-a", "theirs-b"], "{}", plan.explain());
}

#[test]
fn types_of_another_language_that_differ_are_not_linked() {
    struct Other;
    impl Processor for Other {
        fn ports(&mut self, ports: &mut Ports) {
            let _: In<Object> = ports.declare_input(spec("objects", 2));
        }
        fn process(&mut self, _: &mut Context<'_>) -> Result<Flow> {
            Ok(Flow::End)
        }
    }
    let mut graph = Graph::new();
    graph.add("wrap", Wrap::default()).unwrap();
    graph.add("other", Other).unwrap();
    let refused = graph.connect("wrap", "other").unwrap_err().to_string();
    assert!(refused.starts_with("wrap.objects gives Class1, but other.objects takes Class2"), "{refused}");
}

/// A handle is always of the type that its port is linked by.
#[test]
fn a_port_is_of_the_type_of_its_handle() {
    struct Confused(In<support::Number>);
    impl Processor for Confused {
        fn ports(&mut self, ports: &mut Ports) {
            self.0 = ports.declare_input(spec("objects", 1));
        }
        fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
            cx.take(self.0);
            Ok(Flow::Continue)
        }
    }
    let mut graph = Graph::new();
    graph.chain((Numbers::up_to(3), Wrap::default())).unwrap();
    graph.add("confused", Confused(In::default())).unwrap();
    let refused = graph.connect("wrap", "confused").unwrap_err().to_string();
    assert!(refused.contains("gives Class1, but confused.objects takes foreign::support::Number"), "{refused}");
    let mut graph = Graph::new();
    graph.chain((Numbers::up_to(3), Confused(In::default()))).unwrap();
    assert_eq!(offline().run(graph).unwrap().nodes["confused"].processed, 3);
}

#[test]
fn delivery_policies_are_read_as_they_are_written() {
    for policy in [Delivery::Latest, Delivery::DropOldest(8), Delivery::Block(1)] {
        assert_eq!(policy.to_string().parse::<Delivery>().unwrap(), policy);
    }
    for wrong in ["", "newest", "block", "block()", "block(0)", "drop-oldest(-1)", "latest(2)"] {
        assert!(wrong.parse::<Delivery>().is_err(), "{wrong}");
    }
}

fn gpu() -> GpuContext {
    GpuContext::new(&GpuOptions { budget_bytes: 1 << 20, ..Default::default() }).unwrap()
}

fn format(width: u32, height: u32) -> VideoFormat {
    VideoFormat::rgba8(Size::new(width, height).unwrap())
}

/// A read-back that is kept counts against no budget, and is not handed out to the next.
#[test]
fn pixels_that_are_kept_take_nothing_away() {
    let gpu = gpu();
    let mut frame = gpu.frame(format(1024, 256), "test").unwrap();
    let mut kept = Vec::new();
    // A hundred of them are more than the 64 MiB that staging memory has.
    for number in 0..100u8 {
        let mut encoder = gpu.encoder();
        encoder.upload(&mut frame, &vec![number; 1024 * 256 * 4], 1024 * 4).unwrap();
        let pixels = encoder.read_back(&frame).unwrap();
        encoder.submit().unwrap();
        kept.push(pixels.wait().unwrap().keep());
    }
    for (number, pixels) in kept.iter().enumerate() {
        assert!(pixels.iter().all(|byte| usize::from(*byte) == number), "{number}");
    }
    assert_eq!(gpu.statistics().staging.in_use, 100);
    drop(kept);
    let staging = gpu.statistics().staging;
    assert_eq!((staging.in_use, staging.bytes), (0, 1024 * 256 * 4), "the memory of uploads is left");
}

#[test]
fn what_is_said_of_a_picture_goes_on_with_it() {
    let gpu = gpu();
    let frame = gpu.frame(format(8, 8), "test").unwrap().with_metadata("camera", "front").with_metadata("gain", 2);
    let changed = frame.like().unwrap().with_metadata("gain", json!([1, 2]));
    let said = |frame: &VideoFrame| frame.metadata().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    assert_eq!(said(&frame), ["camera=\"front\"", "gain=2"]);
    assert_eq!(said(&changed), ["camera=\"front\"", "gain=[1,2]"]);
}

#[test]
fn rows_that_are_no_picture_are_refused() {
    let gpu = gpu();
    let taker = Arc::from("test");
    let rows = |count: usize, bytes: usize| vec![vec![7u8; bytes]; count];
    let write = |rows: &[Vec<u8>]| gpu.upload_memory(format(3, 2), &taker).unwrap().write_rows(rows.iter().map(|row| &**row));
    write(&rows(2, 12)).unwrap();
    for wrong in [rows(1, 12), rows(3, 12), rows(2, 11), rows(2, 13), Vec::new()] {
        let refused = write(&wrong).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument);
        assert!(refused.to_string().ends_with("it takes 2 rows of 12 bytes"), "{refused}");
    }
    let mut other = gpu.frame(format(2, 3), "test").unwrap();
    let memory = gpu.upload_memory(format(3, 2), &taker).unwrap();
    let refused = gpu.encoder().upload_from(&mut other, memory).unwrap_err().to_string();
    assert!(refused.contains("both must have one format"), "{refused}");
}

#[test]
fn a_kernel_tells_what_it_can_be_given() {
    let gpu = gpu();
    let kernel = gpu
        .kernel(
            "all",
            "struct Inner { level: f32 }
            struct P { gain: f32, @align(16) inner: Inner, @align(16) shift: vec3f }
            @group(0) @binding(0) var src: texture_2d<f32>;
            @group(0) @binding(1) var dst: texture_storage_2d<rgba8unorm, write>;
            @group(0) @binding(2) var how: sampler;
            @group(0) @binding(3) var<storage, read> table: array<f32>;
            @group(0) @binding(4) var<uniform> p: P;
            @group(0) @binding(5) var<uniform> idle: f32;
            @compute @workgroup_size(1) fn main() {
                let c = textureSampleLevel(src, how, vec2f(0.5), 0.0) * p.gain * p.inner.level + vec4f(p.shift, table[0]);
                textureStore(dst, vec2u(0), c);
            }",
        )
        .unwrap();
    let mut seen: Vec<_> = kernel.bindings().collect();
    seen.sort_by_key(|(name, _)| *name);
    let [dst, how, idle, p, src, table] = &*seen else { panic!("{seen:?}") };
    assert_eq!((dst, how), (&("dst", KernelBinding::StorageTexture), &("how", KernelBinding::Sampler)));
    assert_eq!((idle, src), (&("idle", KernelBinding::Unused), &("src", KernelBinding::Texture)));
    assert_eq!(table, &("table", KernelBinding::Buffer { is_written: false }));
    let ("p", KernelBinding::Uniform(declared)) = p else { panic!("{p:?}") };
    let fields: Vec<_> = declared.fields.iter().map(|field| (field.name.as_deref().unwrap(), field.offset)).collect();
    assert_eq!((declared.bytes, fields), (48, vec![("gain", 0), ("inner.level", 16), ("shift", 32)]));
    let mut encoder = gpu.encoder();
    let refused = kernel.call(&mut encoder).unwrap().uniform_bytes("p", &[0; 49]).err().unwrap().to_string();
    assert!(refused.contains("takes 48 bytes as 'p', but was given 49"), "{refused}");
}

/// Of the same frame: itself, once nobody else has it.
#[test]
fn a_picture_is_changed_in_place_only_by_its_only_holder() {
    let gpu = gpu();
    let frame = gpu.frame(format(4, 4), "test").unwrap();
    let other = frame.clone();
    assert!(!gpu.encoder().edit_in_place(&frame));
    drop(other);
    assert!(gpu.encoder().edit_in_place(&frame));
}

#[test]
fn runtimes_share_a_gpu_that_is_opened_once() {
    let first = Runtime::new(support::options());
    let second = first.with_options(RuntimeOptions { mode: Mode::Offline, ..support::options() });
    assert!(first.opened_gpu().is_none() && second.opened_gpu().is_none());
    let opened = second.gpu().unwrap();
    let found = first.opened_gpu().unwrap();
    let frame = found.frame(format(2, 2), "test").unwrap();
    assert_eq!(opened.statistics().textures.in_use, 1);
    assert_eq!((second.options().mode, first.options().mode), (Mode::Offline, Mode::Live));
    drop(frame);
}
