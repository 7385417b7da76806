//! Where an answer is written before it can be seen, and the step that shows it.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::local::Local;
use super::out::Out;
use super::part::Part;
use super::remote::Uploads;
use super::target::{Home, Target, WrittenFile};
use super::witness::{Intent, Noted};
use crate::error::Result;

/// Whether files may be shown, and until when that is to be done; asked when nothing is left to do but that.
pub type Go<'a> = &'a dyn Fn() -> Result<Option<Instant>>;

/// A place for files that nobody sees yet.
pub trait Place: Send + Sync {
    /// Begins a file; its name may have directories in it.
    fn create(&self, name: &str) -> io::Result<Out>;

    /// Where a file will be seen.
    fn shown(&self, name: &str) -> String;

    /// Makes the files, which are all closed, the target's. `go` is asked when nothing is left to do but that.
    fn commit(&self, names: &[String], go: Go<'_>) -> Result<()>;

    /// By what it will be known later whether these files, which are all closed, were shown.
    fn noted(&self, names: &[String]) -> Result<Noted>;

    /// Whoever still writes is to give up.
    fn stop(&self) {}
}

/// A write that is going on. What it staged is removed when nothing uses it any more.
pub struct Stage {
    pub target: Target,
    /// In the names of its files: no other write has it.
    id: String,
    /// The number of the first part file.
    first: usize,
    pub place: Box<dyn Place>,
}

impl Stage {
    /// Removes what killed processes left of writes to this target, and begins one. Blocks.
    pub fn begin(target: Target) -> Result<Self> {
        let id = unique();
        let (place, first): (Box<dyn Place>, usize) = match &target.home {
            Home::Local(path) => {
                let (place, first) = Local::begin(target.clone(), path.clone(), &id)?;
                (Box::new(place), first)
            }
            Home::Remote(remote) => {
                let (place, first) = Uploads::begin(target.clone(), remote.clone(), &id)?;
                (Box::new(place), first)
            }
        };
        Ok(Self { target, id, first, place })
    }

    /// Shows the files, if `go` allows it: it is asked when there is no way back. Blocks.
    pub fn commit(&self, mut parts: Vec<Part>, go: Go<'_>) -> Result<Vec<WrittenFile>> {
        if !self.target.partition_by.is_empty() {
            parts.sort_by(|one, other| one.name.cmp(&other.name));
        }
        let (names, files): (Vec<_>, Vec<_>) =
            parts.into_iter().map(|part| (part.name, part.written)).unzip();
        let Some(witness) = self.target.witness.clone() else {
            self.place.commit(&names, go)?;
            return Ok(files);
        };
        let noted = self.place.noted(&names)?;
        let intent = Intent { id: self.id.clone(), names: names.clone(), files: files.clone(), noted };
        self.place.commit(&names, &|| {
            witness.intends(&intent)?;
            go()
        })?;
        witness.shown(&files);
        Ok(files)
    }

    /// The name of a part file in a directory of the target. By name, parts are in the order of their numbers.
    pub fn part(&self, directory: &str, lane: usize, number: usize) -> String {
        let (lane, id, ending) = (self.first + lane, &self.id, self.target.ending());
        let slash = if directory.is_empty() { "" } else { "/" };
        if self.target.max_rows.is_none() && self.target.partition_by.is_empty() {
            return match number {
                0 => format!("part-{lane:05}-{id}{ending}"),
                // Behind the first one by name.
                more => format!("part-{lane:05}-{id}_{more:06}{ending}"),
            };
        }
        format!("{directory}{slash}part-{lane:05}-{id}-{number:06}{ending}")
    }
}

/// The number in the name of a part file.
pub fn part_number(name: &str) -> Option<usize> {
    name.strip_prefix("part-")?.split('-').next()?.parse().ok()
}

fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(NEXT.fetch_add(1, Ordering::Relaxed));
    hasher.write_u32(std::process::id());
    if let Ok(now) = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        hasher.write_u128(now.as_nanos());
    }
    format!("{:016x}", hasher.finish())
}
