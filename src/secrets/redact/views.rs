//! A text as it was before somebody escaped it: percent signs, backslashes, entities.
//!
//! Each view is the text with one or several such layers taken off, and says for every byte where it came from. So a
//! value is found however it was escaped, and mixtures of ways need no list of them.

/// Layers that can lie above each other; more of them are not looked through.
const DEEPEST: usize = 3;

/// How a text may have been escaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    /// `%2F`
    Percent,
    /// `\n`, `\"`, `\x2f`, `\u002f`, `\U0001f600`: JSON and Python.
    Backslash,
    /// `&amp;`, `&#39;`, `&#x27;`
    Entity,
}

/// The text below some layers.
#[derive(Debug)]
pub struct View {
    pub bytes: Vec<u8>,
    /// The place in the text where what a byte stands for begins, for each byte; and where the last one's ends.
    from: Vec<usize>,
    /// Where in the text something begins that may be an escape, and is not all there yet.
    pub open: Option<usize>,
    layers: usize,
}

impl View {
    /// The part of the text that a part of the view stands for; neither is empty.
    pub fn span(&self, start: usize, end: usize) -> std::ops::Range<usize> {
        self.from[start]..self.to(end - 1)
    }

    /// The place in the text where a byte's escape begins.
    pub fn place(&self, at: usize) -> usize {
        self.from[at]
    }

    /// The place in the text where a byte's escape ends: that of the next one begins there.
    fn to(&self, at: usize) -> usize {
        let begin = self.from[at];
        self.from[at..].iter().copied().find(|from| *from > begin).unwrap_or(begin)
    }

    /// The beginning of what a cut at this place of the text would cut in two, if there is such.
    pub fn cut_in_two(&self, place: usize) -> Option<usize> {
        let after = self.from.partition_point(|from| *from < place);
        let before = self.from[after.checked_sub(1)?];
        (after < self.from.len() && self.from[after] > place).then_some(before)
    }
}

/// All views of a text but the text itself. `whole`: nothing follows it.
pub fn views(text: &[u8], whole: bool) -> Vec<View> {
    let mut all: Vec<View> = Vec::new();
    let mut at = 0_usize;
    loop {
        let below = at.checked_sub(1).map(|at| &all[at]);
        let mut next = Vec::new();
        if below.is_none_or(|view| view.layers < DEEPEST) {
            let bytes = below.map_or(text, |view| &view.bytes);
            for layer in [Layer::Percent, Layer::Backslash, Layer::Entity] {
                next.extend(below_layer(bytes, below, layer, whole));
            }
        }
        all.extend(next);
        at += 1;
        if at > all.len() {
            return all;
        }
    }
}

/// What is below a layer; none where there is nothing of it.
fn below_layer(bytes: &[u8], view: Option<&View>, layer: Layer, whole: bool) -> Option<View> {
    let trigger = match layer {
        Layer::Percent => b'%',
        Layer::Backslash => b'\\',
        Layer::Entity => b'&',
    };
    let mut next = memchr::memchr(trigger, bytes)?;
    let from = |at: usize| view.map_or(at, |view| view.from[at]);
    let mut made = View {
        bytes: Vec::with_capacity(bytes.len()),
        from: Vec::with_capacity(bytes.len() + 1),
        open: None,
        layers: view.map_or(0, |view| view.layers) + 1,
    };
    let mut changed = false;
    let mut at = 0;
    loop {
        // What is no escape stays.
        made.bytes.extend_from_slice(&bytes[at..next]);
        match view {
            Some(view) => made.from.extend_from_slice(&view.from[at..next]),
            None => made.from.extend(at..next),
        }
        at = next;
        if at == bytes.len() {
            break;
        }
        match step(layer, &bytes[at..]) {
            Step::Escape(decoded, length, taken) => {
                changed = true;
                made.bytes.extend_from_slice(&decoded[..length]);
                made.from.extend(std::iter::repeat_n(from(at), length));
                at += taken;
                next = at;
            }
            Step::Open if !whole => {
                made.open = Some(from(at));
                changed = true;
                break;
            }
            Step::Open | Step::Plain => next = at + 1,
        }
        next += memchr::memchr(trigger, &bytes[next..]).unwrap_or(bytes.len() - next);
    }
    made.from.push(from(at));
    changed.then_some(made)
}

enum Step {
    /// Bytes, how many, and how many were taken for them.
    Escape([u8; 4], usize, usize),
    Plain,
    /// What follows decides.
    Open,
}

fn step(layer: Layer, rest: &[u8]) -> Step {
    match (layer, rest[0]) {
        (Layer::Percent, b'%') => match hex(rest, 1, 2) {
            Hex::Number(code) => Step::Escape([code as u8, 0, 0, 0], 1, 3),
            Hex::Open => Step::Open,
            Hex::None => Step::Plain,
        },
        (Layer::Backslash, b'\\') => backslash(rest),
        (Layer::Entity, b'&') => entity(rest),
        _ => Step::Plain,
    }
}

enum Hex {
    Number(u32),
    Open,
    None,
}

