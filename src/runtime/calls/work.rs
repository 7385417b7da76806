//! A run of calls as the pool of workers sees it: the shell around the ledger.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::Mutex;
use serde_json::json;

use super::failure;
use super::feed::{Fed, Feed, Parcel};
use super::granted::{self, Granted};
use super::ledger::{Failed, Ledger, Policy, Slice};
use super::pace::Pace;
use super::values::{Segment, Values};
use crate::engine::control::{Accounting, Stop};
use crate::error::{Code, Error, Result};
use crate::runtime::run::{Finished, Run};
use crate::secrets::redact;
use crate::worker::{Call, End, Function, Head, Part, Pool, Ready, Said, StopCause, Stream, Unit, Work};

/// Characters of user output that a run keeps.
const MOST_OUTPUT: usize = 1 << 20;

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
    /// What is called on all results together, once they are there; what it returns is the answer then.
    pub then: Option<Arc<Function>>,
    /// Results come in so many parts, and the last function is called on each of them.
    pub parts: Option<usize>,
    /// The chunks of a source whose results are put together by their rows: how many there are.
    pub aligned: Option<u64>,
    /// The secrets that the operation may read.
    pub secrets: Option<Arc<Granted>>,
}

/// The kind of the call that puts results together.
const THEN: &str = "then";

pub struct CallRun {
    run: Arc<Run>,
    pool: Weak<Pool>,
    spec: CallSpec,
    feed: Mutex<Box<dyn Feed>>,
    state: Mutex<State>,
}

struct State {
    ledger: Ledger,
    pace: Pace,
    /// When each running call began.
    began: HashMap<u64, Instant>,
    feeding: bool,
    open: bool,
    left: Option<u64>,
    /// The feed has nothing before results come.
    later: bool,
    /// Whether results make new items.
    grows: bool,
    /// The last call, over all results, has been given out.
    then: bool,
    failed: Option<Error>,
    /// Failures of before the last call.
    gone: BTreeMap<u64, Error>,
    /// The run has its end.
    over: bool,
    output: usize,
}

impl State {
    fn can_feed(&self) -> bool {
        self.open && !self.feeding && !self.later && self.ledger.room() > 0
    }
}

impl CallRun {
    pub fn new(run: Arc<Run>, pool: &Arc<Pool>, spec: CallSpec, feed: Box<dyn Feed>) -> Self {
        let state = State {
            ledger: Ledger::new(spec.policy.clone()),
            pace: Pace::default(),
            began: HashMap::new(),
            feeding: false,
            open: true,
            left: feed.left(),
            later: false,
            grows: feed.grows(),
            then: false,
            failed: None,
            gone: BTreeMap::new(),
            over: false,
            output: 0,
        };
        Self { run, pool: Arc::downgrade(pool), spec, feed: Mutex::new(feed), state: Mutex::new(state) }
    }

    /// Starts nothing more, and ends the run as soon as nothing runs.
    pub fn wind_down(&self) {
        let mut state = self.state.lock();
        state.open = false;
        state.ledger.wind_down();
        self.settle(state);
    }

    fn fail(&self, state: &mut State, error: Error) {
        state.failed.get_or_insert(error);
        state.open = false;
        state.ledger.wind_down();
        self.run.control.stop(Stop::Abandon);
    }

    /// Brings the books up to date, and ends the run if everything has its end.
    fn settle(&self, mut state: parking_lot::MutexGuard<'_, State>) {
        let counts = state.ledger.counts();
        self.run.control.account(Accounting {
            accepted: counts.accepted,
            pending: counts.waiting + counts.running,
            succeeded: counts.succeeded,
            failed: counts.failed,
            cancelled: counts.cancelled,
            skipped: 0,
        });
        let stopping = self.run.control.stopped();
        // A feed that does not come back does not hold up a run that is to stop.
        if state.open || (state.feeding && !stopping) || !state.ledger.is_settled() {
            return;
        }
        if self.spec.then.is_some() && !state.then && state.failed.is_none() && !stopping {
            state.then = true;
            let (segments, failures) = state.ledger.outcome();
            state.ledger.fail_on_error();
            for (first, parcel) in (counts.accepted..).zip(last_parcels(&segments, self.spec.parts)) {
                state.ledger.offer(Parcel { first, ..parcel });
            }
            state.gone = failures;
            drop(state);
            self.nudge();
            return;
        }
        if std::mem::replace(&mut state.over, true) {
            return;
        }
        let (failed, (segments, mut failures)) = (state.failed.take(), state.ledger.outcome());
        failures.append(&mut state.gone);
        drop(state);
        let outcome = match (failed, self.run.control.reason()) {
            (_, Some(Stop::Deadline)) => Err(failure::late(&self.spec.function.name, &counts)),
            (_, Some(Stop::Cancel)) => Err(Error::cancelled()),
            (Some(error), _) => Err(error),
            (None, Some(Stop::Abandon)) => Err(Error::cancelled()),
            (None, None) => Ok(Finished::Values(Values { segments, failures })),
        };
        self.run.finish(outcome);
    }

