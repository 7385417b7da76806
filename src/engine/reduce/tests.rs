//! The law, by random trial: whatever the batches, the partial states and their order, one answer; and
//! that answer against loops that cannot be wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::*;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Int64Type};
use proptest::prelude::*;

use super::{AGGREGATES, Aggregate, Batch, Reduce, arrow_type};
use crate::plan::DType;
use crate::plan::dtype::Unit;
use crate::plan::node::Params;

/// A row before it has a type: 0 is missing, 1 to 7 a special value of the type, the rest by `bits`.
#[derive(Debug, Clone)]
pub struct Seed {
    kind: u8,
    bits: u64,
    group: u32,
}

pub fn seeds() -> impl Strategy<Value = Vec<Seed>> {
    let seed = (0..24_u8, any::<u64>(), any::<u32>()).prop_map(|(kind, bits, group)| Seed { kind, bits, group });
    (prop_oneof![Just(1_u32), Just(3), Just(40)], prop::collection::vec(seed, 0..300)).prop_map(|(groups, mut seeds)| {
        seeds.iter_mut().for_each(|seed| seed.group %= groups);
        seeds
    })
}

pub fn dtypes() -> Vec<DType> {
    use DType::*;
    vec![
        Null, Bool, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Float32, Float64, Str, Binary, Date,
        Timestamp(Unit::Micro, Some("UTC".to_owned())), Duration(Unit::Nano), Decimal(10, 2),
        Opaque(DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true))).to_string()),
    ]
}

/// Finite floats are whole multiples of 2^-20 below 2^73, so that their exact sums fit 128 bits.
fn float(seed: &Seed) -> f64 {
    let specials = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e16, -1e16];
    match seed.kind {
        // Infinities are rare enough that many groups have none.
        kind @ 1..=7 if !(2..=3).contains(&kind) || seed.bits.is_multiple_of(16) => specials[kind as usize - 1],
        kind => (seed.bits as i64 >> 11) as f64 * 2_f64.powi([-20, 0, 20][kind as usize % 3]),
    }
}

fn whole(seed: &Seed) -> i128 {
    let specials = [0, 1, -1, i64::MAX.into(), i64::MIN.into(), u64::MAX.into(), 127];
    match seed.kind {
        kind @ 1..=7 => specials[kind as usize - 1],
        _ => i128::from(seed.bits as i64),
    }
}

fn text(seed: &Seed) -> String {
    match seed.kind {
        1..=7 => ["", "a", "ä", "😀", "twelve bytes", "thirteen byte", "a\0"][seed.kind as usize - 1].to_owned(),
        _ => format!("{:.*}", seed.bits as usize % 20, (seed.bits % 64) as f64),
    }
}

pub fn array(dtype: &DType, seeds: &[Seed]) -> ArrayRef {
    let of = |seed: &Seed| (seed.kind > 0).then(|| whole(seed));
    macro_rules! integers {
        ($array:ident, $native:ty) => {
            Arc::new(seeds.iter().map(|seed| of(seed).map(|value| value as $native)).collect::<$array>()) as ArrayRef
        };
    }
    let present = |seed: &&Seed| seed.kind > 0;
    match dtype {
        DType::Null => Arc::new(NullArray::new(seeds.len())),
        DType::Bool => Arc::new(seeds.iter().map(|s| of(s).map(|v| v % 2 == 0)).collect::<BooleanArray>()),
        DType::Int8 => integers!(Int8Array, i8),
        DType::Int16 => integers!(Int16Array, i16),
        DType::Int32 => integers!(Int32Array, i32),
        DType::Int64 => integers!(Int64Array, i64),
        DType::UInt8 => integers!(UInt8Array, u8),
        DType::UInt16 => integers!(UInt16Array, u16),
        DType::UInt32 => integers!(UInt32Array, u32),
        DType::UInt64 => integers!(UInt64Array, u64),
        DType::Float32 => {
            Arc::new(seeds.iter().map(|s| Some(s).filter(present).map(|s| float(s) as f32)).collect::<Float32Array>())
        }
        DType::Float64 => Arc::new(seeds.iter().map(|s| Some(s).filter(present).map(float)).collect::<Float64Array>()),
        DType::Str => Arc::new(seeds.iter().map(|s| Some(s).filter(present).map(text)).collect::<StringViewArray>()),
        DType::Binary => cast(&array(&DType::Str, seeds), &DataType::BinaryView).unwrap(),
        DType::Date => cast(&integers!(Int32Array, i32), &DataType::Date32).unwrap(),
        DType::Timestamp(..) | DType::Duration(_) => {
            cast(&integers!(Int64Array, i64), &dtype.arrow().unwrap()).unwrap()
        }
        DType::Decimal(precision, scale) => Arc::new(
            seeds
                .iter()
                .map(|seed| of(seed).map(|value| value % 10_i128.pow(10)))
                .collect::<Decimal128Array>()
                .with_precision_and_scale(*precision, *scale)
                .unwrap(),
        ),
        DType::Opaque(_) => Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
            seeds.iter().map(|s| of(s).map(|v| (0..v % 3).map(|i| Some(i as i64)).collect::<Vec<_>>())),
        )),
    }
}

