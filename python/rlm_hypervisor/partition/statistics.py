"""Order statistics, moments and relations of a whole column: `p["x"].median()`, `p["x"].corr(p["y"])`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.operators import Operators, apply, wrap
from rlm_hypervisor.partition.reductions import Reductions
from rlm_hypervisor.partition.refusal import boolean, labels_of, only, refuse, whole_number
from rlm_hypervisor.partition.scalar import Scalar, Summary

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def fraction(call: str, q: object) -> float:
    """A quantile's `q`: from 0 to 1."""
    if isinstance(q, bool | Operators) or not hasattr(q, "__float__"):
        refuse(
            f"`{call}` takes a number from 0 to 1 for `q`, not `{clipped(q)}`",
            "Give a part of 1: 0.5 for the median",
            call=call,
            argument="q",
        )
    value = float(q)
    if not 0 <= value <= 1:
        refuse(
            f"`{call}` takes a number from 0 to 1 for `q`, not `{clipped(q)}`",
            "Give a part of 1: 0.5 for the median",
            call=call,
            argument="q",
        )
    return value


def interpolated(call: str, interpolation: object) -> str:
    """How a quantile lies between two values."""
    only(call, interpolation=(interpolation, *_INTERPOLATIONS))
    return str(interpolation)


def percent(q: float) -> str:
    """A quantile as `describe` labels it: `25%`, `33.3%`."""
    text = f"{round(q * 100, 10):.10f}".rstrip("0").rstrip(".")
    return f"{text}%"


def percentiles_of(call: str, percentiles: Any) -> list[float]:
    """What `describe` is given as `percentiles`: sorted fractions."""
    if percentiles is None:
        return [0.25, 0.5, 0.75]
    given = labels_of(percentiles)
    if given is None:
        refuse(
            f"`{call}` takes a list of numbers from 0 to 1 for `percentiles`",
            "Give a list: `percentiles=[0.1, 0.9]`",
            call=call,
        )
    found = [fraction(call, q) for q in given]
    if len(set(found)) != len(found):
        refuse(f"`{call}` got the same percentile twice", "Give each once", call=call)
    if len({percent(q) for q in found}) != len(found) or any(len(percent(q)) > 8 for q in found):
        refuse(
            f"`{call}` with percentiles this close to each other is not native",
            "Round them to fewer digits",
            call=call,
        )
    return sorted(found)


