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

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
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
                refuse(f"`{SYMBOLS[op]}` between summaries of different labels is not native in this version")
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
