"""What a column knows of its neighbouring rows: running totals, shifts, ranks, fills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from rlm_hypervisor.partition import functions as fn, rolling as moving, weighted
from rlm_hypervisor.partition.constant import constant
from rlm_hypervisor.partition.operators import apply, wrap
from rlm_hypervisor.partition.positions import ILoc
from rlm_hypervisor.partition.reductions import Reductions
from rlm_hypervisor.partition.refusal import boolean, only, refuse, whole_number
from rlm_hypervisor.partition.rolling_times import Times

if TYPE_CHECKING:
    from rlm_hypervisor.partition.dtypes import DType

_Self = TypeVar("_Self", bound="Windows")
NOT_GIVEN: Any = ...
"""The default of arguments for which None has a meaning."""


def periods_of(call: str, periods: object) -> int:
    """By how many rows to shift."""
    if isinstance(periods, list | tuple | range):
        refuse(
            f"`{call}` by several numbers at once is not native", "Shift by one number at a time", call=call
        )
    return whole_number(call, "periods", periods)


def rank_options(
    call: str, method: object, ascending: object, na_option: object, pct: object
) -> tuple[Any, ...]:
    """The options of the core's `rank`."""
    only(call, method=(method, "average", "min", "max", "first", "dense"))
    only(call, na_option=(na_option, "keep", "top", "bottom"))
    return method, boolean(call, "ascending", ascending), na_option, boolean(call, "pct", pct)


def limit_of(call: str, limit: object) -> int | None:
    """How many rows of a gap are filled."""
    if limit is None:
        return None
    rows = whole_number(call, "limit", limit)
    if rows < 1:
        refuse(
            f"`{call}` takes a `limit` above 0, in pandas too", "Give 1 or more, or leave it out", call=call
        )
    return rows


