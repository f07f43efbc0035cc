//! A link: where messages are between two processors, and the account of every one of them.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crossbeam::sync::Unparker;

use super::counts::{DropReason, LinkCounts};
use super::fifo::Fifo;
use super::{Delivery, Message};
use crate::Timestamp;

/// How messages get from producer to consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Both are on one thread; what is sent can be taken at once.
    Direct,
    /// They are on two threads.
    Queue(Delivery),
}

/// `direct`, or the delivery policy.
impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Direct => f.write_str("direct"),
            Self::Queue(delivery) => delivery.fmt(f),
        }
    }
}

/// The times of the first two messages that wait; `None` where there is none, or it has no time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) messages: usize,
    /// Whether no more can come before one is taken.
    pub(crate) is_full: bool,
    pub(crate) first: Option<Timestamp>,
    pub(crate) second: Option<Timestamp>,
}

/// A link whose message type is known only to its ends.
pub(crate) trait AnyLink: Send + Sync {
    /// The account, in one consistent moment.
    fn counts(&self) -> LinkCounts;
    /// How many messages the consumer could ever have seen: rises with every arrival.
    fn arrived(&self) -> u64;
    /// Whether the consumer can take one.
    fn has_message(&self) -> bool;
    /// Whether the producer will send no more.
    fn has_ended(&self) -> bool;
    /// Whether the consumer will never get another.
    fn is_exhausted(&self) -> bool;
    /// Whether the consumer takes no more.
    fn is_closed(&self) -> bool;
    /// Makes what was sent visible to a consumer on another thread. `false`: the queue is full, call again after being woken.
    fn flush(&self) -> bool;
    /// The producer will send no more. What was not flushed is dropped as discarded.
    fn end(&self);
    /// The consumer takes no more. What waits is dropped as closed.
    fn close(&self);
    /// Drops what waits and what was not flushed yet.
    fn discard(&self, reason: DropReason);
    /// Drops the first message that the consumer could take.
    fn drop_first(&self, reason: DropReason);
    /// What the consumer can take.
    fn waiting(&self) -> Waiting;
    /// Whether to keep the message that was taken last from now on, so that it can be forwarded.
    fn keep_taken(&self, keep: bool);
    /// Sends the message that was taken last on, in the consumer's stead; once.
    fn forward_taken(&self, to: &[Arc<dyn AnyLink>]);
    /// Takes the next message and sends it on. Whether there was one.
    fn forward(&self, to: &[Arc<dyn AnyLink>]) -> bool;
    /// Has the producer look at the link again.
    fn wake_producer(&self);
    /// Whom to wake when there is something to take, and when there is room again.
    fn connect(&self, consumer: Unparker, producer: Unparker);
    /// For getting the type back.
    fn as_any(&self) -> &dyn Any;
}

pub(crate) struct Link<T> {
    transport: Transport,
    state: Mutex<State<T>>,
    /// What can be known without the lock: it is asked far more often than it changes, under the lock.
    waiting: AtomicUsize,
    arrived: AtomicU64,
    flags: AtomicU8,
    /// Consumer and producer; a direct link needs no waking.
    wakers: OnceLock<(Unparker, Unparker)>,
}

const ENDED: u8 = 1;
const CLOSED: u8 = 2;

struct State<T> {
    /// What the consumer can take.
    queue: Fifo<T>,
    /// What was sent but not flushed: its GPU commands may not have been submitted yet.
    staged: VecDeque<T>,
    /// The newest message that was taken, where somebody may ask for it again.
    latest: Option<T>,
    keeps_taken: bool,
    counts: LinkCounts,
}

/// What one locked step of flushing came to.
enum Step<T> {
    Done,
    Full,
    /// To be dropped outside the lock, because a message's `drop` may do anything.
    Overflowed(T),
}

