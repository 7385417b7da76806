"""`p.loc[rows, columns]`: rows by condition (or all), columns by label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.alignment import by_labels
from rlm_hypervisor.partition.arrays import as_column
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.constant import constant
from rlm_hypervisor.partition.labels import flagged
from rlm_hypervisor.partition.operators import Operators, apply
from rlm_hypervisor.partition.picking import at_label, at_labels, is_row_label, is_row_labels, row_at_label
from rlm_hypervisor.partition.refusal import is_label, labels_of, only, refuse
from rlm_hypervisor.partition.replacing import set_rows
from rlm_hypervisor.partition.spans import several

if TYPE_CHECKING:
    from rlm_hypervisor.partition.frame import Partition


class Loc:
    """What `p.loc` gives."""

    __slots__ = ("_partition",)

    def __init__(self, partition: Partition) -> None:
        self._partition = partition

    def __call__(self, axis: Any = None) -> Loc:
        """`p.loc` itself; an axis that turns its key around is refused."""
        only("DataFrame.loc", axis=(axis, None))
        return self

    def __getitem__(self, key: Any) -> Any:
        rows, columns = key if isinstance(key, tuple) and len(key) == 2 else (key, slice(None))
        partition = self._partition
        chosen = flagged(partition._frame.columns, columns, "DataFrame.loc")
        columns = columns if chosen is None else chosen
        rows = as_column(rows)
        if callable(rows) and not isinstance(rows, Column):
            rows = as_column(rows(partition))
        if not _everything(rows):
            found = several(partition._frame, rows, "DataFrame.loc")
            if found is not None:
                partition, rows = type(partition)(found), slice(None)
                if not isinstance(key, tuple):
                    return partition
        if not isinstance(key, tuple) and is_row_label(key):
            return row_at_label(partition, key)
        if is_row_label(rows) and is_label(columns):
            return at_label(partition[columns], rows, "DataFrame.loc")
        if is_row_labels(rows):
            partition = type(partition)(at_labels(partition._frame, rows, "DataFrame.loc"))
        elif isinstance(rows, Column):
            partition = partition[rows]
        elif not _everything(rows):
            refuse(
                f"`p.loc[{clipped(rows)}]` picks rows by label, which are not known while tracing",
                "Select rows with a condition: `p.loc[p['x'] > 3]`",
                call="DataFrame.loc",
            )
        if _everything(columns):
            return partition.copy() if partition is self._partition else partition
        if isinstance(columns, slice):
            return partition[_between(partition, columns)]
        if is_label(columns):
            return partition[columns]
        labels = labels_of(columns)
        if labels is None:
            refuse(
                f"`p.loc[..., {clipped(columns)}]` is not native",
                "Give labels of columns",
                call="DataFrame.loc",
            )
        return partition[labels]

    def __setitem__(self, key: Any, value: Any) -> None:
        rows, columns = key if isinstance(key, tuple) and len(key) == 2 else (key, slice(None))
        if _everything(rows) and (is_label(columns) or labels_of(columns) is not None):
            self._partition[columns] = value
            return
        partition = self._partition
        chosen = flagged(partition._frame.columns, columns, "DataFrame.loc")
        columns = columns if chosen is None else chosen
        rows = as_column(rows)
        if callable(rows) and not isinstance(rows, Column):
            rows = as_column(rows(partition))
        if not isinstance(rows, Column):
            _refuse_assignment()
        if is_label(columns):
            labels = [columns]
        elif isinstance(columns, slice):
            labels = _between(partition, columns)
        else:
            labels = labels_of(columns) or []
        if not labels or rows.dtype != "bool" or isinstance(value, list | tuple | dict):
            _refuse_assignment()
        for label in labels:
            new: Any = value
            if hasattr(value, "_takes_operators"):
                new = value[label]
            if isinstance(new, Column) and not new._frame.same_rows(partition._frame):
                # What stands in those rows, computed from these rows: `p.loc[mask, "x"] *= 2`.
                whole = new._frame.unfiltered(partition._frame, rows._frame)
                call = "`p.loc[rows, columns] = ...`"
                new = Column(by_labels(partition._frame, new._frame, call) if whole is None else whole)
            partition[label] = _set(partition, label, rows, new)


def _set(partition: Partition, label: Any, rows: Column, value: Any) -> Column:
    """The column with the value in the rows of the condition; missing elsewhere if it is a new one."""
    if label in partition:
        return set_rows(partition[label], label, rows, value)  # type: ignore[no-any-return]
    if not isinstance(value, Operators):
        value = constant(value, "`p.loc[condition, column] = ...`")
    return apply("select", rows, value, None)  # type: ignore[no-any-return]


def _refuse_assignment() -> NoReturn:
    refuse(
        "`p.loc[rows, columns] = ...` takes a condition and labels of columns, and a single value or column",
        "Write `p.loc[p['x'] > 3, 'y'] = 0`",
        call="DataFrame.loc",
    )


def _everything(key: object) -> bool:
    return isinstance(key, slice) and key == slice(None)


def _between(partition: Partition, key: slice) -> list[Any]:
    """Columns from one label to another, both included."""
    labels = list(partition.columns)
    for end in (key.start, key.stop):
        if end is not None and end not in labels:
            refuse(
                f"`p.loc[:, ...]` names column {end!r}, which is not there",
                "Name one of the columns, or list them: `p[['x', 'y']]`",
                call="DataFrame.loc",
            )
    if key.step is not None:
        refuse("`p.loc[:, a:b:step]` is not native", "Give labels of columns", call="DataFrame.loc")
    first = 0 if key.start is None else labels.index(key.start)
    last = len(labels) if key.stop is None else labels.index(key.stop) + 1
    return labels[first:last]
