//! Keys of which no two rows may have the same one.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use crate::engine::group::intern::{Interner, interner};
use crate::engine::group::pairs::Pairs;
use crate::error::{Code, Error, Result};

/// The keys that came by so far.
pub struct Seen {
    columns: Vec<Box<dyn Interner>>,
    pairs: Vec<Pairs>,
    seen: Vec<bool>,
}

impl Seen {
    pub fn new(types: &[DataType]) -> Result<Self> {
        let columns = types.iter().map(interner).collect::<Result<Vec<_>>>()?;
        let pairs = types.iter().skip(1).map(|_| Pairs::new()).collect();
        Ok(Self { columns, pairs, seen: Vec::new() })
    }

    /// Takes note of rows; says whether one of their keys was there already.
    pub fn meets_again(&mut self, keys: &[ArrayRef]) -> Result<bool> {
        let mut ids = Vec::new();
        let mut next = Vec::new();
        let mut height = 0;
        for (number, (column, key)) in self.columns.iter_mut().zip(keys).enumerate() {
            if number == 0 {
                column.intern(key, &mut ids)?;
                height = column.height();
                continue;
            }
            column.intern(key, &mut next)?;
            let pairs = &mut self.pairs[number - 1];
            pairs.number(&mut ids, &next, (height, column.height()), false)?;
            height = pairs.height();
        }
        self.seen.resize(height.max(self.seen.len()), false);
        for id in ids {
            if std::mem::replace(&mut self.seen[id as usize], true) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The error of a merge whose keys are not what `validate` says. `side` is left or right.
pub fn not_unique(side: &str, keys: &str) -> Error {
    Error::new(
        Code::OperationFailed,
        format!("the merge keys ({keys}) are not unique in the {side} table, as `validate` says they are"),
    )
    .hint(format!("Look at the {side} table's duplicates, or leave `validate` out"))
    .detail("side", side)
}
