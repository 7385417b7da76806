"""Values of another table by the labels of the rows: `p.update(q)`, `p["x"].update(s)`, `p.align(q)`; levels swapped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from rlm_hypervisor import _core
from rlm_hypervisor.partition.alignment import united
from rlm_hypervisor.partition.levels import level_numbers
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import labels_of, only, refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column
    from rlm_hypervisor.partition.scalar import Scalar

_Own = TypeVar("_Own", bound="Aligning")
_NUMBERS = ("float32", "float64")


def _by_label(own: _core.Frame, other: _core.Frame, call: str) -> _core.Frame:
    """The other column's value for each row: of the same row, or of the one row that has its label."""
    if own.same_rows(other):
        return other
    if len(own.index_names or [None]) > 1 or len(other.index_names or [None]) > 1:
        refuse(f"`{call}` by an index of several levels is not native", "Use `merge`", call=call)
    return own.level(0).lookup(other, False)


def _updated(own: _core.Frame, other: _core.Frame, overwrite: bool, call: str) -> Any:
    from rlm_hypervisor.partition.column import Column

    mine, theirs = own.dtypes[0], other.dtypes[0]
    if mine != theirs and not (mine in _NUMBERS and theirs.startswith(("int", "uint", "float"))):
        refuse(
            f"`{call}` puts values of {theirs} into a column of {mine}",
            "Convert one of them first: `astype`",
            call=call,
        )
    found, kept = Column(_by_label(own, other, call)), Column(own)
    first, second = (found, kept) if overwrite else (kept, found)
    return apply("fillna", first, second)


def _over_labels(
    mine: _core.Frame, theirs: _core.Frame, join: str, call: str
) -> tuple[_core.Frame, _core.Frame]:
    """Two tables over the labels that `join` says."""
    from rlm_hypervisor.partition.column import Column

    if join == "right":
        other, own = _over_labels(theirs, mine, "left", call)
        return own, other
    sides = [[frame.column(label) for label in frame.columns] for frame in (mine, theirs)]
    marks = [(Column(side[0]).notna() | True)._frame for side in sides]
    found = united([*sides[0], *sides[1], *marks], call)
    kept: list[Any] = [apply("fillna", Column(mark), False) for mark in found[-2:]]
    if join != "outer":
        condition = kept[0] & kept[1] if join == "inner" else kept[0]
        frame = found[0].to_frame(0)
        for number, column in enumerate(found[1:-2], start=1):
            frame = frame.assign(number, column)
        frame = frame.filter(condition._frame)
        found = [frame.column(number).with_name(f.columns[0]) for number, f in enumerate(found[:-2])]
    parts = found[: len(sides[0])], found[len(sides[0]) : len(sides[0]) + len(sides[1])]
    return _of_columns(mine, parts[0]), _of_columns(theirs, parts[1])


def _of_columns(like: _core.Frame, columns: list[_core.Frame]) -> _core.Frame:
    """A frame of columns, or the only one, as another frame has them."""
    if like.kind == "series":
        return columns[0]
    frame = columns[0].to_frame(like.columns[0])
    for label, column in zip(like.columns[1:], columns[1:], strict=True):
        frame = frame.assign(label, column)
    return frame


