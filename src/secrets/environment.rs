//! Secrets in the environment, under a prefix.

use super::provider::{Found, Provider};
use super::value::SecretValue;
use crate::error::Result;

/// Variables `<prefix><NAME>`; what is no letter or digit of a name is `_` there.
#[derive(Debug, Clone)]
pub struct Environment {
    prefix: String,
}

impl Environment {
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
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
        Ok(Some(SecretValue::checked(name, text.into_vec())?.into()))
    }

    fn names(&self) -> Result<Option<Vec<String>>> {
        let name = |variable: String| Some(variable.strip_prefix(&self.prefix)?.to_ascii_lowercase());
        let mut names: Vec<String> =
            self.variables().into_iter().filter_map(name).filter(|name| !name.is_empty()).collect();
        names.sort();
        Ok(Some(names))
    }

    fn variables(&self) -> Vec<String> {
        let all = std::env::vars_os().filter_map(|(variable, _)| variable.into_string().ok());
        all.filter(|variable| variable.starts_with(&self.prefix)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_variables() {
        let environment = Environment::new("APP_");
        assert_eq!(environment.variable("db-password"), "APP_DB_PASSWORD");
        assert_eq!(environment.variable("team/api.key"), "APP_TEAM_API_KEY");
    }
}
