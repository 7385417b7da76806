"""`pd.DataFrame(...)` of what is symbolic: columns side by side, or a small table of scalars."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.alignment import united
from rlm_hypervisor.partition.constant import constant
from rlm_hypervisor.partition.operators import Operators, apply, wrap
from rlm_hypervisor.partition.refusal import is_label, labels_of, only, refuse
from rlm_hypervisor.partition.scalar import Scalar, Summary

_CALL = "pandas.DataFrame"
_ADVICE = "Give it a dict of columns, or of lists of aggregates: `pd.DataFrame({'total': [p['x'].sum()]})`"


def frame(
    data: Any = None, index: Any = None, columns: Any = None, dtype: object = None, copy: object = None
) -> Any:
    """A partition of columns (of the same rows, or brought together by label), or a table of scalars.

    Constants and scalars beside columns stand in every row. Without any column, lists of scalars and constants are
    the columns of a small table; a list of dicts has its rows. `index` labels the rows of such a table only.
    """
    from rlm_hypervisor.partition.frame import Partition

    only(_CALL, dtype=(dtype, None), copy=(copy, None, True, False))
    if isinstance(data, Partition):
        only(_CALL, index=(index, None))
        return data.copy() if columns is None else data[_labels(columns)]
    if isinstance(data, Operators) and data._frame.kind == "series":
        only(_CALL, index=(index, None))
        return _named(data, columns)
    if isinstance(data, list) and data and all(isinstance(row, dict) for row in data):
        labels = list(dict.fromkeys(label for row in data for label in row))
        if any(set(row) != set(labels) for row in data):
            refuse(
                f"`{_CALL}` of dicts with different keys is not native", "Give each the same keys", call=_CALL
            )
        data = {label: [row[label] for row in data] for label in labels}
    if not isinstance(data, dict) or not data or not all(is_label(label) for label in data):
        refuse(f"`{_CALL}` of `{clipped(data)}` is not native", _ADVICE, call=_CALL)
    if columns is not None:
        wanted = _labels(columns)
        if any(label not in data for label in wanted):
            refuse(f"`{_CALL}` with `columns` that are not in the dict is not native", "Add them", call=_CALL)
        data = {label: data[label] for label in wanted}
    if any(isinstance(value, Operators) and value._frame.kind == "series" for value in data.values()):
        only(_CALL, index=(index, None))
        return _side_by_side(data)
    return _table(data, index)


def _labels(columns: Any) -> list[Any]:
    found = labels_of(columns)
    if found is None:
        refuse(
            f"`{_CALL}` takes a list of labels for `columns`, not `{clipped(columns)}`",
            "Give a list: `columns=['a', 'b']`",
            call=_CALL,
        )
    return found


def _named(column: Any, columns: Any) -> Any:
    if columns is None:
        return column.to_frame()
    labels = _labels(columns)
    if len(labels) != 1 or column.name not in (None, labels[0]):
        refuse(
            f"`{_CALL}` of one column takes its label for `columns`, not `{clipped(columns)}`",
            "Write `column.to_frame('label')`",
            call=_CALL,
        )
    return column.to_frame(labels[0])


def _side_by_side(data: dict[Any, Any]) -> Any:
    """Columns under their labels, over the labels of all rows."""
    from rlm_hypervisor.partition.frame import Partition

    series = {
        label: value._frame
        for label, value in data.items()
        if isinstance(value, Operators) and value._frame.kind == "series"
    }
    found = dict(zip(series, united(list(series.values()), f"`{_CALL}`"), strict=True))
    first = next(iter(found))
    made = found[first].to_frame(first)
    for label, value in data.items():
        if isinstance(value, list | tuple | dict | Summary):
            refuse(f"`{_CALL}`: `{label}` is a {type(value).__name__} beside columns", _ADVICE, call=_CALL)
        if label in found:
            part: Any = found[label]
        else:
            part = value._frame if isinstance(value, Operators) else constant(value, f"`{_CALL}`")
        made = made.assign(label, part)
    return Partition(made.select(list(data)))


def _table(data: dict[Any, Any], index: Any) -> Summary:
    """A small table: a row for each scalar of the lists, or for each label of the summaries."""
    summaries = [value for value in data.values() if isinstance(value, Summary)]
    if summaries:
        parts = [value.scalars() if isinstance(value, Summary) else None for value in data.values()]
        first = parts[0]
        if first is None or any(part is None or list(part) != list(first) for part in parts):
            refuse(f"`{_CALL}` of summaries of different columns is not native", _ADVICE, call=_CALL)
        only(_CALL, index=(index, None))
        rows = [[part[label] for part in parts if part is not None] for label in first]
        return Summary(list(first), list(data), rows)
    lists = {label: labels_of(value) for label, value in data.items()}
    count = max((len(values) for values in lists.values() if values is not None), default=None)
    labels = None if index is None else labels_of(index)
    if count is None and labels is None:
        refuse(
            f"`{_CALL}` of scalars needs an index, in pandas too", "Put them into lists of one", call=_CALL
        )
    labels = list(range(count or 0)) if labels is None else labels
    some = _some_scalar(data, lists)
    cells: list[list[Scalar | None]] = []
    for number in range(len(labels)):
        row: list[Scalar | None] = []
        for label, values in lists.items():
            if values is not None and len(values) != len(labels):
                refuse(
                    f"`{_CALL}`: `{label}` has {len(values)} values for {len(labels)} rows, which pandas refuses too",
                    "Give as many values as there are rows",
                    call=_CALL,
                )
            row.append(_scalar(data[label] if values is None else values[number], some))
        cells.append(row)
    return Summary(labels, list(data), cells)


def _some_scalar(data: dict[Any, Any], lists: dict[Any, Any]) -> Scalar:
    """Any scalar of them."""
    for label, values in lists.items():
        for value in [data[label]] if values is None else values:
            if isinstance(value, Scalar):
                return value
    refuse(f"`{_CALL}` of a table without a scalar of the partition is not native here", _ADVICE, call=_CALL)


def _scalar(value: Any, other: Scalar) -> Scalar:
    """A scalar as it is; a constant as one, by the side of another."""
    if isinstance(value, Scalar):
        return value
    if isinstance(value, Operators):
        refuse(f"`{_CALL}`: a column stands in a list", _ADVICE, call=_CALL)
    plain = constant(value, f"`{_CALL}`")
    found = wrap(_core.Frame.call("where", [apply("isna", other)._frame, plain, plain]))
    assert isinstance(found, Scalar)
    return found
