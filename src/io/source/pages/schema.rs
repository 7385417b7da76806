//! The schema in a Parquet file's footer, looked at before the `parquet` crate makes a tree of it.
//!
//! The crate makes that tree, walks it and drops it by functions that call themselves, and asks for as much memory as a
//! file says: some kilobytes that nobody meant well could end the process. The crate believes what it expects of a field
//! over what the field says of itself; so what the two understand in different ways is refused here, up to the schema's
//! end, else a file could show each of them another schema.

use parquet::errors::ParquetError;

use super::thrift::{Bytes, Unread, kind};

/// Groups within each other. A list takes two, a map likewise.
pub const DEEPEST: usize = 100;

/// The crate's numbers of row groups end here.
const MOST_GROUPS: u64 = 1 << 15;

enum Fault {
    Damaged,
    Deep,
}

type Result<T, E = Fault> = std::result::Result<T, E>;

impl From<Unread> for Fault {
    fn from(_: Unread) -> Self {
        Self::Damaged
    }
}

/// Whether the crate may be given this footer.
pub fn check(footer: &[u8]) -> Result<(), ParquetError> {
    let text = match footer_of(&mut Bytes::new(footer)) {
        Ok(()) => return Ok(()),
        Err(Fault::Damaged) => "its footer is damaged".to_owned(),
        Err(Fault::Deep) => format!("its columns are nested deeper than {DEEPEST} groups"),
    };
    Err(ParquetError::General(text))
}

fn footer_of(bytes: &mut Bytes) -> Result<()> {
    let (mut last, mut seen) = (0, false);
    while let Some((field, kind)) = bytes.field(&mut last)? {
        match (field, kind) {
            // Version and number of rows.
            (1 | 3, kind::I16..=kind::I64) => bytes.whole().map(drop)?,
            (2, kind::LIST) if !seen => {
                tree(bytes)?;
                seen = true;
            }
            (4, kind::LIST) if seen => {
                let (count, _) = bytes.list()?;
                let most = MOST_GROUPS.min(bytes.left() as u64);
                return if count > most { Err(Fault::Damaged) } else { Ok(()) };
            }
            _ if seen => return Ok(()),
            // Every writer has the fields in the order of their numbers.
            _ => return Err(Fault::Damaged),
        }
    }
    Ok(())
}

/// The elements stand one after the other, each group before what is in it.
fn tree(bytes: &mut Bytes) -> Result<()> {
    let (count, of) = bytes.list()?;
    if of != kind::STRUCT && count > 0 {
        return Err(Fault::Damaged);
    }
    // What is still to come in each group that is open, and in all of them.
    let mut open: Vec<u64> = Vec::new();
    let mut owed = 0;
    for at in 0..count {
        let children = element(bytes)?;
        if at > 0 {
            let group = open.last_mut().ok_or(Fault::Damaged)?;
            *group -= 1;
            owed -= 1;
        }
        if children > 0 {
            open.push(children);
            owed += children;
        }
        while open.last() == Some(&0) {
            open.pop();
        }
        // The root is a group as well.
        if open.len() > DEEPEST + 1 {
            return Err(Fault::Deep);
        }
        if owed > count - at - 1 {
            return Err(Fault::Damaged);
        }
    }
    if owed > 0 { Err(Fault::Damaged) } else { Ok(()) }
}

/// How many elements are right in this one.
fn element(bytes: &mut Bytes) -> Result<u64> {
    let (mut last, mut children) = (0, 0);
    while let Some((field, kind)) = bytes.field(&mut last)? {
        match (field, kind) {
            (4, kind::BINARY) => bytes.binary().map(drop)?,
            (5, kind::I16..=kind::I64) => {
                let count = i32::try_from(bytes.whole()?).map_err(|_| Fault::Damaged)?;
                children = u64::try_from(count).map_err(|_| Fault::Damaged)?;
            }
            (1..=9, kind::I16..=kind::I64) => bytes.whole().map(drop)?,
            (10, kind::STRUCT) => logical(bytes)?,
            (1..=10, _) => return Err(Fault::Damaged),
            _ => bytes.pass(kind, 0)?,
        }
    }
    Ok(children)
}

