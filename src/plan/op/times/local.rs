//! Time zones: instants to wall-clock times and back, by the day.
//!
//! Nearly every day has one offset from UTC throughout. A batch's days are looked up once each, in a table over
//! the days between its first and its last; what remains for a row is a division and a load.

use arrow::array::{Array, PrimitiveArray};
use arrow::datatypes::Int64Type;
use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

use crate::error::{Code, Error, Result};
use crate::plan::dtype::Unit;
use crate::plan::op::time::{SECONDS_PER_DAY, per_second, short};

type Counts = PrimitiveArray<Int64Type>;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Zone {
    /// Always so many seconds ahead of UTC.
    Fixed(i64),
    Named(Tz),
}

/// Rules of named zones are known up to here: the year 2100.
const KNOWN: i64 = 4_102_444_800;

impl Zone {
    pub fn parse(name: &str) -> Result<Self> {
        let unknown = || {
            Error::new(Code::SchemaMismatch, format!("there is no time zone '{}'", short(name)))
                .hint("Use a name such as \"UTC\", \"Europe/Berlin\", or an offset such as \"+02:00\"")
        };
        if name.eq_ignore_ascii_case("utc") {
            return Ok(Zone::Fixed(0));
        }
        if let Some(offset) = offset(name.strip_prefix("UTC").unwrap_or(name)) {
            return Ok(Zone::Fixed(offset));
        }
        name.parse::<Tz>().map(Zone::Named).map_err(|_| unknown())
    }

    /// The zone of a column; none is like UTC.
    pub fn of(tz: Option<&str>) -> Result<Self> {
        tz.map_or(Ok(Zone::Fixed(0)), Zone::parse)
    }

    /// Seconds ahead of UTC at an instant.
    fn offset(self, seconds: i64) -> i64 {
        match self {
            Zone::Fixed(offset) => offset,
            Zone::Named(tz) => match DateTime::from_timestamp(seconds, 0) {
                Some(instant) => {
                    i64::from(tz.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc())
                }
                None => 0,
            },
        }
    }
}

/// `+02:00`, `-0530`, `+02`.
fn offset(text: &str) -> Option<i64> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let digits: String = digits.chars().filter(|c| *c != ':').collect();
    let number = |from: usize| digits.get(from..from + 2).and_then(|part| part.parse::<i64>().ok());
    let (hours, minutes) = match digits.len() {
        2 => (number(0)?, 0),
        4 => (number(0)?, number(2)?),
        _ => return None,
    };
    (digits.bytes().all(|b| b.is_ascii_digit()) && hours < 24 && minutes < 60)
        .then_some(sign * (hours * 3600 + minutes * 60))
}

/// Days whose offsets are kept in a table at most.
const TABLE: i64 = 1 << 17;
const UNKNOWN: i32 = i32::MIN;
/// The offset changes within the day.
const CHANGES: i32 = i32::MAX;

/// The offsets of a zone over the days of a batch.
struct Offsets {
    zone: Zone,
    first: i64,
    days: Vec<i32>,
}

impl Offsets {
    fn new(zone: Zone, values: &Counts, unit: Unit) -> Result<Self> {
        let per_day = per_second(unit) * SECONDS_PER_DAY;
        let (low, high) = (arrow::compute::min(values), arrow::compute::max(values));
        let (Some(low), Some(high)) = (low, high) else {
            return Ok(Self { zone, first: 0, days: Vec::new() });
        };
        if matches!(zone, Zone::Named(_)) && high.div_euclid(per_second(unit)) >= KNOWN - SECONDS_PER_DAY {
            return Err(super::super::failed(
                "the rules of time zones are known up to the year 2099, and a time lies behind it".to_owned(),
            )
            .hint("Convert to UTC with `.dt.tz_convert(\"UTC\")`, or filter such rows out"));
        }
        // A day more on both sides: local days.
        let (first, last) = (low.div_euclid(per_day) - 2, high.div_euclid(per_day) + 2);
        let days = if last - first < TABLE { vec![UNKNOWN; (last - first + 1) as usize] } else { Vec::new() };
        Ok(Self { zone, first, days })
    }

    /// The offset throughout a day of UTC, or [`CHANGES`].
    #[inline(always)]
    fn day(&mut self, day: i64) -> i32 {
        let place = usize::try_from(day - self.first).unwrap_or(usize::MAX);
        match self.days.get(place) {
            Some(&known) if known != UNKNOWN => known,
            _ => self.look_up(day, place),
        }
    }

    #[cold]
    fn look_up(&mut self, day: i64, place: usize) -> i32 {
        let start = self.zone.offset(day * SECONDS_PER_DAY);
        let end = self.zone.offset((day + 1) * SECONDS_PER_DAY - 1);
        let found = if start == end { start as i32 } else { CHANGES };
        if let Some(slot) = self.days.get_mut(place) {
            *slot = found;
        }
        found
    }
}

