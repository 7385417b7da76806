//! Times in text: ISO 8601, and the formats of `strptime`.

use super::calendar::{days, days_in_month};
use super::names::{DAYS, MONTHS};
use crate::error::{Result, not_decomposable};
use crate::plan::op::time::short;

/// What a text says.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Scanned {
    pub day: i64,
    /// Of the day.
    pub second: i64,
    pub nanos: i64,
    /// Seconds ahead of UTC, where it says so.
    pub offset: Option<i64>,
}

/// Days since 1970 of a date that exists.
pub fn date(year: i64, month: i64, day: i64) -> Option<i64> {
    ((1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month))
        .then(|| days(year, month, day))
}

/// What is left of a text.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    /// So many digits.
    fn digits(&mut self, count: usize) -> Option<i64> {
        let found = self.0.get(..count)?;
        if !found.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = &self.0[count..];
        Some(found.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.0.first() == Some(&byte);
        if there {
            self.0 = &self.0[1..];
        }
        there
    }

    /// Digits of a fraction of a second as nanoseconds; at most nine.
    fn fraction(&mut self) -> Option<i64> {
        let count = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(1..=9).contains(&count) {
            return None;
        }
        Some(self.digits(count)? * 10_i64.pow(9 - count as u32))
    }

    /// `Z`, `+02`, `+0200`, `+02:00`.
    fn offset(&mut self) -> Option<i64> {
        if self.eat(b'Z') {
            return Some(0);
        }
        let sign = if self.eat(b'+') {
            1
        } else if self.eat(b'-') {
            -1
        } else {
            return None;
        };
        let hours = self.digits(2)?;
        let minutes = if self.eat(b':') || self.0.first().is_some_and(u8::is_ascii_digit) {
            self.digits(2)?
        } else {
            0
        };
        (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
    }
}

/// `2024`, `2024-01`, `2024-01-31`, `20240131`, with a time `T12`, ` 12:30`, ` 12:30:15.25`, and a zone.
pub fn iso8601(text: &str) -> Option<Scanned> {
    let mut rest = Rest(text.as_bytes());
    let year = rest.digits(4)?;
    let (mut month, mut day, mut whole) = (1, 1, false);
    if rest.eat(b'-') {
        month = rest.digits(2)?;
        if rest.eat(b'-') {
            day = rest.digits(2)?;
            whole = true;
        }
    } else if rest.0.first().is_some_and(u8::is_ascii_digit) {
        month = rest.digits(2)?;
        day = rest.digits(2)?;
        whole = true;
    }
    let mut scanned = Scanned { day: date(year, month, day)?, ..Scanned::default() };
    if rest.0.is_empty() {
        return Some(scanned);
    }
    if !whole || !(rest.eat(b'T') || rest.eat(b' ')) {
        return None;
    }
    let hour = rest.digits(2)?;
    let (mut minute, mut second) = (0, 0);
    if rest.eat(b':') {
        minute = rest.digits(2)?;
        if rest.eat(b':') {
            second = rest.digits(2)?;
            if rest.eat(b'.') {
                scanned.nanos = rest.fraction()?;
            }
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    scanned.second = hour * 3600 + minute * 60 + second;
    if !rest.0.is_empty() {
        scanned.offset = Some(rest.offset()?);
    }
    rest.0.is_empty().then_some(scanned)
}

/// A format of `strptime`.
pub struct Format {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Piece {
    Byte(u8),
    /// One or more.
    Space,
    Code(u8),
}

/// What has been read on the way.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    of_year: Option<i64>,
    hour: i64,
    twelve: Option<i64>,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    nanos: i64,
    offset: Option<i64>,
}

impl Format {
    pub fn new(format: &str) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut bytes = format.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'%' => match bytes.next() {
                    Some(b'%') => pieces.push(Piece::Byte(b'%')),
                    Some(code) if b"YmdHMSfybBaApIjz".contains(&code) => pieces.push(Piece::Code(code)),
                    Some(b'F') => pieces.extend(Self::new("%Y-%m-%d")?.pieces),
                    Some(b'T') => pieces.extend(Self::new("%H:%M:%S")?.pieces),
                    _ => {
                        return Err(not_decomposable(format!(
                            "the format '{}' has a code that is not native",
                            short(format)
                        ))
                        .hint("Native are %Y %m %d %H %M %S %f %y %b %B %a %A %p %I %j %z"));
                    }
                },
                byte if byte.is_ascii_whitespace() => {
                    if pieces.last() != Some(&Piece::Space) {
                        pieces.push(Piece::Space);
                    }
                }
                byte => pieces.push(Piece::Byte(byte)),
            }
        }
        let has =
            |codes: &[u8]| pieces.iter().any(|p| matches!(p, Piece::Code(code) if codes.contains(code)));
        if !has(b"Yy") || (has(b"j") && has(b"md")) {
            return Err(not_decomposable(format!("the format '{}' does not say one date", short(format)))
                .hint("A year is needed, and day and month or day of the year"));
        }
        Ok(Self { pieces })
    }

    pub fn zoned(&self) -> bool {
        self.pieces.contains(&Piece::Code(b'z'))
    }

    pub fn scan(&self, text: &str) -> Option<Scanned> {
        let found = step(&self.pieces, text.as_bytes(), Found::default())?;
        let year = found.year?;
        let day = match found.of_year {
            Some(of_year) => {
                let first = days(year, 1, 1);
                let last = days(year + 1, 1, 1) - 1;
                Some(first + of_year - 1).filter(|day| (first..=last).contains(day))?
            }
            None => date(year, found.month.unwrap_or(1), found.day.unwrap_or(1))?,
        };
        let hour = match (found.twelve, found.afternoon) {
            (Some(hour), afternoon) => hour % 12 + if afternoon == Some(true) { 12 } else { 0 },
            (None, _) => found.hour,
        };
        let second = hour * 3600 + found.minute * 60 + found.second;
        Some(Scanned { day, second, nanos: found.nanos, offset: found.offset })
    }
}

