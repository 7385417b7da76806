//! Rows set apart by share: for every column and share a stretch of memory that fills until the share is visited.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BinaryViewArray, BooleanArray, BooleanBufferBuilder,
    GenericByteViewArray, StringViewArray, make_array,
};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowNativeType, ByteViewType, DataType};

use super::shares::{SHARES, share_of};
use crate::error::{Error, Result};

/// Up to this many bytes a view holds its value.
const INLINE: u32 = 12;

/// Whether columns of this type can be set apart.
pub fn takes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Boolean | DataType::Utf8View | DataType::BinaryView)
        || matches!(data_type.primitive_width(), Some(1 | 2 | 4 | 8 | 16))
}

/// The columns of a group-by's rows, set apart by share.
pub struct Scatter {
    columns: Vec<Column>,
    /// Rows that each share has room for.
    room: usize,
    /// Rows that each share has.
    rows: Vec<usize>,
    places: Vec<u32>,
}

impl Scatter {
    pub fn new(types: &[DataType], room: usize) -> Self {
        let columns = types.iter().map(|data_type| Column::new(data_type, room)).collect();
        Self { columns, room, rows: vec![0; SHARES], places: Vec::new() }
    }

    /// Bytes that a row takes.
    pub fn row_bytes(types: &[DataType]) -> usize {
        types.iter().map(|data_type| data_type.primitive_width().unwrap_or(16).max(1)).sum::<usize>().max(1)
    }

    pub fn room(&self) -> usize {
        self.room
    }

    /// The shares that have no room for all rows with these hashes, of which there are at most [`Self::room`].
    pub fn full(&self, hashes: &[u64]) -> Vec<usize> {
        let mut more = [0; SHARES];
        for hash in hashes {
            more[share_of(*hash)] += 1;
        }
        (0..SHARES).filter(|share| more[*share] > 0 && self.rows[*share] + more[*share] > self.room).collect()
    }

    /// Sets rows apart. There must be room.
    pub fn add(&mut self, columns: &[ArrayRef], hashes: &[u64]) -> Result<()> {
        let (rows, room) = (&mut self.rows, self.room);
        self.places.clear();
        self.places.extend(hashes.iter().map(|hash| {
            let share = share_of(*hash);
            let place = share * room + rows[share];
            rows[share] += 1;
            place as u32
        }));
        if self.rows.iter().any(|rows| *rows > room) || columns.len() != self.columns.len() {
            return Err(Error::internal("rows were set apart where there was no room for them"));
        }
        for (column, array) in self.columns.iter_mut().zip(columns) {
            column.add(array, &self.places, room)?;
        }
        Ok(())
    }

    /// What was set apart for a share, as columns in the order in which it came.
    pub fn take(&mut self, share: usize) -> Result<(Vec<ArrayRef>, usize)> {
        let rows = std::mem::take(&mut self.rows[share]);
        let start = share * self.room;
        let columns = self.columns.iter_mut().map(|column| column.take(share, start, rows));
        Ok((columns.collect::<Result<_>>()?, rows))
    }

    pub fn size(&self) -> usize {
        self.columns.iter().map(Column::size).sum()
    }
}

struct Column {
    data_type: DataType,
    values: Values,
    /// By place, where a value was missing: empty as long as none was.
    valid: Vec<bool>,
}

enum Values {
    One(Vec<u8>),
    Two(Vec<u16>),
    Four(Vec<u32>),
    Eight(Vec<u64>),
    Sixteen(Vec<i128>),
    /// Views, and for each share the bytes of its long values.
    Views(Vec<u128>, Vec<Vec<u8>>),
}

impl Column {
    fn new(data_type: &DataType, room: usize) -> Self {
        let places = SHARES * room;
        let values = match data_type {
            DataType::Utf8View | DataType::BinaryView => {
                Values::Views(vec![0; places], vec![Vec::new(); SHARES])
            }
            other => match other.primitive_width() {
                Some(2) => Values::Two(vec![0; places]),
                Some(4) => Values::Four(vec![0; places]),
                Some(8) => Values::Eight(vec![0; places]),
                Some(16) => Values::Sixteen(vec![0; places]),
                _ => Values::One(vec![0; places]),
            },
        };
        Self { data_type: data_type.clone(), values, valid: Vec::new() }
    }

