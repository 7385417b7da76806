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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::{Failed, Policy};
    use super::*;
    use crate::error::Error;
    use crate::runtime::calls::feed::Parcel;
    use crate::task::OnError;

    fn ledger(items: u64) -> Ledger {
        let mut ledger = Ledger::new(Policy {
            retries: 1,
            on_error: OnError::Collect,
            alone: false,
            max_failures: None,
            in_flight: u64::MAX,
            calls: u64::MAX,
            backoff: Duration::ZERO,
            longest_wait: Duration::ZERO,
        });
        ledger.offer(Parcel::of(0, items, Vec::new()));
        ledger
    }

    proptest! {
        #[test]
        fn every_item_has_one_end_whatever_is_taken_apart(
            items in 1_u64..40,
            sizes in prop::collection::vec(1_u64..9, 1..60),
            fates in prop::collection::vec(0_u8..4, 1..60),
        ) {
            let mut ledger = ledger(items);
            let now = Instant::now();
            let (mut sizes, mut fates) = (sizes.iter().cycle(), fates.iter().cycle());
            while !ledger.is_settled() {
                let alone = ledger.take_alone(now);
                let (single, fresh) = (alone.is_some(), ledger.fresh());
                let taken = alone.or_else(|| ledger.take_fresh(*sizes.next().unwrap(), now));
                let Some((id, slice)) = taken else {
                    return Err(TestCaseError::fail("nothing to take, and not settled"));
                };
                prop_assert!(single || ledger.fresh() == fresh - slice.len());
                prop_assert!(!single || slice.len() == 1);
                match fates.next().unwrap() {
                    // One that goes alone is not taken apart any further.
                    0 if !single => ledger.apart(id, now),
                    1 => {
                        let error = Error::internal("no");
                        let failed = vec![Failed { item: slice.from, retryable: true, error }];
                        ledger.part(id, slice.to, failed, Vec::new(), Value::Null, now).unwrap();
                    }
                    2 => ledger.crashed(id, None, true, Error::internal("gone"), now).unwrap(),
                    _ => ledger.part(id, slice.to, Vec::new(), Vec::new(), Value::Null, now).unwrap(),
                }
                let counts = ledger.counts();
                let ends = counts.succeeded + counts.failed;
                prop_assert_eq!(counts.waiting + counts.running + ends, items);
            }
            let (segments, failures) = ledger.outcome();
            let mut seen: Vec<u64> = failures.keys().copied().collect();
            for segment in segments {
                let all = segment.first..segment.first + segment.count;
                seen.extend(all.filter(|item| !segment.failed.contains(item)));
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..items).collect::<Vec<_>>());
        }
    }
}
