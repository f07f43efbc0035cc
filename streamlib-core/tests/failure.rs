//! What becomes of a run when one of its processors fails or panics, under each policy. Needs no GPU.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use streamlib_core::*;
use support::*;

#[derive(Clone, Copy, Debug)]
enum How {
    Error,
    Panic,
}

/// Adds 1000, and fails in `process` at each number of `at`.
#[derive(Clone)]
struct Faulty {
    how: How,
    at: std::ops::Range<u64>,
    setups: Arc<AtomicU32>,
    /// Set-ups that fail, counted from the second.
    bad_setups: u32,
}

impl Faulty {
    fn new(how: How, at: std::ops::Range<u64>) -> Self {
        Self { how, at, setups: Arc::default(), bad_setups: 0 }
    }

    fn fail(&self) -> Result<()> {
        match self.how {
            How::Error => Err(Error::new(ErrorKind::Io, "the probe fell off").hint("put it back")),
            How::Panic => panic!("the probe fell off"),
        }
    }
}

impl Filter<Number, Number> for Faulty {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<()> {
        let earlier = self.setups.fetch_add(1, Ordering::SeqCst);
        if (1..=self.bad_setups).contains(&earlier) { self.fail() } else { Ok(()) }
    }
    fn process(&mut self, number: Number, _: &mut Context<'_>) -> Result<Number> {
        if self.at.contains(&number.0) {
            self.fail()?;
        }
        Ok(Number(number.0 + 1000))
    }
}

const BOTH: [How; 2] = [How::Error, How::Panic];

fn quick(limit: Option<u32>) -> FailurePolicy {
    FailurePolicy::Restart(Restart { first_delay: Duration::from_millis(1), limit, ..Default::default() })
}

/// Numbers to `faulty`, and beside it straight to another sink.
fn fork(faulty: Faulty, policy: FailurePolicy, count: u64) -> (Graph, Collect, Collect) {
    let (through, beside) = (Collect::threaded(Delivery::Block(4)), Collect::threaded(Delivery::Block(4)));
    let mut graph = Graph::new();
    graph.add("numbers", Numbers::up_to(count)).unwrap();
    graph.add("faulty", faulty).unwrap();
    graph.add("through", through.clone()).unwrap();
    graph.add("beside", beside.clone()).unwrap();
    graph.connect("numbers", "faulty").unwrap();
    graph.connect("faulty", "through").unwrap();
    graph.connect("numbers", "beside").unwrap();
    graph.on_failure("faulty", policy).unwrap();
    (graph, through, beside)
}

fn events(running: &Running) -> Vec<RunEvent> {
    let mut events = running.events();
    std::iter::from_fn(|| events.next(Duration::ZERO)).collect()
}

#[test]
fn stop_drains_and_returns_the_error_with_its_chain() {
    for how in BOTH {
        let (graph, through, _) = fork(Faulty::new(how, 5..6), FailurePolicy::Stop, 1_000_000);
        let running = offline().start(graph).unwrap();
        let (statistics, outcome) = {
            running.wait_for(Duration::from_secs(20));
            let told = events(&running);
            assert!(
                matches!(&told[..], [RunEvent { kind: RunEventKind::Failed { reaction: Reaction::Stop, .. }, .. }]),
                "{told:?}"
            );
            running.wait()
        };
        let error = outcome.unwrap_err();
        assert_eq!(error.node(), Some("faulty"));
        assert!(error.to_string().contains("the probe fell off"), "{error}");
        assert_eq!(through.seen(), (1000..1005).collect::<Vec<_>>(), "what was under way arrived");
        assert_adds_up(&statistics);
        assert_eq!(statistics.nodes["faulty"].errors, 1);
    }
}

