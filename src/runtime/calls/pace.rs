//! How many items go to a worker together: so many that passing them on costs little, so few that none waits long.

use std::time::Duration;

/// What the items of one call are to take together. Passing a call on costs a twentieth of a millisecond.
const TARGET: Duration = Duration::from_millis(4);

/// Never more than this, however quick they are.
const MOST: u64 = 2_048;

/// How many more at most than all of which the time is known: the first ones may say little of the others.
const RISE: u64 = 32;

/// The pace of a run: a moving average of the time of an item.
#[derive(Debug, Default)]
pub struct Pace {
    seconds: Option<f64>,
    /// Items that it was learned from.
    seen: u64,
}

impl Pace {
    /// So many items took so long.
    pub fn learn(&mut self, items: u64, took: Duration) {
        if items == 0 {
            return;
        }
        self.seen = self.seen.saturating_add(items);
        let new = took.as_secs_f64() / items as f64;
        self.seconds = Some(match self.seconds {
            None => new,
            // Slower is believed at once, faster by and by.
            Some(old) if new > old => new,
            Some(old) => 0.5 * old + 0.5 * new,
        });
    }

    /// How many go together next; `left` are known to be left, for `workers`.
    pub fn batch(&self, left: Option<u64>, workers: u64) -> u64 {
        let by_time = match self.seconds {
            None => 1,
            Some(seconds) => (TARGET.as_secs_f64() / seconds.max(1e-9)) as u64,
        };
        let share = left.map_or(MOST, |left| left.div_ceil(2 * workers.max(1)));
        by_time.min(share).min(self.seen.saturating_mul(RISE)).clamp(1, MOST)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quick_items_go_together_and_slow_ones_alone() {
        let mut pace = Pace::default();
        assert_eq!(pace.batch(None, 2), 1);
        pace.learn(1, Duration::from_micros(10));
        assert_eq!(pace.batch(None, 2), RISE);
        pace.learn(20, Duration::from_micros(200));
        assert_eq!(pace.batch(None, 2), 400);
        pace.learn(1, Duration::from_secs(1));
        assert_eq!(pace.batch(None, 2), 1);
    }

    #[test]
    fn the_last_items_are_shared_among_the_workers() {
        let mut pace = Pace::default();
        pace.learn(1000, Duration::from_micros(10));
        assert_eq!(pace.batch(Some(40), 2), 10);
        assert_eq!(pace.batch(Some(1), 2), 1);
        assert_eq!(pace.batch(None, 2), MOST);
    }

    proptest! {
        #[test]
        fn a_lot_is_neither_long_nor_far_from_what_is_known(
            learned in prop::collection::vec((1_u64..3_000, 0_u64..5_000_000), 1..20),
            left in prop::option::of(0_u64..100_000),
            workers in 1_u64..9,
        ) {
            let (mut pace, mut seen, mut slowest) = (Pace::default(), 0, 0.0_f64);
            for (items, micros) in learned {
                pace.learn(items, Duration::from_micros(micros));
                seen += items;
                slowest = slowest.max(micros as f64 / 1e6 / items as f64);
                let lot = pace.batch(left, workers);
                prop_assert!((1..=MOST).contains(&lot) && lot <= seen * RISE);
                prop_assert!(left.is_none_or(|left| lot <= left.div_ceil(2 * workers).max(1)));
                // What takes as long as the last ones did is over in time.
                let last = micros as f64 / 1e6 / items as f64;
                prop_assert!(lot == 1 || lot as f64 * last <= 2.0 * TARGET.as_secs_f64());
                // Not fewer than the slowest that were seen allow.
                let least = (TARGET.as_secs_f64() / slowest.max(1e-9)) as u64;
                prop_assert!(lot + 1 >= least.min(MOST).min(seen * RISE).min(left.map_or(MOST, |left| left.div_ceil(2 * workers))));
            }
        }
    }
}
