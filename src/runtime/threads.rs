//! The threads of an engine: those that compute, those that wait for the computing of others, and those that speak with stores.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::config::Settings;
use crate::error::{Code, Error, Result};

/// Bytes of a thread's stack: plans are walked by functions that call themselves, and may be a thousand operations deep.
const STACK: usize = 32 << 20;

/// Threads for work that blocks and waits for no other such work. None is made before it is needed.
pub(super) const BLOCKING: usize = 512;

/// As many threads as wait: how many that are is bounded by the runs that are at work.
const WAITING: usize = 1 << 20;

pub(super) struct Threads {
    /// Plans run here, and blocking work on its blocking threads.
    compute: Mutex<Option<Runtime>>,
    /// Its blocking threads alone: for work that waits for what the threads above do. So these are never all held by
    /// those who wait for them.
    waiting: Mutex<Option<Runtime>>,
    /// Requests to object stores: never behind computation.
    io: Mutex<Option<Runtime>>,
}

impl Threads {
    /// `blocking` is how many threads there are for work that blocks.
    pub fn start(settings: &Settings, blocking: usize) -> Result<Self> {
        let started = |mut builder: Builder, name: &str, blocking: usize| {
            let made =
                builder.thread_name(name).thread_stack_size(STACK).max_blocking_threads(blocking).build();
            made.map(|runtime| Mutex::new(Some(runtime))).map_err(|error| {
                Error::new(Code::OutOfMemory, format!("cannot start the engine's threads: {error}"))
                    .hint("Raise the limit of threads, or lower `threads`")
            })
        };
        let many = |threads: usize| {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(threads).enable_all();
            builder
        };
        Ok(Self {
            compute: started(many(settings.threads), "rlm-compute", blocking)?,
            waiting: started(Builder::new_current_thread(), "rlm-waiting", WAITING)?,
            io: started(many(settings.io_threads), "rlm-io", BLOCKING)?,
        })
    }

    pub fn compute(&self) -> Result<Handle> {
        handle(&self.compute)
    }

    pub fn waiting(&self) -> Result<Handle> {
        handle(&self.waiting)
    }

    pub fn io(&self) -> Result<Handle> {
        handle(&self.io)
    }

    fn all(&self) -> [&Mutex<Option<Runtime>>; 3] {
        [&self.compute, &self.waiting, &self.io]
    }

    /// Stops them; those that are in the middle of something are waited for, but no longer than so. Not to be called by
    /// one of them.
    pub fn stop(&self, patience: Duration) {
        for runtime in self.all() {
            let runtime = runtime.lock().take();
            if let Some(runtime) = runtime {
                runtime.shutdown_timeout(patience);
            }
        }
    }

    /// Stops them without waiting, whoever calls.
    pub fn let_go(&self) {
        for runtime in self.all() {
            let runtime = runtime.lock().take();
            if let Some(runtime) = runtime {
                runtime.shutdown_background();
            }
        }
    }

    /// Lets go of threads that are not there: in a forked child only the calling thread lives on.
    pub fn forget(&self) {
        for runtime in self.all() {
            if let Some(mut runtime) = runtime.try_lock() {
                std::mem::forget(runtime.take());
            }
        }
    }
}

fn handle(runtime: &Mutex<Option<Runtime>>) -> Result<Handle> {
    runtime
        .lock()
        .as_ref()
        .map(|runtime| runtime.handle().clone())
        .ok_or_else(|| Error::new(Code::InvalidTask, "this client is closed").hint("Make a new RLMClient"))
}
