//! The proleptic Gregorian calendar in whole numbers.
//!
//! Dates to days and back are the algorithms of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013):
//! years begin in March, so that the leap day is the last of its year, and 400 years are always 146,097 days.

pub use crate::plan::op::time::civil;

/// Days since 1970-01-01.
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The first day of a month counted from January 1970, which is 0.
pub fn month_start(months: i64) -> i64 {
    days(1970 + months.div_euclid(12), months.rem_euclid(12) + 1, 1)
}

/// The month of a day, counted from January 1970.
pub fn month_of(day: i64) -> i64 {
    let (year, month, _) = civil(day);
    (year - 1970) * 12 + month - 1
}

pub fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Monday is 0.
pub fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

/// From 1.
pub fn day_of_year(days_since_1970: i64) -> i64 {
    days_since_1970 - days(civil(days_since_1970).0, 1, 1) + 1
}

/// ISO 8601: a week belongs to the year that its Thursday is in. Weeks and days count from 1.
pub fn iso(day: i64) -> (i64, i64, i64) {
    let weekday = weekday(day);
    let thursday = day - weekday + 3;
    let year = civil(thursday).0;
    (year, (thursday - days(year, 1, 1)) / 7 + 1, weekday + 1)
}
