//! Calls that begin in the thread that brings them, where a worker waits: nobody has to be woken to pass them on.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::{Attended, Entry, Inner, Pool, Ready, Work};
use crate::worker::host::Host;
use crate::worker::queue;

impl Pool {
    /// Takes a run, as `add` does. Where a worker waits and no other run has a call for it, the first call begins in this
    /// thread, which looks after it until this time at most; beyond, the pool does. Returns whether the run is over.
    ///
    /// The run's `take` has to be quick, and its calls small enough for a socket to take them in.
    pub fn add_here(&self, work: Arc<dyn Work>, until: Instant) -> io::Result<bool> {
        if let Some(host) = self.inner.claim() {
            match work.take() {
                Some(unit) => {
                    let going = self.inner.begin(host, &work, unit);
                    let going = going.and_then(|attended| self.inner.attend(attended, Some(until)));
                    if let Some(attended) = going {
                        self.inner.hand_over(attended);
                        return Ok(false);
                    }
                }
                None => self.inner.give_back(host),
            }
            if work.ready(Instant::now()) == Ready::Over {
                return Ok(true);
            }
        }
        self.add(work).map(|()| false)
    }
}

impl Inner {
    /// A worker that waits, and a place for its call.
    fn claim(&self) -> Option<Host> {
        let now = Instant::now();
        let mut dead = Vec::new();
        let mut state = self.state.lock();
        let due = state.works.iter().any(|entry| entry.work.ready(now) == Ready::Now);
        let found = loop {
            if state.closed || !queue::at_once(due, state.hosts.len(), state.busy, state.limit) {
                break None;
            }
            let Some(mut host) = state.hosts.pop() else { break None };
            if host.alive() {
                state.busy += 1;
                state.used = Some(now);
                break Some(host);
            }
            state.ready -= 1;
            dead.push(host);
        };
        drop(state);
        // What died while nobody needed it.
        drop(dead);
        found
    }

    fn give_back(&self, host: Host) {
        let mut state = self.state.lock();
        self.leave(&mut state);
        self.put_back(state, host, false);
    }

    /// Leaves a call that goes on to a thread of the pool.
    fn hand_over(self: &Arc<Self>, attended: Attended) {
        let work = attended.work.clone();
        let mut state = self.state.lock();
        state.works.push(Entry { work: work.clone(), since: Instant::now(), running: 1 });
        let waited_for = state.idle <= state.handed.len();
        if state.closed || waited_for && self.spawn(&mut state).is_err() {
            // There is no thread to be had.
            drop(state);
            self.attend(attended, None);
            self.let_go(&work);
            return;
        }
        state.handed.push_back(attended);
        drop(state);
        self.wake.notify_all();
    }
}
