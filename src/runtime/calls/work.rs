//! A run of calls as the pool of workers sees it: the shell around the ledger.

use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::checkpoint::Restored;
use super::clock::Clock;
use super::failure;
use super::feed::Feed;
use super::gathered::{Gathered, conclude};
use super::granted::Granted;
use super::keeper::{Ending, Job, Kept};
use super::last::unaligned;
use super::ledger::{Failed, Ledger, POISON, Policy};
use super::overflow::Overflow;
use super::pace::Pace;
use super::retry::Retry;
use super::values::Values;
use crate::engine::control::Stop;
use crate::error::{Code, Error};
use crate::runtime::run::Run;
use crate::secrets::redact;
use crate::task::OnError;
use crate::worker::{Blob, End, Function, Part, Pool, Ready, Said, StopCause, Stream, Unit, Work};

/// The item that a worker is at while it packs results of several; `worker/context.py` has the same number.
const PACKING: u64 = u64::MAX;

/// What a run of calls does.
#[derive(Debug, Clone)]
pub struct CallSpec {
    pub function: Arc<Function>,
    /// How workers read the payload and call the function.
    pub kind: &'static str,
    /// Whether there is just one item, which errors need not number.
    pub single: bool,
    pub priority: u8,
    pub policy: Policy,
    /// Items that go together at most; the pace decides below.
    pub most: u64,
    pub workers: u64,
    /// Bytes that a worker may hold.
    pub memory_limit: u64,
    /// Where results lie that do not fit in memory.
    pub overflow: Arc<Overflow>,
    /// Which failures are tried again.
    pub retry: Retry,
    /// How long an item may take, and after how long it is told so.
    pub item_timeout: Option<Duration>,
    pub soft_timeout: Option<Duration>,
    /// What is called on all results together, once they are there; what it returns is the answer then.
    pub then: Option<Arc<Function>>,
    /// It may be called on some of the results, and on what it returned: on so many at a time at most.
    pub fan: Option<usize>,
    /// Results come in so many parts, and the last function is called on each of them.
    pub parts: Option<usize>,
    /// The chunks of a source whose results are put together by their rows: how many there are.
    pub aligned: Option<u64>,
    /// The secrets that the operation may read.
    pub secrets: Option<Arc<Granted>>,
    /// Where the results of chunks are written to.
    pub gathered: Option<Arc<Gathered>>,
    /// How long the thread that starts the run looks after its call, where it may begin in it.
    pub here: Option<Duration>,
}

pub struct CallRun {
    pub(super) run: Arc<Run>,
    pool: Weak<Pool>,
    pub(super) spec: CallSpec,
    pub(super) feed: Mutex<Box<dyn Feed>>,
    pub(super) state: Mutex<State>,
    /// Where it tells what it has done, if that is to be kept.
    pub(super) jobs: Option<Sender<Job>>,
    pub(super) key: Option<String>,
}

pub(super) struct State {
    pub ledger: Ledger,
    pub pace: Pace,
    /// The times of calls that run.
    clocks: HashMap<u64, Clock>,
    pub feeding: bool,
    pub open: bool,
    pub left: Option<u64>,
    /// The feed has nothing before results come.
    pub later: bool,
    /// Whether results make new items.
    pub grows: bool,
    /// The feed has done what comes before its first item.
    pub prepared: bool,
    /// Items that came from the feed.
    pub handed: u64,
    /// What an earlier run has done.
    pub restored: Option<Restored>,
    /// Results that the keeper knows of.
    pub kept: usize,
    /// Calls that were cut in two for want of memory.
    halved: u64,
    /// Calls over results have been given out.
    pub then: bool,
    /// And so have those whose results are the answer.
    pub last: bool,
    failed: Option<Error>,
    /// Failures of before the last calls.
    pub gone: BTreeMap<u64, Error>,
    /// The run has its end.
    over: bool,
    pub output: usize,
    /// Calls whose threads went on when they were to stop.
    pub abandoned: Vec<u64>,
}

impl State {
    fn can_feed(&self) -> bool {
        self.open && !self.feeding && !self.later && self.ledger.room() > 0
    }
}

