"""Scalar: one value that is not known yet; Summary: a small table of them, such as `p.sum()` gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from rlm_hypervisor import _core
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.operators import SYMBOLS, Operators, apply
from rlm_hypervisor.partition.posing import numbers, posing
from rlm_hypervisor.partition.refusal import missing_column, refuse, refuse_value
from rlm_hypervisor.partition.surface import unknown_attribute

__all__ = ["Scalar", "Summary"]


_OF_TIMES = frozenset(
    (
        *(
            "year",
            "month",
            "day",
            "hour",
            "minute",
            "second",
            "microsecond",
            "quarter",
            "dayofweek",
            "dayofyear",
        ),
        *("day_name", "month_name", "floor", "ceil", "normalize", "strftime"),
        *("days", "seconds", "microseconds", "total_seconds"),
    )
)
"""What a time or a span has under the same name as a column's `dt`."""


class Scalar(Operators):
    """One value of the whole input, such as `p["value"].mean()`: usable in expressions, not knowable yet.

    >>> import pandas as pd
    >>> from rlm_hypervisor import RLMClient
    >>> data = pd.DataFrame({"value": [1.0, 2.0, 3.0]})
    >>> def spread(p):
    ...     return p["value"].max() - p["value"].min()
    >>> RLMClient().execute({"type": "parallel", "input": {"source": data, "operation": spread}})
    2.0
    """

    __slots__ = ()
    _kind = "scalar"
    __class__ = posing(numbers)

    @property
    def dtype(self) -> DType:
        """The type it will have."""
        return DType(self._frame.dtypes[0])

    def round(self, decimals: int = 0) -> Scalar:
        """The value rounded half to even."""
        return self.__round__(decimals)

    def __repr__(self) -> str:
        return f"<scalar of type {self._frame.dtypes[0]}, not known while tracing>"

    def __str__(self) -> NoReturn:
        self._end("writing out the value (`str`, `print`, an f-string)")

    def __format__(self, spec: str) -> NoReturn:
        self._end("writing out the value (`str`, `print`, an f-string)")

    def __iter__(self) -> NoReturn:
        self._end("iteration")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in _OF_TIMES and self.dtype.kind in "Mm":
            from rlm_hypervisor.partition.datetimes import accessor

            return getattr(accessor(self), name)  # type: ignore[arg-type]
        if name in ("item", "tolist"):
            self._end(f"`.{name}()`")
        unknown_attribute(self, "a scalar", name, ("dtype", "round"))


def in_one_column(cells: Sequence[Scalar | None], call: str) -> None:
    """Refuses aggregates that would share a column in which large whole numbers are floats."""
    dtypes = {cell._frame.dtypes[0] for cell in cells if cell is not None}
    if "uint64" in dtypes and any(dtype.startswith("int") for dtype in dtypes):
        refuse(
            f"{call} would put uint64 and {next(d for d in sorted(dtypes) if d.startswith('int'))} values in one column, "
            "where large ones are not exact",
            "Ask for them one by one, or convert the column first: `.astype('int64')`",
            call=call,
        )


class Places:
    """What `loc` and `iloc` of a summary give."""

    __slots__ = ("_by_place", "_summary")

    def __init__(self, summary: Summary, by_place: bool) -> None:
        self._summary = summary
        self._by_place = by_place

    def _at(self, labels: list[Any], key: Any) -> int:
        if self._by_place:
            if isinstance(key, int) and not isinstance(key, bool) and -len(labels) <= key < len(labels):
                return key % len(labels)
            raise missing_column(key, range(len(labels)), f"`iloc[{key!r}]` of a summary")
        if isinstance(key, slice | list) or key not in labels:
            raise missing_column(key, labels, f"`loc[{key!r}]` of a summary")
        return labels.index(key)

    def __getitem__(self, key: Any) -> Any:
        summary = self._summary
        columns = summary._columns
        if columns is None:
            return summary._cells[self._at(summary._index, key)][0]
        row, column = key if isinstance(key, tuple) and len(key) == 2 else (key, None)
        cells = summary._cells[self._at(summary._index, row)]
        if column is not None:
            return cells[self._at(columns, column)]
        label = summary._index[self._at(summary._index, row)]
        return Summary(columns, None, [[cell] for cell in cells], name=label)


