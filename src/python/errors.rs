//! The one way in which an error of the core becomes a Python exception.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::Value;

use super::json;
use crate::error::Error;
use crate::secrets::redact;

/// The exception of `rlm_hypervisor.errors` for an error.
pub fn raised(py: Python<'_>, error: Error) -> PyErr {
    let error = redact::error(error);
    let build = || -> PyResult<PyErr> {
        let details = json::to_python(py, &Value::Object(error.details().clone()))?;
        let errors = py.import("rlm_hypervisor.errors")?;
        let cause = error.cause();
        let pickled = cause.as_ref().and_then(|cause| cause.pickled.as_deref());
        let pickled = pickled.map(|bytes| PyBytes::new(py, bytes));
        let exception =
            errors.call_method1("from_core", (error.code().name(), error.to_string(), details, pickled))?;
        Ok(PyErr::from_value(exception))
    };
    build().unwrap_or_else(|_| PyRuntimeError::new_err(format!("{}: {error}", error.code())))
}
