//! What planning has come to, kept for the same question asked again.
//!
//! What is kept is a function of its key and of nothing else: no rows, no files, no statistics, no state of a run. Keys
//! are compared whole. What depends on more than the key is not kept.

mod found;
mod kept;
mod key;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::logical_expr::LogicalPlan;

use self::kept::Kept;
pub use self::key::Key;
use crate::error::Result;
use crate::io::source::SourceId;
use crate::plan::Node;
use crate::plan::lookup::Finds;
use crate::plan::node::Field;

/// Plans of one kind that a client keeps.
const MOST: usize = 256;

/// What the keys of one kind may take together. A plan takes some times as much as its key.
const MOST_BYTES: usize = 1 << 20;

/// A larger question is planned anew every time.
const LARGEST: usize = 64 << 10;

/// A plan that is ready to be lowered, without what belongs to one run of it.
#[derive(Clone)]
pub struct Rewritten {
    node: Arc<Node>,
    /// What its sources are called in it, in the order of the key's.
    pub sources: Arc<[SourceId]>,
    /// What stands for the tables it looks values up in, in the order of the key's.
    places: Arc<[Arc<dyn Finds>]>,
}

impl Rewritten {
    /// The plan with the tables of another run.
    pub fn node(&self, key: &Key) -> Result<Arc<Node>> {
        found::replaced(&self.node, &self.places, &key.tables)
    }
}

/// A query, and all that its meaning depends on: the names and types of its tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Query {
    pub text: Arc<str>,
    pub tables: Vec<(Arc<str>, SchemaRef)>,
}

impl Query {
    /// Bytes of it, roughly; its types are counted as if each were one of the simple ones.
    fn size(&self) -> usize {
        let columns = self.tables.iter().flat_map(|(_, schema)| schema.fields());
        self.text.len() + columns.map(|column| 32 + column.name().len()).sum::<usize>()
    }
}

/// How a query is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Manner {
    pub threads: usize,
    pub spills: bool,
}

/// The columns of a query's answer, and what they are called.
pub type Answers = Arc<(Vec<Field>, Vec<String>)>;

/// The plans that a client keeps.
pub struct Plans {
    rewritten: Kept<Box<[u8]>, Rewritten>,
    answers: Kept<Query, Answers>,
    queries: Kept<(Query, Manner), Arc<LogicalPlan>>,
}

impl Default for Plans {
    fn default() -> Self {
        Self {
            rewritten: Kept::new(MOST, MOST_BYTES),
            answers: Kept::new(MOST, MOST_BYTES),
            queries: Kept::new(MOST, MOST_BYTES),
        }
    }
}

impl Plans {
    /// The plan that was kept under this key.
    pub fn rewritten(&self, key: &Key) -> Option<Rewritten> {
        self.rewritten.get(&*key.bytes)
    }

    /// Keeps what the plan of this key was made into, unless it has a table that is not the key's.
    pub fn keep_rewritten(&self, key: Key, node: &Arc<Node>) {
        let Key { bytes, sources, tables } = key;
        let places = found::places(tables.len());
        let Ok(node) = found::replaced(node, &tables, &places) else { return };
        let size = bytes.len();
        self.rewritten.put(bytes, Rewritten { node, sources: sources.into(), places: places.into() }, size);
    }

    /// What a query answers, which `make` finds out where it is not known.
    pub fn answers(
        &self,
        query: &Query,
        make: impl FnOnce() -> Result<(Vec<Field>, Vec<String>)>,
    ) -> Result<Answers> {
        if let Some(known) = self.answers.get(query) {
            return Ok(known);
        }
        let made = Arc::new(make()?);
        if query.size() <= LARGEST {
            self.answers.put(query.clone(), made.clone(), query.size());
        }
        Ok(made)
    }

    /// The plan of a query, optimised over tables without rows.
    pub fn query(&self, asked: &(Query, Manner)) -> Option<Arc<LogicalPlan>> {
        self.queries.get(asked)
    }

    pub fn keep_query(&self, asked: (Query, Manner), plan: &Arc<LogicalPlan>) {
        let size = asked.0.size();
        if size <= LARGEST {
            self.queries.put(asked, plan.clone(), size);
        }
    }

    /// Lets go of all.
    pub fn clear(&self) {
        self.rewritten.clear();
        self.answers.clear();
        self.queries.clear();
    }
}
