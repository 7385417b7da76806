//! Lowering of tables one after the other.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field as ArrowField, Schema};
use datafusion::physical_plan::union::UnionExec;

use super::{Lowering, Names, Plan};
use crate::engine::compute_exec::ComputeExec;
use crate::engine::physical_expr;
use crate::error::{Error, Result};
use crate::plan::node::Field;
use crate::plan::{Expr, Node};

impl Lowering {
    /// The inputs' partitions one after the other, in one schema.
    pub(super) fn concat(&self, inputs: &[Arc<Node>], fields: &[Field], needed: &Names) -> Result<Plan> {
        let kept: Vec<&Field> = fields.iter().filter(|field| needed.contains(&field.name)).collect();
        let names: Names = kept.iter().map(|field| field.name.clone()).collect();
        let mut plans = Vec::with_capacity(inputs.len());
        for input in inputs {
            let plan = self.lower(input, &names)?;
            let schema = plan.schema();
            let columns = kept.iter().map(|field| {
                let column = Expr::Column(field.name.clone(), field.dtype.clone());
                Ok((physical_expr::physical_expr(&column, &schema)?, field.name.to_string()))
            });
            let plan: Plan = Arc::new(ComputeExec::new(plan, columns.collect::<Result<Vec<_>>>()?)?);
            plans.push(plan);
        }
        let [first, ..] = plans.as_slice() else { return Err(Error::internal("no tables to put together")) };
        let (schema, found) = (first.schema(), plans.iter().map(|plan| plan.schema()));
        for other in found {
            same_types(&schema, &other)?;
        }
        if plans.len() == 1 { Ok(plans.remove(0)) } else { Ok(UnionExec::try_new(plans)?) }
    }
}

/// Columns that are only carried along may differ in what the plan does not know.
fn same_types(first: &Schema, other: &Schema) -> Result<()> {
    let types = |field: &Arc<ArrowField>| -> DataType { field.data_type().clone() };
    for (a, b) in first.fields().iter().zip(other.fields()) {
        if types(a) != types(b) {
            let (name, a, b) = (a.name(), types(a), types(b));
            return Err(Error::internal(format!("column `{name}` is {a} in one table and {b} in another")));
        }
    }
    Ok(())
}
