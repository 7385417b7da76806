//! Text that comes in pieces: what may be the beginning of a value waits for the next piece.

use super::MARK;
use super::automaton::Automaton;

/// One stream of text. What it gives out, put together, is what the whole text would have become at once.
#[derive(Debug, Default)]
pub struct Stream {
    pending: String,
    /// Bytes at its beginning that belong to a value whose mark is out already.
    hidden: usize,
}

impl Stream {
    /// A text that is there as a whole.
    pub fn whole(automaton: &Automaton, text: &str) -> String {
        Self { pending: text.to_owned(), hidden: 0 }.take(Some(automaton), true)
    }

    /// What is decided with this piece.
    pub fn feed(&mut self, automaton: Option<&Automaton>, piece: &str) -> String {
        self.pending.push_str(piece);
        self.take(automaton, false)
    }

    /// The rest, when nothing follows.
    pub fn finish(&mut self, automaton: Option<&Automaton>) -> String {
        self.take(automaton, true)
    }

    fn take(&mut self, automaton: Option<&Automaton>, whole: bool) -> String {
        let Some(automaton) = automaton else {
            let start = floor(&self.pending, self.hidden);
            self.hidden = 0;
            let given = self.pending[start..].to_owned();
            self.pending.clear();
            return given;
        };
        let scan = automaton.scan(self.pending.as_bytes(), whole);
        let end = if whole { self.pending.len() } else { scan.cut(&self.pending, scan.undecided) };
        let mut given = String::with_capacity(end);
        // Where the text goes on that has been dealt with: within a value, its end.
        let mut at = self.hidden;
        for span in &scan.spans {
            if span.start >= end {
                break;
            }
            if span.start < at {
                // It is one with the value before it, whose mark is out.
                at = at.max(span.end);
                continue;
            }
            given.push_str(slice(&self.pending, at, span.start));
            given.push_str(MARK);
            at = span.end;
        }
        if at < end {
            given.push_str(slice(&self.pending, at, end));
            at = end;
        }
        self.hidden = at - end;
        self.pending.drain(..end);
        given
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A part of a text; where it begins or ends within a character, without that one.
fn slice(text: &str, start: usize, end: usize) -> &str {
    let mut start = start.min(text.len());
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let end = floor(text, end);
    if start < end { &text[start..end] } else { "" }
}