impl<T: Message> Link<T> {
    pub(crate) fn new(transport: Transport) -> Self {
        let capacity = match transport {
            Transport::Direct => 1,
            Transport::Queue(delivery) => delivery.capacity().min(1024),
        };
        let state = State {
            queue: Fifo::with_capacity(capacity),
            staged: VecDeque::new(),
            latest: None,
            keeps_taken: false,
            counts: LinkCounts::default(),
        };
        Self {
            transport,
            state: Mutex::new(state),
            waiting: AtomicUsize::new(0),
            arrived: AtomicU64::new(0),
            flags: AtomicU8::new(0),
            wakers: OnceLock::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is(&self, flag: u8) -> bool {
        self.flags.load(Ordering::Acquire) & flag != 0
    }

    fn wake_consumer(&self) {
        if let Some((consumer, _)) = self.wakers.get() {
            consumer.unpark();
        }
    }

    /// The consumer can take `message` from now on.
    fn arrive(&self, state: &mut State<T>, message: T) {
        state.queue.push_back(message);
        self.arrived.store(self.arrived.load(Ordering::Relaxed) + 1, Ordering::Release);
        self.waiting.store(state.queue.len(), Ordering::Release);
    }

    fn pop(&self, state: &mut State<T>) -> Option<T> {
        let message = state.queue.pop_front()?;
        state.counts.queued -= 1;
        self.waiting.store(state.queue.len(), Ordering::Release);
        Some(message)
    }

    pub(crate) fn send(&self, message: T) {
        let mut state = self.state();
        state.counts.sent += 1;
        let flags = self.flags.load(Ordering::Acquire);
        if flags != 0 {
            // After its end only a thread that was left behind sends.
            let reason = if flags & CLOSED != 0 { DropReason::Closed } else { DropReason::Discarded };
            state.counts.dropped.count(reason, 1);
            drop(state);
            drop(message);
            return;
        }
        state.counts.queued += 1;
        match self.transport {
            Transport::Direct => self.arrive(&mut state, message),
            Transport::Queue(_) => state.staged.push_back(message),
        }
    }

    pub(crate) fn take(&self) -> Option<T> {
        let mut state = self.state();
        let message = self.pop(&mut state)?;
        state.counts.received += 1;
        let previous = if state.keeps_taken { state.latest.replace(message.clone()) } else { None };
        drop(state);
        drop(previous);
        if matches!(self.transport, Transport::Queue(Delivery::Block(_))) {
            self.wake_producer();
        }
        Some(message)
    }

    /// The newest message that ever came, `None` if none came yet, and how many were taken to get at it.
    pub(crate) fn latest(&self) -> (Option<T>, u64) {
        // Not more than waits now: a quick producer may send for ever.
        let waiting = self.waiting.load(Ordering::Acquire);
        let mut taken = 0;
        while taken < waiting as u64
            && let Some(message) = self.take()
        {
            taken += 1;
            // Assigned first and dropped after the lock is released.
            let previous = self.state().latest.replace(message);
            drop(previous);
        }
        (self.state().latest.clone(), taken)
    }

    fn flush_step(&self) -> Step<T> {
        let Transport::Queue(delivery) = self.transport else { return Step::Done };
        let mut state = self.state();
        while let Some(message) = state.staged.pop_front() {
            if state.queue.len() < delivery.capacity() {
                self.arrive(&mut state, message);
                continue;
            }
            if let Delivery::Block(_) = delivery {
                state.staged.push_front(message);
                return Step::Full;
            }
            self.arrive(&mut state, message);
            state.counts.dropped.count(DropReason::Overflow, 1);
            if let Some(oldest) = self.pop(&mut state) {
                return Step::Overflowed(oldest);
            }
        }
        Step::Done
    }

    /// Empties the queues, counted as lost by `reason`, with the flags set from then on.
    fn drop_all(&self, flags: u8, reason: DropReason) {
        let mut state = self.state();
        self.flags.fetch_or(flags, Ordering::AcqRel);
        let queue = std::mem::replace(&mut state.queue, Fifo::with_capacity(1));
        let staged = std::mem::take(&mut state.staged);
        let latest = if flags == 0 { None } else { state.latest.take() };
        self.waiting.store(0, Ordering::Release);
        let count = (queue.len() + staged.len()) as u64;
        state.counts.queued -= count;
        state.counts.dropped.count(reason, count);
        drop(state);
        drop((queue, staged, latest));
        // Who discards is the consumer itself: to be woken by that would keep it from ever sleeping.
        if flags != 0 {
            self.wake_consumer();
        }
        if flags != 0 || count > 0 {
            self.wake_producer();
        }
    }

    fn send_to_all(message: T, to: &[Arc<dyn AnyLink>]) {
        for link in to.iter().filter_map(|link| link.as_any().downcast_ref::<Self>()) {
            link.send(message.clone());
        }
    }
}

impl<T: Message> AnyLink for Link<T> {
    fn counts(&self) -> LinkCounts {
        let state = self.state();
        debug_assert_eq!(state.counts.queued as usize, state.queue.len() + state.staged.len());
        LinkCounts { queued: (state.queue.len() + state.staged.len()) as u64, ..state.counts }
    }

    fn arrived(&self) -> u64 {
        self.arrived.load(Ordering::Acquire)
    }

    fn has_message(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    fn has_ended(&self) -> bool {
        self.is(ENDED)
    }

    fn is_exhausted(&self) -> bool {
        // In this order: nothing arrives after the end.
        self.is(ENDED) && !self.has_message()
    }

    fn is_closed(&self) -> bool {
        self.is(CLOSED)
    }

    fn flush(&self) -> bool {
        loop {
            match self.flush_step() {
                Step::Done => break,
                Step::Full => {
                    self.wake_consumer();
                    return false;
                }
                Step::Overflowed(message) => drop(message),
            }
        }
        self.wake_consumer();
        true
    }

    fn end(&self) {
        let mut state = self.state();
        self.flags.fetch_or(ENDED, Ordering::AcqRel);
        let staged = std::mem::take(&mut state.staged);
        state.counts.queued -= staged.len() as u64;
        state.counts.dropped.count(DropReason::Discarded, staged.len() as u64);
        drop(state);
        drop(staged);
        self.wake_consumer();
    }

    fn close(&self) {
        self.drop_all(CLOSED, DropReason::Closed);
    }

    fn discard(&self, reason: DropReason) {
        self.drop_all(0, reason);
    }

    fn drop_first(&self, reason: DropReason) {
        let mut state = self.state();
        let message = self.pop(&mut state);
        state.counts.dropped.count(reason, u64::from(message.is_some()));
        drop(state);
        drop(message);
        self.wake_producer();
    }

    fn waiting(&self) -> Waiting {
        let state = self.state();
        let time = |index: usize| state.queue.get(index).and_then(Message::time);
        let is_full = match self.transport {
            Transport::Queue(delivery) => state.queue.len() >= delivery.capacity(),
            Transport::Direct => false,
        };
        Waiting { messages: state.queue.len(), is_full, first: time(0), second: time(1) }
    }

    fn keep_taken(&self, keep: bool) {
        let mut state = self.state();
        state.keeps_taken = keep;
        // Dropped after the lock is released.
        let kept = if keep { None } else { state.latest.take() };
        drop(state);
        drop(kept);
    }

    fn forward_taken(&self, to: &[Arc<dyn AnyLink>]) {
        let taken = self.state().latest.take();
        if let Some(message) = taken {
            Self::send_to_all(message, to);
        }
    }

    fn forward(&self, to: &[Arc<dyn AnyLink>]) -> bool {
        let Some(message) = self.take() else { return false };
        Self::send_to_all(message, to);
        true
    }

    fn wake_producer(&self) {
        if let Some((_, producer)) = self.wakers.get() {
            producer.unpark();
        }
    }

    fn connect(&self, consumer: Unparker, producer: Unparker) {
        // A link is connected once, when the run that made it starts.
        let _ = self.wakers.set((consumer, producer));
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dropped;

    impl Message for u32 {}

    fn filled(delivery: Delivery, messages: u32) -> Link<u32> {
        let link = Link::new(Transport::Queue(delivery));
        for message in 0..messages {
            link.send(message);
            link.flush();
        }
        link
    }

    fn rest(link: &Link<u32>) -> Vec<u32> {
        std::iter::from_fn(|| link.take()).collect()
    }

    #[test]
    fn each_policy_keeps_what_it_promises() {
        let latest = filled(Delivery::Latest, 5);
        assert_eq!((latest.counts().dropped.overflow, rest(&latest)), (4, vec![4]));
        let oldest = filled(Delivery::DropOldest(3), 5);
        assert_eq!((oldest.counts().dropped.overflow, rest(&oldest)), (2, vec![2, 3, 4]));
        let block = filled(Delivery::Block(2), 3);
        assert_eq!(block.counts().queued, 3, "the third waits for room");
        assert_eq!(block.take(), Some(0));
        assert!(block.flush());
        assert_eq!(rest(&block), [1, 2]);
        for link in [latest, oldest, block] {
            assert!(link.counts().adds_up() && link.counts().queued == 0);
        }
    }

    #[test]
    fn what_is_not_flushed_is_not_visible() {
        let link = Link::new(Transport::Queue(Delivery::Block(1)));
        link.send(7u32);
        assert_eq!(link.take(), None);
        assert!(link.flush());
        assert_eq!(link.take(), Some(7));
    }

    #[test]
    fn closing_ending_and_discarding_account_for_everything() {
        let closed = filled(Delivery::Block(4), 2);
        closed.close();
        closed.send(9);
        assert_eq!(closed.counts().dropped, Dropped { closed: 3, ..Default::default() });
        let discarded = filled(Delivery::Block(4), 2);
        discarded.discard(DropReason::Discarded);
        assert_eq!(discarded.counts().dropped, Dropped { discarded: 2, ..Default::default() });
        let ended = filled(Delivery::Block(1), 2);
        ended.end();
        assert!(!ended.is_exhausted(), "one is still to be taken");
        assert_eq!(rest(&ended), [0]);
        assert!(ended.is_exhausted());
        for link in [closed, discarded, ended] {
            assert!(link.counts().adds_up());
        }
    }

    #[test]
    fn what_was_taken_last_can_be_forwarded_once() {
        let target = Arc::new(Link::<u32>::new(Transport::Direct));
        let to: Vec<Arc<dyn AnyLink>> = vec![target.clone()];
        let link = filled(Delivery::Block(4), 3);
        link.keep_taken(true);
        assert_eq!(link.take(), Some(0));
        link.forward_taken(&to);
        link.forward_taken(&to);
        assert!(link.forward(&to) && link.forward(&to) && !link.forward(&to));
        assert_eq!(rest(&target), [0, 1, 2]);
        assert_eq!((link.counts().received, target.counts().sent), (3, 3));
    }

    #[test]
    fn the_latest_is_given_again() {
        let link = filled(Delivery::DropOldest(8), 3);
        assert_eq!((link.latest(), link.latest()), ((Some(2), 3), (Some(2), 0)));
        assert_eq!(link.counts().received, 3);
    }
}
