//! The objects of JSON lines, taken where they stand as long as nothing about them is unusual.
//!
//! What is unusual, and everything that is wrong, is left to whoever called: a name that is not known, half of a
//! surrogate pair, a list where values are looked at.

/// The names of an object's fields, as they stand in a text.
#[derive(Default)]
pub struct Names {
    /// With the quote at their end; nothing for one that has to be escaped.
    quoted: Vec<Vec<u8>>,
}

impl Names {
    pub fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
        let quoted = names.map(|name| match name.bytes().all(is_plain) {
            true => [name.as_bytes(), b"\""].concat(),
            false => Vec::new(),
        });
        Self { quoted: quoted.collect() }
    }

    pub fn len(&self) -> usize {
        self.quoted.len()
    }

    fn is_at(&self, place: usize, rest: &[u8]) -> Option<usize> {
        let name = self.quoted.get(place).filter(|name| !name.is_empty() && rest.starts_with(name))?;
        Some(name.len())
    }
}

/// A value where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    /// As JSON writes numbers.
    Number(&'a str),
    /// Between its quotes, and whether it has escapes.
    Text(&'a str, bool),
    /// A list or an object of which only the end was looked for.
    Nested,
}

pub struct Scanner<'a> {
    text: &'a str,
    pub at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    #[inline]
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Passes over blanks, but not over the end of the line.
    #[inline]
    pub fn skip_blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r') {
            self.at += 1;
        }
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == byte).then(|| self.at += 1)
    }

    /// Passes over blanks and the end of the line, if that is all there is of it.
    pub fn end_line(&mut self) -> Option<()> {
        self.skip_blanks();
        if self.at == self.text.len() { Some(()) } else { self.take(b'\n') }
    }

    /// Hands out the fields of an object, each with the place of its name. Nested values are only passed over if it is
    /// known that they are sound.
    #[inline]
    pub fn object(
        &mut self,
        names: &Names,
        sound: bool,
        mut each: impl FnMut(usize, Value<'a>) -> Option<()>,
    ) -> Option<()> {
        self.skip_blanks();
        self.take(b'{')?;
        self.skip_blanks();
        if self.take(b'}').is_some() {
            return Some(());
        }
        let mut place = 0;
        loop {
            self.take(b'"')?;
            // Objects mostly have their fields in one order.
            let rest = self.rest();
            let found = match names.is_at(place, rest) {
                Some(length) => (place, length),
                None => (0..names.len()).find_map(|place| Some((place, names.is_at(place, rest)?)))?,
            };
            place = found.0;
            self.at += found.1;
            self.skip_blanks();
            self.take(b':')?;
            self.skip_blanks();
            each(place, self.value(sound)?)?;
            place += 1;
            self.skip_blanks();
            if self.take(b'}').is_some() {
                return Some(());
            }
            self.take(b',')?;
            self.skip_blanks();
        }
    }

    #[inline]
    fn value(&mut self, sound: bool) -> Option<Value<'a>> {
        match self.peek() {
            b'"' => {
                self.at += 1;
                let (text, escaped) = self.string()?;
                Some(Value::Text(text, escaped))
            }
            b'-' | b'0'..=b'9' => self.number().map(Value::Number),
            b'n' => self.word(b"null").map(|()| Value::Null),
            b't' => self.word(b"true").map(|()| Value::Bool(true)),
            b'f' => self.word(b"false").map(|()| Value::Bool(false)),
            b'[' | b'{' if sound => self.nested().map(|()| Value::Nested),
            _ => None,
        }
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest().starts_with(word).then(|| self.at += word.len())
    }

    #[inline]
    fn digits(&mut self) -> Option<()> {
        let first = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > first).then_some(())
    }

    #[inline]
    fn number(&mut self) -> Option<&'a str> {
        let start = self.at;
        let _ = self.take(b'-');
        if self.take(b'0').is_none() {
            self.digits()?;
        }
        if self.take(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        self.text.get(start..self.at)
    }

    /// The text up to a quote, and whether it has escapes. It begins behind a quote.
    #[inline]
    fn string(&mut self) -> Option<(&'a str, bool)> {
        let start = self.at;
        let mut escaped = false;
        loop {
            self.at += plain(self.rest());
            match self.peek() {
                b'"' => {
                    let text = self.text.get(start..self.at)?;
                    self.at += 1;
                    return Some((text, escaped));
                }
                b'\\' => {
                    escaped = true;
                    self.at += 1;
                    match self.peek() {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                        b'u' => {
                            hexadecimal(self.rest().get(1..5)?)?;
                            self.at += 5;
                        }
                        _ => return None,
                    }
                }
                // Control characters have to be escaped.
                _ => return None,
            }
        }
    }

    /// Passes over a list or an object that is known to be sound.
    fn nested(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            let byte = self.peek();
            if self.at >= self.text.len() {
                return None;
            }
            self.at += 1;
            match byte {
                b'[' | b'{' => depth += 1,
                b']' | b'}' => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(());
                    }
                }
                b'"' => {
                    self.string()?;
                }
                _ => {}
            }
        }
    }
}

