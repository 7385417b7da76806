//! Names of directories that say the values of columns, as Hive and Spark have them: `day=2024-02-29/shop=3`.

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::format::{Fault, times};

/// What stands for a missing value.
pub const MISSING: &str = "__HIVE_DEFAULT_PARTITION__";

/// Whether values of a type can be the name of a directory that readers take them from.
pub fn names_directories(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => names_directories(values),
        DataType::Float16 | DataType::Decimal256(..) => false,
        DataType::Boolean
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Date32
        | DataType::Timestamp(..)
        | DataType::Decimal128(..)
        | DataType::Null => true,
        other => other.is_numeric(),
    }
}

/// The directory of a row's values; `columns` are names and one value each.
pub fn directory(columns: &[(&str, ArrayRef)]) -> Result<String, Fault> {
    let mut path = String::new();
    for (name, value) in columns {
        if !path.is_empty() {
            path.push('/');
        }
        escaped(name, &mut path);
        path.push('=');
        match shown(value)? {
            Some(text) => escaped(&text, &mut path),
            None => path.push_str(MISSING),
        }
    }
    Ok(path)
}

/// The first value of an array as text; none where it is missing.
fn shown(array: &ArrayRef) -> Result<Option<String>, Fault> {
    if let DataType::Dictionary(_, values) = array.data_type() {
        return shown(&cast(array, values)?);
    }
    if array.is_null(0) || *array.data_type() == DataType::Null {
        return Ok(None);
    }
    Ok(Some(match array.data_type() {
        DataType::Float32 => {
            zmij::Buffer::new().format(array.as_primitive::<Float32Type>().value(0)).to_owned()
        }
        DataType::Float64 => {
            zmij::Buffer::new().format(array.as_primitive::<Float64Type>().value(0)).to_owned()
        }
        DataType::Timestamp(unit, zone) => {
            let zone = zone.as_deref().map(str::parse::<Tz>).transpose()?;
            let count = cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().value(0);
            let mut text = Vec::new();
            times::timestamp(count, *unit, zone.as_ref(), &mut text).ok_or("an instant beyond its zone")?;
            whole_seconds(String::from_utf8(text)?)
        }
        _ => ArrayFormatter::try_new(array.as_ref(), &FormatOptions::new())?.value(0).try_to_string()?,
    }))
}

/// An instant without the zeros at the end of its fraction.
fn whole_seconds(text: String) -> String {
    let Some(dot) = text.find('.') else { return text };
    let (time, rest) = text.split_at(dot);
    let digits = rest[1..].bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, zone) = rest.split_at(1 + digits);
    format!("{time}{}{zone}", fraction.trim_end_matches('0').trim_end_matches('.'))
}

/// What would be something else in a path, in the form `%2F`; the same bytes as Spark's.
fn escaped(text: &str, path: &mut String) {
    for letter in text.chars() {
        let special = letter.is_ascii_control()
            || matches!(
                letter,
                '"' | '#' | '%' | '\'' | '*' | '/' | ':' | '=' | '?' | '\\' | '{' | '[' | ']' | '^'
            );
        if special {
            path.push_str(&format!("%{:02X}", u32::from(letter)));
        } else {
            path.push(letter);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{Date32Array, Float64Array, Int64Array, StringArray, TimestampMillisecondArray};

    use super::*;

    #[test]
    fn directories_are_those_of_spark() {
        let text = |text: Option<&str>| Arc::new(StringArray::from(vec![text])) as ArrayRef;
        let of = |value: ArrayRef| directory(&[("k", value)]).unwrap();
        assert_eq!(of(text(Some("a b/é=1%"))), "k=a b%2Fé%3D1%25");
        assert_eq!(of(text(None)), "k=__HIVE_DEFAULT_PARTITION__");
        assert_eq!(of(Arc::new(Int64Array::from(vec![-7]))), "k=-7");
        assert_eq!(of(Arc::new(Float64Array::from(vec![1.0]))), "k=1.0");
        assert_eq!(of(Arc::new(Date32Array::from(vec![19_782]))), "k=2024-02-29");
        let instant = |count| of(Arc::new(TimestampMillisecondArray::from(vec![count])));
        assert_eq!(instant(1_000), "k=1970-01-01 00%3A00%3A01");
        assert_eq!(instant(1_500), "k=1970-01-01 00%3A00%3A01.5");
        let two = [("a/b", text(Some("x"))), ("c", text(Some("")))];
        assert_eq!(directory(&two).unwrap(), "a%2Fb=x/c=");
    }
}
