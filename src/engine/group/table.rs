//! One thread's groups: keys interned to group numbers, and the aggregates' state by group number.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::UInt32Type;

use super::ascending::Ascending;
use super::codes::Codes;
use super::intern::{Interner, interner, interner_of_share};
use super::narrow::narrowed;
use super::pairs::Pairs;
use super::words::Words;
use super::{GroupSpec, Unit};
use crate::error::Result;
use crate::plan::reduce::{Batch, combined};

/// Groups by number. Number 0 is the missing key where there is one key, the only group where there is
/// none, and rows to be left out where there are several.
pub struct GroupTable {
    spec: Arc<GroupSpec>,
    /// One a key: what gives its values ids. None where the key comes as ids ([`super::numbers`]).
    interners: Vec<Option<Box<dyn Interner>>>,
    numbering: Numbering,
    units: Vec<Unit>,
    /// Rows of the dictionary that is being read, where its codes serve as groups.
    codes: Option<Codes>,
    /// Position of each group's first row, where that is asked for.
    first: Option<Vec<i64>>,
    /// A row with number 0 was seen.
    zero: bool,
    /// A row reached it.
    used: bool,
    /// How many rows were added, those of other tables not counted.
    rows: usize,
    groups: Vec<u32>,
    ids: Vec<u32>,
}

/// How ids of several keys become one number.
enum Numbering {
    /// There is one key, or none.
    Direct,
    /// `pairs[i]` pairs the numbers so far with the ids of key `i + 1`: fast while there are few of each.
    Pairs(Vec<Pairs>),
    Words(Words),
}

/// All groups of a table, as Arrow data.
pub struct Partial {
    pub keys: Vec<ArrayRef>,
    pub rows: usize,
    /// One entry a unit of aggregates.
    pub states: Vec<Vec<ArrayRef>>,
    pub first: Option<Int64Array>,
}

impl Partial {
    /// Some of the groups, which lie together.
    pub fn slice(&self, from: usize, rows: usize) -> Self {
        let cut = |columns: &Vec<ArrayRef>| columns.iter().map(|column| column.slice(from, rows)).collect();
        Self {
            keys: cut(&self.keys),
            rows,
            states: self.states.iter().map(cut).collect(),
            first: self.first.as_ref().map(|first| first.slice(from, rows)),
        }
    }
}

/// The finished groups of a table.
pub struct Finished {
    pub keys: Vec<ArrayRef>,
    pub values: Vec<ArrayRef>,
    /// Positions of first rows.
    pub first: Option<ArrayRef>,
}

impl Finished {
    /// The same with whole numbers in as few bytes as they need. Positions are let go before the rest: in blocks of
    /// another size they do not leave holes between those that stay.
    pub fn narrowed(mut self) -> Self {
        self.values = self.values.into_iter().map(narrowed).collect();
        self.first = self.first.map(narrowed);
        self
    }
}

impl GroupTable {
    /// A thread's own table.
    pub fn new(spec: Arc<GroupSpec>) -> Result<Self> {
        let numbering = match spec.keys.len() {
            0 | 1 => Numbering::Direct,
            several => Numbering::Pairs((1..several).map(|_| Pairs::new()).collect()),
        };
        let codes = Codes::new(&spec)?;
        Self::with(spec, None, numbering, codes)
    }

    /// The table of a share, in which some keys come as ids.
    pub fn of_share(spec: Arc<GroupSpec>, numbered: &[bool]) -> Result<Self> {
        let numbering = match spec.keys.len() {
            0 | 1 => Numbering::Direct,
            several => Numbering::Words(Words::new(several)),
        };
        Self::with(spec, Some(numbered), numbering, None)
    }

    fn with(
        spec: Arc<GroupSpec>,
        of_share: Option<&[bool]>,
        numbering: Numbering,
        codes: Option<Codes>,
    ) -> Result<Self> {
        let interners = spec.keys.iter().enumerate().map(|(number, key)| match of_share {
            Some(numbered) if numbered.get(number) == Some(&true) => Ok(None),
            Some(_) => interner_of_share(&key.arrow).map(Some),
            None => interner(&key.arrow).map(Some),
        });
        let interners = interners.collect::<Result<Vec<_>>>()?;
        let first = spec.needs_first().then(Vec::new);
        let units = spec.units()?;
        let (groups, ids) = (Vec::new(), Vec::new());
        Ok(Self {
            spec,
            interners,
            numbering,
            units,
            codes,
            first,
            zero: false,
            used: false,
            rows: 0,
            groups,
            ids,
        })
    }

    /// No row ever reached it.
    pub fn is_empty(&self) -> bool {
        !self.used
    }

    /// One past the highest group number; what an open dictionary holds is not counted.
    pub fn len(&self) -> usize {
        match (&self.numbering, self.interners.as_slice()) {
            (Numbering::Pairs(pairs), _) => pairs.last().map_or(1, Pairs::height),
            (Numbering::Words(words), _) => words.height(),
            (Numbering::Direct, [Some(interner)]) => interner.height(),
            (Numbering::Direct, _) => 1,
        }
    }

