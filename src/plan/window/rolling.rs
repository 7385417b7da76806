//! Rolling and expanding windows: what a row and some of those around it give together.
//!
//! Sums are kept in two floats each, 106 bits together, to which values are added and from which they are taken
//! again: what a large value leaves behind when it goes is at most 2^-104 of it, where pandas' compensated sum
//! keeps 2^-53. Variances are of such sums of values and of their exact squares.

mod members;
mod moments;
mod order;
mod shape;
mod spans;

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::datatypes::Float64Type;

use self::members::{Distinct, Ends};
use self::moments::Moments;
use self::order::{Rank, Sorted};
use self::shape::Shape;
use self::spans::Span;
use super::{Function, Groups, Proceed, Signature, Window, argument, has_no_meaning, into};
use crate::error::{Error, Result};
use crate::plan::{DType, Literal};

/// Options: what is taken of a window, how many rows it has (null: all up to the row), how many of them must have a
/// value, whether it is centred, which of its ends belong to it, delta degrees of freedom, the quantile, how that lies
/// between two values (or what rank equal values get), and whether the first group is none. With a second argument, of times, the size is a time.
pub struct Rolling;

impl Function for Rolling {
    fn name(&self) -> &'static str {
        "rolling"
    }

    fn infer(&self, call: Signature<'_>) -> Result<DType> {
        let dtype = match call.args {
            [values, DType::Timestamp(..) | DType::Duration(_)] => values,
            _ => call.column(self.name())?,
        };
        let counts = call.text(0)? == "count";
        if dtype.is_numeric() || matches!(dtype, DType::Bool | DType::Null) || counts {
            return Ok(DType::Float64);
        }
        Err(has_no_meaning(call.text(0)?, dtype, "Windows are of numbers; of anything else take `count`"))
    }

    fn create(&self, call: Signature<'_>) -> Result<Box<dyn Window>> {
        let size = match call.option(1) {
            Literal::Null => None,
            _ => Some(call.integer(1)?),
        };
        let quantile = match call.option(6) {
            Literal::Float(quantile) => *quantile,
            _ => 0.5,
        };
        let what = match call.text(0)? {
            "sum" => What::Sum,
            "mean" => What::Mean,
            "min" => What::Least,
            "max" => What::Most,
            "count" => What::Count,
            "var" => What::Var,
            "std" => What::Std,
            "quantile" => What::Quantile(quantile, between(call.text(7)?)?),
            "skew" => What::Shape { kurtosis: false },
            "kurt" => What::Shape { kurtosis: true },
            "first" => What::End { last: false },
            "last" => What::End { last: true },
            "nunique" => What::Distinct,
            other if other.starts_with("rank") => What::Rank(Rank::new(other, call.text(7)?)?),
            other => return Err(Error::internal(format!("there is no {other} of a window"))),
        };
        let (left, right) = match call.text(4)? {
            "right" => (0, 0),
            "both" => (1, 0),
            "left" => (1, 1),
            _ => (0, 1),
        };
        let span = match (call.args, size) {
            ([_, _], Some(width)) => Some(Span {
                width,
                left: left == 1,
                right: right == 0,
                centred: call.flag(3),
                outside: call.flag(8),
            }),
            _ => None,
        };
        let ahead = if call.flag(3) { size.map_or(0, |size| (size - 1) / 2) } else { 0 };
        let (least, ddof) = (call.integer(2)?, call.integer(5)?);
        Ok(Box::new(Windows { what, size, span, least, ahead, left, right, ddof }))
    }
}

fn between(word: &str) -> Result<Between> {
    Ok(match word {
        "linear" => Between::Linear,
        "lower" => Between::Lower,
        "higher" => Between::Higher,
        "midpoint" => Between::Midpoint,
        "nearest" => Between::Nearest,
        other => return Err(Error::internal(format!("there is no {other} interpolation"))),
    })
}

