//! Collecting of one partition's rows: as many as there is memory for, the others in sorted pieces on disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation};
use futures::TryStreamExt;

use super::buffer::{Buffer, Sorted};
use super::merge::{Merge, Run};
use super::order::Order;
use super::pieces::{Piece, Writing};
use crate::engine::control::Control;
use crate::engine::group::exec::blocking;
use crate::error::Result;

/// Of so many parts of the memory limit one is left to operators that do not spill.
const LEFT: usize = 8;

/// What the partitions of a sort share.
pub struct Shared {
    pub order: Order,
    pub control: Arc<Control>,
    pub disk: Arc<DiskManager>,
    pub pool: Arc<dyn MemoryPool>,
    /// Bytes of a block on disk.
    pub block: usize,
    /// How often a partition lacked memory: then all make room.
    pub short: AtomicUsize,
}

impl Shared {
    /// Whether a sort may take so much more, and does.
    fn takes(&self, room: &MemoryReservation, bytes: usize) -> bool {
        let free = match self.pool.memory_limit() {
            MemoryLimit::Finite(limit) => (limit - limit / LEFT).saturating_sub(self.pool.reserved()),
            _ => usize::MAX,
        };
        bytes <= free && room.try_grow(bytes).is_ok()
    }

    /// How many rows a block has, of rows that take so many bytes.
    pub fn rows_of_block(&self, rows: usize, bytes: usize) -> usize {
        (self.block / (bytes / rows.max(1)).max(1)).max(1)
    }
}

/// What became of one partition's rows.
pub struct Collected {
    pub sorted: Option<Sorted>,
    pub pieces: Vec<Piece>,
    /// What is held for the rows in memory, beside `working`.
    pub room: MemoryReservation,
}

/// Collects and sorts a partition. `room` is what it has from the start, for working on what it collects.
pub async fn collect(
    shared: Arc<Shared>,
    mut rows: SendableRecordBatchStream,
    room: MemoryReservation,
) -> Result<Collected> {
    let working = room.size();
    let (mut buffer, mut pieces) = (Buffer::default(), Vec::new());
    let mut seen = 0;
    while let Some(batch) = rows.try_next().await? {
        if batch.num_rows() == 0 {
            continue;
        }
        let keys = shared.order.encoder()?.encode(&batch)?;
        let cost = Buffer::cost(&batch, &keys);
        let short = shared.short.load(Ordering::Relaxed);
        let asked = short > seen && buffer.bytes > working;
        let lacks = asked || !shared.takes(&room, cost);
        seen = short;
        if lacks {
            if !asked {
                seen = shared.short.fetch_add(1, Ordering::Relaxed) + 1;
            }
            if !buffer.is_empty() {
                let (full, to) = (std::mem::take(&mut buffer), shared.clone());
                pieces.push(blocking(move || spill(full.sort(&to.control)?, &to)).await?);
            }
            room.resize(working + cost);
        }
        buffer.push(batch, keys);
    }
    let of = shared.clone();
    let sorted = match buffer.is_empty() {
        true => None,
        false => Some(blocking(move || buffer.sort(&of.control)).await?),
    };
    Ok(Collected { sorted, pieces, room })
}

/// Writes rows to disk in order.
pub fn spill(sorted: Sorted, shared: &Shared) -> Result<Piece> {
    let rows = shared.rows_of_block(sorted.len(), sorted.bytes);
    let encoder = shared.order.encoder()?;
    write(Merge::new(vec![Run::Memory(Arc::new(sorted))], &encoder, rows)?, shared)
}

/// Writes what is merged to disk.
pub fn write(mut merge: Merge<'_>, shared: &Shared) -> Result<Piece> {
    let encoder = shared.order.encoder()?;
    let mut writing = Writing::begin(&shared.disk);
    while let Some(picked) = merge.next(&shared.control)? {
        let block = picked.batch()?;
        writing.add(&block, encoder.size(&block)?)?;
    }
    let piece = writing.finish()?;
    shared.control.memory.spill(piece.on_disk);
    Ok(piece)
}
