//! The sources that a plan reads, by ids that no two sources of the process share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::Source;
use crate::error::{Code, Error, Result};

/// What a plan's scans call a source; the same source opened again has another one.
pub type SourceId = usize;

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The client that a source was opened by.
#[derive(Clone)]
pub struct Owner {
    pub closed: Arc<AtomicBool>,
    pub pid: u32,
}

/// Sources by id. Cheap to clone.
#[derive(Clone, Default)]
pub struct Sources(Arc<BTreeMap<SourceId, (Source, Option<Owner>)>>);

impl Sources {
    /// A source that was just opened, and its id. Tables in memory belong to nobody.
    pub fn only(source: Source, owner: Option<Owner>) -> (SourceId, Self) {
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        (id, Self(Arc::new(BTreeMap::from([(id, (source, owner))]))))
    }

    pub fn get(&self, id: SourceId) -> Result<&Source> {
        self.0
            .get(&id)
            .map(|(source, _)| source)
            .ok_or_else(|| Error::internal("a plan over a source that is not there"))
    }

    /// The same with another source in the place of one.
    pub fn replaced(&self, id: SourceId, source: Source) -> Self {
        let mut all = (*self.0).clone();
        if let Some((known, _)) = all.get_mut(&id) {
            *known = source;
        }
        Self(Arc::new(all))
    }

    /// Those of some ids, each under another id instead.
    pub fn called(&self, ids: &[SourceId], others: &[SourceId]) -> Result<Self> {
        let unknown = || Error::internal("a plan over a source that is not there");
        if ids.len() != others.len() {
            return Err(unknown());
        }
        let known = ids.iter().zip(others).map(|(id, other)| Some((*other, self.0.get(id)?.clone())));
        Ok(Self(Arc::new(known.collect::<Option<_>>().ok_or_else(unknown)?)))
    }

    /// Whether one of them is a table in memory.
    pub fn any_in_memory(&self) -> bool {
        self.0.values().any(|(source, _)| matches!(source, Source::Memory(_)))
    }

    /// Refuses sources whose client is closed, or lives in another process.
    pub fn check(&self) -> Result<()> {
        if self.0.values().any(|(source, _)| source.is_pending()) {
            return Err(Error::internal("a source whose files are not opened yet"));
        }
        let mut owners = self.0.values().filter_map(|(_, owner)| owner.as_ref());
        if owners.clone().any(|owner| owner.pid != std::process::id()) {
            return Err(Error::new(
                Code::InvalidTask,
                "a table of this operation was opened before the process forked",
            )
            .hint("Open it with `client.table(...)` of a client of this process"));
        }
        if owners.any(|owner| owner.closed.load(Ordering::Relaxed)) {
            return Err(Error::new(
                Code::InvalidTask,
                "a table of this operation belongs to a closed client",
            )
            .hint("Open it again with `client.table(...)` of a client that is open"));
        }
        Ok(())
    }

    /// What each is, by its id.
    pub fn identities(&self) -> Result<Vec<(SourceId, String)>> {
        self.0.iter().map(|(id, (source, _))| Ok((*id, source.identity()?))).collect()
    }

    /// What tells them from most others at once.
    pub fn sketch(&self, to: &mut impl std::hash::Hasher) {
        self.0.values().for_each(|(source, _)| source.sketch(to));
    }

    /// Adds those of `other`.
    pub fn unite(&mut self, other: &Self) {
        if Arc::ptr_eq(&self.0, &other.0) || other.0.keys().all(|id| self.0.contains_key(id)) {
            return;
        }
        Arc::make_mut(&mut self.0).extend(other.0.iter().map(|(id, known)| (*id, known.clone())));
    }
}
