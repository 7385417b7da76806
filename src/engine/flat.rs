//! Morsels of Parquet decoded column by column: conditions first, and then of the other columns the rows that are left.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::buffer::BooleanBuffer;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::errors::ParquetError;

use super::keep::kept_columns;
use super::stages::{Stage, Stages};
use crate::error::{Error, Result};
use crate::io::source::ParquetSource;
use crate::io::source::pages::{Block, Column, Dictionary};
use crate::io::source::parquet::{ParquetFile, guarded};
use crate::io::source::reconcile::converted;
use crate::plan::op::lists::trimmed;

/// Where more than three rows in so many are left, columns are decoded whole.
const DENSE: usize = 4;

/// Where a column of the scan comes from.
pub enum Slot {
    /// Pages, of which so many rows were not read yet though they were passed.
    Flat { column: Box<Column>, behind: usize },
    /// A place among the columns of the other reader.
    Other(usize),
    /// It is no column of the file.
    Made,
}

/// What a condition says of a dictionary's values.
struct Answers {
    dictionary: Arc<Dictionary>,
    kept: Vec<bool>,
    /// Of a row without a value.
    missing: bool,
}

/// The columns of one morsel.
pub struct FlatMorsel {
    pub source: Arc<ParquetSource>,
    pub file: usize,
    /// The source's columns, in the order of the batches.
    pub columns: Vec<usize>,
    pub slots: Vec<Slot>,
    /// Columns that come as dictionaries.
    pub coded: Vec<bool>,
    /// Columns that more than the conditions read; the others are missing in what is given.
    pub wanted: Vec<bool>,
    /// Columns that are left to `parquet`'s reader, as many rows at a time.
    pub others: Option<Box<ParquetRecordBatchReader>>,
    stages: Option<Arc<Stages>>,
    costs: Vec<f32>,
    answers: Vec<Option<Answers>>,
}

/// The rows of a stretch that are left.
pub struct Left {
    pub columns: Vec<ArrayRef>,
    pub rows: usize,
    pub selection: Selection,
}

pub enum Selection {
    All,
    Mask(BooleanBuffer),
    Places(Vec<u32>),
}

impl Selection {
    /// Where in the stretch the rows are.
    pub fn places(&self, rows: usize) -> Vec<u32> {
        match self {
            Selection::All => (0..rows as u32).collect(),
            Selection::Mask(mask) => indices(mask),
            Selection::Places(places) => places.clone(),
        }
    }
}

fn indices(mask: &BooleanBuffer) -> Vec<u32> {
    mask.set_indices().map(|place| place as u32).collect()
}

enum Held {
    Unread,
    Block(Block),
    /// Read, and of no use any more.
    Done,
}

impl FlatMorsel {
    pub fn new(
        (source, file): (Arc<ParquetSource>, usize),
        columns: Vec<usize>,
        slots: Vec<Slot>,
        (coded, wanted): (Vec<bool>, Vec<bool>),
        others: Option<Box<ParquetRecordBatchReader>>,
        stages: Option<Arc<Stages>>,
    ) -> Self {
        let cost = |slot: &Slot| match slot {
            Slot::Flat { column, .. } => column.cost(),
            Slot::Other(_) => 1.0,
            Slot::Made => 0.5,
        };
        let costs: Vec<f32> = match &stages {
            Some(stages) => stages
                .each()
                .map(|stage| stage.columns.iter().map(|place| cost(&slots[*place])).sum())
                .collect(),
            None => Vec::new(),
        };
        let answers = costs.iter().map(|_| None).collect();
        Self { source, file, columns, slots, coded, wanted, others, stages, costs, answers }
    }

    /// Conditions are met while decoding.
    pub fn filters(&self) -> bool {
        self.stages.is_some()
    }

    fn parquet(&self) -> &ParquetFile {
        &self.source.files[self.file]
    }

