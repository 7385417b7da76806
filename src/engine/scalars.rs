//! Scalar sub-plans: found, merged where they read the same rows, run, and put back as constants.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Float32Type, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt64Type,
};

use crate::error::{Error, Result, not_decomposable};
use crate::plan::dtype::Unit;
use crate::plan::lookup::{Finds, Found, Table};
use crate::plan::node::Aggregation;
use crate::plan::{DType, Expr, Literal, Node};

/// Scalars that have been computed, by what computes them.
#[derive(Default)]
pub struct Scalars {
    known: Vec<(Arc<Node>, Literal)>,
    tables: Vec<(Arc<Node>, Found)>,
}

/// Sub-plans that wait for nothing.
#[derive(Default)]
struct Due {
    scalars: Vec<Arc<Node>>,
    tables: Vec<Arc<Node>>,
}

/// Groupings without keys over the same input, to be run as one.
pub struct Batch {
    pub node: Arc<Node>,
    members: Vec<Arc<Node>>,
}

impl Batch {
    /// Computes this scalar and nothing else.
    pub fn is_only(&self, node: &Arc<Node>) -> bool {
        matches!(self.members.as_slice(), [only] if Arc::ptr_eq(only, node))
    }
}

impl Scalars {
    /// Scalar sub-plans that can be run now: those whose own scalars are known.
    pub fn due<'a>(&self, domain: &'a Node, outputs: impl Iterator<Item = &'a Expr>) -> Result<Vec<Batch>> {
        let found = self.waiting(domain, outputs).scalars;
        let mut by_input: HashMap<*const Node, Vec<Arc<Node>>> = HashMap::new();
        let mut order = Vec::new();
        for node in found {
            let key = node.inputs().first().map_or(std::ptr::null(), |input| Arc::as_ptr(input));
            let members = by_input.entry(key).or_insert_with(|| {
                order.push(key);
                Vec::new()
            });
            members.push(node);
        }
        order.into_iter().filter_map(|key| by_input.remove(&key)).map(|members| self.batch(members)).collect()
    }

    /// Plans of tables that can be run now, with their own scalars and tables put in.
    pub fn due_tables<'a>(
        &self,
        domain: &'a Node,
        outputs: impl Iterator<Item = &'a Expr>,
    ) -> Result<Vec<(Arc<Node>, Arc<Node>)>> {
        let found = self.waiting(domain, outputs).tables;
        found.into_iter().map(|node| Ok((node.clone(), Arc::new(self.resolved_node(&node)?)))).collect()
    }

    /// Takes note of a table that was made.
    pub fn learn_table(&mut self, node: Arc<Node>, table: Arc<dyn Finds>) {
        self.tables.push((node, Found(Some(table))));
    }

    fn waiting<'a>(&self, domain: &'a Node, outputs: impl Iterator<Item = &'a Expr>) -> Due {
        let mut found = Due::default();
        for expr in outputs {
            self.collect(expr, &mut found);
        }
        self.collect_below(domain, &mut found);
        found
    }

    fn table(&self, node: &Arc<Node>) -> Option<&Found> {
        self.tables.iter().find(|(known, _)| Arc::ptr_eq(known, node)).map(|(_, found)| found)
    }

    /// Whether the expression waits for something, which is then among what was found, or waits itself.
    fn collect(&self, expr: &Expr, found: &mut Due) -> bool {
        match expr {
            Expr::Table(table) => {
                let node = &table.node;
                if self.table(node).is_some() {
                    return false;
                }
                let known = found.tables.iter().any(|other| Arc::ptr_eq(other, node));
                if !known && !self.collect_below(node, found) {
                    found.tables.push(node.clone());
                }
                true
            }
            Expr::Scalar(node, _) => {
                if self.value(node).is_some() {
                    return false;
                }
                let known = found.scalars.iter().any(|other| Arc::ptr_eq(other, node));
                // What waits for others comes in a later turn.
                if !known && !self.collect_below(node, found) {
                    found.scalars.push(node.clone());
                }
                true
            }
            Expr::Call { args, .. } => self.collect_all(&mut args.iter(), found),
            Expr::Window(call, _) => self.collect_all(&mut call.exprs(), found),
            Expr::Column(..) | Expr::Literal(_) => false,
        }
    }

    fn collect_all(&self, exprs: &mut dyn Iterator<Item = &Expr>, found: &mut Due) -> bool {
        let mut waits = false;
        exprs.for_each(|expr| waits |= self.collect(expr, found));
        waits
    }

    fn collect_below(&self, node: &Node, found: &mut Due) -> bool {
        let mut waits = false;
        node.each_expr(&mut |expr| waits |= self.collect(expr, found));
        waits
    }

    fn value(&self, node: &Arc<Node>) -> Option<&Literal> {
        self.known.iter().find(|(known, _)| Arc::ptr_eq(known, node)).map(|(_, literal)| literal)
    }

    fn batch(&self, members: Vec<Arc<Node>>) -> Result<Batch> {
        let mut merged = Vec::new();
        let mut input = None;
        for (number, member) in members.iter().enumerate() {
            let Node::Group { input: below, keys, aggregates, .. } = &**member else {
                return Err(Error::internal("a scalar that is no aggregate"));
            };
            let ([aggregate], true) = (aggregates.as_slice(), keys.is_empty()) else {
                return Err(Error::internal("a scalar of several columns"));
            };
            merged.push(Aggregation { name: format!("scalar_{number}").into(), ..aggregate.clone() });
            input = Some(below.clone());
        }
        let input = input.ok_or_else(|| Error::internal("no scalars to run"))?;
        let node = Node::Group { input, keys: Vec::new(), aggregates: merged, sorted: true, dropna: true };
        Ok(Batch { node: Arc::new(self.resolved_node(&node)?), members })
    }

    /// Takes note of a batch's only row.
    pub fn learn(&mut self, batch: Batch, row: &RecordBatch) -> Result<()> {
        for (column, member) in row.columns().iter().zip(batch.members) {
            let dtype = match &*member {
                Node::Group { aggregates, .. } => aggregates.first().map(|aggregate| aggregate.dtype.clone()),
                _ => None,
            };
            let dtype = dtype.ok_or_else(|| Error::internal("a scalar without a type"))?;
            self.known.push((member, literal(column, dtype)?));
        }
        Ok(())
    }

    pub fn resolved(&self, expr: &Expr) -> Result<Expr> {
        Ok(match expr {
            Expr::Scalar(node, _) => match self.value(node) {
                Some(literal) => Expr::Literal(literal.clone()),
                None => return Err(Error::internal("a scalar that has not been computed")),
            },
            Expr::Table(table) => match self.table(&table.node) {
                Some(found) => Expr::Table(Arc::new(Table { found: found.clone(), ..(**table).clone() })),
                None => return Err(Error::internal("a table that has not been made")),
            },
            Expr::Call { op, args, dtype } => {
                let args = args.iter().map(|arg| self.resolved(arg)).collect::<Result<_>>()?;
                Expr::Call { op: op.clone(), args, dtype: dtype.clone() }
            }
            Expr::Window(call, dtype) => {
                let call = call.try_map(&mut |arg| self.resolved(arg))?;
                Expr::Window(Arc::new(call), dtype.clone())
            }
            other => other.clone(),
        })
    }

    pub fn resolved_node(&self, node: &Node) -> Result<Node> {
        node.map_exprs(&mut |expr| self.resolved(expr))
    }
}

