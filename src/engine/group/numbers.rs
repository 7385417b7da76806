//! Numbers that stand for keys in all threads: of several keys, those of which there are few values.
//!
//! In the tables that threads share, such a key is a number of four bytes, the same in every share, and its values
//! are kept once. A key of which most groups have a value of their own gains nothing by that: it stays as it is.

use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, AsArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, UInt32Type};
use parking_lot::Mutex;

use super::GroupSpec;
use super::intern::{Interner, interner, mix};
use super::table::GroupTable;
use crate::error::Result;

/// The values behind the numbers, for all threads.
#[derive(Default)]
pub struct Numbers {
    keys: OnceLock<Vec<Values>>,
}

/// The values of one key; none where it is not numbered.
type Values = Option<Mutex<Box<dyn Interner>>>;

impl Numbers {
    /// Which keys are numbered: the first table to ask decides it for all.
    pub fn decide(&self, spec: &GroupSpec, table: &GroupTable) -> Result<()> {
        if self.keys.get().is_some() {
            return Ok(());
        }
        let few = |values: usize| spec.keys.len() > 1 && values * 2 <= table.len().max(2);
        let keys = spec.keys.iter().zip(table.heights()).map(|(key, values)| {
            Ok(if few(values) { Some(Mutex::new(interner(&key.arrow)?)) } else { None })
        });
        let keys = keys.collect::<Result<_>>()?;
        let _ = self.keys.set(keys);
        Ok(())
    }

    /// Whether each key is a number.
    pub fn numbered(&self) -> Vec<bool> {
        self.keys.get().map_or_else(Vec::new, |keys| keys.iter().map(Option::is_some).collect())
    }

    fn key(&self, key: usize) -> Option<&Mutex<Box<dyn Interner>>> {
        self.keys.get()?.get(key)?.as_ref()
    }

    /// The values by number of each key that has numbers, the first one null.
    pub fn values(&self) -> Result<Vec<Option<ArrayRef>>> {
        let keys = self.keys.get().map_or(&[][..], Vec::as_slice);
        keys.iter().map(|key| key.as_ref().map(|key| key.lock().values()).transpose()).collect()
    }

    pub fn size(&self) -> usize {
        let keys = self.keys.get().map_or(&[][..], Vec::as_slice);
        keys.iter().flatten().map(|key| key.lock().size()).sum()
    }
}

/// One thread's way from keys to numbers: it asks the others only for values that it has not met.
pub struct Numberer {
    shared: Arc<Numbers>,
    keys: Vec<Key>,
}

struct Key {
    /// Of a key that is numbered, the values met; of another, for its hashes only.
    own: Box<dyn Interner>,
    ids: Vec<u32>,
    /// By own id the number for all; none where the key is not numbered.
    numbers: Option<Vec<u32>>,
}

impl Numberer {
    pub fn new(spec: &GroupSpec, shared: Arc<Numbers>) -> Result<Self> {
        let numbered = shared.numbered();
        let keys = spec.keys.iter().enumerate().map(|(number, key)| {
            let numbers = numbered.get(number).is_some_and(|numbered| *numbered).then(|| vec![0]);
            Ok(Key { own: interner(&key.arrow)?, ids: Vec::new(), numbers })
        });
        let keys = keys.collect::<Result<_>>()?;
        Ok(Self { shared, keys })
    }

    pub fn size(&self) -> usize {
        let numbers =
            |key: &Key| key.numbers.as_ref().map_or(0, |numbers| numbers.capacity() * size_of::<u32>());
        self.keys.iter().map(|key| numbers(key) + key.own.size()).sum()
    }

    /// The Arrow types of [`Self::columns`].
    pub fn types(&self, keys: &[ArrayRef]) -> Vec<DataType> {
        let of = |(key, column): (&Key, &ArrayRef)| match key.numbers {
            Some(_) => DataType::UInt32,
            None => column.data_type().clone(),
        };
        self.keys.iter().zip(keys).map(of).collect()
    }

    /// The key columns as shares take them.
    pub fn columns(&mut self, keys: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let mut columns = Vec::with_capacity(keys.len());
        for (number, (key, column)) in self.keys.iter_mut().zip(keys).enumerate() {
            columns.push(match (&mut key.numbers, self.shared.key(number)) {
                (Some(numbers), Some(shared)) => {
                    key.own.intern(column, &mut key.ids)?;
                    if key.own.height() > numbers.len() {
                        let first = first_rows(&key.ids, numbers.len() as u32);
                        let new = take(column, &first, None)?;
                        let mut found = Vec::new();
                        shared.lock().intern(&new, &mut found)?;
                        numbers.append(&mut found);
                    }
                    let ids = key.ids.iter().map(|id| numbers[*id as usize]);
                    Arc::new(UInt32Array::from_iter_values(ids)) as ArrayRef
                }
                _ => column.clone(),
            });
        }
        Ok(columns)
    }

    /// Sets `hashes` to the hash of each row of [`Self::columns`], by one key that is not numbered, or by all.
    pub fn hash(&mut self, columns: &[ArrayRef], by: Option<usize>, hashes: &mut Vec<u64>) -> Result<()> {
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
