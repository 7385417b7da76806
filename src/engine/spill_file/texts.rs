//! Texts of a block: their lengths and their bytes, or each different one once where there are few.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryViewArray, StringViewArray};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};

use super::block::Input;
use crate::error::Result;

/// Bytes of a text that is within its view.
const SHORT: usize = 12;

/// How the texts of a block are written.
const PLAIN: u8 = 0;
const NUMBERED: u8 = 1;

/// How the lengths of texts are written: one for all, or each in so many bytes.
const ALIKE: u8 = 0;
const BYTE: u8 = 1;
const WORD: u8 = 4;

/// Different texts that are numbered at most, and places in which they are looked up.
const NUMBERS: usize = 128;
const PLACES: usize = 512;

/// After so many texts it is looked whether no more than a quarter of them were new.
const LOOK: usize = 64;

/// The bits of a view that are its text, by the text's length.
const KEPT: [u128; SHORT + 1] = kept();

const fn kept() -> [u128; SHORT + 1] {
    let (mut masks, mut length) = ([0; SHORT + 1], 0);
    while length <= SHORT {
        masks[length] = ((1 << (8 * length)) - 1) << 32;
        length += 1;
    }
    masks
}

/// Writes texts that are there, or are written as empty.
pub fn put(views: &[u128], buffers: &[Buffer], nulls: Option<&NullBuffer>, out: &mut Vec<u8>) {
    let there = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
    let view = |row: usize| if there(row) { views[row] } else { 0 };
    if put_numbered(views.len(), view, out) {
        return;
    }
    out.push(PLAIN);
    let (mut least, mut most, mut short, mut long) = (u32::MAX, 0, 0, 0);
    for row in 0..views.len() {
        let length = view(row) as u32;
        (least, most) = (least.min(length), most.max(length));
        if length as usize <= SHORT {
            short += length as usize;
        } else {
            long += length as usize;
        }
    }
    let lengths = (0..views.len()).map(|row| view(row) as u32);
    if least >= most {
        out.push(ALIKE);
        out.extend_from_slice(&most.to_le_bytes());
    } else if most <= u32::from(u8::MAX) {
        out.push(BYTE);
        out.extend(lengths.map(|length| length as u8));
    } else {
        out.push(WORD);
        lengths.for_each(|length| out.extend_from_slice(&length.to_le_bytes()));
    }
    out.extend_from_slice(&(short as u64).to_le_bytes());
    let mut at = out.len();
    out.resize(at + short + SHORT, 0);
    if short > 0 {
        for row in 0..views.len() {
            let view = view(row);
            let length = view as u32 as usize;
            if length <= SHORT {
                out[at..at + SHORT].copy_from_slice(&view.to_le_bytes()[4..]);
                at += length;
            }
        }
        // The last ones wrote beyond their end.
        out[at..].fill(0);
    }
    out.extend_from_slice(&(long as u64).to_le_bytes());
    if long > 0 {
        for row in 0..views.len() {
            let view = view(row);
            let length = view as u32 as usize;
            if length > SHORT {
                let (buffer, from) = ((view >> 64) as u32 as usize, (view >> 96) as u32 as usize);
                out.extend_from_slice(&buffers[buffer][from..from + length]);
            }
        }
    }
}

/// Writes the different texts, and which of them each is, if they are few and short.
fn put_numbered(rows: usize, view: impl Fn(usize) -> u128, out: &mut Vec<u8>) -> bool {
    if rows < LOOK {
        return false;
    }
    let mut places = [0_u8; PLACES];
    let mut different: Vec<u128> = Vec::with_capacity(NUMBERS);
    let begin = out.len();
    out.push(NUMBERED);
    for row in 0..rows {
        let view = view(row);
        if row == LOOK && different.len() > LOOK / 4 || view as u32 as usize > SHORT {
            out.truncate(begin);
            return false;
        }
        let folded = (view as u64 ^ (view >> 64) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut place = (folded >> 55) as usize;
        let number = loop {
            match places[place] {
                0 if different.len() == NUMBERS => {
                    out.truncate(begin);
                    return false;
                }
                0 => {
                    different.push(view);
                    places[place] = different.len() as u8;
                    break different.len() - 1;
                }
                number if different[usize::from(number) - 1] == view => break usize::from(number) - 1,
                _ => place = (place + 1) % PLACES,
            }
        };
        out.push(number as u8);
    }
    out.push(different.len() as u8);
    different.iter().for_each(|view| out.extend_from_slice(&view.to_le_bytes()));
    true
}

/// Reads so many texts.
pub fn take(input: &mut Input<'_>, rows: usize, nulls: Option<NullBuffer>, text: bool) -> Result<ArrayRef> {
    let (views, long, is_text) = match input.byte()? {
        NUMBERED => take_numbered(input, rows, text)?,
        PLAIN => take_plain(input, rows, text)?,
        _ => return Err(Input::damaged()),
    };
    if !is_text {
        return Err(Input::damaged());
    }
    let buffers: Vec<Buffer> = if long.is_empty() { Vec::new() } else { vec![Buffer::from(long)] };
    let views = ScalarBuffer::from(views);
    if text {
        // SAFETY: each view was made of bytes within the one buffer or within itself, which were found to be UTF-8.
        return Ok(Arc::new(unsafe { StringViewArray::new_unchecked(views, buffers, nulls) }));
    }
    // SAFETY: each view was made of bytes within the one buffer or within itself.
    Ok(Arc::new(unsafe { BinaryViewArray::new_unchecked(views, buffers, nulls) }))
}

type Views<'a> = (Vec<u128>, &'a [u8], bool);

