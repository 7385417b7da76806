//! What a scan holds while it decodes: about how many bytes, so that chunks are no larger and no more of them are in work
//! than the memory limit allows.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};

use super::scan::Scan;
use crate::io::location::Place;
use crate::io::source::parquet::ParquetFile;
use crate::io::source::{ParquetSource, Source};

/// Chunks of a partition that there are at one time: in work, waiting, and with who consumes them.
pub const CHUNKS: usize = 4;

/// Of so many parts of the memory limit, chunks of all threads may take one, and so may what decoders hold beside.
const CHUNKS_SHARE: usize = 8;
const DECODERS_SHARE: usize = 4;

/// Of so many parts of the limit one is counted for scans at most: it is left to those that do not spill.
const COUNTED_SHARE: usize = 8;

/// Bytes of a chunk below which none is cut.
const SMALL: usize = 128 << 10;

/// Bytes of a page as most writers make them, and of a value of which nothing is known.
const PAGE: usize = 1 << 20;
const LONG: usize = 48;

/// Row groups that are looked at.
const LOOKED_AT: usize = 16;

/// About how many bytes a row has when it is decoded, and what a decoder holds besides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    pub row: usize,
    pub decoder: usize,
}

impl Cost {
    pub fn of(source: &Source, columns: &[usize]) -> Self {
        match source {
            Source::Parquet(source) => parquet(source, columns),
            Source::Files(source) => {
                let rows = usize::try_from(source.rows()).unwrap_or(usize::MAX).max(1);
                let bytes: u64 = source.stamps.iter().map(|(size, _)| size).sum();
                let known = columns.iter().map(|column| width(&source.columns[*column].arrow, LONG)).sum();
                let of_file = usize::try_from(bytes).unwrap_or(usize::MAX) / rows;
                let share = of_file * columns.len() / source.columns.len().max(1);
                Self { row: share.max(known), decoder: PAGE }
            }
            // Its rows are there already.
            Source::Memory(_) => Self::default(),
        }
    }

    /// Rows of a chunk, of at most so many.
    pub fn chunk_rows(self, most: usize, limit: usize, threads: usize) -> usize {
        if limit == 0 || self.row == 0 {
            return most;
        }
        let bytes = (limit / (CHUNKS_SHARE * CHUNKS * threads.max(1))).max(SMALL);
        (bytes / self.row).clamp(1, most.max(1))
    }

    /// How many of some threads may decode at the same time.
    pub fn threads(self, threads: usize, limit: usize) -> usize {
        if limit == 0 || self.decoder == 0 {
            return threads;
        }
        (limit / DECODERS_SHARE / self.decoder).clamp(1, threads.max(1))
    }

    /// What is counted for one of some decoders.
    pub fn counted(self, chunk_rows: usize, limit: usize, threads: usize) -> usize {
        let held = self.decoder + self.row.saturating_mul(chunk_rows).saturating_mul(CHUNKS);
        if limit == 0 { held } else { held.min(limit / COUNTED_SHARE / threads.max(1)) }
    }
}

impl Scan {
    /// How many of some threads may decode at the same time, within the memory limit.
    pub fn threads(&self, threads: usize) -> usize {
        self.cost.threads(threads, self.limit())
    }

    /// What is counted for each of so many decoders, as long as it is at work.
    pub fn counted(&self, threads: usize, pool: &Arc<dyn MemoryPool>) -> MemoryReservation {
        let held = MemoryConsumer::new("scan").register(pool);
        held.grow(self.cost.counted(self.chunk_rows, self.limit(), threads));
        held
    }

    fn limit(&self) -> usize {
        usize::try_from(self.control.memory.limit()).unwrap_or(usize::MAX)
    }
}

/// Bytes of a value of a type, where it has some; else about so many.
fn width(data_type: &DataType, other: usize) -> usize {
    match data_type {
        DataType::Boolean | DataType::Null => 1,
        DataType::Dictionary(key, _) => key.primitive_width().unwrap_or(4),
        other_type => other_type.primitive_width().unwrap_or(other),
    }
}

