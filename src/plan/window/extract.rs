//! Window functions out of expressions: each becomes a column of a node right below the one whose expression it is in.

use std::sync::Arc;

use super::WindowCall;
use crate::error::{Error, Result};
use crate::plan::Expr;
use crate::plan::node::Node;

/// The calls that do not depend on each other, under the names of their columns.
type Layer = Vec<(Arc<str>, Arc<WindowCall>)>;

/// The same plan with every window function in a [`Node::Window`]; equal calls over the same rows are made once.
pub fn extract(node: &Arc<Node>) -> Result<Arc<Node>> {
    Extraction { made: 0 }.node(node)
}

struct Extraction {
    made: usize,
}

impl Extraction {
    fn node(&mut self, node: &Arc<Node>) -> Result<Arc<Node>> {
        if let Node::Sql { .. } = &**node {
            // Its tables are lowered each for itself.
            return Ok(node.clone());
        }
        let below = node.map_inputs(&mut |input| self.node(input))?;
        let mut layers: Vec<Layer> = Vec::new();
        let above = below.map_own_exprs(&mut |expr| Ok(self.lifted(expr, &mut layers)?.0))?;
        if layers.is_empty() {
            return Ok(Arc::new(below));
        }
        if below.input().is_none() {
            return Err(Error::internal("a window function that is over no rows"));
        }
        let mut layers = layers.into_iter();
        let windowed = above.map_inputs(&mut |input| {
            let calls = |input, calls| Arc::new(Node::Window { input, calls });
            Ok(layers.by_ref().fold(input.clone(), calls))
        })?;
        Ok(Arc::new(windowed))
    }

    /// The expression over the columns of the layers, and how many of them it needs.
    fn lifted(&mut self, expr: &Expr, layers: &mut Vec<Layer>) -> Result<(Expr, usize)> {
        let mut depth = 0;
        let mut all = |extraction: &mut Self, exprs: &[Expr], layers: &mut Vec<Layer>| -> Result<Vec<Expr>> {
            let mut lifted = Vec::with_capacity(exprs.len());
            for expr in exprs {
                let (expr, needed) = extraction.lifted(expr, layers)?;
                depth = depth.max(needed);
                lifted.push(expr);
            }
            Ok(lifted)
        };
        match expr {
            Expr::Window(call, dtype) => {
                let args = all(self, &call.args, layers)?;
                let by = all(self, &call.by, layers)?;
                let call = WindowCall { args, by, ..(**call).clone() };
                let name = self.named(call, depth, layers);
                Ok((Expr::Column(name, dtype.clone()), depth + 1))
            }
            Expr::Call { op, args, dtype } => {
                let args = all(self, args, layers)?;
                Ok((Expr::Call { op: op.clone(), args, dtype: dtype.clone() }, depth))
            }
            other => Ok((other.clone(), 0)),
        }
    }

    fn named(&mut self, call: WindowCall, depth: usize, layers: &mut Vec<Layer>) -> Arc<str> {
        if layers.len() <= depth {
            layers.resize(depth + 1, Vec::new());
        }
        let layer = &mut layers[depth];
        if let Some((name, _)) = layer.iter().find(|(_, known)| **known == call) {
            return name.clone();
        }
        let name: Arc<str> = format!("__window_{}", self.made).into();
        self.made += 1;
        layer.push((name.clone(), Arc::new(call)));
        name
    }
}
