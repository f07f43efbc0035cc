//! What a segment's thread provides to the processors that it calls.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crossbeam::sync::Parker;

use super::shared::{Event, Phase, Shared};
use crate::plan::Mode;
use crate::processor::{Counter, Environment, StopHandle};
use crate::{GpuContext, Result, Timestamp, VideoFormat};

pub(super) struct SegmentEnvironment {
    pub(super) shared: Arc<Shared>,
    /// The one thing on which the thread ever sleeps: messages, room in a queue, GPU progress, the clock and changes of phase
    /// all unpark it.
    pub(super) parker: Parker,
    /// Submissions that the GPU has not finished, oldest first.
    in_flight: RefCell<VecDeque<u64>>,
    waker_on_timeline: Cell<Option<u64>>,
    has_asked: Cell<bool>,
    /// How long the thread has slept for the clock or the GPU on a processor's behalf.
    waited: Cell<Duration>,
}

impl SegmentEnvironment {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let parker = Parker::new();
        shared.wake_on_change(parker.unparker().clone());
        shared.clock.wake_on_advance(parker.unparker().clone());
        let in_flight = RefCell::new(VecDeque::with_capacity(16));
        Self {
            shared,
            parker,
            in_flight,
            waker_on_timeline: Cell::new(None),
            has_asked: Cell::default(),
            waited: Cell::default(),
        }
    }

    pub(super) fn is_discarding(&self) -> bool {
        self.shared.phase() == Phase::Discarding
    }

    /// Remembers a submission, so that the number outstanding stays bounded.
    pub(super) fn submitted(&self, submission: u64) {
        self.watch_gpu();
        self.in_flight.borrow_mut().push_back(submission);
    }

    /// Has the thread woken by the GPU's progress from now on.
    pub(super) fn watch_gpu(&self) {
        if self.waker_on_timeline.get().is_none()
            && let Some(gpu) = self.shared.opened_gpu()
        {
            self.waker_on_timeline.set(Some(gpu.timeline().wake_on_progress(self.parker.unparker().clone())));
        }
    }

    /// How long the thread has slept since the last call.
    pub(super) fn take_waited(&self) -> Duration {
        self.waited.take()
    }

    /// Sleeps until woken, on a processor's behalf.
    fn sleep(&self, until: Option<Instant>) {
        let begin = Instant::now();
        match until {
            Some(instant) => self.parker.park_deadline(instant),
            None => self.parker.park(),
        }
        self.waited.set(self.waited.get() + begin.elapsed());
    }

    pub(super) fn forget_asking(&self) {
        self.has_asked.set(false);
    }

    /// Whether a processor has asked since whether there is room.
    pub(super) fn has_asked_for_room(&self) -> bool {
        self.has_asked.get()
    }

    /// Whether fewer than `max_in_flight` submissions are outstanding. On a lost device there is room: the next submission says so.
    pub(super) fn has_room(&self) -> bool {
        let Some(gpu) = self.shared.opened_gpu() else { return true };
        if gpu.timeline().check_alive().is_err() {
            return true;
        }
        let mut in_flight = self.in_flight.borrow_mut();
        while in_flight.front().is_some_and(|submission| gpu.timeline().is_complete(*submission)) {
            in_flight.pop_front();
        }
        in_flight.len() < self.shared.max_in_flight
    }

    /// Sleeps until there is room, or the run discards.
    pub(super) fn wait_for_room(&self) {
        while !self.has_room() && !self.is_discarding() {
            self.sleep(None);
        }
    }
}

impl Drop for SegmentEnvironment {
    fn drop(&mut self) {
        if let (Some(waker), Some(gpu)) = (self.waker_on_timeline.get(), self.shared.opened_gpu()) {
            gpu.timeline().forget(waker);
        }
    }
}

impl Environment for SegmentEnvironment {
    fn gpu(&self) -> Result<&GpuContext> {
        self.shared.gpu()
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn timestamp_of(&self, instant: Instant) -> Timestamp {
        self.shared.clock.timestamp_of(instant)
    }

    fn wait_until(&self, time: Timestamp) -> bool {
        loop {
            if self.is_stopping() {
                return false;
            }
            let is_paused = self.shared.is_paused();
            if !is_paused && (self.is_offline() || self.now() >= time) {
                return true;
            }
            self.sleep(self.shared.clock.instant_of(time).filter(|_| !is_paused));
        }
    }

    fn is_stopping(&self) -> bool {
        self.shared.phase() >= Phase::Draining
    }

    fn is_offline(&self) -> bool {
        self.shared.mode == Mode::Offline
    }

    fn admit(&self, until: Timestamp) -> bool {
        self.has_asked.set(true);
        while !self.has_room() {
            if self.is_discarding() || !self.is_offline() && self.now() >= until {
                return false;
            }
            self.sleep(self.shared.clock.instant_of(until).filter(|_| !self.is_offline()));
        }
        true
    }

    fn counter(&self, node: usize, name: &'static str) -> Counter {
        self.shared.meters[node].counter(name)
    }

    fn record_latency(&self, node: usize, latency: Duration) {
        self.shared.meters[node].delivered(latency);
    }

    fn announce(&self, node: usize, format: VideoFormat) {
        self.shared.announced.lock().unwrap_or_else(PoisonError::into_inner).insert(node, format);
    }

    fn announced(&self, node: usize) -> Option<VideoFormat> {
        self.shared.announced.lock().unwrap_or_else(PoisonError::into_inner).get(&node).copied()
    }

    fn record_gpu_time(&self, node: usize, time: Duration) {
        self.shared.meters[node].gpu_took(time);
    }

    fn stop_handle(&self) -> StopHandle {
        // Weak, so that a kept handle does not keep the run's threads' state alive.
        let shared = Arc::downgrade(&self.shared);
        StopHandle(Arc::new(move || {
            if let Some(shared) = shared.upgrade() {
                shared.tell(Event::Stop(Phase::Draining));
            }
        }))
    }
}
