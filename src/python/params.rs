//! What aggregates are told, from keyword arguments.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::literal::misuse;
use crate::plan::node::{Interpolation, Params};

/// Parameters under their own names; those that are not given keep their defaults.
pub fn params(given: Option<&Bound<'_, PyDict>>) -> PyResult<Params> {
    let mut params = Params::default();
    let Some(given) = given else { return Ok(params) };
    for (name, value) in given {
        match name.extract::<&str>()? {
            "ddof" => params.ddof = value.extract()?,
            "min_count" => params.min_count = value.extract()?,
            "grouped" => params.grouped = value.extract()?,
            "skipna" => params.skipna = value.extract()?,
            "q" => params.q = value.extract()?,
            "interpolation" => {
                let name: String = value.extract()?;
                params.interpolation = Interpolation::named(&name)
                    .ok_or_else(|| misuse(given.py(), &format!("interpolation={name}")))?;
            }
            other => return Err(misuse(given.py(), &format!("the parameter {other}"))),
        }
    }
    Ok(params)
}
