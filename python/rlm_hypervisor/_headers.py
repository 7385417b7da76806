"""Labels of wide tables, whose columns are values: as pandas has them, with their types."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor._exact import to_frame


def with_header(pandas: Any, table: Any, header: Any, columns: list[Any]) -> Any:
    """The table with its columns' labels, and with the name of the margins where keys have none.

    In Arrow a margin of keys that are no text has a null for a key; pandas puts the name among them.
    """
    names, values, levels, margins, margin, last_row, leading = header
    if last_row:
        if leading:
            for place in range(leading):
                text = margin if place == 0 else ""
                table[table.columns[place]] = _with_last(pandas, table.iloc[:, place], text)
        elif isinstance(table.index, pandas.MultiIndex):
            parts = [table.index.get_level_values(level) for level in range(table.index.nlevels)]
            parts = [_with_last(pandas, part, "" if place else margin) for place, part in enumerate(parts)]
            table.index = pandas.MultiIndex.from_arrays(parts, names=table.index.names)
        else:
            table.index = pandas.Index(_with_last(pandas, table.index, margin), name=table.index.name)
    arrays: list[Any] = [list(labels) for labels in zip(*values, strict=True)] if names else []
    arrays += [[] for _ in range(len(names) - levels.num_columns)][len(arrays) :]
    for place, name in enumerate(levels.column_names):
        found = to_frame(pandas, levels.select([name]))[name]
        if any(margins):
            text = "" if place else margin
            if found.dtype.kind in ("m", "M") and not text:
                text = pandas.NaT
            elif found.dtype != "str":
                found = found.astype(object)
            found[margins] = text
            found = found.infer_objects() if all(margins) else found
        arrays.append(found)
    if leading:
        before = [label if isinstance(label, tuple) else (label,) for label in columns[:leading]]
        arrays = [_led(pandas, [label[n] for label in before], array) for n, array in enumerate(arrays)]
    if len(arrays) == 1:
        labels = pandas.Index(arrays[0], tupleize_cols=False).rename(names[0])
    else:
        labels = pandas.MultiIndex.from_arrays(arrays, names=names)
    table.columns = labels
    return table


def _led(pandas: Any, before: list[Any], found: Any) -> list[Any]:
    """A level with what leading columns have there: to pandas nothing is no time among times."""
    times = getattr(getattr(found, "dtype", None), "kind", None) in ("m", "M")
    return [*(pandas.NaT if times and text == "" else text for text in before), *found]


def _with_last(pandas: Any, keys: Any, text: str) -> Any:
    found = pandas.Series(keys.array)
    if found.dtype != "str":
        found = found.astype(object)
    found.iloc[-1] = text
    return found.array if len(found) > 1 else found.infer_objects().array
