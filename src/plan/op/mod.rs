//! Operators: row-wise functions with pandas' semantics, one file each and one line in the list below.

mod arithmetic;
pub(crate) mod astype;
mod between;
mod choose;
mod comparison;
mod isin;
mod kept;
mod key;
pub(crate) mod lists;
mod logic;
mod maths;
mod missing;
pub(crate) mod operand;
pub mod promote;
mod real;
mod required;
mod strings;
mod temporal;
#[cfg(test)]
mod tests;
mod text;
pub(crate) mod time;
pub(crate) mod times;
mod views;

pub use promote::promote;
pub use times::{Bins, Side};

use std::any::Any;
use std::collections::HashMap;
use std::sync::LazyLock;

use arrow::array::ArrayRef;

use self::arithmetic::{Arithmetic, Kind, Sign};
use self::comparison::{Comparison, Order};
use self::logic::Logic;
use self::missing::IsMissing;
use super::dtype::DType;
use super::expr::Literal;
use crate::error::{Code, Error, Result, not_decomposable};

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
    ///
    /// An operator has this, or `prepare` and `eval_prepared`: each is made of the other.
    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let prepared = self.prepare(&constants(args))?;
        self.eval_prepared(prepared.as_deref(), args, rows, dtype)
    }

    /// What is made once of the constants among the arguments, and used for every batch.
    fn prepare(&self, _constants: &[Option<&Literal>]) -> Result<Option<Prepared>> {
        Ok(None)
    }

    /// As `eval`, with what `prepare` made.
    fn eval_prepared(
        &self,
        _prepared: Option<&(dyn Any + Send + Sync)>,
        args: &[Operand],
        rows: usize,
        dtype: &DType,
    ) -> Result<ArrayRef> {
        self.eval(args, rows, dtype)
    }
}

/// The constants among arguments.
pub(crate) fn constants(args: &[Operand]) -> Vec<Option<&Literal>> {
    fn constant(arg: &Operand) -> Option<&Literal> {
        match arg {
            Operand::Literal(literal) => Some(literal),
            Operand::Array(_) => None,
        }
    }
    args.iter().map(constant).collect()
}

/// E.g. a compiled pattern.
pub type Prepared = Box<dyn Any + Send + Sync>;

/// Every operator there is.
pub const OPERATORS: &[&[&dyn Operator]] =
    &[BASIC, lists::OPERATORS, maths::OPERATORS, strings::OPERATORS, times::OPERATORS];

const BASIC: &[&dyn Operator] = &[
    &Arithmetic { kind: Kind::Add, name: "add", symbol: "+" },
    &Arithmetic { kind: Kind::Sub, name: "sub", symbol: "-" },
    &Arithmetic { kind: Kind::Mul, name: "mul", symbol: "*" },
    &Arithmetic { kind: Kind::TrueDiv, name: "truediv", symbol: "/" },
    &Arithmetic { kind: Kind::FloorDiv, name: "floordiv", symbol: "//" },
    &Arithmetic { kind: Kind::Mod, name: "mod", symbol: "%" },
    &Arithmetic { kind: Kind::Pow, name: "pow", symbol: "**" },
    &Sign { name: "neg", negate: true },
    &Sign { name: "abs", negate: false },
    &real::Round,
    &Comparison(Order::Eq),
    &Comparison(Order::Ne),
    &Comparison(Order::Lt),
    &Comparison(Order::Le),
    &Comparison(Order::Gt),
    &Comparison(Order::Ge),
    &Logic { name: "and", symbol: "&" },
    &Logic { name: "or", symbol: "|" },
    &Logic { name: "xor", symbol: "^" },
    &logic::Not,
    &IsMissing { name: "isna", wanted: true },
    &IsMissing { name: "notna", wanted: false },
    &missing::FillNa,
    &isin::IsIn,
    &between::Between,
    &astype::AsType,
    &choose::Where,
    &key::AsKey,
    &required::Required,
    &kept::Kept,
];

pub fn find(name: &str) -> Result<&'static dyn Operator> {
    static BY_NAME: LazyLock<HashMap<&'static str, &'static dyn Operator>> = LazyLock::new(|| {
        OPERATORS.iter().copied().flatten().map(|operator| (operator.name(), *operator)).collect()
    });
    BY_NAME.get(name).copied().ok_or_else(|| {
        not_decomposable(format!("there is no native operator `{name}`"))
            .hint("Write it with the methods of columns, or run it per chunk: options `mode: \"python\"`")
    })
}

/// A value that an operator cannot be computed for.
fn failed(message: String) -> Error {
    Error::new(Code::OperationFailed, message)
}
