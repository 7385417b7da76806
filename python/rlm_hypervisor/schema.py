"""Schema: what is known of a source without reading its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["Schema"]


class Schema(Mapping[str, str]):
    """Names and types of the columns of a source, and how large it is. A mapping of names to types.

    Of Parquet all of it is in the footers; heads of batches and blocks tell it of Arrow IPC and Avro. CSV and JSON
    lines say nothing of types, so they are read through once, as for any task.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> schema = RLMClient().schema(pd.DataFrame({"k": ["a", "b"], "v": [1, 2]}))
    >>> dict(schema)
    {'k': 'str', 'v': 'int64'}
    >>> schema.rows
    2
    """

    __slots__ = ("_facts", "_names")

    def __init__(self, facts: Mapping[str, Any], names: Sequence[str] | None = None) -> None:
        self._facts = facts
        self._names = names

    def _columns(self) -> dict[str, str]:
        found = dict(self._facts["columns"])
        return found if self._names is None else {name: found[name] for name in self._names}

    @property
    def names(self) -> list[str]:
        """The names of the columns, in order; those that are the index of a pandas object included."""
        return list(self._columns())

    @property
    def types(self) -> dict[str, str]:
        """The type of each column, as `dtype` says it."""
        return self._columns()

    @property
    def format(self) -> str:
        """The format of the files, as people call it; "memory" for data in memory."""
        return str(self._facts["format"])

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self._facts["rows"])

    @property
    def files(self) -> int | None:
        """How many files there are; None for data in memory."""
        found: int | None = self._facts["files"]
        return found

    @property
    def parts(self) -> int:
        """How many parts are read by themselves: row groups of Parquet, blocks and batches of other formats."""
        return len(self._facts["parts"])

    @property
    def bytes(self) -> int:
        """The size of the files as they are stored, or of data in memory."""
        return int(self._facts["bytes"])

    @property
    def partition_columns(self) -> list[str]:
        """The columns that names of directories say (`year=2024/`)."""
        return [name for name in self._facts["partition_columns"] if name in self._columns()]

    def __getitem__(self, name: str) -> str:
        return self._columns()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns())

    def __len__(self) -> int:
        return len(self._columns())

    def _footer(self) -> str:
        files = "" if self.files is None else f", {self.files:,} file{'' if self.files == 1 else 's'}"
        return (
            f"[{self.format}: {self.rows:,} row{'' if self.rows == 1 else 's'}{files}, {self.bytes:,} bytes]"
        )

    def __repr__(self) -> str:
        columns = self._columns()
        width = max((len(name) for name in columns), default=0)
        named = set(self.partition_columns)
        lines = [
            f"{_line(name).ljust(width)}  {dtype}{'  (directories)' if name in named else ''}"
            for name, dtype in columns.items()
        ]
        return "\n".join([*lines, self._footer()])

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td>{escape(_line(name))}</td><td>{escape(dtype)}</td></tr>"
            for name, dtype in self._columns().items()
        )
        return f'<div><table style="border-collapse:collapse">{cells}</table><small>{escape(self._footer())}</small></div>'


def _line(text: str) -> str:
    """One line, with nothing that a terminal would obey."""
    return "".join(char if char.isprintable() else " " for char in text)