#[derive(Clone, Copy)]
enum What {
    Sum,
    Mean,
    Least,
    Most,
    Count,
    Var,
    Std,
    Quantile(f64, Between),
    Shape { kurtosis: bool },
    End { last: bool },
    Distinct,
    Rank(Rank),
}

/// How a quantile lies between two values.
#[derive(Clone, Copy)]
enum Between {
    Linear,
    Lower,
    Higher,
    Midpoint,
    Nearest,
}

struct Windows {
    what: What,
    size: Option<i64>,
    span: Option<Span>,
    least: i64,
    /// Rows after the row's own that belong to its window.
    ahead: i64,
    /// Rows by which the start and the end lie before where they would be if a window ended with its last row.
    left: i64,
    right: i64,
    ddof: i64,
}

impl Window for Windows {
    fn compute(&self, args: &[ArrayRef], groups: &Groups, proceed: Proceed<'_>) -> Result<ArrayRef> {
        let values = self.values(argument(args, 0)?, groups)?;
        let mut results = vec![f64::NAN; values.len()];
        let spans = match self.span {
            Some(span) => Some((span, span.times(argument(args, 1)?, groups)?)),
            None => None,
        };
        for (number, segment) in groups.segments().windows(2).enumerate() {
            proceed()?;
            let (start, end) = (segment[0], segment[1]);
            let (values, results) = (&values[start..end], &mut results[start..end]);
            match &spans {
                None => self.slide(values, results, &|row| self.bounds(row, values.len()), proceed)?,
                Some((span, _)) if span.outside && number == 0 => {}
                Some((span, times)) => {
                    let bounds = span.bounds(&times[start..end])?;
                    self.slide(values, results, &|row| bounds[row], proceed)?;
                }
            }
        }
        Ok(Arc::new(Float64Array::from(groups.spread(results))))
    }

    fn look_back(&self) -> Option<usize> {
        match self.size {
            Some(size) if self.ahead == 0 && self.span.is_none() => usize::try_from(size + self.left).ok(),
            _ => None,
        }
    }
}

