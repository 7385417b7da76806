//! What the engine's own threads do in Python, and the end of the interpreter while they do it.
//!
//! Before 3.14 an interpreter that ends stops every thread that wants to go on in it by `pthread_exit`, which takes the
//! thread's frames down one by one. In frames of Rust that is undefined, and in practice aborts the process. So:
//!
//! - Code of users, which may take any time, is called through `called`: a thread that is stopped in it stays there for good,
//!   as threads do from 3.14 on.
//! - All else is short, and counted: who ends the interpreter waits for it first, and lets nobody in any more.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pyo3::ffi::PyObject;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// How long the end of the interpreter waits for what is short, and how often it looks.
const SHORT: (Duration, Duration) = (Duration::from_secs(5), Duration::from_millis(1));

/// Threads in Python, or on their way into it, but for those in code of users.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// The interpreter is about to end.
static LEAVING: AtomicBool = AtomicBool::new(false);

/// The process that this is about: a forked child has none of the threads.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// To be called with each engine that is made, be it by what is called at exit.
pub fn begin() {
    LEAVING.store(false, Ordering::SeqCst);
    let here = std::process::id();
    if PROCESS.swap(here, Ordering::SeqCst) != here {
        INSIDE.store(0, Ordering::SeqCst);
    }
}

/// One of the threads inside.
struct Counted;

impl Counted {
    fn enter() -> Option<Self> {
        INSIDE.fetch_add(1, Ordering::SeqCst);
        let counted = Self;
        (!LEAVING.load(Ordering::SeqCst)).then_some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Does something in Python, for a thread of the engine's; none if the interpreter is gone, or about to be.
pub fn attached<T>(work: impl for<'py> FnOnce(Python<'py>) -> T) -> Option<T> {
    let _counted = Counted::enter()?;
    Python::try_attach(work)
}

/// Never ends; so a thread whose frames are taken down stays where it is.
struct ForGood;

impl Drop for ForGood {
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}

mod unwinding {
    use pyo3::ffi::PyObject;

    unsafe extern "C-unwind" {
        /// As `pyo3::ffi` has it, but said to take frames down.
        pub fn PyObject_Call(
            function: *mut PyObject,
            arguments: *mut PyObject,
            named: *mut PyObject,
        ) -> *mut PyObject;
    }
}

/// Calls what may be code of users, within `attached`.
pub fn called<'py, A>(function: &Bound<'py, PyAny>, arguments: A) -> PyResult<Bound<'py, PyAny>>
where
    A: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>>,
    PyErr: From<A::Error>,
{
    let py = function.py();
    let arguments = arguments.into_pyobject(py)?;
    drop(Counted);
    let found = staying(function.as_ptr(), arguments.as_ptr());
    match Counted::enter() {
        Some(counted) => std::mem::forget(counted),
        // The interpreter may end from one moment to the next, and what comes now is not made for it.
        None => py.detach(|| drop(ForGood)),
    }
    // SAFETY: what a call returns is owned by the caller, and is null where there is an exception.
    unsafe { Bound::from_owned_ptr_or_err(py, found) }
}

/// The frame next to the code of users.
#[inline(never)]
fn staying(function: *mut PyObject, arguments: *mut PyObject) -> *mut PyObject {
    let for_good = ForGood;
    // SAFETY: both are borrowed from bounds of the caller, who is attached.
    let found = unsafe { unwinding::PyObject_Call(function, arguments, std::ptr::null_mut()) };
    std::mem::forget(for_good);
    found
}

/// To be called before the interpreter ends, with all engines closed: waits for what is short, and lets nobody in from now on.
#[pyfunction]
pub fn leave(py: Python<'_>) {
    if PROCESS.load(Ordering::SeqCst) != std::process::id() {
        return;
    }
    LEAVING.store(true, Ordering::SeqCst);
    py.detach(|| {
        let until = Instant::now() + SHORT.0;
        while INSIDE.load(Ordering::SeqCst) > 0 && Instant::now() < until {
            std::thread::sleep(SHORT.1);
        }
    });
}
