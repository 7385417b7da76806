//! JSON lines: an object on each line, with what is missing said as null.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use arrow::json::LineDelimitedWriter;
use arrow::json::writer::WriterBuilder;

use super::text::{Lines, Text};
use super::{Encoder, Fault, Format, How, Unwritable, within};
use crate::io::sink::out::Out;
use crate::io::sink::pack::{Codec, TEXT};
use crate::io::sink::sample::Ahead;

pub struct Json;

impl Format for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn title(&self) -> &'static str {
        "JSON lines"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".jsonl", ".ndjson", ".json"]
    }

    fn codecs(&self) -> &'static [Codec] {
        TEXT
    }

    fn is_text(&self) -> bool {
        true
    }

    fn stored(&self, data_type: &DataType) -> Result<DataType, &'static str> {
        match data_type {
            DataType::Dictionary(_, values) => self.stored(values),
            DataType::RunEndEncoded(_, values) => self.stored(values.data_type()),
            DataType::Float16 => Ok(DataType::Float32),
            DataType::Duration(_) | DataType::Interval(_) => Err("has no form of durations that others read"),
            DataType::Union(..) => Err("has no form of unions that others read"),
            DataType::ListView(field) => Ok(DataType::List(field.clone())),
            DataType::LargeListView(field) => Ok(DataType::LargeList(field.clone())),
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Err("is text, which cannot hold bytes"),
            other => within(other, &|inner| self.stored(inner)),
        }
    }

    fn open(&self, out: Out, schema: SchemaRef, how: How, _: Ahead<'_>) -> Result<Box<dyn Encoder>, Fault> {
        Ok(Box::new(Text::new(JsonLines { schema }, out, how.codec)))
    }
}

struct JsonLines {
    schema: SchemaRef,
}

impl Lines for JsonLines {
    fn head(&self) -> Vec<u8> {
        Vec::new()
    }

    fn encode(&self, batch: &RecordBatch, bytes: &mut Vec<u8>) -> Result<(), Fault> {
        for (column, field) in batch.columns().iter().zip(self.schema.fields()) {
            if infinite(column.as_ref())? {
                let name = field.name();
                return Err(
                    Unwritable(format!("column `{name}` has an infinite number, and JSON has none")).into()
                );
            }
        }
        let builder = WriterBuilder::new().with_explicit_nulls(true);
        let mut writer: LineDelimitedWriter<_> = builder.build(bytes);
        writer.write(batch)?;
        Ok(writer.finish()?)
    }
}

/// Whether there is an infinite number in an array, or within its values. One that is no number is written as null, as
/// pandas does; infinite ones would be too, and that is another value.
fn infinite(array: &dyn Array) -> Result<bool, Fault> {
    Ok(match array.data_type() {
        DataType::Float32 => array.as_primitive::<Float32Type>().iter().flatten().any(f32::is_infinite),
        DataType::Float64 => array.as_primitive::<Float64Type>().iter().flatten().any(f64::is_infinite),
        DataType::Struct(_) => {
            for column in array.as_struct().columns() {
                if infinite(column.as_ref())? {
                    return Ok(true);
                }
            }
            false
        }
        DataType::List(field) => {
            let list = array.as_list::<i32>();
            let (from, to) = (list.value_offsets()[0], list.value_offsets()[list.len()]);
            has_floats(field.data_type())
                && infinite(&list.values().slice(from as usize, (to - from) as usize))?
        }
        DataType::LargeList(field) => {
            let list = array.as_list::<i64>();
            let (from, to) = (list.value_offsets()[0], list.value_offsets()[list.len()]);
            has_floats(field.data_type())
                && infinite(&list.values().slice(from as usize, (to - from) as usize))?
        }
        DataType::FixedSizeList(field, _) => {
            has_floats(field.data_type()) && infinite(&cast(array, &DataType::LargeList(field.clone()))?)?
        }
        DataType::Map(field, _) => {
            let map = array.as_map();
            let (from, to) = (map.value_offsets()[0], map.value_offsets()[map.len()]);
            has_floats(field.data_type())
                && infinite(&map.entries().slice(from as usize, (to - from) as usize))?
        }
        _ => false,
    })
}

fn has_floats(data_type: &DataType) -> bool {
    match data_type {
        DataType::Float32 | DataType::Float64 => true,
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => has_floats(field.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_floats(field.data_type())),
        _ => false,
    }
}
