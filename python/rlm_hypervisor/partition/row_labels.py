"""Rows by what their labels are: `g.xs("a", level="k")`, `p.between_time("09:00", "17:00")`, `p.truncate(before, after)`."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.constant import constant
from rlm_hypervisor.partition.levels import level_numbers
from rlm_hypervisor.partition.operators import apply, wrap
from rlm_hypervisor.partition.refusal import boolean, only, refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.scalar import Scalar

_Own = TypeVar("_Own", bound="RowLabels")
_INCLUSIVE = {"both": ("ge", "le"), "neither": ("gt", "lt"), "left": ("ge", "lt"), "right": ("gt", "le")}


def _seconds(given: Any, call: str) -> float:
    """A time of the day as seconds since midnight."""
    found = given
    if isinstance(given, str):
        for form in ("%H:%M", "%H%M", "%I:%M%p", "%I%M%p", "%H:%M:%S", "%H%M%S", "%I:%M:%S%p", "%I%M%S%p"):
            try:
                found = datetime.datetime.strptime(given, form).time()
            except ValueError:
                continue
            break
    if not isinstance(found, datetime.time) or found.tzinfo is not None:
        refuse(
            f"`{call}` takes times of the day, such as '09:30', not `{clipped(given)}`",
            "Give text such as '09:30', or a `datetime.time` without a zone",
            call=call,
        )
    return found.hour * 3600 + found.minute * 60 + found.second + found.microsecond / 1e6


class RowLabels:
    """The base of Partition and Column that chooses rows by their labels."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

    def _method(self, method: str) -> str:
        return f"{'DataFrame' if hasattr(self, 'columns') else 'Series'}.{method}"

    def _kept(self: _Own, condition: Any) -> _Own:
        return type(self)(self._frame.filter(condition._frame))  # type: ignore[call-arg]

    def _only_level(self, call: str) -> Any:
        if len(self._frame.index_names or [None]) > 1:
            refuse(
                f"`{call}` of an index of several levels is not native",
                "Call `reset_index()` first",
                call=call,
            )
        return wrap(self._frame.level(0))

    @property
    def empty(self) -> Any:
        """Whether there are no rows, or no columns; a scalar that is not known yet where it depends on the rows."""
        from rlm_hypervisor.partition.scalar import Scalar

        return True if not self._frame.columns else Scalar(self._frame.rows()) == 0

    def xs(self: _Own, key: Any, axis: Any = 0, level: Any = None, drop_level: bool = True) -> Any:
        """The rows with a label in one level of the index (default: the first), without that level.

        A run fails where there is no such row. A label of an index of one level is `p.loc[label]`.
        """
        call = self._method("xs")
        only(call, axis=(axis, 0, "index"))
        names = self._frame.index_names or [None]
        if len(names) < 2 or isinstance(key, list | tuple):
            refuse(
                f"`{call}` takes one label of a level of an index of several",
                "Of an index of one level it is `p.loc[label]`",
                call=call,
            )
        (number,) = level_numbers(self._frame, 0 if level is None else level, call)
        here = apply("eq", wrap(self._frame.level(number)), constant(key, f"`{call}`"))
        there = apply("ensure", here.any(), here.any(), f"`{call}({clipped(key)})`: there is no such label")
        rows = self._kept(here & there)
        if not boolean(call, "drop_level", drop_level):
            return rows
        return type(self)(rows._frame.reset_levels([number], True))  # type: ignore[call-arg]

    def _time_of_day(self, call: str) -> Any:
        labels = self._only_level(call)
        if labels.dtype.kind != "M":
            refuse(f"`{call}` needs an index of times", "Set it: `p.set_index('t')`", call=call)
        of = labels.dt
        return of.hour * 3600 + of.minute * 60 + of.second + of.microsecond / 1e6

    def between_time(
        self: _Own, start_time: Any, end_time: Any, inclusive: str = "both", axis: Any = None
    ) -> _Own:
        """The rows whose label, a time, lies between two times of the day; over midnight if the end is the earlier."""
        call = self._method("between_time")
        only(call, axis=(axis, None, 0, "index"), inclusive=(inclusive, *_INCLUSIVE))
        first, last = _INCLUSIVE[inclusive]
        start, end = _seconds(start_time, call), _seconds(end_time, call)
        time = self._time_of_day(call)
        after, before = apply(first, time, start), apply(last, time, end)
        if start <= end:
            return self._kept(after & before)
        # Over midnight pandas keeps rows whose time is missing.
        return self._kept(after | before | time.isna())

    def at_time(self: _Own, time: Any, asof: bool = False, axis: Any = None) -> _Own:
        """The rows whose label is this time of the day."""
        call = self._method("at_time")
        only(call, asof=(asof, False), axis=(axis, None, 0, "index"))
        return self._kept(apply("eq", self._time_of_day(call), _seconds(time, call)))

    def truncate(
        self: _Own, before: Any = None, after: Any = None, axis: Any = None, copy: object = None
    ) -> _Own:
        """The rows with labels from `before` to `after`, which have to be in order of their labels, or a run fails."""
        call = self._method("truncate")
        only(call, axis=(axis, None, 0, "index"), copy=(copy, None, True, False))
        labels = self._only_level(call)
        sorted_up = labels.is_monotonic_increasing | labels.is_monotonic_decreasing
        condition = apply("ensure", True, sorted_up, f"`{call}`: the rows are not in order of their labels")
        condition = condition & labels.notna()
        if before is not None:
            condition = condition & apply("ge", labels, constant(before, f"`{call}`"))
        if after is not None:
            condition = condition & apply("le", labels, constant(after, f"`{call}`"))
        return self._kept(condition)

    def _valid(self, call: str, last: bool) -> Scalar:
        columns = [wrap(self._frame.column(label)) for label in self._frame.columns]
        there: Any = (
            columns[0].notna() if columns else refuse(f"`{call}` of no columns", "Select some", call=call)
        )
        for column in columns[1:]:
            there = there | column.notna()
        rows = type(self)(self._frame.filter(there._frame))  # type: ignore[call-arg]
        return rows._only_level(call)._reduce("row_last" if last else "row_first")  # type: ignore[no-any-return]

    def first_valid_index(self) -> Scalar:
        """The label of the first row that has a value; missing where there is none."""
        return self._valid(self._method("first_valid_index"), False)

    def last_valid_index(self) -> Scalar:
        """The label of the last row that has a value; missing where there is none."""
        return self._valid(self._method("last_valid_index"), True)
