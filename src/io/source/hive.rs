//! Columns that stand in the names of directories: `year=2024/month=01/`, as Hive and Spark write them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int32Array, Int64Array, StringViewArray};
use arrow::compute::kernels::cast_utils::Parser;
use arrow::datatypes::Date32Type;

use super::SourceColumn;
use crate::error::{Code, Error, Result};
use crate::io::location::FileRef;

/// What stands for a missing value.
const MISSING: &str = "__HIVE_DEFAULT_PARTITION__";

/// Integers beyond these are not all numbers of double precision.
const EXACT: i64 = 1 << 53;

/// The keys of a file in the order of its directories, each with its value, if that is not missing.
pub type Keys = Arc<[(Arc<str>, Option<Arc<str>>)]>;

/// Columns that are the same in every row of a file.
#[derive(Default)]
pub struct Partitions {
    pub columns: Vec<SourceColumn>,
    /// For each column its values, one of each file.
    pub values: Vec<ArrayRef>,
}

/// The keys in the directories between a source's root and a file.
pub fn keys<'a>(directories: impl Iterator<Item = &'a str>, file: &str) -> Result<Keys> {
    let mut keys: Vec<(Arc<str>, Option<Arc<str>>)> = Vec::new();
    for directory in directories {
        let Some((key, value)) = directory.split_once('=') else { continue };
        let (key, value) = (decoded(key), decoded(value));
        let wrong = |what: &str| {
            Error::new(Code::SourceUnreadable, format!("the directory `{directory}` of `{file}` {what}"))
                .hint("Directories of a partitioned source are named `key=value`, each key once")
                .detail("file", file)
        };
        if key.is_empty() {
            return Err(wrong("has a value without a key"));
        }
        if value.is_empty() {
            return Err(wrong("has a key without a value"));
        }
        if keys.iter().any(|(known, _)| **known == *key) {
            return Err(wrong("repeats a key of a directory above it"));
        }
        keys.push((key.into(), (value != MISSING).then(|| value.into())));
    }
    Ok(keys.into())
}

/// The columns that all files have by their directories, in types that hold every value.
pub fn partitions<'a>(files: impl Iterator<Item = &'a FileRef>) -> Result<Partitions> {
    let files: Vec<_> = files.collect();
    let Some(first) = files.first() else { return Ok(Partitions::default()) };
    let names = |file: &FileRef| file.keys.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>();
    let expected = names(first);
    for file in &files {
        let found = names(file);
        if found != expected {
            let shown = |keys: &[String]| match keys {
                [] => "no keys".to_owned(),
                keys => format!("the keys {}", keys.join(", ")),
            };
            return Err(Error::new(
                Code::SchemaMismatch,
                format!(
                    "the directories of `{}` have {}, and those of `{}` have {}",
                    file.name,
                    shown(&found),
                    first.name,
                    shown(&expected)
                ),
            )
            .hint("All files of a source must be partitioned by the same keys in the same order; give the directories of one layout")
            .detail("file", &*file.name)
            .detail("other_file", &*first.name));
        }
    }
    let column = |place: usize| {
        let texts: Vec<Option<&str>> = files.iter().map(|file| file.keys[place].1.as_deref()).collect();
        typed(&texts)
    };
    let values: Vec<ArrayRef> = (0..expected.len()).map(column).collect();
    let columns =
        expected.iter().zip(&values).map(|(name, values)| SourceColumn::new(name, values.data_type()));
    Ok(Partitions { columns: columns.collect(), values })
}

/// Values in the narrowest type that holds all of them: as Spark has them, where that loses nothing.
fn typed(texts: &[Option<&str>]) -> ArrayRef {
    if texts.iter().any(Option::is_some) {
        if let Some(numbers) = all(texts, |text| text.parse::<i32>().ok()) {
            return Arc::new(Int32Array::from(numbers));
        }
        if let Some(numbers) = all(texts, |text| text.parse::<i64>().ok()) {
            return Arc::new(Int64Array::from(numbers));
        }
        if let Some(numbers) = all(texts, double) {
            return Arc::new(Float64Array::from(numbers));
        }
        if let Some(days) = all(texts, date) {
            return Arc::new(Date32Array::from(days));
        }
    }
    Arc::new(StringViewArray::from(texts.to_vec()))
}

/// All values, if each of them can be read so.
fn all<T>(texts: &[Option<&str>], read: impl Fn(&str) -> Option<T>) -> Option<Vec<Option<T>>> {
    texts.iter().map(|text| text.map_or(Some(None), |text| read(text).map(Some))).collect()
}

fn double(text: &str) -> Option<f64> {
    if let Ok(number) = text.parse::<i64>() {
        return (-EXACT..=EXACT).contains(&number).then_some(number as f64);
    }
    if !text.contains(['.', 'e', 'E'])
        || text.contains(|c: char| !matches!(c, '0'..='9' | '.' | 'e' | 'E' | '+' | '-'))
    {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

fn date(text: &str) -> Option<i32> {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if shaped { Date32Type::parse(text) } else { None }
}

/// The text that `%41` and its like stand for; what is no such form stands for itself.
fn decoded(name: &str) -> String {
    crate::io::location::percent_decoded(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::DataType;

    fn of(path: &str) -> Result<Vec<(String, Option<String>)>> {
        let directories = path.split('/');
        let keys = keys(directories, "f.parquet")?;
        Ok(keys.iter().map(|(key, value)| (key.to_string(), value.as_deref().map(str::to_owned))).collect())
    }

    #[test]
    fn keys_are_decoded_and_may_be_missing() {
        let found = of("a=1/sub/b%20c=x%2Fy%3D/d=__HIVE_DEFAULT_PARTITION__/e=x=y").unwrap();
        let expected = [("a", Some("1")), ("b c", Some("x/y=")), ("d", None), ("e", Some("x=y"))];
        let expected: Vec<_> =
            expected.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect();
        assert_eq!(found, expected);
        for wrong in ["a=", "=1", "a=1/a=2"] {
            assert_eq!(of(wrong).unwrap_err().code(), Code::SourceUnreadable, "{wrong}");
        }
    }

    #[test]
    fn types_hold_every_value() {
        let cases: &[(&[Option<&str>], DataType)] = &[
            (&[Some("01"), Some("-7"), None], DataType::Int32),
            (&[Some("1"), Some("3000000000")], DataType::Int64),
            (&[Some("1"), Some("99999999999999999999")], DataType::Utf8View),
            (&[Some("1"), Some("1.5")], DataType::Float64),
            (&[Some("9007199254740993"), Some("1.5")], DataType::Utf8View),
            (&[Some("1e999"), Some("1")], DataType::Utf8View),
            (&[Some("nan")], DataType::Utf8View),
            (&[Some("2024-02-29"), None], DataType::Date32),
            (&[Some("2023-02-29")], DataType::Utf8View),
            (&[Some("2024-1-1")], DataType::Utf8View),
            (&[Some("2024-01-01"), Some("7")], DataType::Utf8View),
            (&[None, None], DataType::Utf8View),
        ];
        for (texts, expected) in cases {
            assert_eq!(typed(texts).data_type(), expected, "{texts:?}");
        }
        let texts = typed(&[Some("01"), Some("x")]);
        assert_eq!(texts.as_string_view().value(0), "01");
        assert_eq!(typed(&[None, Some("5")]).null_count(), 1);
    }
}
