"""`pd.cut` and `pd.qcut`: numbers put into intervals, whose names are text here."""

from __future__ import annotations

import itertools
import math
from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.operators import Operators, apply, wrap
from rlm_hypervisor.partition.refusal import boolean, labels_of, only, refuse, whole_number


def cut(
    x: Any,
    bins: Any,
    right: bool = True,
    labels: Any = None,
    retbins: bool = False,
    precision: int = 3,
    include_lowest: bool = False,
    duplicates: str = "raise",
    ordered: bool = True,
) -> Any:
    """Which interval each value is in: its name as text, or with `labels=False` its number.

    `bins` are the edges, or how many intervals of equal width (with `labels` given). Values outside are missing.
    """
    call = "pandas.cut"
    only(call, retbins=(retbins, False), ordered=(ordered, True, False), duplicates=(duplicates, "raise"))
    kind = _number(x, call)
    closed, lowest = boolean(call, "right", right), boolean(call, "include_lowest", include_lowest)
    edges = labels_of(bins)
    if edges is None:
        count = whole_number(call, "bins", bins)
        if count < 1:
            refuse(
                f"`{call}` takes one interval or more, not {count}",
                "Give the number of intervals, or a list of edges",
                call=call,
            )
        if labels is None:
            refuse(
                f"`{call}` into {count} intervals names them by edges, which only the data knows",
                "Give `labels=[...]` or `labels=False`, or the edges themselves",
                call=call,
            )
        return _binned(x, _equal(x, count, closed), closed, lowest, _names(labels, count, call))
    if not edges or not all(isinstance(edge, int | float) and edge == edge for edge in edges):
        refuse(
            f"`{call}` takes numbers as edges, not `{clipped(bins)}`",
            "Give a list of numbers: `[0, 10, 100]`",
            call=call,
        )
    if any(low >= high for low, high in itertools.pairwise(edges)):
        refuse(
            f"`{call}` takes edges that increase, not `{clipped(bins)}`",
            "Sort the edges, and leave out those that are there twice",
            call=call,
        )
    if kind.startswith("int") and any(isinstance(edge, int) and abs(edge) > 2**53 for edge in edges):
        refuse(
            f"`{call}` with edges beyond 2**53 is not native",
            "Convert the column and the edges to floats first: `p['x'].astype('float64')`",
            call=call,
        )
    names = _names(labels, len(edges) - 1, call)
    if labels is None:
        names = _intervals(edges, closed, lowest, whole_number(call, "precision", precision))
    return _binned(x, list(edges), closed, lowest, names)


def qcut(
    x: Any,
    q: Any,
    labels: Any = None,
    retbins: bool = False,
    precision: int = 3,
    duplicates: str = "raise",
) -> Any:
    """Refused where the edges must be known; with labels the quantiles are the edges."""
    call = "pandas.qcut"
    only(call, retbins=(retbins, False), precision=(precision, 3), duplicates=(duplicates, "raise"))
    _number(x, call)
    points = labels_of(q)
    if points is None:
        count = whole_number(call, "q", q)
        points = [number / count for number in range(count + 1)] if count > 0 else []
    if len(points) < 2 or labels is None:
        refuse(
            f"`{call}` names the intervals by edges, which only the data knows",
            "Give the number of quantiles and `labels=[...]` or `labels=False`",
            call=call,
        )
    edges = [x.quantile(point) for point in points]
    return _binned(x, edges, True, True, _names(labels, len(points) - 1, call))


def _number(x: Any, call: str) -> str:
    if not isinstance(x, Operators) or x._frame.kind != "series":
        refuse(
            f"`{call}` takes a column of numbers, not `{clipped(x)}`",
            "Give a column of the partition: `p['x']`; of text make numbers first: `pd.to_numeric(p['x'])`",
            call=call,
        )
    kind: str = x._frame.dtypes[0]
    if not kind.startswith(("int", "uint", "float")):
        refuse(f"`{call}` of {kind} is not native in this version", "Convert it to numbers first", call=call)
    return kind