class Windows(Reductions):
    """The base of Column that knows functions of neighbouring rows."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def dtype(self) -> DType: ...
        def isna(self) -> Any: ...

    def _windowed(self: _Self, function: str, *options: object) -> _Self:
        return wrap(self._frame.window(function, list(options)))  # type: ignore[return-value]

    def _cumulative(
        self: _Self, name: str, axis: object, skipna: object, args: tuple[object, ...], kwargs: dict[str, Any]
    ) -> _Self:
        only(f"Series.{name}", axis=(axis, 0, None, "index"), skipna=(skipna, True))
        fn.reject_arguments(f"`Series.{name}`", args, kwargs)
        return self._windowed(name)

    def cumsum(self: _Self, axis: object = 0, skipna: bool = True, *args: object, **kwargs: Any) -> _Self:
        """The sum of all values up to each row; where a value is missing it stays missing. `skipna=False` is refused."""
        return self._cumulative("cumsum", axis, skipna, args, kwargs)

    def cumprod(self: _Self, axis: object = 0, skipna: bool = True, *args: object, **kwargs: Any) -> _Self:
        """The product of all values up to each row; a missing value stays missing. `skipna=False` is refused."""
        return self._cumulative("cumprod", axis, skipna, args, kwargs)

    def cummax(self: _Self, axis: object = 0, skipna: bool = True, *args: object, **kwargs: Any) -> _Self:
        """The largest value up to each row; a missing value stays missing. `skipna=False` is refused."""
        return self._cumulative("cummax", axis, skipna, args, kwargs)

    def cummin(self: _Self, axis: object = 0, skipna: bool = True, *args: object, **kwargs: Any) -> _Self:
        """The smallest value up to each row; a missing value stays missing. `skipna=False` is refused."""
        return self._cumulative("cummin", axis, skipna, args, kwargs)

    def shift(
        self: _Self,
        periods: Any = 1,
        freq: object = None,
        axis: object = 0,
        fill_value: Any = NOT_GIVEN,
        suffix: object = None,
    ) -> _Self:
        """The value so many rows earlier (later, where negative), `fill_value` where there is none.

        Without a `fill_value` whole numbers become floats, as in pandas. `freq` and lists of periods are refused.
        """
        call = "Series.shift"
        only(call, freq=(freq, None), axis=(axis, 0, "index"), suffix=(suffix, None))
        fill = None if fill_value is NOT_GIVEN else constant(fill_value, f"`{call}`")
        return self._windowed("shift", periods_of(call, periods), fill)

    def diff(self: _Self, periods: int = 1) -> _Self:
        """The value less that of so many rows earlier (later, where negative)."""
        return self._windowed("diff", periods_of("Series.diff", periods))

    def pct_change(
        self: _Self, periods: int = 1, fill_method: object = None, freq: object = None, **kwargs: Any
    ) -> _Self:
        """The relative change from so many rows earlier. `freq` and `fill_method` are refused."""
        only("Series.pct_change", fill_method=(fill_method, None), freq=(freq, None))
        fn.reject_arguments("`Series.pct_change`", (), kwargs)
        return self / self.shift(periods_of("Series.pct_change", periods)) - 1

    def _filled(self: _Self, name: str, axis: object, inplace: object, limit: object, area: object) -> _Self:
        call = f"Series.{name}"
        only(call, axis=(axis, None, 0, "index"), inplace=(inplace, False), limit_area=(area, None))
        return self._windowed(name, limit_of(call, limit))

    def ffill(
        self: _Self,
        *,
        axis: object = None,
        inplace: bool = False,
        limit: int | None = None,
        limit_area: object = None,
    ) -> _Self:
        """Missing values from the last row before that has one, at most `limit` rows on. `limit_area` is refused."""
        return self._filled("ffill", axis, inplace, limit, limit_area)

    def bfill(
        self: _Self,
        *,
        axis: object = None,
        inplace: bool = False,
        limit: int | None = None,
        limit_area: object = None,
    ) -> _Self:
        """Missing values from the next row that has one, at most `limit` rows back. `limit_area` is refused."""
        return self._filled("bfill", axis, inplace, limit, limit_area)

    def rank(
        self: _Self,
        axis: object = 0,
        method: str = "average",
        numeric_only: bool = False,
        na_option: str = "keep",
        ascending: bool = True,
        pct: bool = False,
    ) -> _Self:
        """The place of each value among all, from 1; `method` says what equal values get.

        `na_option` ranks missing values first (`top`), last (`bottom`) or not (`keep`); `pct` gives shares.
        """
        call = "Series.rank"
        only(call, axis=(axis, 0, "index"), numeric_only=(numeric_only, False))
        return self._windowed("rank", *rank_options(call, method, ascending, na_option, pct))

    def interpolate(
        self: _Self,
        method: str = "linear",
        *,
        axis: object = 0,
        limit: int | None = None,
        inplace: bool = False,
        limit_direction: object = None,
        limit_area: object = None,
        **kwargs: Any,
    ) -> _Self:
        """Missing floats on the straight line between their neighbours; what follows the last value is that value.

        At most `limit` rows of each gap are filled. Other methods, directions, areas and types are refused.
        """
        call = "Series.interpolate"
        only(call, method=(method, "linear"), axis=(axis, 0, "index"), inplace=(inplace, False))
        only(call, limit_direction=(limit_direction, None, "forward"), limit_area=(limit_area, None))
        fn.reject_arguments(f"`{call}`", (), kwargs)
        return self._windowed("interpolate", limit_of(call, limit))

    def _moving(
        self: _Self, function: str, options: list[Any], numeric_only: bool, times: Times | None = None
    ) -> _Self:
        if numeric_only and not self.dtype.is_number:
            refuse(
                f"windows with `numeric_only=True` are given a column of type {self.dtype}",
                "Leave `numeric_only` out, or convert the column: `.astype('float64')`",
            )
        other = None if times is None else times.column
        return wrap(self._frame.window(function, options, other))  # type: ignore[return-value]

    def rolling(
        self,
        window: Any,
        min_periods: int | None = None,
        center: bool = False,
        win_type: object = None,
        on: object = None,
        closed: object = None,
        step: object = None,
        method: str = "single",
    ) -> moving.Rolling:
        """Windows of so many rows, or of so much time, the last of which is each row (`center`: the middle one).

        A window of time, such as `"7D"`, is of the rows whose label is earlier than the row's by less than that;
        labels have to be times that grow or shrink from row to row. `min_periods` values must be there (of a window
        of time one). Weights (`win_type`) and `step` are refused.
        """
        return moving.rolling(
            "Series.rolling",
            self,
            window,
            min_periods,
            center,
            win_type,
            on,
            closed,
            step,
            method,
        )

    def expanding(self, min_periods: int = 1, method: str = "single") -> moving.Expanding:
        """Windows of all rows up to each."""
        return moving.expanding("Series.expanding", self, min_periods, method)

    def ewm(
        self,
        com: float | None = None,
        span: float | None = None,
        halflife: float | None = None,
        alpha: float | None = None,
        min_periods: int | None = 0,
        adjust: bool = True,
        ignore_na: bool = False,
        times: object = None,
        method: str = "single",
    ) -> weighted.ExponentialMovingWindow:
        """All rows up to each, with weights that decay; exactly one of the first four says how. `times` are refused."""
        return weighted.ewm(
            "Series.ewm",
            self,
            com,
            span,
            halflife,
            alpha,
            min_periods,
            adjust,
            ignore_na,
            times,
            method,
        )

    def tail(self: _Self, n: int = 5) -> _Self:
        """The last `n` rows; all but the first `-n` if negative."""
        rows = whole_number("Series.tail", "n", n)
        return type(self)(self._frame.slice(-rows, None) if rows else self._frame.head(0))

    @property
    def iloc(self) -> ILoc:
        """Rows by a slice of positions: `s.iloc[:5]`, `s.iloc[-3:]`. Single positions and lists are refused."""
        return ILoc(self)

    def duplicated(self, keep: Any = "first") -> Any:
        """True where the value is there in an earlier row (`keep="last"`: a later one; `keep=False`: any other)."""
        return repeated(self._frame, [self._frame], keep, "Series.duplicated").rename(self.name)

    @property
    def is_unique(self) -> Any:
        """Whether no value is there twice, as a scalar."""
        return self.nunique(False) == self.size

    @property
    def is_monotonic_increasing(self) -> Any:
        """Whether no value is less than the one before it and none is missing, as a scalar."""
        return _all(self, "ge")

    @property
    def is_monotonic_decreasing(self) -> Any:
        """Whether no value is more than the one before it and none is missing, as a scalar."""
        return _all(self, "le")


def _all(column: Windows, op: str) -> Any:
    """Whether each value and the one before it are in order: no row is out of it."""
    before = column._windowed("shift", 1, None)
    first = column._windowed("cumcount", True) == 0
    out = ~(apply(op, column, before) | first) | column.isna()
    return out.sum() == 0


def repeated(frame: Any, keys: list[Any], keep: object, call: str) -> Any:
    """Which rows agree in their keys with another one that is kept."""
    only(call, keep=(keep, "first", "last", False))
    groups = frame.group(keys, True, False, False)
    if keep is False:
        return wrap(groups.window("size", None, [])) > 1
    return wrap(groups.window("cumcount", None, [keep == "first"])) > 0
