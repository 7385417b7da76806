//! The Python binding: the only folder that knows PyO3.

mod answer;
mod calls;
mod draw;
mod engine;
mod errors;
mod exploring;
mod frame;
mod groups;
mod json;
mod label_order;
mod leaving;
mod letters;
mod literal;
mod looking;
mod objects;
mod params;
mod run;
mod secrets;
mod threads;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    use std::sync::atomic::AtomicU64;
    use std::sync::{Arc, Once};
    use std::time::Instant;

    use pyo3::prelude::*;

    use super::errors::raised;
    use super::json;
    use crate::engine::control::Control;
    use crate::engine::morsels::{MorselQueue, MorselReaders};
    use crate::engine::scan::{Scan, morsels};
    use crate::engine::scan_cost::Cost;
    use crate::error::{CODES, Error};
    use crate::io::location;
    use crate::io::source::footers::Footers;
    use crate::io::source::{ParquetSource, Source};
    use crate::io::store::Stores;
    use crate::task::{self, Registered};

    #[pymodule_export]
    use super::answer::PyAnswer;
    #[pymodule_export]
    use super::calls::PyLent;
    #[pymodule_export]
    use super::engine::PyEngine;
    #[pymodule_export]
    use super::exploring::{PySpool, facts};
    #[pymodule_export]
    use super::frame::PyFrame;
    #[pymodule_export]
    use super::groups::PyGroups;
    #[pymodule_export]
    use super::label_order::in_label_order;
    #[pymodule_export]
    use super::leaving::leave;
    #[pymodule_export]
    use super::objects::PyObjects;
    #[pymodule_export]
    use super::run::PyRun;
    #[pymodule_export]
    use super::secrets::{PySecret, PySecrets, redact, redacts};
    #[pymodule_export]
    use super::threads::PyEnding;

    static QUIET: Once = Once::new();

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        // Panics of the engine's threads become errors; their text is for our own debugging only.
        QUIET.call_once(|| {
            if std::env::var_os("RLM_BACKTRACE").is_none() {
                std::panic::set_hook(Box::new(|_| {}));
            }
        });
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }

    #[pyfunction]
    fn describe(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let errors: Vec<_> = CODES
            .iter()
            .map(|info| {
                serde_json::json!({
                    "code": info.name,
                    "class": info.class,
                    "builtin": info.builtin,
                    "retryable": info.retryable,
                    "meaning": info.meaning,
                })
            })
            .collect();
        let operators: Vec<_> =
            crate::plan::op::OPERATORS.iter().copied().flatten().map(|operator| operator.name()).collect();
        let aggregates: Vec<_> =
            crate::plan::reduce::AGGREGATES.iter().map(|aggregate| aggregate.name()).collect();
        let tables = serde_json::json!({
            "errors": errors,
            "task": task::describe(),
            "settings": crate::config::describe(),
            "operators": operators,
            "aggregates": aggregates,
        });
        json::to_python(py, &tables)
    }

    #[pyfunction]
    fn parse_task<'py>(
        py: Python<'py>,
        document: &Bound<'py, PyAny>,
        registered: Vec<(String, String)>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let document = json::from_python(document)?;
        let registered: Vec<_> =
            registered.into_iter().map(|(name, description)| Registered { name, description }).collect();
        let spec = task::parse(&document, &registered).map_err(|error| raised(py, error))?;
        task::supported(&spec).map_err(|error| raised(py, error))?;
        let spec = serde_json::to_value(&spec)
            .map_err(|error| raised(py, Error::internal(format!("a task cannot be written: {error}"))))?;
        json::to_python(py, &spec)
    }

    #[pyfunction]
    fn resolve<'py>(
        py: Python<'py>,
        settings: &Bound<'py, pyo3::types::PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let overrides = match json::from_python(settings.as_any())? {
            serde_json::Value::Object(overrides) => overrides,
            _ => Default::default(),
        };
        let settings = crate::config::Settings::resolve(&overrides, |name| std::env::var(name).ok());
        json::to_python(py, &settings.map_err(|error| raised(py, error))?.to_json())
    }

    /// Ends this process and its group as soon as whoever holds the other end of the socket is gone.
    #[pyfunction]
    #[pyo3(signature = (fd, parent=None))]
    fn watch_parent(fd: i32, parent: Option<i32>) -> PyResult<()> {
        crate::worker::process::watch_parent(fd, parent).map_err(Into::into)
    }

    #[pyfunction]
    fn allocated() -> Option<usize> {
        crate::allocated::bytes()
    }

    #[pyfunction]
    fn decode_seconds(py: Python<'_>, source: String, columns: Vec<String>, threads: usize) -> PyResult<f64> {
        py.detach(|| decode(&source, &columns, threads)).map_err(|error| raised(py, error))
    }

    /// Decodes as a grouping by the string columns would, on this many threads, and drops the chunks.
    fn decode(source: &str, columns: &[String], threads: usize) -> crate::error::Result<f64> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| Error::internal(error.to_string()))?;
        let stores = Stores::new(Default::default(), Default::default());
        let opened = runtime.block_on(async {
            let footers = Footers::default();
            ParquetSource::open(location::resolve(source, &stores, &footers).await?, &footers, None).await
        })?;
        let source = Source::Parquet(Arc::new(opened));
        let places: Vec<usize> = columns
            .iter()
            .filter_map(|name| source.columns().iter().position(|column| *column.field.name == **name))
            .collect();
        let started = Instant::now();
        let scan = Arc::new(Scan {
            morsels: morsels(&source, |_, _| true, threads),
            early: None,
            stages: None,
            only_asked: Vec::new(),
            keys: Vec::new(),
            dictionaries: places.clone(),
            columns: places,
            row_numbers: false,
            chunk_rows: 16_384,
            cost: Cost::default(),
            texts_as_they_are: false,
            control: Arc::new(Control::default()),
            io: runtime.handle().clone(),
            source,
        });
        let queue = Arc::new(MorselQueue::new(scan.clone(), 0..scan.morsels.len()).shared_by(threads));
        let rows = AtomicU64::new(0);
        let work = || -> crate::error::Result<()> {
            let mut readers = MorselReaders::new(queue.clone());
            while let Some(mut reader) = readers.next_reader()? {
                while let Some(chunk) = reader.next_chunk()? {
                    rows.fetch_add(chunk.num_rows() as u64, std::sync::atomic::Ordering::Relaxed);
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
            for worker in workers {
                worker.join().map_err(|_| Error::internal("a decoding thread panicked"))??;
            }
            Ok::<_, Error>(())
        })?;
        Ok(started.elapsed().as_secs_f64())
    }
}
