//! The table of a join: from a key to the rows that have it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::keys::Keys;
use super::runs::{self, Runs};
use crate::engine::control::Control;
use crate::engine::group::intern::{AHEAD, mix, prefetch};
use crate::error::{Code, Error, Result};
use crate::memory::advise_huge;

/// No row.
pub const NONE: u32 = u32::MAX;

/// How many rows are worked on before somebody's wish to stop is looked at.
const PATIENCE: usize = 1 << 20;

#[derive(Clone, Copy)]
struct WordSlot {
    word: u64,
    head: u32,
}

#[derive(Clone, Copy)]
struct HashSlot {
    tag: u32,
    head: u32,
}

/// Rows by key. A key leads to a place, which leads to a row and to the next place of the same key.
pub struct JoinTable {
    rows: usize,
    lookup: Lookup,
    /// No key has two rows: places are rows.
    unique: bool,
    /// Behind every row the next one of the same key; `None` where no key has two, or where they are in runs.
    next: Option<Vec<AtomicU32>>,
    /// The place of the rows without a key, where that is one column.
    missing: u32,
    /// The rows' keys, where slots do not hold them.
    keys: Option<Keys>,
}

enum Lookup {
    /// Every row is a partner: there are no keys.
    All,
    /// `heads[word - least]`
    Direct {
        least: u64,
        heads: Vec<u32>,
    },
    /// The rows of `word` are `runs.rows[runs.starts[word - least]..runs.starts[word - least + 1]]`.
    Runs {
        least: u64,
        runs: Runs,
    },
    /// Open addressing, in shards of a power of two each, by the upper bits of the hash.
    Words(Vec<Vec<WordSlot>>),
    Hashed(Vec<Vec<HashSlot>>),
}

fn shard(hash: u64, shards: usize) -> usize {
    // One or a power of two.
    (((hash >> 40) as usize) * shards) >> 24
}

fn capacity(rows: usize) -> usize {
    (rows * 2).next_power_of_two().max(16)
}

impl JoinTable {
    /// Bytes that a table of so many rows takes at most.
    pub fn estimate(rows: usize, single_word: bool) -> usize {
        let slot = if single_word { size_of::<WordSlot>() } else { size_of::<HashSlot>() };
        capacity(rows) * slot + rows * (size_of::<u32>() + size_of::<u64>())
    }

    pub fn new(keys: Keys, threads: usize, control: &Control) -> Result<Self> {
        let rows = keys.rows;
        if rows >= NONE as usize {
            return Err(Error::new(
                Code::OutOfMemory,
                "the side of a join that is collected has more than four thousand million rows",
            )
            .hint("Filter or aggregate it first"));
        }
        if keys.columns.is_empty() {
            let unique = rows <= 1;
            return Ok(Self { rows, lookup: Lookup::All, unique, next: None, missing: NONE, keys: None });
        }
        if let Some(table) = Self::by_place(&keys, threads, control)? {
            return Ok(table);
        }
        let next: Vec<AtomicU32> = (0..rows).map(|_| AtomicU32::new(NONE)).collect();
        let several = AtomicBool::new(false);
        let threads = if rows < PATIENCE { 1 } else { threads.next_power_of_two().min(64) };
        let mut missing = NONE;
        let lookup = match keys.words() {
            Some((words, column)) => {
                if column.has_missing() {
                    for row in (0..rows).rev().filter(|row| column.is_missing(*row)) {
                        chain(&mut missing, row, &next, &several);
                    }
                }
                let skips = |row: usize| column.has_missing() && column.is_missing(row);
                Lookup::Words(by_words(words, &next, &several, threads, skips, control)?)
            }
            None => Lookup::Hashed(by_hash(&keys, &next, &several, threads, control)?),
        };
        let keep = matches!(lookup, Lookup::Hashed(_)).then_some(keys);
        let next = several.into_inner().then_some(next);
        Ok(Self { rows, lookup, unique: next.is_none(), next, missing, keys: keep })
    }

