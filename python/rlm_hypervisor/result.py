"""Result: a finished table or series, Arrow inside, with ways out to pandas, Arrow, Polars and files."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, TypeAlias

from rlm_hypervisor._lazy import require
from rlm_hypervisor.writer import Writer

if TYPE_CHECKING:
    from rlm_hypervisor._core import Answer

Label: TypeAlias = str | int | float | tuple[Any, ...] | None
# Of libraries that need not be there.
PandasObject: TypeAlias = Any
PolarsFrame: TypeAlias = Any
ArrowTable: TypeAlias = Any

__all__ = ["Result"]

_EDGE = 5
_MISSING = "<NA>"


class Result:
    """The answer of a task: what the operation would have returned on the whole input.

    It holds Arrow data and copies it only where a way out needs to. A series stays a series, and the index,
    the names and the dtypes are those that pandas would give.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]})
    >>> def totals(p):
    ...     return p.groupby("k")["v"].sum()
    >>> result = RLMClient().execute({"type": "parallel", "input": {"source": data, "operation": totals}})
    >>> result
    k | v
    - | -
    a | 4
    b | 2
    [series of 2 rows]
    >>> result.to_pandas()
    k
    a    4
    b    2
    Name: v, dtype: int64
    >>> result.to_dict()
    {'a': 4, 'b': 2}
    """

    __slots__ = ("__weakref__", "_answer", "_client")

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        # Whose stores it is written to; it does not keep the client.
        self._client: Any = None

    def _of_client(self, client: object) -> None:
        self._client = weakref.ref(client)

    # What it is.
    @property
    def is_series(self) -> bool:
        """Whether pandas would return a Series."""
        return self._answer.kind == "series"

    @property
    def columns(self) -> list[Label]:
        """Labels of the columns, without the index; of a series its name alone."""
        return list(self._answer.columns)

    @property
    def name(self) -> Label:
        """The name of a series; None for a table."""
        return self._answer.columns[0] if self.is_series else None

    @property
    def index_names(self) -> list[Label] | None:
        """Names of the index levels; None for rows numbered from 0."""
        return None if self._answer.index is None else list(self._answer.index)

    @property
    def shape(self) -> tuple[int, ...]:
        """`(rows,)` of a series, `(rows, columns)` of a table, the index not counted."""
        rows = self._answer.num_rows
        return (rows,) if self.is_series else (rows, len(self._answer.columns))

    @property
    def nbytes(self) -> int:
        """Bytes of memory it holds."""
        return self._answer.size_bytes()

    def __len__(self) -> int:
        return self._answer.num_rows

    # Ways out.
    def to_pandas(self) -> PandasObject:
        """As a `pandas.Series` or `pandas.DataFrame`, with the index.

        Raises:
            ImportError: pandas or pyarrow is not installed; names the extra.
        """
        pandas = require("pandas", "to_pandas()")
        table = self._table("to_pandas()")
        levels = self._answer.index or []
        from rlm_hypervisor._exact import to_frame

        plain = to_frame(pandas, table.rename_columns([str(i) for i in range(table.num_columns)]))
        arrays = [plain[name] for name in plain.columns]
        if self._answer.index is not None:
            index = _index(pandas, arrays[: len(levels)], levels)
            plain = plain.iloc[:, len(levels) :]
            plain.index = index
        if self._answer.mixed is not None:
            plain = _with_objects(pandas, plain, *self._answer.mixed)
        if self.is_series:
            series = plain.iloc[:, 0]
            series.name = self.name
            return series
        labels = self._answer.columns
        if self._answer.header is not None:
            from rlm_hypervisor._headers import with_header

            header = list(self._answer.header)
            header[2] = require("pyarrow", "to_pandas()").table(header[2])
            return with_header(pandas, plain, header, labels)
        if labels and all(isinstance(label, tuple) for label in labels):
            plain.columns = pandas.MultiIndex.from_tuples(labels)
        else:
            plain.columns = (
                pandas.Index(labels, tupleize_cols=False) if labels else pandas.Index([], dtype="str")
            )
        return plain

    def to_arrow(self) -> ArrowTable:
        """As a `pyarrow.Table`, with the index as leading columns.

        Raises:
            ImportError: pyarrow is not installed; names the extra.
        """
        return self._table("to_arrow()")

    def to_polars(self) -> PolarsFrame:
        """As a `polars.DataFrame`, with the index as leading columns.

        Raises:
            ImportError: polars is not installed; names the extra.
        """
        return require("polars", "to_polars()").DataFrame(self._answer)

    def to_dict(self) -> dict[Any, Any]:
        """Of a series: index value to value (a tuple where the index has levels). Of a table: label to list.

        Missing values are None.

        Raises:
            ImportError: pyarrow is not installed, and a column has lists or other values that need it.
        """
        columns = self._columns()
        levels = len(self._answer.index or [])
        if not self.is_series:
            return dict(zip(self._answer.columns, columns[levels:], strict=True))
        if not levels:
            return dict(enumerate(columns[0]))
        keys = columns[0] if levels == 1 else list(zip(*columns[:levels], strict=True))
        return dict(zip(keys, columns[levels], strict=True))

    @property
    def write(self) -> Writer:
        """Writes it to files: `result.write.parquet(url)`, and the same for `csv`, `json`, `arrow` and `avro`."""
        return Writer(self._answer, self._client)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._answer.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self._answer.__arrow_c_schema__()

    def _columns(self) -> list[list[Any]]:
        """The columns' values, those of the index first; without pyarrow as far as the base install goes."""
        try:
            columns = [column.to_pylist() for column in self._table("to_dict()").columns]
            if self._answer.mixed is not None:
                places, values = self._answer.mixed
                levels = len(self._answer.index or [])
                values = require("pyarrow", "to_dict()").table(values)
                for (row, place), value in zip(places, values.columns, strict=True):
                    columns[levels + place][row] = value.to_pylist()[0]
            return columns
        except ImportError:
            if self._answer.mixed is not None:
                raise
            from rlm_hypervisor._scalar import python_value

            width = len(self._answer.index or []) + self._answer.num_columns
            try:
                return [
                    [None if value is None else python_value(value) for value in self._answer.values(place)]
                    for place in range(width)
                ]
            except TypeError:
                pass
            raise

    def _table(self, purpose: str) -> Any:
        return require("pyarrow", purpose).table(self._answer)

    # For people.
    def __repr__(self) -> str:
        header, rows, hidden = self._preview()
        if not header:
            return self._footer()
        lines = [
            header,
            ["-" * max((len(row[i]) for row in [header, *rows]), default=1) for i in range(len(header))],
        ]
        if hidden:
            half = _EDGE
            lines += [*rows[:half], ["…"] * len(header), *rows[half:]]
        else:
            lines += rows
        widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
        text = [
            " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        return "\n".join([*text, self._footer()])

    def _footer(self) -> str:
        rows = f"{len(self):,} row{'' if len(self) == 1 else 's'}"
        if self.is_series:
            return f"[series of {rows}]"
        columns = len(self._answer.columns)
        return f"[{rows}, {columns} column{'' if columns == 1 else 's'}]"

    def _preview(self) -> tuple[list[str], list[list[str]], bool]:
        labels = [*(self._answer.index or []), *self._answer.columns]
        header = ["" if label is None else _shown(label) for label in labels]
        rows = [
            [_MISSING if cell is None else _clip(cell) for cell in row] for row in self._answer.preview(_EDGE)
        ]
        return header, rows, self._answer.num_rows > 2 * _EDGE

    def _repr_html_(self) -> str:
        from html import escape

        header, rows, hidden = self._preview()
        levels = len(self._answer.index or [])
        cell = 'style="padding:2px 10px;text-align:right;border:0"'
        head = 'style="padding:2px 10px;text-align:right;border:0;border-bottom:1px solid currentColor"'

        def line(cells: list[str]) -> str:
            tags = [
                f'<th scope="row" {cell}>{escape(text)}</th>'
                if i < levels
                else f"<td {cell}>{escape(text)}</td>"
                for i, text in enumerate(cells)
            ]
            return f"<tr>{''.join(tags)}</tr>"

        body = [line(row) for row in rows]
        if hidden:
            body.insert(_EDGE, line(["…"] * len(header)))
        top = "".join(f'<th scope="col" {head}>{escape(text)}</th>' for text in header)
        return (
            '<div><table style="border-collapse:collapse;color:inherit;background:transparent">'
            f"<thead><tr>{top}</tr></thead><tbody>{''.join(body)}</tbody></table>"
            f'<small style="opacity:0.7">{escape(self._footer())}</small></div>'
        )


def _with_objects(pandas: Any, plain: Any, places: list[tuple[int, int]], values: Any) -> Any:
    """The frame with columns of objects where values are of several types."""
    from rlm_hypervisor._exact import to_frame

    one = to_frame(pandas, require("pyarrow", "to_pandas()").table(values))
    columns: dict[int, list[Any]] = {}
    for number, (row, place) in enumerate(places):
        columns.setdefault(place, [float("nan")] * len(plain))[row] = one.iloc[:, number].tolist()[0]
    parts = [
        pandas.Series(columns[place], index=plain.index, dtype=object)
        if place in columns
        else plain.iloc[:, place]
        for place in range(plain.shape[1])
    ]
    return pandas.concat(parts, axis=1, keys=range(len(parts)))


def _index(pandas: Any, arrays: list[Any], names: list[Any]) -> Any:
    if len(arrays) == 1:
        index = pandas.Index(arrays[0])
        index.name = names[0]
        return index
    return pandas.MultiIndex.from_arrays(arrays, names=names)


def _shown(label: Any) -> str:
    if isinstance(label, tuple):
        return "(" + ", ".join(_shown(part) for part in label) + ")"
    return _clip(str(label))


def _clip(text: str) -> str:
    """One line, of bearable width, with nothing that a terminal would obey."""
    clean = "".join(char if char.isprintable() else " " for char in text)
    return clean if len(clean) <= 40 else clean[:39] + "…"
