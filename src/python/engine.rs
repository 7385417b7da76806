//! The engine of one client.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use pyo3_arrow::input::AnyRecordBatch;

use super::calls;
use super::errors::raised;
use super::exploring::{self, PySpool};
use super::frame::PyFrame;
use super::json;
use super::leaving;
use super::letters;
use super::literal::misuse;
use super::looking;
use super::objects::PyObjects;
use super::run::{PyRun, SIGNALS_EVERY};
use super::secrets::{PySecrets, settings_of};
use super::threads;
use crate::config::Settings;
use crate::engine::lower::sql;
use crate::error::{Code, Error};
use crate::io::sink::target::Asked;
use crate::io::sink::witness::Witness;
use crate::io::source::options::{PATH, ReadOptions};
use crate::io::source::{Owner, Source, Sources};
use crate::plan::Node;
use crate::plan::frame::{Frame, Kind};
use crate::runtime::calls::unwarmed;
use crate::runtime::opening::{Given, Opening};
use crate::runtime::writes::{Keyed, fingerprint};
use crate::runtime::{Engine, RunOptions};
use crate::store::letters::discard;
use crate::task::{self, Priority};
use crate::worker::{Function, Wanted};

/// Program, arguments, environment.
type LaunchArguments = (String, Vec<String>, Vec<(String, String)>);

#[pyclass(name = "Engine", module = "rlm_hypervisor._core", frozen)]
pub struct PyEngine {
    engine: Option<Arc<Engine>>,
    pid: u32,
}

impl PyEngine {
    /// A frame over all of a source of this engine.
    pub fn frame_of(&self, source: Source) -> Result<PyFrame, Error> {
        let closed = self.engine.as_ref().ok_or_else(|| Error::internal("the engine is gone"))?.closed();
        let (fields, index, range) = (source.fields(), source.index(), source.range());
        let (id, sources) = Sources::only(source, Some(Owner { closed, pid: self.pid }));
        let mut frame = Frame::scan(Node::Scan { source: id, fields }).indexed_by(&index);
        if let Some(range) = range {
            frame = frame.counted(range)?;
        }
        Ok(PyFrame { frame, sources })
    }

    pub fn engine(&self) -> PyResult<&Arc<Engine>> {
        self.engine.as_ref().ok_or_else(|| PyTypeError::new_err("the engine is gone"))
    }
}

#[pymethods]
impl PyEngine {
    #[new]
    #[pyo3(signature = (settings, storage_options, secrets=None))]
    fn new(
        py: Python<'_>,
        settings: &Bound<'_, PyDict>,
        storage_options: HashMap<String, Bound<'_, PyAny>>,
        secrets: Option<&PySecrets>,
    ) -> PyResult<Self> {
        let overrides = match json::from_python(settings.as_any())? {
            serde_json::Value::Object(overrides) => overrides,
            _ => return Err(PyTypeError::new_err("settings are a dict")),
        };
        let options = settings_of(storage_options)?;
        let secrets = secrets.map(|secrets| secrets.secrets.clone()).unwrap_or_default();
        let made = py.detach(|| {
            let settings = Settings::resolve(&overrides, |name| std::env::var(name).ok())?;
            Engine::new(settings, options, secrets)
        });
        let engine = made.map_err(|error| raised(py, error))?;
        leaving::begin();
        Ok(Self { engine: Some(Arc::new(engine)), pid: std::process::id() })
    }