impl CallRun {
    pub fn new(
        run: Arc<Run>,
        pool: &Arc<Pool>,
        spec: CallSpec,
        feed: Box<dyn Feed>,
        kept: Option<Kept>,
    ) -> Self {
        let mut ledger = Ledger::new(spec.policy.clone());
        let (mut key, mut restored, mut jobs) = (None, None, None);
        if let Some(kept) = kept {
            (key, restored, jobs) = (kept.key, kept.restored, Some(kept.jobs));
        }
        if let (Some(key), Some(found)) = (&key, &mut restored) {
            std::mem::take(&mut found.segments).into_iter().for_each(|segment| ledger.keep(segment));
            let items = found.count();
            if items > 0 || found.is_ended() {
                run.control.note(format!("{items} items were done by an earlier run with the key \"{key}\""));
            }
        }
        let state = State {
            kept: ledger.since(0).len(),
            ledger,
            pace: Pace::default(),
            clocks: HashMap::new(),
            feeding: false,
            open: true,
            left: feed.left(),
            later: false,
            grows: feed.grows(),
            prepared: false,
            handed: 0,
            restored,
            halved: 0,
            then: false,
            last: false,
            failed: None,
            gone: BTreeMap::new(),
            over: false,
            output: 0,
            abandoned: Vec::new(),
        };
        let (feed, state) = (Mutex::new(feed), Mutex::new(state));
        Self { run, pool: Arc::downgrade(pool), spec, feed, state, jobs, key }
    }

    /// Starts nothing more, and ends the run as soon as nothing runs.
    pub fn wind_down(&self) {
        let mut state = self.state.lock();
        state.open = false;
        state.ledger.wind_down();
        self.settle(state);
    }

    /// What it has done cannot be kept: it ends.
    pub fn broke(&self, error: Error) {
        let mut state = self.state.lock();
        self.fail(&mut state, error);
        self.settle(state);
    }

    pub(super) fn key(&self) -> String {
        self.key.clone().unwrap_or_default()
    }

    pub(super) fn fail(&self, state: &mut State, error: Error) {
        state.failed.get_or_insert(error);
        state.open = false;
        state.ledger.wind_down();
        self.run.control.stop(Stop::Abandon);
    }

    /// Brings the books up to date, and ends the run if everything has its end.
    fn settle(&self, mut state: parking_lot::MutexGuard<'_, State>) {
        let counts = state.ledger.counts();
        self.run.control.account(counts.into());
        let stopping = self.run.control.stopped();
        // A feed that does not come back does not hold up a run that is to stop.
        if state.open || (state.feeding && !stopping) || !state.ledger.is_settled() {
            return;
        }
        let ended = state.restored.as_ref().is_some_and(Restored::is_ended);
        if self.spec.then.is_some() && !state.last && state.failed.is_none() && !stopping && !ended {
            self.call_last(&mut state);
            drop(state);
            self.nudge();
            return;
        }
        if std::mem::replace(&mut state.over, true) {
            return;
        }
        let (failed, (mut segments, mut failures)) = (state.failed.take(), state.ledger.outcome());
        failures.append(&mut state.gone);
        if let Some(answer) = state.restored.as_mut().and_then(Restored::answer) {
            segments = answer;
        }
        self.note(state.halved);
        let (handed, made, abandoned) = (state.handed, state.then, state.abandoned.len());
        drop(state);
        let outcome = match (failed, self.run.control.reason()) {
            (_, Some(Stop::Deadline)) => Err(failure::late(&self.spec.function.name, &counts)),
            (_, Some(Stop::Cancel)) => Err(Error::cancelled()),
            (Some(error), _) => Err(error),
            (None, Some(Stop::Abandon)) => Err(Error::cancelled()),
            (None, None) => Ok(Values { segments, failures }),
        };
        let outcome = outcome.map_err(|error| failure::abandoned(error, abandoned));
        let gathered = self.spec.gathered.as_ref();
        let Some(jobs) = &self.jobs else { return conclude(gathered, &self.run, outcome) };
        let aside = self.spec.policy.on_error == OnError::DeadLetter;
        let gone = outcome.iter().flat_map(|values| &values.failures);
        let gone = gone.map(|(item, error)| (*item, redact::error(error.clone()), aside)).collect();
        let gathered = gathered.cloned();
        let ending = Ending { outcome, count: handed, gone, made, kept: ended, gathered };
        if let Err(gone) = jobs.send(Job::End(Box::new(ending)))
            && let Job::End(ending) = gone.0
        {
            let lost = || Error::internal("what a run has done was not kept: its thread is gone");
            self.run.finish(ending.outcome.and_then(|_| Err(lost())));
        }
    }

    /// What runs, and whether it is the only one of its kind, for errors.
    fn called(&self, then: bool) -> (&str, bool) {
        match &self.spec.then {
            Some(last) if then => (&last.name, true),
            _ => (&self.spec.function.name, self.spec.single),
        }
    }

    fn nudge(&self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.nudge();
        }
    }
}

impl Work for CallRun {
    fn priority(&self) -> u8 {
        self.spec.priority
    }

    fn ready(&self, now: Instant) -> Ready {
        let state = self.state.lock();
        if state.over {
            return Ready::Over;
        }
        if self.run.control.stopped() {
            return Ready::No;
        }
        if state.ledger.ready(now) || state.can_feed() {
            return Ready::Now;
        }
        state.ledger.due().map_or(Ready::No, Ready::At)
    }

