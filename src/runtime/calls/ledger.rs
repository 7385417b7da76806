//! What becomes of each item of a run: pure decisions on events, the clock passed in.
//!
//! An item is in one place at a time: waiting, delayed until its next attempt, running, or ended as one of succeeded,
//! failed, put aside, cancelled. `counts` says how many are where, and adds up after every event. `pieces` is about
//! items that are run in parts, because the whole needs too much memory, `apart` about calls that several runs share.

mod apart;
mod pieces;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::pieces::Cut;
pub use self::pieces::Piece;
use super::feed::Parcel;
use super::values::Segment;
use crate::engine::control::Accounting;
use crate::error::Error;
use crate::task::OnError;
use crate::worker::Blob;

/// How often an item may end the worker it runs in, whatever the task allows: beyond, it is poison.
pub const POISON: u32 = 3;

/// What the task says of failures.
#[derive(Debug, Clone)]
pub struct Policy {
    pub retries: u32,
    pub on_error: OnError,
    /// Whether there is one item only, without which there is no answer.
    pub alone: bool,
    /// How many items may fail where the run goes on; one more ends it.
    pub max_failures: Option<u64>,
    /// How many items may be with workers at a time.
    pub in_flight: u64,
    /// How many calls may run at a time, whatever they carry.
    pub calls: u64,
    /// The wait before the second attempt; it doubles with each further one.
    pub backoff: Duration,
    /// The longest wait before another attempt.
    pub longest_wait: Duration,
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
    /// Of an item that was cut: which part of it.
    pub piece: Option<Piece>,
    /// When it was first with a worker.
    pub begun: Option<Instant>,
}

impl Slice {
    pub(super) fn len(&self) -> u64 {
        self.to - self.from
    }

    /// The number of its first item in the run.
    pub fn number(&self) -> u64 {
        self.parcel.first + self.from
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
    /// Given up, and put aside to be run again some day.
    pub dead_lettered: u64,
    pub cancelled: u64,
    /// Those of the ended that an earlier run with the same key had done.
    pub restored: u64,
}

impl From<Counts> for Accounting {
    fn from(counts: Counts) -> Self {
        Self {
            accepted: counts.accepted,
            pending: counts.waiting + counts.running,
            succeeded: counts.succeeded,
            failed: counts.failed,
            dead_lettered: counts.dead_lettered,
            cancelled: counts.cancelled,
            skipped: 0,
            restored: counts.restored,
        }
    }
}

/// An item that is to be put aside.
#[derive(Debug)]
pub struct Letter {
    pub slice: Slice,
    pub error: Error,
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
    /// Items that are run in parts.
    cut: HashMap<u64, Cut>,
    next: u64,
    counts: Counts,
    segments: Vec<Segment>,
    letters: Vec<Letter>,
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
            cut: HashMap::new(),
            next: 0,
            counts: Counts::default(),
            segments: Vec::new(),
            letters: Vec::new(),
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
        let slice = Slice {
            parcel: Arc::new(parcel),
            from: 0,
            to: count,
            attempt: 1,
            crashes: 0,
            piece: None,
            begun: None,
        };
        self.waiting.push_back(slice);
    }

    /// Takes in items that an earlier run has done. Some of them it had given up.
    pub fn restore(&mut self, count: u64, gone: Vec<(u64, Error, bool)>) {
        self.counts.accepted += count;
        self.counts.restored += count;
        self.counts.succeeded += count - gone.len() as u64;
        for (item, error, aside) in gone {
            *(if aside { &mut self.counts.dead_lettered } else { &mut self.counts.failed }) += 1;
            self.failures.insert(item, error);
        }
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
        self.counts.waiting + self.counts.running == 0 && self.running.is_empty()
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
        Some(self.begin(slice, now))
    }

    fn begin(&mut self, mut slice: Slice, now: Instant) -> (u64, Slice) {
        let id = self.next;
        self.next += 1;
        slice.begun.get_or_insert(now);
        if slice.piece.is_some() {
            self.begins(slice.number());
        } else {
            self.counts.waiting -= slice.len();
            self.counts.running += slice.len();
        }
        self.running.insert(id, slice.clone());
        (id, slice)
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
        if self.running.get(&id).is_some_and(|slice| slice.piece.is_some()) {
            return self.part_of_piece(id, failed, blobs, more, now);
        }
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
            let prints = done.parcel.prints_of(done.from, done.to);
            self.segments.push(Segment {
                first,
                count: done.len(),
                failed: gone,
                piece: None,
                blobs,
                more,
                prints,
            });
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
        self.cut_short(id, at, retryable, error, true, now)
    }

