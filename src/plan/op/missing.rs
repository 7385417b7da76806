//! Missing values: which they are, and what stands in for them.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::zip::zip;

use super::super::dtype::DType;
use super::operand::{argument, column, present};
use super::promote::{common, is_missing};
use super::{Operand, Operator, Typed};
use crate::error::{Result, misused};

/// `isna`, `notna`.
pub struct IsMissing {
    pub name: &'static str,
    pub wanted: bool,
}

impl Operator for IsMissing {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        match args {
            [_] => Ok(DType::Bool),
            _ => Err(misused(format!("`{}` takes one argument", self.name))),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let present = match argument(args, 0)? {
            Operand::Array(array) => present(array)?,
            Operand::Literal(literal) if is_missing(literal) => Some(BooleanBuffer::new_unset(rows)),
            Operand::Literal(_) => None,
        };
        let present = present.unwrap_or_else(|| BooleanBuffer::new_set(rows));
        Ok(Arc::new(BooleanArray::new(if self.wanted { !&present } else { present }, None)))
    }
}

/// `fillna(x, y)`: `y`, a constant or a column of the same rows, where `x` is missing.
pub struct FillNa;

impl Operator for FillNa {
    fn name(&self) -> &'static str {
        "fillna"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let [a, b] = args else {
            return Err(misused("`fillna` takes a column and what to fill it with"));
        };
        if b.literal.is_some_and(is_missing) {
            return Ok(a.dtype.clone());
        }
        common(a, b, "`fillna`")
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        if let (Operand::Array(array), Operand::Literal(literal)) = (argument(args, 0)?, argument(args, 1)?)
            && is_missing(literal)
        {
            return Ok(array.clone());
        }
        let array = column(argument(args, 0)?, dtype, rows)?;
        match present(&array)? {
            None => Ok(array),
            Some(present) if present.count_set_bits() == present.len() => Ok(array),
            Some(present) => {
                let fill = column(argument(args, 1)?, dtype, rows)?;
                Ok(zip(&BooleanArray::new(present, None), &array, &fill)?)
            }
        }
    }
}
