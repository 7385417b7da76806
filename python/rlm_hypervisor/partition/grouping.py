"""What `groupby` is given as keys: labels, columns, bins of time, levels of the index."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.levels import level_numbers
from rlm_hypervisor.partition.periods import Periods
from rlm_hypervisor.partition.refusal import boolean, is_label, missing_column, only, refuse


def grouping(
    call: str,
    frame: _core.Frame,
    by: Any,
    level: object,
    as_index: object,
    sort: object,
    observed: object,
    dropna: object,
) -> _core.Groups:
    """The core's group-by for what pandas' `groupby` was given."""
    if level is not None:
        only(f"{call} with `level`", by=(by, None))
        by = [Column(frame.level(number)) for number in level_numbers(frame, level, call)]
    if by is None:
        refuse(f"`{call}` needs the columns to group by", "`p.groupby('key')`")
    from rlm_hypervisor.partition import resampling

    keys: list[Any] = []
    fill = None
    items = by if isinstance(by, list) else [by]
    if not items:
        refuse(
            f"`{call}` got an empty list of keys", "Whole-column aggregates need no group-by: `p['x'].sum()`"
        )
    for item in items:
        if isinstance(item, Column):
            keys.append(item._frame)
        elif is_label(item):
            if item not in frame.columns and item not in (frame.index_names or ()):
                raise missing_column(item, frame.columns, f"`{call}`")
            keys.append(item)
        elif resampling.is_grouper(item):
            key, freq = resampling.by_grouper(frame, item, call)
            keys.append(key)
            # Alone, bins without rows are groups too.
            fill = freq if item is by else None
        elif isinstance(item, Periods):
            refuse(
                f"`{call}` by periods is not native: an index of periods has no type here",
                "Group by their names, `.dt.to_period(...).astype(str)`, or by `pd.Grouper(key='t', freq='MS')`",
            )
        elif isinstance(item, dict) or callable(item):
            refuse(
                f"`{call}` by a {type(item).__name__} groups row labels, which is not native",
                "Compute a key column",
            )
        else:
            refuse(
                f"`{call}` by `{clipped(item)}` is not native",
                "Give labels of columns, or columns of the partition",
            )
    if not boolean(call, "observed", observed):
        for key in keys:
            dtype = key.dtypes[0] if isinstance(key, _core.Frame) else _dtype(frame, key)
            if dtype in ("str", "category"):
                refuse(
                    f"`{call}` with `observed=False` on the key {_label(key)!r} is not native",
                    "Leave `observed` out: groups are those that occur",
                )
    if fill is not None:
        only(f"{call} by a Grouper", sort=(sort, True), dropna=(dropna, True))
    groups = frame.group(
        keys,
        boolean(call, "as_index", as_index),
        boolean(call, "sort", sort),
        boolean(call, "dropna", dropna),
    )
    return groups if fill is None else groups.filled(fill)


def _dtype(frame: _core.Frame, label: Any) -> str:
    return frame.dtypes[frame.columns.index(label)] if label in frame.columns else ""


def _label(key: Any) -> Any:
    return key.columns[0] if isinstance(key, _core.Frame) else key
