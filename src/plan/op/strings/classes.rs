//! What kinds of characters a text is made of: `isalpha`, `isdigit`, ...

use std::sync::Arc;

use arrow::array::ArrayRef;
use icu_properties::CodePointMapData;
use icu_properties::props::GeneralCategory;

use super::case::{is_cased, is_lower, is_title, is_upper};
use super::{Operand, Operator, Typed, ask, of_text, texts};
use crate::error::Result;
use crate::plan::DType;

pub struct Class {
    name: &'static str,
    test: fn(&str) -> bool,
}

pub const IS_ALNUM: Class = Class { name: "str_isalnum", test: |text| all(text, |c| alpha(c) || number(c)) };
pub const IS_ALPHA: Class = Class { name: "str_isalpha", test: |text| all(text, alpha) };
pub const IS_ASCII: Class = Class { name: "str_isascii", test: str::is_ascii };
pub const IS_DECIMAL: Class = Class { name: "str_isdecimal", test: |text| all(text, decimal) };
pub const IS_DIGIT: Class = Class { name: "str_isdigit", test: |text| all(text, digit) };
pub const IS_NUMERIC: Class = Class { name: "str_isnumeric", test: |text| all(text, number) };
pub const IS_SPACE: Class = Class { name: "str_isspace", test: |text| all(text, space) };
pub const IS_LOWER: Class = Class { name: "str_islower", test: lower };
pub const IS_UPPER: Class = Class { name: "str_isupper", test: upper };
pub const IS_TITLE: Class = Class { name: "str_istitle", test: title };

impl Operator for Class {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, self.name, DType::Bool)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        Ok(Arc::new(ask(&texts(args, 0, rows)?, false, self.test)))
    }
}

fn all(text: &str, test: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(test)
}

fn category(c: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(c)
}

fn alpha(c: char) -> bool {
    use GeneralCategory::*;
    c.is_ascii_alphabetic()
        || (!c.is_ascii()
            && matches!(
                category(c),
                UppercaseLetter | LowercaseLetter | TitlecaseLetter | ModifierLetter | OtherLetter
            ))
}

pub fn decimal(c: char) -> bool {
    c.is_ascii_digit() || (!c.is_ascii() && category(c) == GeneralCategory::DecimalNumber)
}

fn digit(c: char) -> bool {
    use GeneralCategory::*;
    c.is_ascii_digit() || (!c.is_ascii() && matches!(category(c), DecimalNumber | OtherNumber))
}

fn number(c: char) -> bool {
    use GeneralCategory::*;
    c.is_ascii_digit() || (!c.is_ascii() && matches!(category(c), DecimalNumber | LetterNumber | OtherNumber))
}

/// What `\w` matches in Python.
pub fn word(c: char) -> bool {
    c == '_' || alpha(c) || number(c)
}

/// Python's spaces: Unicode's, and the four separators of ASCII.
pub fn space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

fn lower(text: &str) -> bool {
    let mut any = false;
    text.chars().all(|c| {
        any |= is_lower(c);
        is_lower(c) || !is_cased(c)
    }) && any
}

fn upper(text: &str) -> bool {
    let mut any = false;
    text.chars().all(|c| {
        any |= is_upper(c);
        is_upper(c) || !is_cased(c)
    }) && any
}

/// Upper case at the beginning of every run of letters with a case, and only there.
fn title(text: &str) -> bool {
    let (mut inside, mut any) = (false, false);
    for c in text.chars() {
        if is_upper(c) || is_title(c) {
            if inside {
                return false;
            }
            (inside, any) = (true, true);
        } else if is_lower(c) {
            if !inside {
                return false;
            }
        } else {
            inside = false;
        }
    }
    any
}
