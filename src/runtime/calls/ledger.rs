//! What becomes of each item of a run: pure decisions on events, the clock passed in.
//!
//! An item is in one place at a time: waiting, delayed until its next attempt, running, or ended as one of succeeded,
//! failed, cancelled. `counts` says how many are where, and adds up after every event.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::feed::Parcel;
use super::values::Segment;
use crate::error::Error;
use crate::task::OnError;
use crate::worker::Blob;

/// How often an item may end the worker it runs in, whatever the task allows: beyond, it is poison.
pub const POISON: u32 = 3;

/// The longest wait before another attempt.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What the task says of failures.
#[derive(Debug, Clone)]
pub struct Policy {
    pub retries: u32,
    pub on_error: OnError,
    /// How many items may fail where the run goes on; one more ends it.
    pub max_failures: Option<u64>,
    /// How many items may be with workers at a time.
    pub in_flight: u64,
    /// How many calls may run at a time, whatever they carry.
    pub calls: u64,
    /// The wait before the second attempt; it doubles with each further one.
    pub backoff: Duration,
}

/// Neighbouring items of a parcel that are at the same attempt.
#[derive(Debug, Clone)]
pub struct Slice {
    pub parcel: Arc<Parcel>,
    pub from: u64,
    pub to: u64,
    /// From 1.
    pub attempt: u32,
    /// How many workers ended while they ran it.
    pub crashes: u32,
}

impl Slice {
    fn len(&self) -> u64 {
        self.to - self.from
    }
}

/// How many items are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub accepted: u64,
    pub waiting: u64,
    pub running: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub cancelled: u64,
}

/// An item that failed, before it is decided what becomes of it.
#[derive(Debug)]
pub struct Failed {
    /// Its place in the parcel.
    pub item: u64,
    /// Whether another attempt makes sense.
    pub retryable: bool,
    pub error: Error,
}

#[derive(Debug)]
pub struct Ledger {
    policy: Policy,
    waiting: VecDeque<Slice>,
    /// By the time of their next attempt, and a number that tells them apart.
    delayed: BTreeMap<(Instant, u64), Slice>,
    running: HashMap<u64, Slice>,
    next: u64,
    counts: Counts,
    segments: Vec<Segment>,
    failures: BTreeMap<u64, Error>,
    closed: bool,
}

