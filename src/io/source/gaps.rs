//! Which columns of integers and booleans have missing values somewhere, as far as that is told without reading rows.

use arrow::array::Array;
use arrow::datatypes::DataType;

use super::Source;
use super::parquet::ParquetFile;
use super::reconcile::Origin;

impl Source {
    /// The places of columns of integers and booleans that may have missing values in some row of the source. Where
    /// nothing tells, they may.
    pub fn gaps(&self) -> Vec<usize> {
        let columns = self.columns().iter().enumerate();
        let asked =
            columns.filter(|(_, column)| column.arrow.is_integer() || column.arrow == DataType::Boolean);
        asked.map(|(place, _)| place).filter(|place| self.may_miss(*place)).collect()
    }

    fn may_miss(&self, place: usize) -> bool {
        let in_file = |origin: &Origin, own: &dyn Fn(usize) -> bool| match origin {
            Origin::At(place) => own(*place),
            Origin::Missing => true,
            Origin::Value(value) => value.null_count() > 0,
        };
        match self {
            Source::Memory(source) => {
                source.batches.iter().any(|batch| batch.column(place).logical_null_count() > 0)
            }
            Source::Files(source) => {
                source.files.iter().any(|file| in_file(&file.origins[place], &|own| file.may_miss(own)))
            }
            Source::Parquet(source) => source
                .files
                .iter()
                .filter(|file| file.rows > 0)
                .any(|file| in_file(&file.origins[place], &|own| has_nulls(file, own))),
        }
    }
}

/// Whether the statistics of a file say that a column without nesting has nulls, or do not say that it has none.
fn has_nulls(file: &ParquetFile, own: usize) -> bool {
    let schema = file.footer.file_metadata().schema_descr();
    let Some(leaf) = (0..schema.num_columns()).find(|leaf| schema.get_column_root_idx(*leaf) == own) else {
        return true;
    };
    if schema.column(leaf).max_def_level() == 0 {
        return false;
    }
    let nulls = |group: &parquet::file::metadata::RowGroupMetaData| {
        group.column(leaf).statistics().and_then(|found| found.null_count_opt())
    };
    file.footer.row_groups().iter().any(|group| group.num_rows() > 0 && nulls(group) != Some(0))
}
