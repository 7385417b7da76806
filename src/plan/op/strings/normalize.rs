//! `normalize(x, form)`: one of the normal forms of Unicode.

use arrow::array::ArrayRef;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

use super::build::map;
use super::{Operand, Operator, Typed, constants, of_text, text_at, texts};
use crate::error::{Error, Result};
use crate::plan::DType;

pub struct Normalize;

impl Operator for Normalize {
    fn name(&self) -> &'static str {
        "str_normalize"
    }

    fn infer(&self, args: &[Typed<'_>]) -> Result<DType> {
        of_text(args, "str.normalize", DType::Str)
    }

    fn eval(&self, args: &[Operand], rows: usize, _: &DType) -> Result<ArrayRef> {
        let array = texts(args, 0, rows)?;
        let compose = |normalizer: ComposingNormalizerBorrowed<'static>| {
            map(&array, |text, open| open.push_str(&normalizer.normalize(text)))
        };
        let decompose = |normalizer: DecomposingNormalizerBorrowed<'static>| {
            map(&array, |text, open| open.push_str(&normalizer.normalize(text)))
        };
        match text_at(&constants(args), 1)? {
            "NFC" => compose(ComposingNormalizerBorrowed::new_nfc()),
            "NFKC" => compose(ComposingNormalizerBorrowed::new_nfkc()),
            "NFD" => decompose(DecomposingNormalizerBorrowed::new_nfd()),
            "NFKD" => decompose(DecomposingNormalizerBorrowed::new_nfkd()),
            other => Err(Error::internal(format!("there is no normal form {other}"))),
        }
    }
}
