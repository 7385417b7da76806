//! Runs: waiting, stopping, asking how far they are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyList};
use serde_json::Value;

use super::answer::PyAnswer;
use super::calls;
use super::errors::raised;
use super::json;
use super::leaving::{attached, called};
use crate::error::Error;
use crate::runtime::{Finished, Run, explain};

/// How long a wait goes on before it looks for Ctrl-C.
pub(super) const SIGNALS_EVERY: Duration = Duration::from_millis(25);

/// How long a thread waits at a time that no signal comes to.
const UNDISTURBED: Duration = Duration::from_secs(60);

/// Whether Python acts on signals in this thread: it does in the main one alone. To look for them takes the interpreter,
/// which many threads that wait would take from those that have something to do.
fn takes_signals() -> bool {
    #[cfg(target_os = "linux")]
    return nix::unistd::gettid() == nix::unistd::getpid();
    #[cfg(not(target_os = "linux"))]
    true
}

#[pyclass(name = "Run", module = "rlm_hypervisor._core", frozen)]
pub struct PyRun {
    pub run: Arc<Run>,
}

fn plain(value: Result<Value, serde_json::Error>, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let value = value.map_err(|error| raised(py, Error::internal(error.to_string())))?;
    json::to_python(py, &value)
}

#[pymethods]
impl PyRun {
    #[getter]
    fn id(&self) -> &str {
        &self.run.id
    }

    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        plain(serde_json::to_value(self.run.state()), py)
    }

    fn progress<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        plain(serde_json::to_value(self.run.progress()), py)
    }

    /// How long items waited for workers and ran in them; None of a native run.
    fn latency<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let found = self.run.python().map(|_| self.run.latency.lock().to_json());
        found.map(|found| json::to_python(py, &found)).transpose()
    }

    #[pyo3(signature = (seconds))]
    fn wait(&self, py: Python<'_>, seconds: Option<f64>) -> PyResult<bool> {
        if self.run.is_done() {
            return Ok(true);
        }
        let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok());
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let turn = if takes_signals() { SIGNALS_EVERY } else { UNDISTURBED };
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let turn = left.map_or(turn, |left| left.min(turn));
            if py.detach(|| self.run.wait(turn)) {
                return Ok(true);
            }
            py.check_signals()?;
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
        }
    }

    /// A future of the running event loop. It needs no threads besides the engine's, so it works after a fork.
    fn wait_async<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let event_loop = py.import("asyncio")?.call_method0("get_running_loop")?;
        let future = event_loop.call_method0("create_future")?;
        let settle = PyCFunction::new_closure(py, None, None, |args, _| -> PyResult<()> {
            let future = args.get_item(0)?;
            if !future.call_method0("done")?.is_truthy()? {
                future.call_method1("set_result", (args.py().None(),))?;
            }
            Ok(())
        })?;
        let (event_loop, settle, waiter) = (event_loop.unbind(), settle.unbind(), future.clone().unbind());
        let wake = move || {
            // Without an interpreter or with a closed loop there is nobody left to tell.
            let _ = attached(|py| {
                let soon = event_loop.bind(py).getattr("call_soon_threadsafe")?;
                called(&soon, (settle, waiter)).map(drop)
            });
        };
        py.detach(|| self.run.when_done(wake));
        Ok(future)
    }

    fn cancel(&self) {
        self.run.cancel();
    }

    fn answer(&self, py: Python<'_>) -> PyResult<PyAnswer> {
        let finished = self.run.outcome().map_err(|error| raised(py, error))?;
        match *finished {
            Finished::Table(_) => Ok(PyAnswer { finished }),
            Finished::Values(_) | Finished::Written(_) => {
                Err(raised(py, Error::internal("the table of a run that has none")))
            }
        }
    }

    fn has_values(&self) -> bool {
        self.run.outcome().is_ok_and(|finished| matches!(*finished, Finished::Values(_)))
    }

    /// The files that the run wrote, where it was to.
    fn files<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let finished = self.run.outcome().map_err(|error| raised(py, error))?;
        match &*finished {
            Finished::Written(written) => plain(serde_json::to_value(written), py).map(Some),
            Finished::Table(_) | Finished::Values(_) => Ok(None),
        }
    }

    #[pyo3(signature = (lent=false))]
    fn values<'py>(&self, py: Python<'py>, lent: bool) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyList>)> {
        calls::values(py, &self.run, lent)
    }

    fn written<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        plain(serde_json::to_value(self.run.written()), py)
    }

    fn explain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let explained = explain::explain(&self.run).map_err(|error| raised(py, error))?;
        json::to_python(py, &explained)
    }
}
