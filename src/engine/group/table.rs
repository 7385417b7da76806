//! One thread's groups: keys interned to group numbers, and the aggregates' state by group number.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, UInt32Array};
use arrow::compute::take;

use super::codes::Codes;
use super::intern::{Interner, interner, mix};
use super::pairs::Pairs;
use super::{GroupSpec, Unit};
use crate::error::Result;
use crate::plan::reduce::{Batch, combined};

/// Groups by number. Number 0 is the missing key where there is one key, the only group where there is
/// none, and rows to be left out where there are several.
pub struct GroupTable {
    spec: Arc<GroupSpec>,
    interners: Vec<Box<dyn Interner>>,
    /// `pairs[i]` pairs the numbers so far with the ids of key `i + 1`.
    pairs: Vec<Pairs>,
    units: Vec<Unit>,
    /// Rows of the dictionary that is being read, where its codes serve as groups.
    codes: Option<Codes>,
    /// Position of each group's first row, where that is asked for.
    first: Option<Vec<i64>>,
    /// A row with number 0 was seen.
    zero: bool,
    /// A row reached it.
    used: bool,
    groups: Vec<u32>,
    ids: Vec<u32>,
}

/// All groups of a table, as Arrow data.
pub struct Partial {
    pub keys: Vec<ArrayRef>,
    pub rows: usize,
    /// Empty where nobody asks for them.
    pub hashes: Vec<u64>,
    /// One entry a unit of aggregates.
    pub states: Vec<Vec<ArrayRef>>,
    pub first: Option<Int64Array>,
}

/// The finished groups of a table.
pub struct Finished {
    pub keys: Vec<ArrayRef>,
    pub values: Vec<ArrayRef>,
    pub first: Option<Int64Array>,
}

impl GroupTable {
    pub fn new(spec: Arc<GroupSpec>) -> Result<Self> {
        let interners = spec.keys.iter().map(|key| interner(&key.arrow)).collect::<Result<Vec<_>>>()?;
        let pairs = (1..interners.len()).map(|_| Pairs::new()).collect();
        let first = spec.needs_first().then(Vec::new);
        let units = spec.units()?;
        let codes = Codes::new(&spec)?;
        let (groups, ids) = (Vec::new(), Vec::new());
        Ok(Self { spec, interners, pairs, units, codes, first, zero: false, used: false, groups, ids })
    }

    /// No row ever reached it.
    pub fn is_empty(&self) -> bool {
        !self.used
    }

    /// One past the highest group number; what an open dictionary holds is not counted.
    pub fn len(&self) -> usize {
        match (self.pairs.last(), self.interners.first()) {
            (Some(pairs), _) => pairs.height(),
            (None, Some(interner)) => interner.height(),
            (None, None) => 1,
        }
    }

    pub fn size(&self) -> usize {
        self.interners.iter().map(|interner| interner.size()).sum::<usize>()
            + self.pairs.iter().map(Pairs::size).sum::<usize>()
            + self.units.iter().map(|unit| unit.reduce.size()).sum::<usize>()
            + self.codes.as_ref().map_or(0, Codes::size)
            + self.first.as_ref().map_or(0, |first| first.capacity() * size_of::<i64>())
    }

    /// Adds rows: their keys, the arguments of each aggregate, and their positions where those are needed.
    pub fn update(
        &mut self,
        keys: &[ArrayRef],
        args: &[Vec<ArrayRef>],
        positions: Option<&Int64Array>,
        rows: usize,
    ) -> Result<()> {
        if rows == 0 {
            return Ok(());
        }
        self.used = true;
        let positions = positions.map(|positions| &positions.values()[..]);
        if let ([key], Some(mut codes)) = (keys, self.codes.take()) {
            let done = match Codes::takes(key) {
                Some(key) => {
                    if !codes.continues(key) {
                        self.end(&mut codes)?;
                        codes.start(key);
                    }
                    codes.update(key, args, positions)?;
                    true
                }
                None => false,
            };
            self.codes = Some(codes);
            if done {
                return Ok(());
            }
        }
        self.number(keys, rows)?;
        let num_groups = self.len();
        if let (Some(first), Some(positions)) = (&mut self.first, positions) {
            first.resize(num_groups, i64::MAX);
            for (group, position) in self.groups.iter().zip(positions) {
                let first = &mut first[*group as usize];
                *first = (*first).min(*position);
            }
        }
        for unit in &mut self.units {
            let args = unit.args(args);
            unit.reduce.update(Batch { args, groups: &self.groups, num_groups, positions })?;
        }
        Ok(())
    }

