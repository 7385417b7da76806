//! Rows from one place to before another, as a Python slice counts them; no more rows are held than must be.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};

/// Rows `start..stop` of what comes by; negative places count from the end.
pub fn sliced(
    batches: BoxStream<'static, DataFusionResult<RecordBatch>>,
    start: i64,
    stop: Option<i64>,
) -> BoxStream<'static, DataFusionResult<RecordBatch>> {
    let end = futures::stream::iter([Ok::<_, DataFusionError>(None)]);
    let mut slice = Slice { start, stop, seen: 0, held: VecDeque::new(), rows: 0 };
    let steps = batches.map_ok(Some).chain(end).map_ok(move |step| {
        let rows = match step {
            Some(batch) => slice.next(batch),
            None => slice.last(),
        };
        futures::stream::iter(rows.into_iter().map(Ok))
    });
    let until = match stop {
        Some(stop) if start >= 0 && stop >= 0 => usize::try_from(stop - start).unwrap_or(0),
        _ => return steps.try_flatten().boxed(),
    };
    // Nothing more is read once all rows are there.
    let rows = steps.try_flatten().boxed();
    futures::stream::try_unfold((rows, until), |(mut rows, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let Some(batch) = rows.try_next().await? else { return Ok(None) };
        let left = left.saturating_sub(batch.num_rows());
        Ok(Some((batch, (rows, left))))
    })
    .boxed()
}

struct Slice {
    start: i64,
    stop: Option<i64>,
    seen: usize,
    /// The last rows so far, where places count from the end.
    held: VecDeque<RecordBatch>,
    rows: usize,
}

impl Slice {
    /// Rows that are known to belong to the slice.
    fn next(&mut self, batch: RecordBatch) -> Vec<RecordBatch> {
        let from = self.seen;
        self.seen += batch.num_rows();
        if self.start < 0 {
            self.hold(batch);
            return self.release(self.start.unsigned_abs() as usize, false);
        }
        let batch = within(&batch, from, self.start as usize, usize::MAX);
        match self.stop {
            None => batch.into_iter().collect(),
            Some(stop) if stop >= 0 => {
                let from = from.max(self.start as usize);
                batch.and_then(|batch| within(&batch, from, 0, stop as usize)).into_iter().collect()
            }
            Some(stop) => {
                batch.into_iter().for_each(|batch| self.hold(batch));
                self.release(stop.unsigned_abs() as usize, true)
            }
        }
    }

    fn hold(&mut self, batch: RecordBatch) {
        self.rows += batch.num_rows();
        self.held.push_back(batch);
    }

    /// Lets go of all but the last rows that are held, and gives them out if they belong to the slice.
    fn release(&mut self, last: usize, belong: bool) -> Vec<RecordBatch> {
        let mut given = Vec::new();
        while self.rows > last {
            let Some(first) = self.held.pop_front() else { break };
            let gone = first.num_rows().min(self.rows - last);
            self.rows -= gone;
            if belong {
                given.push(first.slice(0, gone));
            }
            if gone < first.num_rows() {
                self.held.push_front(first.slice(gone, first.num_rows() - gone));
            }
        }
        given
    }

    /// What is left when all rows were seen.
    fn last(&mut self) -> Vec<RecordBatch> {
        if self.start >= 0 {
            return Vec::new();
        }
        let begin = self.seen - self.rows;
        let stop = match self.stop {
            None => self.seen,
            Some(stop) if stop < 0 => self.seen.saturating_sub(stop.unsigned_abs() as usize),
            Some(stop) => stop as usize,
        };
        let mut from = begin;
        let rows = std::mem::take(&mut self.held).into_iter().filter_map(|batch| {
            let kept = within(&batch, from, begin, stop);
            from += batch.num_rows();
            kept
        });
        rows.collect()
    }
}

/// The rows of a batch, the first of which is number `from`, that lie in `start..stop`.
fn within(batch: &RecordBatch, from: usize, start: usize, stop: usize) -> Option<RecordBatch> {
    let first = start.saturating_sub(from).min(batch.num_rows());
    let last = stop.saturating_sub(from).min(batch.num_rows());
    (first < last).then(|| batch.slice(first, last - first))
}