    /// The table that is addressed by the keys themselves, where they are numbers close to each other.
    fn by_place(keys: &Keys, threads: usize, control: &Control) -> Result<Option<Self>> {
        let Some((words, column)) = keys.words() else { return Ok(None) };
        let rows = keys.rows;
        let skips = |row: usize| column.has_missing() && column.is_missing(row);
        let threads = if rows < PATIENCE { 1 } else { threads };
        let Some((least, size)) = direct_range(words, skips).filter(|_| rows < runs::MOST) else {
            return Ok(None);
        };
        let without_key: Vec<u32> = match column.has_missing() {
            true => (0..rows as u32).filter(|row| column.is_missing(*row as usize)).collect(),
            false => Vec::new(),
        };
        let table = |lookup, unique, missing| Self { rows, lookup, unique, next: None, missing, keys: None };
        if without_key.len() <= 1
            && let Some(heads) = direct(words, (least, size), threads, skips, control)?
        {
            let missing = without_key.first().copied().unwrap_or(NONE);
            return Ok(Some(table(Lookup::Direct { least, heads }, true, missing)));
        }
        let (runs, missing) = Runs::new(words, (least, size), &without_key, threads, skips, control)?;
        Ok(Some(table(Lookup::Runs { least, runs }, false, missing)))
    }

    /// No key has two rows.
    pub fn is_unique(&self) -> bool {
        self.unique
    }

    /// The row at a place.
    #[inline(always)]
    pub fn row(&self, place: u32) -> u32 {
        match &self.lookup {
            Lookup::Runs { runs, .. } => runs.row(place),
            _ => place,
        }
    }

    /// The place after this one of the same key, or [`NONE`].
    #[inline(always)]
    pub fn after(&self, place: u32) -> u32 {
        match (&self.lookup, &self.next) {
            (Lookup::Runs { runs, .. }, _) => runs.after(place),
            (Lookup::All, _) if place as usize + 1 < self.rows => place + 1,
            (_, Some(next)) => next[place as usize].load(Ordering::Relaxed),
            _ => NONE,
        }
    }

    /// Replaces `heads` by the first place of each key, or [`NONE`].
    pub fn find(&self, keys: &Keys, heads: &mut Vec<u32>) {
        heads.clear();
        heads.reserve(keys.rows);
        match &self.lookup {
            Lookup::All => heads.resize(keys.rows, if self.rows == 0 { NONE } else { 0 }),
            Lookup::Direct { least, heads: first } => {
                let Some((words, column)) = keys.words() else { return heads.resize(keys.rows, NONE) };
                let find = |word: &u64| {
                    let place = word.wrapping_sub(*least);
                    if place < first.len() as u64 { first[place as usize] } else { NONE }
                };
                heads.extend(words.iter().map(find));
                self.missing_heads(column, heads);
            }
            Lookup::Runs { least, runs } => {
                let Some((words, column)) = keys.words() else { return heads.resize(keys.rows, NONE) };
                heads.extend(words.iter().map(|word| runs.first(word.wrapping_sub(*least))));
                self.missing_heads(column, heads);
            }
            Lookup::Words(shards) => {
                let Some((words, column)) = keys.words() else { return heads.resize(keys.rows, NONE) };
                for (row, word) in words.iter().enumerate() {
                    if let Some(ahead) = words.get(row + AHEAD) {
                        let hash = mix(*ahead, 0);
                        let slots = &shards[shard(hash, shards.len())];
                        prefetch(slots, hash as usize & (slots.len() - 1));
                    }
                    let hash = mix(*word, 0);
                    let slots = &shards[shard(hash, shards.len())];
                    let mut place = hash as usize & (slots.len() - 1);
                    heads.push(loop {
                        let slot = slots[place];
                        if slot.head == NONE || slot.word == *word {
                            break slot.head;
                        }
                        place = (place + 1) & (slots.len() - 1);
                    });
                }
                self.missing_heads(column, heads);
            }
            Lookup::Hashed(shards) => {
                let Some(own) = &self.keys else { return heads.resize(keys.rows, NONE) };
                let hashes = keys.hashes();
                for (row, hash) in hashes.iter().enumerate() {
                    if let Some(ahead) = hashes.get(row + AHEAD) {
                        let slots = &shards[shard(*ahead, shards.len())];
                        prefetch(slots, *ahead as usize & (slots.len() - 1));
                    }
                    let slots = &shards[shard(*hash, shards.len())];
                    let (_, head) = search(slots, *hash, |head| own.same(head as usize, keys, row));
                    heads.push(head);
                }
            }
        }
    }

