//! A secret's value: kept in memory that is overwritten when nothing refers to it, and shown by nothing.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::{Code, Error, Result};

/// Shorter values cannot be taken out of texts: every text has them.
pub const SHORTEST: usize = 4;

/// Longer values are no secrets but data: keys and service accounts have some kilobytes.
pub const LONGEST: usize = 64 << 10;

/// Text that nobody may see. Cheap to clone; compares in a time that does not depend on what it is.
#[derive(Clone)]
pub struct SecretValue(Arc<Zeroizing<String>>);

impl SecretValue {
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(text.into())))
    }

    /// The value of a secret as a provider has it: text that can be protected, or why it cannot be.
    pub fn checked(name: &str, bytes: Vec<u8>) -> Result<Self> {
        let bytes = Zeroizing::new(bytes);
        let refused = |why: String, hint: &'static str| {
            Err(Error::new(Code::InvalidTask, format!("the secret `{name}` {why}"))
                .hint(hint)
                .detail("secret", name))
        };
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return refused(
                "is not text".into(),
                "Keep bytes as base64, and decode them where they are used",
            );
        };
        match text.chars().count() {
            _ if text.trim().is_empty() => refused("is empty".into(), "Give it a value, or remove it"),
            count if count < SHORTEST => refused(
                format!("has fewer than {SHORTEST} characters, and could not be kept out of errors and logs"),
                "Use a longer one",
            ),
            _ if text.len() > LONGEST => {
                refused(format!("is larger than {} KiB", LONGEST >> 10), "Keep data of that size elsewhere")
            }
            _ => Ok(Self::new(text)),
        }
    }

    /// The text, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// How many hold it.
    pub(super) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl PartialEq for SecretValue {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for SecretValue {}

impl Hash for SecretValue {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_bytes().hash(state);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_value_is_shown_by_nothing() {
        let value = SecretValue::new("hunter2-hunter2");
        assert_eq!(format!("{value:?} {:?}", Some(&value)), "*** Some(***)");
        assert_eq!(value, SecretValue::new("hunter2-hunter2"));
        assert_ne!(value, SecretValue::new("hunter2-hunter3"));
        assert_ne!(value, SecretValue::new("hunter2"));
    }

    #[test]
    fn what_cannot_be_protected_is_refused_without_being_shown() {
        for bytes in [&b""[..], b"abc", b"\xff\xfe\xfd\xfc\xfb"] {
            let error = SecretValue::checked("pin", bytes.to_vec()).unwrap_err();
            assert!(error.to_string().contains("`pin`"), "{error}");
            assert!(!error.to_string().contains("abc"), "{error}");
        }
        assert_eq!(SecretValue::checked("pin", b"abcd".to_vec()).unwrap().reveal(), "abcd");
        assert!(SecretValue::checked("four", "äöüß".into()).is_ok());
    }
}
