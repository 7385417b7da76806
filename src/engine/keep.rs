//! The rows that a mask keeps: as Arrow's `filter`, without a branch per row for columns of fixed width.

use arrow::array::{Array, ArrayData, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, make_array};
use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::compute::{FilterBuilder, FilterPredicate, prep_null_mask_filter};
use arrow::datatypes::{ArrowNativeType, DataType};

use crate::error::Result;

/// Rows of a mask's word.
const WORD: usize = 64;
/// Where fewer than one in this many is kept, those are looked for.
const SPARSE: usize = 8;

/// The rows for which `mask` is true; a missing value keeps none.
pub fn kept(batch: &RecordBatch, mask: &BooleanArray) -> Result<RecordBatch> {
    let rows = mask.true_count();
    if rows == batch.num_rows() {
        return Ok(batch.clone());
    }
    let columns = kept_columns(batch.columns(), mask)?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options)?)
}

/// The same of columns.
pub fn kept_columns(columns: &[ArrayRef], mask: &BooleanArray) -> Result<Vec<ArrayRef>> {
    let without_nulls;
    let mask = match mask.null_count() {
        0 => mask,
        _ => {
            without_nulls = prep_null_mask_filter(mask);
            &without_nulls
        }
    };
    let rows = mask.true_count();
    let mut arrows: Option<FilterPredicate> = None;
    let columns = columns.iter().map(|column| -> Result<ArrayRef> {
        if let Some(column) = compressed(column, mask.values(), rows) {
            return Ok(column);
        }
        let predicate = arrows.get_or_insert_with(|| FilterBuilder::new(mask).optimize().build());
        Ok(predicate.filter(column)?)
    });
    columns.collect()
}

/// `None` for columns that are left to Arrow: those with missing values, and those without a fixed width.
fn compressed(column: &ArrayRef, mask: &BooleanBuffer, rows: usize) -> Option<ArrayRef> {
    if column.null_count() > 0 || column.len() != mask.len() {
        return None;
    }
    let data = column.to_data();
    if let DataType::Dictionary(key, _) = data.data_type() {
        let buffer = match **key {
            DataType::Int32 => compress::<i32>(&data, mask, rows),
            _ => return None,
        };
        let keys = data.into_builder().len(rows).offset(0).nulls(None).buffers(vec![buffer]);
        // SAFETY: the keys are some of those that there were, the values are the same.
        return Some(make_array(unsafe { keys.build_unchecked() }));
    }
    if let DataType::Utf8View | DataType::BinaryView = data.data_type() {
        let mut buffers = vec![compress::<i128>(&data, mask, rows)];
        buffers.extend(data.buffers().iter().skip(1).cloned());
        let kept = data.into_builder().len(rows).offset(0).nulls(None).buffers(buffers);
        // SAFETY: the views are some of those that there were, and so are the buffers that they point into.
        return Some(make_array(unsafe { kept.build_unchecked() }));
    }
    let buffer = match data.data_type().primitive_width()? {
        1 => compress::<u8>(&data, mask, rows),
        2 => compress::<u16>(&data, mask, rows),
        4 => compress::<u32>(&data, mask, rows),
        8 => compress::<u64>(&data, mask, rows),
        16 => compress::<i128>(&data, mask, rows),
        _ => return None,
    };
    let kept = ArrayData::builder(data.data_type().clone()).len(rows).add_buffer(buffer);
    Some(make_array(kept.build().ok()?))
}

fn compress<T: ArrowNativeType>(data: &ArrayData, mask: &BooleanBuffer, rows: usize) -> Buffer {
    let values = &data.buffers()[0].typed_data::<T>()[data.offset()..][..data.len()];
    // Room for a word's values behind the last that is kept: most of them will not be.
    let mut kept: Vec<T> = vec![T::default(); rows + WORD];
    let word = word_of::<T>();
    let mut place = 0;
    for (mask, values) in mask.bit_chunks().iter_padded().zip(values.chunks(WORD)) {
        let Some(to) = kept[place..].first_chunk_mut::<WORD>() else { break };
        place += match values.first_chunk::<WORD>() {
            Some(values) if mask == u64::MAX => {
                *to = *values;
                WORD
            }
            Some(values) if mask.count_ones() as usize * SPARSE >= WORD => word(mask, values, to),
            _ => few(mask, values, to),
        };
    }
    kept.truncate(rows);
    Buffer::from_vec(kept)
}

/// Puts the values of a mask's word that are kept one behind the other, and says how many they are.
type Word<T> = fn(u64, &[T; WORD], &mut [T; WORD]) -> usize;

/// The fastest way that this processor has.
fn word_of<T: ArrowNativeType>() -> Word<T> {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        match size_of::<T>() {
            4 => return avx512::fours::<T>,
            8 => return avx512::eights::<T>,
            _ => {}
        }
    }
    plain::<T>
}

/// Those few are looked for.
fn few<T: Copy>(mut mask: u64, values: &[T], to: &mut [T; WORD]) -> usize {
    let mut here = 0;
    while mask != 0 {
        if let Some(value) = values.get(mask.trailing_zeros() as usize) {
            to[here % WORD] = *value;
            here += 1;
        }
        mask &= mask - 1;
    }
    here
}

