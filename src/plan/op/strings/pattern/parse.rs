//! Python's regular expressions read, and written in the syntax of the engines that we run them on.

use super::class;
use crate::error::{Error, Result, not_decomposable};

pub const IGNORECASE: i64 = 2;
pub const MULTILINE: i64 = 8;
pub const DOTALL: i64 = 16;
const UNICODE: i64 = 32;
pub const VERBOSE: i64 = 64;
pub const ASCII: i64 = 256;

/// A pattern in the syntax of the `regex` crate, or where `fancy` is set of the `fancy_regex` crate.
#[derive(Debug, Default)]
pub struct Translated {
    pub written: String,
    /// It looks around or refers to groups, which only the second crate can.
    pub fancy: bool,
    /// `$` is written as the very end; in Python it is also before a newline there.
    pub newline: bool,
    /// `\Z` is in it.
    end: bool,
    /// `\b` is in it, whose letters are not quite Python's.
    pub words: bool,
    /// The names of the groups, in order.
    pub groups: Vec<Option<String>>,
    /// The pattern is no more than these texts with `.*` between them.
    pub texts: Option<Vec<String>>,
    /// Holds a class that pandas always leaves to Python's own engine (`\s`).
    pub spaces: bool,
    /// Holds a class or assertion that it leaves to Python where the column is not ASCII.
    pub unicode: bool,
    /// It matches an empty text somewhere.
    pub may_be_empty: bool,
}

pub struct Parser<'a> {
    pub rest: &'a str,
    flags: i64,
    out: Translated,
    /// Where the last atom begins in what is written, if it can be repeated.
    atom: Option<usize>,
    /// Written for the `fancy_regex` crate.
    fancy: bool,
    /// A `$` has been read, and only the end of its alternative may follow.
    closed: bool,
    texts: Option<Vec<String>>,
    after_dot: bool,
    /// The last atom matches some character.
    solid: bool,
}

pub fn refused(pattern: &str, what: &str) -> Error {
    not_decomposable(format!("the pattern {pattern:?} has {what}, which is not native"))
        .hint("Write it without, or match on the answer: `result.to_pandas()`")
}

pub fn translate(pattern: &str, flags: i64) -> Result<Translated> {
    let read = read(pattern, flags, false)?;
    if read.fancy { self::read(pattern, flags, true) } else { Ok(read) }
}

fn read(pattern: &str, flags: i64, fancy: bool) -> Result<Translated> {
    let known = IGNORECASE | MULTILINE | DOTALL | UNICODE | VERBOSE | ASCII;
    if flags & !known != 0 {
        return Err(refused(pattern, "other flags than IGNORECASE, MULTILINE, DOTALL, VERBOSE and ASCII"));
    }
    let mut parser = Parser {
        rest: pattern,
        flags,
        out: Translated::default(),
        atom: None,
        fancy,
        closed: false,
        texts: Some(vec![String::new()]),
        after_dot: false,
        solid: false,
    };
    parser.leading_flags(pattern)?;
    if parser.flags & IGNORECASE != 0 && parser.flags & ASCII != 0 {
        return Err(refused(pattern, "ASCII together with IGNORECASE"));
    }
    if parser.flags & IGNORECASE != 0 {
        parser.texts = None;
        parser.push("(?i:");
    }
    parser.out.may_be_empty = parser.alternatives(pattern, 0)?;
    if parser.out.newline && parser.out.end {
        return Err(refused(pattern, r"both `$` and `\Z`"));
    }
    if !parser.rest.is_empty() {
        return Err(refused(pattern, "an unbalanced parenthesis"));
    }
    if parser.flags & IGNORECASE != 0 {
        parser.push(")");
    }
    parser.out.texts = parser.texts.filter(|_| !parser.after_dot);
    Ok(parser.out)
}

