//! Types that hold what two others hold, and values brought to them without a loss.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, LargeListArray, PrimitiveArray, StructArray, new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use arrow::error::ArrowError;

use crate::plan::DType;
use crate::plan::dtype::Unit;

/// The most digits of a decimal.
const DIGITS: u8 = 38;

/// The narrowest type that holds every value of two types, as far as there is one. 64-bit integers count as held by
/// doubles: those that are not are refused when they are read.
pub fn widest(a: &DType, b: &DType) -> Option<DType> {
    use DType as D;
    Some(match (a, b) {
        (a, b) if a == b => a.clone(),
        (D::Null, other) | (other, D::Null) => other.clone(),
        (a, b) if a.is_numeric() && b.is_numeric() => return number(a, b),
        (D::Date, D::Timestamp(unit, None)) | (D::Timestamp(unit, None), D::Date) => {
            D::Timestamp(*unit, None)
        }
        (D::Timestamp(a, zone), D::Timestamp(b, other)) if zone == other => {
            D::Timestamp(finer(*a, *b), zone.clone())
        }
        (D::Duration(a), D::Duration(b)) => D::Duration(finer(*a, *b)),
        (D::Decimal(..), _) | (_, D::Decimal(..)) => return decimal(a, b),
        (D::List(a), D::List(b)) => D::List(Arc::new(widest(a, b)?)),
        (D::Struct(a), D::Struct(b)) => {
            let mut fields = a.to_vec();
            for (name, dtype) in b.iter() {
                match fields.iter_mut().find(|(known, _)| known == name) {
                    Some((_, known)) => *known = widest(known, dtype)?,
                    None => fields.push((name.clone(), dtype.clone())),
                }
            }
            D::Struct(fields.into())
        }
        _ => return None,
    })
}

fn number(a: &DType, b: &DType) -> Option<DType> {
    use DType as D;
    let (bits, other) = (a.bits()?, b.bits()?);
    let most = bits.max(other);
    Some(match (a.is_float(), b.is_float()) {
        (true, true) => {
            if most == 64 {
                D::Float64
            } else {
                D::Float32
            }
        }
        (false, false) if a.is_signed() == b.is_signed() => {
            if bits == most {
                a.clone()
            } else {
                b.clone()
            }
        }
        (false, false) => {
            // A sign takes a bit: the unsigned one needs twice its width.
            let (signed, unsigned) = if a.is_signed() { (bits, other) } else { (other, bits) };
            match signed.max(unsigned * 2) {
                16 => D::Int16,
                32 => D::Int32,
                64 => D::Int64,
                _ => return None,
            }
        }
        (float, _) => {
            let (float, integer) = if float { (bits, other) } else { (other, bits) };
            if float == 32 && integer <= 16 { D::Float32 } else { D::Float64 }
        }
    })
}

fn decimal(a: &DType, b: &DType) -> Option<DType> {
    let (precision, scale) = digits(a)?;
    let (other_precision, other_scale) = digits(b)?;
    let scale_both = scale.max(other_scale);
    let whole =
        (i16::from(precision) - i16::from(scale)).max(i16::from(other_precision) - i16::from(other_scale));
    let precision = u8::try_from(whole + i16::from(scale_both)).ok()?;
    (precision <= DIGITS).then_some(DType::Decimal(precision, scale_both))
}

/// Digits of a decimal or integer type, and how many of them are behind the point.
fn digits(dtype: &DType) -> Option<(u8, i8)> {
    Some(match dtype {
        DType::Decimal(precision, scale) => (*precision, *scale),
        DType::Int8 | DType::UInt8 => (3, 0),
        DType::Int16 | DType::UInt16 => (5, 0),
        DType::Int32 | DType::UInt32 => (10, 0),
        DType::Int64 => (19, 0),
        DType::UInt64 => (20, 0),
        _ => return None,
    })
}

fn finer(a: Unit, b: Unit) -> Unit {
    let rank = |unit| match unit {
        Unit::Second => 0,
        Unit::Milli => 1,
        Unit::Micro => 2,
        Unit::Nano => 3,
    };
    if rank(a) >= rank(b) { a } else { b }
}

/// Values in a type that holds theirs; what it does not hold is an error, never another value.
pub fn conform(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    match (array.data_type(), to) {
        (from, to) if from == to => Ok(array.clone()),
        (DataType::Null, to) => Ok(new_null_array(to, array.len())),
        (DataType::Dictionary(_, values), to) if values.is_nested() => {
            conform(&cast_with_options(array, values, &strict)?, to)
        }
        (DataType::List(item) | DataType::FixedSizeList(item, _), DataType::LargeList(_)) => {
            let large = DataType::LargeList(item.clone());
            conform(&cast_with_options(array, &large, &strict)?, to)
        }
        (DataType::LargeList(_), DataType::LargeList(item)) => {
            let list = array.as_list::<i64>();
            let values = conform(list.values(), item.data_type())?;
            let made =
                LargeListArray::try_new(item.clone(), list.offsets().clone(), values, list.nulls().cloned())?;
            Ok(Arc::new(made))
        }
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let found = array.as_struct();
            let columns = fields.iter().map(|field| match found.column_by_name(field.name()) {
                Some(column) => conform(column, field.data_type()),
                None => Ok(new_null_array(field.data_type(), found.len())),
            });
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            Ok(Arc::new(StructArray::try_new_with_length(
                fields.clone(),
                columns,
                found.nulls().cloned(),
                found.len(),
            )?))
        }
        (DataType::Date32, DataType::Timestamp(unit, None)) => midnights(array.as_primitive(), *unit),
        (DataType::Int64, DataType::Float64) => doubles(array.as_primitive::<Int64Type>(), |value| {
            let double = value as f64;
            (double as i128 == i128::from(value)).then_some(double)
        }),
        (DataType::UInt64, DataType::Float64) => doubles(array.as_primitive::<UInt64Type>(), |value| {
            let double = value as f64;
            (double as u128 == u128::from(value)).then_some(double)
        }),
        (_, to) => cast_with_options(array, to, &strict),
    }
}

