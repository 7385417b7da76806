"""Order statistics, moments, places and relations of groups: `p.groupby("k")["x"].median()`."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.counts import counted_in_groups
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.group_stacking import GroupMatrices, quantiles
from rlm_hypervisor.partition.refusal import boolean, labels_of, missing_column, only, refuse, whole_number
from rlm_hypervisor.partition.statistics import fraction, interpolated, percent, percentiles_of


class GroupStatistics:
    """The base of the group-bys that knows what is more than a sum."""

    __slots__ = ()
    _as_index: bool
    _frame: _core.Frame
    _groups: _core.Groups

    def _call(self, method: str) -> str:
        raise NotImplementedError

    def _named(self, name: str, numeric_only: object = False, **params: Any) -> Any:
        raise NotImplementedError

    def _columns(self) -> dict[Any, _core.Frame]:
        raise NotImplementedError

    def _aggregate(self, items: Any, series: bool = False) -> Any:
        raise NotImplementedError

    def _tuples(self, partition: Any) -> Any:
        raise NotImplementedError

    def _skipping(self, name: str, skipna: object, numeric_only: object, **params: Any) -> Any:
        return self._named(name, numeric_only, skipna=boolean(self._call(name), "skipna", skipna), **params)

    def median(self, numeric_only: bool = False, skipna: bool = True) -> Any:
        """The median of each group; exact, so all values are held in memory."""
        return self._skipping("median", skipna, numeric_only)

    def quantile(self, q: Any = 0.5, interpolation: str = "linear", numeric_only: bool = False) -> Any:
        """A quantile of each group, or several in rows of their own; exact, so all values are held in memory."""
        call = self._call("quantile")
        several = labels_of(q)
        if several is not None:
            only(call, as_index=(self._as_index, True))
            return self._quantiles([fraction(call, one) for one in several], interpolation, numeric_only)
        return self._named(
            "quantile", numeric_only, q=fraction(call, q), interpolation=interpolated(call, interpolation)
        )

    def _quantiles(self, fractions: list[float], interpolation: str, numeric_only: object) -> Any:
        from rlm_hypervisor.partition.column import Column
        from rlm_hypervisor.partition.frame import Partition

        call = self._call("quantile")
        columns = self._columns()
        if boolean(call, "numeric_only", numeric_only):
            columns = {label: c for label, c in columns.items() if DType(c.dtypes[0]).is_number}
        how = interpolated(call, interpolation)
        frame = quantiles(self._groups, columns, fractions, how, call)
        if self._surface == "SeriesGroupBy":  # type: ignore[attr-defined]
            return Column(frame.column(next(iter(columns))))
        return Partition(frame)

    def sem(self, ddof: int = 1, numeric_only: bool = False, skipna: bool = True) -> Any:
        """The standard error of each group's mean."""
        return self._skipping("sem", skipna, numeric_only, ddof=whole_number(self._call("sem"), "ddof", ddof))

    def skew(self, skipna: bool = True, numeric_only: bool = False, **kwargs: object) -> Any:
        """The unbiased skewness of each group."""
        self._no_more("skew", kwargs)
        return self._skipping("skew", skipna, numeric_only)

    def kurt(self, skipna: bool = True, numeric_only: bool = False, **kwargs: object) -> Any:
        """The unbiased excess kurtosis of each group."""
        self._no_more("kurt", kwargs)
        return self._skipping("kurt", skipna, numeric_only)

    def _no_more(self, name: str, kwargs: dict[str, object]) -> None:
        if kwargs:
            refuse(
                f"`{self._call(name)}` takes no `{next(iter(kwargs))}`", "Leave it out", call=self._call(name)
            )

    def prod(self, numeric_only: bool = False, min_count: int = 0, skipna: bool = True) -> Any:
        """The product of each group; missing where a group has fewer than `min_count` values."""
        count = whole_number(self._call("prod"), "min_count", min_count)
        return self._skipping("prod", skipna, numeric_only, min_count=count)

    def any(self, skipna: bool = True) -> Any:
        """Whether each group has a value that is true (not zero, not empty)."""
        return self._skipping("any", skipna, False)

    def all(self, skipna: bool = True) -> Any:
        """Whether all values of each group are true (not zero, not empty)."""
        return self._skipping("all", skipna, False)

    def describe(self, percentiles: Any = None, include: object = None, exclude: object = None) -> Any:
        """Count, mean, standard deviation, extremes and quantiles of each group's numeric columns."""
        call = self._call("describe")
        only(call, include=(include, None), exclude=(exclude, None))
        found = percentiles_of(call, percentiles)
        columns = self._columns()
        kinds = {label: DType(column.dtypes[0]) for label, column in columns.items()}
        numbers = {label: columns[label] for label, kind in kinds.items() if kind.kind in "iuf"}
        if not numbers or any(kind.kind in "Mm" for kind in kinds.values()):
            refuse(
                f"`{call}` of columns that are not numbers mixes counts and values in one column",
                "Select the numeric columns: `p.groupby('key')[['x', 'y']].describe()`",
                call=call,
            )
        parts: list[tuple[str, str, dict[str, Any]]] = [
            *((name, name, {}) for name in ("count", "mean", "std", "min")),
            *((percent(q), "quantile", {"q": q}) for q in found),
            ("max", "max", {}),
        ]
        one = self._surface == "SeriesGroupBy"  # type: ignore[attr-defined]
        items = [
            (part if one else (label, part), [column], name, params)
            for label, column in numbers.items()
            for part, name, params in parts
        ]
        result = self._aggregate(items)
        for label, *_ in items:
            result[label] = result[label].astype("float64")
        return result if one else self._tuples(result)

    def ohlc(self) -> Any:
        """The first, largest, smallest and last value of each group."""
        call = self._call("ohlc")
        columns = self._columns()
        for label, column in columns.items():
            if not DType(column.dtypes[0]).is_number:
                refuse(
                    f"`{call}` needs numbers, and column {label!r} is {column.dtypes[0]}",
                    "Select the numeric columns first: `p.groupby('k')[['x', 'y']]`",
                    call=call,
                )
        parts = (("open", "first"), ("high", "max"), ("low", "min"), ("close", "last"))
        one = self._surface == "SeriesGroupBy"  # type: ignore[attr-defined]
        items: list[Any] = [
            (part if one else (label, part), [column], name, {})
            for label, column in columns.items()
            for part, name in parts
        ]
        result = self._aggregate(items)
        return result if one else self._tuples(result)


