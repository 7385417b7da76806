//! Several aggregates of one float64 column as one: a row touches one piece of state instead of five.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StructArray};
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type};

use super::Reduce;
use super::extreme::Ranked;
use super::kernel::{Fold, Folded, State, column};
use super::sum::TwoSum;
use crate::error::{Error, Result};
use crate::plan::DType;
use crate::plan::node::Params;

/// The aggregates that go together as one summary.
const MEMBERS: [&str; 5] = ["sum", "mean", "min", "max", "count"];

/// Aggregates of the same family and arguments share a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// A running summary of numbers.
    Summary,
    /// Quantiles, which hold all values.
    Quantiles,
}

/// The family of an aggregate, if it has one.
pub fn family(function: &str, args: &[DType], params: &Params) -> Option<Family> {
    if !params.skipna {
        return None;
    }
    match function {
        "median" | "quantile" => Some(Family::Quantiles),
        _ if MEMBERS.contains(&function) && *args == [DType::Float64] && params.min_count <= 0 => {
            Some(Family::Summary)
        }
        _ => None,
    }
}

/// A `Reduce` that finishes as a struct with one field for each of several members of a family, in their order.
pub fn create(
    family: Family,
    members: &[(&'static str, &Params)],
    args: &[DType],
) -> Result<Box<dyn Reduce>> {
    match family {
        Family::Summary => summary(&members.iter().map(|(function, _)| *function).collect::<Vec<_>>()),
        Family::Quantiles => super::quantile::several(members, args),
    }
}

fn summary(functions: &[&'static str]) -> Result<Box<dyn Reduce>> {
    let fields = functions.iter().enumerate().map(|(number, function)| {
        let arrow = if *function == "count" { DataType::Int64 } else { DataType::Float64 };
        Field::new(number.to_string(), arrow, true)
    });
    let fields: Fields = fields.collect();
    let result = DataType::Struct(fields.clone());
    Ok(Folded::boxed(Combined { functions: functions.to_vec(), fields }, result))
}

struct Combined {
    functions: Vec<&'static str>,
    fields: Fields,
}

/// Everything about one group's values, in less than a cache line.
#[derive(Debug, Clone, Copy)]
pub struct Summary {
    total: TwoSum,
    lowest: i64,
    highest: i64,
    count: i64,
}

impl Summary {
    /// Everything but the sum.
    #[inline(always)]
    fn note(&mut self, value: f64, there: bool) {
        let key = value.key();
        self.lowest = self.lowest.min(if there { key } else { <f64 as Ranked>::HIGHEST });
        self.highest = self.highest.max(if there { key } else { <f64 as Ranked>::LOWEST });
        self.count += i64::from(there);
    }
}

impl State for Summary {
    const EMPTY: Self = Self {
        total: TwoSum::EMPTY,
        lowest: <f64 as Ranked>::HIGHEST,
        highest: <f64 as Ranked>::LOWEST,
        count: 0,
    };

    fn merge(&mut self, other: Self) {
        self.total.merge(other.total);
        self.lowest = self.lowest.min(other.lowest);
        self.highest = self.highest.max(other.highest);
        self.count += other.count;
    }
}

impl Fold for Combined {
    type Input = Float64Type;
    type State = Summary;

    #[inline(always)]
    fn step(state: &mut Summary, value: f64, valid: bool) {
        let there = valid & !value.is_nan();
        state.total.add(if there { value } else { 0.0 });
        state.note(value, there);
    }

    #[inline(always)]
    fn step_two([one, other]: [&mut Summary; 2], values: [f64; 2]) {
        TwoSum::add_two([&mut one.total, &mut other.total], values);
        one.note(values[0], !values[0].is_nan());
        other.note(values[1], !values[1].is_nan());
    }

    #[inline(always)]
    fn missing(value: f64) -> bool {
        value.is_nan()
    }

    fn write(&mut self, states: &[Summary]) -> Vec<ArrayRef> {
        let whole = |pick: fn(&Summary) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(states.iter().map(pick)))
        };
        let float = |pick: fn(&Summary) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(states.iter().map(pick)))
        };
        vec![
            float(|state| state.total.sum),
            float(|state| state.total.err),
            whole(|state| state.lowest),
            whole(|state| state.highest),
            whole(|state| state.count),
        ]
    }

    fn read(&mut self, columns: &[ArrayRef], _groups: &[u32]) -> Result<Vec<Summary>> {
        let missing = || Error::internal("a combined state of other types than were written");
        let float = |place| column(columns, place)?.as_primitive_opt::<Float64Type>().ok_or_else(missing);
        let whole = |place| column(columns, place)?.as_primitive_opt::<Int64Type>().ok_or_else(missing);
        let (sums, errors) = (float(0)?.values(), float(1)?.values());
        let (lowest, highest, counts) = (whole(2)?.values(), whole(3)?.values(), whole(4)?.values());
        let rows = 0..counts.len();
        let state = |row: usize| Summary {
            total: TwoSum { sum: sums[row], err: errors[row] },
            lowest: lowest[row],
            highest: highest[row],
            count: counts[row],
        };
        Ok(rows.map(state).collect())
    }

    fn finish(&mut self, states: &[Summary]) -> Result<ArrayRef> {
        let some = |pick: fn(&Summary) -> f64| -> ArrayRef {
            let values = states.iter().map(|state| (state.count > 0).then(|| pick(state)));
            Arc::new(values.collect::<Float64Array>())
        };
        let columns = self.functions.iter().map(|function| -> ArrayRef {
            match *function {
                "sum" => {
                    Arc::new(Float64Array::from_iter_values(states.iter().map(|state| state.total.value())))
                }
                "mean" => some(|state| state.total.value() / state.count as f64),
                "min" => some(|state| f64::value(state.lowest)),
                "max" => some(|state| f64::value(state.highest)),
                _ => Arc::new(Int64Array::from_iter_values(states.iter().map(|state| state.count))),
            }
        });
        let columns: Vec<ArrayRef> = columns.collect();
        Ok(Arc::new(StructArray::try_new(self.fields.clone(), columns, None)?))
    }
}

