//! Whether texts match: `contains`, `match`, `fullmatch`. `(x, pattern, flags, answer where x is missing)`.

use std::any::Any;
use std::sync::Arc;

use arrow::array::ArrayRef;
use memchr::memmem::Finder;

use super::pattern::{Pattern, Place, of};
use super::{
    Operand, Operator, Typed, ask, bool_at, constants, integer_at, literals, of_text, text_at, texts, try_ask,
};
use crate::error::Result;
use crate::plan::op::Prepared;
use crate::plan::{DType, Literal};

pub struct Matches {
    name: &'static str,
    call: &'static str,
    place: Place,
}

pub const CONTAINS: Matches = Matches { name: "str_contains", call: "str.contains", place: Place::Anywhere };
pub const MATCH: Matches = Matches { name: "str_match", call: "str.match", place: Place::Beginning };
pub const FULL_MATCH: Matches = Matches { name: "str_fullmatch", call: "str.fullmatch", place: Place::All };

impl Matches {
    fn pattern(&self, args: &[Option<&Literal>]) -> Result<Pattern> {
        Pattern::placed(text_at(args, 1)?, integer_at(args, 2)?, self.place)
    }
}

impl Operator for Matches {
    fn name(&self) -> &'static str {
        self.name
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        self.pattern(&literals(args))?;
        of_text(args, self.call, DType::Bool)
    }

    fn prepare(&self, args: &[Option<&Literal>]) -> Result<Option<Prepared>> {
        Ok(Some(Box::new(self.pattern(args)?)))
    }

    fn eval_prepared(
        &self,
        prepared: Option<&(dyn Any + Send + Sync)>,
        args: &[Operand],
        rows: usize,
        _: &DType,
    ) -> Result<ArrayRef> {
        let pattern = of(prepared)?;
        let missing = bool_at(&constants(args), 3)?;
        Ok(Arc::new(try_ask(&texts(args, 0, rows)?, missing, |text| pattern.is_match(text))?))
    }
}

/// `(x, text, answer where x is missing)`: a text within the text.
pub struct ContainsLiteral;

pub const CONTAINS_LITERAL: ContainsLiteral = ContainsLiteral;

impl Operator for ContainsLiteral {
    fn name(&self) -> &'static str {
        "str_contains_text"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, "str.contains", DType::Bool)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let constants = constants(args);
        let finder = Finder::new(text_at(&constants, 1)?);
        let array = texts(args, 0, rows)?;
        Ok(Arc::new(ask(&array, bool_at(&constants, 2)?, |text| finder.find(text.as_bytes()).is_some())))
    }
}
