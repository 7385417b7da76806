//! Window functions: values that depend on other rows, one for each row. One file a family and one line each below.

mod code;
mod counting;
mod cumulative;
mod ewm;
pub mod extract;
mod fill;
mod groups;
mod interpolate;
mod neighbour;
mod rank;
mod rolling;
mod whole;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::{cast, concat};
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};

pub use code::Code;
pub use groups::Groups;

use super::dtype::DType;
use super::expr::{Expr, Literal};
use super::node::Params;
use crate::error::{Error, Result, misused, not_decomposable};

/// A call of a window function over all rows of a node, or over those of each group for itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowCall {
    /// A function of [`FUNCTIONS`], or an aggregate: then each row gets its group's value.
    pub function: Arc<str>,
    pub args: Vec<Expr>,
    /// What the function is told besides, in its own order.
    pub options: Vec<Literal>,
    /// What the groups are made by; none for all rows together.
    pub by: Vec<Expr>,
    /// Rows with a missing key belong to no group, and get a missing value.
    pub dropna: bool,
    /// Of aggregates.
    pub params: Params,
}

/// What a function is called with, as far as it is known while tracing.
#[derive(Clone, Copy)]
pub struct Signature<'a> {
    pub args: &'a [DType],
    pub options: &'a [Literal],
    /// By groups: pandas' rules differ slightly.
    pub grouped: bool,
}

/// One window function.
pub trait Function: Sync {
    fn name(&self) -> &'static str;

    /// The result's type, or why this is refused.
    fn infer(&self, call: Signature<'_>) -> Result<DType>;

    fn create(&self, call: Signature<'_>) -> Result<Box<dyn Window>>;
}

/// Asked now and then whether to go on; its error ends the work.
pub type Proceed<'a> = &'a (dyn Fn() -> Result<()> + Sync);

/// A window function told everything but the rows.
pub trait Window: Send + Sync {
    /// The value of every row, given all of them in order. What is told of rows that belong to no group is not
    /// looked at.
    fn compute(&self, args: &[ArrayRef], groups: &Groups, proceed: Proceed<'_>) -> Result<ArrayRef>;

    /// The value of rows that belong to no group.
    fn outside(&self) -> Literal {
        Literal::Null
    }

    /// The same in steps, for functions that look at no later row.
    fn running(&self) -> Option<Box<dyn Running>> {
        None
    }

    /// How many rows before a row's own it depends on, where there are no groups and it depends on nothing else.
    fn look_back(&self) -> Option<usize> {
        None
    }
}

/// A window function on its way over the rows.
pub trait Running: Send {
    /// The values of the next rows; row `i` belongs to group `groups[i] < num_groups`.
    fn push(&mut self, args: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<ArrayRef>;

    /// Bytes held.
    fn size(&self) -> usize;
}

/// Every window function that is no aggregate.
pub const FUNCTIONS: &[&dyn Function] = &[
    &cumulative::Cumulative(cumulative::Kind::Sum),
    &cumulative::Cumulative(cumulative::Kind::Prod),
    &cumulative::Cumulative(cumulative::Kind::Min),
    &cumulative::Cumulative(cumulative::Kind::Max),
    &counting::CumCount,
    &counting::GroupNumber,
    &counting::GroupOrder,
    &neighbour::Shift,
    &neighbour::Diff,
    &fill::Fill { forward: true },
    &fill::Fill { forward: false },
    &rank::Rank,
    &rolling::Rolling,
    &ewm::Ewm,
    &interpolate::Interpolate,
];

impl WindowCall {
    fn function(&self) -> Option<&'static dyn Function> {
        FUNCTIONS.iter().copied().find(|function| function.name() == &*self.function)
    }

    pub fn infer(&self) -> Result<DType> {
        let args: Vec<DType> = self.args.iter().map(Expr::dtype).collect();
        match self.function() {
            Some(function) => function.infer(self.signature(&args)),
            None => super::reduce::find(&self.function)?.infer(&args, &self.params),
        }
    }

    pub fn create(&self) -> Result<Box<dyn Window>> {
        let args: Vec<DType> = self.args.iter().map(Expr::dtype).collect();
        match self.function() {
            Some(function) => function.create(self.signature(&args)),
            None => {
                let aggregate = super::reduce::find(&self.function)?;
                Ok(Box::new(whole::Whole { aggregate, args, params: self.params.clone() }))
            }
        }
    }

    /// The arguments and the keys.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.args.iter().chain(&self.by)
    }

    pub fn map(&self, change: &mut dyn FnMut(&Expr) -> Expr) -> Self {
        let args = self.args.iter().map(&mut *change).collect();
        let by = self.by.iter().map(&mut *change).collect();
        Self { args, by, ..self.clone() }
    }

    pub fn try_map(&self, change: &mut dyn FnMut(&Expr) -> Result<Expr>) -> Result<Self> {
        let args = self.args.iter().map(&mut *change).collect::<Result<_>>()?;
        let by = self.by.iter().map(&mut *change).collect::<Result<_>>()?;
        Ok(Self { args, by, ..self.clone() })
    }

    fn signature<'a>(&'a self, args: &'a [DType]) -> Signature<'a> {
        Signature { args, options: &self.options, grouped: !self.by.is_empty() }
    }

    /// The value is one of the whole group.
    pub fn is_aggregate(&self) -> bool {
        self.function().is_none()
    }
}

/// How many rows are worked on between two looks at whether to stop.
const PIECE: usize = 64 * 1024;

impl<'a> Signature<'a> {
    /// The one column that a function is of.
    fn column(&self, name: &str) -> Result<&'a DType> {
        match self.args {
            [dtype] => Ok(dtype),
            _ => Err(misused(format!("`{name}` takes one column, not {}", self.args.len()))),
        }
    }

    fn option(&self, place: usize) -> &'a Literal {
        self.options.get(place).unwrap_or(&Literal::Null)
    }

