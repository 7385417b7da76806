//! The threads of the pool: each takes calls of the runs and has them run by a worker, one after the other.

use std::sync::Arc;
use std::time::Instant;

use super::{Attended, Inner, Next, Ready, SEAT, State, Unit, Work};
use crate::worker::call::{Part, Said};
use crate::worker::host::Host;
use crate::worker::queue::{self, Waiting};
use crate::worker::watch::{End, StopCause, Stream, Watch};

impl Inner {
    /// One more thread, if there is room and more to do than there are threads that wait.
    pub(super) fn staff(self: &Arc<Self>, state: &mut State) -> std::io::Result<()> {
        let now = Instant::now();
        let ready: Vec<_> = state.works.iter().map(|entry| entry.work.ready(now)).collect();
        let due = ready.iter().filter(|ready| **ready == Ready::Now).count();
        // Somebody has to be there when a call's time comes.
        let timed = ready.iter().any(|ready| matches!(ready, Ready::At(_)));
        if state.idle < due + usize::from(timed) && state.present(now) < state.limit && !state.closed {
            match self.spawn(state) {
                Err(error) if state.living == 0 => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn spawn(self: &Arc<Self>, state: &mut State) -> std::io::Result<()> {
        state.next += 1;
        let (inner, number) = (self.clone(), state.next);
        let thread = std::thread::Builder::new()
            .name(format!("rlm-worker-{number}"))
            .spawn(move || inner.serve(number))?;
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
        state.living += 1;
        Ok(())
    }

    /// The life of a thread that serves.
    fn serve(self: Arc<Self>, number: u32) {
        while let Some(next) = self.next() {
            let work = match next {
                Next::Serve(work) => work,
                Next::Attend(attended) => {
                    // Whoever else waited for this thread is not kept waiting.
                    let _ = self.staff(&mut self.state.lock());
                    let work = attended.work.clone();
                    self.attend(*attended, None);
                    self.let_go(&work);
                    continue;
                }
                Next::Warm => {
                    self.warm_one();
                    continue;
                }
            };
            // There may be more to do than this one: another thread may begin meanwhile.
            {
                let mut state = self.state.lock();
                state.away.insert(number, Instant::now());
                let _ = self.staff(&mut state);
            }
            let unit = work.take();
            self.state.lock().away.remove(&number);
            if let Some(unit) = unit {
                self.run(&work, unit);
            }
            self.let_go(&work);
        }
        // With the last threads the last workers go.
        loop {
            let mut state = self.state.lock();
            if state.hosts.len() <= state.living {
                return;
            }
            let host = state.hosts.pop();
            state.ready -= 1;
            drop(state);
            drop(host);
        }
    }

    fn warm_one(&self) {
        let setup = self.state.lock().setup.clone();
        let started = self.obtain(&Alone(self), true);
        let mut state = self.state.lock();
        state.starting -= 1;
        state.busy -= 1;
        match started {
            Ok(host) => {
                if state.ready >= state.warming {
                    state.warming = 0;
                }
                self.put_back(state, host, false);
            }
            // Who asked for another setup since then has nothing to do with it.
            Err(end) if Arc::ptr_eq(&setup, &state.setup) => {
                state.warming = 0;
                if let End::Died(crash) = end {
                    state.unable = Some(crash);
                }
            }
            Err(_) => {}
        }
        self.wake.notify_all();
    }

    /// The room for a call, and a worker if one waits; None if the call is not wanted any more.
    fn seat(&self, work: &dyn Work, unit: u64) -> Result<Option<Host>, StopCause> {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return Err(StopCause::Cancelled);
            }
            if state.busy < state.limit {
                state.busy += 1;
                return Ok(state.hosts.pop());
            }
            let now = Instant::now();
            if let Some(cause) = work.stop(now).or_else(|| work.overdue(unit, now)) {
                return Err(cause);
            }
            state.seeking += 1;
            self.wake.wait_for(&mut state, SEAT);
            state.seeking -= 1;
        }
    }

    /// A worker after its call.
    pub(super) fn put_back(&self, mut state: parking_lot::MutexGuard<'_, State>, host: Host, worn: bool) {
        let done = worn || !host.is_set_up(&state.setup) || state.purged.iter().any(|run| host.has_run(run));
        if done || state.closed || state.living == 0 {
            self.one_less(&mut state);
            drop(state);
            drop(host);
        } else {
            state.hosts.push(host);
        }
    }

    fn run(&self, work: &Arc<dyn Work>, unit: Unit) {
        let found = match self.seat(&**work, unit.id) {
            Ok(found) => found,
            Err(cause) => return work.ended(unit.id, End::Stopped(cause), None),
        };
        let mut living = found;
        if living.as_mut().is_some_and(|host| !host.alive()) {
            living = None;
            self.state.lock().ready -= 1;
        }
        let started = match living {
            Some(host) => Ok(host),
            None => {
                let watch = Watching { pool: self, work: &**work, unit: unit.id };
                self.obtain(&watch, false)
            }
        };
        match started {
            Ok(host) => {
                if let Some(attended) = self.begin(host, work, unit) {
                    self.attend(attended, None);
                }
            }
            Err(end) => {
                self.leave(&mut self.state.lock());
                work.ended(unit.id, end, None);
            }
        }
    }

    /// Has a worker begin a call; None if that was its end.
    pub(super) fn begin(&self, mut host: Host, work: &Arc<dyn Work>, unit: Unit) -> Option<Attended> {
        work.begun(unit.id);
        let watch = Watching { pool: self, work: &**work, unit: unit.id };
        match host.begin(&unit.call, &watch) {
            Ok(going) => Some(Attended { host, work: work.clone(), unit, going }),
            Err(end) => {
                self.over(host, &**work, &unit, end);
                None
            }
        }
    }

    /// Looks after a call until its end, or until this time: then it goes on, and is given back.
    pub(super) fn attend(&self, mut attended: Attended, until: Option<Instant>) -> Option<Attended> {
        let Attended { host, work, unit, going } = &mut attended;
        let watch = Watching { pool: self, work: &**work, unit: unit.id };
        let Some(end) = host.attend(going, &watch, until) else { return Some(attended) };
        let Attended { host, work, unit, .. } = attended;
        self.over(host, &*work, &unit, end);
        None
    }

    /// A call has its end.
    fn over(&self, mut host: Host, work: &dyn Work, unit: &Unit, end: End) {
        let item = host.item_of(unit.call.head.call);
        if matches!(end, End::Done) {
            let worn = host.is_worn(self.wear);
            let mut state = self.state.lock();
            self.leave(&mut state);
            self.put_back(state, host, worn);
        } else {
            drop(host);
            let mut state = self.state.lock();
            self.leave(&mut state);
            self.one_less(&mut state);
        }
        work.ended(unit.id, end, item);
    }

    /// A worker is gone. Who asked for workers before they are needed has as many again.
    fn one_less(&self, state: &mut State) {
        state.ready -= 1;
        if state.ready + state.starting < state.kept {
            state.warming = state.warming.max(state.kept);
            self.wake.notify_all();
        }
    }

    /// The place of a call is free.
    pub(super) fn leave(&self, state: &mut State) {
        state.busy -= 1;
        if state.seeking > 0 {
            self.wake.notify_all();
        }
    }

    /// What to do next; None ends the thread.
    fn next(&self) -> Option<Next> {
        let mut state = self.state.lock();
        let idle_since = Instant::now();
        loop {
            if let Some(attended) = state.handed.pop_front() {
                return Some(Next::Attend(Box::new(attended)));
            }
            let now = Instant::now();
            // As long as workers are used, threads are there for them.
            let idle_until = idle_since.max(state.used.unwrap_or(idle_since)) + self.wear.idle;
            if state.closed || state.present(now) > state.limit {
                break;
            }
            state.works.retain(|entry| entry.running > 0 || entry.work.ready(now) != Ready::Over);
            let mut waiting = Vec::new();
            let mut places = Vec::new();
            // Those that somebody asked for stay as long as the client.
            let stays = state.living <= state.kept;
            let mut due: Option<Instant> = None;
            for (place, entry) in state.works.iter().enumerate() {
                match entry.work.ready(now) {
                    Ready::Now => {
                        waiting.push(Waiting { priority: entry.work.priority(), since: entry.since });
                        places.push(place);
                    }
                    Ready::At(time) => due = Some(due.map_or(time, |due| due.min(time))),
                    Ready::No | Ready::Over => {}
                }
            }
            if let Some(chosen) = queue::choose(&waiting, now) {
                let entry = &mut state.works[places[chosen]];
                entry.since = now;
                entry.running += 1;
                return Some(Next::Serve(entry.work.clone()));
            }
            if state.ready + state.starting < state.warming && state.busy < state.limit {
                state.starting += 1;
                state.busy += 1;
                return Some(Next::Warm);
            }
            // Nobody else would see that something is due.
            let watches = due.is_some() && state.idle == 0;
            if now >= idle_until && !stays && !watches {
                break;
            }
            let rests = (!watches || stays).then_some(if stays { now + self.wear.idle } else { idle_until });
            let wake_at = due.into_iter().chain(rests).min().unwrap_or(idle_until);
            state.idle += 1;
            self.wake.wait_until(&mut state, wake_at);
            state.idle -= 1;
        }
        state.living -= 1;
        None
    }

    pub(super) fn let_go(&self, work: &Arc<dyn Work>) {
        let mut state = self.state.lock();
        if let Some(entry) = state.works.iter_mut().find(|entry| Arc::ptr_eq(&entry.work, work)) {
            entry.running -= 1;
        }
    }
}

/// A call's watch: its run, but a pool that closes stops it as well.
pub(super) struct Watching<'a> {
    pub pool: &'a Inner,
    pub work: &'a dyn Work,
    pub unit: u64,
}

impl Watch for Watching<'_> {
    fn part(&self, part: Part) {
        self.work.part(self.unit, part);
    }

    fn stop(&self, now: Instant) -> Option<StopCause> {
        let stop = self.work.stop(now).or_else(|| self.work.overdue(self.unit, now));
        stop.or_else(|| self.pool.state.lock().closed.then_some(StopCause::Cancelled))
    }

    fn reached(&self, now: Instant) {
        self.work.reached(self.unit, now);
    }

    fn wrote(&self, stream: Stream, text: &str) {
        self.work.wrote(self.unit, stream, text);
    }

    fn said(&self, said: Said) {
        self.work.said(self.unit, said);
    }

    fn memory_limit(&self) -> Option<u64> {
        self.work.memory_limit()
    }
}

/// The watch over a worker that starts without a call.
struct Alone<'a>(&'a Inner);

impl Watch for Alone<'_> {
    fn part(&self, _: Part) {}

    fn stop(&self, _: Instant) -> Option<StopCause> {
        self.0.state.lock().closed.then_some(StopCause::Cancelled)
    }

    fn wrote(&self, _: Stream, _: &str) {}

    fn said(&self, _: Said) {}

    fn memory_limit(&self) -> Option<u64> {
        None
    }
}
