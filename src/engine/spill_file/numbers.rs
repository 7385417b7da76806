//! Whole numbers of a block as what they are above the least of them, in as few bytes as the largest needs.

use arrow::array::ArrayData;
use arrow::buffer::{Buffer, MutableBuffer};
use arrow::datatypes::DataType;

use super::block::Input;
use crate::error::Result;

/// Values are as they lie in memory.
const AS_THEY_ARE: u8 = u8::MAX;

/// Bytes of a value of a type whose values all have as many; none if they have not.
pub fn width(dtype: &DataType) -> Option<usize> {
    dtype.primitive_width()
}

/// Whether values of the type compare as whole numbers do.
fn is_whole(dtype: &DataType) -> bool {
    let floats = matches!(dtype, DataType::Float16 | DataType::Float32 | DataType::Float64);
    !floats && !matches!(dtype, DataType::Interval(_)) && matches!(width(dtype), Some(4 | 8))
}

/// Writes the values of an array of this type.
pub fn put(data: &ArrayData, width: usize, out: &mut Vec<u8>) {
    let values = data.buffers().first().map_or(&[][..], |buffer| {
        let (from, to) = (data.offset() * width, (data.offset() + data.len()) * width);
        buffer.as_slice().get(from..to).unwrap_or_default()
    });
    if is_whole(data.data_type()) {
        match width {
            4 => put_whole(values, |bytes: [u8; 4]| i64::from(i32::from_ne_bytes(bytes)), out),
            _ => put_whole(values, i64::from_ne_bytes, out),
        }
    } else {
        out.push(AS_THEY_ARE);
        out.extend_from_slice(values);
    }
}

fn put_whole<const WIDTH: usize>(
    values: &[u8],
    whole: impl Fn([u8; WIDTH]) -> i64 + Copy,
    out: &mut Vec<u8>,
) {
    let (values_of, _) = values.as_chunks::<WIDTH>();
    let (least, most) = values_of.iter().fold((i64::MAX, i64::MIN), |(least, most), value| {
        let value = whole(*value);
        (least.min(value), most.max(value))
    });
    // Also right where it leaves the range of the type.
    let range = most.wrapping_sub(least) as u64;
    let bytes = (u64::BITS - range.leading_zeros()).div_ceil(8) as usize;
    if values_of.is_empty() || bytes >= WIDTH {
        out.push(AS_THEY_ARE);
        out.extend_from_slice(values);
        return;
    }
    out.push(bytes as u8);
    out.extend_from_slice(&least.to_le_bytes());
    let above = values_of.iter().map(|value| whole(*value).wrapping_sub(least) as u64);
    match bytes {
        1 => pack::<1>(above, out),
        2 => pack::<2>(above, out),
        3 => pack::<3>(above, out),
        4 => pack::<4>(above, out),
        5 => pack::<5>(above, out),
        6 => pack::<6>(above, out),
        7 => pack::<7>(above, out),
        _ => {}
    }
}

fn pack<const BYTES: usize>(values: impl ExactSizeIterator<Item = u64>, out: &mut Vec<u8>) {
    let from = out.len();
    out.resize(from + values.len() * BYTES, 0);
    let (to, _) = out[from..].as_chunks_mut::<BYTES>();
    for (to, value) in to.iter_mut().zip(values) {
        to.copy_from_slice(&value.to_le_bytes()[..BYTES]);
    }
}

/// Reads so many values of a type of this width.
pub fn take(input: &mut Input<'_>, rows: usize, width: usize) -> Result<Buffer> {
    let bytes = input.byte()?;
    if bytes == AS_THEY_ARE {
        let values = input.bytes(rows.saturating_mul(width))?;
        let mut buffer = MutableBuffer::with_capacity(values.len());
        buffer.extend_from_slice(values);
        return Ok(buffer.into());
    }
    let least = input.number()? as i64;
    let packed = input.bytes(rows.saturating_mul(usize::from(bytes)))?;
    let values: Vec<i64> = match bytes {
        0 => vec![least; rows],
        1 => unpack::<1>(packed, least),
        2 => unpack::<2>(packed, least),
        3 => unpack::<3>(packed, least),
        4 => unpack::<4>(packed, least),
        5 => unpack::<5>(packed, least),
        6 => unpack::<6>(packed, least),
        7 => unpack::<7>(packed, least),
        _ => return Err(Input::damaged()),
    };
    match width {
        4 => Ok(Buffer::from_vec(values.iter().map(|value| *value as i32).collect::<Vec<_>>())),
        8 => Ok(Buffer::from_vec(values)),
        _ => Err(Input::damaged()),
    }
}

fn unpack<const BYTES: usize>(packed: &[u8], least: i64) -> Vec<i64> {
    let (packed, _) = packed.as_chunks::<BYTES>();
    let value = |packed: &[u8; BYTES]| {
        let mut bytes = [0; 8];
        bytes[..BYTES].copy_from_slice(packed);
        least.wrapping_add(i64::from_le_bytes(bytes))
    };
    packed.iter().map(value).collect()
}
