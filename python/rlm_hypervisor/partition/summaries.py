"""What reduces all columns of a partition: `p.sum()`, `p.agg([...])`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor.partition import functions as fn
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.elementwise import Elementwise
from rlm_hypervisor.partition.refusal import boolean, only, refuse, whole_number
from rlm_hypervisor.partition.scalar import Scalar, Summary

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column


class Summaries(Elementwise):
    """The base of Partition that knows aggregates of whole columns."""

    __slots__ = ()

    if TYPE_CHECKING:

        def _column(self, label: Any, call: str) -> Column: ...
        def _require(self, labels: list[Any], call: str) -> list[Any]: ...

    def _summary(self, name: str, numeric_only: object = False, ddof: int = 1, min_count: int = 0) -> Summary:
        labels = self._frame.columns
        if boolean(f"DataFrame.{name}", "numeric_only", numeric_only):
            labels = [c for c, d in zip(labels, self._frame.dtypes, strict=True) if DType(d).is_number]
        cells = [[self._column(label, name)._reduce(name, ddof, min_count)] for label in labels]
        return Summary(labels, None, cells)

    def sum(
        self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False, min_count: int = 0
    ) -> Summary:
        """The sum of each column."""
        _down("DataFrame.sum", axis, skipna)
        return self._summary("sum", numeric_only, 1, whole_number("DataFrame.sum", "min_count", min_count))

    def mean(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Summary:
        """The mean of each column."""
        _down("DataFrame.mean", axis, skipna)
        return self._summary("mean", numeric_only)

    def min(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Summary:
        """The smallest value of each column."""
        _down("DataFrame.min", axis, skipna)
        return self._summary("min", numeric_only)

    def max(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Summary:
        """The largest value of each column."""
        _down("DataFrame.max", axis, skipna)
        return self._summary("max", numeric_only)

    def count(self, axis: object = 0, numeric_only: bool = False) -> Summary:
        """How many values of each column are not missing."""
        _down("DataFrame.count", axis, True)
        return self._summary("count", numeric_only)

    def nunique(self, axis: object = 0, dropna: bool = True) -> Summary:
        """How many different values each column has; with `dropna=False` missing ones count as one more."""
        _down("DataFrame.nunique", axis, True)
        labels = self._frame.columns
        return Summary(labels, None, [[self._column(label, "nunique").nunique(dropna)] for label in labels])

    def std(
        self, *, axis: object = 0, skipna: bool = True, ddof: int = 1, numeric_only: bool = False
    ) -> Summary:
        """The standard deviation of each column, with `n - ddof` in the denominator."""
        _down("DataFrame.std", axis, skipna)
        return self._summary("std", numeric_only, whole_number("DataFrame.std", "ddof", ddof))

    def var(
        self, *, axis: object = 0, skipna: bool = True, ddof: int = 1, numeric_only: bool = False
    ) -> Summary:
        """The variance of each column, with `n - ddof` in the denominator."""
        _down("DataFrame.var", axis, skipna)
        return self._summary("var", numeric_only, whole_number("DataFrame.var", "ddof", ddof))

    def agg(self, func: Any = None, axis: object = 0, *args: object, **kwargs: Any) -> Summary:
        """Aggregates of whole columns by name, list, dict, or named: `agg(top=("v", "max"))`."""
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
        if isinstance(func, str) and func in fn.WHOLE and func != "size":
            return getattr(self, func)(*args, **kwargs)  # type: ignore[no-any-return]
        fn.reject_arguments(call, args, kwargs)
        if isinstance(func, dict) and not any(fn.is_list(value) for value in func.values()):
            self._require(list(func), call)
            found = {label: fn.function(value, fn.WHOLE, call) for label, value in func.items()}
            return Summary(
                list(found), None, [[self._column(c, call)._reduce(f.name, f.ddof)] for c, f in found.items()]
            )
        if isinstance(func, dict):
            lists = {c: fn.functions(f if fn.is_list(f) else [f], fn.WHOLE, call) for c, f in func.items()}
        elif fn.is_list(func):
            lists = dict.fromkeys(self._frame.columns, fn.functions(func, fn.WHOLE, call))
        else:
            one = fn.function(func, fn.WHOLE, call)
            return self._summary(one.name, False, one.ddof)
        return self._table([(f.label, column, f) for column, found in lists.items() for f in found], call)

    aggregate = agg

    def _table(self, wanted: list[tuple[str, Any, fn.Function]], call: str) -> Summary:
        """Aggregates (row, column, function) as a table; what is not asked for is missing."""
        index = list(dict.fromkeys(label for label, _, _ in wanted))
        columns = self._require(list(dict.fromkeys(column for _, column, _ in wanted)), call)
        cells: list[list[Scalar | None]] = [[None] * len(columns) for _ in index]
        for label, column, f in wanted:
            cells[index.index(label)][columns.index(column)] = self._column(column, call)._reduce(
                f.name, f.ddof
            )
        return Summary(index, columns, cells)


def _down(call: str, axis: object, skipna: object) -> None:
    """Aggregates run down the columns."""
    if axis in (1, "columns"):
        refuse(
            f"`{call}` along rows (`axis=1`) is not native in this version",
            "Write `p['a'] + p['b']`",
            call=call,
        )
    only(call, axis=(axis, 0, "index"), skipna=(skipna, True))
