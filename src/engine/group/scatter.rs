//! Rows of several chunks, put in the order of their shares in one pass over each column.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BinaryViewArray, GenericByteViewArray, StringViewArray, make_array,
};
use arrow::buffer::{Buffer, MutableBuffer, ScalarBuffer};
use arrow::compute::interleave;
use arrow::datatypes::{ArrowNativeType, ByteViewType, DataType};

use super::shares::{SHARES, share_of};
use crate::error::{Error, Result};

/// Up to this many bytes a view holds its value.
const INLINE: u32 = 12;

/// Where each row of the chunks goes, and where each share's rows begin and end.
#[derive(Default)]
pub struct Places {
    places: Vec<u32>,
    bounds: Vec<usize>,
}

impl Places {
    /// Sets the places by the rows' hashes: rows of one share lie together, in the order they had.
    pub fn set(&mut self, hashes: &[u64]) {
        self.bounds.clear();
        self.bounds.resize(SHARES + 1, 0);
        for hash in hashes {
            self.bounds[share_of(*hash) + 1] += 1;
        }
        for share in 0..SHARES {
            self.bounds[share + 1] += self.bounds[share];
        }
        let mut next: Vec<u32> = self.bounds.iter().map(|bound| *bound as u32).collect();
        self.places.clear();
        self.places.extend(hashes.iter().map(|hash| {
            let next = &mut next[share_of(*hash)];
            *next += 1;
            *next - 1
        }));
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Where the rows of a share lie, as offset and length.
    pub fn share(&self, share: usize) -> (usize, usize) {
        (self.bounds[share], self.bounds[share + 1] - self.bounds[share])
    }

    /// The row that comes to each place.
    pub fn rows(&self) -> Vec<u32> {
        let mut rows = vec![0; self.places.len()];
        for (row, place) in self.places.iter().enumerate() {
            rows[*place as usize] = row as u32;
        }
        rows
    }
}

/// Memory of columns that were scattered before: asking the system for it anew costs more than the scatter.
#[derive(Default)]
pub struct Scatter {
    spare: Vec<Buffer>,
}

impl Scatter {
    /// One column of all chunks, in the order of the places.
    pub fn column(&mut self, chunks: &[&ArrayRef], places: &Places) -> Result<ArrayRef> {
        let Some(first) = chunks.first() else { return Err(Error::internal("no chunks to scatter")) };
        let data_type = first.data_type();
        if chunks.iter().any(|chunk| chunk.data_type() != data_type) {
            return Err(Error::internal("chunks of one column differ in their type"));
        }
        if chunks.iter().all(|chunk| chunk.null_count() == 0) {
            match (data_type, data_type.primitive_width()) {
                (DataType::Utf8View, _) => {
                    let views = chunks.iter().map(|chunk| chunk.as_string_view());
                    let (views, buffers) = self.views(views, places);
                    // SAFETY: the views are those of string arrays, each with the number of the buffer it had.
                    let array = unsafe { StringViewArray::new_unchecked(views, buffers, None) };
                    return Ok(Arc::new(array));
                }
                (DataType::BinaryView, _) => {
                    let views = chunks.iter().map(|chunk| chunk.as_binary_view());
                    let (views, buffers) = self.views(views, places);
                    return Ok(Arc::new(BinaryViewArray::try_new(views, buffers, None)?));
                }
                (_, Some(1)) => return self.fixed::<u8>(chunks, places),
                (_, Some(2)) => return self.fixed::<u16>(chunks, places),
                (_, Some(4)) => return self.fixed::<u32>(chunks, places),
                (_, Some(8)) => return self.fixed::<u64>(chunks, places),
                (_, Some(16)) => return self.fixed::<i128>(chunks, places),
                _ => {}
            }
        }
        let origins: Vec<(usize, usize)> = chunks
            .iter()
            .enumerate()
            .flat_map(|(chunk, array)| (0..array.len()).map(move |row| (chunk, row)))
            .collect();
        let wanted: Vec<_> = places.rows().into_iter().map(|row| origins[row as usize]).collect();
        let chunks: Vec<&dyn Array> = chunks.iter().map(|chunk| chunk.as_ref()).collect();
        Ok(interleave(&chunks, &wanted)?)
    }

    fn fixed<T: ArrowNativeType>(&mut self, chunks: &[&ArrayRef], places: &Places) -> Result<ArrayRef> {
        let data: Vec<ArrayData> = chunks.iter().map(|chunk| chunk.to_data()).collect();
        let parts = data.iter().map(|data| &data.buffers()[0].typed_data::<T>()[data.offset()..][..data.len()]);
        let buffer = self.scattered(parts, places);
        let data_type = chunks[0].data_type().clone();
        let data = ArrayData::builder(data_type).len(places.len()).add_buffer(buffer).build()?;
        Ok(make_array(data))
    }

