//! CSV and TSV: types from all values as `pandas.read_csv` finds them, parts read side by side.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, NullArray, RecordBatch, RecordBatchOptions,
    StringViewBuilder, UInt64Builder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use csv_core::{ReadRecordResult, ReaderBuilder};

use super::data::{Cursor, Data};
use super::infer::{Seen, float, integer, is_missing, truth, unsigned};
use super::{Batches, Fault, Format, Opened, With, side_by_side};

#[cfg(test)]
mod tests;

pub struct Csv;

/// Bytes of a part, about.
const PART: u64 = 4 << 20;
/// Bytes of a row, at most.
const LONGEST: usize = 256 << 20;
/// The same where it is not known yet whether the part begins with a record.
const GUESSED: usize = 16 << 20;
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

    fn open(&self, data: Data, ending: &str, with: &With<'_>) -> Result<Box<dyn Opened>, Fault> {
        let separator = if ending == ".csv" { b',' } else { b'\t' };
        let mut head = Records::new(data.whole(), separator, 1);
        let Some(names) = head.next()?.map(|record| named(&record)).transpose()? else {
            return Err("it is empty: there is no line with the names of its columns".into());
        };
        head.skip_line_ends()?;
        let (start, line, columns) = (head.at, head.line(), names.len());
        let parts =
            Unread { data: &data, separator, columns, part: PART }.parts(start, line, with.threads)?;
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
    /// Bytes of a part, about.
    part: u64,
}

struct Part {
    /// From a record to the one after its last.
    bytes: Range<u64>,
    rows: usize,
    /// Number of its first line in the file, from 1.
    line: u64,
    /// Its lines, with those between it and what follows.
    lines: u64,
    seen: Vec<Seen>,
}

impl Unread<'_> {
    /// The file's parts, read side by side. Each is read as if no value in quotes lay across its first line end, and
    /// up to the end of a record; it stands if it began where the one before it ended, else it is read again from
    /// there.
    fn parts(&self, start: u64, line: u64, threads: usize) -> Result<Vec<Part>, Fault> {
        let mut cuts = vec![start];
        while let Some(next) = self.data.line_after(cuts[cuts.len() - 1] + self.part)? {
            cuts.push(next);
        }
        cuts.push(self.data.size);
        let ranges: Vec<_> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
        // One that cannot be read is read again, with its line known, if it is one at all.
        let guess = |number: usize| self.part(ranges[number].clone(), 1, GUESSED).ok();
        let read = side_by_side(ranges.len(), threads, guess);
        let mut parts: Vec<Part> = Vec::with_capacity(ranges.len());
        let (mut at, mut line) = (start, line);
        for (range, read) in ranges.iter().zip(read) {
            let mut part = match read.filter(|part| part.bytes.start == at) {
                Some(part) => part,
                None if at >= range.end => continue,
                None => self.part(at..range.end, line, LONGEST)?,
            };
            part.line = line;
            (at, line) = (part.bytes.end, line + part.lines);
            parts.push(part);
        }
        Ok(parts)
    }

    /// The records that begin within a range.
    fn part(&self, range: Range<u64>, line: u64, longest: usize) -> Result<Part, Fault> {
        let cursor = self.data.reader(range.start..self.data.size, &Arc::default());
        let mut records = Records::new(cursor, self.separator, line);
        records.longest = longest;
        records.skip_line_ends()?;
        let line = records.line();
        let (mut from, mut at) = (range.start + records.at, range.start + records.at);
        let mut part =
            Part { bytes: at..at, rows: 0, line, lines: 0, seen: vec![Seen::default(); self.columns] };
        while at < range.end {
            let Some(record) = records.next()? else { break };
            if !record.is_blank(self.columns) {
                record.fits(self.columns)?;
                part.rows += 1;
                part.seen.iter_mut().enumerate().for_each(|(place, seen)| seen.note(record.get(place)));
            }
            let line = record.line;
            at = range.start + records.at;
            if at == self.data.size && is_unclosed(&self.data.bytes(from..at)?, self.separator) {
                return Err(format!("line {line} has a quote that is never closed").into());
            }
            records.skip_line_ends()?;
            at = range.start + records.at;
            from = at;
        }
        part.bytes.end = at;
        part.lines = records.line() - line;
        Ok(part)
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
    /// Bytes of a record, at most.
    longest: usize,
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
            longest: LONGEST,
        }
    }

    /// The line that comes next.
    fn line(&self) -> u64 {
        self.parser.line()
    }

    /// Bytes to parse, if there are any left.
    fn fill(&mut self) -> Result<bool, Fault> {
        if self.from == self.to {
            self.from = 0;
            self.to = self.cursor.read(&mut self.input)?;
        }
        Ok(self.to > 0)
    }

    /// Passes over blank lines, and over what is left of an end of two bytes.
    fn skip_line_ends(&mut self) -> Result<(), Fault> {
        while self.fill()? && b"\r\n".contains(&self.input[self.from]) {
            if self.input[self.from] == b'\n' {
                self.parser.set_line(self.parser.line() + 1);
            }
            self.from += 1;
            self.at += 1;
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Record<'_>>, Fault> {
        self.skip_line_ends()?;
        let line = self.line();
        let (mut written, mut ended) = (0, 0);
        loop {
            self.fill()?;
            let input = &self.input[self.from..self.to];
            let (result, read, wrote, ends) =
                self.parser.read_record(input, &mut self.fields[written..], &mut self.ends[ended..]);
            self.from += read;
            self.at += read as u64;
            written += wrote;
            ended += ends;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull if self.fields.len() >= self.longest => {
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
