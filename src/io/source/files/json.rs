//! JSON lines: one object on each line.

mod rows;
pub mod scan;

use std::io::{BufReader, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use bytes::{Buf, Bytes};
use parking_lot::Mutex;

use self::rows::Rows;
use super::csv::column::Column;
use super::data::Data;
use super::infer::Missing;
use super::room::{Held, Room};
use super::shape::{Known, Shape};
use super::{Batches, Fault, Format, Opened, With, fault, side_by_side};
use crate::io::source::options::Declared;

pub struct JsonLines;

/// Bytes of a part, about.
const PART: u64 = 4 << 20;

impl Format for JsonLines {
    fn name(&self) -> &'static str {
        "json"
    }

    fn title(&self) -> &'static str {
        "JSON lines"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".jsonl", ".ndjson", ".json"]
    }

    fn is_text(&self) -> bool {
        true
    }

    fn options(&self) -> &'static [&'static str] {
        &["dtype", "dates"]
    }

    fn open(&self, data: Data, _: &str, with: &With<'_>) -> Result<Box<dyn Opened>, Fault> {
        let only: Option<Arc<[String]>> = with.options.columns.as_deref().map(Arc::from);
        let parts = parts(&data, with, &only)?;
        let mut shape = Shape::default();
        for part in &parts {
            shape.and(part.shape.clone())?;
        }
        let fields = match shape {
            Shape::Object(object) => object.fields(),
            _ => Fields::empty(),
        };
        let parts: Vec<_> = parts.into_iter().filter(|part| part.rows > 0).collect();
        let rows = parts.iter().map(|part| part.rows).collect();
        let declared: Vec<_> = fields.iter().map(|field| with.options.declared(field.name())).collect();
        let typed = fields.iter().zip(&declared).map(|(field, declared)| match declared {
            Some(_) if field.data_type().is_nested() => Err(format!(
                "column `{}` is declared by `dtype` or `dates`, and has lists or objects",
                field.name()
            )),
            Some(declared) => Ok(Field::new(field.name(), declared.arrow.clone(), true)),
            None => Ok(field.as_ref().clone()),
        });
        let schema = Arc::new(Schema::new(typed.collect::<Result<Vec<_>, _>>()?));
        Ok(Box::new(JsonFile { data, schema, declared, parts, rows }))
    }
}

struct Part {
    bytes: Range<u64>,
    rows: usize,
    /// Number of its first line in the file, from 1.
    line: u64,
    lines: u64,
    shape: Shape,
    /// The line that is no object, and why.
    fault: Option<(u64, String)>,
    /// What the first pass has read, where there was room for it: the rows are made of it then.
    kept: Mutex<Option<(Bytes, Held)>>,
}

impl Part {
    /// Its bytes, and what counts them. Who asks again reads them again.
    fn bytes(&self, data: &Data) -> std::io::Result<(Bytes, Option<Held>)> {
        match self.kept.lock().take() {
            Some((bytes, held)) => Ok((bytes, Some(held))),
            None => Ok((data.bytes(self.bytes.clone())?, None)),
        }
    }
}

/// The parts of a file, which is cut at line ends: none is within a value, where it would be escaped.
fn parts(data: &Data, with: &With<'_>, only: &Option<Arc<[String]>>) -> Result<Vec<Part>, Fault> {
    let mut cuts = vec![0];
    while let Some(next) = data.line_after(cuts[cuts.len() - 1] + PART)? {
        cuts.push(next);
    }
    cuts.push(data.size);
    let ranges: Vec<_> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
    let read =
        |number: usize| part(data, ranges[number].clone(), Shape::of(only.clone()), with.room.as_deref());
    let mut parts =
        side_by_side(ranges.len(), with.threads, read).into_iter().collect::<Result<Vec<_>, _>>()?;
    let mut line = 1;
    for part in &mut parts {
        part.line = line;
        if let Some((at, why)) = &part.fault {
            return Err(format!("line {}: {why}", line + at).into());
        }
        line += part.lines;
    }
    Ok(parts)
}

/// What is wrong in a line; the place that it adds is that in a text of one line.
fn without_place(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    error.to_string().replace(&place, "")
}

/// Reads a part up to its end, or the first line that is no object.
fn part(data: &Data, range: Range<u64>, shape: Shape, room: Option<&Room>) -> Result<Part, Fault> {
    let bytes = data.bytes(range.clone())?;
    // A line that is no text is refused by the parser, which says where it is.
    let text = std::str::from_utf8(&bytes).ok();
    let mut part =
        Part { bytes: range, rows: 0, line: 1, lines: 0, shape, fault: None, kept: Mutex::default() };
    let (mut start, mut known) = (0, Known::default());
    while start < bytes.len() {
        let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |end| start + end + 1);
        let fault = match bytes[start..end].trim_ascii() {
            [] => None,
            object @ [b'{', ..] => {
                part.rows += 1;
                let confirmed = text.is_some_and(|text| part.shape.confirms(&text[start..end], &mut known));
                if confirmed {
                    None
                } else {
                    part.shape.note(object).err().map(|error| without_place(&error))
                }
            }
            [b'[', ..] if part.bytes.start == 0 && part.lines == 0 => {
                Some("it begins an array; JSON lines have an object on each line".to_owned())
            }
            _ => Some("it does not begin with an object".to_owned()),
        };
        if let Some(fault) = fault {
            part.fault = Some((part.lines, fault));
            return Ok(part);
        }
        part.lines += 1;
        start = end;
    }
    let held = room.and_then(|room| room.take(bytes.len()));
    part.kept = Mutex::new(held.map(|held| (bytes, held)));
    Ok(part)
}

