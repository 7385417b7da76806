//! `dt_bin(t, freq, closed, label, first)`: the label of the bin of time that each row belongs to, as pandas'
//! `Grouper` and `resample` make them; and the steps from one label to the next.

use arrow::array::{Array, ArrayRef, Int64Array};

use super::calendar::{month_of, month_start, weekday};
use super::freq::{Freq, Kind};
use super::local::{Ambiguous, Nonexistent, Zone, to_instants, to_local};
use super::{text, times};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::dtype::Unit;
use crate::plan::op::operand::{argument, column, counts, instants};
use crate::plan::op::promote::mismatch;
use crate::plan::op::time::{SECONDS_PER_DAY, overflow, per_second};
use crate::plan::op::{Operand, Operator, Typed};
use crate::plan::{DType, Literal};

pub struct Bin;

/// A side of a bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Side {
    Left,
    Right,
}

impl Side {
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "left" => Some(Side::Left),
            "right" => Some(Side::Right),
            _ => None,
        }
    }
}

/// Bins of time over the counts of a unit in a zone.
#[derive(Debug, Clone)]
pub struct Bins {
    freq: Freq,
    unit: Unit,
    zone: Zone,
    /// There is a zone.
    zoned: bool,
}

impl Bins {
    pub fn new(freq: &str, unit: Unit, tz: Option<&str>) -> Result<Self> {
        let bins = Self { freq: Freq::parse(freq)?, unit, zone: Zone::of(tz)?, zoned: tz.is_some() };
        let nanos = i128::from(1_000_000_000 / per_second(unit));
        if bins.freq.nanos().is_some_and(|span| span % nanos != 0) {
            return Err(mismatch(
                format!("{} is not a whole number of the column's unit", bins.freq),
                "Convert the column with `.dt.as_unit(\"ns\")` first",
            ));
        }
        Ok(bins)
    }

    /// The side on which bins are closed, and labelled, where nothing else is said.
    pub fn default_side(&self) -> Side {
        match self.freq.kind {
            Kind::Weeks { .. } | Kind::Months { end: true, .. } => Side::Right,
            _ => Side::Left,
        }
    }

    /// pandas has bins that begin before the first time with these; and steps by the clock of a zone.
    pub fn check(&self, closed: Side) -> Result<()> {
        let odd = match self.freq.kind {
            Kind::Months { end: false, .. } => true,
            Kind::Days(_) => self.zoned,
            _ => false,
        };
        if closed == Side::Right && odd {
            return Err(not_decomposable(format!(
                "bins of {} closed on the right are not native",
                self.freq
            ))
            .hint("Leave `closed` out"));
        }
        Ok(())
    }

    fn per_day(&self) -> i64 {
        per_second(self.unit) * SECONDS_PER_DAY
    }

    /// A fixed span in ticks.
    fn ticks(&self) -> Result<Option<i64>> {
        let tick = i128::from(1_000_000_000 / per_second(self.unit));
        let span = match self.freq.kind {
            Kind::Nanos(nanos) => nanos / tick,
            Kind::Days(n) => i128::from(n) * i128::from(self.per_day()),
            _ => return Ok(None),
        };
        i64::try_from(span).map(Some).map_err(|_| overflow("this frequency"))
    }

    /// Counts on which bins are made: of the clock, but spans of hours and less pass as they are.
    fn by_clock(&self) -> bool {
        !matches!(self.freq.kind, Kind::Nanos(_))
    }

    /// Where the bins lie depends on the first time of all.
    pub fn is_anchored(&self) -> Result<bool> {
        Ok(match self.freq.kind {
            Kind::Nanos(_) if self.zoned => true,
            Kind::Nanos(_) | Kind::Days(_) => match self.ticks()? {
                Some(span) => self.per_day() % span != 0,
                None => false,
            },
            Kind::Weeks { n, .. } | Kind::Months { n, .. } => n > 1,
        })
    }

    /// The left and right edges of bins are `step` lattice points apart.
    fn step(&self) -> i64 {
        match self.freq.kind {
            Kind::Weeks { n, .. } | Kind::Months { n, .. } => n,
            _ => 1,
        }
    }

