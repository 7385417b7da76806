//! Runs of calls: the items of a Python iterable on their way to workers, and the results on their way back.

use std::sync::Arc;
use std::time::Duration;

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};
use serde::Deserialize;

use super::errors::raised;
use super::frame::PyFrame;
use super::leaving::{self, called};
use super::run::SIGNALS_EVERY;
use super::secrets::interruptible;
use super::{json, threads};
use crate::error::{Cause, Code, Error, Result};
use crate::io::source::Source;
use crate::plan::Node;
use crate::runtime::calls::overflow::Overflow;
use crate::runtime::calls::rows::{SourceFeed, auto};
use crate::runtime::calls::tree::Tree;
use crate::runtime::calls::{
    CallSpec, Checkpoint, Fed, Feed, Fingerprint, Granted, JointSpec, Once, Parcel, Policy, Retry, joint,
};
use crate::runtime::keeping::Keeping;
use crate::runtime::run::{Finished, Finisher, State};
use crate::runtime::writes::Keyed;
use crate::runtime::{Engine, Run};
use crate::store::letters::{Outbox, Sender};
use crate::task::{OnError, Priority};
use crate::worker::shared::SHARED_FROM;
use crate::worker::{Blob, Function};

/// What Python says of a run of calls.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    kind: String,
    single: bool,
    priority: Priority,
    retries: u32,
    backoff_ms: u64,
    max_backoff_ms: u64,
    retry_on: Option<Vec<String>>,
    do_not_retry: Vec<String>,
    item_timeout_ms: Option<u64>,
    soft_timeout_ms: Option<u64>,
    /// The key under which what the run does is kept, and what tells the task from others.
    key: Option<String>,
    task: Option<Fingerprint>,
    /// What was made of the user's function, where items may be put aside.
    made: Option<String>,
    on_error: OnError,
    max_failures: Option<u64>,
    in_flight: Option<u64>,
    most: Option<u64>,
    /// Milliseconds that an input waits for those of other runs.
    max_wait_ms: Option<u64>,
    parallelism: Option<u64>,
    memory_limit: Option<u64>,
    timeout_ms: Option<u64>,
    /// Rows of a chunk of a source.
    chunk_rows: Option<u64>,
    /// Whether the results of a source's chunks are put together by their rows.
    aligned: bool,
    max_depth: u32,
    /// Whether equal inputs of a recursive task run once.
    memoised: bool,
    /// Into how many parts results are shuffled before the last calls, one for each part.
    parts: Option<usize>,
    /// What is called on results, and on how many at a time where some may go together before the others.
    then_name: Option<String>,
    fan: Option<usize>,
    /// Why the run is not native.
    why: Option<String>,
    /// Secrets that the operation may read.
    secrets: Vec<String>,
    /// Where the results of chunks are written to.
    output: Option<crate::io::sink::target::Asked>,
    launch: (String, Vec<String>, Vec<(String, String)>),
}

/// Bytes that a socket takes in at once.
const SMALL: usize = 64 << 10;

/// What workers know how to do; `worker/calls.py` has the same words.
const KINDS: &[&str] = &["value", "items", "batch", "rows", "tree", "map", "map_rows", joint::KIND];

/// Starts a run. `feed` is the payload of a single call, a list of inputs that share batches with other runs', a `Frame` that
/// is a source, or an object with `next(most, prints, done)` and `left()`; `asked` is JSON. The calling thread
/// has `here_ms` for the call itself, where that may begin in it; more than 0 where it waits for its end.
pub fn submit(
    py: Python<'_>,
    engine: &Arc<Engine>,
    function: &Bound<'_, PyBytes>,
    feed: Bound<'_, PyAny>,
    asked: &[u8],
    then: Option<&Bound<'_, PyBytes>>,
    here_ms: Option<u64>,
) -> PyResult<Arc<Run>> {
    let asked: Asked = serde_json::from_slice(asked)
        .map_err(|error| raised(py, Error::internal(format!("a call is not understood: {error}"))))?;
    let bytes = function.as_bytes();
    let then = then.map(|then| then.as_bytes());
    let feed = if let Ok(payload) = feed.cast::<PyBytes>() {
        Given::Payload(payload.as_bytes().to_vec())
    } else if let Ok(frame) = feed.cast::<PyFrame>() {
        let frame = frame.get();
        match &*frame.frame.domain {
            Node::Scan { source, .. } => {
                let found = frame.sources.check().and_then(|()| frame.sources.get(*source).cloned());
                Given::Source(found.map_err(|error| raised(py, error))?)
            }
            _ => return Err(raised(py, Error::internal("chunks of what is no source"))),
        }
    } else if let Ok(inputs) = feed.cast::<PyList>() {
        let inputs = inputs.iter().map(|input| Ok(input.cast::<PyBytes>()?.as_bytes().to_vec()));
        Given::Inputs(inputs.collect::<PyResult<_>>()?)
    } else {
        Given::Feed(feed.unbind())
    };
    let secrets = match asked.secrets.clone() {
        names if names.is_empty() => None,
        names => {
            let keeper = engine.secrets().clone();
            Some(Arc::new(interruptible(py, move || Granted::new(names, keeper))?))
        }
    };
    let waits = here_ms.is_some_and(|time| time > 0);
    let started = py.detach(|| start(engine, bytes, then, feed, asked, secrets, here_ms));
    let run = started.map_err(|error| raised(py, error))?;
    if waits && (!run.is_done() || run.state() == State::Cancelled) {
        // Ctrl-C may have come meanwhile.
        py.check_signals().inspect_err(|_| {
            run.cancel();
            py.detach(|| while !run.wait(SIGNALS_EVERY) {});
        })?;
    }
    Ok(run)
}

