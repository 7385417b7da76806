//! DataFusion's operator, running our aggregates in pieces, against a `Reduce` that sees all rows at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use arrow::array::{Array, Int64Array, RecordBatch, StringViewArray, UInt32Array};
use arrow::compute::{concat, sort_to_indices, take};
use arrow::datatypes::{SchemaRef, UInt32Type};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::expressions::col;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionConfig;

use super::*;
use crate::plan::dtype::Unit;
use crate::plan::reduce::{AGGREGATES, find};

const GROUPS: u32 = 7;

/// Columns `key` (the group), `value`, `position`; every fifth value is missing.
fn table(dtype: &DType, rows: u32) -> RecordBatch {
    let key: UInt32Array = (0..rows).map(|row| row * row % GROUPS).collect();
    let numbers = (0..i64::from(rows)).map(|row| (row % 5 > 0).then_some((row * 37 % 101) - 50));
    let value: ArrayRef = match dtype {
        DType::Str => Arc::new(
            numbers
                .map(|n| n.map(|n| format!("a string too long to be inlined {n}")))
                .collect::<StringViewArray>(),
        ),
        other => arrow::compute::cast(&numbers.collect::<Int64Array>(), &other.arrow().unwrap()).unwrap(),
    };
    let position: Int64Array = (0..i64::from(rows)).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("key", Arc::new(key) as ArrayRef, true),
        ("value", value, true),
        ("position", Arc::new(position), false),
    ])
    .unwrap()
}

/// How many arguments an aggregate takes; several are the same column.
fn takes(aggregate: &dyn Aggregate) -> usize {
    match aggregate.name() {
        "size" => 0,
        "corr" | "cov" | "finite_corr" | "finite_cov" | "idxmin" | "idxmax" => 2,
        _ => 1,
    }
}

/// The arguments, and the positions last.
fn columns(aggregate: &dyn Aggregate, table: &RecordBatch) -> Vec<ArrayRef> {
    let mut columns = vec![table.column(1).clone(); takes(aggregate).max(1)];
    columns.push(table.column(2).clone());
    columns
}

fn expression(
    udaf: AggregateUDF,
    aggregate: &dyn Aggregate,
    schema: &SchemaRef,
) -> Arc<AggregateFunctionExpr> {
    let mut columns = vec!["value"; takes(aggregate).max(1)];
    if aggregate.ordered() {
        columns.push("position");
    }
    let args: Vec<Arc<dyn PhysicalExpr>> = columns.iter().map(|name| col(name, schema).unwrap()).collect();
    Arc::new(
        AggregateExprBuilder::new(Arc::new(udaf), args)
            .schema(schema.clone())
            .alias("answer")
            .build()
            .unwrap(),
    )
}

/// Runs the aggregate as Partial and Final over batches of 3 rows in two partitions, to be emitted 2 groups
/// at a time; the answers by key, or the one answer.
fn engine(aggregate: &'static dyn Aggregate, dtype: &DType, table: &RecordBatch, grouped: bool) -> ArrayRef {
    let args = vec![dtype.clone(); takes(aggregate)];
    let schema = table.schema();
    let mut partitions = vec![vec![], vec![]];
    for start in (0..table.num_rows()).step_by(3) {
        partitions[start % 2].push(table.slice(start, 3.min(table.num_rows() - start)));
    }
    let input = MemorySourceConfig::try_new_exec(&partitions, schema.clone(), None).unwrap();
    let expr = expression(udaf(aggregate, args, Params::default()).unwrap(), aggregate, &schema);
    let keys = if grouped { vec![(col("key", &schema).unwrap(), "key".to_owned())] } else { vec![] };
    let by = PhysicalGroupBy::new_single(keys);
    let partial = AggregateExec::try_new(
        AggregateMode::Partial,
        by.clone(),
        vec![expr.clone()],
        vec![None],
        input,
        schema.clone(),
    )
    .unwrap();
    let gathered = Arc::new(CoalescePartitionsExec::new(Arc::new(partial)));
    let last =
        AggregateExec::try_new(AggregateMode::Final, by.as_final(), vec![expr], vec![None], gathered, schema)
            .unwrap();
    let mut config = SessionConfig::new().with_batch_size(2);
    // So that converting rows to states is tried as well.
    config.options_mut().execution.skip_partial_aggregation_probe_rows_threshold = 12;
    config.options_mut().execution.skip_partial_aggregation_probe_ratio_threshold = 0.01;
    let context = Arc::new(TaskContext::default().with_session_config(config));
    let plan: Arc<dyn ExecutionPlan> = Arc::new(last);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let batches = runtime.block_on(collect(plan, context)).unwrap();
    let column = |index: usize| {
        let parts: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(index).as_ref()).collect();
        concat(&parts).unwrap()
    };
    if !grouped {
        return column(0);
    }
    let order = sort_to_indices(&column(0), None, None).unwrap();
    take(&column(1), &order, None).unwrap()
}

