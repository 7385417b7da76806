//! What is known of a source without reading its rows.

use serde::Serialize;

use super::Source;
use super::reconcile::Origin;

#[derive(Debug, Serialize)]
pub struct Facts {
    /// Names and types of all columns, in order.
    pub columns: Vec<(String, String)>,
    /// Those that directories name.
    pub partition_columns: Vec<String>,
    /// As people call it.
    pub format: &'static str,
    pub rows: u64,
    /// None: it is in memory.
    pub files: Option<usize>,
    /// Of the files as they lie there, or of memory.
    pub bytes: u64,
    /// The rows of each part that is read by itself: row groups, blocks, batches.
    pub parts: Vec<u64>,
}

impl Source {
    pub fn facts(&self) -> Facts {
        let columns = self.columns();
        let origins = self.origins();
        let named = |place: usize| matches!(origins.first().map(|file| &file[place]), Some(Origin::Value(_)));
        let (format, files, bytes, parts): (_, _, u64, Vec<u64>) = match self {
            Self::Parquet(source) => {
                let groups = source.files.iter().flat_map(|file| file.footer.row_groups());
                let bytes = source.files.iter().map(|file| file.file.size).sum();
                let parts = groups.map(|group| group.num_rows().max(0) as u64).collect();
                ("Parquet", Some(source.files.len()), bytes, parts)
            }
            Self::Files(source) => {
                let parts = source.files.iter().flat_map(|file| file.parts()).map(|rows| *rows as u64);
                let bytes = source.stamps.iter().map(|(size, _)| size).sum();
                (source.title, Some(source.files.len()), bytes, parts.collect())
            }
            Self::Memory(source) => {
                let bytes = source.batches.iter().map(|batch| crate::io::sink::bytes_of(batch) as u64);
                let parts = source.batches.iter().map(|batch| batch.num_rows() as u64);
                ("memory", None, bytes.sum(), parts.collect())
            }
        };
        let names = |(place, column): (usize, &super::SourceColumn)| {
            named(place).then(|| column.field.name.to_string())
        };
        Facts {
            columns: columns
                .iter()
                .map(|column| (column.field.name.to_string(), column.field.dtype.to_string()))
                .collect(),
            partition_columns: columns.iter().enumerate().filter_map(names).collect(),
            format,
            rows: self.rows(),
            files,
            bytes,
            parts,
        }
    }
}