    fn settings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &self.engine()?.settings().to_json())
    }

    #[pyo3(signature = (sources, format=None, timeout_ms=None, storage_options=None, read_options=None, lazily=false, place="input", soon=false))]
    #[allow(clippy::too_many_arguments)]
    fn open(
        &self,
        py: Python<'_>,
        sources: &Bound<'_, PyAny>,
        format: Option<&str>,
        timeout_ms: Option<u64>,
        storage_options: Option<HashMap<String, Bound<'_, PyAny>>>,
        read_options: Option<&Bound<'_, PyAny>>,
        lazily: bool,
        place: &str,
        soon: bool,
    ) -> PyResult<PyFrame> {
        let told = |error: Error| raised(py, error.standing_at(place));
        let options = read_options.map(json::from_python).transpose()?.unwrap_or_default();
        let options = read_options_of(&options).map_err(told)?;
        let mut given = Vec::new();
        for source in sources.try_iter()? {
            let source = source?;
            if let Ok(path) = source.cast::<PyString>() {
                given.push(Given::Path(path.to_string()));
                continue;
            }
            if let Ok(spool) = source.cast::<PySpool>() {
                given.push(Given::Stream(spool.get().taken()?));
                continue;
            }
            let (schema, batches) = exported(py, &source)?;
            given.push(Given::Table(schema, batches));
        }
        let engine = self.engine()?;
        let timeout = timeout_ms.map(Duration::from_millis);
        let stores = settings_of(storage_options.unwrap_or_default())?;
        let opening = engine
            .open(given, format.map(str::to_owned), stores, options, timeout, (lazily, soon))
            .map_err(told)?;
        let source = waited_at(py, opening, place)?;
        self.frame_of(source).map_err(|error| raised(py, error))
    }

    /// Whether a frame is over a source of which some files are to be opened yet.
    fn is_pending(&self, frame: &PyFrame) -> bool {
        looking::is_pending(frame)
    }

    /// Opens the files that a plan needs of a frame that is pending. Then the plan and True; or, where they have other
    /// columns than were thought, and without a plan, another frame and False.
    #[pyo3(signature = (frame, plan=None, timeout_ms=None))]
    fn opened(
        &self,
        py: Python<'_>,
        frame: &PyFrame,
        plan: Option<&PyFrame>,
        timeout_ms: Option<u64>,
    ) -> PyResult<(PyFrame, bool)> {
        looking::opened(py, self, frame, plan, timeout_ms.map(Duration::from_millis))
    }

    /// A frame over the files of a table with a log. `values` has a row for each file: the columns that are its own.
    #[pyo3(signature = (paths, schema, values, storage_options=None, timeout_ms=None))]
    fn open_log(
        &self,
        py: Python<'_>,
        paths: Vec<String>,
        schema: &Bound<'_, PyAny>,
        values: &Bound<'_, PyAny>,
        storage_options: Option<HashMap<String, Bound<'_, PyAny>>>,
        timeout_ms: Option<u64>,
    ) -> PyResult<PyFrame> {
        let stores = settings_of(storage_options.unwrap_or_default())?;
        exploring::open_log(py, self.engine()?, self.pid, paths, schema, values, stores, timeout_ms)
    }

    /// The answer of a query over whole sources, each a table of that name.
    fn query(
        &self,
        py: Python<'_>,
        query: &str,
        tables: Vec<(String, Bound<'_, PyFrame>)>,
    ) -> PyResult<PyFrame> {
        let mut sources = Sources::default();
        let mut named = Vec::with_capacity(tables.len());
        for (name, table) in tables {
            let table = table.get();
            if !matches!(&*table.frame.domain, Node::Scan { .. }) {
                return Err(misuse(py, "a table of a query that is no source"));
            }
            sources.unite(&table.sources);
            named.push((name.into(), table.frame.domain.clone()));
        }
        let engine = self.engine()?;
        let frame = py.detach(|| sql::frame(query, named, &sources, &engine.plans));
        Ok(PyFrame { frame: frame.map_err(|error| raised(py, error))?, sources })
    }

    /// The objects of `memory://`.
    fn objects(&self) -> PyResult<PyObjects> {
        Ok(PyObjects::new(self.engine()?))
    }

    /// What takes the tables of a stream.
    fn spool(&self) -> PyResult<PySpool> {
        Ok(PySpool::new(self.engine()?))
    }

    /// The rows of a source with these numbers, which rise, and the bytes that were read for them.
    #[pyo3(signature = (frame, rows, columns=None, timeout_ms=None))]
    fn rows_at(
        &self,
        py: Python<'_>,
        frame: &PyFrame,
        rows: Vec<u64>,
        columns: Option<Vec<String>>,
        timeout_ms: Option<u64>,
    ) -> PyResult<(PyFrame, u64)> {
        exploring::rows_at(py, self.engine()?, frame, rows, columns, timeout_ms)
    }

    fn submit(&self, py: Python<'_>, frame: &PyFrame, options: &Bound<'_, PyDict>) -> PyResult<PyRun> {
        fn option<'py, T: FromPyObjectOwned<'py>>(
            options: &Bound<'py, PyDict>,
            key: &str,
        ) -> PyResult<Option<T>> {
            match options.get_item(key)? {
                Some(value) if !value.is_none() => value.extract().map(Some).map_err(Into::into),
                _ => Ok(None),
            }
        }
        let timeout: Option<u64> = option(options, "timeout_ms")?;
        let key: Option<String> = option(options, "key")?;
        let asked = match options.get_item("output")? {
            Some(asked) if !asked.is_none() => {
                Some(output_of(&frame.frame, json::from_python(&asked)?).map_err(|error| raised(py, error))?)
            }
            _ => None,
        };
        let (mut output, mut writes) = (None, None);
        match (asked, key) {
            (Some(asked), Some(key)) => {
                let document: String = option(options, "task")?.unwrap_or_default();
                let engine = self.engine()?;
                let keyed = py.detach(|| {
                    let task = fingerprint(document, &frame.frame, &frame.sources)?;
                    engine.keyed(&asked, &key, task)
                });
                match keyed.map_err(|error| raised(py, error))? {
                    Keyed::Shown(written) => {
                        return Ok(PyRun { run: engine.done(engine.prepared(), written) });
                    }
                    Keyed::Due(target, kept) => {
                        output = Some(*target);
                        writes = Some(kept as Arc<dyn Witness>);
                    }
                }
            }
            (Some(asked), None) => {
                output = Some(self.engine()?.target(&asked).map_err(|error| raised(py, error))?);
            }
            (None, _) => {}
        }
        let priority = match option::<String>(options, "priority")? {
            None => Priority::Normal,
            Some(said) => serde_json::from_value(said.into()).map_err(|error| {
                raised(py, Error::internal(format!("a priority is not understood: {error}")))
            })?,
        };
        let options = RunOptions {
            output,
            writes,
            chunk_rows: option(options, "chunk_size")?,
            timeout: timeout.map(Duration::from_millis),
            threads: option(options, "parallelism")?,
            memory_limit: option(options, "memory_limit")?,
            priority: priority as u8,
        };
        let engine = self.engine()?;
        let (plan, sources) = (frame.frame.clone(), frame.sources.clone());
        let run = py.detach(|| engine.submit(plan, sources, options)).map_err(|error| raised(py, error))?;
        Ok(PyRun { run })
    }

    #[pyo3(signature = (function, feed, asked, then, here_ms))]
    fn call(
        &self,
        py: Python<'_>,
        function: &Bound<'_, PyBytes>,
        feed: Bound<'_, PyAny>,
        asked: &[u8],
        then: Option<&Bound<'_, PyBytes>>,
        here_ms: Option<u64>,
    ) -> PyResult<PyRun> {
        Ok(PyRun { run: calls::submit(py, self.engine()?, function, feed, asked, then, here_ms)? })
    }

    /// What its runs have come to.
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        json::to_python(py, &self.engine()?.metrics())
    }

    /// Removes what is kept of a key; whether there was something.
    fn forget(&self, py: Python<'_>, key: &str) -> PyResult<bool> {
        let place = self.engine()?.place();
        py.detach(|| place.forget(key)).map_err(|error| raised(py, error))
    }

    /// All dead letters: dicts without their bytes.
    fn dead_letters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        letters::list(py, &self.engine()?.place())
    }

    /// The function of a dead letter and the bytes of its parcel.
    fn dead_letter<'py>(&self, py: Python<'py>, id: &str) -> PyResult<letters::Bytes<'py>> {
        letters::bytes(py, &self.engine()?.place(), id)
    }

    /// Removes dead letters; how many there were.
    fn discard(&self, py: Python<'_>, ids: Vec<String>) -> PyResult<usize> {
        let place = self.engine()?.place();
        py.detach(|| discard(&place, &ids)).map_err(|error| raised(py, error))
    }

    /// `modules`: what processes import before their first call; `setup`: the name of a function, and its bytes.
    fn warm(
        &self,
        py: Python<'_>,
        count: usize,
        seconds: f64,
        launch: LaunchArguments,
        modules: Vec<String>,
        setup: Option<(String, Bound<'_, PyBytes>)>,
    ) -> PyResult<usize> {
        let engine = self.engine()?;
        let patience = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
        let setup = setup.map(|(name, bytes)| Function::new(name, bytes.as_bytes())).transpose()?;
        let wanted = Wanted { count, patience, modules, setup };
        let warmed = py.detach(|| {
            let pool = engine.pool(|| threads::launch(engine, launch))?;
            pool.warm(wanted).map_err(unwarmed)
        });
        warmed.map_err(|error| raised(py, error))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let engine = self.engine()?;
        if std::process::id() != self.pid {
            engine.forget();
            return Ok(());
        }
        py.detach(|| engine.close());
        Ok(())
    }
}

