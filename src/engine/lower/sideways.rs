//! What the two sides of a join learn of each other, and which of them comes first.

use std::sync::Arc;

use super::Lowering;
use super::push::{Reach, push};
use crate::engine::group::limit;
use crate::engine::join::filter::KeyFilter;
use crate::plan::lookup::{Found, LOOKUP, Table};
use crate::plan::node::{Join, JoinKind, JoinSide};
use crate::plan::{DType, Expr, Node};

/// A side of fewer rows than this is collected first, whatever the other one has.
pub const FEW: f64 = limit(32 * 1024, 4) as f64;
/// With so many times the rows of the side that is collected, the one that streams is not worth a try.
const MANY: f64 = 8.0;

/// The inputs of a join with filters for keys in their scans.
pub struct Sideways {
    /// The side that streams, and the one that is collected.
    pub inputs: [Arc<Node>; 2],
    /// For each of them: the number of the key, and its filter.
    pub filters: [Vec<(usize, Arc<KeyFilter>)>; 2],
    /// The side that streams is read first, up to so many rows.
    pub begin: Option<usize>,
}

impl Lowering {
    pub(super) fn sideways(&self, join: &Join, sides: [JoinSide; 2]) -> Sideways {
        let [probe, build] = sides.map(|side| filtered(join, side));
        let (streams, collected) = (self.rows(&probe.0), self.rows(&build.0));
        let read = self.read(&build.0);
        let try_first = !build.1.is_empty() && read >= FEW && collected >= FEW;
        // Rows that are not collected in the end cost something all the same, where a scan does not leave them out.
        let cost = collected.max(read / MANY);
        let begin = match try_first && streams <= collected * MANY {
            false => None,
            true if streams < cost => Some(cost as usize),
            // It is a guess: it may turn out to be small all the same.
            true => Some(collected as usize / 4),
        };
        Sideways { inputs: [probe.0, build.0], filters: [probe.1, build.1], begin }
    }
}

/// A side whose scans leave out rows of keys that the other one does not have, where these are not in the answer.
fn filtered(join: &Join, side: JoinSide) -> (Arc<Node>, Vec<(usize, Arc<KeyFilter>)>) {
    let (input, checked) = match side {
        JoinSide::Right => (&join.right, join.unique.1),
        _ => (&join.left, join.unique.0),
    };
    let kinds: &[JoinKind] = match side {
        JoinSide::Right => &[JoinKind::Inner, JoinKind::Left, JoinKind::Semi, JoinKind::Anti],
        _ => &[JoinKind::Inner, JoinKind::Right, JoinKind::Semi],
    };
    let (mut input, mut filters) = (input.clone(), Vec::new());
    if checked || !kinds.contains(&join.kind) {
        return (input, filters);
    }
    for (number, (left, right)) in join.keys.iter().enumerate() {
        let key = if side == JoinSide::Right { right } else { left };
        if !KeyFilter::takes(&key.dtype()) {
            continue;
        }
        let filter = Arc::new(KeyFilter::default());
        let found = Found(Some(filter.clone()));
        let table = Table { node: Arc::new(Node::Unit), contains: true, dtype: DType::Bool, found };
        let args = vec![key.clone(), Expr::Table(Arc::new(table))];
        let predicate = Expr::Call { op: LOOKUP.into(), args, dtype: DType::Bool };
        if let Some(pushed) = push(&input, &predicate, Reach::Scan) {
            input = pushed;
            filters.push((number, filter));
        }
    }
    (input, filters)
}
