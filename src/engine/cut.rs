//! Where a source is cut: runs of rows that threads share.

use std::ops::Range;

use crate::io::location::Place;
use crate::io::source::Source;

/// Row groups are cut into pieces no smaller than this where there are too few for all threads.
const SMALLEST_PIECE: usize = 32 * 1024;

/// A run of rows of one row group, or of one batch in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Morsel {
    /// The file, or the batch.
    pub file: usize,
    pub row_group: usize,
    /// First row within the row group or batch.
    pub offset: usize,
    pub rows: usize,
    /// Number of the first row in the whole source.
    pub first_row: u64,
}

/// Cuts what is left of a source into morsels, enough for `threads` to share.
pub fn morsels(source: &Source, keep: impl Fn(usize, usize) -> bool, threads: usize) -> Vec<Morsel> {
    morsels_of_rows(source, keep, |_, _| None, threads)
}

/// The same where of some row groups only these runs of rows are left.
pub fn morsels_of_rows<'a>(
    source: &Source,
    keep: impl Fn(usize, usize) -> bool,
    runs: impl Fn(usize, usize) -> Option<&'a [Range<usize>]>,
    threads: usize,
) -> Vec<Morsel> {
    let mut whole = Vec::new();
    let mut splittable = true;
    match source {
        Source::Parquet(parquet) => {
            for (file, parquet_file) in parquet.files.iter().enumerate() {
                splittable &= matches!(parquet_file.file.place, Place::Local(_));
                let mut first_row = parquet_file.first_row;
                for (row_group, group) in parquet_file.footer.row_groups().iter().enumerate() {
                    let rows = group.num_rows().max(0) as usize;
                    let all = 0..rows;
                    let left = if keep(file, row_group) {
                        runs(file, row_group).unwrap_or(std::slice::from_ref(&all))
                    } else {
                        &[]
                    };
                    whole.extend(left.iter().filter(|run| !run.is_empty()).map(|run| Morsel {
                        file,
                        row_group,
                        offset: run.start,
                        rows: run.len(),
                        first_row: first_row + run.start as u64,
                    }));
                    first_row += rows as u64;
                }
            }
        }
        Source::Files(files) => {
            // Their parts are small, or cannot be read but from their start.
            splittable = false;
            for (file, opened) in files.files.iter().enumerate() {
                let mut first_row = opened.first_row;
                for (row_group, rows) in opened.parts().iter().copied().enumerate() {
                    if rows > 0 && keep(file, row_group) {
                        whole.push(Morsel { file, row_group, offset: 0, rows, first_row });
                    }
                    first_row += rows as u64;
                }
            }
        }
        Source::Memory(memory) => {
            let mut first_row = 0;
            for (file, batch) in memory.batches.iter().enumerate() {
                let rows = batch.num_rows();
                whole.push(Morsel { file, row_group: 0, offset: 0, rows, first_row });
                first_row += rows as u64;
            }
        }
    }
    let total: usize = whole.iter().map(|morsel| morsel.rows).sum();
    if !splittable || threads < 2 {
        return whole;
    }
    let piece = (total / (threads * 4)).max(SMALLEST_PIECE);
    let mut pieces = Vec::with_capacity(whole.len());
    for morsel in whole {
        // A piece costs a skip to its start: worth it only for few, large morsels.
        let cuts = if morsel.rows >= 2 * piece { morsel.rows.div_ceil(piece) } else { 1 };
        let size = morsel.rows.div_ceil(cuts);
        let mut done = 0;
        while done < morsel.rows {
            let (offset, rows) = (morsel.offset + done, size.min(morsel.rows - done));
            pieces.push(Morsel { offset, rows, first_row: morsel.first_row + done as u64, ..morsel });
            done += rows;
        }
    }
    pieces
}
