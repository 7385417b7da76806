"""Rows at the points of a grid of times: `asfreq`, and `ffill`, `bfill`, `nearest` and `interpolate` of `resample`."""

from __future__ import annotations

import datetime
import re
from typing import Any, NamedTuple

from rlm_hypervisor import _core
from rlm_hypervisor.partition.asof import KEY, LEFT, RIGHT, Side, towards
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.datetimes import frequency
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.frame import Partition
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import boolean, only, refuse
from rlm_hypervisor.partition.windows import limit_of

TIME, VALUE, AT = ("rlm", "time"), ("rlm", "value"), ("rlm", "at")
_METHODS = {"ffill": "ffill", "pad": "ffill", "bfill": "bfill", "backfill": "bfill", "nearest": "nearest"}
_FIXED = re.compile(r"(\s*[\d.]*\s*(D|h|min|s|ms|us|ns)\b)+\s*|(\s*\d+(h|min|s|ms|us|ns))+\s*")
_CALENDAR = re.compile(r"\s*([1-9]\d{0,5})?\s*(B|(?:W|MS|ME|QS|QE|YS|YE)(?:-[A-Z]{3})?)\s*")


class Timed(NamedTuple):
    """Rows in order of their times: the columns `TIME`, `RIGHT` (their number), and those of values."""

    rows: Partition
    labels: list[Any]
    series: bool
    index: Any
    """The index' name."""
    name: Any
    """The series' name."""


def timed(frame: _core.Frame, call: str, filling: bool, in_order: bool = False) -> Timed:
    """The rows of a frame with an index of times.

    A run fails where pandas raises: at times that are there twice; and, where values are filled in, at missing
    times, and (`in_order`) at times that do not grow.
    """
    names = frame.index_names or []
    if len(names) != 1 or DType(frame.level(0).dtypes[0]).kind != "M":
        refuse(f"`{call}` needs an index of times", "Set it first: `p.set_index('t')`", call=call)
    series = frame.kind == "series"
    time = Column(frame.level(0))
    held = time.isna().sum() <= (0 if filling else 1)
    time = apply("ensure", time, held, f"`{call}`: times are missing in the index")
    if in_order:
        held = Column(frame.level(0)).is_monotonic_increasing
        time = apply("ensure", time, held, f"`{call}` with a method: the times have to be in order")
    table = frame.to_frame(VALUE) if series else frame
    labels = table.columns
    rows = Partition(table.assign(TIME, time._frame).reset_index(True))
    rows = rows[rows[TIME].notna()].sort_values([TIME])
    if filling:
        own = rows[TIME]
        held = (own == own.shift()).sum() == 0
        rows[TIME] = apply("ensure", own, held, f"`{call}`: a time is there twice")
    numbered = rows._frame.reset_index(True)
    numbered = numbered.assign(RIGHT, numbered.level(0))
    return Timed(Partition(numbered), labels, series, names[0], frame.columns[0] if series else None)


def bins(frame: _core.Frame, freq: str, closed: str | None) -> Partition:
    """The edges of all bins that the index' times are in, and of those between: the column `TIME`."""
    key = frame.bins(None, freq, closed, closed)
    sizes = frame.group([key], True, True, True).filled(freq).aggregate([(None, [], "size", {})], True)
    return Partition(sizes.level(0).to_frame(TIME).reset_index(True))


def onto(
    given: Timed, grid: Partition, call: str, method: str | None, limit: object = None, fill_value: Any = None
) -> Any:
    """The rows at the grid's times, or by a method those before, after, or nearest to them."""
    most = limit_of(call, limit)
    rows = given.rows._frame
    frame = grid._frame.assign(LEFT, grid._frame.level(0))
    if method is None:
        whole = frame.merge(rows, "left", [TIME], [TIME], (None, None), None, False, (False, True))
    else:
        pairs = _near(Side(frame, TIME, []), Side(rows, TIME, []), method, most)
        whole = frame.merge(pairs, "left", [LEFT], [LEFT], (None, None), None, False, (False, False))
        whole = whole.merge(
            rows.drop([TIME]), "left", [RIGHT], [RIGHT], (None, None), None, False, (False, False)
        )
    found = Partition(whole)
    if fill_value is not None:
        there = found[RIGHT].notna()
        for label in given.labels:
            found[label] = found[label].where(there, fill_value)
    return answer(given, found)


def answer(given: Timed, found: Partition) -> Any:
    """Rows with their times as index, as the frame or the series they were."""
    frame = found._frame.select([TIME, *given.labels]).set_index([TIME], True, False)
    frame = frame.with_level_names([given.index])
    return Column(frame.column(VALUE).with_name(given.name)) if given.series else Partition(frame)


