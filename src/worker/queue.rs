//! Which of the waiting runs a free worker serves: a pure decision.
//!
//! A run's rank is its priority, raised by one for every `AGEING` that it has waited since it was last served.
//! So `high` goes before `normal` for as long as nothing has waited long, and `low` waits no longer than the
//! number of priorities times `AGEING`. Among equals the one that has waited longest goes first.

use std::time::{Duration, Instant};

/// How long a run waits to count as one priority higher.
pub const AGEING: Duration = Duration::from_secs(5);

/// A run that has a call ready.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// 0 is the lowest.
    pub priority: u8,
    /// When it was last served; at first, when it came.
    pub since: Instant,
}

/// The one to be served.
pub fn choose(waiting: &[Waiting], now: Instant) -> Option<usize> {
    let rank = |run: &Waiting| {
        let waited = now.saturating_duration_since(run.since);
        u128::from(run.priority) + waited.as_nanos() / AGEING.as_nanos()
    };
    (0..waiting.len()).max_by(|one, other| {
        let (one, other) = (&waiting[*one], &waiting[*other]);
        rank(one).cmp(&rank(other)).then_with(|| other.since.cmp(&one.since))
    })
}

/// Whether a run that comes now has its call begin at once: a worker waits and has a place, and nobody else is `due`.
pub fn at_once(due: bool, workers: usize, busy: usize, limit: usize) -> bool {
    !due && workers > 0 && busy < limit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(priority: u8, since: Instant) -> Waiting {
        Waiting { priority, since }
    }

    #[test]
    fn the_higher_priority_goes_first_and_among_equals_the_longest_wait() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(choose(&[], start), None);
        assert_eq!(choose(&[run(1, at(0)), run(2, at(9))], at(10)), Some(1));
        assert_eq!(choose(&[run(1, at(5)), run(1, at(3)), run(1, at(4))], at(10)), Some(1));
    }

    #[test]
    fn the_lowest_is_served_in_the_end_however_many_higher_ones_come() {
        let start = Instant::now();
        let low = run(0, start);
        let mut served = None;
        for second in 0..60 {
            let now = start + Duration::from_secs(second);
            if choose(&[low, run(3, now)], now) == Some(0) {
                served = Some(second);
                break;
            }
        }
        assert_eq!(served, Some(3 * AGEING.as_secs()));
    }
}
