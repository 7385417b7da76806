//! The formats that are written, a file each: which names, types and compressions they have, and their encoders.

mod arrow;
mod avro;
mod columns;
mod csv;
mod flat;
mod json;
mod parquet;
mod text;
pub(super) mod times;

use std::num::NonZero;

use ::arrow::array::RecordBatch;
use ::arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

use super::out::Out;
use super::pack::Codec;
use super::sample::Ahead;

/// What can go wrong with a file; what it is called is added by whoever writes it.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Values that a format cannot hold, found while they were written.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unwritable(pub String);

/// A file format: what it can hold, and how a file of it is begun.
pub trait Format: Send + Sync {
    /// As tasks name it.
    fn name(&self) -> &'static str;

    /// As people do.
    fn title(&self) -> &'static str;

    /// How names of its files end, in lower case and without what says the compression; the first one is given to the
    /// files of a directory.
    fn endings(&self) -> &'static [&'static str];

    /// The compressions it knows; the first one is its default.
    fn codecs(&self) -> &'static [Codec];

    /// Files of text are compressed as a whole, and their names say so; the others compress within.
    fn is_text(&self) -> bool {
        false
    }

    /// The type that a column is written as; why not, where the format has none for it.
    fn stored(&self, data_type: &DataType) -> Result<DataType, &'static str>;

    /// Whether texts and bytes may come as views, whatever they are stored as.
    fn takes_views(&self) -> bool {
        false
    }

    /// Why a column may not be called so, if it may not.
    fn misnamed(&self, _: &str) -> Option<&'static str> {
        None
    }

    /// Begins a file.
    fn open(
        &self,
        out: Out,
        schema: SchemaRef,
        how: How,
        ahead: Ahead<'_>,
    ) -> Result<Box<dyn Encoder>, Fault>;
}

/// How a file is written.
#[derive(Debug, Clone, Copy)]
pub struct How {
    pub codec: Codec,
    /// What the file's name ends in, one of the format's endings.
    pub ending: &'static str,
    /// How many threads may encode one file.
    pub threads: NonZero<usize>,
}

/// A file that is being written.
pub trait Encoder: Send {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Fault>;

    /// Bytes of memory that it holds.
    fn held(&self) -> usize;

    /// Of these the bytes that only the end of the file sets free.
    fn kept(&self) -> usize {
        0
    }

    /// Writes out what it holds, so that next to nothing is left.
    fn flush(&mut self) -> Result<(), Fault>;

    /// As `flush`, and lets go of handles until it is written to again.
    fn park(&mut self) -> Result<(), Fault>;

    /// Writes the end of the file.
    fn finish(self: Box<Self>) -> Result<Out, Fault>;
}

/// Every format. A new one is a line here.
pub const FORMATS: &[&dyn Format] = &[&parquet::Parquet, &csv::Csv, &json::Json, &arrow::Arrow, &avro::Avro];

pub fn named(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().find(|format| format.name() == name).copied()
}

/// What the name of a file says of it.
pub struct Told {
    pub format: &'static dyn Format,
    pub ending: &'static str,
    /// Of a file of text that is compressed.
    pub codec: Option<Codec>,
}

/// The format that a file's name tells, if it does.
pub fn told(name: &str) -> Option<Told> {
    let lower = name.to_ascii_lowercase();
    let (stem, codec) = Codec::told(&lower);
    FORMATS.iter().find_map(|format| {
        let ending = format.endings().iter().find(|ending| stem.ends_with(*ending))?;
        (codec.is_none() || format.is_text()).then_some(Told { format: *format, ending, codec })
    })
}

/// A column that a format cannot hold, and why.
pub struct Unfit {
    pub column: String,
    pub why: String,
}

/// The columns as a format stores them.
pub fn stored(format: &dyn Format, schema: &Schema) -> Result<SchemaRef, Unfit> {
    let unfit = |field: &Field, why: &str| Unfit {
        column: field.name().clone(),
        why: format!("it is of type {}, and {} {why}", field.data_type(), format.title()),
    };
    let fields = schema.fields().iter().map(|field| {
        if let Some(why) = format.misnamed(field.name()) {
            return Err(Unfit { column: field.name().clone(), why: why.to_owned() });
        }
        let data_type = format.stored(field.data_type()).map_err(|why| unfit(field, why))?;
        Ok(Field::new(field.name(), data_type, field.is_nullable()).with_metadata(field.metadata().clone()))
    });
    Ok(SchemaRef::new(Schema::new(fields.collect::<Result<Vec<_>, _>>()?)))
}

/// A type with `each` applied to what it is made of: a list's items, a struct's fields, a dictionary's values.
fn within(
    data_type: &DataType,
    each: &dyn Fn(&DataType) -> Result<DataType, &'static str>,
) -> Result<DataType, &'static str> {
    let inside = |field: &FieldRef| -> Result<FieldRef, &'static str> {
        Ok(FieldRef::new(field.as_ref().clone().with_data_type(each(field.data_type())?)))
    };
    Ok(match data_type {
        DataType::List(field) => DataType::List(inside(field)?),
        DataType::LargeList(field) => DataType::LargeList(inside(field)?),
        DataType::FixedSizeList(field, size) => DataType::FixedSizeList(inside(field)?, *size),
        DataType::Map(field, sorted) => DataType::Map(inside(field)?, *sorted),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inside).collect::<Result<_, _>>()?),
        other => other.clone(),
    })
}
