//! Numbers as texts have them: those of `pandas.read_csv`, each to the last bit.

/// Digits that always fit a number of 64 bits, with and without a sign.
const SURE: usize = 18;

/// What a text is in which nothing but digits stands behind a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Integral {
    pub negative: bool,
    /// As a 64 bit integer with a sign, and without one.
    pub signed: Option<i64>,
    pub unsigned: Option<u64>,
}

/// A sign and what follows it.
fn signed(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// The number that digits are, if there is nothing else; none are none. They must be few enough not to overflow.
#[inline]
fn digits(text: &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    (!text.is_empty()).then_some(value)
}

fn parsed<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// What a text is as an integer, of whatever size.
#[inline]
pub fn integral(text: &[u8]) -> Option<Integral> {
    let text = text.trim_ascii();
    let (negative, rest) = signed(text);
    if rest.len() <= SURE {
        let value = digits(rest)?;
        let signed = if negative { -(value as i64) } else { value as i64 };
        return Some(Integral { negative, signed: Some(signed), unsigned: (!negative).then_some(value) });
    }
    rest.iter().all(u8::is_ascii_digit).then(|| Integral {
        negative,
        signed: parsed(text),
        unsigned: parsed(text),
    })
}

pub fn integer(text: &[u8]) -> Option<i64> {
    integral(text)?.signed
}

pub fn unsigned(text: &[u8]) -> Option<u64> {
    integral(text)?.unsigned
}

/// Powers of ten that are exact.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

/// Digits with a point between them: one division of two numbers that are exact is the nearest number.
#[inline]
fn short_float(text: &[u8]) -> Option<f64> {
    let (negative, rest) = signed(text);
    if rest.len() > SURE {
        return None;
    }
    let (mut value, mut point) = (0_u64, None);
    for (place, byte) in rest.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            value = value * 10 + u64::from(digit);
        } else if *byte == b'.' && point.is_none() {
            point = Some(place);
        } else {
            return None;
        }
    }
    let behind = point.map_or(0, |point| rest.len() - point - 1);
    if value > 1 << 53 || rest.len() == usize::from(point.is_some()) {
        return None;
    }
    let value = value as f64 / POWERS.get(behind)?;
    Some(if negative { -value } else { value })
}

#[inline]
pub fn float(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    short_float(text).or_else(|| long_float(text))
}

fn long_float(text: &[u8]) -> Option<f64> {
    let (_, rest) = signed(text);
    let word = rest.first().is_some_and(u8::is_ascii_alphabetic);
    if word && !rest.eq_ignore_ascii_case(b"inf") && !rest.eq_ignore_ascii_case(b"infinity") {
        return None;
    }
    parsed(text)
}

/// Whether a text is a number. As [`float`], and quicker where it does not matter which.
#[inline]
pub fn is_float(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let (_, rest) = signed(text);
    let (mut digits, mut points) = (0, 0);
    for byte in rest {
        digits += usize::from(byte.wrapping_sub(b'0') <= 9);
        points += usize::from(*byte == b'.');
    }
    digits > 0 && points <= 1 && digits + points == rest.len() || long_float(text).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The short ways and the standard library's agree.
        #[test]
        fn numbers_are_those_of_the_standard_library(
            text in prop_oneof!["[+-]?[0-9]{0,22}", "[+-]?[0-9]{0,12}[.]?[0-9]{0,12}(e[+-]?[0-9]{1,3})?", "[0-9+.e-]{0,6}", "[ ]?-?[0-9]{1,17}[.][0-9]{0,3}"]
        ) {
            let bytes = text.as_bytes();
            let trimmed = text.trim();
            prop_assert_eq!(integer(bytes), trimmed.parse::<i64>().ok());
            prop_assert_eq!(unsigned(bytes), trimmed.parse::<u64>().ok());
            prop_assert_eq!(float(bytes).map(f64::to_bits), trimmed.parse::<f64>().ok().map(f64::to_bits));
            prop_assert_eq!(is_float(bytes), trimmed.parse::<f64>().is_ok());
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", "-", "+", ".", "-.", "1_000", "nan", "infinit", "1.2.3", "0x1", "1e", "--1", "1 2"] {
            assert_eq!(float(text.as_bytes()), None, "{text}");
            assert!(!is_float(text.as_bytes()), "{text}");
            assert_eq!(integral(text.as_bytes()), None, "{text}");
        }
        assert_eq!(float(b"-0").map(f64::is_sign_negative), Some(true));
        assert_eq!(float(b" Infinity "), Some(f64::INFINITY));
        assert_eq!(integral(b"-0"), Some(Integral { negative: true, signed: Some(0), unsigned: None }));
    }
}
