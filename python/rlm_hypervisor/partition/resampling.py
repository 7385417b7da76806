"""Grouping by time: `p.resample("D", on="t")`, `pd.Grouper(key="t", freq="D")`; bins without rows are there too."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition import upsampling
from rlm_hypervisor.partition.datetimes import frequency
from rlm_hypervisor.partition.groupby import DataFrameGroupBy, SeriesGroupBy
from rlm_hypervisor.partition.refusal import is_label, labels_of, only, refuse, refuse_value
from rlm_hypervisor.partition.surface import unknown_attribute

__all__ = ["Resampler", "by_grouper", "is_grouper", "resampled"]


def is_grouper(value: object) -> bool:
    """A `pd.Grouper`."""
    pandas = type(value).__module__.partition(".")[0] == "pandas"
    return pandas and type(value).__name__ in ("Grouper", "TimeGrouper")


def by_grouper(frame: _core.Frame, given: Any, call: str) -> tuple[_core.Frame, str]:
    """The key that a `pd.Grouper` stands for, and its frequency."""
    key, level = given.key, given.level
    if level is not None:
        names = frame.index_names or ()
        if level not in names and not (isinstance(level, int) and len(names) == 1 and level in (0, -1)):
            refuse(
                f"`{call}` with a `pd.Grouper(level={clipped(level)})`: there is no such level",
                "Leave `level` out, or name the column of times: `pd.Grouper(key='t', freq='D')`",
                call=call,
            )
        key = level if level in names else None
    if given.freq is None:
        refuse(
            f"`{call}` with a `pd.Grouper` without `freq` is not native", "Name the column itself", call=call
        )
    only(
        call,
        origin=(given.origin, "start_day"),
        offset=(given.offset, None),
        dropna=(given.dropna, True),
        sort=(given.sort, True, False),
    )
    freq = frequency(given.freq, call)
    return frame.bins(key, freq, given.closed, given.label), freq


def resampled(
    frame: _core.Frame,
    call: str,
    rule: Any,
    closed: Any,
    label: Any,
    on: Any,
    level: Any,
    origin: object,
    offset: object,
    **given: tuple[object, ...],
) -> Resampler:
    """What `resample` returns."""
    only(call, closed=(closed, None, "left", "right"), label=(label, None, "left", "right"))
    only(call, origin=(origin, "start_day"), offset=(offset, None), **given)
    names = frame.index_names or []
    if level is not None:
        if len(names) != 1 or level not in (0, -1, names[0]):
            refuse(
                f"`{call}` with `level={clipped(level)}`: there is no such level",
                "Leave `level` out: the index is taken",
                call=call,
            )
    elif on is not None and not (is_label(on) and on in frame.columns):
        refuse(
            f"`{call}` with `on={clipped(on)}`: there is no such column",
            "Name a column of times: `on='t'`",
            call=call,
        )
    freq = frequency(rule, call)
    key = frame.bins(on, freq, closed, label)
    groups = frame.group([key], True, True, True).filled(freq)
    source = Source(frame, freq, closed, label, on, on is not None or level is not None)
    return Resampler(_grouped(frame, groups, on), source)


def _grouped(frame: _core.Frame, groups: _core.Groups, on: Any) -> DataFrameGroupBy | SeriesGroupBy:
    if frame.kind == "series":
        return SeriesGroupBy(groups, frame, True)
    return DataFrameGroupBy(groups, frame, True, [c for c in frame.columns if on is None or c != on])


class Source(NamedTuple):
    """What is resampled, and how."""

    frame: _core.Frame
    freq: str
    closed: str | None
    label: str | None
    on: Any
    chosen: bool
    """The times were named by `on` or `level`."""
    key: Any = None
    """What was selected of it."""

    def sorted_groups(self) -> DataFrameGroupBy | SeriesGroupBy:
        """The bins of the rows in order of their times, without those that have no rows."""
        frame = self.frame
        frame = frame.sort_index(True) if self.on is None else frame.sort([self.on], [True], False)
        key = frame.bins(self.on, self.freq, self.closed, self.label)
        groups = _grouped(frame, frame.group([key], True, True, True), self.on)
        return groups if self.key is None else groups[self.key]  # type: ignore[index]


def resampled_groups(by: Any, call: str, rule: Any, closed: Any, label: Any, on: Any) -> Resampler:
    """What `resample` of a group-by returns."""
    only(call, closed=(closed, None, "left", "right"), label=(label, None, "left", "right"))
    only(
        f"{call} with `as_index=False` or `sort=False`",
        as_index=(by._as_index, True),
        sort=(by._groups.sort, True),
        dropna=(by._groups.dropna, True),
    )
    if on is not None and not (is_label(on) and on in by._frame.columns):
        refuse(
            f"`{call}` with `on={clipped(on)}`: there is no such column",
            "Name a column of times: `on='t'`",
            call=call,
        )
    freq = frequency(rule, call)
    groups = by._groups.binned(on, freq, closed, label)
    if isinstance(by, SeriesGroupBy):
        return Resampler(SeriesGroupBy(groups, by._frame, True))
    labels = [c for c in by._labels if on is None or c != on]
    return Resampler(DataFrameGroupBy(groups, by._frame, True, labels, by._selected))


class Resampler:
    """Rows by bins of time; each aggregate has a row for every bin between the first and the last.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> days = pd.to_datetime(["2024-01-01 10:00", "2024-01-01 11:00", "2024-01-03 09:00"])
    >>> data = pd.DataFrame({"t": days, "x": [1, 2, 3]})
    >>> def by_day(p):
    ...     return p.resample("D", on="t")["x"].sum()
    >>> answer = RLMClient().execute({"type": "parallel", "input": {"source": data, "operation": by_day}})
    >>> answer.to_pandas().tolist()
    [3, 0, 3]
    """

    __slots__ = ("_by", "_source")
    _is_symbolic = True
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, by: DataFrameGroupBy | SeriesGroupBy, source: Source | None = None) -> None:
        self._by = by
        self._source = source

    def sum(self, numeric_only: bool = False, min_count: int = 0) -> Any:
        """The sum in each bin; 0 in an empty one, or missing below `min_count` values."""
        return self._by.sum(numeric_only=numeric_only, min_count=min_count)

    def mean(self, numeric_only: bool = False) -> Any:
        """The mean in each bin."""
        return self._by.mean(numeric_only=numeric_only)

    def min(self, numeric_only: bool = False, min_count: int = 0) -> Any:
        """The smallest value in each bin."""
        return self._by.min(numeric_only=numeric_only, min_count=min_count)

    def max(self, numeric_only: bool = False, min_count: int = 0) -> Any:
        """The largest value in each bin."""
        return self._by.max(numeric_only=numeric_only, min_count=min_count)

    def first(self, numeric_only: bool = False, min_count: int = 0, skipna: bool = True) -> Any:
        """The first value in each bin that is not missing."""
        return self._by.first(numeric_only=numeric_only, min_count=min_count, skipna=skipna)

    def last(self, numeric_only: bool = False, min_count: int = 0, skipna: bool = True) -> Any:
        """The last value in each bin that is not missing."""
        return self._by.last(numeric_only=numeric_only, min_count=min_count, skipna=skipna)

    def std(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """The standard deviation in each bin."""
        return self._by.std(ddof=ddof, numeric_only=numeric_only)

    def var(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """The variance in each bin."""
        return self._by.var(ddof=ddof, numeric_only=numeric_only)

    def median(self, numeric_only: bool = False) -> Any:
        """The median in each bin."""
        return self._by.median(numeric_only=numeric_only)

    def prod(self, numeric_only: bool = False, min_count: int = 0) -> Any:
        """The product in each bin; 1 in an empty one, or missing below `min_count` values."""
        return self._by.prod(numeric_only=numeric_only, min_count=min_count)

    def quantile(self, q: Any = 0.5, **kwargs: Any) -> Any:
        """A quantile in each bin."""
        return self._by.quantile(q, **kwargs)

    def sem(self, ddof: int = 1, numeric_only: bool = False) -> Any:
        """The standard error of the mean in each bin."""
        return self._by.sem(ddof=ddof, numeric_only=numeric_only)

    def count(self) -> Any:
        """How many values in each bin are not missing."""
        return self._by.count()

    def nunique(self) -> Any:
        """How many different values each bin has."""
        return self._by.nunique()

    def size(self) -> Any:
        """How many rows each bin has."""
        return self._by.size()

    def agg(self, func: Any = None, *args: object, **kwargs: Any) -> Any:
        """Aggregates by name, list, dict, or named, as of a group-by."""
        return self._by.agg(func, *args, **kwargs)

    aggregate = apply = agg

    def ohlc(self) -> Any:
        """Of one column: first, largest, smallest and last value of each bin."""
        if not isinstance(self._by, SeriesGroupBy):
            refuse(
                "`Resampler.ohlc` of several columns is not native",
                "Select one: `.resample(...)['x'].ohlc()`",
            )
        return self._by.agg(open="first", high="max", low="min", close="last")

    def _onto_edges(self, name: str, method: str | None, limit: object = None, fill_value: Any = None) -> Any:
        source, call = self._upsampled(name)
        given = upsampling.timed(source.frame, call, method is not None)
        grid = upsampling.bins(source.frame, source.freq, source.closed)
        return upsampling.onto(given, grid, call, method, limit, fill_value)

    def _upsampled(self, name: str) -> tuple[Source, str]:
        call = f"Resampler.{name}"
        if self._source is None:
            refuse(
                f"`{call}` of each group's bins is not native",
                "Aggregate and fill: `.first()`, then `.groupby(level=0).ffill()`",
                call=call,
            )
        if self._source.key is not None:
            refuse(
                f"`{call}` of selected columns is an error in pandas too",
                "Select before: `p.set_index('t')['x'].resample(...)`",
                call=call,
            )
        if self._source.chosen:
            refuse(
                f"`{call}` with `on` or `level` is an error in pandas too",
                "Set the index first: `p.set_index('t').resample(...)`",
                call=call,
            )
        return self._source, call

    def asfreq(self, fill_value: Any = None) -> Any:
        """The rows at the edges of the bins, with `fill_value` where there is none."""
        return self._onto_edges("asfreq", None, None, fill_value)

    def ffill(self, limit: int | None = None) -> Any:
        """At the edge of each bin the last row that is not later, for at most `limit` edges.

        Of selected columns, as in pandas, it is that of a group-by: each row's last value in its bin before it.
        """
        return self._filled("ffill", limit)

    def bfill(self, limit: int | None = None) -> Any:
        """At the edge of each bin the first row that is not earlier, for at most `limit` edges; see `ffill`."""
        return self._filled("bfill", limit)

    def _filled(self, name: str, limit: int | None) -> Any:
        if self._source is not None and self._source.key is not None:
            return getattr(self._source.sorted_groups(), name)(limit)
        return self._onto_edges(name, name, limit)

    def nearest(self, limit: int | None = None) -> Any:
        """At the edge of each bin the row whose time is the nearest, the later one of two."""
        return self._onto_edges("nearest", "nearest", limit)

    def interpolate(
        self,
        method: str = "linear",
        *,
        axis: object = 0,
        limit: int | None = None,
        limit_direction: object = "forward",
        limit_area: object = None,
        **kwargs: Any,
    ) -> Any:
        """At the edge of each bin the value on the straight line between the rows before and after it, as floats.

        As in pandas rows count, not times. Other methods, directions, areas and types are refused.
        """
        source, call = self._upsampled("interpolate")
        given = upsampling.timed(source.frame, call, False)
        grid = upsampling.bins(source.frame, source.freq, source.closed)
        options = {"axis": axis, "limit_direction": limit_direction, "limit_area": limit_area, **kwargs}
        return upsampling.interpolated(given, grid, limit, method=method, **options)

    def transform(self, func: Any = None, *args: Any, **kwargs: Any) -> Any:
        """For each row the value of its bin, as of a group-by; the rows are in order of their times."""
        if self._source is None:
            refuse(
                "`Resampler.transform` of each group's bins is not native",
                "Group by the keys and `pd.Grouper(key='t', freq='D')`, and transform that",
            )
        return self._source.sorted_groups().transform(func, *args, **kwargs)

    @property
    def ndim(self) -> int:
        """1 for a column, 2 for a partition."""
        return 1 if isinstance(self._by, SeriesGroupBy) else 2

    def pipe(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """`func(self, *args, **kwargs)`."""
        return func(self, *args, **kwargs)

    def __getitem__(self, key: Any) -> Resampler:
        if isinstance(self._by, SeriesGroupBy) or not (is_label(key) or labels_of(key) is not None):
            refuse(f"`resample(...)[{clipped(key)}]` is not native", "Select a column or a list of columns")
        return Resampler(self._by[key], self._source and self._source._replace(key=key))

    def __iter__(self) -> NoReturn:
        refuse_value("iteration over bins", "Aggregate them: `.sum()`, `.agg(...)`")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if isinstance(self._by, DataFrameGroupBy) and name in self._by._labels:
            return self[name]
        unknown_attribute(self, "Resampler", name, ())

    def __repr__(self) -> str:
        return f"<Resampler by {self._by._groups.keys!r}>"
