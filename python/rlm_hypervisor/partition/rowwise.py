"""Functions of rows and of columns: `p.apply(function, axis=1)`, `p.apply(function)`, `p.transform(...)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition import exploring
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.element import Element, element
from rlm_hypervisor.partition.element_functions import prepared
from rlm_hypervisor.partition.mapping import _by_name, computed
from rlm_hypervisor.partition.operators import Operators
from rlm_hypervisor.partition.refusal import labels_of, missing_column, only, refuse
from rlm_hypervisor.partition.scalar import Scalar, Summary

_Self = TypeVar("_Self", bound="RowFunctions")


class Row:
    """One row, not known yet: its values by label, as a function of rows sees it."""

    __slots__ = ("_dtype", "_frame", "_labels")
    __hash__ = None  # type: ignore[assignment]
    _is_symbolic = True

    def __init__(self, frame: _core.Frame, labels: list[Any], dtype: str | None) -> None:
        object.__setattr__(self, "_frame", frame)
        object.__setattr__(self, "_labels", labels)
        # What NumPy makes of values of several types of numbers; None where Python's own objects stand.
        object.__setattr__(self, "_dtype", dtype)

    def _value(self, label: Any) -> Element:
        column = Column(self._frame.column(label))
        if self._dtype is not None and column.dtype != self._dtype:
            column = column.astype(self._dtype)
        return element(column, self._dtype is not None)

    def __getitem__(self, key: Any) -> Any:
        labels = labels_of(key)
        if labels is not None:
            return Row(self._frame, [self._known(label) for label in labels], self._dtype)
        return self._value(self._known(key))

    def _known(self, label: Any) -> Any:
        if label not in self._labels:
            raise missing_column(label, self._labels, f"`row[{clipped(label)}]`")
        return label

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of that label, or the default."""
        return self._value(key) if key in self._labels else default

    def keys(self) -> list[Any]:
        """The labels."""
        return list(self._labels)

    index = property(keys)

    def items(self) -> Iterator[tuple[Any, Element]]:
        """Label and value, one after the other."""
        for label in self._labels:
            yield label, self._value(label)

    def __iter__(self) -> Iterator[Element]:
        return (self._value(label) for label in self._labels)

    def __len__(self) -> int:
        return len(self._labels)

    def __contains__(self, label: object) -> bool:
        return label in self._labels

    def __setitem__(self, key: object, value: object) -> NoReturn:
        self._refuse("assigning to a row")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        self._refuse("assigning to a row")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self._labels:
            return self._value(name)
        self._refuse(f"`row.{name}`")

    def _refuse(self, what: str) -> NoReturn:
        path = exploring.current()
        advice = "Take its values: `row['a']`; aggregates of rows are `p[['a', 'b']].sum(axis=1)`"
        if path is not None:
            path.fail(f"{what} in a function of rows is not native", advice, "DataFrame.apply")
        refuse(f"{what} in a function of rows is not native", advice, call="DataFrame.apply")

    def __repr__(self) -> str:
        return f"<row of {self._labels!r}, not known while tracing>"


def _common(dtypes: list[str]) -> str | None:
    """The type that pandas gives all values of a row; None for objects."""
    kinds = {dtype.rstrip("0123456789") for dtype in dtypes}
    if kinds == {"bool"}:
        return "bool"
    if not kinds or not kinds <= {"int", "uint", "float"}:
        return None
    wide = any(dtype.endswith(("32", "64")) for dtype in dtypes if dtype != "float32")
    if "float64" in dtypes or (kinds == {"int", "float"} and wide):
        return "float64"
    if kinds == {"int"} and "int64" in dtypes:
        return "int64"
    refuse(
        f"a function of rows of {', '.join(dict.fromkeys(dtypes))} computes in narrow numbers in pandas",
        "Widen the columns first: `.astype('float64')`",
        call="DataFrame.apply",
    )


