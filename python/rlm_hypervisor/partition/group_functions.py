"""Functions of a group: `apply`, `filter`, `transform` with a function that is called once, on a symbolic group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor.partition import functions as fn
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.frame import Partition
from rlm_hypervisor.partition.group_rows import GroupRows
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import only, refuse
from rlm_hypervisor.partition.scalar import Scalar, Summary

_WHAT = "Give back a scalar of the group, a `pd.Series` of scalars, or a column of the group's rows"


class GroupFunctions(GroupRows):
    """The part of group-bys that calls functions of the user's own, once, with a symbolic group.

    Aggregates within such a function are those of the group: `lambda g: g["x"].max() - g["x"].min()`.
    """

    __slots__ = ()
    _group_keys: bool

    def _given(self) -> _core.Frame:
        """The columns that a function is called with."""
        if self._surface == "SeriesGroupBy":
            return self._frame
        return self._frame.select(list(self._columns()))

    def _inside(self) -> _core.Frame:
        """What a function is called with."""
        return self._groups.enter(self._given())

    def apply(self, func: Any, *args: Any, include_groups: bool = False, **kwargs: Any) -> Any:
        """`func` of each group: a scalar, a `pd.Series` of scalars, or a column or partition of the group's rows.

        Aggregates, conditions, functions of neighbouring rows, and choosing or sorting the rows of the group
        (`g.nlargest(2, "x")`, `g[g["x"] > g["x"].mean()]`, `g.sort_values("t").head(1)`) are native within it;
        aggregates of chosen rows that are sorted, and grouping a group, are refused.
        """
        call = self._call("apply")
        only(call, include_groups=(include_groups, False))
        if isinstance(func, str):
            if func.startswith("_") or not hasattr(self, func):
                refuse(f"`{call}` of {func!r} is not native", "Call the method itself", call=call)
            return getattr(self, func)(*args, **kwargs)
        if not callable(func):
            refuse(f"`{call}` takes a function of a group", _WHAT, call=call)
        series = self._surface == "SeriesGroupBy"
        joins = isinstance(getattr(func, "__self__", None), str) and func.__name__ == "join"
        if (func is list or joins) and series and not args and not kwargs:
            return self.agg(func)  # type: ignore[attr-defined]
        inside = self._inside()
        group: Any = Column(inside) if series else Partition(inside)
        result = func(group, *args, **kwargs)
        if isinstance(result, Scalar):
            label = self._frame.columns[0] if series else None
            return self._answer(self._groups.per_group(inside, [(label, result._frame)], True))
        if isinstance(result, Summary):
            scalars = result.scalars()
            if scalars is None or series:
                refuse(
                    f"`{call}` of a function that gives a table for each group is not native",
                    _WHAT,
                    call=call,
                )
            items = [(label, scalar._frame) for label, scalar in _alike(scalars).items()]
            return self._answer(self._groups.per_group(inside, items, False))
        if isinstance(result, Column | Partition) and not inside.same_rows(result._frame):
            if isinstance(result, Column) and not series:
                refuse(
                    f"`{call}` of a function that gives a column of some rows of a group: its shape in pandas depends "
                    "on the rows",
                    "Give back a partition, `g[...][['x']]`, or group the column: `p.groupby('k')['x'].apply(...)`",
                    call=call,
                )
            # Called again with a group whose rows keep their labels wherever they go.
            inside = self._groups.enter_labelled(self._given())
            again = func(Column(inside) if series else Partition(inside), *args, **kwargs)
            return self._answer(self._groups.chosen(inside, again._frame, self._group_keys))
        if isinstance(result, Column | Partition):
            rows = self._groups.leave(inside, result._frame)
            if not self._group_keys:
                # Rows with a missing key are in no group.
                return self._answer(rows.filter(self._place(True).notna()._frame))
            items = [(label, rows.column(label)) for label in rows.columns]
            if isinstance(result, Column):
                items = [(rows.columns[0], rows)]
            return self._answer(self._groups.by_group(items, isinstance(result, Column)))
        refuse(f"`{call}` of a function that gives a {type(result).__name__} is not native", _WHAT, call=call)

    def _answer(self, frame: _core.Frame) -> Any:
        return Column(frame) if frame.kind == "series" else Partition(frame)

    def _function(self, func: Callable[..., Any], column: _core.Frame, args: Any, kwargs: Any) -> _core.Frame:
        """What a function of a group's column gives, for each row."""
        inside = self._groups.enter(column)
        result = func(Column(inside), *args, **kwargs)
        if not isinstance(result, Scalar | Column):
            refuse(
                f"`{self._call('transform')}` of a function that gives a {type(result).__name__} is not native",
                "Give back a scalar of the group, or a column of its rows",
            )
        return self._groups.leave(inside, result._frame).with_name(column.columns[0])

    def transform(
        self,
        func: Any = None,
        *args: Any,
        engine: object = None,
        engine_kwargs: object = None,
        **kwargs: Any,
    ) -> Any:
        """The value of each row's group: an aggregate by name, or a row-aligned function of the group.

        A function of your own is called once for each column with a symbolic group, as in `apply`.
        """
        only(self._call("transform"), engine=(engine, None), engine_kwargs=(engine_kwargs, None))
        if fn.is_own(func):
            return self._rows(lambda column: self._function(func, column, args, kwargs))
        return super().transform(func, *args, **kwargs)

    def resample(
        self,
        rule: Any,
        *args: Any,
        include_groups: bool = False,
        on: Any = None,
        closed: Any = None,
        label: Any = None,
        level: Any = None,
        origin: Any = "start_day",
        offset: Any = None,
        group_keys: Any = False,
    ) -> Any:
        """Bins of time of each group, from its first to its last: of the column `on`, or of an index of times.

        Bins have to divide a day, or be days, weeks or longer calendar ones; `origin` and `offset` are refused.
        """
        from rlm_hypervisor.partition.resampling import resampled_groups

        call = self._call("resample")
        fn.reject_arguments(f"`{call}`", args, {})
        only(
            call, include_groups=(include_groups, False), origin=(origin, "start_day"), offset=(offset, None)
        )
        only(call, level=(level, None), group_keys=(group_keys, False, True))
        return resampled_groups(self, call, rule, closed, label, on)

    def filter(self, func: Any, dropna: bool = True, *args: Any, **kwargs: Any) -> Any:
        """The rows of the groups for which `func` gives True, in the order of all rows. `dropna=False` is refused."""
        call = self._call("filter")
        only(call, dropna=(dropna, True))
        series = self._surface == "SeriesGroupBy"
        inside = self._groups.enter(self._chosen())
        group: Any = Column(inside) if series else Partition(inside)
        result = func(group, *args, **kwargs) if callable(func) else None
        if not isinstance(result, Scalar) or result.dtype != "bool":
            refuse(
                f"`{call}` takes a function that gives one condition for each group",
                "Compare an aggregate",
                call=call,
            )
        return self._where(Column(self._groups.leave(inside, result._frame)))


def _alike(scalars: dict[Any, Scalar]) -> dict[Any, Scalar]:
    """A series of numbers has one type: whole ones beside floats become floats."""
    kinds = {scalar.dtype.kind for scalar in scalars.values()}
    if not kinds <= set("iuf") or "f" not in kinds or len(kinds) == 1:
        return scalars
    return {label: apply("astype", scalar, "float64") for label, scalar in scalars.items()}
