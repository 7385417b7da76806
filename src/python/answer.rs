//! Answers on their way out: as Arrow streams, as Python scalars, as text.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, TimeUnit, UInt64Type};
use arrow::util::display::array_value_to_string;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyList, PyTuple};
use pyo3_arrow::PyTable;
use pyo3_arrow::ffi::to_schema_pycapsule;

use super::engine::{PyEngine, exported};
use super::errors::raised;
use super::json;
use super::literal::{from_labels, labels};
use crate::error::{Error, Result};
use crate::io::sink::target::{Asked, Target};
use crate::plan::dtype::Unit;
use crate::runtime::answer::{Shape, handed_out_batch};
use crate::runtime::{Answer, Finished};
use crate::task;

#[pyclass(name = "Answer", module = "rlm_hypervisor._core", frozen)]
pub struct PyAnswer {
    /// A table: `Run.answer` sees to it.
    pub finished: Arc<Finished>,
}

impl PyAnswer {
    fn table(&self) -> PyResult<&Answer> {
        match &*self.finished {
            Finished::Table(answer) => Ok(answer),
            Finished::Values(_) | Finished::Written(_) => Err(PyTypeError::new_err("this is no table")),
        }
    }
}

fn out<T>(py: Python<'_>, work: impl FnOnce() -> Result<T> + Send) -> PyResult<T>
where
    T: Send,
{
    py.detach(work).map_err(|error| raised(py, error))
}

#[pymethods]
impl PyAnswer {
    /// An answer from an object with an Arrow capsule.
    #[staticmethod]
    fn of(
        py: Python<'_>,
        table: &Bound<'_, PyAny>,
        series: bool,
        index: Option<&Bound<'_, PyAny>>,
        columns: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let (schema, batches) = exported(py, table)?;
        let shape = if series { Shape::Series } else { Shape::Frame };
        let index = index.map(labels).transpose()?;
        let answer = Answer::of(shape, index, labels(columns)?, schema, batches);
        Ok(Self { finished: Arc::new(Finished::Table(answer)) })
    }

    #[getter]
    fn kind(&self) -> PyResult<&'static str> {
        Ok(match self.table()?.shape {
            Shape::Frame => "frame",
            Shape::Series => "series",
            Shape::Scalar => "scalar",
        })
    }

    #[getter]
    fn index<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        self.table()?.index.as_ref().map(|labels| from_labels(py, labels)).transpose()
    }

    #[getter]
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        from_labels(py, &self.table()?.columns)
    }

    #[getter]
    fn num_rows(&self) -> PyResult<usize> {
        Ok(self.table()?.num_rows())
    }

    #[getter]
    fn num_columns(&self) -> PyResult<usize> {
        Ok(self.table()?.columns.len())
    }

    /// Of a wide table: names of the columns' levels, what the values are called, the levels as a table, which
    /// columns are margins, what those are called, whether the last row is one, how many columns were the index.
    #[getter]
    fn header<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let Some(header) = &self.table()?.header else { return Ok(None) };
        let values = header.values.iter().map(|labels| from_labels(py, labels));
        let levels = out(py, || handed_out_batch(&header.levels))?;
        let levels = PyTable::try_new(vec![levels.clone()], levels.schema())?.into_pyobject(py)?;
        let parts = [
            from_labels(py, &header.names)?.into_any(),
            PyList::new(py, values.collect::<PyResult<Vec<_>>>()?)?.into_any(),
            levels.into_any(),
            header.margins.clone().into_bound_py_any(py)?,
            header.margin.as_str().into_bound_py_any(py)?,
            header.last_row.into_bound_py_any(py)?,
            header.leading.into_bound_py_any(py)?,
        ];
        Ok(Some(PyTuple::new(py, parts)?))
    }

    /// Of columns whose values are of several types: each value's row and column, and a table of one row with them.
    #[getter]
    fn mixed<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let Some(mixed) = &self.table()?.mixed else { return Ok(None) };
        let values = out(py, || handed_out_batch(&mixed.values))?;
        let values = PyTable::try_new(vec![values.clone()], values.schema())?.into_pyobject(py)?;
        let parts = [mixed.places.clone().into_bound_py_any(py)?, values.into_any()];
        Ok(Some(PyTuple::new(py, parts)?))
    }

    fn size_bytes(&self) -> PyResult<usize> {
        Ok(self.table()?.size_bytes())
    }

    fn scalar<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let Some(value) = self.table()?.value() else {
            return Err(raised(py, Error::internal("a scalar without a value")));
        };
        scalar(py, &value)
    }

    /// The values of a column as Python's own, None where missing.
    fn values<'py>(&self, py: Python<'py>, place: usize) -> PyResult<Bound<'py, PyList>> {
        let answer = self.table()?;
        let list = PyList::empty(py);
        for batch in out(py, || answer.batches())? {
            let array = batch.column(place);
            let views = match array.data_type() {
                DataType::LargeUtf8 => Some(DataType::Utf8View),
                DataType::LargeBinary => Some(DataType::BinaryView),
                _ => None,
            };
            let array = match views {
                Some(to) => out(py, || Ok(cast(array, &to)?))?,
                None => array.clone(),
            };
            for row in 0..array.len() {
                if array.is_null(row) {
                    list.append(py.None())?;
                } else {
                    let value = scalar(py, &array.slice(row, 1))
                        .map_err(|_| PyTypeError::new_err("values of this type need pyarrow"))?;
                    list.append(value)?;
                }
            }
        }
        Ok(list)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyCapsule>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let answer = self.table()?;
        let batches = out(py, || answer.batches())?;
        let table = PyTable::try_new(batches, answer.schema())?.into_pyobject(py)?;
        table.call_method1("__arrow_c_stream__", (requested_schema,))
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        Ok(to_schema_pycapsule(py, self.table()?.schema().as_ref())?)
    }

    fn preview(&self, py: Python<'_>, rows: usize) -> PyResult<Vec<Vec<Option<String>>>> {
        let answer = self.table()?;
        out(py, || answer.preview(rows))
    }

    #[pyo3(signature = (asked, engine=None))]
    fn write<'py>(
        &self,
        py: Python<'py>,
        asked: &Bound<'py, PyDict>,
        engine: Option<&PyEngine>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let answer = self.table()?;
        let engine = engine.map(PyEngine::engine).transpose()?;
        let asked = json::from_python(asked.as_any())?;
        let written = out(py, || {
            let asked: Asked = serde_json::from_value(task::output(asked)?)
                .map_err(|error| Error::internal(format!("an output is not understood: {error}")))?;
            answer.write(match engine {
                Some(engine) => engine.target(&asked)?,
                None => Target::new(&asked, None)?,
            })
        })?;
        let written = serde_json::to_value(written)
            .map_err(|error| raised(py, Error::internal(format!("what was written: {error}"))))?;
        json::to_python(py, &written)
    }
}

