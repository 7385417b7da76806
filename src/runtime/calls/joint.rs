//! Runs that call the same operation with the same setup, as the pool of workers sees them: one piece of work, whose
//! calls carry inputs of several of them. Each run keeps its own ledger, deadline and end.
//!
//! A run that is stopped ends at once. What it has with a worker goes on only for the sake of the others in the batch,
//! and its results are dropped; a batch in which no run is left is stopped like any call.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;

use super::batch::{Due, Limits, Line, Next, Queued};
use super::clock::Clock;
use super::failure;
use super::feed::Parcel;
use super::granted::Granted;
use super::ledger::{Ledger, Policy, Slice};
use super::retry::Retry;
use super::values::Values;
use crate::engine::control::Stop;
use crate::error::{Error, Result};
use crate::runtime::run::{Finished, Finisher, Run};
use crate::worker::{Blob, Call, Function, Head, Pool, Unit};

/// The kind of a call on inputs of several runs.
pub const KIND: &str = "joined";

/// What runs have in common that share batches.
#[derive(Debug, Clone)]
pub struct JointSpec {
    pub function: Arc<Function>,
    pub priority: u8,
    pub limits: Limits,
    /// Batches that run at a time.
    pub workers: u64,
    /// Bytes that a worker may hold.
    pub memory_limit: u64,
    /// How long a batch may take, and after how long its operation is told so.
    pub batch_timeout: Option<Duration>,
    pub soft_timeout: Option<Duration>,
    /// What the operation may read.
    pub secrets: Option<Arc<Granted>>,
}

impl JointSpec {
    fn fits(&self, other: &Self) -> bool {
        let names = |spec: &Self| spec.secrets.as_ref().map(|granted| granted.names().to_vec());
        (self.priority, self.limits, self.workers, self.memory_limit, self.batch_timeout, self.soft_timeout)
            == (
                other.priority,
                other.limits,
                other.workers,
                other.memory_limit,
                other.batch_timeout,
                other.soft_timeout,
            )
            && names(self) == names(other)
            && self.function.name == other.function.name
            && self.function.bytes.bytes() == other.function.bytes.bytes()
    }
}

/// What a run brings with it.
pub struct Entry {
    /// Of the run, which ends with whatever holds this.
    pub finisher: Finisher,
    pub policy: Policy,
    pub retry: Retry,
    /// Its inputs, each of them a blob.
    pub inputs: Vec<Blob>,
}

/// The pieces of work of an engine that runs may still join.
#[derive(Default)]
pub struct Joints(Mutex<Vec<Arc<Joint>>>);

impl Joints {
    /// Brings a run's inputs in; returns where, and the run's number there.
    pub fn join(
        &self,
        pool: &Arc<Pool>,
        spec: JointSpec,
        entry: Entry,
    ) -> std::io::Result<(Arc<Joint>, u64)> {
        let mut joints = self.0.lock();
        joints.retain(|joint| !joint.state.lock().over);
        let mut entry = Some(entry);
        for joint in joints.iter().filter(|joint| joint.spec.fits(&spec)) {
            if let Some((member, awaited)) = joint.enter(&mut entry) {
                if awaited {
                    joint.nudge();
                }
                return Ok((joint.clone(), member));
            }
        }
        let joint = Arc::new(Joint::new(pool, spec));
        let (member, _) = joint.enter(&mut entry).unwrap_or_default();
        pool.add(joint.clone())?;
        joints.push(joint.clone());
        Ok((joint, member))
    }
}

pub struct Joint {
    /// Workers know it as the run of its calls.
    id: Arc<str>,
    pub(super) pool: Weak<Pool>,
    pub(super) spec: JointSpec,
    pub(super) state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// In the order in which they came.
    pub members: BTreeMap<u64, Member>,
    /// What waits of them.
    line: Line,
    pub units: HashMap<u64, Batch>,
    pub next: u64,
    /// Nobody may enter any more.
    pub over: bool,
}

pub(super) struct Member {
    pub run: Arc<Run>,
    finisher: Finisher,
    pub ledger: Ledger,
    pub retry: Retry,
    pub since: Instant,
    pub output: usize,
}

