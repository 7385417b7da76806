//! Merging of rows that are in order, in memory and on disk: which row comes next, told a block at a time.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::row::Rows;

use super::buffer::{Prefixes, Sorted};
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
    place: usize,
    from: From,
}

enum From {
    /// The number of its first batch.
    Memory(Arc<Sorted>, Prefixes, usize),
    Disk {
        reading: Box<Reading>,
        keys: Rows,
        block: usize,
    },
    /// It has no more rows.
    Nothing,
}

impl Cursor {
    fn key(&self) -> Option<&[u8]> {
        match &self.from {
            From::Memory(sorted, ..) => Some(sorted.key(self.place)),
            From::Disk { keys, .. } => Some(keys.row(self.place).data()),
            From::Nothing => None,
        }
    }

    fn row(&self) -> Option<(usize, usize)> {
        match &self.from {
            From::Memory(sorted, _, first) => {
                let (batch, row) = sorted.row(self.place);
                Some((first + batch, row))
            }
            From::Disk { block, .. } => Some((*block, self.place)),
            From::Nothing => None,
        }
    }
}

/// Several runs as one.
pub struct Merge<'a> {
    cursors: Vec<Cursor>,
    /// Some bytes of each cursor's key, the first in which any two keys differ.
    prefixes: Vec<u64>,
    /// How many bytes of all keys come before these.
    common: usize,
    /// A tournament: at 0 the cursor that is first, behind it who lost where two of them met.
    losers: Vec<u32>,
    encoder: &'a Encoder<'a>,
    staying: Arc<[RecordBatch]>,
    passing: Vec<RecordBatch>,
    rows: Vec<(usize, usize)>,
    most: usize,
}

impl<'a> Merge<'a> {
    /// `most` are the rows of a batch.
    pub fn new(mut runs: Vec<Run>, encoder: &'a Encoder<'a>, most: usize) -> Result<Self> {
        runs.retain(|run| !matches!(run, Run::Memory(sorted) if sorted.len() == 0));
        let common = common(&runs, encoder)?;
        let (mut staying, mut cursors, mut prefixes, mut pieces) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for run in runs {
            match run {
                Run::Memory(sorted) => {
                    let (first, bytes) = (staying.len(), sorted.prefixes(common));
                    staying.extend(sorted.batches.iter().cloned());
                    prefixes.push(sorted.prefix(bytes, 0));
                    cursors.push(Cursor { place: 0, from: From::Memory(sorted, bytes, first) });
                }
                Run::Disk(piece) => pieces.push(piece),
            }
        }
        let mut passing = Vec::new();
        for piece in pieces {
            let mut reading = Box::new(piece.read()?);
            let Some(batch) = next_block(&mut reading)? else { continue };
            let keys = encoder.encode(&batch)?;
            prefixes.push(prefix(keys.row(0).data(), common));
            let block = staying.len() + passing.len();
            passing.push(batch);
            cursors.push(Cursor { place: 0, from: From::Disk { reading, keys, block } });
        }
        let (rows, losers) = (Vec::with_capacity(most), vec![0; cursors.len()]);
        let staying = staying.into();
        let mut merge = Self { cursors, prefixes, common, losers, encoder, staying, passing, rows, most };
        merge.begin()?;
        Ok(merge)
    }

    /// Every cursor meets others, two at a time, until one is first.
    fn begin(&mut self) -> Result<()> {
        let count = self.cursors.len();
        if count == 0 {
            return Ok(());
        }
        let all = u32::try_from(count).map_err(|_| Error::internal("too many pieces to merge"))?;
        let mut winners = vec![0; count];
        winners.extend(0..all);
        for place in (1..count).rev() {
            let (mut winner, mut loser) = (winners[2 * place], winners[2 * place + 1]);
            if self.is_before(loser, winner) {
                (winner, loser) = (loser, winner);
            }
            (winners[place], self.losers[place]) = (winner, loser);
        }
        self.losers[0] = winners[1];
        Ok(())
    }

    #[inline(always)]
    fn is_before(&self, a: u32, b: u32) -> bool {
        let (x, y) = (self.prefixes[a as usize], self.prefixes[b as usize]);
        x < y || x == y && self.is_before_by_key(a, b)
    }

    fn is_before_by_key(&self, a: u32, b: u32) -> bool {
        match (self.cursors[a as usize].key(), self.cursors[b as usize].key()) {
            (Some(a), Some(b)) => a < b,
            (there, _) => there.is_some(),
        }
    }

    /// The first cursor has another row: it meets again those that lost to it.
    #[inline(always)]
    fn meet(&mut self) {
        let mut winner = self.losers[0];
        let mut place = (self.losers.len() + winner as usize) / 2;
        while place > 0 {
            let other = self.losers[place];
            if self.is_before(other, winner) {
                self.losers[place] = winner;
                winner = other;
            }
            place /= 2;
        }
        self.losers[0] = winner;
    }

