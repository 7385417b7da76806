//! Rows that are sorted out by directory and written to its files, by several threads that share the directories.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::datatypes::SchemaRef;
use parking_lot::Mutex;

use super::part::{Open, Part, ROW_GROUP, Room, problem};
use super::sample::{Ahead, Sample};
use super::stage::Stage;
use crate::error::Result;

/// Rows that are put together at a time.
const WINDOW: usize = 32 << 10;

/// A directory of the target, and the file of a lane in it that is not ended.
pub struct Directory {
    pub name: String,
    pub open: Option<Open>,
    pub files: usize,
}

impl Directory {
    pub fn new(name: String) -> Self {
        Self { name, open: None, files: 0 }
    }
}

/// Rows and where each goes, as the number of a directory.
#[derive(Default)]
pub struct Lot {
    pub batches: Vec<RecordBatch>,
    pub goes: Vec<u32>,
}

/// What writing the rows of a lot takes.
pub struct Writing<'a> {
    pub stage: &'a Stage,
    /// The columns of the files.
    pub schema: &'a SchemaRef,
    pub lane: usize,
    pub sample: &'a Sample,
    pub threads: usize,
    /// No more rows come: files are ended as soon as theirs are written.
    pub last: bool,
}

/// The rows of a lot, directory by directory.
struct Sorted<'a> {
    batches: Vec<&'a RecordBatch>,
    /// Batch and row.
    places: Vec<(usize, usize)>,
}

impl Writing<'_> {
    /// Writes a lot to its directories, whose numbers are their places here.
    pub fn write(&self, lot: &Lot, directories: &mut [Directory]) -> Result<Vec<Part>> {
        let mut by_name: Vec<(usize, &mut Directory)> = directories.iter_mut().enumerate().collect();
        by_name.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
        // Where the rows of each directory begin, in the order of the names.
        let mut ranks = vec![0; by_name.len()];
        by_name.iter().enumerate().for_each(|(rank, (number, _))| ranks[*number] = rank);
        let mut starts = vec![0_usize; by_name.len() + 1];
        lot.goes.iter().for_each(|number| starts[ranks[*number as usize] + 1] += 1);
        (1..starts.len()).for_each(|rank| starts[rank] += starts[rank - 1]);
        let mut next = starts.clone();
        let mut places = vec![(0, 0); lot.goes.len()];
        let mut goes = lot.goes.iter();
        for (number, batch) in lot.batches.iter().enumerate() {
            for (row, goes) in (0..batch.num_rows()).zip(&mut goes) {
                let at = &mut next[ranks[*goes as usize]];
                places[*at] = (number, row);
                *at += 1;
            }
        }
        let sorted = Sorted { batches: lot.batches.iter().collect(), places };
        let mut shares = Vec::with_capacity(self.threads);
        let (mut rest, mut from) = (by_name.as_mut_slice(), 0);
        for share in 1..=self.threads {
            let due = lot.goes.len() * share / self.threads;
            let to = if share == self.threads {
                starts.len() - 1
            } else {
                starts.partition_point(|start| *start < due)
            };
            let to = to.clamp(from, starts.len() - 1);
            let (own, others) = rest.split_at_mut(to - from);
            shares.push((own, &starts[from..=to]));
            (rest, from) = (others, to);
        }
        let mut shares = shares.into_iter();
        let first = shares.next();
        std::thread::scope(|scope| {
            let sorted = &sorted;
            let others: Vec<_> = shares
                .map(|(own, starts)| scope.spawn(move || self.write_some(own, starts, sorted)))
                .collect();
            let mut parts =
                first.map_or(Ok(Vec::new()), |(own, starts)| self.write_some(own, starts, sorted));
            for other in others {
                let others = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                parts = parts.and_then(|mut parts| {
                    parts.extend(others?);
                    Ok(parts)
                });
            }
            parts
        })
    }

    /// Writes to neighbours, whose rows begin at `starts`.
    fn write_some(
        &self,
        directories: &mut [(usize, &mut Directory)],
        starts: &[usize],
        sorted: &Sorted<'_>,
    ) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        let mut at = 0;
        while at < directories.len() {
            let first = starts[at];
            // As many as are put together at once, or one of which even that is too much.
            let mut to = at + 1;
            while to < directories.len() && starts[to + 1] - first <= WINDOW {
                to += 1;
            }
            let rows = starts[to] - first;
            if rows > WINDOW {
                for from in (first..starts[to]).step_by(WINDOW) {
                    let until = (from + WINDOW).min(starts[to]);
                    let batch = interleave_record_batch(&sorted.batches, &sorted.places[from..until])?;
                    self.add(directories[at].1, &batch, rows, &mut parts)?;
                }
            } else if rows > 0 {
                let batch = interleave_record_batch(&sorted.batches, &sorted.places[first..starts[to]])?;
                for place in at..to {
                    let rows = starts[place + 1] - starts[place];
                    self.add(
                        directories[place].1,
                        &batch.slice(starts[place] - first, rows),
                        rows,
                        &mut parts,
                    )?;
                    self.leave(directories[place].1, rows, &mut parts)?;
                }
                at = to;
                continue;
            }
            for place in at..to {
                self.leave(directories[place].1, starts[place + 1] - starts[place], &mut parts)?;
            }
            at = to;
        }
        Ok(parts)
    }

    /// Adds rows to the file of a directory; `all` are those of this lot.
    fn add(
        &self,
        directory: &mut Directory,
        batch: &RecordBatch,
        all: usize,
        parts: &mut Vec<Part>,
    ) -> Result<()> {
        let most = self.stage.target.max_rows;
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let mut file = match directory.open.take() {
                Some(file) => file,
                None => {
                    let number = directory.files;
                    directory.files += 1;
                    let rows = most.map_or(all, |most| all.min(usize::try_from(most).unwrap_or(all)));
                    let ahead = Ahead { sample: self.sample, rows: rows.min(ROW_GROUP) };
                    Open::begin(self.stage, self.schema, &directory.name, (self.lane, number), ahead)?
                }
            };
            let room = most.map_or(u64::MAX, |most| most - file.rows);
            let rows = usize::try_from(room).unwrap_or(usize::MAX).min(rest.num_rows());
            let wrote = file.encoder.write(&rest.slice(0, rows));
            wrote.map_err(|error| problem(self.stage, &error))?;
            file.rows += rows as u64;
            rest = rest.slice(rows, rest.num_rows() - rows);
            if Some(file.rows) == most {
                parts.push(file.end(self.stage)?);
            } else {
                directory.open = Some(file);
            }
        }
        Ok(())
    }

    /// What is done with the file of a directory when its rows of this lot are written.
    fn leave(&self, directory: &mut Directory, rows: usize, parts: &mut Vec<Part>) -> Result<()> {
        if self.last {
            if let Some(file) = directory.open.take() {
                parts.push(file.end(self.stage)?);
            }
        } else if rows > 0
            && let Some(file) = &mut directory.open
        {
            file.encoder.park().map_err(|error| problem(self.stage, &error))?;
        }
        Ok(())
    }
}

