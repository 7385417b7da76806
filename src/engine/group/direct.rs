//! Ids of whole numbers that lie close together: by their distance from the least, without a hash.

use super::intern::MISSING;
use super::limit;

/// Numbers that lie further apart are hashed.
const MOST: usize = limit(1 << 20, 64);

/// The id of each number from `least` on, [`MISSING`] where it has none yet.
pub struct Direct {
    least: i64,
    ids: Vec<u32>,
}

impl Direct {
    pub fn new() -> Self {
        Self { least: 0, ids: Vec::new() }
    }

    #[inline(always)]
    fn place(&self, word: u64) -> usize {
        (word as i64).wrapping_sub(self.least) as u64 as usize
    }

    #[inline(always)]
    pub fn id(&self, word: u64) -> u32 {
        self.ids.get(self.place(word)).copied().unwrap_or(MISSING)
    }

    /// Gives a number that fits its id.
    pub fn put(&mut self, word: u64, id: u32) {
        let place = self.place(word);
        if let Some(slot) = self.ids.get_mut(place) {
            *slot = id;
        }
    }

    /// Makes room for numbers between these two beside those that there are, `words` by id. False where there is none.
    pub fn fit(&mut self, words: &[u64], least: i64, most: i64) -> bool {
        let (mut low, mut high) = (i128::from(least), i128::from(most));
        if !self.ids.is_empty() {
            low = low.min(i128::from(self.least));
            high = high.max(i128::from(self.least) + self.ids.len() as i128 - 1);
        }
        let span = high - low + 1;
        if span > MOST as i128 {
            return false;
        }
        let (low, span) = (low as i64, span as usize);
        if low == self.least && span <= self.ids.len() {
            return true;
        }
        self.least = low;
        self.ids = vec![MISSING; span.next_power_of_two()];
        for (id, word) in words.iter().enumerate().skip(1) {
            self.put(*word, id as u32);
        }
        true
    }

    pub fn size(&self) -> usize {
        self.ids.capacity() * size_of::<u32>()
    }
}
