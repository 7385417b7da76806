//! Heads of pages as they lie in a file: what `parquet`'s reader passes over, which is the least and the greatest value.
//!
//! Thrift's compact protocol, read only as far as these fields need it. What is damaged is nothing: whoever decodes the
//! page says what is wrong with it.

/// Structs within structs that are followed: a head has three.
const DEEPEST: u8 = 8;

/// What stands before a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the head itself, and of the page behind it.
    pub length: usize,
    pub page: usize,
    /// Of a page of data its rows; none of a dictionary, and of what else there may be.
    pub rows: Option<usize>,
    pub least: Option<Vec<u8>>,
    pub greatest: Option<Vec<u8>>,
    pub missing: Option<u64>,
}

/// Why there is no head.
#[derive(Debug, PartialEq, Eq)]
pub enum Unread {
    /// The bytes end within it.
    Short,
    Damaged,
}

type Result<T> = std::result::Result<T, Unread>;

/// The kinds of values by their numbers in the protocol.
mod kind {
    pub const TRUE: u8 = 1;
    pub const FALSE: u8 = 2;
    pub const BYTE: u8 = 3;
    pub const I16: u8 = 4;
    pub const I64: u8 = 6;
    pub const DOUBLE: u8 = 7;
    pub const BINARY: u8 = 8;
    pub const LIST: u8 = 9;
    pub const SET: u8 = 10;
    pub const STRUCT: u8 = 12;
}

struct Bytes<'a> {
    all: &'a [u8],
    at: usize,
}

impl Head {
    /// The head that these bytes begin with.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut bytes = Bytes { all: bytes, at: 0 };
        let (mut head, mut page) = (Head::default(), None);
        bytes.fields(|bytes, field, kind| match (field, kind) {
            (3, kind::I16..=kind::I64) => {
                page = Some(bytes.count()?);
                Ok(())
            }
            (5, kind::STRUCT) => head.data(bytes, (1, 5)),
            // Its rows are not its values where values repeat.
            (8, kind::STRUCT) => head.data(bytes, (3, 8)),
            _ => bytes.pass(kind, 0),
        })?;
        head.page = page.ok_or(Unread::Damaged)?;
        head.length = bytes.at;
        Ok(head)
    }

    /// A page of data, whose rows and statistics are in these fields.
    fn data(&mut self, bytes: &mut Bytes, (rows, statistics): (i16, i16)) -> Result<()> {
        bytes.fields(|bytes, field, kind| match (field, kind) {
            (field, kind::I16..=kind::I64) if field == rows => {
                self.rows = Some(bytes.count()?);
                Ok(())
            }
            (field, kind::STRUCT) if field == statistics => self.statistics(bytes),
            _ => bytes.pass(kind, 1),
        })
    }

    /// Not the older two bounds, of which nobody knows in which order they are.
    fn statistics(&mut self, bytes: &mut Bytes) -> Result<()> {
        bytes.fields(|bytes, field, kind| {
            match (field, kind) {
                (3, kind::I16..=kind::I64) => self.missing = Some(bytes.count()? as u64),
                (5, kind::BINARY) => self.greatest = Some(bytes.binary()?.to_vec()),
                (6, kind::BINARY) => self.least = Some(bytes.binary()?.to_vec()),
                _ => bytes.pass(kind, 2)?,
            }
            Ok(())
        })
    }
}

impl<'a> Bytes<'a> {
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

    fn whole(&mut self) -> Result<i64> {
        let folded = self.varint()?;
        Ok((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }

    fn count(&mut self) -> Result<usize> {
        usize::try_from(self.whole()?).map_err(|_| Unread::Damaged)
    }

    fn binary(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.varint()?).map_err(|_| Unread::Damaged)?;
        self.skip(length)
    }

    /// Each field of a struct: its number and its kind. `read` has to come to its end.
    fn fields(&mut self, mut read: impl FnMut(&mut Self, i16, u8) -> Result<()>) -> Result<()> {
        let mut field = 0_i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            field = match head >> 4 {
                0 => i16::try_from(self.whole()?).map_err(|_| Unread::Damaged)?,
                more => field.checked_add(i16::from(more)).ok_or(Unread::Damaged)?,
            };
            read(self, field, head & 0x0f)?;
        }
    }

    /// Comes to the end of a value that is not wanted.
    fn pass(&mut self, kind: u8, depth: u8) -> Result<()> {
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
                let head = self.byte()?;
                let count = match head >> 4 {
                    15 => self.varint()?,
                    few => u64::from(few),
                };
                for _ in 0..count {
                    match head & 0x0f {
                        // In a list a flag has a byte of its own.
                        kind::TRUE | kind::FALSE => self.byte().map(drop)?,
                        other => self.pass(other, depth + 1)?,
                    }
                }
                Ok(())
            }
            kind::STRUCT => self.fields(|bytes, _, kind| bytes.pass(kind, depth + 1)),
            _ => Err(Unread::Damaged),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As pyarrow 21 wrote it before 20,000 rows of whole numbers: first its dictionary's, then a page's.
    const DICTIONARY: &[u8] =
        &[0x15, 4, 0x15, 0x80, 0x7d, 0x15, 0xce, 0x3e, 0x4c, 0x15, 0xd0, 0x0f, 0x15, 4, 0, 0];
    const DATA: &[u8] = &[
        0x15, 0, 0x15, 0xf0, 0x0d, 0x15, 0xf6, 0x0d, 0x2c, 0x15, 0x90, 0x4e, 0x15, 0x10, 0x15, 6, 0x15, 6,
        0x1c, 0x36, 2, 0x28, 4, 9, 0, 0, 0, 0x18, 4, 1, 0, 0, 0, 0x11, 0x11, 0, 0, 0,
    ];

    #[test]
    fn a_dictionary_has_no_rows() {
        let head = Head::read(DICTIONARY).unwrap();
        assert_eq!((head.length, head.page, head.rows), (DICTIONARY.len(), 4007, None));
    }

    #[test]
    fn a_page_says_what_lies_in_it() {
        let head = Head::read(DATA).unwrap();
        assert_eq!((head.length, head.page, head.rows), (DATA.len(), 891, Some(5000)));
        assert_eq!(head.missing, Some(1));
        assert_eq!(head.greatest, Some(vec![9, 0, 0, 0]));
        assert_eq!(head.least, Some(vec![1, 0, 0, 0]));
    }

    #[test]
    fn what_ends_too_early_is_told_apart() {
        for length in 0..DATA.len() {
            assert_eq!(Head::read(&DATA[..length]), Err(Unread::Short), "{length}");
        }
        assert_eq!(Head::read(&[0]), Err(Unread::Damaged));
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(head) = Head::read(&bytes) {
                prop_assert!(head.length <= bytes.len());
            }
        }

        #[test]
        fn no_damage_does_harm(place in 0..DATA.len(), byte in any::<u8>()) {
            let mut bytes = DATA.to_vec();
            bytes[place] = byte;
            if let Ok(head) = Head::read(&bytes) {
                prop_assert!(head.length <= bytes.len());
            }
        }
    }
}
