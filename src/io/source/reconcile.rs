//! One set of columns for files that need not have the same ones, and where each file has them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::datatypes::SchemaRef;

use super::SourceColumn;
use super::hive::Partitions;
use super::widen::{conform, widest};
use crate::error::{Code, Error, Result};
use crate::plan::DType;
use crate::plan::node::Field;

/// Where a file has a column of the source.
#[derive(Debug, Clone)]
pub enum Origin {
    /// At this place among the file's own columns, maybe in a narrower type.
    At(usize),
    /// Nowhere: the values are missing.
    Missing,
    /// In the name of a directory: an array of one row, which is every row's.
    Value(ArrayRef),
}

impl Origin {
    /// The column's place in the file, if it is there.
    pub fn place(&self) -> Option<usize> {
        match self {
            Origin::At(place) => Some(*place),
            Origin::Missing | Origin::Value(_) => None,
        }
    }

    /// What the column is in so many rows of a file that does not hold it.
    pub fn filled(&self, column: &SourceColumn, rows: usize) -> Result<ArrayRef> {
        match self {
            Origin::At(_) => Err(Error::internal("a column of the file is read, not made up")),
            Origin::Missing => Ok(new_null_array(&column.arrow, rows)),
            Origin::Value(value) => {
                let first = arrow::array::UInt32Array::from(vec![0; rows]);
                Ok(arrow::compute::take(value, &first, None)?)
            }
        }
    }
}

/// The columns of a source, and for each of its files where it has each of them.
pub struct Reconciled {
    pub columns: Vec<SourceColumn>,
    pub files: Vec<Vec<Origin>>,
}

/// Columns come in the order in which they are first met; those of directories' names are the last ones, except that
/// one that files have as well stays where it is there.
pub fn reconcile(files: &[(Arc<str>, SchemaRef)], partitions: &Partitions) -> Result<Reconciled> {
    reconcile_some(files, partitions, None)
}

/// The same with these columns alone, in their order; what files say of others does not matter.
pub fn reconcile_some(
    files: &[(Arc<str>, SchemaRef)],
    partitions: &Partitions,
    only: Option<&[String]>,
) -> Result<Reconciled> {
    let found = all(files, partitions, &only.map(|only| only.iter().map(String::as_str).collect()))?;
    let Some(only) = only else { return Ok(found) };
    let place = |name: &String| {
        let place = found.columns.iter().position(|column| *column.field.name == **name);
        place.ok_or_else(|| unknown(name, files, partitions))
    };
    let order = only.iter().map(place).collect::<Result<Vec<_>>>()?;
    let columns = order.iter().map(|place| found.columns[*place].clone()).collect();
    let chosen = |origins: &Vec<Origin>| order.iter().map(|place| origins[*place].clone()).collect();
    Ok(Reconciled { columns, files: found.files.iter().map(chosen).collect() })
}

fn all(
    files: &[(Arc<str>, SchemaRef)],
    partitions: &Partitions,
    only: &Option<HashSet<&str>>,
) -> Result<Reconciled> {
    let wanted = |name: &str| only.as_ref().is_none_or(|only| only.contains(name));
    let mut met: Vec<Met> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut places: Vec<HashMap<usize, usize>> = Vec::with_capacity(files.len());
    let by_name = |name: &str| partitions.columns.iter().position(|column| *column.field.name == *name);
    for (file, schema) in files {
        let mut seen = HashSet::new();
        let mut own = HashMap::new();
        for (place, field) in schema.fields().iter().enumerate() {
            let name = field.name();
            if !wanted(name) {
                continue;
            }
            if !seen.insert(name) {
                return Err(twice(file, name));
            }
            let column = *known.entry(name.clone()).or_insert(met.len());
            own.insert(column, place);
            let found = match by_name(name) {
                Some(partition) => partitions.columns[partition].clone(),
                None => SourceColumn::new(name, field.data_type()),
            };
            match met.get_mut(column) {
                None => met.push(Met(vec![(found, file)])),
                Some(met) => met.also(found, file),
            }
        }
        places.push(own);
    }
    let mut columns = met.iter().map(Met::widest).collect::<Result<Vec<_>>>()?;
    for column in &partitions.columns {
        if !known.contains_key(&*column.field.name) && wanted(&column.field.name) {
            columns.push(column.clone());
        }
    }
    let origins = places.into_iter().enumerate().map(|(file, own)| {
        let origin = |(number, column): (usize, &SourceColumn)| match by_name(&column.field.name) {
            Some(partition) => Origin::Value(partitions.values[partition].slice(file, 1)),
            None => own.get(&number).map_or(Origin::Missing, |place| Origin::At(*place)),
        };
        columns.iter().enumerate().map(origin).collect()
    });
    Ok(Reconciled { files: origins.collect(), columns })
}

