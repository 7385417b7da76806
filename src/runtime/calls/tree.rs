//! The feed of a recursive run: a tree of inputs that grows as calls split theirs.
//!
//! A call on an input returns a value, or further inputs and what combines their results. Nobody waits in a worker for
//! the results of others: a node that was split is only a count of what is missing, so any number of workers, one too,
//! gets through any tree. The latest inputs go first, which keeps what waits at about depth times width.
//!
//! A worker that has seen that inputs are quick goes on into what it has split for up to 20 milliseconds, and hands back
//! what is left: a node with some results, some inputs, and nodes of the same kind below.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::feed::{Fed, Feed, Parcel};
use super::rows::SourceFeed;
use super::table::Table;
use super::values::Segment;
use crate::error::{Code, Error, Result};
use crate::worker::Blob;

type NodeId = usize;

/// What a worker says of each of a call's jobs, in order.
#[derive(Debug, Deserialize)]
struct Told {
    /// Null: a value, in one blob. A number: a split into so many inputs, each in a blob, after the blob of what
    /// combines them. A list: the same, with a 0 for an input, and else what has become of it already.
    splits: Vec<Value>,
    /// Inputs that were split, run and combined within the call, by their depth; and how many were split.
    #[serde(default)]
    widths: Vec<u64>,
    #[serde(default)]
    within: u64,
}

/// An input that a worker split another one into.
#[derive(Debug)]
enum Child {
    Input(Blob),
    Value(Blob),
    Split(Blob, Vec<Child>),
}

#[derive(Debug)]
struct Node {
    depth: u32,
    /// Who waits for its result, and in which place.
    waiting: Vec<(NodeId, usize)>,
    /// Of one that was split: what combines, and the results that are there.
    combine: Option<Blob>,
    parts: Vec<Option<Blob>>,
    missing: usize,
    result: Option<Blob>,
}

#[derive(Debug)]
enum Job {
    Input(NodeId, Blob),
    Combine(NodeId),
}

pub struct Tree {
    nodes: Vec<Node>,
    /// The last is the next.
    ready: Vec<Job>,
    running: HashMap<u64, NodeId>,
    next: u64,
    max_depth: u32,
    /// Whether workers may go on into what they have split.
    deep: bool,
    /// The nodes of inputs that were seen, where equal ones are to run once.
    seen: Option<HashMap<Arc<[u8]>, NodeId>>,
    /// Of a run over a source: its rows, before and after they are read.
    unread: Option<(SourceFeed, u64)>,
    table: Option<Table>,
    /// How many inputs there are at each depth, how many were split, how many found an equal one.
    widths: Vec<u64>,
    splits: u64,
    repeats: u64,
}

const ROOT: NodeId = 0;

/// Jobs of a call that may go on into what it splits: each has a share of its time.
const TOGETHER: usize = 8;

impl Tree {
    /// `memoised`: equal inputs run once.
    pub fn new(input: Blob, max_depth: u32, memoised: bool) -> Self {
        let mut tree = Self {
            nodes: Vec::new(),
            ready: Vec::new(),
            running: HashMap::new(),
            next: 0,
            max_depth,
            deep: false,
            seen: memoised.then(HashMap::new),
            unread: None,
            table: None,
            widths: Vec::new(),
            splits: 0,
            repeats: 0,
        };
        tree.plant(input, 0, None);
        tree
    }

    /// The tree of a run whose first input are all rows of a source, of so many bytes at most.
    pub fn over(source: SourceFeed, limit: u64, max_depth: u32, memoised: bool) -> Self {
        // Nothing to be read: a worker takes that for all rows.
        let tree = Self::new(Blob::Inline(Arc::from([])), max_depth, memoised);
        Self { unread: Some((source, limit)), ..tree }
    }

    /// Workers may go on into what they have split: where failures end the run anyway, and nobody times an input.
    pub fn deep(self, wanted: bool) -> Self {
        let deep = wanted && self.seen.is_none();
        Self { deep, ..self }
    }

