"""Rows of two tables by the nearest key: `pd.merge_asof(trades, quotes, on="time", by="symbol")`."""

from __future__ import annotations

from typing import Any, NamedTuple

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.frame import Partition
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import boolean, is_label, labels_of, missing_column, only, refuse
from rlm_hypervisor.partition.tables import table

_CALL = "pandas.merge_asof"
KEY, _SIDE, LEFT, RIGHT = ("rlm", "key"), ("rlm", "side"), ("rlm", "left"), ("rlm", "right")


class Side(NamedTuple):
    """One of the tables: its rows numbered, its key, and the columns that have to be equal."""

    frame: _core.Frame
    on: Any
    by: list[Any]


def merge_asof(
    left: Any,
    right: Any,
    on: Any = None,
    left_on: Any = None,
    right_on: Any = None,
    left_index: bool = False,
    right_index: bool = False,
    by: Any = None,
    left_by: Any = None,
    right_by: Any = None,
    suffixes: Any = ("_x", "_y"),
    tolerance: Any = None,
    allow_exact_matches: bool = True,
    direction: str = "backward",
) -> Any:
    """For each row of the left table the row of the right one whose key is the nearest before it (or after it, or both).

    Both have to be in order of their keys, or the run fails. `by` names columns that have to be equal. Of several
    equal keys on the right the last one counts, looking forward the first one. Keys that are an index are refused.
    """
    only(_CALL, left_index=(left_index, False), right_index=(right_index, False))
    if direction not in ("backward", "forward", "nearest"):
        refuse(
            f"`{_CALL}` takes 'backward', 'forward' or 'nearest' for `direction`, not {direction!r}",
            "Give one of these words; 'backward' is the default",
            call=_CALL,
        )
    exact = boolean(_CALL, "allow_exact_matches", allow_exact_matches)
    first = _side(left, on if left_on is None else left_on, by if left_by is None else left_by, "left", LEFT)
    second = _side(
        right, on if right_on is None else right_on, by if right_by is None else right_by, "right", RIGHT
    )
    if len(first.by) != len(second.by):
        refuse(
            f"`{_CALL}` takes as many columns in `left_by` as in `right_by`",
            "Name them in pairs: `left_by=['a'], right_by=['b']`",
            call=_CALL,
        )
    kinds = [side.frame.column(side.on).dtypes[0] for side in (first, second)]
    if kinds[0] != kinds[1] or not kinds[0].startswith(("int", "uint", "float", "datetime", "timedelta")):
        refuse(
            f"`{_CALL}` needs keys of one type, numbers or times, and these are {kinds[0]} and {kinds[1]}",
            "Convert one of them: `p['t'].astype(...)`, `p['t'].dt.as_unit('us')`",
            call=_CALL,
        )
    found = _found(first, second, direction, exact, tolerance)
    return _brought(first, second, found, suffixes)


def _side(given: Any, on: Any, by: Any, which: str, number: Any) -> Side:
    frame = table(given, f"`{_CALL}`")._frame.reset_index(True)
    if not is_label(on):
        refuse(
            f"`{_CALL}` needs the column to match by, not `{clipped(on)}`",
            "Pass `on`, or `left_on` and `right_on`; make an index a column: `reset_index()`",
            call=_CALL,
        )
    keys = [] if by is None else [by] if is_label(by) else labels_of(by)
    if keys is None:
        refuse(
            f"`{_CALL}` takes labels of columns for `by`, not `{clipped(by)}`",
            "Name a column, or a list of them: `by='symbol'`",
            call=_CALL,
        )
    for label in [on, *keys]:
        if label not in frame.columns:
            raise missing_column(label, frame.columns, f"`{_CALL}`")
    key = Column(frame.column(on))
    in_order = apply(
        "ensure", key, key.is_monotonic_increasing, f"`{_CALL}`: the {which} keys have to be in order"
    )
    frame = frame.assign(on, in_order._frame).assign(number, frame.level(0))
    return Side(frame, on, keys)


def _found(first: Side, second: Side, direction: str, exact: bool, tolerance: Any) -> _core.Frame:
    """The numbers of the left rows, and of the right row that each was given."""
    if direction != "nearest":
        return towards(first, second, direction == "backward", exact, tolerance).select([LEFT, RIGHT])
    before = towards(first, second, True, exact, tolerance)
    after = towards(first, second, False, exact, tolerance)
    pairs = before.rename([(RIGHT, ("rlm", "before")), (KEY, ("rlm", "distance"))])
    pairs = pairs.merge(after, "inner", [LEFT], [LEFT], (None, None), None, False, (False, False))
    behind, ahead = Column(pairs.column(("rlm", "distance"))), Column(pairs.column(KEY))
    chosen = apply(
        "select",
        ahead.isna() | (behind <= ahead),
        Column(pairs.column(("rlm", "before"))),
        Column(pairs.column(RIGHT)),
    )
    return pairs.select([LEFT]).assign(RIGHT, chosen._frame)


def towards(first: Side, second: Side, backward: bool, exact: bool, tolerance: Any) -> _core.Frame:
    """Of each left row the right one before it, or after it, and the distance between them."""
    # Among equal keys the right rows come first where they are to be found.
    right_first = backward == exact
    parts = []
    for side, number, place in ((first, LEFT, int(right_first)), (second, RIGHT, int(not right_first))):
        rows = Partition(side.frame)
        part = Partition(rows._frame.column(side.on).to_frame(KEY))
        for at, label in enumerate(side.by):
            part[("rlm", "by", at)] = rows[label]
        part[number] = rows[number]
        if number is RIGHT:
            part[("rlm", "found")] = rows[side.on]
        part[_SIDE] = place
        parts.append(part._frame)
    rows = Partition(_core.Frame.concat(parts, True, False)).sort_values([KEY, _SIDE])
    keys = [("rlm", "by", at) for at in range(len(first.by))]
    for label in (RIGHT, ("rlm", "found")):
        column = rows.groupby(keys)[label] if keys else rows[label]
        rows[label] = column.ffill() if backward else column.bfill()
    rows = rows[rows[LEFT].notna()]
    distance = rows[KEY] - rows[("rlm", "found")] if backward else rows[("rlm", "found")] - rows[KEY]
    if tolerance is not None:
        near = distance <= tolerance
        rows[RIGHT] = apply("given", rows[RIGHT], near)
        distance = apply("given", distance, near)
    rows[KEY] = distance
    rows[LEFT] = rows[LEFT].astype("int64")
    frame: _core.Frame = rows._frame
    return frame.select([LEFT, RIGHT, KEY])


def _brought(first: Side, second: Side, found: _core.Frame, suffixes: Any) -> Partition:
    """The left rows in their order, beside the right ones that were found."""
    ours = {first.on, *first.by}
    shared = [second.on] if first.on == second.on else []
    shared += [theirs for mine, theirs in zip(first.by, second.by, strict=True) if mine == theirs]
    rows = first.frame.merge(found, "left", [LEFT], [LEFT], (None, None), None, False, (False, False))
    right = second.frame.drop([label for label in dict.fromkeys(shared) if label in ours])
    given = [None if suffix is None else str(suffix) for suffix in suffixes]
    whole = rows.merge(right, "left", [RIGHT], [RIGHT], (given[0], given[1]), None, False, (False, False))
    return Partition(whole.drop([LEFT, RIGHT]))
