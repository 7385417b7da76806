//! Tables that expressions look values up in: `p["k"].map(series)`, `p["k"].isin(other_column)`.

use std::fmt;
use std::sync::Arc;

use arrow::array::ArrayRef;
use serde::{Deserialize, Serialize, Serializer};

use super::dtype::DType;
use super::expr::Expr;
use super::node::Node;
use crate::error;

/// The call that looks its first argument up in its second, an [`Expr::Table`](super::Expr::Table).
pub const LOOKUP: &str = "lookup";

/// Asks whether a key is one of those that the other side of a join has, as far as these are known.
pub fn is_key_filter(expr: &Expr) -> bool {
    match expr {
        Expr::Call { op, args, .. } if &**op == LOOKUP => match args.as_slice() {
            [_, Expr::Table(table)] => matches!(*table.node, Node::Unit),
            _ => false,
        },
        _ => false,
    }
}

/// A plan whose rows are found by their key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its columns are the key and, unless only its presence is asked for, the value.
    pub node: Arc<Node>,
    /// Whether there is such a key, instead of its value.
    pub contains: bool,
    pub dtype: DType,
    /// Of a plan that is written down only whether there is one.
    #[serde(skip_deserializing)]
    pub found: Found,
}

/// Finds the values for keys, row by row.
pub trait Finds: Send + Sync {
    fn find(&self, keys: &ArrayRef) -> error::Result<ArrayRef>;

    /// The least and the largest key that is found, as whole numbers; the former above the latter where there is none.
    /// `None` where that is not known.
    fn range(&self) -> Option<(i64, i64)> {
        None
    }
}

/// The table's rows, once its plan has been run.
#[derive(Clone, Default)]
pub struct Found(pub Option<Arc<dyn Finds>>);

impl Found {
    /// What its variants are called where it is written.
    pub const NAME: &'static str = "Found";
    pub const KNOWN: u32 = 1;
}

impl Serialize for Found {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => serializer.serialize_unit_variant(Self::NAME, 0, "unknown"),
            Some(_) => serializer.serialize_unit_variant(Self::NAME, Self::KNOWN, "known"),
        }
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Found" } else { "Unknown" })
    }
}

impl PartialEq for Found {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}