    /// The shape of the tree, in words.
    pub fn described(&self) -> String {
        let inputs: u64 = self.widths.iter().sum();
        let widths: Vec<String> = self.widths.iter().map(u64::to_string).collect();
        let repeats = if self.seen.is_some() {
            format!(", {} equal to an earlier one", self.repeats)
        } else {
            String::new()
        };
        format!(
            "tree: {inputs} inputs, {} of them split{repeats}; by depth: {}",
            self.splits,
            widths.join(", ")
        )
    }

    fn plant(&mut self, input: Blob, depth: u32, parent: Option<(NodeId, usize)>) {
        if let Some(seen) = &mut self.seen {
            let key: Arc<[u8]> = input.bytes().into();
            if let Some(found) = seen.get(&key).copied() {
                self.repeats += 1;
                match (self.nodes[found].result.clone(), parent) {
                    (Some(result), Some(parent)) => self.give(parent, result),
                    (None, Some(parent)) => self.nodes[found].waiting.push(parent),
                    (_, None) => {}
                }
                return;
            }
            seen.insert(key, self.nodes.len());
        }
        let id = self.node(depth, parent);
        self.ready.push(Job::Input(id, input));
    }

    fn node(&mut self, depth: u32, parent: Option<(NodeId, usize)>) -> NodeId {
        self.nodes.push(Node {
            depth,
            waiting: parent.into_iter().collect(),
            combine: None,
            parts: Vec::new(),
            missing: 0,
            result: None,
        });
        self.count(depth as usize, 1);
        self.nodes.len() - 1
    }

    /// So many inputs at a depth.
    fn count(&mut self, depth: usize, inputs: u64) {
        if self.widths.len() <= depth {
            self.widths.resize(depth + 1, 0);
        }
        self.widths[depth] += inputs;
    }

    /// A node has its result: whoever waits for it gets it.
    fn resolve(&mut self, id: NodeId, result: Blob) {
        let waiting = std::mem::take(&mut self.nodes[id].waiting);
        for parent in waiting {
            self.give(parent, result.clone());
        }
        // Only one that others may still ask for, or the answer, is kept.
        if self.seen.is_some() || id == ROOT {
            self.nodes[id].result = Some(result);
        }
        self.nodes[id].parts = Vec::new();
        self.nodes[id].combine = None;
    }

    fn give(&mut self, (parent, place): (NodeId, usize), result: Blob) {
        let node = &mut self.nodes[parent];
        node.parts[place] = Some(result);
        node.missing -= 1;
        if node.missing == 0 {
            self.ready.push(Job::Combine(parent));
        }
    }

    fn split(&mut self, id: NodeId, combine: Blob, inputs: Vec<Child>) -> Result<()> {
        let depth = self.nodes[id].depth + 1;
        if depth > self.max_depth {
            let message = format!(
                "an input at depth {} was split again, and `maxDepth` is {}",
                depth - 1,
                self.max_depth
            );
            return Err(Error::new(Code::DepthExceeded, message)
                .hint(
                    "Make the operation return a value for inputs that are small enough, or raise `maxDepth`",
                )
                .detail("max_depth", self.max_depth));
        }
        self.splits += 1;
        let node = &mut self.nodes[id];
        node.combine = Some(combine);
        node.parts = vec![None; inputs.len()];
        node.missing = inputs.len();
        if inputs.is_empty() {
            self.ready.push(Job::Combine(id));
        }
        for (place, input) in inputs.into_iter().enumerate().rev() {
            match input {
                Child::Input(input) => self.plant(input, depth, Some((id, place))),
                Child::Value(result) => {
                    self.count(depth as usize, 1);
                    self.give((id, place), result);
                }
                Child::Split(combine, inputs) => {
                    let child = self.node(depth, Some((id, place)));
                    self.split(child, combine, inputs)?;
                }
            }
        }
        Ok(())
    }
}

