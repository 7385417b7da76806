//! Upper and lower case, character by character as Arrow's kernels for pandas do it: no text grows.

use arrow::array::ArrayRef;
use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;

use super::build::map;
use super::{Operand, Operator, Typed, of_text, texts};
use crate::error::Result;
use crate::plan::DType;

pub struct Case {
    name: &'static str,
    write: fn(&str, &mut String),
}

pub const LOWER: Case = Case { name: "str_lower", write: lower };
pub const UPPER: Case = Case { name: "str_upper", write: upper };
pub const TITLE: Case = Case { name: "str_title", write: title };
pub const CAPITALIZE: Case = Case { name: "str_capitalize", write: capitalize };
pub const SWAPCASE: Case = Case { name: "str_swapcase", write: swap };
pub const CASEFOLD: Case = Case { name: "str_casefold", write: fold };

impl Operator for Case {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, self.name, DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        map(&texts(args, 0, rows)?, self.write)
    }
}

/// A character's upper case where that is one character.
pub fn upper_of(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next(), c) {
        (Some(one), None, _) => one,
        // Arrow's tables have the capital that German got in 2017.
        (_, _, 'ß') => 'ẞ',
        // Greek with iota subscript: Unicode's simple mappings are the titlecase letters.
        (_, _, '\u{1f80}'..='\u{1faf}') => char::from_u32(c as u32 | 8).unwrap_or(c),
        (_, _, 'ᾳ' | 'ῃ' | 'ῳ') => char::from_u32(c as u32 + 9).unwrap_or(c),
        _ => c,
    }
}

/// A character's lower case where that is one character.
pub fn lower_of(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut mapped = c.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ if c == 'İ' => 'i',
        _ => c,
    }
}

fn ascii(text: &str, open: &mut String, change: impl FnOnce(&mut str)) {
    let start = open.len();
    open.push_str(text);
    if let Some(new) = open.get_mut(start..) {
        change(new);
    }
}

fn lower(text: &str, open: &mut String) {
    if text.is_ascii() {
        ascii(text, open, str::make_ascii_lowercase);
    } else {
        open.extend(text.chars().map(lower_of));
    }
}

fn upper(text: &str, open: &mut String) {
    if text.is_ascii() {
        ascii(text, open, str::make_ascii_uppercase);
    } else {
        open.extend(text.chars().map(upper_of));
    }
}

fn capitalize(text: &str, open: &mut String) {
    let mut characters = text.chars();
    open.extend(characters.next().map(upper_of));
    lower(characters.as_str(), open);
}

/// The first of every run of letters with a case in upper case, the others in lower case.
fn title(text: &str, open: &mut String) {
    let mut inside = false;
    for c in text.chars() {
        let cased = is_cased(c);
        open.push(match (cased, inside) {
            (true, true) => lower_of(c),
            (true, false) => upper_of(c),
            (false, _) => c,
        });
        inside = cased;
    }
}

fn swap(text: &str, open: &mut String) {
    open.extend(text.chars().map(|c| {
        if is_lower(c) {
            upper_of(c)
        } else if is_upper(c) {
            lower_of(c)
        } else {
            c
        }
    }));
}

/// Python's `casefold`: the full case folding of Unicode, in which `ß` becomes `ss`.
fn fold(text: &str, open: &mut String) {
    if text.is_ascii() {
        return ascii(text, open, str::make_ascii_lowercase);
    }
    for c in text.chars() {
        match c {
            // Cherokee folds to its capitals.
            '\u{13a0}'..='\u{13f5}' => open.push(c),
            '\u{13f8}'..='\u{13fd}' => open.push(char::from_u32(c as u32 - 8).unwrap_or(c)),
            '\u{ab70}'..='\u{abbf}' => open.push(char::from_u32(c as u32 - 0x97d0).unwrap_or(c)),
            'ẞ' => open.push_str("ss"),
            'İ' => open.push_str("i\u{307}"),
            'ı' => open.push(c),
            // What is the same in upper case is the same folded, iota subscripts written out.
            _ => {
                let upper: String = c.to_uppercase().collect();
                for u in upper.chars() {
                    open.extend(u.to_lowercase());
                }
            }
        }
    }
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

pub fn is_lower(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_lowercase();
    }
    let category = category(c);
    category != GeneralCategory::TitlecaseLetter
        && (category == GeneralCategory::LowercaseLetter || (upper_of(c) != c && lower_of(c) == c))
}

pub fn is_upper(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_uppercase();
    }
    let category = category(c);
    category != GeneralCategory::TitlecaseLetter
        && (category == GeneralCategory::UppercaseLetter || (upper_of(c) == c && lower_of(c) != c))
}

pub fn is_title(c: char) -> bool {
    !c.is_ascii() && category(c) == GeneralCategory::TitlecaseLetter
}

pub fn is_cased(c: char) -> bool {
    is_lower(c) || is_upper(c) || is_title(c)
}
