//! Numbers of rows within their group, and of groups.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};

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

/// Each row's group by the place of its first row among those of the other groups.
pub struct GroupNumber;

impl Function for GroupNumber {
    fn name(&self) -> &'static str {
        "group_number"
    }

    fn infer(&self, _: Signature<'_>) -> Result<DType> {
        Ok(DType::Int64)
    }

    fn create(&self, _: Signature<'_>) -> Result<Box<dyn Window>> {
        Ok(Box::new(Number))
    }
}

struct Number;

impl Window for Number {
    fn compute(&self, args: &[ArrayRef], groups: &Groups, proceed: Proceed<'_>) -> Result<ArrayRef> {
        run(Box::new(Numbers::default()), args, groups, proceed)
    }

    fn running(&self) -> Option<Box<dyn Running>> {
        Some(Box::new(Numbers::default()))
    }
}

#[derive(Default)]
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
