//! Tables for look-ups within expressions: resident, and shared by all threads.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::SchemaRef;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};

use super::keys::Keys;
use super::output::{held, numbers};
use super::table::{JoinTable, NONE};
use crate::engine::control::Control;
use crate::error::{Code, Error, Result};
use crate::plan::lookup::Finds;

struct Lookup {
    table: JoinTable,
    /// None where only the presence of a key is asked for.
    values: Option<ArrayRef>,
    _reservation: MemoryReservation,
}

/// A table of batches whose first column is the key, and whose second one, if any, the value.
pub fn table(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    threads: usize,
    control: &Control,
    context: &TaskContext,
) -> Result<Arc<dyn Finds>> {
    let reservation = MemoryConsumer::new("look-up").register(context.memory_pool());
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let bytes: usize = batches.iter().map(held).sum();
    reservation.try_grow(bytes + JoinTable::estimate(rows, false))?;
    let batch = concat_batches(schema, batches)?;
    let columns = batch.columns();
    let table = JoinTable::new(Keys::new(&columns[..1], batch.num_rows())?, threads, control)?;
    let values = columns.get(1).cloned();
    if values.is_some() && !table.is_unique() {
        return Err(Error::new(
            Code::OperationFailed,
            "the series that values are mapped by has several rows of one label",
        )
        .hint("Aggregate it by its index first, e.g. `s.groupby(level=0).first()`"));
    }
    reservation.try_resize(held(&batch) + table.size())?;
    Ok(Arc::new(Lookup { table, values, _reservation: reservation }))
}

impl Finds for Lookup {
    fn find(&self, keys: &ArrayRef) -> Result<ArrayRef> {
        let mut heads = Vec::new();
        self.table.find(&Keys::new(std::slice::from_ref(keys), keys.len())?, &mut heads);
        Ok(match &self.values {
            None => Arc::new(BooleanArray::new(heads.iter().map(|head| *head != NONE).collect(), None)),
            Some(values) if values.is_empty() => new_null_array(values.data_type(), keys.len()),
            Some(values) => take(values, &numbers(&heads), None)?,
        })
    }
}