/// A union of structs; these are the fields of those that have some.
fn logical(bytes: &mut Bytes) -> Result<()> {
    let mut last = 0;
    let Some((variant, kind::STRUCT)) = bytes.field(&mut last)? else { return Err(Fault::Damaged) };
    let known: &[u8] = match variant {
        // Scale and precision.
        5 => &[kind::I32, kind::I32],
        // Whether it is in UTC, and the unit.
        7 | 8 => &[kind::TRUE, kind::STRUCT],
        // Bits, and whether there is a sign.
        10 => &[kind::BYTE, kind::TRUE],
        // The version of variants.
        16 => &[kind::BYTE],
        // Where coordinates are, and what lies between them.
        17 | 18 => &[kind::BINARY, kind::I32],
        _ => &[],
    };
    let mut inner = 0;
    while let Some((field, kind)) = bytes.field(&mut inner)? {
        let place = usize::try_from(field).ok().and_then(|field| field.checked_sub(1));
        match (place.and_then(|place| known.get(place)), kind) {
            (Some(&kind::TRUE), kind::TRUE | kind::FALSE) => {}
            (Some(&kind::I32), kind::I16..=kind::I64) => bytes.whole().map(drop)?,
            (Some(&kind::STRUCT), kind::STRUCT) => unit(bytes)?,
            (Some(known), kind) if *known != kind => return Err(Fault::Damaged),
            _ => bytes.pass(kind, 0)?,
        }
    }
    match bytes.field(&mut last)? {
        None => Ok(()),
        Some(_) => Err(Fault::Damaged),
    }
}

