//! Threads of this process as workers: started, and stopped by an exception, through the interpreter.

use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList};

use super::json;
use super::leaving::{attached, called};
use crate::config::WorkerKind;
use crate::runtime::Engine;
use crate::worker::{Blob, Call, Head, Here, Hosted, Launch, Left, Part, Said, Threads};

/// Says that a thread has ended: by its word, or because nothing of it is left.
#[pyclass(name = "Ending", module = "rlm_hypervisor._core", frozen)]
pub struct PyEnding(Arc<AtomicBool>);

#[pymethods]
impl PyEnding {
    fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Drop for PyEnding {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[derive(Debug)]
struct PyThreads;

#[derive(Debug)]
struct PyThread(Py<PyAny>);

fn interrupt<'py>(thread: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    called(&thread.getattr("interrupt")?, ())
}

/// Why there is no thread: the system may have room for one later.
fn no_thread(said: &str) -> io::Error {
    match said.contains("can't start new thread") {
        true => io::Error::from_raw_os_error(nix::errno::Errno::EAGAIN as i32),
        false => io::Error::other(said.to_owned()),
    }
}

fn gone() -> io::Error {
    io::Error::other("the interpreter is gone")
}

impl Threads for PyThreads {
    fn start(&self, socket: UnixStream, ended: Arc<AtomicBool>) -> io::Result<Arc<dyn Hosted>> {
        let started = attached(|py| -> PyResult<Arc<dyn Hosted>> {
            let module = py.import("rlm_hypervisor.worker.threads")?;
            let ending = Py::new(py, PyEnding(ended))?;
            let thread = called(&module.getattr("start")?, (socket.into_raw_fd(), ending))?;
            Ok(Arc::new(PyThread(thread.unbind())))
        });
        started.ok_or_else(gone)?.map_err(|error| no_thread(&error.to_string()))
    }

    fn here(&self) -> Option<Arc<dyn Here>> {
        static HERE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let found = attached(|py| -> PyResult<Option<Arc<dyn Here>>> {
            let here = HERE.import(py, "rlm_hypervisor.worker.here", "here")?;
            let here = called(here, ())?;
            Ok((!here.is_none()).then(|| Arc::new(PyHere(here.unbind())) as Arc<dyn Here>))
        });
        found?.ok().flatten()
    }
}

/// The calling thread, as `worker/here.py` has it.
#[derive(Debug)]
struct PyHere(Py<PyAny>);

impl Hosted for PyHere {
    fn interrupt(&self) {
        let _ = attached(|py| interrupt(self.0.bind(py)).is_ok());
    }
}

impl Here for PyHere {
    fn call(&self, call: &Call, say: &mut dyn FnMut(Said)) -> Left {
        let called = attached(|py| match self.called(py, call) {
            Ok(found) => Ok(found),
            Err(error) => {
                // What was on its way to the thread is not to come to it later.
                let _ = self.0.bind(py).getattr("end").and_then(|end| called(&end, ()));
                Err(of_interrupt(py, &error))
            }
        });
        match called {
            Some(Ok(Some(found))) => found.into_iter().for_each(say),
            Some(Ok(None)) => return Left::Stopped,
            Some(Err(left)) => return left,
            None => return Left::Lost("ended with the interpreter".to_owned()),
        }
        Left::Over
    }
}

/// Why a thread came back with an exception. Ctrl-C goes on from where signals are looked for next.
fn of_interrupt(py: Python<'_>, error: &PyErr) -> Left {
    if error.is_instance_of::<PyKeyboardInterrupt>(py) {
        // SAFETY: it sets a flag, and the interpreter is there.
        unsafe { pyo3::ffi::PyErr_SetInterrupt() };
        return Left::Interrupted;
    }
    match error.get_type(py).name() {
        Ok(name) if name == "Stopped" => Left::Stopped,
        _ => Left::Lost(format!("could not run the call ({error})")),
    }
}

impl PyHere {
    fn called(&self, py: Python<'_>, call: &Call) -> PyResult<Option<Vec<Said>>> {
        let function = PyBytes::new(py, call.function.bytes.bytes());
        let payload = PyList::new(py, call.payload.iter().map(|blob| PyBytes::new(py, blob.bytes())))?;
        let head = head_of(py, &call.head)?;
        let said = called(&self.0.bind(py).getattr("call")?, (function, head, payload))?;
        if said.is_none() {
            return Ok(None);
        }
        said.cast::<PyList>()?.iter().map(|message| said_of(&message)).collect::<PyResult<_>>().map(Some)
    }
}

/// The head of a call, as it would come out of its JSON.
fn head_of<'py>(py: Python<'py>, head: &Head) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    found.set_item("t", head.t)?;
    found.set_item("call", head.call)?;
    found.set_item("function", &head.function)?;
    found.set_item("kind", head.kind)?;
    found.set_item("run", &*head.run)?;
    found.set_item("from", head.from)?;
    found.set_item("to", head.to)?;
    found.set_item("first", head.first)?;
    found.set_item("attempt", head.attempt)?;
    found.set_item("careful", head.careful)?;
    found.set_item("left_ms", head.left_ms)?;
    found.set_item("item_ms", head.item_ms)?;
    found.set_item("soft_ms", head.soft_ms)?;
    if !head.more.is_null() {
        found.set_item("more", json::to_python(py, &head.more)?)?;
    }
    Ok(found)
}

/// What a call says, with its blobs.
fn said_of(message: &Bound<'_, PyAny>) -> PyResult<Said> {
    let (head, blobs) = message.extract::<(Bound<'_, PyDict>, Vec<Bound<'_, PyAny>>)>()?;
    let said: Said = serde_json::from_value(json::from_python(head.as_any())?)
        .map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))?;
    let Said::Part(part) = said else { return Ok(said) };
    let blobs = blobs.iter().map(|blob| Ok(Blob::Inline(blob.cast::<PyBytes>()?.as_bytes().into())));
    Ok(Said::Part(Part { blobs: blobs.collect::<PyResult<_>>()?, ..part }))
}

impl Hosted for PyThread {
    fn interrupt(&self) {
        // Without an interpreter nothing of it runs.
        let _ = attached(|py| interrupt(self.0.bind(py)).is_ok());
    }
}

/// How the workers of an engine are started.
pub fn launch(engine: &Engine, asked: (String, Vec<String>, Vec<(String, String)>)) -> Launch {
    let (program, arguments, environment) = asked;
    let threads: Option<Arc<dyn Threads>> = match engine.settings().worker_kind {
        WorkerKind::Processes => None,
        WorkerKind::Threads => Some(Arc::new(PyThreads)),
    };
    Launch { program, arguments, environment, hidden: engine.secrets().hidden(), threads }
}
