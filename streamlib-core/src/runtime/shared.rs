//! What the threads of one run share: its state, its clock, its meters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;
use crossbeam::sync::Unparker;

use super::clock::Clock;
use super::events::{EventLog, RunEvent, RunEventKind};
use super::statistics::NodeMeter;
use super::tuner::Tuner;
use super::{Gpu, RuntimeOptions};
use crate::plan::Mode;
use crate::{Error, ErrorKind, GpuContext, Result, VideoFormat};

/// Where a run is. It only ever moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Processors are being set up; nothing flows.
    Starting,
    /// Frames flow.
    Running,
    /// Sources have ended, the rest is carried to the sinks.
    Draining,
    /// What waits is thrown away.
    Discarding,
}

/// What segments tell the supervisor.
pub(crate) enum Event {
    /// The segment's processors are set up.
    Ready,
    /// A processor failed; the run ends.
    Failed(Error),
    /// A sink has had all the frames it was asked for.
    SinkSatisfied,
    /// A node failed, and the run goes on without it.
    LeftOut { error: Error, is_sink: bool },
    /// The segment's thread is about to end.
    Finished(usize),
    /// Somebody wants the run to move on to this phase.
    Stop(Phase),
}

/// What a segment is doing, for the watchdog.
pub(crate) struct Activity {
    epoch: Instant,
    /// Nanoseconds since `epoch`, plus one; 0 when no processor is being called.
    since: AtomicU64,
    node: AtomicUsize,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self { epoch: Instant::now(), since: AtomicU64::new(0), node: AtomicUsize::new(0) }
    }

    pub(crate) fn begin(&self, node: usize, now: Instant) {
        self.node.store(node, Ordering::Relaxed);
        self.since.store(now.saturating_duration_since(self.epoch).as_nanos() as u64 + 1, Ordering::Release);
    }

    pub(crate) fn end(&self) {
        self.since.store(0, Ordering::Release);
    }

    /// Which node is being called and for how long.
    pub(crate) fn current(&self) -> Option<(usize, Duration)> {
        let since = self.since.load(Ordering::Acquire).checked_sub(1)?;
        Some((self.node.load(Ordering::Relaxed), self.epoch.elapsed().saturating_sub(Duration::from_nanos(since))))
    }
}

pub(crate) struct Shared {
    phase: AtomicU8,
    paused: AtomicBool,
    pub(crate) clock: Clock,
    pub(crate) mode: Mode,
    /// Submissions that a segment may have outstanding.
    pub(crate) max_in_flight: usize,
    pub(crate) options: RuntimeOptions,
    pub(crate) meters: Vec<NodeMeter>,
    pub(crate) activities: Vec<Activity>,
    pub(crate) events: Sender<Event>,
    pub(crate) started: OnceLock<Instant>,
    pub(crate) ended: OnceLock<Instant>,
    /// How many nodes have closed their inputs: when it changes, producers look whether they are still wanted.
    pub(crate) closures: AtomicU64,
    /// For each node, the parameters that can be set.
    pub(crate) tuners: Vec<Tuner>,
    /// For each node, whether it is switched on; `None` if it cannot be switched.
    pub(crate) switches: Vec<Option<AtomicBool>>,
    /// What sources said of the frames to come.
    pub(crate) announced: Mutex<HashMap<usize, VideoFormat>>,
    /// How many times parameters were set: when it changes, segments look for theirs.
    pub(crate) tuned: AtomicU64,
    pub(crate) log: Arc<EventLog>,
    /// The device of this run, once it has asked for one; a device that is lost meanwhile stays this run's.
    gpu: OnceLock<GpuContext>,
    runtimes_gpu: Arc<Gpu>,
    /// What the graph's processors need of it.
    features: wgpu::Features,
    /// Segments whose own processors are not set up yet.
    unprepared: AtomicUsize,
    wakers: Mutex<Vec<Unparker>>,
    /// Writes the GPU's cache while frames flow.
    saving: Mutex<Option<JoinHandle<()>>>,
}

impl Shared {
    /// Whether messages go past a node because somebody has switched it off.
    pub(crate) fn is_off(&self, node: usize) -> bool {
        self.switches[node].as_ref().is_some_and(|switch| !switch.load(Ordering::Relaxed))
    }