/// Hexadecimal digits, just so many.
fn hex(rest: &[u8], at: usize, count: usize) -> Hex {
    let there = &rest[at.min(rest.len())..(at + count).min(rest.len())];
    if !there.iter().all(u8::is_ascii_hexdigit) {
        return Hex::None;
    }
    if there.len() < count {
        return Hex::Open;
    }
    let text = std::str::from_utf8(there).unwrap_or_default();
    u32::from_str_radix(text, 16).map_or(Hex::None, Hex::Number)
}

fn character(code: u32, taken: usize) -> Step {
    let Some(character) = char::from_u32(code) else { return Step::Plain };
    let mut bytes = [0; 4];
    let length = character.encode_utf8(&mut bytes).len();
    Step::Escape(bytes, length, taken)
}

fn backslash(rest: &[u8]) -> Step {
    let Some(second) = rest.get(1) else { return Step::Open };
    let one = |byte: u8| Step::Escape([byte, 0, 0, 0], 1, 2);
    match second {
        b'n' => one(b'\n'),
        b'r' => one(b'\r'),
        b't' => one(b'\t'),
        b'b' => one(8),
        b'f' => one(12),
        b'a' => one(7),
        b'v' => one(11),
        b'"' | b'\'' | b'\\' | b'/' => one(*second),
        b'x' => match hex(rest, 2, 2) {
            Hex::Number(code) => Step::Escape([code as u8, 0, 0, 0], 1, 4),
            Hex::Open => Step::Open,
            Hex::None => Step::Plain,
        },
        b'u' => match hex(rest, 2, 4) {
            Hex::Number(high @ 0xd800..=0xdbff) => surrogates(rest, high),
            Hex::Number(code) => character(code, 6),
            Hex::Open => Step::Open,
            Hex::None => Step::Plain,
        },
        b'U' => match hex(rest, 2, 8) {
            Hex::Number(code) => character(code, 10),
            Hex::Open => Step::Open,
            Hex::None => Step::Plain,
        },
        _ => Step::Plain,
    }
}

/// The second half of a character that JSON writes as two.
fn surrogates(rest: &[u8], high: u32) -> Step {
    match (rest.get(6), rest.get(7)) {
        (None, _) | (Some(b'\\'), None) => Step::Open,
        (Some(b'\\'), Some(b'u')) => match hex(rest, 8, 4) {
            Hex::Number(low @ 0xdc00..=0xdfff) => {
                character(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12)
            }
            Hex::Open => Step::Open,
            _ => Step::Plain,
        },
        _ => Step::Plain,
    }
}

/// The longest entity that is known, `&#x10ffff;`.
const ENTITY: usize = 10;

fn entity(rest: &[u8]) -> Step {
    let there = &rest[..rest.len().min(ENTITY)];
    let Some(end) = memchr::memchr(b';', there) else {
        let may_be = there[1..].iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'#');
        return if may_be && there.len() < ENTITY { Step::Open } else { Step::Plain };
    };
    let name = std::str::from_utf8(&there[1..end]).unwrap_or_default();
    let code = match name {
        "amp" => Some('&' as u32),
        "lt" => Some('<' as u32),
        "gt" => Some('>' as u32),
        "quot" => Some('"' as u32),
        "apos" => Some('\'' as u32),
        _ => match name.strip_prefix('#') {
            Some(number) => match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok(),
                None => number.parse().ok(),
            },
            None => None,
        },
    };
    code.map_or(Step::Plain, |code| character(code, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn below(text: &str) -> Vec<String> {
        let found = views(text.as_bytes(), true);
        found.iter().map(|view| String::from_utf8_lossy(&view.bytes).into_owned()).collect()
    }

    #[test]
    fn layers_are_taken_off() {
        assert_eq!(below("a%2fb%2F%zz%"), ["a/b/%zz%"]);
        assert_eq!(below(r#"a\n\"\\\u00e4\ud83d\ude00\q"#), ["a\n\"\\ä😀\\q"]);
        assert_eq!(below("&amp;&#39;&#x27;&nope;&"), ["&''&nope;&"]);
        assert!(below("%252F").contains(&"/".to_owned()));
        assert!(below(r"\\u0041").contains(&"A".to_owned()));
        assert!(below("100 %, a & b, c:\\dir").is_empty());
    }

    #[test]
    fn what_is_not_all_there_is_open() {
        for (text, place) in
            [("ab%", 2), ("ab%4", 2), ("ab\\", 2), ("ab\\u00", 2), ("ab\\ud83d", 2), ("ab&am", 2)]
        {
            assert_eq!(views(text.as_bytes(), false)[0].open, Some(place), "{text}");
            assert!(views(text.as_bytes(), true).iter().all(|view| view.open.is_none()));
        }
    }

    #[test]
    fn places_lead_back_to_the_text() {
        let found = views(b"x%2Fy", true);
        assert_eq!(found[0].span(1, 2), 1..4);
        assert_eq!(found[0].cut_in_two(2), Some(1));
        assert_eq!(found[0].cut_in_two(4), None);
        let found = views(b"%25%32%46%", false);
        assert_eq!((found[0].bytes.as_slice(), found[0].open), (&b"%2F"[..], Some(9)));
        assert_eq!((found[0].span(2, 3), found[0].span(0, 3)), (6..9, 0..9));
        let below = found.iter().find(|view| view.bytes == b"/").map(|view| view.span(0, 1));
        assert_eq!(below, Some(0..9));
    }
}
