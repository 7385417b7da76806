//! The physical operator that makes a row of each value of lists, some rows at a time, partition by partition.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, LargeListArray, RecordBatch, RecordBatchOptions, UInt64Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{TryStreamExt, stream};

use super::node_exec::one_child;
use crate::error::{Code, Error, Result};

/// Rows of a batch at most: lists may be long.
const ROWS: usize = 8192;

/// What is taken apart.
#[derive(Debug)]
pub struct Explode {
    /// Columns of the input.
    pub lists: Vec<usize>,
    pub keep_empty: bool,
    /// A last column with the value's place in its list.
    pub place: Option<Arc<str>>,
}

#[derive(Debug)]
pub struct ExplodeExec {
    input: Arc<dyn ExecutionPlan>,
    explode: Arc<Explode>,
    properties: Arc<PlanProperties>,
}

impl ExplodeExec {
    pub fn new(input: Arc<dyn ExecutionPlan>, explode: Arc<Explode>) -> Result<Self> {
        let mut fields: Vec<_> = input.schema().fields().iter().cloned().collect();
        for list in &explode.lists {
            let DataType::LargeList(item) = fields[*list].data_type().clone() else {
                return Err(Error::internal(format!("{} taken apart", fields[*list].data_type())));
            };
            let field = Field::new(fields[*list].name(), item.data_type().clone(), true);
            fields[*list] = Arc::new(field);
        }
        fields.extend(explode.place.iter().map(|name| Arc::new(Field::new(&**name, DataType::Int64, true))));
        let partitions = input.properties().partitioning.partition_count();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::new(Schema::new(fields))),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self { input, explode, properties: Arc::new(properties) })
    }

    /// The same over another input of the same columns.
    fn over(&self, input: Arc<dyn ExecutionPlan>) -> Self {
        Self { input, explode: self.explode.clone(), properties: self.properties.clone() }
    }
}

impl DisplayAs for ExplodeExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = self.schema();
        let names: Vec<_> =
            self.explode.lists.iter().map(|list| schema.field(*list).name().as_str()).collect();
        write!(f, "ExplodeExec: a row for each value of {}", names.join(", "))
    }
}

impl ExecutionPlan for ExplodeExec {
    one_child!("ExplodeExec");

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let (schema, explode) = (self.schema(), self.explode.clone());
        let output = schema.clone();
        let pieces = self.input.execute(partition, context)?.and_then(move |batch| {
            let pieces = Pieces::new(explode.clone(), output.clone(), batch);
            futures::future::ready(
                pieces
                    .map(|pieces| stream::iter(pieces.map(|piece| Ok(piece?))))
                    .map_err(datafusion::error::DataFusionError::from),
            )
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, pieces.try_flatten())))
    }
}

/// A batch on its way, some rows at a time.
struct Pieces {
    explode: Arc<Explode>,
    schema: SchemaRef,
    batch: RecordBatch,
    lists: Vec<LargeListArray>,
    row: usize,
    /// How many values of the row are done with.
    done: usize,
}

impl Iterator for Pieces {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.row < self.batch.num_rows()).then(|| self.piece())
    }
}

impl Pieces {
    fn new(explode: Arc<Explode>, schema: SchemaRef, batch: RecordBatch) -> Result<Self> {
        let lists = explode.lists.iter().map(|list| {
            let column = batch.column(*list);
            column.as_list_opt::<i64>().cloned().ok_or_else(|| Error::internal("lists that are none"))
        });
        let lists = lists.collect::<Result<Vec<_>>>()?;
        let pieces = Self { explode, schema, batch, lists, row: 0, done: 0 };
        pieces.check()?;
        Ok(pieces)
    }

    /// Lists side by side must be as long as each other; missing and empty ones count as one value.
    fn check(&self) -> Result<()> {
        let Some((first, others)) = self.lists.split_first() else {
            return Err(Error::internal("nothing to take apart"));
        };
        for (number, other) in others.iter().enumerate() {
            let rows = 0..self.batch.num_rows();
            if rows.into_iter().any(|row| length(first, row).max(1) != length(other, row).max(1)) {
                let name = |list: usize| self.schema.field(self.explode.lists[list]).name().clone();
                let message = format!(
                    "`explode`: a list of column `{}` is not as long as that of column `{}` in the same row",
                    name(0),
                    name(number + 1)
                );
                return Err(Error::new(Code::OperationFailed, message)
                    .hint("Explode the columns one after the other, or filter such rows out"));
            }
        }
        Ok(())
    }

    fn piece(&mut self) -> Result<RecordBatch> {
        let mut rows: Vec<u64> = Vec::with_capacity(ROWS);
        let mut places: Vec<i64> = Vec::with_capacity(if self.explode.place.is_some() { ROWS } else { 0 });
        let mut values: Vec<Values> = self.lists.iter().map(|_| Values::default()).collect();
        while self.row < self.batch.num_rows() && rows.len() < ROWS {
            let found = self.lists.iter().map(|list| length(list, self.row)).max().unwrap_or(0);
            let count = if self.explode.keep_empty { found.max(1) } else { found };
            let taken = (count - self.done).min(ROWS - rows.len());
            for (list, values) in self.lists.iter().zip(&mut values) {
                let start = list.value_offsets()[self.row] as usize + self.done;
                values.extend(start, taken, length(list, self.row) > 0);
            }
            rows.extend(std::iter::repeat_n(self.row as u64, taken));
            if self.explode.place.is_some() {
                places.extend((self.done..self.done + taken).map(|place| place as i64));
            }
            self.done += taken;
            if self.done == count {
                self.row += 1;
                self.done = 0;
            }
        }
        let count = rows.len();
        let rows = UInt64Array::from(rows);
        let mut values = self.explode.lists.iter().zip(self.lists.iter().zip(values)).collect::<Vec<_>>();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for (place, column) in self.batch.columns().iter().enumerate() {
            let own = values.iter().position(|(list, _)| **list == place);
            columns.push(match own {
                Some(own) => {
                    let (_, (list, values)) = values.swap_remove(own);
                    values.of(list.values())?
                }
                None => take(column, &rows, None)?,
            });
        }
        if self.explode.place.is_some() {
            columns.push(Arc::new(Int64Array::from(places)));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

fn length(list: &LargeListArray, row: usize) -> usize {
    if list.is_null(row) { 0 } else { list.value_length(row) as usize }
}

/// Which values of a column of lists come out, in order.
#[derive(Default)]
struct Values {
    at: Vec<u64>,
    present: Vec<bool>,
    missing: usize,
    /// They do not lie one after the other.
    scattered: bool,
}

impl Values {
    fn extend(&mut self, start: usize, count: usize, present: bool) {
        if present {
            self.scattered |= count > 0 && self.at.last().is_some_and(|last| last + 1 != start as u64);
            self.at.extend((start..start + count).map(|at| at as u64));
        } else {
            self.at.extend(std::iter::repeat_n(0, count));
            self.missing += count;
        }
        self.present.extend(std::iter::repeat_n(present, count));
    }

    fn of(self, values: &ArrayRef) -> Result<ArrayRef> {
        if self.missing == 0 && !self.scattered {
            let start = self.at.first().map_or(0, |first| *first as usize);
            return Ok(values.slice(start, self.at.len()));
        }
        let nulls = (self.missing > 0).then(|| NullBuffer::from(self.present));
        Ok(take(values, &UInt64Array::new(self.at.into(), nulls), None)?)
    }
}
