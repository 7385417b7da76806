//! Small numbers as Parquet writes them: runs of one value, and else each in as few bits as the largest needs.

/// Numbers that are packed together.
const GROUP: usize = 8;

/// How many bits a number up to this takes.
pub fn width(most: u32) -> u8 {
    (u32::BITS - most.leading_zeros()) as u8
}

/// Appends numbers, none of which takes more than `width` bits.
pub fn encode(numbers: &[u32], width: u8, out: &mut Vec<u8>) {
    // No more than that: all of them packed, and a head.
    out.reserve(numbers.len() * usize::from(width) / 8 + 16);
    let mut packed = 0;
    let mut at = 0;
    while let Some(group) = numbers.get(at..at + GROUP) {
        let first = group[0];
        if group[GROUP - 1] != first || group.iter().any(|number| *number != first) {
            at += GROUP;
            continue;
        }
        let run = at + GROUP;
        let end = numbers[run..].iter().position(|number| *number != first);
        let end = end.map_or(numbers.len(), |more| run + more);
        pack(&numbers[packed..at], width, out);
        varint(((end - at) as u64) << 1, out);
        out.extend_from_slice(&first.to_le_bytes()[..usize::from(width.div_ceil(8))]);
        (packed, at) = (end, end);
    }
    pack(&numbers[packed..], width, out);
}

/// Appends numbers packed; their count is made a multiple of eight by zeros.
fn pack(numbers: &[u32], width: u8, out: &mut Vec<u8>) {
    if numbers.is_empty() {
        return;
    }
    varint((numbers.len().div_ceil(GROUP) as u64) << 1 | 1, out);
    let end = out.len() + numbers.len().div_ceil(GROUP) * usize::from(width);
    let (mut bits, mut filled) = (0_u64, 0);
    for number in numbers {
        bits |= u64::from(*number) << filled;
        filled += u32::from(width);
        if filled >= u32::BITS {
            out.extend_from_slice(&(bits as u32).to_le_bytes());
            bits >>= u32::BITS;
            filled -= u32::BITS;
        }
    }
    out.extend_from_slice(&bits.to_le_bytes()[..filled.div_ceil(8) as usize]);
    out.resize(end, 0);
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends which rows have a value, behind the length in bytes.
pub fn levels(valid: &[u64], rows: usize, out: &mut Vec<u8>) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    let word = |number: usize| valid.get(number).copied().unwrap_or(u64::MAX);
    let whole = |number: usize| (number + 1) * 64 <= rows && matches!(word(number), 0 | u64::MAX);
    let words = rows.div_ceil(64);
    let mut number = 0;
    while number < words {
        let from = number;
        if whole(from) || (from + 1 == words && (from..words).all(|number| word(number) == u64::MAX)) {
            // A run: of words that are the same.
            while number < words && word(number) == word(from) && (whole(number) || word(from) == u64::MAX) {
                number += 1;
            }
            let count = (number * 64).min(rows) - from * 64;
            varint((count as u64) << 1, out);
            out.push(u8::from(word(from) != 0));
            continue;
        }
        while number < words && !whole(number) {
            number += 1;
        }
        let bytes = ((number * 64).min(rows) - from * 64).div_ceil(8);
        varint((bytes as u64) << 1 | 1, out);
        let packed = (from..number).flat_map(|number| word(number).to_le_bytes());
        out.extend(packed.take(bytes));
    }
    let length = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As the format's own words have it, number by number.
    fn decoded(mut bytes: &[u8], width: u8, count: usize) -> Vec<u32> {
        let mut numbers = Vec::new();
        let whole = usize::from(width.div_ceil(8));
        while numbers.len() < count {
            let (mut head, mut shift) = (0_u64, 0);
            loop {
                let byte = bytes[0];
                bytes = &bytes[1..];
                head |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte < 0x80 {
                    break;
                }
            }
            if head & 1 == 0 {
                let mut value = [0; 4];
                value[..whole].copy_from_slice(&bytes[..whole]);
                bytes = &bytes[whole..];
                numbers.extend(std::iter::repeat_n(u32::from_le_bytes(value), (head >> 1) as usize));
                continue;
            }
            let groups = (head >> 1) as usize;
            let bit = |place: usize| u32::from(bytes[place / 8] >> (place % 8) & 1);
            for number in 0..groups * GROUP {
                let from = number * usize::from(width);
                numbers.push((0..usize::from(width)).map(|at| bit(from + at) << at).sum());
            }
            bytes = &bytes[groups * usize::from(width)..];
        }
        assert!(bytes.is_empty(), "more than was said");
        numbers.truncate(count);
        numbers
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            runs in prop::collection::vec((any::<u32>(), prop_oneof![1_usize..3, 1_usize..40]), 0..60),
            bits in 1_u8..=32,
        ) {
            let numbers: Vec<u32> =
                runs.iter().flat_map(|(value, rows)| std::iter::repeat_n(value >> (32 - bits), *rows)).collect();
            let width = width(numbers.iter().copied().max().unwrap_or(0));
            let mut out = vec![7];
            encode(&numbers, width, &mut out);
            prop_assert_eq!(decoded(&out[1..], width, numbers.len()), numbers);
        }

        #[test]
        fn levels_are_those_of_the_rows(
            runs in prop::collection::vec((any::<bool>(), prop_oneof![1_usize..3, 1_usize..300]), 1..20)
        ) {
            let rows: Vec<bool> =
                runs.iter().flat_map(|(valid, rows)| std::iter::repeat_n(*valid, *rows)).collect();
            let mut words = vec![0_u64; rows.len().div_ceil(64)];
            rows.iter().enumerate().for_each(|(at, valid)| words[at / 64] |= u64::from(*valid) << (at % 64));
            let mut out = Vec::new();
            levels(&words, rows.len(), &mut out);
            let length = u32::from_le_bytes([out[0], out[1], out[2], out[3]]) as usize;
            prop_assert_eq!(length, out.len() - 4);
            let found: Vec<bool> = decoded(&out[4..], 1, rows.len()).iter().map(|level| *level == 1).collect();
            prop_assert_eq!(found, rows);
        }
    }

    #[test]
    fn without_missing_rows_levels_are_one_run() {
        for rows in [1, 63, 64, 65, 1000] {
            let mut out = Vec::new();
            levels(&[], rows, &mut out);
            assert_eq!(decoded(&out[4..], 1, rows), vec![1; rows]);
            assert!(out.len() <= 8, "{rows}");
        }
    }
}
