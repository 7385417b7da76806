//! How files of text are to be read: what a task's `readOptions` say, and which format takes which of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::DataType;
use serde::Deserialize;
use serde_json::Value;

use super::files::formats;
use crate::error::{Code, Error, Result};
use crate::plan::DType;
use crate::plan::op::astype::dtype_named;
use crate::plan::op::times::scan;

/// Where errors say that they stand.
pub const PATH: &str = "input.readOptions";

/// What was asked for, in normal form.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Asked {
    sep: Option<String>,
    header: Option<bool>,
    names: Option<Vec<String>>,
    skip_rows: Option<u64>,
    na_values: Option<Vec<String>>,
    keep_default_na: Option<bool>,
    quote: Option<String>,
    escape: Option<String>,
    comment: Option<String>,
    dtype: Option<Types>,
    dates: Option<BTreeMap<String, Option<String>>>,
    columns: Option<Vec<String>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Types {
    All(String),
    Some(BTreeMap<String, String>),
}

/// Options that mean something: each as it was given, or as nothing.
#[derive(Debug, Default)]
pub struct ReadOptions {
    /// The names of those that are given.
    given: Vec<String>,
    pub sep: Option<u8>,
    /// Whether the first line has the names of the columns; where it is not said, it does if `names` does not.
    pub header: Option<bool>,
    pub names: Option<Vec<String>>,
    pub skip_rows: u64,
    pub na_values: Vec<String>,
    pub without_default_na: bool,
    /// None: not said; nothing within: there are no quotes.
    pub quote: Option<Option<u8>>,
    pub escape: Option<u8>,
    pub comment: Option<u8>,
    /// The columns that the source is to have, in this order.
    pub columns: Option<Vec<String>>,
    every: Option<DType>,
    types: BTreeMap<String, DType>,
    dates: BTreeMap<String, Option<Arc<Times>>>,
}

/// A format of times, compiled.
pub struct Times {
    pub format: scan::Format,
    pub text: String,
}

impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// How the values of a column are to be read.
#[derive(Debug, Clone)]
pub struct Declared {
    pub dtype: DType,
    pub arrow: DataType,
    pub times: Option<Arc<Times>>,
}

impl ReadOptions {
    /// From a dict that was checked.
    pub fn of(normal: Value) -> Result<Self> {
        let given = normal.as_object().map(|options| options.iter().filter(|(_, value)| !value.is_null()));
        let given = given.into_iter().flatten().map(|(name, _)| name.clone()).collect();
        let asked: Asked = serde_json::from_value(normal)
            .map_err(|error| Error::internal(format!("read options are not understood: {error}")))?;
        let mut options = Self {
            given,
            sep: byte(asked.sep.as_deref()),
            header: asked.header,
            names: asked.names,
            skip_rows: asked.skip_rows.unwrap_or(0),
            na_values: asked.na_values.unwrap_or_default(),
            without_default_na: asked.keep_default_na == Some(false),
            quote: asked.quote.map(|quote| byte(Some(&quote))),
            escape: byte(asked.escape.as_deref()),
            comment: byte(asked.comment.as_deref()),
            columns: asked.columns,
            ..Self::default()
        };
        match asked.dtype {
            None => {}
            Some(Types::All(name)) => options.every = Some(typed(&name, &format!("{PATH}.dtype"))?),
            Some(Types::Some(types)) => {
                for (column, name) in types {
                    let dtype = typed(&name, &format!("{PATH}.dtype.{column}"))?;
                    options.types.insert(column, dtype);
                }
            }
        }
        for (column, format) in asked.dates.unwrap_or_default() {
            let path = format!("{PATH}.dates.{column}");
            let format = match format.filter(|format| format != "ISO8601") {
                None => None,
                Some(text) => {
                    let format = scan::Format::new(&text).map_err(|error| {
                        let hint = error.advice().unwrap_or_default().to_owned();
                        wrong(&path, format!("{path}: {}", error.sentence())).hint(hint)
                    })?;
                    Some(Arc::new(Times { format, text }))
                }
            };
            options.dates.insert(column, format);
        }
        options.contradictions()?;
        Ok(options)
    }

