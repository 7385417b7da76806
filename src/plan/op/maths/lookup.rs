//! `map_values(x, keys, values)`, `replace_values(x, keys, values)`: each value looked up in a list of keys.

use std::hash::Hash;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, UInt32Array, new_null_array};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{concat, take};
use arrow::datatypes::{Date32Type, Float32Type, Float64Type};
use hashbrown::HashMap;

use super::super::operand::{
    argument, arrow_type, booleans, column, constant, counts, primitive, strings, unexpected, with_integer,
};
use super::super::promote::{as_integer, bare, common, describe, fits, is_missing};
use super::super::{Operand, Operator, Typed, time};
use crate::error::{Error, Result, misused, not_decomposable};
use crate::plan::{DType, Literal};

pub struct Lookup {
    pub name: &'static str,
    /// What is not found stays as it is; else it is missing.
    pub keeps: bool,
}

type Table<K> = HashMap<K, u32, foldhash::fast::FixedState>;

impl Operator for Lookup {
    fn name(&self) -> &'static str {
        self.name
    }

    fn display(&self, args: &[String]) -> String {
        let verb = if self.keeps { "replace" } else { "map" };
        format!("{verb}({})", args.first().map(String::as_str).unwrap_or_default())
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let [x, keys, values] = args else {
            return Err(misused(format!("`{}` takes a column, keys and values", self.name)));
        };
        let (Some(Literal::List(keys)), Some(Literal::List(values))) = (keys.literal, values.literal) else {
            return Err(not_decomposable(format!("`{}` needs lists of constants", self.name))
                .hint("Give a dict of constants; look values of another table up with `merge`"));
        };
        if keys.len() != values.len() {
            return Err(not_decomposable(format!(
                "`{}` was given {} keys for {} values",
                self.name,
                keys.len(),
                values.len()
            ))
            .hint("Give a value for each key"));
        }
        if !x.dtype.is_simple() || matches!(x.dtype, DType::Binary | DType::Decimal(..) | DType::Null) {
            return Err(not_decomposable(format!("`{}` of {} is not supported", self.name, describe(x)))
                .hint(
                    "Take a part of it that is a number, text or time, or merge with a table of the values",
                ));
        }
        let mut dtype = if self.keeps { x.dtype.clone() } else { DType::Null };
        let mut missing = false;
        for (key, value) in keys.iter().zip(values) {
            if self.keeps && !may_equal(&x.dtype, key) {
                continue;
            }
            if is_missing(value) {
                missing = true;
                continue;
            }
            dtype = meet(&dtype, value)?;
        }
        if missing && dtype.is_integer() {
            dtype = DType::Float64;
        }
        // pandas knows no other type for a mapping to nothing.
        Ok(if dtype == DType::Null { DType::Float64 } else { dtype })
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let (Operand::Literal(Literal::List(keys)), Operand::Literal(Literal::List(values))) =
            (argument(args, 1)?, argument(args, 2)?)
        else {
            return Err(Error::internal(format!("`{}` was called without lists", self.name)));
        };
        let x = argument(args, 0)?;
        let own = x.dtype();
        let array = column(x, &own, rows)?;
        let found = search(&array, &own, keys)?;
        let wanted = arrow_type(dtype)?;
        let answers = if values.is_empty() {
            new_null_array(&wanted, 0)
        } else {
            let parts = keys.iter().zip(values).map(|(key, value)| {
                if self.keeps && !may_equal(&own, key) {
                    return Ok(new_null_array(&wanted, 1));
                }
                constant(value, dtype, 1)
            });
            let parts = parts.collect::<Result<Vec<_>>>()?;
            concat(&parts.iter().map(|part| &**part).collect::<Vec<_>>())?
        };
        if !self.keeps {
            return Ok(take(&answers, &found, None)?);
        }
        if found.null_count() == rows {
            return column(x, dtype, rows);
        }
        let replaced = take(&answers, &found, None)?;
        let there = match found.nulls() {
            Some(nulls) => BooleanArray::new(nulls.inner().clone(), None),
            None => return Ok(replaced),
        };
        Ok(zip(&there, &replaced, &column(x, dtype, rows)?)?)
    }
}

