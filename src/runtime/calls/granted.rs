//! The secrets that a run's operation may read, as they are when a call begins.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::engine::control::Control;
use crate::error::Result;
use crate::secrets::{SecretValue, Secrets};

/// By name.
pub type Values = Arc<Vec<(String, SecretValue)>>;

#[derive(Debug)]
pub struct Granted {
    names: Vec<String>,
    secrets: Arc<Secrets>,
    last: Mutex<Last>,
}

#[derive(Debug)]
struct Last {
    values: Values,
    /// The provider could not be asked, which the run has been told.
    told: bool,
}

impl Granted {
    /// Asks for all of them: a run does not begin without one.
    pub fn new(names: Vec<String>, secrets: Arc<Secrets>) -> Result<Self> {
        let last = Last { values: Arc::new(secrets.all(&names)?), told: false };
        Ok(Self { names, secrets, last: Mutex::new(last) })
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Their values now. Where a provider does not answer any more, what it said last goes on to hold for the run,
    /// which says so.
    pub fn now(&self, control: &Control) -> Values {
        let fresh = self.names.iter().map(|name| self.secrets.fresh(name)).collect::<Option<Vec<_>>>();
        let asked = match fresh {
            Some(values) => Ok(self.names.iter().cloned().zip(values).collect::<Vec<_>>()),
            None => self.secrets.all(&self.names),
        };
        let mut last = self.last.lock();
        match asked {
            Ok(values) if values != *last.values => last.values = Arc::new(values),
            Ok(_) => {}
            Err(error) if !last.told => {
                last.told = true;
                control.note(format!(
                    "secrets could not be asked for again, and are used as they were: {error}"
                ));
            }
            Err(_) => {}
        }
        last.values.clone()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use crate::error::Error;
    use crate::secrets::{Found, Provider};

    #[derive(Clone)]
    struct Changing(Arc<Mutex<Option<&'static str>>>);

    impl Provider for Changing {
        fn describe(&self) -> String {
            "a test".to_owned()
        }

        fn get(&self, _: &str) -> Result<Option<Found>> {
            let value = *self.0.lock();
            value.map(|value| Some(SecretValue::new(value).into())).ok_or_else(|| Error::internal("gone"))
        }

        fn names(&self) -> Result<Option<Vec<String>>> {
            Ok(None)
        }
    }

    #[test]
    fn the_last_value_holds_while_nobody_can_be_asked() {
        let value = Arc::new(Mutex::new(Some("the first value")));
        let secrets = Secrets::new(vec![Box::new(Changing(value.clone()))], Duration::ZERO);
        let granted = Granted::new(vec!["one".to_owned()], Arc::new(secrets)).unwrap();
        let control = Control::default();
        let now = || granted.now(&control)[0].1.reveal().to_owned();
        assert_eq!(now(), "the first value");
        *value.lock() = Some("the second value");
        assert_eq!(now(), "the second value");
        *value.lock() = None;
        assert_eq!((now(), now()), ("the second value".to_owned(), "the second value".to_owned()));
        assert_eq!(control.notes().len(), 1);
        *value.lock() = Some("the third value");
        assert_eq!(now(), "the third value");
    }
}
