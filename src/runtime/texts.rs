//! Texts on their way out: from views to one stretch of bytes with 64-bit offsets.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray, LargeBinaryArray, LargeStringArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{ByteViewType, DataType};

use crate::error::Result;

/// Up to this many bytes a view holds its value.
const INLINE: usize = 12;

/// A column as the type that is handed out for it.
pub fn converted(column: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    Ok(match (column.data_type(), to) {
        (from, to) if from == to => column.clone(),
        (DataType::Utf8View, DataType::LargeUtf8) => {
            let array = column.as_string_view();
            let (offsets, bytes) = stretched(array);
            // SAFETY: the bytes between two offsets are a value of the array, whose values are valid texts.
            Arc::new(unsafe { LargeStringArray::new_unchecked(offsets, bytes, array.nulls().cloned()) })
        }
        (DataType::BinaryView, DataType::LargeBinary) => {
            let array = column.as_binary_view();
            let (offsets, bytes) = stretched(array);
            Arc::new(LargeBinaryArray::try_new(offsets, bytes, array.nulls().cloned())?)
        }
        (_, to) => cast(column, to)?,
    })
}

/// All values, one behind the other. What lies below a missing one is left out.
fn stretched<T: ByteViewType + ?Sized>(array: &GenericByteViewArray<T>) -> (OffsetBuffer<i64>, Buffer) {
    let views = array.views();
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
    let length = |row: usize, view: u128| match nulls {
        Some(nulls) if nulls.is_null(row) => 0,
        _ => view as u32 as usize,
    };
    let total: usize = views.iter().enumerate().map(|(row, view)| length(row, *view)).sum();
    let mut offsets: Vec<i64> = Vec::with_capacity(views.len() + 1);
    // A short value is copied with what is behind it in its view.
    let mut bytes: Vec<u8> = Vec::with_capacity(total + INLINE);
    offsets.push(0);
    for (row, view) in views.iter().enumerate() {
        let length = length(row, *view);
        if length <= INLINE {
            let end = bytes.len() + length;
            bytes.extend_from_slice(&view.to_le_bytes()[4..]);
            bytes.truncate(end);
        } else {
            let (buffer, from) = ((view >> 64) as u32 as usize, (view >> 96) as u32 as usize);
            bytes.extend_from_slice(&array.data_buffers()[buffer].as_slice()[from..from + length]);
        }
        offsets.push(bytes.len() as i64);
    }
    // SAFETY: offsets were pushed in ascending order, from 0 on.
    let offsets = unsafe { OffsetBuffer::new_unchecked(ScalarBuffer::from(offsets)) };
    (offsets, Buffer::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{BinaryViewArray, StringViewArray};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_are_those_of_a_cast(
            texts in prop::collection::vec(prop::option::of("[a-zé]{0,20}"), 0..40),
            from in 0usize..40,
        ) {
            let from = from.min(texts.len());
            let views: ArrayRef = Arc::new(texts.iter().map(Option::as_deref).collect::<StringViewArray>());
            let bytes = texts.iter().map(|text| text.as_ref().map(String::as_bytes));
            let bytes: ArrayRef = Arc::new(bytes.collect::<BinaryViewArray>());
            for (array, to) in [(views, DataType::LargeUtf8), (bytes, DataType::LargeBinary)] {
                let array = array.slice(from, texts.len() - from);
                let found = converted(&array, &to).unwrap();
                found.to_data().validate_full().unwrap();
                prop_assert_eq!(&found, &cast(&array, &to).unwrap());
            }
        }
    }
}