    fn unit(&self, pool: &Pool, id: u64, slice: &Slice, then: bool, secrets: granted::Values) -> Unit {
        let (function, kind) = match &self.spec.then {
            Some(last) if then => (last, THEN),
            _ => (&self.spec.function, self.spec.kind),
        };
        let deadline = self.run.control.deadline.get();
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let head = Head {
            t: "call",
            call: pool.number(),
            function: function.id.clone(),
            kind,
            run: self.run.id.as_str().into(),
            from: slice.from,
            to: slice.to,
            first: slice.parcel.first,
            attempt: slice.attempt,
            left_ms: left.map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
            more: slice.parcel.more.clone(),
        };
        let function = function.clone();
        Unit { id, call: Call { function, head, payload: slice.parcel.payload.clone(), secrets } }
    }

    /// Gives results to the feed, which may have new items then.
    fn grow(&self, state: &mut State) -> Result<()> {
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

    /// What runs, and whether it is the only one of its kind, for errors.
    fn called(&self, then: bool) -> (&str, bool) {
        match &self.spec.then {
            Some(last) if then => (&last.name, true),
            _ => (&self.spec.function.name, self.spec.single),
        }
    }

    /// Why the result of a chunk cannot be put beside those of the others.
    fn unaligned(&self, slice: &Slice, part: &Part) -> Option<Error> {
        let chunks = self.spec.aligned.filter(|chunks| *chunks > 1)?;
        let what = part.more.get("value")?.as_str()?;
        let name = &self.spec.function.name;
        let label = slice.parcel.label.as_deref().unwrap_or_default();
        let message = format!(
            "`{name}` returned {what} for {label}, one of {chunks} chunks, and how the chunks' results become one answer is not known"
        );
        let hint = "Return the chunk's own rows or some of them, with their index; or say how with `combine`: \"concat\" for one after the other, \"list\" for a list, or a function of the list of results";
        Some(
            Error::new(Code::CombineRequired, message)
                .hint(hint)
                .detail("chunks", chunks)
                .detail("returned", what),
        )
    }

    /// Keeps what user code wrote, as long as there is room.
    fn write(&self, stream: &'static str, text: &str) {
        let mut state = self.state.lock();
        let room = MOST_OUTPUT.saturating_sub(state.output);
        state.output += text.len();
        drop(state);
        let kept: String = text.chars().take(room).collect();
        if !kept.is_empty() {
            self.run.wrote(stream, &kept);
        }
    }

    fn nudge(&self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.nudge();
        }
    }
}

