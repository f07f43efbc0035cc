//! The runtime on processors without pictures: it needs no GPU.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use streamlib_core::*;
use support::*;

#[test]
fn a_chain_carries_everything_in_order() {
    let sink = Collect::default();
    let mut graph = Graph::new();
    graph.chain((Numbers::up_to(1000), add_one, add_one, sink.clone())).unwrap();
    let statistics = offline().run(graph).unwrap();
    assert_eq!(sink.seen(), (2..1002).collect::<Vec<_>>());
    assert_eq!(sink.finished.load(Ordering::SeqCst), 1);
    assert_adds_up(&statistics);
    assert_eq!(statistics.nodes["add-one"].processed, 1000);
    assert_eq!(statistics.links["numbers.out->add-one.in"].counts.received, 1000);
}

#[test]
fn offline_nothing_is_lost_between_threads() {
    for delivery in [Delivery::Latest, Delivery::DropOldest(2), Delivery::Block(3)] {
        let (first, second) = (Collect::threaded(delivery), Collect::threaded(Delivery::Latest));
        let mut graph = Graph::new();
        graph.add("numbers", Numbers::up_to(5000)).unwrap();
        graph.add("first", first.clone()).unwrap();
        graph.add("second", second.clone()).unwrap();
        graph.connect("numbers", "first").unwrap();
        graph.connect("numbers.out", "second.in").unwrap();
        assert_adds_up(&offline().run(graph).unwrap());
        assert_eq!(first.seen(), (0..5000).collect::<Vec<_>>());
        assert_eq!(second.seen(), (0..5000).collect::<Vec<_>>());
    }
}

#[test]
fn a_manual_clock_decides_what_happens_when() {
    let clock = ManualClock::default();
    let sink = Collect::default();
    let mut graph = Graph::new();
    graph.chain((Numbers::at(10), sink.clone())).unwrap();
    let running = Runtime::new(RuntimeOptions { clock: Some(clock.clone()), ..options() }).start(graph).unwrap();
    eventually("the first number is due at 0", || sink.seen() == [0]);
    clock.advance(Duration::from_millis(99));
    clock.advance(Duration::from_millis(1));
    eventually("the second is due at 100 ms", || sink.seen() == [0, 1]);
    clock.advance(Duration::from_millis(250));
    eventually("two more are due", || sink.seen() == [0, 1, 2, 3]);
    running.stop(Stop::Drain);
    let (statistics, outcome) = running.wait();
    outcome.unwrap();
    assert_adds_up(&statistics);
}

#[test]
fn every_sink_gets_exactly_the_frames_it_was_asked_for() {
    for frames in [1, 7, 100] {
        let (inline, threaded) = (Collect::default(), Collect::threaded(Delivery::DropOldest(4)));
        let mut graph = Graph::new();
        graph.add("numbers", Numbers::up_to(u64::MAX)).unwrap();
        graph.add("inline", inline.clone()).unwrap();
        graph.add("threaded", threaded.clone()).unwrap();
        graph.connect("numbers", "inline").unwrap();
        graph.connect("numbers", "threaded").unwrap();
        let statistics = Runtime::new(RuntimeOptions { frames: Some(frames), ..options() }).run(graph).unwrap();
        assert_eq!((inline.seen().len() as u64, threaded.seen().len() as u64), (frames, frames));
        assert_eq!(inline.finished.load(Ordering::SeqCst) + threaded.finished.load(Ordering::SeqCst), 2);
        assert_adds_up(&statistics);
    }
}

#[test]
fn a_run_ends_after_its_time() {
    let mut graph = Graph::new();
    graph.chain((Numbers::at(100), Collect::default())).unwrap();
    let runtime = Runtime::new(RuntimeOptions { duration: Some(Duration::from_millis(120)), ..options() });
    let statistics = runtime.run(graph).unwrap();
    assert!(statistics.seconds >= 0.12, "{}", statistics.seconds);
    assert_adds_up(&statistics);
}

#[test]
fn pausing_stops_sources_and_resuming_lets_them_go_on() {
    let clock = ManualClock::default();
    let start = |sink: &Collect| {
        let mut graph = Graph::new();
        graph.chain((Numbers::at(10), sink.clone())).unwrap();
        Runtime::new(RuntimeOptions { clock: Some(clock.clone()), ..options() }).start(graph).unwrap()
    };
    let (sink, other_sink) = (Collect::default(), Collect::default());
    let (running, other) = (start(&sink), start(&other_sink));
    eventually("both run", || sink.seen().len() == 1 && other_sink.seen().len() == 1);
    running.pause();
    clock.advance(Duration::from_secs(1));
    eventually("the other goes on", || other_sink.seen().len() == 11);
    assert_eq!(sink.seen(), [0], "it rests");
    running.resume();
    eventually("the rest comes", || sink.seen().len() == 11);
    for running in [running, other] {
        running.stop(Stop::Discard);
        assert_adds_up(&running.wait().0);
    }
}

