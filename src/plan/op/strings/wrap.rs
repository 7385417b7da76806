//! `wrap(x, width, ...)`: lines of at most so many characters, broken where Python's `textwrap` breaks them.

use arrow::array::ArrayRef;

use super::build::map;
use super::classes::{decimal, space, word};
use super::{Operand, Operator, Typed, bool_at, constants, integer_at, of_text, position_at, text_at, texts};
use crate::error::{Result, not_decomposable};
use crate::plan::{DType, Literal};

pub struct Wrap;

impl Operator for Wrap {
    fn name(&self) -> &'static str {
        "str_wrap"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        Told::new(&super::literals(args))?;
        of_text(args, "str.wrap", DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let constants = constants(args);
        let told = Told::new(&constants)?;
        map(&texts(args, 0, rows)?, |text, open| told.fill(text, open))
    }
}

/// As the arguments of `textwrap.TextWrapper`.
struct Told {
    width: usize,
    expand_tabs: bool,
    tab: i64,
    replace_spaces: bool,
    drop_spaces: bool,
    first: Vec<char>,
    later: Vec<char>,
    fix_sentences: bool,
    break_words: bool,
    break_hyphens: bool,
    most: Option<usize>,
    placeholder: Vec<char>,
    /// A full line before a word that is too long keeps its last space, as Pythons before 3.13 have it.
    trailing: bool,
}

/// A piece of the text that is broken only where it is too long: places of characters.
type Chunk = (usize, usize);

impl Told {
    fn new(args: &[Option<&Literal>]) -> Result<Self> {
        let refused = |what: String, advice: &'static str| Err(not_decomposable(what).hint(advice));
        let text = |place| Ok::<_, crate::error::Error>(text_at(args, place)?.chars().collect::<Vec<char>>());
        let width = integer_at(args, 1)?;
        if width < 1 {
            return refused(format!("lines of {width} characters"), "Give a width above 0");
        }
        let told = Self {
            width: usize::try_from(width).unwrap_or(usize::MAX),
            expand_tabs: bool_at(args, 2)?,
            tab: integer_at(args, 3)?,
            replace_spaces: bool_at(args, 4)?,
            drop_spaces: bool_at(args, 5)?,
            first: text(6)?,
            later: text(7)?,
            fix_sentences: bool_at(args, 8)?,
            break_words: bool_at(args, 9)?,
            break_hyphens: bool_at(args, 10)?,
            most: position_at(args, 11)?.map(|most| usize::try_from(most).unwrap_or(0)),
            placeholder: text(12)?,
            trailing: bool_at(args, 13)?,
        };
        if let Some(most) = told.most {
            let indent = if most > 1 { &told.later } else { &told.first };
            if indent.len() + stripped(&told.placeholder).len() > told.width {
                return refused(
                    format!("a placeholder that is longer than lines of {width} characters"),
                    "Give a shorter `placeholder`, or a larger `width`",
                );
            }
        }
        Ok(told)
    }

    fn fill(&self, text: &str, open: &mut String) {
        let mut chars = self.spaced(text);
        let mut chunks = self.split(&chars);
        if self.fix_sentences {
            fix_sentences(&mut chars, &mut chunks);
        }
        let mut between = "";
        for line in self.lines(&chars, chunks) {
            open.push_str(between);
            open.extend(line);
            between = "\n";
        }
    }

    /// With spaces for tabs and other white space.
    fn spaced(&self, text: &str) -> Vec<char> {
        let mut chars = Vec::with_capacity(text.len());
        let mut column = 0_i64;
        for c in text.chars() {
            match c {
                '\t' if self.expand_tabs => {
                    if self.tab > 0 {
                        let missing = self.tab - column % self.tab;
                        column += missing;
                        chars.extend(std::iter::repeat_n(' ', usize::try_from(missing).unwrap_or(0)));
                    }
                }
                _ => {
                    column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
                    chars.push(if self.replace_spaces && blank(c) { ' ' } else { c });
                }
            }
        }
        chars
    }

