//! Which directory each row goes to, by the values of some of its columns.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use arrow::row::{RowConverter, SortField};

use super::format::Fault;
use super::hive;

type Map<K> = HashMap<K, u32, foldhash::fast::RandomState>;

/// Integers from 0 to before this are looked up in a table.
const SMALL: usize = 1 << 16;
/// No directory yet.
const NONE: u32 = u32::MAX;

/// How the number of a row's directory is found.
enum Known {
    /// One column of integers, or of what is stored as such.
    Whole {
        small: Vec<u32>,
        others: Map<i64>,
        missing: u32,
    },
    /// One column of texts.
    Text {
        known: Map<Box<str>>,
        missing: u32,
    },
    Rows {
        converter: RowConverter,
        known: Map<Box<[u8]>>,
    },
}

pub struct Router {
    schema: SchemaRef,
    /// The columns that become directories.
    keys: Vec<usize>,
    known: Known,
    /// The directories, in the order in which they are met, and their numbers by name: values that differ may be written
    /// alike.
    pub names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Router {
    pub fn new(schema: SchemaRef, keys: Vec<usize>) -> Result<Self, Fault> {
        use DataType as D;
        let types: Vec<_> = keys.iter().map(|place| schema.field(*place).data_type().clone()).collect();
        let known = match types.as_slice() {
            [D::Int8 | D::Int16 | D::Int32 | D::Int64 | D::UInt8 | D::UInt16 | D::UInt32 | D::Date32] => {
                Known::Whole { small: vec![NONE; SMALL], others: Map::default(), missing: NONE }
            }
            [D::Utf8 | D::LargeUtf8 | D::Utf8View] => Known::Text { known: Map::default(), missing: NONE },
            _ => Known::Rows {
                converter: RowConverter::new(types.into_iter().map(SortField::new).collect())?,
                known: Map::default(),
            },
        };
        Ok(Self { schema, keys, known, names: Vec::new(), numbers: HashMap::new() })
    }

    /// Adds the number of each row's directory.
    pub fn route(&mut self, batch: &RecordBatch, goes: &mut Vec<u32>) -> Result<(), Fault> {
        goes.reserve(batch.num_rows());
        let Self { schema, keys, known, names, numbers } = self;
        let columns: Vec<ArrayRef> = keys.iter().map(|place| batch.column(*place).clone()).collect();
        let mut number = |row: usize| -> Result<u32, Fault> {
            let values = keys
                .iter()
                .zip(&columns)
                .map(|(place, column)| (schema.field(*place).name().as_str(), column.slice(row, 1)));
            let name = hive::directory(&values.collect::<Vec<_>>())?;
            let next = u32::try_from(names.len()).map_err(|_| "too many directories")?;
            Ok(*numbers.entry(name).or_insert_with_key(|name| {
                names.push(name.clone());
                next
            }))
        };
        match known {
            Known::Whole { small, others, missing } => {
                // A day is no integer to begin with.
                let days = if *columns[0].data_type() == DataType::Date32 {
                    cast(&columns[0], &DataType::Int32)?
                } else {
                    columns[0].clone()
                };
                let values = cast(&days, &DataType::Int64)?;
                let values = values.as_primitive::<Int64Type>();
                for (row, value) in values.values().iter().enumerate() {
                    let found = if values.is_null(row) {
                        &mut *missing
                    } else {
                        match usize::try_from(*value).ok().and_then(|value| small.get_mut(value)) {
                            Some(found) => found,
                            None => others.entry(*value).or_insert(NONE),
                        }
                    };
                    if *found == NONE {
                        *found = number(row)?;
                    }
                    goes.push(*found);
                }
            }
            Known::Text { known, missing } => {
                let texts = cast(&columns[0], &DataType::Utf8View)?;
                for (row, text) in texts.as_string_view().iter().enumerate() {
                    goes.push(match text {
                        None => {
                            if *missing == NONE {
                                *missing = number(row)?;
                            }
                            *missing
                        }
                        Some(text) => match known.get(text) {
                            Some(found) => *found,
                            None => {
                                let found = number(row)?;
                                known.insert(text.into(), found);
                                found
                            }
                        },
                    });
                }
            }
            Known::Rows { converter, known } => {
                let rows = converter.convert_columns(&columns)?;
                let mut last: Option<(usize, u32)> = None;
                for row in 0..batch.num_rows() {
                    let bytes = rows.row(row);
                    // Neighbours often go to the same place.
                    let found = match last {
                        Some((before, found)) if rows.row(before) == bytes => found,
                        _ => match known.get(bytes.as_ref()) {
                            Some(found) => *found,
                            None => {
                                let found = number(row)?;
                                known.insert(bytes.as_ref().into(), found);
                                found
                            }
                        },
                    };
                    goes.push(found);
                    last = Some((row, found));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{Date32Array, Int64Array, StringArray, UInt32Array};

    use super::*;

    fn routed(columns: Vec<ArrayRef>) -> Vec<String> {
        let names = ["a", "b"];
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().enumerate().map(|(place, column)| (names[place], column, true)),
        )
        .unwrap();
        let mut router = Router::new(batch.schema(), (0..batch.num_columns()).collect()).unwrap();
        let mut goes = Vec::new();
        router.route(&batch.slice(0, 2), &mut goes).unwrap();
        router.route(&batch.slice(2, batch.num_rows() - 2), &mut goes).unwrap();
        goes.iter().map(|number| router.names[*number as usize].clone()).collect()
    }

    #[test]
    fn every_row_goes_where_its_values_say() {
        let numbers: ArrayRef =
            Arc::new(Int64Array::from(vec![Some(5), None, Some(-5), Some(1 << 40), Some(5), None]));
        let wanted =
            ["5", "__HIVE_DEFAULT_PARTITION__", "-5", "1099511627776", "5", "__HIVE_DEFAULT_PARTITION__"];
        assert_eq!(routed(vec![numbers.clone()]), wanted.map(|value| format!("a={value}")));
        let texts: ArrayRef = Arc::new(StringArray::from(vec![
            Some("x"),
            None,
            Some("__HIVE_DEFAULT_PARTITION__"),
            Some("x"),
            Some("é/"),
            Some(""),
        ]));
        let wanted = ["x", "__HIVE_DEFAULT_PARTITION__", "__HIVE_DEFAULT_PARTITION__", "x", "é%2F", ""];
        assert_eq!(routed(vec![texts.clone()]), wanted.map(|value| format!("a={value}")));
        let both = routed(vec![numbers, texts]);
        assert_eq!(both[0], "a=5/b=x");
        assert_eq!(both[3], "a=1099511627776/b=x");
        let days: ArrayRef = Arc::new(Date32Array::from(vec![19_782, 0, 19_782]));
        assert_eq!(routed(vec![days]), ["a=2024-02-29", "a=1970-01-01", "a=2024-02-29"]);
        let large: ArrayRef = Arc::new(UInt32Array::from(vec![u32::MAX, 0, u32::MAX]));
        assert_eq!(routed(vec![large]), ["a=4294967295", "a=0", "a=4294967295"]);
    }
}