def _near(first: Side, second: Side, method: str, most: int | None) -> _core.Frame:
    """The numbers of the grid's times, and of the rows that belong to them."""
    if method != "nearest":
        return _limited(towards(first, second, method == "ffill", True, None), method == "ffill", most)
    before = _limited(towards(first, second, True, True, None), True, most, True)
    after = _limited(towards(first, second, False, True, None), False, most, True)
    pairs = before.rename([(RIGHT, ("rlm", "before")), (KEY, ("rlm", "distance"))])
    pairs = pairs.merge(after, "inner", [LEFT], [LEFT], (None, None), None, False, (False, False))
    behind, ahead = Column(pairs.column(("rlm", "distance"))), Column(pairs.column(KEY))
    # Of two that are as near as each other the later one.
    chosen = apply(
        "select",
        ahead.isna() | (behind < ahead),
        Column(pairs.column(("rlm", "before"))),
        Column(pairs.column(RIGHT)),
    )
    return pairs.select([LEFT]).assign(RIGHT, chosen._frame)


def _limited(found: _core.Frame, forward: bool, most: int | None, distances: bool = False) -> _core.Frame:
    """Without the pairs beyond the first `most` times that a row is filled in at."""
    pairs = Partition(found)
    if most is not None:
        pairs[AT] = (pairs[KEY] != datetime.timedelta(0)).astype("int64")
        by = pairs.groupby([RIGHT])[AT]
        place = by.cumsum() if forward else by.transform("sum") - by.cumsum() + pairs[AT]
        near = place <= most
        pairs[RIGHT] = apply("given", pairs[RIGHT], near)
        pairs[KEY] = apply("given", pairs[KEY], near)
    return pairs._frame.select([LEFT, RIGHT, KEY] if distances else [LEFT, RIGHT])


def interpolated(given: Timed, grid: Partition, limit: object, **options: Any) -> Any:
    """Values at the grid's times, on the straight line between the rows before and after them."""
    frame = grid._frame.assign(AT, True)
    rows = given.rows._frame.drop([RIGHT])
    found = Partition(frame.merge(rows, "outer", [TIME], [TIME], (None, None), None, False, (False, True)))
    for label in given.labels:
        column = found[label]
        if column.dtype.kind in "iu":
            column = column.astype("float64")
        found[label] = column.interpolate(limit=limit, **options)
    return answer(given, found[found[AT].notna()])


def as_frequency(
    frame: _core.Frame, call: str, freq: Any, method: Any, how: object, normalize: object, fill_value: Any
) -> Any:
    """What `asfreq` gives: the rows at the times of a frequency from the first time to the last."""
    only(call, how=(how, None))
    only(call, method=(method, None, *_METHODS))
    midnight = boolean(call, "normalize", normalize)
    filled = None if method is None else _METHODS[method]
    given = timed(frame, call, filled is not None, filled is not None)
    grid = _steps(frame, frequency(freq, call), call)
    if not midnight:
        return onto(given, grid, call, filled, None, fill_value)
    made = onto(given, grid, call, filled, None, fill_value)._frame
    days = Column(made.level(0)).dt.normalize()._frame
    made = made.set_index([days], False, False).with_level_names([given.index])
    return Column(made) if given.series else Partition(made)


def _steps(frame: _core.Frame, freq: str, call: str) -> Partition:
    """The times of a frequency from the first one of the index on; calendar ones keep its time of the day."""
    fixed, calendar = _FIXED.fullmatch(freq), _CALENDAR.fullmatch(freq)
    if not fixed and not calendar:
        refuse(
            f"`{call}` with the frequency {freq!r} is not native",
            "Native are fixed spans, and so many 'B', 'W', 'MS', 'ME', 'QS', 'QE', 'YS' or 'YE'; "
            "or take `resample(...).first()`",
            call=call,
        )
    every, unit = (1, freq) if calendar is None else (int(calendar[1] or 1), calendar[2])
    days = freq.strip().endswith("D") or unit == "B"
    times = Column(frame.level(0))
    zone = str(times.dtype).partition(", ")[2].rstrip("]")
    if zone not in ("", "UTC") and (days or not fixed):
        refuse(
            f"`{call}` by days of the time zone {zone} is not native",
            "Convert the index first, to UTC or to clock times: `p['t'].dt.tz_localize(None)`",
            call=call,
        )
    first = times.min()
    late = first - first.normalize()
    # Seen from the first time's midnight, bins begin with it.
    moved = (times - late)._frame.to_frame(TIME).set_index([TIME], True, False)
    grid = bins(moved.assign(VALUE, 0), "D" if unit == "B" else unit, None)
    if unit == "B":
        grid = grid[grid[TIME].dt.dayofweek < 5]
    if not fixed:
        grid = grid[(grid[TIME] >= first - late) & (grid[TIME] <= times.max() - late)]
    if every > 1:
        # Counted from the first one that is in the grid.
        frame = grid._frame.reset_index(True)
        grid = Partition(frame)
        grid = grid[Column(frame.level(0)) % every == 0]
    grid[TIME] = grid[TIME] + late
    return Partition(grid._frame.reset_index(True))