/// A call that runs.
#[derive(Clone, Default)]
pub(super) struct Batch {
    pub places: Vec<Place>,
    /// The runs that have places.
    pub runs: Vec<Arc<Run>>,
    /// Its time, once a worker has it.
    pub clock: Option<Clock>,
}

impl Batch {
    pub fn inputs(&self) -> u64 {
        self.places.iter().map(|place| place.count).sum()
    }
}

/// Inputs of one run in a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub member: u64,
    /// The number of the call in the run's ledger.
    pub id: u64,
    pub count: u64,
    /// Since when they wait, if this is the first call that they are in.
    pub since: Option<Instant>,
}

/// Runs that have their end, to be told when the lock is free: who waits may ask at once.
#[must_use]
#[derive(Default)]
pub(super) struct Ends(Vec<(Finisher, Result<Finished>)>);

impl Ends {
    pub fn tell(self) {
        for (finisher, outcome) in self.0 {
            finisher.0.finish(outcome);
        }
    }

    pub fn and(&mut self, more: Self) {
        self.0.extend(more.0);
    }
}

impl Joint {
    fn new(pool: &Arc<Pool>, spec: JointSpec) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = format!("joint-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self { id: id.into(), pool: Arc::downgrade(pool), spec, state: Mutex::default() }
    }

    /// Takes a run in, unless it is too late for that; whether the pool has to know, and not just to wait on.
    fn enter(&self, entry: &mut Option<Entry>) -> Option<(u64, bool)> {
        let mut state = self.state.lock();
        let Entry { finisher, policy, retry, inputs } = if state.over { None } else { entry.take() }?;
        let now = Instant::now();
        let before = self.due(&state, now);
        state.next += 1;
        let number = state.next;
        let mut ledger = Ledger::new(policy);
        if !inputs.is_empty() {
            ledger.offer(Parcel::of(0, inputs.len() as u64, inputs));
        }
        let member = Member { run: finisher.0.clone(), finisher, ledger, retry, since: now, output: 0 };
        state.members.insert(number, member);
        let ends = self.settle(&mut state, number);
        // The end of a batch makes itself known, and a time that somebody waits for has not changed.
        let busy = state.units.len() as u64 >= self.spec.workers;
        let awaited = !busy && before != Due::Now && self.due(&state, now) != before;
        drop(state);
        ends.tell();
        Some((number, awaited))
    }

    /// A run that is to stop: nothing of it is started or waited for any more.
    pub fn leave(&self, member: u64) {
        let mut state = self.state.lock();
        let ends = self.end(&mut state, member, None);
        drop(state);
        ends.tell();
        self.nudge();
    }

    /// Ends a run, whatever of it still runs.
    pub(super) fn end(&self, state: &mut State, number: u64, failed: Option<Error>) -> Ends {
        let Some(mut member) = state.members.remove(&number) else { return Ends::default() };
        state.line.remove(number);
        member.ledger.wind_down();
        let places = state.units.values().flat_map(|batch| &batch.places);
        places.filter(|place| place.member == number).for_each(|place| member.ledger.stopped(place.id));
        member.account();
        let outcome = match (failed, member.run.control.reason()) {
            (_, Some(Stop::Deadline)) => {
                Err(failure::late(&self.spec.function.name, &member.ledger.counts()))
            }
            (_, Some(Stop::Cancel | Stop::Abandon)) => Err(Error::cancelled()),
            (Some(error), None) => Err(error),
            (None, None) => {
                let (segments, failures) = member.ledger.outcome();
                Ok(Finished::Values(Values { segments, failures }))
            }
        };
        Ends(vec![(member.finisher, outcome)])
    }

    /// Brings the books of a run up to date, and ends it if it has everything.
    pub(super) fn settle(&self, state: &mut State, number: u64) -> Ends {
        let Some(member) = state.members.get(&number) else { return Ends::default() };
        member.account();
        state.line.set(number, member.queued());
        if member.ledger.is_settled() { self.end(state, number, None) } else { Ends::default() }
    }

    /// After a run's ledger was told something.
    pub(super) fn told(&self, state: &mut State, member: u64, told: Result<()>) -> Ends {
        match told {
            Err(error) => self.end(state, member, Some(error)),
            Ok(()) => self.settle(state, member),
        }
    }

