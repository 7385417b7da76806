//! Which type pandas gives a column of texts: decided by all of its values, part by part.
//!
//! The texts that are missing values, truth values and numbers are those of `pandas.read_csv`.

use std::collections::HashSet;

use arrow::datatypes::DataType;

use super::numbers::{Integral, float, integral, is_float};

/// Texts that are missing values.
#[derive(Debug, Default)]
pub struct Missing {
    without_defaults: bool,
    texts: HashSet<Vec<u8>>,
    /// Missing where they stand in a column of floats, however they are written.
    numbers: Vec<f64>,
}

impl Missing {
    /// As `na_values` of pandas: a number that is whole stands for itself with and without `.0`.
    pub fn new(values: &[String], without_defaults: bool) -> Self {
        let mut missing = Self { without_defaults, ..Self::default() };
        for value in values {
            missing.texts.insert(value.clone().into_bytes());
            let Some(number) = float(value.as_bytes()) else { continue };
            if number.trunc() == number && number.abs() < 1e15 {
                missing.texts.insert(format!("{number:.0}").into_bytes());
                missing.texts.insert(format!("{number:.1}").into_bytes());
            }
            missing.numbers.push(number);
        }
        missing
    }

    #[inline]
    pub fn is(&self, text: &[u8]) -> bool {
        !self.without_defaults && is_missing(text) || !self.texts.is_empty() && self.texts.contains(text)
    }

    /// Whether a number may be one of them.
    #[inline]
    pub fn has_numbers(&self) -> bool {
        !self.texts.is_empty()
    }

    pub fn is_number(&self, value: f64) -> bool {
        self.numbers.contains(&value)
    }
}

/// Missing values, as `pandas.read_csv` has them by default.
#[inline]
fn is_missing(text: &[u8]) -> bool {
    const NAMES: [&[u8]; 18] = [
        b"NaN",
        b"nan",
        b"NA",
        b"N/A",
        b"n/a",
        b"null",
        b"NULL",
        b"None",
        b"<NA>",
        b"#N/A",
        b"#NA",
        b"#N/A N/A",
        b"-NaN",
        b"-nan",
        b"1.#IND",
        b"-1.#IND",
        b"1.#QNAN",
        b"-1.#QNAN",
    ];
    match text {
        [] => true,
        [b'N' | b'n' | b'<' | b'#', ..]
        | [b'-', b'N' | b'n', ..]
        | [b'1', b'.', b'#', ..]
        | [b'-', b'1', b'.', b'#', ..] => NAMES.contains(&text),
        _ => false,
    }
}

pub fn truth(text: &[u8]) -> Option<bool> {
    match text {
        b"True" | b"TRUE" | b"true" => Some(true),
        b"False" | b"FALSE" | b"false" => Some(false),
        _ => None,
    }
}

/// What the values of a column seen so far can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    any: bool,
    /// Some were missing; not looked at any more once all is text.
    pub missing: bool,
    truth: bool,
    /// Written as integers, of whatever size.
    integral: bool,
    signed: bool,
    unsigned: bool,
    float: bool,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            any: false,
            missing: false,
            truth: true,
            integral: true,
            signed: true,
            unsigned: true,
            float: true,
        }
    }
}

impl Seen {
    #[inline]
    pub fn note(&mut self, text: &[u8], missing: &Missing) {
        if self.is_text() {
            return;
        }
        if missing.is(text) {
            self.missing = true;
            return;
        }
        self.any = true;
        self.truth = self.truth && truth(text).is_some();
        let whole = if self.integral { integral(text) } else { None };
        self.integral = whole.is_some();
        if let Some(whole) = whole {
            self.signed = self.signed && whole.signed.is_some();
            self.unsigned = self.unsigned && whole.unsigned.is_some();
        } else {
            self.float = self.float && is_float(text);
        }
        // An integer is a float as well: nothing to ask while all are integers.
    }

    /// A value that is an integer of 64 bits, with its sign; so is every one before.
    #[inline]
    pub fn note_integer(&mut self, whole: Integral) {
        self.any = true;
        self.truth = false;
        self.unsigned = self.unsigned && whole.unsigned.is_some();
    }

    /// A number that is none of the integers, where not all were integers before.
    #[inline]
    pub fn note_float(&mut self) {
        self.any = true;
        self.truth = false;
    }

    pub fn may_be_integral(&self) -> bool {
        self.integral
    }

    /// Nothing but text: no further value says more.
    #[inline]
    pub fn is_text(&self) -> bool {
        self.any && !(self.truth || self.integral || self.float)
    }

    pub fn and(&mut self, other: &Self) {
        *self = Self {
            any: self.any || other.any,
            missing: self.missing || other.missing,
            truth: self.truth && other.truth,
            integral: self.integral && other.integral,
            signed: self.signed && other.signed,
            unsigned: self.unsigned && other.unsigned,
            float: self.float && other.float,
        };
    }

    pub fn data_type(&self) -> DataType {
        match self {
            Self { any: false, .. } => DataType::Null,
            Self { truth: true, .. } => DataType::Boolean,
            Self { integral: true, signed: true, .. } => DataType::Int64,
            Self { integral: true, unsigned: true, .. } => DataType::UInt64,
            // Numbers that no integer type holds stay what they are written as.
            Self { integral: true, .. } => DataType::Utf8View,
            Self { float: true, .. } => DataType::Float64,
            _ => DataType::Utf8View,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn of(texts: &[&str]) -> DataType {
        let mut seen = Seen::default();
        texts.iter().for_each(|text| seen.note(text.as_bytes(), &Missing::default()));
        seen.data_type()
    }

    #[test]
    fn types_are_those_of_pandas() {
        assert_eq!(of(&["1", "", "-2", "+3", " 4 "]), DataType::Int64);
        assert_eq!(of(&["1", "18446744073709551615"]), DataType::UInt64);
        assert_eq!(of(&["-1", "18446744073709551615"]), DataType::Utf8View);
        assert_eq!(of(&["99999999999999999999"]), DataType::Utf8View);
        assert_eq!(of(&["1", "2.5", "1e3", "-inf", ".5", "1."]), DataType::Float64);
        assert_eq!(of(&["1.5", "99999999999999999999"]), DataType::Float64);
        assert_eq!(of(&["True", "false", "NA"]), DataType::Boolean);
        assert_eq!(of(&["True", "1"]), DataType::Utf8View);
        assert_eq!(of(&["NAN"]), DataType::Utf8View);
        assert_eq!(of(&["1_000"]), DataType::Utf8View);
        assert_eq!(of(&["", "NULL"]), DataType::Null);
        assert_eq!(of(&["a", "1"]), DataType::Utf8View);
    }

    proptest! {
        /// A column may be cut anywhere: the parts together say what the whole says.
        #[test]
        fn parts_say_what_the_whole_says(
            texts in prop::collection::vec(
                prop::sample::select(vec!["", "1", "-7", "2.5", "true", "x", "18446744073709551615", "nan", "1e9"]),
                0..9,
            ),
            cut in 0_usize..9,
        ) {
            let cut = cut.min(texts.len());
            let (mut one, mut two) = (Seen::default(), Seen::default());
            texts[..cut].iter().for_each(|text| one.note(text.as_bytes(), &Missing::default()));
            texts[cut..].iter().for_each(|text| two.note(text.as_bytes(), &Missing::default()));
            one.and(&two);
            prop_assert_eq!(one.data_type(), of(&texts));
        }
    }
}