impl Ledger {
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            waiting: VecDeque::new(),
            delayed: BTreeMap::new(),
            running: HashMap::new(),
            next: 0,
            counts: Counts::default(),
            segments: Vec::new(),
            failures: BTreeMap::new(),
            closed: false,
        }
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many more items may go to workers.
    pub fn room(&self) -> u64 {
        if self.running.len() as u64 >= self.policy.calls {
            return 0;
        }
        self.policy.in_flight.saturating_sub(self.counts.running)
    }

    /// Takes items in.
    pub fn offer(&mut self, parcel: Parcel) {
        let count = parcel.count;
        self.counts.accepted += count;
        self.counts.waiting += count;
        let slice = Slice { parcel: Arc::new(parcel), from: 0, to: count, attempt: 1, crashes: 0 };
        self.waiting.push_back(slice);
    }

    /// Whether `take` would give something.
    pub fn ready(&self, now: Instant) -> bool {
        self.room() > 0
            && (!self.waiting.is_empty()
                || self.delayed.first_key_value().is_some_and(|(key, _)| key.0 <= now))
    }

    /// When the next attempt is due, if nothing else is to do.
    pub fn due(&self) -> Option<Instant> {
        self.delayed.first_key_value().map(|(key, _)| key.0)
    }

    /// Whether every item has its end, if no more come.
    pub fn is_settled(&self) -> bool {
        self.counts.waiting + self.counts.running == 0
    }

    /// The next items for a worker, and the number under which their end is to be told.
    pub fn take(&mut self, now: Instant) -> Option<(u64, Slice)> {
        let room = self.room();
        if room == 0 {
            return None;
        }
        let due = self.delayed.first_key_value().filter(|(key, _)| key.0 <= now).map(|(key, _)| *key);
        let mut slice = match due.and_then(|key| self.delayed.remove(&key)) {
            Some(slice) => slice,
            None => self.waiting.pop_front()?,
        };
        if slice.len() > room {
            let mut rest = slice.clone();
            rest.from = slice.from + room;
            slice.to = rest.from;
            self.waiting.push_front(rest);
        }
        let id = self.next;
        self.next += 1;
        self.counts.waiting -= slice.len();
        self.counts.running += slice.len();
        self.running.insert(id, slice.clone());
        Some((id, slice))
    }

    /// What runs under this number; shrinks as parts come in.
    pub fn running(&self, id: u64) -> Option<&Slice> {
        self.running.get(&id)
    }

    /// Results of the items from where the slice is up to `to`. An error is the end of the run.
    pub fn part(
        &mut self,
        id: u64,
        to: u64,
        mut failed: Vec<Failed>,
        blobs: Vec<Blob>,
        more: serde_json::Value,
        now: Instant,
    ) -> Result<(), Error> {
        let Some(slice) = self.running.get_mut(&id) else { return Ok(()) };
        let done = Slice { to: to.clamp(slice.from, slice.to), ..slice.clone() };
        // A worker's word is not enough to count an item twice.
        failed.retain(|failed| (done.from..done.to).contains(&failed.item));
        failed.sort_by_key(|failed| failed.item);
        failed.dedup_by_key(|failed| failed.item);
        slice.from = done.to;
        if slice.len() == 0 {
            self.running.remove(&id);
        }
        self.counts.running -= done.len();
        let first = done.parcel.first + done.from;
        let gone: Vec<u64> = failed.iter().map(|failed| done.parcel.first + failed.item).collect();
        self.counts.succeeded += done.len() - gone.len() as u64;
        if (gone.len() as u64) < done.len() {
            self.segments.push(Segment { first, count: done.len(), failed: gone, blobs, more });
        }
        let mut outcome = Ok(());
        for failure in failed {
            let one = Slice { from: failure.item, to: failure.item + 1, ..done.clone() };
            // Every item is given its place, also after the one that ends the run.
            let judged = self.judge(one, failure.retryable, failure.error, now);
            outcome = outcome.and(judged);
        }
        outcome
    }

    /// Every failure ends the run from here on, whatever the task says of items: what is left is no item.
    pub fn fail_on_error(&mut self) {
        self.policy.on_error = OnError::Fail;
    }

    /// The worker is gone, at this item of the parcel; what it had not told of is lost. Neighbours of the item that it
    /// was at are run again, without blame. So are all, where it was at none: nothing of them had begun.
    pub fn crashed(
        &mut self,
        id: u64,
        at: Option<u64>,
        retryable: bool,
        error: Error,
        now: Instant,
    ) -> Result<(), Error> {
        let Some(slice) = self.running.remove(&id) else { return Ok(()) };
        self.counts.running -= slice.len();
        let crashes = slice.crashes + 1;
        let begun = at.filter(|at| (slice.from..slice.to).contains(at));
        if begun.is_none() && self.closed {
            self.counts.cancelled += slice.len();
            return Ok(());
        }
        if begun.is_none() && retryable && crashes < POISON {
            self.counts.waiting += slice.len();
            self.waiting.push_front(Slice { crashes, ..slice });
            return Ok(());
        }
        let at = begun.unwrap_or(slice.from);
        for (from, to) in [(at + 1, slice.to), (slice.from, at)] {
            if from < to && self.closed {
                self.counts.cancelled += to - from;
            } else if from < to {
                self.counts.waiting += to - from;
                self.waiting.push_front(Slice { from, to, ..slice.clone() });
            }
        }
        let one = Slice { from: at, to: at + 1, crashes, ..slice };
        self.judge(one, retryable && crashes < POISON, error, now)
    }

    /// The call was stopped because the run is.
    pub fn stopped(&mut self, id: u64) {
        if let Some(slice) = self.running.remove(&id) {
            self.counts.running -= slice.len();
            self.counts.cancelled += slice.len();
        }
    }

    /// Nothing more is to be started.
    pub fn wind_down(&mut self) {
        self.waiting.clear();
        self.delayed.clear();
        self.counts.cancelled += std::mem::take(&mut self.counts.waiting);
        self.closed = true;
    }

    /// One failed item: another attempt, or its end.
    fn judge(&mut self, one: Slice, retryable: bool, error: Error, now: Instant) -> Result<(), Error> {
        if retryable && one.attempt <= self.policy.retries && !self.closed {
            let wait = self.wait(&one);
            self.counts.waiting += 1;
            self.next += 1;
            self.delayed.insert((now + wait, self.next), Slice { attempt: one.attempt + 1, ..one });
            return Ok(());
        }
        self.counts.failed += 1;
        let number = one.parcel.first + one.from;
        let over = self.policy.max_failures.is_some_and(|most| self.counts.failed > most);
        if self.policy.on_error == OnError::Fail {
            return Err(error);
        }
        self.failures.insert(number, error.clone());
        if over {
            let most = self.policy.max_failures.unwrap_or_default();
            let failed = self.counts.failed;
            let message =
                format!("{failed} items failed, and the task allows {most}; the last: {}", error.sentence());
            let hint = "Look at the failures, or raise `maxFailures`";
            return Err(Error::new(error.code(), message).hint(hint).caused_by(error.cause()));
        }
        Ok(())
    }

    /// How long an item waits for its next attempt: doubling, with up to half of it off, so that items that failed
    /// together do not come back together. Drawn from the item's number, so that it is the same every time.
    fn wait(&self, one: &Slice) -> Duration {
        use std::hash::BuildHasher;
        let doubled = self.policy.backoff.saturating_mul(1 << (one.attempt - 1).min(20)).min(LONGEST_WAIT);
        let number = (one.parcel.first + one.from, one.attempt);
        let draw = foldhash::fast::FixedState::with_seed(1).hash_one(number);
        doubled.mul_f64(1.0 - 0.5 * (draw as f64 / u64::MAX as f64))
    }

    /// Results that have come since they were last asked for.
    pub fn results(&mut self) -> Vec<Segment> {
        std::mem::take(&mut self.segments)
    }

    /// Results that are the run's after all.
    pub fn keep(&mut self, segment: Segment) {
        self.segments.push(segment);
    }

    /// What the run's items returned, in their order.
    pub fn outcome(&mut self) -> (Vec<Segment>, BTreeMap<u64, Error>) {
        let mut segments = std::mem::take(&mut self.segments);
        segments.sort_by_key(|segment| segment.first);
        (segments, std::mem::take(&mut self.failures))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::error::Code;

    fn policy(retries: u32, on_error: OnError) -> Policy {
        let backoff = Duration::from_secs(1);
        Policy { retries, on_error, max_failures: None, in_flight: 7, calls: 3, backoff }
    }

    fn parcel(first: u64, count: u64) -> Parcel {
        Parcel { first, count, payload: Vec::new(), more: serde_json::Value::Null, label: None }
    }

    fn error() -> Error {
        Error::new(Code::OperationFailed, "on purpose")
    }

    fn failed(item: u64) -> Failed {
        Failed { item, retryable: true, error: error() }
    }

    fn adds_up(ledger: &Ledger) {
        let c = ledger.counts();
        assert_eq!(c.accepted, c.waiting + c.running + c.succeeded + c.failed + c.cancelled, "{c:?}");
    }

    #[test]
    fn a_failed_item_comes_back_after_its_wait_and_is_then_given_up() {
        let start = Instant::now();
        let mut ledger = Ledger::new(policy(1, OnError::Collect));
        ledger.offer(parcel(10, 3));
        let (id, slice) = ledger.take(start).unwrap();
        assert_eq!((slice.from, slice.to), (0, 3));
        ledger.part(id, 3, vec![failed(1)], Vec::new(), serde_json::Value::Null, start).unwrap();
        assert!(!ledger.ready(start));
        let due = ledger.due().unwrap();
        assert!(due - start >= Duration::from_millis(500) && due - start <= Duration::from_secs(1));
        let (id, slice) = ledger.take(due).unwrap();
        assert_eq!((slice.from, slice.to, slice.attempt), (1, 2, 2));
        ledger.part(id, 2, vec![failed(1)], Vec::new(), serde_json::Value::Null, due).unwrap();
        assert!(ledger.is_settled());
        assert_eq!(ledger.outcome().1.keys().collect::<Vec<_>>(), [&11]);
    }

    #[test]
    fn a_crash_blames_the_item_it_was_at_and_no_other() {
        let now = Instant::now();
        let mut ledger = Ledger::new(policy(0, OnError::Skip));
        ledger.offer(parcel(0, 5));
        let (id, _) = ledger.take(now).unwrap();
        ledger.crashed(id, Some(2), true, error(), now).unwrap();
        let again: Vec<_> =
            std::iter::from_fn(|| ledger.take(now)).map(|(_, s)| (s.from, s.to, s.attempt)).collect();
        assert_eq!(again, [(0, 2, 1), (3, 5, 1)]);
        assert_eq!(ledger.outcome().1.keys().collect::<Vec<_>>(), [&2]);
        adds_up(&ledger);
    }

    #[test]
    fn poison_is_given_up_however_many_attempts_are_allowed() {
        let mut now = Instant::now();
        let mut ledger = Ledger::new(policy(100, OnError::Collect));
        ledger.offer(parcel(0, 1));
        let mut crashes = 0;
        while let Some((id, _)) = ledger.take(now) {
            crashes += 1;
            ledger.crashed(id, Some(0), true, error(), now).unwrap();
            now += Duration::from_secs(3600);
        }
        assert_eq!((crashes, ledger.counts().failed), (POISON, 1));
    }

    #[test]
    fn a_crash_before_the_first_item_blames_none_of_them_until_it_is_poison() {
        let now = Instant::now();
        let mut ledger = Ledger::new(policy(0, OnError::Collect));
        ledger.offer(parcel(0, 3));
        for _ in 1..POISON {
            let (id, slice) = ledger.take(now).unwrap();
            assert_eq!((slice.from, slice.to, slice.attempt), (0, 3, 1));
            ledger.crashed(id, None, true, error(), now).unwrap();
            assert_eq!(ledger.counts().failed, 0);
        }
        let (id, _) = ledger.take(now).unwrap();
        ledger.crashed(id, None, true, error(), now).unwrap();
        assert_eq!((ledger.counts().failed, ledger.counts().waiting), (1, 2));
        adds_up(&ledger);
    }

    #[test]
    fn an_item_that_a_worker_tells_of_twice_or_falsely_counts_once() {
        let now = Instant::now();
        let mut ledger = Ledger::new(policy(0, OnError::Collect));
        ledger.offer(parcel(0, 3));
        let (id, _) = ledger.take(now).unwrap();
        let told = vec![failed(9), failed(1), failed(1)];
        ledger.part(id, 3, told, Vec::new(), serde_json::Value::Null, now).unwrap();
        assert_eq!((ledger.counts().failed, ledger.counts().succeeded), (1, 2));
        adds_up(&ledger);
    }

    #[test]
    fn the_budget_of_failures_is_exact() {
        let now = Instant::now();
        let mut ledger = Ledger::new(Policy { max_failures: Some(2), ..policy(0, OnError::Skip) });
        ledger.offer(parcel(0, 5));
        for number in 0..3 {
            let (id, slice) = ledger.take(now).unwrap();
            let told = ledger.crashed(id, Some(slice.from), true, error(), now);
            assert_eq!(told.is_err(), number == 2);
        }
    }

    proptest! {
        /// Whatever happens in whatever order, every item is in one place, and none is lost.
        #[test]
        fn items_are_accounted_for(events in prop::collection::vec((0_u8..8, 0_u64..9, any::<bool>()), 1..120)) {
            let mut now = Instant::now();
            let mut ledger = Ledger::new(policy(2, OnError::Collect));
            let mut running = Vec::new();
            let (mut first, mut over) = (0, false);
            for (event, number, flag) in events {
                match event {
                    0 if !over => { ledger.offer(parcel(first, number + 1)); first += number + 1; }
                    1 | 2 => if let Some((id, _)) = ledger.take(now) { running.push(id); },
                    3 if !running.is_empty() => {
                        let id = running[number as usize % running.len()];
                        let slice = ledger.running(id).unwrap().clone();
                        let to = slice.from + 1 + number % (slice.to - slice.from);
                        let gone = if flag { vec![failed(slice.from)] } else { Vec::new() };
                        ledger.part(id, to, gone, Vec::new(), serde_json::Value::Null, now).unwrap();
                        if ledger.running(id).is_none() { running.retain(|one| *one != id); }
                    }
                    4 if !running.is_empty() => {
                        let id = running.remove(number as usize % running.len());
                        let at = (number < 8).then_some(number);
                        ledger.crashed(id, at, flag, error(), now).unwrap();
                    }
                    5 if !running.is_empty() => ledger.stopped(running.remove(number as usize % running.len())),
                    6 => now += Duration::from_secs(number),
                    7 if number == 0 => { ledger.wind_down(); over = true; }
                    _ => {}
                }
                adds_up(&ledger);
                prop_assert!(!over || ledger.counts().waiting == 0);
            }
            ledger.wind_down();
            for id in running { ledger.stopped(id); }
            adds_up(&ledger);
            prop_assert!(ledger.is_settled());
            let (segments, failures) = ledger.outcome();
            let kept: u64 = segments.iter().map(|segment| segment.count - segment.failed.len() as u64).sum();
            prop_assert_eq!(kept, ledger.counts().succeeded);
            prop_assert_eq!(failures.len() as u64, ledger.counts().failed);
        }
    }
}
