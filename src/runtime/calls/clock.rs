//! How long what a call is on has taken: an item's time begins when the item does, not when its worker is told of it.

use std::time::{Duration, Instant};

/// How long a worker may take from a call to its first item, where an item may not take longer: as long as to be ready
/// for its first call. A function's module is imported meanwhile.
const LOADING: Duration = Duration::from_secs(60);

/// The time of a call that runs.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// When it was sent, or last told of results.
    pub since: Instant,
    /// Since when the next item runs; None before the first.
    item: Option<Instant>,
}

impl Clock {
    /// A call goes to a worker.
    pub fn sent(now: Instant) -> Self {
        Self { since: now, item: None }
    }

    /// Results came back, and the next item runs.
    pub fn told(now: Instant) -> Self {
        Self { since: now, item: Some(now) }
    }

    /// The worker has come to the first item.
    pub fn reached(&mut self, now: Instant) {
        self.item.get_or_insert(now);
    }

    /// How long its worker may take to come to an item, if it has not, where an item may take so long.
    pub fn loading(&self, item: Duration) -> Option<Duration> {
        self.item.is_none().then(|| item.max(LOADING))
    }

    /// Whether it takes longer than it may, where an item may take so long.
    pub fn is_over(&self, item: Duration, now: Instant) -> bool {
        let limit = self.loading(item).unwrap_or(item);
        now.saturating_duration_since(self.item.unwrap_or(self.since)) >= limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: Duration = Duration::from_millis(100);
    const MOMENT: Duration = Duration::from_millis(1);

    #[test]
    fn what_comes_before_an_item_is_not_its_time_and_has_a_bound() {
        let start = Instant::now();
        let clock = Clock::sent(start);
        assert_eq!(clock.loading(ITEM), Some(LOADING));
        assert!(!clock.is_over(ITEM, start + LOADING - MOMENT) && clock.is_over(ITEM, start + LOADING));
        let long = LOADING * 2;
        assert!(!clock.is_over(long, start + long - MOMENT) && clock.is_over(long, start + long));
    }

    #[test]
    fn an_item_has_its_time_from_when_it_begins() {
        let start = Instant::now();
        let begins = start + ITEM * 5;
        let mut clock = Clock::sent(start);
        clock.reached(begins);
        // It begins once.
        clock.reached(begins + ITEM);
        assert!(clock.loading(ITEM).is_none() && clock.since == start);
        assert!(!clock.is_over(ITEM, begins + ITEM - MOMENT) && clock.is_over(ITEM, begins + ITEM));
        let next = Clock::told(begins);
        assert!(!next.is_over(ITEM, begins + ITEM - MOMENT) && next.is_over(ITEM, begins + ITEM));
    }
}