enum Given {
    Payload(Vec<u8>),
    /// Of a run that shares batches with others.
    Inputs(Vec<Vec<u8>>),
    Feed(Py<PyAny>),
    Source(Source),
}

fn start(
    engine: &Arc<Engine>,
    function: &[u8],
    then: Option<&[u8]>,
    feed: Given,
    asked: Asked,
    secrets: Option<Arc<Granted>>,
    here_ms: Option<u64>,
) -> Result<Arc<Run>> {
    let kind = KINDS.iter().find(|kind| **kind == asked.kind);
    let kind = kind.ok_or_else(|| Error::internal(format!("workers do not know `{}`", asked.kind)))?;
    let settings = engine.settings();
    let workers = asked.parallelism.unwrap_or(settings.workers as u64).min(settings.workers as u64).max(1);
    let then = then
        .map(|then| Function::new(asked.then_name.unwrap_or_else(|| asked.name.clone()), then))
        .transpose()
        .map_err(not_shared)?;
    let function = Function::new(asked.name, function).map_err(not_shared)?;
    let names = asked.secrets;
    let run = engine.prepared();
    let pool = engine.pool(|| threads::launch(engine, asked.launch))?;
    let limit = engine.limit(asked.memory_limit)?;
    let mut chunk_rows = match &feed {
        Given::Source(source) => Some(asked.chunk_rows.unwrap_or_else(|| auto(source, workers))),
        Given::Payload(_) | Given::Inputs(_) | Given::Feed(_) => None,
    };
    // A task that writes goes on from what it has shown, not from chunks.
    let mut due = None;
    if let (Some(output), Some(key), Some(task)) = (&asked.output, &asked.key, &asked.task) {
        let mut task = task.clone();
        if let Given::Source(source) = &feed {
            task.input = source.identity()?;
        }
        match engine.keyed(output, key, task)? {
            Keyed::Shown(written) => return Ok(engine.done(run, written)),
            Keyed::Due(target, _) => due = Some(*target),
        }
    }
    let checkpoint = match (&asked.key, asked.task) {
        (Some(key), Some(mut task)) if asked.output.is_none() => {
            if let Given::Source(source) = &feed {
                task.input = source.identity()?;
            }
            Some(Checkpoint::open(&engine.place(), key, task, chunk_rows)?)
        }
        _ => None,
    };
    if let Some(checkpoint) = &checkpoint {
        // Chunks that are done are those of the first run.
        chunk_rows = checkpoint.chunk_rows;
    }
    let policy = Policy {
        retries: asked.retries,
        // A call that there is only one of is not left out.
        on_error: match asked.on_error {
            OnError::Skip if asked.single => OnError::Fail,
            asked => asked,
        },
        alone: asked.single,
        max_failures: asked.max_failures,
        in_flight: asked.in_flight.unwrap_or(u64::MAX),
        calls: workers,
        backoff: Duration::from_millis(asked.backoff_ms),
        longest_wait: Duration::from_millis(asked.max_backoff_ms),
    };
    let retry = Retry { on: asked.retry_on, never: asked.do_not_retry };
    let (item_timeout, soft_timeout) =
        (asked.item_timeout_ms.map(Duration::from_millis), asked.soft_timeout_ms.map(Duration::from_millis));
    let timeout = asked.timeout_ms.map(Duration::from_millis);
    // Where the call is there at once, and small: its thread is not held up by it.
    let here = match &feed {
        Given::Payload(bytes) if kind == &"value" && secrets.is_none() => {
            here_ms.filter(|_| bytes.len() + function.bytes.len() <= SMALL).map(Duration::from_millis)
        }
        _ => None,
    };
    let deep = asked.retries == 0 && asked.item_timeout_ms.is_none() && asked.soft_timeout_ms.is_none();
    let feed: Box<dyn Feed> = match feed {
        Given::Inputs(inputs) => {
            let wait = Duration::from_millis(asked.max_wait_ms.unwrap_or_default());
            let spec = JointSpec {
                function: Arc::new(function),
                priority: asked.priority as u8,
                limits: joint::limits(asked.most.unwrap_or(u64::MAX), wait),
                workers,
                memory_limit: limit / workers,
                batch_timeout: item_timeout,
                soft_timeout,
                secrets,
            };
            let inputs = inputs.iter().map(|input| Blob::new(input)).collect::<std::io::Result<_>>();
            let inputs = inputs.map_err(not_shared)?;
            let entry =
                joint::Entry { finisher: Finisher::of(run), policy: joint::policy(policy), retry, inputs };
            return engine.submit_joined(&pool, spec, entry, timeout);
        }
        Given::Payload(bytes) if kind == &"tree" => {
            let root = Blob::new(&bytes).map_err(not_shared)?;
            Box::new(Tree::new(root, asked.max_depth, asked.memoised).deep(deep))
        }
        Given::Payload(bytes) => Box::new(Once::new(vec![Blob::new(&bytes).map_err(not_shared)?])),
        Given::Feed(object) => Box::new(PyFeed { object, next: 0, left: None, prints: checkpoint.is_some() }),
        Given::Source(source) => {
            let (control, io) = (run.control.clone(), engine.io()?);
            let source = SourceFeed::new(source, chunk_rows, workers, control, io);
            if kind == &"tree" {
                Box::new(Tree::over(source, limit, asked.max_depth, asked.memoised).deep(deep))
            } else {
                Box::new(source)
            }
        }
    };
    let outbox = asked.made.filter(|_| asked.on_error == OnError::DeadLetter).map(|made| {
        let sender = Sender {
            run: run.id.clone(),
            operation: function.name.clone(),
            kind: asked.kind.clone(),
            made,
            secrets: names,
        };
        Outbox::new(engine.place(), sender, function.bytes.bytes())
    });
    let keeping = Keeping { checkpoint, outbox };
    let gathered = match &asked.output {
        None => None,
        Some(output) => {
            let target = match due {
                Some(target) => target,
                None => engine.target(output)?,
            };
            if target.skips()? {
                return Ok(engine.skipped(run, &target));
            }
            Some(Arc::new(engine.gathered(target, limit)?))
        }
    };
    let spec = CallSpec {
        function: Arc::new(function),
        kind,
        single: asked.single,
        priority: asked.priority as u8,
        policy,
        overflow: Arc::new(Overflow::new(settings.spill_dir.clone(), limit / 2)),
        retry,
        item_timeout,
        soft_timeout,
        most: asked.most.unwrap_or(u64::MAX),
        workers,
        memory_limit: limit / workers,
        then: then.map(Arc::new),
        parts: asked.parts,
        fan: asked.fan,
        aligned: if asked.aligned { feed.left() } else { None },
        secrets,
        gathered,
        here,
    };
    engine.submit_calls(run, &pool, spec, feed, keeping, timeout, asked.why)
}

