//! `list`: all values of a group, missing or not, in the order of its rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, LargeListArray, new_empty_array};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::{concat, interleave};
use arrow::datatypes::{DataType, Field, Int64Type};

use super::kernel::{argument, check, column, primitive, unexpected};
use super::{Aggregate, Batch, Reduce, arrow_type, one_argument};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::DType;
use crate::plan::node::Params;

pub struct Collect;

impl Aggregate for Collect {
    fn name(&self) -> &'static str {
        "list"
    }

    fn infer(&self, args: &[DType], _params: &Params) -> Result<DType> {
        match one_argument(self, args)? {
            DType::Opaque(name) => {
                Err(not_decomposable(format!("values of type {name} cannot be collected in lists"))
                    .hint("Make numbers, text or times of them first, or collect other columns"))
            }
            dtype => Ok(DType::List(Arc::new(dtype.clone()))),
        }
    }

    fn ordered(&self) -> bool {
        true
    }

    fn keeps_missing(&self) -> bool {
        true
    }

    fn state_types(&self, args: &[DType], _params: &Params) -> Result<Vec<DataType>> {
        Ok(vec![list_of(DataType::Int64), list_of(arrow_type(one_argument(self, args)?)?)])
    }

    fn create(&self, args: &[DType], _params: &Params) -> Result<Box<dyn Reduce>> {
        let item = arrow_type(one_argument(self, args)?)?;
        Ok(Box::new(Collected { item, runs: Vec::new(), small: Vec::new(), groups: 0, total: 0, bytes: 0 }))
    }
}

fn list_of(item: DataType) -> DataType {
    DataType::LargeList(Arc::new(Field::new_list_field(item, true)))
}

/// Values as they came, with the group and the position of each.
struct Run {
    groups: Vec<u32>,
    positions: Vec<i64>,
    values: ArrayRef,
}

/// Where a value lies: its position among all rows, its run, and its place there.
#[derive(Clone, Copy, Default)]
struct Place {
    position: i64,
    run: u32,
    row: u32,
}

struct Collected {
    item: DataType,
    runs: Vec<Run>,
    /// Runs of few rows, to become one.
    small: Vec<Run>,
    /// One past the highest group so far.
    groups: usize,
    total: usize,
    bytes: usize,
}

/// Rows below which a run is small, and how many of these become one.
const SMALL: (usize, usize) = (4096, 64);

impl Run {
    fn size(&self) -> usize {
        self.groups.capacity() * 4 + self.positions.capacity() * 8 + self.values.get_array_memory_size()
    }
}

impl Collected {
    fn add(&mut self, run: Run, num_groups: usize) -> Result<()> {
        self.groups = self.groups.max(num_groups);
        check(&run.groups, run.values.len(), self.groups)?;
        if run.positions.len() != run.groups.len() {
            return Err(Error::internal("an ordered aggregate needs one position a row"));
        }
        if *run.values.data_type() != self.item {
            return Err(unexpected(run.values.data_type(), &self.item));
        }
        if run.groups.is_empty() {
            return Ok(());
        }
        self.total += run.groups.len();
        self.bytes += run.size();
        if run.groups.len() >= SMALL.0 {
            self.runs.push(run);
            return Ok(());
        }
        self.small.push(run);
        if self.small.len() >= SMALL.1 {
            self.gather()?;
        }
        Ok(())
    }

    /// Makes one run of the small ones.
    fn gather(&mut self) -> Result<()> {
        let small = std::mem::take(&mut self.small);
        let values: Vec<&dyn Array> = small.iter().map(|run| run.values.as_ref()).collect();
        if values.is_empty() {
            return Ok(());
        }
        let values = concat(&values)?;
        self.bytes = self.bytes.saturating_sub(small.iter().map(Run::size).sum());
        let (mut groups, mut positions) = (Vec::new(), Vec::new());
        for run in small {
            groups.extend(run.groups);
            positions.extend(run.positions);
        }
        let run = Run { groups, positions, values };
        self.bytes += run.size();
        self.runs.push(run);
        Ok(())
    }