/// Fails, or panics, at a number.
struct FailAt(u64, bool);

impl Filter<Number, Number> for FailAt {
    fn process(&mut self, number: Number, _: &mut Context<'_>) -> Result<Number> {
        match number.0 == self.0 {
            true if self.1 => panic!("number {} is evil", number.0),
            true => Err(Error::new(ErrorKind::Io, "the disk is full").hint("make room")),
            false => Ok(number),
        }
    }
}

#[test]
fn an_error_drains_the_graph_and_is_returned_with_its_node() {
    for panics in [false, true] {
        let sink = Collect::threaded(Delivery::Block(100));
        let mut graph = Graph::new();
        graph.add("numbers", Numbers::up_to(u64::MAX)).unwrap();
        graph.add("fragile", FailAt(20, panics)).unwrap();
        graph.add("sink", sink.clone()).unwrap();
        graph.connect("numbers", "fragile").unwrap();
        graph.connect("fragile", "sink").unwrap();
        let (statistics, outcome) = Runtime::new(options()).start(graph).unwrap().wait();
        let error = outcome.unwrap_err();
        assert_eq!(error.node(), Some("fragile"));
        match panics {
            true => assert!(error.kind() == ErrorKind::Panicked && error.to_string().contains("number 20 is evil")),
            false => assert_eq!(error.to_string(), "node 'fragile': the disk is full; make room"),
        }
        assert_eq!(sink.seen(), (0..20).collect::<Vec<_>>(), "what was made before reaches the sink");
        assert_eq!(sink.finished.load(Ordering::SeqCst), 1);
        assert_eq!(statistics.nodes["fragile"].errors, 1);
        assert_adds_up(&statistics);
    }
}

#[test]
fn an_error_in_setup_lets_nothing_flow() {
    struct Unready;
    impl Sink<Number> for Unready {
        fn setup(&mut self, _: &mut Context<'_>) -> Result<()> {
            Err(Error::new(ErrorKind::PermissionDenied, "no"))
        }
        fn consume(&mut self, _: Number, _: &mut Context<'_>) -> Result<()> {
            panic!("not set up")
        }
    }
    let sink = Collect::default();
    let mut graph = Graph::new();
    graph.add("numbers", Numbers::up_to(u64::MAX)).unwrap();
    graph.add("unready", Unready).unwrap();
    graph.add("sink", sink.clone()).unwrap();
    graph.connect("numbers", "unready").unwrap();
    graph.connect("numbers", "sink").unwrap();
    let error = Runtime::new(options()).run(graph).unwrap_err();
    assert_eq!((error.kind(), error.node()), (ErrorKind::PermissionDenied, Some("unready")));
    assert!(sink.seen().is_empty());
}

#[test]
fn a_processor_that_panics_while_it_is_dropped_ends_the_run() {
    struct Brittle;
    impl Sink<Number> for Brittle {
        fn consume(&mut self, _: Number, _: &mut Context<'_>) -> Result<()> {
            Ok(())
        }
    }
    impl Drop for Brittle {
        fn drop(&mut self) {
            panic!("it breaks");
        }
    }
    let mut graph = Graph::new();
    graph.add("numbers", Numbers::up_to(3)).unwrap();
    graph.add("brittle", Brittle).unwrap();
    graph.connect("numbers", "brittle").unwrap();
    let running = Runtime::new(options()).start(graph).unwrap();
    assert!(running.wait_for(Duration::from_secs(20)), "the run goes on for ever");
    let (statistics, outcome) = running.wait();
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Panicked);
    assert_adds_up(&statistics);
}

/// Blocks for ever in `produce` after some numbers, as a driver may.
struct Stuck(u64);

impl Source<Number> for Stuck {
    fn patience(&self) -> Option<Duration> {
        Some(Duration::from_millis(150))
    }
    fn produce(&mut self, _: &mut Context<'_>) -> Result<Next<Number>> {
        if self.0 == 5 {
            loop {
                std::thread::park();
            }
        }
        self.0 += 1;
        Ok(Next::Item(Number(self.0)))
    }
}

