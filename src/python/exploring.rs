//! Looking at sources: what is known of them, single rows, and tables that come one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use parking_lot::Mutex;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3_arrow::input::AnyRecordBatch;

use super::engine::{exported, waited};
use super::errors::raised;
use super::frame::PyFrame;
use super::json;
use crate::engine::control::Control;
use crate::engine::sample::LABEL;
use crate::error::{Code, Error};
use crate::io::source::declared::Declared;
use crate::io::source::files::spool::Spool;
use crate::io::source::{Owner, Sources};
use crate::plan::frame::Frame;
use crate::plan::{Label, Node};
use crate::runtime::Engine;
use crate::secrets::Given;

/// What is known of a frame's source.
#[pyfunction]
pub fn facts<'py>(py: Python<'py>, frame: &PyFrame) -> PyResult<Bound<'py, PyAny>> {
    let source = source_of(frame).and_then(|id| frame.sources.get(id));
    let source = source.map_err(|error| raised(py, error))?;
    let facts = serde_json::to_value(source.facts()).unwrap_or_default();
    json::to_python(py, &facts)
}

pub fn source_of(frame: &PyFrame) -> Result<usize, Error> {
    match &*frame.frame.domain {
        Node::Scan { source, .. } => Ok(*source),
        _ => Err(Error::internal("a table that is no source")),
    }
}

pub fn rows_at(
    py: Python<'_>,
    engine: &Arc<Engine>,
    frame: &PyFrame,
    rows: Vec<u64>,
    columns: Option<Vec<String>>,
    timeout_ms: Option<u64>,
) -> PyResult<(PyFrame, u64)> {
    let id = source_of(frame).map_err(|error| raised(py, error))?;
    frame.sources.check().map_err(|error| raised(py, error))?;
    let source = frame.sources.get(id).map_err(|error| raised(py, error))?.clone();
    let (mut index, range) = (source.index(), source.range());
    let wanted = |name: &str| {
        let asked = columns.as_ref().is_none_or(|columns| columns.iter().any(|column| column == name));
        asked || index.iter().any(|(column, _)| **column == *name)
    };
    let places: Vec<usize> =
        (0..source.columns().len()).filter(|place| wanted(&source.columns()[*place].field.name)).collect();
    let labels = range.as_ref().map_or((0, 1), |(_, start, step)| (*start, *step));
    let control = Arc::new(Control::default());
    let timeout = timeout_ms.map(Duration::from_millis);
    let opening =
        engine.rows_at(source, places, rows, labels, timeout, &control).map_err(|error| raised(py, error))?;
    let found = waited(py, opening)?;
    if index.is_empty() {
        let name = range.as_ref().and_then(|(name, ..)| name.clone());
        index.push((LABEL.into(), name));
    }
    let fields = found.fields();
    let (id, sources) = Sources::only(found, None);
    let node = Node::Scan { source: id, fields };
    // Of several indexes the stored one is it; the numbers beside it are left out.
    let mut frame = Frame::scan(node).indexed_by(&index);
    frame.columns.retain(|column| column.label != Label::str(LABEL));
    let read = control.bytes_read.load(Ordering::Relaxed);
    Ok((PyFrame { frame, sources }, read))
}

/// Opens the files of a table with a log. Its columns are those of the log.
#[allow(clippy::too_many_arguments)]
pub fn open_log(
    py: Python<'_>,
    engine: &Arc<Engine>,
    pid: u32,
    paths: Vec<String>,
    schema: &Bound<'_, PyAny>,
    values: &Bound<'_, PyAny>,
    stores: BTreeMap<String, Given>,
    timeout_ms: Option<u64>,
) -> PyResult<PyFrame> {
    let (schema, _) = exported(py, schema)?;
    let (own, rows) = exported(py, values)?;
    let rows = concat_batches(&own, &rows).map_err(|error| raised(py, error.into()))?;
    let columns: Vec<Label> = schema.fields().iter().map(|field| Label::str(field.name())).collect();
    // Without columns a batch of Arrow's other libraries has no rows.
    let count = RecordBatchOptions::new().with_row_count(Some(paths.len()));
    let rows = match own.fields().is_empty() {
        true => RecordBatch::try_new_with_options(own, Vec::new(), &count)
            .map_err(|error| raised(py, error.into()))?,
        false => rows,
    };
    let declared = Declared { schema, values: rows };
    let timeout = timeout_ms.map(Duration::from_millis);
    let opening = engine.open_log(paths, declared, stores, timeout).map_err(|error| raised(py, error))?;
    let source = waited(py, opening)?;
    let fields = source.fields();
    let (id, sources) = Sources::only(source, Some(Owner { closed: engine.closed(), pid }));
    let mut frame = Frame::scan(Node::Scan { source: id, fields });
    // What older files have besides was dropped since.
    frame.columns.retain(|column| columns.contains(&column.label));
    Ok(PyFrame { frame, sources })
}

/// Takes the tables of a stream, one after the other.
#[pyclass(name = "Spool", module = "rlm_hypervisor._core", frozen)]
pub struct PySpool {
    spool: Mutex<Option<Box<Spool>>>,
}

impl PySpool {
    pub fn new(engine: &Engine) -> Self {
        Self { spool: Mutex::new(Some(Box::new(engine.spool()))) }
    }

    /// What it took, which then is somebody else's.
    pub fn taken(&self) -> PyResult<Box<Spool>> {
        self.spool.lock().take().ok_or_else(|| PyTypeError::new_err("a stream is opened once"))
    }
}

#[pymethods]
impl PySpool {
    /// Takes a table, or a stream of batches to its end; there are so many seconds left.
    #[pyo3(signature = (table, seconds=None))]
    fn add(&self, py: Python<'_>, table: &Bound<'_, PyAny>, seconds: Option<f64>) -> PyResult<()> {
        let until = seconds
            .and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok())
            .and_then(|left| Instant::now().checked_add(left));
        let mut stream = table.extract::<AnyRecordBatch>()?.into_reader()?;
        // Taken out meanwhile: a lock must not be held while the interpreter is waited for.
        let mut spool = self.taken()?;
        spool.begin(&stream.schema()).map_err(|error| raised(py, error))?;
        loop {
            // Batches may come of another library's threads: the interpreter must be free meanwhile.
            let next = py.detach(|| match stream.next() {
                None => Ok(false),
                Some(Ok(batch)) => spool.push(&batch).map(|()| true),
                Some(Err(error)) => {
                    let message = format!("the source in memory cannot be read: {error}");
                    let hint = "The library that made it failed to export it";
                    Err(Error::new(Code::SourceUnreadable, message).hint(hint))
                }
            });
            if !next.map_err(|error| raised(py, error))? {
                break;
            }
            py.check_signals()?;
            if until.is_some_and(|until| Instant::now() >= until) {
                let late = "the deadline (`timeoutMs`) passed while the source was read";
                return Err(raised(py, Error::new(Code::Timeout, late).hint("Allow more time")));
            }
        }
        *self.spool.lock() = Some(spool);
        Ok(())
    }

    /// Whether no table has come yet.
    #[getter]
    fn empty(&self) -> bool {
        self.spool.lock().as_ref().is_none_or(|spool| spool.is_empty())
    }
}
