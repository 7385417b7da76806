"""Tables one after the other, or side by side: `pd.concat([p, q])`."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.alignment import united
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.frame import Partition
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import boolean, labels_of, only, refuse
from rlm_hypervisor.partition.tables import series, table


def concat(
    objs: Any,
    *,
    axis: object = 0,
    join: str = "outer",
    ignore_index: bool = False,
    keys: Any = None,
    levels: object = None,
    names: object = None,
    verify_integrity: bool = False,
    sort: bool = False,
    copy: object = None,
    union_categories: bool = False,
) -> Any:
    """`pd.concat` of partitions, columns and tables in memory.

    Along the rows (`axis=0`): one after the other; a column that one has not is missing there. Side by side
    (`axis=1`): columns of the same rows, or of rows that are known to be in order of their labels (those of a
    groupby, those of the source), brought together by label. Refused: `keys`, `levels`, `verify_integrity`.
    """
    call = "pd.concat"
    only(call, union_categories=(union_categories, False))
    only(call, copy=(copy, None, True, False), levels=(levels, None), names=(names, None))
    only(call, verify_integrity=(verify_integrity, False), join=(join, "outer", "inner"))
    if isinstance(objs, dict):
        keys, objs = list(objs), list(objs.values())
    parts = [part for part in objs if part is not None]
    if not parts:
        refuse(f"`{call}` of nothing", "Give at least one frame or column", call=call)
    found: list[Any] = [
        column if (column := series(part, f"`{call}`")) is not None else part for part in parts
    ]
    found = [part if isinstance(part, Column) else table(part, f"`{call}`") for part in found]
    if axis in (1, "columns"):
        flags = boolean(call, "ignore_index", ignore_index), keys, join, boolean(call, "sort", sort)
        return _side_by_side(found, *flags)
    only(call, axis=(axis, 0, "index", "rows"), keys=(keys, None))
    ignored = boolean(call, "ignore_index", ignore_index)
    if any(isinstance(part, Column) for part in found) and not all(
        isinstance(part, Column) for part in found
    ):
        refuse(f"`{call}` of frames and columns together is not native", "Use `column.to_frame()`", call=call)
    frame = _core.Frame.concat([part._frame for part in found], ignored, join == "inner")
    if isinstance(found[0], Column):
        return Column(frame)
    if boolean(call, "sort", sort) and any(part._frame.columns != frame.columns for part in found):
        frame = frame.select(sorted(frame.columns, key=str))
    return Partition(frame)


def _by_label(made: list[tuple[Any, _core.Frame]], how: str, sort: bool) -> list[tuple[Any, _core.Frame]]:
    """Columns of different rows over the labels of all, or those that all have.

    In order of the labels if asked for, or of times; else the rows of the first, and after them those that are new in
    each of the others.
    """
    call = "`pd.concat` with `axis=1`"
    marks = [Column(column).notna() | True for _, column in made]
    found = united([column for _, column in made] + [mark._frame for mark in marks], call)
    own, there = found[: len(made)], [Column(mark).fillna(False) for mark in found[len(made) :]]
    frame = own[0].to_frame(0)
    for number, column in enumerate(own[1:], start=1):
        frame = frame.assign(number, column)
    if how == "inner":
        everywhere = there[0]
        for mark in there[1:]:
            everywhere = everywhere & mark
        frame = frame.filter(everywhere._frame)
    elif not sort and not frame.level(0).dtypes[0].startswith("datetime"):
        steps = [part for number, mark in enumerate(there[:-1]) for part in (mark, number)]
        first = apply("select", *steps, len(there) - 1)
        frame = frame.assign("rlm", first._frame).sort(["rlm"], [True], False).drop(["rlm"])
    return [(label, frame.column(number)) for number, (label, _) in enumerate(made)]


def _side_by_side(parts: list[Any], ignore_index: bool, keys: Any, how: str, sort: bool) -> Partition:
    first = parts[0]._frame
    labels = None if keys is None else labels_of(keys)
    if keys is not None and (labels is None or any(isinstance(part, Partition) for part in parts)):
        refuse(
            f"`pd.concat` of frames with `axis=1` and `keys={clipped(keys)}` is not native",
            "Leave `keys` out, and rename the columns: `p.add_prefix('a_')`",
        )
    apart = not all(first.same_rows(part._frame) for part in parts)
    if sort and not apart and not _core.in_label_order(first):
        refuse(
            "`pd.concat` with `axis=1` and `sort=True` of rows that are not known to be in order of their labels",
            "Leave `sort` out, and sort the result: `.sort_index()`",
            call="pd.concat",
        )
    columns: list[tuple[Any, _core.Frame]] = []
    for number, part in enumerate(parts):
        if isinstance(part, Partition):
            columns += [(label, part._frame.column(label)) for label in part._frame.columns]
        else:
            label = labels[number] if labels is not None else part.name
            columns.append((label, part._frame))
    unnamed = 0
    made: list[tuple[Any, _core.Frame]] = []
    for label, column in columns:
        if label is None:
            label, unnamed = unnamed, unnamed + 1
        made.append((label, column))
    if ignore_index:
        made = [(number, column) for number, (_, column) in enumerate(made)]
    if apart:
        made = _by_label(made, how, sort)
    names = [label for label, _ in made]
    if len(set(names)) != len(names):
        refuse(
            f"`pd.concat` with `axis=1` would give several columns one name: {clipped(names)}",
            "Rename them first: `column.rename('name')`",
        )
    frame = made[0][1].to_frame(names[0])
    for label, column in made[1:]:
        frame = frame.assign(label, column)
    return Partition(frame)
