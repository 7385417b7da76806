//! Items that are handed out one by one or many at a time, as whoever shares calls among runs wants them.

use std::time::Instant;

use super::{Ledger, Slice};

impl Ledger {
    /// An item that is due to go alone: at a further attempt, or because a call on it and others failed.
    pub fn take_alone(&mut self, now: Instant) -> Option<(u64, Slice)> {
        let (_, slice) = self.delayed.first_entry().filter(|entry| entry.key().0 <= now)?.remove_entry();
        Some(self.begin(slice, now))
    }

    /// Up to `most` neighbouring items that may go with others.
    pub fn take_fresh(&mut self, most: u64, now: Instant) -> Option<(u64, Slice)> {
        let mut slice = self.waiting.pop_front()?;
        if slice.len() > most {
            let mut rest = slice.clone();
            rest.from = slice.from + most;
            slice.to = rest.from;
            self.waiting.push_front(rest);
        }
        Some(self.begin(slice, now))
    }

    /// How many items `take_fresh` would give in the end.
    pub fn fresh(&self) -> u64 {
        self.waiting.iter().map(Slice::len).sum()
    }

    /// A call on these items and others failed, and by which of them is not known: each goes alone the next time, at the
    /// same attempt.
    pub fn apart(&mut self, id: u64, now: Instant) {
        let Some(slice) = self.running.remove(&id) else { return };
        self.counts.running -= slice.len();
        if self.closed {
            self.counts.cancelled += slice.len();
            return;
        }
        self.counts.waiting += slice.len();
        for item in slice.from..slice.to {
            self.next += 1;
            self.delayed.insert((now, self.next), Slice { from: item, to: item + 1, ..slice.clone() });
        }
    }
}