#[test]
fn bypass_lets_everything_through_that_the_filter_would_take() {
    for how in BOTH {
        let (graph, through, beside) = fork(Faulty::new(how, 5..6), FailurePolicy::Bypass, 100);
        assert!(offline().plan(&graph).unwrap().explain().contains("faulty (on failure: bypass)"));
        let running = offline().start(graph).unwrap();
        running.wait_for(Duration::from_secs(20));
        let [event] = &events(&running)[..] else { panic!("{:?}", events(&running)) };
        assert_eq!(&*event.node, "faulty");
        assert!(matches!(event.kind, RunEventKind::Failed { reaction: Reaction::Bypass, .. }));
        let (statistics, outcome) = running.wait();
        outcome.unwrap();
        let expected: Vec<_> = (1000..1005).chain(5..100).collect();
        assert_eq!(through.seen(), expected, "the message at which it failed goes through too");
        assert_eq!(beside.seen(), (0..100).collect::<Vec<_>>());
        assert_adds_up(&statistics);
        let faulty = &statistics.nodes["faulty"];
        assert_eq!((faulty.processed, faulty.errors, faulty.bypassed), (5, 1, 95));
        assert!(faulty.last_error.as_ref().unwrap().contains("the probe fell off"), "{faulty:?}");
    }
}

#[test]
fn skip_passes_over_the_message_at_which_the_filter_failed() {
    for how in BOTH {
        let (graph, through, beside) = fork(Faulty::new(how, 5..8), FailurePolicy::Skip, 20);
        let running = offline().start(graph).unwrap();
        running.wait_for(Duration::from_secs(20));
        let told = events(&running);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told.iter().all(|event| matches!(event.kind, RunEventKind::Failed { reaction: Reaction::Skip, .. })));
        let (statistics, outcome) = running.wait();
        outcome.unwrap();
        assert_eq!(through.seen(), (1000..1005).chain(5..8).chain(1008..1020).collect::<Vec<_>>());
        assert_eq!(beside.seen(), (0..20).collect::<Vec<_>>());
        assert_adds_up(&statistics);
        let faulty = &statistics.nodes["faulty"];
        assert_eq!((faulty.processed, faulty.errors, faulty.bypassed), (17, 3, 3));
    }
}

#[test]
fn an_error_for_every_policy_ends_the_run_under_each() {
    let restart = FailurePolicy::Restart(Default::default());
    for policy in [FailurePolicy::Stop, FailurePolicy::Skip, FailurePolicy::Bypass, restart] {
        let mut graph = Graph::new();
        let leaves = |number: Number, _: &mut Context<'_>| match number.0 {
            2 => Err(Error::new(ErrorKind::Cancelled, "it wants to end").for_every_policy()),
            _ => Ok(number),
        };
        graph.add("numbers", Numbers::up_to(1000)).unwrap();
        graph.add("leaves", leaves).unwrap();
        graph.add("sink", Collect::default()).unwrap();
        graph.connect("numbers", "leaves").unwrap();
        graph.connect("leaves", "sink").unwrap();
        graph.on_failure("leaves", policy).unwrap();
        let error = offline().run(graph).unwrap_err();
        assert_eq!((error.node(), error.kind()), (Some("leaves"), ErrorKind::Cancelled));
    }
}

/// One that cannot be bypassed can pass over a message all the same: it is left out.
#[test]
fn skip_leaves_out_what_cannot_go_through() {
    let mut graph = Graph::new();
    let sink = Collect::default();
    let odd = |number: Number, _: &mut Context<'_>| match number.0 {
        number if number % 2 == 0 => Err(Error::new(ErrorKind::InvalidArgument, "it is even")),
        number => Ok(Odd(number)),
    };
    graph.add("numbers", Numbers::up_to(6)).unwrap();
    graph.add("odd", odd).unwrap();
    graph.add("back", |odd: Odd, _: &mut Context<'_>| Ok(Number(odd.0))).unwrap();
    graph.add("sink", sink.clone()).unwrap();
    for (from, to) in [("numbers", "odd"), ("odd", "back"), ("back", "sink")] {
        graph.connect(from, to).unwrap();
    }
    graph.on_failure("odd", FailurePolicy::Skip).unwrap();
    let statistics = offline().run(graph).unwrap();
    assert_eq!(sink.seen(), [1, 3, 5]);
    assert_eq!((statistics.nodes["odd"].errors, statistics.nodes["odd"].bypassed), (3, 0));
    assert_adds_up(&statistics);
}

