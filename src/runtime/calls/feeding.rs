//! How a run of calls comes to its items: from the feed, past those that an earlier run has done.

use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::MutexGuard;

use super::checkpoint::Next;
use super::feed::{Fed, Parcel};
use super::keeper::Job;
use super::ledger::Letter as Aside;
use super::work::{CallRun, State};
use crate::error::{Error, Result};
use crate::secrets::redact;
use crate::store::letters::Letter;

/// Items that are passed over at a time, if they are done.
const PASSED: u64 = 2_048;

impl CallRun {
    /// Asks the feed until there is something to run, or nothing to be had.
    pub(super) fn feed_into<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        loop {
            let wanted = state.restored.as_ref().map_or(Next::Run(u64::MAX), |done| done.next(state.handed));
            let fed = match wanted {
                Next::Run(most) => {
                    let most = most.min(state.pace.batch(state.left, self.spec.workers));
                    let most = most.min(state.ledger.room()).min(self.spec.most);
                    let (after, fed) = self.ask(state, most, false);
                    state = after;
                    fed
                }
                Next::Skip(done) => {
                    let (after, fed) = self.ask(state, done.min(PASSED), true);
                    state = after;
                    fed
                }
                Next::Over => {
                    let (after, fed) = self.ask(state, 1, true);
                    state = after;
                    fed
                }
            };
            let (fed, last) = match fed {
                Ok(Fed::Last(parcel)) => (Ok(Fed::Parcel(parcel)), true),
                fed => (fed, false),
            };
            match fed {
                // It came too late.
                Ok(_) if !state.open => {}
                Ok(Fed::Parcel(parcel)) if wanted == Next::Over => {
                    let error = match &state.restored {
                        Some(done) if parcel.count > 0 => done.too_many(&self.key()),
                        _ => Error::internal("items after the last one"),
                    };
                    self.fail(&mut state, error);
                }
                Ok(Fed::Parcel(parcel)) => {
                    state.handed += parcel.count;
                    if matches!(wanted, Next::Run(_)) {
                        state.ledger.offer(parcel);
                        if last {
                            self.exhausted(&mut state);
                        }
                    } else {
                        match self.pass(&mut state, &parcel) {
                            Ok(()) if !self.run.control.stopped() => continue,
                            Ok(()) => {}
                            Err(error) => self.fail(&mut state, error),
                        }
                    }
                }
                Ok(Fed::Later) => state.later = true,
                // The last of them came as another one above.
                Ok(Fed::Over | Fed::Last(_)) => self.exhausted(&mut state),
                Err(error) => self.fail(&mut state, error),
            }
            return state;
        }
    }

    /// The feed has nothing any more.
    fn exhausted(&self, state: &mut State) {
        state.open = false;
        let told = match &state.restored {
            Some(done) => done.check_end(&self.key(), state.handed),
            None => Ok(()),
        };
        if let Err(error) = told {
            self.fail(state, error);
        }
    }

    /// The items of a parcel are done already.
    fn pass(&self, state: &mut State, parcel: &Parcel) -> Result<()> {
        let Some(done) = &state.restored else { return Ok(()) };
        let gone = done.check(&self.key(), parcel)?;
        state.ledger.restore(parcel.count, gone);
        Ok(())
    }

    fn ask<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        most: u64,
        done: bool,
    ) -> (MutexGuard<'a, State>, Result<Fed>) {
        if !std::mem::replace(&mut state.prepared, true) {
            state.feeding = true;
            drop(state);
            let prepared = self.feed.lock().prepare();
            state = self.state.lock();
            state.feeding = false;
            if let Err(error) = prepared {
                return (state, Err(error));
            }
        }
        if state.grows {
            // Quick, and nothing may come in between that it does not know of.
            let mut feed = self.feed.lock();
            let fed = feed.next(most);
            state.left = feed.left();
            return (state, fed);
        }
        state.feeding = true;
        drop(state);
        let (fed, left) = {
            let mut feed = self.feed.lock();
            (if done { feed.skip(most) } else { feed.next(most) }, feed.left())
        };
        let mut state = self.state.lock();
        state.feeding = false;
        state.left = left;
        (state, fed)
    }

    /// Gives results to the feed, which may have new items then.
    pub(super) fn grow(&self, state: &mut State) -> Result<()> {
        let mut feed = self.feed.lock();
        for segment in state.ledger.results() {
            if let Some(answer) = feed.results(segment)? {
                if let Some(note) = answer.more.get("note").and_then(serde_json::Value::as_str) {
                    self.run.control.note(note);
                }
                state.ledger.keep(answer);
                state.open = false;
            }
        }
        state.left = feed.left();
        state.later = false;
        Ok(())
    }

    /// Tells the keeper what has finished since it was last told.
    pub(super) fn keep(&self, state: &mut State) {
        let Some(jobs) = &self.jobs else { return };
        // A keeper that is gone has told why.
        let new = state.ledger.since(state.kept);
        if self.key.is_some() && !new.is_empty() && !state.then {
            state.kept += new.len();
            let _ = jobs.send(Job::Done(new.to_vec()));
        }
        for aside in state.ledger.letters() {
            let payload = aside.slice.parcel.payload.clone();
            let _ = jobs.send(Job::Aside(Box::new(letter(aside)), payload));
        }
    }
}

/// An item that is put aside, as it is written down.
fn letter(aside: Aside) -> Letter {
    let Aside { slice, error } = aside;
    let failed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let tried = slice.begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64());
    Letter {
        item: slice.number(),
        parcel: slice.parcel.first,
        index: slice.from,
        label: slice.parcel.label.clone(),
        more: slice.parcel.more.clone(),
        error: redact::error(error),
        attempts: slice.attempt,
        began: failed - tried,
        failed,
    }
}
