//! Flat Parquet columns decoded page by page: all rows of a stretch, or only those that are asked for.
//!
//! A condition can be met by the numbers of a dictionary's values, and of the other columns no more is decoded than the
//! rows that are left. Columns of other types and encodings are left to `parquet`'s own reader.

mod block;
mod bounds;
mod column;
mod dictionary;
mod header;
mod hybrid;
pub mod int96;
mod page;
pub mod schema;
mod spread;
#[cfg(test)]
mod tests;
mod texts;
mod thrift;

pub use self::block::Block;
pub use self::bounds::{PageBounds, page_bounds};
pub use self::column::{Column, takes};
pub use self::dictionary::Dictionary;

use parquet::errors::ParquetError;

type Result<T, E = ParquetError> = std::result::Result<T, E>;

fn damaged(what: &str) -> ParquetError {
    ParquetError::General(what.to_owned())
}
