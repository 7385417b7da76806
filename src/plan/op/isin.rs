//! `isin(x, [...])`: membership, with values of different numeric types compared exactly.

use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Date32Type, Float32Type, Float64Type};
use hashbrown::HashSet;

use super::super::dtype::{DType, Unit};
use super::super::expr::Literal;
use super::operand::{
    argument, bits, booleans, column, counts, present, primitive, strings, unexpected, with_integer,
};
use super::promote::{as_integer, bare, describe, fits};
use super::views::{equal, inline};
use super::{Operand, Operator, Typed, time};
use crate::error::{Error, Result, misused, not_decomposable};

/// So many long strings are compared one by one.
const FEW: usize = 4;

pub struct IsIn;

impl Operator for IsIn {
    fn name(&self) -> &'static str {
        "isin"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let [x, values] = args else { return Err(misused("`isin` takes a column and a list")) };
        let Some(Literal::List(values)) = values.literal else {
            return Err(not_decomposable("`isin` needs a list of constants")
                .hint("Pass a list, set or array whose values do not depend on the partition"));
        };
        if !x.dtype.is_simple() || matches!(x.dtype, DType::Binary | DType::Decimal(..)) {
            return Err(not_decomposable(format!("`isin` of {} is not supported", describe(x)))
                .hint("Convert the column first, e.g. with `.astype(\"float64\")`"));
        }
        let null = values.iter().any(|value| matches!(bare(value), Literal::Null));
        if null && x.dtype.is_temporal() {
            // pandas tells `None` (no match) from `NaT` (matches NaT) here; the plan does not.
            return Err(not_decomposable(format!(
                "`isin` of {} with a missing value in the list",
                describe(x)
            ))
            .hint("Leave it out, and add `| column.isna()` if missing times should count"));
        }
        Ok(DType::Bool)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let Operand::Literal(Literal::List(values)) = argument(args, 1)? else {
            return Err(Error::internal("`isin` was called without a list"));
        };
        let x = argument(args, 0)?;
        let dtype = x.dtype();
        let array = column(x, &dtype, rows)?;
        let wanted = Wanted::new(values, &dtype);
        let found = search(&array, &dtype, &wanted)?;
        let found = match present(&array)? {
            None => found,
            Some(present) if wanted.missing => &found | &!&present,
            Some(present) => &found & &present,
        };
        Ok(Arc::new(BooleanArray::new(found, None)))
    }
}

/// The list, sorted by what a value may be equal to.
#[derive(Default)]
struct Wanted<'a> {
    integers: Vec<i128>,
    floats: Vec<f64>,
    strings: Vec<&'a str>,
    days: Vec<i32>,
    times: Vec<(i64, Unit, bool)>,
    spans: Vec<(i64, Unit)>,
    missing: bool,
}

impl<'a> Wanted<'a> {
    fn new(values: &'a [Literal], dtype: &DType) -> Self {
        let mut wanted = Wanted::default();
        let values: Vec<_> = values.iter().map(bare).collect();
        // A list of numbers with a float among them becomes an array of floats, as in NumPy.
        let numbers = values
            .iter()
            .all(|v| matches!(v, Literal::Bool(_) | Literal::Int(_) | Literal::UInt(_) | Literal::Float(_)));
        let floats = numbers && values.iter().any(|value| matches!(value, Literal::Float(_)));
        for value in values {
            match value {
                // NaN is a number that is missing; None and NA are found among non-numbers only.
                Literal::Null => wanted.missing |= !dtype.is_numeric(),
                Literal::Float(v) if v.is_nan() => wanted.missing |= *dtype != DType::Bool,
                Literal::Float(v) => {
                    wanted.floats.push(*v);
                    if v.fract() == 0.0 && v.abs() < 1e19 {
                        wanted.integers.push(*v as i128);
                    }
                }
                Literal::Bool(_) | Literal::Int(_) | Literal::UInt(_) => {
                    let exact = as_integer(value).unwrap_or_default();
                    let float = exact as f64;
                    if floats || float as i128 == exact {
                        wanted.floats.push(float);
                    }
                    wanted.integers.push(if floats { float as i128 } else { exact });
                }
                Literal::Str(text) => wanted.strings.push(text),
                Literal::Date(days) => wanted.days.push(*days),
                Literal::Timestamp(value, unit, tz) => wanted.times.push((*value, *unit, tz.is_some())),
                Literal::Duration(value, unit) => wanted.spans.push((*value, *unit)),
                Literal::List(_) | Literal::Typed(..) | Literal::Decimal(..) | Literal::Bytes(_) => {}
            }
        }
        wanted
    }
}

