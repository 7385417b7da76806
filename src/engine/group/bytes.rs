//! Interner of strings and binary values, with a short cut for dictionary-encoded columns.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, DictionaryArray, GenericByteViewArray, StringArray,
    StringViewArray,
};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{ByteViewType, DataType, Int32Type};

use super::intern::{AHEAD, Interner, MISSING, mix, prefetch};
use super::slots::Slots;
use crate::error::{Error, Result};
use crate::memory::prefetch_all;

/// Up to this many bytes a value lies within its view.
const INLINE: usize = 12;
/// Long values are kept in blocks of at least this size.
const BLOCK: usize = 64 * 1024;

fn is_long(view: u128) -> bool {
    view as u32 as usize > INLINE
}

/// The view of a value that is not long.
fn inline_view(bytes: &[u8]) -> u128 {
    let mut view = [0u8; 16];
    view[0] = bytes.len() as u8;
    view[4..4 + bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(view)
}

#[inline(always)]
fn inline_hash(view: u128) -> u64 {
    mix(view as u64, (view >> 64) as u64)
}

/// The lower half of a long value's view: its length, and how it begins.
fn long_view(bytes: &[u8]) -> u64 {
    let prefix = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    bytes.len() as u64 | u64::from(prefix) << 32
}

fn long_hash(bytes: &[u8]) -> u64 {
    let mut hasher = foldhash::quality::FixedState::with_seed(0).build_hasher();
    hasher.write(bytes);
    mix(long_view(bytes), hasher.finish())
}

/// The hash of a value, as every interner of bytes has it.
pub fn hash(bytes: &[u8]) -> u64 {
    if bytes.len() > INLINE { long_hash(bytes) } else { inline_hash(inline_view(bytes)) }
}

/// The bytes of a view that is long.
fn long_bytes<T: ByteViewType + ?Sized>(array: &GenericByteViewArray<T>, view: u128) -> &[u8] {
    let length = view as u32 as usize;
    let (buffer, offset) = ((view >> 64) as u32 as usize, (view >> 96) as u32 as usize);
    &array.data_buffers()[buffer].as_slice()[offset..offset + length]
}

fn has_long<T: ByteViewType + ?Sized>(array: &GenericByteViewArray<T>) -> bool {
    !array.data_buffers().is_empty() && array.views().iter().any(|view| is_long(*view))
}

/// Replaces `hashes` by the hash of each row; that of a missing one is anything.
pub fn hash_views<T: ByteViewType + ?Sized>(array: &GenericByteViewArray<T>, hashes: &mut Vec<u64>) {
    let views = array.views();
    hashes.clear();
    if !has_long(array) {
        hashes.extend(views.iter().map(|view| inline_hash(*view)));
        return;
    }
    hashes.extend(views.iter().enumerate().map(|(row, view)| {
        if !is_long(*view) {
            inline_hash(*view)
        } else if array.is_null(row) {
            0
        } else {
            long_hash(long_bytes(array, *view))
        }
    }));
}

pub struct BytesInterner {
    arrow: DataType,
    slots: Slots,
    /// By id: an Arrow view, into `blocks` where it is long.
    views: Vec<u128>,
    blocks: Vec<Vec<u8>>,
    hashes: Vec<u64>,
    dictionary: Option<Dictionary>,
}

/// The id of a dictionary's entry that no row had yet.
const UNSEEN: u32 = u32::MAX;

/// The last dictionary that was seen and the id of each of its entries.
struct Dictionary {
    values: StringArray,
    ids: Vec<u32>,
}

impl BytesInterner {
    pub fn new(arrow: DataType) -> Self {
        Self {
            arrow,
            slots: Slots::new(1024),
            views: vec![0],
            blocks: Vec::new(),
            hashes: Vec::new(),
            dictionary: None,
        }
    }

    fn bytes(&self, id: u32) -> &[u8] {
        let view = self.views[id as usize];
        let length = view as u32 as usize;
        let (block, offset) = ((view >> 64) as u32 as usize, (view >> 96) as u32 as usize);
        &self.blocks[block][offset..offset + length]
    }

    pub fn intern_bytes(&mut self, bytes: &[u8]) -> Result<u32> {
        if bytes.len() > INLINE {
            self.intern_long(bytes, long_hash(bytes))
        } else {
            let view = inline_view(bytes);
            self.intern_inline(view, inline_hash(view))
        }
    }

    #[inline(always)]
    fn intern_inline(&mut self, view: u128, hash: u64) -> Result<u32> {
        let views = self.views.as_slice();
        let (position, id) = self.slots.find(hash, |id| views[id as usize] == view);
        if id == MISSING { self.insert(position, hash, view) } else { Ok(id) }
    }

    fn intern_long(&mut self, bytes: &[u8], hash: u64) -> Result<u32> {
        let low = long_view(bytes);
        let same = |id: u32| self.views[id as usize] as u64 == low && self.bytes(id) == bytes;
        let (position, id) = self.slots.find(hash, same);
        if id != MISSING {
            return Ok(id);
        }
        let (block, offset) = self.keep(bytes)?;
        self.insert(position, hash, u128::from(low) | u128::from(block) << 64 | u128::from(offset) << 96)
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, position: usize, hash: u64, view: u128) -> Result<u32> {
        let id = u32::try_from(self.views.len()).map_err(|_| too_many())?;
        self.views.push(view);
        self.slots.put(position, hash, id, self.views.len());
        Ok(id)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(u32, u32)> {
        let room = self.blocks.last().is_some_and(|block| block.capacity() - block.len() >= bytes.len());
        if !room {
            // Blocks double up to 16 MiB, so that few values cost little and many do not make many blocks.
            let doubled = self.blocks.last().map_or(BLOCK, |block| (block.capacity() * 2).min(16 << 20));
            self.blocks.push(Vec::with_capacity(doubled.max(bytes.len())));
        }
        let number = self.blocks.len() - 1;
        let block = &mut self.blocks[number];
        let offset = u32::try_from(block.len()).map_err(|_| too_many())?;
        block.extend_from_slice(bytes);
        Ok((u32::try_from(number).map_err(|_| too_many())?, offset))
    }

    fn intern_views<T: ByteViewType + ?Sized>(
        &mut self,
        array: &GenericByteViewArray<T>,
        ids: &mut Vec<u32>,
    ) -> Result<()> {
        let views = array.views();
        let mut hashes = std::mem::take(&mut self.hashes);
        hash_views(array, &mut hashes);
        ids.clear();
        ids.reserve(views.len());
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        let inline = !has_long(array);
        let outside = self.slots.is_outside();
        if outside && views.len() * 2 > self.views.len() {
            self.slots.prefetch_all();
            prefetch_all(&self.views);
        }
        for (row, (&view, &hash)) in views.iter().zip(&hashes).enumerate() {
            // First the slot is asked for, then the value that it most likely leads to.
            if outside && let Some(hash) = hashes.get(row + 2 * AHEAD) {
                self.slots.prefetch(*hash);
                prefetch(&self.views, self.slots.likely(hashes[row + AHEAD]) as usize);
            }
            let id = if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                MISSING
            } else if inline || !is_long(view) {
                self.intern_inline(view, hash)?
            } else {
                self.intern_long(long_bytes(array, view), hash)?
            };
            ids.push(id);
        }
        self.hashes = hashes;
        Ok(())
    }

    fn intern_dictionary(&mut self, array: &DictionaryArray<Int32Type>, ids: &mut Vec<u32>) -> Result<()> {
        let values = array.values().as_string_opt::<i32>().ok_or_else(|| unexpected(array.data_type()))?;
        let same = self.dictionary.as_ref().is_some_and(|last| {
            last.values.len() == values.len()
                && std::ptr::eq(last.values.value_data().as_ptr(), values.value_data().as_ptr())
                && std::ptr::eq(last.values.value_offsets().as_ptr(), values.value_offsets().as_ptr())
        });
        let mut dictionary = match self.dictionary.take() {
            Some(dictionary) if same => dictionary,
            // An entry becomes a key when a row has it: filters may have left some without rows.
            _ => Dictionary { values: values.clone(), ids: vec![UNSEEN; values.len()] },
        };
        let codes = array.keys();
        let entries = dictionary.ids.as_slice();
        ids.clear();
        ids.extend(codes.values().iter().map(|code| entries.get(*code as usize).copied().unwrap_or(UNSEEN)));
        // As a rule every entry is known already, and a row has cost one look-up.
        let mut outcome = Ok(());
        if codes.null_count() > 0 || ids.contains(&UNSEEN) {
            outcome = self.intern_rest(array, &mut dictionary, ids);
        }
        self.dictionary = Some(dictionary);
        outcome
    }

    /// Rows that are missing, and the first rows of a dictionary's entries.
    #[cold]
    fn intern_rest(
        &mut self,
        array: &DictionaryArray<Int32Type>,
        dictionary: &mut Dictionary,
        ids: &mut [u32],
    ) -> Result<()> {
        let codes = array.keys();
        for (row, id) in ids.iter_mut().enumerate() {
            // The code below a null is anything.
            if codes.is_null(row) {
                *id = MISSING;
                continue;
            }
            if *id != UNSEEN {
                continue;
            }
            let code = codes.value(row) as usize;
            let known = dictionary.ids.get(code).copied().ok_or_else(|| unexpected(array.data_type()))?;
            *id = if known == UNSEEN { self.intern_entry(&dictionary.values, code)? } else { known };
            dictionary.ids[code] = *id;
        }
        Ok(())
    }

    #[cold]
    fn intern_entry(&mut self, values: &StringArray, code: usize) -> Result<u32> {
        if values.is_null(code) { Ok(MISSING) } else { self.intern_bytes(values.value(code).as_bytes()) }
    }
}

impl Interner for BytesInterner {
    fn intern(&mut self, column: &ArrayRef, ids: &mut Vec<u32>) -> Result<()> {
        match column.data_type() {
            DataType::Utf8View => self.intern_views(column.as_string_view(), ids),
            DataType::BinaryView => self.intern_views(column.as_binary_view(), ids),
            DataType::Dictionary(key, _) if **key == DataType::Int32 => {
                self.intern_dictionary(column.as_dictionary::<Int32Type>(), ids)
            }
            other => Err(unexpected(other)),
        }
    }

    fn hash(&mut self, column: &ArrayRef, hashes: &mut Vec<u64>) -> Result<()> {
        match column.data_type() {
            DataType::Utf8View => hash_views(column.as_string_view(), hashes),
            DataType::BinaryView => hash_views(column.as_binary_view(), hashes),
            other => return Err(unexpected(other)),
        }
        if let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) {
            for (hash, valid) in hashes.iter_mut().zip(nulls) {
                *hash = if valid { *hash } else { 0 };
            }
        }
        Ok(())
    }

    fn height(&self) -> usize {
        self.views.len()
    }

    fn hashes(&self) -> Vec<u64> {
        let hash = |id: u32| {
            let view = self.views[id as usize];
            if is_long(view) { long_hash(self.bytes(id)) } else { inline_hash(view) }
        };
        (0..self.views.len() as u32).map(|id| if id == MISSING { 0 } else { hash(id) }).collect()
    }

    fn values(&self) -> Result<ArrayRef> {
        let views = ScalarBuffer::from(self.views.clone());
        let blocks: Vec<Buffer> = self.blocks.iter().map(|block| Buffer::from(block.as_slice())).collect();
        let nulls = NullBuffer::from_iter((0..self.views.len()).map(|id| id != 0));
        // Checked, for the bytes once were: every value came from an array of the same type.
        Ok(match self.arrow {
            DataType::Utf8View => {
                // SAFETY: views point into the blocks they were made for, and hold whole values of string arrays.
                Arc::new(unsafe { StringViewArray::new_unchecked(views, blocks, Some(nulls)) })
            }
            _ => Arc::new(BinaryViewArray::try_new(views, blocks, Some(nulls))?),
        })
    }

    fn reserve(&mut self, values: usize) {
        self.views.reserve(values);
        self.slots.reserve(self.views.len() + values);
    }

    fn size(&self) -> usize {
        self.slots.size()
            + self.views.capacity() * size_of::<u128>()
            + self.blocks.iter().map(Vec::capacity).sum::<usize>()
    }
}

fn unexpected(found: &DataType) -> Error {
    Error::internal(format!("a string key arrived as {found}"))
}

pub fn too_many() -> Error {
    Error::new(crate::error::Code::OutOfMemory, "there are more than four thousand million distinct keys")
        .hint("Group by fewer or coarser keys")
}