/// A union of structs that have no fields.
fn unit(bytes: &mut Bytes) -> Result<()> {
    let mut last = 0;
    while let Some((_, kind)) = bytes.field(&mut last)? {
        if kind != kind::STRUCT || bytes.field(&mut 0)?.is_some() {
            return Err(Fault::Damaged);
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
    use parquet::file::metadata::{FooterTail, ParquetMetaDataReader};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::types::Type;
    use proptest::prelude::*;

    use super::*;

    /// The footer that the crate writes of a file with these columns and a row group without rows.
    fn footer(columns: Vec<Type>) -> Vec<u8> {
        let columns = columns.into_iter().map(Arc::new).collect();
        let root = Type::group_type_builder("schema").with_fields(columns).build().unwrap();
        let mut file = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut file, Arc::new(root), Arc::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        while let Some(mut column) = group.next_column().unwrap() {
            if let parquet::column::writer::ColumnWriter::Int64ColumnWriter(writer) = column.untyped() {
                writer.write_batch(&[], None, None).unwrap();
            }
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
        let end = FooterTail::try_from(&file[file.len() - 8..]).unwrap();
        file[file.len() - 8 - end.metadata_length()..file.len() - 8].to_vec()
    }

    fn leaf(logical: Option<LogicalType>) -> Type {
        let (precision, scale) = match logical {
            Some(LogicalType::Decimal(_)) => (18, 2),
            _ => (-1, -1),
        };
        let leaf = Type::primitive_type_builder("x", Physical::INT64).with_logical_type(logical);
        let leaf = leaf.with_precision(precision).with_scale(scale);
        leaf.with_repetition(Repetition::OPTIONAL).build().unwrap()
    }

    /// So many groups, each but the last with the next one and a leaf in it.
    fn nested(groups: usize) -> Type {
        (0..groups).fold(leaf(None), |inner, _| {
            let builder = Type::group_type_builder("g").with_repetition(Repetition::REQUIRED);
            builder.with_fields(vec![Arc::new(leaf(None)), Arc::new(inner)]).build().unwrap()
        })
    }

    /// A footer's first two fields, the latter a list of these elements: name `g`, and these children.
    fn elements(children: &[i64]) -> Vec<u8> {
        let mut bytes = vec![0x15, 2, 0x19, 0xfc];
        varint(&mut bytes, children.len() as u64);
        for count in children {
            bytes.extend([0x35, 0, 0x18, 1, b'g', 0x15]);
            varint(&mut bytes, ((count << 1) ^ (count >> 63)) as u64);
            bytes.push(0);
        }
        bytes
    }

    fn varint(bytes: &mut Vec<u8>, mut value: u64) {
        while value > 0x7f {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
    }

    fn refusal(footer: &[u8]) -> String {
        check(footer).unwrap_err().to_string()
    }

    #[test]
    fn what_the_crate_writes_is_sound() {
        let unit = TimeUnit::NANOS;
        let logical = [
            None,
            Some(LogicalType::decimal(2, 18)),
            Some(LogicalType::timestamp(true, unit)),
            Some(LogicalType::time(false, TimeUnit::MICROS)),
            Some(LogicalType::integer(64, false)),
        ];
        let mut columns: Vec<_> = logical.into_iter().map(leaf).collect();
        columns.push(nested(3));
        columns.push(leaf(None));
        let footer = footer(columns);
        check(&footer).unwrap();
        ParquetMetaDataReader::decode_metadata(&footer).unwrap();
    }

    #[test]
    fn the_deepest_is_read_and_one_more_is_not() {
        let deepest = footer(vec![nested(DEEPEST), leaf(None)]);
        check(&deepest).unwrap();
        ParquetMetaDataReader::decode_metadata(&deepest).unwrap();
        assert!(refusal(&footer(vec![nested(DEEPEST + 1)])).contains("deeper than 100 groups"));
        assert!(refusal(&elements(&[1; 100_000])).contains("deeper than 100 groups"));
    }

    #[test]
    fn promises_that_are_not_kept_are_damage() {
        for children in [
            &[2, 0][..],
            &[1, 2, 0],
            &[i64::from(i32::MAX), 0],
            &[-1, 0],
            &[1, -1],
            &[1, 0, 0],
            &[1 << 40, 0],
        ] {
            assert!(refusal(&elements(children)).contains("damaged"), "{children:?}");
        }
        check(&elements(&[2, 1, 0, 0])).unwrap_err();
        check(&[elements(&[2, 1, 0, 0]), vec![0]].concat()).unwrap();
    }

    #[test]
    fn more_row_groups_than_there_are_bytes_are_damage() {
        let mut bytes = elements(&[1, 0]);
        bytes.extend([0x16, 0, 0x19, 0xfc]);
        varint(&mut bytes, (1 << 31) - 1);
        assert!(refusal(&bytes).contains("damaged"));
    }

    #[test]
    fn a_number_of_children_in_another_kind_is_damage() {
        // The crate takes the five bytes for a number of children, and what is in them for more fields.
        let mut bytes = vec![0x15, 2, 0x19, 0x2c];
        bytes.extend([0x48, 1, b'r', 0x18, 1, 0, 0]);
        bytes.extend([0x48, 1, b'r', 0]);
        bytes.push(0);
        assert!(refusal(&bytes).contains("damaged"));
    }

    proptest! {
        /// What passes does not end the process, whatever was changed.
        #[test]
        fn no_damage_does_harm(place in 0..400_usize, byte in any::<u8>()) {
            let mut bytes = footer(vec![leaf(Some(LogicalType::decimal(2, 18))), nested(20)]);
            let place = place % bytes.len();
            bytes[place] = byte;
            if check(&bytes).is_ok() {
                let _ = std::panic::catch_unwind(|| ParquetMetaDataReader::decode_metadata(&bytes).is_ok());
            }
        }
    }
}
