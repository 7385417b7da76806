//! All patterns of all values in one automaton, and what it finds in a text below its escapes.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};

use super::super::value::SecretValue;
use super::patterns::patterns;
use super::views::{View, views};

/// Shorter patterns are not looked for across line ends: nobody wraps them, and words at line ends would match.
const WRAPPED: usize = 32;

/// What is left of a value that was cut off is taken out from this length on.
const CUT: usize = 4;

pub struct Automaton {
    nfa: NFA,
    /// How much of a pattern has been read in each state.
    depths: HashMap<StateID, usize>,
    wrapped: bool,
}

/// What there is in a text.
pub struct Scan {
    /// Parts that are values, in order; they do not overlap.
    pub spans: Vec<Range<usize>>,
    /// From here on the text may be the beginning of a value or of an escape.
    pub undecided: usize,
    views: Vec<View>,
}

impl Automaton {
    /// None where there is nothing to look for.
    pub fn new<'a>(values: impl Iterator<Item = &'a SecretValue>) -> Option<Self> {
        let mut all: Vec<Vec<u8>> = values.flat_map(|value| patterns(value.reveal())).collect();
        all.sort();
        all.dedup();
        if all.is_empty() {
            return None;
        }
        let nfa = NFA::builder().match_kind(MatchKind::Standard).prefilter(false).build(&all).ok()?;
        let mut depths = HashMap::new();
        for pattern in &all {
            let mut state = nfa.start_state(Anchored::No).ok()?;
            for (read, byte) in pattern.iter().enumerate() {
                state = nfa.next_state(Anchored::No, state, *byte);
                depths.insert(state, read + 1);
            }
        }
        let wrapped = all.iter().any(|pattern| pattern.len() >= WRAPPED);
        Some(Self { nfa, depths, wrapped })
    }

    /// Looks through a text. `whole`: nothing follows it.
    pub fn scan(&self, text: &[u8], whole: bool) -> Scan {
        let mut spans = Vec::new();
        let mut undecided = text.len();
        undecided = undecided.min(self.walk(text, false, whole, |start, end| spans.push(start..end)));
        if self.is_wrapped(text) {
            undecided = undecided.min(self.walk(text, true, whole, |start, end| spans.push(start..end)));
        }
        let views = views(text, whole);
        for view in &views {
            let mut look = |joined| {
                let begins =
                    self.walk(&view.bytes, joined, whole, |start, end| spans.push(view.span(start, end)));
                if begins < view.bytes.len() {
                    undecided = undecided.min(view.place(begins));
                }
            };
            look(false);
            if self.is_wrapped(&view.bytes) {
                look(true);
            }
            undecided = undecided.min(view.open.unwrap_or(undecided));
        }
        Scan { spans: merged(spans), undecided, views }
    }

    /// Whether a long pattern may lie across line ends of it.
    fn is_wrapped(&self, text: &[u8]) -> bool {
        self.wrapped && memchr::memchr2(b'\n', b'\r', text).is_some()
    }

    /// Tells of every pattern in it, also of those within others, and of beginnings of some that somebody cut off.
    /// Returns where one begins that the end may be a part of. `joined`: of the long patterns only, as if there were
    /// no line ends.
    fn walk(&self, text: &[u8], joined: bool, whole: bool, mut found: impl FnMut(usize, usize)) -> usize {
        let Ok(mut state) = self.nfa.start_state(Anchored::No) else { return text.len() };
        let mut open = text.len();
        for (at, byte) in text.iter().enumerate() {
            if joined && matches!(byte, b'\n' | b'\r') {
                continue;
            }
            if !joined && matches!(byte, b'.' | 0xe2) {
                let read = self.read(state);
                match cut_off(&text[at..]) {
                    Some(true) if read >= CUT => found(at - read, at),
                    None if read >= CUT && !whole => open = open.min(at - read),
                    _ => {}
                }
            }
            state = self.nfa.next_state(Anchored::No, state, *byte);
            if self.nfa.is_match(state) {
                for index in 0..self.nfa.match_len(state) {
                    let length = self.nfa.pattern_len(self.nfa.match_pattern(state, index));
                    if !joined {
                        found(at + 1 - length, at + 1);
                    } else if length >= WRAPPED {
                        found(before(&text[..=at], length), at + 1);
                    }
                }
            }
        }
        let read = self.read(state).min(text.len());
        open.min(if joined { before(text, read) } else { text.len() - read })
    }

    /// How much of a pattern has been read.
    fn read(&self, state: StateID) -> usize {
        self.depths.get(&state).copied().unwrap_or(0)
    }
}

/// Whether a text begins with what stands for the rest of one that was cut; None if that is not all there.
fn cut_off(text: &[u8]) -> Option<bool> {
    let marks = [b"...".as_slice(), "…".as_bytes()];
    if marks.iter().any(|mark| text.starts_with(mark)) {
        return Some(true);
    }
    (!marks.iter().any(|mark| mark.starts_with(text))).then_some(false)
}

impl Scan {
    /// The last place up to `place` where the text can be cut without a difference to what is found in its halves.
    pub fn cut(&self, text: &str, mut place: usize) -> usize {
        loop {
            let before = place;
            while !text.is_char_boundary(place) {
                place -= 1;
            }
            for view in &self.views {
                place = view.cut_in_two(place).unwrap_or(place);
            }
            if place == before {
                return place;
            }
        }
    }
}

/// Where the last bytes of a text begin, so many of them without line ends. Line ends at its end belong to none.
fn before(text: &[u8], count: usize) -> usize {
    let counted = |byte: &u8| !matches!(byte, b'\n' | b'\r');
    let last = text.iter().enumerate().rev().filter(|(_, byte)| counted(byte)).map(|(at, _)| at);
    match count.checked_sub(1) {
        Some(further) => {
            let mut last = last;
            last.nth(further).unwrap_or(0)
        }
        None => text.len(),
    }
}

fn merged(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.sort_by_key(|span| (span.start, span.end));
    let mut kept: Vec<Range<usize>> = Vec::new();
    for span in spans {
        match kept.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => kept.push(span),
        }
    }
    kept
}
