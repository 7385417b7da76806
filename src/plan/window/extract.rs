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

/// The rows with the calls of every layer as columns.
fn windowed(input: &Arc<Node>, layers: Vec<Layer>) -> Arc<Node> {
    layers.into_iter().fold(input.clone(), |input, calls| Arc::new(Node::Window { input, calls }))
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
        if let Node::Join(join) = &below {
            // The keys of either side are over the rows of that side.
            let mut join = join.clone();
            let (mut left, mut right): (Vec<Layer>, Vec<Layer>) = (Vec::new(), Vec::new());
            for (of_left, of_right) in &mut join.keys {
                *of_left = self.lifted(of_left, &mut left)?.0;
                *of_right = self.lifted(of_right, &mut right)?.0;
            }
            (join.left, join.right) = (windowed(&join.left, left), windowed(&join.right, right));
            return Ok(Arc::new(Node::Join(join)));
        }
        let mut layers: Vec<Layer> = Vec::new();
        let above = below.map_own_exprs(&mut |expr| Ok(self.lifted(expr, &mut layers)?.0))?;
        if layers.is_empty() {
            return Ok(Arc::new(below));
        }
        if below.inputs().len() != 1 {
            return Err(Error::internal("a window function that is over no rows"));
        }
        let above = above.map_inputs(&mut |input| Ok(windowed(input, std::mem::take(&mut layers))))?;
        Ok(Arc::new(above))
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
