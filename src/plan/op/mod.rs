//! Operators: row-wise functions with pandas' semantics, one file each and one line in the list below.

mod arithmetic;

use arrow::array::ArrayRef;

use super::dtype::DType;
use super::expr::Literal;
use crate::error::{Result, not_decomposable};

/// An argument as a rule sees it while tracing: its type, and its value where it is a constant.
#[derive(Debug, Clone)]
pub struct Typed<'a> {
    pub dtype: DType,
    pub literal: Option<&'a Literal>,
}

/// An argument as a kernel sees it: a whole column in its type's Arrow form, or a constant.
#[derive(Debug, Clone)]
pub enum Operand {
    Array(ArrayRef),
    Literal(Literal),
}

/// One row-wise operator.
pub trait Operator: Sync {
    fn name(&self) -> &'static str;

    /// How a person would write it; `explain()` shows expressions by it.
    fn display(&self, args: &[String]) -> String {
        format!("{}({})", self.name(), args.join(", "))
    }

    /// The result's type, or why these arguments are refused (`NOT_DECOMPOSABLE`, or `SCHEMA_MISMATCH`
    /// where pandas would raise as well).
    fn infer(&self, args: &[Typed<'_>]) -> Result<DType>;

    /// Computes `rows` rows; `dtype` is what `infer` gave. The result has that type's Arrow form.
    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef>;
}

/// Every operator there is.
pub const OPERATORS: &[&dyn Operator] = &[];

pub fn find(name: &str) -> Result<&'static dyn Operator> {
    OPERATORS
        .iter()
        .copied()
        .find(|operator| operator.name() == name)
        .ok_or_else(|| not_decomposable(format!("there is no native operator `{name}`")))
}
