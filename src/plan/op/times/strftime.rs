//! `dt.strftime`: the codes of Python, of the C locale, read once per batch.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewBuilder};
use chrono::{DateTime, Offset, TimeZone};

use super::calendar::{civil, day_of_year, iso, weekday};
use super::local::Zone;
use super::names::{DAYS, MONTHS};
use super::parts::local;
use super::{text, times};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::op::operand::{argument, column, counts};
use crate::plan::op::time::{SECONDS_PER_DAY, per_second};
use crate::plan::op::{Operand, Operator, Typed, failed};
use crate::plan::{DType, Literal};

pub struct Strftime;

enum Piece {
    Text(String),
    Code(char),
}

/// Codes, with those that stand for several replaced by them.
fn pieces(format: &str) -> Result<Vec<Piece>> {
    let mut found = Vec::new();
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        let code = chars.next();
        let several = match code {
            Some('%') => {
                text.push('%');
                continue;
            }
            Some('D' | 'x') => "%m/%d/%y",
            Some('F') => "%Y-%m-%d",
            Some('T' | 'X') => "%H:%M:%S",
            Some('R') => "%H:%M",
            Some('c') => "%a %b %e %H:%M:%S %Y",
            Some('r') => "%I:%M:%S %p",
            Some('h') => "%b",
            Some('n') => "\n",
            Some('t') => "\t",
            Some(code) if "aAwdbBmyYHIpMSfjUWGuVezZ".contains(code) => {
                if !text.is_empty() {
                    found.push(Piece::Text(std::mem::take(&mut text)));
                }
                found.push(Piece::Code(code));
                continue;
            }
            code => {
                let code = code.map_or_else(|| "%".to_owned(), |code| format!("%{code}"));
                return Err(not_decomposable(format!("the code '{code}' of `strftime` is not native"))
                    .hint("Use the codes in Python's documentation"));
            }
        };
        if !text.is_empty() {
            found.push(Piece::Text(std::mem::take(&mut text)));
        }
        if several.contains('%') {
            found.extend(pieces(several)?);
        } else {
            text.push_str(several);
        }
    }
    if !text.is_empty() {
        found.push(Piece::Text(text));
    }
    Ok(found)
}

impl Operator for Strftime {
    fn name(&self) -> &'static str {
        "dt_strftime"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        times(args, "strftime")?;
        pieces(text(args, 1, "the format of `dt.strftime`")?)?;
        Ok(DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let Operand::Literal(Literal::Str(format)) = argument(args, 1)? else {
            return Err(Error::internal("`strftime` was called without a format"));
        };
        let pieces = pieces(format)?;
        let (values, unit) = local(args, rows)?;
        let per = per_second(unit);
        let operand = argument(args, 0)?;
        let zone = match operand.dtype() {
            DType::Timestamp(_, Some(tz)) => Some(Zone::parse(&tz)?),
            _ => None,
        };
        let instants = counts(&column(operand, &operand.dtype(), rows)?)?;
        let mut built = StringViewBuilder::with_capacity(rows);
        let mut line = String::new();
        for row in 0..values.len() {
            if values.is_null(row) {
                built.append_null();
                continue;
            }
            let v = values.value(row);
            let seconds = v.div_euclid(per);
            let moment = Moment {
                day: seconds.div_euclid(SECONDS_PER_DAY),
                second: seconds.rem_euclid(SECONDS_PER_DAY),
                micros: v.rem_euclid(per) * (1_000_000_000 / per) / 1000,
                instant: instants.value(row).div_euclid(per),
                zone,
            };
            line.clear();
            moment.write(&pieces, &mut line)?;
            built.append_value(&line);
        }
        Ok(Arc::new(built.finish()))
    }
}

struct Moment {
    day: i64,
    second: i64,
    micros: i64,
    instant: i64,
    zone: Option<Zone>,
}

impl Moment {
    fn write(&self, pieces: &[Piece], line: &mut String) -> Result<()> {
        let (year, month, day) = civil(self.day);
        if !(1..=9999).contains(&year) {
            return Err(failed(format!("the year {year} cannot be written by `strftime`"))
                .hint("Python writes the years 1 to 9999"));
        }
        let weekday = weekday(self.day);
        let (hour, minute, second) = (self.second / 3600, self.second / 60 % 60, self.second % 60);
        let twelve = (hour + 11) % 12 + 1;
        for piece in pieces {
            let code = match piece {
                Piece::Text(text) => {
                    line.push_str(text);
                    continue;
                }
                Piece::Code(code) => code,
            };
            let of_year = || day_of_year(self.day);
            _ = match code {
                'a' => write!(line, "{}", &DAYS[weekday as usize][..3]),
                'A' => write!(line, "{}", DAYS[weekday as usize]),
                'w' => write!(line, "{}", (weekday + 1) % 7),
                'u' => write!(line, "{}", weekday + 1),
                'd' => write!(line, "{day:02}"),
                'e' => write!(line, "{day:2}"),
                'b' => write!(line, "{}", &MONTHS[month as usize - 1][..3]),
                'B' => write!(line, "{}", MONTHS[month as usize - 1]),
                'm' => write!(line, "{month:02}"),
                'y' => write!(line, "{:02}", year % 100),
                'Y' => write!(line, "{year}"),
                'H' => write!(line, "{hour:02}"),
                'I' => write!(line, "{twelve:02}"),
                'p' => write!(line, "{}", if hour < 12 { "AM" } else { "PM" }),
                'M' => write!(line, "{minute:02}"),
                'S' => write!(line, "{second:02}"),
                'f' => write!(line, "{:06}", self.micros),
                'j' => write!(line, "{:03}", of_year()),
                'U' => write!(line, "{:02}", (of_year() + 6 - (weekday + 1) % 7) / 7),
                'W' => write!(line, "{:02}", (of_year() + 6 - weekday) / 7),
                'G' => write!(line, "{}", iso(self.day).0),
                'V' => write!(line, "{:02}", iso(self.day).1),
                'z' => self.offset(line),
                'Z' => self.zone_name(line),
                other => return Err(Error::internal(format!("a code %{other} was let through"))),
            };
        }
        Ok(())
    }

    fn offset(&self, line: &mut String) -> std::fmt::Result {
        let Some(zone) = self.zone else { return Ok(()) };
        let offset = match zone {
            Zone::Fixed(offset) => offset,
            Zone::Named(_) => self.day * SECONDS_PER_DAY + self.second - self.instant,
        };
        let (sign, offset) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
        write!(line, "{sign}{:02}{:02}", offset / 3600, offset / 60 % 60)?;
        if offset % 60 != 0 { write!(line, "{:02}", offset % 60) } else { Ok(()) }
    }

    fn zone_name(&self, line: &mut String) -> std::fmt::Result {
        match self.zone {
            None => Ok(()),
            Some(Zone::Fixed(0)) => write!(line, "UTC"),
            Some(Zone::Fixed(offset)) => {
                let (sign, offset) = if offset < 0 { ('-', -offset) } else { ('+', offset) };
                write!(line, "UTC{sign}{:02}:{:02}", offset / 3600, offset / 60 % 60)
            }
            Some(Zone::Named(tz)) => match DateTime::from_timestamp(self.instant, 0) {
                Some(instant) => {
                    let offset = tz.offset_from_utc_datetime(&instant.naive_utc());
                    _ = offset.fix();
                    write!(line, "{offset}")
                }
                None => Ok(()),
            },
        }
    }
}
