//! The one way in which an error of the core becomes a Python exception.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use serde_json::Value;

use super::json;
use crate::error::Error;

/// The exception of `rlm_hypervisor.errors` for an error.
pub fn raised(py: Python<'_>, error: Error) -> PyErr {
    let build = || -> PyResult<PyErr> {
        let details = json::to_python(py, &Value::Object(error.details().clone()))?;
        let errors = py.import("rlm_hypervisor.errors")?;
        let exception =
            errors.call_method1("from_core", (error.code().name(), error.to_string(), details))?;
        Ok(PyErr::from_value(exception))
    };
    build().unwrap_or_else(|_| PyRuntimeError::new_err(format!("{}: {error}", error.code())))
}