#[derive(Clone)]
struct Odd(u64);
impl Message for Odd {}

/// Neither a source nor one that fails before it takes its message can go on.
#[test]
fn skip_ends_the_run_where_there_is_no_message_to_pass_over() {
    let hasty = Hasty { calls: 0, threading: Threading::Shared, input: In::default(), output: Out::default() };
    let mut graph = Graph::new();
    graph.chain((Numbers::up_to(20), hasty, Collect::default())).unwrap();
    graph.on_failure("hasty", FailurePolicy::Skip).unwrap();
    assert_eq!(offline().run(graph).unwrap_err().node(), Some("hasty"));
    let mut graph = Graph::new();
    graph.add("source", FaultySource).unwrap();
    graph.add("sink", Collect::default()).unwrap();
    graph.connect("source", "sink").unwrap();
    graph.on_failure("source", FailurePolicy::Skip).unwrap();
    assert_eq!(offline().run(graph).unwrap_err().node(), Some("source"));
}

struct FaultySource;
impl Source<Number> for FaultySource {
    fn produce(&mut self, _: &mut Context<'_>) -> Result<Next<Number>> {
        Err(Error::new(ErrorKind::Io, "nothing comes"))
    }
}

#[test]
fn what_gives_something_else_than_it_takes_cannot_be_bypassed() {
    let mut graph = Graph::new();
    graph.add("numbers", Numbers::up_to(1)).unwrap();
    let error = graph.on_failure("numbers", FailurePolicy::Bypass).unwrap_err();
    assert!(error.to_string().starts_with("node 'numbers' cannot be bypassed"), "{error}");
    graph.on_failure("numbers", FailurePolicy::Restart(Restart::default())).unwrap();
    let error = graph.on_failure("nubmers", FailurePolicy::Stop).unwrap_err();
    assert_eq!(error.to_string(), "there is no node 'nubmers'; there is: numbers");
}

#[test]
fn offline_a_restart_costs_only_the_message_at_which_it_failed() {
    for how in BOTH {
        let mut faulty = Faulty::new(how, 5..6);
        faulty.bad_setups = 2;
        let setups = faulty.setups.clone();
        let (graph, through, beside) = fork(faulty, quick(Some(5)), 100);
        let running = offline().start(graph).unwrap();
        running.wait_for(Duration::from_secs(20));
        let told: Vec<_> = events(&running).into_iter().map(|event| event.kind).collect();
        let [first, second, third, RunEventKind::Restarted { failures: 3 }] = &told[..] else { panic!("{told:?}") };
        for (event, millis) in [(first, 1), (second, 2), (third, 4)] {
            let RunEventKind::Failed { reaction, .. } = event else { panic!("{event:?}") };
            assert_eq!(*reaction, Reaction::RestartAfter(Duration::from_millis(millis)));
        }
        let (statistics, outcome) = running.wait();
        outcome.unwrap();
        assert_eq!(through.seen(), (1000..1100).filter(|number| *number != 1005).collect::<Vec<_>>());
        assert_eq!(beside.seen().len(), 100);
        assert_eq!(setups.load(Ordering::SeqCst), 4);
        assert_adds_up(&statistics);
        assert_eq!((statistics.nodes["faulty"].errors, statistics.nodes["faulty"].restarts), (3, 1));
    }
}

