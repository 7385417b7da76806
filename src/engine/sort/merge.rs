//! Merging of rows that are in order, in memory and on disk: which row comes next, told a block at a time.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::row::Rows;

use super::buffer::Sorted;
use super::order::{Encoder, prefix};
use super::pieces::Piece;
use crate::engine::control::Control;
use crate::engine::owned_exec::compacted;
use crate::engine::spill_file::Reading;
use crate::error::{Error, Result};

/// Rows in order.
pub enum Run {
    Memory(Arc<Sorted>),
    Disk(Piece),
}

/// Rows of some batches that are to be one batch.
pub struct Picked {
    /// Batches that stay, and after them those of the moment.
    staying: Arc<[RecordBatch]>,
    passing: Vec<RecordBatch>,
    rows: Vec<(usize, usize)>,
}

impl Picked {
    pub fn batch(&self) -> Result<RecordBatch> {
        let batches: Vec<&RecordBatch> = self.staying.iter().chain(&self.passing).collect();
        compacted(&interleave_record_batch(&batches, &self.rows)?)
    }
}

/// A run, and the row of it that is next.
struct Cursor {
    prefix: u64,
    place: usize,
    from: From,
}

enum From {
    /// The number of its first batch.
    Memory(Arc<Sorted>, usize),
    Disk {
        reading: Box<Reading>,
        keys: Rows,
        block: usize,
    },
}

impl Cursor {
    fn key(&self) -> &[u8] {
        match &self.from {
            From::Memory(sorted, _) => sorted.key(self.place),
            From::Disk { keys, .. } => keys.row(self.place).data(),
        }
    }

    fn row(&self) -> (usize, usize) {
        match &self.from {
            From::Memory(sorted, first) => {
                let (batch, row) = sorted.row(self.place);
                (first + batch, row)
            }
            From::Disk { block, .. } => (*block, self.place),
        }
    }

    fn is_before(&self, other: &Self) -> bool {
        self.prefix < other.prefix || self.prefix == other.prefix && self.key() < other.key()
    }
}

/// Several runs as one.
pub struct Merge<'a> {
    /// A heap: none is before the one at half of its place.
    cursors: Vec<Cursor>,
    encoder: &'a Encoder<'a>,
    staying: Arc<[RecordBatch]>,
    passing: Vec<RecordBatch>,
    rows: Vec<(usize, usize)>,
    most: usize,
}

impl<'a> Merge<'a> {
    /// `most` are the rows of a batch.
    pub fn new(runs: Vec<Run>, encoder: &'a Encoder<'a>, most: usize) -> Result<Self> {
        let (mut staying, mut cursors, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
        for run in runs {
            match run {
                Run::Memory(sorted) if sorted.len() == 0 => {}
                Run::Memory(sorted) => {
                    let first = staying.len();
                    staying.extend(sorted.batches.iter().cloned());
                    let prefix = sorted.prefix(0);
                    cursors.push(Cursor { prefix, place: 0, from: From::Memory(sorted, first) });
                }
                Run::Disk(piece) => pieces.push(piece),
            }
        }
        let mut passing = Vec::new();
        for piece in pieces {
            let mut reading = Box::new(piece.read()?);
            let Some(batch) = next_block(&mut reading)? else { continue };
            let keys = encoder.encode(&batch)?;
            let prefix = prefix(keys.row(0).data(), 0);
            let block = staying.len() + passing.len();
            passing.push(batch);
            cursors.push(Cursor { prefix, place: 0, from: From::Disk { reading, keys, block } });
        }
        let rows = Vec::with_capacity(most);
        let mut merge = Self { cursors, encoder, staying: staying.into(), passing, rows, most };
        for place in (0..merge.cursors.len() / 2).rev() {
            merge.sift(place);
        }
        Ok(merge)
    }

    /// Puts the cursor at a place where it belongs below it.
    fn sift(&mut self, mut place: usize) {
        loop {
            let mut least = place;
            for child in [2 * place + 1, 2 * place + 2] {
                if child < self.cursors.len() && self.cursors[child].is_before(&self.cursors[least]) {
                    least = child;
                }
            }
            if least == place {
                return;
            }
            self.cursors.swap(place, least);
            place = least;
        }
    }

    /// The next rows; none at the end.
    pub fn next(&mut self, control: &Control) -> Result<Option<Picked>> {
        control.check()?;
        while self.rows.len() < self.most {
            let Some(cursor) = self.cursors.first_mut() else { break };
            self.rows.push(cursor.row());
            cursor.place += 1;
            let more = match &mut cursor.from {
                From::Memory(sorted, _) => cursor.place < sorted.len(),
                From::Disk { keys, .. } if cursor.place < keys.num_rows() => true,
                From::Disk { reading, keys, block } => match next_block(reading)? {
                    None => false,
                    Some(batch) => {
                        *keys = self.encoder.encode(&batch)?;
                        *block = self.staying.len() + self.passing.len();
                        cursor.place = 0;
                        self.passing.push(batch);
                        true
                    }
                },
            };
            if more {
                cursor.prefix = match &cursor.from {
                    From::Memory(sorted, _) => sorted.prefix(cursor.place),
                    From::Disk { keys, .. } => prefix(keys.row(cursor.place).data(), 0),
                };
            } else {
                self.cursors.swap_remove(0);
            }
            self.sift(0);
        }
        if self.rows.is_empty() {
            return Ok(None);
        }
        let rows = std::mem::replace(&mut self.rows, Vec::with_capacity(self.most));
        let mut kept = Vec::new();
        for cursor in &mut self.cursors {
            if let From::Disk { block, .. } = &mut cursor.from {
                let place = *block - self.staying.len();
                *block = self.staying.len() + kept.len();
                let batch = self.passing.get(place).ok_or_else(|| Error::internal("a block went missing"))?;
                kept.push(batch.clone());
            }
        }
        let passing = std::mem::replace(&mut self.passing, kept);
        Ok(Some(Picked { staying: self.staying.clone(), passing, rows }))
    }
}

/// The next block that has rows.
fn next_block(reading: &mut Reading) -> Result<Option<RecordBatch>> {
    for block in reading {
        let block = block?;
        if block.num_rows() > 0 {
            return Ok(Some(block));
        }
    }
    Ok(None)
}
