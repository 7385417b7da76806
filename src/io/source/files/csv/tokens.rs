//! A tokenizer for what `csv-core` does not do as pandas does: escapes outside quotes, and comments.
//!
//! It is called as `csv_core::Reader` is: with what there is of the input, again and again.

use csv_core::ReadRecordResult;

/// The characters that mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    pub separator: u8,
    pub quote: Option<u8>,
    pub escape: Option<u8>,
    pub comment: Option<u8>,
}

impl Dialect {
    /// Whether `csv-core` reads it.
    pub fn is_plain(&self) -> bool {
        self.escape.is_none() && self.comment.is_none()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a record.
    Start,
    /// In the blanks that a line begins with; they belong to it if it has more than blanks.
    Blank,
    FieldStart,
    Field,
    Escaped,
    Quoted,
    EscapedInQuotes,
    /// Behind a quote within quotes: it ends them, or stands for itself.
    QuoteInQuotes,
    /// In a comment behind fields.
    Comment,
    /// In a line of nothing else.
    CommentLine,
}

pub struct Tokenizer {
    dialect: Dialect,
    state: State,
    line: u64,
    /// The line at which the record begins.
    pub first_line: u64,
    /// Blanks that wait for what follows them.
    blanks: Vec<u8>,
    /// Something of a record was read.
    begun: bool,
}

impl Tokenizer {
    pub fn new(dialect: Dialect, line: u64) -> Self {
        Self { dialect, state: State::Start, line, first_line: line, blanks: Vec::new(), begun: false }
    }

    pub fn line(&self) -> u64 {
        self.line
    }

    pub fn set_line(&mut self, line: u64) {
        self.line = line;
    }

    /// Whether the input ended within quotes.
    pub fn is_unclosed(&self) -> bool {
        matches!(self.state, State::Quoted | State::EscapedInQuotes)
    }

    /// Reads up to the end of a record; an empty input is the end of all. As `csv_core::Reader::read_record`.
    pub fn read_record(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        ends: &mut [usize],
        written: usize,
    ) -> (ReadRecordResult, usize, usize, usize) {
        let (mut read, mut wrote, mut ended) = (0, 0, 0);
        macro_rules! push {
            ($byte:expr) => {{
                if wrote == output.len() {
                    return (ReadRecordResult::OutputFull, read, wrote, ended);
                }
                output[wrote] = $byte;
                wrote += 1;
            }};
        }
        macro_rules! end_field {
            () => {{
                if ended == ends.len() {
                    return (ReadRecordResult::OutputEndsFull, read, wrote, ended);
                }
                ends[ended] = written + wrote;
                ended += 1;
            }};
        }
        if input.is_empty() {
            if !self.begun {
                return (ReadRecordResult::End, 0, 0, 0);
            }
            if self.state != State::Comment {
                end_field!();
            }
            self.begun = false;
            if !self.is_unclosed() {
                self.state = State::Start;
            }
            return (ReadRecordResult::Record, 0, wrote, ended);
        }
        while let Some(&byte) = input.get(read) {
            let is_end = byte == b'\n' || byte == b'\r';
            match self.state {
                State::Start if is_end => self.count(byte),
                State::Start if Some(byte) == self.dialect.comment => self.state = State::CommentLine,
                State::Start | State::Blank
                    if matches!(byte, b' ' | b'\t') && byte != self.dialect.separator =>
                {
                    if self.state == State::Start {
                        self.first_line = self.line;
                    }
                    self.blanks.push(byte);
                    self.state = State::Blank;
                }
                State::Blank if is_end => {
                    self.blanks.clear();
                    self.count(byte);
                    self.state = State::Start;
                }
                State::Start => {
                    self.first_line = self.line;
                    self.begun = true;
                    self.state = State::FieldStart;
                    continue;
                }
                State::Blank => {
                    self.begun = true;
                    // Blanks are ordinary: the first one begins a field.
                    while let Some(&blank) = self.blanks.first() {
                        push!(blank);
                        self.blanks.remove(0);
                    }
                    self.state = State::Field;
                    continue;
                }
                State::CommentLine => {
                    if is_end {
                        self.count(byte);
                        self.state = State::Start;
                    }
                }
                State::FieldStart | State::Field | State::QuoteInQuotes | State::Comment if is_end => {
                    if self.state != State::Comment {
                        end_field!();
                    }
                    self.count(byte);
                    self.state = State::Start;
                    self.begun = false;
                    return (ReadRecordResult::Record, read + 1, wrote, ended);
                }
                State::Comment => {}
                State::QuoteInQuotes if Some(byte) == self.dialect.quote => {
                    push!(byte);
                    self.state = State::Quoted;
                }
                State::FieldStart | State::Field | State::QuoteInQuotes if byte == self.dialect.separator => {
                    end_field!();
                    self.state = State::FieldStart;
                }
                State::QuoteInQuotes => {
                    push!(byte);
                    self.state = State::Field;
                }
                State::FieldStart if Some(byte) == self.dialect.quote => self.state = State::Quoted,
                State::FieldStart | State::Field if Some(byte) == self.dialect.escape => {
                    self.state = State::Escaped;
                }
                State::FieldStart | State::Field if Some(byte) == self.dialect.comment => {
                    end_field!();
                    self.state = State::Comment;
                }
                State::FieldStart | State::Field => {
                    push!(byte);
                    self.state = State::Field;
                }
                State::Escaped => {
                    push!(byte);
                    self.count(byte);
                    self.state = State::Field;
                }
                State::Quoted if Some(byte) == self.dialect.escape => self.state = State::EscapedInQuotes,
                State::Quoted if Some(byte) == self.dialect.quote => self.state = State::QuoteInQuotes,
                State::Quoted | State::EscapedInQuotes => {
                    push!(byte);
                    self.count(byte);
                    self.state = State::Quoted;
                }
            }
            read += 1;
        }
        (ReadRecordResult::InputEmpty, read, wrote, ended)
    }

    /// As `csv-core`: lines end with `\n`.
    fn count(&mut self, byte: u8) {
        self.line += u64::from(byte == b'\n');
    }
}
