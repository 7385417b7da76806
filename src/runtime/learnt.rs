//! What a client has learnt of questions that did not fit its memory: with which operators they did.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use parking_lot::Mutex;

use super::ladder::Rung;
use crate::io::source::Sources;
use crate::plan::frame::Frame;

/// Questions that are remembered; with the next one all are forgotten.
const MOST: usize = 256;

/// Of a run that held at most one of so many parts of its limit and wrote nothing to disk, the fastest operators may
/// have found room.
const ROOMY: u64 = 4;

/// A question over these rows in so much memory. Two that are taken for one another would only begin slower, or be
/// started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Question(u64);

impl Question {
    pub fn new(frame: &Frame, sources: &Sources, (limit, threads): (usize, usize)) -> Self {
        let mut hasher = DefaultHasher::new();
        frame.explain().hash(&mut hasher);
        (limit, threads).hash(&mut hasher);
        sources.sketch(&mut hasher);
        Self(hasher.finish())
    }
}

#[derive(Debug, Default)]
pub(super) struct Learnt(Mutex<HashMap<Question, Rung>>);

impl Learnt {
    /// Whether nothing is known of any question.
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// With which operators a question is to begin, if not with the fastest.
    pub fn of(&self, question: Question) -> Option<Rung> {
        self.0.lock().get(&question).copied()
    }

    /// Takes note of the operators with which a question was answered.
    pub fn note(&self, question: Question, rung: Rung) {
        let mut known = self.0.lock();
        if known.len() >= MOST && !known.contains_key(&question) {
            known.clear();
        }
        known.insert(question, rung);
    }

    /// A question was answered with operators that it began with, holding and writing so many bytes: whether that is to
    /// be forgotten, as it may do without them by now.
    pub fn review(&self, question: Question, (peak, spilled): (u64, u64), limit: usize) {
        if spilled == 0 && peak.saturating_mul(ROOMY) <= limit as u64 {
            self.0.lock().remove(&question);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Grouping;

    #[test]
    fn what_was_learnt_is_forgotten_when_it_is_not_needed_and_never_grows_without_end() {
        let learnt = Learnt::default();
        let spilling = Rung::first(Grouping::Spilling);
        assert!(learnt.is_empty());
        learnt.note(Question(1), spilling);
        assert_eq!((learnt.of(Question(1)), learnt.of(Question(2))), (Some(spilling), None));
        learnt.review(Question(1), (100, 1), 1_000);
        learnt.review(Question(1), (300, 0), 1_000);
        assert_eq!(learnt.of(Question(1)), Some(spilling));
        learnt.review(Question(1), (200, 0), 1_000);
        assert_eq!(learnt.of(Question(1)), None);
        for number in 0..3 * MOST as u64 {
            learnt.note(Question(number), spilling);
        }
        assert!(learnt.0.lock().len() <= MOST);
    }
}
