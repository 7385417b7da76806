//! What becomes of a batch with inputs of several runs: results go to their callers, failures to those that they are of.
//!
//! Where an operation fails on several inputs and does not say which of them is to blame, each is run again alone: what
//! fails then is its own.

use std::time::Instant;

use serde::Deserialize;
use serde_json::Value;

use super::batch::Due;
use super::clock::Clock;
use super::failure;
use super::joint::{Batch, Ends, Joint, State};
use super::ledger::{Failed, Slice};
use crate::engine::control::Stop;
use crate::error::Error;
use crate::secrets::redact;
use crate::worker::{Crashed, End, Failure, Part, Ready, Said, StopCause, Stream, Unit, Work};

/// Characters of user output that a run keeps.
const MOST_OUTPUT: usize = 1 << 20;

/// What a worker says of a batch; `worker/joined.py` has the same words.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Outcomes {
    /// The operation failed, and does not say by which input.
    whole: Option<Failure>,
    /// Inputs that failed by themselves, by their place in the batch.
    failed: Vec<Failure>,
}

/// How a call on a batch ended that did not come back.
enum Gone {
    /// The worker was ended because of what the batch did.
    Ended(StopCause),
    /// It died.
    Died,
}

impl Joint {
    /// Tells every run in a batch of something that is each input's own failure.
    fn broken(
        &self,
        state: &mut State,
        batch: &Batch,
        retryable: Option<&Failure>,
        error: impl Fn(&Slice, u64) -> Error,
    ) -> Ends {
        let now = Instant::now();
        let mut ends = Ends::default();
        for place in &batch.places {
            let Some(member) = state.members.get_mut(&place.member) else { continue };
            let Some(slice) = member.ledger.running(place.id).cloned() else { continue };
            let retryable =
                retryable.is_some_and(|found| member.retry.allows(found.names(), found.retryable));
            let failed = (slice.from..slice.to)
                .map(|item| Failed { item, retryable, error: error(&slice, item) })
                .collect();
            let told = member.ledger.part(place.id, slice.to, failed, Vec::new(), Value::Null, now);
            ends.and(self.told(state, place.member, told));
        }
        ends
    }

    /// Each input of a batch is to run again, alone.
    fn apart(&self, state: &mut State, batch: &Batch) -> Ends {
        let now = Instant::now();
        let mut ends = Ends::default();
        for place in &batch.places {
            let Some(member) = state.members.get_mut(&place.member) else { continue };
            member.ledger.apart(place.id, now);
            ends.and(self.settle(state, place.member));
        }
        ends
    }

    /// The worker of a batch is gone, and nothing came back.
    fn lost(
        &self,
        state: &mut State,
        batch: &Batch,
        gone: &Gone,
        begun: bool,
        error: impl Fn(&Slice) -> Error,
    ) -> Ends {
        if begun && batch.inputs() > 1 {
            return self.apart(state, batch);
        }
        let now = Instant::now();
        let mut ends = Ends::default();
        for place in &batch.places {
            let Some(member) = state.members.get_mut(&place.member) else { continue };
            let Some(slice) = member.ledger.running(place.id).cloned() else { continue };
            let error = error(&slice);
            let code = error.code();
            let passing = match gone {
                Gone::Ended(StopCause::Memory(_)) => false,
                Gone::Ended(_) | Gone::Died => code.retryable(),
            };
            let again = member.retry.allows([code.name()], passing);
            let told = match gone {
                Gone::Ended(_) => member.ledger.ended(place.id, slice.from, again, error, now),
                Gone::Died => member.ledger.crashed(place.id, begun.then_some(slice.from), again, error, now),
            };
            ends.and(self.told(state, place.member, told));
        }
        ends
    }