    /// Of the next `rows` rows those that meet the conditions.
    pub fn next(&mut self, rows: usize) -> Result<Left> {
        let others = self.next_others(rows)?;
        let others = others.as_ref();
        let mut held: Vec<Held> = self.slots.iter().map(|_| Held::Unread).collect();
        let mut selection = Selection::All;
        if let Some(stages) = self.stages.clone() {
            let order = stages.in_order(&self.costs);
            for (turn, (number, stage)) in order.iter().enumerate() {
                let left = match &selection {
                    Selection::Places(places) => places.len(),
                    _ => rows,
                };
                if left == 0 {
                    break;
                }
                for place in &stage.columns {
                    if matches!(held[*place], Held::Unread) {
                        held[*place] = Held::Block(self.read(*place, rows, &selection, others)?);
                    }
                }
                let found = self.ask(*number, stage, &mut held, left)?;
                let kept = found.count_set_bits();
                stage.note(left, kept);
                let needed = |place: usize| {
                    self.wanted[place]
                        || order[turn + 1..].iter().any(|(_, later)| later.columns.contains(&place))
                };
                for (place, held) in held.iter_mut().enumerate() {
                    if matches!(held, Held::Block(_)) && !needed(place) {
                        *held = Held::Done;
                    }
                }
                selection = narrowed(selection, found, rows, &mut held)?;
            }
        }
        self.left(rows, held, selection, others)
    }

    /// The wanted columns of the rows that are left.
    fn left(
        &mut self,
        rows: usize,
        held: Vec<Held>,
        selection: Selection,
        others: Option<&RecordBatch>,
    ) -> Result<Left> {
        let count = match &selection {
            Selection::All => rows,
            Selection::Mask(mask) => mask.count_set_bits(),
            Selection::Places(places) => places.len(),
        };
        let mut columns = Vec::with_capacity(held.len());
        for (place, before) in held.into_iter().enumerate() {
            if let (Held::Unread, Slot::Flat { behind, .. }, true) =
                (&before, &mut self.slots[place], count == 0 || !self.wanted[place])
            {
                *behind += rows;
            }
            if count == 0 {
                continue;
            }
            let block = match before {
                _ if !self.wanted[place] => {
                    let full = if matches!(selection, Selection::Mask(_)) { rows } else { count };
                    columns.push(new_null_array(&self.source.columns[self.columns[place]].arrow, full));
                    continue;
                }
                Held::Block(block) => block,
                _ => self.read(place, rows, &selection, others)?,
            };
            let name = &self.parquet().file.name;
            let coded = self.coded[place];
            columns.push(guarded(name, || if coded { block.coded() } else { block.decoded() })?);
        }
        if let Selection::Mask(mask) = &selection
            && count > 0
        {
            columns = kept_columns(&columns, &BooleanArray::new(mask.clone(), None))?;
        }
        Ok(Left { columns, rows: count, selection })
    }

    /// The next rows of the columns that are left to the other reader.
    fn next_others(&mut self, rows: usize) -> Result<Option<RecordBatch>> {
        let name = self.parquet().file.name.clone();
        let Some(others) = &mut self.others else { return Ok(None) };
        let batch = guarded(&name, || others.next().transpose().map_err(ParquetError::from))?;
        match batch {
            Some(batch) if batch.num_rows() == rows => Ok(Some(batch)),
            _ => guarded(&name, || {
                Err(ParquetError::General("a column has fewer rows than the footer promises".to_owned()))
            }),
        }
    }

    /// A column of the stretch, of which only the selected places are read where there are few.
    fn read(
        &mut self,
        place: usize,
        rows: usize,
        selection: &Selection,
        others: Option<&RecordBatch>,
    ) -> Result<Block> {
        let file = &self.source.files[self.file];
        let number = self.columns[place];
        let wanted = match selection {
            Selection::Places(places) => Some(places.as_slice()),
            _ => None,
        };
        match &mut self.slots[place] {
            Slot::Flat { column, behind } => guarded(&file.file.name, || {
                column.skip(std::mem::take(behind))?;
                column.read(rows, wanted)
            }),
            Slot::Other(from) => {
                let Some(others) = others else { return Err(Error::internal("a column that nobody reads")) };
                let array = others.column(*from);
                let array = if array.data_type().is_nested() { trimmed(array)? } else { array.clone() };
                let array = converted(&array, &self.source.columns[number], &file.file.name)?;
                let block = Block::Values(array);
                match wanted {
                    Some(places) => Ok(block.picked(places)?),
                    None => Ok(block),
                }
            }
            Slot::Made => {
                let rows = wanted.map_or(rows, <[u32]>::len);
                Ok(Block::Values(file.origins[number].filled(&self.source.columns[number], rows)?))
            }
        }
    }

