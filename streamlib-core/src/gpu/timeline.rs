//! The order of submissions, and the one thread that waits for the GPU.
//!
//! Every submission gets the next number. "Has the GPU written this frame?" is "has its number been completed?".

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded};
use crossbeam::sync::Unparker;

use crate::time::deadline_after;
use crate::{Error, ErrorKind, Result};

/// How long the GPU may take for a submission before it is taken to hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Submissions whose completion times are remembered.
const REMEMBERED: usize = 1024;

/// When the GPU will have written a frame: a submission of one device.
///
/// Tokens of a device that was lost are void: asking one is [`ErrorKind::DeviceLost`].
#[derive(Clone)]
pub struct ReadyToken {
    timeline: Arc<Timeline>,
    submission: u64,
}

impl ReadyToken {
    pub(super) fn new(timeline: Arc<Timeline>, submission: u64) -> Self {
        Self { timeline, submission }
    }

    /// The number of the submission, counted from 1 on its device.
    pub fn submission(&self) -> u64 {
        self.submission
    }

    /// Which device it belongs to, counted from 1 in the process.
    pub fn device_generation(&self) -> u32 {
        self.timeline.generation
    }

    /// Whether the GPU has finished it. Does not block.
    pub fn is_ready(&self) -> Result<bool> {
        self.timeline.check_alive()?;
        Ok(self.timeline.is_complete(self.submission))
    }

    /// Blocks until the GPU has finished it; [`ErrorKind::Stalled`] after `timeout`. For sinks and tests, not for the frame path.
    pub fn wait(&self, timeout: Duration) -> Result<()> {
        self.timeline.wait(self.submission, timeout)
    }

    /// Blocks until [`wait`](Self::wait) would return at once, at most for `timeout`. Whether it would.
    pub fn wait_for(&self, timeout: Duration) -> bool {
        !self.wait(timeout).is_err_and(|error| error.kind() == ErrorKind::Stalled)
    }

    /// When the GPU was seen to have finished it; `None` while it has not, or when that was over a thousand submissions ago.
    pub fn completed_at(&self) -> Option<Instant> {
        self.timeline.completed_at(self.submission)
    }
}

impl std::fmt::Debug for ReadyToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReadyToken(device {}, submission {})", self.timeline.generation, self.submission)
    }
}

/// Counts submissions and completions of one device.
pub(crate) struct Timeline {
    generation: u32,
    completed: AtomicU64,
    /// What `State::lost` says, to be asked for each command without the lock.
    is_lost: AtomicBool,
    state: Mutex<State>,
    progressed: Condvar,
}

struct State {
    /// When submission `n` was completed, at `n % REMEMBERED`.
    times: Vec<Option<(u64, Instant)>>,
    wakers: Vec<(u64, Unparker)>,
    next_waker: u64,
    lost: Option<String>,
}

impl Timeline {
    fn new(generation: u32) -> Self {
        let state = State { times: vec![None; REMEMBERED], wakers: Vec::new(), next_waker: 0, lost: None };
        let (completed, is_lost) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { generation, completed, is_lost, state: Mutex::new(state), progressed: Condvar::new() }
    }

    /// Which device it belongs to, counted from 1 in the process.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_complete(&self, submission: u64) -> bool {
        self.completed.load(Ordering::Acquire) >= submission
    }

    pub(crate) fn completed_at(&self, submission: u64) -> Option<Instant> {
        let time = self.state().times[submission as usize % REMEMBERED];
        time.filter(|(number, _)| *number == submission).map(|(_, time)| time)
    }

    /// Wakes `waker` after every completion, until [`forget`](Self::forget) is told the number returned here.
    pub(crate) fn wake_on_progress(&self, waker: Unparker) -> u64 {
        let mut state = self.state();
        state.next_waker += 1;
        let number = state.next_waker;
        state.wakers.push((number, waker));
        number
    }

    /// Stops waking the waker of that number.
    pub(crate) fn forget(&self, waker: u64) {
        self.state().wakers.retain(|(number, _)| *number != waker);
    }

    pub(crate) fn wait(&self, submission: u64, timeout: Duration) -> Result<()> {
        let deadline = deadline_after(timeout);
        let mut state = self.state();
        loop {
            if let Some(reason) = &state.lost {
                return Err(lost(reason));
            }
            if self.is_complete(submission) {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::new(ErrorKind::Stalled, format!("the GPU has not finished within {timeout:?}"))
                    .hint("its driver may hang, or a shader may not end"));
            }
            state = self.progressed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Fails with [`ErrorKind::DeviceLost`] once the device is gone.
    pub(crate) fn check_alive(&self) -> Result<()> {
        if !self.is_lost.load(Ordering::Acquire) {
            return Ok(());
        }
        self.state().lost.as_ref().map_or(Ok(()), |reason| Err(lost(reason)))
    }

    /// Makes every token void and wakes everybody.
    pub(crate) fn device_lost(&self, reason: String) {
        let mut state = self.state();
        state.lost.get_or_insert(reason);
        self.is_lost.store(true, Ordering::Release);
        self.notify(&state);
    }

    fn complete(&self, submission: u64) {
        let mut state = self.state();
        state.times[submission as usize % REMEMBERED] = Some((submission, Instant::now()));
        self.completed.store(submission, Ordering::Release);
        self.notify(&state);
    }

    fn notify(&self, state: &State) {
        self.progressed.notify_all();
        for (_, waker) in &state.wakers {
            waker.unpark();
        }
    }
}

