//! CSV and TSV: types from all values as `pandas.read_csv` finds them, parts read side by side.

pub mod column;
mod draft;
mod marks;
mod records;
#[cfg(test)]
mod tests;
mod tokens;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use self::column::{Column, OTHER, Why};
use self::draft::{Drafts, Guess, Kept};
use self::records::{LONGEST, Record, Records};
use self::tokens::Dialect;
use super::data::Data;
use super::infer::{Missing, Seen};
use super::{Batches, Fault, Format, Opened, With, side_by_side};
use crate::io::source::options::{Declared, ReadOptions};
use crate::plan::op::time::short;

pub struct Csv;

/// Bytes of a part, about.
const PART: u64 = 4 << 20;
/// Bytes of a row where it is not known yet whether the part begins with a record.
const GUESSED: usize = 16 << 20;

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

    fn options(&self) -> &'static [&'static str] {
        &[
            "sep",
            "header",
            "names",
            "skipRows",
            "naValues",
            "keepDefaultNa",
            "quote",
            "escape",
            "comment",
            "dtype",
            "dates",
        ]
    }

    fn open(&self, data: Data, ending: &str, with: &With<'_>) -> Result<Box<dyn Opened>, Fault> {
        let options = with.options;
        let dialect = Dialect {
            separator: options.sep.unwrap_or(if ending == ".csv" { b',' } else { b'\t' }),
            quote: options.quote.unwrap_or(Some(b'"')),
            escape: options.escape,
            comment: options.comment,
        };
        let mark = if data.bytes(0..3)?[..] == *b"\xef\xbb\xbf" { 3 } else { 0 };
        let (from, first) = after_lines(&data, mark, options.skip_rows, dialect)?;
        let mut head = Records::new(data.reader(from..data.size, &Arc::default()), dialect, first);
        let record = head.next()?;
        let has_names = options.header.unwrap_or(options.names.is_none());
        let names = columns(record.as_ref(), has_names, options)?;
        let (start, line) = if has_names {
            head.skip_line_ends()?;
            (from + head.at, head.line())
        } else {
            (from, first)
        };
        let declared: Vec<_> = names.iter().map(|name| options.declared(name)).collect();
        let missing = Arc::new(Missing::new(&options.na_values, options.without_default_na));
        let open = declared.iter().zip(&names).enumerate();
        // Of columns that the source does not have the type does not matter.
        let open = open.filter(|(_, (declared, name))| declared.is_none() && options.has_column(name));
        let inferred: Vec<usize> = open.map(|(place, _)| place).collect();
        let begin = (start, line);
        let guess = with
            .room
            .clone()
            .and_then(|room| Guess::of(&data, begin, dialect, &inferred, &declared, &missing, room));
        let (columns, guess) = (names.len(), guess.as_ref());
        let unread = Unread { data: &data, dialect, columns, inferred, missing: &missing, guess, part: PART };
        let mut parts = unread.parts(start, line, with.threads)?;
        let mut seen = vec![Seen::default(); names.len()];
        for part in &parts {
            seen.iter_mut().zip(&part.seen).for_each(|(seen, part)| seen.and(part));
        }
        let rows = parts.iter().map(|part| part.rows).collect();
        let drafts = Drafts::new(parts.iter_mut().map(|part| part.kept.take()));
        let mut file = CsvFile {
            data,
            dialect,
            names,
            declared,
            missing,
            seen,
            schema: Schema::empty().into(),
            parts,
            drafts,
            rows,
        };
        file.settle(&|_| None);
        Ok(Box::new(file))
    }
}

/// Where the line after so many begins, and its number; an end of a line within quotes is none.
fn after_lines(data: &Data, start: u64, count: u64, dialect: Dialect) -> Result<(u64, u64), Fault> {
    let (mut at, mut line, mut left) = (start, 1, count);
    // A quote right behind the one that ended a value makes it go on.
    let (mut quoted, mut fresh, mut closed) = (false, true, false);
    while left > 0 {
        let bytes = data.bytes(at..at + (64 << 10))?;
        if bytes.is_empty() {
            break;
        }
        let mut used = 0;
        for byte in &bytes {
            used += 1;
            line += u64::from(*byte == b'\n');
            let is_quote = Some(*byte) == dialect.quote;
            if quoted {
                (quoted, closed) = (!is_quote, is_quote);
                continue;
            }
            if *byte == b'\n' {
                left -= 1;
                if left == 0 {
                    break;
                }
            }
            quoted = is_quote && (fresh || closed);
            closed = false;
            fresh = *byte == dialect.separator || *byte == b'\n';
        }
        at += used;
    }
    Ok((at, line))
}

