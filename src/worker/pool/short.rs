//! Which functions are short: a call of one that is may run in the thread that brings it. A pure decision.

use std::collections::HashMap;
use std::time::Duration;

/// A call that took longer is not short.
const SHORT: Duration = Duration::from_millis(2);

/// Functions that are remembered.
const MOST: usize = 256;

/// How long the last call of each function took.
#[derive(Debug, Default)]
pub(super) struct Short(HashMap<String, Duration>);

impl Short {
    /// A call of this function took so long.
    pub fn learn(&mut self, function: &str, took: Duration) {
        if let Some(known) = self.0.get_mut(function) {
            *known = took;
            return;
        }
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(function.to_owned(), took);
    }

    /// Whether the last call of this function was short; of one that is not known nobody can say.
    pub fn is(&self, function: &str) -> bool {
        self.0.get(function).is_some_and(|took| *took <= SHORT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_call_decides_and_few_functions_are_remembered() {
        let mut short = Short::default();
        assert!(!short.is("f"));
        short.learn("f", Duration::from_micros(3));
        assert!(short.is("f") && !short.is("g"));
        short.learn("f", SHORT * 2);
        assert!(!short.is("f"));
        for number in 0..3 * MOST {
            short.learn(&number.to_string(), Duration::ZERO);
            assert!(short.is(&number.to_string()) && short.0.len() <= MOST);
        }
    }
}
