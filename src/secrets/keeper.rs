//! The secrets of a client: asked of its providers in their order, kept for a while, and asked again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, ReentrantMutex};

use super::provider::{Found, Provider, check_name};
use super::redact;
use super::value::SecretValue;
use crate::error::{Code, Error, Result};
use crate::names::nearest;

/// An option as it was given: as it stands, or by the name of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    Plain(SecretValue),
    Named(String),
}

pub struct Secrets {
    providers: Vec<Box<dyn Provider>>,
    /// How long a value is kept before it is asked for again.
    keep: Duration,
    kept: Mutex<HashMap<String, Kept>>,
    /// Held while a provider is asked, so that many who want a secret ask for it once. A provider of the user's may
    /// ask for a secret itself.
    asking: ReentrantMutex<()>,
}

struct Kept {
    value: SecretValue,
    until: Instant,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets of {}", self.described())
    }
}

impl Default for Secrets {
    fn default() -> Self {
        Self::new(Vec::new(), Duration::ZERO)
    }
}

impl Secrets {
    pub fn new(providers: Vec<Box<dyn Provider>>, keep: Duration) -> Self {
        Self { providers, keep, kept: Mutex::default(), asking: ReentrantMutex::new(()) }
    }

    /// The secret of this name. Asks the providers when it has to, which may take its time.
    pub fn get(&self, name: &str) -> Result<SecretValue> {
        self.get_at(name, &Instant::now)
    }

    fn get_at(&self, name: &str, clock: &dyn Fn() -> Instant) -> Result<SecretValue> {
        check_name(name)?;
        if let Some(value) = self.fresh_at(name, clock()) {
            return Ok(value);
        }
        let _asking = self.asking.lock();
        if let Some(value) = self.fresh_at(name, clock()) {
            return Ok(value);
        }
        let found = self.ask(name)?.ok_or_else(|| self.unknown(name))?;
        Ok(self.keep(name, found, clock()))
    }

    /// The secrets of these names.
    pub fn all(&self, names: &[String]) -> Result<Vec<(String, SecretValue)>> {
        names.iter().map(|name| Ok((name.clone(), self.get(name)?))).collect()
    }

    /// The value that is at hand, if it is young enough: no provider is asked.
    pub fn fresh(&self, name: &str) -> Option<SecretValue> {
        self.fresh_at(name, Instant::now())
    }

    fn fresh_at(&self, name: &str, now: Instant) -> Option<SecretValue> {
        self.kept.lock().get(name).filter(|kept| now < kept.until).map(|kept| kept.value.clone())
    }

    /// Forgets what is kept, of one name or of all: who wants it next asks the providers.
    pub fn refresh(&self, name: Option<&str>) {
        let mut kept = self.kept.lock();
        match name {
            Some(name) => {
                kept.remove(name);
            }
            None => kept.clear(),
        }
    }

    /// Keeps a secret in the first provider that can.
    pub fn set(&self, name: &str, value: SecretValue) -> Result<()> {
        check_name(name)?;
        redact::add(&value);
        let _asking = self.asking.lock();
        for provider in &self.providers {
            if provider.set(name, &value)? {
                self.refresh(Some(name));
                return Ok(());
            }
        }
        Err(Error::new(Code::InvalidTask, format!("no provider can keep the secret `{name}`"))
            .hint(format!("They are: {}. Environments are only read", self.described()))
            .detail("secret", name))
    }