/// The different types that a column has, each with the first file in which it has that.
struct Met<'a>(Vec<(SourceColumn, &'a Arc<str>)>);

impl<'a> Met<'a> {
    fn also(&mut self, found: SourceColumn, file: &'a Arc<str>) {
        if !self.0.iter().any(|(known, _)| known.field.dtype == found.field.dtype) {
            self.0.push((found, file));
        }
    }

    /// The column in a type that holds all of them. The order of the files does not matter: what holds most comes first.
    fn widest(&self) -> Result<SourceColumn> {
        let mut types: Vec<_> = self.0.iter().collect();
        types.sort_by_key(|(column, _)| match &column.field.dtype {
            DType::Float64 | DType::Decimal(..) => 0,
            DType::Float32 => 1,
            dtype if dtype.is_signed() => 2,
            _ => 3,
        });
        let Some(((first, _), others)) = types.split_first() else {
            return Err(Error::internal("a column of no file"));
        };
        let mut wide = first.clone();
        for (number, (found, file)) in others.iter().enumerate() {
            let Some(dtype) = widest(&wide.field.dtype, &found.field.dtype) else {
                let before = &types[..=number];
                let apart =
                    before.iter().find(|(other, _)| widest(&other.field.dtype, &found.field.dtype).is_none());
                let (other, owner) = apart.or(before.first()).copied().unwrap_or(&self.0[0]);
                // The later file is the one that differs.
                let place = |file: &Arc<str>| self.0.iter().position(|(_, known)| *known == file);
                return Err(match place(file) < place(owner) {
                    true => differ(owner, &other.field.dtype, file, found),
                    false => differ(file, &found.field.dtype, owner, other),
                });
            };
            wide = match dtype.arrow() {
                Some(arrow) => SourceColumn { field: Field { name: found.field.name.clone(), dtype }, arrow },
                // What is only carried along is as it was found.
                None => {
                    if dtype == found.field.dtype {
                        found.clone()
                    } else {
                        wide
                    }
                }
            };
        }
        Ok(wide)
    }
}

/// Columns of a source in the rows of a batch of one of its files: those at places of the batch, and those that are
/// made up.
pub fn completed(
    batch: &RecordBatch,
    order: &[Option<usize>],
    wanted: &[usize],
    columns: &[SourceColumn],
    origins: &[Origin],
) -> Result<Vec<ArrayRef>> {
    let column = |(column, place): (&usize, &Option<usize>)| match place {
        Some(place) => Ok(batch.column(*place).clone()),
        None => origins[*column].filled(&columns[*column], batch.num_rows()),
    };
    wanted.iter().zip(order).map(column).collect()
}

/// Values of a file's column in the type that the source has for it.
pub fn converted(array: &ArrayRef, column: &SourceColumn, file: &str) -> Result<ArrayRef> {
    if *array.data_type() == column.arrow {
        return Ok(array.clone());
    }
    conform(array, &column.arrow).map_err(|error| {
        let name = &column.field.name;
        let dtype = &column.field.dtype;
        let found = DType::from_arrow(array.data_type());
        let (code, what, hint) = if found == *dtype {
            let what = format!("column `{name}` of `{file}` cannot be converted: {error}");
            (Code::SourceUnreadable, what, "Write the column with one of the documented types")
        } else {
            let what = format!(
                "column `{name}` is {found} in file `{file}` and {dtype} in other files, which cannot hold it: {error}"
            );
            (Code::SchemaMismatch, what, "Write the files with one type for the column")
        };
        Error::new(code, what).hint(hint).detail("file", file).detail("column", &**name)
    })
}