#[test]
fn past_its_limit_a_restart_is_a_stop() {
    for how in BOTH {
        let (graph, _, _) = fork(Faulty::new(how, 5..u64::MAX), quick(Some(3)), 1_000_000);
        let running = offline().start(graph).unwrap();
        let (statistics, outcome) = running.wait();
        assert!(outcome.unwrap_err().to_string().contains("the probe fell off"));
        assert_eq!((statistics.nodes["faulty"].errors, statistics.nodes["faulty"].restarts), (4, 3));
        assert_adds_up(&statistics);
    }
}

/// Messages come slower than the longest delay is long.
#[test]
fn who_only_waits_between_its_failures_has_not_gone_well() {
    let mut graph = Graph::new();
    graph.chain((Numbers::at(50), Faulty::new(How::Error, 0..u64::MAX), Collect::default())).unwrap();
    let delay = Duration::from_millis(1);
    let restart = Restart { first_delay: delay, longest_delay: delay, limit: Some(3) };
    graph.on_failure("faulty", FailurePolicy::Restart(restart)).unwrap();
    let running = Runtime::new(options()).start(graph).unwrap();
    assert!(running.wait_for(Duration::from_secs(20)), "it is tried for ever");
    let (statistics, outcome) = running.wait();
    assert_eq!(outcome.unwrap_err().node(), Some("faulty"));
    assert_eq!(statistics.nodes["faulty"].errors, 4);
}

#[test]
fn who_is_still_away_when_its_inputs_end_is_missed_by_the_run() {
    for threading in [Threading::Shared, Threading::Own] {
        let mut graph = Graph::new();
        let faulty = Threaded(Faulty::new(How::Error, 5..6), threading);
        graph.add("numbers", Numbers::up_to(10)).unwrap();
        graph.add("threaded", faulty).unwrap();
        graph.add("sink", Collect::default()).unwrap();
        graph.connect_with("numbers", "threaded", Delivery::Block(4)).unwrap();
        graph.connect("threaded", "sink").unwrap();
        let restart = Restart { first_delay: Duration::from_secs(3600), longest_delay: Duration::MAX, limit: None };
        graph.on_failure("threaded", FailurePolicy::Restart(restart)).unwrap();
        let running = Runtime::new(options()).start(graph).unwrap();
        assert!(running.wait_for(Duration::from_secs(20)), "{threading:?}: the run waits for it");
        let told: Vec<_> = events(&running).into_iter().map(|event| event.kind).collect();
        let [_, RunEventKind::Failed { reaction: Reaction::GiveUp, .. }] = &told[..] else { panic!("{threading:?}: {told:?}") };
        let (statistics, outcome) = running.wait();
        assert_eq!(outcome.unwrap_err().node(), Some("threaded"), "{threading:?}");
        assert_adds_up(&statistics);
    }
}

/// A live source whose device goes away, as a camera that is unplugged.
struct Device {
    next: u64,
    is_there: Arc<AtomicU64>,
}

impl Source<Number> for Device {
    fn setup(&mut self, _: &mut Context<'_>) -> Result<()> {
        match self.is_there.load(Ordering::SeqCst) {
            0 => Err(Error::new(ErrorKind::NotFound, "no device")),
            _ => Ok(()),
        }
    }
    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<Number>> {
        if self.is_there.load(Ordering::SeqCst) == 0 {
            return Err(Error::new(ErrorKind::Disconnected, "the device was unplugged"));
        }
        if !cx.wait_until(cx.now() + Duration::from_millis(1)) {
            return Ok(Next::Skip);
        }
        self.next += 1;
        Ok(Next::Item(Number(self.next)))
    }
}