fn lost(reason: &str) -> Error {
    Error::new(ErrorKind::DeviceLost, format!("the GPU device was lost: {reason}"))
        .hint("frames of that device are void; run the graph again")
}

/// Numbers submissions in the order in which the queue takes them, and hands them to the polling thread.
pub(super) struct Submitter {
    queue: wgpu::Queue,
    timeline: Arc<Timeline>,
    /// The number of the last submission. The lock makes numbers rise in submission order.
    last: Mutex<u64>,
    to_poll: Option<Sender<(u64, wgpu::SubmissionIndex)>>,
    poller: Option<JoinHandle<()>>,
}

impl Submitter {
    pub(super) fn new(generation: u32, device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        let timeline = Arc::new(Timeline::new(generation));
        let (to_poll, submissions) = bounded(REMEMBERED);
        let poller = std::thread::Builder::new()
            .name("streamlib-gpu".into())
            .spawn({
                let timeline = timeline.clone();
                move || poll(&device, &timeline, &submissions)
            })
            .map_err(|error| Error::new(ErrorKind::Io, "cannot start the thread that polls the GPU").caused_by(error))?;
        Ok(Self { queue, timeline, last: Mutex::new(0), to_poll: Some(to_poll), poller: Some(poller) })
    }

    pub(super) fn timeline(&self) -> &Arc<Timeline> {
        &self.timeline
    }

    /// Submits and returns the submission's number.
    pub(super) fn submit(&self, commands: impl IntoIterator<Item = wgpu::CommandBuffer>) -> u64 {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let index = self.queue.submit(commands);
        *last += 1;
        if let Some(to_poll) = &self.to_poll {
            // Fails only when the polling thread has panicked; waiting for the submission then times out with an error.
            let _ = to_poll.send((*last, index));
        }
        *last
    }

    /// Runs `work` while nobody submits.
    pub(super) fn hold<T>(&self, work: impl FnOnce() -> T) -> T {
        let _last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        work()
    }
}

impl Drop for Submitter {
    fn drop(&mut self) {
        self.to_poll = None;
        if let Some(poller) = self.poller.take()
            && poller.thread().id() != std::thread::current().id()
        {
            let _ = poller.join();
        }
    }
}

/// The polling thread: waits for one submission after the other. Callbacks of wgpu run here; they only wake somebody.
fn poll(device: &wgpu::Device, timeline: &Timeline, submissions: &Receiver<(u64, wgpu::SubmissionIndex)>) {
    for (number, index) in submissions {
        let wait = wgpu::PollType::Wait { submission_index: Some(index), timeout: Some(PATIENCE) };
        match device.poll(wait) {
            // wgpu does not count a submission that it refused; why it did was reported where it was made.
            Ok(_) => timeline.complete(number),
            Err(wgpu::PollError::WrongSubmissionIndex(..)) => {
                // What it would have mapped is mapped all the same, and told only to who polls: its memory would stay out.
                let _ = device.poll(wgpu::PollType::Poll);
                timeline.complete(number);
            }
            Err(wgpu::PollError::Timeout) => {
                return timeline.device_lost(format!("it has not finished a submission within {PATIENCE:?}"));
            }
        }
    }
}