class Statistics(Reductions):
    """The base of Column that knows what is more than a sum."""

    __slots__ = ()

    def median(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Scalar:
        """The value in the middle, or the mean of the two there; exact, so all values are held in memory."""
        return self._plain("median", axis, skipna, numeric_only)

    def quantile(self, q: Any = 0.5, interpolation: str = "linear") -> Any:
        """The value below which a part `q` of them lies; a list of `q` gives a series. Exact."""
        call = "Series.quantile"
        between = interpolated(call, interpolation)
        listed = labels_of(q)
        if listed is None:
            return self._reduce("quantile", q=fraction(call, q), interpolation=between)
        found = [fraction(call, each) for each in listed]
        cells = [[self._reduce("quantile", q=each, interpolation=between)] for each in found]
        return Summary(found, None, cells, name=self.name)

    def sem(
        self, *, axis: object = None, skipna: bool = True, ddof: int = 1, numeric_only: bool = False
    ) -> Scalar:
        """The standard error of the mean: the standard deviation by the root of the number of values."""
        return self._plain("sem", axis, skipna, numeric_only, ddof=whole_number("Series.sem", "ddof", ddof))

    def skew(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Scalar:
        """The unbiased skewness; missing for fewer than three values."""
        return self._plain("skew", axis, skipna, numeric_only)

    def kurt(self, *, axis: object = 0, skipna: bool = True, numeric_only: bool = False) -> Scalar:
        """The unbiased excess kurtosis; missing for fewer than four values."""
        return self._plain("kurt", axis, skipna, numeric_only)

    kurtosis = kurt

    def prod(
        self, *, axis: object = None, skipna: bool = True, numeric_only: bool = False, min_count: int = 0
    ) -> Scalar:
        """The product of the values; missing where there are fewer than `min_count`."""
        count = whole_number("Series.prod", "min_count", min_count)
        return self._plain("prod", axis, skipna, numeric_only, min_count=count)

    product = prod

    def any(self, *, axis: object = 0, bool_only: bool = False, skipna: bool = True) -> Scalar:
        """Whether a value is true (not zero, not empty); with `skipna=False` missing ones are true."""
        return self._logical("any", axis, bool_only, skipna)

    def all(self, *, axis: object = 0, bool_only: bool = False, skipna: bool = True) -> Scalar:
        """Whether all values are true (not zero, not empty); with `skipna=False` missing ones are true."""
        return self._logical("all", axis, bool_only, skipna)

    def _logical(self, name: str, axis: object, bool_only: object, skipna: object) -> Scalar:
        call = f"Series.{name}"
        only(call, axis=(axis, 0, None, "index"), bool_only=(bool_only, False))
        return self._reduce(name, skipna=boolean(call, "skipna", skipna))

    def idxmin(self, axis: object = 0, skipna: bool = True, *args: object, **kwargs: object) -> Scalar:
        """The row label of the smallest value (the first such); a failed run where there are no values."""
        return self._locate("idxmin", axis, skipna, args, kwargs)

    def idxmax(self, axis: object = 0, skipna: bool = True, *args: object, **kwargs: object) -> Scalar:
        """The row label of the largest value (the first such); a failed run where there are no values."""
        return self._locate("idxmax", axis, skipna, args, kwargs)

    def argmin(self, axis: object = None, skipna: bool = True, *args: object, **kwargs: object) -> Scalar:
        """The position of the smallest value (the first such); a failed run where there are no values."""
        return self._locate("argmin", axis, skipna, args, kwargs)

    def argmax(self, axis: object = None, skipna: bool = True, *args: object, **kwargs: object) -> Scalar:
        """The position of the largest value (the first such); a failed run where there are no values."""
        return self._locate("argmax", axis, skipna, args, kwargs)

    def _locate(self, name: str, axis: object, skipna: object, args: Any, kwargs: Any) -> Scalar:
        only(f"Series.{name}", axis=(axis, 0, None, "index"))
        if args or kwargs:
            refuse(f"`Series.{name}` takes no further arguments", "Leave them out", call=f"Series.{name}")
        found = self._reduce(name)
        if boolean(f"Series.{name}", "skipna", skipna):
            return found
        # A missing value is an error: where there is one, there is nothing to be found.
        complete = self._reduce("count") == self.size
        message = f"`{name}` with `skipna=False` met a missing value"
        return apply("required", found, message, complete)  # type: ignore[no-any-return]

    def corr(self, other: Any, method: Any = "pearson", min_periods: Any = None) -> Scalar:
        """Pearson's correlation with another column of the same rows, over rows in which both have a value."""
        call = "Series.corr"
        only(call, method=(method, "pearson"))
        least = 1 if min_periods is None else whole_number(call, "min_periods", min_periods)
        return self._related("corr", other, call, min_count=least)

    def cov(self, other: Any, min_periods: Any = None, ddof: Any = 1) -> Scalar:
        """The covariance with another column of the same rows, over rows in which both have a value."""
        call = "Series.cov"
        least = 1 if min_periods is None else whole_number(call, "min_periods", min_periods)
        return self._related("cov", other, call, min_count=least, ddof=whole_number(call, "ddof", ddof))

    def _related(self, name: str, other: Any, call: str, **params: Any) -> Scalar:
        if not isinstance(other, Statistics):
            refuse(
                f"`{call}` takes another column of the partition, not `{clipped(other)}`",
                "Give one: `p['x'].corr(p['y'])`",
                call=call,
            )
        return self._reduce(name, other, **params)

    def describe(self, percentiles: Any = None, include: object = None, exclude: object = None) -> Summary:
        """Count, mean, standard deviation, extremes and quantiles of a numeric column, as a series of floats.

        Of times and spans the same as times and spans (times without the deviation), and of anything else count,
        number of different values, the most frequent value and how often it is there: values of several types, which
        are objects in pandas and text in Arrow.
        """
        parts = self._described(percentiles_of("Series.describe", percentiles))
        return Summary(list(parts), None, [[cell] for cell in parts.values()], name=self.name)

    def _described(self, found: list[float]) -> dict[str, Scalar]:
        """The parts of a description by name; `found` are the percentiles."""
        kind = self._frame.dtypes[0]
        numbers = kind.startswith(("int", "uint", "float"))
        if not numbers and not kind.startswith(("datetime64", "timedelta64")):
            first = self.value_counts()._frame.head(1)
            top: Any = wrap(first.level(0))
            freq: Any = wrap(first)
            return {"count": self.count(), "unique": self.nunique(), "top": top.max(), "freq": freq.max()}
        parts = {"count": self.count(), "mean": self.mean()}
        if not kind.startswith("datetime64"):
            parts["std"] = self.std()
        parts["min"] = self.min()
        parts |= {percent(q): self.quantile(q) for q in found}
        parts["max"] = self.max()
        return {name: apply("astype", cell, "float64") for name, cell in parts.items()} if numbers else parts

    def mode(self, dropna: bool = True) -> Column:
        """The most frequent values, in order; several where they are equally frequent."""
        from rlm_hypervisor.partition.counts import modes

        return modes(self, boolean("Series.mode", "dropna", dropna))

    def value_counts(
        self,
        normalize: bool = False,
        sort: bool = True,
        ascending: bool = False,
        bins: object = None,
        dropna: bool = True,
    ) -> Column:
        """How often each value occurs, most frequent first; equally frequent ones in order of appearance."""
        from rlm_hypervisor.partition.counts import counted

        call = "Series.value_counts"
        only(call, bins=(bins, None))
        return counted(call, self._frame, [self._frame], normalize, sort, ascending, dropna)

    def unique(self) -> Column:
        """Each value once, in order of appearance, numbered from 0: a column where pandas gives an array."""
        from rlm_hypervisor.partition.column import Column

        return Column(self._frame.distinct(None, "first").reset_index(True))