/// Every value is written, and the place moves on only after those that are kept.
fn plain<T: Copy>(mut mask: u64, values: &[T; WORD], to: &mut [T; WORD]) -> usize {
    let mut here = 0;
    for value in values {
        to[here % WORD] = *value;
        here += (mask & 1) as usize;
        mask >>= 1;
    }
    here
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    //! Processors with AVX-512 compress a vector by a mask in one step.

    use std::arch::x86_64::*;

    use super::WORD;

    pub fn fours<T: Copy>(mask: u64, values: &[T; WORD], to: &mut [T; WORD]) -> usize {
        // SAFETY: only taken where the processor has AVX-512F, for values of four bytes.
        unsafe { fours_of_words(mask, values.as_ptr().cast(), to.as_mut_ptr().cast()) }
    }

    pub fn eights<T: Copy>(mask: u64, values: &[T; WORD], to: &mut [T; WORD]) -> usize {
        // SAFETY: only taken where the processor has AVX-512F, for values of eight bytes.
        unsafe { eights_of_words(mask, values.as_ptr().cast(), to.as_mut_ptr().cast()) }
    }

    /// # Safety
    /// 64 values can be read, and 64 written.
    #[target_feature(enable = "avx512f")]
    unsafe fn fours_of_words(mask: u64, values: *const i32, to: *mut i32) -> usize {
        const LANES: usize = 16;
        let mut here = 0;
        for step in 0..WORD / LANES {
            let mask = (mask >> (step * LANES)) as __mmask16;
            // SAFETY: reads within the 64. At this step at most `step * LANES` were kept: the write ends within 64 too.
            unsafe {
                let kept = _mm512_maskz_compress_epi32(mask, _mm512_loadu_epi32(values.add(step * LANES)));
                _mm512_storeu_epi32(to.add(here), kept);
            }
            here += mask.count_ones() as usize;
        }
        here
    }

    /// # Safety
    /// 64 values can be read, and 64 written.
    #[target_feature(enable = "avx512f")]
    unsafe fn eights_of_words(mask: u64, values: *const i64, to: *mut i64) -> usize {
        const LANES: usize = 8;
        let mut here = 0;
        for step in 0..WORD / LANES {
            let mask = (mask >> (step * LANES)) as __mmask8;
            // SAFETY: as above.
            unsafe {
                let kept = _mm512_maskz_compress_epi64(mask, _mm512_loadu_epi64(values.add(step * LANES)));
                _mm512_storeu_epi64(to.add(here), kept);
            }
            here += mask.count_ones() as usize;
        }
        here
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;

    use arrow::array::{DictionaryArray, Float64Array, Int8Array, StringArray, StringViewArray};
    use arrow::compute::filter_record_batch;
    use arrow::datatypes::{Field, Int32Type, Schema};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the processor has, it agrees with the plain way.
        #[test]
        fn words_agree(mask in any::<u64>(), seed in any::<u64>()) {
            let values: [u64; WORD] = std::array::from_fn(|i| seed.wrapping_mul(i as u64 + 1));
            let narrow: [u32; WORD] = values.map(|value| value as u32);
            let (mut expected, mut found, mut few_found) = ([0; WORD], [0; WORD], [0; WORD]);
            let kept = plain(mask, &values, &mut expected);
            prop_assert_eq!(kept, mask.count_ones() as usize);
            prop_assert_eq!(word_of::<u64>()(mask, &values, &mut found), kept);
            prop_assert_eq!(few(mask, &values, &mut few_found), kept);
            prop_assert_eq!(&found[..kept], &expected[..kept]);
            prop_assert_eq!(&few_found[..kept], &expected[..kept]);
            let (mut expected, mut found) = ([0; WORD], [0; WORD]);
            plain(mask, &narrow, &mut expected);
            word_of::<u32>()(mask, &narrow, &mut found);
            prop_assert_eq!(&found[..kept], &expected[..kept]);
        }

        /// Equal to Arrow's filter, for columns of every kind and masks of every density, also sliced.
        #[test]
        fn what_is_kept_is_what_arrow_keeps(
            rows in prop::collection::vec((any::<i8>(), prop::option::of(-9.0..9.0), "[a-c]{0,15}", prop::option::weighted(0.9, prop::bool::weighted(0.6))), 0..300),
            offset in 0usize..70,
            full in any::<bool>(),
        ) {
            let mask: BooleanArray = rows.iter().map(|row| if full { Some(true) } else { row.3 }).collect();
            let codes: DictionaryArray<Int32Type> = rows.iter().map(|row| row.2.as_str()).collect();
            let columns: Vec<ArrayRef> = vec![
                Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int8Array>()),
                Arc::new(rows.iter().map(|row| row.1).collect::<Float64Array>()),
                Arc::new(rows.iter().map(|row| Some(f64::from(row.0))).collect::<Float64Array>()),
                Arc::new(rows.iter().map(|row| Some(row.2.as_str())).collect::<StringViewArray>()),
                Arc::new(rows.iter().map(|row| Some(row.2.as_str())).collect::<StringArray>()),
                Arc::new(codes),
            ];
            let fields: Vec<_> = columns.iter().enumerate().map(|(number, column)| Field::new(number.to_string(), column.data_type().clone(), true)).collect();
            let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
            let offset = offset.min(rows.len());
            let (batch, mask) = (batch.slice(offset, rows.len() - offset), mask.slice(offset, rows.len() - offset));
            let found = kept(&batch, &mask).unwrap();
            prop_assert_eq!(&found, &filter_record_batch(&batch, &mask).unwrap());
            for column in found.columns() {
                column.to_data().validate_full().unwrap();
            }
        }
    }
}
