"""What reduces a whole column to a scalar: `p["x"].sum()`, `p["x"].agg([...])`."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor.partition import functions as fn
from rlm_hypervisor.partition.operators import Operators
from rlm_hypervisor.partition.refusal import boolean, only, refuse, whole_number
from rlm_hypervisor.partition.scalar import Scalar, Summary


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

    def _reduce(self, name: str, ddof: int = 1, min_count: int = 0) -> Scalar:
        if name == "size":
            return self.size
        return Scalar(self._frame.reduce(name, ddof, min_count))

    def sum(
        self, *, axis: object = None, skipna: bool = True, numeric_only: bool = False, min_count: int = 0
    ) -> Scalar:
        """The sum of the values that are not missing; missing where there are fewer than `min_count`."""
        only(
            "Series.sum",
            axis=(axis, None, 0, "index"),
            skipna=(skipna, True),
            numeric_only=(numeric_only, False),
        )
        return self._reduce("sum", min_count=whole_number("Series.sum", "min_count", min_count))

    def mean(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Scalar:
        """The mean of the values that are not missing."""
        only(
            "Series.mean",
            axis=(axis, 0, None, "index"),
            skipna=(skipna, True),
            numeric_only=(numeric_only, False),
        )
        return self._reduce("mean")

    def min(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Scalar:
        """The smallest value that is not missing."""
        only(
            "Series.min",
            axis=(axis, 0, None, "index"),
            skipna=(skipna, True),
            numeric_only=(numeric_only, False),
        )
        return self._reduce("min")

    def max(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Scalar:
        """The largest value that is not missing."""
        only(
            "Series.max",
            axis=(axis, 0, None, "index"),
            skipna=(skipna, True),
            numeric_only=(numeric_only, False),
        )
        return self._reduce("max")

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
        """The standard deviation, with `n - ddof` in the denominator."""
        only(
            "Series.std",
            axis=(axis, None, 0, "index"),
            skipna=(skipna, True),
            numeric_only=(numeric_only, False),
        )
        return self._reduce("std", ddof=whole_number("Series.std", "ddof", ddof))

    def var(
        self, *, axis: object = None, skipna: bool = True, ddof: int = 1, numeric_only: bool = False
    ) -> Scalar:
        """The variance, with `n - ddof` in the denominator."""
        only(
            "Series.var",
            axis=(axis, None, 0, "index"),
            skipna=(skipna, True),
            numeric_only=(numeric_only, False),
        )
        return self._reduce("var", ddof=whole_number("Series.var", "ddof", ddof))

    def _apply(self, given: object, call: str) -> Scalar:
        found = fn.function(given, fn.WHOLE, call)
        return self._reduce(found.name, found.ddof)

    def agg(self, func: Any = None, axis: object = 0, *args: object, **kwargs: Any) -> Any:
        """One aggregate by name gives a scalar; a list, a dict or keywords give a series of them."""
        call = "`Series.agg`"
        only("Series.agg", axis=(axis, 0, "index"))
        if func is None and kwargs:
            func, kwargs = kwargs, {}
        fn.reject_arguments(call, args, kwargs)
        if isinstance(func, dict):
            cells = [(label, self._apply(given, call)) for label, given in func.items()]
            if not cells:
                refuse(f"{call} got an empty dict of aggregates", "Name at least one")
        elif fn.is_list(func):
            cells = [(f.label, self._reduce(f.name, f.ddof)) for f in fn.functions(func, fn.WHOLE, call)]
        else:
            return self._apply(func, call)
        return Summary([label for label, _ in cells], None, [[cell] for _, cell in cells], name=self.name)

    aggregate = agg
