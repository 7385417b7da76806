//! Logic on booleans.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::buffer::BooleanBuffer;

use super::super::dtype::DType;
use super::operand::{argument, booleans, column};
use super::promote::{describe, is_missing, mismatch};
use super::{Operand, Operator, Typed, failed};
use crate::error::{Error, Result, misused, not_decomposable};

/// `&`, `|`, `^`; a missing value counts as False.
pub struct Logic {
    pub name: &'static str,
    pub symbol: &'static str,
}

impl Operator for Logic {
    fn name(&self) -> &'static str {
        self.name
    }

    fn display(&self, args: &[String]) -> String {
        format!("({})", args.join(&format!(" {} ", self.symbol)))
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let [a, b] = args else {
            return Err(misused(format!("`{}` takes two arguments", self.symbol)));
        };
        check(a, self.symbol)?;
        check(b, self.symbol)?;
        Ok(DType::Bool)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let (a, b) = (truth(argument(args, 0)?, rows)?, truth(argument(args, 1)?, rows)?);
        let result = match self.name {
            "and" => &a & &b,
            "or" => &a | &b,
            "xor" => &a ^ &b,
            other => return Err(Error::internal(format!("there is no logic `{other}`"))),
        };
        Ok(Arc::new(BooleanArray::new(result, None)))
    }
}

/// `~`.
pub struct Not;

impl Operator for Not {
    fn name(&self) -> &'static str {
        "not"
    }

    fn display(&self, args: &[String]) -> String {
        format!("~{}", args.join(", "))
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let [a] = args else { return Err(misused("`~` takes one argument")) };
        check(a, "~")?;
        Ok(DType::Bool)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let array = column(argument(args, 0)?, &DType::Bool, rows)?;
        let array = booleans(&array)?;
        if array.null_count() > 0 {
            return Err(failed("`~` met a missing value in a boolean column".to_owned())
                .hint("Say what a missing value counts as: `~column.fillna(False)`"));
        }
        Ok(Arc::new(BooleanArray::new(!array.values(), None)))
    }
}

fn check(arg: &Typed<'_>, symbol: &str) -> Result<()> {
    if arg.dtype == DType::Bool {
        return Ok(());
    }
    if arg.dtype.is_integer() {
        return Err(not_decomposable(format!("`{symbol}` on {} would work bit by bit", describe(arg))).hint(
            "Compare first, e.g. `(column != 0)`; put comparisons in parentheses: `(a > 1) & (b > 2)`",
        ));
    }
    if arg.literal.is_some_and(is_missing) || !arg.dtype.is_float() {
        return Err(mismatch(
            format!("`{symbol}` is not defined for {}", describe(arg)),
            "Both sides must be boolean: compare first, e.g. `(column == \"a\")`",
        ));
    }
    Err(mismatch(
        format!("`{symbol}` is not defined for {}", describe(arg)),
        "Compare first, e.g. `(column > 0)`; put comparisons in parentheses",
    ))
}

/// Which rows are True.
pub fn truth(operand: &Operand, rows: usize) -> Result<BooleanBuffer> {
    let array = column(operand, &DType::Bool, rows)?;
    let array = booleans(&array)?;
    Ok(match array.nulls() {
        Some(nulls) => array.values() & nulls.inner(),
        None => array.values().clone(),
    })
}
