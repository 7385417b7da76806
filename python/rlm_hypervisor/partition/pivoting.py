"""Long to wide: `p.pivot_table(...)`, `p.pivot(...)`, `.unstack()`, `pd.crosstab(...)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition import functions as fn
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.margins import with_margins
from rlm_hypervisor.partition.refusal import boolean, is_label, labels_of, missing_column, only, refuse
from rlm_hypervisor.partition.spreading import spread, unstacked
from rlm_hypervisor.partition.wide import Wide, hidden

NO_DEFAULT = type("NoDefault", (), {"__repr__": lambda self: "<no default>"})()
"""What stands for an argument that was not given, where None means something."""


class Pivoting:
    """The methods of Partition that make columns of values."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

        def _column(self, label: Any, call: str) -> Column: ...
        def _require(self, labels: list[Any], call: str) -> list[Any]: ...

    def pivot_table(
        self,
        values: Any = None,
        index: Any = None,
        columns: Any = None,
        aggfunc: Any = "mean",
        fill_value: Any = None,
        margins: bool = False,
        dropna: bool = True,
        margins_name: Any = "All",
        observed: bool = True,
        sort: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Aggregates of `values` with a row for each key of `index` and a column for each key of `columns`.

        With `columns`, or with margins, it is the last step of an operation, for its columns are values. Without an
        index, and with `dropna=False`, it is refused.
        """
        call = "DataFrame.pivot_table"
        only(call, dropna=(dropna, True), **{name: (value,) for name, value in kwargs.items()})
        ordered = boolean(call, "sort", sort)
        if not boolean(call, "observed", observed):
            refuse(
                f"`{call}` with `observed=False`: only keys that occur are known here",
                "Leave `observed` out",
                call=call,
            )
        rows = _keys(self._frame, index, call, "index")
        across = _keys(self._frame, columns, call, "columns")
        if not rows:
            refuse(
                f"`{call}` without `index` is not native", "Name the keys of the rows in `index`", call=call
            )
        own = [
            label
            for label in (_own(item) for item in (*_items(index), *_items(columns)))
            if label is not None
        ]
        several = values is not None and not is_label(values)
        if values is None:
            wanted: list[Any] = [label for label in self._frame.columns if label not in own]
        else:
            wanted = (labels_of(values) or []) if several else [values]
        if not wanted:
            refuse(
                f"`{call}` has no values to aggregate: {clipped(values)}", "Name them in `values`", call=call
            )
        self._require(wanted, f"`{call}`")
        base = self._frame
        for kind, keys in (("row", rows), ("column", across)):
            for number, (_, key) in enumerate(keys):
                base = base.assign(hidden(kind, number), key)
        present = list(dict.fromkeys([*(label for label in own if label in self._frame.columns), *wanted]))
        return _table(
            base,
            [name for name, _ in rows],
            [name for name, _ in across],
            wanted,
            aggfunc,
            call,
            fill=fill_value,
            margin=_margin(margins, margins_name, call),
            ordered=ordered,
            named=several or values is None,
            present=present,
        )

    def pivot(self, *, columns: Any, index: Any = NO_DEFAULT, values: Any = NO_DEFAULT) -> Wide:
        """The rows spread out: a column for each value of `columns`, a row for each of `index`.

        Two rows for one cell are an error. It is the last step of an operation, for its columns are values.
        """
        call = "DataFrame.pivot"
        across = _labels(columns, call, "columns")
        self._require(across, f"`{call}`")
        if index is NO_DEFAULT:
            rows = [
                (name, self._frame.level(number))
                for number, name in enumerate(self._frame.index_names or [None])
            ]
        else:
            labels = self._require(_labels(index, call, "index"), f"`{call}`")
            rows = [(label, self._frame.column(label)) for label in labels]
        taken = [*across, *(name for name, _ in rows if index is not NO_DEFAULT)]
        several = values is NO_DEFAULT or not is_label(values)
        if values is NO_DEFAULT:
            wanted = [label for label in self._frame.columns if label not in taken]
        else:
            wanted = self._require(_labels(values, call, "values"), f"`{call}`")
        if not wanted:
            refuse(f"`{call}` has no values to spread out", "Name them in `values`", call=call)
        return spread(
            rows,
            [(label, self._frame.column(label)) for label in across],
            [(label, self._frame.column(label)) for label in wanted],
            several,
            missing="first",
        )

    def unstack(self, level: Any = -1, fill_value: Any = None, sort: bool = True) -> Wide:
        """Levels of the index as the last levels of the columns. It is the last step of an operation."""
        values = [(label, self._frame.column(label)) for label in self._frame.columns]
        if not values:
            refuse(
                "`DataFrame.unstack` of no columns",
                "Select the columns to spread first",
                call="DataFrame.unstack",
            )
        return unstacked(self._frame, values, level, fill_value, sort, "DataFrame.unstack", True)


def _table(
    base: _core.Frame,
    rows: list[Any],
    across: list[Any],
    values: list[Any],
    aggfunc: Any,
    call: str,
    *,
    fill: Any,
    margin: str | None,
    ordered: bool,
    named: bool,
    present: list[Any],
    normalize: Any = None,
) -> Any:
    """Aggregates of `values` by the keys that `base` has as hidden columns."""
    from rlm_hypervisor.partition.frame import Partition

    keys = [hidden("row", n) for n in range(len(rows))] + [hidden("column", n) for n in range(len(across))]
    # Rows of missing keys, which have no cells, say which values the levels have.
    grouped = Partition(base).groupby(keys, sort=ordered, dropna=not across)[values]
    found = grouped.agg(aggfunc)._frame
    nested = isinstance(aggfunc, dict) and any(isinstance(label, tuple) for label in found.columns)
    several = fn.is_list(aggfunc)
    parts: list[tuple[Any, list[Any]]] = []
    for label in found.columns:
        if several:
            value, function = label
            part = [function, value] if named or not across else [function]
        elif nested:
            part = list(label) if named else list(label)[1:]
        else:
            part = [label] if named or not across else []
        parts.append((label, part))
    if several:
        names = list(dict.fromkeys(label[1] for label, _ in parts))
        parts.sort(key=lambda item: names.index(item[0][1]))
        if ordered or margin:
            parts.sort(key=lambda item: (names.index(item[0][1]), str(item[0][0])))
    elif ordered or margin:
        parts.sort(key=lambda item: [str(part) for part in item[1]])
    if not across and margin is None:
        return _narrow(found, rows, parts, fill)
    long = found.reset_index(False)
    if margin is not None:
        if nested:
            refuse(
                f"`{call}` with margins and lists of functions for columns is not native",
                "Leave `margins` out, or give one function",
                call=call,
            )
        long = with_margins(base, long, keys[: len(rows)], keys[len(rows) :], values, aggfunc, present, call)
    long = long.rename([(label, hidden("value", number)) for number, (label, _) in enumerate(parts)])
    depth = len(parts[0][1])
    if nested and len(across) > 1 and not ordered:
        refuse(
            f"`{call}` with `sort=False`, lists of functions and several `columns` is not native",
            "Leave `sort` out, or give one function",
            call=call,
        )
    return Wide(
        long,
        rows,
        across,
        [part for _, part in parts],
        [None] * depth,
        fill,
        margin=margin,
        parts=margin is not None,
        sorted=ordered,
        sorted_columns=ordered,
        sorted_tuples=ordered or len(across) == 1,
        tables=[names.index(label[1]) for label, _ in parts] if several else [],
        missing="leave",
        drop_empty=True,
        fill="nothing" if fill is None else "missing",
        normalize=normalize,
    )


def _narrow(found: _core.Frame, rows: list[Any], parts: list[tuple[Any, list[Any]]], fill: Any) -> Any:
    """The table without keys of columns: its columns are known."""
    from rlm_hypervisor.partition.frame import Partition

    frame = found.select([label for label, _ in parts])
    labels = [(label, part[0] if len(part) == 1 else tuple(part)) for label, part in parts]
    result = Partition(frame.rename(labels).with_level_names(rows)).dropna(how="all")
    return result if fill is None else result.fillna(fill)


def _margin(margins: Any, name: Any, call: str) -> str | None:
    if not boolean(call, "margins", margins):
        return None
    if not isinstance(name, str):
        refuse(
            f"`{call}` takes a string for `margins_name`, not `{clipped(name)}`",
            "Give a string, such as 'All'",
            call=call,
        )
    return name


def _items(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, list) else [given]


def _own(item: Any) -> Any:
    """The label of a column of the frame that a key is."""
    if is_label(item):
        return item
    return getattr(item, "key", None) if type(item).__module__.partition(".")[0] == "pandas" else None


def _keys(frame: _core.Frame, given: Any, call: str, name: str) -> list[tuple[Any, _core.Frame]]:
    """Keys by name: labels of columns or levels, columns, bins of time."""
    from rlm_hypervisor.partition import resampling

    keys: list[tuple[Any, _core.Frame]] = []
    for item in _items(given):
        if isinstance(item, Column):
            keys.append((item.name, item._frame))
        elif resampling.is_grouper(item):
            key, _ = resampling.by_grouper(frame, item, call)
            keys.append((key.columns[0], key))
        elif is_label(item) and item in frame.columns:
            keys.append((item, frame.column(item)))
        elif is_label(item) and item in (frame.index_names or ()):
            keys.append((item, frame.level((frame.index_names or []).index(item))))
        elif is_label(item):
            raise missing_column(item, frame.columns, f"`{call}`")
        else:
            refuse(
                f"`{call}` takes labels and columns for `{name}`, not `{clipped(item)}`",
                "Name columns, or give columns of the same partition",
                call=call,
            )
    return keys


def _labels(given: Any, call: str, name: str) -> list[Any]:
    labels = [given] if is_label(given) else labels_of(given)
    if not labels or not all(map(is_label, labels)):
        refuse(
            f"`{call}` takes labels of columns for `{name}`, not `{clipped(given)}`",
            "Name a column, or a list of them",
            call=call,
        )
    return labels


def pivot_table(data: Any, *args: Any, **kwargs: Any) -> Any:
    """`pd.pivot_table` of a partition."""
    return data.pivot_table(*args, **kwargs)


def pivot(data: Any, *, columns: Any, index: Any = NO_DEFAULT, values: Any = NO_DEFAULT) -> Any:
    """`pd.pivot` of a partition."""
    return data.pivot(columns=columns, index=index, values=values)


def crosstab(
    index: Any,
    columns: Any,
    values: Any = None,
    rownames: Any = None,
    colnames: Any = None,
    aggfunc: Any = None,
    margins: bool = False,
    margins_name: str = "All",
    dropna: bool = True,
    normalize: Any = False,
) -> Wide:
    """`pd.crosstab` of columns: how often their values occur together, or aggregates of `values`."""
    call = "pandas.crosstab"
    only(call, dropna=(dropna, True))
    if (values is None) != (aggfunc is None):
        refuse(
            f"`{call}` takes `values` and `aggfunc` together",
            "Give both, or leave both out to count rows",
            call=call,
        )
    rows = _series(index, rownames, "row", call)
    across = _series(columns, colnames, "col", call)
    if isinstance(normalize, bool):
        how = "all" if normalize else None
    else:
        how = {0: "index", 1: "columns"}.get(normalize, normalize)
    if how not in (None, "all", "index", "columns"):
        refuse(
            f"`{call}` with `normalize={clipped(normalize)}`", "Known are all, index and columns", call=call
        )
    base: _core.Frame | None = None
    for kind, keys in (("row", rows), ("column", across)):
        for number, (_, column) in enumerate(keys):
            label = hidden(kind, number)
            base = column.to_frame(label) if base is None else base.assign(label, column)
    if base is None:
        refuse(
            f"`{call}` needs columns",
            "Give a column for the rows and one for the columns: `pd.crosstab(p['a'], p['b'])`",
            call=call,
        )
    value = "__dummy__"
    if values is not None and not isinstance(values, Column):
        refuse(
            f"`{call}` takes a column for `values`, not `{clipped(values)}`",
            "Give a column of the same partition: `values=p['x']`",
            call=call,
        )
    if fn.is_list(aggfunc) and how is not None:
        refuse(
            f"`{call}` with `normalize` takes one function",
            "Give one function, or leave `normalize` out",
            call=call,
        )
    if (
        values is not None
        and isinstance(values, Column)
        and values.dtype.kind not in "iufb"
        and how is not None
    ):
        refuse(
            f"`{call}` with `normalize` takes numbers for `values`",
            "Give a numeric column, or leave `normalize` out",
            call=call,
        )
    base = base.assign(value, 0 if values is None else values._frame)
    table = _table(
        base,
        [name for name, _ in rows],
        [name for name, _ in across],
        [value],
        len if values is None else aggfunc,
        call,
        fill=0 if values is None else None,
        margin=_margin(margins, margins_name, call),
        ordered=True,
        named=False,
        present=list(base.columns),
        normalize=how,
    )
    return table  # type: ignore[no-any-return]


def _series(given: Any, names: Any, prefix: str, call: str) -> list[tuple[Any, _core.Frame]]:
    columns = list(given) if isinstance(given, list | tuple) else [given]
    if not columns or not all(isinstance(column, Column) for column in columns):
        refuse(
            f"`{call}` takes columns of a partition, not `{clipped(given)}`",
            "Give a column, or a list of columns: `pd.crosstab(p['a'], p['b'])`",
            call=call,
        )
    if names is None:
        named = [f"{prefix}_{n}" if c.name is None else c.name for n, c in enumerate(columns)]
    else:
        named = labels_of(names) or []
        if len(named) != len(columns):
            refuse(
                f"`{call}` was given {len(named)} name(s) for {len(columns)} column(s)",
                "Give one name for each column",
                call=call,
            )
    return [(name, column._frame) for name, column in zip(named, columns, strict=True)]
