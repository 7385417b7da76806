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
use crate::error::{Error, Result};
use crate::memory::advise_huge;

/// Up to this many bytes a value lies within its view.
const INLINE: usize = 12;
/// Long values are kept in blocks of at least this size.
const BLOCK: usize = 64 * 1024;

/// Tables below this size grow four times at once.
const QUADRUPLED: usize = 1 << 18;

/// An entry of the open-addressing table; `id` 0 is an empty one.
#[derive(Clone, Copy, Default)]
struct Slot {
    low: u64,
    high: u64,
    id: u32,
}

/// A value as it is compared: an inline value is its view; a long one its length, prefix and hash, and
/// then its bytes.
#[derive(Clone, Copy)]
struct Key {
    low: u64,
    high: u64,
}

impl Key {
    #[inline]
    fn inline(view: u128) -> Self {
        Key { low: view as u64, high: (view >> 64) as u64 }
    }

    fn long(bytes: &[u8]) -> Self {
        let mut hasher = foldhash::quality::FixedState::with_seed(0).build_hasher();
        hasher.write(bytes);
        let prefix = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        Key { low: bytes.len() as u64 | u64::from(prefix) << 32, high: hasher.finish() }
    }

    fn of(bytes: &[u8]) -> Self {
        if bytes.len() > INLINE { Key::long(bytes) } else { Key::inline(inline_view(bytes)) }
    }

    #[inline]
    fn hash(self) -> u64 {
        mix(self.low, self.high)
    }

    #[inline]
    fn is_long(self) -> bool {
        self.low as u32 as usize > INLINE
    }
}

fn inline_view(bytes: &[u8]) -> u128 {
    let mut view = [0u8; 16];
    view[0] = bytes.len() as u8;
    view[4..4 + bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(view)
}

/// The hash of a value, as every interner of bytes has it.
pub fn hash(bytes: &[u8]) -> u64 {
    Key::of(bytes).hash()
}

fn is_long(view: u128) -> bool {
    view as u32 as usize > INLINE
}

/// The bytes of a view that is long.
fn long_bytes<T: ByteViewType + ?Sized>(array: &GenericByteViewArray<T>, view: u128) -> &[u8] {
    let length = view as u32 as usize;
    let (buffer, offset) = ((view >> 64) as u32 as usize, (view >> 96) as u32 as usize);
    &array.data_buffers()[buffer].as_slice()[offset..offset + length]
}

/// Replaces `hashes` by the hash of each row; that of a missing one is anything.
fn hash_views<T: ByteViewType + ?Sized>(array: &GenericByteViewArray<T>, hashes: &mut Vec<u64>) {
    let views = array.views();
    hashes.clear();
    if array.data_buffers().is_empty() {
        hashes.extend(views.iter().map(|view| Key::inline(*view).hash()));
        return;
    }
    hashes.extend(views.iter().enumerate().map(|(row, view)| {
        if !is_long(*view) {
            Key::inline(*view).hash()
        } else if array.is_null(row) {
            0
        } else {
            Key::long(long_bytes(array, *view)).hash()
        }
    }));
}

pub struct BytesInterner {
    arrow: DataType,
    slots: Vec<Slot>,
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
            slots: vec![Slot::default(); 1024],
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
        let key = Key::of(bytes);
        self.find_or_insert(key, key.hash(), bytes)
    }

    /// `bytes` are looked at for long keys only.
    #[inline]
    fn find_or_insert(&mut self, key: Key, hash: u64, bytes: &[u8]) -> Result<u32> {
        let mask = self.slots.len() - 1;
        let mut position = hash as usize & mask;
        loop {
            let slot = self.slots[position];
            if slot.id == MISSING {
                return self.insert(position, key, bytes);
            }
            if slot.low == key.low
                && slot.high == key.high
                && (!key.is_long() || self.bytes(slot.id) == bytes)
            {
                return Ok(slot.id);
            }
            position = (position + 1) & mask;
        }
    }

    #[cold]
    fn insert(&mut self, position: usize, key: Key, bytes: &[u8]) -> Result<u32> {
        let id = u32::try_from(self.views.len()).map_err(|_| too_many())?;
        let view = if key.is_long() {
            let (block, offset) = self.keep(bytes)?;
            u128::from(key.low) | u128::from(block) << 64 | u128::from(offset) << 96
        } else {
            u128::from(key.low) | u128::from(key.high) << 64
        };
        self.views.push(view);
        self.slots[position] = Slot { low: key.low, high: key.high, id };
        if self.views.len() * 8 > self.slots.len() * 5 {
            self.grow();
        }
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

    fn grow(&mut self) {
        let size = self.slots.len() * if self.slots.len() < QUADRUPLED { 4 } else { 2 };
        let mask = size - 1;
        let mut slots = vec![Slot::default(); size];
        advise_huge(&slots);
        for slot in self.slots.iter().filter(|slot| slot.id != MISSING) {
            let mut position = mix(slot.low, slot.high) as usize & mask;
            while slots[position].id != MISSING {
                position = (position + 1) & mask;
            }
            slots[position] = *slot;
        }
        self.slots = slots;
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
        let nulls = array.nulls();
        for (row, &view) in views.iter().enumerate() {
            if let Some(hash) = hashes.get(row + AHEAD) {
                prefetch(&self.slots, *hash as usize & (self.slots.len() - 1));
            }
            let id = if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                MISSING
            } else if is_long(view) {
                let bytes = long_bytes(array, view);
                self.find_or_insert(Key::long(bytes), hashes[row], bytes)?
            } else {
                self.find_or_insert(Key::inline(view), hashes[row], &[])?
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
            if view as u32 as usize > INLINE {
                Key::long(self.bytes(id)).hash()
            } else {
                Key::inline(view).hash()
            }
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

    fn size(&self) -> usize {
        self.slots.len() * size_of::<Slot>()
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