#[test]
fn a_lost_device_is_looked_for_until_it_is_back_and_the_others_go_on() {
    let is_there = Arc::new(AtomicU64::new(0));
    let (lost, other) = (Collect::default(), Collect::default());
    let mut graph = Graph::new();
    graph.add("device", Device { next: 0, is_there: is_there.clone() }).unwrap();
    graph.add("lost", lost.clone()).unwrap();
    graph.connect("device", "lost").unwrap();
    graph.add("clock", Numbers::at(1000)).unwrap();
    graph.add("other", other.clone()).unwrap();
    graph.connect("clock", "other").unwrap();
    let restart = Restart { first_delay: Duration::from_millis(1), longest_delay: Duration::from_millis(5), limit: None };
    graph.on_failure("device", FailurePolicy::Restart(restart)).unwrap();
    let running = Runtime::new(options()).start(graph).unwrap();
    for round in 0..3 {
        let before = other.seen().len();
        eventually("the others go on while it is away", || other.seen().len() > before + 20);
        let seen = lost.seen().len();
        is_there.store(1, Ordering::SeqCst);
        eventually("it comes back", || lost.seen().len() > seen + 5);
        is_there.store(0, Ordering::SeqCst);
        let failures = |statistics: &Statistics| statistics.nodes["device"].errors;
        let so_far = failures(&running.statistics());
        eventually("it is missed again", || failures(&running.statistics()) > so_far + 1);
        assert_eq!(running.statistics().nodes["device"].restarts, round + 1);
    }
    running.stop(Stop::Drain);
    let (statistics, outcome) = running.wait();
    outcome.unwrap();
    assert_adds_up(&statistics);
}

#[test]
fn live_what_comes_to_a_node_that_is_away_is_dropped_and_counted() {
    for own_thread in [false, true] {
        let mut graph = Graph::new();
        let (sink, mut faulty) = (Collect::default(), Faulty::new(How::Error, 5..6));
        faulty.bad_setups = 3;
        graph.add("numbers", Numbers::at(2000)).unwrap();
        let threading = if own_thread { Threading::Own } else { Threading::Shared };
        graph.add("faulty", Threaded(faulty, threading)).unwrap();
        graph.add("sink", sink.clone()).unwrap();
        graph.connect_with("numbers", "faulty", Delivery::Block(2)).unwrap();
        graph.connect("faulty", "sink").unwrap();
        let restart = Restart { first_delay: Duration::from_millis(5), ..Default::default() };
        graph.on_failure("faulty", FailurePolicy::Restart(restart)).unwrap();
        let running = Runtime::new(options()).start(graph).unwrap();
        eventually("it goes on", || sink.seen().len() > 20);
        running.stop(Stop::Drain);
        let (statistics, outcome) = running.wait();
        outcome.unwrap();
        assert_adds_up(&statistics);
        let link = statistics.links["numbers.out->faulty.in"].counts;
        assert!(link.dropped.restarting > 0, "own thread: {own_thread}: {link:?}");
        assert_eq!(statistics.nodes["faulty"].errors, 4);
    }
}

/// Runs a filter where it is told to.
struct Threaded(Faulty, Threading);

impl Filter<Number, Number> for Threaded {
    fn threading(&self) -> Threading {
        self.1
    }
    fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
        self.0.setup(cx)
    }
    fn process(&mut self, number: Number, cx: &mut Context<'_>) -> Result<Number> {
        self.0.process(number, cx)
    }
}

/// Fails once, before it takes anything.
struct Hasty {
    calls: u32,
    threading: Threading,
    input: In<Number>,
    output: Out<Number>,
}

impl Processor for Hasty {
    fn ports(&mut self, ports: &mut Ports) {
        self.input = ports.input(InputOptions { delivery: Delivery::Block(1), ..Default::default() });
        self.output = ports.output(OutputOptions::default());
    }
    fn threading(&self) -> Threading {
        self.threading
    }
    fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        self.calls += 1;
        if self.calls == 20 {
            return Err(Error::new(ErrorKind::Io, "not now"));
        }
        if let Some(number) = cx.take(self.input) {
            cx.send(self.output, number);
        }
        Ok(Flow::Continue)
    }
}

