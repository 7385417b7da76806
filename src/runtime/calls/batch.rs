//! Which waiting inputs of several callers go to a worker together, and when: a pure decision, the clock passed in.
//!
//! A batch goes when it is full, or when the input that has waited longest has waited as long as it may. Callers share a
//! batch evenly, so that one with many inputs does not keep out one with few. An input that failed goes alone the next
//! time: what fails then is its own.

use std::time::{Duration, Instant};

/// What a batch may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Inputs of a batch at most; not 0.
    pub most: u64,
    /// How long an input waits for others.
    pub wait: Duration,
}

/// What waits of one caller.
#[derive(Debug, Clone, Copy)]
pub struct Queued {
    /// Since when its inputs wait.
    pub since: Instant,
    /// Inputs that may go with others.
    pub fresh: u64,
    /// When the first of its inputs that have to go alone is due.
    pub again: Option<Instant>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// One input of this caller, alone.
    Alone(usize),
    /// So many inputs of each caller.
    Together(Vec<u64>),
    /// Nothing before this time, unless more comes.
    At(Instant),
    Nothing,
}

/// What goes next; callers are in the order in which they came.
pub fn next(queued: &[Queued], limits: Limits, now: Instant) -> Next {
    let again = queued.iter().enumerate().filter_map(|(place, one)| Some((one.again?, place))).min();
    if let Some((_, place)) = again.filter(|(due, _)| *due <= now) {
        return Next::Alone(place);
    }
    let waiting = queued.iter().filter(|one| one.fresh > 0);
    let total = waiting.clone().fold(0_u64, |total, one| total.saturating_add(one.fresh));
    // A time too far away to be told never comes.
    let due = waiting.map(|one| one.since.checked_add(limits.wait)).min_by_key(|due| (due.is_none(), *due));
    match due {
        Some(due) if total >= limits.most || due.is_some_and(|due| due <= now) => {
            Next::Together(share(queued, limits.most))
        }
        due => match due.flatten().into_iter().chain(again.map(|(due, _)| due)).min() {
            Some(due) => Next::At(due),
            None => Next::Nothing,
        },
    }
}

/// An even share for each; who came first has what does not come out even.
fn share(queued: &[Queued], most: u64) -> Vec<u64> {
    let mut given = vec![0; queued.len()];
    let mut left = most;
    loop {
        let open = queued.iter().zip(&given).filter(|(one, given)| one.fresh > **given).count() as u64;
        if open == 0 || left == 0 {
            return given;
        }
        let each = (left / open).max(1);
        for (one, given) in queued.iter().zip(&mut given) {
            let more = each.min(one.fresh - *given).min(left);
            *given += more;
            left -= more;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn queued(since: Instant, fresh: u64) -> Queued {
        Queued { since, fresh, again: None }
    }

    #[test]
    fn a_batch_goes_when_it_is_full_or_its_oldest_input_has_waited_long_enough() {
        let start = Instant::now();
        let limits = Limits { most: 4, wait: Duration::from_millis(5) };
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(next(&[], limits, start), Next::Nothing);
        assert_eq!(next(&[queued(at(0), 1), queued(at(3), 1)], limits, at(4)), Next::At(at(5)));
        assert_eq!(next(&[queued(at(0), 1), queued(at(3), 1)], limits, at(5)), Next::Together(vec![1, 1]));
        assert_eq!(next(&[queued(at(0), 1), queued(at(0), 3)], limits, at(0)), Next::Together(vec![1, 3]));
        let now = Limits { most: 4, wait: Duration::ZERO };
        assert_eq!(next(&[queued(at(0), 1)], now, at(0)), Next::Together(vec![1]));
    }

    #[test]
    fn many_inputs_of_one_caller_do_not_keep_out_those_of_another() {
        let start = Instant::now();
        let limits = Limits { most: 5, wait: Duration::ZERO };
        let callers = [queued(start, 100), queued(start, 1), queued(start, 100)];
        assert_eq!(next(&callers, limits, start), Next::Together(vec![2, 1, 2]));
        let callers = [queued(start, 9); 7];
        assert_eq!(next(&callers, limits, start), Next::Together(vec![1, 1, 1, 1, 1, 0, 0]));
    }

    #[test]
    fn an_input_that_failed_goes_alone_when_it_is_due() {
        let start = Instant::now();
        let limits = Limits { most: 5, wait: Duration::from_secs(9) };
        let due = start + Duration::from_secs(1);
        let callers = [queued(start, 2), Queued { since: start, fresh: 0, again: Some(due) }];
        assert_eq!(next(&callers, limits, start), Next::At(due));
        assert_eq!(next(&callers, limits, due), Next::Alone(1));
    }

    proptest! {
        #[test]
        fn batches_are_full_fair_and_in_time(
            callers in prop::collection::vec((0_u64..50, 0_u64..9, prop::option::of(0_u64..90)), 0..9),
            most in 1_u64..20,
            wait in 0_u64..60,
            now in 50_u64..100,
        ) {
            let start = Instant::now();
            let at = |ms: u64| start + Duration::from_millis(ms);
            let limits = Limits { most, wait: Duration::from_millis(wait) };
            let callers: Vec<_> = callers
                .into_iter()
                .map(|(since, fresh, again)| Queued { since: at(since), fresh, again: again.map(at) })
                .collect();
            let total: u64 = callers.iter().map(|one| one.fresh).sum();
            let oldest = callers.iter().filter(|one| one.fresh > 0).map(|one| one.since + limits.wait).min();
            let again = callers.iter().filter_map(|one| one.again).min();
            match next(&callers, limits, at(now)) {
                Next::Alone(place) => {
                    prop_assert_eq!(callers[place].again, again);
                    prop_assert!(again.is_some_and(|due| due <= at(now)));
                }
                Next::Together(given) => {
                    prop_assert!(total >= most || oldest.is_some_and(|due| due <= at(now)));
                    prop_assert_eq!(given.iter().sum::<u64>(), total.min(most));
                    for (one, given_one) in callers.iter().zip(&given) {
                        prop_assert!(*given_one <= one.fresh);
                        // Who could have had more has no less than any other, but for what does not come out even.
                        if *given_one < one.fresh {
                            prop_assert!(given.iter().all(|other| *other <= given_one + 1));
                        }
                    }
                }
                Next::At(due) => {
                    prop_assert!(due > at(now) && total < most);
                    prop_assert_eq!(Some(due), oldest.into_iter().chain(again).min());
                    // When the time comes something goes.
                    let then = next(&callers, limits, due);
                    prop_assert!(matches!(then, Next::Alone(_) | Next::Together(_)));
                }
                Next::Nothing => prop_assert!(total == 0 && again.is_none()),
            }
        }
    }
}
