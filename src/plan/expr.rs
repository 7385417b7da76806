//! Row-wise expressions over the columns of a node.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::dtype::{DType, Unit};
use super::lookup::Table;
use super::node::Node;
use super::op;
use super::window::WindowCall;
use crate::error::Result;

/// A constant written in the user's function, or a scalar sub-plan's value once it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Literal {
    /// `None`, `float("nan")` is `Float`, `pd.NA`, `pd.NaT`.
    Null,
    Bool(bool),
    Int(i64),
    /// Only what does not fit an `Int`.
    UInt(u64),
    Float(f64),
    Str(String),
    /// Days since 1970-01-01.
    Date(i32),
    /// A count of units of the last decimal place, its precision and its scale.
    Decimal(i128, u8, i8),
    Bytes(Vec<u8>),
    Timestamp(i64, Unit, Option<String>),
    Duration(i64, Unit),
    /// The values of `isin`.
    List(Vec<Literal>),
    /// A scalar of a definite width (a NumPy scalar, an aggregate's value): it promotes like a column,
    /// where plain Python numbers adapt to the column they meet (NEP 50).
    Typed(Box<Literal>, DType),
}

impl Literal {
    pub fn dtype(&self) -> DType {
        match self {
            Literal::Null | Literal::List(_) => DType::Null,
            Literal::Bool(_) => DType::Bool,
            Literal::Int(_) => DType::Int64,
            Literal::UInt(_) => DType::UInt64,
            Literal::Float(_) => DType::Float64,
            Literal::Str(_) => DType::Str,
            Literal::Date(_) => DType::Date,
            Literal::Decimal(_, precision, scale) => DType::Decimal(*precision, *scale),
            Literal::Bytes(_) => DType::Binary,
            Literal::Timestamp(_, unit, tz) => DType::Timestamp(*unit, tz.clone()),
            Literal::Duration(_, unit) => DType::Duration(*unit),
            Literal::Typed(_, dtype) => dtype.clone(),
        }
    }
}

/// An expression whose value has one row for each row of the node it is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Expr {
    /// A column of the node, by its name there.
    Column(Arc<str>, DType),
    Literal(Literal),
    /// An operator of [`op::OPERATORS`] by name; `dtype` is what its rule inferred.
    Call {
        op: Arc<str>,
        args: Vec<Expr>,
        dtype: DType,
    },
    /// The only row of the only column of a plan of its own, e.g. `p["x"].mean()` within `p["x"] - p["x"].mean()`.
    Scalar(Arc<Node>, DType),
    /// What a call looks values up in; it is no value by itself.
    Table(Arc<Table>),
    /// A value that depends on other rows, e.g. `p["x"].cumsum()`.
    Window(Arc<WindowCall>, DType),
}

impl Expr {
    pub fn column(name: impl Into<Arc<str>>, dtype: DType) -> Self {
        Expr::Column(name.into(), dtype)
    }

    /// Applies an operator, checking its arguments by its own rule.
    pub fn call(name: &str, args: Vec<Expr>) -> Result<Self> {
        if let Some((name, args)) = op::lists::fused(name, &args) {
            return Self::call(name, args);
        }
        let operator = op::find(name)?;
        let typed: Vec<_> = args.iter().map(Expr::typed).collect();
        let dtype = operator.infer(&typed)?;
        Ok(Expr::Call { op: operator.name().into(), args, dtype })
    }

    /// A window function, checking its arguments by its own rule.
    pub fn window(call: WindowCall) -> Result<Self> {
        let dtype = call.infer()?;
        Ok(Expr::Window(Arc::new(call), dtype))
    }

    pub fn dtype(&self) -> DType {
        match self {
            Expr::Column(_, dtype)
            | Expr::Call { dtype, .. }
            | Expr::Scalar(_, dtype)
            | Expr::Window(_, dtype) => dtype.clone(),
            Expr::Literal(literal) => literal.dtype(),
            Expr::Table(table) => table.dtype.clone(),
        }
    }

    fn typed(&self) -> op::Typed<'_> {
        match self {
            Expr::Literal(literal) => op::Typed { dtype: literal.dtype(), literal: Some(literal) },
            other => op::Typed { dtype: other.dtype(), literal: None },
        }
    }

    /// Calls `visit` for every column this expression reads.
    pub fn each_column<'a>(&'a self, visit: &mut impl FnMut(&'a Arc<str>)) {
        match self {
            Expr::Column(name, _) => visit(name),
            Expr::Call { args, .. } => args.iter().for_each(|arg| arg.each_column(visit)),
            Expr::Window(call, _) => call.exprs().for_each(|arg| arg.each_column(visit)),
            Expr::Literal(_) | Expr::Scalar(..) | Expr::Table(_) => {}
        }
    }

    /// The same expression with every column replaced by what `replace` gives for it.
    pub fn substitute(&self, replace: &impl Fn(&str) -> Option<Expr>) -> Expr {
        match self {
            Expr::Column(name, _) => replace(name).unwrap_or_else(|| self.clone()),
            Expr::Call { op, args, dtype } => Expr::Call {
                op: op.clone(),
                args: args.iter().map(|arg| arg.substitute(replace)).collect(),
                dtype: dtype.clone(),
            },
            Expr::Window(call, dtype) => {
                let call = call.map(&mut |arg| arg.substitute(replace));
                Expr::Window(Arc::new(call), dtype.clone())
            }
            Expr::Literal(_) | Expr::Scalar(..) | Expr::Table(_) => self.clone(),
        }
    }

    /// How deep its operations are nested.
    pub fn depth(&self) -> usize {
        let deepest = |exprs: &[Expr]| 1 + exprs.iter().map(Expr::depth).max().unwrap_or(0);
        match self {
            Expr::Call { args, .. } => deepest(args),
            Expr::Window(call, _) => deepest(&call.args).max(deepest(&call.by)),
            _ => 1,
        }
    }

    /// How many operations, columns and constants it is made of.
    pub fn size(&self) -> usize {
        match self {
            Expr::Call { args, .. } => 1 + args.iter().map(Expr::size).sum::<usize>(),
            Expr::Window(call, _) => 1 + call.exprs().map(Expr::size).sum::<usize>(),
            _ => 1,
        }
    }

    /// Depends on which other rows there are.
    pub fn has_window(&self) -> bool {
        match self {
            Expr::Window(..) => true,
            Expr::Call { args, .. } => args.iter().any(Expr::has_window),
            _ => false,
        }
    }

    /// Reads no column: the same value in every row.
    pub fn is_constant(&self) -> bool {
        let mut constant = !self.has_window();
        self.each_column(&mut |_| constant = false);
        constant
    }
}
