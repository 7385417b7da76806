//! Frequencies as pandas writes them: `D`, `15min`, `1h30min`, `W-MON`, `MS`, `QE-MAR`, `YS`, ...

use std::fmt;

use crate::error::{Code, Error, Result, not_decomposable};
use crate::plan::op::time::short;

/// A frequency, and how it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Freq {
    text: String,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A fixed span.
    Nanos(i128),
    /// A number of days by the calendar; in a time zone not all are equally long.
    Days(i64),
    /// Weeks that end with a day, Monday being 0.
    Weeks { n: i64, last: i64 },
    /// Spans of `months` of the year, `n` at a time. They begin, or end, with the months that are `anchor` modulo
    /// their length, January being 0.
    Months { n: i64, months: i64, anchor: i64, end: bool },
}

const DAY: i128 = 86_400_000_000_000;
const WEEKDAYS: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];
const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

impl Freq {
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let pieces = pieces(text).ok_or_else(|| unknown(text))?;
        let kind = match pieces.as_slice() {
            [(count, name)] => one(*count, name, text)?,
            several => {
                let mut total = 0;
                for (count, name) in several {
                    match one(*count, name, text)? {
                        Kind::Nanos(nanos) => total += nanos,
                        Kind::Days(days) => total += i128::from(days) * DAY,
                        _ => return Err(unknown(text)),
                    }
                }
                Kind::Nanos(total)
            }
        };
        Ok(Self { text: text.to_owned(), kind })
    }

    /// The length of a fixed span.
    pub fn nanos(&self) -> Option<i128> {
        match self.kind {
            Kind::Nanos(nanos) => Some(nanos),
            Kind::Days(days) => Some(i128::from(days) * DAY),
            _ => None,
        }
    }
}

impl fmt::Display for Freq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", short(&self.text))
    }
}

fn unknown(text: &str) -> Error {
    Error::new(Code::SchemaMismatch, format!("'{}' is not a frequency", short(text)))
        .hint("Use e.g. \"D\", \"h\", \"15min\", \"W\", \"MS\", \"ME\", \"QS\", \"YS\"")
}

/// `1h30min` as `(1, h), (30, min)`.
fn pieces(text: &str) -> Option<Vec<(f64, &str)>> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let count = if digits == 0 { 1.0 } else { rest[..digits].parse::<f64>().ok()? };
        rest = rest[digits..].trim_start();
        let name = rest.find(|c: char| c.is_ascii_digit() || c == ' ').unwrap_or(rest.len());
        if name == 0 {
            return None;
        }
        found.push((count, &rest[..name]));
        rest = rest[name..].trim_start();
    }
    (!found.is_empty()).then_some(found)
}

fn one(count: f64, name: &str, text: &str) -> Result<Kind> {
    let nanos = |unit: f64| {
        let span = count * unit;
        (span.fract() == 0.0 && (1.0..9e18).contains(&span)).then_some(Kind::Nanos(span as i128))
    };
    let whole = || {
        let fits = count.fract() == 0.0 && (1.0..1e6).contains(&count);
        if fits { Ok(count as i64) } else { Err(unknown(text)) }
    };
    let (base, anchor) = name.split_once('-').unwrap_or((name, ""));
    let place = |names: &[&str], default: usize| {
        let found = if anchor.is_empty() { Some(default) } else { names.iter().position(|n| *n == anchor) };
        found.map(|place| place as i64).ok_or_else(|| unknown(text))
    };
    if !anchor.is_empty() && !matches!(base, "W" | "QS" | "QE" | "YS" | "YE") {
        return Err(unsupported(text));
    }
    let months = |months, default, end| {
        Ok(Kind::Months { n: whole()?, months, anchor: place(&MONTHS, default)? % months, end })
    };
    match base {
        "ns" => nanos(1.0).ok_or_else(|| unknown(text)),
        "us" => nanos(1e3).ok_or_else(|| unknown(text)),
        "ms" => nanos(1e6).ok_or_else(|| unknown(text)),
        "s" => nanos(1e9).ok_or_else(|| unknown(text)),
        "min" => nanos(60e9).ok_or_else(|| unknown(text)),
        "h" => nanos(3600e9).ok_or_else(|| unknown(text)),
        "D" => Ok(Kind::Days(whole()?)),
        "W" => Ok(Kind::Weeks { n: whole()?, last: place(&WEEKDAYS, 6)? }),
        "MS" => months(1, 0, false),
        "ME" => months(1, 0, true),
        "QS" => months(3, 0, false),
        "QE" => months(3, 11, true),
        "YS" => months(12, 0, false),
        "YE" => months(12, 11, true),
        "B" | "C" | "BME" | "BMS" | "BQE" | "BQS" | "BYE" | "BYS" | "SME" | "SMS" | "CBME" | "CBMS"
        | "bh" | "cbh" | "WOM" | "LWOM" | "REQ" | "RE" => Err(unsupported(text)),
        _ => Err(unknown(text)),
    }
}

fn unsupported(text: &str) -> Error {
    not_decomposable(format!("the frequency '{}' is not native in this version", short(text)))
        .hint("Native are fixed spans, days, weeks, months, quarters and years")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_are_read_as_pandas_writes_them() {
        let kind = |text| Freq::parse(text).map(|freq| freq.kind).ok();
        assert_eq!(kind("1h30min"), Some(Kind::Nanos(5_400_000_000_000)));
        assert_eq!(kind("1.5h"), Some(Kind::Nanos(5_400_000_000_000)));
        assert_eq!(kind("2D"), Some(Kind::Days(2)));
        assert_eq!(kind("W"), Some(Kind::Weeks { n: 1, last: 6 }));
        assert_eq!(kind("QE-FEB"), Some(Kind::Months { n: 1, months: 3, anchor: 1, end: true }));
        assert_eq!(kind("YS"), Some(Kind::Months { n: 1, months: 12, anchor: 0, end: false }));
        assert_eq!((kind("H"), kind(""), kind("0D"), kind("W-X")), (None, None, None, None));
    }
}
