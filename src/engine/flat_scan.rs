//! Which columns of a morsel are decoded page by page, and which are left to `parquet`'s reader.

use std::sync::Arc;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};

use super::flat::{FlatMorsel, Slot};
use super::predicate::order;
use super::scan::{Morsel, Scan};
use crate::error::Result;
use crate::io::ranged::Ranged;
use crate::io::source::ParquetSource;
use crate::io::source::pages::{Column, takes};
use crate::io::source::parquet::guarded;

impl Scan {
    /// A morsel's columns one by one; none where no column of it is decoded that way.
    pub(super) fn flat(
        &self,
        source: &Arc<ParquetSource>,
        morsel: &Morsel,
        bytes: &Ranged,
    ) -> Result<Option<FlatMorsel>> {
        let file = &source.files[morsel.file];
        let group = file.footer.row_group(morsel.row_group);
        let shared = Arc::new(bytes.clone());
        let mut others = Vec::new();
        let mut slots = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let arrow = &source.columns[*column].arrow;
            let leaf = file
                .leaf(*column)
                .filter(|leaf| file.has(&source.columns, *column) && takes(group.column(*leaf), arrow));
            slots.push(match leaf {
                Some(leaf) => {
                    let column =
                        guarded(&file.file.name, || Column::new(shared.clone(), group.column(leaf), arrow))?;
                    Slot::Flat { column: Box::new(column), behind: morsel.offset }
                }
                None if file.found(*column).is_some() => {
                    others.push(*column);
                    Slot::Other(others.len() - 1)
                }
                None => Slot::Made,
            });
        }
        if !slots.iter().any(|slot| matches!(slot, Slot::Flat { .. })) {
            return Ok(None);
        }
        let coded = self.columns.iter().zip(&slots).map(|(column, slot)| {
            matches!(slot, Slot::Flat { .. })
                && self.dictionaries.contains(column)
                && file.is_dictionary(morsel.row_group, *column)
        });
        let coded = coded.collect();
        let wanted = self.columns.iter().map(|column| !self.only_asked.contains(column)).collect();
        let reader = self.others(source, morsel, bytes, &others)?;
        // Their places among what the reader delivers.
        let places = order(file, &others);
        for slot in &mut slots {
            if let Slot::Other(number) = slot {
                *number = places.get(*number).copied().flatten().unwrap_or(*number);
            }
        }
        let (columns, of) = (self.columns.clone(), (source.clone(), morsel.file));
        Ok(Some(FlatMorsel::new(of, columns, slots, (coded, wanted), reader, self.stages.clone())))
    }

    /// A reader of these columns of a morsel, if there are any.
    fn others(
        &self,
        source: &ParquetSource,
        morsel: &Morsel,
        bytes: &Ranged,
        columns: &[usize],
    ) -> Result<Option<Box<ParquetRecordBatchReader>>> {
        if columns.is_empty() {
            return Ok(None);
        }
        let file = &source.files[morsel.file];
        let metadata = file.reader(&source.columns, &[])?;
        let mask = ProjectionMask::leaves(metadata.parquet_schema(), file.leaves(columns));
        let mut builder =
            ParquetRecordBatchReaderBuilder::<Ranged>::new_with_metadata(bytes.clone(), metadata)
                .with_row_groups(vec![morsel.row_group])
                .with_projection(mask)
                .with_batch_size(self.chunk_rows);
        if let Some(selection) = part(file.footer.row_group(morsel.row_group).num_rows(), morsel) {
            builder = builder.with_row_selection(selection);
        }
        Ok(Some(Box::new(guarded(&file.file.name, || builder.build())?)))
    }
}

/// The rows of a morsel among those of its row group, where they are not all.
pub fn part(rows: i64, morsel: &Morsel) -> Option<RowSelection> {
    if morsel.rows >= rows.max(0) as usize {
        return None;
    }
    let mut selectors = Vec::with_capacity(2);
    if morsel.offset > 0 {
        selectors.push(RowSelector::skip(morsel.offset));
    }
    selectors.push(RowSelector::select(morsel.rows));
    Some(RowSelection::from(selectors))
}
