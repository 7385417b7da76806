//! How many pieces are merged at once, and what must go to disk before: decided by the memory there is.

use std::sync::Arc;

use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};

use super::buffer::Sorted;
use super::collect::{Collected, Shared, spill, write};
use super::merge::{Merge, Run};
use super::pieces::Piece;
use crate::error::{Error, Result};

/// A block of a piece is there as read, and for a while beside the next one.
const BLOCKS: usize = 2;

/// Batches on their way to whoever consumes them, with the blocks that they are made of.
const AHEAD: usize = 6;

/// Of what a sort held, the last rows stay in memory that are one of so many parts or less.
const KEPT: usize = 8;

/// Runs that can be merged at once, and the memory that is held for it.
pub struct Ready {
    pub runs: Vec<Run>,
    pub room: MemoryReservation,
    /// Pieces that were written, and how many of them were merged to larger ones first.
    pub pieces: usize,
    pub merged: usize,
}

/// Makes runs of what was collected that can be merged at once.
pub fn ready(collected: Vec<Collected>, shared: &Shared) -> Result<Ready> {
    let (mut memory, mut pieces, mut rooms) = (Vec::new(), Vec::new(), Vec::new());
    for part in collected {
        memory.extend(part.sorted);
        pieces.extend(part.pieces);
        rooms.push(part.room);
    }
    // One reservation: pools that are fair are so to each of them.
    let held: usize = rooms.iter().map(MemoryReservation::size).sum();
    let mut rooms = rooms.into_iter();
    let room = match rooms.next() {
        Some(room) => room,
        None => MemoryConsumer::new("sort").register(&shared.pool),
    };
    drop(rooms);
    room.resize(held);
    let in_memory: usize = memory.iter().map(|sorted| sorted.bytes).sum();
    let fits = match shared.pool.memory_limit() {
        MemoryLimit::Finite(limit) => in_memory <= limit / 2,
        _ => true,
    };
    if pieces.is_empty() && fits {
        // Sorting is over.
        let rows: usize = memory.iter().map(Sorted::len).sum();
        room.resize(held.saturating_sub(rows * Sorted::SORTING));
        let runs = memory.into_iter().map(|sorted| Run::Memory(Arc::new(sorted))).collect();
        return Ok(Ready { runs, room, pieces: 0, merged: 0 });
    }
    let needed = cost(&pieces) + AHEAD * largest(&pieces);
    if !fits || in_memory > held / KEPT || room.try_resize(in_memory + needed).is_err() {
        // Those in memory make room for all to be merged, and for whoever collects what comes out.
        pieces.extend(spill_all(std::mem::take(&mut memory), shared)?);
    }
    let written = pieces.len();
    let mut merged = 0;
    if memory.is_empty() {
        loop {
            let needed = cost(&pieces) + AHEAD * largest(&pieces);
            let granted = granted(&room, needed);
            if granted >= needed {
                room.resize(needed);
                break;
            }
            // The smallest ones first: they are read and written once more.
            pieces.sort_by_key(|piece| std::cmp::Reverse(piece.bytes));
            let mut some: Vec<Piece> = Vec::new();
            while let Some(piece) = pieces.pop() {
                some.push(piece);
                if some.len() >= 2 && cost(&some) + 2 * largest(&some) > granted {
                    break;
                }
            }
            if some.len() > 2 && cost(&some) + 2 * largest(&some) > granted {
                pieces.extend(some.pop());
            }
            let least = cost(&some) + 2 * largest(&some);
            room.try_resize(least.max(granted))?;
            if pieces.is_empty() {
                // All there are: with fewer batches ahead they fit.
                pieces = some;
                break;
            }
            merged += some.len();
            let rows = shared.rows_of_block(
                some.iter().map(|piece| piece.rows).sum(),
                some.iter().map(|piece| piece.bytes).sum(),
            );
            let encoder = shared.order.encoder()?;
            let runs = some.into_iter().map(Run::Disk).collect();
            pieces.push(write(Merge::new(runs, &encoder, rows)?, shared)?);
        }
    }
    let memory = memory.into_iter().map(|sorted| Run::Memory(Arc::new(sorted)));
    let runs = memory.chain(pieces.into_iter().map(Run::Disk)).collect();
    Ok(Ready { runs, room, pieces: written, merged })
}

/// Writes all to disk, side by side.
fn spill_all(memory: Vec<Sorted>, shared: &Shared) -> Result<Vec<Piece>> {
    std::thread::scope(|scope| {
        let spilling: Vec<_> =
            memory.into_iter().map(|sorted| scope.spawn(|| spill(sorted, shared))).collect();
        let panicked = |_| Error::internal("a thread of the engine panicked");
        spilling.into_iter().map(|piece| piece.join().map_err(panicked)?).collect()
    })
}

/// Takes what is needed, or the largest part of it that is there.
fn granted(room: &MemoryReservation, needed: usize) -> usize {
    let least = room.size();
    if needed <= least || room.try_resize(needed).is_ok() {
        return needed.max(least);
    }
    let (mut low, mut high) = (least, needed);
    while high - low > needed / 16 + 1 {
        let middle = low + (high - low) / 2;
        if room.try_resize(middle).is_ok() { low = middle } else { high = middle }
    }
    low
}

fn cost(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| BLOCKS * piece.block).sum()
}

fn largest(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| piece.block).max().unwrap_or(0)
}
