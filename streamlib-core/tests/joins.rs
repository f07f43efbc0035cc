//! Processors of several inputs: aligned by time, or taking the latest. Needs no GPU.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamlib_core::*;
use support::{assert_adds_up, offline, options};

/// Captured at so many milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stamped(i64);

impl Message for Stamped {
    fn time(&self) -> Option<Timestamp> {
        Some(Timestamp::from_nanos(self.0 * 1_000_000))
    }
}

/// Gives these.
struct Given(std::vec::IntoIter<i64>);

impl Given {
    fn new(times: impl IntoIterator<Item = i64>) -> Self {
        Self(times.into_iter().collect::<Vec<_>>().into_iter())
    }
}

impl Source<Stamped> for Given {
    fn produce(&mut self, _: &mut Context<'_>) -> Result<Next<Stamped>> {
        Ok(self.0.next().map_or(Next::End, |time| Next::Item(Stamped(time))))
    }
}

/// What a join was called with.
type Seen = Arc<Mutex<Vec<(Option<i64>, Option<i64>)>>>;

struct Join {
    pairings: [Pairing; 2],
    capacity: usize,
    left: In<Stamped>,
    right: In<Stamped>,
    seen: Seen,
}

impl Processor for Join {
    fn ports(&mut self, ports: &mut Ports) {
        let [left, right] = self.pairings;
        let options = InputOptions { delivery: Delivery::Block(self.capacity), ..Default::default() };
        self.left = ports.input(InputOptions { name: "left", pairing: left, ..options });
        self.right = ports.input(InputOptions { name: "right", pairing: right, ..options });
    }
    fn process(&mut self, cx: &mut Context<'_>) -> Result<Flow> {
        let mut take = |input, pairing| {
            if pairing == Pairing::Latest { cx.latest::<Stamped>(input) } else { cx.take(input) }.map(|message| message.0)
        };
        let pair = (take(self.left, self.pairings[0]), take(self.right, self.pairings[1]));
        self.seen.lock().unwrap().push(pair);
        Ok(Flow::Continue)
    }
}

fn join(pairings: [Pairing; 2], left: impl IntoIterator<Item = i64>, right: impl IntoIterator<Item = i64>) -> (Graph, Seen) {
    join_with(4, pairings, left, right)
}

fn join_with(
    capacity: usize,
    pairings: [Pairing; 2],
    left: impl IntoIterator<Item = i64>,
    right: impl IntoIterator<Item = i64>,
) -> (Graph, Seen) {
    let seen = Seen::default();
    let mut graph = Graph::new();
    graph.add("left", Given::new(left)).unwrap();
    graph.add("right", Given::new(right)).unwrap();
    graph.add("join", Join { pairings, capacity, left: In::default(), right: In::default(), seen: seen.clone() }).unwrap();
    graph.connect("left", "join.left").unwrap();
    graph.connect("right", "join.right").unwrap();
    (graph, seen)
}

fn aligned(tolerance_ms: u64) -> Pairing {
    Pairing::Aligned { tolerance: Duration::from_millis(tolerance_ms) }
}

fn pairs(seen: &Seen) -> Vec<(i64, i64)> {
    seen.lock().unwrap().iter().map(|(left, right)| (left.unwrap(), right.unwrap())).collect()
}

/// What had no partner; what comes after the other side's end may find the join closed.
fn unmatched(statistics: &Statistics) -> (u64, u64) {
    let of = |name: &str| {
        let dropped = statistics.links[name].counts.dropped;
        dropped.unmatched + dropped.closed
    };
    (of("left.out->join.left"), of("right.out->join.right"))
}

#[test]
fn equal_times_meet_and_what_has_no_partner_is_counted() {
    let left = (0..100).filter(|time| time % 3 != 0).collect::<Vec<_>>();
    let right = (0..100).filter(|time| time % 5 != 0).collect::<Vec<_>>();
    let both: Vec<_> = (0..100).filter(|time| time % 3 != 0 && time % 5 != 0).map(|time| (time, time)).collect();
    let lost = ((left.len() - both.len()) as u64, (right.len() - both.len()) as u64);
    let (graph, seen) = join([aligned(0); 2], left, right);
    let statistics = offline().run(graph).unwrap();
    assert_eq!(pairs(&seen), both);
    assert_eq!(unmatched(&statistics), lost);
    assert_adds_up(&statistics);
}