/// The names of the columns, from the first line or as they are given; else they are numbered.
fn columns(
    record: Option<&Record<'_>>,
    has_names: bool,
    options: &ReadOptions,
) -> Result<Vec<String>, Fault> {
    let found = match (record, has_names) {
        (Some(record), true) => Some(named(record)?),
        (None, true) => return Err("it is empty: there is no line with the names of its columns".into()),
        (_, false) => None,
    };
    match (&options.names, found, record) {
        (None, Some(found), _) => Ok(found),
        (Some(names), Some(found), _) if found.len() > names.len() => {
            Err(format!("its first line has {} names, and the option `names` {}", found.len(), names.len())
                .into())
        }
        (Some(names), ..) => Ok(names.clone()),
        (None, None, Some(record)) => Ok((0..record.len()).map(|place| place.to_string()).collect()),
        (None, None, None) => Err("it is empty: nothing says how many columns it has".into()),
    }
}

/// The names in the first line; as in pandas, one that is missing is `Unnamed: 2`, one that is repeated `a.1`.
fn named(record: &Record<'_>) -> Result<Vec<String>, Fault> {
    let mut names: Vec<String> = Vec::with_capacity(record.len());
    let (mut given, mut missing) = (Vec::new(), Vec::new());
    for place in 0..record.len() {
        let text = std::str::from_utf8(record.get(place)).map_err(|_| "its first line is no UTF-8")?;
        if text.is_empty() { &mut missing } else { &mut given }.push(place);
        names.push(if text.is_empty() { format!("Unnamed: {place}") } else { text.to_owned() });
    }
    given.append(&mut missing);
    tell_apart(&mut names, &given);
    Ok(names)
}

/// Makes names differ, in an order of their places, step by step as pandas does: a number that makes a name which
/// another column has, or had been given by now, is left out.
fn tell_apart(names: &mut [String], order: &[usize]) {
    let mut present: HashMap<String, usize> = HashMap::with_capacity(names.len());
    for name in &*names {
        *present.entry(name.clone()).or_default() += 1;
    }
    if present.len() == names.len() {
        return;
    }
    // Of each name the number for the next column that has it; 0: no column is done that has it.
    let mut numbers: HashMap<String, usize> = HashMap::with_capacity(names.len());
    for place in order {
        let old = names[*place].clone();
        let mut number = numbers.get(&old).copied().unwrap_or(0);
        let mut name = old.clone();
        while number > 0 {
            numbers.insert(old.clone(), number + 1);
            name = format!("{old}.{number}");
            number = match present.get(&name) {
                Some(1..) => number + 1,
                _ => numbers.get(&name).copied().unwrap_or(0),
            };
        }
        if name != old {
            present.entry(old).and_modify(|count| *count -= 1);
            *present.entry(name.clone()).or_default() += 1;
        }
        numbers.insert(name.clone(), number + 1);
        names[*place] = name;
    }
}

/// A file whose rows are not known yet.
struct Unread<'a> {
    data: &'a Data,
    dialect: Dialect,
    columns: usize,
    /// The columns whose type their values tell.
    inferred: Vec<usize>,
    missing: &'a Missing,
    /// What values are parsed as meanwhile.
    guess: Option<&'a Guess<'a>>,
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
    kept: Option<Kept>,
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
        let mut records = Records::new(cursor, self.dialect, line);
        records.longest = longest;
        records.skip_line_ends()?;
        let line = records.line();
        let (mut from, mut at) = (range.start + records.at, range.start + records.at);
        let seen = vec![Seen::default(); self.columns];
        let mut part = Part { bytes: at..at, rows: 0, line, lines: 0, seen, kept: None };
        let mut draft = self.guess.and_then(Guess::draft);
        while at < range.end {
            let Some(record) = records.next()? else { break };
            if !record.is_blank(self.columns) {
                record.fits(self.columns)?;
                part.rows += 1;
                match &mut draft {
                    Some(draft) => draft.add(&record, &mut part.seen, self.missing),
                    None => {
                        for place in &self.inferred {
                            part.seen[*place].note(record.get(*place), self.missing);
                        }
                    }
                }
            }
            let line = record.line;
            at = range.start + records.at;
            let is_unclosed = || match (records.is_unclosed(), self.dialect.quote) {
                (Some(known), _) => Ok(known),
                (None, Some(quote)) => {
                    Ok(is_unclosed(&self.data.bytes(from..at)?, self.dialect.separator, quote))
                }
                (None, None) => Ok::<_, Fault>(false),
            };
            if at == self.data.size && is_unclosed()? {
                return Err(format!("line {line} has a quote that is never closed").into());
            }
            records.skip_line_ends()?;
            at = range.start + records.at;
            from = at;
        }
        part.bytes.end = at;
        part.lines = records.line() - line;
        part.kept = draft.and_then(|draft| draft.finish(part.rows));
        Ok(part)
    }
}

