//! Items that are run in parts: a chunk whose worker held too much is cut in two, and so are its parts again.
//!
//! The item is still one item of the books: it runs while any part of it does, waits while parts of it wait and none
//! runs, and has succeeded when all parts have. When one part is given up, the item is.

use std::time::Instant;

use super::{Failed, Ledger, Slice};
use crate::error::Error;
use crate::runtime::calls::values::Segment;
use crate::worker::Blob;

/// Part of an item: which of its rows, or of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Piece {
    pub from: u64,
    pub to: u64,
}

impl Piece {
    fn halves(self) -> Option<[Piece; 2]> {
        let middle = self.from + (self.to - self.from).div_ceil(2);
        (middle < self.to).then_some([Piece { to: middle, ..self }, Piece { from: middle, ..self }])
    }
}

/// An item that was cut.
#[derive(Debug, Default)]
pub struct Cut {
    /// Parts that run.
    pub running: u32,
    /// Parts that have no result.
    missing: u32,
    segments: Vec<Segment>,
}

impl Slice {
    /// The part of an item that it is, or the whole of it.
    pub fn extent(&self) -> Piece {
        self.piece.unwrap_or(Piece { from: 0, to: self.parcel.units })
    }

    /// Whether it is one item, of which a part can be run.
    fn can_be_cut(&self) -> bool {
        self.len() == 1 && self.parcel.count == 1 && self.extent().halves().is_some()
    }
}

impl Ledger {
    /// The worker held too much: what it ran is to be run in two halves. False where it cannot be cut.
    pub fn halve(&mut self, id: u64) -> bool {
        if self.closed || !self.running.get(&id).is_some_and(Slice::can_be_cut) {
            return false;
        }
        let Some(slice) = self.running.remove(&id) else { return false };
        let number = slice.number();
        if slice.piece.is_some() {
            if !self.left(number) {
                return true;
            }
        } else {
            self.counts.running -= 1;
            self.counts.waiting += 1;
            self.cut.insert(number, Cut { missing: 1, ..Cut::default() });
        }
        let too_large = slice.extent().to - slice.extent().from;
        self.waiting.push_front(slice);
        // Parts as large as this one need not be tried.
        let mut more = 0;
        for slice in std::mem::take(&mut self.waiting) {
            let extent = slice.extent();
            let large = slice.number() == number && slice.len() == 1 && extent.to - extent.from >= too_large;
            match extent.halves().filter(|_| large) {
                Some(halves) => {
                    more += 1;
                    let halves = halves.map(|piece| Slice { piece: Some(piece), ..slice.clone() });
                    self.waiting.extend(halves);
                }
                None => self.waiting.push_back(slice),
            }
        }
        if let Some(cut) = self.cut.get_mut(&number) {
            cut.missing += more;
        }
        true
    }

    /// Whether a call runs a part of an item that is given up.
    pub fn is_in_vain(&self, id: u64) -> bool {
        self.running
            .get(&id)
            .is_some_and(|slice| slice.piece.is_some() && !self.cut.contains_key(&slice.number()))
    }

    /// A part of the item is with a worker.
    pub(super) fn begins(&mut self, number: u64) {
        let Some(cut) = self.cut.get_mut(&number) else { return };
        cut.running += 1;
        if cut.running == 1 {
            self.counts.waiting -= 1;
            self.counts.running += 1;
        }
    }

    /// A part of the item is with a worker no more. False where the item is given up already.
    pub(super) fn left(&mut self, number: u64) -> bool {
        let Some(cut) = self.cut.get_mut(&number) else { return false };
        cut.running -= 1;
        if cut.running == 0 {
            self.counts.running -= 1;
            self.counts.waiting += 1;
        }
        true
    }

    /// The item's parts are not needed any more: it is in no place then. False where it was in none before.
    pub(super) fn give_up(&mut self, number: u64) -> bool {
        self.take_out(number).is_some()
    }

    fn take_out(&mut self, number: u64) -> Option<Cut> {
        let cut = self.cut.remove(&number)?;
        *(if cut.running > 0 { &mut self.counts.running } else { &mut self.counts.waiting }) -= 1;
        self.waiting.retain(|slice| slice.piece.is_none() || slice.number() != number);
        self.delayed.retain(|_, slice| slice.piece.is_none() || slice.number() != number);
        Some(cut)
    }

    /// What a call on a part of an item came to.
    pub(super) fn part_of_piece(
        &mut self,
        id: u64,
        failed: Vec<Failed>,
        blobs: Vec<Blob>,
        more: serde_json::Value,
        now: Instant,
    ) -> Result<(), Error> {
        let Some(slice) = self.running.remove(&id) else { return Ok(()) };
        let number = slice.number();
        if !self.left(number) {
            return Ok(());
        }
        if let Some(failure) = failed.into_iter().find(|failure| failure.item == slice.from) {
            return self.judge(slice, failure.retryable, failure.error, now);
        }
        let prints = slice.parcel.prints_of(slice.from, slice.to);
        let piece = Some(slice.extent());
        let segment = Segment { first: number, count: 1, failed: Vec::new(), piece, blobs, more, prints };
        let Some(cut) = self.cut.get_mut(&number) else { return Ok(()) };
        cut.missing -= 1;
        cut.segments.push(segment);
        if cut.missing > 0 {
            if self.closed && cut.running == 0 {
                self.cancel(&slice);
            }
            return Ok(());
        }
        if let Some(mut cut) = self.take_out(number) {
            cut.segments.sort_by_key(|segment| segment.piece);
            self.counts.succeeded += 1;
            self.segments.append(&mut cut.segments);
        }
        Ok(())
    }
}
