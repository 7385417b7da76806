//! Symbolic groupings for the tracing layer.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::draw::PyDraw;
use super::errors::raised;
use super::frame::{PyFrame, frames_of, told, unite};
use super::literal::{from_labels, label};
use crate::io::source::Sources;
use crate::plan::Label;
use crate::plan::frame::{Frame, Groups, Item};

#[pyclass(name = "Groups", module = "rlm_hypervisor._core", frozen)]
pub struct PyGroups {
    pub groups: Groups,
    pub sources: Sources,
}

#[pymethods]
impl PyGroups {
    #[getter]
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        from_labels(py, &self.groups.keys())
    }

    #[getter]
    fn dropna(&self) -> bool {
        self.groups.dropna
    }

    #[getter]
    fn sort(&self) -> bool {
        self.groups.sorted
    }

    fn key_columns(&self) -> Vec<PyFrame> {
        let keys = self.groups.key_columns().into_iter();
        keys.map(|frame| PyFrame { frame, sources: self.sources.clone() }).collect()
    }

    #[pyo3(signature = (on, freq, closed, label))]
    fn binned(
        &self,
        py: Python<'_>,
        on: Option<&Bound<'_, PyAny>>,
        freq: &str,
        closed: Option<&str>,
        label: Option<&str>,
    ) -> PyResult<Self> {
        let on = on.map(self::label).transpose()?;
        let groups = self.groups.binned(on.as_ref(), freq, closed, label);
        Ok(Self { groups: groups.map_err(|error| raised(py, error))?, sources: self.sources.clone() })
    }

    fn filled(&self, freq: &str) -> Self {
        Self { groups: self.groups.clone().filled(freq), sources: self.sources.clone() }
    }

    fn aggregate(&self, py: Python<'_>, items: &Bound<'_, PyAny>, series: bool) -> PyResult<PyFrame> {
        let mut sources = self.sources.clone();
        let mut converted = Vec::new();
        for item in items.try_iter()? {
            let item = item?;
            let item = item.cast::<PyTuple>()?;
            let given = item.get_item(3)?;
            let inputs = item.get_item(1)?;
            for input in inputs.try_iter()? {
                unite(&mut sources, &input?);
            }
            converted.push(Item {
                label: label(&item.get_item(0)?)?,
                inputs: frames_of(&inputs)?,
                function: item.get_item(2)?.extract()?,
                params: super::params::params(Some(given.cast::<PyDict>()?))?,
            });
        }
        PyFrame::made(py, self.groups.aggregate(converted, series), sources)
    }

    #[pyo3(signature = (function, input, options, other=None, **params))]
    fn window(
        &self,
        py: Python<'_>,
        function: &str,
        input: Option<&PyFrame>,
        options: &Bound<'_, PyAny>,
        other: Option<&PyFrame>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyFrame> {
        let told = told(function, options, super::params::params(params)?)?;
        let (input, other) = (input.map(|input| &input.frame), other.map(|other| &other.frame));
        self.framed(py, self.groups.window(input, other, told))
    }

    #[pyo3(signature = (columns, label, dropna, ascending))]
    fn counts(
        &self,
        py: Python<'_>,
        columns: &Bound<'_, PyAny>,
        label: &Bound<'_, PyAny>,
        dropna: bool,
        ascending: Option<bool>,
    ) -> PyResult<PyFrame> {
        let counts = self.groups.counts(&frames_of(columns)?, self::label(label)?, dropna, ascending);
        self.framed(py, counts)
    }

    fn enter(&self, py: Python<'_>, frame: &PyFrame) -> PyResult<PyFrame> {
        self.framed(py, self.groups.enter(&frame.frame))
    }

    fn leave(&self, py: Python<'_>, inside: &PyFrame, result: &PyFrame) -> PyResult<PyFrame> {
        self.framed(py, self.groups.leave(&inside.frame, &result.frame))
    }

    fn enter_labelled(&self, py: Python<'_>, frame: &PyFrame) -> PyResult<PyFrame> {
        self.framed(py, self.groups.enter_labelled(&frame.frame))
    }

    fn chosen(&self, py: Python<'_>, inside: &PyFrame, result: &PyFrame, keyed: bool) -> PyResult<PyFrame> {
        self.framed(py, self.groups.chosen(&inside.frame, &result.frame, keyed))
    }

    fn per_group(
        &self,
        py: Python<'_>,
        inside: &PyFrame,
        items: &Bound<'_, PyAny>,
        series: bool,
    ) -> PyResult<PyFrame> {
        self.framed(py, self.groups.per_group(&inside.frame, labelled(items)?, series))
    }

    fn by_group(&self, py: Python<'_>, items: &Bound<'_, PyAny>, series: bool) -> PyResult<PyFrame> {
        self.framed(py, self.groups.by_group(labelled(items)?, series))
    }

    /// Rows drawn of one group after the other; `sizes`, and of each row the number of its group and its place there.
    #[allow(clippy::too_many_arguments, reason = "what a draw of groups is made of")]
    fn draw(
        &self,
        py: Python<'_>,
        frame: &PyFrame,
        draw: PyDraw,
        sizes: &PyFrame,
        group: &PyFrame,
        place: &PyFrame,
    ) -> PyResult<PyFrame> {
        let drawn = frame.frame.draw_of_groups(draw.into(), &sizes.frame, &group.frame, &place.frame);
        self.framed(py, drawn)
    }

    fn top(&self, py: Python<'_>, series: &PyFrame, rows: i64, largest: bool) -> PyResult<PyFrame> {
        self.framed(py, self.groups.top(&series.frame, rows, largest))
    }
}

impl PyGroups {
    fn framed(&self, py: Python<'_>, frame: crate::error::Result<Frame>) -> PyResult<PyFrame> {
        PyFrame::made(py, frame, self.sources.clone())
    }
}

/// Pairs of a label and a frame.
fn labelled(items: &Bound<'_, PyAny>) -> PyResult<Vec<(Label, Frame)>> {
    let item = |item: PyResult<Bound<'_, PyAny>>| {
        let item = item?;
        let item = item.cast::<PyTuple>()?;
        Ok((label(&item.get_item(0)?)?, item.get_item(1)?.cast::<PyFrame>()?.get().frame.clone()))
    };
    items.try_iter()?.map(item).collect()
}
