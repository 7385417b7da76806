"""What a Partition puts in the place of its cells: conditions, bounds, look-ups; rows without missing cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.elementwise import Elementwise
from rlm_hypervisor.partition.operators import Operators, apply
from rlm_hypervisor.partition.refusal import boolean, is_label, labels_of, only, refuse, whole_number
from rlm_hypervisor.partition.replacing import GIVEN_NOTHING
from rlm_hypervisor.partition.scalar import Summary

_Self = TypeVar("_Self", bound="FrameReplacing")


class FrameReplacing:
    """The base of Partition that knows how to replace cells."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

        def _map(self: _Self, change: Any) -> _Self: ...
        def _require(self, labels: list[Any], call: str) -> list[Any]: ...

    def _by_column(self: _Self, change: Any) -> _Self:
        """Every column replaced by what the change gives for its label and itself."""
        frame = self._frame
        for label in self._frame.columns:
            frame = frame.assign(label, change(label, Column(self._frame.column(label)))._frame)
        return type(self)(frame)  # type: ignore[call-arg]

    def _part(self, value: Any, call: str, down: bool) -> Any:
        """What stands for a column of this partition in an argument, by label."""
        if callable(value) and not isinstance(value, Operators):
            value = value(self)
        if isinstance(value, Elementwise):
            theirs = value._frame
            if theirs.columns != self._frame.columns:
                refuse(f"`{call}` with a partition of other columns is not native", "Select the same columns")
            return lambda label: Column(theirs.column(label))
        if isinstance(value, Summary):
            scalars = value.scalars()
            if scalars is None or set(scalars) != set(self._frame.columns):
                refuse(f"`{call}` with a summary of other columns is not native", "Select the same columns")
            return scalars.__getitem__
        if isinstance(value, Operators) and value._frame.kind == "series" and not down:
            refuse(
                f"`{call}` between a partition and a column matches row labels with columns, in pandas too",
                "Write it with `axis=0`, or column by column",
                call=call,
            )
        return lambda label: value

    def where(
        self: _Self,
        cond: Any,
        other: Any = GIVEN_NOTHING,
        *,
        inplace: bool = False,
        axis: Any = None,
        level: object = None,
    ) -> _Self:
        """The cells where the condition (a partition of booleans) holds, elsewhere `other` (default: missing)."""
        return self._where("where", cond, other, inplace, axis, level)

    def mask(
        self: _Self,
        cond: Any,
        other: Any = GIVEN_NOTHING,
        *,
        inplace: bool = False,
        axis: Any = None,
        level: object = None,
    ) -> _Self:
        """The cells where the condition (a partition of booleans) does not hold, elsewhere `other`."""
        return self._where("mask", cond, other, inplace, axis, level)

    def _where(
        self: _Self, name: str, cond: Any, other: Any, inplace: object, axis: object, level: object
    ) -> _Self:
        call = f"DataFrame.{name}"
        only(call, inplace=(inplace, False), axis=(axis, None, 0, "index"), level=(level, None))
        if callable(cond) and not isinstance(cond, Operators):
            cond = cond(self)
        if not isinstance(cond, Elementwise):
            refuse(
                f"`{call}` takes a partition of booleans here, not `{clipped(cond)}`",
                "Compare the partition itself, or work column by column: `p['x'].where(condition)`",
                call=call,
            )
        conditions = self._part(cond, call, False)
        others = self._part(other, call, axis in (0, "index"))
        return self._by_column(lambda label, column: getattr(column, name)(conditions(label), others(label)))

    def clip(
        self: _Self,
        lower: Any = None,
        upper: Any = None,
        *,
        axis: Any = None,
        inplace: bool = False,
        **kwargs: object,
    ) -> _Self:
        """Within bounds: values, summaries by label, or (`axis=0`) columns."""
        call = "DataFrame.clip"
        only(call, axis=(axis, None, 0, "index", 1, "columns"), inplace=(inplace, False))
        only(call, **{name: (value,) for name, value in kwargs.items()})
        down = axis in (0, "index")
        low, high = self._part(lower, call, down), self._part(upper, call, down)
        return self._by_column(lambda label, column: column.clip(low(label), high(label)))

    def replace(
        self: _Self,
        to_replace: Any = None,
        value: Any = GIVEN_NOTHING,
        *,
        inplace: bool = False,
        regex: Any = False,
    ) -> _Self:
        """As of a column, in all; a dict of dicts says what to replace in which column."""
        call = "DataFrame.replace"
        only(call, inplace=(inplace, False))
        if isinstance(to_replace, dict) and to_replace:
            nested = [isinstance(part, dict) for part in to_replace.values()]
            if all(nested) and value is GIVEN_NOTHING:
                changes = to_replace
                return self._by_column(
                    lambda label, column: (
                        column.replace(changes[label], regex=regex) if label in changes else column
                    )
                )
            if any(nested):
                refuse(
                    f"`{call}` mixes dicts and values",
                    "Give either values, or a dict for each column",
                    call=call,
                )
            if value is not GIVEN_NOTHING:
                given = value if isinstance(value, dict) else dict.fromkeys(to_replace, value)
                return self._by_column(
                    lambda label, column: (
                        column.replace(to_replace[label], given[label], regex=regex)
                        if label in to_replace and label in given
                        else column
                    )
                )
        elif isinstance(value, dict):
            return self._by_column(
                lambda label, column: (
                    column.replace(to_replace, value[label], regex=regex) if label in value else column
                )
            )
        text = regex is not False
        return self._by_column(
            lambda label, column: (
                column if text and column.dtype != "str" else column.replace(to_replace, value, regex=regex)
            )
        )

    def dropna(
        self: _Self,
        *,
        axis: Any = 0,
        how: Any = GIVEN_NOTHING,
        thresh: Any = GIVEN_NOTHING,
        subset: Any = None,
        inplace: bool = False,
        ignore_index: bool = False,
    ) -> _Self:
        """Without the rows that have a missing cell (`how="all"`: nothing else; or fewer than `thresh` values)."""
        call = "DataFrame.dropna"
        only(call, inplace=(inplace, False))
        if axis not in (0, "index"):
            refuse(f"`{call}` of columns depends on the rows", "Drop columns by label", call=call)
        if how is not GIVEN_NOTHING and thresh is not GIVEN_NOTHING:
            refuse(f"`{call}` takes `how` or `thresh`, not both", "Leave one of them out", call=call)
        labels = self._frame.columns
        if subset is not None:
            found = [subset] if is_label(subset) else labels_of(subset)
            if found is None:
                refuse(
                    f"`{call}` takes labels of columns, not `{clipped(subset)}`",
                    "Name a column, or a list of them: `subset=['x']`",
                    call=call,
                )
            labels = self._require(found, f"`{call}`")
        there = [apply("notna", Column(self._frame.column(label))) for label in labels]
        frame = self._frame
        if there and thresh is not GIVEN_NOTHING:
            count = there[0].astype("int64")
            for part in there[1:]:
                count = count + part
            frame = frame.filter((count >= whole_number(call, "thresh", thresh))._frame)
        elif there:
            if how not in (GIVEN_NOTHING, "any", "all"):
                refuse(
                    f"`{call}` takes 'any' or 'all' for `how`, not {clipped(how)}",
                    "Give one of these words; 'any' is the default",
                    call=call,
                )
            kept = there[0]
            for part in there[1:]:
                kept = kept | part if how == "all" else kept & part
            frame = frame.filter(kept._frame)
        return type(self)(frame.reset_index(True) if boolean(call, "ignore_index", ignore_index) else frame)  # type: ignore[call-arg]

    def map(self: _Self, func: Any, na_action: Any = None, **kwargs: Any) -> _Self:
        """A function of single values applied to every cell; see `Series.map`."""
        if not callable(func):
            refuse(
                f"`DataFrame.map` takes a function, not `{clipped(func)}`",
                "Give a function of single values: `p.map(lambda v: v * 2)`",
                call="DataFrame.map",
            )
        return self._by_column(lambda label, column: column.map(func, na_action, **kwargs))