    /// How many rows were added to it.
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn size(&self) -> usize {
        let numbering = match &self.numbering {
            Numbering::Direct => 0,
            Numbering::Pairs(pairs) => pairs.iter().map(Pairs::size).sum::<usize>(),
            Numbering::Words(words) => words.size(),
        };
        self.interners.iter().flatten().map(|interner| interner.size()).sum::<usize>()
            + numbering
            + self.units.iter().map(|unit| unit.reduce.size()).sum::<usize>()
            + self.codes.as_ref().map_or(0, Codes::size)
            + self.first.as_ref().map_or(0, |first| first.capacity() * size_of::<i64>())
    }

    /// For each key how many values it has, and one more.
    pub fn heights(&self) -> Vec<usize> {
        self.interners
            .iter()
            .map(|interner| interner.as_ref().map_or(0, |interner| interner.height()))
            .collect()
    }

    /// Its keys, if they came in ascending order and its aggregates are cheap to hand over.
    pub fn ascending(&self) -> Option<Ascending<'_>> {
        match self.interners.as_slice() {
            [Some(interner)] if self.units.iter().all(|unit| unit.reduce.is_flat()) => interner.ascending(),
            _ => None,
        }
    }

    /// Makes room for so many rows, each a new group, where there is one key.
    pub fn reserve(&mut self, rows: usize) {
        if let [Some(interner)] = self.interners.as_mut_slice() {
            interner.reserve(rows);
        }
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
        self.rows += rows;
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

    /// Sets `groups` to each row's group number.
    fn number(&mut self, keys: &[ArrayRef], rows: usize) -> Result<()> {
        let dropna = self.spec.dropna;
        let groups = &mut self.groups;
        match &mut self.numbering {
            Numbering::Direct => match self.interners.as_mut_slice() {
                [Some(interner)] => {
                    interner.intern(&keys[0], groups)?;
                    if !self.zero && !dropna {
                        self.zero = groups.contains(&0);
                    }
                }
                _ => {
                    groups.clear();
                    groups.resize(rows, 0);
                }
            },
            Numbering::Pairs(pairs) => {
                let mut interners = self.interners.iter_mut().flatten();
                let Some(first) = interners.next() else { return Ok(()) };
                first.intern(&keys[0], groups)?;
                let mut height = first.height();
                for ((interner, pairs), key) in interners.zip(pairs).zip(&keys[1..]) {
                    interner.intern(key, &mut self.ids)?;
                    pairs.number(groups, &self.ids, (height, interner.height()), dropna)?;
                    height = pairs.height();
                }
            }
            Numbering::Words(words) => {
                let mut interned: Vec<Vec<u32>> = Vec::with_capacity(keys.len());
                for (interner, key) in self.interners.iter_mut().zip(keys) {
                    let mut ids = Vec::new();
                    if let Some(interner) = interner {
                        interner.intern(key, &mut ids)?;
                    }
                    interned.push(ids);
                }
                let columns = self.interners.iter().zip(keys).zip(&interned);
                let columns: Vec<&[u32]> = columns
                    .map(|((interner, key), ids)| match interner {
                        Some(_) => ids.as_slice(),
                        None => &key.as_primitive::<UInt32Type>().values()[..],
                    })
                    .collect();
                words.number(&columns, groups, dropna)?;
            }
        }
        Ok(())
    }

    /// Number 0 is a group of the answer: the only one, or that of the missing key.
    fn starts_at(&self) -> usize {
        let zero = self.interners.is_empty() || self.zero;
        usize::from(!zero)
    }

    /// For each key the id of its value in each group from `start` on.
    fn key_ids(&self, start: usize) -> Vec<Vec<u32>> {
        let pairs = match &self.numbering {
            Numbering::Direct => {
                return vec![(start as u32..self.len() as u32).collect(); self.interners.len()];
            }
            Numbering::Words(words) => {
                return (0..self.interners.len()).map(|key| words.ids(key, start).collect()).collect();
            }
            Numbering::Pairs(pairs) => pairs,
        };
        let mut columns = vec![Vec::new(); self.interners.len()];
        let mut numbers: Vec<u32> = (start as u32..self.len() as u32).collect();
        for (position, pairs) in pairs.iter().enumerate().rev() {
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
        if let [Some(interner)] = self.interners.as_slice() {
            let values = interner.values()?;
            return Ok(vec![values.slice(start, values.len() - start)]);
        }
        let columns = self.interners.iter().zip(self.key_ids(start));
        columns
            .map(|(interner, ids)| {
                let ids = UInt32Array::from(ids);
                Ok(match interner {
                    Some(interner) => take(&interner.values()?, &ids, None)?,
                    None => Arc::new(ids),
                })
            })
            .collect()
    }

    fn first_positions(&mut self, start: usize) -> Option<Int64Array> {
        let groups = self.len();
        self.first.take().map(|mut first| {
            first.resize(groups, i64::MAX);
            Int64Array::from(first.split_off(start))
        })
    }

    /// Everything, to be merged into other tables.
    pub fn export(mut self) -> Result<Partial> {
        self.settle()?;
        let start = self.starts_at();
        let groups = self.len();
        let keys = self.key_arrays(start)?;
        let first = self.first_positions(start);
        let mut states = Vec::with_capacity(self.units.len());
        for unit in &mut self.units {
            let state = unit.reduce.state()?;
            // A group that no row of which reached the aggregate yet has no state row.
            let state = state.iter().map(|array| padded(array, groups, start)).collect::<Result<Vec<_>>>()?;
            states.push(state);
        }
        Ok(Partial { keys, rows: groups - start, states, first })
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
        Ok(Finished { keys, values, first: first.map(|first| Arc::new(first) as ArrayRef) })
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
