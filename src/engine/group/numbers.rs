//! Numbers that stand for keys in all threads: of several keys, those of which there are few values.
//!
//! In the tables that threads share, such a key is a number of four bytes, the same in every share, and its values
//! are kept once. A key of which most groups have a value of their own gains nothing by that: it stays as it is.

use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, AsArray, UInt32Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, UInt32Type, UInt64Type};
use parking_lot::Mutex;

use super::fixed::FixedInterner;
use super::intern::{Interner, interner, mix};
use super::packed::{Layout, valued};
use super::table::GroupTable;
use super::words::Words;
use super::{GroupSpec, estimate};
use crate::error::{Error, Result};

/// A key is numbered where this many rows, or more, are expected of each of its values.
const ROWS: f64 = 8.0;

/// The values behind the numbers, for all threads.
#[derive(Default)]
pub struct Numbers {
    decided: OnceLock<Decided>,
}

struct Decided {
    keys: Vec<Values>,
    /// How the numbers of all keys become one, where all have numbers and those fit.
    packed: Option<Packed>,
}

struct Packed {
    layout: Arc<Layout>,
    escaped: Mutex<Words>,
    drop_missing: bool,
}

/// The values of one key; none where it is not numbered.
type Values = Option<Mutex<Box<dyn Interner>>>;

impl Numbers {
    /// Which keys are numbered: the first table to ask decides it for all. `rows` is how many rows there will be, where
    /// that is known; `most` how many values a key may have at most, as they cannot go to disk.
    pub fn decide(
        &self,
        spec: &GroupSpec,
        table: &GroupTable,
        (rows, most): (Option<u64>, Option<usize>),
    ) -> Result<()> {
        if self.decided.get().is_some() {
            return Ok(());
        }
        let several = spec.keys.len() > 1;
        let heights = table.heights();
        let expected: Vec<f64> =
            heights.iter().map(|values| estimate::distinct(table.rows(), *values)).collect();
        let few = |(values, expected): (&usize, &f64)| {
            let recurring = rows.is_some_and(|rows| expected * ROWS <= rows as f64);
            let fits = most.is_none_or(|most| *expected <= most as f64);
            several && fits && (recurring || values * 2 <= table.len().max(2))
        };
        let numbered: Vec<bool> = heights.iter().zip(&expected).map(few).collect();
        let keys = spec.keys.iter().zip(&numbered).map(|(key, numbered)| {
            Ok(if *numbered { Some(Mutex::new(interner(&key.arrow)?)) } else { None })
        });
        let keys = keys.collect::<Result<_>>()?;
        let all = several && numbered.iter().all(|numbered| *numbered);
        let layout = if all { Layout::new(&expected) } else { None };
        let packed = layout.map(|layout| Packed {
            layout: Arc::new(layout),
            escaped: Mutex::new(Words::new(spec.keys.len())),
            drop_missing: spec.dropna,
        });
        let _ = self.decided.set(Decided { keys, packed });
        Ok(())
    }

    fn keys(&self) -> &[Values] {
        self.decided.get().map_or(&[][..], |decided| decided.keys.as_slice())
    }

    fn packed(&self) -> Option<&Packed> {
        self.decided.get()?.packed.as_ref()
    }

    /// All keys are one, in the tables that threads share.
    pub fn are_packed(&self) -> bool {
        self.packed().is_some()
    }

    /// Whether each key is a number.
    pub fn numbered(&self) -> Vec<bool> {
        self.keys().iter().map(Option::is_some).collect()
    }

    fn key(&self, key: usize) -> Option<&Mutex<Box<dyn Interner>>> {
        self.keys().get(key)?.as_ref()
    }

    /// What the keys in the tables stand for.
    pub fn meaning(&self) -> Result<Meaning> {
        let values = self.keys().iter().map(|key| key.as_ref().map(|key| key.lock().values()).transpose());
        let packed = self.packed().map(|packed| (packed.layout.clone(), packed.escaped.lock().clone()));
        Ok(Meaning { values: values.collect::<Result<_>>()?, packed })
    }

    pub fn size(&self) -> usize {
        self.keys().iter().flatten().map(|key| key.lock().size()).sum::<usize>()
            + self.packed().map_or(0, |packed| packed.escaped.lock().size())
    }
}

/// What the keys of a table that threads share stand for. By default: themselves.
#[derive(Default)]
pub struct Meaning {
    /// The values by number of each key that has numbers, the first one null.
    pub values: Vec<Option<ArrayRef>>,
    packed: Option<(Arc<Layout>, Words)>,
}

impl Meaning {
    pub fn is_packed(&self) -> bool {
        self.packed.is_some()
    }

    /// A column a key, of numbers where it has some.
    pub fn ids(&self, keys: Vec<ArrayRef>) -> Result<Vec<ArrayRef>> {
        match (&self.packed, keys.as_slice()) {
            (Some((layout, escaped)), [words]) => {
                let words = words.as_primitive::<UInt64Type>().values();
                let ids = |key| Arc::new(UInt32Array::from(layout.ids(key, words, escaped))) as ArrayRef;
                Ok((0..self.values.len()).map(ids).collect())
            }
            (Some(_), _) => Err(Error::internal("packed keys that are not one column")),
            (None, _) => Ok(keys),
        }
    }

    /// One key's values from its column of numbers; the column itself where it has none.
    pub fn value(&self, key: usize, column: ArrayRef) -> Result<ArrayRef> {
        match self.values.get(key) {
            Some(Some(values)) => valued(values, column.as_primitive::<UInt32Type>().values().to_vec()),
            _ => Ok(column),
        }
    }

