//! One worker and the call it runs: everything it says is passed on, and it is ended when it has to be.
//!
//! Whoever has a call begin need not be who looks after it until its end: a call that runs can be handed on.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::json;
use zeroize::Zeroizing;

use super::body::Body;
use super::call::{Call, Said};
use super::nobody::Nobody;
use super::output::Outputs;
use super::pool::Wear;
use super::process::Launch;
use super::setup::{Setup, Unready};
use super::shared::{Blob, Page};
use super::starting::Setback;
use super::watch::{CLOSED, Crash, Crashed, End, StopCause, Stream, Watch};
use super::wire;

/// How often a call is looked after while its worker says nothing.
const TICK_MS: u8 = 10;

/// How long a thread that waits for its own call looks for the answer without a rest: to be woken takes as long as many a
/// call, and a single one took 131 µs so, and 185 to 230 without.
const CLOSELY: Duration = Duration::from_micros(60);

/// How long a call that was asked to stop may take to end by itself.
const GRACE: Duration = Duration::from_millis(50);

/// How long a worker may take to be ready for its first call.
const START: Duration = Duration::from_secs(60);

/// How long one message may take once it has begun.
const MESSAGE: Duration = Duration::from_secs(10);

/// How long a worker may take to begin a call that it was sent: threads that earlier calls left behind may keep it
/// from it for good.
const BEGIN: Duration = Duration::from_secs(5);

/// How often at most it is looked how much a worker holds between calls.
const LOOK: Duration = Duration::from_millis(10);

/// Runs whose calls a worker remembers to have had.
const RUNS: usize = 16;

/// A living worker.
#[derive(Debug)]
pub struct Host {
    body: Body,
    page: Page,
    functions: HashSet<String>,
    outputs: Outputs,
    open: [bool; 2],
    /// What it did before its first call.
    setup: Arc<Setup>,
    /// The last runs that it had calls of.
    runs: VecDeque<Arc<str>>,
    /// Items that it has run.
    items: u64,
    /// What it held after its first call, and when that was last looked at.
    held: Option<(u64, Instant)>,
}

/// A call that a worker runs.
#[derive(Debug)]
pub struct Going {
    number: u64,
    sent: Instant,
    /// Whether it is known to have come to its first item.
    reached: bool,
    /// Why it is to stop, and since when it knows.
    asked: Option<(StopCause, Instant)>,
    /// When it was last looked whether it is to stop.
    looked: Instant,
}

/// What a look at the worker's channels found.
enum Heard {
    Said(Said, Vec<Blob>),
    Nothing,
    /// It is gone, or makes no sense.
    Gone(String),
}