/// Whether bytes end within quotes; they begin with a record.
fn is_unclosed(bytes: &[u8], separator: u8, quote: u8) -> bool {
    let (mut quoted, mut fresh) = (false, true);
    let mut bytes = bytes.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if quoted {
            // Two are one within the field.
            quoted = byte != quote || bytes.next_if_eq(&quote).is_some();
            fresh = false;
        } else if byte == quote && fresh {
            quoted = true;
        } else {
            fresh = byte == separator || byte == b'\n' || byte == b'\r';
        }
    }
    quoted
}

struct CsvFile {
    data: Data,
    dialect: Dialect,
    names: Vec<String>,
    /// For each column its type, if that was said.
    declared: Vec<Option<Declared>>,
    missing: Arc<Missing>,
    seen: Vec<Seen>,
    schema: SchemaRef,
    parts: Vec<Part>,
    drafts: Drafts,
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
        let (number, part) = (part, self.parts.get(part).ok_or("a part that is not there")?);
        let schema = Arc::new(self.schema.project(columns).map_err(super::fault)?);
        if let Some(once) = self.drafts.take(number, columns, &schema)? {
            read.fetch_add(part.bytes.end - part.bytes.start, Ordering::Relaxed);
            return Ok(Box::new(once));
        }
        let records = Records::new(self.data.reader(part.bytes.clone(), read), self.dialect, part.line);
        let declared = columns.iter().map(|column| self.declared[*column].clone()).collect();
        let (columns, all, missing) = (columns.to_vec(), self.schema.fields().len(), self.missing.clone());
        Ok(Box::new(Decoding { records, schema, columns, declared, missing, all, rows }))
    }

    fn may_miss(&self, column: usize) -> bool {
        let inferred = self.declared.get(column).is_some_and(Option::is_none);
        !inferred || self.seen.get(column).is_none_or(|seen| seen.missing)
    }

    fn seen(&self) -> Vec<(&str, Seen)> {
        let open = self.names.iter().zip(&self.declared).zip(&self.seen);
        open.filter(|((_, declared), _)| declared.is_none())
            .map(|((name, _), seen)| (name.as_str(), *seen))
            .collect()
    }

    fn settle(&mut self, types: &dyn Fn(&str) -> Option<DataType>) {
        let columns = self.names.iter().zip(&self.declared).zip(&self.seen);
        let fields = columns.map(|((name, declared), seen)| {
            let found = match declared {
                Some(declared) => declared.arrow.clone(),
                None => types(name).unwrap_or_else(|| seen.data_type()),
            };
            Field::new(name, found, true)
        });
        self.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        self.drafts.settle(&self.schema);
    }
}

struct Decoding {
    records: Records,
    schema: SchemaRef,
    columns: Vec<usize>,
    declared: Vec<Option<Declared>>,
    missing: Arc<Missing>,
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
        let columns = self.schema.fields().iter().zip(&self.declared);
        let mut builders = columns
            .map(|(field, declared)| Column::of(field.data_type(), declared.as_ref()))
            .collect::<Result<Vec<_>, _>>()?;
        let mut rows = 0;
        while rows < self.rows {
            let Some(record) = self.records.next()? else { break };
            if record.is_blank(self.all) {
                continue;
            }
            record.fits(self.all)?;
            for (number, (builder, place)) in builders.iter_mut().zip(&self.columns).enumerate() {
                let text = record.get(*place);
                if let Err(why) = builder.push(text, &self.missing) {
                    let (field, declared) = (self.schema.field(number), self.declared[number].as_ref());
                    return Err(unread(record.line, field.name(), text, declared, &why).into());
                }
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

/// Where a value is that is none of its column, and why.
fn unread(line: u64, column: &str, text: &[u8], declared: Option<&Declared>, why: &Why) -> String {
    let why = match (why, declared) {
        (why, _) if *why != OTHER => why.clone(),
        (_, Some(declared)) => format!("it is no {}, as which it is declared", declared.dtype).into(),
        (_, None) => "it was another value when the file was opened".into(),
    };
    match std::str::from_utf8(text) {
        Ok(text) if declared.is_some() => format!("line {line}, column `{column}`: '{}': {why}", short(text)),
        _ => format!("line {line}, column `{column}`: {why}"),
    }
}
