//! How columns become columns of flags, one for each value they have: what `pd.get_dummies` gives.

use serde::{Deserialize, Serialize};

use super::DType;

/// The frame's columns are those that stay, and then two for each encoded one: its values, and the same as text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dummies {
    pub encoded: Vec<Encoded>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Encoded {
    /// What labels begin with; nothing: labels are the values.
    pub prefix: Option<String>,
    /// A column for missing values, the last one.
    pub missing: bool,
    /// No column for the first value.
    pub drop_first: bool,
    /// The type of the flags.
    pub dtype: DType,
}
