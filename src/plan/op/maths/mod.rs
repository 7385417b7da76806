//! Numbers: functions of NumPy and of pandas beyond arithmetic. One file each and one line in the list below.

use super::Operator;

pub const OPERATORS: &[&dyn Operator] = &[];