/// A few values are compared one by one, more are looked up.
fn member<V: Copy, K: Copy + Eq + Hash>(values: &[V], key: impl Fn(V) -> K, wanted: Vec<K>) -> BooleanBuffer {
    match wanted.as_slice() {
        [] => BooleanBuffer::new_unset(values.len()),
        [one] => bits(values, |v| key(v) == *one),
        few if few.len() <= 8 => bits(values, |v| {
            let v = key(v);
            few.iter().fold(false, |found, w| found | (v == *w))
        }),
        many => {
            let set: HashSet<K, foldhash::fast::FixedState> = many.iter().copied().collect();
            bits(values, |v| set.contains(&key(v)))
        }
    }
}

fn search(array: &ArrayRef, dtype: &DType, wanted: &Wanted<'_>) -> Result<BooleanBuffer> {
    // -0.0 equals 0.0.
    let float_key = |v: f64| (v + 0.0).to_bits();
    Ok(match dtype {
        DType::Null => BooleanBuffer::new_unset(array.len()),
        DType::Bool => {
            let array = booleans(array)?;
            let (yes, no) = (wanted.integers.contains(&1), wanted.integers.contains(&0));
            match (yes, no) {
                (true, true) => BooleanBuffer::new_set(array.len()),
                (true, false) => array.values().clone(),
                (false, true) => !array.values(),
                (false, false) => BooleanBuffer::new_unset(array.len()),
            }
        }
        DType::Float64 => {
            let wanted = wanted.floats.iter().map(|v| float_key(*v)).collect();
            member(primitive::<Float64Type>(array)?.values(), float_key, wanted)
        }
        DType::Float32 => {
            let wanted = wanted.floats.iter().map(|v| float_key(*v)).collect();
            member(primitive::<Float32Type>(array)?.values(), |v| float_key(f64::from(v)), wanted)
        }
        DType::Str => {
            let array = strings(array)?;
            if let Some(wanted) = wanted.strings.iter().map(|text| inline(text)).collect() {
                // A view of a short string is the string.
                return Ok(member(array.views(), |view| view, wanted));
            }
            if wanted.strings.len() <= FEW {
                let found = wanted.strings.iter().map(|text| equal(array, text)).reduce(|a, b| &a | &b);
                return Ok(found.unwrap_or_else(|| BooleanBuffer::new_unset(array.len())));
            }
            let set: HashSet<&str, foldhash::fast::FixedState> = wanted.strings.iter().copied().collect();
            let longest = wanted.strings.iter().map(|text| text.len()).max().unwrap_or(0);
            BooleanBuffer::collect_bool(array.len(), |row| {
                array.is_valid(row) && {
                    let text = array.value(row);
                    text.len() <= longest && set.contains(text)
                }
            })
        }
        DType::Date => member(primitive::<Date32Type>(array)?.values(), |v| v, wanted.days.clone()),
        DType::Timestamp(unit, tz) => {
            let wanted = wanted.times.iter().filter(|(_, _, zoned)| *zoned == tz.is_some());
            let wanted = wanted.filter_map(|(value, from, _)| time::rescale(*value, *from, *unit)).collect();
            member(counts(array)?.values(), |v| v, wanted)
        }
        DType::Duration(unit) => {
            let wanted =
                wanted.spans.iter().filter_map(|(value, from)| time::rescale(*value, *from, *unit)).collect();
            member(counts(array)?.values(), |v| v, wanted)
        }
        dtype => with_integer!(dtype, T => {
            type N = <T as ArrowPrimitiveType>::Native;
            let wanted = wanted.integers.iter().filter(|v| fits(**v, dtype)).map(|v| *v as N).collect();
            member(primitive::<T>(array)?.values(), |v| v, wanted)
        }, return Err(unexpected(array.data_type(), "`isin`"))),
    })
}
