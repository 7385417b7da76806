//! The physical operator that leaves out rows which cannot be among the first of their group in a given order: what
//! remains is sorted and counted by others.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::DataType;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt};

use super::keys::Keys;
use crate::engine::control::Control;
use crate::engine::group::limit;
use crate::engine::keep::kept;
use crate::engine::node_exec::one_child;
use crate::error::{Error, Result};
use crate::plan::DType;
use crate::plan::eval::Program;
use crate::plan::op::operand::{present, with_number};
use crate::plan::window::{Code, storage, stored};

/// Rows that wait are looked through again when there are this many, and more than several times those that can stay.
const MANY: usize = limit(64 * 1024, 16);

/// Which rows are the first.
pub struct First {
    pub keys: Vec<Program>,
    pub types: Vec<DataType>,
    /// Rows with a missing key are left out.
    pub dropna: bool,
    pub rows: usize,
    pub by: Program,
    pub dtype: DType,
    pub descending: bool,
    pub missing_first: bool,
    /// Rows that are equal here are told apart by what this does not know.
    pub ties: bool,
}

impl First {
    /// Numbers that order as the column does are known for these types.
    pub fn takes(dtype: &DType) -> bool {
        let storage = storage(dtype);
        storage.is_numeric()
    }
}

pub struct TopExec {
    input: Arc<dyn ExecutionPlan>,
    first: Arc<First>,
    control: Arc<Control>,
    display: String,
    properties: Arc<PlanProperties>,
}

impl TopExec {
    pub fn new(
        input: Arc<dyn ExecutionPlan>,
        first: Arc<First>,
        control: Arc<Control>,
        display: String,
    ) -> Self {
        let properties = input.properties().clone();
        Self { input, first, control, display, properties }
    }

    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(input, self.first.clone(), self.control.clone(), self.display.clone())
    }
}

impl fmt::Debug for TopExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopExec({})", self.display)
    }
}

impl DisplayAs for TopExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TopExec: {}", self.display)
    }
}

impl ExecutionPlan for TopExec {
    one_child!("TopExec");

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let reservation = MemoryConsumer::new("top").register(context.memory_pool());
        let mut batches = self.input.execute(partition, context)?;
        let (first, control) = (self.first.clone(), self.control.clone());
        let answer = async move {
            let mut best = Best::new(first, reservation)?;
            while let Some(batch) = batches.next().await {
                control.check()?;
                best.add(batch?)?;
            }
            let batches = best.finish()?;
            Ok::<_, datafusion::error::DataFusionError>(futures::stream::iter(batches.into_iter().map(Ok)))
        };
        let rows = futures::stream::once(answer).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

/// Rows that may be among the first, of one partition of the input.
struct Best {
    first: Arc<First>,
    reservation: MemoryReservation,
    keys: Keys,
    /// The codes of the first rows of each group so far, in order.
    codes: Vec<u64>,
    counts: Vec<u32>,
    waiting: Vec<Waiting>,
    rows: usize,
}

/// Rows with their groups and codes.
struct Waiting {
    batch: RecordBatch,
    groups: Vec<u32>,
    codes: Vec<u64>,
}

/// What stands for a missing value that comes last; and for values that cannot be told from it.
const LAST: u64 = u64::MAX;

impl Best {
    fn new(first: Arc<First>, reservation: MemoryReservation) -> Result<Self> {
        let keys = Keys::new(&first.types, first.dropna)?;
        let (codes, counts, waiting) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { first, reservation, keys, codes, counts, waiting, rows: 0 })
    }