/// What is left of a lane of which nothing was written.
pub struct Rest {
    pub lane: usize,
    pub lot: Lot,
    /// Names of the directories, by number.
    pub names: Vec<String>,
    pub sample: Sample,
    pub schema: SchemaRef,
    /// Counts the lot.
    pub room: Box<dyn Room>,
}

/// Where lanes side by side that held all their rows leave them: so that each directory gets one file, not one of each.
pub struct Gathering {
    state: Mutex<(usize, Vec<Rest>)>,
    threads: usize,
}

impl Gathering {
    /// Of so many lanes, whose rows are written by so many threads.
    pub fn new(lanes: usize, threads: usize) -> Self {
        Self { state: Mutex::new((lanes, Vec::new())), threads: threads.max(1) }
    }

    /// A lane is at its end, and may have rows to write. The last one writes the rows of all.
    pub fn end(&self, stage: &Stage, rest: Option<Rest>) -> Result<Vec<Part>> {
        let mut rests = {
            let mut state = self.state.lock();
            state.1.extend(rest);
            state.0 = state.0.saturating_sub(1);
            if state.0 > 0 {
                return Ok(Vec::new());
            }
            std::mem::take(&mut state.1)
        };
        rests.sort_by_key(|rest| rest.lane);
        let mut parts = Vec::new();
        let mut neighbours: Vec<Rest> = Vec::new();
        for rest in rests {
            // Rows of a lane between two of them would come behind both.
            if neighbours.last().is_some_and(|last| last.lane + 1 != rest.lane) {
                parts.extend(self.write(stage, std::mem::take(&mut neighbours))?);
            }
            neighbours.push(rest);
        }
        parts.extend(self.write(stage, neighbours)?);
        Ok(parts)
    }

    /// Writes the rows of lanes that follow one another.
    fn write(&self, stage: &Stage, rests: Vec<Rest>) -> Result<Vec<Part>> {
        let Some(lane) = rests.first().map(|rest| rest.lane) else { return Ok(Vec::new()) };
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut directories: Vec<Directory> = Vec::new();
        let mut lot = Lot::default();
        let (mut sample, mut schema, mut rooms) = (None, None, Vec::new());
        for rest in rests {
            let mut same = Vec::with_capacity(rest.names.len());
            for name in rest.names {
                let next = directories.len() as u32;
                let number = *numbers.entry(name).or_insert_with_key(|name| {
                    directories.push(Directory::new(name.clone()));
                    next
                });
                same.push(number);
            }
            lot.goes.extend(rest.lot.goes.into_iter().map(|number| same[number as usize]));
            if !rest.lot.batches.is_empty() && sample.is_none() {
                sample = Some(rest.sample);
            }
            lot.batches.extend(rest.lot.batches);
            schema = Some(rest.schema);
            rooms.push(rest.room);
        }
        let (Some(schema), sample) = (schema, sample.unwrap_or_default()) else { return Ok(Vec::new()) };
        let threads = self.threads.min(directories.len()).max(1);
        let writing = Writing { stage, schema: &schema, lane, sample: &sample, threads, last: true };
        writing.write(&lot, &mut directories)
    }
}