    /// The lattice point of the edge on the left of a day, of weeks and months.
    fn left_of(&self, day: i64, closed: Side) -> i64 {
        // Bins that are closed on the right contain the whole day of their right edge.
        match self.freq.kind {
            Kind::Weeks { last, .. } => {
                let until = if closed == Side::Right { day - 1 } else { day };
                (until - (weekday(until) - last).rem_euclid(7) - self.week_zero(last)).div_euclid(7)
            }
            Kind::Months { months, anchor, end: false, .. } => (month_of(day) - anchor).div_euclid(months),
            Kind::Months { months, anchor, end: true, .. } => {
                let until = if closed == Side::Right { day } else { day + 1 };
                // The last end of a span before this day.
                (month_of(until) - 1 - anchor).div_euclid(months)
            }
            _ => 0,
        }
    }

    /// A day with this weekday.
    fn week_zero(&self, last: i64) -> i64 {
        (last - weekday(0)).rem_euclid(7)
    }

    /// The day of a lattice point.
    fn day_of(&self, point: i64) -> i64 {
        match self.freq.kind {
            Kind::Weeks { last, .. } => point * 7 + self.week_zero(last),
            Kind::Months { months, anchor, end, .. } => {
                let month = point * months + anchor;
                if end { month_start(month + 1) - 1 } else { month_start(month) }
            }
            _ => point,
        }
    }

    /// The lattice point of a label's day.
    fn point_of(&self, day: i64) -> i64 {
        match self.freq.kind {
            Kind::Weeks { last, .. } => (day - self.week_zero(last)).div_euclid(7),
            Kind::Months { months, anchor, .. } => (month_of(day) - anchor).div_euclid(months),
            _ => day,
        }
    }

    fn labels(
        &self,
        values: &Int64Array,
        first: Option<i64>,
        closed: Side,
        label: Side,
    ) -> Result<Int64Array> {
        let Some(first) = self.anchor(first, values)? else { return Ok(Int64Array::new_null(values.len())) };
        let late = || overflow("a bin");
        if let Some(span) = self.ticks()? {
            let clocks =
                if self.by_clock() { to_local(values, self.unit, self.zone)? } else { values.clone() };
            let origin = first.rem_euclid(span);
            let back = i64::from(closed == Side::Right);
            let ahead = if label == Side::Right { span } else { 0 };
            let edge = |v: i64| -> Result<i64> {
                let rest = v.checked_sub(back + origin).ok_or_else(late)?.rem_euclid(span);
                (v - back).checked_sub(rest).and_then(|left| left.checked_add(ahead)).ok_or_else(late)
            };
            let made: Int64Array = clocks.try_unary(edge)?;
            return if self.by_clock() { self.instants(&made) } else { Ok(made) };
        }
        let per_day = self.per_day();
        let clocks = to_local(values, self.unit, self.zone)?;
        let (step, zero) = (self.step(), self.left_of(first.div_euclid(per_day), closed));
        // Right edges lie on the first one's, so that its bin is the first.
        let ahead = if label == Side::Right { step } else { 0 };
        let zero = if closed == Side::Right { zero + 1 - step } else { zero };
        let edge = |v: i64| -> Result<i64> {
            let left = self.left_of(v.div_euclid(per_day), closed);
            let left = if step > 1 { left - (left - zero).rem_euclid(step) } else { left };
            self.day_of(left + ahead).checked_mul(per_day).ok_or_else(late)
        };
        self.instants(&clocks.try_unary(edge)?)
    }

    /// The count that bins start from: the midnight before the first time, by the clock.
    fn anchor(&self, first: Option<i64>, values: &Int64Array) -> Result<Option<i64>> {
        if !self.is_anchored()? {
            return Ok(Some(0));
        }
        let Some(first) = first else {
            return if values.null_count() == values.len() {
                Ok(None)
            } else {
                Err(Error::internal("bins without the first time"))
            };
        };
        let one = to_local(&Int64Array::from_value(first, 1), self.unit, self.zone)?;
        let midnight = one.value(0) - one.value(0).rem_euclid(self.per_day());
        if self.by_clock() || !self.zoned {
            return Ok(Some(midnight));
        }
        Ok(Some(self.instants(&Int64Array::from_value(midnight, 1))?.value(0)))
    }

    /// Clock times of labels as instants.
    fn instants(&self, clocks: &Int64Array) -> Result<Int64Array> {
        to_instants(clocks, self.unit, self.zone, Ambiguous::Ahead(true), Nonexistent::Forward)
    }