    /// When a batch goes next; quick, however many callers there are.
    pub(super) fn due(&self, state: &State, now: Instant) -> Due {
        debug_assert!(state.members.len() > 32 || state.is_in_line());
        state.line.due(self.spec.limits, now)
    }

    pub(super) fn nudge(&self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.nudge();
        }
    }

    /// The next batch, if one is due.
    pub(super) fn batch(&self, pool: &Pool) -> Option<Unit> {
        // A provider may take its time; nobody is kept waiting by a lock meanwhile.
        let asks = self.state.lock().members.values().next().map(|member| member.run.control.clone())?;
        let secrets = self.spec.secrets.as_ref().map(|granted| granted.now(&asks)).unwrap_or_default();
        let now = Instant::now();
        let mut state = self.state.lock();
        if state.units.len() as u64 >= self.spec.workers {
            return None;
        }
        let (alone, shares) = match state.line.next(self.spec.limits, now) {
            Next::Alone(member) => (true, vec![(member, 1)]),
            Next::Together(shares) => (false, shares),
            Next::At(_) | Next::Nothing => return None,
        };
        let (mut batch, mut slices, mut deadline) = (Batch::default(), Vec::new(), None::<Instant>);
        let State { members, line, .. } = &mut *state;
        for (number, mut left) in shares {
            let Some(member) = members.get_mut(&number) else { continue };
            while let Some((id, slice)) = match (left, alone) {
                (0, _) => None,
                (_, true) => member.ledger.take_alone(now),
                (left, false) => member.ledger.take_fresh(left, now),
            } {
                left = left.saturating_sub(slice.len());
                let since = (!alone && slice.attempt == 1).then_some(member.since);
                batch.places.push(Place { member: number, id, count: slice.len(), since });
                batch.runs.push(member.run.clone());
                slices.push(slice);
                let own = member.run.control.deadline.get().copied();
                deadline = deadline.into_iter().chain(own).min();
            }
            member.account();
            line.set(number, member.queued());
        }
        if slices.is_empty() {
            return None;
        }
        state.next += 1;
        let unit = state.next;
        state.units.insert(unit, batch);
        drop(state);
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let function = self.spec.function.clone();
        let head = Head {
            t: "call",
            call: pool.number(),
            function: function.id.clone(),
            kind: KIND,
            run: self.id.clone(),
            // Workers see the batch as one item.
            from: 0,
            to: 1,
            first: 0,
            careful: false,
            attempt: slices.iter().map(|slice| slice.attempt).max().unwrap_or(1),
            left_ms: left.map(milliseconds),
            item_ms: self.spec.batch_timeout.map(milliseconds),
            soft_ms: self.spec.soft_timeout.map(milliseconds),
            more: Value::Null,
        };
        let payload = slices.iter().flat_map(inputs_of).collect();
        Some(Unit { id: unit, call: Call { function, head, payload, secrets } })
    }
}

fn inputs_of(slice: &Slice) -> Vec<Blob> {
    let place = |item: u64| usize::try_from(item).unwrap_or(usize::MAX);
    slice.parcel.payload.get(place(slice.from)..place(slice.to)).unwrap_or_default().to_vec()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl State {
    /// Whether the line has what there is.
    fn is_in_line(&self) -> bool {
        self.members.iter().all(|(number, member)| self.line.get(*number) == Some(member.queued()))
    }
}

impl Member {
    pub fn account(&self) {
        self.run.control.account(self.ledger.counts().into());
    }

    /// What waits of it.
    fn queued(&self) -> Queued {
        Queued { since: self.since, fresh: self.ledger.fresh(), again: self.ledger.due() }
    }

    /// Why it is to stop, if it is.
    pub fn stopped(&self, now: Instant) -> Option<Stop> {
        if self.run.control.deadline.get().is_some_and(|deadline| now >= *deadline) {
            self.run.control.stop(Stop::Deadline);
        }
        self.run.control.reason()
    }
}

/// What a caller's task says of failures; how much runs at a time is said for all of them together.
pub fn policy(told: Policy) -> Policy {
    Policy { in_flight: u64::MAX, calls: u64::MAX, ..told }
}

/// How many inputs go together, and how long one waits for others.
pub fn limits(most: u64, wait: Duration) -> Limits {
    Limits { most: most.max(1), wait }
}
