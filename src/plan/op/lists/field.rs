//! `(x, name or number)`: a field of structs, missing where the struct is.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::buffer::NullBuffer;
use arrow::compute::nullif;
use arrow::datatypes::DataType;

use super::{Operand, Operator, Typed};
use crate::error::{Code, Error, Result, not_decomposable};
use crate::plan::op::operand::argument;
use crate::plan::op::promote::{bare, describe};
use crate::plan::{DType, Literal};

pub struct Field;

type Fields = [(Arc<str>, DType)];

impl Operator for Field {
    fn name(&self) -> &'static str {
        "struct_field"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let [arg, Typed { literal: Some(key), .. }] = args else {
            return Err(not_decomposable("`struct.field` takes the name or the number of a field")
                .hint("Name the field: `p['s'].struct.field('name')`"));
        };
        let DType::Struct(fields) = &arg.dtype else {
            return Err(not_decomposable(format!(
                "`struct.field` needs structs, and this is {}",
                describe(arg)
            ))
            .hint("`p.dtypes` says which columns have structs; of lists take a value first: `.str[0]`"));
        };
        Ok(fields[place(fields, key)?].1.clone())
    }

    fn eval(&self, args: &[Operand], _: usize, _: &DType) -> Result<ArrayRef> {
        let (Operand::Array(array), Operand::Literal(key)) = (argument(args, 0)?, argument(args, 1)?) else {
            return Err(Error::internal("a field of a constant"));
        };
        let DType::Struct(fields) = DType::from_arrow(array.data_type()) else {
            return Err(Error::internal("a field of what is no struct"));
        };
        let structs = array.as_struct();
        let column = structs.column(place(&fields, key)?);
        masked(column, structs.nulls())
    }
}

fn place(fields: &Fields, key: &Literal) -> Result<usize> {
    let names = || fields.iter().map(|(name, _)| &**name).collect::<Vec<_>>();
    match bare(key) {
        Literal::Str(wanted) => {
            let mut found = fields.iter().enumerate().filter(|(_, (name, _))| **name == **wanted);
            match (found.next(), found.next()) {
                (Some((place, _)), None) => Ok(place),
                (Some(_), Some(_)) => {
                    Err(Error::new(Code::SchemaMismatch, format!("several fields are called '{wanted}'"))
                        .hint("Take them by number: `.struct.field(0)`"))
                }
                (None, _) => {
                    let error =
                        Error::new(Code::SchemaMismatch, format!("the structs have no field '{wanted}'"));
                    let nearest = crate::names::nearest(wanted, names());
                    Err(match nearest {
                        Some(nearest) => error.hint(format!("Did you mean '{nearest}'?")),
                        None => error.hint(format!("The fields are {}", names().join(", "))),
                    })
                }
            }
        }
        Literal::Int(number) => {
            let count = fields.len() as i64;
            let place = if *number < 0 { number + count } else { *number };
            usize::try_from(place).ok().filter(|place| *place < fields.len()).ok_or_else(|| {
                Error::new(
                    Code::SchemaMismatch,
                    format!("the structs have {count} fields, and none number {number}"),
                )
                .hint(format!("The fields are {}", names().join(", ")))
            })
        }
        _ => Err(not_decomposable("`struct.field` takes the name or the number of a field")
            .hint("Name the field: `p['s'].struct.field('name')`")),
    }
}

/// The same values, missing also where `nulls` says so.
pub fn masked(values: &ArrayRef, nulls: Option<&NullBuffer>) -> Result<ArrayRef> {
    match nulls.filter(|nulls| nulls.null_count() > 0) {
        Some(nulls) if *values.data_type() != DataType::Null => {
            Ok(nullif(values, &BooleanArray::new(!nulls.inner(), None))?)
        }
        _ => Ok(values.clone()),
    }
}