/// The first value of an array as a constant of a definite type.
fn literal(array: &ArrayRef, dtype: DType) -> Result<Literal> {
    let plain = if array.is_empty() || array.is_null(0) || *array.data_type() == DataType::Null {
        Literal::Null
    } else {
        match array.data_type() {
            DataType::Boolean => Literal::Bool(array.as_boolean().value(0)),
            DataType::Float64 => Literal::Float(array.as_primitive::<Float64Type>().value(0)),
            DataType::Float32 => Literal::Float(f64::from(array.as_primitive::<Float32Type>().value(0))),
            DataType::Utf8View => Literal::Str(array.as_string_view().value(0).to_owned()),
            DataType::BinaryView => Literal::Bytes(array.as_binary_view().value(0).to_vec()),
            DataType::Decimal128(precision, scale) => {
                Literal::Decimal(array.as_primitive::<Decimal128Type>().value(0), *precision, *scale)
            }
            DataType::Date32 => Literal::Date(array.as_primitive::<Date32Type>().value(0)),
            DataType::UInt64 => {
                let value = array.as_primitive::<UInt64Type>().value(0);
                i64::try_from(value).map_or(Literal::UInt(value), Literal::Int)
            }
            integer if integer.is_integer() => {
                let wide = arrow::compute::cast(array, &DataType::Int64)?;
                Literal::Int(wide.as_primitive::<Int64Type>().value(0))
            }
            DataType::Timestamp(unit, tz) => {
                let value = match unit {
                    TimeUnit::Second => array.as_primitive::<TimestampSecondType>().value(0),
                    TimeUnit::Millisecond => array.as_primitive::<TimestampMillisecondType>().value(0),
                    TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(0),
                    TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value(0),
                };
                Literal::Timestamp(value, Unit::from_arrow(*unit), tz.as_ref().map(ToString::to_string))
            }
            DataType::Duration(unit) => {
                let value = match unit {
                    TimeUnit::Second => array.as_primitive::<DurationSecondType>().value(0),
                    TimeUnit::Millisecond => array.as_primitive::<DurationMillisecondType>().value(0),
                    TimeUnit::Microsecond => array.as_primitive::<DurationMicrosecondType>().value(0),
                    TimeUnit::Nanosecond => array.as_primitive::<DurationNanosecondType>().value(0),
                };
                Literal::Duration(value, Unit::from_arrow(*unit))
            }
            _ => {
                return Err(not_decomposable(format!(
                    "a scalar of type {dtype} cannot be used in an expression"
                ))
                .hint("Return it by itself, or convert the column with astype first"));
            }
        }
    };
    Ok(Literal::Typed(Box::new(plain), dtype))
}