    fn take(&self) -> Option<Unit> {
        let pool = self.pool.upgrade()?;
        // Providers may take their time: no item is taken meanwhile, so a run that is stopped need not wait for them.
        let secrets =
            self.spec.secrets.as_ref().map(|granted| granted.now(&self.run.control)).unwrap_or_default();
        let mut state = self.state.lock();
        let mut taken = state.ledger.take(Instant::now());
        let then = state.then;
        if taken.is_none() && state.can_feed() {
            state = self.feed_into(state);
            taken = state.ledger.take(Instant::now());
            let more = state.open && !state.later;
            self.settle(state);
            if more {
                // The feed is free for another worker.
                pool.nudge();
            }
        }
        let (id, slice) = taken?;
        Some(self.unit(&pool, id, &slice, then, secrets))
    }

    fn begun(&self, unit: u64) {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.clocks.insert(unit, Clock::sent(now));
        if let Some(slice) = state.ledger.running(unit).filter(|slice| slice.attempt == 1 && !state.then) {
            // The only item of a run is there from the start, others from when they are taken.
            let since = slice.begun.filter(|_| !self.spec.single).unwrap_or(self.run.control.started);
            self.run.latency.lock().began(slice.len(), now.saturating_duration_since(since));
        }
    }

    fn reached(&self, unit: u64, now: Instant) {
        if let Some(clock) = self.state.lock().clocks.get_mut(&unit) {
            clock.reached(now);
        }
    }

    fn overdue(&self, unit: u64, now: Instant) -> Option<StopCause> {
        let state = self.state.lock();
        if state.ledger.is_in_vain(unit) {
            return Some(StopCause::Cancelled);
        }
        let (limit, clock) = (self.spec.item_timeout.filter(|_| !state.then)?, state.clocks.get(&unit)?);
        clock.is_over(limit, now).then_some(StopCause::Overdue)
    }

    fn part(&self, unit: u64, mut part: Part) {
        let now = Instant::now();
        let gathered = self.gather(unit, &mut part);
        // Inputs of a tree do not stay.
        let kept = match self.spec.kind {
            "tree" => Ok(std::mem::take(&mut part.blobs)),
            _ => {
                let blobs = std::mem::take(&mut part.blobs).into_iter();
                self.spec.overflow.keep(blobs.map(Blob::stored).collect())
            }
        };
        let mut state = self.state.lock();
        match kept {
            Ok(blobs) => part.blobs = blobs,
            Err(error) => {
                state.ledger.stopped(unit);
                self.fail(&mut state, error);
                return self.settle(state);
            }
        }
        let Some(slice) = state.ledger.running(unit).cloned() else { return };
        if let Some(clock) = state.clocks.insert(unit, Clock::told(now)) {
            let began = clock.since;
            let items = part.to.min(slice.to).saturating_sub(part.from.max(slice.from));
            let took = part.us.map_or(now - began, |us| Duration::from_micros(us).min(now - began));
            state.pace.learn(items, took);
            if let (Ok(divisor), false) = (u32::try_from(items), state.then || items == 0) {
                self.run.latency.lock().ran(items, (now - began) / divisor);
            }
        }
        if part.last {
            state.clocks.remove(&unit);
        }
        let (name, single) = self.called(state.then);
        let no_memory = part.failed.len() == 1 && part.failed[0].type_name == "MemoryError";
        if no_memory && !state.then && state.ledger.halve(unit) {
            state.halved += 1;
            self.settle(state);
            return self.nudge();
        }
        let failed: Vec<Failed> = part
            .failed
            .iter()
            .map(|found| Failed {
                item: found.item,
                retryable: self.spec.retry.allows(found.names(), found.retryable),
                error: failure::raised(name, &slice, found, &part.blobs, single),
            })
            .collect();
        // A setup that failed for good fails for all: no item is to blame, so none is skipped for it.
        let setup = part.failed.iter().zip(&failed).find(|(found, one)| {
            found.setup && !(one.retryable && slice.attempt <= self.spec.policy.retries)
        });
        let setup = setup.map_or(Ok(()), |(_, one)| Err(one.error.clone()));
        let unaligned = self.spec.aligned.and_then(|chunks| unaligned(name, chunks, &slice, &part));
        let told = state.ledger.part(unit, part.to, failed, part.blobs, part.more, now);
        let told = told.and(setup).and(unaligned.map_or(Ok(()), Err)).and(gathered);
        let told = told.and_then(|()| if state.grows { self.grow(&mut state) } else { Ok(()) });
        if let Err(error) = told {
            self.fail(&mut state, error);
        }
        self.keep(&mut state);
        let again = !part.last || state.grows || state.ledger.due().is_some();
        self.settle(state);
        if again {
            self.nudge();
        }
    }

