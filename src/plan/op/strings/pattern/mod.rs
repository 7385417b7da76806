//! Regular expressions with Python's meaning, on an engine that takes linear time wherever it has what they use.

mod class;
mod parse;

use std::any::Any;

use fancy_regex::Regex as Fancy;
use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;
use memchr::memmem::Finder;
use regex::{CaptureLocations, Regex};

pub use self::parse::refused;
use self::parse::{Translated, translate};
use super::super::{failed, time};
use crate::error::{Error, Result};

/// Steps back that a pattern with lookaround or references may take for one text.
const PATIENCE: usize = 10_000_000;

enum Engine {
    Linear(Regex),
    Backtracking(Fancy),
}

/// A compiled pattern.
pub struct Pattern {
    text: String,
    groups: Vec<Option<String>>,
    engine: Engine,
    newline: bool,
    words: bool,
    may_be_empty: bool,
    python: Python,
    finders: Option<Vec<Finder<'static>>>,
}

/// Whether pandas leaves a pattern to Python's own engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Python {
    Always,
    /// Where the column has texts beyond ASCII, or with newlines.
    Depends,
    Never,
}

/// Which part of a text a pattern is to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Anywhere,
    Beginning,
    All,
}

impl Pattern {
    pub fn new(text: &str, flags: i64) -> Result<Self> {
        Self::placed(text, flags, Place::Anywhere)
    }

    pub fn placed(text: &str, flags: i64, place: Place) -> Result<Self> {
        let read = translate(text, flags)?;
        let (before, after) = match place {
            Place::Anywhere => ("", ""),
            Place::Beginning => (r"\A(?:", ")"),
            Place::All => (r"\A(?:", r")\z"),
        };
        let written = format!("{before}{}{after}", read.written);
        let failure = |error: &dyn std::fmt::Display| {
            let error = error.to_string();
            let error = error.lines().last().unwrap_or_default();
            refused(text, &format!("a form that cannot be compiled ({error})"))
        };
        let engine = if read.fancy {
            let mut builder = fancy_regex::RegexBuilder::new(&written);
            let built = builder.backtrack_limit(PATIENCE).build();
            Engine::Backtracking(built.map_err(|error| failure(&error))?)
        } else {
            Engine::Linear(Regex::new(&written).map_err(|error| failure(&error))?)
        };
        let finders = read
            .texts
            .as_ref()
            .filter(|_| place == Place::Anywhere)
            .map(|texts| texts.iter().map(|text| Finder::new(text.as_bytes()).into_owned()).collect());
        Ok(Self {
            text: text.to_owned(),
            python: python(&read, flags),
            newline: read.newline,
            words: read.words,
            groups: read.groups,
            engine,
            may_be_empty: read.may_be_empty,
            finders,
        })
    }

    pub fn groups(&self) -> &[Option<String>] {
        &self.groups
    }

    /// Whether it may match an empty text.
    pub fn may_be_empty(&self) -> bool {
        self.may_be_empty
    }

    pub fn python(&self) -> Python {
        self.python
    }

    fn gave_up(&self, error: &fancy_regex::Error) -> Error {
        failed(format!("the pattern {:?} took too many steps for a value: {error}", self.text))
            .hint("Write it without lookaround and references to groups")
    }

