//! A queue for links.

use std::collections::VecDeque;

/// A queue whose first message lies in place: between nodes on one thread there is hardly ever a second.
pub(super) struct Fifo<T> {
    first: Option<T>,
    rest: VecDeque<T>,
}

impl<T> Fifo<T> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { first: None, rest: VecDeque::with_capacity(capacity - 1) }
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    pub(super) fn push_back(&mut self, message: T) {
        match &self.first {
            None => self.first = Some(message),
            Some(_) => self.rest.push_back(message),
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        let message = self.first.take();
        self.first = self.rest.pop_front();
        message
    }

    pub(super) fn get(&self, index: usize) -> Option<&T> {
        match index {
            0 => self.first.as_ref(),
            _ => self.rest.get(index - 1),
        }
    }
}