/// What has become of a job or of an input, from the blobs that stand for it.
fn child(told: &Value, blobs: &mut impl Iterator<Item = Blob>) -> Result<Child> {
    let missing = || Error::internal("a worker sent fewer results than it said");
    let first = blobs.next().ok_or_else(missing)?;
    Ok(match told {
        Value::Null => Child::Value(first),
        Value::Array(inputs) => {
            let inputs = inputs.iter().map(|input| child(input, blobs)).collect::<Result<_>>()?;
            Child::Split(first, inputs)
        }
        told => match told.as_u64().and_then(|count| usize::try_from(count).ok()) {
            None => return Err(Error::internal("a worker's splits are not understood")),
            Some(0) => Child::Input(first),
            Some(count) => {
                let inputs: Vec<_> = blobs.by_ref().take(count).map(Child::Input).collect();
                if inputs.len() < count {
                    return Err(missing());
                }
                Child::Split(first, inputs)
            }
        },
    })
}

impl Feed for Tree {
    fn prepare(&mut self) -> Result<()> {
        if let Some((source, limit)) = self.unread.take() {
            self.table = Some(Table::read(source, limit)?);
        }
        Ok(())
    }

    fn next(&mut self, most: u64) -> Result<Fed> {
        if self.nodes[ROOT].result.is_some() {
            return Ok(Fed::Over);
        }
        if self.ready.is_empty() {
            if self.running.is_empty() {
                return Err(Error::new(
                    Code::OperationFailed,
                    "inputs that were split wait for each other in a circle, so none of them ever ends",
                )
                .hint(
                    "An input must not be split into one that needs it; without `cache` the depth ends this",
                ));
            }
            return Ok(Fed::Later);
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let most = if self.deep { most.min(TOGETHER) } else { most };
        let count = most.min(self.ready.len()).max(1);
        let first = self.next;
        let mut payload: Vec<Blob> = self.table.iter().map(|table| table.rows.clone()).collect();
        let mut jobs = Vec::with_capacity(count);
        let mut depths = Vec::with_capacity(count);
        for job in self.ready.split_off(self.ready.len() - count).into_iter().rev() {
            let id = match job {
                Job::Input(id, input) => {
                    payload.push(input);
                    jobs.push(json!(0));
                    id
                }
                Job::Combine(id) => {
                    let node = &mut self.nodes[id];
                    jobs.push(json!(1 + node.parts.len()));
                    payload.extend(node.combine.clone());
                    payload.extend(node.parts.iter().flatten().cloned());
                    id
                }
            };
            depths.push(self.nodes[id].depth);
            self.running.insert(self.next, id);
            self.next += 1;
        }
        let mut more = json!({ "jobs": jobs });
        if let Some(table) = &self.table {
            more["table"] = table.facts.clone();
        }
        if self.deep {
            more["depths"] = depths.into();
            more["deepest"] = self.max_depth.into();
            more["others"] = self.ready.len().into();
        }
        Ok(Fed::Parcel(Parcel { more, ..Parcel::of(first, count as u64, payload) }))
    }

    fn left(&self) -> Option<u64> {
        Some(self.ready.len() as u64)
    }

    fn grows(&self) -> bool {
        true
    }

    fn results(&mut self, segment: Segment) -> Result<Option<Segment>> {
        let told: Told = serde_json::from_value(segment.more)
            .map_err(|error| Error::internal(format!("a worker's splits are not understood: {error}")))?;
        let mut blobs = segment.blobs.into_iter();
        let missing = || Error::internal("a worker sent fewer results than it said");
        let ended =
            (segment.first..segment.first + segment.count).filter(|item| !segment.failed.contains(item));
        for (item, splits) in ended.zip(told.splits) {
            let id = self.running.remove(&item).ok_or_else(missing)?;
            match child(&splits, &mut blobs)? {
                Child::Value(result) => self.resolve(id, result),
                Child::Split(combine, inputs) => self.split(id, combine, inputs)?,
                Child::Input(_) => return Err(Error::internal("a worker sent a job back")),
            }
        }
        self.splits += told.within;
        for (depth, inputs) in told.widths.into_iter().enumerate().filter(|(_, inputs)| *inputs > 0) {
            self.count(depth, inputs);
        }
        let Some(result) = self.nodes[ROOT].result.clone() else { return Ok(None) };
        let more = json!({ "note": self.described() });
        Ok(Some(Segment { more, ..Segment::of(0, 1, vec![result]) }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use proptest::prelude::*;

    use super::*;

    fn blob(text: &str) -> Blob {
        Blob::new(text.as_bytes()).unwrap()
    }

    fn text(blob: &Blob) -> String {
        String::from_utf8(blob.bytes().to_vec()).unwrap()
    }

    /// Runs a tree as workers would: `fib(n)` for the input `n`. Returns the answer and the number of jobs.
    fn run(n: u64, batch: u64, memoised: bool, max_depth: u32) -> Result<(String, u64)> {
        let mut tree = Tree::new(blob(&n.to_string()), max_depth, memoised);
        let mut jobs_done = 0;
        loop {
            let parcel = match tree.next(batch)? {
                Fed::Parcel(parcel) => parcel,
                Fed::Later => panic!("nothing runs, so nothing can come later"),
                Fed::Over | Fed::Last(_) => panic!("the answer was not given"),
            };
            let jobs = parcel.more["jobs"].as_array().unwrap().clone();
            jobs_done += jobs.len() as u64;
            let mut payload = parcel.payload.into_iter();
            let (mut blobs, mut splits) = (Vec::new(), Vec::new());
            for job in jobs {
                let parts = job.as_u64().unwrap();
                let first = payload.next().unwrap();
                if parts > 0 {
                    let sum: u64 =
                        (1..parts).map(|_| text(&payload.next().unwrap()).parse::<u64>().unwrap()).sum();
                    blobs.push(blob(&sum.to_string()));
                    splits.push(json!(null));
                    continue;
                }
                let input: u64 = text(&first).parse().unwrap();
                if input < 2 {
                    blobs.push(first);
                    splits.push(json!(null));
                } else {
                    blobs.push(blob("sum"));
                    blobs.extend([blob(&(input - 1).to_string()), blob(&(input - 2).to_string())]);
                    splits.push(json!(2));
                }
            }
            let more = json!({ "splits": splits });
            let segment = Segment { more, ..Segment::of(parcel.first, parcel.count, blobs) };
            if let Some(answer) = tree.results(segment)? {
                assert!(matches!(tree.next(1)?, Fed::Over));
                return Ok((text(&answer.blobs[0]), jobs_done));
            }
        }
    }

    proptest! {
        #[test]
        fn a_tree_comes_to_the_same_answer_in_any_batches(n in 0_u64..15, batch in 1_u64..50, memoised: bool) {
            let mut pair = (0_u64, 1_u64);
            for _ in 0..n { pair = (pair.1, pair.0 + pair.1); }
            let (answer, jobs) = run(n, batch, memoised, 20).unwrap();
            prop_assert_eq!(answer, pair.0.to_string());
            if memoised { prop_assert!(jobs <= 2 * n + 2); }
        }
    }

    #[test]
    fn too_deep_a_tree_is_refused() {
        assert_eq!(run(9, 4, false, 7).unwrap_err().code(), Code::DepthExceeded);
        assert!(run(8, 4, false, 7).is_ok());
    }

    #[test]
    fn inputs_that_wait_for_each_other_are_found_out() {
        let mut tree = Tree::new(blob("a"), 10, true);
        for _ in 0..2 {
            let Ok(Fed::Parcel(parcel)) = tree.next(1) else { panic!("there is a job") };
            let other = if text(&parcel.payload[0]) == "a" { "b" } else { "a" };
            let blobs = vec![blob("sum"), blob(other)];
            let more = json!({ "splits": [1] });
            let segment = Segment { more, ..Segment::of(parcel.first, 1, blobs) };
            assert!(tree.results(segment).unwrap().is_none());
        }
        assert!(tree.next(1).unwrap_err().sentence().contains("circle"));
    }
}
