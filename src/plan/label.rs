//! Labels: what pandas calls a column, a series or an index level.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A pandas label. Parquet and Arrow know strings only; pandas itself makes the other kinds
/// (`0` by `size().reset_index()`, tuples by `agg` with lists, `None` for what has no name).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Label {
    None,
    Int(i64),
    /// By its bits, so that labels can be compared and hashed (the quantiles of `quantile([0.25, 0.5])`).
    Float(u64),
    Str(String),
    Tuple(Vec<Label>),
}

impl Label {
    pub fn str(text: impl Into<String>) -> Self {
        Label::Str(text.into())
    }

    /// The name an Arrow field carries for this label: tuples joined by `_`, no name as `default`.
    pub fn arrow_name(&self, default: &str) -> String {
        match self {
            Label::None => default.to_owned(),
            Label::Int(n) => n.to_string(),
            Label::Float(bits) => format!("{:?}", f64::from_bits(*bits)),
            Label::Str(text) => text.clone(),
            Label::Tuple(parts) => {
                let parts: Vec<_> =
                    parts.iter().map(|part| part.arrow_name("")).filter(|part| !part.is_empty()).collect();
                parts.join("_")
            }
        }
    }
}

/// As Python's `repr` writes it.
impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Label::None => f.write_str("None"),
            Label::Int(n) => write!(f, "{n}"),
            Label::Float(bits) => write!(f, "{:?}", f64::from_bits(*bits)),
            Label::Str(text) => write!(f, "'{text}'"),
            Label::Tuple(parts) => {
                f.write_str("(")?;
                for (position, part) in parts.iter().enumerate() {
                    write!(f, "{}{part}", if position > 0 { ", " } else { "" })?;
                }
                f.write_str(if parts.len() == 1 { ",)" } else { ")" })
            }
        }
    }
}
