"""Grouping by time: `p.resample("D", on="t")`, `pd.Grouper(key="t", freq="D")`; bins without rows are there too."""

from __future__ import annotations

from typing import Any, NoReturn

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
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
            refuse(f"`{call}` with a `pd.Grouper(level={clipped(level)})`: there is no such level", call=call)
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
            refuse(f"`{call}` with `level={clipped(level)}`: there is no such level", call=call)
    elif on is not None and not (is_label(on) and on in frame.columns):
        refuse(f"`{call}` with `on={clipped(on)}`: there is no such column", call=call)
    freq = frequency(rule, call)
    key = frame.bins(on, freq, closed, label)
    groups = frame.group([key], True, True, True).filled(freq)
    if frame.kind == "series":
        return Resampler(SeriesGroupBy(groups, frame, True))
    return Resampler(
        DataFrameGroupBy(groups, frame, True, [c for c in frame.columns if on is None or c != on])
    )


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
        refuse(f"`{call}` with `on={clipped(on)}`: there is no such column", call=call)
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

    __slots__ = ("_by",)
    _is_symbolic = True
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, by: DataFrameGroupBy | SeriesGroupBy) -> None:
        self._by = by

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

    def pipe(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        """`func(self, *args, **kwargs)`."""
        return func(self, *args, **kwargs)

    def __getitem__(self, key: Any) -> Resampler:
        if isinstance(self._by, SeriesGroupBy) or not (is_label(key) or labels_of(key) is not None):
            refuse(f"`resample(...)[{clipped(key)}]` is not native", "Select a column or a list of columns")
        return Resampler(self._by[key])

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