class RowFunctions:
    """The base of Partition that knows functions of rows and columns."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

        def agg(self, func: Any = None, axis: Any = 0, *args: Any, **kwargs: Any) -> Any: ...

    def apply(
        self,
        func: Any,
        axis: Any = 0,
        raw: bool = False,
        result_type: Any = None,
        args: tuple[Any, ...] = (),
        by_row: Any = "compat",
        engine: Any = None,
        engine_kwargs: Any = None,
        **kwargs: Any,
    ) -> Any:
        """A function of each column, or with `axis=1` of each row.

        A function of rows is called with one that is not known yet (`row["a"]`, `row.a`), and returns one value,
        or several: a `pd.Series` of values, or with `result_type="expand"` a list or tuple, whose values become
        columns. See `Series.apply` for what it can do. A function of columns returns a column or a scalar.
        """
        call = "DataFrame.apply"
        only(call, raw=(raw, False), by_row=(by_row, "compat", False), engine_kwargs=(engine_kwargs, None))
        only(call, result_type=(result_type, None, "reduce", "expand"), engine=(engine, None, "python"))
        if isinstance(func, str):
            if axis in (1, "columns"):
                kwargs["axis"] = 1
            return _by_name(self, func, call, args, kwargs)
        if isinstance(func, list | dict):
            return self.agg(func, axis, *args, **kwargs)
        if not callable(func):
            refuse(
                f"`{call}` takes a function, not `{clipped(func)}`",
                "Give a function of a row: `p.apply(lambda row: row['x'] * 2, axis=1)`",
                call=call,
            )
        if type(func).__name__ == "ufunc":
            return func(self, *args, **kwargs)
        if axis in (1, "columns"):
            frame = self._frame
            run = prepared(func, f"`{call}`")
            labels = list(frame.columns)
            dtype = _common(list(frame.dtypes))

            def one() -> Any:
                return run(Row(frame, labels, dtype), *args, **kwargs)

            if result_type != "reduce":
                from rlm_hypervisor.partition.rows_of_values import expanded

                several = expanded(frame, one, f"`{call}`", result_type == "expand")
                if several is not None:
                    return several
            return Column(computed(frame, one, f"`{call}`"))
        only(call, axis=(axis, 0, "index"))
        return self._by_columns(call, lambda column: func(column, *args, **kwargs))

    def _by_columns(self, call: str, change: Any) -> Any:
        """What the function makes of each column: a partition, or a summary of scalars."""
        labels = self._frame.columns
        found = [change(Column(self._frame.column(label))) for label in labels]
        if found and all(isinstance(value, Scalar) for value in found):
            return Summary(labels, None, [[value] for value in found])
        frame = self._frame
        for label, value in zip(labels, found, strict=True):
            if not isinstance(value, Operators) or value._frame.kind != "series":
                refuse(
                    f"`{call}`: the function returns `{clipped(value)}` for column {label!r}",
                    "Return a column of the same rows for each, or a scalar for each",
                    call=call,
                )
            frame = frame.assign(label, value._frame)
        return type(self)(frame)  # type: ignore[call-arg]

    def transform(self: _Self, func: Any, axis: Any = 0, *args: Any, **kwargs: Any) -> Any:
        """A function of each column that keeps the rows; a dict says which for which column."""
        call = "DataFrame.transform"
        only(call, axis=(axis, 0, "index"))
        if isinstance(func, dict):
            parts = {
                label: Column(self._frame.column(label)).transform(change, 0, *args, **kwargs)
                for label, change in func.items()
            }
            frame = self._frame.select(list(parts))
            for label, part in parts.items():
                frame = frame.assign(label, part._frame)
            return type(self)(frame)  # type: ignore[call-arg]
        if isinstance(func, list) or not (callable(func) or isinstance(func, str)):
            refuse(
                f"`{call}` takes a function or a dict of them, not `{clipped(func)}`",
                "Give a function, a name, or a dict of them by column",
                call=call,
            )
        if isinstance(func, str):
            result = _by_name(self, func, call, args, kwargs)
        elif type(func).__name__ == "ufunc":
            result = func(self, *args, **kwargs)
        else:
            result = self._by_columns(call, lambda column: column.transform(func, 0, *args, **kwargs))
        if not hasattr(result, "_takes_operators"):
            refuse(
                f"`{call}`: the function gives one value for all rows", "Aggregate: `.agg(...)`", call=call
            )
        return result
