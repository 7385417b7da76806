//! The objects of `memory://`, as a client's Python code sees them.

use std::sync::Arc;

use object_store::path::Path;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use super::errors::raised;
use crate::error::{Code, Error, Result};
use crate::io::memory_store::MemoryStore;
use crate::runtime::Engine;

#[pyclass(name = "Objects", module = "rlm_hypervisor._core", frozen)]
pub struct PyObjects {
    objects: Arc<MemoryStore>,
}

impl PyObjects {
    pub fn new(engine: &Engine) -> Self {
        Self { objects: engine.objects().clone() }
    }
}

fn path(key: &str) -> Result<Path> {
    Path::parse(key).ok().filter(|path| !path.as_ref().is_empty()).ok_or_else(|| {
        Error::new(Code::InvalidTask, format!("`{key}` cannot be the key of an object"))
            .hint("Write it as a/b/c, without empty parts, `.` and `..`")
            .detail("path", "key")
    })
}

#[pymethods]
impl PyObjects {
    fn get<'py>(&self, py: Python<'py>, key: &str) -> Option<Bound<'py, PyBytes>> {
        let bytes = self.objects.get(&path(key).ok()?)?;
        Some(PyBytes::new(py, &bytes))
    }

    fn put(&self, py: Python<'_>, key: &str, data: PyBackedBytes) -> PyResult<()> {
        let put = path(key).and_then(|path| py.detach(|| self.objects.put(&path, data.to_vec().into())));
        put.map_err(|error| raised(py, error))
    }

    fn remove(&self, key: &str) -> bool {
        path(key).is_ok_and(|path| self.objects.remove(&path))
    }

    fn keys(&self) -> Vec<String> {
        self.objects.names().iter().map(ToString::to_string).collect()
    }
}