    /// The text without the newline at its end, where `$` stands before that as well.
    fn shorter<'a>(&self, text: &'a str) -> Option<&'a str> {
        if self.newline { text.strip_suffix('\n') } else { None }
    }

    /// Fails for a text in which `\b` would be elsewhere than in Python.
    fn same_words(&self, text: &str) -> Result<()> {
        if !self.words || text.is_ascii() || !text.chars().any(doubtful) {
            return Ok(());
        }
        Err(failed(format!(
            "the pattern {:?} has `\\b`, and the value '{}' a character that is a letter to some engines only",
            self.text,
            time::short(text)
        ))
        .hint("Write what may stand beside the word instead of `\\b`"))
    }

    pub fn is_match(&self, text: &str) -> Result<bool> {
        match self.finders.as_deref() {
            Some([one]) => return Ok(one.find(text.as_bytes()).is_some()),
            Some(several) => {
                let mut rest = text.as_bytes();
                let found = several.iter().all(|finder| match finder.find(rest) {
                    Some(at) => {
                        rest = rest.get(at + finder.needle().len()..).unwrap_or_default();
                        true
                    }
                    None => false,
                });
                // `.*` does not cross lines.
                if !found || memchr::memchr(b'\n', text.as_bytes()).is_none() {
                    return Ok(found);
                }
            }
            None => {}
        }
        match &self.engine {
            Engine::Backtracking(regex) => regex.is_match(text).map_err(|error| self.gave_up(&error)),
            Engine::Linear(regex) => {
                self.same_words(text)?;
                Ok(regex.is_match(text) || self.shorter(text).is_some_and(|text| regex.is_match(text)))
            }
        }
    }

    pub fn find_at(&self, text: &str, at: usize) -> Result<Option<(usize, usize)>> {
        if let Some([one]) = self.finders.as_deref() {
            let rest = text.as_bytes().get(at..).unwrap_or_default();
            return Ok(one.find(rest).map(|found| (at + found, at + found + one.needle().len())));
        }
        match &self.engine {
            Engine::Linear(regex) if !self.newline && !self.words => {
                Ok(regex.find_at(text, at).map(|found| (found.start(), found.end())))
            }
            _ => {
                let mut groups = Vec::new();
                self.captures_at(text, at, &mut groups)?;
                Ok(groups.first().copied().flatten())
            }
        }
    }

    /// The groups of the first match from `at` on; the whole match is number 0.
    pub fn captures_at(
        &self,
        text: &str,
        at: usize,
        groups: &mut Vec<Option<(usize, usize)>>,
    ) -> Result<bool> {
        groups.clear();
        let regex = match &self.engine {
            Engine::Linear(regex) => regex,
            Engine::Backtracking(regex) => {
                let found = regex.captures_from_pos(text, at).map_err(|error| self.gave_up(&error))?;
                let Some(found) = found else { return Ok(false) };
                groups.extend(found.iter().map(|group| group.map(|group| (group.start(), group.end()))));
                return Ok(true);
            }
        };
        self.same_words(text)?;
        let mut locations = regex.capture_locations();
        regex.captures_read_at(&mut locations, text, at);
        if let Some(shorter) = self.shorter(text).filter(|shorter| at <= shorter.len()) {
            let mut others = regex.capture_locations();
            regex.captures_read_at(&mut others, shorter, at);
            match (locations.get(0), others.get(0)) {
                (Some((start, end)), Some((other, other_end))) if start == other && end != other_end => {
                    return Err(failed(format!(
                        "the pattern {:?} can end before or behind the newline at the end of a value",
                        self.text
                    ))
                    .hint(r"Write `\Z` for the very end, or take the newline off first"));
                }
                (None, Some(_)) => locations = others,
                (Some((start, _)), Some((other, _))) if other < start => locations = others,
                _ => {}
            }
        }
        if locations.get(0).is_none() {
            return Ok(false);
        }
        read(&locations, groups);
        Ok(true)
    }

    /// Every match from left to right, none of them empty right behind another, until `visit` says false.
    pub fn each(&self, text: &str, mut visit: impl FnMut(usize, usize) -> bool) -> Result<()> {
        let mut steps = Steps::default();
        while steps.at <= text.len() {
            let Some((start, end)) = self.find_at(text, steps.at)? else { return Ok(()) };
            if steps.take(text, start, end) && !visit(start, end) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// As [`Pattern::each`], with the groups of every match.
    pub fn each_captures(
        &self,
        text: &str,
        mut visit: impl FnMut(&[Option<(usize, usize)>]) -> bool,
    ) -> Result<()> {
        let mut groups = Vec::new();
        let mut steps = Steps::default();
        while steps.at <= text.len() && self.captures_at(text, steps.at, &mut groups)? {
            let Some((start, end)) = groups.first().copied().flatten() else { return Ok(()) };
            if steps.take(text, start, end) && !visit(&groups) {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Where a search from match to match stands.
#[derive(Default)]
struct Steps {
    at: usize,
    last_end: Option<usize>,
}

impl Steps {
    /// Goes behind a match; false where it does not count.
    fn take(&mut self, text: &str, start: usize, end: usize) -> bool {
        let counts = start < end || self.last_end != Some(end);
        self.at = if start == end { next(text, end) } else { end };
        self.last_end = Some(end);
        counts
    }
}

fn read(locations: &CaptureLocations, groups: &mut Vec<Option<(usize, usize)>>) {
    groups.extend((0..locations.len()).map(|group| locations.get(group)));
}

/// Whether the engine and Python disagree about a character being part of a word.
fn doubtful(c: char) -> bool {
    use GeneralCategory::*;
    if c.is_ascii() {
        return false;
    }
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    let letter = matches!(
        category,
        UppercaseLetter | LowercaseLetter | TitlecaseLetter | ModifierLetter | OtherLetter
    );
    let python = letter || matches!(category, DecimalNumber | LetterNumber | OtherNumber);
    let engine = c.is_alphabetic()
        || matches!(category, NonspacingMark | SpacingMark | EnclosingMark | DecimalNumber)
        || matches!(category, ConnectorPunctuation)
        || matches!(c, '\u{200c}' | '\u{200d}');
    python != engine
}

/// The byte behind the character at `at`.
fn next(text: &str, at: usize) -> usize {
    at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8)
}

fn python(read: &Translated, flags: i64) -> Python {
    if read.spaces || read.fancy || flags != 0 {
        Python::Always
    } else if read.unicode || read.newline {
        Python::Depends
    } else {
        Python::Never
    }
}

/// The pattern that an operator prepared.
pub fn of(prepared: Option<&(dyn Any + Send + Sync)>) -> Result<&Pattern> {
    prepared
        .and_then(|prepared| prepared.downcast_ref::<Pattern>())
        .ok_or_else(|| Error::internal("a pattern was not compiled"))
}