/// It fails at the last message, after which no other comes to have it looked for.
#[test]
fn what_was_not_taken_when_it_failed_is_not_forgotten() {
    for (policy, threading) in [
        (FailurePolicy::Bypass, Threading::Own),
        (FailurePolicy::Bypass, Threading::Shared),
        (quick(Some(5)), Threading::Own),
        (quick(Some(5)), Threading::Shared),
    ] {
        let sink = Collect::default();
        let hasty = Hasty { calls: 0, threading, input: In::default(), output: Out::default() };
        let mut graph = Graph::new();
        let numbers = Numbers { count: u64::MAX, next: 0, rate: None };
        graph.add("numbers", Pause { numbers, after: 20 }).unwrap();
        graph.add("before", Threaded(Faulty::new(How::Error, 0..0), Threading::Own)).unwrap();
        graph.add("hasty", hasty).unwrap();
        graph.add("sink", sink.clone()).unwrap();
        graph.connect_with("numbers", "before", Delivery::Block(4)).unwrap();
        graph.connect_with("before", "hasty", Delivery::Block(4)).unwrap();
        graph.connect("hasty", "sink").unwrap();
        graph.on_failure("hasty", policy).unwrap();
        let running = offline().start(graph).unwrap();
        eventually("the last one comes too", || sink.seen().len() == 20);
        assert_eq!(sink.seen(), (1000..1020).collect::<Vec<_>>(), "{policy}");
        running.stop(Stop::Drain);
        running.wait().1.unwrap();
    }
}

/// Gives so many and then nothing more, without ending.
struct Pause {
    numbers: Numbers,
    after: u64,
}

impl Source<Number> for Pause {
    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<Number>> {
        if self.numbers.next == self.after {
            std::thread::park_timeout(Duration::from_millis(5));
            return Ok(Next::Skip);
        }
        self.numbers.produce(cx)
    }
}

/// A sink that is left out when its disk is full, by its own wish.
struct Disk {
    room: u64,
}

impl Sink<Number> for Disk {
    fn failure_policy(&self) -> FailurePolicy {
        FailurePolicy::Bypass
    }
    fn consume(&mut self, _: Number, _: &mut Context<'_>) -> Result<()> {
        if self.room == 0 {
            return Err(Error::new(ErrorKind::Io, "the disk is full"));
        }
        self.room -= 1;
        Ok(())
    }
}

#[test]
fn a_sink_that_is_left_out_does_not_end_the_others() {
    let sink = Collect::default();
    let mut graph = Graph::new();
    graph.add("numbers", Numbers::up_to(100)).unwrap();
    graph.add("disk", Disk { room: 7 }).unwrap();
    graph.add("sink", sink.clone()).unwrap();
    graph.connect("numbers", "disk").unwrap();
    graph.connect("numbers", "sink").unwrap();
    let (statistics, outcome) = offline().start(graph).unwrap().wait();
    assert_eq!(outcome.unwrap_err().node(), Some("disk"), "said at the end");
    assert_eq!(sink.seen().len(), 100);
    assert_eq!((statistics.nodes["disk"].processed, statistics.nodes["disk"].errors), (7, 1));
    assert_adds_up(&statistics);
}

/// Fails after its last message was submitted.
struct Late(u64);

impl Sink<Number> for Late {
    fn failure_policy(&self) -> FailurePolicy {
        FailurePolicy::Bypass
    }
    fn consume(&mut self, _: Number, _: &mut Context<'_>) -> Result<()> {
        self.0 -= 1;
        Ok(())
    }
    fn submitted(&mut self, _: &mut Context<'_>) -> Result<()> {
        if self.0 == 0 { Err(Error::new(ErrorKind::Io, "at the very end")) } else { Ok(()) }
    }
}