fn direct(aggregate: &'static dyn Aggregate, dtype: &DType, table: &RecordBatch, grouped: bool) -> ArrayRef {
    let mut groups = table.column(0).as_primitive::<UInt32Type>().values().to_vec();
    if grouped {
        // Squares modulo 7 leave gaps; keys in order become group numbers.
        let mut keys = groups.clone();
        keys.sort_unstable();
        keys.dedup();
        groups.iter_mut().for_each(|group| *group = keys.binary_search(group).unwrap() as u32);
    } else {
        groups.fill(0);
    }
    let num_groups = groups.iter().max().map_or(1, |&highest| highest as usize + 1);
    let args = vec![dtype.clone(); takes(aggregate)];
    let mut reduce = aggregate.create(&args, &Params::default()).unwrap();
    update(aggregate, args.len(), reduce.as_mut(), &columns(aggregate, table), &groups, num_groups).unwrap();
    reduce.finish(num_groups).unwrap()
}

fn same(found: &ArrayRef, wanted: &ArrayRef, what: &str) {
    if !matches!(wanted.data_type(), DataType::Float32 | DataType::Float64) {
        return assert_eq!(found, wanted, "{what}");
    }
    let floats = |array: &ArrayRef| {
        let array = arrow::compute::cast(array, &DataType::Float64).unwrap();
        array.as_primitive::<arrow::datatypes::Float64Type>().iter().collect::<Vec<_>>()
    };
    for (found, wanted) in floats(found).into_iter().zip(floats(wanted)) {
        match (found, wanted) {
            (Some(found), Some(wanted)) => {
                assert!(
                    found == wanted || (found - wanted).abs() <= 1e-6 * wanted.abs() + 1e-9,
                    "{what}: {found}, {wanted}"
                )
            }
            pair => assert_eq!(pair.0, pair.1, "{what}"),
        }
    }
}

#[test]
fn the_engine_gives_our_answers() {
    let dtypes = [
        DType::Int64,
        DType::Float64,
        DType::Float32,
        DType::Str,
        DType::Duration(Unit::Micro),
        DType::Decimal(12, 3),
    ];
    for dtype in dtypes {
        let table = table(&dtype, 100);
        for &aggregate in AGGREGATES {
            if aggregate.infer(&vec![dtype.clone(); takes(aggregate)], &Params::default()).is_err() {
                continue;
            }
            for grouped in [true, false] {
                let what = format!("{} of {dtype}, grouped: {grouped}", aggregate.name());
                let found = engine(aggregate, &dtype, &table, grouped);
                same(&found, &direct(aggregate, &dtype, &table, grouped), &what);
            }
        }
    }
}

#[test]
fn no_rows_still_make_one_answer_without_keys() {
    let table = table(&DType::Int64, 0);
    for &aggregate in AGGREGATES {
        let found = engine(aggregate, &DType::Int64, &table, false);
        same(&found, &direct(aggregate, &DType::Int64, &table, false), aggregate.name());
        assert_eq!(found.len(), 1);
    }
}

#[test]
fn groups_can_leave_a_few_at_a_time() {
    let table = table(&DType::Str, 60);
    for name in ["max", "nunique", "last", "count"] {
        let aggregate = find(name).unwrap();
        let whole = udaf(aggregate, vec![DType::Str], Params::default()).unwrap();
        let schema = table.schema();
        let mut accumulator = expression(whole, aggregate, &schema).create_groups_accumulator().unwrap();
        let groups: Vec<usize> = (0..60).map(|row| row % 6).collect();
        accumulator.update_batch(&table.columns()[1..], &groups, None, 6).unwrap();
        let first = accumulator.evaluate(EmitTo::First(2)).unwrap();
        let state = accumulator.state(EmitTo::First(1)).unwrap();
        accumulator.merge_batch(&state, &[3], 4).unwrap();
        let rest = accumulator.evaluate(EmitTo::All).unwrap();
        let found = concat(&[first.as_ref(), rest.as_ref()]).unwrap();
        let mut reduce = aggregate.create(&[DType::Str], &Params::default()).unwrap();
        // Group 2 came back as the last one.
        let groups: Vec<u32> = groups.iter().map(|&group| [0, 1, 5, 2, 3, 4][group]).collect();
        update(aggregate, 1, reduce.as_mut(), &table.columns()[1..], &groups, 6).unwrap();
        assert_eq!(&found, &reduce.finish(6).unwrap(), "{name}");
    }
}

#[test]
fn filters_are_refused() {
    let aggregate = find("sum").unwrap();
    let table = table(&DType::Int64, 2);
    let sum = udaf(aggregate, vec![DType::Int64], Params::default()).unwrap();
    let mut accumulator = expression(sum, aggregate, &table.schema()).create_groups_accumulator().unwrap();
    let filter = BooleanArray::from(vec![true, false]);
    assert!(accumulator.update_batch(&table.columns()[1..2], &[0, 0], Some(&filter), 1).is_err());
}
