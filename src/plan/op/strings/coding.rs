//! Text to bytes and back: `encode`, `decode`, in UTF-8.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, StringViewBuilder};

use super::{Operand, Operator, Typed, constants, of_text, text_at, texts};
use crate::error::{Result, not_decomposable};
use crate::plan::DType;
use crate::plan::op::failed;
use crate::plan::op::operand::{argument, column, unexpected};
use crate::plan::op::promote::{describe, mismatch};

/// `(x)`.
pub struct Encode;

impl Operator for Encode {
    fn name(&self) -> &'static str {
        "str_encode"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, "str.encode", DType::Binary)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let array: BinaryViewArray = texts(args, 0, rows)?.to_binary_view();
        Ok(Arc::new(array))
    }
}

/// `(x, what is done about bytes that are no UTF-8: strict, replace or ignore)`.
pub struct Decode;

impl Operator for Decode {
    fn name(&self) -> &'static str {
        "str_decode"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        match args {
            [arg, _] if arg.dtype == DType::Binary => Ok(DType::Str),
            [arg, _] => Err(mismatch(
                format!("`str.decode` needs bytes, and this is {}", describe(arg)),
                "A column of strings is decoded already",
            )),
            _ => Err(not_decomposable("`str.decode` takes a column of bytes")
                .hint("Text needs no decoding; make bytes of it with `.str.encode('utf-8')`")),
        }
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let array = column(argument(args, 0)?, &DType::Binary, rows)?;
        let array = array.as_binary_view_opt().ok_or_else(|| unexpected(array.data_type(), "bytes"))?;
        let constants = constants(args);
        let errors = text_at(&constants, 1)?;
        let mut built = StringViewBuilder::with_capacity(rows);
        for bytes in array {
            let Some(bytes) = bytes else {
                built.append_null();
                continue;
            };
            match std::str::from_utf8(bytes) {
                Ok(text) => built.append_value(text),
                Err(error) if errors == "strict" => {
                    return Err(failed(format!("a value is not UTF-8: {error}"))
                        .hint("Say `errors=\"replace\"` or `errors=\"ignore\"`"));
                }
                Err(_) if errors == "ignore" => {
                    let valid: String = bytes.utf8_chunks().map(|chunk| chunk.valid()).collect();
                    built.append_value(valid);
                }
                Err(_) => built.append_value(String::from_utf8_lossy(bytes)),
            }
        }
        Ok(Arc::new(built.finish()))
    }
}