fn not_shared(error: std::io::Error) -> Error {
    Error::new(Code::OutOfMemory, format!("there is no shared memory for a call: {error}"))
        .hint("Free memory, or give the operation smaller pieces")
}

/// Items of a Python iterable, pickled when they are wanted.
struct PyFeed {
    object: Py<PyAny>,
    next: u64,
    left: Option<u64>,
    /// Whether it is to tell items from others.
    prints: bool,
}

/// What a feed hands out: how many items, their bytes, what tells each from others, into how many parts it can be cut,
/// and what else the worker has to know.
type Handed<'py> = (u64, Option<Bound<'py, PyBytes>>, Option<Bound<'py, PyBytes>>, u64, Bound<'py, PyAny>);

impl PyFeed {
    fn ask(&mut self, most: u64, done: bool) -> Result<Fed> {
        let fed = leaving::attached(|py| -> Result<Option<Parcel>> {
            let object = self.object.bind(py);
            let fed = object.getattr("next").and_then(|next| {
                let fed = called(&next, (most, self.prints, done))?;
                let fed = fed.extract::<Option<Handed<'_>>>()?;
                let fed = match fed {
                    Some((count, bytes, prints, units, more)) => {
                        Some((count, bytes, prints, units, json::from_python(&more)?))
                    }
                    None => None,
                };
                Ok((fed, called(&object.getattr("left")?, ())?.extract::<Option<u64>>()?))
            });
            let (fed, left) = fed.map_err(|error| of_exception(py, &error))?;
            self.left = left;
            let Some((count, bytes, prints, units, more)) = fed else { return Ok(None) };
            let payload = bytes.map(|bytes| Blob::new(bytes.as_bytes())).transpose().map_err(not_shared)?;
            let prints = prints.map(|prints| prints.as_bytes().to_vec()).unwrap_or_default();
            Ok(Some(Parcel {
                units,
                prints,
                more,
                ..Parcel::of(self.next, count, payload.into_iter().collect())
            }))
        });
        // Where nobody can be asked any more, that is not the end of the items.
        let Some(parcel) = fed.unwrap_or_else(|| Err(Error::cancelled()))? else { return Ok(Fed::Over) };
        self.next += parcel.count;
        Ok(Fed::Parcel(parcel))
    }
}