    /// The next rows; none at the end.
    pub fn next(&mut self, control: &Control) -> Result<Option<Picked>> {
        control.check()?;
        while self.rows.len() < self.most {
            let Some(first) = self.losers.first().map(|first| *first as usize) else { break };
            let cursor = &mut self.cursors[first];
            let Some(row) = cursor.row() else { break };
            self.rows.push(row);
            cursor.place += 1;
            let more = match &mut cursor.from {
                From::Memory(sorted, ..) => cursor.place < sorted.len(),
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
                From::Nothing => false,
            };
            if !more {
                cursor.from = From::Nothing;
            }
            self.prefixes[first] = match &cursor.from {
                From::Memory(sorted, bytes, _) => sorted.prefix(*bytes, cursor.place),
                From::Disk { keys, .. } => prefix(keys.row(cursor.place).data(), self.common),
                From::Nothing => u64::MAX,
            };
            self.meet();
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

/// How many first bytes all keys of all runs have in common: those of a run lie between its first and its last one.
fn common(runs: &[Run], encoder: &Encoder<'_>) -> Result<usize> {
    let mut first: Option<Vec<u8>> = None;
    let mut common = usize::MAX;
    let mut meet = |key: &[u8]| {
        let first = first.get_or_insert_with(|| key.to_vec());
        common = first.iter().zip(key).take(common).take_while(|(a, b)| a == b).count();
    };
    for run in runs {
        match run {
            Run::Memory(sorted) => {
                meet(sorted.key(0));
                meet(sorted.key(sorted.len() - 1));
            }
            Run::Disk(piece) => {
                for end in &piece.ends {
                    meet(encoder.encode(end)?.row(0).data());
                }
            }
        }
    }
    Ok(if first.is_some() { common } else { 0 })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::compute::SortOptions;
    use datafusion::execution::disk_manager::{DiskManager, DiskManagerBuilder};
    use datafusion::physical_expr::PhysicalSortExpr;
    use datafusion::physical_expr::expressions::Column;
    use proptest::prelude::*;

    use super::*;
    use crate::engine::sort::buffer::Buffer;
    use crate::engine::sort::{Order, Writing};

    type Row = (Option<String>, i64);

    fn batch(rows: &[Row]) -> RecordBatch {
        let texts: StringArray = rows.iter().map(|(text, _)| text.clone()).collect();
        let numbers: Int64Array = rows.iter().map(|(_, number)| Some(*number)).collect();
        let columns: [ArrayRef; 2] = [Arc::new(texts), Arc::new(numbers)];
        RecordBatch::try_from_iter_with_nullable(
            ["t", "n"].into_iter().zip(columns).map(|(name, column)| (name, column, true)),
        )
        .unwrap()
    }

    fn run(rows: &[Row], encoder: &Encoder<'_>, disk: Option<&Arc<DiskManager>>) -> Run {
        let Some(disk) = disk else {
            let mut buffer = Buffer::default();
            for rows in rows.chunks(7) {
                let batch = batch(rows);
                let keys = encoder.encode(&batch).unwrap();
                buffer.push(batch, keys);
            }
            return Run::Memory(Arc::new(buffer.sort(&Control::default()).unwrap()));
        };
        let mut rows = rows.to_vec();
        rows.sort_by(|a, b| (a.0.is_none(), a).cmp(&(b.0.is_none(), b)));
        let mut writing = Writing::begin(disk);
        rows.chunks(5).for_each(|block| writing.add(&batch(block), 0).unwrap());
        Run::Disk(writing.finish().unwrap())
    }

    proptest! {
        /// Runs of any lengths, in memory and on disk, with keys that begin alike, come out as one in order.
        #[test]
        fn runs_come_out_as_one(
            runs in prop::collection::vec(
                (prop::collection::vec((prop::option::of("(the same start)?[a-c]{0,9}"), -300_i64..300), 1..40), any::<bool>()),
                0..9,
            ),
            same in any::<bool>(),
            most in 1_usize..50,
        ) {
            let (mut runs, mut expected) = (runs, Vec::new());
            let mut number = 0;
            for (rows, _) in &mut runs {
                for row in rows.iter_mut() {
                    // Keys tell all rows apart.
                    number += 1;
                    row.1 = row.1 * 1000 + number;
                    if same {
                        row.0 = Some(format!("a start of many bytes{}", row.0.clone().unwrap_or_default()));
                    }
                }
                expected.extend(rows.iter().cloned());
            }
            expected.sort_by(|a, b| (a.0.is_none(), a).cmp(&(b.0.is_none(), b)));
            let schema = batch(&[]).schema();
            let last = SortOptions { descending: false, nulls_first: false };
            let key = |name: &str, place| PhysicalSortExpr::new(Arc::new(Column::new(name, place)), last);
            let order = Order { keys: vec![key("t", 0), key("n", 1)], schema };
            let encoder = order.encoder().unwrap();
            let disk = Arc::new(DiskManagerBuilder::default().build().unwrap());
            let runs = runs.iter().map(|(rows, on_disk)| run(rows, &encoder, on_disk.then_some(&disk)));
            let mut merge = Merge::new(runs.collect(), &encoder, most).unwrap();
            let mut found = Vec::new();
            while let Some(picked) = merge.next(&Control::default()).unwrap() {
                found.push(picked.batch().unwrap());
                prop_assert!(found.last().unwrap().num_rows() <= most);
            }
            let found = arrow::compute::concat_batches(&order.schema, &found).unwrap();
            prop_assert_eq!(found, batch(&expected));
        }
    }
}
