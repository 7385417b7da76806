"""Rows spread out as they are, without aggregates: what `unstack`, `pivot` and `T` have in common."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.refusal import only, refuse
from rlm_hypervisor.partition.wide import PART, Wide, hidden


def unstacked(
    frame: _core.Frame,
    values: list[tuple[Any, _core.Frame]],
    level: Any,
    fill_value: Any,
    sort: Any,
    call: str,
    named: bool,
) -> Wide:
    """What `unstack` of a partition and of a column have in common."""
    only(call, sort=(sort, True))
    names = frame.index_names or [None]
    chosen = []
    for item in level if isinstance(level, list | tuple) else [level]:
        number = _level(item, names, call)
        if number in chosen:
            refuse(f"`{call}` was given the level {item!r} twice", "Name each level once", call=call)
        chosen.append(number)
    rest = [number for number in range(len(names)) if number not in chosen]
    if not rest:
        refuse(
            f"`{call}` of all levels of the index is not native",
            "Leave one level, or `melt` the columns",
            call=call,
        )
    options: dict[str, Any] = {"fill": "nothing" if fill_value is None else "absent", "missing": "first"}
    levels = None
    found = frame.grouping()
    if found is not None:
        known, direct, ordered, dropna = found
        options |= {"sorted": ordered, "missing": "leave" if dropna else "last"}
        if known is None:
            options |= {"sorted": True, "missing": "refuse"}
        elif direct:
            # Rows of missing keys, which have no cells, say which values the levels have.
            frame, values = known, [(label, known.column(label)) for label, _ in values]
        else:
            levels = _levels(known, names, rest), _levels(known, names, chosen)
    return spread(
        _levels(frame, names, rest),
        _levels(frame, names, chosen),
        values,
        named,
        filling=fill_value,
        levels=levels,
        **options,
    )


def _levels(frame: _core.Frame, names: list[Any], numbers: list[int]) -> list[tuple[Any, _core.Frame]]:
    return [(names[number], frame.level(number)) for number in numbers]


def _level(item: Any, names: list[Any], call: str) -> int:
    if item in names and item is not None:
        return names.index(item)
    if isinstance(item, int) and not isinstance(item, bool) and -len(names) <= item < len(names):
        return item % len(names)
    refuse(
        f"`{call}`: the index has no level {clipped(item)}; it has {names!r}",
        "Name one of these, or its number from 0",
        call=call,
    )


def spread(
    rows: list[tuple[Any, _core.Frame]],
    across: list[tuple[Any, _core.Frame]],
    values: list[tuple[Any, _core.Frame]],
    named: bool,
    filling: Any = None,
    levels: tuple[list[tuple[Any, _core.Frame]], list[tuple[Any, _core.Frame]]] | None = None,
    **options: Any,
) -> Wide:
    """A table of rows as they are; `levels` are rows of other values that the levels have."""
    frame = _together(("row", rows), ("column", across), ("value", values))
    if levels is not None:
        known = _together(("row", levels[0]), ("column", levels[1])).assign(PART, 4)
        frame = _core.Frame.concat([known, frame.assign(PART, 0)], True, False)
        options["parts"] = True
    parts = [list(label) if isinstance(label, tuple) else [label] for label, _ in values]
    if len(parts[0]) > 1 and len(across) > 1:
        refuse(
            "several levels of the index next to columns that have levels already are not native",
            "Unstack one level, or select one column",
        )
    # Keys of several levels come in order of appearance.
    options["sorted_tuples"] = len(across) == 1
    return Wide(
        frame,
        [name for name, _ in rows],
        [name for name, _ in across],
        parts if named else [[]],
        [None] * len(parts[0]) if named else [],
        filling,
        **options,
    )


def _together(*parts: tuple[str, list[tuple[Any, _core.Frame]]]) -> _core.Frame:
    frame: _core.Frame | None = None
    for kind, columns in parts:
        for number, (_, column) in enumerate(columns):
            label = hidden(kind, number)
            frame = column.to_frame(label) if frame is None else frame.assign(label, column)
    assert frame is not None  # There is a row key.
    return frame