    /// Gives the entries of a dictionary their groups.
    fn end(&mut self, codes: &mut Codes) -> Result<()> {
        match codes.close()? {
            Some(closed) => self.merge(&closed.groups, Some(&closed.rows), &|| Ok(())),
            None => Ok(()),
        }
    }

    /// Everything that was added is in the groups.
    pub fn settle(&mut self) -> Result<()> {
        match self.codes.take() {
            Some(mut codes) => self.end(&mut codes),
            None => Ok(()),
        }
    }

    /// Adds groups of another table, those in `rows`. `proceed` is asked now and then, and its error ends it.
    pub fn merge(
        &mut self,
        partial: &Partial,
        rows: Option<&UInt32Array>,
        proceed: &dyn Fn() -> Result<()>,
    ) -> Result<()> {
        let pick = |array: &ArrayRef| match rows {
            Some(rows) => take(array, rows, None),
            None => Ok(array.clone()),
        };
        let keys = partial.keys.iter().map(pick).collect::<Result<Vec<_>, _>>()?;
        let count = rows.map_or(partial.rows, Array::len);
        if count == 0 {
            return Ok(());
        }
        self.used = true;
        self.number(&keys, count)?;
        let num_groups = self.len();
        if let (Some(first), Some(firsts)) = (&mut self.first, &partial.first) {
            first.resize(num_groups, i64::MAX);
            for (row, group) in self.groups.iter().enumerate() {
                let from = firsts.value(rows.map_or(row, |rows| rows.value(row) as usize));
                let first = &mut first[*group as usize];
                *first = (*first).min(from);
            }
        }
        for (unit, state) in self.units.iter_mut().zip(&partial.states) {
            let state = state.iter().map(pick).collect::<Result<Vec<_>, _>>()?;
            unit.reduce.merge_while(&state, &self.groups, num_groups, proceed)?;
        }
        Ok(())
    }

    /// Sets `hashes` to each row's hash, by one key or by all: that of its group in every table.
    pub fn hash(&mut self, keys: &[ArrayRef], by: Option<usize>, hashes: &mut Vec<u64>) -> Result<()> {
        let only = if keys.len() == 1 { Some(0) } else { by };
        if let Some(key) = only {
            return self.interners[key].hash(&keys[key], hashes);
        }
        let mut own = Vec::new();
        hashes.clear();
        for (interner, key) in self.interners.iter_mut().zip(keys) {
            interner.hash(key, &mut own)?;
            hashes.resize(own.len(), 0);
            for (combined, hash) in hashes.iter_mut().zip(&own) {
                *combined = mix(*combined, *hash);
            }
        }
        Ok(())
    }

    /// Sets `groups` to each row's group number.
    fn number(&mut self, keys: &[ArrayRef], rows: usize) -> Result<()> {
        self.groups.clear();
        let Some((first, others)) = self.interners.split_first_mut() else {
            self.groups.resize(rows, 0);
            return Ok(());
        };
        first.intern(&keys[0], &mut self.groups)?;
        let mut height = first.height();
        for ((interner, pairs), key) in others.iter_mut().zip(&mut self.pairs).zip(&keys[1..]) {
            interner.intern(key, &mut self.ids)?;
            pairs.number(&mut self.groups, &self.ids, (height, interner.height()), self.spec.dropna)?;
            height = pairs.height();
        }
        if self.pairs.is_empty() && !self.zero && !self.spec.dropna {
            self.zero = self.groups.contains(&0);
        }
        Ok(())
    }

    /// Number 0 is a group of the answer: the only one, or that of the missing key.
    fn starts_at(&self) -> usize {
        let zero = self.interners.is_empty() || self.zero && self.pairs.is_empty();
        usize::from(!zero)
    }

