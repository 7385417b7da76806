//! `replace`: one text for another, or for what a pattern matches.

mod template;

use std::any::Any;

use arrow::array::{Array, ArrayRef, StringViewArray};
use memchr::memmem;

use self::template::Template;
use super::build::Texts;
use super::pattern::{Pattern, Python};
use super::{Operand, Operator, Typed, constants, integer_at, literals, of_text, text_at, texts};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::op::Prepared;
use crate::plan::{DType, Literal};

/// `(x, text, replacement, number)`: at most that many from the left, all where it is negative.
pub struct Replace;

pub const REPLACE: Replace = Replace;

impl Operator for Replace {
    fn name(&self) -> &'static str {
        "str_replace"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, "str.replace", DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let array = texts(args, 0, rows)?;
        let constants = constants(args);
        let (wanted, new) = (text_at(&constants, 1)?, text_at(&constants, 2)?);
        let most = usize::try_from(integer_at(&constants, 3)?).unwrap_or(usize::MAX);
        let finder = memmem::Finder::new(wanted);
        let mut made = Texts::over(&array);
        for (view, text) in array.views().iter().zip(&array) {
            match text {
                None => made.missing(),
                Some(text) if wanted.is_empty() => made.write(|open| between(text, new, most, open)),
                Some(text) => {
                    let mut found = finder.find_iter(text.as_bytes()).take(most).peekable();
                    if found.peek().is_none() {
                        made.part(*view, text, 0, text.len());
                        continue;
                    }
                    made.write(|open| {
                        let mut done = 0;
                        for at in found {
                            open.push_str(text.get(done..at).unwrap_or_default());
                            open.push_str(new);
                            done = at + wanted.len();
                        }
                        open.push_str(text.get(done..).unwrap_or_default());
                    });
                }
            }
        }
        made.finish(array.nulls().cloned())
    }
}

/// The replacement before every character and at the end.
fn between(text: &str, new: &str, mut most: usize, open: &mut String) {
    for c in text.chars() {
        if most > 0 {
            open.push_str(new);
            most -= 1;
        }
        open.push(c);
    }
    if most > 0 {
        open.push_str(new);
    }
}

/// `(x, pattern, flags, replacement, number)`.
pub struct ReplaceRegex;

pub const REPLACE_REGEX: ReplaceRegex = ReplaceRegex;

struct Ready {
    pattern: Pattern,
    template: Template,
}

impl ReplaceRegex {
    fn ready(args: &[Option<&Literal>]) -> Result<Ready> {
        let pattern = Pattern::new(text_at(args, 1)?, integer_at(args, 2)?)?;
        let template = Template::new(text_at(args, 3)?, pattern.groups())?;
        let python = pattern.python() != Python::Never || template.named;
        if pattern.may_be_empty() && python {
            return Err(not_decomposable("`str.replace` of a pattern that matches empty text is not native")
                .hint("pandas replaces such matches differently from column to column; use `+` for `*`"));
        }
        Ok(Ready { pattern, template })
    }
}

impl Operator for ReplaceRegex {
    fn name(&self) -> &'static str {
        "str_replace_pattern"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        Self::ready(&literals(args))?;
        of_text(args, "str.replace", DType::Str)
    }

    fn prepare(&self, args: &[Option<&Literal>]) -> Result<Option<Prepared>> {
        Ok(Some(Box::new(Self::ready(args)?)))
    }

    fn eval_prepared(
        &self,
        prepared: Option<&(dyn Any + Send + Sync)>,
        args: &[Operand],
        rows: usize,
        _: &DType,
    ) -> Result<ArrayRef> {
        let ready = prepared
            .and_then(|prepared| prepared.downcast_ref::<Ready>())
            .ok_or_else(|| Error::internal("a pattern was not compiled"))?;
        let most = usize::try_from(integer_at(&constants(args), 4)?).unwrap_or(usize::MAX);
        ready.replace(&texts(args, 0, rows)?, most)
    }
}

impl Ready {
    fn replace(&self, array: &StringViewArray, most: usize) -> Result<ArrayRef> {
        let mut made = Texts::over(array);
        let mut new = String::new();
        for (view, text) in array.views().iter().zip(array) {
            let Some(text) = text else {
                made.missing();
                continue;
            };
            new.clear();
            let (mut done, mut number) = (0, 0);
            if self.template.plain.is_some() {
                self.pattern.each(text, |start, end| {
                    new.push_str(text.get(done..start).unwrap_or_default());
                    self.template.write(text, &[], &mut new);
                    (done, number) = (end, number + 1);
                    number < most
                })?;
            } else {
                self.pattern.each_captures(text, |groups| {
                    let Some(Some((start, end))) = groups.first() else { return false };
                    new.push_str(text.get(done..*start).unwrap_or_default());
                    self.template.write(text, groups, &mut new);
                    (done, number) = (*end, number + 1);
                    number < most
                })?;
            }
            if number == 0 {
                made.part(*view, text, 0, text.len());
            } else {
                new.push_str(text.get(done..).unwrap_or_default());
                made.push(&new);
            }
        }
        made.finish(array.nulls().cloned())
    }
}