fn parquet(source: &ParquetSource, columns: &[usize]) -> Cost {
    let mut most = Cost::default();
    let mut left = LOOKED_AT;
    for file in source.files.iter().filter(|file| file.rows > 0) {
        if left == 0 {
            break;
        }
        let leaves = leaves(file, columns);
        for group in (0..file.footer.num_row_groups()).take(left) {
            let found = of_group(source, file, group, &leaves);
            most = Cost { row: most.row.max(found.row), decoder: most.decoder.max(found.decoder) };
            left -= 1;
        }
    }
    most
}

/// The leaves of these columns in a file, column by column.
fn leaves(file: &ParquetFile, columns: &[usize]) -> Vec<(usize, Vec<usize>)> {
    let schema = file.footer.file_metadata().schema_descr();
    let mut of_root: HashMap<usize, Vec<usize>> = HashMap::new();
    for leaf in 0..schema.num_columns() {
        of_root.entry(schema.get_column_root_idx(leaf)).or_default().push(leaf);
    }
    let found = |column: &usize| Some((*column, of_root.get(&file.origins[*column].place()?)?.clone()));
    columns.iter().filter_map(found).collect()
}

fn of_group(
    source: &ParquetSource,
    file: &ParquetFile,
    group: usize,
    columns: &[(usize, Vec<usize>)],
) -> Cost {
    let group = file.footer.row_group(group);
    let rows = group.num_rows().max(1) as usize;
    let remote = matches!(file.file.place, Place::Remote(..));
    let mut cost = Cost::default();
    for (column, leaves) in columns {
        let mut bytes = 0;
        for leaf in leaves {
            let chunk = group.column(*leaf);
            let size = |bytes: i64| usize::try_from(bytes).unwrap_or(0);
            let (packed, unpacked) = (size(chunk.compressed_size()), size(chunk.uncompressed_size()));
            bytes += unpacked;
            // A page, and what it is made of; a dictionary is one more.
            let pages = if chunk.dictionary_page_offset().is_some() { 2 } else { 1 };
            // What comes from a store is fetched as a whole.
            let packed = if remote { packed } else { packed.min(PAGE) };
            cost.decoder += unpacked.min(pages * PAGE) + packed;
        }
        let (each, arrow) = (bytes / rows, &source.columns[*column].arrow);
        cost.row += match arrow {
            // Offsets of lists, and whether there is a value, are decoded to more than they take.
            nested if nested.is_nested() => 2 * each + 8,
            // A view, and the text that it shows.
            DataType::Utf8View | DataType::BinaryView => 16 + each,
            fixed => width(fixed, LONG.max(each)),
        };
    }
    cost
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever rows cost, chunks of all threads and decoders stay within their shares, where they can.
        #[test]
        fn shares_are_kept(
            row in 1_usize..1 << 20,
            decoder in 1_usize..1 << 30,
            limit in (8_usize << 20)..(4 << 30),
            threads in 1_usize..64,
            most in 1_usize..1 << 17,
        ) {
            let cost = Cost { row, decoder };
            let rows = cost.chunk_rows(most, limit, threads);
            prop_assert!(rows >= 1 && rows <= most);
            let chunks = rows * row * CHUNKS * threads;
            prop_assert!(rows == 1 || chunks <= (limit / CHUNKS_SHARE).max(SMALL * CHUNKS * threads));
            let at_once = cost.threads(threads, limit);
            prop_assert!(at_once >= 1 && at_once <= threads);
            prop_assert!(at_once == 1 || at_once * decoder <= limit / DECODERS_SHARE);
            prop_assert!(cost.counted(rows, limit, threads) * threads <= limit / COUNTED_SHARE);
        }
    }

    #[test]
    fn what_is_not_known_bounds_nothing() {
        assert_eq!(Cost::default().chunk_rows(100, 1, 4), 100);
        assert_eq!(Cost { row: 1 << 30, decoder: 1 }.chunk_rows(100, 0, 4), 100);
        assert_eq!(Cost { row: 1, decoder: 1 << 40 }.threads(4, 0), 4);
    }
}
