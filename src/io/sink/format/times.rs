//! Dates, times and spans as text, in the form that pandas writes and every reader takes.

use arrow::array::timezone::Tz;
use arrow::datatypes::TimeUnit;
use chrono::{DateTime, Offset, TimeZone};

/// How many of a unit make a second, and the digits of a fraction in it.
pub fn per_second(unit: TimeUnit) -> (i64, usize) {
    match unit {
        TimeUnit::Second => (1, 0),
        TimeUnit::Millisecond => (1_000, 3),
        TimeUnit::Microsecond => (1_000_000, 6),
        TimeUnit::Nanosecond => (1_000_000_000, 9),
    }
}

const DAY: i64 = 86_400;

fn digits(number: i64, width: usize, text: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let shown = buffer.format(number.unsigned_abs());
    if number < 0 {
        text.push(b'-');
    }
    text.extend(std::iter::repeat_n(b'0', width.saturating_sub(shown.len())));
    text.extend_from_slice(shown.as_bytes());
}

/// `2024-02-29`, of a number of days since 1970.
pub fn date(days: i64, text: &mut Vec<u8>) {
    // Years that begin in March, in eras of 400 of them.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    digits(year + era * 400 + i64::from(month <= 2), 4, text);
    text.push(b'-');
    digits(month, 2, text);
    text.push(b'-');
    digits(of_month, 2, text);
}

/// `23:59:59.000001`, of a number of units since midnight.
pub fn clock(count: i64, unit: TimeUnit, text: &mut Vec<u8>) {
    let (per, width) = per_second(unit);
    let seconds = count.div_euclid(per);
    digits(seconds / 3_600, 2, text);
    text.push(b':');
    digits(seconds / 60 % 60, 2, text);
    text.push(b':');
    digits(seconds % 60, 2, text);
    if width > 0 {
        text.push(b'.');
        digits(count.rem_euclid(per), width, text);
    }
}

/// `2024-02-29 23:59:59.000001`, and `+01:00` behind it where there is a zone. All values of a unit have as many digits.
pub fn timestamp(count: i64, unit: TimeUnit, zone: Option<&Tz>, text: &mut Vec<u8>) -> Option<()> {
    let (per, _) = per_second(unit);
    let offset = match zone {
        None => 0,
        Some(zone) => {
            let instant = DateTime::from_timestamp(count.div_euclid(per), 0)?.naive_utc();
            i64::from(zone.offset_from_utc_datetime(&instant).fix().local_minus_utc())
        }
    };
    // In seconds and a fraction: a sum of units might not fit.
    let seconds = count.div_euclid(per) + offset;
    date(seconds.div_euclid(DAY), text);
    text.push(b' ');
    clock(seconds.rem_euclid(DAY) * per + count.rem_euclid(per), unit, text);
    if zone.is_some() {
        text.push(if offset < 0 { b'-' } else { b'+' });
        let offset = offset.abs();
        digits(offset / 3_600, 2, text);
        text.push(b':');
        digits(offset / 60 % 60, 2, text);
        if offset % 60 != 0 {
            text.push(b':');
            digits(offset % 60, 2, text);
        }
    }
    Some(())
}

/// `-1 days +23:59:59.999999`, as pandas has it.
pub fn span(count: i64, unit: TimeUnit, text: &mut Vec<u8>) {
    let (per, _) = per_second(unit);
    let days = count.div_euclid(per * DAY);
    digits(days, 1, text);
    text.extend_from_slice(if days < 0 { b" days +" } else { b" days " });
    clock(count.rem_euclid(per * DAY), unit, text);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use chrono::NaiveDate;
    use proptest::prelude::*;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut text = Vec::new();
        write(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn spans_are_those_of_pandas() {
        assert_eq!(text(|t| span(-1, TimeUnit::Microsecond, t)), "-1 days +23:59:59.999999");
        assert_eq!(text(|t| span(90_061, TimeUnit::Second, t)), "1 days 01:01:01");
        let zone: Tz = "Europe/Berlin".parse().unwrap();
        let shown = text(|t| timestamp(1_700_000_000_123, TimeUnit::Millisecond, Some(&zone), t).unwrap());
        assert_eq!(shown, "2023-11-14 23:13:20.123+01:00");
    }

    proptest! {
        #[test]
        fn dates_are_those_of_the_calendar(days in -2_000_000_i64..2_000_000) {
            let known = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + chrono::TimeDelta::days(days);
            prop_assume!(known.format("%Y").to_string().len() == 4);
            prop_assert_eq!(text(|t| date(days, t)), known.format("%Y-%m-%d").to_string());
        }

        #[test]
        fn timestamps_are_those_of_the_calendar(count in any::<i64>()) {
            let known = DateTime::from_timestamp_nanos(count).naive_utc();
            let shown = text(|t| timestamp(count, TimeUnit::Nanosecond, None, t).unwrap());
            prop_assert_eq!(shown, known.format("%Y-%m-%d %H:%M:%S%.9f").to_string());
        }
    }
}
