//! Sets of characters, `[a-z]`, and single escaped characters of Python's regular expressions.

use super::parse::refused;
use crate::error::Result;

/// A set as both engines write it.
pub struct Class {
    pub written: String,
    pub spaces: bool,
    pub unicode: bool,
}

/// A character that stands for itself, within a set or not.
pub fn quoted(c: char) -> String {
    if c.is_ascii_punctuation() && !matches!(c, '<' | '>' | '_') { format!("\\{c}") } else { c.to_string() }
}

/// `\d`, `\w`, `\s` and their opposites, to be written within a set.
pub fn category(letter: char, ascii: bool) -> String {
    let members = match (letter.to_ascii_lowercase(), ascii) {
        ('d', false) => r"\p{Nd}".to_owned(),
        ('d', true) => "0-9".to_owned(),
        // Not `\w` of the engines, which has combining marks as well.
        ('w', false) => r"\p{L}\p{N}_".to_owned(),
        ('w', true) => "a-zA-Z0-9_".to_owned(),
        (_, false) => "\\p{White_Space}\x1c-\x1f".to_owned(),
        (_, true) => " \t\n\r\x0b\x0c".to_owned(),
    };
    if letter.is_ascii_uppercase() { format!("[^{members}]") } else { members }
}

/// The character of an escape such as `\n`, `\x41`, `\.`, whose letter has been read.
pub fn escaped(letter: char, rest: &mut &str) -> Option<char> {
    let mut hex = |digits: usize| {
        let text = rest.get(..digits)?;
        if !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        *rest = rest.get(digits..)?;
        u32::from_str_radix(text, 16).ok().and_then(char::from_u32)
    };
    Some(match letter {
        'a' => '\x07',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        'x' => return hex(2),
        'u' => return hex(4),
        'U' => return hex(8),
        other if other.is_ascii_alphanumeric() => return None,
        other => other,
    })
}

enum Member {
    One(char),
    Category(char),
}

/// Reads a set whose opening bracket has been read; returns it and what follows it.
pub fn read<'a>(text: &'a str, ascii: bool, pattern: &str) -> Result<(Class, &'a str)> {
    let mut rest = text;
    let mut class = Class { written: String::from("["), spaces: false, unicode: false };
    if let Some(after) = rest.strip_prefix('^') {
        class.written.push('^');
        rest = after;
    }
    let mut first = true;
    loop {
        if !first && let Some(after) = rest.strip_prefix(']') {
            class.written.push(']');
            return Ok((class, after));
        }
        first = false;
        if rest.starts_with("[:") {
            return Err(refused(pattern, "`[:`, which engines read differently"));
        }
        let low = member(&mut rest, pattern)?;
        let range = rest.starts_with('-') && !rest.starts_with("-]");
        match low {
            Member::Category(letter) => {
                if range {
                    return Err(refused(pattern, "a range that begins with a class"));
                }
                class.spaces |= matches!(letter, 's' | 'S');
                class.unicode |= !matches!(letter, 's' | 'S');
                class.written.push_str(&category(letter, ascii));
            }
            Member::One(low) => {
                class.written.push_str(&quoted(low));
                if range {
                    rest = rest.get(1..).unwrap_or_default();
                    let Member::One(high) = member(&mut rest, pattern)? else {
                        return Err(refused(pattern, "a range that ends with a class"));
                    };
                    class.written.push('-');
                    class.written.push_str(&quoted(high));
                }
            }
        }
    }
}

fn member(rest: &mut &str, pattern: &str) -> Result<Member> {
    let mut characters = rest.chars();
    let unfinished = || refused(pattern, "an unfinished set of characters");
    let first = characters.next().ok_or_else(unfinished)?;
    *rest = characters.as_str();
    if first != '\\' {
        return Ok(Member::One(first));
    }
    let letter = characters.next().ok_or_else(unfinished)?;
    *rest = characters.as_str();
    Ok(match letter {
        'd' | 'D' | 'w' | 'W' | 's' | 'S' => Member::Category(letter),
        'b' => Member::One('\x08'),
        '0'..='7' => {
            let more = rest.bytes().take(2).take_while(|b| (b'0'..=b'7').contains(b)).count();
            let digits = format!("{letter}{}", rest.get(..more).unwrap_or_default());
            *rest = rest.get(more..).unwrap_or_default();
            let value = u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32);
            Member::One(value.ok_or_else(unfinished)?)
        }
        other => Member::One(
            escaped(other, rest).ok_or_else(|| refused(pattern, &format!("the escape `\\{other}`")))?,
        ),
    })
}