fn doubles<T: ArrowPrimitiveType>(
    array: &PrimitiveArray<T>,
    exact: impl Fn(T::Native) -> Option<f64>,
) -> Result<ArrayRef, ArrowError> {
    let made: PrimitiveArray<Float64Type> = array.try_unary(|value| {
        exact(value)
            .ok_or_else(|| ArrowError::CastError(format!("{value:?} is not a number of double precision")))
    })?;
    Ok(Arc::new(made))
}

fn midnights(days: &PrimitiveArray<Date32Type>, unit: TimeUnit) -> Result<ArrayRef, ArrowError> {
    fn of<T: ArrowPrimitiveType<Native = i64>>(
        days: &PrimitiveArray<Date32Type>,
        each: i64,
    ) -> Result<ArrayRef, ArrowError> {
        let made: PrimitiveArray<T> = days.try_unary(|day| {
            i64::from(day).checked_mul(each).ok_or_else(|| {
                ArrowError::CastError(format!(
                    "the day {day} after 1970-01-01 is out of the range of the other type"
                ))
            })
        })?;
        Ok(Arc::new(made))
    }
    const SECONDS: i64 = 86_400;
    match unit {
        TimeUnit::Second => of::<TimestampSecondType>(days, SECONDS),
        TimeUnit::Millisecond => of::<TimestampMillisecondType>(days, SECONDS * 1_000),
        TimeUnit::Microsecond => of::<TimestampMicrosecondType>(days, SECONDS * 1_000_000),
        TimeUnit::Nanosecond => of::<TimestampNanosecondType>(days, SECONDS * 1_000_000_000),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use arrow::array::{Date32Array, Decimal128Array, Int32Array, Int64Array, TimestampSecondArray};
    use arrow::datatypes::Int32Type;

    #[test]
    fn numbers_widen_to_what_holds_both() {
        use DType as D;
        let cases = [
            (D::Int32, D::Int64, Some(D::Int64)),
            (D::UInt8, D::Int8, Some(D::Int16)),
            (D::UInt32, D::Int8, Some(D::Int64)),
            (D::UInt64, D::Int8, None),
            (D::Int16, D::Float32, Some(D::Float32)),
            (D::Int32, D::Float32, Some(D::Float64)),
            (D::Int64, D::Float64, Some(D::Float64)),
            (D::Decimal(10, 2), D::Decimal(12, 0), Some(D::Decimal(14, 2))),
            (D::Decimal(38, 0), D::Decimal(38, 10), None),
            (D::Decimal(5, 2), D::Int32, Some(D::Decimal(12, 2))),
            (D::Decimal(5, 2), D::Float64, None),
            (D::Date, D::Timestamp(Unit::Milli, None), Some(D::Timestamp(Unit::Milli, None))),
            (D::Date, D::Timestamp(Unit::Milli, Some("UTC".into())), None),
            (
                D::Timestamp(Unit::Milli, None),
                D::Timestamp(Unit::Micro, None),
                Some(D::Timestamp(Unit::Micro, None)),
            ),
            (D::Bool, D::Int8, None),
            (D::Str, D::Int64, None),
            (D::Str, D::Null, Some(D::Str)),
        ];
        for (a, b, expected) in cases {
            assert_eq!(widest(&a, &b), expected, "{a} {b}");
            assert_eq!(widest(&b, &a), expected, "{b} {a}");
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let big: ArrayRef = Arc::new(Int64Array::from(vec![Some((1 << 53) + 1), None]));
        assert!(conform(&big, &DataType::Float64).is_err());
        let most: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX]));
        assert!(conform(&most, &DataType::Float64).is_err());
        let least: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN, 1 << 53]));
        assert!(conform(&least, &DataType::Float64).is_ok());
        let far: ArrayRef = Arc::new(Date32Array::from(vec![200_000]));
        assert!(conform(&far, &DataType::Timestamp(TimeUnit::Nanosecond, None)).is_err());
        assert!(conform(&far, &DataType::Timestamp(TimeUnit::Microsecond, None)).is_ok());
        let late: ArrayRef = Arc::new(TimestampSecondArray::from(vec![10_000_000_000]));
        assert!(conform(&late, &DataType::Timestamp(TimeUnit::Nanosecond, None)).is_err());
        let decimal: ArrayRef =
            Arc::new(Decimal128Array::from(vec![12_345]).with_precision_and_scale(5, 2).unwrap());
        let wide = conform(&decimal, &DataType::Decimal128(9, 4)).unwrap();
        assert_eq!(wide.as_primitive::<arrow::datatypes::Decimal128Type>().value(0), 1_234_500);
    }

    #[test]
    fn nested_values_widen_by_name() {
        let from = DataType::Struct(vec![arrow::datatypes::Field::new("b", DataType::Int32, true)].into());
        let inner: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
        let DataType::Struct(fields) = from else { unreachable!() };
        let found: ArrayRef = Arc::new(StructArray::try_new(fields, vec![inner], None).unwrap());
        let to = DType::Struct(Arc::from(vec![("a".into(), DType::Str), ("b".into(), DType::Int64)]));
        let made = conform(&found, &to.arrow().unwrap()).unwrap();
        let made = made.as_struct();
        assert_eq!(made.column(0).null_count(), 2);
        assert_eq!(made.column(1).as_primitive::<Int64Type>().value(0), 1);
        assert!(Int32Type::DATA_TYPE != DataType::Int64);
    }
}
