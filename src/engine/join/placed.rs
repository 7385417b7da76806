//! Joins on disk for whoever puts rows in another order or asks for none: shares are joined as their rows are taken, and
//! each row says its place among all where that is wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use parking_lot::Mutex;
use tokio::sync::mpsc::Sender;

use super::exec::JoinOrder;
use super::parts::{Part, SHARES, partition_of, placed, places, row_of};
use super::spilled::{Joining, Pair, Room, Taking, needed};
use crate::engine::group::shares::in_parallel;
use crate::error::{Error, Result};

/// Bits of a place among all rows that come out.
const BITS: u32 = 62;

/// Both sides in shares. Which of the streams takes a share is left to chance.
pub struct Placed {
    joining: Joining,
    pairs: Mutex<Vec<Pair>>,
    /// Room for as many shares as are joined at once, for the streams to take.
    rooms: Vec<Mutex<Vec<MemoryReservation>>>,
    layout: Layout,
    started: Instant,
    rows: AtomicUsize,
    working: AtomicUsize,
}

impl Placed {
    /// The same joining back if its rows' own order is asked for, places cannot be told while shares are joined, or there is no room
    /// beside whoever takes the rows.
    pub fn new(mut joining: Joining, room: &Room, context: &TaskContext) -> Result<Self, Joining> {
        let build: Vec<&Part> = joining.build.iter().flatten().collect();
        let partners = build.iter().map(|part| part.rows).sum();
        let layout = Layout::new(joining.partitions, joining.longest, partners);
        let by_rows = matches!(joining.spec.order, JoinOrder::Rows);
        let (Some(layout), false, false) = (layout, by_rows, joining.spec.unmatched) else {
            return Err(joining);
        };
        let most = build.iter().map(|part| needed(Some(part))).max().unwrap_or(0) + room.output();
        let streams = joining.partitions.max(1);
        let mut rooms: Vec<Vec<MemoryReservation>> = (0..streams).map(|_| Vec::new()).collect();
        for number in 0..joining.threads.clamp(1, SHARES) {
            let held = MemoryConsumer::new("join").register(context.memory_pool());
            // One that joins all of them is enough.
            if held.try_resize(most).is_err() {
                if number == 0 {
                    return Err(joining);
                }
                break;
            }
            rooms[number % streams].push(held);
        }
        let pairs = Mutex::new(joining.pairs());
        let working = AtomicUsize::new(rooms.iter().filter(|rooms| !rooms.is_empty()).count());
        let rooms = rooms.into_iter().map(Mutex::new).collect();
        let (started, rows) = (Instant::now(), AtomicUsize::new(0));
        Ok(Self { joining, pairs, rooms, layout, started, rows, working })
    }

    /// Rows of some shares, those of any partitions. Blocks.
    pub fn send(
        &self,
        stream: usize,
        schema: &SchemaRef,
        to: &Sender<DataFusionResult<RecordBatch>>,
    ) -> Result<()> {
        let rooms = self.rooms.get(stream).map(|rooms| std::mem::take(&mut *rooms.lock()));
        let rooms = rooms.unwrap_or_default();
        if rooms.is_empty() {
            return Ok(());
        }
        let of_shares = placed(&self.joining.spec.schema);
        let join = || -> Result<()> {
            let mut sending = Sending { of: self, schema, to, last: None, open: true };
            while sending.open {
                let Some(pair) = self.pairs.lock().pop() else { break };
                self.joining.one(pair, &of_shares, &mut sending)?;
            }
            Ok(())
        };
        in_parallel(rooms.iter().map(|_| &join).collect())?;
        drop(rooms);
        if self.working.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.joining.done(self.rows.load(Ordering::Relaxed), self.started);
        }
        Ok(())
    }
}

/// How the place of a row in its side and the number of its partner are one number.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// Bits of a row's number in its partition.
    row: u32,
    partner: u32,
}

impl Layout {
    /// None if there are more rows than there are numbers. A row has no more partners than rows were collected.
    fn new(partitions: usize, longest: i64, partners: usize) -> Option<Self> {
        let bits = |count: u64| u64::BITS - count.saturating_sub(1).leading_zeros();
        let (row, partner) = (bits(longest as u64), bits(partners as u64));
        (bits(partitions as u64) + row + partner <= BITS).then_some(Self { row, partner })
    }

    fn place(self, place: i64, partner: i64) -> i64 {
        let row = ((partition_of(place) as i64) << self.row) | row_of(place);
        (row << self.partner) | partner
    }
}

/// Sends rows on, with their places among all.
struct Sending<'a> {
    of: &'a Placed,
    schema: &'a SchemaRef,
    to: &'a Sender<DataFusionResult<RecordBatch>>,
    /// The place of the last row in its side, and how many partners it had before.
    last: Option<(i64, i64)>,
    open: bool,
}

impl Taking for Sending<'_> {
    fn take(&mut self, _: usize, rows: RecordBatch) -> Result<bool> {
        let places = places(&rows).ok_or_else(|| Error::internal("rows without their places"))?;
        let placed = places.values().iter().map(|place| {
            let partner = match self.last {
                Some((last, partner)) if last == *place => partner + 1,
                _ => 0,
            };
            self.last = Some((*place, partner));
            self.of.layout.place(*place, partner)
        });
        let placed: ArrayRef = Arc::new(placed.collect::<Int64Array>());
        let mut columns = rows.columns().to_vec();
        columns.pop();
        columns.extend(self.of.joining.spec.order.place().map(|_| placed));
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        self.of.rows.fetch_add(rows.num_rows(), Ordering::Relaxed);
        self.open = self.to.blocking_send(Ok(rows)).is_ok();
        Ok(self.open)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::engine::join::parts::place_of;

    proptest! {
        /// Places among all rise with the partition, the row and the partner, in this order.
        #[test]
        fn places_rise_as_rows_come_out(
            partitions in 1_usize..40,
            longest in 1_i64..1 << 33,
            partners in 1_usize..1 << 22,
            draws in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 2..60),
        ) {
            let layout = Layout::new(partitions, longest, partners).unwrap();
            let mut rows: Vec<(usize, i64, i64)> = draws
                .into_iter()
                .map(|(partition, row, partner)| {
                    (
                        partition as usize % partitions,
                        (row % longest as u64) as i64,
                        (partner % partners as u64) as i64,
                    )
                })
                .collect();
            rows.sort_unstable();
            rows.dedup();
            let place = |(partition, row, partner): &(usize, i64, i64)| {
                layout.place(place_of(*partition, *row), *partner)
            };
            let found: Vec<i64> = rows.iter().map(place).collect();
            prop_assert!(found.windows(2).all(|two| two[0] < two[1]), "{found:?}");
            prop_assert!(found[0] >= 0);
        }
    }

    #[test]
    fn more_rows_than_there_are_numbers_have_none() {
        assert!(Layout::new(1 << 10, 1 << 40, 1 << 20).is_none());
        assert!(Layout::new(2, 1 << 30, 1 << 29).is_some());
    }
}