/// How many bytes come before the first quote, backslash or control character; all, if there is none.
#[inline]
fn plain(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    let (eights, rest) = text.as_chunks::<8>();
    for (place, eight) in eights.iter().enumerate() {
        let bytes = u64::from_le_bytes(*eight);
        let (quotes, escapes) = (bytes ^ (ONES * b'"' as u64), bytes ^ (ONES * b'\\' as u64));
        let hits = (quotes.wrapping_sub(ONES) & !quotes)
            | (escapes.wrapping_sub(ONES) & !escapes)
            | (bytes.wrapping_sub(ONES * b' ' as u64) & !bytes);
        // Behind the first one there may be some that are none.
        if hits & TOPS != 0 {
            return place * 8 + (hits & TOPS).trailing_zeros() as usize / 8;
        }
    }
    let found = rest.iter().position(|byte| *byte == b'"' || *byte == b'\\' || *byte < b' ');
    eights.len() * 8 + found.unwrap_or(rest.len())
}

/// The character that four hexadecimal digits are; half of a pair is none.
fn hexadecimal(digits: &[u8]) -> Option<char> {
    let mut code = 0;
    for digit in digits {
        code = code * 16 + char::from(*digit).to_digit(16)?;
    }
    char::from_u32(code)
}

/// A text without its escapes, which are sound.
pub fn unescaped(text: &str, into: &mut String) -> Option<()> {
    into.clear();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        into.push_str(&rest[..at]);
        let (kind, mut length) = (*rest.as_bytes().get(at + 1)?, 2);
        into.push(match kind {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                length = 6;
                hexadecimal(rest.as_bytes().get(at + 2..at + 6)?)?
            }
            other => char::from(other),
        });
        rest = rest.get(at + length..)?;
    }
    into.push_str(rest);
    Some(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::Value as Json;

    use super::*;

    /// What a line says, if nothing about it is unusual.
    fn scanned(line: &str, names: &[&str], sound: bool) -> Option<Vec<(usize, Json)>> {
        let mut scanner = Scanner::new(line, 0);
        let mut found = Vec::new();
        let names = Names::new(names.iter().copied());
        scanner.object(&names, sound, |place, value| {
            found.push((
                place,
                match value {
                    Value::Null => Json::Null,
                    Value::Bool(value) => Json::Bool(value),
                    Value::Number(text) => serde_json::from_str(text).ok()?,
                    Value::Text(text, false) => Json::String(text.to_owned()),
                    Value::Text(text, true) => {
                        let mut plain = String::new();
                        unescaped(text, &mut plain)?;
                        Json::String(plain)
                    }
                    Value::Nested => Json::Array(Vec::new()),
                },
            ));
            Some(())
        })?;
        scanner.end_line()?;
        (scanner.at == line.len()).then_some(found)
    }

    fn part() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            "{",
            "}",
            "\"a\"",
            "\"b\"",
            "\"a",
            ":",
            ",",
            "1",
            "-0",
            "2.5e3",
            "01",
            "1.",
            "null",
            "tru",
            "true",
            "\"x\"",
            "\"é\\n\\u00e9\"",
            "\"\\ud83d\"",
            "\"\\x\"",
            "\"\u{1}\"",
            "[1, {\"a\": \"]\"}]",
            " ",
            "\t",
            "\\",
        ])
        .prop_map(str::to_owned)
    }

    fn member() -> impl Strategy<Value = String> {
        let value = prop_oneof![
            "-?(0|[1-9][0-9]{0,12})([.][0-9]{1,4})?(e[+-]?[0-9])?",
            "\"[a-z\\u{e9}0-9 ]{0,20}\"",
            r#""([a-z]|\\n|\\"|\\u00e9){0,12}""#,
            Just("null".to_owned()),
            Just("false".to_owned()),
        ];
        (prop::sample::select(vec!["\"a\"", "\"b\"", " \"long name\" "]), value)
            .prop_map(|(name, value)| format!("{name}:{value}"))
    }

    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::collection::vec(part(), 0..9).prop_map(|parts| parts.concat()),
            prop::collection::vec(member(), 0..5).prop_map(|parts| format!("{{{}}}", parts.join(" ,"))),
        ]
    }

    proptest! {
        /// What is taken is what it says; what is wrong is never taken.
        #[test]
        fn what_is_taken_is_what_it_says(line in line()) {
            let names = ["a", "b", "long name"];
            let parsed = serde_json::from_str::<Json>(&line);
            match scanned(&line, &names, false) {
                None => {}
                Some(found) => {
                    let object = parsed.unwrap();
                    let object = object.as_object().unwrap();
                    for (name, value) in object {
                        let last = found.iter().rev().find(|(place, _)| names[*place] == name);
                        prop_assert_eq!(last.map(|(_, value)| value), Some(value));
                    }
                }
            }
        }

        #[test]
        fn every_end_of_plain_text_is_found(text in "[ a-zé\"\\\\\n\u{1f}\u{80}]{0,40}") {
            let found = text.bytes().position(|byte| byte == b'"' || byte == b'\\' || byte < b' ');
            prop_assert_eq!(plain(text.as_bytes()), found.unwrap_or(text.len()));
        }
    }

    #[test]
    fn the_usual_is_taken() {
        let found = scanned(r#"{"b": "x\ty", "a":-1.5e2,"c":null} "#, &["a", "b", "c"], false).unwrap();
        assert_eq!(found, [(1, "x\ty".into()), (0, Json::from(-150.0)), (2, Json::Null)]);
        assert_eq!(scanned(r#"{"a":[1,{"b":"]"}],"b":1}"#, &["a", "b"], true).unwrap().len(), 2);
        assert_eq!(scanned(r#"{"a":[1]}"#, &["a"], false), None);
        assert_eq!(scanned(r#"{"d":1}"#, &["a"], false), None);
        // A name that would have to be escaped is never taken for what looks like it.
        assert_eq!(scanned(r#"{"a":1,"b":2}"#, &[r#"a":1,"b"#], false), None);
    }
}
