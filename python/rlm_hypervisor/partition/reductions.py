"""What reduces a whole column to a scalar: `p["x"].sum()`, `p["x"].agg([...])`; the rest is in `statistics.py`."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor.partition import functions as fn
from rlm_hypervisor.partition.operators import Operators, apply
from rlm_hypervisor.partition.refusal import boolean, only, refuse, whole_number
from rlm_hypervisor.partition.scalar import Scalar, Summary, in_one_column

_LOCATIONS = ("idxmin", "idxmax", "argmin", "argmax")


def located(name: str) -> str:
    """What is said where a smallest or largest value is asked for and there is none."""
    return f"`{name}` was asked for where there are no values, or only missing ones"


class Reductions(Operators):
    """The base of Column that knows aggregates."""

    __slots__ = ()

    @property
    def name(self) -> Any:
        """The label, or None."""
        return self._frame.columns[0]

    @property
    def size(self) -> Scalar:
        """The number of rows, as a scalar that is not known yet."""
        return Scalar(self._frame.rows())

    def _reduce(self, name: str, *others: Any, **params: Any) -> Scalar:
        """An aggregate of the core, perhaps of other columns as well."""
        if name == "size":
            return self.size
        found = Scalar(self._frame.reduce(name, *(other._frame for other in others), **params))
        return apply("required", found, located(name)) if name in _LOCATIONS else found

    def _plain(self, name: str, axis: object, skipna: object, numeric_only: object, **params: Any) -> Scalar:
        """An aggregate that takes pandas' usual keywords."""
        call = f"Series.{name}"
        only(call, axis=(axis, None, 0, "index"))
        if boolean(call, "numeric_only", numeric_only) and not self.dtype.is_number:  # type: ignore[attr-defined]
            refuse(
                f"`{call}` with `numeric_only=True` is given a {self._frame.dtypes[0]} column",
                "Leave `numeric_only` out, or convert the column: `.astype('float64')`",
                call=call,
            )
        return self._reduce(name, skipna=boolean(call, "skipna", skipna), **params)

    def sum(
        self, *, axis: object = None, skipna: bool = True, numeric_only: bool = False, min_count: int = 0
    ) -> Scalar:
        """The sum of the values; missing where there are fewer than `min_count`, or with `skipna=False` any is missing."""
        count = whole_number("Series.sum", "min_count", min_count)
        return self._plain("sum", axis, skipna, numeric_only, min_count=count)

    def mean(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Scalar:
        """The mean of the values."""
        return self._plain("mean", axis, skipna, numeric_only)

    def min(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Scalar:
        """The smallest value."""
        return self._plain("min", axis, skipna, numeric_only)

    def max(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Scalar:
        """The largest value."""
        return self._plain("max", axis, skipna, numeric_only)

    def count(self) -> Scalar:
        """How many values are not missing."""
        return self._reduce("count")

    def nunique(self, dropna: bool = True) -> Scalar:
        """How many different values there are; with `dropna=False` missing ones count as one more."""
        found = self._reduce("nunique")
        if boolean("Series.nunique", "dropna", dropna):
            return found
        return found + (self._reduce("count") < self.size)

    def std(
        self, *, axis: object = None, skipna: bool = True, ddof: int = 1, numeric_only: bool = False
    ) -> Scalar:
        """The standard deviation, with `n - ddof` in the denominator; of spans it is a span."""
        kind = self._frame.dtypes[0]
        if kind.startswith("timedelta64"):
            ticks = apply("given", apply("astype", self, "Int64"), apply("notna", self))
            found = ticks.std(axis=axis, skipna=skipna, ddof=ddof, numeric_only=numeric_only)
            whole = apply("astype", apply("fillna", apply("trunc", found), 0.0), "int64")
            return apply("given", apply("astype", whole, kind), apply("notna", found))  # type: ignore[no-any-return]
        return self._plain("std", axis, skipna, numeric_only, ddof=whole_number("Series.std", "ddof", ddof))

    def var(
        self, *, axis: object = None, skipna: bool = True, ddof: int = 1, numeric_only: bool = False
    ) -> Scalar:
        """The variance, with `n - ddof` in the denominator."""
        return self._plain("var", axis, skipna, numeric_only, ddof=whole_number("Series.var", "ddof", ddof))

    def _function(self, found: fn.Function, call: str) -> Scalar:
        """What a function of `agg` gives; one of the user's own is called with this column."""
        if found.traced is None:
            return self._reduce(found.name, **found.params)
        value = found.traced(self)
        if isinstance(value, Scalar):
            return value
        refuse(
            f"{call}: the function `{found.label}` gives {value!r}, not one value of its column",
            "Build it from aggregates: `lambda s: s.max() - s.min()`",
            call=call,
        )

    def agg(self, func: Any = None, axis: object = 0, *args: object, **kwargs: Any) -> Any:
        """One aggregate (a name, a NumPy function, a function of aggregates) gives a scalar; several give a series."""
        call = "`Series.agg`"
        only("Series.agg", axis=(axis, 0, "index"))
        if func is None and kwargs:
            func, kwargs = kwargs, {}
        fn.reject_arguments(call, args, kwargs)
        if isinstance(func, dict):
            wanted = [(label, fn.function(given, fn.WHOLE, call)) for label, given in func.items()]
            if not wanted:
                refuse(f"{call} got an empty dict of aggregates", "Name at least one")
        elif fn.is_list(func):
            wanted = [(f.label, f) for f in fn.functions(func, fn.WHOLE, call)]
        else:
            return self._function(fn.function(func, fn.WHOLE, call), call)
        cells = [[self._function(found, call)] for _, found in wanted]
        in_one_column([cell for (cell,) in cells], call)
        return Summary([label for label, _ in wanted], None, cells, name=self.name)

    aggregate = agg
