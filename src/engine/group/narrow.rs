//! Whole numbers in as few bytes as they need, while their groups wait for their place: counts mostly need one of eight.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, UInt8Type, UInt32Type, UInt64Type};

use crate::error::Result;

/// The column in fewer bytes where all of its values are there and fit, else as it is.
pub fn narrowed(column: ArrayRef) -> ArrayRef {
    let narrow = match column.data_type() {
        DataType::Int64 => of(column.as_primitive::<Int64Type>(), |value| u64::try_from(value).ok()),
        DataType::UInt64 => of(column.as_primitive::<UInt64Type>(), Some),
        _ => None,
    };
    narrow.unwrap_or(column)
}

/// `number` gives a value as a number from 0 on; none if it is below.
fn of<T: ArrowPrimitiveType>(
    column: &PrimitiveArray<T>,
    number: impl Fn(T::Native) -> Option<u64>,
) -> Option<ArrayRef> {
    if column.null_count() > 0 {
        return None;
    }
    // What is below 0 is too large for either.
    let as_number = |value: &T::Native| number(*value).unwrap_or(u64::MAX);
    let most = column.values().iter().map(as_number).fold(0, u64::max);
    if most <= u64::from(u8::MAX) {
        let values = column.values().iter().map(|value| as_number(value) as u8);
        return Some(Arc::new(PrimitiveArray::<UInt8Type>::from_iter_values(values)));
    }
    (most <= u64::from(u32::MAX)).then(|| {
        let values = column.values().iter().map(|value| as_number(value) as u32);
        Arc::new(PrimitiveArray::<UInt32Type>::from_iter_values(values)) as ArrayRef
    })
}

/// Parts of one column, some of which were narrowed: all of the type that has room for the values of each.
pub fn alike(mut parts: Vec<ArrayRef>) -> Result<Vec<ArrayRef>> {
    let rank = |data_type: &DataType| match data_type {
        DataType::UInt8 => 0,
        DataType::UInt32 => 1,
        _ => 2,
    };
    let widest = parts.iter().map(|part| part.data_type()).max_by_key(|data_type| rank(data_type)).cloned();
    if let Some(widest) = widest {
        for part in &mut parts {
            if *part.data_type() != widest {
                *part = cast(part, &widest)?;
            }
        }
    }
    Ok(parts)
}

/// A column that may have been narrowed, as the type that it is of.
pub fn widened(column: ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    if column.data_type() == data_type { Ok(column) } else { Ok(cast(&column, data_type)?) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{Int64Array, UInt64Array};
    use arrow::compute::concat;
    use proptest::prelude::*;

    use super::*;

    /// A number of any size, mostly one that is not below zero, or none.
    fn number() -> impl Strategy<Value = Option<i64>> {
        let sized = (0u32..64, any::<i64>()).prop_map(|(bits, value)| Some((value >> bits).saturating_abs()));
        prop_oneof![9 => sized, 1 => any::<i64>().prop_map(Some), 1 => Just(None)]
    }

    proptest! {
        /// Whatever was narrowed, the values come out as they went in.
        #[test]
        fn values_come_out_as_they_went_in(
            tables in prop::collection::vec(prop::collection::vec(number(), 0..6), 1..5),
            unsigned: bool,
        ) {
            let column = |values: &Vec<Option<i64>>| -> ArrayRef {
                match unsigned {
                    true => Arc::new(values.iter().map(|value| value.map(|value| value as u64)).collect::<UInt64Array>()),
                    false => Arc::new(values.iter().copied().collect::<Int64Array>()),
                }
            };
            let wide: Vec<ArrayRef> = tables.iter().map(column).collect();
            let narrow: Vec<ArrayRef> = wide.iter().cloned().map(narrowed).collect();
            for (wide, narrow) in wide.iter().zip(&narrow) {
                prop_assert!(narrow.get_buffer_memory_size() <= wide.get_buffer_memory_size() + 64);
            }
            let join = |parts: &[ArrayRef]| concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>()).unwrap();
            let found = widened(join(&alike(narrow).unwrap()), wide[0].data_type()).unwrap();
            prop_assert_eq!(&found, &join(&wide));
        }
    }

    #[test]
    fn small_numbers_take_fewer_bytes() {
        let type_of = |values: Vec<i64>| narrowed(Arc::new(Int64Array::from(values))).data_type().clone();
        assert_eq!(type_of(vec![0, 255]), DataType::UInt8);
        assert_eq!(type_of(vec![0, 256]), DataType::UInt32);
        assert_eq!(type_of(vec![0, 1 << 32]), DataType::Int64);
        assert_eq!(type_of(vec![0, -1]), DataType::Int64);
    }
}