    /// All names that the providers can list, sorted.
    pub fn names(&self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for provider in &self.providers {
            all.extend(provider.names()?.unwrap_or_default());
        }
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// What variables of the environment begin with that workers do not get.
    pub fn hidden(&self) -> Vec<String> {
        self.providers.iter().filter_map(|provider| provider.hidden()).collect()
    }

    /// The providers in words.
    pub fn described(&self) -> String {
        match self.providers.as_slice() {
            [] => "none".to_owned(),
            some => some.iter().map(|provider| provider.describe()).collect::<Vec<_>>().join(", "),
        }
    }

    fn ask(&self, name: &str) -> Result<Option<Found>> {
        for provider in &self.providers {
            if let Some(found) = provider.get(name)? {
                redact::add(&found.value);
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn keep(&self, name: &str, found: Found, now: Instant) -> SecretValue {
        let keep = found.lives.map_or(self.keep, |lives| lives.min(self.keep));
        if let Some(until) = now.checked_add(keep) {
            let value = found.value.clone();
            self.kept.lock().insert(name.to_owned(), Kept { value, until });
        }
        found.value
    }

    fn unknown(&self, name: &str) -> Error {
        let error = Error::new(Code::InvalidTask, format!("there is no secret `{name}`"))
            .detail("path", "secrets")
            .detail("secret", name);
        let looked = format!("Looked in: {}", self.described());
        // Who cannot list its names now is no reason to say less.
        let names = self.names().unwrap_or_default();
        match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => {
                let near = near.to_owned();
                error.hint(format!("Did you mean \"{near}\"? {looked}")).detail("nearest", near)
            }
            None => error.hint(looked),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A provider whose value and answers can be changed.
    #[derive(Clone, Default)]
    struct Changing {
        value: Arc<Mutex<Option<&'static str>>>,
        lives: Option<Duration>,
        asked: Arc<AtomicUsize>,
    }

    impl Provider for Changing {
        fn describe(&self) -> String {
            "a test".to_owned()
        }

        fn get(&self, _: &str) -> Result<Option<Found>> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let value = *self.value.lock();
            Ok(value.map(|value| Found { value: SecretValue::new(value), lives: self.lives }))
        }

        fn names(&self) -> Result<Option<Vec<String>>> {
            Ok(Some(vec!["password".to_owned()]))
        }
    }

    #[test]
    fn a_value_is_kept_for_its_time_and_then_asked_for_again() {
        for (lives, seconds) in [(None, 60), (Some(Duration::from_secs(5)), 5)] {
            let provider = Changing { lives, ..Changing::default() };
            *provider.value.lock() = Some("first value");
            let secrets = Secrets::new(vec![Box::new(provider.clone())], Duration::from_secs(60));
            let start = Instant::now();
            let at = |second: u64| {
                secrets
                    .get_at("password", &|| start + Duration::from_secs(second))
                    .unwrap()
                    .reveal()
                    .to_owned()
            };
            assert_eq!(at(0), "first value");
            *provider.value.lock() = Some("second value");
            assert_eq!(at(seconds - 1), "first value");
            assert_eq!(at(seconds), "second value");
            assert_eq!(provider.asked.load(Ordering::Relaxed), 2);
            secrets.refresh(Some("password"));
            *provider.value.lock() = Some("third value");
            assert_eq!(at(seconds), "third value");
        }
    }

    #[test]
    fn providers_are_asked_in_their_order_and_what_is_unknown_is_named() {
        let (one, other) = (Changing::default(), Changing::default());
        *other.value.lock() = Some("of the other");
        let secrets =
            Secrets::new(vec![Box::new(one.clone()), Box::new(other.clone())], Duration::from_secs(60));
        assert_eq!(secrets.get("password").unwrap().reveal(), "of the other");
        *other.value.lock() = None;
        let error = secrets.get("pasword").unwrap_err();
        assert_eq!(error.details()["nearest"], "password");
        assert!(secrets.get("a value; not a name").unwrap_err().to_string().contains("not the name"));
        assert!(secrets.set("password", SecretValue::new("value")).is_err());
    }

    #[test]
    fn nothing_is_kept_where_nothing_is_to_be() {
        let provider = Changing::default();
        *provider.value.lock() = Some("first value");
        let secrets = Secrets::new(vec![Box::new(provider.clone())], Duration::ZERO);
        for _ in 0..3 {
            secrets.get("password").unwrap();
        }
        assert_eq!(provider.asked.load(Ordering::Relaxed), 3);
    }
}