/// The fields of what [`create`] finished as.
pub fn parts(finished: &ArrayRef) -> Result<Vec<ArrayRef>> {
    let parts =
        finished.as_struct_opt().ok_or_else(|| Error::internal("a combined answer that is no struct"))?;
    debug_assert_eq!(parts.null_count(), 0);
    Ok(parts.columns().to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::plan::reduce::{Batch, find};

    proptest! {
        /// Together they answer as each of them does alone, also when merged.
        #[test]
        fn members_answer_as_they_do_alone(rows in prop::collection::vec((0u32..4, prop::option::of(any::<f64>())), 0..60), cut in 0usize..60) {
            let groups: Vec<u32> = rows.iter().map(|row| row.0).collect();
            let values: Float64Array = rows.iter().map(|row| row.1).collect();
            let cut = cut.min(rows.len());
            let run = |make: &dyn Fn() -> Box<dyn Reduce>| -> ArrayRef {
                let halves = [0..cut, cut..rows.len()].map(|range| {
                    let mut reduce = make();
                    let part: ArrayRef = Arc::new(values.slice(range.start, range.len()));
                    reduce.update(Batch { args: &[part], groups: &groups[range], num_groups: 4, positions: None }).unwrap();
                    reduce
                });
                let [mut left, mut right] = halves;
                let state = right.state().unwrap();
                left.merge(&state, &[0, 1, 2, 3], 4).unwrap();
                left.finish(4).unwrap()
            };
            let together = parts(&run(&|| summary(&MEMBERS).unwrap())).unwrap();
            for (function, together) in MEMBERS.iter().zip(together) {
                let alone = run(&|| find(function).unwrap().create(&[DType::Float64], &Params::default()).unwrap());
                prop_assert_eq!(format!("{alone:?}"), format!("{together:?}"), "{}", function);
            }
        }
    }
}
