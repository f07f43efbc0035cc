//! A link: where messages are between two processors, and the account of every one of them.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crossbeam::sync::Unparker;

use super::{Delivery, Message};

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

/// Messages that were lost, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Dropped {
    /// The queue was full and its policy lets the newest win.
    pub overflow: u64,
    /// The consumer had ended: it had all the frames it was asked for, or it failed.
    pub closed: u64,
    /// The run was stopped without draining.
    pub discarded: u64,
}

impl Dropped {
    /// All together.
    pub fn total(&self) -> u64 {
        self.overflow + self.closed + self.discarded
    }
}

/// The account of a link: `sent == received + dropped.total() + queued`, at any moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LinkCounts {
    /// Messages that the producer sent.
    pub sent: u64,
    /// Messages that the consumer took.
    pub received: u64,
    /// Messages that were lost.
    pub dropped: Dropped,
    /// Messages that are waiting: counted, not computed from the others.
    pub queued: u64,
}

impl LinkCounts {
    /// Whether every message is accounted for.
    pub fn adds_up(&self) -> bool {
        self.sent == self.received + self.dropped.total() + self.queued
    }
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
    /// Drops what waits as discarded.
    fn discard(&self);
    /// Whom to wake when there is something to take, and when there is room again.
    fn connect(&self, consumer: Unparker, producer: Unparker);
    /// For getting the type back.
    fn as_any(&self) -> &dyn Any;
}

pub(crate) struct Link<T> {
    transport: Transport,
    state: Mutex<State<T>>,
    /// Consumer and producer; a direct link needs no waking.
    wakers: OnceLock<(Unparker, Unparker)>,
}

struct State<T> {
    /// What the consumer can take.
    queue: VecDeque<T>,
    /// What was sent but not flushed: its GPU commands may not have been submitted yet.
    staged: VecDeque<T>,
    /// The newest message, for consumers that ask for it again.
    latest: Option<T>,
    counts: LinkCounts,
    arrived: u64,
    ended: bool,
    closed: bool,
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
            queue: VecDeque::with_capacity(capacity),
            staged: VecDeque::with_capacity(1),
            latest: None,
            counts: LinkCounts::default(),
            arrived: 0,
            ended: false,
            closed: false,
        };
        Self { transport, state: Mutex::new(state), wakers: OnceLock::new() }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_consumer(&self) {
        if let Some((consumer, _)) = self.wakers.get() {
            consumer.unpark();
        }
    }

    fn wake_producer(&self) {
        if let Some((_, producer)) = self.wakers.get() {
            producer.unpark();
        }
    }

    pub(crate) fn send(&self, message: T) {
        let mut state = self.state();
        state.counts.sent += 1;
        if state.closed || state.ended {
            // After its end only a thread that was left behind sends.
            let closed = state.closed;
            let dropped = &mut state.counts.dropped;
            *(if closed { &mut dropped.closed } else { &mut dropped.discarded }) += 1;
            drop(state);
            drop(message);
            return;
        }
        state.counts.queued += 1;
        match self.transport {
            Transport::Direct => state.arrive(message),
            Transport::Queue(_) => state.staged.push_back(message),
        }
    }

    pub(crate) fn take(&self) -> Option<T> {
        let mut state = self.state();
        let message = state.take()?;
        drop(state);
        if matches!(self.transport, Transport::Queue(Delivery::Block(_))) {
            self.wake_producer();
        }
        Some(message)
    }

    /// The newest message that ever came, `None` if none came yet, and how many were taken to get at it.
    pub(crate) fn latest(&self) -> (Option<T>, u64) {
        // Not more than waits now: a quick producer may send for ever.
        let waiting = self.state().queue.len();
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
                state.arrive(message);
                continue;
            }
            if let Delivery::Block(_) = delivery {
                state.staged.push_front(message);
                return Step::Full;
            }
            state.arrive(message);
            state.counts.queued -= 1;
            state.counts.dropped.overflow += 1;
            if let Some(oldest) = state.queue.pop_front() {
                return Step::Overflowed(oldest);
            }
        }
        Step::Done
    }

    /// Empties the queues into the count that `dropped` picks.
    fn drop_all(&self, mark: impl FnOnce(&mut State<T>), dropped: impl FnOnce(&mut Dropped) -> &mut u64) {
        let mut state = self.state();
        mark(&mut state);
        let queue = std::mem::take(&mut state.queue);
        let staged = std::mem::take(&mut state.staged);
        let latest = state.latest.take();
        let count = (queue.len() + staged.len()) as u64;
        state.counts.queued -= count;
        *dropped(&mut state.counts.dropped) += count;
        drop(state);
        drop((queue, staged, latest));
        self.wake_producer();
        self.wake_consumer();
    }
}

impl<T> State<T> {
    fn arrive(&mut self, message: T) {
        self.arrived += 1;
        self.queue.push_back(message);
    }

    fn take(&mut self) -> Option<T> {
        let message = self.queue.pop_front()?;
        self.counts.received += 1;
        self.counts.queued -= 1;
        Some(message)
    }
}

impl<T: Message> AnyLink for Link<T> {
    fn counts(&self) -> LinkCounts {
        let state = self.state();
        debug_assert_eq!(state.counts.queued as usize, state.queue.len() + state.staged.len());
        LinkCounts { queued: (state.queue.len() + state.staged.len()) as u64, ..state.counts }
    }

    fn arrived(&self) -> u64 {
        self.state().arrived
    }

    fn has_message(&self) -> bool {
        !self.state().queue.is_empty()
    }

    fn has_ended(&self) -> bool {
        self.state().ended
    }

    fn is_exhausted(&self) -> bool {
        let state = self.state();
        state.ended && state.queue.is_empty()
    }

    fn is_closed(&self) -> bool {
        self.state().closed
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
        state.ended = true;
        let staged = std::mem::take(&mut state.staged);
        state.counts.queued -= staged.len() as u64;
        state.counts.dropped.discarded += staged.len() as u64;
        drop(state);
        drop(staged);
        self.wake_consumer();
    }

    fn close(&self) {
        self.drop_all(|state| state.closed = true, |dropped| &mut dropped.closed);
    }

    fn discard(&self) {
        self.drop_all(|_| (), |dropped| &mut dropped.discarded);
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
        discarded.discard();
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
    fn the_latest_is_given_again() {
        let link = filled(Delivery::DropOldest(8), 3);
        assert_eq!((link.latest(), link.latest()), ((Some(2), 3), (Some(2), 0)));
        assert_eq!(link.counts().received, 3);
    }
}