class Aligning:
    """The base of Partition and Column that brings values of other rows to its own by their labels."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

    def align(
        self: _Own, other: Any, join: Any = "outer", axis: Any = None, level: Any = None, **kwargs: Any
    ) -> tuple[_Own, Any]:
        """This and another table over the same labels of rows; missing where one has no row of a label.

        `join` says which labels: those of either ("outer"), of both ("inner"), or of this or the other ("left",
        "right"). Rows have to be known to be in order of their labels, as those of a groupby and of the source are.
        Partitions have to have the same columns, unless `axis=0`.
        """
        call = f"{'DataFrame' if hasattr(self, 'columns') else 'Series'}.align"
        only(call, join=(join, "outer", "inner", "left", "right"), level=(level, None))
        only(call, axis=(axis, None, 0, 1, "index", "columns"))
        only(call, **{name: (value, None) for name, value in kwargs.items()})
        theirs = other._frame if type(other) is type(self) else None
        if theirs is None:
            refuse(
                f"`{call}` takes another table of the same kind",
                "Make a frame of a column: `.to_frame()`",
                call=call,
            )
        if self._frame.kind == "frame" and self._frame.columns != theirs.columns and axis not in (0, "index"):
            refuse(
                f"`{call}` of other columns is not native",
                "Pass `axis=0`, or select columns of both",
                call=call,
            )
        mine = self._frame
        if not mine.same_rows(theirs):
            mine, theirs = _over_labels(mine, theirs, join, f"`{call}`")
        return type(self)(mine), type(other)(theirs)  # type: ignore[call-arg]

    def _reordered(self: _Own, order: Any, call: str) -> _Own:
        numbers = level_numbers(self._frame, order if labels_of(order) is None else list(order), call)
        names = self._frame.index_names or [None]
        if sorted(numbers) != list(range(len(names))) or len(names) < 2:
            refuse(
                f"`{call}` takes every level of an index of several once",
                "Name each level once, by name or number: `p.reorder_levels([1, 0])`",
                call=call,
            )
        levels = [self._frame.level(number) for number in numbers]
        frame = self._frame.set_index(levels, False, False).with_level_names([names[n] for n in numbers])
        return type(self)(frame)  # type: ignore[call-arg]

    def _swapped(self: _Own, i: Any, j: Any, call: str) -> _Own:
        count = len(self._frame.index_names or [None])
        if count < 2:
            refuse(
                f"`{call}` needs an index of several levels",
                "Set one first: `p.set_index(['k', 'g'])`",
                call=call,
            )
        first, second = level_numbers(self._frame, [i, j], call)
        order = list(range(count))
        order[first], order[second] = second, first
        return self._reordered(order, call)


class AligningFrame(Aligning):
    """What only a Partition has of it."""

    __slots__ = ()

    if TYPE_CHECKING:

        def _replace(self, frame: _core.Frame, *changed: Any) -> None: ...

    def reorder_levels(self: _Own, order: Any, axis: Any = 0) -> _Own:
        """The levels of the index in another order, by name or number; rows stay where they are."""
        call = "DataFrame.reorder_levels"
        only(call, axis=(axis, 0, "index"))
        return self._reordered(order, call)

    def swaplevel(self: _Own, i: Any = -2, j: Any = -1, axis: Any = 0) -> _Own:
        """Two levels of the index in each other's place."""
        call = "DataFrame.swaplevel"
        only(call, axis=(axis, 0, "index"))
        return self._swapped(i, j, call)

    def update(
        self,
        other: Any,
        join: Any = "left",
        overwrite: Any = True,
        filter_func: Any = None,
        errors: Any = "ignore",
    ) -> None:
        """Puts the values of another table that are not missing in the place of this one's, by label, in place.

        Of columns that both have; where the other table has no row of a label, values stay. With
        `overwrite=False` only missing values are replaced. A label that the other table has twice fails the task.
        """
        from rlm_hypervisor.partition.tables import series, table

        call = "DataFrame.update"
        only(call, join=(join, "left"), filter_func=(filter_func, None), errors=(errors, "ignore"))
        only(call, overwrite=(overwrite, True, False))
        column = series(other, f"`{call}`")
        if column is not None:
            if column.name is None:
                refuse(f"`{call}` takes a column with a name", "Name it: `column.rename('x')`", call=call)
            other = column.to_frame()
        theirs = table(other, f"`{call}`")._frame
        frame = self._frame
        changed = [label for label in frame.columns if label in theirs.columns]
        for label in changed:
            found = _updated(self._frame.column(label), theirs.column(label), bool(overwrite), call)
            frame = frame.assign(label, found._frame)
        if changed:
            self._replace(frame, *changed)


class AligningColumn(Aligning):
    """What only a Column has of it."""

    __slots__ = ()

    if TYPE_CHECKING:

        def shift(self, periods: Any = 1) -> Column: ...
        def corr(self, other: Any) -> Scalar: ...
        def isna(self) -> Column: ...

    def reorder_levels(self: _Own, order: Any) -> _Own:
        """The levels of the index in another order, by name or number; rows stay where they are."""
        return self._reordered(order, "Series.reorder_levels")

    def swaplevel(self: _Own, i: Any = -2, j: Any = -1, copy: Any = None) -> _Own:
        """Two levels of the index in each other's place."""
        only("Series.swaplevel", copy=(copy, None, True, False))
        return self._swapped(i, j, "Series.swaplevel")

    def update(self, other: Any) -> None:
        """Puts the values of another column that are not missing in the place of this one's, by label, in place."""
        from rlm_hypervisor.partition.tables import series

        call = "Series.update"
        column = series(other, f"`{call}`")
        if column is None:
            refuse(f"`{call}` takes a column", "Give a column of a partition: `p['x']`", call=call)
        label = self._frame.columns[0]
        found = _updated(self._frame, column._frame, True, call)
        object.__setattr__(self, "_frame", found._frame.with_name(label))

    def autocorr(self, lag: int = 1) -> Scalar:
        """The correlation with the values `lag` rows before."""
        return self.corr(self.shift(lag))

    @property
    def hasnans(self) -> Scalar:
        """Whether a value is missing, as a scalar."""
        return self.isna().any()
