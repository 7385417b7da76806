//! The open-addressing table of the interners: from a value's hash to its id.

use super::intern::{MISSING, prefetch};
use crate::memory::advise_huge;

/// Tables of no more bytes than this stay in the innermost cache.
const INNER: usize = 16 * 1024;

/// Tables below this size grow four times at once.
const QUADRUPLED: usize = 1 << 14;

/// An entry: half of a value's hash, and its id, [`MISSING`] where it is empty.
///
/// Values themselves lie one after the other by id: the table stays small, and most of it in the caches.
#[derive(Clone, Copy, Default)]
struct Slot {
    tag: u32,
    id: u32,
}

#[derive(Clone)]
pub struct Slots(Vec<Slot>);

impl Slots {
    /// Empty slots; `size` is a power of two.
    pub fn new(size: usize) -> Self {
        let slots = vec![Slot::default(); size];
        advise_huge(&slots);
        Self(slots)
    }

    #[inline(always)]
    fn position(&self, hash: u64) -> usize {
        hash as u32 as usize & (self.0.len() - 1)
    }

    #[inline(always)]
    pub fn prefetch(&self, hash: u64) {
        prefetch(&self.0, self.position(hash));
    }

    /// Asks for the whole table.
    pub fn prefetch_all(&self) {
        crate::memory::prefetch_all(&self.0);
    }

    /// The id in the first slot that a value of this hash may have.
    #[inline(always)]
    pub fn likely(&self, hash: u64) -> u32 {
        self.0[self.position(hash)].id
    }

    /// The id of a value, or [`MISSING`] and the slot where it would be. `same` is asked where the hashes agree.
    #[inline(always)]
    pub fn find(&self, hash: u64, same: impl Fn(u32) -> bool) -> (usize, u32) {
        let mut position = self.position(hash);
        loop {
            let slot = self.0[position];
            if slot.id == MISSING || slot.tag == hash as u32 && same(slot.id) {
                return (position, slot.id);
            }
            position = (position + 1) & (self.0.len() - 1);
        }
    }

    /// Enters the id of a new value, the `count`th, in the slot that [`Slots::find`] gave for it.
    pub fn put(&mut self, position: usize, hash: u64, id: u32, count: usize) {
        self.0[position] = Slot { tag: hash as u32, id };
        // At most two thirds are taken: a value that is not there is told by three slots on average.
        if count * 3 > self.0.len() * 2 {
            self.grow();
        }
    }

    /// Enters the values from id 1 on, by their hashes, into slots that are empty.
    pub fn fill(&mut self, hashes: impl ExactSizeIterator<Item = u64>) {
        self.reserve(hashes.len());
        for (id, hash) in hashes.enumerate().skip(1) {
            let (position, _) = self.find(hash, |_| false);
            self.0[position] = Slot { tag: hash as u32, id: id as u32 };
        }
    }

    /// Makes room for `count` values in all.
    pub fn reserve(&mut self, count: usize) {
        let wanted = (count + 1).saturating_mul(3).div_ceil(2).next_power_of_two();
        if wanted > self.0.len() {
            self.grow_to(wanted);
        }
    }

    #[cold]
    fn grow(&mut self) {
        self.grow_to(self.0.len() * if self.0.len() < QUADRUPLED { 4 } else { 2 });
    }

    fn grow_to(&mut self, size: usize) {
        let mut grown = Slots::new(size);
        for slot in self.0.iter().filter(|slot| slot.id != MISSING) {
            let (position, _) = grown.find(u64::from(slot.tag), |_| false);
            grown.0[position] = *slot;
        }
        *self = grown;
    }

    /// Too large for the innermost cache.
    pub fn is_outside(&self) -> bool {
        self.size() > INNER
    }

    pub fn size(&self) -> usize {
        self.0.len() * size_of::<Slot>()
    }
}
