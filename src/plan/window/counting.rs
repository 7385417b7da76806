//! Numbers of rows within their group, and of groups.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, UInt32Array};
use arrow::compute::{SortColumn, SortOptions, lexsort_to_indices, take};

use super::{Function, Groups, Proceed, Running, Signature, Window, run};
use crate::error::Result;
use crate::plan::DType;

/// How many rows of the group come before the row; with `false` for the first option, how many come after it.
pub struct CumCount;

impl Function for CumCount {
    fn name(&self) -> &'static str {
        "cumcount"
    }

    fn infer(&self, _: Signature<'_>) -> Result<DType> {
        Ok(DType::Int64)
    }

    fn create(&self, call: Signature<'_>) -> Result<Box<dyn Window>> {
        Ok(Box::new(Count { before: call.flag(0) }))
    }
}

struct Count {
    before: bool,
}

impl Window for Count {
    fn compute(&self, args: &[ArrayRef], groups: &Groups, proceed: Proceed<'_>) -> Result<ArrayRef> {
        if self.before {
            return run(Box::new(Counts::default()), args, groups, proceed);
        }
        let mut left = vec![0_i64; groups.count()];
        for (_, ids) in groups.pieces(super::PIECE) {
            proceed()?;
            ids.iter().for_each(|id| left[*id as usize] += 1);
        }
        let mut counts = Vec::with_capacity(groups.rows());
        for (_, ids) in groups.pieces(super::PIECE) {
            proceed()?;
            counts.extend(ids.iter().map(|id| {
                let left = &mut left[*id as usize];
                *left -= 1;
                *left
            }));
        }
        Ok(Arc::new(Int64Array::from(counts)))
    }

    fn running(&self) -> Option<Box<dyn Running>> {
        self.before.then(|| -> Box<dyn Running> { Box::new(Counts::default()) })
    }
}

#[derive(Default)]
struct Counts {
    counts: Vec<i64>,
}

impl Running for Counts {
    fn push(&mut self, _: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<ArrayRef> {
        self.counts.resize(num_groups.max(self.counts.len()), 0);
        let count = |id: &u32| {
            let count = &mut self.counts[*id as usize];
            *count += 1;
            *count - 1
        };
        Ok(Arc::new(groups.iter().map(count).collect::<Int64Array>()))
    }

    fn size(&self) -> usize {
        self.counts.capacity() * size_of::<i64>()
    }
}

/// Each row's group by the place of its first row among those of the other groups. Option: group 0 is none.
pub struct GroupNumber;

impl Function for GroupNumber {
    fn name(&self) -> &'static str {
        "group_number"
    }

    fn infer(&self, _: Signature<'_>) -> Result<DType> {
        Ok(DType::Int64)
    }

    fn create(&self, call: Signature<'_>) -> Result<Box<dyn Window>> {
        Ok(Box::new(Number { dropna: call.flag(0) }))
    }
}

struct Number {
    /// Group 0 is none.
    dropna: bool,
}

impl Number {
    fn start(&self) -> Box<dyn Running> {
        let numbers = if self.dropna { vec![0] } else { Vec::new() };
        Box::new(Numbers { numbers, next: 0 })
    }
}

impl Window for Number {
    fn compute(&self, args: &[ArrayRef], groups: &Groups, proceed: Proceed<'_>) -> Result<ArrayRef> {
        run(self.start(), args, groups, proceed)
    }

    fn running(&self) -> Option<Box<dyn Running>> {
        Some(self.start())
    }
}

struct Numbers {
    numbers: Vec<i64>,
    next: i64,
}

impl Running for Numbers {
    fn push(&mut self, _: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<ArrayRef> {
        self.numbers.resize(num_groups.max(self.numbers.len()), -1);
        let number = |id: &u32| {
            let number = &mut self.numbers[*id as usize];
            if *number < 0 {
                *number = self.next;
                self.next += 1;
            }
            *number
        };
        Ok(Arc::new(groups.iter().map(number).collect::<Int64Array>()))
    }

    fn size(&self) -> usize {
        self.numbers.capacity() * size_of::<i64>()
    }
}

/// Each row's group by the place of its keys, which are the arguments, among those of the other groups; with `false`
/// for the first option counted from the last. With the second, group 0 is none.
pub struct GroupOrder;

impl Function for GroupOrder {
    fn name(&self) -> &'static str {
        "ngroup"
    }

    fn infer(&self, _: Signature<'_>) -> Result<DType> {
        Ok(DType::Int64)
    }

    fn create(&self, call: Signature<'_>) -> Result<Box<dyn Window>> {
        Ok(Box::new(Order { ascending: call.flag(0), dropna: call.flag(1) }))
    }
}

struct Order {
    ascending: bool,
    /// Group 0 is none.
    dropna: bool,
}

impl Window for Order {
    fn compute(&self, args: &[ArrayRef], groups: &Groups, proceed: Proceed<'_>) -> Result<ArrayRef> {
        proceed()?;
        let order = groups.by_group();
        let mut firsts = Vec::new();
        let mut numbers = Vec::new();
        for (group, segment) in groups.segments().windows(2).enumerate() {
            if segment[0] < segment[1] && !(self.dropna && group == 0) {
                firsts.push(order.map_or(segment[0] as u32, |order| order[segment[0]]));
                numbers.push(group);
            }
        }
        let firsts = UInt32Array::from(firsts);
        let options = Some(SortOptions { descending: false, nulls_first: false });
        let columns = args.iter().map(|key| Ok(SortColumn { values: take(key, &firsts, None)?, options }));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let sorted = lexsort_to_indices(&columns, None)?;
        let mut places = vec![0_i64; groups.count()];
        for (place, number) in sorted.values().iter().enumerate() {
            let place = if self.ascending { place } else { sorted.len() - 1 - place };
            places[numbers[*number as usize]] = place as i64;
        }
        let mut all = Vec::with_capacity(groups.rows());
        for (_, ids) in groups.pieces(super::PIECE) {
            proceed()?;
            all.extend(ids.iter().map(|id| places[*id as usize]));
        }
        Ok(Arc::new(Int64Array::from(all)))
    }
}
