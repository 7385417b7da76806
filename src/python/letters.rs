//! Dead letters for Python: what is known of each, and its bytes.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use super::errors::raised;
use super::json;
use crate::error::{Code, Error};
use crate::store::Place;
use crate::store::letters::letters;

/// The packed function, and the blobs of the parcel.
pub type Bytes<'py> = (Bound<'py, PyBytes>, Vec<Bound<'py, PyBytes>>);

pub fn list<'py>(py: Python<'py>, place: &Place) -> PyResult<Bound<'py, PyList>> {
    let found = py.detach(|| letters(place)).map_err(|error| raised(py, error))?;
    let list = PyList::empty(py);
    for found in found {
        let (sender, letter) = (&found.sender, &found.letter);
        let dict = PyDict::new(py);
        dict.set_item("id", &found.id)?;
        dict.set_item("run", &sender.run)?;
        dict.set_item("operation", &sender.operation)?;
        dict.set_item("kind", &sender.kind)?;
        dict.set_item("made", &sender.made)?;
        dict.set_item("secrets", &sender.secrets)?;
        dict.set_item("item", letter.item)?;
        dict.set_item("index", letter.index)?;
        dict.set_item("label", letter.label.as_deref())?;
        dict.set_item("more", json::to_python(py, &letter.more)?)?;
        dict.set_item("error", raised(py, letter.error.clone()).into_value(py))?;
        dict.set_item("attempts", letter.attempts)?;
        dict.set_item("began", letter.began)?;
        dict.set_item("failed", letter.failed)?;
        list.append(dict)?;
    }
    Ok(list)
}

pub fn bytes<'py>(py: Python<'py>, place: &Place, id: &str) -> PyResult<Bytes<'py>> {
    let found = py.detach(|| letters(place)).map_err(|error| raised(py, error))?;
    let Some(found) = found.into_iter().find(|found| found.id == id) else {
        let message = format!("there is no dead letter `{id}`");
        let error = Error::new(Code::InvalidTask, message)
            .hint("It was run again or discarded; `client.dead_letters()` shows those that are there");
        return Err(raised(py, error));
    };
    let payload = found.payload().map(|blob| PyBytes::new(py, blob)).collect();
    Ok((PyBytes::new(py, found.function()), payload))
}
