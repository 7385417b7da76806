//! Our expressions within DataFusion's physical plans.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::Result as DataFusionResult;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_plan::{ColumnarValue, PhysicalExpr};

use crate::error::{Error, Result};
use crate::plan::Expr;
use crate::plan::eval::Program;

/// An expression as a node of DataFusion's expression trees.
///
/// The columns it reads are its children, so DataFusion's optimiser sees and may rewrite them.
pub struct NativeExpr {
    expr: Arc<Expr>,
    data_type: DataType,
    program: Arc<Program>,
    /// In the order of the program's columns.
    inputs: Vec<Arc<dyn PhysicalExpr>>,
}

impl NativeExpr {
    /// `schema` is that of the operator's input.
    pub fn new(expr: &Expr, schema: &Schema) -> Result<Self> {
        let mut names: Vec<&str> = Vec::new();
        expr.each_column(&mut |name| {
            if !names.contains(&name.as_ref()) {
                names.push(name);
            }
        });
        let mut inputs: Vec<Arc<dyn PhysicalExpr>> = Vec::with_capacity(names.len());
        let mut fields = Vec::with_capacity(names.len());
        for name in names {
            let position = schema
                .index_of(name)
                .map_err(|_| Error::internal(format!("the plan's input has no column '{name}'")))?;
            fields.push(schema.field(position).clone());
            inputs.push(Arc::new(Column::new(name, position)));
        }
        let data_type = match expr {
            // A column that is only carried along keeps the type it has.
            Expr::Column(name, _) => schema.field_with_name(name)?.data_type().clone(),
            other => crate::plan::op::operand::arrow_type(&other.dtype())?,
        };
        let program = Program::new(expr, &Schema::new(fields))?;
        Ok(Self { expr: Arc::new(expr.clone()), data_type, program: Arc::new(program), inputs })
    }
}

/// The fastest form of an expression: DataFusion's own column where it is no more than that.
pub fn physical_expr(expr: &Expr, schema: &Schema) -> Result<Arc<dyn PhysicalExpr>> {
    if let Expr::Column(name, _) = expr {
        let position = schema
            .index_of(name)
            .map_err(|_| Error::internal(format!("the plan's input has no column '{name}'")))?;
        return Ok(Arc::new(Column::new(name, position)));
    }
    Ok(Arc::new(NativeExpr::new(expr, schema)?))
}

impl PhysicalExpr for NativeExpr {
    fn data_type(&self, _: &Schema) -> DataFusionResult<DataType> {
        Ok(self.data_type.clone())
    }

    fn nullable(&self, _: &Schema) -> DataFusionResult<bool> {
        Ok(true)
    }

    fn return_field(&self, _: &Schema) -> DataFusionResult<FieldRef> {
        Ok(Arc::new(Field::new(self.to_string(), self.data_type.clone(), true)))
    }

    fn evaluate(&self, batch: &RecordBatch) -> DataFusionResult<ColumnarValue> {
        let rows = batch.num_rows();
        let columns = self
            .inputs
            .iter()
            .map(|input| input.evaluate(batch)?.into_array(rows))
            .collect::<DataFusionResult<Vec<_>>>()?;
        Ok(ColumnarValue::Array(self.program.eval_columns(&columns, rows)?))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.inputs.iter().collect()
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> DataFusionResult<Arc<dyn PhysicalExpr>> {
        if children.len() != self.inputs.len() {
            return Err(Error::internal("an expression was rewritten with the wrong number of inputs").into());
        }
        Ok(Arc::new(Self {
            expr: self.expr.clone(),
            data_type: self.data_type.clone(),
            program: self.program.clone(),
            inputs: children,
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for NativeExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

impl fmt::Debug for NativeExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeExpr").field("expr", &self.expr).field("inputs", &self.inputs).finish()
    }
}

impl PartialEq for NativeExpr {
    fn eq(&self, other: &Self) -> bool {
        self.inputs.len() == other.inputs.len()
            && self.inputs.iter().zip(&other.inputs).all(|(a, b)| a.as_ref() == b.as_ref())
            && self.expr == other.expr
    }
}

// An expression with a NaN constant is not equal to itself; that is only ever a missed simplification.
impl Eq for NativeExpr {}

impl Hash for NativeExpr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_string().hash(state);
        for input in &self.inputs {
            input.hash(state);
        }
    }
}
