//! Groups of which memory may not hold all at once: finished share by share, and put in order by a sort that spills.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalSortExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};

use super::arrange::batch;
use super::exec::blocking;
use super::shares::{SHARES, Shares};
use super::{GroupOrder, GroupSpec};
use crate::engine::control::Control;
use crate::engine::owned_exec::owned_pieces;
use crate::engine::sort::Order;
use crate::engine::sort::exec::sort_streams;
use crate::error::{Error, Result};

/// Where a group's first row is.
const FIRST: &str = "__first";

/// Missing keys are last, as pandas has them.
const ORDER: SortOptions = SortOptions { descending: false, nulls_first: false };

/// In which order groups come out, and with which columns they are put in it.
#[derive(Clone)]
pub struct External {
    spec: Arc<GroupSpec>,
    keys: Vec<PhysicalSortExpr>,
    /// The columns of the answer, and the groups' first rows where these order them.
    schema: SchemaRef,
}

impl External {
    /// None if a sort cannot put such groups in order, or there is but one.
    pub fn of(spec: &Arc<GroupSpec>) -> Result<Option<Self>> {
        if spec.keys.is_empty() {
            return Ok(None);
        }
        let mut fields = spec.schema().fields().to_vec();
        let by = match spec.needs_first() {
            true => {
                fields.push(Arc::new(Field::new(FIRST, DataType::Int64, false)));
                fields.len() - 1..fields.len()
            }
            false => 0..spec.keys.len(),
        };
        let key =
            |place: usize| PhysicalSortExpr::new(Arc::new(Column::new(fields[place].name(), place)), ORDER);
        let keys = by.map(key).collect();
        let external = Self { spec: spec.clone(), keys, schema: Arc::new(Schema::new(fields)) };
        let in_any = external.spec.order == GroupOrder::Any;
        Ok((in_any || Order::is_supported(&external.keys, &external.schema)?).then_some(external))
    }

    /// The groups of all shares, in order if there is to be one.
    pub fn answer(
        self,
        shares: Arc<Shares>,
        control: Arc<Control>,
        threads: usize,
        context: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, DataFusionResult<RecordBatch>>> {
        let meaning = Arc::new(shares.meaning()?);
        let parts = threads.clamp(1, SHARES);
        let finish = {
            let (external, control) = (self.clone(), control.clone());
            move |share| {
                let (external, shares, control, meaning) =
                    (external.clone(), shares.clone(), control.clone(), meaning.clone());
                let finish = move || {
                    let Some(mut finished) = shares.finish_one(share, &control)? else { return Ok(None) };
                    let first = finished.first.take();
                    let groups = batch(&external.spec, finished, &meaning)?;
                    external.with_first(&groups, first).map(Some)
                };
                async move { Ok(blocking(finish).await?) }
            }
        };
        if self.spec.order == GroupOrder::Any {
            let groups = stream::iter(0..SHARES).map(finish).buffered(parts);
            let groups = groups.try_filter_map(|groups| async { Ok(groups) });
            return Ok(owned_pieces(groups, parts, context));
        }
        let open = |part: usize| -> DataFusionResult<SendableRecordBatchStream> {
            let mine = part * SHARES / parts..(part + 1) * SHARES / parts;
            let groups = stream::iter(mine).then(finish.clone());
            let groups = groups.try_filter_map(|groups| async { Ok(groups) });
            let groups = owned_pieces(groups.boxed(), parts, context);
            Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), groups)))
        };
        let order = Order { keys: self.keys.clone(), schema: self.schema.clone() };
        let display = order.shown();
        let sorted = sort_streams(order, (parts, open), control.clone(), (threads, display), context)?;
        let columns: Vec<usize> = (0..self.spec.schema().fields().len()).collect();
        Ok(sorted.map(move |groups| Ok(groups?.project(&columns)?)).boxed())
    }

    fn with_first(&self, groups: &RecordBatch, first: Option<ArrayRef>) -> Result<RecordBatch> {
        if first.is_none() && self.spec.needs_first() {
            return Err(Error::internal("groups without the places of their first rows"));
        }
        let first = first.filter(|_| self.spec.needs_first());
        let columns = groups.columns().iter().cloned().chain(first).collect();
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}
