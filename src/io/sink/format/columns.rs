//! A Parquet file: its columns, each with a writer of its own, several of them at a time where it takes all rows alone.

use std::num::NonZero;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{FieldRef, SchemaRef};
use parking_lot::Mutex;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnDescPtr;

use super::flat::{self, Packer};
use super::parquet::DESCRIBED;
use super::{Encoder, Fault};
use crate::io::sink::bytes_of;
use crate::io::sink::out::Out;
use crate::io::sink::pack::Codec;
use crate::io::sink::part::ROW_GROUP;

/// Rows that are encoded together: enough to be worth the threads.
const LOT: usize = 128 << 10;

pub struct Columns {
    file: SerializedFileWriter<Out>,
    factory: ArrowRowGroupWriterFactory,
    schema: SchemaRef,
    /// For each column its first leaf and how many it has.
    leaves: Vec<(usize, usize)>,
    /// Whether the values of each column repeat.
    repeats: Vec<bool>,
    /// One for each thread.
    packers: Vec<Option<Packer>>,
    /// Of the row group that is being written, and its rows.
    columns: Vec<Writer>,
    rows: usize,
    /// Rows that are not encoded yet.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
}

/// What a column of a row group is written by.
enum Writer {
    Own(Box<dyn flat::Column>),
    /// A nested column has several leaves.
    Theirs(Vec<ArrowColumnWriter>),
}

impl Writer {
    fn write(
        &mut self,
        field: &FieldRef,
        array: &ArrayRef,
        packer: Option<&mut Packer>,
    ) -> Result<(), Fault> {
        match (self, packer) {
            (Self::Own(column), Some(packer)) => column.write(array, packer),
            (Self::Own(_), None) => Err("a column has no compression".into()),
            (Self::Theirs(writers), _) => {
                let stored = match array.data_type() == field.data_type() {
                    true => array.clone(),
                    false => cast(array, field.data_type())?,
                };
                for (leaf, writer) in compute_leaves(field, &stored)?.iter().zip(writers) {
                    writer.write(leaf)?;
                }
                Ok(())
            }
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::Own(column) => column.held(),
            Self::Theirs(writers) => writers.iter().map(ArrowColumnWriter::memory_size).sum(),
        }
    }
}

impl Columns {
    pub fn new(
        writer: ArrowWriter<Out>,
        schema: SchemaRef,
        repeats: Vec<bool>,
        codec: Codec,
        threads: NonZero<usize>,
    ) -> Result<Self, Fault> {
        let (file, factory) = writer.into_serialized_writer()?;
        let mut leaves = vec![(0, 0); schema.fields().len()];
        let description = file.schema_descr();
        for leaf in 0..description.num_columns() {
            let (first, count) = &mut leaves[description.get_column_root_idx(leaf)];
            if *count == 0 {
                *first = leaf;
            }
            *count += 1;
        }
        let threads = threads.get().min(schema.fields().len()).max(1);
        let packers = (0..threads).map(|_| Packer::new(codec)).collect::<Result<_, _>>()?;
        Ok(Self {
            file,
            factory,
            schema,
            leaves,
            repeats,
            packers,
            columns: Vec::new(),
            rows: 0,
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
        })
    }

    /// The writers of a row group.
    fn begin(&self) -> Result<Vec<Writer>, Fault> {
        let properties = self.file.properties();
        let own = |place: usize, field: &FieldRef| {
            self.packers.first()?.as_ref()?;
            let descriptor: ColumnDescPtr = self.file.schema_descr().column(self.leaves[place].0);
            flat::column(field.data_type(), descriptor, properties.clone(), self.repeats[place])
        };
        let own: Vec<_> =
            self.schema.fields().iter().enumerate().map(|(place, field)| own(place, field)).collect();
        let mut theirs = if own.iter().all(Option::is_some) {
            Vec::new()
        } else {
            self.factory.create_column_writers(self.file.flushed_row_groups().len())?
        }
        .into_iter();
        let mut writers = Vec::with_capacity(own.len());
        for (own, (_, leaves)) in own.into_iter().zip(&self.leaves) {
            // As many are passed where the column is written here.
            let passed: Vec<_> = theirs.by_ref().take(*leaves).collect();
            writers.push(own.map_or(Writer::Theirs(passed), Writer::Own));
        }
        Ok(writers)
    }

    /// Encodes the rows that wait, each thread the next column that nobody has taken.
    fn encode(&mut self) -> Result<(), Fault> {
        let batches = std::mem::take(&mut self.waiting);
        if batches.is_empty() {
            return Ok(());
        }
        if self.columns.is_empty() {
            self.columns = self.begin()?;
        }
        // Taken from the end, in the order of the columns.
        let tasks: Vec<_> = self.schema.fields().iter().zip(&mut self.columns).enumerate().rev().collect();
        let tasks = Mutex::new(tasks);
        let work = &|packer: &mut Option<Packer>| -> Result<(), Fault> {
            loop {
                let Some((place, (field, writer))) = tasks.lock().pop() else { return Ok(()) };
                for batch in &batches {
                    writer.write(field, batch.column(place), packer.as_mut())?;
                }
            }
        };
        let mut packers = self.packers.iter_mut();
        let first = packers.next();
        let done = std::thread::scope(|scope| {
            let others: Vec<_> = packers.map(|packer| scope.spawn(move || work(packer))).collect();
            let mut done = first.map_or(Ok(()), work);
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
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for column in self.columns.drain(..) {
            match (column, self.packers.first_mut()) {
                (Writer::Own(column), Some(Some(packer))) => column.close(packer)?.append(&mut group)?,
                (Writer::Own(_), _) => return Err("a column has no compression".into()),
                (Writer::Theirs(writers), _) => {
                    for writer in writers {
                        writer.close()?.append_to_row_group(&mut group)?;
                    }
                }
            }
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Encoder for Columns {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Fault> {
        // Alone, a thread gains nothing from rows that wait.
        let lot = if self.packers.len() > 1 { LOT } else { 1 };
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let most =
                (lot.max(rest.num_rows()) - self.waiting_rows).min(ROW_GROUP - self.rows - self.waiting_rows);
            let next = rest.slice(0, rest.num_rows().min(most));
            rest = rest.slice(next.num_rows(), rest.num_rows() - next.num_rows());
            self.waiting_rows += next.num_rows();
            self.waiting_bytes += bytes_of(&next);
            self.waiting.push(next);
            if self.waiting_rows >= lot || self.rows + self.waiting_rows >= ROW_GROUP {
                self.encode()?;
            }
        }
        Ok(())
    }

    fn held(&self) -> usize {
        let encoded: usize = self.columns.iter().map(Writer::held).sum();
        encoded + self.waiting_bytes + self.kept() + self.file.inner().held()
    }

    /// What is said of the row groups that are written.
    fn kept(&self) -> usize {
        self.file.flushed_row_groups().len() * self.schema.fields().len() * DESCRIBED
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
