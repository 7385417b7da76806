//! A lane whose rows go to directories by the values of columns.
//!
//! Rows are held until there are as many as the lane may hold, and then written directory by directory. Between two such
//! lots a file is parked: it holds no rows and no handle. So there may be many more directories than there could be
//! open files, and none of them needs memory for rows of its own. Where even parked files hold too much, they are
//! ended, and what comes later goes to further files.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};

use super::bytes_of;
use super::hive;
use super::part::{Lane, Open, Part, Room, fit, problem};
use super::stage::Stage;
use crate::error::Result;

/// Bytes of a place in a lot, and of what there is to know of a directory.
const PLACE: usize = 24;
const KNOWN: usize = 512;

/// Rows of a lot, at most.
const ROWS: usize = 16 << 20;

pub struct PartitionWriter {
    stage: Arc<Stage>,
    /// All columns, as they are stored, and which of them become directories.
    schema: SchemaRef,
    keys: Vec<usize>,
    others: Vec<usize>,
    stored: SchemaRef,
    lane: usize,
    budget: usize,
    room: Box<dyn Room>,
    converter: RowConverter,
    /// The number of the directory that rows with these keys go to.
    numbers: HashMap<Box<[u8]>, usize>,
    /// Directories by name, so that they are written and told in order.
    names: BTreeMap<String, usize>,
    directories: Vec<Directory>,
    lot: Vec<RecordBatch>,
    /// Of each row of the lot: its directory.
    goes: Vec<u32>,
    lot_bytes: usize,
    /// Bytes that parked files hold.
    parked: usize,
    parts: Vec<Part>,
}

#[derive(Default)]
struct Directory {
    open: Option<Open>,
    files: usize,
}

impl PartitionWriter {
    pub fn new(
        stage: Arc<Stage>,
        schema: SchemaRef,
        lane: usize,
        budget: usize,
        room: Box<dyn Room>,
    ) -> Result<Self> {
        let by = &stage.target.partition_by;
        let keys = by.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
        let others: Vec<usize> = (0..schema.fields().len()).filter(|place| !keys.contains(place)).collect();
        let stored: Vec<FieldRef> = others.iter().map(|place| schema.fields()[*place].clone()).collect();
        let sorted = keys.iter().map(|place| SortField::new(schema.field(*place).data_type().clone()));
        let converter = RowConverter::new(sorted.collect())?;
        Ok(Self {
            stored: Arc::new(Schema::new(stored)),
            stage,
            schema,
            keys,
            others,
            lane,
            budget,
            room,
            converter,
            numbers: HashMap::new(),
            names: BTreeMap::new(),
            directories: Vec::new(),
            lot: Vec::new(),
            goes: Vec::new(),
            lot_bytes: 0,
            parked: 0,
            parts: Vec::new(),
        })
    }

    /// Finds out where each row goes.
    fn sort_out(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns: Vec<_> = self.keys.iter().map(|place| batch.column(*place).clone()).collect();
        let rows = self.converter.convert_columns(&columns)?;
        let mut last: Option<(usize, u32)> = None;
        self.goes.reserve(batch.num_rows());
        for row in 0..batch.num_rows() {
            let bytes = rows.row(row);
            // Neighbours often go to the same place.
            if let Some((before, number)) = last
                && rows.row(before) == bytes
            {
                self.goes.push(number);
                continue;
            }
            let number = match self.numbers.get(bytes.as_ref()) {
                Some(number) => *number,
                None => {
                    let values = self.keys.iter().map(|place| {
                        (self.schema.field(*place).name().as_str(), batch.column(*place).slice(row, 1))
                    });
                    let name = hive::directory(&values.collect::<Vec<_>>());
                    let name = name.map_err(|error| problem(&self.stage, &error))?;
                    let number = *self.names.entry(name).or_insert(self.directories.len());
                    if number == self.directories.len() {
                        self.directories.push(Directory::default());
                    }
                    self.numbers.insert(bytes.as_ref().into(), number);
                    number
                }
            };
            self.goes.push(number as u32);
            last = Some((row, number as u32));
        }
        Ok(())
    }

