//! The law, by random trial: whatever the batches, the partial states and their order, one answer; and
//! that answer against loops that cannot be wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod oracle;
mod rows;
mod statistics;

use std::sync::Arc;

use arrow::array::*;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use proptest::prelude::*;

use self::oracle::{U, by_group, chosen, close, collected, counted, doubles, rounded};
use self::rows::{Rows, Seed, args_of, direct, dtypes, scattered, seeds};
use super::{AGGREGATES, Aggregate, Batch, arrow_type};
use crate::plan::DType;
use crate::plan::dtype::Unit;
use crate::plan::node::Params;

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
            if statistics::TAKES.contains(&name) {
                statistics::check(name, &dtype, params, &rows, &found, &other);
                continue;
            }
            let rounds = matches!(name, "mean" | "std" | "var") || (name == "sum" && result.is_float());
            if !rounds || matches!(result, DType::Timestamp(..) | DType::Duration(_)) {
                assert_eq!(&found, &other, "{name} of {dtype}, scattered");
            }
            match name {
                "min" | "max" | "first" | "last" | "row_first" | "row_last" => {
                    assert_eq!(&found, &chosen(name, &rows), "{name} of {dtype}");
                }
                "list" => assert_eq!(&found, &collected(&rows), "{name} of {dtype}"),
                // Checked by examples below.
                "sum" if matches!(dtype, DType::Duration(_) | DType::Decimal(..)) => {}
                "mean" if !result.is_float() => {}
                _ if rounds && dtype != DType::Null => {
                    let column = if dtype == DType::Bool {
                        cast(&rows.column, &DataType::Int8).unwrap()
                    } else {
                        rows.column.clone()
                    };
                    let narrow = dtype == DType::Float32;
                    for (group, values) in by_group(&rows, &column).iter().enumerate() {
                        let mut wanted = rounded(name, f64::from(params.ddof), values);
                        if name == "sum" && (values.len() as i64) < params.min_count {
                            wanted = None;
                        }
                        // Integers are exact in the product; this oracle reads them as floats.
                        if let Some((_, slack)) = &mut wanted {
                            *slack += values.iter().map(|value| value.abs()).sum::<f64>()
                                * 2.0
                                * U
                                * if dtype.is_float() { 0.0 } else { values.len() as f64 };
                        }
                        for answer in [&found, &other] {
                            let answer = doubles(answer)[group];
                            assert!(
                                close(answer, wanted, narrow, name == "std"),
                                "{name} of {dtype}: {answer:?}, not {wanted:?} for {values:?}"
                            );
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
    fn missing_values_that_count_give_one_answer(seeds in seeds(), dice in any::<u64>()) {
        let params = Params { skipna: false, ..Params::default() };
        for dtype in dtypes() {
            let rows = Rows::new(&dtype, &seeds);
            for &aggregate in AGGREGATES {
                if aggregate.keeps_missing() || aggregate.infer(&args_of(aggregate, &dtype), &params).is_err() {
                    continue;
                }
                let name = aggregate.name();
                let found = direct(aggregate, &dtype, &params, &rows);
                let other = scattered(aggregate, &dtype, &params, &rows, dice);
                let lenient = direct(aggregate, &dtype, &Params::default(), &rows);
                let gaps = statistics::gaps(&rows);
                let missing = |answers: &ArrayRef, group: usize| {
                    answers.logical_nulls().is_some_and(|nulls| nulls.is_null(group))
                };
                for (group, gap) in gaps.iter().enumerate().filter(|_| !args_of(aggregate, &dtype).is_empty()) {
                    let wanted = *gap || missing(&lenient, group);
                    prop_assert_eq!(missing(&found, group), wanted, "{} of {}", name, dtype);
                    prop_assert_eq!(missing(&other, group), wanted, "{} of {}, scattered", name, dtype);
                }
            }
        }
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
        let rows =
            Rows { column, groups: (0..1000).collect(), positions: (batch * 1000..).take(1000).collect() };
        rows.update(aggregate, last.as_mut());
        assert!(last.size() < 2_000_000, "{} bytes for 1000 strings", last.size());
    }
    let answer = last.finish(1000).unwrap();
    assert_eq!(answer.as_string_view().value(999), "a long string that is not inlined: 199 999");
}

/// So many groups that their states are prefetched.
#[test]
fn many_groups_with_and_without_nulls() {
    let groups: Vec<u32> = (0..5000_u32).map(|row| row.wrapping_mul(2654435761) % 200_000).collect();
    for nulls in [false, true] {
        let values: Int64Array = (0..5000).map(|row| (!nulls || row % 3 > 0).then_some(row)).collect();
        let mut wanted = vec![0; groups.iter().max().map_or(0, |&highest| highest as usize + 1)];
        groups.iter().zip(&values).for_each(|(&group, value)| wanted[group as usize] += value.unwrap_or(0));
        let rows = Rows { column: Arc::new(values), groups: groups.clone(), positions: vec![] };
        let found = direct(super::find("sum").unwrap(), &DType::Int64, &Params::default(), &rows);
        assert_eq!(found.as_primitive::<Int64Type>().values(), wanted.as_slice());
    }
}

#[test]
fn a_large_merge_asks_whether_to_go_on() {
    let distinct = super::find("nunique").unwrap();
    let make = || distinct.create(&[DType::Int64], &Params::default()).unwrap();
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..200_000));
    let groups = vec![0; values.len()];
    let mut one = make();
    one.update(Batch { args: &[values], groups: &groups, num_groups: 1, positions: None }).unwrap();
    let state = one.state().unwrap();
    let asked = std::cell::Cell::new(0);
    let twice = || {
        asked.set(asked.get() + 1);
        if asked.get() > 2 { Err(crate::error::Error::cancelled()) } else { Ok(()) }
    };
    assert!(make().merge_while(&state, &[0], 1, &twice).is_err());
    assert_eq!(asked.get(), 3);
    let mut whole = make();
    whole.merge(&state, &[0], 1).unwrap();
    assert_eq!(whole.finish(1).unwrap().as_primitive::<Int64Type>().value(0), 200_000);
}