impl Windows {
    /// The values as floats, each group's together; NaN for what is missing, which as in pandas infinities are too.
    /// What is counted is 1 or 0, and never missing.
    fn values(&self, column: &ArrayRef, groups: &Groups) -> Result<Vec<f64>> {
        let gathered = groups.gathered(column)?;
        if let What::Count = self.what {
            let there = crate::plan::op::operand::present(&gathered)?;
            let one = |row| if there.as_ref().is_none_or(|there| there.value(row)) { 1.0 } else { 0.0 };
            return Ok((0..gathered.len()).map(one).collect());
        }
        let floats = into(&gathered, &DType::Float64)?;
        let floats = floats.as_primitive::<Float64Type>();
        let finite = |value: &f64| if value.is_finite() { *value } else { f64::NAN };
        Ok(match floats.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => floats.values().iter().map(finite).collect(),
            Some(nulls) => {
                let there = |(value, there)| if there { finite(value) } else { f64::NAN };
                floats.values().iter().zip(nulls).map(there).collect()
            }
        })
    }

    /// First row of the window of a row, and one past its last.
    fn bounds(&self, row: usize, rows: usize) -> (usize, usize) {
        let clip = |place: i64| place.clamp(0, rows as i64) as usize;
        let end = row as i64 + 1 + self.ahead;
        let start = self.size.map_or(0, |size| end - size - self.left);
        (clip(start), clip(end - self.right))
    }

    fn slide(
        &self,
        values: &[f64],
        results: &mut [f64],
        bounds: &dyn Fn(usize) -> (usize, usize),
        proceed: Proceed<'_>,
    ) -> Result<()> {
        let mut held: Box<dyn Held> = match self.what {
            What::Sum | What::Mean | What::Count | What::Var | What::Std => {
                Box::new(Moments::new(matches!(self.what, What::Var | What::Std)))
            }
            What::Least | What::Most => {
                Box::new(Extremes { most: matches!(self.what, What::Most), queue: VecDeque::new() })
            }
            What::Quantile(..) | What::Rank(_) => Box::new(Sorted::default()),
            What::Shape { kurtosis } => Box::new(Shape::new(kurtosis)),
            What::End { last } => Box::new(Ends { last, values: VecDeque::new() }),
            What::Distinct => Box::new(Distinct::default()),
        };
        let (mut from, mut to, mut count) = (0, 0, 0_i64);
        for (row, result) in results.iter_mut().enumerate() {
            if row % super::PIECE == 0 {
                proceed()?;
            }
            let (start, end) = bounds(row);
            while to < end {
                if !values[to].is_nan() {
                    count += 1;
                    held.add(values[to], to);
                }
                to += 1;
            }
            while from < start.min(to) {
                if !values[from].is_nan() {
                    count -= 1;
                    held.remove(values[from], from);
                }
                from += 1;
            }
            *result = match self.what {
                _ if count < self.least => f64::NAN,
                What::Rank(rank) => rank.of(held.as_ref(), values[row], count),
                _ => self.result(held.as_ref(), count),
            };
        }
        Ok(())
    }

    fn result(&self, held: &dyn Held, count: i64) -> f64 {
        match self.what {
            What::Sum | What::Count | What::Distinct => held.sum(),
            _ if count == 0 => f64::NAN,
            What::Mean => held.sum() / count as f64,
            What::Least | What::Most | What::End { .. } => held.first(),
            What::Shape { .. } => held.shape(),
            What::Var if count > self.ddof => held.variance(count - self.ddof),
            What::Std if count > self.ddof => held.variance(count - self.ddof).sqrt(),
            What::Var | What::Std | What::Rank(_) => f64::NAN,
            What::Quantile(quantile, between) => {
                let place = quantile * (count - 1) as f64;
                let below = place.floor();
                let low = held.at(below as usize);
                if place == below {
                    return low;
                }
                let (high, share) = (held.at(below as usize + 1), place - below);
                match between {
                    Between::Linear => low + (high - low) * share,
                    Between::Lower => low,
                    Between::Higher => high,
                    Between::Midpoint => (low + high) / 2.0,
                    Between::Nearest if share < 0.5 || share == 0.5 && below % 2.0 == 0.0 => low,
                    Between::Nearest => high,
                }
            }
        }
    }
}

/// What is kept of the values that are in a window.
trait Held {
    fn add(&mut self, value: f64, row: usize);

    fn remove(&mut self, value: f64, row: usize);

    fn sum(&self) -> f64 {
        f64::NAN
    }

    /// The sum of squared distances from the mean, divided by `freedom`.
    fn variance(&self, _freedom: i64) -> f64 {
        f64::NAN
    }

    /// The skewness, or the kurtosis.
    fn shape(&self) -> f64 {
        f64::NAN
    }

    /// The least, or the largest; the first, or the last.
    fn first(&self) -> f64 {
        f64::NAN
    }

    /// The value at a place of their order.
    fn at(&self, _place: usize) -> f64 {
        f64::NAN
    }

    /// How many of them are less than a value, and how many are not more.
    fn below(&self, _value: f64) -> (usize, usize) {
        (0, 0)
    }
}

/// The values that may still become the extreme of a window, that of the present one first.
struct Extremes {
    most: bool,
    queue: VecDeque<(usize, f64)>,
}

impl Held for Extremes {
    fn add(&mut self, value: f64, row: usize) {
        while let Some((_, last)) = self.queue.back()
            && (if self.most { *last <= value } else { *last >= value })
        {
            self.queue.pop_back();
        }
        self.queue.push_back((row, value));
    }

    fn remove(&mut self, _: f64, row: usize) {
        if self.queue.front().is_some_and(|(first, _)| *first == row) {
            self.queue.pop_front();
        }
    }

    fn first(&self) -> f64 {
        self.queue.front().map_or(f64::NAN, |(_, value)| *value)
    }
}
