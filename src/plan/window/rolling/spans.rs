//! Windows of time: which rows lie within so much time of each, where times only grow or only shrink.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Int64Type;

use crate::error::{Code, Error, Result};
use crate::plan::window::Groups;

/// How long a window is, and which of its ends belong to it.
#[derive(Clone, Copy)]
pub struct Span {
    /// In ticks of the times.
    pub width: i64,
    pub left: bool,
    pub right: bool,
    /// The row is in the middle of its window, not at its end.
    pub centred: bool,
    /// The first group is of rows that are in none.
    pub outside: bool,
}

impl Span {
    /// The times, each group's together.
    pub fn times(&self, column: &ArrayRef, groups: &Groups) -> Result<Vec<i64>> {
        let gathered = groups.gathered(&super::into(column, &crate::plan::DType::Int64)?)?;
        if gathered.null_count() > 0 {
            return Err(Error::new(Code::OperationFailed, "windows of time over times that are missing")
                .hint("Leave those rows out first: `p = p[p['t'].notna()]`"));
        }
        Ok(gathered.as_primitive::<Int64Type>().values().to_vec())
    }

    /// Of each row the first row of its window, and one past its last.
    pub fn bounds(&self, times: &[i64]) -> Result<Vec<(usize, usize)>> {
        let falling = times.last() < times.first();
        let sign = if falling { -1 } else { 1 };
        // As wide as needed: times may be close to the ends of what 64 bits can hold.
        let times: Vec<i128> = times.iter().map(|time| i128::from(*time) * sign).collect();
        if times.windows(2).any(|pair| pair[0] > pair[1]) {
            return Err(Error::new(
                Code::OperationFailed,
                "windows of time over times that are in no order: they have to grow, or to shrink, from row to row",
            )
            .hint("Sort by them first: `p.sort_values('t')`"));
        }
        let width = i128::from(self.width);
        let half = width / 2;
        let mut bounds = Vec::with_capacity(times.len());
        let (mut start, mut end) = (0, 0);
        for (row, time) in times.iter().enumerate() {
            let first = if self.centred { time - half } else { time - width };
            let before = |other: i128| if self.left { other < first } else { other <= first };
            while start < row && before(times[start]) {
                start += 1;
            }
            if self.centred {
                let last = time + half;
                let within = |other: i128| if self.right { other <= last } else { other < last };
                while end < times.len() && within(times[end]) {
                    end += 1;
                }
            } else {
                // Later rows of the same time are not in it.
                end = row + usize::from(self.right);
            }
            bounds.push((start.min(end), end));
        }
        Ok(bounds)
    }
}
