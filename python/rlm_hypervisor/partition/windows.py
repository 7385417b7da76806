"""What a column knows of its neighbouring rows: running totals, shifts, ranks, fills."""

from __future__ import annotations

from typing import Any, TypeVar

from rlm_hypervisor.partition import functions as fn
from rlm_hypervisor.partition.constant import constant
from rlm_hypervisor.partition.operators import wrap
from rlm_hypervisor.partition.reductions import Reductions
from rlm_hypervisor.partition.refusal import boolean, only, refuse, whole_number

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
        refuse(f"`{call}` takes a `limit` above 0, in pandas too", call=call)
    return rows


class Windows(Reductions):
    """The base of Column that knows functions of neighbouring rows."""

    __slots__ = ()

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