    fn split(&self, chars: &[char]) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        let mut start = 0;
        while start < chars.len() {
            let run = |same: &dyn Fn(char) -> bool| {
                chars[start..].iter().position(|c| !same(*c)).map_or(chars.len(), |length| start + length)
            };
            let end = if blank(chars[start]) {
                run(&blank)
            } else if self.break_hyphens {
                hyphenated(chars, start)
            } else {
                run(&|c| !blank(c))
            };
            chunks.push((start, end));
            start = end;
        }
        chunks
    }

    fn lines(&self, chars: &[char], mut chunks: Vec<Chunk>) -> Vec<Vec<char>> {
        let text = |chunk: Chunk| &chars[chunk.0..chunk.1];
        let empty = |chunk: Chunk| text(chunk).iter().all(|c| space(*c));
        let length = |chunks: &[Chunk]| chunks.iter().map(|(start, end)| end - start).sum::<usize>();
        let mut lines: Vec<Vec<char>> = Vec::new();
        chunks.reverse();
        while let Some(next) = chunks.last().copied() {
            let indent = if lines.is_empty() { &self.first } else { &self.later };
            // Below zero, where the indent is wider than the line.
            let width = self.width.checked_sub(indent.len());
            if self.drop_spaces && !lines.is_empty() && empty(next) {
                chunks.pop();
            }
            let mut line: Vec<Chunk> = Vec::new();
            let mut used = 0;
            while let Some(chunk) = chunks.last().copied()
                && width.is_some_and(|width| used + (chunk.1 - chunk.0) <= width)
            {
                used += chunk.1 - chunk.0;
                line.push(chunk);
                chunks.pop();
            }
            if chunks.last().is_some_and(|chunk| width.is_none_or(|width| chunk.1 - chunk.0 > width)) {
                self.break_word(chars, &mut chunks, &mut line, used, width.unwrap_or(0));
            }
            if self.drop_spaces && line.last().is_some_and(|chunk| empty(*chunk)) {
                line.pop();
            }
            used = length(&line);
            if line.is_empty() {
                continue;
            }
            let written = |line: &[Chunk]| -> Vec<char> {
                indent.iter().chain(line.iter().flat_map(|chunk| text(*chunk))).copied().collect()
            };
            let rest = match chunks.as_slice() {
                [] => true,
                [last] => self.drop_spaces && empty(*last),
                _ => false,
            };
            let fits = width.is_some_and(|width| used <= width);
            if self.most.is_none_or(|most| lines.len() + 1 < most || rest && fits) {
                lines.push(written(&line));
                continue;
            }
            self.cut_off(&mut lines, line, &written, &empty, width);
            break;
        }
        lines
    }

    /// The last line that there may be, with the placeholder for all that is left.
    fn cut_off(
        &self,
        lines: &mut Vec<Vec<char>>,
        mut line: Vec<Chunk>,
        written: &dyn Fn(&[Chunk]) -> Vec<char>,
        empty: &dyn Fn(Chunk) -> bool,
        width: Option<usize>,
    ) {
        while let Some(last) = line.last().copied() {
            let used: usize = line.iter().map(|(start, end)| end - start).sum();
            if !empty(last) && width.is_some_and(|width| used + self.placeholder.len() <= width) {
                let mut text = written(&line);
                text.extend(&self.placeholder);
                lines.push(text);
                return;
            }
            line.pop();
        }
        if let Some(before) = lines.last_mut() {
            let kept = before.iter().rposition(|c| !space(*c)).map_or(0, |last| last + 1);
            if kept + self.placeholder.len() <= self.width {
                before.truncate(kept);
                before.extend(&self.placeholder);
                return;
            }
        }
        let mut text = written(&[]);
        text.extend(stripped(&self.placeholder));
        lines.push(text);
    }

    /// As much of a word that fits no line as fits this one.
    fn break_word(
        &self,
        chars: &[char],
        chunks: &mut Vec<Chunk>,
        line: &mut Vec<Chunk>,
        used: usize,
        width: usize,
    ) {
        let room = if width < 1 { 1 } else { width - used };
        let Some(chunk) = chunks.last_mut() else { return };
        let (start, end) = *chunk;
        if self.break_words && (room > 0 || self.trailing) {
            let mut cut = (start + room).min(end);
            if self.break_hyphens && end - start > room {
                let head = &chars[start..start + room];
                if let Some(hyphen) = head.iter().rposition(|c| *c == '-')
                    && head[..hyphen].iter().any(|c| *c != '-')
                {
                    cut = start + hyphen + 1;
                }
            }
            line.push((start, cut));
            chunk.0 = cut;
        } else if line.is_empty() {
            line.extend(chunks.pop());
        }
    }
}

