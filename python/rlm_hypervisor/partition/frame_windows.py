"""What a partition knows of neighbouring rows, column by column: running totals, shifts, ranks, fills."""

from __future__ import annotations

from typing import Any, TypeVar

from rlm_hypervisor.partition import functions as fn, rolling as moving, weighted
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.positions import ILoc
from rlm_hypervisor.partition.refusal import boolean, is_label, labels_of, only, refuse, whole_number
from rlm_hypervisor.partition.rolling_times import Times
from rlm_hypervisor.partition.summaries import Summaries
from rlm_hypervisor.partition.windows import NOT_GIVEN, repeated

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
        """Missing floats of each column on the line between their neighbours; see `Series.interpolate`."""
        return self._map(
            lambda column: column.interpolate(
                method,
                axis=axis,
                limit=limit,
                inplace=inplace,
                limit_direction=limit_direction,
                limit_area=limit_area,
                **kwargs,
            )
        )

    def _moving(
        self: _Self, function: str, options: list[Any], numeric_only: bool, times: Times | None = None
    ) -> _Self:
        frame, on, other = self._frame, None, None
        if times is not None:
            on, other = times.on, times.column
            if on is not None and on not in frame.columns:
                frame = frame.assign(on, other)
        if numeric_only:  # booleans are no numbers here
            kinds = zip(frame.columns, frame.dtypes, strict=True)
            frame = frame.select([c for c, dtype in kinds if c == on or DType(dtype).kind in "iuf"])
        of = frame
        for label in of.columns:
            if on is None or label != on:
                frame = frame.assign(label, of.column(label).window(function, options, other))
        return type(self)(frame)  # type: ignore[call-arg]

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
        """Windows of so many rows in every column; see `Series.rolling`."""
        return moving.rolling(
            "DataFrame.rolling",
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
        """Windows of all rows up to each in every column."""
        return moving.expanding("DataFrame.expanding", self, min_periods, method)

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
        """All rows up to each in every column, with weights that decay; see `Series.ewm`."""
        return weighted.ewm(
            "DataFrame.ewm",
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
        rows = whole_number("DataFrame.tail", "n", n)
        return type(self)(self._frame.slice(-rows, None) if rows else self._frame.head(0))  # type: ignore[call-arg]

    @property
    def iloc(self) -> ILoc:
        """Rows by a slice of positions, columns by position: `p.iloc[2:7]`, `p.iloc[:, 0]`, `p.iloc[-3:, [0, 2]]`.

        Single rows, lists of rows and assignment are refused.
        """
        return ILoc(self)

    def duplicated(self, subset: Any = None, keep: Any = "first") -> Any:
        """True where an earlier row agrees in `subset` (default: all columns); `keep="last"`: a later one.

        `keep=False`: any other.
        """
        labels = (
            self._frame.columns if subset is None else [subset] if is_label(subset) else labels_of(subset)
        )
        if not labels:
            refuse(
                "`DataFrame.duplicated` takes labels of columns",
                "Name a column, or a list of them: `p.duplicated('k')`",
                call="DataFrame.duplicated",
            )
        keys = [self._frame.column(label) for label in self._require(labels, "`DataFrame.duplicated`")]
        return repeated(self._frame, keys, keep, "DataFrame.duplicated")