fn take_numbered<'a>(input: &mut Input<'a>, rows: usize, text: bool) -> Result<Views<'a>> {
    let numbers = input.bytes(rows)?;
    let count = usize::from(input.byte()?);
    let (different, _) = input.bytes(count * size_of::<u128>())?.as_chunks::<16>();
    let mut known = [0; 256];
    let mut is_text = true;
    for (known, view) in known.iter_mut().zip(different) {
        let view = u128::from_le_bytes(*view);
        let length = view as u32 as usize;
        let Some(kept) = KEPT.get(length) else { return Err(Input::damaged()) };
        *known = view & (kept | u128::from(u32::MAX));
        is_text &= !text || std::str::from_utf8(&known.to_le_bytes()[4..4 + length]).is_ok();
    }
    if numbers.iter().any(|number| usize::from(*number) >= count) {
        return Err(Input::damaged());
    }
    Ok((numbers.iter().map(|number| known[usize::from(*number)]).collect(), &[], is_text))
}

fn take_plain<'a>(input: &mut Input<'a>, rows: usize, text: bool) -> Result<Views<'a>> {
    let lengths = match input.byte()? {
        ALIKE => Lengths::Alike(input.word()?),
        BYTE => Lengths::Bytes(input.bytes(rows)?),
        WORD => Lengths::Words(input.bytes(rows.saturating_mul(4))?.as_chunks().0),
        _ => return Err(Input::damaged()),
    };
    let short_bytes = input.length()?;
    let short = input.bytes(short_bytes.saturating_add(SHORT))?;
    let long_bytes = input.length()?;
    let long = input.bytes(long_bytes)?;
    let (mut next_short, mut next_long) = (0, 0);
    let mut view = |length: u32| -> Option<u128> {
        let bytes = length as usize;
        if let Some(kept) = KEPT.get(bytes) {
            let mut view = [0; 16];
            view[4..].copy_from_slice(short.get(next_short..next_short + SHORT)?);
            next_short += bytes;
            return Some(u128::from_le_bytes(view) & kept | u128::from(length));
        }
        let begin = long.get(next_long..)?.first_chunk::<4>()?;
        let from = u32::try_from(next_long).ok()?;
        next_long += bytes;
        Some(u128::from(from) << 96 | u128::from(u32::from_le_bytes(*begin)) << 32 | u128::from(length))
    };
    let views: Option<Vec<u128>> = match lengths {
        Lengths::Alike(length) => (0..rows).map(|_| view(length)).collect(),
        Lengths::Bytes(lengths) => lengths.iter().map(|length| view(u32::from(*length))).collect(),
        Lengths::Words(lengths) => lengths.iter().map(|length| view(u32::from_le_bytes(*length))).collect(),
    };
    let views = views.filter(|_| next_short == short_bytes && next_long == long_bytes);
    let views = views.ok_or_else(Input::damaged)?;
    let is_text = !text || are_texts(&views, &short[..short_bytes], long);
    Ok((views, long, is_text))
}

enum Lengths<'a> {
    Alike(u32),
    Bytes(&'a [u8]),
    Words(&'a [[u8; 4]]),
}

/// Whether each text is UTF-8: all together are, and none begins within a character.
fn are_texts(views: &[u128], short: &[u8], long: &[u8]) -> bool {
    let (Ok(short), Ok(long)) = (std::str::from_utf8(short), std::str::from_utf8(long)) else { return false };
    if short.is_ascii() && long.is_ascii() {
        return true;
    }
    let (mut next_short, mut next_long) = (0, 0);
    views.iter().all(|view| {
        let length = *view as u32 as usize;
        let (text, next) = if length <= SHORT { (short, &mut next_short) } else { (long, &mut next_long) };
        *next += length;
        text.is_char_boundary(*next)
    })
}