    pub(crate) fn new(
        options: RuntimeOptions,
        gpu: Arc<Gpu>,
        features: wgpu::Features,
        tuners: Vec<Tuner>,
        switches: Vec<Option<AtomicBool>>,
        segments: usize,
        events: Sender<Event>,
    ) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Starting as u8),
            paused: AtomicBool::new(false),
            clock: Clock::new(options.clock.as_ref()),
            mode: options.mode,
            max_in_flight: options.max_in_flight.unwrap_or(if options.mode == Mode::Live { 1 } else { 3 }).max(1),
            options,
            meters: tuners.iter().map(|_| NodeMeter::new()).collect(),
            activities: (0..segments).map(|_| Activity::new()).collect(),
            events,
            started: OnceLock::new(),
            ended: OnceLock::new(),
            closures: AtomicU64::new(0),
            tuners,
            switches,
            announced: Mutex::default(),
            tuned: AtomicU64::new(0),
            log: Arc::default(),
            gpu: OnceLock::new(),
            runtimes_gpu: gpu,
            features,
            unprepared: AtomicUsize::new(segments),
            wakers: Mutex::default(),
            saving: Mutex::default(),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Running,
            2 => Phase::Draining,
            _ => Phase::Discarding,
        }
    }

    /// Moves on to `phase`, never back, and wakes everybody.
    pub(crate) fn advance_to(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
        self.wake_all();
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire)
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
        self.wake_all();
    }

    /// Tells those who read the run's events.
    pub(crate) fn announce(&self, node: Arc<str>, kind: RunEventKind) {
        self.log.tell(RunEvent { time: self.clock.now(), node, kind });
    }

    /// Sets parameters of a node: checks them now; its thread takes them between two frames.
    pub(crate) fn set_parameters(&self, node: usize, changes: &serde_json::Value) -> Result<()> {
        self.tuners[node].set(changes)?;
        self.tuned.fetch_add(1, Ordering::AcqRel);
        self.wake_all();
        Ok(())
    }

    pub(crate) fn tell(&self, event: Event) {
        // The supervisor is gone only when the run is over; then nobody needs to know.
        let _ = self.events.send(event);
    }

    pub(crate) fn gpu(&self) -> Result<&GpuContext> {
        if self.gpu.get().is_none() {
            let _ = self.gpu.set(self.runtimes_gpu.get(&self.options.gpu, self.features)?);
        }
        self.gpu.get().ok_or_else(|| Error::new(ErrorKind::NoAdapter, "there is no GPU"))
    }

    /// A segment has set up what the graph names; what the plan has inserted is still to come.
    pub(crate) fn note_prepared(&self) {
        if self.unprepared.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.wake_all();
        }
    }

    /// Whether every segment has: then all is announced that will be.
    pub(crate) fn is_prepared(&self) -> bool {
        self.unprepared.load(Ordering::Acquire) == 0
    }

    /// Keeps what was compiled, if anything was. Afterwards no thread of the run's has the GPU in its hands: a program that ended
    /// then would crash in the driver.
    pub(crate) fn save_gpu_cache(&self) {
        let saving = self.saving.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(saving) = saving {
            // That it panicked was printed.
            let _ = saving.join();
        }
        self.opened_gpu().into_iter().for_each(GpuContext::save_cache);
    }

    /// The same, without waiting for the disk: it survives whatever ends the process later.
    pub(crate) fn save_gpu_cache_aside(&self) {
        if let Some(gpu) = self.opened_gpu().cloned() {
            let spawned = std::thread::Builder::new().name("streamlib-cache".into()).spawn(move || gpu.save_cache());
            match spawned {
                Ok(saving) => *self.saving.lock().unwrap_or_else(PoisonError::into_inner) = Some(saving),
                Err(error) => tracing::debug!(%error, "the GPU cache is written at the end"),
            }
        }
    }

    pub(crate) fn opened_gpu(&self) -> Option<&GpuContext> {
        self.gpu.get()
    }

    pub(crate) fn wake_on_change(&self, waker: Unparker) {
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
    }

    pub(crate) fn wake_all(&self) {
        for waker in &*self.wakers.lock().unwrap_or_else(PoisonError::into_inner) {
            waker.unpark();
        }
    }
}