    /// The label after a label.
    pub fn next(&self, label: i64) -> Result<i64> {
        let late = || overflow("a bin");
        if let (Some(span), false) = (self.ticks()?, self.zoned && self.by_clock()) {
            return label.checked_add(span).ok_or_else(late);
        }
        let clock = to_local(&Int64Array::from_value(label, 1), self.unit, self.zone)?.value(0);
        let day = clock.div_euclid(self.per_day());
        let next = match self.freq.kind {
            Kind::Days(n) => day + n,
            _ => self.day_of(self.point_of(day) + self.step()),
        };
        let next = next.checked_mul(self.per_day()).ok_or_else(late)?;
        Ok(self.instants(&Int64Array::from_value(next, 1))?.value(0))
    }
}

fn side(args: &[Typed<'_>], position: usize) -> Result<Side> {
    let word = text(args, position, "a side of a bin")?;
    Side::parse(word).ok_or_else(|| mismatch(format!("'{word}' is no side"), "Use \"left\" or \"right\""))
}

impl Operator for Bin {
    fn name(&self) -> &'static str {
        "dt_bin"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let (unit, tz) = times(args, "resample")?;
        let bins = Bins::new(text(args, 1, "a frequency")?, unit, tz)?;
        bins.check(side(args, 2)?)?;
        side(args, 3)?;
        Ok(DType::Timestamp(unit, tz.map(str::to_owned)))
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let DType::Timestamp(unit, tz) = dtype else { return Err(Error::internal("bins of no times")) };
        let word = |position: usize| match args.get(position) {
            Some(Operand::Literal(Literal::Str(text))) => Ok(text.as_str()),
            _ => Err(Error::internal("bins that are not told")),
        };
        let bins = Bins::new(word(1)?, *unit, tz.as_deref())?;
        let (closed, label) = (Side::parse(word(2)?), Side::parse(word(3)?));
        let (Some(closed), Some(label)) = (closed, label) else {
            return Err(Error::internal("bins without sides"));
        };
        let first = match args.get(4) {
            None => None,
            Some(operand) => {
                let first = counts(&column(operand, dtype, rows.min(1))?)?;
                (!first.is_empty() && first.is_valid(0)).then(|| first.value(0))
            }
        };
        let values = counts(&column(argument(args, 0)?, dtype, rows)?)?;
        let labels = bins.labels(&values, first, closed, label)?;
        Ok(instants(labels, *unit, tz.as_deref()))
    }
}

/// Days of the calendar are exact in both directions.
#[cfg(test)]
mod tests {
    use super::super::calendar::days;
    use super::*;

    fn label(freq: &str, closed: Side, label: Side, day: i64, first: i64) -> Option<i64> {
        let bins = Bins::new(freq, Unit::Second, None).ok()?;
        let values = Int64Array::from_value(day * SECONDS_PER_DAY + 3600, 1);
        let labels = bins.labels(&values, Some(first * SECONDS_PER_DAY), closed, label).ok()?;
        Some(labels.value(0) / SECONDS_PER_DAY)
    }

    #[test]
    fn labels_are_those_of_pandas() {
        let day = |month, day| days(2024, month, day);
        let first = day(1, 3);
        use Side::{Left, Right};
        assert_eq!(label("MS", Left, Left, day(2, 29), first), Some(day(2, 1)));
        assert_eq!(label("ME", Right, Right, day(2, 29), first), Some(day(2, 29)));
        assert_eq!(label("ME", Left, Left, day(2, 29), first), Some(day(2, 29)));
        assert_eq!(label("W", Right, Right, day(1, 7), first), Some(day(1, 7)));
        assert_eq!(label("W", Right, Right, day(1, 8), first), Some(day(1, 14)));
        assert_eq!(label("W-MON", Left, Left, day(1, 8), first), Some(day(1, 8)));
        assert_eq!(label("2W", Right, Right, day(1, 9), first), Some(day(1, 21)));
        assert_eq!(label("QE", Right, Right, day(2, 1), first), Some(day(3, 31)));
        assert_eq!(label("YS", Left, Left, day(2, 1), first), Some(day(1, 1)));
        assert_eq!(label("2D", Left, Left, day(1, 4), first), Some(day(1, 3)));
        let bins = Bins::new("ME", Unit::Second, None).ok();
        let next = bins.and_then(|bins| bins.next(day(1, 31) * SECONDS_PER_DAY).ok());
        assert_eq!(next, Some(day(2, 29) * SECONDS_PER_DAY));
    }
}
