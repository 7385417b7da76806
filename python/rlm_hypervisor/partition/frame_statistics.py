"""Order statistics, moments and relations of all columns of a partition: `p.median()`, `p.corr()`, `p.describe()`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.counts import counted
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.refusal import boolean, is_label, labels_of, only, refuse, whole_number
from rlm_hypervisor.partition.scalar import Scalar, Summary
from rlm_hypervisor.partition.statistics import fraction, interpolated, percentiles_of
from rlm_hypervisor.partition.summaries import Summaries, columns_only

if TYPE_CHECKING:
    from rlm_hypervisor.partition.frame import Partition


class FrameStatistics(Summaries):
    """The base of Partition that knows what is more than a sum."""

    __slots__ = ()

    def median(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Summary:
        """The median of each column; exact, so all values are held in memory."""
        return self._down("median", axis, skipna, numeric_only)

    def quantile(
        self,
        q: Any = 0.5,
        axis: object = 0,
        numeric_only: bool = False,
        interpolation: str = "linear",
        method: str = "single",
    ) -> Summary:
        """A quantile of each column; a list of `q` gives a table with a row for each."""
        call = "DataFrame.quantile"
        columns_only(call, axis)
        only(call, method=(method, "single"))
        between = interpolated(call, interpolation)
        labels = self._numeric_labels(call, numeric_only)
        listed = labels_of(q)

        def cell(label: Any, q: float) -> Scalar:
            return self._column(label, call)._reduce("quantile", q=q, interpolation=between)

        if listed is None:
            single = fraction(call, q)
            return Summary(labels, None, [[cell(label, single)] for label in labels], name=single)
        found = [fraction(call, each) for each in listed]
        return Summary(found, labels, [[cell(label, each) for label in labels] for each in found])

    def sem(
        self, *, axis: object = 0, skipna: bool = True, ddof: int = 1, numeric_only: bool = False
    ) -> Summary:
        """The standard error of each column's mean."""
        return self._down("sem", axis, skipna, numeric_only, ddof=whole_number("DataFrame.sem", "ddof", ddof))

    def skew(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Summary:
        """The unbiased skewness of each column."""
        return self._down("skew", axis, skipna, numeric_only)

    def kurt(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Summary:
        """The unbiased excess kurtosis of each column."""
        return self._down("kurt", axis, skipna, numeric_only)

    kurtosis = kurt

    def prod(
        self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False, min_count: int = 0
    ) -> Summary:
        """The product of each column."""
        count = whole_number("DataFrame.prod", "min_count", min_count)
        return self._down("prod", axis, skipna, numeric_only, min_count=count)

    product = prod

    def any(self, *, axis: object = 0, bool_only: bool = False, skipna: bool = True) -> Any:
        """Whether each column has a value that is true; with `axis=None` whether any has."""
        return self._logical("any", axis, bool_only, skipna)

    def all(self, *, axis: object = 0, bool_only: bool = False, skipna: bool = True) -> Any:
        """Whether all values of each column are true; with `axis=None` whether those of all are."""
        return self._logical("all", axis, bool_only, skipna)

    def _logical(self, name: str, axis: object, bool_only: object, skipna: object) -> Any:
        call = f"DataFrame.{name}"
        if axis is not None:
            columns_only(call, axis)
        labels = self._frame.columns
        if boolean(call, "bool_only", bool_only):
            pairs = zip(labels, self._frame.dtypes, strict=True)
            labels = [label for label, dtype in pairs if dtype == "bool"]
        skip = boolean(call, "skipna", skipna)
        cells = [[self._column(label, call)._reduce(name, skipna=skip)] for label in labels]
        if axis is not None or not cells:
            return Summary(labels, None, cells)
        result = cells[0][0]
        for (cell,) in cells[1:]:
            result = result | cell if name == "any" else result & cell
        return result

    def idxmin(self, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Summary:
        """The row label of each column's smallest value; a failed run where one has no values."""
        return self._locate("idxmin", axis, skipna, numeric_only)

    def idxmax(self, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Summary:
        """The row label of each column's largest value; a failed run where one has no values."""
        return self._locate("idxmax", axis, skipna, numeric_only)

    def _locate(self, name: str, axis: object, skipna: object, numeric_only: object) -> Summary:
        call = f"DataFrame.{name}"
        columns_only(call, axis)
        labels = self._numeric_labels(call, numeric_only)
        cells = [[getattr(self._column(label, call), name)(skipna=skipna)] for label in labels]
        return Summary(labels, None, cells)

    def mode(self, axis: object = 0, numeric_only: bool = False, dropna: bool = True) -> Partition:
        """The most frequent values of each column; of those that have fewer than others the rest is missing."""
        from rlm_hypervisor.partition.counts import modes_of_columns

        call = "DataFrame.mode"
        columns_only(call, axis)
        labels = self._numeric_labels(call, numeric_only)
        if not labels:
            refuse(f"`{call}` of no columns", "Select some", call=call)
        drops = boolean(call, "dropna", dropna)
        return modes_of_columns([(label, self._column(label, call)) for label in labels], drops)

    def corr(self, method: Any = "pearson", min_periods: Any = 1, numeric_only: bool = False) -> Summary:
        """Pearson's correlations of every two columns, over rows in which both have a finite value."""
        call = "DataFrame.corr"
        only(call, method=(method, "pearson"))
        least = whole_number(call, "min_periods", min_periods)
        return self._pairwise("finite_corr", call, numeric_only, min_count=least)

    def cov(self, min_periods: Any = None, ddof: Any = 1, numeric_only: bool = False) -> Summary:
        """The covariances of every two columns, over rows in which both have a finite value; `ddof` is 1.

        pandas takes another `ddof` into account only where nothing is missing.
        """
        call = "DataFrame.cov"
        only(call, ddof=(ddof, 1))
        least = 1 if min_periods is None else whole_number(call, "min_periods", min_periods)
        return self._pairwise("finite_cov", call, numeric_only, min_count=least)

    def _pairwise(self, name: str, call: str, numeric_only: object, **params: Any) -> Summary:
        labels = self._numeric_labels(call, numeric_only)
        columns = [self._column(label, call) for label in labels]
        cells: list[list[Scalar | None]] = [[None] * len(labels) for _ in labels]
        for row, one in enumerate(columns):
            for place, other in enumerate(columns[: row + 1]):
                cells[row][place] = cells[place][row] = one._reduce(name, other, **params)
        return Summary(labels, labels, cells)

    def corrwith(
        self,
        other: Any,
        axis: object = 0,
        drop: bool = False,
        method: Any = "pearson",
        numeric_only: bool = False,
        min_periods: Any = None,
    ) -> Summary:
        """Pearson's correlation of each column with another column of the same rows."""
        call = "DataFrame.corrwith"
        columns_only(call, axis)
        only(call, drop=(drop, False, True), method=(method, "pearson"))
        if not isinstance(other, Column):
            refuse(
                f"`{call}` takes a column of the partition, not `{clipped(other)}`",
                "Give one: `p[['x', 'y']].corrwith(p['z'])`; of two partitions take `p['x'].corr(q['x'])` column by column",
                call=call,
            )
        labels = self._numeric_labels(call, numeric_only)
        cells = [[self._column(c, call).corr(other, min_periods=min_periods)] for c in labels]
        return Summary(labels, None, cells)

    def describe(self, percentiles: Any = None, include: Any = None, exclude: Any = None) -> Summary:
        """Count, mean, standard deviation, extremes and quantiles of the columns of numbers and of times.

        `include` and `exclude` choose columns by type, and `include="all"` takes all of them; without numbers and
        times all are taken too. Of text and booleans there are the number of different values, the most frequent
        one, and how often it is there. See `Series.describe` about columns with values of several types.
        """
        call = "DataFrame.describe"
        found = percentiles_of(call, percentiles)
        if isinstance(include, str) and include == "all":
            if exclude is not None:
                refuse(
                    f"`{call}` with `include='all'` takes no `exclude`, in pandas too",
                    "Leave `include` out",
                    call=call,
                )
            labels = self._frame.columns
        elif include is not None or exclude is not None:
            labels = self.select_dtypes(include, exclude)._frame.columns  # type: ignore[attr-defined]
        else:
            kinds = zip(self._frame.columns, (DType(d) for d in self._frame.dtypes), strict=True)
            labels = [label for label, kind in kinds if kind.kind in "iufMm"] or self._frame.columns
        if not labels:
            refuse(f"`{call}` of no columns is an error in pandas too", "Select some", call=call)
        parts = [self._column(label, call)._described(found) for label in labels]
        names = dict.fromkeys(name for part in sorted(parts, key=len) for name in part)
        return Summary(list(names), labels, [[part.get(name) for part in parts] for name in names])

    def value_counts(
        self,
        subset: Any = None,
        normalize: bool = False,
        sort: bool = True,
        ascending: bool = False,
        dropna: bool = True,
    ) -> Column:
        """How often each combination of values occurs, most frequent first; equally frequent ones by value."""
        call = "DataFrame.value_counts"
        labels = (
            self._frame.columns if subset is None else [subset] if is_label(subset) else labels_of(subset)
        )
        if labels is None:
            refuse(
                f"`{call}` takes labels of columns, not `{clipped(subset)}`",
                "Name a column, or a list of them: `p.value_counts('k')`",
                call=call,
            )
        self._require(labels, f"`{call}`")
        return counted(call, self._frame, labels, normalize, sort, ascending, dropna)