class SeriesGroupStatistics(GroupStatistics):
    """What a column's group-by knows besides."""

    __slots__ = ()

    def idxmin(self, skipna: bool = True) -> Any:
        """The row label of each group's smallest value; a failed run where a group has no values."""
        only(self._call("idxmin"), skipna=(skipna, True))
        return self._named("idxmin")

    def idxmax(self, skipna: bool = True) -> Any:
        """The row label of each group's largest value; a failed run where a group has no values."""
        only(self._call("idxmax"), skipna=(skipna, True))
        return self._named("idxmax")

    def corr(self, other: Any, method: Any = "pearson", min_periods: Any = None) -> Any:
        """Pearson's correlation with another column within each group."""
        call = self._call("corr")
        only(call, method=(method, "pearson"))
        least = 1 if min_periods is None else whole_number(call, "min_periods", min_periods)
        return self._related("corr", other, call, min_count=least)

    def cov(self, other: Any, min_periods: Any = None, ddof: Any = 1) -> Any:
        """The covariance with another column within each group."""
        call = self._call("cov")
        least = 1 if min_periods is None else whole_number(call, "min_periods", min_periods)
        return self._related("cov", other, call, min_count=least, ddof=whole_number(call, "ddof", ddof))

    def value_counts(
        self,
        normalize: bool = False,
        sort: bool = True,
        ascending: bool = False,
        bins: object = None,
        dropna: bool = True,
    ) -> Any:
        """How often each value occurs in each group, most frequent first; equally frequent ones as they appear."""
        call = self._call("value_counts")
        only(call, bins=(bins, None))
        options = (normalize, sort, ascending, dropna, self._as_index)
        return counted_in_groups(call, self._groups, [self._frame], *options)

    def _related(self, name: str, other: Any, call: str, **params: Any) -> Any:
        from rlm_hypervisor.partition.column import Column

        if not isinstance(other, Column):
            refuse(
                f"`{call}` takes a column of the partition, not `{clipped(other)}`",
                "Give a column of the same partition: `p.groupby('k')['x'].corr(p['y'])`",
                call=call,
            )
        label = self._frame.columns[0]
        return self._aggregate([(label, [self._frame, other._frame], name, params)], series=True)


class FrameGroupStatistics(GroupMatrices, GroupStatistics):
    """What a partition's group-by knows besides."""

    __slots__ = ()

    def idxmin(self, skipna: bool = True, numeric_only: bool = False) -> Any:
        """The row label of each group's smallest value; a failed run where a group has no values."""
        only(self._call("idxmin"), skipna=(skipna, True))
        return self._named("idxmin", numeric_only)

    def idxmax(self, skipna: bool = True, numeric_only: bool = False) -> Any:
        """The row label of each group's largest value; a failed run where a group has no values."""
        only(self._call("idxmax"), skipna=(skipna, True))
        return self._named("idxmax", numeric_only)

    def value_counts(
        self,
        subset: Any = None,
        normalize: bool = False,
        sort: bool = True,
        ascending: bool = False,
        dropna: bool = True,
    ) -> Any:
        """How often each combination of values occurs in each group, most frequent first, or as they appear."""
        call = self._call("value_counts")
        columns = self._columns()
        wanted = list(columns) if subset is None else labels_of(subset)
        if wanted is None:
            refuse(
                f"`{call}` takes a list of labels for `subset`, not `{clipped(subset)}`",
                "Name a list of columns: `subset=['x']`",
                call=call,
            )
        for label in wanted:
            if label not in columns:
                raise missing_column(label, columns, f"`{call}`")
        kept = [column for label, column in columns.items() if label in wanted]
        return counted_in_groups(call, self._groups, kept, normalize, sort, ascending, dropna, self._as_index)