/// Instants as what clocks in the zone show, as if it were UTC.
pub fn to_local(values: &Counts, unit: Unit, zone: Zone) -> Result<Counts> {
    let per = per_second(unit);
    match zone {
        Zone::Fixed(0) => Ok(values.clone()),
        Zone::Fixed(offset) => Ok(values.unary(|v| v.wrapping_add(offset * per))),
        Zone::Named(_) => {
            let mut offsets = Offsets::new(zone, values, unit)?;
            let per_day = per * SECONDS_PER_DAY;
            if offsets.days.is_empty() {
                return Ok(values.unary(|v| v.wrapping_add(zone.offset(v.div_euclid(per)) * per)));
            }
            let local = |v: i64| {
                let offset = match offsets.day(v.div_euclid(per_day)) {
                    CHANGES => zone.offset(v.div_euclid(per)),
                    offset => i64::from(offset),
                };
                v.wrapping_add(offset * per)
            };
            Ok(mapped(values, local))
        }
    }
}

/// Rows that are missing are not computed: their values may be any number.
fn mapped(values: &Counts, mut one: impl FnMut(i64) -> i64) -> Counts {
    match values.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => Counts::from_iter_values(values.values().iter().map(|v| one(*v))),
        Some(nulls) => {
            let made = values.values().iter().enumerate();
            let made: Vec<i64> = made.map(|(row, v)| if nulls.is_valid(row) { one(*v) } else { 0 }).collect();
            Counts::new(made.into(), Some(nulls.clone()))
        }
    }
}

/// What becomes of a time that clocks show twice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ambiguous {
    Raise,
    Missing,
    /// With the clock ahead (daylight saving time), or not.
    Ahead(bool),
}

/// What becomes of a time that clocks never show.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Nonexistent {
    Raise,
    Missing,
    Forward,
    Backward,
}

/// What clocks in the zone show as instants.
pub fn to_instants(
    values: &Counts,
    unit: Unit,
    zone: Zone,
    ambiguous: Ambiguous,
    nonexistent: Nonexistent,
) -> Result<Counts> {
    let per = per_second(unit);
    if let Zone::Fixed(offset) = zone {
        return Ok(values.unary(|v| v.wrapping_sub(offset * per)));
    }
    let mut offsets = Offsets::new(zone, values, unit)?;
    let per_day = per * SECONDS_PER_DAY;
    let found: Vec<Option<i64>> = values
        .iter()
        .map(|value| {
            let Some(v) = value else { return Ok(None) };
            let day = v.div_euclid(per_day);
            let (before, on, after) = (offsets.day(day - 1), offsets.day(day), offsets.day(day + 1));
            if before == on && on == after && on != CHANGES {
                return Ok(Some(v.wrapping_sub(i64::from(on) * per)));
            }
            at_change(v, per, zone, ambiguous, nonexistent)
        })
        .collect::<Result<_>>()?;
    Ok(found.into_iter().collect())
}

fn at_change(v: i64, per: i64, zone: Zone, ambiguous: Ambiguous, gap: Nonexistent) -> Result<Option<i64>> {
    let (seconds, rest) = (v.div_euclid(per), v.rem_euclid(per));
    // The zone changes once within these two days.
    let before = zone.offset(seconds - SECONDS_PER_DAY);
    let after = zone.offset(seconds + SECONDS_PER_DAY);
    let old = zone.offset(seconds - before) == before;
    let new = zone.offset(seconds - after) == after;
    let with = |offset: i64| Ok(Some((seconds - offset) * per + rest));
    match (old, new) {
        (true, true) if before == after => with(before),
        (true, true) => match ambiguous {
            Ambiguous::Raise => {
                Err(refused(seconds, "is shown twice by the clocks of the zone", "ambiguous"))
            }
            Ambiguous::Missing => Ok(None),
            Ambiguous::Ahead(ahead) => with(if ahead { before.max(after) } else { before.min(after) }),
        },
        (true, false) => with(before),
        (false, true) => with(after),
        (false, false) => {
            let change = change(zone, seconds - before.max(after) - 1, seconds - before.min(after) + 1);
            match gap {
                Nonexistent::Raise => {
                    Err(refused(seconds, "is never shown by the clocks of the zone", "nonexistent"))
                }
                Nonexistent::Missing => Ok(None),
                Nonexistent::Forward => Ok(Some(change * per)),
                Nonexistent::Backward => Ok(Some(change * per - 1)),
            }
        }
    }
}

/// The first second after `low` whose offset is that of `high`.
fn change(zone: Zone, mut low: i64, mut high: i64) -> i64 {
    let new = zone.offset(high);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if zone.offset(middle) == new { high = middle } else { low = middle }
    }
    high
}

fn refused(seconds: i64, why: &str, argument: &str) -> Error {
    let (year, month, day) = super::calendar::civil(seconds.div_euclid(SECONDS_PER_DAY));
    let of_day = seconds.rem_euclid(SECONDS_PER_DAY);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    super::super::failed(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} {why}"))
        .hint(format!("Say what to do with such times: `{argument}=\"NaT\"`"))
}
