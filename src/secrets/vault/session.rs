//! When a token of Vault is used, renewed, or another one is asked for: a pure decision.

use std::time::{Duration, Instant};

use super::super::value::SecretValue;

/// A token, and for how long it holds.
#[derive(Debug, Clone)]
pub struct Session {
    pub token: SecretValue,
    pub since: Instant,
    /// None: it does not end, or nothing is known of its end.
    pub lease: Option<Duration>,
    pub renewable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Use,
    Renew,
    LogIn,
}

/// What to do before a request. Two thirds of a lease are used before anything is done about its end.
pub fn next(session: Option<&Session>, now: Instant) -> Step {
    let Some(session) = session else { return Step::LogIn };
    let Some(lease) = session.lease else { return Step::Use };
    let age = now.saturating_duration_since(session.since);
    match () {
        () if age >= lease => Step::LogIn,
        () if age < lease / 3 * 2 => Step::Use,
        () if session.renewable => Step::Renew,
        () => Step::LogIn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_renewed_before_they_end() {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let session = |lease: Option<u64>, renewable| Session {
            token: SecretValue::new("a token"),
            since: start,
            lease: lease.map(Duration::from_secs),
            renewable,
        };
        assert_eq!(next(None, start), Step::LogIn);
        assert_eq!(next(Some(&session(None, true)), at(1_000_000)), Step::Use);
        for (second, renewable, step) in [
            (0, true, Step::Use),
            (19, true, Step::Use),
            (20, true, Step::Renew),
            (29, true, Step::Renew),
            (30, true, Step::LogIn),
            (20, false, Step::LogIn),
        ] {
            assert_eq!(next(Some(&session(Some(30), renewable)), at(second)), step, "{second}");
        }
    }
}