    fn integer(&self, place: usize) -> Result<i64> {
        match self.option(place) {
            Literal::Int(value) => Ok(*value),
            other => Err(Error::internal(format!("a window function was told {other} for a number"))),
        }
    }

    fn text(&self, place: usize) -> Result<&'a str> {
        match self.option(place) {
            Literal::Str(text) => Ok(text),
            other => Err(Error::internal(format!("a window function was told {other} for a word"))),
        }
    }

    fn flag(&self, place: usize) -> bool {
        matches!(self.option(place), Literal::Bool(true))
    }
}

/// Runs a function that can go in steps over all rows.
fn run(
    mut running: Box<dyn Running>,
    args: &[ArrayRef],
    groups: &Groups,
    proceed: Proceed<'_>,
) -> Result<ArrayRef> {
    let mut parts = Vec::new();
    for (range, ids) in groups.pieces(PIECE) {
        proceed()?;
        let args: Vec<ArrayRef> = args.iter().map(|arg| arg.slice(range.start, range.len())).collect();
        parts.push(running.push(&args, &ids, groups.count())?);
    }
    match parts.as_slice() {
        [] => {
            let empty: Vec<ArrayRef> = args.iter().map(|arg| arg.slice(0, 0)).collect();
            running.push(&empty, &[], groups.count())
        }
        [only] => Ok(only.clone()),
        several => Ok(concat(&several.iter().map(AsRef::as_ref).collect::<Vec<_>>())?),
    }
}

/// The numbers as which values of a type are worked on.
pub fn storage(dtype: &DType) -> DType {
    match dtype {
        DType::Bool => DType::UInt8,
        DType::Date => DType::Int32,
        DType::Timestamp(..) | DType::Duration(_) => DType::Int64,
        DType::Null => DType::Float64,
        other => other.clone(),
    }
}

/// A column as its numbers.
pub fn stored(array: &ArrayRef, dtype: &DType) -> Result<ArrayRef> {
    into(array, &storage(dtype))
}

/// Numbers as values of a type again.
fn into(array: &ArrayRef, dtype: &DType) -> Result<ArrayRef> {
    let wanted: DataType = super::op::operand::arrow_type(dtype)?;
    if *array.data_type() == wanted { Ok(array.clone()) } else { Ok(cast(array, &wanted)?) }
}

/// Argument `place`.
fn argument(args: &[ArrayRef], place: usize) -> Result<&ArrayRef> {
    args.get(place).ok_or_else(|| Error::internal("a window function got fewer arguments than it needs"))
}

fn has_no_meaning(name: &str, dtype: &DType, hint: &'static str) -> Error {
    not_decomposable(format!("`{name}` has no meaning for a column of type {dtype}")).hint(hint)
}
