//! What is tried when memory runs out: each step spares what lacked memory, and nothing else.

use std::sync::Arc;

use datafusion::execution::memory_pool::{FairSpillPool, GreedyMemoryPool, MemoryPool};

use crate::config;
use crate::engine::lower::{Grouping, Lowering};
use crate::plan::Node;

/// Rows of a batch that DataFusion's operators make, where memory is not short.
const BATCH: usize = 8 * 1024;

/// Where it is, a batch has a row for so many bytes of the limit.
const BATCH_SHARE: usize = 64 << 10;

/// Which operators group and join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rung {
    pub grouping: Grouping,
    /// Joins are of sorted sides, which are merged.
    pub merging: bool,
}

impl Rung {
    pub fn first(setting: config::Grouping) -> Self {
        let (grouping, merging) = match setting {
            config::Grouping::Auto => (Grouping::Own, false),
            config::Grouping::Spilling => (Grouping::Spilling, false),
            config::Grouping::Merging => (Grouping::Spilling, true),
            config::Grouping::Datafusion => (Grouping::DataFusion, true),
        };
        Self { grouping, merging }
    }

    pub fn apply(self, lowering: &mut Lowering) {
        (lowering.grouping, lowering.merging) = (self.grouping, self.merging);
    }

    /// Whether memory is not short, so that something may be kept for later.
    pub fn is_fastest(self) -> bool {
        self.grouping == Grouping::Own && !self.merging
    }

    /// Whether no step is left.
    pub fn is_last(self) -> bool {
        self.grouping == Grouping::DataFusion
    }

    /// The next step, and what `explain()` says of it. `lacked` is the operator that asked for more than there was.
    pub fn next(self, domain: &Node, lacked: Option<&str>) -> Option<(Self, &'static str)> {
        if self.is_last() {
            return None;
        }
        let last = Self { grouping: Grouping::DataFusion, merging: true };
        if domain.has_sql() {
            return Some((
                last,
                "running the query again with operators that spill: it did not fit the memory limit",
            ));
        }
        let spilling = (self.grouping == Grouping::Own && domain.has_groups()).then_some((
            Self { grouping: Grouping::Spilling, ..self },
            "started again with groups that spill: they did not fit the memory limit",
        ));
        let merging = (!self.merging && domain.has_merged_joins()).then_some((
            Self { merging: true, ..self },
            "started again with joins of sorted tables, which spill: they did not fit the memory limit",
        ));
        let steps = if lacked == Some("join") { [merging, spilling] } else { [spilling, merging] };
        let step = steps.into_iter().flatten().next();
        step.or(Some((
            last,
            "started again with DataFusion's operators for groups and joins: ours did not fit the memory limit",
        )))
    }

    /// Operators of sorted sides that spill are to share what there is; others of ours give back what another asks for.
    pub fn pool(self, limit: usize) -> Arc<dyn MemoryPool> {
        if self.merging {
            Arc::new(FairSpillPool::new(limit))
        } else {
            Arc::new(GreedyMemoryPool::new(limit))
        }
    }

    /// Rows that DataFusion's operators make at a time: where several of them share little memory, each is to have room
    /// for some batches.
    pub fn batch_rows(self, limit: usize, domain: &Node) -> usize {
        if self.merging && !domain.has_sql() { (limit / BATCH_SHARE).clamp(BATCH / 16, BATCH) } else { BATCH }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::plan::node::{Join, JoinKind};
    use crate::plan::{DType, Expr};

    fn joined(grouped: bool) -> Node {
        let side: Arc<Node> = match grouped {
            true => Arc::new(Node::Group {
                input: Arc::new(Node::Unit),
                keys: Vec::new(),
                aggregates: Vec::new(),
                sorted: false,
                dropna: false,
            }),
            false => Arc::new(Node::Unit),
        };
        let key = Expr::column("k", DType::Int64);
        Node::Join(Box::new(Join {
            left: Arc::new(Node::Unit),
            right: side,
            kind: JoinKind::Inner,
            keys: vec![(key.clone(), key)],
            columns: Vec::new(),
            unique: (false, false),
        }))
    }

    #[test]
    fn only_what_lacked_memory_is_spared() {
        let first = Rung::first(config::Grouping::Auto);
        let next = |rung: Rung, domain: &Node, lacked| rung.next(domain, lacked).unwrap().0;
        let both = joined(true);
        let merging = Rung { merging: true, ..first };
        let spilling = Rung { grouping: Grouping::Spilling, ..first };
        let all = Rung { grouping: Grouping::Spilling, merging: true };
        assert_eq!(next(first, &both, Some("join")), merging);
        assert_eq!(next(first, &both, Some("group")), spilling);
        assert_eq!(next(merging, &both, Some("group")), all);
        assert_eq!(next(spilling, &both, Some("join")), all);
        assert_eq!(next(first, &joined(false), Some("group")), merging);
        assert_eq!(next(all, &both, Some("group")), Rung::first(config::Grouping::Datafusion));
    }

    #[test]
    fn the_last_step_is_reached_whoever_lacks_memory() {
        for domain in [joined(true), joined(false), Node::Unit] {
            for lacked in [None, Some("join"), Some("group"), Some("window")] {
                let (mut rung, mut steps) = (Rung::first(config::Grouping::Auto), 0);
                while let Some((next, _)) = rung.next(&domain, lacked) {
                    (rung, steps) = (next, steps + 1);
                }
                assert_eq!(rung, Rung::first(config::Grouping::Datafusion));
                assert!(steps <= 3);
            }
        }
    }
}