    fn add(&mut self, array: &ArrayRef, places: &[u32], room: usize) -> Result<()> {
        if *array.data_type() != self.data_type || array.len() != places.len() {
            return Err(Error::internal(format!(
                "a column of type {} arrived as {}",
                self.data_type,
                array.data_type()
            )));
        }
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        if nulls.is_some() && self.valid.is_empty() {
            self.valid.resize(SHARES * room, true);
        }
        if !self.valid.is_empty() {
            for (row, place) in places.iter().enumerate() {
                self.valid[*place as usize] = nulls.is_none_or(|nulls| nulls.is_valid(row));
            }
        }
        match &mut self.values {
            Values::One(to) if self.data_type == DataType::Boolean => {
                for (value, place) in array.as_boolean().values().iter().zip(places) {
                    to[*place as usize] = u8::from(value);
                }
            }
            Values::One(to) => put(to, array, places),
            Values::Two(to) => put(to, array, places),
            Values::Four(to) => put(to, array, places),
            Values::Eight(to) => put(to, array, places),
            Values::Sixteen(to) => put(to, array, places),
            Values::Views(to, bytes) => match self.data_type {
                DataType::Utf8View => put_views(to, bytes, array.as_string_view(), places, room)?,
                _ => put_views(to, bytes, array.as_binary_view(), places, room)?,
            },
        }
        Ok(())
    }

    fn take(&mut self, share: usize, start: usize, rows: usize) -> Result<ArrayRef> {
        let places = start..start + rows;
        let nulls = (!self.valid.is_empty())
            .then(|| NullBuffer::from(&self.valid[places.clone()]))
            .filter(|nulls| nulls.null_count() > 0);
        let buffer = match &mut self.values {
            Values::One(values) if self.data_type == DataType::Boolean => {
                let mut bits = BooleanBufferBuilder::new(rows);
                values[places].iter().for_each(|value| bits.append(*value != 0));
                return Ok(Arc::new(BooleanArray::new(bits.finish(), nulls)));
            }
            Values::Views(views, bytes) => {
                let views = ScalarBuffer::from(views[places].to_vec());
                let bytes = std::mem::take(&mut bytes[share]);
                let buffers = if bytes.is_empty() { Vec::new() } else { vec![Buffer::from_vec(bytes)] };
                return Ok(match self.data_type {
                    DataType::Utf8View => {
                        // SAFETY: each view was made of a value of a string array, whose bytes are in the buffer.
                        Arc::new(unsafe { StringViewArray::new_unchecked(views, buffers, nulls) })
                    }
                    _ => Arc::new(BinaryViewArray::try_new(views, buffers, nulls)?),
                });
            }
            Values::One(values) => Buffer::from_slice_ref(&values[places]),
            Values::Two(values) => Buffer::from_slice_ref(&values[places]),
            Values::Four(values) => Buffer::from_slice_ref(&values[places]),
            Values::Eight(values) => Buffer::from_slice_ref(&values[places]),
            Values::Sixteen(values) => Buffer::from_slice_ref(&values[places]),
        };
        let data = ArrayData::builder(self.data_type.clone()).len(rows).nulls(nulls).add_buffer(buffer);
        Ok(make_array(data.build()?))
    }

    fn size(&self) -> usize {
        let values = match &self.values {
            Values::One(values) => values.len(),
            Values::Two(values) => values.len() * 2,
            Values::Four(values) => values.len() * 4,
            Values::Eight(values) => values.len() * 8,
            Values::Sixteen(values) => values.len() * 16,
            Values::Views(views, bytes) => views.len() * 16 + bytes.iter().map(Vec::capacity).sum::<usize>(),
        };
        values + self.valid.len()
    }
}

fn put<T: ArrowNativeType>(to: &mut [T], array: &ArrayRef, places: &[u32]) {
    let data = array.to_data();
    let values = &data.buffers()[0].typed_data::<T>()[data.offset()..][..data.len()];
    for (value, place) in values.iter().zip(places) {
        to[*place as usize] = *value;
    }
}

