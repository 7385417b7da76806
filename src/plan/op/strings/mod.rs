//! Text: what the str accessor offers. One file each and one line in the list below.

use super::Operator;

pub const OPERATORS: &[&dyn Operator] = &[];
