//! The values of every group, for aggregates that need all of them: appended as they come, put in the order of their
//! groups by counting when they are asked for.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, LargeListArray, PrimitiveArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, DataType, Field};

use super::extreme::Ranked;
use super::kernel::{check, primitive, unexpected};
use crate::error::{Error, Result};

/// Values that a run has room for.
const RUN: (usize, usize) = (1 << 10, 1 << 20);

/// Values in the order in which they came. `groups` is empty where all are of group 0.
struct Run<N> {
    groups: Vec<u32>,
    values: Vec<N>,
    first_only: bool,
}

/// Lists of values that another state had, and the groups they are of.
struct Lists {
    groups: Vec<u32>,
    lists: LargeListArray,
}

pub struct Held<T: ArrowPrimitiveType> {
    runs: Vec<Run<T::Native>>,
    lists: Vec<Lists>,
    /// One past the highest group so far.
    groups: usize,
    total: usize,
}

impl<T: ArrowPrimitiveType> Default for Held<T> {
    fn default() -> Self {
        Self { runs: Vec::new(), lists: Vec::new(), groups: 0, total: 0 }
    }
}

/// Values by group: those of group `g` are `values[starts[g]..starts[g + 1]]`.
pub struct Sorted<N> {
    pub starts: Vec<usize>,
    pub values: Vec<N>,
}

impl<T: ArrowPrimitiveType<Native: Ranked>> Held<T> {
    /// Appends the values that are not missing.
    pub fn add(&mut self, values: &ArrayRef, groups: &[u32], num_groups: usize) -> Result<()> {
        let values = primitive::<T>(values)?;
        self.groups = self.groups.max(num_groups);
        check(groups, values.len(), self.groups)?;
        let first_only = num_groups == 1;
        let full = values.null_count() == 0
            && !values.values().iter().fold(false, |found, value| found | value.is_missing());
        let run = self.run(values.len(), first_only);
        let before = run.values.len();
        if full {
            run.values.extend_from_slice(values.values());
            if !first_only {
                run.groups.extend_from_slice(groups);
            }
        } else {
            let valid = |row: usize| values.is_valid(row) && !values.value(row).is_missing();
            for row in (0..values.len()).filter(|row| valid(*row)) {
                run.values.push(values.value(row));
                if !first_only {
                    run.groups.push(groups[row]);
                }
            }
        }
        let added = run.values.len() - before;
        self.total += added;
        Ok(())
    }

    /// A run with room for as many values.
    fn run(&mut self, rows: usize, first_only: bool) -> &mut Run<T::Native> {
        let fits = self.runs.last().is_some_and(|run| {
            run.first_only == first_only && run.values.capacity() - run.values.len() >= rows
        });
        if !fits {
            let room = self.total.clamp(RUN.0, RUN.1).max(rows);
            let groups = Vec::with_capacity(if first_only { 0 } else { room });
            self.runs.push(Run { groups, values: Vec::with_capacity(room), first_only });
        }
        let last = self.runs.len() - 1;
        &mut self.runs[last]
    }

    /// Takes the lists of another state in, without copying their values.
    pub fn merge(&mut self, state: &ArrayRef, groups: &[u32], num_groups: usize) -> Result<()> {
        let lists = state
            .as_list_opt::<i64>()
            .filter(|lists| *lists.values().data_type() == T::DATA_TYPE)
            .ok_or_else(|| unexpected(state.data_type(), &Self::state_type()))?;
        self.groups = self.groups.max(num_groups);
        check(groups, lists.len(), self.groups)?;
        let offsets = lists.value_offsets();
        self.total += (offsets[offsets.len() - 1] - offsets[0]) as usize;
        if !lists.is_empty() {
            self.lists.push(Lists { groups: groups.to_vec(), lists: lists.clone() });
        }
        Ok(())
    }

    /// All values by group, for at least `num_groups` groups; leaves nothing behind.
    pub fn sorted(&mut self, num_groups: usize) -> Sorted<T::Native> {
        let Self { runs, lists, groups, total } = std::mem::take(self);
        let groups = groups.max(num_groups);
        let mut starts = vec![0; groups + 1];
        for run in &runs {
            if run.first_only {
                starts[1] += run.values.len();
            } else {
                run.groups.iter().for_each(|group| starts[*group as usize + 1] += 1);
            }
        }
        for part in &lists {
            for (group, ends) in part.groups.iter().zip(part.lists.value_offsets().windows(2)) {
                starts[*group as usize + 1] += (ends[1] - ends[0]) as usize;
            }
        }
        for group in 0..groups {
            starts[group + 1] += starts[group];
        }
        let mut at = starts.clone();
        let mut values = vec![T::Native::default(); total];
        for run in runs {
            if run.first_only {
                values[at[0]..at[0] + run.values.len()].copy_from_slice(&run.values);
                at[0] += run.values.len();
                continue;
            }
            for (group, value) in run.groups.iter().zip(&run.values) {
                let at = &mut at[*group as usize];
                values[*at] = *value;
                *at += 1;
            }
        }
        for part in &lists {
            let all = part.lists.values().as_primitive::<T>().values();
            for (group, ends) in part.groups.iter().zip(part.lists.value_offsets().windows(2)) {
                let list = &all[ends[0] as usize..ends[1] as usize];
                let at = &mut at[*group as usize];
                values[*at..*at + list.len()].copy_from_slice(list);
                *at += list.len();
            }
        }
        Sorted { starts, values }
    }

    /// All values as they lie, where there is one group.
    pub fn parts(&self) -> Option<Vec<&[T::Native]>> {
        if self.groups > 1 || self.runs.iter().any(|run| !run.first_only) {
            return None;
        }
        let runs = self.runs.iter().map(|run| &run.values[..]);
        let lists = self.lists.iter().map(|part| {
            let ends = part.lists.value_offsets();
            &part.lists.values().as_primitive::<T>().values()[ends[0] as usize..ends[ends.len() - 1] as usize]
        });
        Some(runs.chain(lists).collect())
    }

    /// The same as one list a group.
    pub fn state(&mut self) -> Result<ArrayRef> {
        let groups = self.groups;
        let Sorted { starts, values } = self.sorted(groups);
        let offsets: Vec<i64> = starts.iter().map(|&start| start as i64).collect();
        let values: ArrayRef = Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), None));
        let item = Arc::new(Field::new_list_field(T::DATA_TYPE, true));
        Ok(Arc::new(LargeListArray::try_new(
            item,
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            values,
            None,
        )?))
    }

    pub fn state_type() -> DataType {
        DataType::LargeList(Arc::new(Field::new_list_field(T::DATA_TYPE, true)))
    }

    pub fn size(&self) -> usize {
        let width = T::Native::get_byte_width();
        let runs = self.runs.iter();
        let runs: usize = runs.map(|run| run.groups.capacity() * 4 + run.values.capacity() * width).sum();
        let lists = self.lists.iter().map(|part| {
            let ends = part.lists.value_offsets();
            (ends[ends.len() - 1] - ends[0]) as usize * width + ends.len() * 12
        });
        runs + lists.sum::<usize>()
    }
}

/// A list that went missing cannot be told from an empty one; states have none.
pub fn one_list(state: &[ArrayRef]) -> Result<&ArrayRef> {
    match state {
        [lists] if lists.null_count() == 0 => Ok(lists),
        _ => Err(Error::internal("a state of values by group that is not one list a group")),
    }
}
