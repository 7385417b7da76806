//! Thrift's compact protocol, in which Parquet writes what it says about itself.

/// Structs within structs that are followed: the head of a page has three.
const DEEPEST: u8 = 8;

/// Why there is no value.
#[derive(Debug, PartialEq, Eq)]
pub enum Unread {
    /// The bytes end within it.
    Short,
    Damaged,
}

pub type Result<T> = std::result::Result<T, Unread>;

/// The kinds of values by their numbers in the protocol.
pub mod kind {
    pub const TRUE: u8 = 1;
    pub const FALSE: u8 = 2;
    pub const BYTE: u8 = 3;
    pub const I16: u8 = 4;
    pub const I32: u8 = 5;
    pub const I64: u8 = 6;
    pub const DOUBLE: u8 = 7;
    pub const BINARY: u8 = 8;
    pub const LIST: u8 = 9;
    pub const SET: u8 = 10;
    pub const STRUCT: u8 = 12;
}

/// Values one after the other.
pub struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    pub fn new(all: &'a [u8]) -> Self {
        Self { all, at: 0 }
    }

    /// How many were read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.all.len() - self.at
    }

    fn byte(&mut self) -> Result<u8> {
        let byte = *self.all.get(self.at).ok_or(Unread::Short)?;
        self.at += 1;
        Ok(byte)
    }

    fn skip(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count).ok_or(Unread::Damaged)?;
        let skipped = self.all.get(self.at..end).ok_or(Unread::Short)?;
        self.at = end;
        Ok(skipped)
    }

    /// Seven bits a byte, the lowest first.
    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Unread::Damaged)
    }

    pub fn whole(&mut self) -> Result<i64> {
        let folded = self.varint()?;
        Ok((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }

    pub fn count(&mut self) -> Result<usize> {
        usize::try_from(self.whole()?).map_err(|_| Unread::Damaged)
    }

    pub fn binary(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.varint()?).map_err(|_| Unread::Damaged)?;
        self.skip(length)
    }

    /// Each field of a struct: its number and its kind. `read` has to come to its end.
    pub fn fields(&mut self, mut read: impl FnMut(&mut Self, i16, u8) -> Result<()>) -> Result<()> {
        let mut last = 0;
        while let Some((field, kind)) = self.field(&mut last)? {
            read(self, field, kind)?;
        }
        Ok(())
    }

    /// The number and the kind of the next field of a struct, whose value comes next; nothing at its end. `last` is the
    /// number of the one before it.
    pub fn field(&mut self, last: &mut i16) -> Result<Option<(i16, u8)>> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        *last = match head >> 4 {
            0 => i16::try_from(self.whole()?).map_err(|_| Unread::Damaged)?,
            more => last.checked_add(i16::from(more)).ok_or(Unread::Damaged)?,
        };
        Ok(Some((*last, head & 0x0f)))
    }

    /// How many values a list has, and of which kind.
    pub fn list(&mut self) -> Result<(u64, u8)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            few => u64::from(few),
        };
        Ok((count, head & 0x0f))
    }

    /// Comes to the end of a value that is not wanted.
    pub fn pass(&mut self, kind: u8, depth: u8) -> Result<()> {
        if depth > DEEPEST {
            return Err(Unread::Damaged);
        }
        match kind {
            kind::TRUE | kind::FALSE => Ok(()),
            kind::BYTE => self.byte().map(drop),
            kind::I16..=kind::I64 => self.varint().map(drop),
            kind::DOUBLE => self.skip(8).map(drop),
            kind::BINARY => self.binary().map(drop),
            kind::LIST | kind::SET => {
                let (count, kind) = self.list()?;
                // In a list a flag has a byte of its own, which some readers do not know.
                if matches!(kind, kind::TRUE | kind::FALSE) && count > 0 {
                    return Err(Unread::Damaged);
                }
                for _ in 0..count {
                    self.pass(kind, depth + 1)?;
                }
                Ok(())
            }
            kind::STRUCT => self.fields(|bytes, _, kind| bytes.pass(kind, depth + 1)),
            _ => Err(Unread::Damaged),
        }
    }
}
