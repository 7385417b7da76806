//! A batch as bytes: each column by what is known of its type, packed if that makes it much smaller.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::{numbers, texts};
use crate::error::{Error, Result};

/// Rows of a batch by which it is decided which columns are packed.
const SAMPLE: usize = 2048;

/// A column is if half of it is left, or less.
const PAYS: usize = 2;

/// A column of fewer bytes is not worth it.
const LEAST: usize = 64;

/// Bytes that a thread keeps for the next block.
const KEPT: usize = 1 << 20;

/// How the values of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// All of them have so many bytes.
    Numbers(usize),
    Bits,
    Texts,
    Bytes,
    /// As Arrow writes it, together with the others of this kind.
    Other,
}

impl Kind {
    fn of(dtype: &DataType) -> Self {
        match dtype {
            DataType::Boolean => Self::Bits,
            DataType::Utf8View => Self::Texts,
            DataType::BinaryView => Self::Bytes,
            other => numbers::width(other).map_or(Self::Other, Self::Numbers),
        }
    }
}

/// How batches of a file are written.
#[derive(Debug)]
pub struct Layout {
    schema: SchemaRef,
    /// Of each column its kind, and whether it is packed.
    columns: Vec<(Kind, bool)>,
    /// The columns of no kind of their own, and whether they are packed.
    others: Option<(SchemaRef, bool)>,
}

/// What a thread needs while it writes or reads a block.
#[derive(Default)]
pub struct Scratch {
    pub block: Vec<u8>,
    column: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Lends a thread its own room for a block.
pub fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
    let mut scratch = SCRATCH.with(RefCell::take);
    let result = work(&mut scratch);
    for bytes in [&mut scratch.block, &mut scratch.column] {
        bytes.clear();
        if bytes.capacity() > KEPT {
            *bytes = Vec::new();
        }
    }
    SCRATCH.with(|kept| *kept.borrow_mut() = scratch);
    result
}

impl Layout {
    /// For batches like this one: its first rows tell which columns are packed.
    pub fn of(like: &RecordBatch) -> Result<Self> {
        let schema = like.schema();
        let kinds: Vec<Kind> = schema.fields().iter().map(|field| Kind::of(field.data_type())).collect();
        let others = schema.fields().iter().zip(&kinds).filter(|(_, kind)| **kind == Kind::Other);
        let others: Vec<_> = others.map(|(field, _)| field.clone()).collect();
        let others = (!others.is_empty()).then(|| (Arc::new(Schema::new(others)), false));
        let columns = kinds.into_iter().map(|kind| (kind, false)).collect();
        let mut layout = Self { schema, columns, others };
        let sample = like.slice(0, like.num_rows().min(SAMPLE));
        let pays = |bytes: &[u8]| {
            bytes.len() >= LEAST && lz4_flex::block::compress(bytes).len() * PAYS <= bytes.len()
        };
        let mut packed = Vec::with_capacity(layout.columns.len());
        for (column, (kind, _)) in sample.columns().iter().zip(&layout.columns) {
            let mut bytes = Vec::new();
            put_column(column, *kind, &mut bytes);
            packed.push((*kind, pays(&bytes)));
        }
        layout.columns = packed;
        if let Some((fields, packs)) = &mut layout.others {
            *packs = pays(&others_of(&sample, fields)?);
        }
        Ok(layout)
    }

    /// Whether some columns are packed.
    #[cfg(test)]
    pub fn packs(&self) -> bool {
        self.columns.iter().any(|(_, packs)| *packs) || self.others.as_ref().is_some_and(|others| others.1)
    }

    /// Writes a batch, as `block` of the scratch.
    pub fn put(&self, batch: &RecordBatch, scratch: &mut Scratch) -> Result<()> {
        let Scratch { block, column: bytes } = scratch;
        let types = batch.columns().iter().map(|column| column.data_type());
        if !types.eq(self.schema.fields().iter().map(|field| field.data_type())) {
            return Err(Error::internal("rows of several types are to be in one file"));
        }
        block.extend_from_slice(&(batch.num_rows() as u64).to_le_bytes());
        for (column, (kind, packs)) in batch.columns().iter().zip(&self.columns) {
            if *kind != Kind::Other {
                bytes.clear();
                put_column(column, *kind, bytes);
                put_packed(bytes, *packs, block);
            }
        }
        if let Some((fields, packs)) = &self.others {
            put_packed(&others_of(batch, fields)?, *packs, block);
        }
        Ok(())
    }

