//! Rows of JSON lines whose columns are plain, put into arrays as they are read.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, RecordBatchOptions,
    StringViewBuilder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::json::ReaderBuilder;

use super::super::numbers::{float, integer, unsigned};
use super::super::{Fault, fault};
use super::scan::{Names, Scanner, Value, unescaped};

enum Column {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    UInt(UInt64Builder),
    Float(Float64Builder),
    Text(StringViewBuilder),
}

impl Column {
    fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Column::Bool(BooleanBuilder::new()),
            DataType::Int64 => Column::Int(Int64Builder::new()),
            DataType::UInt64 => Column::UInt(UInt64Builder::new()),
            DataType::Float64 => Column::Float(Float64Builder::new()),
            DataType::Utf8 => Column::Text(StringViewBuilder::new()),
            _ => return None,
        })
    }

    #[inline]
    fn push(&mut self, value: Value<'_>, scratch: &mut String) -> Option<()> {
        match (self, value) {
            (column, Value::Null) => column.skip(),
            (Column::Bool(builder), Value::Bool(value)) => builder.append_value(value),
            (Column::Int(builder), Value::Number(text)) => builder.append_value(integer(text.as_bytes())?),
            (Column::UInt(builder), Value::Number(text)) => builder.append_value(unsigned(text.as_bytes())?),
            (Column::Float(builder), Value::Number(text)) => builder.append_value(float(text.as_bytes())?),
            (Column::Text(builder), Value::Text(text, false)) => builder.append_value(text),
            (Column::Text(builder), Value::Text(text, true)) => {
                unescaped(text, scratch)?;
                builder.append_value(&*scratch);
            }
            _ => return None,
        }
        Some(())
    }

    fn skip(&mut self) {
        match self {
            Column::Bool(builder) => builder.append_null(),
            Column::Int(builder) => builder.append_null(),
            Column::UInt(builder) => builder.append_null(),
            Column::Float(builder) => builder.append_null(),
            Column::Text(builder) => builder.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Column::Bool(mut builder) => Arc::new(builder.finish()),
            Column::Int(mut builder) => Arc::new(builder.finish()),
            Column::UInt(mut builder) => Arc::new(builder.finish()),
            Column::Float(mut builder) => Arc::new(builder.finish()),
            Column::Text(mut builder) => Arc::new(builder.finish()),
        }
    }
}

/// The lines of a part as batches. A batch with something unusual in it is left to Arrow's reader.
pub struct Rows {
    text: String,
    at: usize,
    /// All fields of the file, and the places of those that are wanted.
    names: Names,
    wanted: Vec<Option<usize>>,
    /// As Arrow's reader has the columns, and with texts as views.
    schema: SchemaRef,
    views: SchemaRef,
    rows: usize,
    scratch: String,
}

impl Rows {
    /// Whether columns are plain enough.
    pub fn suits(schema: &Schema) -> bool {
        schema.fields().iter().all(|field| Column::of(field.data_type()).is_some())
    }

