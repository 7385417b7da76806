"""Chunks of a source in a worker: what the operation receives, and what its result means for the whole."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from rlm_hypervisor.worker.ranges import Rows, neighbours


class Encoded:
    """A result that is not pickled as it is: blobs, and what they are."""

    def __init__(self, blobs: list[Any], more: dict[str, Any]) -> None:
        self.blobs = blobs
        self.more = more


class OverRows:
    """A function of a partition, as a worker calls it on chunks.

    Args:
        function: the user's.
        aligned: whether results have to be rows of the chunk; else they are taken as they are.
    """

    def __init__(self, function: Any, aligned: bool) -> None:
        self._function = function
        self._aligned = aligned
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def __call__(self, chunk: tuple[Any, dict[str, Any]]) -> Any:
        """The result for one chunk: `(bytes, facts)`."""
        data, facts = chunk
        partition = concrete(data, facts)
        start, rows = partition.index.start, len(partition)
        result = self._function(partition)
        if not self._aligned:
            return plain(result)
        return _encoded(result, start, rows)


@functools.cache
def partition_class() -> Any:
    """What an operation receives in Python mode: a DataFrame that also knows its Arrow form."""
    import pandas

    class Partition(pandas.DataFrame):  # type: ignore[misc]
        """The rows of one chunk. What is made of it are ordinary frames."""

        _fields: Mapping[str, Any] = MappingProxyType({})
        """The Arrow types of the source's columns."""
        _rows: Rows | None = None
        """Which rows of the source they are, in a recursive task."""

        @property
        def _constructor(self) -> Any:
            return pandas.DataFrame

        def to_arrow(self) -> Any:
            """The rows as a `pyarrow.Table`, as they are now; columns that the source has keep its types."""
            return as_arrow(pandas.DataFrame(self), self._fields)

        def take_rows(self, start: int, stop: int) -> Rows:
            """Some of the rows as the source has them, by their places here, to be given to `split`."""
            return neighbours(self._rows, start, stop)

        def to_polars(self) -> Any:
            """The rows as a `polars.DataFrame`."""
            import polars

            return polars.from_arrow(self.to_arrow())

        def to_pandas(self) -> Any:
            """The rows as a plain `pandas.DataFrame`; its index are the numbers of the rows in the source."""
            return pandas.DataFrame(self)

    Partition.__module__ = "rlm_hypervisor"
    return Partition


def concrete(data: Any, facts: dict[str, Any]) -> Any:
    """The rows of a chunk, or of a part of it, as the operation receives them."""
    import pyarrow

    with pyarrow.ipc.open_stream(pyarrow.py_buffer(data)) as stream:
        table = stream.read_all()
    first_row = facts["first_row"]
    if "piece" in facts:
        start, stop = facts["piece"]
        table, first_row = table.slice(start, stop - start), first_row + start
    return of_table(table, facts.get("gaps", ()), first_row)


def of_table(table: Any, gaps: Iterable[int], first_row: int) -> Any:
    """Rows of a source as the operation receives them; `gaps` are columns that have missing values somewhere."""
    import pandas

    from rlm_hypervisor._exact import to_frame

    named = {table.column_names[place] for place in gaps}
    # A worker for each core: threads would only be in each other's way.
    frame = partition_class()(to_frame(pandas, table, named, threads=False))
    frame.index = pandas.RangeIndex(first_row, first_row + table.num_rows)
    # Not by pandas, which would look for a column.
    object.__setattr__(frame, "_fields", {field.name: field.type for field in table.schema})
    return frame


def rehearse() -> None:
    """A table there and back, so that the first call does not wait for what is imported or made on the way."""
    import pyarrow

    frame = of_table(pyarrow.table({"number": [1, 2], "text": ["a", "b"]}), (), 0)
    as_arrow(plain(frame), frame._fields)


def as_arrow(frame: Any, fields: Mapping[str, Any]) -> Any:
    """A frame without its index as Arrow.

    What Python objects are is told by the values that happen to be there, so columns of objects have the types of
    `fields`, where these hold them: other digits of decimals, and nulls where there is nothing else.
    """
    import pyarrow

    table = pyarrow.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
    for place, field in enumerate(table.schema):
        wanted = fields.get(field.name)
        if wanted is None or field.type == wanted or frame.dtypes.iloc[place].kind != "O":
            continue
        if _family(field.type) in (_family(wanted), "null"):
            with contextlib.suppress(pyarrow.ArrowException, TypeError):
                values = pyarrow.array(frame.iloc[:, place], type=wanted, from_pandas=True)
                table = table.set_column(place, field.name, values)
    return table


def _family(kind: Any) -> str:
    """An Arrow type without its parameters and the width of its offsets."""
    return re.split(r"[\[<(]", str(kind))[0].removeprefix("large_")