    fn stop(&self, now: Instant) -> Option<StopCause> {
        if self.run.control.deadline.get().is_some_and(|deadline| now >= *deadline) {
            self.run.control.stop(Stop::Deadline);
        }
        self.run.control.reason().map(|reason| match reason {
            Stop::Deadline => StopCause::Deadline,
            Stop::Cancel | Stop::Abandon => StopCause::Cancelled,
        })
    }

    fn wrote(&self, _: u64, stream: Stream, text: &str) {
        self.write(if stream == Stream::Out { "stdout" } else { "stderr" }, text);
    }

    fn said(&self, unit: u64, said: Said) {
        self.hear(unit, said);
    }

    fn memory_limit(&self) -> Option<u64> {
        Some(self.spec.memory_limit)
    }

    fn ended(&self, unit: u64, end: End, item: Option<u64>) {
        let now = Instant::now();
        let mut state = self.state.lock();
        let loading = state.clocks.remove(&unit).and_then(|clock| clock.loading(self.spec.item_timeout?));
        let (name, single) = self.called(state.then);
        let told = match (end, state.ledger.running(unit).cloned()) {
            (_, None) => Ok(()),
            // While it packed results of several items: with one of them at a time it will be known which is to blame.
            (End::Stopped(StopCause::Memory(_) | StopCause::Overdue), Some(slice))
                if slice.len() > 1 && slice.crashes < POISON && item == Some(PACKING) =>
            {
                let error = Error::internal("results of several items could not be packed together");
                state.ledger.crashed(unit, None, true, error, now)
            }
            // It went on, perhaps with other items, when nobody heard of it any more.
            (End::Died(crash), Some(slice)) if slice.len() > 1 && slice.crashes == 0 && crash.went_on() => {
                let error = failure::crashed(name, &slice, &crash, slice.from, single);
                state.ledger.crashed(unit, None, true, error, now)
            }
            (End::Done, Some(slice)) => {
                let message = format!("a worker said no more of the items from {} on", slice.from);
                let error = Error::internal(message);
                state.ledger.crashed(unit, None, false, error, now)
            }
            (End::Stopped(StopCause::Memory(_)), Some(_)) if !state.then && state.ledger.halve(unit) => {
                state.halved += 1;
                Ok(())
            }
            (End::Stopped(StopCause::Memory(held)), Some(slice)) => {
                let at = item.unwrap_or(slice.from).clamp(slice.from, slice.to - 1);
                let limit = self.spec.memory_limit;
                let error = failure::too_large(name, &slice, at, held, limit, single);
                let again = self.spec.retry.allows([Code::OutOfMemory.name()], false);
                state.ledger.ended(unit, at, again, error, now)
            }
            // No item is to blame for what the function imports, and it would be the same for the next.
            (End::Stopped(StopCause::Overdue), Some(_)) if loading.is_some() && item.is_none() => {
                Err(failure::unloaded(name, loading.unwrap_or_default()))
            }
            (End::Stopped(StopCause::Overdue), Some(slice)) => {
                let at = item.unwrap_or(slice.from).clamp(slice.from, slice.to - 1);
                let limit = self.spec.item_timeout.unwrap_or_default();
                let error = match loading {
                    Some(limit) => failure::unread(name, &slice, at, limit, single),
                    None => failure::overdue(name, &slice, at, limit, single),
                };
                let left = state.abandoned.iter().filter(|left| **left == unit).count();
                let error = failure::abandoned(error, left);
                let again = self.spec.retry.allows([Code::Timeout.name()], true);
                state.ledger.ended(unit, at, again, error, now)
            }
            (End::Stopped(_), Some(_)) => {
                state.ledger.stopped(unit);
                Ok(())
            }
            (End::Died(crash), Some(slice)) => {
                let begun = crash.item.filter(|at| (slice.from..slice.to).contains(at));
                let at = begun.unwrap_or(slice.from);
                let error = failure::crashed(name, &slice, &crash, at, single);
                if matches!(crash.what, crate::worker::Crashed::Starting(_)) {
                    // No worker at all, as often as it was tried.
                    Err(error)
                } else {
                    let again =
                        self.spec.retry.allows([Code::WorkerCrashed.name()], Code::WorkerCrashed.retryable());
                    state.ledger.crashed(unit, begun, again, error, now)
                }
            }
        };
        if let Err(error) = told {
            state.ledger.stopped(unit);
            self.fail(&mut state, error);
        }
        self.keep(&mut state);
        // What is over has nothing for the pool.
        let over = state.over;
        self.settle(state);
        if !over {
            self.nudge();
        }
    }
}