    /// Bytes of all but the rows.
    fn held(&self) -> usize {
        self.parked + self.directories.len() * KNOWN
    }

    fn count(&mut self) {
        let open = self.directories.iter().filter_map(|directory| directory.open.as_ref());
        self.parked = open.map(|open| open.encoder.held()).sum();
    }

    /// Writes the rows that are held. `last`: no more come, and files are ended as soon as their rows are written.
    fn write_lot(&mut self, last: bool) -> Result<()> {
        let lot = std::mem::take(&mut self.lot);
        let goes = std::mem::take(&mut self.goes);
        // Places of rows by directory, in their order.
        let mut starts = vec![0_usize; self.directories.len() + 1];
        goes.iter().for_each(|number| starts[*number as usize + 1] += 1);
        (1..starts.len()).for_each(|number| starts[number] += starts[number - 1]);
        let mut next = starts.clone();
        let mut places = vec![(0_usize, 0_usize); goes.len()];
        let mut numbers = goes.iter();
        for (number, batch) in lot.iter().enumerate() {
            for (row, goes) in (0..batch.num_rows()).zip(&mut numbers) {
                let at = &mut next[*goes as usize];
                places[*at] = (number, row);
                *at += 1;
            }
        }
        let lot: Vec<&RecordBatch> = lot.iter().collect();
        let names: Vec<(String, usize)> =
            self.names.iter().map(|(name, number)| (name.clone(), *number)).collect();
        for (name, number) in names {
            let places = &places[starts[number]..starts[number + 1]];
            if places.is_empty() && !last {
                continue;
            }
            let mut open = self.directories[number].open.take();
            let mut rest = places;
            while !rest.is_empty() {
                let mut file = match open.take() {
                    Some(file) => file,
                    None => self.begin(&name, number)?,
                };
                let room = self.stage.target.max_rows.map_or(u64::MAX, |most| most - file.rows);
                let rows = usize::try_from(room).unwrap_or(usize::MAX).min(rest.len()).min(BATCH);
                let batch = interleave_record_batch(&lot, &rest[..rows])?;
                let wrote = file.encoder.write(&batch);
                wrote.map_err(|error| problem(&self.stage, &error))?;
                file.rows += rows as u64;
                rest = &rest[rows..];
                if Some(file.rows) == self.stage.target.max_rows {
                    self.parts.push(file.end(&self.stage)?);
                } else {
                    open = Some(file);
                }
            }
            match open {
                Some(file) if last => self.parts.push(file.end(&self.stage)?),
                Some(mut file) => {
                    file.encoder.park().map_err(|error| problem(&self.stage, &error))?;
                    self.directories[number].open = Some(file);
                }
                None => {}
            }
        }
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

    fn begin(&mut self, name: &str, number: usize) -> Result<Open> {
        let files = self.directories[number].files;
        self.directories[number].files += 1;
        Open::begin(&self.stage, &self.stored, name, self.lane, files)
    }
}

/// Rows that are put together at a time.
const BATCH: usize = 64 << 10;

impl Lane for PartitionWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = fit(batch, &self.schema)?;
        self.sort_out(&batch)?;
        let rows = batch.project(&self.others)?;
        self.lot_bytes += bytes_of(&rows) + batch.num_rows() * PLACE;
        self.lot.push(rows);
        let held = self.held() + self.lot_bytes;
        if self.lot_bytes > self.budget || self.goes.len() > ROWS || !self.room.resize(held) {
            self.room.insist(held);
            self.write_lot(false)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, _: bool) -> Result<Vec<Part>> {
        self.write_lot(true)?;
        Ok(std::mem::take(&mut self.parts))
    }
}