    /// One key's values from packed keys.
    pub fn value_of_words(&self, key: usize, words: &UInt64Array) -> Result<ArrayRef> {
        match (&self.packed, self.values.get(key)) {
            (Some((layout, escaped)), Some(Some(values))) => {
                valued(values, layout.ids(key, words.values(), escaped))
            }
            _ => Err(Error::internal("packed keys without values")),
        }
    }
}

/// One thread's way from keys to numbers: it asks the others only for values that it has not met.
pub struct Numberer {
    shared: Arc<Numbers>,
    keys: Vec<Key>,
    /// For hashes of packed keys.
    packed: FixedInterner,
}

struct Key {
    /// Of a key that is numbered, the values met; of another, for its hashes only.
    own: Box<dyn Interner>,
    ids: Vec<u32>,
    /// By own id the number for all; none where the key is not numbered.
    numbers: Option<Vec<u32>>,
}

impl Key {
    /// Sets `ids` to the numbers of a column's values, `shared` by all threads.
    fn number(&mut self, column: &ArrayRef, shared: &Mutex<Box<dyn Interner>>) -> Result<()> {
        let Self { own, ids, numbers } = self;
        let numbers = numbers.get_or_insert_with(|| vec![0]);
        own.intern(column, ids)?;
        if own.height() > numbers.len() {
            let first = first_rows(ids, numbers.len() as u32);
            let new = take(column, &first, None)?;
            let mut found = Vec::new();
            shared.lock().intern(&new, &mut found)?;
            numbers.append(&mut found);
        }
        for id in ids {
            *id = numbers[*id as usize];
        }
        Ok(())
    }
}

impl Numberer {
    pub fn new(spec: &GroupSpec, shared: Arc<Numbers>) -> Result<Self> {
        let numbered = shared.numbered();
        let keys = spec.keys.iter().enumerate().map(|(number, key)| {
            let numbers = numbered.get(number).is_some_and(|numbered| *numbered).then(|| vec![0]);
            Ok(Key { own: interner(&key.arrow)?, ids: Vec::new(), numbers })
        });
        let keys = keys.collect::<Result<_>>()?;
        Ok(Self { shared, keys, packed: FixedInterner::new(DataType::UInt64) })
    }

    pub fn size(&self) -> usize {
        let numbers =
            |key: &Key| key.numbers.as_ref().map_or(0, |numbers| numbers.capacity() * size_of::<u32>());
        self.keys.iter().map(|key| numbers(key) + key.own.size()).sum()
    }

    /// The Arrow types of [`Self::columns`].
    pub fn types(&self, keys: &[ArrayRef]) -> Vec<DataType> {
        if self.shared.are_packed() {
            return vec![DataType::UInt64];
        }
        let of = |(key, column): (&Key, &ArrayRef)| match key.numbers {
            Some(_) => DataType::UInt32,
            None => column.data_type().clone(),
        };
        self.keys.iter().zip(keys).map(of).collect()
    }

    /// The key columns as shares take them.
    pub fn columns(&mut self, keys: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let packed = self.shared.packed();
        let mut columns = Vec::with_capacity(keys.len());
        for (number, (key, column)) in self.keys.iter_mut().zip(keys).enumerate() {
            let Some(numbers) = self.shared.key(number) else {
                columns.push(column.clone());
                continue;
            };
            key.number(column, numbers)?;
            if packed.is_none() {
                columns.push(Arc::new(UInt32Array::from(key.ids.clone())) as ArrayRef);
            }
        }
        if let Some(packed) = packed {
            let ids: Vec<&[u32]> = self.keys.iter().map(|key| key.ids.as_slice()).collect();
            let words = packed.layout.pack(&ids, &packed.escaped, packed.drop_missing)?;
            columns.push(Arc::new(words));
        }
        Ok(columns)
    }

    /// Sets `hashes` to the hash of each row of [`Self::columns`], by one key that is not numbered, or by all.
    pub fn hash(&mut self, columns: &[ArrayRef], by: Option<usize>, hashes: &mut Vec<u64>) -> Result<()> {
        if self.shared.are_packed() {
            return self.packed.hash(&columns[0], hashes);
        }
        let only = if columns.len() == 1 { Some(0) } else { by };
        if let Some(key) = only {
            return self.keys[key].own.hash(&columns[key], hashes);
        }
        let mut own = Vec::new();
        hashes.clear();
        hashes.resize(columns.first().map_or(0, |column| column.len()), 0);
        for (key, column) in self.keys.iter_mut().zip(columns) {
            if key.numbers.is_some() {
                let numbers = column.as_primitive::<UInt32Type>().values();
                for (hash, number) in hashes.iter_mut().zip(numbers) {
                    *hash = mix(*hash, u64::from(*number));
                }
            } else {
                key.own.hash(column, &mut own)?;
                for (hash, own) in hashes.iter_mut().zip(&own) {
                    *hash = mix(*hash, *own);
                }
            }
        }
        Ok(())
    }
}

/// The rows in which the ids from `next` on appear first: ids are given in order of arrival.
fn first_rows(ids: &[u32], mut next: u32) -> UInt32Array {
    let mut rows = Vec::new();
    for (row, id) in ids.iter().enumerate() {
        if *id == next {
            rows.push(row as u32);
            next += 1;
        }
    }
    rows.into()
}
