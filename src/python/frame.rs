//! Symbolic frames for the tracing layer.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::draw::PyDraw;
use super::engine::exported;
use super::errors::raised;
use super::groups::PyGroups;
use super::literal::{from_labels, label, labels, literal, misuse};
use crate::io::source::{MemorySource, Source, Sources};
use crate::plan::dummies::Dummies;
use crate::plan::frame::{Arg, Frame, Grouping, Key, Merge, Told};
use crate::plan::node::{JoinKind, Keep, Params};
use crate::plan::wide::Wide;
use crate::plan::{DType, Label, Node};

#[pyclass(name = "Frame", module = "rlm_hypervisor._core", frozen)]
#[derive(Clone)]
pub struct PyFrame {
    pub frame: Frame,
    pub sources: Sources,
}

impl PyFrame {
    /// What a step of a trace came to. Each goes through here, so that none is too deep.
    pub(super) fn made(
        py: Python<'_>,
        frame: crate::error::Result<Frame>,
        sources: Sources,
    ) -> PyResult<Self> {
        let frame = frame.and_then(Frame::bounded).map_err(|error| raised(py, error))?;
        Ok(Self { frame, sources })
    }

    fn with(&self, frame: crate::error::Result<Frame>, py: Python<'_>) -> PyResult<Self> {
        Self::made(py, frame, self.sources.clone())
    }

    /// As [`PyFrame::with`], where another frame's expressions or rows came in.
    fn with_both(&self, other: &Self, frame: crate::error::Result<Frame>, py: Python<'_>) -> PyResult<Self> {
        let mut made = self.with(frame, py)?;
        made.sources.unite(&other.sources);
        Ok(made)
    }
}

/// Adds the sources of an argument that is a frame.
pub(super) fn unite(sources: &mut Sources, object: &Bound<'_, PyAny>) {
    if let Ok(frame) = object.cast::<PyFrame>() {
        sources.unite(&frame.get().sources);
    }
}

fn arg(object: &Bound<'_, PyAny>) -> PyResult<Arg> {
    match object.cast::<PyFrame>() {
        Ok(frame) => Ok(Arg::Frame(frame.get().frame.clone())),
        Err(_) => Ok(Arg::Literal(literal(object)?)),
    }
}

pub(super) fn told(function: &str, options: &Bound<'_, PyAny>, params: Params) -> PyResult<Told> {
    let options = options.try_iter()?.map(|option| literal(&option?)).collect::<PyResult<_>>()?;
    Ok(Told { function: function.to_owned(), options, params })
}

/// Several frames of the core.
pub(super) fn frames_of(objects: &Bound<'_, PyAny>) -> PyResult<Vec<Frame>> {
    objects.try_iter()?.map(|object| Ok(object?.cast::<PyFrame>()?.get().frame.clone())).collect()
}

/// Keys of a grouping or of an index, whose sources are united with those there are.
fn keys_of(objects: &Bound<'_, PyAny>, sources: &mut Sources) -> PyResult<Vec<Key>> {
    let keys = objects.try_iter()?.map(|key| {
        let key = key?;
        unite(sources, &key);
        match key.cast::<PyFrame>() {
            Ok(frame) => Ok(Key::Series(frame.get().frame.clone())),
            Err(_) => Ok(Key::Label(label(&key)?)),
        }
    });
    keys.collect()
}

#[pymethods]
impl PyFrame {
    /// A table in memory, with these columns, each under its name, as the index.
    #[staticmethod]
    fn table(
        py: Python<'_>,
        table: &Bound<'_, PyAny>,
        index: Vec<(String, Option<String>)>,
    ) -> PyResult<Self> {
        let given = exported(py, table)?;
        let source =
            MemorySource::new(vec![given]).and_then(|source| Source::Memory(Arc::new(source)).sound());
        let source = source.map_err(|error| raised(py, error))?;
        let fields = source.fields();
        let (id, sources) = Sources::only(source, None);
        let index: Vec<_> = index.into_iter().map(|(column, name)| (Arc::from(column), name)).collect();
        Ok(Self { frame: Frame::scan(Node::Scan { source: id, fields }).indexed_by(&index), sources })
    }

