//! Flat columns of Parquet files, encoded here: those of numbers and of texts, plain or as codes of a dictionary.
//!
//! A text that comes as a view is looked up by its view, so that one which many rows share is hashed once. Columns of
//! other types are left to `parquet`'s own writer, and so is everything of a file but its pages.

mod chunk;
mod dictionary;
mod hybrid;
mod known_texts;
mod numbers;
mod packer;
#[cfg(test)]
mod tests;
mod texts;
mod views;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::schema::types::ColumnDescPtr;

pub use self::chunk::Chunk;
use self::chunk::Pages;
pub use self::packer::Packer;
use super::Fault;

/// Bytes of a dictionary after which values are written plain.
const DICTIONARY: usize = 1 << 20;

/// A column chunk that is being written.
pub trait Column: Send {
    /// Adds rows of the column's type; texts may come as views.
    fn write(&mut self, array: &ArrayRef, packer: &mut Packer) -> Result<(), Fault>;

    /// Bytes of memory that it holds.
    fn held(&self) -> usize;

    fn close(self: Box<Self>, packer: &mut Packer) -> Result<Chunk, Fault>;
}

/// Whether columns of this type are written here.
pub fn takes(data_type: &DataType) -> bool {
    use DataType as D;
    matches!(
        data_type,
        D::Int8
            | D::Int16
            | D::Int32
            | D::Int64
            | D::UInt8
            | D::UInt16
            | D::UInt32
            | D::UInt64
            | D::Float32
            | D::Float64
            | D::Date32
            | D::Timestamp(..)
            | D::Utf8
            | D::LargeUtf8
            | D::Binary
            | D::LargeBinary
    )
}

/// Begins a column chunk, if the type is one that [`takes`] names. `repeats`: its values are worth a dictionary.
pub fn column(
    data_type: &DataType,
    descriptor: ColumnDescPtr,
    properties: WriterPropertiesPtr,
    repeats: bool,
) -> Option<Box<dyn Column>> {
    if !takes(data_type) {
        return None;
    }
    let pages = Pages::new(descriptor, properties);
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => Some(texts::column(pages, repeats, true)),
        DataType::Binary | DataType::LargeBinary => Some(texts::column(pages, repeats, false)),
        other => numbers::column(other, pages, repeats),
    }
}
