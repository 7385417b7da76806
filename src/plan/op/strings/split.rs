//! Pieces of texts: `split`, `rsplit`, `partition`, `rpartition`, one piece or their number at a time.

use std::any::Any;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use memchr::memmem::{Finder, FinderRev};

use super::build::some_parts;
use super::classes::space;
use super::pattern::Pattern;
use super::{Operand, Operator, Typed, bool_at, constants, integer_at, literals, of_text, text_at, texts};
use super::{maybe_text_at, position_at};
use crate::error::{Error, Result, not_decomposable};
use crate::plan::op::Prepared;
use crate::plan::{DType, Literal};

/// `(x, separator or None for white space, most splits or None, it is a pattern, flags, from the right,
/// number of the piece)`: a piece, missing where there are fewer.
pub struct SplitPart;

/// The same arguments without the last: how many pieces there are.
pub struct SplitCount;

enum Separator {
    Space,
    Text(Box<Finder<'static>>, Box<FinderRev<'static>>, usize),
    Pattern(Box<Pattern>),
}

pub struct Split {
    separator: Separator,
    most: usize,
    right: bool,
}

impl Split {
    pub fn new(args: &[Option<&Literal>]) -> Result<Self> {
        let separator = match maybe_text_at(args, 1)? {
            None => Separator::Space,
            Some("") => {
                return Err(not_decomposable("`str.split` with an empty separator is not native").hint(
                    "Split by a character; leave it out to split at spaces; single characters are `.str[0]`",
                ));
            }
            Some(text) if bool_at(args, 3)? => {
                let pattern = Pattern::new(text, integer_at(args, 4)?)?;
                if !pattern.groups().is_empty() {
                    return Err(not_decomposable(
                        "`str.split` by a pattern with groups keeps what they match",
                    )
                    .hint("Write groups that are only for grouping as `(?:...)`"));
                }
                if pattern.may_be_empty() {
                    return Err(not_decomposable(
                        "`str.split` by a pattern that matches empty text is not native",
                    )
                    .hint("Write it so that it matches at least one character: `+` instead of `*`"));
                }
                Separator::Pattern(Box::new(pattern))
            }
            Some(text) => Separator::Text(
                Box::new(Finder::new(text).into_owned()),
                Box::new(FinderRev::new(text).into_owned()),
                text.len(),
            ),
        };
        let most = position_at(args, 2)?.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        Ok(Self { separator, most, right: bool_at(args, 5)? })
    }

    /// The pieces as bytes from and to, at most `wanted` of them where they are counted from the left.
    pub fn pieces(&self, text: &str, wanted: usize, pieces: &mut Vec<(usize, usize)>) -> Result<()> {
        pieces.clear();
        let bytes = text.as_bytes();
        match &self.separator {
            Separator::Space if self.right => {
                let mut rest = text.trim_end_matches(space);
                while !rest.is_empty() {
                    let cut = rest.rfind(space).filter(|_| pieces.len() < self.most);
                    let start = cut.map_or(0, |at| at + rest[at..].chars().next().map_or(1, char::len_utf8));
                    pieces.push((start, rest.len()));
                    rest = rest[..cut.unwrap_or(0)].trim_end_matches(space);
                }
                pieces.reverse();
            }
            Separator::Space => {
                let mut rest = text.trim_start_matches(space);
                while !rest.is_empty() && pieces.len() < wanted {
                    let start = text.len() - rest.len();
                    let cut = rest.find(space).filter(|_| pieces.len() < self.most);
                    let end = cut.unwrap_or(rest.len());
                    pieces.push((start, start + end));
                    rest = rest[end..].trim_start_matches(space);
                }
            }
            Separator::Text(_, last, width) if self.right => {
                let mut end = bytes.len();
                while pieces.len() < self.most
                    && let Some(at) = last.rfind(&bytes[..end])
                {
                    pieces.push((at + width, end));
                    end = at;
                }
                pieces.push((0, end));
                pieces.reverse();
            }
            Separator::Text(first, _, width) => {
                let mut start = 0;
                while pieces.len() < self.most && pieces.len() < wanted {
                    let Some(at) = first.find(&bytes[start..]) else { break };
                    pieces.push((start, start + at));
                    start += at + width;
                }
                if pieces.len() < wanted {
                    pieces.push((start, bytes.len()));
                }
            }
            Separator::Pattern(pattern) => {
                let mut start = 0;
                if self.most > 0 {
                    pattern.each(text, |from, to| {
                        pieces.push((start, from));
                        start = to;
                        pieces.len() < self.most && pieces.len() < wanted
                    })?;
                }
                if pieces.len() < wanted {
                    pieces.push((start, bytes.len()));
                }
            }
        }
        Ok(())
    }
}

