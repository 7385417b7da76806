//! Whether and when a worker that did not come to be ready is started again: a pure decision, the clock and the chance
//! passed in.
//!
//! What cannot start will not start the next time either: that is an error at once. What something outside ended is
//! started again after a wait that doubles each time, up to a limit, until it was tried for as long as it may be.
//! What crashed by itself may have been hit from outside as well, so it has a few more attempts.

use std::io;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::Signal;

/// The wait after the first failed start, and the longest.
const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(2);

/// How often in a row a worker may crash by itself before it is ready.
const CRASHES: u32 = 5;

/// Why a worker did not come to be ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setback {
    /// It cannot: what it runs, or is to run, is at fault.
    Unable,
    /// A signal that a program's own mistakes raise, or it fell silent.
    Crashed,
    /// A signal that others send, or the system had no room for it.
    Outside,
}

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The next start, not before this time.
    Again(Instant),
    GiveUp,
}

/// The failed starts of one worker, one after the other.
#[derive(Debug)]
pub struct Starting {
    /// How long it is tried.
    patience: Duration,
    /// When the first start failed.
    since: Option<Instant>,
    failures: u32,
    crashes: u32,
}

impl Setback {
    pub fn of_signal(signal: i32) -> Self {
        use Signal::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
        match Signal::try_from(signal) {
            Ok(SIGABRT | SIGBUS | SIGFPE | SIGILL | SIGSEGV | SIGSYS | SIGTRAP) => Self::Crashed,
            _ => Self::Outside,
        }
    }

    /// The system did not start it.
    pub fn of_error(error: &io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE) => Self::Outside,
            _ => Self::Unable,
        }
    }
}

impl Starting {
    pub fn new(patience: Duration) -> Self {
        Self { patience, since: None, failures: 0, crashes: 0 }
    }

    /// A start failed; `chance` is drawn from 0 to 1.
    pub fn failed(&mut self, why: Setback, now: Instant, chance: f64) -> Verdict {
        let since = *self.since.get_or_insert(now);
        self.failures = self.failures.saturating_add(1);
        self.crashes += u32::from(why == Setback::Crashed);
        let tried = now.saturating_duration_since(since);
        if why == Setback::Unable || self.crashes >= CRASHES || tried >= self.patience {
            return Verdict::GiveUp;
        }
        // The last one is when the time is over.
        Verdict::Again(now + self.wait(chance).min(self.patience - tried))
    }

    /// Doubling, with up to half of it off, so that workers that were ended together do not come back together.
    fn wait(&self, chance: f64) -> Duration {
        let doubled = FIRST.saturating_mul(1 << (self.failures - 1).min(16)).min(LONGEST);
        doubled.mul_f64(1.0 - 0.5 * chance.clamp(0.0, 1.0))
    }

    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// For how long starts have failed.
    pub fn tried(&self, now: Instant) -> Duration {
        self.since.map(|since| now.saturating_duration_since(since)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);
    /// Of multiplying by a float.
    const NOISE: Duration = Duration::from_nanos(100);

    #[test]
    fn what_cannot_start_is_given_up_at_once_and_what_crashes_after_some_attempts() {
        let now = Instant::now();
        assert_eq!(Starting::new(PATIENCE).failed(Setback::Unable, now, 0.0), Verdict::GiveUp);
        let mut starting = Starting::new(PATIENCE);
        for _ in 1..CRASHES {
            assert!(matches!(starting.failed(Setback::Crashed, now, 0.0), Verdict::Again(_)));
        }
        assert_eq!(starting.failed(Setback::Crashed, now, 0.0), Verdict::GiveUp);
        assert_eq!(starting.failures(), CRASHES);
    }

    #[test]
    fn signals_and_errors_tell_who_is_at_fault() {
        assert_eq!(Setback::of_signal(9), Setback::Outside);
        assert_eq!(Setback::of_signal(15), Setback::Outside);
        assert_eq!(Setback::of_signal(11), Setback::Crashed);
        assert_eq!(Setback::of_signal(40), Setback::Outside);
        let error = |number| io::Error::from_raw_os_error(number);
        assert_eq!(Setback::of_error(&error(Errno::EAGAIN as i32)), Setback::Outside);
        assert_eq!(Setback::of_error(&error(Errno::ENOENT as i32)), Setback::Unable);
        assert_eq!(Setback::of_error(&io::Error::other("no")), Setback::Unable);
    }

    proptest! {
        #[test]
        fn waits_grow_stay_in_their_bounds_and_end_with_the_patience(
            patience in 1_u64..200_000,
            chances in prop::collection::vec(0.0_f64..=1.0, 1..40),
            lasted in prop::collection::vec(0_u64..5_000, 1..40),
        ) {
            let patience = Duration::from_millis(patience);
            let mut starting = Starting::new(patience);
            let mut now = Instant::now();
            let (mut first, mut last_start) = (None, now);
            let (mut chances, mut lasted) = (chances.iter().cycle(), lasted.iter().cycle());
            // Every attempt takes a while, and each wait is at least half of the one that doubles.
            for failure in 0_u32.. {
                now = last_start + Duration::from_millis(*lasted.next().unwrap_or(&0));
                let since = *first.get_or_insert(now);
                match starting.failed(Setback::Outside, now, *chances.next().unwrap_or(&0.0)) {
                    Verdict::GiveUp => {
                        prop_assert!(now - since >= patience);
                        break;
                    }
                    Verdict::Again(due) => {
                        prop_assert!(now - since < patience && due > now);
                        prop_assert!(due <= since + patience);
                        let doubled = FIRST.saturating_mul(1 << failure.min(16)).min(LONGEST);
                        prop_assert!(due - now <= doubled);
                        prop_assert!(due == since + patience || due - now + NOISE >= doubled / 2);
                        last_start = due;
                    }
                }
                // So a minute has some tens of attempts, not thousands.
                prop_assert!(u64::from(failure) <= 10 + patience.as_secs());
            }
            prop_assert_eq!(starting.tried(now), now - first.unwrap_or(now));
        }
    }
}