impl Feed for PyFeed {
    fn next(&mut self, most: u64) -> Result<Fed> {
        self.ask(most, false)
    }

    fn skip(&mut self, most: u64) -> Result<Fed> {
        self.ask(most, true)
    }

    fn left(&self) -> Option<u64> {
        self.left
    }
}

/// An error of the core for an exception; one of ours keeps its code.
pub fn of_exception(py: Python<'_>, error: &PyErr) -> Error {
    let value = error.value(py);
    let type_name =
        value.get_type().name().map_or_else(|_| "an exception".to_owned(), |name| name.to_string());
    let message = value.str().map(|text| text.to_string()).unwrap_or_default();
    let known = value.getattr("code").and_then(|code| code.extract::<String>()).ok();
    let code = known.and_then(|code| serde_json::from_value(code.into()).ok());
    let cause = Cause {
        type_name: type_name.clone(),
        message: message.clone(),
        traceback: String::new(),
        pickled: None,
    };
    match code {
        Some(code) => Error::new(code, message),
        None => {
            Error::new(Code::OperationFailed, format!("taking the next item raised {type_name}: {message}"))
                .detail("exception", type_name)
        }
    }
    .caused_by(Some(cause.into()))
}

/// Bytes where they lie, for as long as this object is there: who knows how to can read them without a copy.
#[pyclass(name = "Lent", module = "rlm_hypervisor._core", frozen)]
pub struct PyLent(Blob);

#[pymethods]
impl PyLent {
    #[getter]
    fn address(&self) -> usize {
        self.0.bytes().as_ptr() as usize
    }

    #[getter]
    fn size(&self) -> usize {
        self.0.len()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.bytes())
    }
}

/// The results of a run of calls: `(segments, failures)`. Large blobs are lent if asked for, else they are bytes.
///
/// A segment is `(first, count, failed, blobs, more)`; failures are `(item, exception)`.
pub fn values<'py>(
    py: Python<'py>,
    run: &Run,
    lent: bool,
) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyList>)> {
    let finished = run.outcome().map_err(|error| raised(py, error))?;
    let Finished::Values(values) = &*finished else {
        return Err(raised(py, Error::internal("the values of a run that has a table")));
    };
    let segments = PyList::empty(py);
    for segment in &values.segments {
        let blobs = segment.blobs.iter().map(|blob| match lent && blob.len() >= SHARED_FROM {
            true => PyLent(blob.clone()).into_bound_py_any(py),
            false => Ok(PyBytes::new(py, blob.bytes()).into_any()),
        });
        let blobs = blobs.collect::<PyResult<Vec<_>>>()?;
        let more = json::to_python(py, &segment.more)?;
        if let (Some(piece), Ok(more)) = (segment.piece, more.cast::<PyDict>()) {
            more.set_item("piece", (piece.from, piece.to))?;
        }
        segments.append((segment.first, segment.count, segment.failed.clone(), blobs, more))?;
    }
    let failures = PyList::empty(py);
    for (item, error) in &values.failures {
        failures.append((*item, raised(py, error.clone()).into_value(py)))?;
    }
    Ok((segments, failures))
}
