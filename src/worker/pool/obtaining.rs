//! How a thread of the pool comes to a worker: one that waits, or one that is started, again where something ended it.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use super::{Inner, SEAT};
use crate::worker::call::Said;
use crate::worker::host::Host;
use crate::worker::starting::{Starting, Verdict};
use crate::worker::watch::{Crash, Crashed, End, Watch};

impl Inner {
    /// A worker that is ready, for a call; or one more before it is needed, for as long as that is wanted.
    pub(super) fn obtain(&self, watch: &dyn Watch, spare: bool) -> Result<Host, End> {
        let mut starting = Starting::new(self.starts);
        loop {
            let setup = self.state.lock().setup.clone();
            let crash = match Host::start(&self.launch, setup, watch) {
                Ok(host) => {
                    let mut state = self.state.lock();
                    if host.is_set_up(&state.setup) {
                        state.ready += 1;
                        return Ok(host);
                    }
                    // Meanwhile workers are to do something else first.
                    continue;
                }
                Err(End::Died(crash)) => crash,
                Err(end) => return Err(end),
            };
            let Crashed::Starting(why) = crash.what else { return Err(End::Died(crash)) };
            let now = Instant::now();
            let due = match starting.failed(why, now, chance()) {
                Verdict::Again(due) => due,
                Verdict::GiveUp => return Err(End::Died(told(crash, &starting, now))),
            };
            watch.said(warning(&crash, due.saturating_duration_since(now)));
            if let Some(host) = self.wait(watch, due, spare, &crash)? {
                return Ok(host);
            }
        }
    }

    /// Waits for the next attempt. To a call, a worker that another one leaves meanwhile is as good.
    fn wait(&self, watch: &dyn Watch, due: Instant, spare: bool, crash: &Crash) -> Result<Option<Host>, End> {
        loop {
            let now = Instant::now();
            // Asks for the state's lock itself.
            if let Some(cause) = watch.stop(now) {
                return Err(End::Stopped(cause));
            }
            let mut state = self.state.lock();
            if spare && state.warming == 0 {
                return Err(End::Died(crash.clone()));
            }
            while let Some(mut host) = if spare { None } else { state.hosts.pop() } {
                if host.alive() {
                    return Ok(Some(host));
                }
                state.ready -= 1;
                drop(state);
                drop(host);
                state = self.state.lock();
            }
            if now >= due {
                return Ok(None);
            }
            self.wake.wait_until(&mut state, due.min(now + SEAT));
        }
    }
}

/// From 0 to 1: the hasher's keys are drawn by the system.
fn chance() -> f64 {
    RandomState::new().hash_one(()) as f64 / u64::MAX as f64
}

/// What is said of a worker that was started many times.
fn told(crash: Crash, starting: &Starting, now: Instant) -> Crash {
    if starting.failures() < 2 {
        return crash;
    }
    let (times, seconds) = (starting.failures(), starting.tried(now).as_secs_f64());
    Crash { how: format!("{}, for the {times}th time in {seconds:.1} s", crash.how), ..crash }
}

fn warning(crash: &Crash, wait: Duration) -> Said {
    let text = format!(
        "a worker {} before it was ready; another one is started in {} ms",
        crash.how,
        wait.as_millis()
    );
    Said::Log { level: "WARNING".to_owned(), name: "rlm_hypervisor.worker".to_owned(), text }
}
