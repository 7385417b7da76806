//! `(x, start, stop, step)`: lists shortened as Python's slices do.

use arrow::array::{Array, ArrayRef, UInt64Array};
use arrow::compute::take;

use super::{Operand, Operator, Typed, item_of, list_of, lists, range, whole};
use crate::error::Result;
use crate::plan::DType;

pub struct Slice;

impl Operator for Slice {
    fn name(&self) -> &'static str {
        "list_slice"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        item_of(args, "a slice of lists")?;
        Ok(args[0].dtype.clone())
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let lists = lists(args)?;
        let (start, stop, step) = (whole(args, 1)?, whole(args, 2)?, whole(args, 3)?.unwrap_or(1));
        let mut kept: Vec<u64> = Vec::with_capacity(lists.values().len());
        let mut offsets: Vec<i64> = Vec::with_capacity(rows + 1);
        offsets.push(0);
        for row in 0..lists.len() {
            if let Some((first, end)) = range(&lists, row) {
                let length = (end - first) as i64;
                let (mut at, stop) = bounds(start, stop, step, length);
                while if step > 0 { at < stop } else { at > stop } {
                    kept.push(first as u64 + at as u64);
                    at = at.saturating_add(step);
                }
            }
            offsets.push(kept.len() as i64);
        }
        let values = take(lists.values(), &UInt64Array::from(kept), None)?;
        list_of(values, offsets, lists.nulls().cloned())
    }
}

/// Where a slice begins and ends, both within the list: Python's `slice.indices`.
fn bounds(start: Option<i64>, stop: Option<i64>, step: i64, length: i64) -> (i64, i64) {
    let (lowest, highest) = if step < 0 { (-1, length - 1) } else { (0, length) };
    let within = |place: i64| {
        let place = if place < 0 { place.saturating_add(length) } else { place };
        place.clamp(lowest, highest)
    };
    let (from, to) = if step < 0 { (highest, lowest) } else { (lowest, highest) };
    (start.map_or(from, within), stop.map_or(to, within))
}

#[cfg(test)]
mod tests {
    use super::bounds;

    #[test]
    fn slices_are_pythons() {
        assert_eq!(bounds(None, None, 1, 4), (0, 4));
        assert_eq!(bounds(None, None, -1, 4), (3, -1));
        assert_eq!(bounds(Some(-2), None, 1, 4), (2, 4));
        assert_eq!(bounds(Some(-9), Some(9), 1, 4), (0, 4));
        assert_eq!(bounds(Some(9), Some(-9), -1, 4), (3, -1));
        assert_eq!(bounds(Some(1), Some(-1), 2, 4), (1, 3));
        assert_eq!(bounds(None, None, -1, 0), (-1, -1));
    }
}
