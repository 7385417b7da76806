//! Groupings that a question reads several times: found in its plan, and replaced by what they came to.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::error::Result;
use crate::plan::lookup::Table;
use crate::plan::{Expr, Node};

type Outputs = Vec<(Arc<str>, Expr)>;

/// A plan and the columns that are asked of it.
#[derive(Clone)]
pub struct Question {
    pub domain: Arc<Node>,
    pub outputs: Outputs,
}

impl Question {
    /// A grouping that would be run more than once, and none of whose inputs would; its own scalars must be known.
    ///
    /// Only groupings, with the bins of time that are filled in: their answers are small beside what they read.
    pub fn common(&self) -> Option<Arc<Node>> {
        let mut census = Census::default();
        for (_, expr) in &self.outputs {
            census.expr(expr);
        }
        census.node(&self.domain);
        census.evaluations(&self.domain);
        let many = |node: &Arc<Node>| census.runs.get(&Arc::as_ptr(node)).is_some_and(|runs| *runs > 1);
        // Inputs come before what reads them.
        // Bins are filled in where they are made: both together are one grouping.
        let filled = |node: &Arc<Node>| {
            let below =
                |other: &Arc<Node>| matches!(&**other, Node::Fill { input, .. } if Arc::ptr_eq(input, node));
            census.order.iter().any(below)
        };
        let mut grouped = census.order.iter().filter(|node| match &***node {
            Node::Group { keys, .. } => !keys.is_empty() && !filled(node),
            Node::Fill { .. } => true,
            _ => false,
        });
        grouped.find(|node| many(node) && !waits(node)).cloned()
    }

    /// The same question with another node in the place of `known`. What was one node stays one.
    pub fn with(&self, known: &Arc<Node>, other: &Arc<Node>) -> Result<Self> {
        let done = HashMap::from([(Arc::as_ptr(known), (known.clone(), other.clone()))]);
        self.rewritten(&mut Swap { done, swaps: 0, rewrite: &|_| Ok(None) })
    }

    /// The same question with every node that is to be replaced.
    pub fn rewritten(&self, swap: &mut Swap<'_>) -> Result<Self> {
        let outputs = self
            .outputs
            .iter()
            .map(|(name, expr)| Ok((name.clone(), swap.expr(expr)?)))
            .collect::<Result<_>>()?;
        Ok(Self { domain: swap.node(&self.domain)?, outputs })
    }
}

/// Whether something in it has to be computed before it can be run.
fn waits(node: &Node) -> bool {
    fn pending(expr: &Expr) -> bool {
        match expr {
            Expr::Scalar(..) | Expr::Table(_) => true,
            Expr::Call { args, .. } => args.iter().any(pending),
            Expr::Window(call, _) => call.exprs().any(pending),
            Expr::Column(..) | Expr::Literal(_) => false,
        }
    }
    let mut found = false;
    node.each_expr(&mut |expr| found |= pending(expr));
    found
}

/// Which nodes there are, and how often each would be run.
#[derive(Default)]
struct Census {
    seen: HashSet<*const Node>,
    /// Every node after its inputs, and after what its expressions compute.
    order: Vec<Arc<Node>>,
    /// Sub-plans of expressions; each is run once.
    roots: Vec<Arc<Node>>,
    runs: HashMap<*const Node, usize>,
}