/// Options as they are given to a client, or in normal form.
fn read_options_of(given: &serde_json::Value) -> Result<ReadOptions, Error> {
    ReadOptions::of(task::read_options(given, PATH)?)
}

/// Where a task's answer is to be written.
fn output_of(frame: &Frame, asked: serde_json::Value) -> Result<Asked, Error> {
    let asked: Asked = serde_json::from_value(asked)
        .map_err(|error| Error::internal(format!("an output is not understood: {error}")))?;
    if matches!(frame.kind, Kind::Scalar) {
        return Err(Error::new(Code::InvalidTask, "the answer is one value, and `output` is for tables")
            .hint("Leave `output` out, or return a table")
            .detail("path", "output"));
    }
    Ok(asked)
}

/// A source that is being opened; Ctrl-C gives it up.
pub(super) fn waited(py: Python<'_>, opening: Opening) -> PyResult<Source> {
    waited_at(py, opening, "input")
}

/// The same of a source that stands at this place of the task.
fn waited_at(py: Python<'_>, mut opening: Opening, place: &str) -> PyResult<Source> {
    loop {
        if let Some(opened) = py.detach(|| opening.wait(SIGNALS_EVERY)) {
            return opened.map_err(|error| raised(py, error.standing_at(place)));
        }
        py.check_signals()?;
    }
}

/// The batches of an object with an Arrow capsule.
pub fn exported(py: Python<'_>, table: &Bound<'_, PyAny>) -> PyResult<(SchemaRef, Vec<RecordBatch>)> {
    let stream = table.extract::<AnyRecordBatch>()?.into_reader()?;
    let schema = stream.schema();
    // The data may come of another library's threads: the interpreter must be free meanwhile.
    let batches: Result<Vec<_>, _> = py.detach(|| stream.collect());
    let batches = batches.map_err(|error| {
        let message = format!("the source in memory cannot be read: {error}");
        raised(
            py,
            Error::new(Code::SourceUnreadable, message).hint("The library that made it failed to export it"),
        )
    })?;
    Ok((schema, batches))
}

impl Drop for PyEngine {
    fn drop(&mut self) {
        let Some(engine) = self.engine.take() else { return };
        if std::process::id() != self.pid {
            engine.forget();
            std::mem::forget(engine);
            return;
        }
        // Threads that wait for the interpreter must not be waited for with the interpreter held.
        match Python::try_attach(|py| py.detach(|| engine.close())) {
            Some(()) => {}
            None => engine.close(),
        }
    }
}