    fn views<'a, T: ByteViewType + ?Sized>(
        &mut self,
        chunks: impl Iterator<Item = &'a GenericByteViewArray<T>>,
        places: &Places,
    ) -> (ScalarBuffer<u128>, Vec<Buffer>) {
        let mut buffers: Vec<Buffer> = Vec::new();
        let mut moved: Vec<Vec<i128>> = Vec::new();
        let chunks: Vec<_> = chunks.collect();
        let own = |chunk: &GenericByteViewArray<T>| -> Vec<(usize, usize)> {
            chunk.data_buffers().iter().map(|buffer| (buffer.as_ptr() as usize, buffer.len())).collect()
        };
        let mut last: Option<(Vec<(usize, usize)>, usize)> = None;
        for chunk in &chunks {
            // Chunks of one row group have most of their buffers in common; only the same ones are told apart.
            let shape = own(chunk);
            let base = match &last {
                Some((known, base)) if *known == shape => *base,
                _ => {
                    let base = buffers.len();
                    buffers.extend(chunk.data_buffers().iter().cloned());
                    last = Some((shape, base));
                    base
                }
            };
            let shift = i128::from(base as u32) << 64;
            let long = |view: u128| view as u32 > INLINE;
            moved.push(if base == 0 || !chunk.views().iter().any(|view| long(*view)) {
                Vec::new()
            } else {
                let shifted = |view: &u128| if long(*view) { *view as i128 + shift } else { *view as i128 };
                chunk.views().iter().map(shifted).collect()
            });
        }
        // SAFETY: u128 and i128 have the same size and alignment, and every pattern is a value of both.
        let same = |views: &'a [u128]| unsafe {
            std::slice::from_raw_parts(views.as_ptr().cast::<i128>(), views.len())
        };
        let parts: Vec<&[i128]> = chunks
            .iter()
            .zip(&moved)
            .map(|(chunk, moved)| if moved.is_empty() { same(chunk.views()) } else { moved.as_slice() })
            .collect();
        let buffer = self.scattered(parts.into_iter(), places);
        (ScalarBuffer::new(buffer, 0, places.len()), buffers)
    }

    fn scattered<'a, T: ArrowNativeType>(
        &mut self,
        parts: impl Iterator<Item = &'a [T]>,
        places: &Places,
    ) -> Buffer {
        let mut out = self.memory(places.len() * size_of::<T>());
        let to = out.typed_data_mut::<T>();
        let mut rest = places.places.as_slice();
        for part in parts {
            let (here, there) = rest.split_at(part.len().min(rest.len()));
            rest = there;
            for (place, value) in here.iter().zip(part) {
                to[*place as usize] = *value;
            }
        }
        out.into()
    }

    fn memory(&mut self, bytes: usize) -> MutableBuffer {
        let fitting = self.spare.iter().position(|spare| spare.capacity() >= bytes);
        let found = fitting.or_else(|| self.spare.len().checked_sub(1)).map(|at| self.spare.swap_remove(at));
        let mut memory = match found.map(Buffer::into_mutable) {
            Some(Ok(memory)) => memory,
            _ => MutableBuffer::new(bytes),
        };
        memory.resize(bytes, 0);
        memory
    }

    /// Takes memory back from columns that nobody else holds.
    pub fn reclaim(&mut self, columns: impl Iterator<Item = ArrayRef>) {
        for column in columns {
            let buffer = column.to_data().buffers().first().cloned();
            drop(column);
            self.spare.extend(buffer);
        }
    }

    pub fn size(&self) -> usize {
        self.spare.iter().map(Buffer::capacity).sum()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{BooleanArray, Float64Array, UInt32Array};
    use arrow::compute::{concat, take};
    use proptest::prelude::*;

    use super::*;

    /// A few chunks of columns that every way of scattering takes.
    fn columns(chunks: &[Vec<(String, Option<f64>)>]) -> Vec<Vec<ArrayRef>> {
        let text = |chunk: &[(String, Option<f64>)]| -> ArrayRef {
            let array: StringViewArray = chunk.iter().map(|row| Some(row.0.as_str())).collect();
            Arc::new(array)
        };
        let plain = |chunk: &[(String, Option<f64>)]| -> ArrayRef {
            let array: Float64Array = chunk.iter().map(|row| Some(row.1.unwrap_or(1.5))).collect();
            Arc::new(array)
        };
        let nulls = |chunk: &[(String, Option<f64>)]| -> ArrayRef {
            Arc::new(chunk.iter().map(|row| row.1).collect::<Float64Array>())
        };
        let flags = |chunk: &[(String, Option<f64>)]| -> ArrayRef {
            Arc::new(chunk.iter().map(|row| Some(row.0.len() > 3)).collect::<BooleanArray>())
        };
        let makes: [&dyn Fn(&[(String, Option<f64>)]) -> ArrayRef; 4] = [&text, &plain, &nulls, &flags];
        makes.iter().map(|make| chunks.iter().map(|chunk| make(chunk)).collect()).collect()
    }

    proptest! {
        /// Scattering is concatenating and taking, also into memory that was used before.
        #[test]
        fn columns_come_in_the_order_of_their_shares(
            chunks in prop::collection::vec(prop::collection::vec(("[a-z]{0,20}", prop::option::of(-9.0..9.0)), 0..30), 1..5),
            seed in any::<u64>(),
        ) {
            let rows: usize = chunks.iter().map(Vec::len).sum();
            let hashes: Vec<u64> = (0..rows as u64).map(|row| super::super::intern::mix(row, seed)).collect();
            let mut places = Places::default();
            places.set(&hashes);
            let order = UInt32Array::from(places.rows());
            let mut seen = 0;
            for share in 0..SHARES {
                let (offset, length) = places.share(share);
                prop_assert_eq!(offset, seen);
                let rows = &order.values()[offset..offset + length];
                prop_assert!(rows.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert!(rows.iter().all(|row| share_of(hashes[*row as usize]) == share));
                seen += length;
            }
            prop_assert_eq!(seen, rows);
            let mut scatter = Scatter::default();
            for _ in 0..2 {
                for column in columns(&chunks) {
                    let whole = concat(&column.iter().map(|chunk| chunk.as_ref()).collect::<Vec<_>>()).unwrap();
                    let expected = take(&whole, &order, None).unwrap();
                    let found = scatter.column(&column.iter().collect::<Vec<_>>(), &places).unwrap();
                    prop_assert_eq!(&found, &expected);
                    found.to_data().validate_full().unwrap();
                    scatter.reclaim([found].into_iter());
                }
            }
        }
    }
}