    /// The batch that was written as these bytes.
    pub fn take(&self, block: &[u8]) -> Result<RecordBatch> {
        let mut input = Input(block);
        let rows = input.length()?;
        let mut columns: Vec<Option<ArrayRef>> = Vec::with_capacity(self.columns.len());
        let mut unpacked = Vec::new();
        for ((kind, _), field) in self.columns.iter().zip(self.schema.fields()) {
            columns.push(match kind {
                Kind::Other => None,
                kind => {
                    let mut column = Input(input.packed(&mut unpacked)?);
                    Some(take_column(&mut column, *kind, field.data_type(), rows)?)
                }
            });
        }
        let mut others = Vec::new();
        if self.others.is_some() {
            let mut reader = StreamReader::try_new(input.packed(&mut unpacked)?, None)?;
            let batch = reader.next().ok_or_else(Input::damaged)??;
            others.extend(batch.columns().iter().cloned());
        }
        let mut others = others.into_iter();
        let columns = columns.into_iter().map(|column| column.or_else(|| others.next()));
        let columns = columns.collect::<Option<Vec<_>>>().ok_or_else(Input::damaged)?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

/// The columns of a batch that have these fields' names and are of no kind of their own, as Arrow writes them.
fn others_of(batch: &RecordBatch, fields: &SchemaRef) -> Result<Vec<u8>> {
    let columns = batch.columns().iter().filter(|column| Kind::of(column.data_type()) == Kind::Other);
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let batch = RecordBatch::try_new_with_options(fields.clone(), columns.cloned().collect(), &options)?;
    let mut writer = StreamWriter::try_new(Vec::new(), fields)?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}

fn put_column(column: &ArrayRef, kind: Kind, out: &mut Vec<u8>) {
    let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
    out.push(u8::from(nulls.is_some()));
    if let Some(nulls) = nulls {
        put_bits(nulls.inner(), out);
    }
    match kind {
        Kind::Numbers(width) => numbers::put(&column.to_data(), width, out),
        Kind::Bits => put_bits(column.as_boolean().values(), out),
        Kind::Texts => {
            let column = column.as_string_view();
            texts::put(column.views(), column.data_buffers(), nulls, out);
        }
        Kind::Bytes => {
            let column = column.as_binary_view();
            texts::put(column.views(), column.data_buffers(), nulls, out);
        }
        Kind::Other => {}
    }
}

fn take_column(input: &mut Input<'_>, kind: Kind, dtype: &DataType, rows: usize) -> Result<ArrayRef> {
    let nulls = match input.byte()? {
        0 => None,
        _ => Some(NullBuffer::new(take_bits(input, rows)?)),
    };
    let values = match kind {
        Kind::Texts | Kind::Bytes => return texts::take(input, rows, nulls, kind == Kind::Texts),
        Kind::Numbers(width) => numbers::take(input, rows, width)?,
        Kind::Bits => take_bits(input, rows)?.into_inner(),
        Kind::Other => return Err(Error::internal("a column of no kind of its own")),
    };
    let data = ArrayData::builder(dtype.clone()).len(rows).add_buffer(values).nulls(nulls);
    Ok(make_array(data.build()?))
}

fn put_bits(bits: &BooleanBuffer, out: &mut Vec<u8>) {
    let bytes = bits.sliced();
    out.extend_from_slice(&bytes[..bits.len().div_ceil(8)]);
}

fn take_bits(input: &mut Input<'_>, rows: usize) -> Result<BooleanBuffer> {
    let bytes = input.bytes(rows.div_ceil(8))?;
    Ok(BooleanBuffer::new(Buffer::from(bytes), 0, rows))
}

fn put_packed(bytes: &[u8], packs: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    let packed = packs.then(|| lz4_flex::block::compress(bytes));
    let stored = packed.as_deref().filter(|packed| packed.len() < bytes.len()).unwrap_or(bytes);
    out.extend_from_slice(&(stored.len() as u64).to_le_bytes());
    out.extend_from_slice(stored);
}

/// Bytes that are read from their beginning on. They are not trusted: disks fail.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub fn damaged() -> Error {
        Error::internal("what was read from a file in `spill_dir` is not what was written to it")
    }

    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or_else(Self::damaged)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const COUNT: usize>(&mut self) -> Result<[u8; COUNT]> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or_else(Self::damaged)?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn word(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn number(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn length(&mut self) -> Result<usize> {
        usize::try_from(self.number()?).map_err(|_| Self::damaged())
    }

    /// A column, in `unpacked` if it was packed.
    fn packed<'b>(&mut self, unpacked: &'b mut Vec<u8>) -> Result<&'b [u8]>
    where
        'a: 'b,
    {
        let (whole, stored) = (self.length()?, self.length()?);
        let bytes = self.bytes(stored)?;
        if whole == stored {
            return Ok(bytes);
        }
        // LZ4 makes at most 255 bytes of one.
        if whole / 256 > stored {
            return Err(Self::damaged());
        }
        unpacked.resize(whole, 0);
        match lz4_flex::block::decompress_into(bytes, unpacked) {
            Ok(length) if length == whole => Ok(unpacked),
            _ => Err(Self::damaged()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{
        BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int8Array, Int32Array,
        Int64Array, ListArray, NullArray, StringArray, StringViewArray, TimestampMicrosecondArray,
        UInt64Array,
    };
    use arrow::compute::cast;
    use arrow::datatypes::Int32Type;
    use proptest::prelude::*;

    use super::*;

    type Row = (Option<String>, Option<i64>, u8, bool);

    /// Columns of all kinds, made of these rows.
    fn batch(rows: &[Row], shift: u32) -> RecordBatch {
        let texts = || rows.iter().map(|row| row.0.as_deref());
        let numbers = || rows.iter().map(|row| row.1.map(|number| number >> shift));
        let few = StringViewArray::from_iter(rows.iter().map(|row| Some(format!("é{}", row.2 % 5))));
        let plain: StringArray = texts().collect();
        let lists =
            rows.iter().map(|row| row.3.then(|| vec![Some(i32::from(row.2)); usize::from(row.2 % 3)]));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(texts().collect::<StringViewArray>()),
            Arc::new(texts().map(|text| text.map(str::as_bytes)).collect::<BinaryViewArray>()),
            Arc::new(few),
            Arc::new(numbers().collect::<Int64Array>()),
            Arc::new(numbers().map(|number| number.map(|number| number as u64)).collect::<UInt64Array>()),
            Arc::new(numbers().map(|number| number.map(|number| number as i32)).collect::<Int32Array>()),
            Arc::new(rows.iter().map(|row| Some(i32::from(row.2))).collect::<Date32Array>()),
            Arc::new(rows.iter().map(|row| Some(row.2 as i8)).collect::<Int8Array>()),
            Arc::new(
                rows.iter()
                    .map(|row| row.1.map(|number| f64::from_bits(number as u64)))
                    .collect::<Float64Array>(),
            ),
            Arc::new(rows.iter().map(|row| Some(row.3)).collect::<BooleanArray>()),
            Arc::new(rows.iter().map(|row| row.0.as_ref().map(|_| row.3)).collect::<BooleanArray>()),
            Arc::new(numbers().map(|number| number.map(i128::from)).collect::<Decimal128Array>()),
            Arc::new(TimestampMicrosecondArray::from_iter(numbers()).with_timezone("Europe/Berlin")),
            cast(&plain, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))).unwrap(),
            Arc::new(plain),
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists)),
            Arc::new(NullArray::new(rows.len())),
        ];
        let columns =
            columns.into_iter().enumerate().map(|(number, column)| (number.to_string(), column, true));
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    fn written(batch: &RecordBatch, layout: &Layout) -> Vec<u8> {
        let mut scratch = Scratch::default();
        layout.put(batch, &mut scratch).unwrap();
        scratch.block
    }

