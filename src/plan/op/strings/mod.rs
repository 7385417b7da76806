//! Text: what the str accessor offers. One file each and one line in the list below.

mod affix;
pub(super) mod build;
mod case;
mod cat;
mod classes;
mod coding;
mod contains;
mod extract;
mod extract_all;
mod find;
mod find_all;
mod join;
mod measure;
mod normalize;
mod pad;
mod pattern;
mod replace;
mod slice;
mod split;
mod split_list;
mod strip;
#[cfg(test)]
mod tests;
mod to_numeric;
mod translate;
mod wrap;

use arrow::array::{ArrayRef, BooleanArray, StringViewArray};
use arrow::buffer::BooleanBuffer;

use super::super::dtype::DType;
use super::super::expr::Literal;
use super::operand::{argument, column, strings};
use super::promote::{bare, describe, mismatch};
use super::{Operand, Operator, Typed, constants};
use crate::error::{Error, Result, not_decomposable};

pub const OPERATORS: &[&dyn Operator] = &[
    &case::LOWER,
    &case::UPPER,
    &case::TITLE,
    &case::CAPITALIZE,
    &case::SWAPCASE,
    &case::CASEFOLD,
    &strip::STRIP,
    &strip::LSTRIP,
    &strip::RSTRIP,
    &measure::Len,
    &measure::Count,
    &affix::STARTS,
    &affix::ENDS,
    &affix::REMOVE_PREFIX,
    &affix::REMOVE_SUFFIX,
    &contains::CONTAINS,
    &contains::CONTAINS_LITERAL,
    &contains::MATCH,
    &contains::FULL_MATCH,
    &find::FIND,
    &find::RFIND,
    &find::INDEX,
    &find::RINDEX,
    &replace::REPLACE,
    &replace::REPLACE_REGEX,
    &extract::Extract,
    &extract_all::ExtractAll,
    &find_all::FindAll,
    &split_list::SplitList,
    &slice::Slice,
    &slice::Get,
    &slice::SliceReplace,
    &split::SplitPart,
    &split::SplitCount,
    &split::Partition,
    &to_numeric::ToNumeric,
    &pad::Pad,
    &pad::ZFill,
    &pad::Repeat,
    &cat::Cat,
    &join::Join,
    &translate::Translate,
    &wrap::Wrap,
    &normalize::Normalize,
    &coding::Encode,
    &coding::Decode,
    &classes::IS_ALNUM,
    &classes::IS_ALPHA,
    &classes::IS_ASCII,
    &classes::IS_DECIMAL,
    &classes::IS_DIGIT,
    &classes::IS_NUMERIC,
    &classes::IS_SPACE,
    &classes::IS_LOWER,
    &classes::IS_UPPER,
    &classes::IS_TITLE,
];

/// Checks that an operator's first argument is text, and returns `result` as its type.
fn of_text(args: &[Typed<'_>], call: &str, result: DType) -> Result<DType> {
    match args.first() {
        Some(arg) if arg.dtype == DType::Str => Ok(result),
        Some(arg) => Err(mismatch(
            format!("`{call}` needs text, and this is {}", describe(arg)),
            "Only columns of strings have it; `.astype(str)` makes one of numbers",
        )),
        None => Err(not_decomposable(format!("`{call}` takes a column of text"))
            .hint("Make text of it first: `p['x'].astype(str)`")),
    }
}

/// The column of text that is an operator's argument number `place`.
fn texts(args: &[Operand], place: usize, rows: usize) -> Result<StringViewArray> {
    let array: ArrayRef = column(argument(args, place)?, &DType::Str, rows)?;
    Ok(strings(&array)?.clone())
}

fn setting<'a>(args: &'a [Option<&'a Literal>], place: usize) -> Result<&'a Literal> {
    let found = args.get(place).copied().flatten().map(bare);
    found.ok_or_else(|| {
        not_decomposable("a text method is told how by constants, and one of them is none")
            .hint("Give a constant, or compute with columns: `p['a'].where(...)`, `p['a'] + p['b']`")
    })
}

fn wrong() -> Error {
    Error::internal("a text operator has a constant of the wrong type")
}

fn text_at<'a>(args: &'a [Option<&'a Literal>], place: usize) -> Result<&'a str> {
    match setting(args, place)? {
        Literal::Str(text) => Ok(text),
        _ => Err(wrong()),
    }
}

fn integer_at(args: &[Option<&Literal>], place: usize) -> Result<i64> {
    match setting(args, place)? {
        Literal::Int(value) => Ok(*value),
        _ => Err(wrong()),
    }
}

fn bool_at(args: &[Option<&Literal>], place: usize) -> Result<bool> {
    match setting(args, place)? {
        Literal::Bool(value) => Ok(*value),
        _ => Err(wrong()),
    }
}

/// An integer, or None.
fn position_at(args: &[Option<&Literal>], place: usize) -> Result<Option<i64>> {
    match setting(args, place)? {
        Literal::Null => Ok(None),
        Literal::Int(value) => Ok(Some(*value)),
        _ => Err(wrong()),
    }
}

/// A text, or None.
fn maybe_text_at<'a>(args: &'a [Option<&'a Literal>], place: usize) -> Result<Option<&'a str>> {
    match setting(args, place)? {
        Literal::Null => Ok(None),
        Literal::Str(text) => Ok(Some(text)),
        _ => Err(wrong()),
    }
}

/// A text, or a list of texts.
fn several_at<'a>(args: &'a [Option<&'a Literal>], place: usize) -> Result<Vec<&'a str>> {
    match setting(args, place)? {
        Literal::Str(text) => Ok(vec![text]),
        Literal::List(items) => items
            .iter()
            .map(|item| match bare(item) {
                Literal::Str(text) => Ok(text.as_str()),
                _ => Err(wrong()),
            })
            .collect(),
        _ => Err(wrong()),
    }
}

fn literals<'a>(args: &'a [Typed<'a>]) -> Vec<Option<&'a Literal>> {
    args.iter().map(|arg| arg.literal).collect()
}

/// A question about every text: true or false everywhere, `missing` where there is no text.
fn ask(array: &StringViewArray, missing: bool, mut test: impl FnMut(&str) -> bool) -> BooleanArray {
    use arrow::array::Array;
    let answer = |row: usize| {
        if array.is_null(row) { missing } else { test(array.value(row)) }
    };
    BooleanArray::new(BooleanBuffer::collect_bool(array.len(), answer), None)
}

/// As [`ask`], for a question that may fail.
fn try_ask(
    array: &StringViewArray,
    missing: bool,
    mut test: impl FnMut(&str) -> Result<bool>,
) -> Result<BooleanArray> {
    let mut failure = None;
    let answers = ask(array, missing, |text| match test(text) {
        Ok(answer) => answer,
        Err(error) => {
            failure.get_or_insert(error);
            false
        }
    });
    failure.map_or(Ok(answers), Err)
}