class Summary:
    """A few scalars under labels: what `p.sum()` (a series of them) or `p.agg([...])` (a frame) returns.

    It can be returned by the operation, taken apart (`p.mean()["value"]`), and, as a series over columns,
    combined with a partition or another such series: `p - p.mean()`.
    """

    __slots__ = ("_cells", "_columns", "_index", "_name")
    _is_symbolic = True
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self,
        index: Sequence[Any],
        columns: Sequence[Any] | None,
        cells: Sequence[Sequence[Scalar | None]],
        name: Any = None,
    ) -> None:
        self._index = list(index)
        self._columns = None if columns is None else list(columns)
        self._cells = [list(row) for row in cells]
        self._name = name

    def core(self) -> _core.Frame:
        """The core's form of it."""
        cells = [[None if cell is None else cell._frame for cell in row] for row in self._cells]
        if not any(cell is not None for row in cells for cell in row):
            refuse("the operation returns a summary of no columns", "Select the columns to summarise first")
        frame = _core.Frame.cells(self._index, self._columns, cells)
        return frame if self._name is None else frame.with_name(self._name)

    def scalars(self) -> dict[Any, Scalar] | None:
        """Label to scalar, of a series."""
        if self._columns is not None:
            return None
        return {
            label: row[0] for label, row in zip(self._index, self._cells, strict=True) if row[0] is not None
        }

    def __getitem__(self, label: object) -> Any:
        if self._columns is None:
            if label in self._index:
                return self._cells[self._index.index(label)][0]
            raise missing_column(label, self._index, f"`[{label!r}]` of a summary")
        if label in self._columns:
            at = self._columns.index(label)
            return Summary(self._index, None, [[row[at]] for row in self._cells], name=label)
        raise missing_column(label, self._columns, f"`[{label!r}]` of a summary")

    def _map(self, change: Callable[[Scalar], Scalar]) -> Summary:
        rows = [[None if cell is None else change(cell) for cell in row] for row in self._cells]
        return Summary(self._index, self._columns, rows, name=self._name)

    def round(self, decimals: int = 0) -> Summary:
        """Each number rounded half to even."""
        return self._map(lambda cell: cell.round(decimals) if cell.dtype.kind in "iuf" else cell)

    @property
    def T(self) -> Summary:
        """Rows as columns; of numbers only, which are then of one type."""
        if self._columns is None:
            return self
        kinds = {cell.dtype.kind for row in self._cells for cell in row if cell is not None}
        if not kinds <= set("iuf"):
            refuse("`.T` of a summary that has more than numbers is not native", "Transpose the answer")
        return Summary(
            self._columns, self._index, [list(column) for column in zip(*self._cells, strict=True)]
        )

    @property
    def loc(self) -> Places:
        """By label: a scalar, or of a table a row; `s.loc[row, column]`."""
        return Places(self, False)

    at = loc

    @property
    def iloc(self) -> Places:
        """By place: a scalar, or of a table a row."""
        return Places(self, True)

    iat = iloc

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in (self._index if self._columns is None else self._columns):
            return self[name]
        refuse(
            f"`.{name}` of a summary of aggregates is not native in this version",
            "Return the summary and go on with the answer: `result.to_pandas()`",
            call=name,
        )

    def _each(self, op: str, other: object, reflected: bool) -> Any:
        if getattr(other, "_takes_operators", False):
            return NotImplemented
        mine = self.scalars()
        if mine is None or len(mine) != len(self._index):
            refuse(
                f"`{SYMBOLS[op]}` on a table of aggregates is not native in this version",
                "Compute with its scalars",
            )
        theirs: Callable[[Any], object]
        if isinstance(other, Summary):
            others = other.scalars()
            if others is None or list(others) != list(mine):
                refuse(
                    f"`{SYMBOLS[op]}` between summaries of different labels is not native in this version",
                    "Compute with their scalars: `a['x'] - b['y']`",
                )
            theirs = others.__getitem__
        else:
            theirs = lambda label: other  # noqa: E731
        rows = [
            [apply(op, theirs(label), cell) if reflected else apply(op, cell, theirs(label))]
            for label, cell in mine.items()
        ]
        return Summary(self._index, None, rows, name=self._name)

    def __add__(self, other: object) -> Any:
        return self._each("add", other, False)

    def __radd__(self, other: object) -> Any:
        return self._each("add", other, True)

    def __sub__(self, other: object) -> Any:
        return self._each("sub", other, False)

    def __rsub__(self, other: object) -> Any:
        return self._each("sub", other, True)

    def __mul__(self, other: object) -> Any:
        return self._each("mul", other, False)

    def __rmul__(self, other: object) -> Any:
        return self._each("mul", other, True)

    def __truediv__(self, other: object) -> Any:
        return self._each("truediv", other, False)

    def __rtruediv__(self, other: object) -> Any:
        return self._each("truediv", other, True)

    def __eq__(self, other: object) -> NoReturn:
        refuse(
            "comparing a summary of aggregates is not native in this version",
            "Compare its scalars: `s['label']`",
        )

    def __ne__(self, other: object) -> NoReturn:
        self.__eq__(other)

    def __bool__(self) -> NoReturn:
        refuse_value("the truth of a summary", "Return it, and look at the answer")

    def __array__(self, *args: object, **kwargs: object) -> NoReturn:
        refuse_value("turning a summary into a NumPy array", "Return it, and look at the answer")

    def __iter__(self) -> Iterator[Any]:
        if self._columns is not None:
            return iter(self._columns)
        return iter([row[0] for row in self._cells])

    def __len__(self) -> int:
        return len(self._index)

    def __repr__(self) -> str:
        kind = "series" if self._columns is None else "table"
        return f"<{kind} of aggregates {self._index!r}, not known while tracing>"
