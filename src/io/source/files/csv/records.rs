//! The records of a run of bytes, one after another.

use std::io::Read;

use csv_core::{ReadRecordResult, ReaderBuilder};

use super::super::Fault;
use super::super::data::Cursor;
use super::tokens::{Dialect, Tokenizer};

/// Bytes of a row, at most.
pub const LONGEST: usize = 256 << 20;
/// Bytes read at a time.
const BUFFER: usize = 256 << 10;

enum Parser {
    Plain(Box<csv_core::Reader>),
    Own(Tokenizer),
}

pub struct Records {
    cursor: Cursor,
    parser: Parser,
    input: Vec<u8>,
    from: usize,
    to: usize,
    fields: Vec<u8>,
    ends: Vec<usize>,
    /// Bytes that were parsed.
    pub at: u64,
    /// Bytes of a record, at most.
    pub longest: usize,
}

/// One record: its fields without quotes.
pub struct Record<'a> {
    fields: &'a [u8],
    ends: &'a [usize],
    /// The line it begins at.
    pub line: u64,
    /// Lines of nothing but spaces were not taken for records.
    is_row: bool,
}

impl Record<'_> {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// A field; one that the record has not is empty.
    pub fn get(&self, place: usize) -> &[u8] {
        let Some(end) = self.ends.get(place) else { return &[] };
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.fields[start..*end]
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

impl Records {
    pub fn new(cursor: Cursor, dialect: Dialect, line: u64) -> Self {
        let parser = if dialect.is_plain() {
            let mut builder = ReaderBuilder::new();
            builder.delimiter(dialect.separator).quoting(dialect.quote.is_some());
            if let Some(quote) = dialect.quote {
                builder.quote(quote);
            }
            let mut parser = builder.build();
            parser.set_line(line);
            Parser::Plain(Box::new(parser))
        } else {
            Parser::Own(Tokenizer::new(dialect, line))
        };
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
    pub fn line(&self) -> u64 {
        match &self.parser {
            Parser::Plain(parser) => parser.line(),
            Parser::Own(parser) => parser.line(),
        }
    }

    /// Whether what was read ended within quotes, if the parser knows.
    pub fn is_unclosed(&self) -> Option<bool> {
        match &self.parser {
            Parser::Plain(_) => None,
            Parser::Own(parser) => Some(parser.is_unclosed()),
        }
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
    pub fn skip_line_ends(&mut self) -> Result<(), Fault> {
        while self.fill()? && b"\r\n".contains(&self.input[self.from]) {
            if self.input[self.from] == b'\n' {
                let line = self.line() + 1;
                match &mut self.parser {
                    Parser::Plain(parser) => parser.set_line(line),
                    Parser::Own(parser) => parser.set_line(line),
                }
            }
            self.from += 1;
            self.at += 1;
        }
        Ok(())
    }

    pub fn next(&mut self) -> Result<Option<Record<'_>>, Fault> {
        self.skip_line_ends()?;
        let mut line = self.line();
        let (mut written, mut ended) = (0, 0);
        loop {
            self.fill()?;
            let input = &self.input[self.from..self.to];
            let (output, places) = (&mut self.fields[written..], &mut self.ends[ended..]);
            let (result, read, wrote, ends) = match &mut self.parser {
                Parser::Plain(parser) => parser.read_record(input, output, places),
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
                    let is_row = match &self.parser {
                        Parser::Plain(_) => false,
                        Parser::Own(parser) => {
                            line = parser.first_line;
                            true
                        }
                    };
                    let (fields, ends) = (&self.fields[..written], &self.ends[..ended]);
                    return Ok(Some(Record { fields, ends, line, is_row }));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }
}