pub fn args_of(aggregate: &dyn Aggregate, dtype: &DType) -> Vec<DType> {
    if aggregate.name() == "size" { vec![] } else { vec![dtype.clone()] }
}

/// Rows on their way into a `Reduce`.
pub struct Rows {
    pub column: ArrayRef,
    pub groups: Vec<u32>,
    pub positions: Vec<i64>,
}

impl Rows {
    pub fn new(dtype: &DType, seeds: &[Seed]) -> Self {
        Self {
            column: array(dtype, seeds),
            groups: seeds.iter().map(|seed| seed.group).collect(),
            positions: (0..seeds.len() as i64).collect(),
        }
    }

    pub fn num_groups(&self) -> usize {
        self.groups.iter().max().map_or(0, |&highest| highest as usize + 1)
    }

    pub fn update(&self, aggregate: &dyn Aggregate, reduce: &mut dyn Reduce) {
        let args = if aggregate.name() == "size" { &[][..] } else { std::slice::from_ref(&self.column) };
        let positions = aggregate.ordered().then_some(self.positions.as_slice());
        reduce.update(Batch { args, groups: &self.groups, num_groups: self.num_groups(), positions }).unwrap();
    }

    fn pick(&self, rows: &[u32], groups: Vec<u32>) -> Self {
        let column = take(&self.column, &UInt32Array::from(rows.to_vec()), None).unwrap();
        Self { column, groups, positions: rows.iter().map(|&row| self.positions[row as usize]).collect() }
    }
}

pub fn direct(aggregate: &dyn Aggregate, dtype: &DType, params: &Params, rows: &Rows) -> ArrayRef {
    let mut reduce = aggregate.create(&args_of(aggregate, dtype), params).unwrap();
    rows.update(aggregate, reduce.as_mut());
    reduce.finish(rows.num_groups()).unwrap()
}

/// Deals the rows out to partial states in batches in a random order, each with group numbers of its own
/// (several for one group), and merges those in a random order.
fn scattered(aggregate: &dyn Aggregate, dtype: &DType, params: &Params, rows: &Rows, mut dice: u64) -> ArrayRef {
    let mut roll = move |sides: usize| {
        dice = dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (dice >> 33) as usize % sides
    };
    let args = args_of(aggregate, dtype);
    let mut batches: Vec<Vec<u32>> = vec![vec![]];
    for row in 0..rows.groups.len() as u32 {
        if roll(9) == 0 {
            batches.push(vec![]);
        }
        batches.last_mut().unwrap().push(row);
    }
    let mut partials: Vec<_> =
        (0..3).map(|_| (aggregate.create(&args, params).unwrap(), HashMap::<(u32, u32), u32>::new())).collect();
    while !batches.is_empty() {
        let batch = batches.swap_remove(roll(batches.len()));
        let (reduce, names) = &mut partials[roll(3)];
        let local = batch.iter().map(|&row| {
            let next = names.len() as u32;
            *names.entry((rows.groups[row as usize], row % 2)).or_insert(next)
        });
        let groups = local.collect();
        rows.pick(&batch, groups).update(aggregate, reduce.as_mut());
    }
    let mut total = aggregate.create(&args, params).unwrap();
    while !partials.is_empty() {
        let (mut reduce, names) = partials.swap_remove(roll(partials.len()));
        let state = reduce.state().unwrap();
        let types: Vec<_> = state.iter().map(|column| column.data_type().clone()).collect();
        assert_eq!(types, aggregate.state_types(&args, params).unwrap());
        let mut groups = vec![0; names.len()];
        names.iter().for_each(|(&(group, _), &local)| groups[local as usize] = group);
        total.merge(&state, &groups, rows.num_groups()).unwrap();
        assert_eq!(reduce.finish(0).unwrap().len(), 0, "state() leaves nothing behind");
    }
    total.finish(rows.num_groups()).unwrap()
}

