//! A Parquet file of which several columns are encoded at the same time: for one file that takes all rows.

use std::num::NonZero;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::file::writer::SerializedFileWriter;

use super::parquet::DESCRIBED;
use super::{Encoder, Fault};
use crate::io::sink::bytes_of;
use crate::io::sink::out::Out;
use crate::io::sink::part::ROW_GROUP;

/// Rows that are encoded together: enough to be worth the threads.
const LOT: usize = 128 << 10;

pub struct Columns {
    file: SerializedFileWriter<Out>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    threads: NonZero<usize>,
    /// Of the row group that is being written, and its rows.
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
    /// Rows that are not encoded yet.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
}

impl Columns {
    pub fn new(writer: ArrowWriter<Out>, schema: SchemaRef, threads: NonZero<usize>) -> Result<Self, Fault> {
        let (file, factory) = writer.into_serialized_writer()?;
        Ok(Self {
            file,
            factory,
            schema,
            threads,
            columns: Vec::new(),
            rows: 0,
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
        })
    }

    /// Encodes the rows that wait, each thread the next column that nobody has taken.
    fn encode(&mut self) -> Result<(), Fault> {
        let batches = std::mem::take(&mut self.waiting);
        let Some(first) = batches.first() else { return Ok(()) };
        if self.columns.is_empty() {
            self.columns = self.factory.create_column_writers(self.file.flushed_row_groups().len())?;
        }
        let mut rest = self.columns.as_mut_slice();
        let mut tasks = Vec::with_capacity(self.schema.fields().len());
        for (place, field) in self.schema.fields().iter().enumerate() {
            // A nested column has several leaves.
            let leaves = compute_leaves(field, &first.column(place).slice(0, 0))?.len();
            let (own, others) = rest.split_at_mut_checked(leaves).ok_or("a column has no writer")?;
            rest = others;
            tasks.push((place, field, own));
        }
        // Taken from the end, in the order of the columns.
        tasks.reverse();
        let threads = self.threads.get().min(tasks.len());
        let tasks = Mutex::new(tasks);
        let work = || -> Result<(), parquet::errors::ParquetError> {
            loop {
                let Some((place, field, writers)) = tasks.lock().pop() else { return Ok(()) };
                for batch in &batches {
                    for (leaf, writer) in
                        compute_leaves(field, batch.column(place))?.iter().zip(&mut *writers)
                    {
                        writer.write(leaf)?;
                    }
                }
            }
        };
        let done = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut done = work();
            for other in others {
                match other.join() {
                    Ok(outcome) => done = done.and(outcome),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            done
        });
        done?;
        self.rows += self.waiting_rows;
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        if self.rows >= ROW_GROUP {
            self.end_row_group()?;
        }
        Ok(())
    }

    fn end_row_group(&mut self) -> Result<(), Fault> {
        if self.rows > 0 {
            let mut group = self.file.next_row_group()?;
            for column in self.columns.drain(..) {
                column.close()?.append_to_row_group(&mut group)?;
            }
            group.close()?;
            self.rows = 0;
        }
        Ok(())
    }
}

impl Encoder for Columns {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Fault> {
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let next = rest.slice(0, rest.num_rows().min(LOT - self.waiting_rows));
            rest = rest.slice(next.num_rows(), rest.num_rows() - next.num_rows());
            self.waiting_rows += next.num_rows();
            self.waiting_bytes += bytes_of(&next);
            self.waiting.push(next);
            if self.waiting_rows == LOT {
                self.encode()?;
            }
        }
        Ok(())
    }

    fn held(&self) -> usize {
        let described = self.file.flushed_row_groups().len() * self.schema.fields().len() * DESCRIBED;
        let encoded: usize = self.columns.iter().map(ArrowColumnWriter::memory_size).sum();
        encoded + self.waiting_bytes + described + self.file.inner().held()
    }

    fn flush(&mut self) -> Result<(), Fault> {
        self.encode()?;
        self.end_row_group()
    }

    fn park(&mut self) -> Result<(), Fault> {
        self.flush()?;
        Ok(self.file.inner_mut().park()?)
    }

    fn finish(mut self: Box<Self>) -> Result<Out, Fault> {
        self.flush()?;
        Ok(self.file.into_inner()?)
    }
}
