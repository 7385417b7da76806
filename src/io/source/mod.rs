//! Sources opened for reading: their columns, their rows and how they split into morsels.

pub mod declared;
pub mod facts;
pub mod files;
pub mod footers;
mod gaps;
pub mod hive;
mod identity;
pub mod memory;
pub mod options;
pub mod pages;
pub mod parquet;
pub mod partial;
pub mod reconcile;
mod sound;
pub mod sources;
pub mod widen;

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};

use crate::error::Result;
use crate::plan::DType;
use crate::plan::node::Field;

pub use self::files::FilesSource;
pub use self::memory::{MemorySource, has_offsets, is_codes};
pub use self::parquet::ParquetSource;
use self::reconcile::Origin;
pub use self::sources::{Owner, SourceId, Sources};

/// A source whose extent and schema are known. Cheap to clone.
#[derive(Clone)]
pub enum Source {
    Parquet(Arc<ParquetSource>),
    Files(Arc<FilesSource>),
    Memory(Arc<MemorySource>),
}

impl Source {
    pub fn columns(&self) -> &[SourceColumn] {
        match self {
            Source::Parquet(source) => &source.columns,
            Source::Files(source) => &source.columns,
            Source::Memory(source) => &source.columns,
        }
    }

    pub fn fields(&self) -> Arc<[Field]> {
        self.columns().iter().map(|column| column.field.clone()).collect()
    }

    /// The fields of a table in memory that has this schema.
    pub fn fields_of(schema: &SchemaRef) -> Result<Vec<Field>> {
        Ok(MemorySource::new(vec![(schema.clone(), Vec::new())])?
            .columns
            .into_iter()
            .map(|column| column.field)
            .collect())
    }

    /// The columns that are row labels, each with the name it has as such.
    pub fn index(&self) -> Vec<(Arc<str>, Option<String>)> {
        match self {
            Source::Parquet(source) => source.index(),
            Source::Files(_) | Source::Memory(_) => Vec::new(),
        }
    }

    /// The range that labels its rows, if they are not counted from 0: name, start and step.
    pub fn range(&self) -> Option<(Option<String>, i64, i64)> {
        match self {
            Source::Parquet(source) => source.range(),
            Source::Files(_) | Source::Memory(_) => None,
        }
    }

    pub fn rows(&self) -> u64 {
        match self {
            Source::Parquet(source) => source.files.iter().map(|file| file.rows).sum(),
            Source::Files(source) => source.rows(),
            Source::Memory(source) => source.rows,
        }
    }

    /// For each file where it has each of the columns; nothing of tables in memory.
    pub fn origins(&self) -> Vec<&[Origin]> {
        match self {
            Source::Parquet(source) => source.files.iter().map(|file| &*file.origins).collect(),
            Source::Files(source) => source.files.iter().map(|file| &*file.origins).collect(),
            Source::Memory(_) => Vec::new(),
        }
    }

    /// Whether it is not known yet which of its files matter.
    pub fn is_pending(&self) -> bool {
        matches!(self, Source::Parquet(source) if source.pending.is_some())
    }

    /// The source, if all its columns can be computed with and handed out.
    pub fn sound(self) -> Result<Self> {
        let mut columns = self.columns().iter().enumerate();
        columns.try_for_each(|(place, column)| sound::column(column, || self.owner(place)))?;
        Ok(self)
    }

    /// The first file that has a column.
    fn owner(&self, place: usize) -> Option<Arc<str>> {
        let has = |origins: &[Origin]| origins.get(place).is_some_and(|origin| origin.place().is_some());
        match self {
            Source::Parquet(source) => {
                let file = source.files.iter().find(|file| has(&file.origins))?;
                Some(file.file.name.clone())
            }
            Source::Files(source) => Some(source.files.iter().find(|file| has(&file.origins))?.name.clone()),
            Source::Memory(_) => None,
        }
    }

    pub fn describe(&self) -> String {
        match self {
            Source::Parquet(source) => match source.files.as_slice() {
                [file] => file.file.name.to_string(),
                files => format!("{} Parquet files", files.len()),
            },
            Source::Files(source) => match source.files.as_slice() {
                [file] => file.name.to_string(),
                files => format!("{} {} files", files.len(), source.title),
            },
            Source::Memory(source) => format!("data in memory, {} batches", source.batches.len()),
        }
    }
}

/// A column as the plan sees it, and as it comes out of a scan.
#[derive(Debug, Clone)]
pub struct SourceColumn {
    pub field: Field,
    /// The Arrow type in which scans deliver it: the `DType`'s own, or the source's where it is opaque.
    pub arrow: DataType,
}

impl SourceColumn {
    pub fn new(name: &str, found: &DataType) -> Self {
        let dtype = DType::from_arrow(found);
        let arrow = dtype.arrow().unwrap_or_else(|| found.clone());
        Self { field: Field { name: name.into(), dtype }, arrow }
    }
}
