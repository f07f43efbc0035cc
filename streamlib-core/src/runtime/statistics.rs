//! What a run did, in numbers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::processor::Counter;
use crate::{GpuStatistics, LinkCounts};

/// What a run did, or has done so far. Serialises to the JSON object that `--stats` writes.
#[derive(Clone, Debug, Serialize)]
pub struct Statistics {
    /// The version of streamlib.
    pub version: &'static str,
    /// How long the run took, without set-up.
    pub seconds: f64,
    /// The wall time of timestamp 0, in nanoseconds of Unix time; none under a manual clock.
    pub unix_origin_ns: Option<u64>,
    /// Every node, those that the plan inserted too.
    pub nodes: BTreeMap<String, NodeStatistics>,
    /// Every link by `A.port->B.port`.
    pub links: BTreeMap<String, LinkStatistics>,
    /// Latency at each sink that delivers frames.
    pub latency_ms: BTreeMap<String, Latency>,
    /// The GPU; none if the graph had no use for one.
    pub gpu: Option<GpuStatistics>,
}

/// A node's numbers.
#[derive(Clone, Debug, Serialize)]
pub struct NodeStatistics {
    /// Calls that went well.
    pub processed: u64,
    /// Calls that failed.
    pub errors: u64,
    /// How long calls took on the CPU, waiting included.
    pub process_us: Percentiles,
    /// What the node counts itself.
    pub counters: BTreeMap<&'static str, u64>,
}

/// Microseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Percentiles {
    /// The median.
    pub p50: f64,
    /// What 99 of 100 stay below.
    pub p99: f64,
}

/// Milliseconds from capture to delivery: to GPU completion, presentation or the written packet, as the sink says.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// What 99 of 100 stay below.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// A link's account and its transport.
#[derive(Clone, Debug, Serialize)]
pub struct LinkStatistics {
    /// The account.
    #[serde(flatten)]
    pub counts: LinkCounts,
    /// `direct`, or the delivery policy.
    pub policy: String,
}

impl Statistics {
    /// The links whose account does not add up: none, or there is a bug.
    pub fn unbalanced_links(&self) -> Vec<&str> {
        self.links.iter().filter(|(_, link)| !link.counts.adds_up()).map(|(name, _)| &**name).collect()
    }
}

/// A node's numbers as they are gathered. One thread writes; readers copy.
pub(crate) struct NodeMeter(Mutex<Numbers>);

pub(crate) struct Numbers {
    pub(crate) processed: u64,
    pub(crate) errors: u64,
    nanos: Histogram<u64>,
    latency_nanos: Histogram<u64>,
    counters: BTreeMap<&'static str, Counter>,
}

impl NodeMeter {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Numbers {
            processed: 0,
            errors: 0,
            nanos: histogram(),
            latency_nanos: histogram(),
            counters: BTreeMap::new(),
        })))
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn processed(&self, took: Duration) {
        let mut numbers = self.numbers();
        numbers.processed += 1;
        numbers.nanos.saturating_record(took.as_nanos() as u64);
    }

    pub(crate) fn failed(&self) {
        self.numbers().errors += 1;
    }

    pub(crate) fn delivered(&self, latency: Duration) {
        self.numbers().latency_nanos.saturating_record(latency.as_nanos() as u64);
    }

    pub(crate) fn counter(&self, name: &'static str) -> Counter {
        self.numbers().counters.entry(name).or_default().clone()
    }

    pub(crate) fn statistics(&self) -> NodeStatistics {
        let numbers = self.numbers();
        let percentile = |percent| numbers.nanos.value_at_quantile(percent) as f64 / 1e3;
        NodeStatistics {
            processed: numbers.processed,
            errors: numbers.errors,
            process_us: Percentiles { p50: percentile(0.5), p99: percentile(0.99) },
            counters: numbers.counters.iter().map(|(name, counter)| (*name, counter.get())).collect(),
        }
    }

    /// `None` when nothing was delivered.
    pub(crate) fn latency(&self) -> Option<Latency> {
        let numbers = self.numbers();
        if numbers.latency_nanos.is_empty() {
            return None;
        }
        let millis = |nanos: u64| nanos as f64 / 1e6;
        let percentile = |percent| millis(numbers.latency_nanos.value_at_quantile(percent));
        Some(Latency { p50: percentile(0.5), p99: percentile(0.99), max: millis(numbers.latency_nanos.max()) })
    }
}

/// From 1 ns to 10 minutes in steps of at most 1%; about 30 KB, allocated once.
fn histogram() -> Histogram<u64> {
    const HIGHEST: u64 = 600_000_000_000;
    Histogram::new_with_bounds(1, HIGHEST, 2).unwrap_or_else(|_| unreachable!("the bounds are valid constants"))
}
