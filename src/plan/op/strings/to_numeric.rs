//! `to_numeric(x, missing where unreadable)`: numbers of texts, as floats; numbers stay what they are.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};

use super::{Operand, Operator, Typed, bool_at, constants, texts};
use crate::error::{Result, misused};
use crate::plan::DType;
use crate::plan::op::operand::{argument, column};
use crate::plan::op::promote::{describe, mismatch};
use crate::plan::op::{failed, time};

pub struct ToNumeric;

impl Operator for ToNumeric {
    fn name(&self) -> &'static str {
        "to_numeric"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let Some(arg) = args.first() else {
            return Err(misused("`to_numeric` takes a column"));
        };
        match &arg.dtype {
            DType::Str => Ok(DType::Float64),
            dtype if dtype.is_numeric() || *dtype == DType::Bool => Ok(dtype.clone()),
            _ => Err(mismatch(
                format!("`to_numeric` needs text or numbers, and this is {}", describe(arg)),
                "Use `.astype(\"int64\")` for times",
            )),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, dtype: &DType) -> Result<ArrayRef> {
        let operand = argument(args, 0)?;
        if operand.dtype() != DType::Str {
            return column(operand, dtype, rows);
        }
        let coerce = bool_at(&constants(args), 1)?;
        let array = texts(args, 0, rows)?;
        let read = |text: Option<&str>| match text.map(|text| (text, number(text))) {
            None | Some(("", _)) => Ok(None),
            Some((_, Some(number))) => Ok(Some(number)),
            Some((_, None)) if coerce => Ok(None),
            Some((text, None)) => {
                Err(failed(format!("unable to parse the string '{}' as a number", time::short(text)))
                    .hint("Say `errors=\"coerce\"` to get missing values for such strings")
                    .detail("value", time::short(text)))
            }
        };
        let numbers: Float64Array = array.iter().map(read).collect::<Result<_>>()?;
        Ok(Arc::new(numbers))
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c'])
        .parse()
        .ok()
        .filter(|number: &f64| !number.is_nan())
}
