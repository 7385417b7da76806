//! Constants of the user's function, and labels.

use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDate, PyDateTime, PyDelta, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::errors::raised;
use crate::error::{Error, not_decomposable};
use crate::plan::dtype::Unit;
use crate::plan::{DType, Label, Literal};

/// Lists and labels that are nested deeper are refused.
const DEEPEST: usize = 100;

pub fn literal(object: &Bound<'_, PyAny>) -> PyResult<Literal> {
    literal_at(object, 0)
}

fn literal_at(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Literal> {
    let py = object.py();
    if depth > DEEPEST {
        return Err(raised(
            py,
            not_decomposable("a constant is a list nested deeper than 100 lists")
                .hint("Give a flat list; does it contain itself?"),
        ));
    }
    if object.is_none() {
        return Ok(Literal::Null);
    }
    let module = object.get_type().module()?;
    if module.to_str()?.starts_with("numpy") {
        return numpy_scalar(object, depth);
    }
    if let Ok(value) = object.cast::<PyBool>() {
        return Ok(Literal::Bool(value.is_true()));
    }
    if object.is_instance_of::<PyInt>() {
        return integer(object);
    }
    if object.is_instance_of::<PyFloat>() {
        return Ok(Literal::Float(object.extract()?));
    }
    if object.is_instance_of::<PyString>() {
        return Ok(Literal::Str(object.extract()?));
    }
    if object.is_instance_of::<PyList>() {
        let values = object.try_iter()?.map(|value| literal_at(&value?, depth + 1));
        return Ok(Literal::List(values.collect::<PyResult<_>>()?));
    }
    if object.is_instance_of::<PyDateTime>() {
        return datetime(object);
    }
    if object.is_instance_of::<PyDate>() {
        let days: i32 = object.call_method0("toordinal")?.extract()?;
        return Ok(Literal::Date(days - 719_163));
    }
    if object.is_instance_of::<PyDelta>() {
        return Ok(Literal::Duration(microseconds(object)?, Unit::Micro));
    }
    let name = object.get_type().name()?;
    Err(raised(
        py,
        not_decomposable(format!("a {name} cannot stand in a native operation"))
            .hint("Use numbers, strings, dates, times or booleans"),
    ))
}

fn integer(object: &Bound<'_, PyAny>) -> PyResult<Literal> {
    if let Ok(value) = object.extract::<i64>() {
        return Ok(Literal::Int(value));
    }
    object.extract::<u64>().map(Literal::UInt).map_err(|_| {
        raised(object.py(), not_decomposable("an integer constant does not fit 64 bits").hint("Use a float"))
    })
}

fn microseconds(delta: &Bound<'_, PyAny>) -> PyResult<i64> {
    let days: i64 = delta.getattr("days")?.extract()?;
    let seconds: i64 = delta.getattr("seconds")?.extract()?;
    let rest: i64 = delta.getattr("microseconds")?.extract()?;
    let total =
        days.checked_mul(86_400_000_000).and_then(|days| days.checked_add(seconds * 1_000_000 + rest));
    total.ok_or_else(|| {
        raised(
            delta.py(),
            not_decomposable("a time span does not fit 64 bits of microseconds")
                .hint("Give a span below 292,000 years"),
        )
    })
}

fn datetime(object: &Bound<'_, PyAny>) -> PyResult<Literal> {
    let py = object.py();
    let zone = object.getattr("tzinfo")?;
    let module = py.import("datetime")?;
    let epoch = module.getattr("datetime")?.call1((1970, 1, 1))?;
    let (since, zone) = if zone.is_none() {
        (object.sub(epoch)?, None)
    } else {
        let utc = module.getattr("timezone")?.getattr("utc")?;
        let epoch = epoch.call_method1("replace", (py.None(), py.None(), py.None())).or_else(|_| {
            let kwargs = pyo3::types::PyDict::new(py);
            kwargs.set_item("tzinfo", &utc)?;
            epoch.call_method("replace", (), Some(&kwargs))
        })?;
        let key = zone.getattr("key").or_else(|_| zone.getattr("zone"));
        let name = match key {
            Ok(key) => key.extract::<String>()?,
            Err(_) => "UTC".to_owned(),
        };
        (object.sub(epoch)?, Some(name))
    };
    Ok(Literal::Timestamp(microseconds(&since)?, Unit::Micro, zone))
}

fn numpy_scalar(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Literal> {
    let py = object.py();
    let dtype = object.getattr("dtype")?;
    let kind: String = dtype.getattr("kind")?.extract()?;
    let name: String = dtype.getattr("name")?.extract()?;
    if kind == "M" || kind == "m" {
        return numpy_time(object, kind == "M", &name);
    }
    let plain = literal_at(&object.call_method0("item")?, depth + 1)?;
    let dtype = match name.as_str() {
        "bool" => DType::Bool,
        "int8" => DType::Int8,
        "int16" => DType::Int16,
        "int32" => DType::Int32,
        "int64" => DType::Int64,
        "uint8" => DType::UInt8,
        "uint16" => DType::UInt16,
        "uint32" => DType::UInt32,
        "uint64" => DType::UInt64,
        "float32" => DType::Float32,
        "float64" => DType::Float64,
        _ if matches!(plain, Literal::Str(_)) => return Ok(plain),
        other => {
            return Err(raised(
                py,
                not_decomposable(format!("a NumPy {other} cannot stand in a native operation"))
                    .hint("Convert it to float, int or str"),
            ));
        }
    };
    Ok(Literal::Typed(Box::new(plain), dtype))
}

fn numpy_time(object: &Bound<'_, PyAny>, point: bool, name: &str) -> PyResult<Literal> {
    let py = object.py();
    let unit = match name.split_once('[').map(|(_, unit)| unit.trim_end_matches(']')) {
        Some("s") => Unit::Second,
        Some("ms") => Unit::Milli,
        Some("us") => Unit::Micro,
        Some("ns") => Unit::Nano,
        _ => {
            return Err(raised(
                py,
                not_decomposable(format!("a NumPy {name} cannot stand in a native operation"))
                    .hint("Give it the unit s, ms, us or ns"),
            ));
        }
    };
    let count: i64 = object.call_method1("astype", ("int64",))?.extract()?;
    if count == i64::MIN {
        return Ok(Literal::Null);
    }
    Ok(if point { Literal::Timestamp(count, unit, None) } else { Literal::Duration(count, unit) })
}

pub fn label(object: &Bound<'_, PyAny>) -> PyResult<Label> {
    label_at(object, 0)
}

fn label_at(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Label> {
    if depth > DEEPEST {
        return Err(raised(
            object.py(),
            not_decomposable("a label is a tuple nested deeper than 100 tuples")
                .hint("Name columns by text, whole numbers, or tuples of them"),
        ));
    }
    if object.is_none() {
        return Ok(Label::None);
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Label::Str(text.to_string()));
    }
    if let Ok(parts) = object.cast::<PyTuple>() {
        return Ok(Label::Tuple(
            parts.iter().map(|part| label_at(&part, depth + 1)).collect::<PyResult<_>>()?,
        ));
    }
    if object.is_instance_of::<PyInt>() && !object.is_instance_of::<PyBool>() {
        return Ok(Label::Int(object.extract()?));
    }
    if object.is_instance_of::<PyFloat>() {
        return Ok(Label::Float(object.extract::<f64>()?.to_bits()));
    }
    let error = not_decomposable(format!("a {} cannot name a column here", object.get_type().name()?))
        .hint("Name columns by text, whole numbers, or tuples of them");
    Err(raised(object.py(), error.hint("Columns are named by strings")))
}

pub fn labels(objects: &Bound<'_, PyAny>) -> PyResult<Vec<Label>> {
    objects.try_iter()?.map(|object| label(&object?)).collect()
}

pub fn from_label<'py>(py: Python<'py>, label: &Label) -> PyResult<Bound<'py, PyAny>> {
    match label {
        Label::None => Ok(py.None().into_bound(py)),
        Label::Int(value) => value.into_bound_py_any(py),
        Label::Float(bits) => f64::from_bits(*bits).into_bound_py_any(py),
        Label::Str(text) => text.into_bound_py_any(py),
        Label::Tuple(parts) => {
            let parts = parts.iter().map(|part| from_label(py, part)).collect::<PyResult<Vec<_>>>()?;
            Ok(PyTuple::new(py, parts)?.into_any())
        }
    }
}

pub fn from_labels<'py>(py: Python<'py>, labels: &[Label]) -> PyResult<Bound<'py, PyList>> {
    let labels = labels.iter().map(|label| from_label(py, label)).collect::<PyResult<Vec<_>>>()?;
    PyList::new(py, labels)
}

/// For what cannot happen with the package's own front.
pub fn misuse(py: Python<'_>, what: &str) -> PyErr {
    raised(py, Error::internal(what.to_owned()))
}
