//! Strings compared with constants by their views: a view has the length and the beginning, or all of a short string.

use arrow::array::{Array, MAX_INLINE_VIEW_LEN, StringViewArray, make_view};
use arrow::buffer::BooleanBuffer;

use super::operand::bits;

/// The view of a string that fits into one.
pub fn inline(text: &str) -> Option<u128> {
    (text.len() <= MAX_INLINE_VIEW_LEN as usize).then(|| make_view(text.as_bytes(), 0, 0))
}

/// Which strings are this one; of a missing one nothing is said.
pub fn equal(array: &StringViewArray, text: &str) -> BooleanBuffer {
    if let Some(view) = inline(text) {
        return bits(array.views(), |other| other == view);
    }
    let beginning = make_view(text.as_bytes(), 0, 0) as u64;
    let alike = bits(array.views(), |other| other as u64 == beginning);
    BooleanBuffer::collect_bool(array.len(), |row| alike.value(row) && array.value(row) == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_every_length_are_told_apart() {
        let long = "a text of more than twelve bytes";
        let texts = [
            "",
            "a",
            "ab",
            "twelve bytes",
            "thirteen byte",
            "thirteen bytf",
            long,
            "a text of more than twelve bites",
        ];
        let array = StringViewArray::from(texts.to_vec());
        for (number, text) in texts.iter().enumerate() {
            let found: Vec<usize> = equal(&array, text).set_indices().collect();
            assert_eq!(found, [number]);
            assert_eq!(inline(text).is_some(), text.len() <= 12);
        }
        assert_eq!(equal(&array, "another").count_set_bits(), 0);
    }
}
