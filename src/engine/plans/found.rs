//! What a plan looks values up in: taken out of a plan that is kept, and put into it again.

use std::sync::Arc;

use arrow::array::ArrayRef;

use crate::error::{Error, Result};
use crate::plan::lookup::{Finds, Found, Table};
use crate::plan::{Expr, Node};

type Tables = Vec<Arc<dyn Finds>>;

/// Stands for the table of this number in a plan that is kept.
struct Place(usize);

impl Finds for Place {
    fn find(&self, _: &ArrayRef) -> Result<ArrayRef> {
        Err(Error::internal(format!("table {} of a plan that is kept was not put in", self.0)))
    }
}

/// So many of them.
pub fn places(count: usize) -> Tables {
    (0..count).map(|number| Arc::new(Place(number)) as Arc<dyn Finds>).collect()
}

/// The tables of a node's expressions, in their order.
pub fn tables(node: &Node) -> Tables {
    let mut found = Tables::new();
    node.each_expr(&mut |expr| collect(expr, &mut found));
    found
}

fn collect(expr: &Expr, found: &mut Tables) {
    match expr {
        Expr::Table(table) => found.extend(table.found.0.clone()),
        Expr::Call { args, .. } => args.iter().for_each(|arg| collect(arg, found)),
        Expr::Window(call, _) => call.exprs().for_each(|arg| collect(arg, found)),
        Expr::Column(..) | Expr::Literal(_) | Expr::Scalar(..) => {}
    }
}

/// The place of a table among others.
pub fn place_of(table: &Arc<dyn Finds>, among: &[Arc<dyn Finds>]) -> Option<usize> {
    among.iter().position(|known| Arc::ptr_eq(known, table))
}

/// The same node with other tables in the place of these.
pub fn replaced(node: &Arc<Node>, tables: &[Arc<dyn Finds>], others: &[Arc<dyn Finds>]) -> Result<Arc<Node>> {
    if tables.is_empty() {
        return Ok(node.clone());
    }
    Ok(Arc::new(node.map_exprs(&mut |expr| exchanged(expr, tables, others))?))
}

fn exchanged(expr: &Expr, tables: &[Arc<dyn Finds>], others: &[Arc<dyn Finds>]) -> Result<Expr> {
    Ok(match expr {
        Expr::Table(table) => {
            let Some(found) = &table.found.0 else { return Ok(expr.clone()) };
            let other = place_of(found, tables).and_then(|place| others.get(place).cloned());
            let unknown = || Error::internal("a plan looks up in a table that it does not have");
            let found = Found(Some(other.ok_or_else(unknown)?));
            Expr::Table(Arc::new(Table { found, ..(**table).clone() }))
        }
        Expr::Call { op, args, dtype } => {
            let args = args.iter().map(|arg| exchanged(arg, tables, others)).collect::<Result<_>>()?;
            Expr::Call { op: op.clone(), args, dtype: dtype.clone() }
        }
        Expr::Window(call, dtype) => {
            let call = call.try_map(&mut |arg| exchanged(arg, tables, others))?;
            Expr::Window(Arc::new(call), dtype.clone())
        }
        Expr::Column(..) | Expr::Literal(_) | Expr::Scalar(..) => expr.clone(),
    })
}