#[test]
fn a_stuck_source_is_given_up_and_the_rest_is_delivered() {
    let sink = Collect::threaded(Delivery::Block(10));
    let mut graph = Graph::new();
    graph.chain((Stuck(0), sink.clone())).unwrap();
    let (statistics, outcome) = Runtime::new(options()).start(graph).unwrap().wait();
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.node()), (ErrorKind::Stalled, Some("stuck")));
    assert_eq!(sink.seen(), [1, 2, 3, 4, 5]);
    assert_eq!(sink.finished.load(Ordering::SeqCst), 1);
    assert_adds_up(&statistics);
}

#[test]
fn a_source_that_comes_back_after_it_was_given_up_does_not_end_the_run_early() {
    struct Late(Arc<AtomicU64>);
    impl Source<Number> for Late {
        fn patience(&self) -> Option<Duration> {
            Some(Duration::from_millis(100))
        }
        fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<Number>> {
            if self.0.fetch_add(1, Ordering::SeqCst) == 3 {
                eventually("the run drains", || cx.is_stopping());
            }
            Ok(Next::Item(Number(self.0.load(Ordering::SeqCst))))
        }
    }
    /// Is slow to finish: the run must wait for it.
    #[derive(Clone, Default)]
    struct Slow(Arc<AtomicU64>);
    impl Sink<Number> for Slow {
        fn input(&self) -> InputOptions {
            InputOptions { delivery: Delivery::Block(10), ..Default::default() }
        }
        fn threading(&self) -> Threading {
            Threading::Own
        }
        fn consume(&mut self, _: Number, _: &mut Context<'_>) -> Result<()> {
            Ok(())
        }
        fn finish(&mut self, _: &mut Context<'_>) -> Result<()> {
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(300) {
                std::thread::park_timeout(Duration::from_millis(300));
            }
            self.0.store(1, Ordering::SeqCst);
            Ok(())
        }
    }
    let slow = Slow::default();
    let mut graph = Graph::new();
    graph.chain((Late(Arc::default()), slow.clone())).unwrap();
    let (statistics, outcome) = Runtime::new(options()).start(graph).unwrap().wait();
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Stalled);
    assert_eq!(slow.0.load(Ordering::SeqCst), 1, "the sink has finished");
    assert_adds_up(&statistics);
}

#[test]
fn a_filter_that_ends_ends_its_source() {
    #[derive(Default)]
    struct FirstFive(In<Number>, Out<Number>, u64);
    impl Processor for FirstFive {
        fn ports(&mut self, ports: &mut Ports) {
            self.0 = ports.input(InputOptions::default());
            self.1 = ports.output(OutputOptions::default());
        }
        fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
            if let Some(number) = cx.take(self.0) {
                cx.send(self.1, number);
                self.2 += 1;
            }
            Ok(if self.2 == 5 { Flow::End } else { Flow::Continue })
        }
    }
    let sink = Collect::default();
    let mut graph = Graph::new();
    graph.chain((Numbers::up_to(u64::MAX), add_one, FirstFive::default(), sink.clone())).unwrap();
    let running = offline().start(graph).unwrap();
    assert!(running.wait_for(Duration::from_secs(20)), "the source goes on for ever");
    assert_adds_up(&running.wait().0);
    assert_eq!(sink.seen(), [1, 2, 3, 4, 5]);
}

#[test]
fn a_join_whose_partner_has_ended_ends() {
    /// Takes one of each, together. Ends when there is no partner any more, if it looks.
    #[derive(Default)]
    struct Zip(In<Number>, In<Number>, Out<Number>, Option<Number>, bool);
    impl Processor for Zip {
        fn ports(&mut self, ports: &mut Ports) {
            let delivery = if self.4 { Delivery::Block(1) } else { Delivery::Block(16) };
            self.0 = ports.input(InputOptions { name: "a", delivery, ..Default::default() });
            self.1 = ports.input(InputOptions { name: "b", delivery, ..Default::default() });
            self.2 = ports.output(OutputOptions::default());
        }
        fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
            if self.3.is_none() {
                self.3 = cx.take(self.1);
            }
            if self.3.is_some()
                && let Some(number) = cx.take(self.0)
            {
                self.3 = None;
                cx.send(self.2, number);
            }
            let is_alone = self.4 && self.3.is_none() && cx.is_exhausted(self.1);
            Ok(if is_alone { Flow::End } else { Flow::Continue })
        }
    }
    for looks in [false, true] {
        let sink = Collect::default();
        let mut graph = Graph::new();
        graph.add("long", Numbers::up_to(10)).unwrap();
        graph.add("short", Numbers::up_to(7)).unwrap();
        graph.add("zip", Zip { 4: looks, ..Default::default() }).unwrap();
        graph.add("sink", sink.clone()).unwrap();
        graph.connect("long", "zip.a").unwrap();
        graph.connect("short", "zip.b").unwrap();
        graph.connect("zip", "sink").unwrap();
        let running = offline().start(graph).unwrap();
        assert!(running.wait_for(Duration::from_secs(20)), "it waits for a partner that never comes");
        let (statistics, outcome) = running.wait();
        outcome.unwrap();
        assert_adds_up(&statistics);
        assert_eq!(sink.seen(), (0..7).collect::<Vec<_>>());
    }
}

