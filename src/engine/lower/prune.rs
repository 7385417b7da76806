//! Which files and row groups cannot hold a row that a predicate keeps, by the names of directories and by statistics.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::{concat, nullif};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type, Schema};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{self, Literal as PhysicalLiteral};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::RowGroupMetaData;

use super::prune_pages::{self, PageRows};
use super::{columns_of, push};
use crate::error::Result;
use crate::io::source::pages::PageBounds;
use crate::io::source::parquet::ParquetFile;
use crate::io::source::reconcile::Origin;
use crate::io::source::widen::conform;
use crate::io::source::{ParquetSource, Source, SourceColumn};
use crate::plan::dtype::Unit;
use crate::plan::eval::{Program, literal_array};
use crate::plan::lookup::is_key_filter;
use crate::plan::{DType, Expr, Literal};

/// What of a source need not be read.
#[derive(Default)]
pub struct Pruned {
    /// By the values in their directories' names.
    pub files: HashSet<usize>,
    /// (file, row group) of other files, by their statistics.
    pub row_groups: HashSet<(usize, usize)>,
    /// Of some of the others the rows that are left, by the statistics of their pages.
    pub rows: PageRows,
}

impl Pruned {
    pub fn keeps(&self, file: usize, row_group: usize) -> bool {
        !self.files.contains(&file) && !self.row_groups.contains(&(file, row_group))
    }
}

pub fn prune(source: &Source, predicates: &[Expr]) -> Result<Pruned> {
    let files = files(source, predicates)?;
    let mut row_groups = match source {
        Source::Parquet(source) => row_groups(source, predicates)?,
        Source::Files(_) | Source::Memory(_) => HashSet::new(),
    };
    row_groups.retain(|(file, _)| !files.contains(file));
    let mut pruned = Pruned { files, row_groups, rows: PageRows::new() };
    if let Source::Parquet(source) = source {
        pruned.rows = prune_pages::rows(source, predicates, &pruned)?;
    }
    Ok(pruned)
}

/// Files of which some condition is false in every row, because it reads only what the names of directories say: any
/// condition, computed for all files at once.
pub(super) fn files(source: &Source, predicates: &[Expr]) -> Result<HashSet<usize>> {
    let mut pruned = HashSet::new();
    let (known, origins) = (source.columns(), source.origins());
    if origins.is_empty() {
        return Ok(pruned);
    }
    let mut conditions = Vec::new();
    predicates.iter().for_each(|predicate| push::split(predicate, &mut conditions));
    for condition in &conditions {
        let names = columns_of([condition]);
        if names.is_empty() || is_key_filter(condition) {
            continue;
        }
        let columns = names.iter().map(|name| {
            let place = known.iter().position(|column| column.field.name == *name)?;
            let values = origins.iter().map(|file| match &file[place] {
                Origin::Value(value) => Some(&**value),
                Origin::At(_) | Origin::Missing => None,
            });
            let values = values.collect::<Option<Vec<&dyn Array>>>()?;
            Some((Field::new(&**name, known[place].arrow.clone(), true), concat(&values).ok()?))
        });
        let Some(columns) = columns.collect::<Option<Vec<_>>>() else { continue };
        let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let schema = Arc::new(Schema::new(fields));
        // What cannot be computed is left to the rows: they fail by themselves.
        let Ok(program) = Program::new(condition, &schema) else { continue };
        let batch = RecordBatch::try_new(schema, arrays)?;
        let Ok(mask) = program.eval(&batch) else { continue };
        let Some(mask) = mask.as_boolean_opt() else { continue };
        pruned.extend((0..mask.len()).filter(|file| mask.is_null(*file) || !mask.value(*file)));
    }
    Ok(pruned)
}

/// (file, row group) of those that can be left out.
fn row_groups(source: &ParquetSource, predicates: &[Expr]) -> Result<HashSet<(usize, usize)>> {
    let mut pruned = HashSet::new();
    let (schema, bounds) = bounds(source, predicates)?;
    for bound in bounds {
        let builder = PruningPredicateBuilder::new().with_file_schema(schema.clone());
        let Some(predicate) = builder.build(bound.expr) else { continue };
        for (number, file) in source.files.iter().enumerate() {
            let statistics = FileStatistics::of_groups(source, file);
            // Statistics that cannot be made use of prune nothing.
            let Ok(kept) = predicate.prune(&statistics) else { continue };
            let groups = kept.iter().enumerate().filter(|(_, keep)| !**keep);
            pruned.extend(groups.map(|(group, _)| (number, group)));
        }
    }
    Ok(pruned)
}

/// What a condition says of one column, as DataFusion writes it, and the contrary.
pub(super) struct Bound {
    pub column: Arc<str>,
    pub expr: Arc<dyn PhysicalExpr>,
    pub contrary: Arc<dyn PhysicalExpr>,
}

/// The bounds of all conditions, over this schema.
pub(super) fn bounds(source: &ParquetSource, predicates: &[Expr]) -> Result<(Arc<Schema>, Vec<Bound>)> {
    let field = |column: &SourceColumn| Field::new(&*column.field.name, column.arrow.clone(), true);
    let schema = Arc::new(Schema::new(source.columns.iter().map(field).collect::<Vec<_>>()));
    let mut bounds = Vec::new();
    for predicate in predicates {
        collect(predicate, &schema, &mut bounds)?;
    }
    Ok((schema, bounds))
}

