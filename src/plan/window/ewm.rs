//! Exponentially weighted means, sums and variances, by the recurrences that pandas documents.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::datatypes::Float64Type;

use super::{Function, Groups, Proceed, Running, Signature, Window, argument, has_no_meaning, into, run};
use crate::error::{Error, Result};
use crate::plan::{DType, Literal};

/// Options: what is taken (mean, sum, var, std), the centre of mass, whether weights are adjusted, whether missing
/// values do not age the others, how many values there must be, and whether variances are biased.
pub struct Ewm;

impl Function for Ewm {
    fn name(&self) -> &'static str {
        "ewm"
    }

    fn infer(&self, call: Signature<'_>) -> Result<DType> {
        match call.column(self.name())? {
            DType::Bool | DType::Null => Ok(DType::Float64),
            dtype if dtype.is_numeric() => Ok(DType::Float64),
            other => Err(has_no_meaning(self.name(), other, "Take it of numbers")),
        }
    }

    fn create(&self, call: Signature<'_>) -> Result<Box<dyn Window>> {
        let what = match call.text(0)? {
            "mean" => What::Mean,
            "sum" => What::Sum,
            "var" => What::Var,
            "std" => What::Std,
            other => return Err(Error::internal(format!("there is no weighted {other}"))),
        };
        let com = match call.option(1) {
            Literal::Float(com) => *com,
            _ => return Err(Error::internal("weights without a centre of mass")),
        };
        let (adjust, ignore_missing, bias) = (call.flag(2), call.flag(3), call.flag(5));
        let least = call.integer(4)?.max(1);
        Ok(Box::new(Weighted { what, com, adjust, ignore_missing, least, bias }))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Mean,
    Sum,
    Var,
    Std,
}

#[derive(Clone, Copy)]
struct Weighted {
    what: What,
    com: f64,
    adjust: bool,
    ignore_missing: bool,
    least: i64,
    bias: bool,
}

impl Window for Weighted {
    fn compute(&self, args: &[ArrayRef], groups: &Groups, proceed: Proceed<'_>) -> Result<ArrayRef> {
        run(Box::new(Weights { of: *self, states: Vec::new() }), args, groups, proceed)
    }

    fn running(&self) -> Option<Box<dyn Running>> {
        Some(Box::new(Weights { of: *self, states: Vec::new() }))
    }
}

struct Weights {
    of: Weighted,
    states: Vec<State>,
}

#[derive(Clone, Copy)]
struct State {
    mean: f64,
    count: i64,
    /// The weight of all that was before.
    old: f64,
    variance: f64,
    weights: f64,
    squares: f64,
}

const EMPTY: State = State { mean: f64::NAN, count: 0, old: 1.0, variance: 0.0, weights: 1.0, squares: 1.0 };

impl Running for Weights {
    fn push(&mut self, args: &[ArrayRef], groups: &[u32], num_groups: usize) -> Result<ArrayRef> {
        self.states.resize(num_groups.max(self.states.len()), EMPTY);
        let values = into(argument(args, 0)?, &DType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        let nulls = values.nulls();
        let of = self.of;
        let results = values.values().iter().zip(groups).enumerate().map(|(row, (value, group))| {
            // As in pandas, infinities count as missing.
            let there = value.is_finite() && nulls.is_none_or(|nulls| nulls.is_valid(row));
            of.step(&mut self.states[*group as usize], there.then_some(*value))
        });
        Ok(Arc::new(results.collect::<Float64Array>()))
    }

    fn size(&self) -> usize {
        self.states.capacity() * size_of::<State>()
    }
}

impl Weighted {
    fn step(&self, state: &mut State, value: Option<f64>) -> Option<f64> {
        let alpha = 1.0 / (1.0 + self.com);
        let (factor, new) = (1.0 - alpha, if self.adjust { 1.0 } else { alpha });
        state.count += i64::from(value.is_some());
        if state.mean.is_nan() {
            if let Some(value) = value {
                state.mean = value;
            }
        } else if value.is_some() || !self.ignore_missing {
            match self.what {
                What::Sum => state.mean *= factor,
                What::Mean => state.old *= factor,
                What::Var | What::Std => {
                    state.weights *= factor;
                    state.squares *= factor * factor;
                    state.old *= factor;
                }
            }
            if let Some(value) = value {
                self.take(state, value, new);
            }
        }
        (state.count >= self.least).then(|| self.result(state)).filter(|result| !result.is_nan())
    }

    fn take(&self, state: &mut State, value: f64, new: f64) {
        if self.what == What::Sum {
            state.mean += value;
            return;
        }
        let before = state.mean;
        // A constant series stays what it is.
        if state.mean != value {
            state.mean = (state.old * before + new * value) / (state.old + new);
        }
        if self.what == What::Mean {
            state.old = if self.adjust { state.old + new } else { 1.0 };
            return;
        }
        let (moved, away) = (before - state.mean, value - state.mean);
        state.variance =
            (state.old * (state.variance + moved * moved) + new * away * away) / (state.old + new);
        state.weights += new;
        state.squares += new * new;
        state.old += new;
        if !self.adjust {
            state.weights /= state.old;
            state.squares /= state.old * state.old;
            state.old = 1.0;
        }
    }

    fn result(&self, state: &State) -> f64 {
        if matches!(self.what, What::Mean | What::Sum) {
            return state.mean;
        }
        let variance = if self.bias {
            state.variance
        } else {
            let whole = state.weights * state.weights;
            let rest = whole - state.squares;
            if rest > 0.0 { whole / rest * state.variance } else { f64::NAN }
        };
        if self.what == What::Std { variance.sqrt() } else { variance }
    }
}
