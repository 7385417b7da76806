"""What a partition knows of neighbouring rows, column by column: running totals, shifts, ranks, fills."""

from __future__ import annotations

from typing import Any, TypeVar

from rlm_hypervisor.partition import functions as fn
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.refusal import boolean, only
from rlm_hypervisor.partition.summaries import Summaries
from rlm_hypervisor.partition.windows import NOT_GIVEN

_Self = TypeVar("_Self", bound="FrameWindows")


class FrameWindows(Summaries):
    """The base of Partition that knows functions of neighbouring rows."""

    __slots__ = ()

    def _numbers(self: _Self, call: str, numeric_only: object) -> _Self:
        """The columns that a function is of."""
        if not boolean(call, "numeric_only", numeric_only):
            return self
        frame = self._frame
        labels = [c for c, d in zip(frame.columns, frame.dtypes, strict=True) if DType(d).is_number]
        return type(self)(frame.select(labels))  # type: ignore[call-arg]

    def _cumulative(
        self: _Self, name: str, axis: object, skipna: object, numeric_only: object, args: Any, kwargs: Any
    ) -> _Self:
        call = f"DataFrame.{name}"
        only(call, axis=(axis, 0, None, "index"), skipna=(skipna, True))
        fn.reject_arguments(f"`{call}`", args, kwargs)
        return self._numbers(call, numeric_only)._map(lambda column: column._windowed(name))

    def cumsum(
        self: _Self,
        axis: object = 0,
        skipna: bool = True,
        numeric_only: bool = False,
        *args: object,
        **kwargs: Any,
    ) -> _Self:
        """The sum of each column's values up to each row; a missing value stays missing."""
        return self._cumulative("cumsum", axis, skipna, numeric_only, args, kwargs)

    def cumprod(
        self: _Self,
        axis: object = 0,
        skipna: bool = True,
        numeric_only: bool = False,
        *args: object,
        **kwargs: Any,
    ) -> _Self:
        """The product of each column's values up to each row; a missing value stays missing."""
        return self._cumulative("cumprod", axis, skipna, numeric_only, args, kwargs)

    def cummax(
        self: _Self,
        axis: object = 0,
        skipna: bool = True,
        numeric_only: bool = False,
        *args: object,
        **kwargs: Any,
    ) -> _Self:
        """The largest of each column's values up to each row; a missing value stays missing."""
        return self._cumulative("cummax", axis, skipna, numeric_only, args, kwargs)

    def cummin(
        self: _Self,
        axis: object = 0,
        skipna: bool = True,
        numeric_only: bool = False,
        *args: object,
        **kwargs: Any,
    ) -> _Self:
        """The smallest of each column's values up to each row; a missing value stays missing."""
        return self._cumulative("cummin", axis, skipna, numeric_only, args, kwargs)

    def shift(
        self: _Self,
        periods: Any = 1,
        freq: object = None,
        axis: object = 0,
        fill_value: Any = NOT_GIVEN,
        suffix: object = None,
    ) -> _Self:
        """Each column's values so many rows earlier (later, where negative); see `Series.shift`."""
        only("DataFrame.shift", freq=(freq, None), axis=(axis, 0, "index"), suffix=(suffix, None))
        return self._map(lambda column: column.shift(periods, fill_value=fill_value))

    def diff(self: _Self, periods: int = 1, axis: object = 0) -> _Self:
        """Each column's values less those of so many rows earlier."""
        only("DataFrame.diff", axis=(axis, 0, "index"))
        return self._map(lambda column: column.diff(periods))

    def pct_change(
        self: _Self, periods: int = 1, fill_method: object = None, freq: object = None, **kwargs: Any
    ) -> _Self:
        """The relative change from so many rows earlier. `freq` and `fill_method` are refused."""
        return self._map(lambda column: column.pct_change(periods, fill_method, freq, **kwargs))

    def ffill(
        self: _Self,
        *,
        axis: object = None,
        inplace: bool = False,
        limit: int | None = None,
        limit_area: object = None,
    ) -> _Self:
        """Missing values from the last row before that has one, at most `limit` rows on."""
        return self._map(
            lambda column: column.ffill(axis=axis, inplace=inplace, limit=limit, limit_area=limit_area)
        )

    def bfill(
        self: _Self,
        *,
        axis: object = None,
        inplace: bool = False,
        limit: int | None = None,
        limit_area: object = None,
    ) -> _Self:
        """Missing values from the next row that has one, at most `limit` rows back."""
        return self._map(
            lambda column: column.bfill(axis=axis, inplace=inplace, limit=limit, limit_area=limit_area)
        )

    def rank(
        self: _Self,
        axis: object = 0,
        method: str = "average",
        numeric_only: bool = False,
        na_option: str = "keep",
        ascending: bool = True,
        pct: bool = False,
    ) -> _Self:
        """The place of each value among those of its column; see `Series.rank`."""
        only("DataFrame.rank", axis=(axis, 0, "index"))
        return self._numbers("DataFrame.rank", numeric_only)._map(
            lambda column: column.rank(method=method, na_option=na_option, ascending=ascending, pct=pct)
        )
