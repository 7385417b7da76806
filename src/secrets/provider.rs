//! Where secrets come from: what the core asks of an environment, a directory, a vault or the user's own object.

use std::time::Duration;

use super::value::SecretValue;
use crate::error::{Code, Error, Result};

/// A secret as a provider has it.
#[derive(Debug, Clone)]
pub struct Found {
    pub value: SecretValue,
    /// How long it holds, where the provider says; else as long as the client keeps secrets.
    pub lives: Option<Duration>,
}

impl From<SecretValue> for Found {
    fn from(value: SecretValue) -> Self {
        Self { value, lives: None }
    }
}

impl Found {
    /// A value that costs nothing to ask for again, so that a new one is seen at once.
    pub fn at_hand(value: SecretValue) -> Self {
        Self { value, lives: Some(Duration::ZERO) }
    }
}

/// Something that has secrets. May be asked from any thread, and may take its time.
pub trait Provider: Send + Sync {
    /// Where it looks, in words, with nothing secret.
    fn describe(&self) -> String;

    /// The secret of this name; None if it has none.
    fn get(&self, name: &str) -> Result<Option<Found>>;

    /// The names it has; None if it cannot list them.
    fn names(&self) -> Result<Option<Vec<String>>>;

    /// Keeps a secret; false if it only reads.
    fn set(&self, _name: &str, _value: &SecretValue) -> Result<bool> {
        Ok(false)
    }

    /// What variables of the environment that hold secrets begin with: they are not handed on to workers.
    fn hidden(&self) -> Option<String> {
        None
    }
}

/// Longer names are slips.
const LONGEST: usize = 512;

/// Refuses what is no name of a secret.
pub fn check_name(name: &str) -> Result<()> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./#@:".contains(&byte);
    if !name.is_empty() && name.len() <= LONGEST && name.bytes().all(known) {
        return Ok(());
    }
    // It is not shown: somebody may have given the value in place of the name.
    Err(Error::new(Code::InvalidTask, "what was given is not the name of a secret")
        .hint("A name has letters, digits and _ - . / # @ : alone")
        .detail("path", "secrets"))
}

/// A provider could not be asked.
pub fn unavailable(name: &str, place: &str, why: &str) -> Error {
    Error::new(Code::SourceUnreadable, format!("cannot read the secret `{name}` from {place}: {why}"))
        .detail("secret", name)
        .detail("provider", place)
        .detail("why", why)
}
