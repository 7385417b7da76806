//! Lists and structs: their lengths, values and fields. One file each and one line in the list below.

mod contains;
mod field;
mod fuse;
mod get;
mod join;
mod len;
mod make;
mod mode;
mod settled;
mod slice;
mod trim;
mod unique;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, LargeListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::Field;

use super::operand::argument;
use super::promote::{bare, describe};
use super::{Operand, Operator, Typed};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::{DType, Literal};

pub use self::field::masked;
pub use self::fuse::fused;
pub use self::settled::has_structs;
pub use self::trim::trimmed;

pub const OPERATORS: &[&dyn Operator] = &[
    &len::Len { name: "list_len", dtype: DType::Int64 },
    &len::Len { name: "list_value_length", dtype: DType::Int32 },
    &get::Get,
    &make::Make,
    &mode::Mode,
    &slice::Slice,
    &join::Join,
    &contains::Contains,
    &unique::Unique,
    &field::Field,
    &settled::Settled,
];

/// The type of the values of an operator's first argument, which must be lists.
fn item_of<'a>(args: &'a [Typed<'_>], call: &str) -> Result<&'a DType> {
    match args.first().map(|arg| &arg.dtype) {
        Some(DType::List(item)) => Ok(item),
        _ => {
            let found = args.first().map_or_else(|| "nothing".to_owned(), describe);
            Err(not_decomposable(format!("{call} needs lists, and this is {found}"))
                .hint("`p.dtypes` says which columns have lists; make lists of text with `.str.split(...)`"))
        }
    }
}

/// The column of lists that is an operator's first argument.
fn lists(args: &[Operand]) -> Result<LargeListArray> {
    match argument(args, 0)? {
        Operand::Array(array) => match array.as_list_opt::<i64>() {
            Some(lists) => trim::cut(lists),
            None => Err(Error::internal("a list operator was given no lists")),
        },
        Operand::Literal(_) => Err(Error::internal("a list operator was given a constant")),
    }
}

/// An argument that is a whole number, or None.
fn whole(args: &[Operand], place: usize) -> Result<Option<i64>> {
    match argument(args, place)? {
        Operand::Literal(literal) => match bare(literal) {
            Literal::Null => Ok(None),
            Literal::Int(value) => Ok(Some(*value)),
            _ => Err(Error::internal("a list operator has a constant of the wrong type")),
        },
        Operand::Array(_) => Err(Error::internal("a list operator is told how by constants")),
    }
}

/// Lists of these values, as many as `offsets` has but one.
pub(super) fn list_of(values: ArrayRef, offsets: Vec<i64>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(Arc::new(LargeListArray::try_new(item, offsets, values, nulls)?))
}

/// From where to where the values of a row lie; nothing where the list is missing.
fn range(lists: &LargeListArray, row: usize) -> Option<(usize, usize)> {
    let offsets = lists.value_offsets();
    lists.is_valid(row).then(|| (offsets[row] as usize, offsets[row + 1] as usize))
}