    fn rows() -> impl Strategy<Value = Vec<Row>> {
        let text = prop_oneof![
            "[a-z]{0,20}",
            "é{0,9}",
            "[a-c\u{1F600}é]{10,14}",
            Just("always the same".to_owned())
        ];
        let number = prop_oneof![any::<i64>(), -3_i64..300];
        prop::collection::vec(
            (prop::option::of(text), prop::option::of(number), any::<u8>(), any::<bool>()),
            0..150,
        )
    }

    proptest! {
        /// Any part of a batch comes back as it was, whichever columns are packed.
        #[test]
        fn what_comes_back_is_what_went(rows in rows(), shift in 0_u32..64, cut in (0_usize..150, 0_usize..150)) {
            let whole = batch(&rows, shift);
            let from = cut.0.min(rows.len());
            let part = whole.slice(from, cut.1.min(rows.len() - from));
            let mut layout = Layout::of(&whole).unwrap();
            for packs in [None, Some(false), Some(true)] {
                if let Some(packs) = packs {
                    layout.columns.iter_mut().for_each(|column| column.1 = packs);
                    layout.others.iter_mut().for_each(|others| others.1 = packs);
                }
                let found = layout.take(&written(&part, &layout)).unwrap();
                prop_assert_eq!(&found, &part);
                for column in found.columns() {
                    column.to_data().validate_full().unwrap();
                }
            }
        }

        /// Damage is an error, or rows that are not the same; no text is anything but UTF-8.
        #[test]
        fn damage_does_no_harm(rows in rows(), hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
            let whole = batch(&rows, 0).project(&[0, 1, 2, 3, 5, 8, 9, 10]).unwrap();
            let layout = Layout::of(&whole).unwrap();
            let mut bytes = written(&whole, &layout);
            for (place, value) in hits {
                // Not how many rows there are.
                let place = 8 + place.index(bytes.len() - 8);
                bytes[place] = value;
            }
            if let Ok(found) = layout.take(&bytes) {
                for column in found.columns() {
                    column.to_data().validate_full().unwrap();
                }
            }
        }
    }

    #[test]
    fn numbers_and_texts_take_few_bytes() {
        let rows = 0..10_000_i64;
        let numbers: ArrayRef =
            Arc::new(Int64Array::from_iter_values(rows.clone().map(|n| (1 << 40) + n * 64)));
        let keys =
            rows.clone().map(|n| format!("{:012}", n.wrapping_mul(0x9E37_79B9_7F4A) % 1_000_000_000_000));
        let keys: ArrayRef = Arc::new(StringViewArray::from_iter_values(keys));
        let few: ArrayRef =
            Arc::new(StringViewArray::from_iter_values(rows.map(|n| format!("region {}", n * n % 7))));
        for (column, most) in [(numbers, 3), (keys, 12), (few, 1)] {
            let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
            let bytes = written(&batch, &Layout::of(&batch).unwrap()).len();
            assert!(bytes <= most * 10_000 + 200, "{bytes}");
        }
    }
}