/// Matches as a regular expression does: longest first, and shorter where the rest does not fit then.
fn step(pieces: &[Piece], text: &[u8], found: Found) -> Option<Found> {
    let Some((piece, after)) = pieces.split_first() else { return text.is_empty().then_some(found) };
    match *piece {
        Piece::Byte(byte) => {
            let same = text.first().is_some_and(|b| b.eq_ignore_ascii_case(&byte));
            if same { step(after, &text[1..], found) } else { None }
        }
        Piece::Space => {
            let count = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
            if count > 0 { step(after, &text[count..], found) } else { None }
        }
        Piece::Code(code) => code_step(code, after, text, found),
    }
}

fn code_step(code: u8, after: &[Piece], text: &[u8], found: Found) -> Option<Found> {
    let number = |most: usize, least: usize, low: i64, high: i64, set: &dyn Fn(i64) -> Found| {
        for count in (least..=most).rev() {
            let mut rest = Rest(text);
            let Some(value) = rest.digits(count) else { continue };
            if (low..=high).contains(&value)
                && let Some(done) = step(after, rest.0, set(value))
            {
                return Some(done);
            }
        }
        None
    };
    let named = |names: &[&str], length: Option<usize>| {
        names.iter().enumerate().find_map(|(place, name)| {
            let name = &name.as_bytes()[..length.unwrap_or(name.len())];
            let there = text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
            there.then(|| (place as i64, &text[name.len()..]))
        })
    };
    match code {
        b'Y' => number(4, 4, 0, 9999, &|v| Found { year: Some(v), ..found }),
        b'y' => {
            number(2, 2, 0, 99, &|v| Found { year: Some(if v <= 68 { 2000 + v } else { 1900 + v }), ..found })
        }
        b'm' => number(2, 1, 1, 12, &|v| Found { month: Some(v), ..found }),
        b'd' => number(2, 1, 1, 31, &|v| Found { day: Some(v), ..found }),
        b'j' => number(3, 1, 1, 366, &|v| Found { of_year: Some(v), ..found }),
        b'H' => number(2, 1, 0, 23, &|v| Found { hour: v, ..found }),
        b'I' => number(2, 1, 1, 12, &|v| Found { twelve: Some(v), ..found }),
        b'M' => number(2, 1, 0, 59, &|v| Found { minute: v, ..found }),
        b'S' => number(2, 1, 0, 59, &|v| Found { second: v, ..found }),
        b'f' => {
            let most = text.iter().take(9).take_while(|b| b.is_ascii_digit()).count();
            (1..=most).rev().find_map(|count| {
                let nanos = Rest(text).digits(count)? * 10_i64.pow(9 - count as u32);
                step(after, &text[count..], Found { nanos, ..found })
            })
        }
        b'b' => named(&MONTHS, Some(3))
            .and_then(|(v, rest)| step(after, rest, Found { month: Some(v + 1), ..found })),
        b'B' => named(&MONTHS, None)
            .and_then(|(v, rest)| step(after, rest, Found { month: Some(v + 1), ..found })),
        b'a' => named(&DAYS, Some(3)).and_then(|(_, rest)| step(after, rest, found)),
        b'A' => named(&DAYS, None).and_then(|(_, rest)| step(after, rest, found)),
        b'p' => named(&["AM", "PM"], None)
            .and_then(|(v, rest)| step(after, rest, Found { afternoon: Some(v == 1), ..found })),
        b'z' => {
            let mut rest = Rest(text);
            let offset = rest.offset()?;
            step(after, rest.0, Found { offset: Some(offset), ..found })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_pandas_reads_them() {
        let day = days(2024, 1, 31);
        let noon = Scanned { day, second: 45_000, ..Scanned::default() };
        assert_eq!(iso8601("2024-01-31T12:30"), Some(noon));
        assert_eq!(iso8601("20240131 12:30:00"), Some(noon));
        assert_eq!(iso8601("2024-01-31 12:30:00+02:00"), Some(Scanned { offset: Some(7200), ..noon }));
        assert_eq!((iso8601("2024-02-30"), iso8601("2024-01-31 25:00"), iso8601("x")), (None, None, None));
        let scan = |format, text| Format::new(format).ok().and_then(|format| format.scan(text));
        assert_eq!(scan("%d/%m/%Y %H:%M", "31/1/2024 12:30"), Some(noon));
        assert_eq!(scan("%b %d, %y %I:%M %p", "jan 31, 24 12:30 PM"), Some(noon));
        assert_eq!(scan("%Y%m%d", "2024131").map(|s| s.day), Some(days(2024, 1, 31)));
        assert_eq!(scan("%Y-%m-%d", "2024-01-31 x"), None);
    }
}