/// The parts of a conjunction that bound a column by a constant.
///
/// Only comparisons that a missing value fails (`!=` is true for it), and only with a constant that
/// the column's type holds exactly.
fn collect(predicate: &Expr, schema: &Schema, bounds: &mut Vec<Bound>) -> Result<()> {
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
) -> Result<Option<Bound>> {
    let plain = match literal {
        Literal::Typed(plain, _) => plain,
        other => other,
    };
    let scaled = in_unit(plain, dtype);
    let plain = scaled.as_ref().unwrap_or(plain);
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
    let expr = expressions::binary(column.clone(), op, value.clone(), schema)?;
    let contrary = expressions::binary(column, op.negate().unwrap_or(op), value, schema)?;
    Ok(Some(Bound { column: name.clone(), expr, contrary }))
}

/// A point in time in the unit of a column, if it is one there.
fn in_unit(literal: &Literal, dtype: &DType) -> Option<Literal> {
    let (Literal::Timestamp(count, unit, zone), DType::Timestamp(own, of_column)) = (literal, dtype) else {
        return None;
    };
    if zone != of_column {
        return None;
    }
    let nanos = |unit: Unit| match unit {
        Unit::Second => 1_000_000_000,
        Unit::Milli => 1_000_000,
        Unit::Micro => 1_000,
        Unit::Nano => 1_i128,
    };
    let total = i128::from(*count) * nanos(*unit);
    let each = nanos(*own);
    let count = (total % each == 0).then(|| i64::try_from(total / each).ok()).flatten()?;
    Some(Literal::Timestamp(count, *own, zone.clone()))
}

pub(super) struct FileStatistics<'a> {
    pub source: &'a ParquetSource,
    pub file: &'a ParquetFile,
    /// The row groups, or the pages of one column as if they were some, in a file that has only this one.
    pub groups: &'a [RowGroupMetaData],
    pub pages: Option<&'a PageBounds>,
}

impl<'a> FileStatistics<'a> {
    pub fn of_groups(source: &'a ParquetSource, file: &'a ParquetFile) -> Self {
        Self { source, file, groups: file.footer.row_groups(), pages: None }
    }
}

impl FileStatistics<'_> {
    fn position(&self, column: &Column) -> Option<usize> {
        self.source.columns.iter().position(|known| *known.field.name == *column.name)
    }

    fn of<T>(&self, column: &Column, read: impl Fn(&StatisticsConverter<'_>) -> Option<T>) -> Option<T> {
        let position = self.position(column)?;
        let known = &self.source.columns[position];
        self.file.leaf(position)?;
        let place = self.file.origins[position].place()?;
        // Statistics are in the type that the file has. The converter finds them by the column's place in the file.
        let arrow = match self.file.widens(&self.source.columns, position) {
            true => SourceColumn::new("", self.file.found(position)?).arrow,
            false => known.arrow.clone(),
        };
        let (place, fields, parquet) = match self.pages {
            Some(pages) => (0, 1, &*pages.schema),
            None => (place, self.file.schema.fields().len(), self.file.footer.file_metadata().schema_descr()),
        };
        let other = Field::new(format!("not {}", column.name), DataType::Null, true);
        let mut fields = vec![other; fields];
        *fields.get_mut(place)? = Field::new(&*known.field.name, arrow, true);
        let schema = Schema::new(fields);
        let converter = StatisticsConverter::try_new(&column.name, &schema, parquet).ok()?;
        read(&converter)
    }

    /// Bounds in the source's type.
    fn bounds(
        &self,
        column: &Column,
        read: impl Fn(&StatisticsConverter<'_>) -> Option<ArrayRef>,
    ) -> Option<ArrayRef> {
        let position = self.position(column)?;
        let known = &self.source.columns[position];
        if let Origin::Value(_) = &self.file.origins[position] {
            return self.file.origins[position].filled(known, self.num_containers()).ok();
        }
        conform(&self.of(column, read)?, &known.arrow).ok().and_then(without_nan)
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
        self.bounds(column, |converter| converter.row_group_mins(self.groups.iter()).ok())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |converter| converter.row_group_maxes(self.groups.iter()).ok())
    }

    fn num_containers(&self) -> usize {
        self.groups.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let groups = self.groups;
        let missing = match self.file.origins.get(self.position(column)?)? {
            Origin::At(_) => None,
            Origin::Missing => Some(true),
            Origin::Value(value) => Some(value.is_null(0)),
        };
        if let Some(missing) = missing {
            let rows = groups.iter().map(|group| if missing { group.num_rows().max(0) as u64 } else { 0 });
            return Some(Arc::new(UInt64Array::from_iter_values(rows)));
        }
        self.of(column, |converter| converter.row_group_null_counts(groups.iter()).ok())
            .map(|counts: UInt64Array| -> ArrayRef { Arc::new(counts) })
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let rows = self.groups.iter().map(|group| group.num_rows().max(0) as u64);
        Some(Arc::new(UInt64Array::from_iter_values(rows)))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