impl Census {
    fn node(&mut self, node: &Arc<Node>) {
        if !self.seen.insert(Arc::as_ptr(node)) {
            return;
        }
        for input in node.inputs() {
            self.node(input);
        }
        node.each_own_expr(&mut |expr| self.expr(expr));
        self.order.push(node.clone());
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Scalar(node, _) => self.root(node),
            Expr::Table(table) => self.root(&table.node),
            Expr::Call { args, .. } => args.iter().for_each(|arg| self.expr(arg)),
            Expr::Window(call, _) => call.exprs().for_each(|arg| self.expr(arg)),
            Expr::Column(..) | Expr::Literal(_) => {}
        }
    }

    fn root(&mut self, node: &Arc<Node>) {
        if !self.roots.iter().any(|root| Arc::ptr_eq(root, node)) {
            self.roots.push(node.clone());
        }
        self.node(node);
    }

    fn evaluations(&mut self, domain: &Arc<Node>) {
        self.runs.insert(Arc::as_ptr(domain), 1);
        // Scalars over the same rows are computed together.
        let mut read = HashSet::new();
        for root in &self.roots {
            let scalar = matches!(&**root, Node::Group { keys, .. } if keys.is_empty());
            for input in root.inputs() {
                if !scalar || read.insert(Arc::as_ptr(input)) {
                    *self.runs.entry(Arc::as_ptr(input)).or_default() += 1;
                }
            }
        }
        for node in self.order.iter().rev() {
            let at = Arc::as_ptr(node);
            if self.roots.iter().any(|root| Arc::ptr_eq(root, node)) {
                continue;
            }
            let runs = self.runs.get(&at).copied().unwrap_or(0);
            for input in node.inputs() {
                let below = self.runs.entry(Arc::as_ptr(input)).or_default();
                *below = below.saturating_add(runs);
            }
        }
    }
}

/// What stands in the place of a node, if it is not to stay; its inputs have been replaced.
type Rewrite<'a> = &'a dyn Fn(&Arc<Node>) -> Result<Option<Arc<Node>>>;

/// Replaces nodes by their address. Each that was done is kept, so that no other one gets its address meanwhile.
pub struct Swap<'a> {
    done: HashMap<*const Node, (Arc<Node>, Arc<Node>)>,
    /// How often another node was put in the place of one.
    swaps: usize,
    rewrite: Rewrite<'a>,
}

impl<'a> Swap<'a> {
    pub fn new(rewrite: Rewrite<'a>) -> Self {
        Self { done: HashMap::new(), swaps: 0, rewrite }
    }

    fn node(&mut self, node: &Arc<Node>) -> Result<Arc<Node>> {
        if let Some((_, done)) = self.done.get(&Arc::as_ptr(node)) {
            self.swaps += usize::from(!Arc::ptr_eq(done, node));
            return Ok(done.clone());
        }
        let before = self.swaps;
        let changed = node.map_inputs(&mut |input| self.node(input))?;
        let changed = changed.map_own_exprs(&mut |expr| self.expr(expr))?;
        // Known by their addresses: what is as it was stays where it was.
        let mut changed = if self.swaps == before { node.clone() } else { Arc::new(changed) };
        if let Some(other) = (self.rewrite)(&changed)? {
            self.swaps += 1;
            changed = other;
        }
        self.done.insert(Arc::as_ptr(node), (node.clone(), changed.clone()));
        Ok(changed)
    }