    /// The results of a batch, to those whose inputs they are of.
    fn share(&self, state: &mut State, batch: &Batch, part: &Part, outcomes: &Outcomes) -> Ends {
        let (now, name) = (Instant::now(), &self.spec.function.name);
        let took = batch.clock.map(|clock| now.saturating_duration_since(clock.since)).unwrap_or_default();
        let (mut ends, mut results, mut at) = (Ends::default(), part.blobs.iter(), 0);
        for place in &batch.places {
            let inputs = at..at + place.count;
            at = inputs.end;
            let mut member = state.members.get_mut(&place.member);
            let slice = member.as_mut().and_then(|member| member.ledger.running(place.id).cloned());
            let (mut failed, mut blobs) = (Vec::new(), Vec::new());
            for input in inputs.clone() {
                let found = outcomes.failed.iter().find(|failure| failure.item == input);
                let result = if found.is_none() { results.next() } else { None };
                let (Some(slice), Some(member)) = (&slice, &member) else { continue };
                let item = slice.from + (input - inputs.start);
                match (found, result) {
                    (Some(found), _) => {
                        let found = Failure { item, ..found.clone() };
                        let retryable = member.retry.allows(found.names(), found.retryable);
                        let error = failure::raised(name, slice, &found, &part.blobs, false);
                        failed.push(Failed { item, retryable, error });
                    }
                    (None, Some(blob)) => blobs.push(blob.clone()),
                    (None, None) => {
                        let error = Error::internal(format!("a worker sent no result of input {item}"));
                        failed.push(Failed { item, retryable: false, error });
                    }
                }
            }
            let (Some(slice), Some(member)) = (slice, member) else { continue };
            member.run.latency.lock().ran(place.count, took);
            let told = member.ledger.part(place.id, slice.to, failed, blobs, Value::Null, now);
            ends.and(self.told(state, place.member, told));
        }
        ends
    }

    /// To the output of every run that has inputs in the batch.
    fn write(&self, unit: u64, stream: &'static str, text: &str) {
        let mut state = self.state.lock();
        let places = state.units.get(&unit).map(|batch| batch.places.clone()).unwrap_or_default();
        let mut members: Vec<u64> = places.iter().map(|place| place.member).collect();
        members.dedup();
        for number in members {
            let Some(member) = state.members.get_mut(&number) else { continue };
            let room = MOST_OUTPUT.saturating_sub(member.output);
            member.output += text.len();
            let kept: String = text.chars().take(room).collect();
            if !kept.is_empty() {
                member.run.wrote(stream, &kept);
            }
        }
    }
}

impl Work for Joint {
    fn priority(&self) -> u8 {
        self.spec.priority
    }

    fn ready(&self, now: Instant) -> Ready {
        let mut state = self.state.lock();
        if state.members.is_empty() {
            state.over = true;
            return Ready::Over;
        }
        if state.units.len() as u64 >= self.spec.workers {
            return Ready::No;
        }
        match self.due(&state, now) {
            Due::Now => Ready::Now,
            Due::At(due) => Ready::At(due),
            Due::Never => Ready::No,
        }
    }

    fn take(&self) -> Option<Unit> {
        self.batch(&*self.pool.upgrade()?)
    }

    fn begun(&self, unit: u64) {
        let now = Instant::now();
        let mut state = self.state.lock();
        let Some(batch) = state.units.get_mut(&unit) else { return };
        batch.clock = Some(Clock::sent(now));
        let batch = batch.clone();
        let mut last = None;
        for place in &batch.places {
            let Some(member) = state.members.get(&place.member) else { continue };
            let mut latency = member.run.latency.lock();
            if last.replace(place.member) != Some(place.member) {
                latency.together(batch.inputs());
            }
            if let Some(since) = place.since {
                latency.waited(place.count, now.saturating_duration_since(since));
            }
        }
    }

    fn reached(&self, unit: u64, now: Instant) {
        if let Some(clock) = self.state.lock().units.get_mut(&unit).and_then(|batch| batch.clock.as_mut()) {
            clock.reached(now);
        }
    }

    /// A call goes on for as long as there is a run in it that waits for it.
    fn stop(&self, _: Instant) -> Option<StopCause> {
        None
    }

    fn overdue(&self, unit: u64, now: Instant) -> Option<StopCause> {
        let state = self.state.lock();
        let batch = state.units.get(&unit)?;
        let mut cause = Some(StopCause::Cancelled);
        for member in batch.places.iter().filter_map(|place| state.members.get(&place.member)) {
            match member.stopped(now) {
                None => cause = None,
                Some(Stop::Deadline) if cause.is_some() => cause = Some(StopCause::Deadline),
                Some(_) => {}
            }
        }
        let late = |limit| batch.clock.is_some_and(|clock| clock.is_over(limit, now));
        cause.or_else(|| self.spec.batch_timeout.is_some_and(late).then_some(StopCause::Overdue))
    }

