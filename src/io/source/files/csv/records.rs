//! The records of a run of bytes, one after another.
//!
//! Most are found where they stand, by the places of separators, quotes and ends of lines. A record with quotes within
//! quotes, one that does not fit the buffer and the last one without an end are left to `csv-core`, and other dialects to
//! a tokenizer of our own.

use std::io::Read;

use csv_core::{ReadRecordResult, ReaderBuilder};

use super::super::Fault;
use super::super::data::Cursor;
use super::marks::Marks;
use super::tokens::{Dialect, Tokenizer};

/// Bytes of a row, at most.
pub const LONGEST: usize = 256 << 20;
/// Bytes read at a time.
const BUFFER: usize = 256 << 10;

enum Parser {
    Plain { parser: Box<csv_core::Reader>, marks: Marks, separator: u8 },
    Own(Tokenizer),
}

pub struct Records {
    cursor: Cursor,
    parser: Parser,
    input: Vec<u8>,
    from: usize,
    to: usize,
    /// The values of a record that was not taken where it stands.
    fields: Vec<u8>,
    ends: Vec<usize>,
    /// From where to where each value of a record is.
    spans: Vec<(usize, usize)>,
    /// The line that comes next; a tokenizer of our own counts itself.
    line: u64,
    /// Bytes that were parsed.
    pub at: u64,
    /// Bytes of a record, at most.
    pub longest: usize,
}

/// One record: its fields without quotes.
pub struct Record<'a> {
    text: &'a [u8],
    spans: &'a [(usize, usize)],
    /// The line it begins at.
    pub line: u64,
    /// Lines of nothing but spaces were not taken for records.
    is_row: bool,
}

impl Record<'_> {
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// A field; one that the record has not is empty.
    #[inline]
    pub fn get(&self, place: usize) -> &[u8] {
        self.spans.get(place).map_or(&[], |(start, end)| &self.text[*start..*end])
    }

    /// A line of nothing but spaces is no row; one field that is empty stands in quotes.
    pub fn is_blank(&self, columns: usize) -> bool {
        !self.is_row
            && columns > 1
            && self.len() == 1
            && !self.get(0).is_empty()
            && self.get(0).trim_ascii().is_empty()
    }

    pub fn fits(&self, columns: usize) -> Result<(), Fault> {
        if self.len() <= columns {
            return Ok(());
        }
        Err(format!("line {} has {} fields where the first line has {columns}", self.line, self.len()).into())
    }
}

/// What became of the attempt to take a record where it stands.
enum Taken {
    /// From where to where it is in the buffer, and how many lines it ends.
    Record(usize, u64),
    /// The buffer ends before it does.
    More,
    /// It has to be put together.
    Intricate,
}

impl Records {
    pub fn new(cursor: Cursor, dialect: Dialect, line: u64) -> Self {
        Self::buffered(cursor, dialect, line, BUFFER)
    }

    /// The same, reading so many bytes at a time.
    pub fn buffered(cursor: Cursor, dialect: Dialect, line: u64, buffer: usize) -> Self {
        let parser = if dialect.is_plain() {
            let mut builder = ReaderBuilder::new();
            builder.delimiter(dialect.separator).quoting(dialect.quote.is_some());
            if let Some(quote) = dialect.quote {
                builder.quote(quote);
            }
            let marks = Marks::new([dialect.separator, dialect.quote.unwrap_or(b'\n'), b'\n', b'\r']);
            let mut parser = Box::new(builder.build());
            // It takes the first bytes it sees for the beginning of a file, which may have a mark.
            parser.read_record(b"\n", &mut [0], &mut [0]);
            Parser::Plain { parser, marks, separator: dialect.separator }
        } else {
            Parser::Own(Tokenizer::new(dialect, line))
        };
        Self {
            cursor,
            parser,
            input: vec![0; buffer],
            from: 0,
            to: 0,
            fields: vec![0; 4096],
            ends: vec![0; 64],
            spans: Vec::new(),
            line,
            at: 0,
            longest: LONGEST,
        }
    }

    /// The line that comes next.
    pub fn line(&self) -> u64 {
        match &self.parser {
            Parser::Plain { .. } => self.line,
            Parser::Own(parser) => parser.line(),
        }
    }

    /// Whether what was read ended within quotes, if the parser knows.
    pub fn is_unclosed(&self) -> Option<bool> {
        match &self.parser {
            Parser::Plain { .. } => None,
            Parser::Own(parser) => Some(parser.is_unclosed()),
        }
    }

