//! A lane whose rows go to directories by the values of columns.
//!
//! Rows are held until there are as many as the lane may hold, and then written directory by directory. Between two such
//! lots a file is parked: it holds no rows and no handle. So there may be many more directories than there could be
//! open files, and none of them needs memory for rows of its own. Where even parked files hold too much, they are
//! ended, and what comes later goes to further files. Rows that all fit are written when the last lane ends.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};

use super::bytes_of;
use super::gather::{Directory, Gathering, Lot, Rest, Writing};
use super::part::{Lane, Part, Room, fit, problem};
use super::route::Router;
use super::sample::Sample;
use super::stage::Stage;
use crate::error::Result;

/// Bytes of a place in a lot, and of what there is to know of a directory.
const PLACE: usize = 24;
const KNOWN: usize = 512;

/// Rows of a lot, at most.
const ROWS: usize = 16 << 20;

pub struct PartitionWriter {
    stage: Arc<Stage>,
    /// All columns, as they are stored, and those that do not become directories.
    schema: SchemaRef,
    others: Vec<usize>,
    stored: SchemaRef,
    lane: usize,
    budget: usize,
    room: Box<dyn Room>,
    router: Router,
    sample: Option<Sample>,
    directories: Vec<Directory>,
    lot: Lot,
    lot_bytes: usize,
    /// Bytes that parked files hold.
    parked: usize,
    parts: Vec<Part>,
    gathering: Arc<Gathering>,
}

impl PartitionWriter {
    pub fn new(
        stage: Arc<Stage>,
        schema: SchemaRef,
        lane: usize,
        budget: usize,
        room: Box<dyn Room>,
        gathering: Arc<Gathering>,
    ) -> Result<Self> {
        let by = &stage.target.partition_by;
        let keys = by.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
        let others: Vec<usize> = (0..schema.fields().len()).filter(|place| !keys.contains(place)).collect();
        let stored: Vec<FieldRef> = others.iter().map(|place| schema.fields()[*place].clone()).collect();
        let router = Router::new(schema.clone(), keys).map_err(|error| problem(&stage, &error))?;
        Ok(Self {
            stored: Arc::new(Schema::new(stored)),
            stage,
            schema,
            others,
            lane,
            budget,
            room,
            router,
            sample: None,
            directories: Vec::new(),
            lot: Lot::default(),
            lot_bytes: 0,
            parked: 0,
            parts: Vec::new(),
            gathering,
        })
    }

    /// Bytes of all but the rows.
    fn held(&self) -> usize {
        self.parked + self.router.names.len() * KNOWN
    }

    fn count(&mut self) {
        let open = self.directories.iter().filter_map(|directory| directory.open.as_ref());
        self.parked = open.map(|open| open.encoder.held()).sum();
    }

    /// Writes the rows that are held.
    fn write_lot(&mut self, last: bool) -> Result<()> {
        let lot = std::mem::take(&mut self.lot);
        let known = self.directories.len();
        self.directories.extend(self.router.names[known..].iter().map(|name| Directory::new(name.clone())));
        let sample = &*self.sample.get_or_insert_default();
        let writing =
            Writing { stage: &self.stage, schema: &self.stored, lane: self.lane, sample, threads: 1, last };
        self.parts.extend(writing.write(&lot, &mut self.directories)?);
        self.lot_bytes = 0;
        self.count();
        let held = self.held();
        if held > self.budget || !self.room.resize(held) {
            for directory in &mut self.directories {
                if let Some(file) = directory.open.take() {
                    self.parts.push(file.end(&self.stage)?);
                }
            }
            self.count();
            self.room.insist(self.held());
        }
        Ok(())
    }
}

impl Lane for PartitionWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        // Rows of a lot wait long: they must not hold what they were decoded from.
        let batch = fit(batch, &self.schema, false)?;
        let routed = self.router.route(&batch, &mut self.lot.goes);
        routed.map_err(|error| problem(&self.stage, &error))?;
        let rows = batch.project(&self.others)?;
        if self.sample.is_none() {
            self.sample = Some(Sample::of(&rows));
        }
        self.lot_bytes += bytes_of(&rows) + batch.num_rows() * PLACE;
        self.lot.batches.push(rows);
        let held = self.held() + self.lot_bytes;
        if self.lot_bytes > self.budget || self.lot.goes.len() > ROWS || !self.room.resize(held) {
            self.room.insist(held);
            self.write_lot(false)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, _: bool) -> Result<Vec<Part>> {
        let rest = if self.directories.is_empty() {
            Some(Rest {
                lane: self.lane,
                lot: self.lot,
                names: self.router.names,
                sample: self.sample.unwrap_or_default(),
                schema: self.stored,
                room: self.room,
            })
        } else {
            self.write_lot(true)?;
            None
        };
        let mut parts = self.parts;
        parts.extend(self.gathering.end(&self.stage, rest)?);
        Ok(parts)
    }
}