/// Values of long views are copied: the pages they lie in are let go.
fn put_views<T: ByteViewType + ?Sized>(
    to: &mut [u128],
    bytes: &mut [Vec<u8>],
    array: &GenericByteViewArray<T>,
    places: &[u32],
    room: usize,
) -> Result<()> {
    let views = array.views();
    if array.data_buffers().is_empty() || !views.iter().any(|view| *view as u32 > INLINE) {
        for (view, place) in views.iter().zip(places) {
            to[*place as usize] = *view;
        }
        return Ok(());
    }
    for (row, (view, place)) in views.iter().zip(places).enumerate() {
        let mut view = *view;
        if array.is_null(row) {
            view = 0;
        } else if view as u32 > INLINE {
            let kept = &mut bytes[*place as usize / room];
            let offset = u32::try_from(kept.len()).map_err(|_| super::bytes::too_many())?;
            let (buffer, from) = ((view >> 64) as u32 as usize, (view >> 96) as u32 as usize);
            let length = view as u32 as usize;
            kept.extend_from_slice(&array.data_buffers()[buffer].as_slice()[from..from + length]);
            view = u128::from(view as u64) | u128::from(offset) << 96;
        }
        to[*place as usize] = view;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{Float64Array, UInt32Array};
    use arrow::compute::{concat, take};
    use proptest::prelude::*;

    use super::*;

    type Row = (String, Option<f64>);

    /// Columns of every kind of memory, with and without missing values.
    fn columns(chunk: &[Row]) -> Vec<ArrayRef> {
        let some = |row: &Row| row.1.unwrap_or(1.5);
        let text: StringViewArray = chunk.iter().map(|row| Some(row.0.as_str())).collect();
        let gaps: StringViewArray = chunk.iter().map(|row| row.1.map(|_| row.0.as_str())).collect();
        let bytes: BinaryViewArray = chunk.iter().map(|row| Some(row.0.as_bytes())).collect();
        let plain: Float64Array = chunk.iter().map(|row| Some(some(row))).collect();
        let nulls: Float64Array = chunk.iter().map(|row| row.1).collect();
        let flags: BooleanArray = chunk.iter().map(|row| row.1.map(|_| row.0.len() > 3)).collect();
        let cast = |to: &DataType| arrow::compute::cast(&plain, to).unwrap();
        vec![
            Arc::new(text),
            Arc::new(gaps),
            Arc::new(bytes),
            Arc::new(nulls),
            Arc::new(flags),
            cast(&DataType::Int8),
            cast(&DataType::Int16),
            cast(&DataType::Int32),
            cast(&DataType::Decimal128(20, 3)),
            Arc::new(plain),
        ]
    }

    proptest! {
        /// What a share gets is its rows of all chunks, in their order.
        #[test]
        fn a_share_gets_its_rows(
            chunks in prop::collection::vec(prop::collection::vec(("[a-z]{0,20}", prop::option::of(-9.0..9.0)), 1..30), 1..6),
            seed in any::<u64>(),
        ) {
            let types: Vec<DataType> = columns(&[]).iter().map(|column| column.data_type().clone()).collect();
            prop_assert!(types.iter().all(takes));
            let mut scatter = Scatter::new(&types, 30);
            let mut expected: Vec<Vec<Vec<ArrayRef>>> = vec![vec![Vec::new(); types.len()]; SHARES];
            let mut found = expected.clone();
            let mut row = 0;
            let visit = |scatter: &mut Scatter, found: &mut Vec<Vec<Vec<ArrayRef>>>, share: usize| {
                let (columns, _) = scatter.take(share).unwrap();
                for (found, column) in found[share].iter_mut().zip(columns) {
                    column.to_data().validate_full().unwrap();
                    found.push(column);
                }
            };
            for chunk in &chunks {
                // Few shares, so that some are filled and visited in between.
                let hashes: Vec<u64> = chunk.iter().map(|_| { row += 1; (super::super::intern::mix(row, seed) % 3) << 62 }).collect();
                for share in scatter.full(&hashes) {
                    visit(&mut scatter, &mut found, share);
                }
                let columns = columns(chunk);
                for (share, expected) in expected.iter_mut().enumerate() {
                    let rows: UInt32Array = hashes.iter().enumerate().filter(|(_, hash)| share_of(**hash) == share).map(|(row, _)| row as u32).collect();
                    for (expected, column) in expected.iter_mut().zip(&columns) {
                        expected.push(take(column, &rows, None).unwrap());
                    }
                }
                scatter.add(&columns, &hashes).unwrap();
            }
            for share in 0..SHARES {
                visit(&mut scatter, &mut found, share);
                for (expected, found) in expected[share].iter().zip(&found[share]) {
                    let join = |parts: &[ArrayRef]| concat(&parts.iter().map(|part| part.as_ref()).collect::<Vec<_>>()).unwrap();
                    prop_assert_eq!(&join(expected), &join(found));
                }
            }
        }
    }
}
