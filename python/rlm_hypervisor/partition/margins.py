"""Margins of wide tables: aggregates of whole rows, of whole columns, and of everything, of the rows themselves."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor.partition import functions as fn
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import refuse
from rlm_hypervisor.partition.wide import PART


def with_margins(
    base: _core.Frame,
    long: _core.Frame,
    rows: list[Any],
    across: list[Any],
    values: list[Any],
    aggfunc: Any,
    present: list[Any],
    call: str,
) -> _core.Frame:
    """The long table and its margins, each row with the number of its part. They are of rows without missing values."""
    from rlm_hypervisor.partition.frame import Partition

    complete = Partition(base).dropna(subset=present)
    parts = [long.assign(PART, 0)]
    if across:
        parts.append(complete.groupby(rows)[values].agg(aggfunc)._frame.reset_index(False).assign(PART, 1))
        parts.append(complete.groupby(across)[values].agg(aggfunc)._frame.reset_index(False).assign(PART, 2))
    labels: list[Any] = []
    scalars: list[_core.Frame] = []
    for label in long.columns:
        if label in rows or label in across:
            continue
        value: Any = label
        given: Any = aggfunc
        if fn.is_list(aggfunc):
            value, name = value
            given = next(item for item in fn.functions(aggfunc, fn.GROUPED, call) if item.label == name)
        elif isinstance(aggfunc, dict):
            given = aggfunc[label]
        if not isinstance(given, fn.Function):
            given = fn.function(given, fn.WHOLE, f"`{call}`")
        if given.name not in fn.WHOLE and given.traced is None:
            refuse(
                f"`{call}` with margins of {given.label!r}: whole columns have no such aggregate",
                "Leave `margins` out, or aggregate by 'sum', 'mean', 'count', 'min', 'max'",
                call=call,
            )
        scalar = complete[value]._function(given, call)
        labels.append(label)
        scalars.append(scalar._frame)
    parts.append(_core.Frame.record(labels, scalars).assign(PART, 3))
    return _core.Frame.concat([_alike(part, long) for part in parts], True, False)


def _alike(part: _core.Frame, body: _core.Frame) -> _core.Frame:
    """A margin with the types of the table itself."""
    types = dict(zip(body.columns, body.dtypes, strict=True))
    for label, dtype in zip(part.columns, part.dtypes, strict=True):
        if label in types and types[label] != dtype:
            column = apply("astype", Column(part.column(label)), types[label])
            part = part.assign(label, column._frame)
    return part
