//! How a long table is spread out into a wide one, whose columns are values found while it runs.

use serde::{Deserialize, Serialize};

use super::label::Label;

/// The long table's columns are, in this order: levels of the index, levels of the columns, a number that says what a
/// row is for (see [`Part`]) if `parts` says so, the values, and where something is filled in one more for each value
/// that has nothing but that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wide {
    /// Names of the levels of the index.
    pub rows: Vec<Label>,
    /// Names of the levels of the columns.
    pub across: Vec<Label>,
    /// What each value is called above those: one part for each of `value_names`.
    pub values: Vec<Vec<Label>>,
    pub value_names: Vec<Label>,
    pub options: Options,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// What margins are called.
    pub margin: Option<String>,
    /// Long rows say what they are for; else all are of the body.
    pub parts: bool,
    /// Levels are in order of their values; else in order of appearance. Where one has a value that no cell is of, it
    /// is in order of appearance among those that some are of.
    pub sorted: bool,
    /// Levels of the columns are in order of their values whatever they have.
    pub sorted_columns: bool,
    /// Keys of several levels of the columns are in order of these; else in order of appearance.
    pub sorted_tuples: bool,
    pub missing: MissingKeys,
    /// Values of one number come of one table, and tables were put side by side: each has rows and columns of its own.
    pub tables: Vec<usize>,
    /// Leave out long rows, and wide columns, of nothing but missing values.
    pub drop_empty: bool,
    pub fill: Fill,
    pub normalize: Option<Normalize>,
    /// Decimals to round to after that.
    pub round: Option<i32>,
    pub index: Leading,
}

/// What happens to long rows with a missing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingKeys {
    /// Missing ones are a key, before all others.
    First,
    /// They are one, after all others; in order of appearance where the others are.
    Last,
    /// They are left out.
    Leave,
    /// They are an error.
    Refuse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fill {
    Nothing,
    /// Cells that no long row is for.
    Absent,
    /// Those, and missing values; margins of rows stay.
    Missing,
    /// Every missing value.
    All,
}

/// What the values are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalize {
    All,
    /// The sum of their row.
    Index,
    /// The sum of their column.
    Columns,
}

/// What becomes of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leading {
    Index,
    /// Its levels are columns, the first ones.
    Columns,
    /// Its levels are left out.
    Dropped,
}

/// Which part of the wide table a long row is for, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Body,
    /// The margin of a row: in the last column.
    Row,
    /// The margin of a column: in the last row.
    Column,
    Corner,
    /// No cell: it says which values levels have.
    Level,
}

impl Part {
    pub fn numbered(number: i64) -> Option<Self> {
        Some(match number {
            0 => Part::Body,
            1 => Part::Row,
            2 => Part::Column,
            3 => Part::Corner,
            4 => Part::Level,
            _ => return None,
        })
    }
}