impl Host {
    /// Starts a worker and waits until it is ready.
    pub fn start(launch: &Launch, setup: Arc<Setup>, watch: &dyn Watch) -> Result<Self, End> {
        let failed = |why, how: String, stderr: String, raised| {
            End::Died(Crash { what: Crashed::Starting(why), how, item: None, stderr, signal: None, raised })
        };
        let cannot = |error: io::Error| {
            let how = format!("cannot be started: {error}");
            failed(Setback::of_error(&error), how, String::new(), None)
        };
        let longest = START.max(setup.patience);
        let mut body = Body::start(launch).map_err(cannot)?;
        let moment = Duration::from_millis(TICK_MS.into());
        body.socket().set_read_timeout(Some(moment)).map_err(cannot)?;
        body.socket().set_write_timeout(Some(moment)).map_err(cannot)?;
        let page = Page::new().map_err(cannot)?;
        let shared = page.file().try_clone_to_owned().and_then(Blob::mapped).map_err(cannot)?;
        let mut host = Self {
            open: [!body.is_thread(); 2],
            body,
            page,
            functions: HashSet::new(),
            outputs: Outputs::default(),
            setup,
            runs: VecDeque::new(),
            items: 0,
            held: None,
        };
        let (start, blobs) = host.setup.message(shared);
        let gone = |host: &mut Self, why: String| End::Died(host.crash(why, None, watch));
        let sent = wire::send(host.body.socket(), &start, &blobs, &mut patience(watch));
        match sent {
            Ok(()) => {}
            // Somebody ended it before it was told anything.
            Err(error) if wire::is_gone(&error) => return Err(gone(&mut host, String::new())),
            Err(error) => return Err(cannot(error)),
        }
        let began = Instant::now();
        loop {
            match host.hear(moment, watch) {
                Heard::Said(Said::Ready, _) => {
                    host.finish(watch);
                    return Ok(host);
                }
                Heard::Said(Said::Unready { failure }, blobs) => {
                    host.kill(watch);
                    let function = host.setup.function.as_ref().map(|function| function.name.clone());
                    let function = function.unwrap_or_default();
                    let raised = Some(Arc::new(Unready { function, failure, blobs }));
                    let how = "raised in its setup".to_owned();
                    return Err(failed(Setback::Unable, how, host.stderr(), raised));
                }
                Heard::Said(said, _) => watch.said(said),
                Heard::Nothing => {
                    let now = Instant::now();
                    if let Some(cause) = watch.stop(now) {
                        return Err(host.end(cause, watch));
                    }
                    if now.duration_since(began) > longest {
                        let how = format!("was not ready after {} s", longest.as_secs());
                        host.kill(watch);
                        return Err(failed(Setback::Unable, how, host.stderr(), None));
                    }
                }
                Heard::Gone(why) => return Err(gone(&mut host, why)),
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.body.id()
    }

    pub fn memory(&self) -> Option<u64> {
        self.body.memory()
    }

    /// Whether it has done enough, and another is to take its place.
    pub fn is_worn(&mut self, wear: Wear) -> bool {
        if wear.items.is_some_and(|most| self.items >= most) {
            return true;
        }
        let Some(most) = wear.growth else { return false };
        let now = Instant::now();
        if self.held.is_some_and(|(_, looked)| now.duration_since(looked) < LOOK) {
            return false;
        }
        match (self.held, self.body.memory()) {
            (Some((first, _)), Some(held)) => {
                self.held = Some((first, now));
                held > first.saturating_add(most)
            }
            (None, Some(held)) => {
                self.held = Some((held, now));
                false
            }
            (_, None) => false,
        }
    }

    /// Whether it lives and may be given a call.
    pub fn alive(&mut self) -> bool {
        self.body.exited().is_none()
    }

    /// Has a call begin. After an end that is not `Done` the worker is gone with all that it started.
    pub fn begin(&mut self, call: &Call, watch: &dyn Watch) -> Result<Going, End> {
        // What threads of earlier calls wrote meanwhile is not this call's.
        self.drain(&Nobody);
        self.finish(&Nobody);
        self.outputs.forget();
        self.items += call.head.to - call.head.from;
        if self.runs.back() != Some(&call.head.run) {
            self.runs.push_back(call.head.run.clone());
            let old = self.runs.len().saturating_sub(RUNS);
            self.runs.drain(..old);
        }
        let number = call.head.call;
        if let Err(error) = self.send(call, watch) {
            // It may be gone since before the call.
            let why = if wire::is_gone(&error) { String::new() } else { error.to_string() };
            return Err(self.lost(why, number, watch));
        }
        let now = Instant::now();
        Ok(Going { number, sent: now, reached: false, asked: None, looked: now })
    }

    /// Looks after a call until its end, or until this time: then it goes on, and is to be attended again.
    pub fn attend(&mut self, going: &mut Going, watch: &dyn Watch, until: Option<Instant>) -> Option<End> {
        let number = going.number;
        let tick = Duration::from_millis(TICK_MS.into());
        if until.is_some_and(|until| until > going.sent + CLOSELY) {
            self.look_closely();
        }
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            let said = match self.hear(left.map_or(tick, |left| left.min(tick)), watch) {
                Heard::Said(said, blobs) => Some((said, blobs)),
                Heard::Nothing => None,
                Heard::Gone(why) => return Some(self.lost(why, number, watch)),
            };
            match said {
                Some((Said::Part(mut part), blobs)) if part.call == number => {
                    part.blobs = blobs;
                    let last = part.last;
                    if last {
                        self.drain(watch);
                        self.finish(watch);
                    }
                    watch.part(part);
                    if last {
                        return Some(End::Done);
                    }
                    // The item that took too long came to its end after all, and the next is not to pay for it.
                    if going.asked.take_if(|(cause, _)| *cause == StopCause::Overdue).is_some() {
                        self.page.ask_to_stop(0);
                    }
                }
                Some((Said::Part(_), _)) | None => {}
                Some((Said::Wrote { stream, text }, _)) => {
                    let stream = if stream == "stderr" { Stream::Err } else { Stream::Out };
                    let text = self.outputs.feed(stream, text.as_bytes());
                    wrote(watch, stream, &text);
                }
                Some((said, _)) => watch.said(said),
            }
            let now = Instant::now();
            if now.duration_since(going.looked) >= tick {
                going.looked = now;
                if let Some(end) = self.look_after(going, now, watch) {
                    return Some(end);
                }
            }
        }
    }

    /// Whether a call has to be ended, or asked to stop first.
    fn look_after(&mut self, going: &mut Going, now: Instant, watch: &dyn Watch) -> Option<End> {
        let number = going.number;
        if !going.reached && self.page.has_reached_items(number) {
            going.reached = true;
            watch.reached(now);
        }
        match going.asked {
            Some((cause, since)) if now.duration_since(since) >= GRACE => {
                return Some(self.end(cause, watch));
            }
            Some(_) => return None,
            None => {}
        }
        going.asked = watch.stop(now).map(|cause| (cause, now));
        if going.asked.is_some() {
            self.page.ask_to_stop(number);
            return None;
        }
        // A thread may have to wait for what other threads' code holds, however long.
        if !self.body.is_thread() && now.duration_since(going.sent) > BEGIN && !self.page.has_taken(number) {
            let why = format!("did not begin its call within {} s", BEGIN.as_secs());
            return Some(self.lost(why, number, watch));
        }
        let (limit, held) = (watch.memory_limit()?, self.body.memory()?);
        (held > limit).then(|| self.end(StopCause::Memory(held), watch))
    }

    /// The item that a call was at.
    pub fn item_of(&self, call: u64) -> Option<u64> {
        self.page.item_of(call)
    }

    /// Whether it did before its first call what workers are to do now.
    pub fn is_set_up(&self, setup: &Setup) -> bool {
        self.setup.is_as(setup)
    }

    /// Whether it has had calls of this run.
    pub fn has_run(&self, run: &str) -> bool {
        self.runs.iter().any(|had| **had == *run)
    }

    /// It cannot be talked to any more: it died, or is ended now, for this reason or because the run is to stop.
    fn lost(&mut self, why: String, call: u64, watch: &dyn Watch) -> End {
        if !why.is_empty()
            && self.body.exited().is_none()
            && let Some(cause) = watch.stop(Instant::now())
        {
            return self.end(cause, watch);
        }
        End::Died(self.crash(why, Some(call), watch))
    }

    fn kill(&mut self, watch: &dyn Watch) {
        if !self.body.kill() {
            watch.said(Said::Abandoned);
        }
        self.drain(watch);
        self.finish(watch);
    }

    /// Ends the worker.
    fn end(&mut self, cause: StopCause, watch: &dyn Watch) -> End {
        self.kill(watch);
        End::Stopped(cause)
    }

    fn send(&mut self, call: &Call, watch: &dyn Watch) -> io::Result<()> {
        let function = &call.function;
        if !self.functions.contains(&function.id) {
            let head = json!({ "t": "function", "id": function.id, "name": function.name });
            let blob = std::slice::from_ref(&function.bytes);
            wire::send(self.body.socket(), &head, blob, &mut patience(watch))?;
            self.functions.insert(function.id.clone());
        }
        if !call.secrets.is_empty() {
            let values: BTreeMap<_, _> =
                call.secrets.iter().map(|(name, value)| (name, value.reveal())).collect();
            let values = Zeroizing::new(serde_json::to_vec(&values)?);
            let (head, blob) = (json!({ "t": "secrets" }), [Blob::new(&values)?]);
            wire::send(self.body.socket(), &head, &blob, &mut patience(watch))?;
        }
        wire::send(self.body.socket(), &call.head, &call.payload, &mut patience(watch))
    }

    /// Waits a moment for the worker to say or write something; writing is passed on.
    fn hear(&mut self, moment: Duration, watch: &dyn Watch) -> Heard {
        let wait = moment.as_millis().max(1).try_into().unwrap_or(TICK_MS);
        let [said, out, err] = match self.poll(wait) {
            Ok(ready) => ready,
            Err(error) => return Heard::Gone(error.to_string()),
        };
        if out {
            self.read(Stream::Out, watch);
        }
        if err {
            self.read(Stream::Err, watch);
        }
        if !said {
            // A child of its own may hold the other end of the socket.
            return match self.body.exited() {
                Some(_) => Heard::Gone(String::new()),
                None => Heard::Nothing,
            };
        }
        match wire::receive::<Said>(self.body.socket(), &mut patience(watch)) {
            Ok((said, blobs)) => Heard::Said(said, blobs),
            Err(error) if wire::is_gone(&error) => Heard::Gone(String::new()),
            Err(error) => Heard::Gone(format!("said what cannot be understood: {error}")),
        }
    }

    /// Waits for a short call's answer without a rest.
    fn look_closely(&self) {
        let begun = Instant::now();
        while begun.elapsed() < CLOSELY {
            match self.poll(0) {
                Ok([false, false, false]) => std::hint::spin_loop(),
                _ => return,
            }
        }
    }

    /// Whether the socket and the two outputs have something.
    fn poll(&self, wait: u8) -> io::Result<[bool; 3]> {
        let flags = PollFlags::POLLIN;
        let mut fds = vec![PollFd::new(self.body.socket_fd(), flags)];
        for (stream, open) in [Stream::Out, Stream::Err].into_iter().zip(self.open) {
            if let Some(fd) = self.body.output_fd(stream).filter(|_| open) {
                fds.push(PollFd::new(fd, flags));
            }
        }
        match poll(&mut fds, PollTimeout::from(wait)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
        let mut next = |open: bool| open && ready.next().unwrap_or(false);
        Ok([next(true), next(self.open[0]), next(self.open[1])])
    }

    fn read(&mut self, stream: Stream, watch: &dyn Watch) {
        let mut bytes = [0_u8; 64 * 1024];
        match self.body.read(stream, &mut bytes) {
            Ok(0) => self.open[stream as usize] = false,
            Ok(count) => {
                let text = self.outputs.feed(stream, &bytes[..count]);
                wrote(watch, stream, &text);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.open[stream as usize] = false,
        }
    }

    /// Passes on what waited for something to follow, when a call is over.
    fn finish(&mut self, watch: &dyn Watch) {
        for stream in [Stream::Out, Stream::Err] {
            let rest = self.outputs.finish(stream);
            wrote(watch, stream, &rest);
        }
    }

    /// Passes on what is already written.
    fn drain(&mut self, watch: &dyn Watch) {
        // A child that goes on writing does not hold this up.
        for _ in 0..64 {
            match self.poll(0) {
                Ok([_, false, false]) | Err(_) => return,
                Ok([_, out, err]) => {
                    if out {
                        self.read(Stream::Out, watch);
                    }
                    if err {
                        self.read(Stream::Err, watch);
                    }
                }
            }
        }
    }

    fn stderr(&self) -> String {
        self.outputs.stderr()
    }

    /// What there is to say about a worker that is gone, or is now; without a call it was to become ready.
    fn crash(&mut self, why: String, call: Option<u64>, watch: &dyn Watch) -> Crash {
        let item = call.and_then(|call| self.page.item_of(call));
        // Its socket may close a moment before it can be waited for.
        let patience = Instant::now() + Duration::from_millis(100);
        while self.body.exited().is_none() && why.is_empty() && Instant::now() < patience {
            let _ = self.poll(1);
            std::thread::sleep(Duration::from_millis(1));
        }
        let by_itself = self.body.exited();
        self.kill(watch);
        let how = match by_itself {
            Some(status) => self.body.ending(status),
            None if why.is_empty() => CLOSED.to_owned(),
            None => why,
        };
        let signal = by_itself.and_then(|status| status.signal());
        let what = match (call, by_itself) {
            (Some(_), _) => Crashed::Calling,
            (None, Some(_)) => Crashed::Starting(signal.map_or(Setback::Unable, Setback::of_signal)),
            (None, None) => Crashed::Starting(Setback::Crashed),
        };
        Crash { what, how, item, stderr: self.stderr(), signal, raised: None }
    }
}

fn wrote(watch: &dyn Watch, stream: Stream, text: &str) {
    if !text.is_empty() {
        watch.wrote(stream, text);
    }
}

/// How long a message that makes no progress is waited for: not beyond the grace of a call that is to stop.
fn patience(watch: &dyn Watch) -> impl FnMut() -> bool + '_ {
    let began = Instant::now();
    let mut wished: Option<Instant> = None;
    move || {
        let now = Instant::now();
        match watch.stop(now) {
            Some(_) => now.duration_since(*wished.get_or_insert(now)) < GRACE,
            None => now.duration_since(began) < MESSAGE,
        }
    }
}
