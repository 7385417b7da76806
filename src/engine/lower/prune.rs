//! Which row groups cannot hold a row that a predicate keeps, by their statistics.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, UInt64Array};
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Schema};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{self, Literal as PhysicalLiteral};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;

use crate::error::Result;
use crate::io::source::parquet::ParquetFile;
use crate::io::source::{ParquetSource, Source};
use crate::plan::eval::literal_array;
use crate::plan::{DType, Expr, Literal};

/// (file, row group) of those that can be left out.
pub fn row_groups(source: &Source, predicates: &[Expr]) -> Result<HashSet<(usize, usize)>> {
    let mut pruned = HashSet::new();
    let Source::Parquet(source) = source else { return Ok(pruned) };
    let fields: Vec<_> = source
        .columns
        .iter()
        .map(|column| Field::new(&*column.field.name, column.arrow.clone(), true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let mut bounds = Vec::new();
    for predicate in predicates {
        collect(predicate, &schema, &mut bounds)?;
    }
    for bound in bounds {
        let builder = PruningPredicateBuilder::new().with_file_schema(schema.clone());
        let Some(predicate) = builder.build(bound) else { continue };
        for (number, file) in source.files.iter().enumerate() {
            let statistics = FileStatistics { source, file };
            // Statistics that cannot be made use of prune nothing.
            let Ok(kept) = predicate.prune(&statistics) else { continue };
            let groups = kept.iter().enumerate().filter(|(_, keep)| !**keep);
            pruned.extend(groups.map(|(group, _)| (number, group)));
        }
    }
    Ok(pruned)
}

/// The parts of a conjunction that bound a column by a constant, as DataFusion writes them.
///
/// Only comparisons that a missing value fails (`!=` is true for it), and only with a constant that
/// the column's type holds exactly.
fn collect(predicate: &Expr, schema: &Schema, bounds: &mut Vec<Arc<dyn PhysicalExpr>>) -> Result<()> {
    let Expr::Call { op, args, .. } = predicate else { return Ok(()) };
    match (&**op, args.as_slice()) {
        ("and", [left, right]) => {
            collect(left, schema, bounds)?;
            collect(right, schema, bounds)?;
        }
        ("lt" | "le" | "gt" | "ge" | "eq", [left, right]) => {
            let flipped = |op: Operator| op.swap().unwrap_or(op);
            let op = match &**op {
                "lt" => Operator::Lt,
                "le" => Operator::LtEq,
                "gt" => Operator::Gt,
                "ge" => Operator::GtEq,
                _ => Operator::Eq,
            };
            let (column, op, literal) = match (left, right) {
                (Expr::Column(name, dtype), Expr::Literal(literal)) => ((name, dtype), op, literal),
                (Expr::Literal(literal), Expr::Column(name, dtype)) => ((name, dtype), flipped(op), literal),
                _ => return Ok(()),
            };
            bounds.extend(bound(column, op, literal, schema)?);
        }
        ("between", [Expr::Column(name, dtype), Expr::Literal(low), Expr::Literal(high), ..]) => {
            bounds.extend(bound((name, dtype), Operator::GtEq, low, schema)?);
            bounds.extend(bound((name, dtype), Operator::LtEq, high, schema)?);
        }
        _ => {}
    }
    Ok(())
}

fn bound(
    (name, dtype): (&Arc<str>, &DType),
    op: Operator,
    literal: &Literal,
    schema: &Schema,
) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    let plain = match literal {
        Literal::Typed(plain, _) => plain,
        other => other,
    };
    let exact = match plain {
        Literal::Int(_) => dtype.is_integer() || *dtype == DType::Float64,
        Literal::Float(value) => *dtype == DType::Float64 && !value.is_nan(),
        Literal::Str(_) => *dtype == DType::Str,
        Literal::Date(_) => *dtype == DType::Date,
        Literal::Timestamp(_, unit, zone) => *dtype == DType::Timestamp(*unit, zone.clone()),
        _ => false,
    };
    if !exact || schema.field_with_name(name).is_err() {
        return Ok(None);
    }
    // A constant beyond the type's range does not convert, and prunes nothing.
    let Ok(array) = literal_array(plain, dtype, 1) else { return Ok(None) };
    let value = ScalarValue::try_from_array(&array, 0)?;
    let column = expressions::col(name, schema)?;
    let value: Arc<dyn PhysicalExpr> = Arc::new(PhysicalLiteral::new(value));
    Ok(Some(expressions::binary(column, op, value, schema)?))
}

struct FileStatistics<'a> {
    source: &'a ParquetSource,
    file: &'a ParquetFile,
}

impl FileStatistics<'_> {
    fn of<T>(&self, column: &Column, read: impl Fn(&StatisticsConverter<'_>) -> Option<T>) -> Option<T> {
        let position = self.source.columns.iter().position(|known| *known.field.name == *column.name)?;
        self.file.leaf(position)?;
        // The converter finds the column's statistics by its place among the file's columns.
        let mut fields = vec![Field::new("", DataType::Null, true); self.file.positions.len()];
        for (known, place) in self.source.columns.iter().zip(&self.file.positions) {
            *fields.get_mut(*place)? = Field::new(&*known.field.name, known.arrow.clone(), true);
        }
        let schema = Schema::new(fields);
        let parquet = self.file.footer.file_metadata().schema_descr();
        let converter = StatisticsConverter::try_new(&column.name, &schema, parquet).ok()?;
        read(&converter)
    }
}

/// NaN as a bound says nothing.
fn without_nan(array: ArrayRef) -> Option<ArrayRef> {
    let nan = match array.data_type() {
        DataType::Float64 => BooleanArray::from_unary(array.as_primitive::<Float64Type>(), f64::is_nan),
        DataType::Float32 => BooleanArray::from_unary(array.as_primitive::<Float32Type>(), f32::is_nan),
        _ => return Some(array),
    };
    nullif(&array, &nan).ok()
}

impl PruningStatistics for FileStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        let groups = self.file.footer.row_groups();
        self.of(column, |converter| converter.row_group_mins(groups.iter()).ok()).and_then(without_nan)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        let groups = self.file.footer.row_groups();
        self.of(column, |converter| converter.row_group_maxes(groups.iter()).ok()).and_then(without_nan)
    }

    fn num_containers(&self) -> usize {
        self.file.footer.num_row_groups()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let groups = self.file.footer.row_groups();
        self.of(column, |converter| converter.row_group_null_counts(groups.iter()).ok())
            .map(|counts: UInt64Array| -> ArrayRef { Arc::new(counts) })
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.file.footer.row_groups().iter().map(|group| group.num_rows().max(0) as u64);
        Some(Arc::new(UInt64Array::from_iter_values(rows)))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