#[test]
fn deadlines_may_be_for_ever() {
    let mut graph = Graph::new();
    graph.chain((Numbers::up_to(3), Collect::default())).unwrap();
    let forever = Duration::MAX;
    let options =
        RuntimeOptions { drain_deadline: forever, duration: Some(forever), max_in_flight: Some(usize::MAX), ..options() };
    let running = Runtime::new(options).start(graph).unwrap();
    running.stop(Stop::Drain);
    assert!(running.wait_for(forever));
}

/// Takes the latest of two inputs whenever one has something new.
#[derive(Default)]
struct Join {
    left: In<Number>,
    right: In<Number>,
    out: Out<Number>,
}

impl Processor for Join {
    fn ports(&mut self, ports: &mut Ports) {
        self.left = ports.input(InputOptions { name: "left", ..Default::default() });
        self.right = ports.input(InputOptions { name: "right", delivery: Delivery::Block(4), ..Default::default() });
        self.out = ports.output(OutputOptions::default());
    }
    fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        let left = cx.latest(self.left);
        while let Some(right) = cx.take(self.right) {
            cx.send(self.out, Number(left.as_ref().map_or(0, |left| left.0) * 1_000_000 + right.0));
        }
        Ok(Flow::Continue)
    }
}

#[test]
fn a_join_takes_the_latest_of_each_input() {
    let clock = ManualClock::default();
    let sink = Collect::default();
    let mut graph = Graph::new();
    graph.add("slow", Numbers::at(1)).unwrap();
    graph.add("fast", Numbers::at(4)).unwrap();
    graph.add("join", Join::default()).unwrap();
    graph.add("sink", sink.clone()).unwrap();
    graph.connect("slow", "join.left").unwrap();
    graph.connect("fast", "join.right").unwrap();
    graph.connect("join", "sink").unwrap();
    let running = Runtime::new(RuntimeOptions { clock: Some(clock.clone()), ..options() }).start(graph).unwrap();
    let received = |link: &str| running.statistics().links[link].counts.received;
    for step in 0..9u64 {
        let slow = step / 4 + 1;
        eventually("both have come", || received("slow.out->join.left") == slow && received("fast.out->join.right") == step + 1);
        clock.advance(Duration::from_millis(250));
    }
    eventually("the last has come", || sink.seen().len() >= 9);
    running.stop(Stop::Discard);
    assert_adds_up(&running.wait().0);
    let seen = sink.seen();
    // The slow one's first and the fast one's first are due at once: either may come first. The same at each whole second.
    for (step, number) in seen.iter().enumerate().filter(|(step, _)| step % 4 != 0).take(8) {
        assert_eq!(*number, (step as u64 / 4) * 1_000_000 + step as u64);
    }
}

#[test]
fn graphs_that_cannot_be_are_refused_by_name() {
    #[derive(Clone)]
    struct Other;
    impl Message for Other {}
    let mut graph = Graph::new();
    graph.add("numbers", Numbers::up_to(1)).unwrap();
    graph.add("other", |other: Other, _: &mut Context<'_>| Ok(other)).unwrap();
    graph.add("sink", Collect::default()).unwrap();
    let refused = |outcome: Result<()>| {
        let error = outcome.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::InvalidGraph | ErrorKind::InvalidArgument));
        error.to_string()
    };
    assert!(refused(graph.add("sink", Collect::default())).contains("two nodes of the name 'sink'"));
    assert!(refused(graph.add("a.b", Collect::default())).contains("'a.b'"));
    let types = refused(graph.connect("numbers", "other"));
    assert!(types.contains("numbers.out gives runtime::support::Number, but other.in takes"), "{types}");
    assert!(refused(graph.connect("nobody", "sink")).contains("no node 'nobody'; there is: numbers, other, sink"));
    assert!(refused(graph.connect("numbers.left", "sink")).contains("no output 'left'; it has: out"));
    assert!(refused(graph.connect("sink", "numbers")).contains("'sink' has no output"));
    assert!(refused(graph.connect_with("numbers", "sink", Delivery::Block(0))).contains("0 messages"));
    graph.connect("numbers", "sink").unwrap();
    assert!(refused(graph.connect("numbers", "sink")).contains("gets its messages from numbers.out already"));
    let unconnected = Runtime::new(options()).run(graph).unwrap_err();
    assert!(unconnected.to_string().contains("node 'other': input 'in' is not connected"), "{unconnected}");

    let mut cycle = Graph::new();
    cycle.add("a", add_one).unwrap();
    cycle.add("b", add_one).unwrap();
    cycle.connect("a", "b").unwrap();
    cycle.connect("b", "a").unwrap();
    assert!(Runtime::new(options()).run(cycle).unwrap_err().to_string().contains("cycle"));
    assert!(Runtime::new(options()).run(Graph::new()).unwrap_err().to_string().contains("no nodes"));
}