fn unknown(name: &str, files: &[(Arc<str>, SchemaRef)], partitions: &Partitions) -> Error {
    let of_files =
        files.iter().flat_map(|(_, schema)| schema.fields().iter().map(|field| field.name().as_str()));
    let of_directories = partitions.columns.iter().map(|column| &*column.field.name);
    let mut there: Vec<&str> = Vec::new();
    let mut seen = HashSet::new();
    there.extend(of_files.chain(of_directories).filter(|name| seen.insert(*name)));
    let error = Error::new(
        Code::SchemaMismatch,
        format!("the source is to have the column `{name}`, which is in no file of it"),
    )
    .detail("column", name);
    match crate::names::nearest(name, there.iter().copied()) {
        Some(nearest) => error.hint(format!("Did you mean `{nearest}`?")).detail("nearest", nearest),
        None => {
            let shown: Vec<_> = there.iter().take(20).copied().collect();
            error.hint(format!("The columns of its files are {}", shown.join(", ")))
        }
    }
}

fn twice(file: &str, column: &str) -> Error {
    Error::new(Code::SchemaMismatch, format!("file `{file}` has two columns named `{column}`"))
        .hint("Rename one of them")
        .detail("file", file)
        .detail("column", column)
}

fn differ(file: &str, found: &DType, owner: &str, known: &SourceColumn) -> Error {
    let (name, dtype) = (&known.field.name, &known.field.dtype);
    Error::new(
        Code::SchemaMismatch,
        format!(
            "column `{name}` is {found} in file `{file}` and {dtype} in `{owner}`, and no type holds both"
        ),
    )
    .hint(
        "Write the files with types of which one holds the other, or read them apart and convert the column",
    )
    .detail("file", file)
    .detail("other_file", owner)
    .detail("column", &**name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use arrow::datatypes::{DataType, Field as ArrowField, Schema, TimeUnit};
    use proptest::prelude::*;

    fn file(name: &str, fields: &[(&str, DataType)]) -> (Arc<str>, SchemaRef) {
        let fields = fields.iter().map(|(name, arrow)| ArrowField::new(*name, arrow.clone(), true));
        (name.into(), Arc::new(Schema::new(fields.collect::<Vec<_>>())))
    }

    fn names(found: &Reconciled) -> Vec<(&str, DataType)> {
        found.columns.iter().map(|column| (&*column.field.name, column.arrow.clone())).collect()
    }

    #[test]
    fn columns_are_missing_added_reordered_and_widened() {
        use DataType as D;
        let files = [
            file("a", &[("x", D::Int32), ("s", D::LargeUtf8), ("gone", D::Boolean)]),
            file("b", &[("s", D::Utf8), ("new", D::Date32), ("x", D::Int64)]),
            file("c", &[("new", D::Timestamp(TimeUnit::Microsecond, None)), ("gone", D::Null)]),
        ];
        let found = reconcile(&files, &Partitions::default()).unwrap();
        let expected = [
            ("x", D::Int64),
            ("s", D::Utf8View),
            ("gone", D::Boolean),
            ("new", D::Timestamp(TimeUnit::Microsecond, None)),
        ];
        assert_eq!(names(&found), expected);
        let places: Vec<Vec<_>> =
            found.files.iter().map(|file| file.iter().map(Origin::place).collect()).collect();
        assert_eq!(
            places,
            [
                vec![Some(0), Some(1), Some(2), None],
                vec![Some(2), Some(0), None, Some(1)],
                vec![None, None, Some(1), Some(0)]
            ]
        );
    }

    #[test]
    fn conflicts_name_both_files_and_types() {
        let files = [
            file("a", &[("x", DataType::Null)]),
            file("b", &[("x", DataType::Int32)]),
            file("c", &[("x", DataType::Utf8)]),
        ];
        let error = reconcile(&files, &Partitions::default()).err().unwrap();
        assert_eq!(error.code(), Code::SchemaMismatch);
        for part in ["`x`", "`b`", "`c`", "int32", "str"] {
            assert!(error.sentence().contains(part), "{}", error.sentence());
        }
        let twice = file("d", &[("x", DataType::Int8), ("x", DataType::Int8)]);
        assert!(reconcile(&[files[0].clone(), twice], &Partitions::default()).is_err());
    }

    #[test]
    fn directories_win_over_files_and_come_last() {
        use arrow::array::Int32Array;
        let partitions = Partitions {
            columns: vec![
                SourceColumn::new("year", &DataType::Int32),
                SourceColumn::new("x", &DataType::Int32),
            ],
            values: vec![Arc::new(Int32Array::from(vec![1, 2])), Arc::new(Int32Array::from(vec![7, 8]))],
        };
        let files =
            [file("a", &[("x", DataType::Utf8), ("y", DataType::Int8)]), file("b", &[("y", DataType::Int8)])];
        let found = reconcile(&files, &partitions).unwrap();
        let expected = [("x", DataType::Int32), ("y", DataType::Int8), ("year", DataType::Int32)];
        assert_eq!(names(&found), expected);
        let filled = found.files[1][2].filled(&found.columns[2], 3).unwrap();
        assert_eq!(&filled, &(Arc::new(Int32Array::from(vec![2, 2, 2])) as ArrayRef));
        assert!(matches!(found.files[0][0], Origin::Value(_)));
    }

    #[test]
    fn columns_are_chosen_before_files_are_compared() {
        use DataType as D;
        let files = [
            file("a", &[("x", D::Int32), ("y", D::Int64), ("z", D::Utf8)]),
            file("b", &[("z", D::Int64), ("x", D::Int64)]),
        ];
        assert!(reconcile(&files, &Partitions::default()).is_err());
        let column = SourceColumn::new("day", &D::Int32);
        let values: ArrayRef = Arc::new(arrow::array::Int32Array::from(vec![1, 2]));
        let partitions = Partitions { columns: vec![column], values: vec![values] };
        let some = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            reconcile_some(&files, &partitions, Some(&names))
        };
        let found = some(&["day", "y", "x"]).unwrap();
        assert_eq!(names(&found), [("day", D::Int32), ("y", D::Int64), ("x", D::Int64)]);
        assert!(matches!(found.files[1][0], Origin::Value(_)));
        assert!(matches!(found.files[1][1], Origin::Missing));
        assert_eq!((found.files[0][2].place(), found.files[1][2].place()), (Some(0), Some(1)));
        assert_eq!(names(&some(&["x"]).unwrap()), [("x", D::Int64)]);
        let error = some(&["x", "dey"]).err().unwrap();
        assert_eq!((error.code(), error.advice()), (Code::SchemaMismatch, Some("Did you mean `day`?")));
    }

    fn some_type() -> impl Strategy<Value = DataType> {
        use DataType as D;
        prop_oneof![
            Just(D::Int8),
            Just(D::Int32),
            Just(D::Int64),
            Just(D::UInt16),
            Just(D::Float32),
            Just(D::Float64),
            Just(D::Null),
            Just(D::Decimal128(10, 2)),
            Just(D::Date32),
            Just(D::Utf8),
        ]
    }

    proptest! {
        /// The order of the files decides the order of the columns, and nothing else.
        #[test]
        fn the_order_of_files_does_not_decide_types(types in prop::collection::vec(some_type(), 1..6)) {
            let files: Vec<_> = types.iter().enumerate().map(|(n, arrow)| file(&n.to_string(), &[("x", arrow.clone())])).collect();
            let turned: Vec<_> = files.iter().rev().cloned().collect();
            let (one, other) = (reconcile(&files, &Partitions::default()), reconcile(&turned, &Partitions::default()));
            prop_assert_eq!(one.as_ref().ok().map(names), other.as_ref().ok().map(names));
        }
    }
}