    /// Bytes to parse, if there are any left.
    fn fill(&mut self) -> Result<bool, Fault> {
        if self.from == self.to {
            self.from = 0;
            self.to = self.cursor.read(&mut self.input)?;
            self.restart();
        }
        Ok(self.to > 0)
    }

    /// More bytes behind those that are there, as far as the buffer goes.
    fn fill_up(&mut self) -> Result<bool, Fault> {
        self.input.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        let more = self.cursor.read(&mut self.input[self.to..])?;
        self.to += more;
        self.restart();
        Ok(more > 0)
    }

    fn restart(&mut self) {
        if let Parser::Plain { marks, .. } = &mut self.parser {
            marks.restart(self.from);
        }
    }

    /// Passes over blank lines, and over what is left of an end of two bytes.
    pub fn skip_line_ends(&mut self) -> Result<(), Fault> {
        while self.fill()? {
            let byte = self.input[self.from];
            if byte != b'\n' && byte != b'\r' {
                break;
            }
            match &mut self.parser {
                Parser::Plain { marks, .. } => {
                    self.line += u64::from(byte == b'\n');
                    // The mark of this end of a line.
                    marks.next(&self.input[..self.to]);
                }
                Parser::Own(parser) => parser.set_line(parser.line() + u64::from(byte == b'\n')),
            }
            self.from += 1;
            self.at += 1;
        }
        Ok(())
    }

    pub fn next(&mut self) -> Result<Option<Record<'_>>, Fault> {
        self.skip_line_ends()?;
        loop {
            match self.take() {
                Taken::Record(end, lines) => {
                    let line = self.line;
                    self.line += lines;
                    self.at += (end - self.from) as u64;
                    self.from = end;
                    let text = &self.input[..self.to];
                    return Ok(Some(Record { text, spans: &self.spans, line, is_row: false }));
                }
                Taken::More if self.to - self.from < self.input.len() && self.fill_up()? => {}
                Taken::More | Taken::Intricate => return self.put_together(),
            }
        }
    }

    /// Takes the next record where it stands.
    #[inline]
    fn take(&mut self) -> Taken {
        let Parser::Plain { marks, separator, .. } = &mut self.parser else { return Taken::Intricate };
        let (text, separator) = (&self.input[..self.to], *separator);
        let spans = &mut self.spans;
        spans.clear();
        let (mut start, mut lines) = (self.from, 0);
        while let Some(at) = marks.next(text) {
            let byte = text[at];
            if byte == separator {
                spans.push((start, at));
                start = at + 1;
                continue;
            }
            if byte == b'\n' || byte == b'\r' {
                spans.push((start, at));
                return Taken::Record(at + 1, lines + u64::from(byte == b'\n'));
            }
            if at != start {
                // A quote that does not begin a value means nothing.
                continue;
            }
            let quote = byte;
            let end = loop {
                let Some(at) = marks.next(text) else { return Taken::More };
                if text[at] == quote {
                    break at;
                }
                lines += u64::from(text[at] == b'\n');
            };
            let Some(after) = text.get(end + 1).copied() else { return Taken::More };
            if after != separator && after != b'\n' && after != b'\r' {
                return Taken::Intricate;
            }
            marks.next(text);
            spans.push((start + 1, end));
            if after != separator {
                return Taken::Record(end + 2, lines + u64::from(after == b'\n'));
            }
            start = end + 2;
        }
        Taken::More
    }

    /// Reads the next record byte by byte, from wherever it begins to wherever it ends.
    fn put_together(&mut self) -> Result<Option<Record<'_>>, Fault> {
        let mut line = self.line();
        if let Parser::Plain { parser, .. } = &mut self.parser {
            parser.set_line(line);
        }
        let (mut written, mut ended) = (0, 0);
        loop {
            self.fill()?;
            let input = &self.input[self.from..self.to];
            let (output, places) = (&mut self.fields[written..], &mut self.ends[ended..]);
            let (result, read, wrote, ends) = match &mut self.parser {
                Parser::Plain { parser, .. } => parser.read_record(input, output, places),
                Parser::Own(parser) => parser.read_record(input, output, places, written),
            };
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
                    let is_row = match &mut self.parser {
                        Parser::Plain { parser, marks, .. } => {
                            self.line = parser.line();
                            marks.restart(self.from);
                            false
                        }
                        Parser::Own(parser) => {
                            line = parser.first_line;
                            true
                        }
                    };
                    self.spans.clear();
                    let mut start = 0;
                    for end in &self.ends[..ended] {
                        self.spans.push((start, *end));
                        start = *end;
                    }
                    return Ok(Some(Record {
                        text: &self.fields[..written],
                        spans: &self.spans,
                        line,
                        is_row,
                    }));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }
}