    fn missing_heads(&self, column: &super::keys::KeyColumn, heads: &mut [u32]) {
        if column.has_missing() {
            for (row, head) in heads.iter_mut().enumerate() {
                if column.is_missing(row) {
                    *head = self.missing;
                }
            }
        }
    }

    pub fn size(&self) -> usize {
        let lookup = match &self.lookup {
            Lookup::All => 0,
            Lookup::Direct { heads, .. } => size_of_val(heads.as_slice()),
            Lookup::Runs { runs, .. } => runs.size(),
            Lookup::Words(shards) => shards.iter().map(|slots| size_of_val(slots.as_slice())).sum(),
            Lookup::Hashed(shards) => shards.iter().map(|slots| size_of_val(slots.as_slice())).sum(),
        };
        let next = self.next.as_ref().map_or(0, |next| size_of_val(next.as_slice()));
        lookup + next + self.keys.as_ref().map_or(0, Keys::size)
    }
}

/// Puts a row before those that its key has already: rows come last to first.
#[inline(always)]
fn chain(head: &mut u32, row: usize, next: &[AtomicU32], several: &AtomicBool) {
    if *head != NONE {
        next[row].store(*head, Ordering::Relaxed);
        several.store(true, Ordering::Relaxed);
    }
    *head = row as u32;
}

/// The least word and how many from it on, where a table by the words themselves is not much larger than the rows.
fn direct_range(words: &[u64], skips: impl Fn(usize) -> bool) -> Option<(u64, usize)> {
    let there = words.iter().enumerate().filter(|(row, _)| !skips(*row)).map(|(_, word)| *word as i64);
    let (least, most) = there.fold((i64::MAX, i64::MIN), |(a, b), word| (a.min(word), b.max(word)));
    if least > most {
        return None;
    }
    let size = most.wrapping_sub(least) as u64;
    (size < words.len() as u64 * 4 + 1024).then_some((least as u64, size as usize + 1))
}

/// The row of every word; `None` where one has two.
fn direct(
    words: &[u64],
    (least, size): (u64, usize),
    threads: usize,
    skips: impl Fn(usize) -> bool + Sync,
    control: &Control,
) -> Result<Option<Vec<u32>>> {
    let mut heads = vec![NONE; size];
    let several = AtomicBool::new(false);
    let per = size.div_ceil(threads).max(1);
    let parts: Vec<_> = heads.chunks_mut(per).enumerate().collect();
    let (several, skips) = (&several, &skips);
    each(parts, |(number, part)| {
        let from = least.wrapping_add((number * per) as u64);
        for (row, word) in words.iter().enumerate() {
            look(control, row)?;
            let place = word.wrapping_sub(from);
            if place < part.len() as u64 && !skips(row) {
                if part[place as usize] != NONE {
                    several.store(true, Ordering::Relaxed);
                    return Ok(());
                }
                part[place as usize] = row as u32;
            }
        }
        Ok(())
    })?;
    Ok((!several.load(Ordering::Relaxed)).then_some(heads))
}