def plain(result: Any) -> Any:
    """A result without the classes of this file."""
    if type(result) is partition_class():
        import pandas

        return pandas.DataFrame(result)
    return result


def _encoded(result: Any, first_row: int, rows: int) -> Encoded | Any:
    """Rows of the chunk as Arrow; anything else as it is, with words that say what it is."""
    import pandas

    result = plain(result)
    if not isinstance(result, pandas.DataFrame | pandas.Series) or not _are_rows(result, first_row, rows):
        from rlm_hypervisor.worker.codec import dump

        return Encoded([dump([result])], {"value": described(result)})
    import pyarrow

    series = isinstance(result, pandas.Series)
    frame = (
        result.to_frame("0") if series else result.set_axis([str(i) for i in range(result.shape[1])], axis=1)
    )
    table = pyarrow.Table.from_pandas(frame, preserve_index=False, nthreads=1)
    table = table.append_column("rows", pyarrow.array(result.index.to_numpy("int64")))
    labels = [result.name] if series else list(result.columns)
    whole = len(result) == rows
    return Encoded([_written(table)], {"series": series, "labels": _told(labels), "whole": whole})


def _written(table: Any) -> Any:
    """A table as Arrow IPC; a large one in shared memory, so that it is written once."""
    import pyarrow

    from rlm_hypervisor.worker.channel import SHARED_FROM, Written, unnamed

    def write(sink: Any) -> None:
        with pyarrow.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)

    if table.nbytes >= SHARED_FROM:
        # Where no memory can be shared any more it goes as other results do.
        with contextlib.suppress(OSError):
            shared = Written(unnamed())
            with open(shared.file, "wb", closefd=False) as file:
                write(pyarrow.PythonFile(file, "w"))
            shared.length = os.fstat(shared.file).st_size
            return shared
    sink = pyarrow.BufferOutputStream()
    write(sink)
    return sink.getvalue()


def _told(labels: list[Any]) -> list[Any]:
    """Labels as JSON carries them; tuples are lists there."""
    return [list(label) if isinstance(label, tuple) else label for label in labels]


def _are_rows(result: Any, first_row: int, rows: int) -> bool:
    """Whether a frame's index says that it is rows of the chunk, in their order, each at most once."""
    import pandas

    index = result.index
    if index.nlevels != 1 or index.name is not None or not pandas.api.types.is_integer_dtype(index.dtype):
        return False
    if result.ndim == 2:
        if not result.columns.is_unique or result.columns.nlevels > 1:
            return False
        if not all(isinstance(label, str | int) and not isinstance(label, bool) for label in result.columns):
            return False
    elif not isinstance(result.name, str | int | None):
        return False
    if len(index) == 0:
        return True
    return bool(
        index.is_monotonic_increasing
        and index.is_unique
        and index[0] >= first_row
        and index[-1] < first_row + rows
    )


def described(result: Any) -> str:
    """A result in words, for an error."""
    shape = getattr(result, "shape", None)
    name = type(result).__name__
    index = getattr(result, "index", None)
    names = [str(name) for name in getattr(index, "names", []) or [] if name is not None]
    by = f", indexed by {', '.join(names)}" if names else ""
    if isinstance(shape, tuple) and len(shape) == 2:
        return f"a {name} of {shape[0]} rows and {shape[1]} columns{by}"
    if isinstance(shape, tuple) and len(shape) == 1:
        return f"a {name} of {shape[0]} values{by}"
    if isinstance(result, list | tuple | dict | set):
        return f"a {name} of {len(result)}"
    return "None" if result is None else f"a value of type {name}"


class Together:
    """The last call of a run: the results of all chunks, in their order, become one.

    Args:
        combine: the user's function of a list; None concatenates as `pandas.concat` does.
    """

    def __init__(self, combine: Any = None) -> None:
        self._combine = combine
        self.__name__ = getattr(combine, "__name__", "concat")

    def __call__(self, parts: list[Any]) -> Any:
        """What becomes of the parts."""
        if self._combine is not None:
            return plain(self._combine(parts))
        return concatenated(parts)


def concatenated(parts: list[Any]) -> Any:
    """Frames, series, Arrow and Polars tables, arrays and lists, one after the other."""
    if not parts:
        return []
    first = parts[0]
    library = type(first).__module__.partition(".")[0]
    if library == "pandas":
        import pandas

        return pandas.concat(parts)
    if library == "polars":
        import polars

        return polars.concat(parts)
    if library == "pyarrow":
        import pyarrow

        return pyarrow.concat_tables(parts, promote_options="permissive")
    if library == "numpy":
        import numpy

        return numpy.concatenate(parts)
    if isinstance(first, list | tuple):
        return [value for part in parts for value in part]
    raise TypeError(
        f'results of type {type(first).__name__} cannot be concatenated; give `combine` a function, or "list"'
    )