    /// As `crashed`, but the worker was ended because of what the item did: that makes no poison of it.
    pub fn ended(
        &mut self,
        id: u64,
        at: u64,
        retryable: bool,
        error: Error,
        now: Instant,
    ) -> Result<(), Error> {
        self.cut_short(id, Some(at), retryable, error, false, now)
    }

    fn cut_short(
        &mut self,
        id: u64,
        at: Option<u64>,
        retryable: bool,
        error: Error,
        crash: bool,
        now: Instant,
    ) -> Result<(), Error> {
        let Some(slice) = self.running.remove(&id) else { return Ok(()) };
        if slice.piece.is_some() {
            if !self.left(slice.number()) {
                return Ok(());
            }
        } else {
            self.counts.running -= slice.len();
        }
        let crashes = slice.crashes + u32::from(crash);
        let begun = at.filter(|at| (slice.from..slice.to).contains(at));
        if begun.is_none() && self.closed {
            self.cancel(&slice);
            return Ok(());
        }
        if begun.is_none() && retryable && crashes < POISON {
            self.again(Slice { crashes, ..slice });
            return Ok(());
        }
        let at = begun.unwrap_or(slice.from);
        for (from, to) in [(at + 1, slice.to), (slice.from, at)] {
            if from < to && self.closed {
                self.counts.cancelled += to - from;
            } else if from < to {
                self.again(Slice { from, to, ..slice.clone() });
            }
        }
        let one = Slice { from: at, to: at + 1, crashes, ..slice };
        self.judge(one, retryable && crashes < POISON, error, now)
    }

    /// Items that do not run any more are the next to run.
    fn again(&mut self, slice: Slice) {
        if slice.piece.is_none() {
            self.counts.waiting += slice.len();
        }
        self.waiting.push_front(slice);
    }

    /// Items that do not run any more are not to run again.
    fn cancel(&mut self, slice: &Slice) {
        if slice.piece.is_none() {
            self.counts.cancelled += slice.len();
        } else if self.give_up(slice.number()) {
            self.counts.cancelled += 1;
        }
    }

    /// The call was stopped because the run is.
    pub fn stopped(&mut self, id: u64) {
        let Some(slice) = self.running.remove(&id) else { return };
        if slice.piece.is_some() {
            self.left(slice.number());
        } else {
            self.counts.running -= slice.len();
        }
        self.cancel(&slice);
    }

    /// Nothing more is to be started.
    pub fn wind_down(&mut self) {
        self.waiting.clear();
        self.delayed.clear();
        self.counts.cancelled += std::mem::take(&mut self.counts.waiting);
        self.cut.retain(|_, cut| cut.running > 0);
        self.closed = true;
    }

    /// One failed item: another attempt, or its end.
    fn judge(&mut self, one: Slice, retryable: bool, error: Error, now: Instant) -> Result<(), Error> {
        if retryable && one.attempt <= self.policy.retries && !self.closed {
            let wait = self.wait(&one);
            if one.piece.is_none() {
                self.counts.waiting += 1;
            }
            self.next += 1;
            self.delayed.insert((now + wait, self.next), Slice { attempt: one.attempt + 1, ..one });
            return Ok(());
        }
        let number = one.number();
        if one.piece.is_some() && !self.give_up(number) {
            return Ok(());
        }
        if self.policy.on_error == OnError::DeadLetter {
            self.counts.dead_lettered += 1;
            self.letters.push(Letter { slice: one, error: error.clone() });
        } else {
            self.counts.failed += 1;
        }
        let failed = self.counts.failed + self.counts.dead_lettered;
        let over = self.policy.max_failures.is_some_and(|most| failed > most);
        if self.policy.on_error == OnError::Fail || self.policy.alone {
            return Err(error);
        }
        self.failures.insert(number, error.clone());
        if over {
            let most = self.policy.max_failures.unwrap_or_default();
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
        let doubled =
            self.policy.backoff.saturating_mul(1 << (one.attempt - 1).min(20)).min(self.policy.longest_wait);
        let number = (one.parcel.first + one.from, one.attempt);
        let draw = foldhash::fast::FixedState::with_seed(1).hash_one(number);
        doubled.mul_f64(1.0 - 0.5 * (draw as f64 / u64::MAX as f64))
    }

    /// Items to be put aside, since they were last asked for.
    pub fn letters(&mut self) -> Vec<Letter> {
        std::mem::take(&mut self.letters)
    }

    /// Results from the one with this number on; later ones have higher numbers.
    pub fn since(&self, number: usize) -> &[Segment] {
        self.segments.get(number..).unwrap_or_default()
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
        segments.sort_by_key(|segment| (segment.first, segment.piece));
        (segments, std::mem::take(&mut self.failures))
    }
}
