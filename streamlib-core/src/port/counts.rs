//! The account of a link: what became of every message.

/// Messages that were lost, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Dropped {
    /// The queue was full and its policy lets the newest win.
    pub overflow: u64,
    /// The consumer had ended: it had all the frames it was asked for, or it failed.
    pub closed: u64,
    /// The run was stopped without draining.
    pub discarded: u64,
    /// The consumer aligns its inputs, and no other input had a message of that time.
    pub unmatched: u64,
    /// The consumer had failed and was waiting to be restarted.
    pub restarting: u64,
}

impl Dropped {
    /// All together.
    pub fn total(&self) -> u64 {
        self.overflow + self.closed + self.discarded + self.unmatched + self.restarting
    }
}

/// Why a message was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    Overflow,
    Closed,
    Discarded,
    Unmatched,
    Restarting,
}

impl Dropped {
    pub(super) fn count(&mut self, reason: DropReason, messages: u64) {
        *match reason {
            DropReason::Overflow => &mut self.overflow,
            DropReason::Closed => &mut self.closed,
            DropReason::Discarded => &mut self.discarded,
            DropReason::Unmatched => &mut self.unmatched,
            DropReason::Restarting => &mut self.restarting,
        } += messages;
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
