//! `translate(x, [[code point, replacement or None], ...])`: characters for characters.

use arrow::array::ArrayRef;
use hashbrown::HashMap;

use super::build::map;
use super::{Operand, Operator, Typed, constants, of_text, setting, texts, wrong};
use crate::error::Result;
use crate::plan::op::promote::bare;
use crate::plan::{DType, Literal};

pub struct Translate;

impl Operator for Translate {
    fn name(&self) -> &'static str {
        "str_translate"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        table(&super::literals(args))?;
        of_text(args, "str.translate", DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let constants = constants(args);
        let table = table(&constants)?;
        map(&texts(args, 0, rows)?, |text, open| {
            for c in text.chars() {
                match table.get(&c) {
                    Some(new) => open.push_str(new),
                    None => open.push(c),
                }
            }
        })
    }
}

fn table<'a>(args: &'a [Option<&'a Literal>]) -> Result<HashMap<char, &'a str>> {
    let Literal::List(pairs) = setting(args, 1)? else { return Err(wrong()) };
    let pair = |pair: &'a Literal| {
        let Literal::List(pair) = bare(pair) else { return Err(wrong()) };
        let [from, to] = pair.as_slice() else { return Err(wrong()) };
        let Literal::Int(from) = bare(from) else { return Err(wrong()) };
        let from = u32::try_from(*from).ok().and_then(char::from_u32).ok_or_else(wrong)?;
        match bare(to) {
            Literal::Str(to) => Ok((from, to.as_str())),
            Literal::Null => Ok((from, "")),
            _ => Err(wrong()),
        }
    };
    pairs.iter().map(pair).collect()
}
