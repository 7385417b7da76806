//! What Arrow leaves open: the views and codes of missing values may point anywhere. Here they point at something.
//!
//! Kernels look values up in all rows and drop the missing ones afterwards; so what comes from other libraries is looked
//! at chunk by chunk, just before it is used. Nothing is copied where nothing points beyond its end.

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, make_array};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::datatypes::{ArrowNativeType, BinaryViewType, ByteViewType, DataType, StringViewType};

use crate::error::Result;

/// The same values with sound views and codes below the missing ones; nothing if they are sound.
pub fn sound(array: &ArrayRef) -> Result<Option<ArrayRef>> {
    let astray = match array.data_type() {
        DataType::Utf8View => views_astray::<StringViewType>(array),
        DataType::BinaryView => views_astray::<BinaryViewType>(array),
        other => points(other),
    };
    if !astray {
        return Ok(None);
    }
    Ok(mended(&array.to_data())?.map(make_array))
}

/// Whether values of a type are places of something.
fn points(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8View | DataType::BinaryView | DataType::Dictionary(..) => true,
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => points(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| points(field.data_type())),
        _ => false,
    }
}

fn views_astray<T: ByteViewType>(array: &ArrayRef) -> bool {
    let array = array.as_byte_view::<T>();
    let Some(nulls) = array.nulls() else { return false };
    let (views, buffers) = (array.views(), array.data_buffers());
    missing(nulls).any(|row| is_astray(views[row], buffers))
}

fn missing(nulls: &NullBuffer) -> impl Iterator<Item = usize> {
    let all = if nulls.null_count() == 0 { 0 } else { nulls.len() };
    (0..all).filter(|row| nulls.is_null(*row))
}

/// Whether a view is of bytes that are not there.
fn is_astray(view: u128, buffers: &[Buffer]) -> bool {
    let (length, buffer, start) = (view as u32 as usize, (view >> 64) as u32 as usize, (view >> 96) as usize);
    length > 12 && buffers.get(buffer).is_none_or(|buffer| start + length > buffer.len())
}

fn mended(data: &ArrayData) -> Result<Option<ArrayData>> {
    let mut children = data.child_data().to_vec();
    let mut changed = false;
    for child in &mut children {
        if points(child.data_type())
            && let Some(other) = mended(child)?
        {
            (*child, changed) = (other, true);
        }
    }
    let own = match (data.data_type(), data.nulls()) {
        (DataType::Utf8View | DataType::BinaryView, Some(nulls)) => {
            replaced::<u128>(data, nulls, |view| is_astray(view, &data.buffers()[1..]))
        }
        (DataType::Dictionary(key, _), Some(nulls)) => {
            let values = data.child_data()[0].len();
            match **key {
                DataType::Int8 => codes::<i8>(data, nulls, values),
                DataType::Int16 => codes::<i16>(data, nulls, values),
                DataType::Int32 => codes::<i32>(data, nulls, values),
                DataType::Int64 => codes::<i64>(data, nulls, values),
                DataType::UInt8 => codes::<u8>(data, nulls, values),
                DataType::UInt16 => codes::<u16>(data, nulls, values),
                DataType::UInt32 => codes::<u32>(data, nulls, values),
                DataType::UInt64 => codes::<u64>(data, nulls, values),
                _ => None,
            }
        }
        _ => None,
    };
    if own.is_none() && !changed {
        return Ok(None);
    }
    let mut buffers = data.buffers().to_vec();
    if let Some(own) = own {
        buffers[0] = own;
    }
    // Looks at all of it: what is wrong in rows that are there is said.
    Ok(Some(data.clone().into_builder().buffers(buffers).child_data(children).build()?))
}

fn codes<T: ArrowNativeType>(data: &ArrayData, nulls: &NullBuffer, values: usize) -> Option<Buffer> {
    let astray = |code: T| code.to_usize().is_none_or(|code| code >= values);
    replaced(data, nulls, |code| code != T::default() && astray(code))
}

/// The first buffer with zeros in the place of those missing values that are astray, if there are any.
fn replaced<T: ArrowNativeType>(
    data: &ArrayData,
    nulls: &NullBuffer,
    astray: impl Fn(T) -> bool,
) -> Option<Buffer> {
    let given: &[T] = data.buffers()[0].typed_data();
    let offset = data.offset();
    let first = missing(nulls).find(|row| astray(given[offset + row]))?;
    let mut made = given.to_vec();
    for row in missing(nulls).skip_while(|row| *row < first) {
        if astray(made[offset + row]) {
            made[offset + row] = T::default();
        }
    }
    Some(Buffer::from_vec(made))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int8Array, ListArray, StringArray, StringViewArray, StructArray};
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{Field, Fields, Int8Type};

    use super::*;

    fn unchecked(data: arrow::array::ArrayDataBuilder) -> ArrayRef {
        // SAFETY: what is astray is below missing values, which nobody reads here before it is mended.
        make_array(unsafe { data.build_unchecked() })
    }

    /// Two texts, and between them a missing one whose view is of nothing.
    fn texts() -> ArrayRef {
        let good = StringViewArray::from(vec![Some("a text that is long"), None, Some("b")]);
        let mut views = good.views().to_vec();
        views[1] = 0x4000_0000_0000_004d_4141_4141_0010_0000;
        let mut buffers = good.to_data().buffers().to_vec();
        buffers[0] = Buffer::from_vec(views);
        unchecked(good.to_data().into_builder().buffers(buffers))
    }

    fn coded() -> ArrayRef {
        let codes = Int8Array::from(vec![Some(1), None, Some(0), None]).to_data();
        let codes = codes.into_builder().buffers(vec![Buffer::from_vec(vec![1_i8, -7, 0, 99])]);
        let values = StringArray::from(vec!["x", "y"]).to_data();
        let kind = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        unchecked(codes.data_type(kind).child_data(vec![values]))
    }

    #[test]
    fn what_is_astray_is_mended_and_nothing_else() {
        // Arrow's own check looks at views below missing values, and not at codes there.
        assert!(texts().to_data().validate_full().is_err());
        for array in [texts(), coded()] {
            let made = sound(&array).unwrap().unwrap();
            made.to_data().validate_full().unwrap();
            assert_eq!(made.nulls(), array.nulls());
            assert!(sound(&made).unwrap().is_none());
            // Of a part only what is in it.
            let part = sound(&array.slice(1, 2)).unwrap().unwrap();
            assert_eq!(&part, &made.slice(1, 2));
            assert!(sound(&array.slice(2, 1)).unwrap().is_none());
        }
        let texts = sound(&texts()).unwrap().unwrap();
        let values: Vec<_> = texts.as_string_view().iter().collect();
        assert_eq!(values, [Some("a text that is long"), None, Some("b")]);
        let coded = sound(&coded()).unwrap().unwrap();
        assert_eq!(coded.as_dictionary::<Int8Type>().keys().values().as_ref(), [1, 0, 0, 0]);
    }

    #[test]
    fn what_is_within_something_is_mended_too() {
        let field = Arc::new(Field::new("item", DataType::Utf8View, true));
        let list = ListArray::new(field, OffsetBuffer::from_lengths([1, 2]), texts(), None);
        let fields = Fields::from(vec![Field::new("l", list.data_type().clone(), true)]);
        let array: ArrayRef = Arc::new(StructArray::new(fields, vec![Arc::new(list)], None));
        assert!(array.to_data().validate_full().is_err());
        sound(&array).unwrap().unwrap().to_data().validate_full().unwrap();
    }
}