pub fn split(prepared: Option<&(dyn Any + Send + Sync)>) -> Result<&Split> {
    prepared
        .and_then(|prepared| prepared.downcast_ref::<Split>())
        .ok_or_else(|| Error::internal("a separator was not prepared"))
}

impl Operator for SplitPart {
    fn name(&self) -> &'static str {
        "str_split_part"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        Split::new(&literals(args))?;
        of_text(args, "str.split", DType::Str)
    }

    fn prepare(&self, args: &[Option<&Literal>]) -> Result<Option<Prepared>> {
        Ok(Some(Box::new(Split::new(args)?)))
    }

    fn eval_prepared(
        &self,
        prepared: Option<&(dyn Any + Send + Sync)>,
        args: &[Operand],
        rows: usize,
        _: &DType,
    ) -> Result<ArrayRef> {
        let split = split(prepared)?;
        let number = integer_at(&constants(args), 6)?;
        let wanted = usize::try_from(number).map_or(usize::MAX, |number| number.saturating_add(1));
        let mut pieces = Vec::new();
        some_parts(&texts(args, 0, rows)?, |text| {
            split.pieces(text, wanted, &mut pieces)?;
            let place = if number < 0 { number + pieces.len() as i64 } else { number };
            Ok(usize::try_from(place).ok().and_then(|place| pieces.get(place).copied()))
        })
    }
}

impl Operator for SplitCount {
    fn name(&self) -> &'static str {
        "str_split_count"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        Split::new(&literals(args))?;
        of_text(args, "str.split", DType::Int64)
    }

    fn prepare(&self, args: &[Option<&Literal>]) -> Result<Option<Prepared>> {
        Ok(Some(Box::new(Split::new(args)?)))
    }

    fn eval_prepared(
        &self,
        prepared: Option<&(dyn Any + Send + Sync)>,
        args: &[Operand],
        rows: usize,
        _: &DType,
    ) -> Result<ArrayRef> {
        let split = split(prepared)?;
        let array = texts(args, 0, rows)?;
        let mut pieces = Vec::new();
        let mut counts = Vec::with_capacity(rows);
        for text in &array {
            if let Some(text) = text {
                split.pieces(text, usize::MAX, &mut pieces)?;
            }
            counts.push(pieces.len() as i64);
        }
        Ok(Arc::new(Int64Array::new(counts.into(), array.nulls().cloned())))
    }
}

/// `(x, separator, from the right, part)`: what stands before the separator (0), itself (1), behind it (2).
pub struct Partition;

impl Operator for Partition {
    fn name(&self) -> &'static str {
        "str_partition"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, "str.partition", DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let constants = constants(args);
        let (separator, right) = (text_at(&constants, 1)?, bool_at(&constants, 2)?);
        let part = integer_at(&constants, 3)?;
        let (first, last) = (Finder::new(separator), FinderRev::new(separator));
        some_parts(&texts(args, 0, rows)?, |text| {
            let bytes = text.as_bytes();
            let at = if right { last.rfind(bytes) } else { first.find(bytes) };
            Ok(Some(match (part, at, right) {
                (0, Some(at), _) => (0, at),
                (1, Some(at), _) => (at, at + separator.len()),
                (_, Some(at), _) => (at + separator.len(), text.len()),
                (0, None, false) | (2, None, true) => (0, text.len()),
                (_, None, _) => (0, 0),
            }))
        })
    }
}
