//! Lists cut to the values that they show: a slice of a column of lists holds on to the values of all of it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericListArray, OffsetSizeTrait, StructArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::DataType;

use crate::error::Result;

/// The same values, and no others in the lists' arrays of values.
pub fn trimmed(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::List(_) => Ok(Arc::new(cut(array.as_list::<i32>())?)),
        DataType::LargeList(_) => Ok(Arc::new(cut(array.as_list::<i64>())?)),
        DataType::Struct(fields) => {
            let structs = array.as_struct();
            let columns = structs.columns().iter().map(trimmed).collect::<Result<Vec<_>>>()?;
            if columns.is_empty() {
                return Ok(array.clone());
            }
            Ok(Arc::new(StructArray::try_new(fields.clone(), columns, structs.nulls().cloned())?))
        }
        _ => Ok(array.clone()),
    }
}

pub fn cut<O: OffsetSizeTrait>(lists: &GenericListArray<O>) -> Result<GenericListArray<O>> {
    let offsets = lists.value_offsets();
    let (Some(first), Some(last)) = (offsets.first().copied(), offsets.last().copied()) else {
        return Ok(lists.clone());
    };
    let (from, to) = (first.as_usize(), last.as_usize());
    let whole = from == 0 && to == lists.values().len();
    if whole && !lists.values().data_type().is_nested() {
        return Ok(lists.clone());
    }
    let values = trimmed(&lists.values().slice(from, to - from))?;
    let offsets = if from == 0 {
        lists.offsets().clone()
    } else {
        OffsetBuffer::new(ScalarBuffer::from(
            offsets.iter().map(|offset| *offset - first).collect::<Vec<_>>(),
        ))
    };
    let item = match lists.data_type() {
        DataType::List(item) | DataType::LargeList(item) => item.clone(),
        _ => return Ok(lists.clone()),
    };
    Ok(GenericListArray::try_new(item, offsets, values, lists.nulls().cloned())?)
}
