"""Which rows of each group: the first, the last, those at a place, the largest; and windows within groups."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition import rolling as moving, weighted
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.frame import Partition
from rlm_hypervisor.partition.group_lists import SeriesGroupLists
from rlm_hypervisor.partition.group_windows import GroupWindows
from rlm_hypervisor.partition.refusal import only, refuse, whole_number
from rlm_hypervisor.partition.rolling_times import Times
from rlm_hypervisor.partition.sampling import drawn
from rlm_hypervisor.partition.scalar import Scalar

_ON = ("rlm", "on")


class GroupRows(GroupWindows):
    """The part of group-bys that chooses rows of each group, and moves windows over them."""

    __slots__ = ()

    def _place(self, from_start: bool) -> Column:
        """How many rows of the group come before each row, or after it; missing outside of groups."""
        return Column(self._groups.window("cumcount", None, [from_start]))

    def _chosen(self) -> _core.Frame:
        """The frame whose rows are chosen."""
        return self._frame

    def _where(self, condition: Any) -> Any:
        frame = self._chosen().filter(condition._frame)
        return Column(frame) if frame.kind == "series" else Partition(frame)

    def head(self, n: int = 5) -> Any:
        """The first `n` rows of each group, in the order of all rows; without the last `-n` if negative."""
        rows = whole_number(self._call("head"), "n", n)
        return self._where(self._place(True) < rows if rows >= 0 else self._place(False) >= -rows)

    def tail(self, n: int = 5) -> Any:
        """The last `n` rows of each group, in the order of all rows; without the first `-n` if negative."""
        rows = whole_number(self._call("tail"), "n", n)
        return self._where(self._place(False) < rows if rows >= 0 else self._place(True) >= -rows)

    def nth(self, n: Any, dropna: object = None) -> Any:
        """The rows at a place within their group, or at several; negative places count from the end.

        `dropna` is refused.
        """
        call = self._call("nth")
        only(call, dropna=(dropna, None))
        if isinstance(n, slice):
            return self._where(self._within(n, call))
        places = list(n) if isinstance(n, list | tuple | range | set) else [n]
        condition = None
        for place in places:
            if isinstance(place, slice):
                one = self._within(place, call)
            else:
                at = whole_number(call, "n", place)
                one = self._place(True) == at if at >= 0 else self._place(False) == -at - 1
            condition = one if condition is None else condition | one
        if condition is None:
            refuse(f"`{call}` got no places", "Give a number or a list of them", call=call)
        return self._where(condition)

    def sample(
        self,
        n: Any = None,
        frac: Any = None,
        replace: bool = False,
        weights: Any = None,
        random_state: Any = None,
    ) -> Any:
        """`n` rows of each group (default 1) or a share `frac` of them, drawn with a seed; see `DataFrame.sample`.

        The groups come in their order. With a seed the rows are those that pandas draws of the whole data.
        """
        call = self._call("sample")
        only(call, weights=(weights, None))
        draw = drawn(call, n, frac, replace, random_state)
        sizes = self._groups.aggregate([(None, [], "size", {})], True)
        number, place = self.ngroup()._frame, self._place(True)._frame
        frame = self._groups.draw(self._chosen(), draw, sizes, number, place)
        return Column(frame) if frame.kind == "series" else Partition(frame)

    @property
    def ngroups(self) -> Scalar:
        """How many groups there are, as a scalar."""
        return Scalar(self._groups.aggregate([(None, [], "size", {})], True).rows())

    def _within(self, places: slice, call: str) -> Any:
        if places.step not in (None, 1):
            refuse(f"`{call}` with a step is not native", "Give a list of places", call=call)
        start, stop = places.start or 0, places.stop
        condition = self._place(True) >= start if start >= 0 else self._place(False) < -start
        if stop is None:
            return condition
        return condition & (self._place(True) < stop if stop >= 0 else self._place(False) >= -stop)

    def _moving(
        self, function: str, options: list[Any], numeric_only: bool, times: Times | None = None
    ) -> Any:
        columns = self._columns()
        on = None if times is None else times.on
        if numeric_only:
            columns = {c: f for c, f in columns.items() if c == on or DType(f.dtypes[0]).kind in "iuf"}
        if not columns:
            refuse(f"`{self._surface}` has no columns left for windows", "Select some numbers")
        self._need_index()
        series = self._surface == "SeriesGroupBy"
        if times is None:
            items = [(c, self._groups.window(function, f, options)) for c, f in columns.items()]
            frame = self._groups.by_group(items, series)
            return Column(frame) if series else Partition(frame)
        frame = self._over_time(function, options, columns, times)
        return Column(frame.column(frame.columns[0])) if series else Partition(frame)

    def _need_index(self) -> None:
        if not self._as_index:
            refuse("windows of groups with `as_index=False` are not native", "Leave `as_index` out")

    def _side_by_side(self, asked: list[tuple[Any, Any, str, list[Any]]]) -> Partition:
        """Window functions (label, column, name, options) of the groups' columns as columns of one answer."""
        self._need_index()
        columns = self._columns()
        only = next(iter(columns.values()))
        items = [
            (label, self._groups.window(name, only if column is None else columns[column], options))
            for label, column, name, options in asked
        ]
        return Partition(self._groups.by_group(items, False))

    def _over_time(
        self, function: str, options: list[Any], columns: dict[Any, _core.Frame], times: Times
    ) -> _core.Frame:
        """Windows of time; of what was selected from them, the times are the rows' labels."""
        options = [*options, self._groups.dropna]
        items = [
            (c, f if c == times.on else self._groups.window(function, f, options, times.column))
            for c, f in columns.items()
        ]
        if times.on is None or not times.selected:
            return self._groups.by_group(items, False)
        frame = self._groups.by_group([*items, (_ON, times.column)], False)
        keys, levels = len(self._groups.keys), len(frame.index_names or [])
        frame = frame.reset_levels(list(range(keys, levels)), True, None).set_index([_ON], True, True)
        return frame.with_level_names([*self._groups.keys, times.on])

    _as_index: bool

    def rolling(
        self,
        window: Any,
        min_periods: int | None = None,
        center: bool = False,
        win_type: object = None,
        on: object = None,
        closed: object = None,
        method: str = "single",
    ) -> moving.Rolling:
        """Windows of so many rows, or of so much time, within each group; the answer's index is the keys and the rows' own labels."""
        call = self._call("rolling")
        return moving.rolling(call, self, window, min_periods, center, win_type, on, closed, None, method)

    def expanding(self, min_periods: int = 1, method: str = "single") -> moving.Expanding:
        """Windows of all rows of the group up to each; the index is the keys and the rows' own labels."""
        return moving.expanding(self._call("expanding"), self, min_periods, method)

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
        """The group's rows up to each, with weights that decay; see `Series.ewm`."""
        return weighted.ewm(
            self._call("ewm"),
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


class SeriesGroupRows(SeriesGroupLists, GroupRows):
    """What only the groups of one column have."""

    __slots__ = ()

    def _top(self, name: str, n: object, keep: object, largest: bool) -> Column:
        call = self._call(name)
        only(call, keep=(keep, "first"))
        rows = max(whole_number(call, "n", n), 0)
        kind = DType(self._frame.dtypes[0]).kind
        if kind not in "iufbMm":
            refuse(
                f"`{call}` needs numbers or times, not {clipped(self._frame.dtypes[0])}",
                "Convert the column first: `p['x'].astype('float64')`",
                call=call,
            )
        return Column(self._groups.top(self._frame, rows, largest))

    def nlargest(self, n: int = 5, keep: str = "first") -> Column:
        """The `n` largest values of each group, largest first; the index is the keys and the rows' own labels."""
        return self._top("nlargest", n, keep, True)

    def nsmallest(self, n: int = 5, keep: str = "first") -> Column:
        """The `n` smallest values of each group, smallest first; the index is the keys and the rows' own labels."""
        return self._top("nsmallest", n, keep, False)