/// The first value of an array: what pandas calls missing is NaN for numbers and strings.
fn scalar<'py>(py: Python<'py>, array: &arrow::array::ArrayRef) -> PyResult<Bound<'py, PyAny>> {
    let missing = array.is_empty() || array.is_null(0) || *array.data_type() == DataType::Null;
    let converted = |to: &DataType| cast(array, to).map_err(|error| raised(py, error.into()));
    let time = |kind: &str, unit: TimeUnit, zone: Option<&str>| -> PyResult<Bound<'py, PyAny>> {
        let count = if missing {
            None
        } else {
            Some(converted(&DataType::Int64)?.as_primitive::<Int64Type>().value(0))
        };
        let unit = match Unit::from_arrow(unit) {
            Unit::Second => "s",
            Unit::Milli => "ms",
            Unit::Micro => "us",
            Unit::Nano => "ns",
        };
        (kind, count, unit, zone).into_bound_py_any(py)
    };
    match array.data_type() {
        DataType::Timestamp(unit, zone) => time("timestamp", *unit, zone.as_deref()),
        DataType::Duration(unit) => time("duration", *unit, None),
        DataType::Date32 => {
            let days = if missing {
                None
            } else {
                Some(i64::from(array.as_primitive::<arrow::datatypes::Date32Type>().value(0)))
            };
            ("date", days, "d", None::<&str>).into_bound_py_any(py)
        }
        _ if missing => f64::NAN.into_bound_py_any(py),
        DataType::Boolean => array.as_boolean().value(0).into_bound_py_any(py),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(0).into_bound_py_any(py),
        integer if integer.is_integer() => {
            converted(&DataType::Int64)?.as_primitive::<Int64Type>().value(0).into_bound_py_any(py)
        }
        float if float.is_floating() => {
            converted(&DataType::Float64)?.as_primitive::<Float64Type>().value(0).into_bound_py_any(py)
        }
        DataType::Utf8View => array.as_string_view().value(0).into_bound_py_any(py),
        DataType::BinaryView => array.as_binary_view().value(0).into_bound_py_any(py),
        decimal if decimal.is_decimal() => {
            let text = array_value_to_string(array, 0).map_err(|error| raised(py, error.into()))?;
            py.import("decimal")?.getattr("Decimal")?.call1((text,))
        }
        other => {
            let field = Field::new("value", other.clone(), true);
            Err(raised(
                py,
                Error::internal(format!("a scalar of type {} has no Python value", field.data_type())),
            ))
        }
    }
}