struct JsonFile {
    data: Data,
    schema: SchemaRef,
    /// For each column its type, if that was said.
    declared: Vec<Option<Declared>>,
    parts: Vec<Part>,
    rows: Vec<usize>,
}

impl Opened for JsonFile {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn parts(&self) -> &[usize] {
        &self.rows
    }

    fn read(
        &self,
        part: usize,
        columns: &[usize],
        rows: usize,
        read: &Arc<AtomicU64>,
    ) -> Result<Batches, Fault> {
        let part = self.parts.get(part).ok_or("a part that is not there")?;
        let schema = Arc::new(self.schema.project(columns).map_err(fault)?);
        let declared: Vec<_> = columns.iter().map(|column| self.declared[*column].clone()).collect();
        let from = part.line;
        let placed = move |batch: Result<RecordBatch, Fault>| {
            batch.map_err(|why| -> Fault { format!("in the lines from {from} on, {why}").into() })
        };
        if declared.iter().all(Option::is_none) && Rows::suits(&schema) {
            let (bytes, held) = part.bytes(&self.data)?;
            // A file that is no text any more is left to the reader that says so.
            if let Ok(text) = String::from_utf8(bytes.into()) {
                read.fetch_add(text.len() as u64, Ordering::Relaxed);
                let rows = Rows::new(text, &self.schema, columns, schema, rows);
                return Ok(Box::new(rows.map(move |batch| {
                    let _counted = &held;
                    placed(batch)
                })));
            }
        }
        // What is declared comes as the text that stands in the file.
        let texts = schema.fields().iter().zip(&declared).map(|(field, declared)| match declared {
            Some(_) => Field::new(field.name(), DataType::Utf8, true),
            None => field.as_ref().clone(),
        });
        let texts = Arc::new(Schema::new(texts.collect::<Vec<_>>()));
        let kept = part.kept.lock().take();
        let (bytes, held): (Box<dyn Read + Send>, _) = match kept {
            Some((bytes, held)) => {
                read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                (Box::new(bytes.reader()), Some(held))
            }
            None => (Box::new(self.data.reader(part.bytes.clone(), read)), None),
        };
        let cursor = BufReader::with_capacity(1 << 20, bytes);
        let any = declared.iter().any(Option::is_some);
        let reader = ReaderBuilder::new(texts)
            .with_batch_size(rows)
            .with_coerce_primitive(any)
            .build(cursor)
            .map_err(fault)?;
        Ok(Box::new(reader.map(move |batch| {
            let _counted = &held;
            placed(batch.map_err(fault).and_then(|batch| match any {
                true => typed(&batch, &schema, &declared),
                false => Ok(batch),
            }))
        })))
    }
}

/// The declared columns of a batch, of which the texts are there, as what they are declared.
fn typed(
    batch: &RecordBatch,
    schema: &SchemaRef,
    declared: &[Option<Declared>],
) -> Result<RecordBatch, Fault> {
    // No text stands for a missing value: that is `null`.
    let none = Missing::new(&[], true);
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
    for ((array, field), declared) in batch.columns().iter().zip(schema.fields()).zip(declared) {
        let Some(declared) = declared else {
            arrays.push(array.clone());
            continue;
        };
        let texts = array.as_string::<i32>();
        let mut column = Column::of(field.data_type(), Some(declared))?;
        for text in texts {
            let pushed = match text {
                None => column.skip(),
                Some(text) => column.push(text.as_bytes(), &none),
            };
            pushed.map_err(|why| -> Fault {
                let text: String = text.unwrap_or_default().chars().take(60).collect();
                let why = match &*why {
                    "" => format!("it is no {}, as which it is declared", declared.dtype),
                    why => why.to_owned(),
                };
                format!("column `{}` has {text:?}: {why}", field.name()).into()
            })?;
        }
        arrays.push(column.finish());
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), arrays, &options).map_err(fault)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;

    use super::super::data::Opening;
    use super::*;
    use crate::io::memory_store::Counted;
    use crate::io::source::options::ReadOptions;

    /// The rows of a column, or why there are none.
    fn rows(file: &dyn Opened, column: usize) -> Result<usize, String> {
        let batches = file.read(0, &[column], 100, &Arc::default()).map_err(|fault| fault.to_string())?;
        let batches = batches.collect::<Result<Vec<_>, _>>().map_err(|fault| fault.to_string())?;
        Ok(batches.iter().map(RecordBatch::num_rows).sum())
    }

    #[test]
    fn what_the_first_pass_has_read_is_not_read_again_where_there_is_room() {
        let text: String = (0..500).map(|row| format!("{{\"n\": {row}, \"l\": [{row}]}}\n")).collect();
        for (room, nested) in [(text.len(), 0), (text.len(), 1), (text.len() - 1, 0), (text.len() - 1, 1)] {
            let memory = Arc::new(Counted::default());
            let (opening, mut file) = (Opening::default(), tempfile::tempfile().unwrap());
            file.write_all(text.as_bytes()).unwrap();
            let data = Data::from_file(file.try_clone().unwrap(), &opening).unwrap();
            opening.done();
            let kept = Some(Arc::new(Room::new(memory.clone(), room)));
            let (spool, options) = (std::path::Path::new("/tmp"), ReadOptions::default());
            let with = With { spool, threads: 1, options: &options, room: kept };
            let opened = JsonLines.open(data, ".json", &with).unwrap();
            // The file is gone: rows can only be those that are kept.
            file.set_len(0).unwrap();
            let fits = room == text.len();
            assert_eq!(memory.kept(), if fits { room } else { 0 });
            assert_eq!(rows(&*opened, nested).is_ok_and(|rows| rows == 500), fits);
            assert_eq!(memory.kept(), 0);
            assert!(!rows(&*opened, nested).is_ok_and(|rows| rows > 0));
        }
    }
}