    fn part(&self, unit: u64, part: Part) {
        let mut state = self.state.lock();
        let Some(batch) = state.units.get(&unit).cloned() else { return };
        let name = &self.spec.function.name;
        let outcomes = serde_json::from_value::<Option<Outcomes>>(part.more.clone());
        let ends = match (part.failed.first(), outcomes.map(Option::unwrap_or_default)) {
            // Nothing ran: neither the function nor the setup, which are the same for all.
            (Some(found), _) => self.broken(&mut state, &batch, Some(found), |slice, item| {
                let found = Failure { item, ..found.clone() };
                failure::raised(name, slice, &found, &part.blobs, false)
            }),
            (None, Ok(Outcomes { whole: Some(_), .. })) if batch.inputs() > 1 => {
                self.apart(&mut state, &batch)
            }
            (None, Ok(Outcomes { whole: Some(found), .. })) => {
                self.broken(&mut state, &batch, Some(&found), |slice, item| {
                    let found = Failure { item, ..found.clone() };
                    failure::raised(name, slice, &found, &part.blobs, false)
                })
            }
            (None, Ok(outcomes)) => self.share(&mut state, &batch, &part, &outcomes),
            (None, Err(error)) => self.broken(&mut state, &batch, None, |_, _| {
                Error::internal(format!("what a worker said of a batch is not understood: {error}"))
            }),
        };
        drop(state);
        ends.tell();
    }

    fn wrote(&self, unit: u64, stream: Stream, text: &str) {
        self.write(unit, if stream == Stream::Out { "stdout" } else { "stderr" }, text);
    }

    fn said(&self, unit: u64, said: Said) {
        match said {
            Said::Log { level, name, text } => {
                self.write(unit, "log", &redact::owned(format!("{level} {name}: {text}\n")))
            }
            Said::Progress { done, note } => {
                let note = note.map(|note| format!(" {note}")).unwrap_or_default();
                self.write(unit, "progress", &redact::owned(format!("{done}{note}\n")));
            }
            Said::Abandoned => {
                let state = self.state.lock();
                // The runs may have ended.
                let first = state.units.get(&unit).and_then(|batch| batch.runs.first());
                if let Some(run) = first {
                    run.latency.lock().abandoned += 1;
                }
            }
            Said::Ready | Said::Unready { .. } | Said::Part(_) | Said::Wrote { .. } => {}
        }
    }

    fn memory_limit(&self) -> Option<u64> {
        Some(self.spec.memory_limit)
    }

    fn ended(&self, unit: u64, end: End, item: Option<u64>) {
        let name = &self.spec.function.name;
        let mut state = self.state.lock();
        let Some(batch) = state.units.remove(&unit) else { return };
        let ends = match end {
            End::Done => self
                .broken(&mut state, &batch, None, |_, _| Error::internal("a worker said no more of a batch")),
            End::Stopped(cause @ StopCause::Memory(held)) => {
                let limit = self.spec.memory_limit;
                self.lost(&mut state, &batch, &Gone::Ended(cause), true, |slice| {
                    failure::too_large(name, slice, slice.from, held, limit, false)
                })
            }
            End::Stopped(StopCause::Overdue) => {
                let limit = self.spec.batch_timeout.unwrap_or_default();
                let loading = batch.clock.and_then(|clock| clock.loading(limit));
                if let Some(limit) = loading {
                    // No input is to blame for what the function imports.
                    self.broken(&mut state, &batch, None, |_, _| failure::unloaded(name, limit))
                } else {
                    self.lost(&mut state, &batch, &Gone::Ended(StopCause::Overdue), true, |slice| {
                        failure::overdue(name, slice, slice.from, limit, false)
                    })
                }
            }
            End::Stopped(_) => {
                let mut ends = Ends::default();
                for place in &batch.places {
                    let Some(member) = state.members.get_mut(&place.member) else { continue };
                    member.ledger.stopped(place.id);
                    if member.run.control.reason().is_none() {
                        // The pool closes.
                        member.run.control.stop(Stop::Cancel);
                    }
                    ends.and(self.end(&mut state, place.member, None));
                }
                ends
            }
            End::Died(crash) if matches!(crash.what, Crashed::Starting(_)) => {
                // No worker at all: the next attempt would be the same.
                self.broken(&mut state, &batch, None, |slice, item| {
                    failure::crashed(name, slice, &crash, item, false)
                })
            }
            End::Died(crash) => self.lost(&mut state, &batch, &Gone::Died, item.is_some(), |slice| {
                failure::crashed(name, slice, &crash, slice.from, false)
            }),
        };
        drop(state);
        ends.tell();
        self.nudge();
    }
}