/// The payloads of the last calls: all results together, or each part of them.
fn last_parcels(segments: &[Segment], parts: Option<usize>) -> Vec<Parcel> {
    let Some(parts) = parts else {
        let told = segments.iter().map(|segment| json!({ "blobs": segment.blobs.len() }));
        let more = json!({ "parts": told.collect::<Vec<_>>() });
        let payload = segments.iter().flat_map(|segment| segment.blobs.clone()).collect();
        return vec![Parcel { first: 0, count: 1, payload, more, label: Some("all results".to_owned()) }];
    };
    let parcel = |part: usize| Parcel {
        first: 0,
        count: 1,
        payload: segments.iter().filter_map(|segment| segment.blobs.get(part).cloned()).collect(),
        more: json!({ "part": part }),
        label: Some(format!("part {part} of {parts}")),
    };
    (0..parts).map(parcel).collect()
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
        let mut state = self.state.lock();
        let mut taken = state.ledger.take(Instant::now());
        let then = state.then;
        if taken.is_none() && state.can_feed() {
            let most = state.pace.batch(state.left, self.spec.workers);
            let most = most.min(state.ledger.room()).min(self.spec.most);
            let fed = if state.grows {
                // Quick, and nothing may come in between that it does not know of.
                let mut feed = self.feed.lock();
                let fed = feed.next(most);
                state.left = feed.left();
                fed
            } else {
                state.feeding = true;
                drop(state);
                let (fed, left) = {
                    let mut feed = self.feed.lock();
                    (feed.next(most), feed.left())
                };
                state = self.state.lock();
                state.feeding = false;
                state.left = left;
                fed
            };
            match fed {
                // It came too late.
                Ok(_) if !state.open => {}
                Ok(Fed::Parcel(parcel)) => {
                    state.ledger.offer(parcel);
                    taken = state.ledger.take(Instant::now());
                }
                Ok(Fed::Later) => state.later = true,
                Ok(Fed::Over) => state.open = false,
                Err(error) => self.fail(&mut state, error),
            }
            let more = state.open && !state.later;
            if let Some((id, _)) = &taken {
                state.began.insert(*id, Instant::now());
            }
            self.settle(state);
            if more {
                // The feed is free for another worker.
                pool.nudge();
            }
        } else {
            if let Some((id, _)) = &taken {
                state.began.insert(*id, Instant::now());
            }
            drop(state);
        }
        let (id, slice) = taken?;
        // Providers may take their time, and nothing waits for them meanwhile.
        let secrets =
            self.spec.secrets.as_ref().map(|granted| granted.now(&self.run.control)).unwrap_or_default();
        Some(self.unit(&pool, id, &slice, then, secrets))
    }

    fn part(&self, unit: u64, part: Part) {
        let now = Instant::now();
        let mut state = self.state.lock();
        let Some(slice) = state.ledger.running(unit).cloned() else { return };
        if let Some(began) = state.began.insert(unit, now) {
            state.pace.learn(part.to.saturating_sub(part.from), now - began);
        }
        if part.last {
            state.began.remove(&unit);
        }
        let (name, single) = self.called(state.then);
        let failed: Vec<Failed> = part
            .failed
            .iter()
            .map(|found| Failed {
                item: found.item,
                retryable: found.retryable,
                error: failure::raised(name, &slice, found, &part.blobs, single),
            })
            .collect();
        let unaligned = self.unaligned(&slice, &part);
        let told = state.ledger.part(unit, part.to, failed, part.blobs, part.more, now);
        let told = told.and(unaligned.map_or(Ok(()), Err));
        let told = told.and_then(|()| if state.grows { self.grow(&mut state) } else { Ok(()) });
        if let Err(error) = told {
            self.fail(&mut state, error);
        }
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

    fn said(&self, _: u64, said: Said) {
        match said {
            Said::Log { level, name, text } => {
                self.write("log", &redact::owned(format!("{level} {name}: {text}\n")))
            }
            Said::Progress { done, note } => {
                let note = note.map(|note| format!(" {note}")).unwrap_or_default();
                self.write("progress", &redact::owned(format!("{done}{note}\n")));
            }
            Said::Ready | Said::Part(_) => {}
        }
    }

    fn memory_limit(&self) -> Option<u64> {
        Some(self.spec.memory_limit)
    }

    fn ended(&self, unit: u64, end: End, item: Option<u64>) {
        let now = Instant::now();
        let mut state = self.state.lock();
        state.began.remove(&unit);
        let (name, single) = self.called(state.then);
        let told = match (end, state.ledger.running(unit).cloned()) {
            (_, None) => Ok(()),
            (End::Done, Some(slice)) => {
                let message = format!("a worker said no more of the items from {} on", slice.from);
                let error = Error::internal(message);
                state.ledger.crashed(unit, None, false, error, now)
            }
            (End::Stopped(StopCause::Memory(held)), Some(slice)) => {
                let at = item.unwrap_or(slice.from).clamp(slice.from, slice.to - 1);
                let limit = self.spec.memory_limit;
                let error = failure::too_large(name, &slice, at, held, limit, single);
                state.ledger.crashed(unit, Some(at), false, error, now)
            }
            (End::Stopped(_), Some(_)) => {
                state.ledger.stopped(unit);
                Ok(())
            }
            (End::Died(crash), Some(slice)) => {
                let begun = crash.item.filter(|at| (slice.from..slice.to).contains(at));
                let at = begun.unwrap_or(slice.from);
                let error = failure::crashed(name, &slice, &crash, at, single);
                if crash.what == crate::worker::Crashed::Starting {
                    // No worker at all: the next attempt would be the same.
                    Err(error)
                } else {
                    state.ledger.crashed(unit, begun, Code::WorkerCrashed.retryable(), error, now)
                }
            }
        };
        if let Err(error) = told {
            state.ledger.stopped(unit);
            self.fail(&mut state, error);
        }
        self.settle(state);
        self.nudge();
    }
}
