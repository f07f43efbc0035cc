//! Processors of numbers, which need no GPU, and what tests of runs share.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use streamlib_core::*;

#[derive(Clone, Debug, PartialEq)]
pub struct Number(pub u64);

impl Message for Number {}

/// Counts from 0, so many times; waits for the clock if it has a rate.
pub struct Numbers {
    pub count: u64,
    pub next: u64,
    pub rate: Option<FrameRate>,
}

impl Numbers {
    pub fn up_to(count: u64) -> Self {
        Self { count, next: 0, rate: None }
    }

    pub fn at(rate: u32) -> Self {
        Self { count: u64::MAX, next: 0, rate: Some(FrameRate::new(rate, 1).unwrap()) }
    }
}

impl Source<Number> for Numbers {
    fn produce(&mut self, cx: &mut Context<'_>) -> Result<Next<Number>> {
        if self.next == self.count {
            return Ok(Next::End);
        }
        if let Some(rate) = self.rate
            && !cx.wait_until(rate.timestamp_of(self.next))
        {
            return Ok(Next::Skip);
        }
        self.next += 1;
        Ok(Next::Item(Number(self.next - 1)))
    }
}

/// Keeps what it gets, for the test to see.
#[derive(Clone, Default)]
pub struct Collect {
    pub seen: Arc<Mutex<Vec<u64>>>,
    pub finished: Arc<AtomicU64>,
    pub own_thread: bool,
    pub delivery: Option<Delivery>,
}

impl Collect {
    pub fn threaded(delivery: Delivery) -> Self {
        Self { own_thread: true, delivery: Some(delivery), ..Self::default() }
    }

    pub fn seen(&self) -> Vec<u64> {
        self.seen.lock().unwrap().clone()
    }
}

impl Sink<Number> for Collect {
    fn input(&self) -> InputOptions {
        InputOptions { delivery: self.delivery.unwrap_or(Delivery::Latest), ..Default::default() }
    }
    fn threading(&self) -> Threading {
        if self.own_thread { Threading::Own } else { Threading::Shared }
    }
    fn consume(&mut self, number: Number, _: &mut Context<'_>) -> Result<()> {
        self.seen.lock().unwrap().push(number.0);
        Ok(())
    }
    fn finish(&mut self, _: &mut Context<'_>) -> Result<()> {
        self.finished.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

pub fn add_one(number: Number, _: &mut Context<'_>) -> Result<Number> {
    Ok(Number(number.0 + 1))
}

pub fn options() -> RuntimeOptions {
    RuntimeOptions { stop_on_signals: false, ..Default::default() }
}

pub fn offline() -> Runtime {
    Runtime::new(RuntimeOptions { mode: Mode::Offline, ..options() })
}

pub fn assert_adds_up(statistics: &Statistics) {
    assert_eq!(statistics.unbalanced_links(), Vec::<&str>::new());
    assert!(statistics.links.values().all(|link| link.counts.queued == 0), "{:?}", statistics.links);
}

/// Waits for a condition with a deadline.
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::yield_now();
    }
}