/// Whether a column of this type can have a value that equals the key: booleans are no numbers here.
fn may_equal(dtype: &DType, key: &Literal) -> bool {
    if is_missing(key) {
        return true;
    }
    match bare(key) {
        Literal::Bool(_) => *dtype == DType::Bool,
        Literal::Int(_) | Literal::UInt(_) | Literal::Float(_) => dtype.is_numeric(),
        Literal::Str(_) => *dtype == DType::Str,
        Literal::Date(_) => *dtype == DType::Date,
        Literal::Timestamp(..) => matches!(dtype, DType::Timestamp(..)),
        Literal::Duration(..) => matches!(dtype, DType::Duration(_)),
        _ => false,
    }
}

fn meet(dtype: &DType, value: &Literal) -> Result<DType> {
    let value = bare(value);
    if *dtype == DType::Bool && !matches!(value, Literal::Bool(_)) {
        return Err(not_decomposable("these values would mix booleans and others in one column")
            .hint("Give all of them the same type"));
    }
    common(
        &Typed { dtype: dtype.clone(), literal: None },
        &Typed { dtype: value.dtype(), literal: Some(value) },
        "this replacement",
    )
}

fn table<K: Hash + Eq>(keys: impl Iterator<Item = (usize, K)>) -> Table<K> {
    let mut table = Table::default();
    for (number, key) in keys {
        table.entry(key).or_insert(number as u32);
    }
    table
}

/// The number of each value's key; null where there is none.
fn search(array: &ArrayRef, dtype: &DType, keys: &[Literal]) -> Result<UInt32Array> {
    let absent = keys.iter().position(is_missing).map(|number| number as u32);
    let usable = || keys.iter().enumerate().filter(|(_, key)| !is_missing(key) && may_equal(dtype, key));
    let integers = || usable().filter_map(|(n, key)| Some((n, whole(key)?)));
    let float = |key: &Literal| match bare(key) {
        Literal::Float(v) => Some((*v + 0.0).to_bits()),
        other => as_integer(other).map(|v| (v as f64).to_bits()),
    };
    Ok(match dtype {
        DType::Bool => {
            let table = table(usable().filter_map(|(n, key)| Some((n, as_integer(key)? != 0))));
            booleans(array)?.iter().map(|v| v.map_or(absent, |v| table.get(&v).copied())).collect()
        }
        DType::Str => {
            let table = table(usable().filter_map(|(n, key)| match bare(key) {
                Literal::Str(text) => Some((n, text.as_str())),
                _ => None,
            }));
            strings(array)?.iter().map(|v| v.map_or(absent, |v| table.get(v).copied())).collect()
        }
        DType::Float64 | DType::Float32 => {
            let table = table(usable().filter_map(|(n, key)| Some((n, float(key)?))));
            let find = |v: f64| if v.is_nan() { absent } else { table.get(&(v + 0.0).to_bits()).copied() };
            if *dtype == DType::Float64 {
                primitive::<Float64Type>(array)?.iter().map(|v| v.map_or(absent, find)).collect()
            } else {
                let single = primitive::<Float32Type>(array)?;
                single.iter().map(|v| v.map_or(absent, |v| find(f64::from(v)))).collect()
            }
        }
        DType::Date => {
            let table = table(usable().filter_map(|(n, key)| match bare(key) {
                Literal::Date(days) => Some((n, *days)),
                _ => None,
            }));
            primitive::<Date32Type>(array)?
                .iter()
                .map(|v| v.map_or(absent, |v| table.get(&v).copied()))
                .collect()
        }
        DType::Timestamp(unit, _) | DType::Duration(unit) => {
            let table = table(usable().filter_map(|(n, key)| match bare(key) {
                Literal::Timestamp(value, from, _) | Literal::Duration(value, from) => {
                    time::rescale(*value, *from, *unit).map(|value| (n, value))
                }
                _ => None,
            }));
            counts(array)?.iter().map(|v| v.map_or(absent, |v| table.get(&v).copied())).collect()
        }
        dtype => with_integer!(dtype, T => {
            type N = <T as ArrowPrimitiveType>::Native;
            let table = table(integers().filter(|(_, v)| fits(*v, dtype)).map(|(n, v)| (n, v as N)));
            primitive::<T>(array)?.iter().map(|v| v.map_or(absent, |v| table.get(&v).copied())).collect()
        }, return Err(unexpected(array.data_type(), "a look-up"))),
    })
}

fn whole(key: &Literal) -> Option<i128> {
    match bare(key) {
        Literal::Float(v) if v.fract() == 0.0 && v.abs() < 1e19 => Some(*v as i128),
        other => as_integer(other),
    }
}