#[test]
fn a_sink_that_fails_with_its_last_message_does_not_cost_the_others_theirs() {
    let sink = Collect::default();
    let mut graph = Graph::new();
    graph.add("quick", Numbers::at(10_000)).unwrap();
    graph.add("late", Late(10)).unwrap();
    graph.connect("quick", "late").unwrap();
    graph.add("slow", Numbers::at(100)).unwrap();
    graph.add("sink", sink.clone()).unwrap();
    graph.connect("slow", "sink").unwrap();
    let options = RuntimeOptions { frames: Some(10), ..options() };
    let (statistics, outcome) = Runtime::new(options).start(graph).unwrap().wait();
    assert_eq!(outcome.unwrap_err().node(), Some("late"));
    assert_eq!((sink.seen().len(), statistics.nodes["late"].errors), (10, 1));
    assert_adds_up(&statistics);
}

#[test]
fn when_the_last_sink_is_left_out_the_run_ends_with_its_error() {
    let mut graph = Graph::new();
    graph.add("numbers", Numbers::up_to(u64::MAX)).unwrap();
    for (name, room) in [("small", 7), ("large", 70)] {
        graph.add(name, Disk { room }).unwrap();
        graph.connect("numbers", name).unwrap();
    }
    let error = offline().run(graph).unwrap_err();
    assert_eq!((error.node(), error.kind()), (Some("small"), ErrorKind::Io));
}

#[test]
fn a_failing_set_up_is_handled_by_the_policy_too() {
    /// Cannot be set up.
    struct Hopeless;
    impl Filter<Number, Number> for Hopeless {
        fn setup(&mut self, _: &mut Context<'_>) -> Result<()> {
            Err(Error::new(ErrorKind::Unsupported, "not on this machine"))
        }
        fn process(&mut self, number: Number, _: &mut Context<'_>) -> Result<Number> {
            Ok(number)
        }
    }
    let run = |policy| {
        let sink = Collect::default();
        let mut graph = Graph::new();
        graph.chain((Numbers::up_to(10), Hopeless, sink.clone())).unwrap();
        graph.on_failure("hopeless", policy).unwrap();
        (offline().run(graph), sink.seen().len())
    };
    let (outcome, seen) = run(FailurePolicy::Bypass);
    assert_eq!((outcome.unwrap().nodes["hopeless"].bypassed, seen), (10, 10));
    for policy in [FailurePolicy::Stop, quick(Some(2))] {
        let (outcome, seen) = run(policy);
        assert_eq!((outcome.unwrap_err().kind(), seen), (ErrorKind::Unsupported, 0), "{policy}");
    }
}

#[test]
fn stopping_ends_a_backoff_at_once() {
    for mode in [Mode::Live, Mode::Offline] {
        let (mut graph, _, _) = fork(Faulty::new(How::Error, 5..u64::MAX), FailurePolicy::Stop, 100);
        let hour = Duration::from_secs(3600);
        let restart = Restart { first_delay: hour, longest_delay: hour, limit: None };
        graph.on_failure("faulty", FailurePolicy::Restart(restart)).unwrap();
        let running = Runtime::new(RuntimeOptions { mode, ..options() }).start(graph).unwrap();
        eventually("it fails", || running.statistics().nodes["faulty"].errors == 1);
        running.stop(Stop::Drain);
        assert!(running.wait_for(Duration::from_secs(20)), "{mode:?}");
        let (statistics, outcome) = running.wait();
        assert_eq!(outcome.unwrap_err().node(), Some("faulty"), "{mode:?}: it is missed");
        assert_adds_up(&statistics);
    }
}

#[test]
fn events_come_at_once_and_to_everybody() {
    let (graph, _, _) = fork(Faulty::new(How::Error, 5..6), FailurePolicy::Bypass, u64::MAX);
    let running = offline().start(graph).unwrap();
    let mut events = running.events();
    let event = events.next(Duration::from_secs(20)).unwrap();
    assert!(!running.is_over(), "it was told while the run goes on");
    assert_eq!(&*event.node, "faulty");
    assert_eq!(
        running.events().next(Duration::from_secs(20)).unwrap().time,
        event.time,
        "another reader reads from the beginning"
    );
    running.stop(Stop::Discard);
    assert!(events.next(Duration::from_secs(20)).is_none(), "the run is over");
}