    pub fn new(text: String, all: &Schema, columns: &[usize], schema: SchemaRef, rows: usize) -> Self {
        let mut wanted = vec![None; all.fields().len()];
        columns.iter().enumerate().for_each(|(place, column)| wanted[*column] = Some(place));
        let views = schema.fields().iter().map(|field| match field.data_type() {
            DataType::Utf8 => Field::new(field.name(), DataType::Utf8View, true),
            _ => field.as_ref().clone(),
        });
        Self {
            text,
            at: 0,
            names: Names::new(all.fields().iter().map(|field| field.name().as_str())),
            wanted,
            views: Arc::new(Schema::new(views.collect::<Vec<_>>())),
            schema,
            rows,
            scratch: String::new(),
        }
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>, Fault> {
        match self.quick() {
            Some(batch) => Ok(batch),
            None => self.slow(),
        }
    }

    /// The next batch, unless something is unusual about it.
    fn quick(&mut self) -> Option<Option<RecordBatch>> {
        let text = self.text.as_str();
        let columns = self.schema.fields().iter().map(|field| Column::of(field.data_type()));
        let mut columns = columns.collect::<Option<Vec<_>>>()?;
        // How many values each column has, so that it is known which ones a row has not.
        let mut filled = vec![0_usize; columns.len()];
        let mut scanner = Scanner::new(text, self.at);
        let (wanted, scratch) = (&self.wanted, &mut self.scratch);
        let mut rows = 0;
        while rows < self.rows {
            scanner.skip_blanks();
            if scanner.at == text.len() {
                break;
            }
            if scanner.end_line().is_some() {
                continue;
            }
            scanner.object(&self.names, true, |place, value| {
                let Some(place) = wanted[place] else { return Some(()) };
                // A name may stand there twice.
                let count = &mut filled[place];
                if *count != rows {
                    return None;
                }
                *count += 1;
                columns[place].push(value, scratch)
            })?;
            scanner.end_line()?;
            rows += 1;
            for (column, count) in columns.iter_mut().zip(&mut filled) {
                if *count < rows {
                    column.skip();
                    *count += 1;
                }
            }
        }
        self.at = scanner.at;
        if rows == 0 {
            return Some(None);
        }
        let arrays = columns.into_iter().map(Column::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.views.clone(), arrays, &options).ok().map(Some)
    }

    fn slow(&mut self) -> Result<Option<RecordBatch>, Fault> {
        let builder = ReaderBuilder::new(self.schema.clone()).with_batch_size(self.rows);
        let mut decoder = builder.build_decoder().map_err(fault)?;
        self.at += decoder.decode(&self.text.as_bytes()[self.at..]).map_err(fault)?;
        decoder.flush().map_err(fault)
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::compute::cast;
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "null",
            "1",
            "-7",
            "2.5",
            "1e3",
            "-0",
            "true",
            "\"x\"",
            "\"a longer text, é\"",
            "\"\\n\\u00e9\"",
            "\"\\ud83d\\ude00\"",
        ])
    }

    fn lines() -> impl Strategy<Value = Vec<Vec<(usize, &'static str)>>> {
        prop::collection::vec(prop::collection::vec((0_usize..3, value()), 0..4), 0..20)
    }

    proptest! {
        /// However much of it is unusual, the rows are those of Arrow's reader, or both refuse them.
        #[test]
        fn rows_are_those_of_arrow(lines in lines(), rows in 1_usize..7) {
            let names = ["a", "b", "c"];
            let fits = |place: usize, value: &str| match place {
                0 => value == "null" || value.parse::<i64>().is_ok(),
                1 => value == "null" || value.parse::<f64>().is_ok(),
                _ => value == "null" || value.starts_with('"'),
            };
            let mut text = String::new();
            for line in &lines {
                let members = line.iter().filter(|(place, value)| fits(*place, value));
                let members: Vec<_> = members.map(|(place, value)| format!("\"{}\": {value}", names[*place])).collect();
                text += &format!("{{{}}}\n", members.join(","));
            }
            let types = [DataType::Int64, DataType::Float64, DataType::Utf8];
            let fields: Vec<_> = names.iter().zip(types).map(|(name, kind)| Field::new(*name, kind, true)).collect();
            let all = Schema::new(fields);
            let wanted = Arc::new(all.project(&[0, 1, 2]).unwrap());
            let ours = Rows::new(text.clone(), &all, &[0, 1, 2], wanted.clone(), rows);
            let ours: Result<Vec<_>, _> = ours.collect();
            let theirs = ReaderBuilder::new(wanted.clone()).with_batch_size(rows).build(text.as_bytes()).unwrap();
            let theirs: Result<Vec<_>, _> = theirs.collect();
            let (Ok(ours), Ok(theirs)) = (&ours, &theirs) else {
                prop_assert!(ours.is_err() && theirs.is_err());
                return Ok(());
            };
            prop_assert_eq!(ours.len(), theirs.len());
            for (ours, theirs) in ours.iter().zip(theirs) {
                for (one, other) in ours.columns().iter().zip(theirs.columns()) {
                    prop_assert_eq!(&cast(one, other.data_type()).unwrap(), other);
                }
            }
        }
    }
}