fn doubles(column: &ArrayRef) -> Vec<Option<f64>> {
    cast(column, &DataType::Float64).unwrap().as_primitive::<arrow::datatypes::Float64Type>().iter().collect()
}

fn by_group(rows: &Rows, column: &ArrayRef) -> Vec<Vec<f64>> {
    let mut groups = vec![vec![]; rows.num_groups()];
    for (value, &group) in doubles(column).into_iter().zip(&rows.groups) {
        groups[group as usize].extend(value.filter(|value| !value.is_nan()));
    }
    groups
}

const U: f64 = f64::EPSILON / 2.0;

fn exact(values: &[f64]) -> f64 {
    let scaled = values.iter().map(|value| value * 2_f64.powi(20));
    if scaled.clone().all(|value| value.is_finite() && value.fract() == 0.0) {
        let total: i128 = scaled.map(|value| value as i128).sum();
        total as f64 * 2_f64.powi(-20)
    } else {
        values.iter().sum()
    }
}

/// The answer and its tolerance by plain loops, for the aggregates that round.
fn rounded(name: &str, ddof: f64, values: &[f64]) -> Option<(f64, f64)> {
    let n = values.len() as f64;
    let sum = exact(values);
    let magnitude: f64 = values.iter().map(|value| value.abs()).sum();
    let slack = 2.0 * U * sum.abs() + n * n * U * U * magnitude;
    match name {
        "sum" => Some((sum, slack)),
        "mean" => (n > 0.0).then(|| (sum / n, slack / n + 2.0 * U * (sum / n).abs())),
        _ => (n > ddof).then(|| {
            let mean = sum / n;
            let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
            let size: f64 = values.iter().map(|value| value * value).sum();
            (squares / (n - ddof), 32.0 * n * U * size / (n - ddof))
        }),
    }
}

fn close(found: Option<f64>, wanted: Option<(f64, f64)>, narrow: bool, root: bool) -> bool {
    let (found, (wanted, mut slack)) = match (found, wanted) {
        (None, None) => return true,
        (Some(found), Some(wanted)) => (if root { found * found } else { found }, wanted),
        _ => return false,
    };
    if !wanted.is_finite() {
        return found.is_nan() == wanted.is_nan() && (wanted.is_nan() || found == wanted);
    }
    let size = if root { wanted.sqrt() } else { wanted };
    if narrow && (size as f32).is_infinite() {
        return found.is_infinite();
    }
    slack += wanted.abs() * if narrow { 2_f64.powi(-22) } else { 4.0 * U * f64::from(u8::from(root)) };
    (found - wanted).abs() <= slack
}

/// The row each group's answer is, by plain loops.
fn chosen(name: &str, rows: &Rows) -> ArrayRef {
    let floats = rows.column.data_type().is_floating().then(|| doubles(&rows.column));
    let missing = |row: usize| {
        rows.column.logical_nulls().is_some_and(|nulls| nulls.is_null(row))
            || floats.as_ref().is_some_and(|floats| floats[row].is_some_and(f64::is_nan))
    };
    let mut best: Vec<Option<u32>> = vec![None; rows.num_groups()];
    let order = matches!(name, "min" | "max").then(|| make_comparator(&rows.column, &rows.column, Default::default()).unwrap());
    for (row, &group) in rows.groups.iter().enumerate() {
        let at = &mut best[group as usize];
        if missing(row) && !name.starts_with("row_") {
            continue;
        }
        let better = at.is_none_or(|at| match (name, &order) {
            ("min", Some(order)) => order(row, at as usize) == Ordering::Less,
            ("max", Some(order)) => order(row, at as usize) == Ordering::Greater,
            ("last" | "row_last", _) => true,
            _ => false,
        });
        if better {
            *at = Some(row as u32);
        }
    }
    take(&rows.column, &UInt32Array::from(best), None).unwrap()
}

