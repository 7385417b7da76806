"""Counts of values: `value_counts` of columns, partitions and groups, and `mode`; all are groupings by value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import boolean, refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column
    from rlm_hypervisor.partition.frame import Partition


def sizes(frame: _core.Frame, keys: list[Any], label: Any, sort: bool, dropna: bool) -> _core.Frame:
    """How many rows each combination of keys has, as a series."""
    groups = frame.group(keys, True, sort, dropna)
    return groups.aggregate([(label, [], "size", {})], True)


def counted(
    call: str,
    frame: _core.Frame,
    keys: list[Any],
    normalize: object,
    sort: object,
    ascending: object,
    dropna: object,
) -> Column:
    """Combinations of `keys` (columns of `frame`) and how often each occurs."""
    from rlm_hypervisor.partition.column import Column

    share = boolean(call, "normalize", normalize)
    if not keys:
        refuse(f"`{call}` needs columns to count the rows by", "Select some", call=call)
    label = "proportion" if share else "count"
    counts = sizes(frame, keys, label, False, boolean(call, "dropna", dropna))
    upwards = boolean(call, "ascending", ascending)
    if boolean(call, "sort", sort):
        counts = counts.sort([], [upwards], False)
    column = Column(counts)
    return apply("truediv", column, column.sum()) if share else column


def counted_in_groups(
    call: str,
    groups: _core.Groups,
    columns: list[_core.Frame],
    normalize: object,
    sort: object,
    ascending: object,
    dropna: object,
    as_index: bool,
) -> Any:
    """Combinations of values within groups and how often each occurs."""
    from rlm_hypervisor.partition.column import Column
    from rlm_hypervisor.partition.frame import Partition

    upwards = boolean(call, "ascending", ascending)
    order = upwards if boolean(call, "sort", sort) else None
    # A label that no key has.
    counts = groups.counts(columns, ("rlm", "count"), boolean(call, "dropna", dropna), order)
    label = "count"
    if boolean(call, "normalize", normalize):
        label = "proportion"
        if len(set(groups.keys)) < len(groups.keys) or None in groups.keys:
            refuse(
                f"`{call}` with `normalize=True` needs keys with names of their own",
                "Rename the column first: `p['x'].rename('name')`",
                call=call,
            )
        totals = counts.group(groups.keys, True, False, False).window("sum", counts, [])
        counts = apply("truediv", Column(counts), Column(totals))._frame
    counts = counts.with_name(label)
    return Column(counts) if as_index else Partition(counts.reset_index(False))


def modes(column: Any, dropna: bool) -> Column:
    """The values of a column that occur most often, in order, numbered from 0."""
    from rlm_hypervisor.partition.column import Column
    from rlm_hypervisor.partition.frame import Partition

    frame, label = column._frame, column.name
    counts = Column(sizes(frame, [frame], ("rlm", "count"), True, dropna))
    found = Partition(counts[counts == counts.max()]._frame.to_frame(("rlm", "count")).reset_index(False))
    values = Column(found._frame.column(found._frame.columns[0]))
    return Column(values._frame.with_name(label))


def modes_of_columns(columns: list[tuple[Any, Column]], dropna: bool) -> Partition:
    """The modes of several columns beside each other."""
    from rlm_hypervisor.partition.frame import Partition

    place = ("rlm", "place")
    parts = []
    for number, (_, column) in enumerate(columns):
        found = modes(column, dropna)._frame.to_frame(("rlm", "mode", number)).reset_index(False)
        parts.append(found.rename([(found.columns[0], place)]))
    long = _core.Frame.concat(parts, True, False)
    groups = long.group([place], True, True, True)
    items: list[Any] = [
        (label, [long.column(("rlm", "mode", number))], "first", {})
        for number, (label, _) in enumerate(columns)
    ]
    return Partition(groups.aggregate(items, False).reset_index(True))
