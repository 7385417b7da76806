"""The inputs of a recursive task over a source: rows that stay where they are, and frames that are sent."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

from rlm_hypervisor.errors import InvalidTaskError


class Rows(NamedTuple):
    """Neighbouring rows of the source, to be given to `split`: nothing of them travels but their numbers."""

    start: int
    stop: int

    def __repr__(self) -> str:
        return f"<rows {self.start} to {self.stop - 1} of the source>"


class Loose(NamedTuple):
    """A frame of the user's, on its way to be a partition."""

    frame: Any


class Source:
    """The source of a recursive run, which came with the call in shared memory; opened when it is wanted."""

    def __init__(self, data: Any, facts: Mapping[str, Any]) -> None:
        self._data = data
        self._facts = facts

    @functools.cached_property
    def _table(self) -> Any:
        import pyarrow

        with pyarrow.ipc.open_stream(pyarrow.py_buffer(self._data)) as stream:
            return stream.read_all()

    def given(self, value: Any) -> Any:
        """What the operation receives for an input; None stands for all rows."""
        from rlm_hypervisor.worker.rows import of_table, partition_class

        if value is None:
            value = Rows(0, self._facts["rows"])
        if isinstance(value, Rows):
            part = self._table.slice(value.start, value.stop - value.start)
            made = of_table(part, self._facts["gaps"], value.start)
            object.__setattr__(made, "_rows", value)
            return made
        if isinstance(value, Loose):
            made = partition_class()(value.frame)
            object.__setattr__(made, "_fields", {field.name: field.type for field in self._table.schema})
            return made
        return value

    def sent(self, value: Any) -> Any:
        """What is sent of an input that the operation wants to be called on."""
        import pandas

        from rlm_hypervisor.worker.rows import plain

        return Loose(plain(value)) if isinstance(value, pandas.DataFrame) else value


def neighbours(rows: Rows | None, start: int, stop: int) -> Rows:
    """Some of the rows of a partition that are a range of the source's.

    Raises:
        InvalidTaskError: they are none, or not all of these rows are there.
    """
    if rows is None:
        raise InvalidTaskError(
            "`take_rows` is for partitions of a recursive task that are neighbouring rows of the source. Give `split` "
            "frames instead: `partition.iloc[start:stop]`"
        )
    count = rows.stop - rows.start
    if not 0 <= start <= stop <= count:
        raise InvalidTaskError(
            f"`take_rows({start}, {stop})` asks for rows that are not there: the partition has {count}"
        )
    return Rows(rows.start + start, rows.start + stop)