impl Parser<'_> {
    fn push(&mut self, text: &str) {
        self.out.written.push_str(text);
    }

    fn has(&self, flag: i64) -> bool {
        self.flags & flag != 0
    }

    fn takes(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        let next = characters.next();
        self.rest = characters.as_str();
        next
    }

    /// `(?im)` at the very beginning.
    fn leading_flags(&mut self, pattern: &str) -> Result<()> {
        while let Some((letters, rest)) = self.rest.strip_prefix("(?").and_then(|rest| rest.split_once(')')) {
            if letters.is_empty() || !letters.bytes().all(|b| b"aiLmsux".contains(&b)) {
                break;
            }
            self.flags |= flags_of(letters).ok_or_else(|| refused(pattern, "the flag L"))?;
            self.rest = rest;
        }
        Ok(())
    }

    /// Reads up to the end or the closing parenthesis; says whether that may match an empty text.
    fn alternatives(&mut self, pattern: &str, depth: usize) -> Result<bool> {
        if depth > 100 {
            return Err(refused(pattern, "more than 100 groups within each other"));
        }
        let (mut some_empty, mut solid) = (false, false);
        self.solid = false;
        loop {
            if self.has(VERBOSE) {
                self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
                if self.rest.starts_with('#') {
                    self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
                    continue;
                }
            }
            if self.rest.is_empty() || self.rest.starts_with(')') {
                return Ok(some_empty || !(solid || self.solid));
            }
            if self.takes("|") {
                self.closed = false;
                some_empty |= !(solid || self.solid);
                (solid, self.solid) = (false, false);
                self.texts = None;
                self.atom = None;
                self.push("|");
                continue;
            }
            if self.repetition(pattern)? {
                continue;
            }
            solid |= std::mem::take(&mut self.solid);
            if self.closed {
                return Err(refused(pattern, "something behind `$`"));
            }
            self.item(pattern, depth)?;
        }
    }

    fn complex(&mut self) {
        self.texts = None;
        self.after_dot = false;
    }

    fn item(&mut self, pattern: &str, depth: usize) -> Result<()> {
        let Some(next) = self.next() else { return Ok(()) };
        match next {
            '.' => {
                if self.after_dot || self.has(DOTALL) {
                    self.complex();
                }
                self.after_dot = true;
                self.solid = true;
                self.atom = Some(self.out.written.len());
                self.push(if self.has(DOTALL) { "(?s:.)" } else { "[^\n]" });
            }
            '^' => {
                self.complex();
                self.atom = None;
                self.push(if self.has(MULTILINE) { "(?m:^)" } else { r"\A" });
            }
            '$' => {
                self.complex();
                self.atom = None;
                if self.has(MULTILINE) {
                    self.push("(?m:$)");
                } else if self.fancy {
                    self.push(r"(?=\n?\z)");
                } else {
                    self.out.newline = true;
                    self.closed = true;
                    self.push(r"\z");
                }
            }
            '[' => {
                self.complex();
                self.solid = true;
                self.atom = Some(self.out.written.len());
                let (text, rest) = class::read(self.rest, self.has(ASCII), pattern)?;
                self.rest = rest;
                self.out.spaces |= text.spaces;
                self.out.unicode |= text.unicode;
                self.push(&text.written);
            }
            '(' => self.group(pattern, depth)?,
            '\\' => self.escape(pattern)?,
            other => self.literal(other),
        }
        Ok(())
    }

    fn literal(&mut self, c: char) {
        if self.after_dot {
            self.complex();
        }
        self.atom = Some(self.out.written.len());
        self.solid = true;
        if let Some(last) = self.texts.as_mut().and_then(|texts| texts.last_mut()) {
            last.push(c);
        }
        let written = class::quoted(c);
        self.push(&written);
    }

    fn escape(&mut self, pattern: &str) -> Result<()> {
        let Some(next) = self.next() else { return Err(refused(pattern, "a backslash at its end")) };
        match next {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' => {
                self.complex();
                self.solid = true;
                self.atom = Some(self.out.written.len());
                self.out.spaces |= matches!(next, 's' | 'S');
                self.out.unicode |= !matches!(next, 's' | 'S');
                let written = format!("[{}]", class::category(next, self.has(ASCII)));
                self.push(&written);
            }
            'A' | 'Z' => {
                self.complex();
                self.atom = None;
                self.out.end |= next == 'Z';
                self.push(if next == 'A' { r"\A" } else { r"\z" });
            }
            'b' => {
                self.complex();
                self.atom = None;
                self.out.unicode = true;
                if self.fancy {
                    let word = class::category('w', self.has(ASCII));
                    self.push(&format!("(?:(?<=[{word}])(?![{word}])|(?<![{word}])(?=[{word}]))"));
                } else {
                    self.out.words |= !self.has(ASCII);
                    self.push(if self.has(ASCII) { r"(?-u:\b)" } else { r"\b" });
                }
            }
            'B' => return Err(refused(pattern, r"`\B`")),
            '1'..='3'
                if self.rest.len() > 1 && self.rest.bytes().take(2).all(|b| (b'0'..=b'7').contains(&b)) =>
            {
                return self.octal(pattern, next);
            }
            '1'..='9' => {
                let mut number = next.to_string();
                if let Some(digit) = self.rest.chars().next().filter(char::is_ascii_digit) {
                    number.push(digit);
                    self.next();
                }
                self.reference(pattern, number.parse().unwrap_or_default())?;
            }
            '0' => return self.octal(pattern, '0'),
            other => {
                let c = class::escaped(other, &mut self.rest)
                    .ok_or_else(|| refused(pattern, &format!("the escape `\\{other}`")))?;
                self.literal(c);
            }
        }
        Ok(())
    }

    fn octal(&mut self, pattern: &str, first: char) -> Result<()> {
        let mut digits = String::from(first);
        while digits.len() < 3
            && let Some(digit) = self.rest.chars().next().filter(|c| ('0'..='7').contains(c))
        {
            digits.push(digit);
            self.next();
        }
        let value = u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32);
        self.literal(value.ok_or_else(|| refused(pattern, "an octal escape out of range"))?);
        Ok(())
    }

    fn reference(&mut self, pattern: &str, number: usize) -> Result<()> {
        if self.has(IGNORECASE) {
            return Err(refused(pattern, "a reference to a group together with IGNORECASE"));
        }
        if !(1..=self.out.groups.len()).contains(&number) {
            return Err(refused(pattern, "a reference to an unknown group"));
        }
        self.complex();
        self.out.fancy = true;
        self.atom = Some(self.out.written.len());
        self.push(&format!(r"(?:\{number})"));
        Ok(())
    }

    fn group(&mut self, pattern: &str, depth: usize) -> Result<()> {
        self.complex();
        let flags = self.flags;
        let begin = self.out.written.len();
        let mut looks = false;
        if !self.takes("?") {
            self.out.groups.push(None);
            self.push("(");
        } else if self.takes("P<") {
            let (name, rest) =
                self.rest.split_once('>').ok_or_else(|| refused(pattern, "an unfinished group name"))?;
            self.out.groups.push(Some(name.to_owned()));
            self.rest = rest;
            self.push("(");
        } else if self.takes("P=") {
            let unfinished = || refused(pattern, "an unfinished group name");
            let (name, rest) = self.rest.split_once(')').ok_or_else(unfinished)?;
            let known = self.out.groups.iter().position(|group| group.as_deref() == Some(name));
            self.rest = rest;
            return self.reference(pattern, known.map_or(0, |known| known + 1));
        } else if self.takes("#") {
            self.rest = self.rest.split_once(')').map_or("", |(_, rest)| rest);
            return Ok(());
        } else if self.takes(":") {
            self.push("(?:");
        } else if self.rest.starts_with('(') {
            return Err(refused(pattern, "a conditional group `(?(...)...)`"));
        } else if let Some(begin) = BEYOND.iter().find(|begin| self.rest.starts_with(**begin)) {
            self.rest = self.rest.get(begin.len()..).unwrap_or_default();
            self.out.fancy = true;
            looks = *begin != ">";
            self.push(&format!("(?{begin}"));
        } else {
            let unknown = || refused(pattern, "an unknown kind of group");
            let (letters, rest) = self.rest.split_once(':').ok_or_else(unknown)?;
            let (on, off) = letters.split_once('-').unwrap_or((letters, ""));
            let (Some(on), Some(off)) = (flags_of(on), flags_of(off)) else { return Err(unknown()) };
            self.rest = rest;
            self.flags = (self.flags | on) & !off;
            if self.has(ASCII) && self.has(IGNORECASE) {
                return Err(refused(pattern, "ASCII together with IGNORECASE"));
            }
            self.push(if self.has(IGNORECASE) { "(?i:" } else { "(?-i:" });
        }
        self.atom = None;
        let empty = self.alternatives(pattern, depth + 1)?;
        self.solid = !empty && !looks;
        if !self.takes(")") {
            return Err(refused(pattern, "an unfinished group"));
        }
        self.flags = flags;
        self.push(")");
        self.atom = (!looks).then_some(begin);
        Ok(())
    }

    /// `*`, `+`, `?`, `{2,3}` and what may follow them.
    fn repetition(&mut self, pattern: &str) -> Result<bool> {
        let written = match self.rest.chars().next() {
            Some(c @ ('*' | '+' | '?')) => {
                self.next();
                c.to_string()
            }
            Some('{') => match counts(&self.rest[1..]) {
                Some((text, rest)) => {
                    if text.starts_with(',') {
                        return Err(refused(pattern, "a repetition `{,n}`"));
                    }
                    self.rest = rest;
                    format!("{{{text}}}")
                }
                None => return Ok(false),
            },
            _ => return Ok(false),
        };
        self.solid &= matches!(written.as_bytes(), [b'+'] | [b'{', b'1'..=b'9', ..]);
        let Some(begin) = self.atom.take() else {
            return Err(refused(pattern, "a repetition of nothing that can be repeated"));
        };
        if self.after_dot && written == "*" {
            self.after_dot = false;
            if let Some(texts) = &mut self.texts {
                texts.push(String::new());
            }
        } else {
            self.complex();
        }
        if self.takes("+") {
            self.out.fancy = true;
            self.out.written.insert_str(begin, "(?>");
            self.push(&written);
            self.push(")");
        } else {
            self.push(&written);
            if self.takes("?") {
                self.push("?");
            }
        }
        Ok(true)
    }
}

/// What stands between the braces of a repetition, and what follows them.
fn counts(text: &str) -> Option<(&str, &str)> {
    let (inside, rest) = text.split_once('}')?;
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    (digits(low) && digits(high) && !inside.is_empty() && inside != ",").then_some((inside, rest))
}

/// Groups that no engine has that takes linear time, by how they begin behind `(?`.
const BEYOND: [&str; 5] = ["=", "!", "<=", "<!", ">"];

fn flags_of(letters: &str) -> Option<i64> {
    letters.chars().try_fold(0, |flags, letter| {
        Some(
            flags
                | match letter {
                    'i' => IGNORECASE,
                    'm' => MULTILINE,
                    's' => DOTALL,
                    'x' => VERBOSE,
                    'u' => UNICODE,
                    'a' => ASCII,
                    _ => return None,
                },
        )
    })
}
