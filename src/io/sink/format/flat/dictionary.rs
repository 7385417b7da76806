//! The distinct ones among small values, numbered as they come.

/// An odd number that spreads the bits of another over the upper half of their product.
pub const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

pub trait Key: Copy {
    /// Of which the upper bits count.
    fn hash(self) -> u64;

    fn is(self, other: Self) -> bool;
}

pub struct Dictionary<K> {
    keys: Vec<K>,
    /// The number of a key, or none. A power of two, at least half of them free.
    slots: Vec<u32>,
    shift: u32,
}

const FREE: u32 = u32::MAX;
const SLOTS: usize = 64;

impl<K: Key> Dictionary<K> {
    pub fn new() -> Self {
        Self { keys: Vec::new(), slots: Vec::new(), shift: 0 }
    }

    /// By number.
    pub fn keys(&self) -> &[K] {
        &self.keys
    }

    pub fn held(&self) -> usize {
        self.keys.capacity() * size_of::<K>() + self.slots.capacity() * size_of::<u32>()
    }

    pub fn clear(&mut self) {
        self.keys.clear();
        self.slots.fill(FREE);
    }

    /// The number of a key, which is a new one where there are as many as before.
    #[inline]
    pub fn code(&mut self, key: K) -> u32 {
        if self.keys.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut at = (key.hash() >> self.shift) as usize & mask;
        loop {
            let code = self.slots[at];
            if code == FREE {
                let code = self.keys.len() as u32;
                self.slots[at] = code;
                self.keys.push(key);
                return code;
            }
            if self.keys[code as usize].is(key) {
                return code;
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let slots = (self.slots.len() * 4).max(SLOTS);
        self.shift = u64::BITS - slots.trailing_zeros();
        self.slots = vec![FREE; slots];
        for (code, key) in self.keys.iter().enumerate() {
            let mut at = (key.hash() >> self.shift) as usize;
            while self.slots[at] != FREE {
                at = (at + 1) & (slots - 1);
            }
            self.slots[at] = code as u32;
        }
    }
}
