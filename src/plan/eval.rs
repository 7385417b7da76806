//! Expressions compiled against a schema, and run over its batches.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Schema, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow::record_batch::RecordBatch;

use crate::error::{Error, Result};
use crate::plan::lookup::{Finds, LOOKUP};
use crate::plan::op::{self, Operand, Operator, Prepared};
use crate::plan::{DType, Expr, Literal};

/// An expression whose columns are positions and whose constants are folded.
///
/// Whatever the expression, evaluating it over a batch gives as many rows as the batch has, in the Arrow
/// form of the expression's type.
pub struct Program {
    root: Step,
    dtype: DType,
    /// As people read it.
    text: String,
}

enum Step {
    Column(usize),
    Literal(Literal),
    Call { operator: &'static dyn Operator, args: Vec<Step>, dtype: DType, prepared: Option<Prepared> },
    Lookup { key: Box<Step>, dtype: DType, table: Arc<dyn Finds> },
}

impl Step {
    fn constant(&self) -> Option<&Literal> {
        match self {
            Step::Literal(literal) => Some(literal),
            _ => None,
        }
    }
}

impl Program {
    pub fn new(expr: &Expr, schema: &Schema) -> Result<Self> {
        Ok(Self { root: compile(expr, schema)?, dtype: expr.dtype(), text: expr.to_string() })
    }

    pub fn eval(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        self.eval_columns(batch.columns(), batch.num_rows())
    }

    /// As [`Program::eval`], over columns in the order of the schema.
    pub fn eval_columns(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let result = run(&self.root, columns, rows).map_err(|error| error.computing(&self.text))?;
        let result = match result {
            Operand::Array(array) => array,
            Operand::Literal(literal) => literal_array(&literal, &self.dtype, rows)?,
        };
        if result.len() != rows {
            return Err(Error::internal(format!("an expression gave {} rows for {rows}", result.len())));
        }
        Ok(result)
    }
}

/// A constant as `rows` equal values of `dtype`.
pub fn literal_array(literal: &Literal, dtype: &DType, rows: usize) -> Result<ArrayRef> {
    op::operand::constant(literal, dtype, rows)
}

fn compile(expr: &Expr, schema: &Schema) -> Result<Step> {
    match expr {
        Expr::Column(name, _) => match schema.index_of(name) {
            Ok(position) => Ok(Step::Column(position)),
            Err(_) => Err(Error::internal(format!("the batches have no column '{name}'"))),
        },
        Expr::Literal(literal) => Ok(Step::Literal(literal.clone())),
        Expr::Call { op, args, .. } if &**op == LOOKUP => {
            let [key, Expr::Table(table)] = args.as_slice() else {
                return Err(Error::internal("a look-up in what is no table"));
            };
            let Some(table) = &table.found.0 else {
                return Err(Error::internal("a table was not made before it is looked up in"));
            };
            let dtype = key.dtype();
            Ok(Step::Lookup { key: Box::new(compile(key, schema)?), dtype, table: table.clone() })
        }
        Expr::Table(_) => Err(Error::internal("a table outside of a look-up")),
        Expr::Call { op, args, dtype } => {
            let operator = op::find(op)?;
            let args = args.iter().map(|arg| compile(arg, schema)).collect::<Result<Vec<_>>>()?;
            let constants: Vec<_> = args.iter().map(Step::constant).collect();
            let prepared = operator.prepare(&constants)?;
            let step = Step::Call { operator, args, dtype: dtype.clone(), prepared };
            Ok(fold(&step)?.unwrap_or(step))
        }
        Expr::Scalar(..) => Err(Error::internal("a scalar sub-plan was not computed before its use")),
        Expr::Window(..) => Err(Error::internal("a window function was not computed before its use")),
    }
}

/// The constant that a call of constants is.
fn fold(step: &Step) -> Result<Option<Step>> {
    let Step::Call { args, dtype, .. } = step else { return Ok(None) };
    if !args.iter().all(|arg| matches!(arg, Step::Literal(..))) {
        return Ok(None);
    }
    let Operand::Array(one) = run(step, &[], 1)? else { return Ok(None) };
    Ok(value(&one, dtype).map(Step::Literal))
}

/// The first value of an array as a constant of definite width.
fn value(array: &dyn Array, dtype: &DType) -> Option<Literal> {
    let literal = if array.is_null(0) {
        Literal::Null
    } else {
        match dtype {
            DType::Bool => Literal::Bool(array.as_boolean_opt()?.value(0)),
            DType::Int8 => Literal::Int(array.as_primitive_opt::<Int8Type>()?.value(0).into()),
            DType::Int16 => Literal::Int(array.as_primitive_opt::<Int16Type>()?.value(0).into()),
            DType::Int32 => Literal::Int(array.as_primitive_opt::<Int32Type>()?.value(0).into()),
            DType::Int64 => Literal::Int(array.as_primitive_opt::<Int64Type>()?.value(0)),
            DType::UInt8 => Literal::Int(array.as_primitive_opt::<UInt8Type>()?.value(0).into()),
            DType::UInt16 => Literal::Int(array.as_primitive_opt::<UInt16Type>()?.value(0).into()),
            DType::UInt32 => Literal::Int(array.as_primitive_opt::<UInt32Type>()?.value(0).into()),
            DType::UInt64 => Literal::UInt(array.as_primitive_opt::<UInt64Type>()?.value(0)),
            DType::Float32 => Literal::Float(array.as_primitive_opt::<Float32Type>()?.value(0).into()),
            DType::Float64 => Literal::Float(array.as_primitive_opt::<Float64Type>()?.value(0)),
            DType::Str => Literal::Str(array.as_string_view_opt()?.value(0).to_owned()),
            DType::Date => Literal::Date(array.as_primitive_opt::<Date32Type>()?.value(0)),
            DType::Timestamp(unit, tz) => {
                Literal::Timestamp(op::operand::counts(array).ok()?.value(0), *unit, tz.clone())
            }
            DType::Duration(unit) => Literal::Duration(op::operand::counts(array).ok()?.value(0), *unit),
            _ => return None,
        }
    };
    Some(Literal::Typed(Box::new(literal), dtype.clone()))
}

fn run(step: &Step, columns: &[ArrayRef], rows: usize) -> Result<Operand> {
    match step {
        Step::Column(position) => match columns.get(*position) {
            Some(array) => Ok(Operand::Array(array.clone())),
            None => Err(Error::internal(format!("a batch has no column number {position}"))),
        },
        Step::Literal(literal) => Ok(Operand::Literal(literal.clone())),
        Step::Lookup { key, dtype, table } => {
            let keys = match run(key, columns, rows)? {
                Operand::Array(keys) => keys,
                Operand::Literal(literal) => literal_array(&literal, dtype, rows)?,
            };
            table.find(&keys).map(Operand::Array)
        }
        Step::Call { operator, args, dtype, prepared } => {
            let args = args.iter().map(|arg| run(arg, columns, rows)).collect::<Result<Vec<_>>>()?;
            operator.eval_prepared(prepared.as_deref(), &args, rows, dtype).map(Operand::Array)
        }
    }
}
