"""The index while tracing: its levels by name or number, and what `p.index` is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.operators import Operators
from rlm_hypervisor.partition.refusal import (
    boolean,
    is_label,
    labels_of,
    only,
    refuse,
    refuse_value,
    whole_number,
)


def level_numbers(frame: _core.Frame, level: Any, call: str) -> list[int]:
    """The numbers of levels that are given by name or number, one or several."""
    names = list(frame.index_names or [None])
    found: list[int] = []
    for item in [level] if is_label(level) else labels_of(level) or [level]:
        if item in names and item is not None:
            found.append(names.index(item))
        elif isinstance(item, int) and not isinstance(item, bool) and -len(names) <= item < len(names):
            found.append(item % len(names))
        else:
            refuse(
                f"`{call}`: the index has no level {clipped(item)}, only {names!r}",
                "Name one of these, or its number from 0",
                call=call,
                level=str(item),
            )
    return found


def sorted_index(
    frame: _core.Frame, level: Any, ascending: Any, na_position: Any, sort_remaining: Any, call: str
) -> _core.Frame:
    """Sorted by the index, or by some of its levels first."""
    only(call, na_position=(na_position, "last", "first"))
    count = len(frame.index_names or [None])
    numbers = list(range(count)) if level is None else level_numbers(frame, level, call)
    flags = list(ascending) if isinstance(ascending, list | tuple) else [ascending]
    ways = [boolean(call, "ascending", flag) for flag in flags]
    if len(ways) not in (1, len(numbers)):
        refuse(
            f"`{call}` got {len(ways)} directions for {len(numbers)} level(s)",
            "Give True or False once, or once for each level",
            call=call,
        )
    if na_position == "first" and count > 1:
        refuse(
            f"`{call}` with `na_position='first'` is for an index of one level, in pandas too",
            "Leave `na_position` out, or call `reset_index()` and sort by the columns",
            call=call,
        )
    if frame.index_names is None and ways[0]:
        return frame
    ways = ways * len(numbers) if len(ways) == 1 else ways
    if level is not None and boolean(call, "sort_remaining", sort_remaining):
        rest = [number for number in range(count) if number not in numbers]
        ways += [ways[0] if len(set(ways)) == 1 else True] * len(rest)
        numbers += rest
    return frame.sort_levels(numbers, ways, na_position == "first")


_OF_LABELS = frozenset(
    (
        *("isna", "isnull", "notna", "notnull", "min", "max", "nunique", "str", "map", "astype", "unique"),
        *("is_unique", "is_monotonic_increasing", "is_monotonic_decreasing", "duplicated", "value_counts"),
        *("values", "array", "to_numpy", "tolist", "to_list", "size", "shape", "where", "fillna", "dropna"),
    )
)
"""What an index has as a column has it."""


class RowIndex(Operators):
    """The labels of the rows: a column for expressions, with the few methods of `pandas.Index` that make sense."""

    __slots__ = ("_owner",)
    _kind = "row index"

    def __init__(self, owner: _core.Frame) -> None:
        self._owner = owner

    @property
    def _frame(self) -> _core.Frame:  # type: ignore[override]
        if self.nlevels > 1:
            refuse(
                "an index of several levels is no single column", "Take one: `p.index.get_level_values(0)`"
            )
        return self._owner.level(0)

    @property
    def names(self) -> list[Any]:
        """The names of the levels."""
        return list(self._owner.index_names or [None])

    @property
    def name(self) -> Any:
        """The name of the only level."""
        return self.names[0] if self.nlevels == 1 else None

    @name.setter
    def name(self, name: object) -> NoReturn:
        refuse("`p.index.name = ...` is not native in this version", "Write `p = p.rename_axis('name')`")

    @property
    def nlevels(self) -> int:
        """How many levels there are."""
        return len(self.names)

    @property
    def dtype(self) -> DType:
        """The type of the labels."""
        return DType(self._frame.dtypes[0])

    def get_level_values(self, level: Any) -> Any:
        """One level, as a column of the same rows."""
        number = level_numbers(self._owner, level, "Index.get_level_values")[0]
        return self._column(self._owner.level(number))

    def to_series(self, index: object = None, name: Any = ...) -> Any:
        """The labels as a column of the same rows."""
        only("Index.to_series", index=(index, None))
        frame = self._frame
        return self._column(frame if name is ... else frame.with_name(name))

    def isin(self, values: Any, level: Any = None) -> Any:
        """True where the label is one of a list."""
        column = self.to_series() if level is None else self.get_level_values(level)
        return column.isin(values)

    def _column(self, frame: _core.Frame) -> Any:
        from rlm_hypervisor.partition.column import Column

        return Column(frame)

    def __getitem__(self, key: Any) -> Any:
        """The label at a place, as a scalar, or those of a slice of places."""
        from rlm_hypervisor.partition.picking import at_place

        if isinstance(key, slice):
            ends = (key.start or 0, key.stop)
            if key.step not in (None, 1) or not all(end is None or type(end) is int for end in ends):
                refuse(
                    "a slice of the index takes whole numbers, and no step", "Slice the rows: `p.iloc[...]`"
                )
            return RowIndex(self._owner.slice(*ends))
        return at_place(self.to_series(), whole_number("Index", "position", key), "Index")

    def __len__(self) -> NoReturn:
        refuse_value("`len()` of the index", "Use `p.shape[0]`, a scalar, in expressions")

    def __iter__(self) -> NoReturn:
        refuse_value("iteration over row labels", "Write it with column arithmetic and aggregates")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        column = self.to_series()
        if name in _OF_LABELS:
            return getattr(column, name)
        if self.dtype.kind == "M":
            return getattr(column.dt, name)
        refuse(
            f"`Index.{name}` is not native in this version",
            "Make the index a column: `p.reset_index()`",
            call=f"Index.{name}",
        )

    def __repr__(self) -> str:
        return f"<row index {self.names!r}, its labels not known while tracing>"


SORTS = ("quicksort", "mergesort", "heapsort", "stable")
"""What pandas calls ways to sort; ours are all stable."""


class Levelled:
    """The base of Column that knows its index."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

    def _column(self, frame: _core.Frame) -> Any:
        from rlm_hypervisor.partition.column import Column

        return Column(frame)

    def sort_index(
        self,
        *,
        axis: object = 0,
        level: object = None,
        ascending: object = True,
        inplace: bool = False,
        kind: str = "quicksort",
        na_position: str = "last",
        sort_remaining: bool = True,
        ignore_index: bool = False,
        key: object = None,
    ) -> Any:
        """Sorted by the index, or by some of its levels (then by the others)."""
        call = "Series.sort_index"
        only(call, axis=(axis, 0, "index"), inplace=(inplace, False), kind=(kind, *SORTS), key=(key, None))
        frame = sorted_index(self._frame, level, ascending, na_position, sort_remaining, call)
        return self._column(frame.reset_index(True) if boolean(call, "ignore_index", ignore_index) else frame)

    def reset_index(
        self,
        level: object = None,
        *,
        drop: bool = False,
        name: Any = ...,
        inplace: bool = False,
        allow_duplicates: bool = False,
    ) -> Any:
        """The index as columns and the values as another called `name`; with `drop` only the values."""
        call = "Series.reset_index"
        only(call, inplace=(inplace, False), allow_duplicates=(allow_duplicates, False))
        dropped = boolean(call, "drop", drop)
        if name is None and not dropped:
            refuse(
                "`Series.reset_index` with `name=None` is not native in this version",
                "Give a name, or leave it out",
            )
        label = None if name is ... or dropped else name
        if level is None:
            frame = self._frame.reset_index(dropped, label)
        else:
            frame = self._frame.reset_levels(level_numbers(self._frame, level, call), dropped, label)
        if dropped:
            return self._column(frame)
        from rlm_hypervisor.partition.frame import Partition

        return Partition(frame)

    def rename_axis(
        self,
        mapper: Any = ...,
        *,
        index: Any = ...,
        axis: Any = 0,
        copy: object = None,
        inplace: bool = False,
    ) -> Any:
        """With another name of the index (a list for several levels; None for none)."""
        call = "Series.rename_axis"
        only(call, inplace=(inplace, False), copy=(copy, None, True, False), axis=(axis, 0, "index"))
        from rlm_hypervisor.partition.shaping import renamed_levels

        return self._column(renamed_levels(self._frame, mapper if index is ... else index, call))

    @property
    def index(self) -> RowIndex:
        """The labels of the rows, for expressions: `s[s.index > 3]`."""
        return RowIndex(self._frame)
