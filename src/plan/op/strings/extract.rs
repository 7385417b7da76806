//! `extract`: one group of the first match of a pattern. `(x, pattern, flags, group)`.

use std::any::Any;

use arrow::array::ArrayRef;

use super::build::some_parts;
use super::pattern::{Pattern, of};
use super::{Operand, Operator, Typed, constants, integer_at, literals, of_text, text_at, texts};
use crate::error::Result;
use crate::plan::op::Prepared;
use crate::plan::{DType, Literal};

pub struct Extract;

impl Operator for Extract {
    fn name(&self) -> &'static str {
        "str_extract"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        let constants = literals(args);
        Pattern::new(text_at(&constants, 1)?, integer_at(&constants, 2)?)?;
        of_text(args, "str.extract", DType::Str)
    }

    fn prepare(&self, args: &[Option<&Literal>]) -> Result<Option<Prepared>> {
        Ok(Some(Box::new(Pattern::new(text_at(args, 1)?, integer_at(args, 2)?)?)))
    }

    fn eval_prepared(
        &self,
        prepared: Option<&(dyn Any + Send + Sync)>,
        args: &[Operand],
        rows: usize,
        _: &DType,
    ) -> Result<ArrayRef> {
        let pattern = of(prepared)?;
        let group = usize::try_from(integer_at(&constants(args), 3)?).unwrap_or_default();
        let mut groups = Vec::new();
        some_parts(&texts(args, 0, rows)?, |text| {
            let found = pattern.captures_at(text, 0, &mut groups)?;
            Ok(groups.get(group).copied().flatten().filter(|_| found))
        })
    }
}