fn by_words(
    words: &[u64],
    next: &[AtomicU32],
    several: &AtomicBool,
    shards: usize,
    skips: impl Fn(usize) -> bool + Sync,
    control: &Control,
) -> Result<Vec<Vec<WordSlot>>> {
    let counts = counts(words.iter().map(|word| mix(*word, 0)), shards);
    let empty = WordSlot { word: 0, head: NONE };
    let mut made: Vec<Vec<WordSlot>> = counts.iter().map(|rows| vec![empty; capacity(*rows)]).collect();
    let skips = &skips;
    each(made.iter_mut().enumerate().collect(), |(number, slots)| {
        advise_huge(slots);
        let mask = slots.len() - 1;
        for row in (0..words.len()).rev() {
            look(control, row)?;
            if row >= AHEAD {
                let ahead = mix(words[row - AHEAD], 0);
                if shard(ahead, shards) == number {
                    prefetch(slots, ahead as usize & mask);
                }
            }
            let (word, hash) = (words[row], mix(words[row], 0));
            if shard(hash, shards) != number || skips(row) {
                continue;
            }
            let mut place = hash as usize & mask;
            while slots[place].head != NONE && slots[place].word != word {
                place = (place + 1) & mask;
            }
            slots[place].word = word;
            chain(&mut slots[place].head, row, next, several);
        }
        Ok(())
    })?;
    Ok(made)
}

fn by_hash(
    keys: &Keys,
    next: &[AtomicU32],
    several: &AtomicBool,
    shards: usize,
    control: &Control,
) -> Result<Vec<Vec<HashSlot>>> {
    let hashes = keys.hashes();
    let counts = counts(hashes.iter().copied(), shards);
    let empty = HashSlot { tag: 0, head: NONE };
    let mut made: Vec<Vec<HashSlot>> = counts.iter().map(|rows| vec![empty; capacity(*rows)]).collect();
    let hashes = &hashes;
    each(made.iter_mut().enumerate().collect(), |(number, slots)| {
        advise_huge(slots);
        let mask = slots.len() - 1;
        for row in (0..hashes.len()).rev() {
            look(control, row)?;
            if row >= AHEAD && shard(hashes[row - AHEAD], shards) == number {
                prefetch(slots, hashes[row - AHEAD] as usize & mask);
            }
            let hash = hashes[row];
            if shard(hash, shards) != number {
                continue;
            }
            let (place, _) = search(slots, hash, |head| keys.same(head as usize, keys, row));
            slots[place].tag = tag(hash);
            chain(&mut slots[place].head, row, next, several);
        }
        Ok(())
    })?;
    Ok(made)
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The slot of a key and the first row there; `same` is asked where the tags agree.
#[inline(always)]
fn search(slots: &[HashSlot], hash: u64, same: impl Fn(u32) -> bool) -> (usize, u32) {
    let mask = slots.len() - 1;
    let mut place = hash as usize & mask;
    loop {
        let slot = slots[place];
        if slot.head == NONE || slot.tag == tag(hash) && same(slot.head) {
            return (place, slot.head);
        }
        place = (place + 1) & mask;
    }
}

fn counts(hashes: impl Iterator<Item = u64>, shards: usize) -> Vec<usize> {
    let mut counts = vec![0; shards];
    for hash in hashes {
        counts[shard(hash, shards)] += 1;
    }
    counts
}

#[inline(always)]
pub(super) fn look(control: &Control, row: usize) -> Result<()> {
    if row.is_multiple_of(PATIENCE) { control.check() } else { Ok(()) }
}

/// Does the work of every part, each on a thread of its own where there are several.
pub(super) fn each<T: Send>(parts: Vec<T>, work: impl Fn(T) -> Result<()> + Sync) -> Result<()> {
    if parts.len() == 1 {
        return parts.into_iter().try_for_each(work);
    }
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = parts.into_iter().map(|part| scope.spawn(move || work(part))).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(Error::internal("a thread of the engine panicked")))
        })
    })
}
