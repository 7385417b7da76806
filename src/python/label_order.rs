//! Whether rows are in order of their labels, for the tracing layer.

use pyo3::prelude::*;

use super::frame::PyFrame;

#[pyfunction]
pub fn in_label_order(frame: &PyFrame) -> bool {
    frame.frame.in_label_order()
}
