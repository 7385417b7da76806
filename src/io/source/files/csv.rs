//! CSV and TSV: types from all values as `pandas.read_csv` finds them, parts read side by side.

use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, NullArray, RecordBatch, RecordBatchOptions,
    StringViewBuilder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use csv_core::{ReadRecordResult, ReaderBuilder};

use super::data::{Cursor, Data};
use super::infer::{Seen, float, integer, is_missing, truth, unsigned};
use super::{Batches, Fault, Format, Opened};

pub struct Csv;

/// Bytes of a part, about.
const PART: u64 = 4 << 20;
/// Bytes of a row, at most.
const LONGEST: usize = 256 << 20;
/// Bytes read at a time.
const BUFFER: usize = 256 << 10;

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn title(&self) -> &'static str {
        "CSV"
    }

    fn endings(&self) -> &'static [&'static str] {
        &[".csv", ".tsv", ".tab"]
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, data: Data, ending: &str, _: &Path) -> Result<Box<dyn Opened>, Fault> {
        let separator = if ending == ".csv" { b',' } else { b'\t' };
        let mut head = Records::new(data.whole(), separator, 1);
        let Some(names) = head.next()?.map(|record| named(&record)).transpose()? else {
            return Err("it is empty: there is no line with the names of its columns".into());
        };
        let (start, line, columns) = (head.at, head.line(), names.len());
        let file = Unread { data: &data, separator, columns };
        let parts = match file.side_by_side(start, line)? {
            Some(parts) => parts,
            None => file.in_order(start, line)?,
        };
        let mut seen = vec![Seen::default(); columns];
        for part in &parts {
            seen.iter_mut().zip(&part.seen).for_each(|(seen, part)| seen.and(part));
        }
        let fields = names.iter().zip(&seen).map(|(name, seen)| Field::new(name, seen.data_type(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let rows = parts.iter().map(|part| part.rows).collect();
        Ok(Box::new(CsvFile { data, separator, schema, parts, rows }))
    }
}

/// The names in the first line; as in pandas, one that is missing is `Unnamed: 2`, one that is repeated `a.1`.
fn named(record: &Record<'_>) -> Result<Vec<String>, Fault> {
    let mut names: Vec<String> = Vec::with_capacity(record.len());
    for place in 0..record.len() {
        let text = std::str::from_utf8(record.get(place)).map_err(|_| "its first line is no UTF-8")?;
        let name = if text.is_empty() { format!("Unnamed: {place}") } else { text.to_owned() };
        let mut free = name.clone();
        let mut number = 0;
        while names.contains(&free) {
            number += 1;
            free = format!("{name}.{number}");
        }
        names.push(free);
    }
    Ok(names)
}

/// A file whose rows are not known yet.
struct Unread<'a> {
    data: &'a Data,
    separator: u8,
    columns: usize,
}

struct Part {
    bytes: Range<u64>,
    rows: usize,
    /// Number of its first line in the file, from 1.
    line: u64,
    seen: Vec<Seen>,
}

impl Unread<'_> {
    fn part(&self, bytes: Range<u64>, line: u64) -> Part {
        Part { bytes, rows: 0, line, seen: vec![Seen::default(); self.columns] }
    }

    /// The parts of a file without quotes, where every line end is the end of a row; nothing for one with quotes.
    fn side_by_side(&self, start: u64, line: u64) -> Result<Option<Vec<Part>>, Fault> {
        let mut cuts = vec![start];
        while let Some(next) = self.line_after(cuts[cuts.len() - 1] + PART)? {
            cuts.push(next);
        }
        cuts.push(self.data.size);
        let ranges: Vec<_> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
        let (quoted, next) = (AtomicBool::new(false), AtomicUsize::new(0));
        let work = || -> Result<Vec<(usize, Part, u64)>, Fault> {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(range) = ranges.get(number).filter(|_| !quoted.load(Ordering::Relaxed)) else {
                    return Ok(done);
                };
                let mut records =
                    Records::new(self.data.reader(range.clone(), &Arc::default()), self.separator, 1);
                records.plain = true;
                let mut part = self.part(range.clone(), 1);
                while let Some(record) = records.next()? {
                    if !record.is_blank(self.columns) {
                        self.note(&mut part, &record)?;
                    }
                }
                if records.quoted {
                    quoted.store(true, Ordering::Relaxed);
                    return Ok(done);
                }
                done.push((number, part, records.line() - 1));
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(ranges.len());
        let done = std::thread::scope(|scope| {
            let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            running.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
        });
        let mut parts = Vec::with_capacity(ranges.len());
        let mut failed = None;
        for part in done {
            match part {
                Ok(Ok(some)) => parts.extend(some),
                Ok(Err(fault)) => failed = Some(fault),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        // Lines are counted from the start only when all parts are there: a fault is told by reading in order.
        if quoted.into_inner() || failed.is_some() {
            return Ok(None);
        }
        parts.sort_by_key(|(number, ..)| *number);
        let mut at = line;
        let parts = parts.into_iter().map(|(_, mut part, lines)| {
            part.line = at;
            at += lines;
            part
        });
        Ok(Some(parts.collect()))
    }

    /// Where the line after a place begins, if there is one.
    fn line_after(&self, place: u64) -> Result<Option<u64>, Fault> {
        let mut at = place;
        while at < self.data.size {
            let bytes = self.data.bytes(at..at + (64 << 10))?;
            if let Some(end) = memchr::memchr(b'\n', &bytes) {
                let next = at + end as u64 + 1;
                return Ok((next < self.data.size).then_some(next));
            }
            at += bytes.len() as u64;
        }
        Ok(None)
    }

    fn in_order(&self, start: u64, line: u64) -> Result<Vec<Part>, Fault> {
        let cursor = self.data.reader(start..self.data.size, &Arc::default());
        let mut records = Records::new(cursor, self.separator, line);
        let mut parts = Vec::new();
        let mut part = self.part(start..start, line);
        let mut last = (start, line);
        while let Some(record) = records.next()? {
            if !record.is_blank(self.columns) {
                self.note(&mut part, &record)?;
            }
            let line = record.line;
            let at = start + records.at;
            if at == self.data.size && is_unclosed(&self.data.bytes(last.0..at)?, self.separator) {
                return Err(format!("line {line} has a quote that is never closed").into());
            }
            last = (at, line);
            part.bytes.end = at;
            if at - part.bytes.start >= PART {
                let next = self.part(at..at, records.line());
                parts.push(std::mem::replace(&mut part, next));
            }
        }
        part.bytes.end = self.data.size;
        parts.push(part);
        Ok(parts)
    }

    fn note(&self, part: &mut Part, record: &Record<'_>) -> Result<(), Fault> {
        record.fits(self.columns)?;
        part.rows += 1;
        part.seen.iter_mut().enumerate().for_each(|(place, seen)| seen.note(record.get(place)));
        Ok(())
    }
}

/// Whether bytes end within quotes; they begin with a record.
fn is_unclosed(bytes: &[u8], separator: u8) -> bool {
    let (mut quoted, mut fresh) = (false, true);
    let mut bytes = bytes.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if quoted {
            // Two are one within the field.
            quoted = byte != b'"' || bytes.next_if_eq(&b'"').is_some();
            fresh = false;
        } else if byte == b'"' && fresh {
            quoted = true;
        } else {
            fresh = byte == separator || byte == b'\n' || byte == b'\r';
        }
    }
    quoted
}

struct CsvFile {
    data: Data,
    separator: u8,
    schema: SchemaRef,
    parts: Vec<Part>,
    rows: Vec<usize>,
}

impl Opened for CsvFile {
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
        let records = Records::new(self.data.reader(part.bytes.clone(), read), self.separator, part.line);
        let schema = Arc::new(self.schema.project(columns).map_err(super::fault)?);
        let (columns, all) = (columns.to_vec(), self.schema.fields().len());
        Ok(Box::new(Decoding { records, schema, columns, all, rows }))
    }
}

struct Decoding {
    records: Records,
    schema: SchemaRef,
    columns: Vec<usize>,
    /// How many columns the file has.
    all: usize,
    rows: usize,
}

impl Iterator for Decoding {
    type Item = Result<RecordBatch, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

impl Decoding {
    fn batch(&mut self) -> Result<Option<RecordBatch>, Fault> {
        let fields = self.schema.fields().iter();
        let mut builders =
            fields.map(|field| Column::of(field.data_type())).collect::<Result<Vec<_>, _>>()?;
        let mut rows = 0;
        while rows < self.rows {
            let Some(record) = self.records.next()? else { break };
            if record.is_blank(self.all) {
                continue;
            }
            record.fits(self.all)?;
            for (builder, place) in builders.iter_mut().zip(&self.columns) {
                builder.push(record.get(*place)).map_err(|why| {
                    let name = self.schema.field(self.columns.partition_point(|other| other < place)).name();
                    format!("line {}, column `{name}`: {why}", record.line)
                })?;
            }
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let arrays = builders.into_iter().map(Column::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(Some(RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?))
    }
}

/// The values of one column on their way into an array.
enum Column {
    Null(usize),
    Bool(BooleanBuilder),
    Int(Int64Builder),
    UInt(UInt64Builder),
    Float(Float64Builder),
    Text(StringViewBuilder),
}

impl Column {
    fn of(data_type: &DataType) -> Result<Self, Fault> {
        Ok(match data_type {
            DataType::Null => Column::Null(0),
            DataType::Boolean => Column::Bool(BooleanBuilder::new()),
            DataType::Int64 => Column::Int(Int64Builder::new()),
            DataType::UInt64 => Column::UInt(UInt64Builder::new()),
            DataType::Float64 => Column::Float(Float64Builder::new()),
            DataType::Utf8View => Column::Text(StringViewBuilder::new()),
            other => return Err(format!("a column of it is {other}").into()),
        })
    }

    fn push(&mut self, text: &[u8]) -> Result<(), &'static str> {
        let missing = is_missing(text);
        let other = "it was another value when the file was opened";
        match self {
            Column::Null(rows) if missing => *rows += 1,
            Column::Null(_) => return Err(other),
            Column::Bool(builder) if missing => builder.append_null(),
            Column::Bool(builder) => builder.append_value(truth(text).ok_or(other)?),
            Column::Int(builder) if missing => builder.append_null(),
            Column::Int(builder) => builder.append_value(integer(text).ok_or(other)?),
            Column::UInt(builder) if missing => builder.append_null(),
            Column::UInt(builder) => builder.append_value(unsigned(text).ok_or(other)?),
            Column::Float(builder) if missing => builder.append_null(),
            Column::Float(builder) => builder.append_value(float(text).ok_or(other)?),
            Column::Text(builder) if missing => builder.append_null(),
            Column::Text(builder) => {
                builder.append_value(std::str::from_utf8(text).map_err(|_| "it is no UTF-8")?);
            }
        }
        Ok(())
    }

    fn finish(self) -> ArrayRef {
        match self {
            Column::Null(rows) => Arc::new(NullArray::new(rows)),
            Column::Bool(mut builder) => Arc::new(builder.finish()),
            Column::Int(mut builder) => Arc::new(builder.finish()),
            Column::UInt(mut builder) => Arc::new(builder.finish()),
            Column::Float(mut builder) => Arc::new(builder.finish()),
            Column::Text(mut builder) => Arc::new(builder.finish()),
        }
    }
}

/// The records of a run of bytes, one after another.
struct Records {
    cursor: Cursor,
    parser: csv_core::Reader,
    input: Vec<u8>,
    from: usize,
    to: usize,
    fields: Vec<u8>,
    ends: Vec<usize>,
    /// Bytes that were parsed.
    at: u64,
    /// Look for quotes, and stop where there is one.
    plain: bool,
    quoted: bool,
}

/// One record: its fields without quotes.
struct Record<'a> {
    fields: &'a [u8],
    ends: &'a [usize],
    /// The line it begins at.
    line: u64,
}

impl Record<'_> {
    fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field; one that the record has not is empty.
    fn get(&self, place: usize) -> &[u8] {
        let Some(end) = self.ends.get(place) else { return &[] };
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.fields[start..*end]
    }

    /// A line of nothing but spaces is no row; one field that is empty stands in quotes.
    fn is_blank(&self, columns: usize) -> bool {
        columns > 1 && self.len() == 1 && !self.get(0).is_empty() && self.get(0).trim_ascii().is_empty()
    }

    fn fits(&self, columns: usize) -> Result<(), Fault> {
        if self.len() <= columns {
            return Ok(());
        }
        Err(format!("line {} has {} fields where the first line has {columns}", self.line, self.len()).into())
    }
}

impl Records {
    fn new(cursor: Cursor, separator: u8, line: u64) -> Self {
        let mut parser = ReaderBuilder::new().delimiter(separator).build();
        parser.set_line(line);
        Self {
            cursor,
            parser,
            input: vec![0; BUFFER],
            from: 0,
            to: 0,
            fields: vec![0; 4096],
            ends: vec![0; 64],
            at: 0,
            plain: false,
            quoted: false,
        }
    }

    /// The line that comes next.
    fn line(&self) -> u64 {
        self.parser.line()
    }

    fn next(&mut self) -> Result<Option<Record<'_>>, Fault> {
        let (mut written, mut ended) = (0, 0);
        let mut line = None;
        loop {
            if self.from == self.to {
                self.from = 0;
                self.to = self.cursor.read(&mut self.input)?;
                if self.plain && memchr::memchr(b'"', &self.input[..self.to]).is_some() {
                    self.quoted = true;
                    return Ok(None);
                }
            }
            // Ends of lines before the record: blank lines, and what is left of an end of two bytes.
            let line = *line.get_or_insert_with(|| {
                let ends = self.input[self.from..self.to].iter().take_while(|byte| b"\r\n".contains(byte));
                self.parser.line() + ends.filter(|byte| **byte == b'\n').count() as u64
            });
            let input = &self.input[self.from..self.to];
            let (result, read, wrote, ends) =
                self.parser.read_record(input, &mut self.fields[written..], &mut self.ends[ended..]);
            self.from += read;
            self.at += read as u64;
            written += wrote;
            ended += ends;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.fields.len() >= LONGEST => {
                    return Err(
                        format!("line {line} begins a row that is too long; is a quote not closed?").into()
                    );
                }
                ReadRecordResult::OutputFull => self.fields.resize(self.fields.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::Record => {
                    return Ok(Some(Record {
                        fields: &self.fields[..written],
                        ends: &self.ends[..ended],
                        line,
                    }));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }
}
