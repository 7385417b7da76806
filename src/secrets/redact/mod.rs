//! Takes the values of secrets out of every text that leaves the process, whatever way they are encoded.
//!
//! There is one list of values in a process, for all of its clients: an error of one may have seen a secret of
//! another. Values that nobody holds any more stay on it for a while, since logs are written late.

mod automaton;
mod parts;
mod patterns;
mod stream;
#[cfg(test)]
mod tests;
mod views;

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use serde_json::{Map, Value};

use automaton::Automaton;

use super::value::{SHORTEST, SecretValue};
use crate::error::Error;

/// What stands where a value was.
pub const MARK: &str = "***";

/// Values that nobody holds any more, and that are still looked for.
const RETIRED: usize = 200;

/// Bytes of a text that are looked through together.
const PIECE: usize = 64 << 10;

/// Credentials that are no secrets by name are looked for from this length on.
pub const CREDENTIAL: usize = 8;

static LIST: LazyLock<Redactor> = LazyLock::new(Redactor::default);

/// Values, and the automaton that finds them.
#[derive(Default)]
pub struct Redactor(Mutex<State>);

#[derive(Default)]
struct State {
    /// The oldest first.
    values: VecDeque<SecretValue>,
    known: HashSet<SecretValue>,
    built: Option<Arc<Automaton>>,
    /// How often the list has changed, and when it was built.
    changes: u64,
    built_at: u64,
}

impl Redactor {
    /// Looks for this value from now on. Values that are too short are left in: every text has them.
    pub fn add(&self, value: &SecretValue) {
        if value.reveal().chars().count() < SHORTEST {
            return;
        }
        let mut state = self.0.lock();
        if state.known.contains(value) {
            return;
        }
        state.known.insert(value.clone());
        state.values.push_back(value.clone());
        state.changes += 1;
        if state.values.len() > RETIRED {
            state.retire();
        }
    }

    fn automaton(&self) -> Option<Arc<Automaton>> {
        let (values, changes) = {
            let state = self.0.lock();
            if state.changes == state.built_at {
                return state.built.clone();
            }
            (state.values.iter().cloned().collect::<Vec<_>>(), state.changes)
        };
        // Not under the lock: a process that forks meanwhile would have it locked for ever.
        let built = Automaton::new(values.iter()).map(Arc::new);
        let mut state = self.0.lock();
        if state.built_at < changes {
            state.built.clone_from(&built);
            state.built_at = changes;
        }
        built
    }

    /// The text without values.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(automaton) = self.automaton() else { return Cow::Borrowed(text) };
        if text.len() <= PIECE {
            if automaton.scan(text.as_bytes(), true).spans.is_empty() {
                return Cow::Borrowed(text);
            }
            return Cow::Owned(stream::Stream::whole(&automaton, text));
        }
        // What lies below its escapes takes many times as much memory as a text.
        let mut stream = stream::Stream::default();
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.floor_char_boundary(PIECE));
            clean.push_str(&stream.feed(Some(&automaton), piece));
            rest = more;
        }
        clean.push_str(&stream.finish(Some(&automaton)));
        Cow::Owned(clean)
    }
}

impl State {
    /// Lets go of the oldest values that nobody holds, beyond those that are kept for a while.
    fn retire(&mut self) {
        // One reference is the list's, one the set's.
        let (values, known) = (&self.values, &mut self.known);
        let unheld: Vec<SecretValue> = values.iter().filter(|value| value.holders() <= 2).cloned().collect();
        for value in unheld.iter().take(unheld.len().saturating_sub(RETIRED)) {
            known.remove(value);
        }
        let known = &self.known;
        self.values.retain(|value| known.contains(value));
    }
}

/// Looks for this value from now on, in everything that leaves the process.
pub fn add(value: &SecretValue) {
    LIST.add(value);
}

/// As `add`, for a credential that was given as plain text: those of test stores are ordinary words.
pub fn add_credential(value: &SecretValue) {
    if value.reveal().chars().count() >= CREDENTIAL {
        add(value);
    }
}

/// Whether any value is looked for.
pub fn active() -> bool {
    !LIST.0.lock().values.is_empty()
}

/// The text without values.
pub fn text(text: &str) -> Cow<'_, str> {
    LIST.text(text)
}

/// As `text`, for one that is owned.
pub fn owned(given: String) -> String {
    match text(&given) {
        Cow::Borrowed(_) => given,
        Cow::Owned(clean) => clean,
    }
}

/// Plain data without values, in its keys neither.
pub fn json(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(owned(text)),
        Value::Array(values) => values.into_iter().map(json).collect(),
        Value::Object(entries) => Value::Object(map(entries)),
        other => other,
    }
}

fn map(entries: Map<String, Value>) -> Map<String, Value> {
    entries.into_iter().map(|(key, value)| (owned(key), json(value))).collect()
}

/// An error without values: in its sentence, its advice, its details and its cause.
pub fn error(error: Error) -> Error {
    error.rewritten(&|text| owned(text.to_owned()), &json)
}

/// One stream of text that comes in pieces.
#[derive(Debug, Default)]
pub struct Stream(stream::Stream);

impl Stream {
    /// What is decided with this piece; the rest comes with the next ones, or with `finish`.
    pub fn feed(&mut self, piece: &str) -> String {
        self.0.feed(LIST.automaton().as_deref(), piece)
    }

    /// The rest, when nothing follows.
    pub fn finish(&mut self) -> String {
        self.0.finish(LIST.automaton().as_deref())
    }
}
