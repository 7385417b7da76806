//! Which waiting inputs of several callers go to a worker together, and when: a pure decision, the clock passed in.
//!
//! A batch goes when it is full, or when the input that has waited longest has waited as long as it may. Callers share a
//! batch evenly, so that one with many inputs does not keep out one with few. An input that failed goes alone the next
//! time: what fails then is its own.
//!
//! There may be thousands of callers, and the question comes up whenever anything happens. So callers stand in orders
//! that are kept, and an answer looks at those alone that go.

use std::collections::{BTreeMap, BTreeSet, HashMap};
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    Alone(u64),
    /// So many inputs of these callers, in the order in which they came.
    Together(Vec<(u64, u64)>),
    /// Nothing before this time, unless more comes.
    At(Instant),
    Nothing,
}

/// When something goes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Now,
    At(Instant),
    Never,
}

/// The callers that wait, by their numbers, which rise as they come.
#[derive(Debug, Default)]
pub struct Line {
    callers: HashMap<u64, Queued>,
    /// Those that have inputs that may go with others, and how many.
    fresh: BTreeMap<u64, u64>,
    total: u64,
    /// The same callers, the one first that waits longest.
    oldest: BTreeSet<(Instant, u64)>,
    /// Callers with inputs that have to go alone, the first that is due.
    again: BTreeSet<(Instant, u64)>,
}

impl Line {
    /// What waits of a caller has changed.
    pub fn set(&mut self, caller: u64, queued: Queued) {
        if self.callers.get(&caller) == Some(&queued) {
            return;
        }
        self.remove(caller);
        if queued.fresh > 0 {
            self.fresh.insert(caller, queued.fresh);
            self.total += queued.fresh;
            self.oldest.insert((queued.since, caller));
        }
        if let Some(due) = queued.again {
            self.again.insert((due, caller));
        }
        self.callers.insert(caller, queued);
    }

    /// A caller has gone.
    pub fn remove(&mut self, caller: u64) {
        let Some(queued) = self.callers.remove(&caller) else { return };
        if self.fresh.remove(&caller).is_some() {
            self.total -= queued.fresh;
            self.oldest.remove(&(queued.since, caller));
        }
        if let Some(due) = queued.again {
            self.again.remove(&(due, caller));
        }
    }

    /// What waits of a caller.
    pub fn get(&self, caller: u64) -> Option<Queued> {
        self.callers.get(&caller).copied()
    }

    /// When something goes, quick.
    pub fn due(&self, limits: Limits, now: Instant) -> Due {
        let again = self.again.first().map(|(due, _)| *due);
        // A time too far away to be told never comes.
        let together = self.oldest.first().and_then(|(since, _)| since.checked_add(limits.wait));
        match again.into_iter().chain(together).min() {
            Some(due) if due <= now => Due::Now,
            _ if self.total >= limits.most => Due::Now,
            Some(due) => Due::At(due),
            None => Due::Never,
        }
    }

    /// What goes next.
    pub fn next(&self, limits: Limits, now: Instant) -> Next {
        if let Some((_, caller)) = self.again.first().filter(|(due, _)| *due <= now) {
            return Next::Alone(*caller);
        }
        match self.due(limits, now) {
            Due::Now => Next::Together(self.share(limits.most)),
            Due::At(due) => Next::At(due),
            Due::Never => Next::Nothing,
        }
    }

    /// An even share for each; who came first has what does not come out even.
    fn share(&self, most: u64) -> Vec<(u64, u64)> {
        // Beyond these there is nothing left for anybody.
        let open = usize::try_from(most).unwrap_or(usize::MAX);
        let callers: Vec<(u64, u64)> =
            self.fresh.iter().take(open).map(|(one, fresh)| (*one, *fresh)).collect();
        let mut given: Vec<(u64, u64)> = callers.iter().map(|(one, _)| (*one, 0)).collect();
        let mut left = most;
        loop {
            let open =
                callers.iter().zip(&given).filter(|((_, fresh), (_, given))| fresh > given).count() as u64;
            if open == 0 || left == 0 {
                return given;
            }
            let each = (left / open).max(1);
            for ((_, fresh), (_, given)) in callers.iter().zip(&mut given) {
                let more = each.min(fresh - *given).min(left);
                *given += more;
                left -= more;
            }
        }
    }
}

#[cfg(test)]
mod tests;