/// Two spaces behind the end of a sentence.
fn fix_sentences(chars: &mut Vec<char>, chunks: &mut [Chunk]) {
    let wide = (chars.len(), chars.len() + 2);
    let mut place = 0;
    while place + 1 < chunks.len() {
        let (word, next) = (chunks[place], chunks[place + 1]);
        let mut text = &chars[word.0..word.1];
        if let [rest @ .., '"' | '\''] = text {
            text = rest;
        }
        let ends = matches!(text, [.., letter, '.' | '!' | '?'] if letter.is_ascii_lowercase());
        if ends && chars[next.0..next.1] == [' '] {
            chunks[place + 1] = wide;
            place += 1;
        }
        place += 1;
    }
    chars.extend([' ', ' ']);
}

/// Where a word that begins at `start` may be broken first: behind a hyphen between letters, or before or behind dashes.
fn hyphenated(chars: &[char], start: usize) -> usize {
    let at = |place: usize| chars.get(place).copied();
    let letter = |place: Option<usize>| place.and_then(at).is_some_and(|c| word(c) && !decimal(c));
    let punctuated =
        |place: Option<usize>| place.and_then(at).is_some_and(|c| word(c) || "!\"'&.,?".contains(c));
    let dash = |place: usize| at(place) == Some('-');
    // Where two dashes or more between words end.
    let dashes = |from: usize| {
        let end = chars[from..].iter().position(|c| *c != '-').map_or(chars.len(), |length| from + length);
        (end - from >= 2 && at(end).is_some_and(word) && punctuated(from.checked_sub(1))).then_some(end)
    };
    if dash(start)
        && let Some(end) = dashes(start)
    {
        return end;
    }
    for (end, c) in chars.iter().enumerate().skip(start + 1) {
        if blank(*c) || (dash(end) && dashes(end).is_some()) {
            return end;
        }
        let before = |many: usize| end.checked_sub(many);
        let letters = letter(before(1)) && letter(before(2));
        let short = punctuated(before(1)) && before(2).is_some_and(dash) && letter(before(3));
        let after = letter(Some(end + 1)) && letter(Some(end + 2 + usize::from(dash(end + 2))));
        if dash(end) && (letters || short) && after {
            return end + 1;
        }
    }
    chars.len()
}

/// What lines are broken at: the white space of ASCII.
fn blank(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\x0b' | '\x0c' | '\r' | ' ')
}

fn stripped(text: &[char]) -> &[char] {
    let first = text.iter().position(|c| !space(*c)).unwrap_or(text.len());
    &text[first..]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn wrapped(text: &str, width: i64, most: Literal) -> String {
        let flag = Literal::Bool;
        let none = || Literal::Str(String::new());
        let args = [
            Literal::Null,
            Literal::Int(width),
            flag(true),
            Literal::Int(8),
            flag(true),
            flag(true),
            none(),
            none(),
            flag(false),
            flag(true),
            flag(true),
            most,
            Literal::Str(" [...]".to_owned()),
            flag(false),
        ];
        let args: Vec<Option<&Literal>> = args.iter().map(Some).collect();
        let mut open = String::new();
        Told::new(&args).unwrap().fill(text, &mut open);
        open
    }

    #[test]
    fn lines_break_between_words_and_behind_hyphens() {
        assert_eq!(
            wrapped("Look, goof-ball -- use the -b option!", 12, Literal::Null),
            "Look, goof-\nball -- use\nthe -b\noption!"
        );
        assert_eq!(wrapped("em--dash and unbreakable", 8, Literal::Null), "em--dash\nand unbr\neakable");
        assert_eq!(wrapped("", 8, Literal::Null), "");
    }

    #[test]
    fn what_is_left_has_a_placeholder() {
        assert_eq!(wrapped("one two three four", 10, Literal::Int(1)), "one [...]");
        assert_eq!(wrapped("one two three four", 10, Literal::Int(9)), "one two\nthree four");
    }
}