def _names(labels: Any, count: int, call: str) -> list[Any] | None:
    """The names of the intervals: texts or numbers; None for their places."""
    if labels is None or labels is False:
        return None
    names = labels_of(labels)
    if names is None or len(names) != count:
        refuse(
            f"`{call}` takes {count} labels, one for each interval, not `{clipped(labels)}`",
            "Give one label less than there are edges, or leave `labels` out",
            call=call,
        )
    numbers = all(isinstance(name, int | float) and not isinstance(name, bool) for name in names)
    if not numbers and not all(isinstance(name, str) for name in names):
        refuse(
            f"`{call}` takes labels that are texts, or numbers, not `{clipped(labels)}`",
            "Use `labels=False`, and map the places: `.map({0: 'low', 1: 'high'})`",
            call=call,
        )
    return names


def _equal(x: Any, count: int, right: bool) -> list[Any]:
    """Edges of equal width as pandas computes them: the range widened by a thousandth at its open end."""
    low, high = (apply("astype", bound, "float64") for bound in (x.min(), x.max()))
    width = high - low
    step = width / count
    inner = [low + step * number for number in range(1, count)]
    slack = width * 0.001
    flat = abs(low) * 0.001
    same = apply("eq", low, high)
    slack_low = apply("select", same, apply("select", apply("eq", low, 0), 0.001, flat), slack)
    first = apply("select", same, low - slack_low, low - slack_low if right else low)
    last = apply("select", same, high + slack_low, high if right else high + slack_low)
    if count > 1:
        # All values equal: the range is widened on both sides before it is divided.
        wide = (last - first) / count
        inner = [
            apply("select", same, first + wide * number, edge) for number, edge in enumerate(inner, start=1)
        ]
    # Of an infinite range there are no edges.
    nothing = width - width
    return [first + nothing, *inner, last + nothing]


def _binned(x: Any, edges: list[Any], right: bool, lowest: bool, names: list[Any] | None) -> Any:
    if names and not isinstance(names[0], str):
        places = _binned(x, edges, right, lowest, None)
        whole = all(isinstance(name, int) for name in names)
        found = places.map({place: name if whole else float(name) for place, name in enumerate(names)})
        return found.rename(x.name)
    args = [edge._frame if isinstance(edge, Operators) else float(edge) for edge in edges]
    found = wrap(
        _core.Frame.call("bins", [x._frame, right, lowest, names if names is not None else [], *args])
    )
    from rlm_hypervisor.partition.column import Column

    return Column(found._frame.with_name(x.name))


def _intervals(edges: list[Any], right: bool, lowest: bool, precision: int) -> list[str]:
    """How pandas writes the intervals: edges rounded to as few places as keep them apart."""
    if any(isinstance(edge, float) for edge in edges):
        edges = [float(edge) for edge in edges]
    for places in range(precision, 20):
        shown = [_rounded(edge, places) for edge in edges]
        if len(set(shown)) == len(shown):
            break
    else:
        places = precision
        shown = [_rounded(edge, places) for edge in edges]
    if right and lowest:
        shown[0] = shown[0] - 10**-places
    if any(isinstance(edge, float) for edge in shown):
        shown = [float(edge) for edge in shown]
    left, end = ("(", "]") if right else ("[", ")")
    return [f"{left}{low}, {high}{end}" for low, high in itertools.pairwise(shown)]


def _rounded(edge: Any, places: int) -> Any:
    if not math.isfinite(edge) or edge == 0:
        return edge
    if isinstance(edge, int):
        return edge
    fraction, whole = math.modf(edge)
    digits = -math.floor(math.log10(abs(fraction))) - 1 + places if whole == 0 else places
    scale = 10.0 ** abs(digits)
    return round(edge * scale) / scale if digits >= 0 else round(edge / scale) * scale
