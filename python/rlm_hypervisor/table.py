"""Table: the rows of a source, for looking at them; what `client.read` returns."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from html import escape
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor.errors import InvalidTaskError
from rlm_hypervisor.partition.frame import Partition
from rlm_hypervisor.partition.refusal import missing_column
from rlm_hypervisor.result import ArrowTable, PandasObject, PolarsFrame, Result
from rlm_hypervisor.run import Run
from rlm_hypervisor.schema import Schema

if TYPE_CHECKING:
    from rlm_hypervisor.opening import Sources

__all__ = ["Table"]

_SHOWN = 10
"""Rows of a preview."""

_PARTS = 32
"""Parts of a source that a sample reads at most, where it is not told otherwise."""


class Table:
    """The rows of a source, of which nothing is read until it is asked for, and then no more than that takes.

    `client.read(source)` makes one. It knows its columns and how many rows there are; `head` and `sample` read a few
    rows, and so does the preview of a notebook; `to_pandas` and its like read all. In an operation it stands where a
    table may stand (`p.merge(table)`), and it may be the `source` of a task: neither reads it twice.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> client = RLMClient()
    >>> table = client.read(pd.DataFrame({"k": ["a", "b", "c"], "v": [1, 2, 3]}))
    >>> len(table), table.columns
    (3, ['k', 'v'])
    >>> table.head(2)
    k | v
    - | -
    a | 1
    b | 2
    [2 rows, 2 columns]
    >>> print(table.sample(2, seed=1).to_pandas())
       k  v
    0  a  1
    2  c  3
    """

    def __init__(self, client: Sources, frame: _core.Frame, columns: Sequence[str] | None) -> None:
        self._client = client
        self._source = frame
        self._names = None if columns is None else list(columns)
        partition = Partition(frame)
        for name in columns or ():
            if name not in partition.columns:
                raise missing_column(name, frame.columns, "`columns`")
        self._frame = frame if columns is None else partition[list(columns)]._frame
        self._facts = _core.facts(frame)
        self._read = 0

    # What is known.
    @property
    def schema(self) -> Schema:
        """Names and types of the columns, and what is known of the source; as `client.schema(source)`."""
        return Schema(self._facts, self._names)

    @property
    def columns(self) -> list[Any]:
        """The labels of the columns."""
        return list(self._frame.columns)

    @property
    def dtypes(self) -> dict[Any, str]:
        """The types of the columns by label."""
        return dict(zip(self._frame.columns, self._frame.dtypes, strict=True))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), len(self._frame.columns)

    def __len__(self) -> int:
        rows: int = self._facts["rows"]
        return rows

    @property
    def bytes_read(self) -> int:
        """Bytes that were read of files for what this table was asked, footers and types not counted."""
        return self._read

    # Some rows.
    def head(self, n: int = 5) -> Result:
        """The first `n` rows."""
        return self._result(Partition(self._frame).head(_whole(n, "n", 0))._frame)

    def sample(self, n: int = 5, seed: int | None = None, *, parts: int | None = _PARTS) -> Result:
        """Rows drawn at random, none of them twice, in the order of the source; their index are their numbers.

        Every row is as likely as another. What is read are the parts of the source (row groups of Parquet, blocks and
        batches of other formats) that hold drawn rows.

        Args:
            n: how many; all rows where there are fewer.
            seed: the same seed draws the same rows of the same source; None: others each time.
            parts: from how many parts rows are drawn at most, where as many have rows enough. It bounds what is read of
                a large source; rows of one part may be more alike than others. None: from all.
        """
        n, rows = _whole(n, "n", 0), len(self)
        most = None if parts is None else _whole(parts, "parts", 1)
        drawn = _drawn(random.Random(seed), rows, min(n, rows), self._facts["parts"], most)
        found, read = self._client._engine.rows_at(self._source, drawn, self._names)
        self._read += read
        return self._result(found if self._names is None else Partition(found)[self._names]._frame)

    # All rows.
    def result(self) -> Result:
        """All rows, in memory."""
        return self._result(self._frame)

    def to_pandas(self) -> PandasObject:
        """All rows as a `pandas.DataFrame`."""
        return self.result().to_pandas()

    def to_arrow(self) -> ArrowTable:
        """All rows as a `pyarrow.Table`."""
        return self.result().to_arrow()

    def to_polars(self) -> PolarsFrame:
        """All rows as a `polars.DataFrame`."""
        return self.result().to_polars()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.result().__arrow_c_stream__(requested_schema)

    def _result(self, frame: _core.Frame) -> Result:
        self._client._check()
        run = Run(self._client._engine.submit(frame, {}), "read", client=self._client)
        found = run._execute(False)
        self._read += run.metrics()["bytes_read"]
        assert isinstance(found, Result)
        return found

    # For people.
    def _preview(self) -> tuple[Result, str]:
        shown = min(_SHOWN, len(self))
        rows = f"{len(self):,} row{'' if len(self) == 1 else 's'}"
        first = "" if shown == len(self) else f"; the first {shown}"
        return self.head(_SHOWN), f"[{rows}, {len(self.columns)} columns{first}]"

    def __repr__(self) -> str:
        found, footer = self._preview()
        return "\n".join([*repr(found).split("\n")[:-1], footer])

    def _repr_html_(self) -> str:
        found, footer = self._preview()
        text = found._repr_html_()
        return text.replace(escape(found._footer()), escape(footer))


def _whole(value: Any, name: str, least: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
        raise InvalidTaskError(
            f"`{name}` is {value!r}, but must be a whole number of at least {least}", details={"path": name}
        )
    return int(value.__index__())


def _drawn(chance: random.Random, rows: int, n: int, sizes: list[int], parts: int | None) -> list[int]:
    """`n` row numbers, rising; of no more than `parts` parts, unless these have too few rows."""
    if parts is None or len(sizes) <= parts:
        return sorted(chance.sample(range(rows), n))
    ends = list(accumulate(sizes))
    chosen: set[int] = set()
    held = 0
    # A part is as likely as it is large.
    while len(chosen) < len(sizes) and (len(chosen) < parts or held < n):
        part = bisect_right(ends, chance.randrange(rows))
        if part not in chosen:
            chosen.add(part)
            held += sizes[part]
        if held == rows:
            break
    order = sorted(chosen)
    inner = list(accumulate(sizes[part] for part in order))
    numbers = []
    for place in sorted(chance.sample(range(held), n)):
        at = bisect_right(inner, place)
        part = order[at]
        numbers.append(place - inner[at] + ends[part])
    return numbers