    fn add(&mut self, batch: RecordBatch) -> Result<()> {
        let keys: Vec<ArrayRef> =
            self.first.keys.iter().map(|key| key.eval(&batch)).collect::<Result<_>>()?;
        let mut groups = Vec::with_capacity(batch.num_rows());
        self.keys.number(&keys, &mut groups)?;
        let codes = self.first.codes(&self.first.by.eval(&batch)?)?;
        let room = self.first.rows;
        self.counts.resize(self.keys.count(), 0);
        self.codes.resize(self.keys.count() * room, LAST);
        let outside = self.keys.outside();
        let mut stays = Vec::with_capacity(batch.num_rows());
        for (group, code) in groups.iter().zip(&codes) {
            if Some(*group) == outside || room == 0 {
                stays.push(false);
                continue;
            }
            let of_group = &mut self.codes[*group as usize * room..][..room];
            let count = &mut self.counts[*group as usize];
            let worst = of_group[room - 1];
            if *count as usize == room && *code >= worst {
                // Values that look like missing ones are left to whoever sorts.
                stays.push(*code == worst && (self.first.ties || *code == LAST));
                continue;
            }
            let place = of_group[..*count as usize].partition_point(|other| other <= code);
            of_group[place..].rotate_right(1);
            of_group[place] = *code;
            *count = (*count + 1).min(room as u32);
            stays.push(true);
        }
        self.wait(batch, groups, codes, stays)?;
        if self.rows > MANY && self.rows > 4 * self.codes.len() {
            self.compact()?;
        }
        let tables = self.keys.size() + 8 * self.codes.capacity() + 4 * self.counts.capacity();
        let waiting: usize = self.waiting.iter().map(|waiting| waiting.batch.get_array_memory_size()).sum();
        Ok(self.reservation.try_resize(tables + waiting)?)
    }

    fn wait(
        &mut self,
        batch: RecordBatch,
        groups: Vec<u32>,
        codes: Vec<u64>,
        stays: Vec<bool>,
    ) -> Result<()> {
        let rows = stays.iter().filter(|stays| **stays).count();
        if rows == 0 {
            return Ok(());
        }
        let only = |place: usize| stays[place];
        let groups = (0..stays.len()).filter(|place| only(*place)).map(|place| groups[place]).collect();
        let codes = (0..stays.len()).filter(|place| only(*place)).map(|place| codes[place]).collect();
        let batch = kept(&batch, &BooleanArray::from(stays))?;
        self.rows += rows;
        self.waiting.push(Waiting { batch, groups, codes });
        Ok(())
    }

    /// Lets go of rows that better ones of their group came after.
    fn compact(&mut self) -> Result<()> {
        self.rows = 0;
        for waiting in std::mem::take(&mut self.waiting) {
            let room = self.first.rows;
            let stay = |(group, code): (&u32, &u64)| *code <= self.codes[*group as usize * room + room - 1];
            let stays = waiting.groups.iter().zip(&waiting.codes).map(stay).collect();
            self.wait(waiting.batch, waiting.groups, waiting.codes, stays)?;
        }
        // Small remains of many batches would each keep what they were cut from.
        if let Some(schema) = self.waiting.first().map(|waiting| waiting.batch.schema()) {
            let batches: Vec<&RecordBatch> = self.waiting.iter().map(|waiting| &waiting.batch).collect();
            let batch = arrow::compute::concat_batches(&schema, batches)?;
            let (mut groups, mut codes) = (Vec::with_capacity(self.rows), Vec::with_capacity(self.rows));
            for waiting in self.waiting.drain(..) {
                groups.extend(waiting.groups);
                codes.extend(waiting.codes);
            }
            self.waiting.push(Waiting { batch, groups, codes });
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<RecordBatch>> {
        self.compact()?;
        Ok(self.waiting.into_iter().map(|waiting| waiting.batch).collect())
    }
}

impl First {
    /// Numbers that order as the rows are to be; the least comes first.
    fn codes(&self, column: &ArrayRef) -> Result<Vec<u64>> {
        let there = present(column)?;
        let stored = stored(column, &self.dtype)?;
        let mut codes: Vec<u64> = with_number!(
            storage(&self.dtype),
            T => stored.as_primitive::<T>().values().iter().map(|value| value.code()).collect(),
            return Err(Error::internal("rows in an order that has no numbers"))
        );
        if self.descending {
            codes.iter_mut().for_each(|code| *code = !*code);
        }
        if let Some(there) = there {
            let missing = if self.missing_first { 0 } else { LAST };
            for (row, code) in codes.iter_mut().enumerate() {
                if !there.value(row) {
                    *code = missing;
                }
            }
        }
        Ok(codes)
    }
}