/// Counts, whole sums and truths, by plain loops over values printed as text.
fn counted(name: &str, dtype: &DType, params: &Params, rows: &Rows) -> ArrayRef {
    use arrow::util::display::array_value_to_string;
    let mut values = vec![vec![]; rows.num_groups()];
    let nulls = rows.column.logical_nulls();
    for (row, &group) in rows.groups.iter().enumerate() {
        let value = array_value_to_string(&rows.column, row).unwrap();
        let missing = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) || (dtype.is_float() && value == "NaN");
        values[group as usize].push((!missing).then_some(value));
    }
    let truth = |value: &String| !matches!(value.as_str(), "0" | "0.0" | "-0.0" | "false");
    let wholes = |values: &[Option<String>]| -> i128 {
        values.iter().flatten().map(|value| value.parse().unwrap_or_else(|_| i128::from(value == "true"))).sum()
    };
    if matches!(name, "any" | "all") {
        let answers = values.iter().map(|values| {
            let mut present = values.iter().flatten();
            Some(if name == "any" { present.any(truth) } else { present.all(truth) })
        });
        return Arc::new(answers.collect::<BooleanArray>());
    }
    let answers = values.iter().map(|values| {
        let present = values.iter().flatten();
        match name {
            "size" => Some(values.len() as i64),
            "count" => Some(present.count() as i64),
            "nunique" => {
                let normal = |value: &String| if dtype.is_float() && value == "-0.0" { "0.0".to_owned() } else { value.clone() };
                Some(present.map(normal).collect::<HashSet<_>>().len() as i64)
            }
            "sum" => (present.count() as i64 >= params.min_count).then(|| wholes(values) as i64),
            other => panic!("no oracle for {other}"),
        }
    });
    let answers: ArrayRef = Arc::new(answers.collect::<Int64Array>());
    super::kernel::retype(answers, &if dtype.is_unsigned() && name == "sum" { DataType::UInt64 } else { DataType::Int64 }).unwrap()
}

fn try_everything(seeds: &[Seed], dice: u64, params: &Params) {
    for dtype in dtypes() {
        let rows = Rows::new(&dtype, seeds);
        for &aggregate in AGGREGATES {
            let name = aggregate.name();
            let args = args_of(aggregate, &dtype);
            let Ok(result) = aggregate.infer(&args, params) else { continue };
            let found = direct(aggregate, &dtype, params, &rows);
            let other = scattered(aggregate, &dtype, params, &rows, dice);
            assert_eq!(found.data_type(), &arrow_type(&result).unwrap(), "{name} of {dtype}");
            assert_eq!(found.len(), rows.num_groups());
            let rounds = matches!(name, "mean" | "std" | "var") || (name == "sum" && result.is_float());
            if !rounds || matches!(result, DType::Timestamp(..) | DType::Duration(_)) {
                assert_eq!(&found, &other, "{name} of {dtype}, scattered");
            }
            match name {
                "min" | "max" | "first" | "last" | "row_first" | "row_last" => {
                    assert_eq!(&found, &chosen(name, &rows), "{name} of {dtype}");
                }
                // Checked by examples below.
                "sum" if matches!(dtype, DType::Duration(_) | DType::Decimal(..)) => {}
                "mean" if !result.is_float() => {}
                _ if rounds && dtype != DType::Null => {
                    let column = if dtype == DType::Bool { cast(&rows.column, &DataType::Int8).unwrap() } else { rows.column.clone() };
                    let narrow = dtype == DType::Float32;
                    for (group, values) in by_group(&rows, &column).iter().enumerate() {
                        let mut wanted = rounded(name, f64::from(params.ddof), values);
                        if name == "sum" && (values.len() as i64) < params.min_count {
                            wanted = None;
                        }
                        // Integers are exact in the product; this oracle reads them as floats.
                        if let Some((_, slack)) = &mut wanted {
                            *slack += values.iter().map(|value| value.abs()).sum::<f64>() * 2.0 * U * if dtype.is_float() { 0.0 } else { values.len() as f64 };
                        }
                        for answer in [&found, &other] {
                            let answer = doubles(answer)[group];
                            assert!(close(answer, wanted, narrow, name == "std"), "{name} of {dtype}: {answer:?}, not {wanted:?} for {values:?}");
                        }
                    }
                }
                _ if rounds => assert_eq!(found.logical_null_count(), found.len()),
                _ => assert_eq!(&found, &counted(name, &dtype, params, &rows), "{name} of {dtype}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_one_answer(seeds in seeds(), dice in any::<u64>(), ddof in 0..3_u32, min_count in 0..4_i64) {
        try_everything(&seeds, dice, &Params { ddof, min_count, ..Params::default() });
    }

    #[test]
    fn a_state_merged_into_nothing_is_the_same(seeds in seeds()) {
        for dtype in dtypes() {
            let rows = Rows::new(&dtype, &seeds);
            for &aggregate in AGGREGATES {
                let (args, params) = (args_of(aggregate, &dtype), Params::default());
                if aggregate.infer(&args, &params).is_err() {
                    continue;
                }
                let mut reduce = aggregate.create(&args, &params).unwrap();
                rows.update(aggregate, reduce.as_mut());
                let state = reduce.state().unwrap();
                let groups: Vec<u32> = (0..rows.num_groups() as u32).collect();
                reduce.merge(&state, &groups, groups.len()).unwrap();
                let found = reduce.finish(groups.len() + 1).unwrap().slice(0, groups.len());
                assert_eq!(format!("{found:?}"), format!("{:?}", direct(aggregate, &dtype, &params, &rows)), "{}", aggregate.name());
            }
        }
    }
}

fn one(name: &str, dtype: DType, column: ArrayRef) -> ArrayRef {
    let groups = vec![0; column.len()];
    let positions = (0..column.len() as i64).collect();
    direct(super::find(name).unwrap(), &dtype, &Params::default(), &Rows { column, groups, positions })
}

#[test]
fn integers_are_exact_beyond_the_floats() {
    let big = (1_i64 << 53) + 1;
    let column: ArrayRef = Arc::new(Int64Array::from(vec![big, 1, big]));
    assert_eq!(one("sum", DType::Int64, column).as_primitive::<Int64Type>().value(0), 2 * big + 1);
    let wraps: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, 1]));
    assert_eq!(one("sum", DType::Int64, wraps.clone()).as_primitive::<Int64Type>().value(0), i64::MIN);
    assert_eq!(doubles(&one("mean", DType::Int64, wraps)), [Some(4611686018427387904.0)]);
}

