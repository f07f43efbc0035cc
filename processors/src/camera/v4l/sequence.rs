//! The driver's numbering of pictures.

/// Turns a driver's 32-bit sequence number, which starts anywhere and wraps, into one that does not wrap, and finds the gaps.
#[derive(Debug, Default)]
pub(super) struct SequenceCounter {
    last: Option<u64>,
}

impl SequenceCounter {
    /// The long number for `sequence`, and how many are missing before it.
    pub(super) fn advance(&mut self, sequence: u32) -> (u64, u64) {
        let Some(last) = self.last else {
            self.last = Some(u64::from(sequence));
            return (u64::from(sequence), 0);
        };
        let step = sequence.wrapping_sub(last as u32);
        // Half the range ahead is a number from the past: a driver that repeats numbers, or one that started over.
        let step = if step == 0 || step > u32::MAX / 2 { 1 } else { step };
        let long = last + u64::from(step);
        self.last = Some(long);
        (long, u64::from(step) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_do_not_wrap_and_gaps_are_counted() {
        let mut counter = SequenceCounter::default();
        assert_eq!(counter.advance(u32::MAX - 1), (u64::from(u32::MAX) - 1, 0));
        assert_eq!(counter.advance(u32::MAX), (u64::from(u32::MAX), 0));
        assert_eq!(counter.advance(0), (u64::from(u32::MAX) + 1, 0));
        assert_eq!(counter.advance(4), (u64::from(u32::MAX) + 5, 3));
        assert_eq!(counter.advance(4), (u64::from(u32::MAX) + 6, 0), "a driver that repeats itself");
    }
}
