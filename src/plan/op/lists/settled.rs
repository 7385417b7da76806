//! Structs whose fields are missing wherever the struct is, for those who read fields without looking at the struct.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, LargeListArray, StructArray};
use arrow::datatypes::DataType;

use super::field::masked;
use super::{Operand, Operator, Typed};
use crate::error::{Error, Result, misused};
use crate::plan::DType;
use crate::plan::op::operand::argument;

pub struct Settled;

impl Operator for Settled {
    fn name(&self) -> &'static str {
        "struct_settled"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        match args {
            [arg] => Ok(arg.dtype.clone()),
            _ => Err(misused("`struct_settled` takes one argument")),
        }
    }

    fn eval(&self, args: &[Operand], _: usize, _: &DType) -> Result<ArrayRef> {
        match argument(args, 0)? {
            Operand::Array(array) => settled(array),
            Operand::Literal(_) => Err(Error::internal("the fields of a constant")),
        }
    }
}

/// Whether a value of this type has structs in it.
pub fn has_structs(dtype: &DType) -> bool {
    match dtype {
        DType::Struct(_) => true,
        DType::List(item) => has_structs(item),
        _ => false,
    }
}

fn settled(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Struct(fields) => {
            let structs = array.as_struct();
            let columns = structs.columns().iter().map(|column| settled(&masked(column, structs.nulls())?));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(StructArray::try_new(fields.clone(), columns, structs.nulls().cloned())?))
        }
        DataType::LargeList(item) => {
            let lists = array.as_list::<i64>();
            let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
            Ok(Arc::new(LargeListArray::try_new(item.clone(), offsets, settled(lists.values())?, nulls)?))
        }
        _ => Ok(array.clone()),
    }
}