    pub fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    fn contradictions(&self) -> Result<()> {
        let quote = self.quote.unwrap_or(Some(b'"'));
        let marks = [("sep", self.sep), ("quote", quote), ("escape", self.escape), ("comment", self.comment)];
        for (place, (name, mark)) in marks.iter().enumerate() {
            let Some(mark) = mark else { continue };
            if let Some((other, _)) = marks[..place].iter().find(|(_, other)| *other == Some(*mark)) {
                let path = format!("{PATH}.{name}");
                let shown = char::from(*mark);
                return Err(wrong(&path, format!("{path} is {shown:?}, and so is `{other}`"))
                    .hint("Each of them must be another character"));
            }
        }
        let lists = [
            ("names", &self.names, "Columns are called by their names: give each another one"),
            ("columns", &self.columns, "Say each column once"),
        ];
        for (option, names, hint) in lists {
            let mut seen = std::collections::HashSet::new();
            if let Some(twice) = names.iter().flatten().find(|name| !seen.insert(*name)) {
                let path = format!("{PATH}.{option}");
                return Err(wrong(&path, format!("{path} has `{twice}` twice")).hint(hint));
            }
        }
        for column in self.dates.keys() {
            if let Some(dtype) =
                self.types.get(column).filter(|dtype| !matches!(dtype, DType::Timestamp(..) | DType::Date))
            {
                let path = format!("{PATH}.dates.{column}");
                return Err(wrong(
                    &path,
                    format!("{path} says that `{column}` is of times, and `dtype` that it is {dtype}"),
                )
                .hint("Leave the column out of one of them"));
            }
        }
        Ok(())
    }

    /// Whether the source has a column, if some file has.
    pub fn has_column(&self, name: &str) -> bool {
        self.columns.as_ref().is_none_or(|columns| columns.iter().any(|column| column == name))
    }

    /// Refuses what a format does not take; nothing given fits every format, and so do columns.
    pub fn suit(&self, title: &str, taken: &[&str]) -> Result<()> {
        let unfit = |name: &&String| !taken.contains(&name.as_str()) && *name != "columns";
        let Some(name) = self.given.iter().find(unfit) else { return Ok(()) };
        let path = format!("{PATH}.{name}");
        let takers: Vec<_> = formats()
            .iter()
            .filter(|format| format.options().contains(&name.as_str()))
            .map(|format| format.title())
            .collect();
        let hint = match taken {
            [] => format!(
                "{title} files say themselves how they are read: leave it out. It is for {}",
                takers.join(", ")
            ),
            taken => {
                format!("{title} takes {}; `{name}` is for {}", taken.join(", "), takers.join(", "))
            }
        };
        Err(wrong(&path, format!("{path} is no option of {title} files")).hint(hint))
    }

    /// What is said of a column's type, if anything is.
    pub fn declared(&self, column: &str) -> Option<Declared> {
        let times = self.dates.get(column);
        let zoned = times.and_then(Option::as_ref).is_some_and(|times| times.format.zoned());
        let by_dates = || {
            let zone = zoned.then(|| "UTC".to_owned());
            times.map(|_| DType::Timestamp(crate::plan::dtype::Unit::Micro, zone))
        };
        let dtype = self.types.get(column).cloned().or_else(by_dates).or_else(|| self.every.clone())?;
        Some(Declared { arrow: dtype.arrow()?, dtype, times: times.cloned().flatten() })
    }

    /// Refuses columns that are in no file.
    pub fn check_columns(&self, there: &[&str]) -> Result<()> {
        let types = self.types.keys().map(|column| ("dtype", column));
        let dates = self.dates.keys().map(|column| ("dates", column));
        let Some((option, column)) = types.chain(dates).find(|(_, column)| !there.contains(&column.as_str()))
        else {
            return Ok(());
        };
        let path = format!("{PATH}.{option}");
        let nearest = crate::names::nearest(column, there.iter().copied());
        let hint = match nearest {
            Some(nearest) => format!("Did you mean `{nearest}`?"),
            None => format!("Columns of the files are {}", there.join(", ")),
        };
        Err(wrong(&path, format!("{path} has the column `{column}`, which is in no file")).hint(hint))
    }
}

fn byte(text: Option<&str>) -> Option<u8> {
    text.and_then(|text| text.bytes().next())
}

