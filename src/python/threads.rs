//! Threads of this process as workers: started, and stopped by an exception, through the interpreter.

use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::prelude::*;

use crate::config::WorkerKind;
use crate::runtime::Engine;
use crate::worker::{Hosted, Launch, Threads};

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
        let started = Python::try_attach(|py| -> PyResult<Arc<dyn Hosted>> {
            let module = py.import("rlm_hypervisor.worker.threads")?;
            let ending = Py::new(py, PyEnding(ended))?;
            let thread = module.call_method1("start", (socket.into_raw_fd(), ending))?;
            Ok(Arc::new(PyThread(thread.unbind())))
        });
        started.ok_or_else(gone)?.map_err(|error| no_thread(&error.to_string()))
    }
}

impl Hosted for PyThread {
    fn interrupt(&self) {
        // Without an interpreter nothing of it runs.
        let _ = Python::try_attach(|py| self.0.call_method0(py, "interrupt").is_ok());
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
