//! Files below directories by value, of which none is opened before it is known that it matters.
//!
//! The last one is looked at first: its columns stand for those of all. When it is known what is done with the rows,
//! those that matter are opened; where they have other columns than were thought, what is done with the rows has to be
//! asked again.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use parquet::file::metadata::{FileMetaData, ParquetMetaData};
use parquet::schema::types::{SchemaDescriptor, Type};

use super::footers::Footers;
use super::hive;
use super::parquet::{FOOTERS_AT_ONCE, Looked, ParquetSource, footer};
use crate::error::{Error, Result};
use crate::io::location::FileRef;

/// What a source is to be made of whose files are not all opened.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Its columns, if not all.
    only: Option<Vec<String>>,
}

/// The footer of a file that was not opened.
pub(super) fn nothing() -> Result<Arc<ParquetMetaData>> {
    let root = Type::group_type_builder("schema").build();
    let root = root.map_err(|error| Error::internal(format!("a schema without columns: {error}")))?;
    let schema = Arc::new(SchemaDescriptor::new(Arc::new(root)));
    Ok(Arc::new(ParquetMetaData::new(FileMetaData::new(1, 0, None, None, schema, None), Vec::new())))
}

impl ParquetSource {
    /// A source of which one file is opened, where the names of directories tell files apart.
    pub async fn first_look(files: Vec<FileRef>, footers: &Footers, only: Option<&[String]>) -> Result<Self> {
        let told_apart = files.iter().any(|file| file.keys != files[0].keys);
        let last = files.len().saturating_sub(1);
        for looked_at in if told_apart { vec![last, 0] } else { Vec::new() } {
            // Whether it matters that one cannot be read is not known yet.
            let Ok(found) = footer(&files[looked_at], footers).await else { continue };
            let partitions = hive::partitions(files.iter())?;
            let look = |(number, file): (usize, &FileRef)| {
                (file.clone(), (number == looked_at).then(|| found.clone()))
            };
            let looked: Vec<Looked> = files.iter().enumerate().map(look).collect();
            // It may lack a column that is asked for, and others have.
            let Ok(made) = Self::of(looked, &partitions, None, only) else { break };
            let pending = Some(Pending { only: only.map(<[String]>::to_vec) });
            return Ok(Self { pending, ..made });
        }
        Self::open(files, footers, only).await
    }

    /// The same source with these files opened, or all of them; it stays pending where it has other columns now, and
    /// files that are not opened.
    pub async fn looked_at(&self, needed: Option<&BTreeSet<usize>>, footers: &Footers) -> Result<Self> {
        let Some(pending) = &self.pending else {
            return Err(Error::internal("a source that is opened twice"));
        };
        let wanted = |number: &usize| needed.is_none_or(|needed| needed.contains(number));
        let files: Vec<_> = self
            .files
            .iter()
            .enumerate()
            .map(|(number, file)| {
                let known = file.opened.then(|| file.footer.clone());
                (file.file.clone(), known, wanted(&number))
            })
            .collect();
        let looked = futures::stream::iter(files)
            .map(|(file, known, wanted)| async move {
                let found = match known {
                    None if wanted => Some(footer(&file, footers).await?),
                    known => known,
                };
                Ok::<_, Error>((file, found))
            })
            .buffered(FOOTERS_AT_ONCE);
        let looked: Vec<Looked> = looked.try_collect().await?;
        let partitions = hive::partitions(looked.iter().map(|(file, _)| file))?;
        let made = Self::of(looked, &partitions, None, pending.only.as_deref())?;
        let same = made.columns.len() == self.columns.len()
            && made.columns.iter().zip(&self.columns).all(|(new, old)| new.field == old.field)
            && made.index() == self.index();
        let pending = Some(pending.clone()).filter(|_| !same && needed.is_some());
        Ok(Self { pending, ..made })
    }
}
