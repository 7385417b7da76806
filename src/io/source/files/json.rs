//! JSON lines: one object on each line.

use std::collections::HashSet;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::json::ReaderBuilder;
use arrow::json::reader::infer_json_schema;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::data::Data;
use super::{Batches, Fault, Format, Opened, fault};

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

    fn open(&self, data: Data, _: &str, _: &Path) -> Result<Box<dyn Opened>, Fault> {
        let parts = cut(&data)?;
        let lines = || BufReader::with_capacity(1 << 20, data.whole());
        let (schema, _) = infer_json_schema(lines(), None).map_err(fault)?;
        let schema = in_order(&schema, lines())?;
        let rows = parts.iter().map(|part| part.rows).collect();
        Ok(Box::new(JsonFile { data, schema: Arc::new(schema), parts, rows }))
    }
}

/// The columns as they first appear; where they were found they are sorted.
fn in_order(schema: &Schema, lines: impl BufRead) -> Result<Schema, Fault> {
    let mut fields = Vec::with_capacity(schema.fields().len());
    let mut seen = HashSet::new();
    for line in lines.lines() {
        if fields.len() == schema.fields().len() {
            break;
        }
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        for name in serde_json::from_str::<Names>(&line)?.0 {
            if !seen.contains(&name) {
                fields.push(schema.field_with_name(&name).map_err(fault)?.clone());
                seen.insert(name);
            }
        }
    }
    Ok(Schema::new(fields))
}

/// The names in an object, in its order.
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((name, _)) = object.next_entry::<String, IgnoredAny>()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

struct Part {
    start: u64,
    end: u64,
    rows: usize,
    /// Number of its first line in the file, from 1.
    line: u64,
}

/// Cuts a file at line ends; no line end is within a value, where it would be escaped.
fn cut(data: &Data) -> Result<Vec<Part>, Fault> {
    let mut reader = BufReader::with_capacity(1 << 20, data.whole());
    let mut parts = Vec::new();
    let (mut at, mut lines) = (0, 0);
    let mut part = Part { start: 0, end: 0, rows: 0, line: 1 };
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)? as u64;
        at += length;
        lines += 1;
        let first = line.iter().find(|byte| !byte.is_ascii_whitespace());
        match first {
            None => {}
            Some(b'{') => part.rows += 1,
            Some(b'[') if part.rows == 0 && parts.is_empty() => {
                return Err("it is one array; JSON lines have an object on each line".into());
            }
            Some(_) => return Err(format!("line {lines} does not begin with an object").into()),
        }
        if length == 0 || at - part.start >= PART {
            part.end = at;
            let next = Part { start: at, end: at, rows: 0, line: lines + 1 };
            let done = std::mem::replace(&mut part, next);
            if done.rows > 0 {
                parts.push(done);
            }
        }
        if length == 0 {
            return Ok(parts);
        }
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
        let cursor = BufReader::with_capacity(1 << 20, self.data.reader(part.start..part.end, read));
        let reader =
            ReaderBuilder::new(Arc::new(schema)).with_batch_size(rows).build(cursor).map_err(fault)?;
        let from = part.line;
        Ok(Box::new(reader.map(move |batch| {
            batch.map_err(|error| format!("in the lines from {from} on, {}", fault(error)).into())
        })))
    }
}