#[test]
fn floats_lose_nothing_to_cancellation() {
    let column: ArrayRef = Arc::new(Float64Array::from(vec![1e100, 1.0, -1e100]));
    assert_eq!(doubles(&one("sum", DType::Float64, column)), [Some(1.0)]);
    let tenths: ArrayRef = Arc::new(Float64Array::from(vec![0.1; 1000]));
    assert_eq!(doubles(&one("sum", DType::Float64, tenths)), [Some(100.0)]);
}

#[test]
fn times_and_decimals_add_up_and_average() {
    let spans: ArrayRef = Arc::new(DurationNanosecondArray::from(vec![Some(-1), Some(-2), None, Some(-5)]));
    let wanted = |value: i64| -> ArrayRef { Arc::new(DurationNanosecondArray::from(vec![value])) };
    assert_eq!(&one("sum", DType::Duration(Unit::Nano), spans.clone()), &wanted(-8));
    assert_eq!(&one("mean", DType::Duration(Unit::Nano), spans), &wanted(-2));
    let money = |values: Vec<i128>, precision| -> ArrayRef {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, 2).unwrap())
    };
    let dtype = DType::Decimal(10, 2);
    assert_eq!(&one("sum", dtype.clone(), money(vec![150, 275], 10)), &money(vec![425], 38));
    assert_eq!(doubles(&one("mean", dtype, money(vec![150, 275], 10))), [Some(2.125)]);
}

#[test]
fn decimals_that_overflow_are_refused() {
    let most = 10_i128.pow(38) - 1;
    let column: ArrayRef = Arc::new(Decimal128Array::from(vec![most, most]));
    let mut sum = super::sum::Sum.create(&[DType::Decimal(38, 10)], &Params::default()).unwrap();
    sum.update(Batch { args: &[column], groups: &[0, 0], num_groups: 1, positions: None }).unwrap();
    assert_eq!(sum.finish(1).unwrap_err().code(), crate::error::Code::OperationFailed);
}

#[test]
fn strings_are_not_summed_and_wild_groups_are_caught() {
    let refused = super::sum::Sum.infer(&[DType::Str], &Params::default()).unwrap_err();
    assert_eq!(refused.code(), crate::error::Code::NotDecomposable);
    assert!(refused.advice().is_some());
    let column: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let mut sum = super::sum::Sum.create(&[DType::Float64], &Params::default()).unwrap();
    assert!(sum.update(Batch { args: &[column], groups: &[1], num_groups: 1, positions: None }).is_err());
}

#[test]
fn picks_do_not_hold_on_to_what_was_replaced() {
    let aggregate = super::find("last").unwrap();
    let mut last = aggregate.create(&[DType::Str], &Params::default()).unwrap();
    for batch in 0..200_i64 {
        let words = (0..1000).map(|row| Some(format!("a long string that is not inlined: {batch} {row}")));
        let column: ArrayRef = Arc::new(words.collect::<StringViewArray>());
        let rows = Rows { column, groups: (0..1000).collect(), positions: (batch * 1000..).take(1000).collect() };
        rows.update(aggregate, last.as_mut());
        assert!(last.size() < 2_000_000, "{} bytes for 1000 strings", last.size());
    }
    let answer = last.finish(1000).unwrap();
    assert_eq!(answer.as_string_view().value(999), "a long string that is not inlined: 199 999");
}