#[test]
fn the_nearest_within_the_tolerance_is_taken() {
    // 30 and 60 frames a second, which do not quite agree.
    let (graph, seen) = join([aligned(20); 2], [1, 34, 67, 100], [0, 16, 33, 50, 66, 83, 99, 116, 133]);
    let statistics = offline().run(graph).unwrap();
    assert_eq!(pairs(&seen), [(1, 0), (34, 33), (67, 66), (100, 99)]);
    assert_eq!(unmatched(&statistics).0, 0);
    assert_adds_up(&statistics);

    let (graph, seen) = join([aligned(2); 2], [10, 20, 30], [7, 18, 33]);
    let statistics = offline().run(graph).unwrap();
    assert_eq!(pairs(&seen), [(20, 18)]);
    assert_eq!(unmatched(&statistics), (2, 2));
}

#[test]
fn a_side_that_starts_late_or_ends_early_costs_only_its_partners() {
    let (graph, seen) = join([aligned(0); 2], 0..50, 20..30);
    let statistics = offline().run(graph).unwrap();
    assert_eq!(pairs(&seen), (20..30).map(|time| (time, time)).collect::<Vec<_>>());
    assert_adds_up(&statistics);
    let left = statistics.links["left.out->join.left"].counts;
    assert_eq!((left.received, left.dropped.unmatched + left.dropped.closed), (10, left.sent - 10));
}

#[test]
fn queues_of_one_message_do_not_wait_for_a_second() {
    let (left, right) = ((0..50).map(|number| 33 * number), (0..50).map(|number| 33 * number + 5));
    let (graph, seen) = join_with(1, [aligned(10); 2], left, right);
    let running = offline().start(graph).unwrap();
    assert!(running.wait_for(Duration::from_secs(20)), "it waits for ever");
    running.wait().1.unwrap();
    assert_eq!(pairs(&seen).len(), 50);
}

#[test]
fn live_too_every_pair_meets() {
    let (graph, seen) = join([aligned(0); 2], 0..500, 0..500);
    let statistics = Runtime::new(options()).run(graph).unwrap();
    assert_eq!(pairs(&seen).len(), 500);
    assert_adds_up(&statistics);
}

#[test]
fn a_latest_input_does_not_call_and_gives_its_newest() {
    let (graph, seen) = join([Pairing::Each, Pairing::Latest], 0..20, 0..3);
    let statistics = offline().run(graph).unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.iter().map(|(left, _)| left.unwrap()).collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
    assert!(seen.iter().map(|(_, right)| *right).is_sorted(), "{seen:?}");
    assert_adds_up(&statistics);
}

#[test]
fn messages_without_a_time_cannot_be_aligned() {
    use support::{Number, Numbers};

    struct Untimed(In<Number>, In<Number>);
    impl Processor for Untimed {
        fn ports(&mut self, ports: &mut Ports) {
            let options = InputOptions { pairing: aligned(0), ..Default::default() };
            self.0 = ports.input(InputOptions { name: "left", ..options });
            self.1 = ports.input(InputOptions { name: "right", ..options });
        }
        fn process(&mut self, _: &mut Context<'_>) -> Result<Flow> {
            Ok(Flow::Continue)
        }
    }
    let mut graph = Graph::new();
    graph.add("numbers", Numbers::up_to(9)).unwrap();
    graph.add("join", Untimed(In::default(), In::default())).unwrap();
    graph.connect("numbers", "join.left").unwrap();
    graph.connect("numbers", "join.right").unwrap();
    let error = offline().run(graph).unwrap_err();
    assert!(error.to_string().starts_with("node 'join': a message without a time came to an aligned input"), "{error}");
}
