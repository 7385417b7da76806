//! Secrets in the environment, under a prefix.

use super::provider::{Found, Provider};
use super::value::SecretValue;
use crate::error::{Code, Error, Result};

/// Variables `<prefix><NAME>`; what is no letter or digit of a name is `_` there.
#[derive(Debug, Clone)]
pub struct Environment {
    prefix: String,
}

impl Environment {
    pub fn new(prefix: impl Into<String>) -> Result<Self> {
        let prefix = prefix.into();
        if prefix.is_empty() {
            return Err(Error::new(Code::InvalidTask, "secrets in the environment need a prefix")
                .hint("Without one every variable would be a secret, and workers would have none of them")
                .detail("path", "secrets"));
        }
        Ok(Self { prefix })
    }

    fn variable(&self, name: &str) -> String {
        let plain = |byte: char| if byte.is_ascii_alphanumeric() { byte.to_ascii_uppercase() } else { '_' };
        format!("{}{}", self.prefix, name.chars().map(plain).collect::<String>())
    }
}

impl Provider for Environment {
    fn describe(&self) -> String {
        format!("the environment ({}*)", self.prefix)
    }

    fn get(&self, name: &str) -> Result<Option<Found>> {
        use std::os::unix::ffi::OsStringExt;
        let Some(text) = std::env::var_os(self.variable(name)) else { return Ok(None) };
        Ok(Some(Found::at_hand(SecretValue::checked(name, text.into_vec())?)))
    }

    fn names(&self) -> Result<Option<Vec<String>>> {
        let all = std::env::vars_os().filter_map(|(variable, _)| variable.into_string().ok());
        let name = |variable: String| Some(variable.strip_prefix(&self.prefix)?.to_ascii_lowercase());
        let mut names: Vec<String> = all.filter_map(name).filter(|name| !name.is_empty()).collect();
        names.sort();
        Ok(Some(names))
    }

    fn hidden(&self) -> Option<String> {
        Some(self.prefix.clone())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_variables() {
        let environment = Environment::new("APP_").unwrap();
        assert_eq!(environment.variable("db-password"), "APP_DB_PASSWORD");
        assert_eq!(environment.variable("team/api.key"), "APP_TEAM_API_KEY");
        assert!(Environment::new("").is_err());
    }
}
