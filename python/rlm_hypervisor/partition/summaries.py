"""What reduces all columns of a partition: `p.sum()`, `p.agg([...])`; the rest is in `frame_statistics.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor.partition import functions as fn
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.elementwise import Elementwise
from rlm_hypervisor.partition.refusal import boolean, only, refuse, whole_number
from rlm_hypervisor.partition.scalar import Scalar, Summary, in_one_column

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column


class Summaries(Elementwise):
    """The base of Partition that knows aggregates of whole columns."""

    __slots__ = ()

    if TYPE_CHECKING:

        def _column(self, label: Any, call: str) -> Column: ...
        def _require(self, labels: list[Any], call: str) -> list[Any]: ...

    def _numeric_labels(self, call: str, numeric_only: object) -> list[Any]:
        """The labels of the columns, with `numeric_only` of those that are numbers."""
        if not boolean(call, "numeric_only", numeric_only):
            return self._frame.columns
        pairs = zip(self._frame.columns, self._frame.dtypes, strict=True)
        return [label for label, dtype in pairs if DType(dtype).is_number]

    def _summary(self, name: str, numeric_only: object = False, **params: Any) -> Summary:
        labels = self._numeric_labels(f"DataFrame.{name}", numeric_only)
        return Summary(
            labels, None, [[self._column(label, name)._reduce(name, **params)] for label in labels]
        )

    def _down(self, name: str, axis: object, skipna: object, numeric_only: object, **params: Any) -> Summary:
        """An aggregate of each column that takes pandas' usual keywords."""
        call = f"DataFrame.{name}"
        columns_only(call, axis)
        return self._summary(name, numeric_only, skipna=boolean(call, "skipna", skipna), **params)

    def sum(
        self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False, min_count: int = 0
    ) -> Summary:
        """The sum of each column."""
        count = whole_number("DataFrame.sum", "min_count", min_count)
        return self._down("sum", axis, skipna, numeric_only, min_count=count)

    def mean(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Summary:
        """The mean of each column."""
        return self._down("mean", axis, skipna, numeric_only)

    def min(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Summary:
        """The smallest value of each column."""
        return self._down("min", axis, skipna, numeric_only)

    def max(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Summary:
        """The largest value of each column."""
        return self._down("max", axis, skipna, numeric_only)

    def count(self, axis: object = 0, numeric_only: bool = False) -> Summary:
        """How many values of each column are not missing."""
        columns_only("DataFrame.count", axis)
        return self._summary("count", numeric_only)

    def nunique(self, axis: object = 0, dropna: bool = True) -> Summary:
        """How many different values each column has; with `dropna=False` missing ones count as one more."""
        columns_only("DataFrame.nunique", axis)
        labels = self._frame.columns
        return Summary(labels, None, [[self._column(label, "nunique").nunique(dropna)] for label in labels])

    def std(
        self, *, axis: object = 0, skipna: bool = True, ddof: int = 1, numeric_only: bool = False
    ) -> Summary:
        """The standard deviation of each column, with `n - ddof` in the denominator."""
        return self._down("std", axis, skipna, numeric_only, ddof=whole_number("DataFrame.std", "ddof", ddof))

    def var(
        self, *, axis: object = 0, skipna: bool = True, ddof: int = 1, numeric_only: bool = False
    ) -> Summary:
        """The variance of each column, with `n - ddof` in the denominator."""
        return self._down("var", axis, skipna, numeric_only, ddof=whole_number("DataFrame.var", "ddof", ddof))

    def agg(self, func: Any = None, axis: object = 0, *args: object, **kwargs: Any) -> Any:
        """Aggregates of whole columns by name, function, list, dict, or named: `agg(top=("v", "max"))`."""
        call = "`DataFrame.agg`"
        only("DataFrame.agg", axis=(axis, 0, "index"))
        if func is None:
            if args or not kwargs:
                refuse(f"{call} got no aggregates", "Name them: `p.agg(['sum', 'mean'])`")
            wanted = [
                (label, column, fn.function(f, fn.WHOLE, call))
                for label, column, f in fn.named_pairs(kwargs, call)
            ]
            return self._table(wanted, call)
        if isinstance(func, str) and func in fn.WHOLE and hasattr(type(self), func) and func != "size":
            return getattr(self, func)(*args, **kwargs)
        fn.reject_arguments(call, args, kwargs)
        if isinstance(func, dict) and not any(fn.is_list(value) for value in func.values()):
            self._require(list(func), call)
            found = {label: fn.function(value, fn.WHOLE, call) for label, value in func.items()}
            cells = [[self._column(column, call)._function(f, call)] for column, f in found.items()]
            return Summary(list(found), None, cells)
        if isinstance(func, dict):
            lists = {c: fn.functions(f if fn.is_list(f) else [f], fn.WHOLE, call) for c, f in func.items()}
        elif fn.is_list(func):
            lists = dict.fromkeys(self._frame.columns, fn.functions(func, fn.WHOLE, call))
        else:
            one = fn.function(func, fn.WHOLE, call)
            labels = self._frame.columns
            return Summary(labels, None, [[self._column(c, call)._function(one, call)] for c in labels])
        return self._table([(f.label, column, f) for column, found in lists.items() for f in found], call)

    aggregate = agg

    def _table(self, wanted: list[tuple[str, Any, fn.Function]], call: str) -> Summary:
        """Aggregates (row, column, function) as a table; what is not asked for is missing."""
        index = list(dict.fromkeys(label for label, _, _ in wanted))
        columns = self._require(list(dict.fromkeys(column for _, column, _ in wanted)), call)
        cells: list[list[Scalar | None]] = [[None] * len(columns) for _ in index]
        for label, column, f in wanted:
            cell = self._column(column, call)._function(f, call)
            cells[index.index(label)][columns.index(column)] = cell
        for at in range(len(columns)):
            in_one_column([row[at] for row in cells], call)
        return Summary(index, columns, cells)


def columns_only(call: str, axis: object) -> None:
    """Aggregates run down the columns."""
    if axis in (1, "columns"):
        refuse(
            f"`{call}` along rows (`axis=1`) is not native in this version",
            "Write `p['a'] + p['b']`",
            call=call,
        )
    only(call, axis=(axis, 0, "index"))