    /// Which of the rows that are left meet a condition.
    fn ask(&mut self, number: usize, stage: &Stage, held: &mut [Held], rows: usize) -> Result<BooleanBuffer> {
        if let [place] = stage.columns.as_slice()
            && let Held::Block(Block::Codes(dictionary, codes, valid)) = &held[*place]
        {
            let name = &self.source.files[self.file].file.name;
            guarded(name, || dictionary.check(codes))?;
            let known =
                self.answers[number].as_ref().is_some_and(|known| Arc::ptr_eq(&known.dictionary, dictionary));
            if !known {
                self.answers[number] = Some(Answers::new(stage, dictionary)?);
            }
            let Some(answers) = &self.answers[number] else { return Err(Error::internal("no answers")) };
            return Ok(answers.mask(codes, valid.as_ref()));
        }
        let mut columns = Vec::with_capacity(stage.columns.len());
        for place in &stage.columns {
            let Held::Block(block) = std::mem::replace(&mut held[*place], Held::Done) else {
                return Err(Error::internal("a condition's column was not read"));
            };
            let name = &self.source.files[self.file].file.name;
            let array = if self.coded[*place] {
                let array = guarded(name, || block.clone().decoded())?;
                held[*place] = Held::Block(block);
                array
            } else {
                let array = guarded(name, || block.decoded())?;
                held[*place] = Held::Block(Block::Values(array.clone()));
                array
            };
            columns.push(array);
        }
        stage.mask(&columns, rows)
    }
}

/// The selection after a condition; what is held stays in line with it.
fn narrowed(selection: Selection, found: BooleanBuffer, rows: usize, held: &mut [Held]) -> Result<Selection> {
    let mut pick = |places: &[u32]| -> Result<()> {
        for held in held.iter_mut() {
            *held = match std::mem::replace(held, Held::Done) {
                Held::Block(block) => Held::Block(block.picked(places)?),
                other => other,
            };
        }
        Ok(())
    };
    let all = match selection {
        Selection::Places(places) => {
            let here = indices(&found);
            if here.len() == places.len() {
                return Ok(Selection::Places(places));
            }
            pick(&here)?;
            return Ok(Selection::Places(here.into_iter().map(|place| places[place as usize]).collect()));
        }
        Selection::Mask(mask) => &mask & &found,
        Selection::All => found,
    };
    let count = all.count_set_bits();
    if count == rows {
        return Ok(Selection::All);
    }
    if count * DENSE > rows * (DENSE - 1) {
        return Ok(Selection::Mask(all));
    }
    let places = indices(&all);
    pick(&places)?;
    Ok(Selection::Places(places))
}

impl Answers {
    fn new(stage: &Stage, dictionary: &Arc<Dictionary>) -> Result<Self> {
        let values = &dictionary.values;
        let mut kept: Vec<bool> = stage.mask(std::slice::from_ref(values), values.len())?.iter().collect();
        // Where no row has a value, their numbers are zeros all the same.
        kept.resize(kept.len().max(1), false);
        let missing = stage.mask(&[new_null_array(values.data_type(), 1)], 1)?.value(0);
        Ok(Self { dictionary: dictionary.clone(), kept, missing })
    }

    fn mask(&self, codes: &[u32], valid: Option<&BooleanBuffer>) -> BooleanBuffer {
        let kept = BooleanBuffer::collect_bool(codes.len(), |row| self.kept[codes[row] as usize]);
        match valid {
            None => kept,
            Some(valid) if self.missing => &kept | &!valid,
            Some(valid) => &kept & valid,
        }
    }
}