    fn expr(&mut self, expr: &Expr) -> Result<Expr> {
        Ok(match expr {
            Expr::Scalar(node, dtype) => Expr::Scalar(self.node(node)?, dtype.clone()),
            Expr::Table(table) => {
                Expr::Table(Arc::new(Table { node: self.node(&table.node)?, ..(**table).clone() }))
            }
            Expr::Call { op, args, dtype } => {
                let args = args.iter().map(|arg| self.expr(arg)).collect::<Result<_>>()?;
                Expr::Call { op: op.clone(), args, dtype: dtype.clone() }
            }
            Expr::Window(call, dtype) => {
                Expr::Window(Arc::new(call.try_map(&mut |arg| self.expr(arg))?), dtype.clone())
            }
            Expr::Column(..) | Expr::Literal(_) => expr.clone(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::plan::DType;
    use crate::plan::node::{Aggregation, Field, Params};

    fn scan() -> Arc<Node> {
        let field = |name: &str| Field { name: name.into(), dtype: DType::Int64 };
        Arc::new(Node::Scan { source: 0, fields: Arc::new([field("k"), field("x")]) })
    }

    fn group(input: &Arc<Node>, key: Option<&str>) -> Arc<Node> {
        let keys = key.map(|key| (key.into(), Expr::column(key, DType::Int64))).into_iter().collect();
        let total = Aggregation {
            name: "x".into(),
            function: "sum".into(),
            args: vec![Expr::column("x", DType::Int64)],
            params: Params::default(),
            dtype: DType::Int64,
        };
        Arc::new(Node::Group {
            input: input.clone(),
            keys,
            aggregates: vec![total],
            sorted: true,
            dropna: true,
        })
    }

    fn equals(node: &Arc<Node>) -> Expr {
        let args = vec![Expr::column("x", DType::Int64), Expr::Scalar(node.clone(), DType::Int64)];
        Expr::Call { op: "eq".into(), args, dtype: DType::Bool }
    }

    fn question(domain: Arc<Node>) -> Question {
        Question { domain, outputs: vec![("x".into(), Expr::column("x", DType::Int64))] }
    }

    #[test]
    fn a_grouping_that_its_own_scalar_filters_is_common() {
        let totals = group(&scan(), Some("k"));
        let filter =
            Arc::new(Node::Filter { input: totals.clone(), predicate: equals(&group(&totals, None)) });
        let asked = question(filter);
        let common = asked.common().unwrap();
        assert!(Arc::ptr_eq(&common, &totals));
        let known = scan();
        let after = asked.with(&common, &known).unwrap();
        assert!(after.common().is_none());
        let Node::Filter { input, predicate: Expr::Call { args, .. } } = &*after.domain else {
            panic!("a filter stays one")
        };
        assert!(Arc::ptr_eq(input, &known));
        let Expr::Scalar(scalar, _) = &args[1] else { panic!("a scalar stays one") };
        assert!(Arc::ptr_eq(scalar.inputs()[0], &known));
    }

    #[test]
    fn what_is_read_once_is_not_common() {
        let totals = group(&scan(), Some("k"));
        assert!(question(totals.clone()).common().is_none());
        // Two scalars over the same rows are computed together.
        let (one, two) = (group(&totals, None), group(&totals, None));
        let both =
            Expr::Call { op: "and".into(), args: vec![equals(&one), equals(&two)], dtype: DType::Bool };
        let filter = Arc::new(Node::Filter { input: scan(), predicate: both });
        assert!(question(filter).common().is_none());
    }

    #[test]
    fn of_two_groupings_one_in_the_other_the_inner_one_is_first() {
        let inner = group(&scan(), Some("k"));
        let outer = group(&inner, Some("x"));
        let all = Arc::new(Node::Concat {
            inputs: vec![outer.clone(), outer.clone(), inner.clone()],
            fields: Arc::new([]),
        });
        let asked = question(all);
        assert!(Arc::ptr_eq(&asked.common().unwrap(), &inner));
        let next = asked.with(&inner, &scan()).unwrap();
        assert!(matches!(&*next.common().unwrap(), Node::Group { .. }));
    }

    #[test]
    fn bins_that_are_filled_in_are_common_with_their_grouping() {
        let filled = Arc::new(Node::Fill { input: group(&scan(), Some("k")), freq: "D".into() });
        let twice = Node::Concat { inputs: vec![filled.clone(), filled.clone()], fields: Arc::new([]) };
        let asked = question(Arc::new(twice));
        assert!(Arc::ptr_eq(&asked.common().unwrap(), &filled));
        assert!(asked.with(&filled, &scan()).unwrap().common().is_none());
    }

    #[test]
    fn a_grouping_that_waits_for_a_scalar_is_left() {
        let filter = Node::Filter { input: scan(), predicate: equals(&group(&scan(), None)) };
        let totals = group(&Arc::new(filter), Some("k"));
        let twice = Node::Concat { inputs: vec![totals.clone(), totals], fields: Arc::new([]) };
        assert!(question(Arc::new(twice)).common().is_none());
    }
}
