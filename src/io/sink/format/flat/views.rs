//! Texts that come as views, looked up by the view: rows that share one are known without a look at the text.

use arrow::buffer::Buffer;

use super::dictionary::{Dictionary, Key, SPREAD};

/// After so many look-ups it is clear whether views come again: some ten thousand of them may.
const TRIAL: usize = 32 << 10;
/// Where they did not, they are not looked up for so many other sets of buffers.
const PAUSE: usize = 8;
/// Views that are kept, at most.
const MOST: usize = 64 << 10;
/// Bytes of buffers that are held until the next rows come, at most: about a dictionary of Parquet's.
const BUFFERS: usize = 2 << 20;

/// What texts views stood for, while the buffers that they point into are the same ones.
pub struct Views {
    /// Held, so that no others can take their place in memory.
    buffers: Vec<Buffer>,
    known: Dictionary<View>,
    /// The number of each text.
    codes: Vec<u32>,
    looked: usize,
    /// Views do not come again: nothing is kept of them, for so many sets of buffers.
    passing: usize,
}

#[derive(Clone, Copy)]
struct View(u128);

impl Key for View {
    #[inline]
    fn hash(self) -> u64 {
        let (low, high) = (self.0 as u64, (self.0 >> 64) as u64);
        (low.wrapping_mul(SPREAD).rotate_left(32) ^ high).wrapping_mul(SPREAD)
    }

    #[inline]
    fn is(self, other: Self) -> bool {
        self.0 == other.0
    }
}

impl Views {
    pub fn new() -> Self {
        Self { buffers: Vec::new(), known: Dictionary::new(), codes: Vec::new(), looked: 0, passing: 0 }
    }

    /// Bytes of its own; those of the buffers are few.
    pub fn held(&self) -> usize {
        self.known.held() + self.codes.capacity() * size_of::<u32>()
    }

    /// Lets go of buffers that are too large to be held until the next rows come.
    pub fn rest(&mut self) {
        if self.buffers.iter().map(Buffer::len).sum::<usize>() > BUFFERS {
            self.buffers = Vec::new();
            self.forget();
        }
    }

    /// The views that come next are into these buffers.
    pub fn point_into(&mut self, buffers: &[Buffer]) {
        let same =
            |(one, other): (&Buffer, &Buffer)| one.as_ptr() == other.as_ptr() && one.len() == other.len();
        if self.buffers.len() != buffers.len() || !self.buffers.iter().zip(buffers).all(same) {
            self.buffers = buffers.to_vec();
            self.forget();
            self.looked = 0;
            self.passing = self.passing.saturating_sub(1);
        }
    }

    fn forget(&mut self) {
        self.known.clear();
        self.codes.clear();
    }

    /// The number of a view's text, which `number` finds if the view is a new one.
    #[inline]
    pub fn code(&mut self, view: u128, number: impl FnOnce() -> u32) -> u32 {
        if self.passing > 0 {
            return number();
        }
        let place = self.known.code(View(view)) as usize;
        self.looked += 1;
        if let Some(code) = self.codes.get(place) {
            return *code;
        }
        let code = number();
        self.codes.push(code);
        if self.codes.len() >= MOST || self.looked >= TRIAL && self.codes.len() * 2 > self.looked {
            self.passing = PAUSE;
            self.forget();
        }
        code
    }
}
