//! The distinct ones among texts, and which of some is the least and which the greatest.
//!
//! Pages have bounds, so every page's values are compared, each once. Where the same ones come in page after page, their
//! order is found once, and from then on numbers are compared.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;

/// Values numbered as they come.
#[derive(Default)]
pub struct Dictionary {
    /// As the format has them: each behind its length.
    page: Vec<u8>,
    /// Where each ends there.
    ends: Vec<usize>,
    /// Half a hash, and the number of the value above it; a power of two, at least half of them free.
    slots: Vec<u64>,
    hasher: FixedState,
    /// The page for which bounds are looked for, from 1, and the last one in which a value was met.
    turn: u32,
    met: Vec<u32>,
    /// Values that were compared for bounds since they were ranked.
    compared: usize,
    /// The place in their order of the values that there were then, and the values by place.
    ranks: Vec<u32>,
    by_rank: Vec<u32>,
}

const FREE: u64 = u64::MAX;
const SLOTS: usize = 64;

/// Once so many times as many values as there are were compared for bounds, they are ranked.
const PATIENCE: usize = 4;

impl Dictionary {
    pub fn held(&self) -> usize {
        let small = self.met.capacity() + self.ranks.capacity() + self.by_rank.capacity();
        self.page.capacity() + small * 4 + (self.ends.capacity() + self.slots.capacity()) * 8
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of the page.
    pub fn bytes(&self) -> usize {
        self.page.len()
    }

    /// Its values in the plain encoding.
    pub fn into_page(self) -> Vec<u8> {
        self.page
    }

    #[inline]
    fn value(&self, number: usize) -> &[u8] {
        let from = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.page[from + 4..self.ends[number]]
    }

    #[inline]
    pub fn code(&mut self, value: &[u8]) -> u32 {
        if self.ends.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let hash = self.hasher.hash_one(value);
        let half = hash >> 32;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == FREE {
                let number = self.ends.len();
                self.slots[at] = (number as u64) << 32 | half;
                self.page.extend_from_slice(&(value.len() as u32).to_le_bytes());
                self.page.extend_from_slice(value);
                self.ends.push(self.page.len());
                return number as u32;
            }
            let number = (slot >> 32) as usize;
            if slot as u32 == half as u32 && self.value(number) == value {
                return number as u32;
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let slots = (self.slots.len() * 4).max(SLOTS);
        let mut grown = vec![FREE; slots];
        for number in 0..self.ends.len() {
            let hash = self.hasher.hash_one(self.value(number));
            let mut at = hash as usize & (slots - 1);
            while grown[at] != FREE {
                at = (at + 1) & (slots - 1);
            }
            grown[at] = (number as u64) << 32 | hash >> 32;
        }
        self.slots = grown;
    }

    /// The least and the greatest of the values that have these numbers.
    pub fn bounds(&mut self, codes: &[u32]) -> Option<(&[u8], &[u8])> {
        if self.compared > self.len() * PATIENCE {
            self.rank();
        }
        self.turn += 1;
        self.met.resize(self.len(), 0);
        let mut ranked = (u32::MAX, 0);
        let mut own: Option<(usize, usize)> = None;
        for code in codes {
            let code = *code as usize;
            if let Some(rank) = self.ranks.get(code) {
                ranked = (ranked.0.min(*rank), ranked.1.max(*rank));
            } else if self.met[code] != self.turn {
                self.met[code] = self.turn;
                self.compared += 1;
                own = Some(self.widened(own, code));
            }
        }
        if ranked.0 <= ranked.1 {
            own = Some(self.widened(own, self.by_rank[ranked.0 as usize] as usize));
            own = Some(self.widened(own, self.by_rank[ranked.1 as usize] as usize));
        }
        let (least, most) = own?;
        Some((self.value(least), self.value(most)))
    }

    fn widened(&self, bounds: Option<(usize, usize)>, code: usize) -> (usize, usize) {
        let Some((least, most)) = bounds else { return (code, code) };
        let value = self.value(code);
        (
            if value < self.value(least) { code } else { least },
            if value > self.value(most) { code } else { most },
        )
    }

    #[cold]
    fn rank(&mut self) {
        self.compared = 0;
        let mut by_rank: Vec<u32> = (0..self.len() as u32).collect();
        by_rank.sort_unstable_by(|one, other| self.value(*one as usize).cmp(self.value(*other as usize)));
        self.ranks.resize(by_rank.len(), 0);
        for (rank, code) in by_rank.iter().enumerate() {
            self.ranks[*code as usize] = rank as u32;
        }
        self.by_rank = by_rank;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Page after page, of values that were there before and of new ones.
        #[test]
        fn bounds_are_those_of_the_values(
            pages in prop::collection::vec(prop::collection::vec("[ab]{0,4}", 0..40), 1..30)
        ) {
            let mut dictionary = Dictionary::default();
            for page in pages {
                let codes: Vec<u32> = page.iter().map(|value| dictionary.code(value.as_bytes())).collect();
                for (code, value) in codes.iter().zip(&page) {
                    prop_assert_eq!(dictionary.value(*code as usize), value.as_bytes());
                }
                let expected = page.iter().min().zip(page.iter().max());
                let expected = expected.map(|(least, most)| (least.as_bytes(), most.as_bytes()));
                prop_assert_eq!(dictionary.bounds(&codes), expected);
            }
        }
    }

    #[test]
    fn values_that_come_again_are_ranked() {
        let mut dictionary = Dictionary::default();
        let codes: Vec<u32> = (0..100).map(|value: u32| dictionary.code(&value.to_be_bytes())).collect();
        for _ in 0..6 {
            assert_eq!(
                dictionary.bounds(&codes),
                Some((&0_u32.to_be_bytes()[..], &99_u32.to_be_bytes()[..]))
            );
        }
        assert_eq!(dictionary.ranks.len(), 100);
    }
}