    #[getter]
    fn kind(&self) -> &'static str {
        self.frame.kind_name()
    }

    #[getter]
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        from_labels(py, &self.frame.labels())
    }

    #[getter]
    fn dtypes(&self) -> Vec<String> {
        self.frame.dtypes().iter().map(ToString::to_string).collect()
    }

    /// Of a series of structs the names and types of the fields.
    #[getter]
    fn fields(&self) -> Option<Vec<(String, String)>> {
        match self.frame.dtypes().first() {
            Some(DType::Struct(fields)) => {
                Some(fields.iter().map(|(name, dtype)| (name.to_string(), dtype.to_string())).collect())
            }
            _ => None,
        }
    }

    #[getter]
    fn index_names<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        self.frame.index_names().map(|names| from_labels(py, &names)).transpose()
    }

    fn same_rows(&self, other: &Self) -> bool {
        self.frame.same_rows(&other.frame)
    }

    fn same_values(&self, other: &Self) -> bool {
        self.frame.same_values(&other.frame)
    }

    fn column(&self, py: Python<'_>, label: &Bound<'_, PyAny>) -> PyResult<Self> {
        self.with(self.frame.column(&self::label(label)?), py)
    }

    #[staticmethod]
    fn call(py: Python<'_>, op: &str, args: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut sources = Sources::default();
        let mut converted = Vec::new();
        for object in args.try_iter()? {
            let object = object?;
            unite(&mut sources, &object);
            converted.push(arg(&object)?);
        }
        if !converted.iter().any(|arg| matches!(arg, Arg::Frame(_))) {
            return Err(misuse(py, "a call without a frame"));
        }
        Self::made(py, Frame::call(op, converted), sources)
    }

    /// Rows of two frames by key; `keys` are the labels of either side, None for its index.
    #[allow(clippy::too_many_arguments, reason = "the keywords of pandas")]
    fn merge(
        &self,
        py: Python<'_>,
        other: &Self,
        how: &str,
        left_on: Option<&Bound<'_, PyAny>>,
        right_on: Option<&Bound<'_, PyAny>>,
        suffixes: (Option<String>, Option<String>),
        indicator: Option<&Bound<'_, PyAny>>,
        sort: bool,
        unique: (bool, bool),
    ) -> PyResult<Self> {
        let kind = match how {
            "inner" => JoinKind::Inner,
            "left" => JoinKind::Left,
            "right" => JoinKind::Right,
            "outer" => JoinKind::Outer,
            "cross" => JoinKind::Cross,
            other => return Err(misuse(py, &format!("how={other}"))),
        };
        let merge = Merge {
            kind,
            left_on: left_on.map(labels).transpose()?,
            right_on: right_on.map(labels).transpose()?,
            suffixes,
            indicator: indicator.map(label).transpose()?,
            sort,
            unique,
        };
        self.with_both(other, self.frame.merge(&other.frame, &merge), py)
    }

    /// Each value looked up in another series: whether it has it, or what it has under that label.
    fn lookup(&self, py: Python<'_>, other: &Self, contains: bool) -> PyResult<Self> {
        self.with_both(other, self.frame.lookup(&other.frame, contains), py)
    }

    /// Frames, or series, one after the other.
    #[staticmethod]
    fn concat(
        py: Python<'_>,
        frames: Vec<Bound<'_, Self>>,
        ignore_index: bool,
        inner: bool,
    ) -> PyResult<Self> {
        let mut sources = Sources::default();
        frames.iter().for_each(|frame| sources.unite(&frame.get().sources));
        let frames: Vec<Frame> = frames.iter().map(|frame| frame.get().frame.clone()).collect();
        Self::made(py, Frame::concat(&frames, ignore_index, inner), sources)
    }

    fn select(&self, py: Python<'_>, labels: &Bound<'_, PyAny>) -> PyResult<Self> {
        self.with(self.frame.select(&self::labels(labels)?), py)
    }

    fn assign(&self, py: Python<'_>, label: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut made = self.with(self.frame.assign(self::label(label)?, arg(value)?), py)?;
        unite(&mut made.sources, value);
        Ok(made)
    }

    fn drop(&self, py: Python<'_>, labels: &Bound<'_, PyAny>) -> PyResult<Self> {
        self.with(self.frame.drop(&self::labels(labels)?), py)
    }

    fn rename(&self, py: Python<'_>, pairs: &Bound<'_, PyAny>) -> PyResult<Self> {
        let pairs = pairs.try_iter()?.map(|pair| {
            let pair = pair?;
            let pair = pair.cast::<PyTuple>()?;
            Ok((label(&pair.get_item(0)?)?, label(&pair.get_item(1)?)?))
        });
        let pairs: Vec<(Label, Label)> = pairs.collect::<PyResult<_>>()?;
        self.with(self.frame.rename(&pairs), py)
    }

    fn with_name(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<Self> {
        self.with(self.frame.with_name(label(name)?), py)
    }

    fn to_frame(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<Self> {
        self.with(self.frame.to_frame(label(name)?), py)
    }

    fn filter(&self, py: Python<'_>, mask: &Self) -> PyResult<Self> {
        self.with_both(mask, self.frame.filter(&mask.frame), py)
    }

    fn sort(
        &self,
        py: Python<'_>,
        by: &Bound<'_, PyAny>,
        ascending: Vec<bool>,
        missing_first: bool,
    ) -> PyResult<Self> {
        self.with(self.frame.sort(&labels(by)?, &ascending, missing_first), py)
    }

    fn sort_index(&self, py: Python<'_>, ascending: bool) -> PyResult<Self> {
        self.with(self.frame.sort_index(ascending), py)
    }

    fn head(&self, py: Python<'_>, n: usize) -> PyResult<Self> {
        self.with(Ok(self.frame.head(n)), py)
    }

    #[pyo3(signature = (start, stop))]
    fn slice(&self, py: Python<'_>, start: i64, stop: Option<i64>) -> PyResult<Self> {
        self.with(Ok(self.frame.slice(start, stop)), py)
    }

    #[pyo3(signature = (draw, weights=None))]
    fn draw(&self, py: Python<'_>, draw: PyDraw, weights: Option<&Self>) -> PyResult<Self> {
        self.with(self.frame.draw(draw.into(), weights.map(|weights| &weights.frame)), py)
    }

    fn top(&self, py: Python<'_>, n: usize, by: &Bound<'_, PyAny>, largest: bool) -> PyResult<Self> {
        self.with(self.frame.top(n, &labels(by)?, largest), py)
    }

    #[pyo3(signature = (subset, keep))]
    fn distinct(&self, py: Python<'_>, subset: Option<&Bound<'_, PyAny>>, keep: &str) -> PyResult<Self> {
        let subset = subset.map(labels).transpose()?;
        let keep = match keep {
            "first" => Keep::First,
            "last" => Keep::Last,
            "none" => Keep::None,
            other => return Err(misuse(py, &format!("keep={other}"))),
        };
        self.with(self.frame.distinct(subset.as_deref(), keep), py)
    }

    /// A row for each value of lists; `place` names a further level of the index.
    #[pyo3(signature = (labels, keep_empty, place=None))]
    fn explode(
        &self,
        py: Python<'_>,
        labels: &Bound<'_, PyAny>,
        keep_empty: bool,
        place: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let place = place.map(label).transpose()?;
        self.with(self.frame.explode(&self::labels(labels)?, keep_empty, place), py)
    }

    #[pyo3(signature = (drop, name=None))]
    fn reset_index(&self, py: Python<'_>, drop: bool, name: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let name = name.map(label).transpose()?.unwrap_or(Label::None);
        self.with(self.frame.reset_index(drop, name), py)
    }

    fn level(&self, py: Python<'_>, number: usize) -> PyResult<Self> {
        self.with(self.frame.level(number), py)
    }

    fn set_index(&self, py: Python<'_>, keys: &Bound<'_, PyAny>, drop: bool, append: bool) -> PyResult<Self> {
        let mut sources = self.sources.clone();
        let keys = keys_of(keys, &mut sources)?;
        Self::made(py, self.frame.set_index(keys, drop, append), sources)
    }

    fn with_level_names(&self, py: Python<'_>, names: &Bound<'_, PyAny>) -> PyResult<Self> {
        self.with(self.frame.with_level_names(&labels(names)?), py)
    }

    #[pyo3(signature = (numbers, drop, name=None))]
    fn reset_levels(
        &self,
        py: Python<'_>,
        numbers: Vec<usize>,
        drop: bool,
        name: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let name = name.map(label).transpose()?.unwrap_or(Label::None);
        self.with(self.frame.reset_levels(&numbers, drop, name), py)
    }

    fn sort_levels(
        &self,
        py: Python<'_>,
        numbers: Vec<usize>,
        ascending: Vec<bool>,
        missing_first: bool,
    ) -> PyResult<Self> {
        self.with(self.frame.sort_levels(&numbers, &ascending, missing_first), py)
    }

    fn unfiltered(&self, whole: &Self, mask: &Self) -> Option<Self> {
        let frame = self.frame.unfiltered(&whole.frame, &mask.frame)?;
        Some(Self { frame, sources: self.sources.clone() })
    }

    fn group(
        &self,
        py: Python<'_>,
        keys: &Bound<'_, PyAny>,
        as_index: bool,
        sort: bool,
        dropna: bool,
    ) -> PyResult<PyGroups> {
        let mut sources = self.sources.clone();
        let keys = keys_of(keys, &mut sources)?;
        let groups = self.frame.group(keys, as_index, sort, dropna).map_err(|error| raised(py, error))?;
        Ok(PyGroups { groups, sources })
    }

    #[pyo3(signature = (on, freq, closed, label))]
    fn bins(
        &self,
        py: Python<'_>,
        on: Option<&Bound<'_, PyAny>>,
        freq: &str,
        closed: Option<&str>,
        label: Option<&str>,
    ) -> PyResult<Self> {
        let on = on.map(self::label).transpose()?;
        self.with(self.frame.bins(on.as_ref(), freq, closed, label), py)
    }

    #[pyo3(signature = (function, *others, **params))]
    fn reduce(
        &self,
        py: Python<'_>,
        function: &str,
        others: &Bound<'_, PyTuple>,
        params: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let params = super::params::params(params)?;
        self.with(self.frame.reduce(function, &frames_of(others.as_any())?, params), py)
    }

    #[pyo3(signature = (function, options, other=None))]
    fn window(
        &self,
        py: Python<'_>,
        function: &str,
        options: &Bound<'_, PyAny>,
        other: Option<&Self>,
    ) -> PyResult<Self> {
        let told = told(function, options, Params::default())?;
        self.with(self.frame.window(other.map(|other| &other.frame), told), py)
    }

    /// This long frame spread out: names of the index' and of the columns' levels, what the values are called.
    fn wide(
        &self,
        py: Python<'_>,
        rows: &Bound<'_, PyAny>,
        across: &Bound<'_, PyAny>,
        values: &Bound<'_, PyAny>,
        value_names: &Bound<'_, PyAny>,
        options: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let options = serde_json::from_value(super::json::from_python(options)?);
        let wide = Wide {
            rows: labels(rows)?,
            across: labels(across)?,
            values: values.try_iter()?.map(|value| labels(&value?)).collect::<PyResult<_>>()?,
            value_names: labels(value_names)?,
            options: options.map_err(|error| misuse(py, &error.to_string()))?,
        };
        self.with(self.frame.wide(wide), py)
    }

    /// This frame, its last columns as flags.
    fn dummies(&self, py: Python<'_>, dummies: &Bound<'_, PyAny>) -> PyResult<Self> {
        let dummies: serde_json::Result<Dummies> = serde_json::from_value(super::json::from_python(dummies)?);
        self.with(self.frame.dummies(dummies.map_err(|error| misuse(py, &error.to_string()))?), py)
    }

    /// One row of scalars.
    #[staticmethod]
    fn record(py: Python<'_>, labels: &Bound<'_, PyAny>, scalars: Vec<Bound<'_, Self>>) -> PyResult<Self> {
        let mut sources = Sources::default();
        scalars.iter().for_each(|scalar| sources.unite(&scalar.get().sources));
        let scalars: Vec<Frame> = scalars.iter().map(|scalar| scalar.get().frame.clone()).collect();
        Self::made(py, Frame::record(self::labels(labels)?, &scalars), sources)
    }

    /// Of the grouping that the index is of: its rows (none of counts), whether these are the frame's, `sort`, `dropna`.
    fn grouping(&self) -> Option<(Option<Self>, bool, bool, bool)> {
        let Grouping { rows, direct, sorted, dropna } = self.frame.grouping()?;
        let rows = rows.map(|frame| Self { frame, sources: self.sources.clone() });
        Some((rows, direct, sorted, dropna))
    }

    fn rows(&self, py: Python<'_>) -> PyResult<Self> {
        self.with(self.frame.rows(), py)
    }

    #[staticmethod]
    #[pyo3(signature = (index, columns, cells))]
    fn cells(
        py: Python<'_>,
        index: &Bound<'_, PyAny>,
        columns: Option<&Bound<'_, PyAny>>,
        cells: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let mut sources = Sources::default();
        let mut rows = Vec::new();
        for row in cells.try_iter()? {
            let mut line = Vec::new();
            for cell in row?.try_iter()? {
                let cell = cell?;
                if cell.is_none() {
                    line.push(None);
                    continue;
                }
                let frame = cell.cast::<PyFrame>()?.get();
                sources.unite(&frame.sources);
                line.push(Some(frame.frame.clone()));
            }
            rows.push(line);
        }
        let columns = columns.map(labels).transpose()?;
        Self::made(py, Frame::cells(labels(index)?, columns, rows), sources)
    }

    fn explain(&self) -> String {
        crate::secrets::redact::owned(self.frame.explain())
    }
}
