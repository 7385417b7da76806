//! The physical operator that scans: contiguous partitions, each in source order, filtered and projected.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, Statistics,
};
use futures::{StreamExt, stream};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::morsels::{MorselQueue, MorselReaders};
use super::predicate::Predicate;
use super::scan::{MorselReader, Scan};
use crate::error::{Error, Result};
use crate::memory::leave_to_others;
use crate::plan::eval::Program;

/// Chunks decoded ahead of whoever consumes them, per partition.
const AHEAD: usize = 2;

pub struct ScanExec {
    scan: Arc<Scan>,
    predicate: Option<Arc<Predicate>>,
    outputs: Arc<[Program]>,
    partitions: Vec<Range<usize>>,
    display: String,
    properties: Arc<PlanProperties>,
}

impl ScanExec {
    pub fn new(
        scan: Arc<Scan>,
        predicate: Option<Predicate>,
        outputs: Vec<Program>,
        schema: SchemaRef,
        threads: usize,
        display: String,
    ) -> Self {
        let partitions = shares(&scan, scan.threads(threads));
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions.len()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        ));
        Self {
            scan,
            predicate: predicate.map(Arc::new),
            outputs: outputs.into(),
            partitions,
            display,
            properties,
        }
    }
}

/// Splits the morsels into contiguous runs of about as many rows each.
fn shares(scan: &Scan, threads: usize) -> Vec<Range<usize>> {
    let total = scan.rows().max(1);
    let mut shares: Vec<Range<usize>> = Vec::with_capacity(threads);
    let mut seen = 0;
    for (position, morsel) in scan.morsels.iter().enumerate() {
        let due = (seen * threads as u64 / total) as usize;
        let begun = shares.len();
        match shares.last_mut() {
            Some(last) if due < begun => last.end = position + 1,
            _ => shares.push(position..position + 1),
        }
        seen += morsel.rows as u64;
    }
    if shares.is_empty() {
        shares.push(0..0);
    }
    shares
}

impl fmt::Debug for ScanExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScanExec({})", self.display)
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScanExec: {}, {} partitions in order", self.display, self.partitions.len())
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &'static str {
        "ScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DataFusionResult<TreeNodeRecursion>,
    ) -> DataFusionResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    /// How many rows there are: what joins are ordered by, and what `count(*)` alone needs to know.
    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> DataFusionResult<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema());
        if args.partition().is_none() {
            let rows = usize::try_from(self.scan.rows()).unwrap_or(usize::MAX);
            statistics.num_rows =
                if self.predicate.is_none() { Precision::Exact(rows) } else { Precision::Inexact(rows) };
        }
        Ok(Arc::new(statistics))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let schema = self.schema();
        let puller = self.puller(partition, &context);
        let scanned = schema.clone();
        // Not before somebody asks: of the two sides of a join, one waits for the other, and threads are finite.
        let started = stream::once(async move { scan(puller(), scanned) });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, started.flatten())))
    }
}

impl ScanExec {
    /// What begins a partition's scan.
    fn puller(&self, partition: usize, context: &Arc<TaskContext>) -> impl FnOnce() -> Pull + Send + use<> {
        let (scan, share) = (self.scan.clone(), self.partitions[partition].clone());
        let (predicate, outputs, schema) = (self.predicate.clone(), self.outputs.clone(), self.schema());
        let (partitions, pool) = (self.partitions.len(), context.memory_pool().clone());
        move || Pull {
            readers: MorselReaders::new(Arc::new(MorselQueue::new(scan.clone(), share))),
            reader: None,
            predicate,
            outputs,
            schema,
            _counted: scan.counted(partitions, &pool),
            scan,
        }
    }

    /// A partition's rows for a thread that does something with them itself, where no network is waited for.
    pub fn pull(&self, partition: usize, context: &Arc<TaskContext>) -> Option<Pull> {
        let waits = self.scan.morsels.iter().any(|morsel| self.scan.is_remote(morsel));
        (!waits).then(|| self.puller(partition, context)())
    }
}

fn scan(pull: Pull, schema: SchemaRef) -> SendableRecordBatchStream {
    let mut stream = RecordBatchReceiverStream::builder(schema, AHEAD);
    let sender = stream.tx();
    let mut producer = Producer { pull, sender: stream.tx() };
    stream.spawn(async move {
        // A thread is held while it decodes, not while it waits: the consumer may wait for other scans, and threads
        // are finite.
        loop {
            let work = tokio::task::spawn_blocking(move || {
                let produced = producer.produce().map(|more| (producer, more));
                leave_to_others();
                produced
            });
            let (returned, more) = match work.await {
                Ok(produced) => produced?,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => return Err(Error::cancelled().into()),
            };
            producer = returned;
            let Some(batch) = more else { return Ok(()) };
            if sender.send(Ok(batch)).await.is_err() {
                return Ok(());
            }
        }
    });
    stream.build()
}

/// What a partition's scan has to remember between its turns on a thread.
pub struct Pull {
    scan: Arc<Scan>,
    readers: MorselReaders,
    reader: Option<MorselReader>,
    predicate: Option<Arc<Predicate>>,
    outputs: Arc<[Program]>,
    schema: SchemaRef,
    _counted: MemoryReservation,
}

/// What a chunk came to.
pub enum Pulled {
    Rows(RecordBatch),
    /// No row of it is wanted.
    Nothing,
    End,
}

impl Pull {
    /// Decodes and filters the next chunk. Blocks.
    pub fn pulled(&mut self) -> Result<Pulled> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => match self.readers.next_reader()? {
                Some(reader) => self.reader.insert(reader),
                None => return Ok(Pulled::End),
            },
        };
        let Some(chunk) = reader.next_chunk()? else {
            self.reader = None;
            return Ok(Pulled::Nothing);
        };
        let rows = chunk.num_rows();
        let chunk = match &self.predicate {
            Some(predicate) => reader.keep(&self.scan, predicate, &chunk)?,
            None => chunk,
        };
        let output = project(&chunk, &self.outputs, &self.schema)?;
        reader.finished(rows);
        Ok(if output.num_rows() == 0 { Pulled::Nothing } else { Pulled::Rows(output) })
    }
}

/// A scan that sends its rows to whoever consumes them.
struct Producer {
    pull: Pull,
    sender: Sender<DataFusionResult<RecordBatch>>,
}

impl Producer {
    /// Decodes and sends as long as the consumer takes what it gets. Then the batch that it did not take, or nothing at
    /// the end. Blocks.
    fn produce(&mut self) -> Result<Option<RecordBatch>> {
        // Where nobody wants more, a filter that finds nothing would never notice by sending.
        while !self.sender.is_closed() {
            match self.pull.pulled()? {
                Pulled::End => return Ok(None),
                Pulled::Nothing => {}
                Pulled::Rows(output) => match self.sender.try_send(Ok(output)) {
                    Ok(()) => {}
                    Err(TrySendError::Full(Ok(output))) => return Ok(Some(output)),
                    Err(_) => return Ok(None),
                },
            }
        }
        Ok(None)
    }
}

fn project(chunk: &RecordBatch, outputs: &[Program], schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = outputs.iter().map(|output| output.eval(chunk)).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(chunk.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}
