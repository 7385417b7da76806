//! Heads of pages as they lie in a file: what `parquet`'s reader passes over, which is the least and the greatest value.
//!
//! Read only as far as these fields need it. What is damaged is nothing: whoever decodes the page says what is wrong with
//! it.

use super::thrift::{Bytes, Result, Unread, kind};

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

impl Head {
    /// The head that these bytes begin with.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes);
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
        head.length = bytes.at();
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
