"""Arrow tables as pandas frames in which whole numbers and booleans stay exact where values are missing."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any


def to_frame(pandas: Any, table: Any, gaps: Collection[str] = (), *, threads: bool = True) -> Any:
    """The table as a frame, its columns named as in Arrow.

    pyarrow makes floats of integers, and objects of booleans, where a value is missing: 2^53 + 1 would be 2^53.
    These columns become `Int64` and its like, and `boolean`; all others are as pyarrow has them. `gaps` are columns
    of which that holds although this part of them may have no missing value.
    """
    exact = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if column.null_count or name in gaps:
            kind = _NULLABLE.get(str(column.type))
            if kind is not None:
                exact[name] = getattr(pandas, kind)().__from_arrow__(column)
    if not exact:
        return table.to_pandas(ignore_metadata=True, use_threads=threads)
    rest = table.drop_columns(list(exact)).to_pandas(ignore_metadata=True, use_threads=threads)
    columns = {name: exact[name] if name in exact else rest[name] for name in table.column_names}
    return pandas.DataFrame(columns, copy=False)


_NULLABLE = {
    f"{sign}int{bits}": f"{sign.upper()}Int{bits}Dtype" for sign in ("", "u") for bits in (8, 16, 32, 64)
} | {"bool": "BooleanDtype"}
"""Classes of pandas, by the names of Arrow's types."""
