//! Pairs of rows, and the batches that are gathered for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{
    Array, ArrayRef, Int8Array, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::take;
use arrow::datatypes::SchemaRef;

use super::table::{JoinTable, NONE};
use crate::error::Result;

/// A batch has about this many rows at most, however many partners a row has.
const LARGEST: usize = 64 * 1024;

/// Which rows of the streaming side come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// Once with every partner.
    Matched,
    /// The same, and once without any where there is none.
    All,
    /// Once if there is a partner.
    WithPartner,
    /// Once if there is none.
    WithoutPartner,
}

/// Where an output column comes from.
#[derive(Debug, Clone, Copy)]
pub enum Origin {
    /// A column of the side that streams.
    Probe(usize),
    /// A column of the side that was collected.
    Build(usize),
    /// Which sides the row has: these numbers for the streaming one alone and the collected one alone, 3 for both.
    Which(i8, i8),
}

/// How far the rows of a batch have come.
#[derive(Default)]
pub struct Cursor {
    row: usize,
    /// The partner that is next, where the row has begun.
    partner: Option<u32>,
}

/// Rows of the streaming side, each with a row of the collected one or [`NONE`].
#[derive(Default)]
pub struct Pairs {
    pub probe: Vec<u32>,
    pub build: Vec<u32>,
    /// Every row of the batch once, in order: its columns are those of the output.
    pub whole: bool,
}

impl Pairs {
    /// The next pairs of a batch; false where there are no more.
    pub fn fill(&mut self, table: &JoinTable, heads: &[u32], keeps: Keeps, cursor: &mut Cursor) -> bool {
        self.probe.clear();
        self.build.clear();
        self.whole = false;
        if cursor.row >= heads.len() {
            return false;
        }
        match keeps {
            Keeps::WithPartner | Keeps::WithoutPartner => {
                let wanted = keeps == Keeps::WithPartner;
                let rows = (0..heads.len() as u32).filter(|row| (heads[*row as usize] != NONE) == wanted);
                self.probe.extend(rows);
                self.build.resize(self.probe.len(), NONE);
                cursor.row = heads.len();
            }
            Keeps::Matched | Keeps::All if table.is_unique() => {
                let every = keeps == Keeps::All || heads.iter().all(|head| *head != NONE);
                if every {
                    self.build.extend_from_slice(heads);
                    self.whole = true;
                } else {
                    let rows = (0..heads.len() as u32).filter(|row| heads[*row as usize] != NONE);
                    self.probe.extend(rows);
                    self.build.extend(self.probe.iter().map(|row| heads[*row as usize]));
                }
                cursor.row = heads.len();
            }
            Keeps::Matched | Keeps::All => self.expand(table, heads, keeps == Keeps::All, cursor),
        }
        true
    }

    fn expand(&mut self, table: &JoinTable, heads: &[u32], all: bool, cursor: &mut Cursor) {
        while cursor.row < heads.len() && self.build.len() < LARGEST {
            let row = cursor.row as u32;
            let mut partner = cursor.partner.take().unwrap_or(heads[cursor.row]);
            if partner == NONE {
                if all {
                    self.probe.push(row);
                    self.build.push(NONE);
                }
                cursor.row += 1;
                continue;
            }
            while partner != NONE {
                if self.build.len() >= LARGEST {
                    cursor.partner = Some(partner);
                    return;
                }
                self.probe.push(row);
                self.build.push(table.row(partner));
                partner = table.after(partner);
            }
            cursor.row += 1;
        }
    }

    /// Takes note of the collected rows that have a partner.
    pub fn mark(&self, matched: &[AtomicBool]) {
        for row in self.build.iter().filter(|row| **row != NONE) {
            matched[*row as usize].store(true, Ordering::Relaxed);
        }
    }

    /// The output of these pairs.
    pub fn gather(
        &self,
        probe: &RecordBatch,
        build: &RecordBatch,
        columns: &[Origin],
        schema: &SchemaRef,
    ) -> Result<RecordBatch> {
        let rows = self.build.len();
        let left = (!self.whole).then(|| UInt32Array::from(self.probe.clone()));
        let right = columns.iter().any(|from| matches!(from, Origin::Build(_))).then(|| numbers(&self.build));
        let arrays = columns.iter().map(|from| -> Result<ArrayRef> {
            Ok(match from {
                Origin::Probe(place) => match &left {
                    None => probe.column(*place).clone(),
                    Some(left) => take(probe.column(*place), left, None)?,
                },
                Origin::Build(place) => match &right {
                    Some(right) if build.num_rows() > 0 => take(build.column(*place), right, None)?,
                    _ => new_null_array(build.column(*place).data_type(), rows),
                },
                Origin::Which(alone, _) => {
                    let which = self.build.iter().map(|row| if *row == NONE { *alone } else { 3 });
                    Arc::new(Int8Array::from_iter_values(which))
                }
            })
        });
        batch(arrays.collect::<Result<_>>()?, rows, schema)
    }
}

/// Row numbers, missing where there is no row.
pub fn numbers(rows: &[u32]) -> UInt32Array {
    if !rows.contains(&NONE) {
        return UInt32Array::from(rows.to_vec());
    }
    let there: BooleanBuffer = rows.iter().map(|row| *row != NONE).collect();
    let rows: Vec<u32> = rows.iter().map(|row| if *row == NONE { 0 } else { *row }).collect();
    UInt32Array::new(rows.into(), Some(NullBuffer::new(there)))
}

fn batch(arrays: Vec<ArrayRef>, rows: usize, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?)
}

/// Batches of the collected rows that had no partner, in their order.
pub fn unmatched(
    build: &RecordBatch,
    matched: &[AtomicBool],
    columns: &[Origin],
    schema: &SchemaRef,
    types: impl Fn(usize) -> arrow::datatypes::DataType,
) -> Result<Vec<RecordBatch>> {
    let alone = matched.iter().enumerate().filter(|(_, matched)| !matched.load(Ordering::Relaxed));
    let rows: Vec<u32> = alone.map(|(row, _)| row as u32).collect();
    rows.chunks(LARGEST)
        .map(|rows| {
            let numbers = UInt32Array::from(rows.to_vec());
            let arrays = columns.iter().map(|from| -> Result<ArrayRef> {
                Ok(match from {
                    Origin::Probe(place) => new_null_array(&types(*place), rows.len()),
                    Origin::Build(place) => take(build.column(*place), &numbers, None)?,
                    Origin::Which(_, alone) => Arc::new(Int8Array::from(vec![*alone; rows.len()])),
                })
            });
            batch(arrays.collect::<Result<_>>()?, rows.len(), schema)
        })
        .collect()
}

/// About how many bytes a batch holds, of shared buffers only its own part.
pub fn held(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(held_by).sum()
}

fn held_by(column: &ArrayRef) -> usize {
    use arrow::array::AsArray;
    use arrow::datatypes::DataType;
    let long = |views: &[u128]| -> usize {
        views.iter().map(|view| *view as u32 as usize).filter(|length| *length > 12).sum()
    };
    let rows = column.len();
    match column.data_type() {
        DataType::Utf8View => rows * size_of::<u128>() + long(column.as_string_view().views()),
        DataType::BinaryView => rows * size_of::<u128>() + long(column.as_binary_view().views()),
        _ => column.to_data().get_slice_memory_size().unwrap_or_else(|_| column.get_array_memory_size()),
    }
}