#[test]
fn what_needs_the_main_thread_gets_it() {
    struct Loop(Mutex<Option<std::thread::ThreadId>>, std::sync::Condvar);
    impl MainLoop for Loop {
        fn run(&self, is_over: &dyn Fn() -> bool) {
            let mut thread = self.0.lock().unwrap();
            *thread = Some(std::thread::current().id());
            while !is_over() {
                thread = self.1.wait_timeout(thread, Duration::from_secs(10)).unwrap().0;
            }
        }
        fn wake(&self) {
            let _thread = self.0.lock().unwrap();
            self.1.notify_all();
        }
    }
    struct Window(Arc<Loop>);
    impl Sink<Number> for Window {
        fn main_loop(&self) -> Option<Arc<dyn MainLoop>> {
            Some(self.0.clone())
        }
        fn consume(&mut self, _: Number, _: &mut Context<'_>) -> Result<()> {
            Ok(())
        }
    }
    let main_loop = Arc::new(Loop(Mutex::default(), std::sync::Condvar::new()));
    let graph = || {
        let mut graph = Graph::new();
        graph.chain((Numbers::up_to(3), Window(main_loop.clone()))).unwrap();
        graph
    };
    offline().run(graph()).unwrap();
    assert_eq!(*main_loop.0.lock().unwrap(), Some(std::thread::current().id()));
    assert_eq!(offline().start(graph()).err().unwrap().kind(), ErrorKind::Unsupported);
}

#[test]
fn nodes_count_for_themselves() {
    struct Odd(Counter);
    impl Sink<Number> for Odd {
        fn setup(&mut self, cx: &mut Context<'_>) -> Result<()> {
            self.0 = cx.counter("odd");
            Ok(())
        }
        fn consume(&mut self, number: Number, _: &mut Context<'_>) -> Result<()> {
            self.0.add(number.0 % 2);
            Ok(())
        }
    }
    let mut graph = Graph::new();
    graph.chain((Numbers::up_to(9), Odd(Counter::default()))).unwrap();
    let statistics = offline().run(graph).unwrap();
    assert_eq!(statistics.nodes["odd"].counters["odd"], 4);
    let json = serde_json::to_value(&statistics).unwrap();
    assert_eq!(json["links"]["numbers.out->odd.in"]["dropped"]["overflow"], 0);
    assert_eq!(json["links"]["numbers.out->odd.in"]["policy"], "direct");
    assert!(json["nodes"]["odd"]["process_us"]["p99"].is_number());
}

#[test]
fn ten_thousand_nodes_run_as_a_chain_and_as_a_fan() {
    const NODES: usize = 10_000;
    for is_chain in [true, false] {
        let mut graph = Graph::new();
        graph.add("0", Numbers::up_to(3)).unwrap();
        for node in 1..NODES {
            graph.add(node.to_string(), add_one).unwrap();
            let before = if is_chain { node - 1 } else { 0 };
            graph.connect(&before.to_string(), &node.to_string()).unwrap();
        }
        let sink = Collect::default();
        graph.add("sink", sink.clone()).unwrap();
        graph.connect(&(NODES - 1).to_string(), "sink").unwrap();
        let statistics = offline().run(graph).unwrap();
        assert_adds_up(&statistics);
        let passed = if is_chain { NODES as u64 - 1 } else { 1 };
        assert_eq!(sink.seen(), [passed, passed + 1, passed + 2]);
        assert_eq!(statistics.nodes["5000"].processed, 3);
    }
}
