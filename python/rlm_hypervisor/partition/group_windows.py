"""What a group-by gives for each row: values of its group, running totals, shifts, ranks within it."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor.partition import functions as fn
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.constant import constant
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.frame import Partition
from rlm_hypervisor.partition.refusal import boolean, only, refuse
from rlm_hypervisor.partition.statistics import fraction
from rlm_hypervisor.partition.windows import NOT_GIVEN, limit_of, periods_of, rank_options

_ROW_ALIGNED = (
    "cumsum",
    "cumprod",
    "cummin",
    "cummax",
    "shift",
    "diff",
    "pct_change",
    "ffill",
    "bfill",
    "rank",
)
_COUNTS = ("cumcount", "ngroup")


class GroupWindows:
    """The part of group-bys that gives one value for each row, in the rows' own order."""

    __slots__ = ()
    _groups: _core.Groups
    _frame: _core.Frame
    _surface: str

    def _call(self, method: str) -> str:
        return f"{self._surface}.{method}"

    def _columns(self) -> dict[Any, _core.Frame]:
        """What the functions are of, by label."""
        raise NotImplementedError

    def _rows(self, change: Any, numeric_only: object = False, call: str = "") -> Any:
        """`change` of each column, as a partition or column of the same rows."""
        columns = self._columns()
        if boolean(call, "numeric_only", numeric_only):
            columns = {c: f for c, f in columns.items() if DType(f.dtypes[0]).is_number}
        if self._surface == "SeriesGroupBy":
            return Column(change(next(iter(columns.values()))))
        frame = self._frame.select(list(columns))
        for label, column in columns.items():
            frame = frame.assign(label, change(column))
        return Partition(frame)

    def _windowed(self, function: str, *options: object, numeric_only: object = False) -> Any:
        call = self._call(function)
        return self._rows(
            lambda column: self._groups.window(function, column, list(options)), numeric_only, call
        )

    def _cumulative(
        self,
        name: str,
        numeric_only: object,
        skipna: object,
        args: tuple[object, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        only(self._call(name), skipna=(skipna, True))
        fn.reject_arguments(f"`{self._call(name)}`", args, kwargs)
        return self._windowed(name, numeric_only=numeric_only)

    def cumsum(self, numeric_only: bool = False, skipna: bool = True, *args: object, **kwargs: Any) -> Any:
        """The sum of the group's values up to each row. `skipna=False` is refused."""
        return self._cumulative("cumsum", numeric_only, skipna, args, kwargs)

    def cumprod(self, numeric_only: bool = False, skipna: bool = True, *args: object, **kwargs: Any) -> Any:
        """The product of the group's values up to each row. `skipna=False` is refused."""
        return self._cumulative("cumprod", numeric_only, skipna, args, kwargs)

    def cummin(self, numeric_only: bool = False, skipna: bool = True, **kwargs: Any) -> Any:
        """The smallest of the group's values up to each row. `skipna=False` is refused."""
        return self._cumulative("cummin", numeric_only, skipna, (), kwargs)

    def cummax(self, numeric_only: bool = False, skipna: bool = True, **kwargs: Any) -> Any:
        """The largest of the group's values up to each row. `skipna=False` is refused."""
        return self._cumulative("cummax", numeric_only, skipna, (), kwargs)

    def shift(
        self, periods: Any = 1, freq: object = None, fill_value: Any = NOT_GIVEN, suffix: object = None
    ) -> Any:
        """The value so many rows of the group earlier (later, where negative), `fill_value` where there is none."""
        call = self._call("shift")
        only(call, freq=(freq, None), suffix=(suffix, None))
        fill = None if fill_value is NOT_GIVEN else constant(fill_value, f"`{call}`")
        return self._windowed("shift", periods_of(call, periods), fill)

    def diff(self, periods: int = 1) -> Any:
        """The value less that of so many rows of the group earlier."""
        return self._windowed("diff", periods_of(self._call("diff"), periods))

    def pct_change(self, periods: int = 1, fill_method: object = None, freq: object = None) -> Any:
        """The relative change from so many rows of the group earlier. `freq` and `fill_method` are refused."""
        call = self._call("pct_change")
        only(call, fill_method=(fill_method, None), freq=(freq, None))
        options = [periods_of(call, periods), None]

        def change(column: _core.Frame) -> _core.Frame:
            return (Column(column) / Column(self._groups.window("shift", column, options)) - 1)._frame

        return self._rows(change)

    def ffill(self, limit: int | None = None) -> Any:
        """Missing values from the last row of the group before that has one, at most `limit` rows on."""
        return self._windowed("ffill", limit_of(self._call("ffill"), limit))

    def bfill(self, limit: int | None = None) -> Any:
        """Missing values from the next row of the group that has one, at most `limit` rows back."""
        return self._windowed("bfill", limit_of(self._call("bfill"), limit))

    def rank(
        self,
        method: str = "average",
        ascending: bool = True,
        na_option: str = "keep",
        pct: bool = False,
    ) -> Any:
        """The place of each value within its group; see `Series.rank`."""
        return self._windowed("rank", *rank_options(self._call("rank"), method, ascending, na_option, pct))

    def cumcount(self, ascending: bool = True) -> Column:
        """How many rows of the group come before each row; with `ascending=False` after it."""
        before = boolean(self._call("cumcount"), "ascending", ascending)
        return Column(self._groups.window("cumcount", None, [before]))

    def ngroup(self, ascending: bool = True) -> Column:
        """The number of each row's group among all groups, in their order; with `ascending=False` from the last."""
        up = boolean(self._call("ngroup"), "ascending", ascending)
        if self._groups.sort:
            return Column(self._groups.window("ngroup", None, [up]))
        if not up:
            refuse(
                "`ngroup` of groups in order of appearance with `ascending=False` is not native",
                "Leave `ascending` out, or let the groups be sorted",
            )
        return Column(self._groups.window("group_number", None, []))

    def _broadcast(self, given: fn.Function) -> Any:
        """An aggregate's value for each row of the group."""
        if given.traced is not None:
            refuse(
                f"`{self._call('transform')}` by a function of your own (`{given.label}`) is not native",
                "Transform by the aggregates it is made of, and compute with them",
            )
        if given.name == "size":
            size = self._groups.window("size", None, [])
            if self._surface == "SeriesGroupBy":
                return Column(size).rename(self._frame.columns[0])
            return Column(size)
        return self._rows(lambda column: self._groups.window(given.name, column, [], **given.params))

    def transform(
        self,
        func: Any = None,
        *args: Any,
        engine: object = None,
        engine_kwargs: object = None,
        **kwargs: Any,
    ) -> Any:
        """The value of each row's group: an aggregate by name, or a row-aligned function of the group.

        A function of your own is called once with a symbolic group, as in `apply`.
        """
        call = f"`{self._call('transform')}`"
        only(self._call("transform"), engine=(engine, None), engine_kwargs=(engine_kwargs, None))
        if isinstance(func, str) and func in (*_ROW_ALIGNED, *_COUNTS) and hasattr(self, func):
            return getattr(self, func)(*args, **kwargs)
        if isinstance(func, list | tuple | dict):
            refuse(f"{call} of several functions at once is not native", "Transform by one at a time")
        given = fn.function(func, fn.GROUPED, call)
        known = {"ddof", "min_count"} if given.name in ("std", "var", "sum") else set()
        if not args and set(kwargs) <= known:
            return self._broadcast(given._replace(params=given.params | kwargs))
        if given.name == "quantile" and len(args) + len(kwargs) == 1 and set(kwargs) <= {"q"}:
            q = fraction(self._call("transform"), args[0] if args else kwargs["q"])
            return self._broadcast(given._replace(params=given.params | {"q": q}))
        fn.reject_arguments(call, args, kwargs)
        return self._broadcast(given)