    /// For each key the id of its value in each group.
    fn key_ids(&self) -> Vec<Vec<u32>> {
        let groups = self.len();
        let mut columns = vec![Vec::new(); self.interners.len()];
        if columns.is_empty() {
            return columns;
        }
        let mut numbers: Vec<u32> = (0..groups as u32).collect();
        for (position, pairs) in self.pairs.iter().enumerate().rev() {
            let pairs = pairs.pairs();
            columns[position + 1] = numbers.iter().map(|number| pairs[*number as usize].1).collect();
            for number in &mut numbers {
                *number = pairs[*number as usize].0;
            }
        }
        columns[0] = numbers;
        columns
    }

    fn key_arrays(&self, start: usize) -> Result<Vec<ArrayRef>> {
        if let [interner] = self.interners.as_slice() {
            let values = interner.values()?;
            return Ok(vec![values.slice(start, values.len() - start)]);
        }
        let ids = self.key_ids();
        let columns = self.interners.iter().zip(ids);
        columns
            .map(|(interner, ids)| {
                Ok(take(&interner.values()?, &UInt32Array::from(ids[start..].to_vec()), None)?)
            })
            .collect()
    }

    /// The key of which there are most values, and how many there are.
    pub fn most_diverse_key(&self) -> Option<(usize, usize)> {
        let heights = self.interners.iter().map(|interner| interner.height()).enumerate();
        heights.max_by_key(|(_, height)| *height)
    }

    /// The groups' hashes: those of one of their keys, or of all.
    fn hashes(&self, start: usize, by: Option<usize>) -> Vec<u64> {
        if let [interner] = self.interners.as_slice() {
            return interner.hashes().split_off(start);
        }
        let of = |key: usize, ids: &[u32]| -> Vec<u64> {
            let hashes = self.interners[key].hashes();
            ids[start..].iter().map(|id| hashes[*id as usize]).collect()
        };
        let ids = self.key_ids();
        if let Some(key) = by {
            return of(key, &ids[key]);
        }
        let mut combined = vec![0; self.len() - start];
        for (key, ids) in ids.iter().enumerate() {
            combined
                .iter_mut()
                .zip(of(key, ids))
                .for_each(|(combined, hash)| *combined = mix(*combined, hash));
        }
        combined
    }

    fn first_positions(&mut self, start: usize) -> Option<Int64Array> {
        let groups = self.len();
        self.first.take().map(|mut first| {
            first.resize(groups, i64::MAX);
            Int64Array::from(first.split_off(start))
        })
    }

    /// Everything, to be merged into other tables, with the hashes of one key or of all.
    pub fn export(mut self, by: Option<usize>) -> Result<Partial> {
        self.settle()?;
        let start = self.starts_at();
        let groups = self.len();
        let keys = self.key_arrays(start)?;
        let hashes = self.hashes(start, by);
        let first = self.first_positions(start);
        let mut states = Vec::with_capacity(self.units.len());
        for unit in &mut self.units {
            let state = unit.reduce.state()?;
            // A group that no row of which reached the aggregate yet has no state row.
            let state = state.iter().map(|array| padded(array, groups, start)).collect::<Result<Vec<_>>>()?;
            states.push(state);
        }
        Ok(Partial { keys, rows: groups - start, hashes, states, first })
    }

    /// Everything, as answers.
    pub fn finish(mut self) -> Result<Finished> {
        self.settle()?;
        let start = self.starts_at();
        let groups = self.len();
        let keys = self.key_arrays(start)?;
        let first = self.first_positions(start);
        let mut values: Vec<Option<ArrayRef>> = vec![None; self.spec.aggregates.len()];
        for unit in &mut self.units {
            let finished = unit.reduce.finish(groups)?;
            let parts = match unit.members.as_slice() {
                [_] => vec![finished],
                _ => combined::parts(&finished)?,
            };
            for (member, part) in unit.members.iter().zip(parts) {
                values[*member] = Some(part.slice(start, groups - start));
            }
        }
        let values = values.into_iter().flatten().collect();
        Ok(Finished { keys, values, first })
    }
}

fn padded(array: &ArrayRef, groups: usize, start: usize) -> Result<ArrayRef> {
    if array.len() < groups {
        return Err(crate::error::Error::internal(format!(
            "an aggregate's state has {} rows for {groups} groups",
            array.len()
        )));
    }
    Ok(array.slice(start, groups - start))
}
