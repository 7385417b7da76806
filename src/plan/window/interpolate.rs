//! `interpolate`: missing values on the straight line between the values before and after them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::Float64Type;

use super::{Function, Groups, Proceed, Signature, Window, argument, has_no_meaning, into};
use crate::error::Result;
use crate::plan::{DType, Literal};

/// Option: how many rows of a gap are filled at most, or null. What follows the last value becomes that value.
pub struct Interpolate;

impl Function for Interpolate {
    fn name(&self) -> &'static str {
        "interpolate"
    }

    fn infer(&self, call: Signature<'_>) -> Result<DType> {
        match call.column(self.name())? {
            dtype if dtype.is_float() => Ok(dtype.clone()),
            other => {
                Err(has_no_meaning(self.name(), other, "Convert the column with `astype(\"float64\")` first"))
            }
        }
    }

    fn create(&self, call: Signature<'_>) -> Result<Box<dyn Window>> {
        let limit = match call.option(0) {
            Literal::Int(limit) => usize::try_from(*limit).unwrap_or(0),
            _ => usize::MAX,
        };
        Ok(Box::new(Line { output: self.infer(call)?, limit }))
    }
}

struct Line {
    output: DType,
    limit: usize,
}

impl Window for Line {
    fn compute(&self, args: &[ArrayRef], groups: &Groups, proceed: Proceed<'_>) -> Result<ArrayRef> {
        let gathered = into(&groups.gathered(argument(args, 0)?)?, &DType::Float64)?;
        let floats = gathered.as_primitive::<Float64Type>();
        let mut values: Vec<f64> = floats.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        for segment in groups.segments().windows(2) {
            proceed()?;
            self.fill(&mut values[segment[0]..segment[1]]);
        }
        let filled: ArrayRef = Arc::new(Float64Array::from(groups.spread(values)));
        into(&filled, &self.output)
    }
}

impl Line {
    fn fill(&self, values: &mut [f64]) {
        let mut before: Option<usize> = None;
        for place in 0..=values.len() {
            if values.get(place).is_some_and(|value| value.is_nan()) {
                continue;
            }
            if let Some(from) = before {
                let slope = match values.get(place) {
                    Some(value) => (value - values[from]) / (place - from) as f64,
                    None => 0.0,
                };
                let start = values[from];
                let gap = (from + 1)..place.min(from.saturating_add(1).saturating_add(self.limit));
                for row in gap {
                    values[row] = slope * (row - from) as f64 + start;
                }
            }
            before = Some(place);
        }
    }
}
