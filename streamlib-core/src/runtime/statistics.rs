//! What a run did, in numbers.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::processor::Counter;
use crate::{Error, GpuStatistics, LinkCounts};

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
    /// Calls that failed or panicked, attempts to set it up again included.
    pub errors: u64,
    /// How often it was restarted.
    pub restarts: u64,
    /// Messages that went past it after it had failed, or while it was switched off.
    pub bypassed: u64,
    /// Why it failed last.
    pub last_error: Option<String>,
    /// How long calls took, apart from waiting for the clock or for room at the GPU.
    pub process_us: Percentiles,
    /// How long the GPU took for the passes that draw pixel shaders, one in eight of which is measured; none for other nodes, and where
    /// the adapter has no timestamps.
    pub gpu_us: Option<Percentiles>,
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
    errors: u64,
    restarts: u64,
    bypassed: u64,
    last_error: Option<Error>,
    nanos: Histogram<u32>,
    /// None before something was delivered: most nodes deliver nothing.
    latency_nanos: Option<Histogram<u64>>,
    /// None before a pass was measured.
    gpu_nanos: Option<Box<Histogram<u32>>>,
    counters: BTreeMap<&'static str, Counter>,
}

impl NodeMeter {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Numbers {
            processed: 0,
            errors: 0,
            restarts: 0,
            bypassed: 0,
            last_error: None,
            nanos: durations(),
            latency_nanos: None,
            gpu_nanos: None,
            counters: BTreeMap::new(),
        }))
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn processed(&self, took: Duration) {
        let mut numbers = self.numbers();
        numbers.processed += 1;
        numbers.nanos.saturating_record(took.as_nanos() as u64);
    }

    pub(crate) fn failed(&self, error: &Error) {
        let mut numbers = self.numbers();
        numbers.errors += 1;
        numbers.last_error = Some(error.clone());
    }

    pub(crate) fn restarted(&self) {
        self.numbers().restarts += 1;
    }

    pub(crate) fn bypassed(&self) {
        self.numbers().bypassed += 1;
    }

    pub(crate) fn delivered(&self, latency: Duration) {
        let mut numbers = self.numbers();
        numbers.latency_nanos.get_or_insert_with(latencies).saturating_record(latency.as_nanos() as u64);
    }

    pub(crate) fn gpu_took(&self, time: Duration) {
        let mut numbers = self.numbers();
        numbers.gpu_nanos.get_or_insert_with(|| Box::new(durations())).saturating_record(time.as_nanos() as u64);
    }

    pub(crate) fn counter(&self, name: &'static str) -> Counter {
        self.numbers().counters.entry(name).or_default().clone()
    }

    pub(crate) fn statistics(&self) -> NodeStatistics {
        let numbers = self.numbers();
        let percentiles = |nanos: &Histogram<u32>| {
            let percentile = |percent| nanos.value_at_quantile(percent) as f64 / 1e3;
            Percentiles { p50: percentile(0.5), p99: percentile(0.99) }
        };
        NodeStatistics {
            processed: numbers.processed,
            errors: numbers.errors,
            restarts: numbers.restarts,
            bypassed: numbers.bypassed,
            last_error: numbers.last_error.as_ref().map(ToString::to_string),
            process_us: percentiles(&numbers.nanos),
            gpu_us: numbers.gpu_nanos.as_deref().map(percentiles),
            counters: numbers.counters.iter().map(|(name, counter)| (*name, counter.get())).collect(),
        }
    }

    /// `None` when nothing was delivered.
    pub(crate) fn latency(&self) -> Option<Latency> {
        let numbers = self.numbers();
        let nanos = numbers.latency_nanos.as_ref()?;
        let millis = |nanos: u64| nanos as f64 / 1e6;
        let percentile = |percent| millis(nanos.value_at_quantile(percent));
        Some(Latency { p50: percentile(0.5), p99: percentile(0.99), max: millis(nanos.max()) })
    }
}

/// Ten minutes.
const LONGEST: u64 = 600_000_000_000;

/// Coarse and small, because every node has one and large graphs would not fit into the caches: a quarter of a microsecond to
/// ten minutes, to one digit.
fn durations() -> Histogram<u32> {
    Histogram::new_with_bounds(256, LONGEST, 1).unwrap_or_else(|_| unreachable!("the bounds are valid constants"))
}

/// A nanosecond to ten minutes, to two digits.
fn latencies() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 2).unwrap_or_else(|_| unreachable!("the bounds are valid constants"))
}