    /// The positions and the values of every group, in order; leaves nothing behind.
    fn lists(&mut self, num_groups: usize) -> Result<(Vec<i64>, Vec<i64>, ArrayRef)> {
        self.gather()?;
        let (runs, total) = (std::mem::take(&mut self.runs), std::mem::take(&mut self.total));
        (self.groups, self.bytes) = (0, 0);
        let mut starts = vec![0_usize; num_groups + 1];
        runs.iter().flat_map(|run| &run.groups).for_each(|group| starts[*group as usize + 1] += 1);
        for group in 0..num_groups {
            starts[group + 1] += starts[group];
        }
        let mut at = starts.clone();
        let mut places = vec![Place::default(); total];
        for (number, run) in runs.iter().enumerate() {
            for (row, (group, position)) in run.groups.iter().zip(&run.positions).enumerate() {
                let at = &mut at[*group as usize];
                places[*at] = Place { position: *position, run: number as u32, row: row as u32 };
                *at += 1;
            }
        }
        for ends in starts.windows(2) {
            // Mostly they are in order already, which the sort finds out in one pass.
            places[ends[0]..ends[1]].sort_by_key(|place| place.position);
        }
        let found: Vec<(usize, usize)> =
            places.iter().map(|place| (place.run as usize, place.row as usize)).collect();
        let values: Vec<&dyn Array> = runs.iter().map(|run| run.values.as_ref()).collect();
        let values =
            if values.is_empty() { new_empty_array(&self.item) } else { interleave(&values, &found)? };
        let offsets = starts.into_iter().map(|start| start as i64).collect();
        Ok((offsets, places.into_iter().map(|place| place.position).collect(), values))
    }
}

fn lists(offsets: Vec<i64>, values: ArrayRef) -> Result<ArrayRef> {
    let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(Arc::new(LargeListArray::try_new(item, offsets, values, None)?))
}

/// The values of lists without what lies between them, and how many each list has.
fn flat(state: &ArrayRef) -> Result<(ArrayRef, Vec<usize>)> {
    let lists =
        state.as_list_opt::<i64>().ok_or_else(|| unexpected(state.data_type(), &list_of(DataType::Null)))?;
    if lists.null_count() > 0 {
        return Err(Error::internal("a state of collected values that is missing"));
    }
    let offsets = lists.value_offsets();
    let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
    let lengths = offsets.windows(2).map(|ends| (ends[1] - ends[0]) as usize).collect();
    Ok((lists.values().slice(first, last - first), lengths))
}

impl Reduce for Collected {
    fn update(&mut self, batch: Batch<'_>) -> Result<()> {
        let positions =
            batch.positions.ok_or_else(|| Error::internal("an ordered aggregate got no positions"))?;
        let positions = positions.to_vec();
        let values = argument(&batch, 0)?.clone();
        self.add(Run { groups: batch.groups.to_vec(), positions, values }, batch.num_groups)
    }

    fn state(&mut self) -> Result<Vec<ArrayRef>> {
        let (offsets, positions, values) = self.lists(self.groups)?;
        Ok(vec![lists(offsets.clone(), Arc::new(Int64Array::from(positions)))?, lists(offsets, values)?])
    }

    fn merge(&mut self, state: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<()> {
        let (positions, lengths) = flat(column(state, 0)?)?;
        let (values, others) = flat(column(state, 1)?)?;
        if lengths != others || lengths.len() != groups.len() {
            return Err(Error::internal("collected values and their positions do not fit"));
        }
        let repeated =
            groups.iter().zip(lengths).flat_map(|(group, length)| std::iter::repeat_n(*group, length));
        let positions = primitive::<Int64Type>(&positions)?;
        if positions.null_count() > 0 {
            return Err(Error::internal("collected values without positions"));
        }
        let run = Run { groups: repeated.collect(), positions: positions.values().to_vec(), values };
        self.add(run, num_groups)
    }

    fn finish(&mut self, num_groups: usize) -> Result<ArrayRef> {
        let (mut offsets, _, values) = self.lists(num_groups.max(self.groups))?;
        offsets.truncate(num_groups + 1);
        lists(offsets, values)
    }

    fn size(&self) -> usize {
        self.bytes
    }
}
