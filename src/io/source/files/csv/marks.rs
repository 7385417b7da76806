//! Where the bytes of a text are that mean something: separators, ends of lines, quotes. Found 64 bytes at a time.

/// Bytes that are looked at together.
const BLOCK: usize = 64;

/// The places of four bytes in a text, one after the other.
pub struct Marks {
    wanted: [u8; 4],
    /// Of the block that is looked through: a bit for each place that is still to come.
    bits: u64,
    base: usize,
    /// Where the next block begins.
    next: usize,
}

impl Marks {
    pub fn new(wanted: [u8; 4]) -> Self {
        Self { wanted, bits: 0, base: 0, next: 0 }
    }

    /// Begins anew at a place.
    pub fn restart(&mut self, at: usize) {
        (self.bits, self.base, self.next) = (0, at, at);
    }

    /// The next place, if there is one in the text. Where there is none it has to be begun anew.
    #[inline]
    pub fn next(&mut self, text: &[u8]) -> Option<usize> {
        while self.bits == 0 {
            let rest = text.get(self.next..)?;
            self.bits = match rest.first_chunk::<BLOCK>() {
                Some(block) => self.found(block),
                None if rest.is_empty() => return None,
                None => self.found_in_last(rest),
            };
            self.base = self.next;
            self.next += BLOCK;
        }
        let place = self.base + self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some(place)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline]
    fn found(&self, block: &[u8; BLOCK]) -> u64 {
        use std::arch::x86_64::{
            _mm_cmpeq_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8,
        };

        let mut bits = 0;
        let (quarters, _) = block.as_chunks::<16>();
        for (place, quarter) in quarters.iter().enumerate() {
            let both = u128::from_le_bytes(*quarter);
            // SAFETY: they are instructions of SSE2, which every processor of this kind has.
            let hits = unsafe {
                let [one, two, three, four] = self.wanted.map(|byte| _mm_set1_epi8(byte as i8));
                let bytes = _mm_set_epi64x((both >> 64) as i64, both as i64);
                let some = _mm_or_si128(_mm_cmpeq_epi8(bytes, one), _mm_cmpeq_epi8(bytes, two));
                let others = _mm_or_si128(_mm_cmpeq_epi8(bytes, three), _mm_cmpeq_epi8(bytes, four));
                _mm_movemask_epi8(_mm_or_si128(some, others))
            };
            bits |= u64::from(hits as u32 & 0xffff) << (16 * place);
        }
        bits
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[inline]
    fn found(&self, block: &[u8; BLOCK]) -> u64 {
        let [one, two, three, four] = self.wanted;
        let mut hits = [0_u8; BLOCK];
        // Compiled to comparisons of 16 bytes at a time.
        for (hit, byte) in hits.iter_mut().zip(block) {
            *hit = u8::from((*byte == one) | (*byte == two) | (*byte == three) | (*byte == four));
        }
        let (eights, _) = hits.as_chunks::<8>();
        let mut bits = 0;
        for (place, eight) in eights.iter().enumerate() {
            // Eight bytes that are 0 or 1 become eight bits.
            let gathered = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
            bits |= gathered << (8 * place);
        }
        bits
    }

    #[cold]
    fn found_in_last(&self, rest: &[u8]) -> u64 {
        let mut block = [0; BLOCK];
        block[..rest.len()].copy_from_slice(rest);
        self.found(&block) & ((1 << rest.len()) - 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_place_is_found(text in "[ab,;\n\"é]{0,200}", from in 0_usize..70) {
            let text = text.as_bytes();
            let from = from.min(text.len());
            let mut marks = Marks::new(*b",;\n\"");
            marks.restart(from);
            let found: Vec<usize> = std::iter::from_fn(|| marks.next(text)).collect();
            let wanted: Vec<usize> = (from..text.len()).filter(|at| b",;\n\"".contains(&text[*at])).collect();
            prop_assert_eq!(found, wanted);
        }
    }

    #[test]
    fn nothing_is_found_behind_the_end() {
        let mut marks = Marks::new([0; 4]);
        assert_eq!(marks.next(b"ab\0"), Some(2));
        assert_eq!(marks.next(b"ab\0"), None);
    }
}
