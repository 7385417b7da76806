//! JSON lines: one object on each line.

use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::datatypes::{Fields, Schema, SchemaRef};
use arrow::json::ReaderBuilder;

use super::data::Data;
use super::shape::Shape;
use super::{Batches, Fault, Format, Opened, With, fault, side_by_side};

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

    fn open(&self, data: Data, _: &str, with: &With<'_>) -> Result<Box<dyn Opened>, Fault> {
        let parts = parts(&data, with.threads)?;
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
        Ok(Box::new(JsonFile { data, schema: Arc::new(Schema::new(fields)), parts, rows }))
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
}

/// The parts of a file, which is cut at line ends: none is within a value, where it would be escaped.
fn parts(data: &Data, threads: usize) -> Result<Vec<Part>, Fault> {
    let mut cuts = vec![0];
    while let Some(next) = data.line_after(cuts[cuts.len() - 1] + PART)? {
        cuts.push(next);
    }
    cuts.push(data.size);
    let ranges: Vec<_> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
    let mut parts = side_by_side(ranges.len(), threads, |number| part(data, ranges[number].clone()))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
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
fn part(data: &Data, bytes: Range<u64>) -> Result<Part, Fault> {
    let mut reader = BufReader::with_capacity(1 << 20, data.reader(bytes.clone(), &Arc::default()));
    let mut part = Part { bytes, rows: 0, line: 1, lines: 0, shape: Shape::default(), fault: None };
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(part);
        }
        let fault = match line.trim_ascii() {
            [] => None,
            object @ [b'{', ..] => {
                part.rows += 1;
                part.shape.note(object).err().map(|error| without_place(&error))
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
    }
}

struct JsonFile {
    data: Data,
    schema: SchemaRef,
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
        let schema: Schema = self.schema.project(columns).map_err(fault)?;
        let cursor = BufReader::with_capacity(1 << 20, self.data.reader(part.bytes.clone(), read));
        let reader =
            ReaderBuilder::new(Arc::new(schema)).with_batch_size(rows).build(cursor).map_err(fault)?;
        let from = part.line;
        Ok(Box::new(reader.map(move |batch| {
            batch.map_err(|error| format!("in the lines from {from} on, {}", fault(error)).into())
        })))
    }
}
