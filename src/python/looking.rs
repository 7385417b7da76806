//! Sources whose files are opened when it is known what is done with their rows.

use std::time::Duration;

use pyo3::prelude::*;

use super::engine::{PyEngine, waited};
use super::errors::raised;
use super::exploring::source_of;
use super::frame::PyFrame;
use crate::engine::lower::needed::needed;
use crate::io::source::Source;

pub fn is_pending(frame: &PyFrame) -> bool {
    source_of(frame).and_then(|id| frame.sources.get(id)).is_ok_and(Source::is_pending)
}

pub fn opened(
    py: Python<'_>,
    engine: &PyEngine,
    frame: &PyFrame,
    plan: Option<&PyFrame>,
    timeout: Option<Duration>,
) -> PyResult<(PyFrame, bool)> {
    let id = source_of(frame).map_err(|error| raised(py, error))?;
    let source = frame.sources.get(id).map_err(|error| raised(py, error))?;
    let pending = match source {
        Source::Parquet(source) if source.pending.is_some() => source.clone(),
        _ => return Ok((plan.unwrap_or(frame).clone(), plan.is_some())),
    };
    let files = py.detach(|| plan.and_then(|plan| needed(&plan.frame, &plan.sources, id)));
    let opening = engine.engine()?.look_at(pending, files, timeout).map_err(|error| raised(py, error))?;
    let source = waited(py, opening)?;
    match plan {
        Some(plan) if !source.is_pending() && same(frame, &source) => {
            let sources = plan.sources.replaced(id, source);
            Ok((PyFrame { frame: plan.frame.clone(), sources }, true))
        }
        _ => Ok((engine.frame_of(source).map_err(|error| raised(py, error))?, false)),
    }
}

/// Whether a source has the columns and the index that a frame over it was made of.
fn same(frame: &PyFrame, source: &Source) -> bool {
    let Ok(before) = source_of(frame).and_then(|id| frame.sources.get(id)) else { return false };
    before.fields() == source.fields() && before.index() == source.index()
}
