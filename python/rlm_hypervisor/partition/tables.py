"""Tables made outside of the operation: pandas, Polars and pyarrow objects where a partition is wanted."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor import _core
from rlm_hypervisor._document import has_index
from rlm_hypervisor._handlers import by_handler
from rlm_hypervisor._lazy import is_instance
from rlm_hypervisor._text import clipped
from rlm_hypervisor.errors import RLMError
from rlm_hypervisor.partition.arrays import Lookup, Taken
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.frame import Partition
from rlm_hypervisor.partition.levels import RowIndex
from rlm_hypervisor.partition.refusal import refuse

VALUE = "__value"
"""The column that a series without a name travels in."""


def in_memory(table: Any, call: str) -> _core.Frame:
    """The symbolic frame of an object with an Arrow capsule; the index of a pandas object is its index."""
    index: list[tuple[str, str | None]] = []
    if is_instance(table, "pandas", "DataFrame"):
        labels = list(table.columns)
        if len(set(labels)) != len(labels) or not all(isinstance(label, str) for label in labels):
            refuse(
                f"{call} takes a DataFrame whose columns are called by different strings, "
                f"and these are {clipped(labels)}",
                "Rename them: `df.rename(columns=str)`",
            )
        if has_index(table):
            given = list(table.index.names)
            # As pandas calls them in files.
            names = [
                name
                if isinstance(name, str) and name not in labels and given.count(name) == 1
                else f"__index_level_{number}__"
                for number, name in enumerate(given)
            ]
            for name in table.index.names:
                if not (name is None or isinstance(name, str)):
                    refuse(
                        f"{call} got a DataFrame whose index is called {name!r}",
                        "Rename it to a string: `df.rename_axis('name')`",
                    )
            index = list(zip(names, table.index.names, strict=True))
            table = table.reset_index(names=names)
    try:
        return _core.Frame.table(table, index)
    except RLMError:
        raise
    except TypeError as error:
        if by_handler(error):
            raise
        refuse(
            f"{call} cannot take a {type(table).__name__} as a table: {' '.join(_core.redact(str(error)).split())[:200]}",
            "Give a DataFrame, a table of pyarrow or Polars, or `client.table(source)`",
        )


def is_table(value: Any) -> bool:
    """Whether it is a partition, or something outside that can be read as a table."""
    if isinstance(value, Partition):
        return True
    if isinstance(value, type) or is_instance(value, "pandas", "Series"):
        return False
    if is_instance(value, "polars", "Series") or is_instance(value, "pyarrow", "Array", "ChunkedArray"):
        return False
    return hasattr(value, "__arrow_c_stream__") or hasattr(value, "__arrow_c_array__")


def table(value: Any, call: str) -> Partition:
    """A partition as it is; anything else that is a table as one."""
    if isinstance(value, Partition):
        return value
    if is_instance(value, "rlm_hypervisor.table", "Table"):
        return Partition(value._frame)
    if not is_table(value):
        refuse(
            f"{call} takes a partition or a table (pandas, Polars, pyarrow), not `{clipped(value)}`",
            "Open files with `client.table(path)` outside of the operation",
        )
    return Partition(in_memory(value, call))


def series(value: Any, call: str) -> Column | None:
    """A column as it is; a pandas or Polars Series, or a pyarrow array, as one; None for anything else."""
    if isinstance(value, Column):
        return value
    if isinstance(value, Lookup):
        return Column(value.by_label())
    if isinstance(value, Taken):
        return Column(value._frame)
    if isinstance(value, RowIndex):
        return value.to_series()  # type: ignore[no-any-return]
    if is_instance(value, "pandas", "Series"):
        name = value.name
        column = Partition(in_memory(value.to_frame(VALUE), call))[VALUE]
    elif is_instance(value, "polars", "Series"):
        name = value.name or None
        column = Partition(in_memory(value.to_frame(VALUE), call))[VALUE]
    else:
        return None
    column.name = name
    return column  # type: ignore[no-any-return]