fn wrong(path: &str, message: String) -> Error {
    Error::new(Code::InvalidTask, message).detail("path", path)
}

/// The type that a name means, as pandas and Arrow have them.
fn typed(name: &str, path: &str) -> Result<DType> {
    let name = name.trim();
    let found = match name {
        "date" | "date32" | "date32[day]" => Some(DType::Date),
        "object" => Some(DType::Str),
        _ => decimal(name).or_else(|| dtype_named(name)),
    };
    if let Some(dtype) = found.filter(|dtype| !matches!(dtype, DType::Duration(_))) {
        return Ok(dtype);
    }
    let known = [
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float32",
        "float64",
        "bool",
        "str",
        "date",
        "datetime64[us]",
        "decimal(10, 2)",
    ];
    let shown = crate::plan::op::time::short(name);
    let error = wrong(path, format!("{path} is \"{shown}\", which is no type that a column can be read as"));
    Err(match crate::names::nearest(name, known) {
        Some(nearest) => error.hint(format!("Did you mean \"{nearest}\"?")),
        None => error.hint(format!("Types are {}", known.join(", "))),
    })
}

/// `decimal(10, 2)`, `decimal128(10, 2)`.
fn decimal(name: &str) -> Option<DType> {
    let inner = name.strip_prefix("decimal128").or_else(|| name.strip_prefix("decimal"))?;
    let (precision, scale) = inner.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    let (precision, scale): (u8, i8) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    let sound = (1..=38).contains(&precision) && scale >= 0 && scale as u8 <= precision;
    sound.then_some(DType::Decimal(precision, scale))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn refused(options: Value) -> String {
        ReadOptions::of(options).unwrap_err().sentence().to_owned()
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        assert!(refused(json!({ "sep": ";", "comment": ";" })).contains("`sep`"));
        assert!(refused(json!({ "escape": "\"" })).contains("`quote`"));
        assert!(refused(json!({ "names": ["a", "a"] })).contains("`a` twice"));
        assert!(refused(json!({ "columns": ["b", "b"] })).contains("`b` twice"));
        assert!(refused(json!({ "dates": { "d": null }, "dtype": { "d": "int64" } })).contains("int64"));
        assert!(refused(json!({ "dtype": "flaot64" })).contains("flaot64"));
        assert!(refused(json!({ "dates": { "d": "%Q" } })).contains("%Q"));
        assert!(ReadOptions::of(json!({ "quote": "", "escape": "\"" })).is_ok());
    }

    #[test]
    fn types_are_those_of_pandas_and_arrow() {
        let options = ReadOptions::of(json!({
            "dtype": { "a": "Int32", "b": "decimal(9, 2)", "c": "date", "d": "datetime64[ns, UTC]" },
            "dates": { "e": null, "f": "%d.%m.%Y %z" },
        }))
        .unwrap();
        let dtype = |column: &str| options.declared(column).map(|declared| declared.dtype.to_string());
        assert_eq!(dtype("a").as_deref(), Some("int32"));
        assert_eq!(options.declared("b").unwrap().dtype, DType::Decimal(9, 2));
        assert_eq!(options.declared("c").unwrap().dtype, DType::Date);
        assert_eq!(dtype("d").as_deref(), Some("datetime64[ns, UTC]"));
        assert_eq!(dtype("e").as_deref(), Some("datetime64[us]"));
        assert_eq!(dtype("f").as_deref(), Some("datetime64[us, UTC]"));
        assert!(dtype("g").is_none());
        assert!(decimal("decimal(39, 2)").is_none() && decimal("decimal(3, 5)").is_none());
    }

    #[test]
    fn options_of_other_formats_are_refused_by_name() {
        let options = ReadOptions::of(json!({ "sep": ";" })).unwrap();
        assert!(options.suit("CSV", &["sep"]).is_ok());
        let error = options.suit("Parquet", &[]).unwrap_err();
        assert!(error.sentence().contains("input.readOptions.sep"));
        assert!(ReadOptions::of(json!({ "sep": null })).unwrap().suit("Parquet", &[]).is_ok());
        assert!(ReadOptions::of(json!({ "columns": ["a"] })).unwrap().suit("Parquet", &[]).is_ok());
    }
}
