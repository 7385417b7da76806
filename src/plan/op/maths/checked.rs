//! Arithmetic of Python's own integers, which grow where those of 64 bits would wrap: an overflow is a failure.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;

use super::super::arithmetic::Kind;
use super::super::operand::{argument, side, try_apply};
use super::super::promote::{describe, mismatch};
use super::super::{Operand, Operator, Typed, failed};
use crate::error::{Result, misused};
use crate::plan::DType;

pub struct Checked {
    pub kind: Kind,
    pub name: &'static str,
    pub symbol: &'static str,
}

impl Operator for Checked {
    fn name(&self) -> &'static str {
        self.name
    }

    fn display(&self, args: &[String]) -> String {
        format!("({})", args.join(&format!(" {} ", self.symbol)))
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let [a, b] = args else {
            return Err(misused(format!("`{}` takes two arguments", self.name)));
        };
        if a.dtype != DType::Int64 || b.dtype != DType::Int64 {
            return Err(mismatch(
                format!("{} {} {} is not one of integers", describe(a), self.symbol, describe(b)),
                "Convert them first",
            ));
        }
        Ok(DType::Int64)
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let (a, b) =
            (side::<Int64Type>(argument(args, 0)?, dtype)?, side::<Int64Type>(argument(args, 1)?, dtype)?);
        let beyond = || {
            failed(format!("the integers of `{}` went beyond 64 bits", self.symbol))
                .hint("Compute in floats: `float` columns, or `.astype(\"float64\")` first")
        };
        let kind = self.kind;
        let array = try_apply(&a, &b, rows, |a, b| {
            let result = match kind {
                Kind::Add => a.checked_add(b),
                Kind::Sub => a.checked_sub(b),
                Kind::Mul => a.checked_mul(b),
                _ => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
            };
            result.ok_or_else(beyond)
        })?;
        Ok(Arc::new(array))
    }
}
