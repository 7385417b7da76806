"""What a Partition does cell by cell: operators and their method forms, one column at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition import functions as fn
from rlm_hypervisor.partition.column import METHODS, Column
from rlm_hypervisor.partition.constant import constants
from rlm_hypervisor.partition.dtypes import DType, target
from rlm_hypervisor.partition.operators import COMPARISONS, SYMBOLS, UFUNCS, apply, numpy_function
from rlm_hypervisor.partition.refusal import labels_of, only, refuse
from rlm_hypervisor.partition.replacing import filled_binary
from rlm_hypervisor.partition.scalar import Summary

if TYPE_CHECKING:
    from rlm_hypervisor.partition.frame import Partition

_Self = TypeVar("_Self", bound="Elementwise")


class Elementwise:
    """The base of Partition that knows how to work on all columns alike."""

    __slots__ = ()
    _takes_operators = True
    _is_symbolic = True
    _frame: _core.Frame

    def _map(self: _Self, change: Callable[[Column], Any]) -> _Self:
        """Every column changed in place."""
        frame = self._frame
        for label in self._frame.columns:
            frame = frame.assign(label, change(Column(self._frame.column(label)))._frame)
        return type(self)(frame)  # type: ignore[call-arg]

    def _each(self: _Self, op: str, other: Any, reflected: bool = False, down: bool = False) -> _Self:
        """The operator on every column: with a value, a summary by label, a partition of the same columns."""
        symbol = SYMBOLS.get(op, op)
        labels = self._frame.columns
        if isinstance(other, Column) and not down:
            refuse(
                f"`{symbol}` between a partition and a column matches row labels with columns, in pandas too",
                f"Write `p.{op}(column, axis=0)`, or compute column by column",
            )
        parts: Callable[[Any], Any]
        if isinstance(other, Elementwise):
            if other._frame.columns != labels:
                refuse(
                    f"`{symbol}` between partitions of different columns is not native in this version",
                    "Select the same columns in the same order on both sides",
                )
            theirs = other._frame
            parts = lambda label: Column(theirs.column(label))  # noqa: E731
        elif isinstance(other, Summary):
            scalars = other.scalars()
            if scalars is None or set(scalars) != set(labels):
                refuse(
                    f"`{symbol}` between a partition and a summary of other columns is not native",
                    "Select the same columns on both sides: `p[cols] - p[cols].mean()`",
                )
            parts = scalars.__getitem__
        elif isinstance(other, dict) or labels_of(other) is not None:
            refuse(
                f"`{symbol}` between a partition and `{clipped(other)}` is not native",
                "Compute column by column",
            )
        else:
            parts = lambda label: other  # noqa: E731
        frame = self._frame
        for label in labels:
            column = Column(self._frame.column(label))
            value = apply(op, parts(label), column) if reflected else apply(op, column, parts(label))
            frame = frame.assign(label, value._frame)
        return type(self)(frame)  # type: ignore[call-arg]

    def _filled(self: _Self, op: str, other: Any, fill: Any, reflected: bool) -> _Self:
        """The operator on every column, missing cells filled unless both are missing."""
        frame = self._frame
        if isinstance(other, Elementwise) and other._frame.columns != frame.columns:
            refuse(
                "an operator between partitions of different columns is not native",
                "Select the same columns of both first: `p[['x', 'y']] - q[['x', 'y']]`",
            )
        for label in self._frame.columns:
            part = Column(other._frame.column(label)) if isinstance(other, Elementwise) else other
            value = filled_binary(op, Column(self._frame.column(label)), part, fill, reflected)
            frame = frame.assign(label, value._frame)
        return type(self)(frame)  # type: ignore[call-arg]

    def abs(self: _Self) -> _Self:
        """Absolute values."""
        return self._map(lambda column: column.abs())

    def isna(self: _Self) -> _Self:
        """True where a cell is missing."""
        return self._map(lambda column: column.isna())

    def notna(self: _Self) -> _Self:
        """True where a cell is not missing."""
        return self._map(lambda column: column.notna())

    isnull = isna
    notnull = notna

    def fillna(
        self: _Self, value: Any, *, axis: object = None, inplace: bool = False, limit: object = None
    ) -> _Self:
        """With a value where values are missing: one for all columns, or a dict (or summary) by label."""
        only("DataFrame.fillna", axis=(axis, None, 0, "index"), inplace=(inplace, False), limit=(limit, None))
        if isinstance(value, Summary):
            value = value.scalars()
        if isinstance(value, dict):
            frame = self._frame
            for label, fill in value.items():
                if label in frame.columns:
                    frame = frame.assign(label, Column(frame.column(label)).fillna(fill)._frame)
            return type(self)(frame)  # type: ignore[call-arg]
        if isinstance(value, Column | Elementwise) or value is None:
            refuse(
                "`DataFrame.fillna` takes one value, or a dict of values by column",
                "Give a constant, or `{'x': 0, 'y': ''}`",
                call="DataFrame.fillna",
            )
        return self._map(lambda column: column.fillna(value))

    def isin(self: _Self, values: Any) -> _Self:
        """True where a cell is one of `values`: a list for all columns, or a dict of lists by label."""
        if isinstance(values, dict):
            by_label = {label: constants(found, "`DataFrame.isin`") for label, found in values.items()}
            frame = self._frame
            for label in self._frame.columns:
                column = Column(self._frame.column(label)).isin(by_label.get(label, []))
                frame = frame.assign(label, column._frame)
            return type(self)(frame)  # type: ignore[call-arg]
        if isinstance(values, Column | Elementwise):
            refuse(
                "`DataFrame.isin` takes a list of values here, or a dict of lists by column",
                "Write it for each column: `p['x'].isin([...])`",
            )
        found = constants(values, "`DataFrame.isin`")
        return self._map(lambda column: column.isin(found))

    def astype(self: _Self, dtype: Any, copy: object = None, errors: str = "raise") -> _Self:
        """With other types: one for all columns, or a dict by label."""
        only("DataFrame.astype", errors=(errors, "raise"), copy=(copy, None, True, False))
        if not isinstance(dtype, dict):
            name = target(dtype, "`DataFrame.astype`")
            return self._map(lambda column: column.astype(name))
        frame = self._frame
        self._require(list(dtype), "`DataFrame.astype`")
        for label, to in dtype.items():
            frame = frame.assign(label, Column(frame.column(label)).astype(to)._frame)
        return type(self)(frame)  # type: ignore[call-arg]

    def round(self: _Self, decimals: Any = 0, *args: object, **kwargs: object) -> _Self:
        """Numbers rounded half to even: to as many places everywhere, or a dict by label."""
        fn.reject_arguments("`DataFrame.round`", args, kwargs)
        frame = self._frame
        places: dict[Any, Any] = (
            decimals if isinstance(decimals, dict) else dict.fromkeys(frame.columns, decimals)
        )
        for label, count in places.items():
            if label in frame.columns and DType(frame.dtypes[frame.columns.index(label)]).is_number:
                frame = frame.assign(label, Column(frame.column(label)).round(count)._frame)
        return type(self)(frame)  # type: ignore[call-arg]

    def __neg__(self: _Self) -> _Self:
        return self._map(lambda column: -column)

    def __pos__(self: _Self) -> _Self:
        return self

    def __invert__(self: _Self) -> _Self:
        return self._map(lambda column: ~column)

    def __abs__(self: _Self) -> _Self:
        return self.abs()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        op = UFUNCS.get(ufunc.__name__)
        if op is None or method != "__call__" or kwargs or len(inputs) > 2:
            refuse(
                f"`numpy.{ufunc.__name__}` on a partition is not native in this version",
                "Work on its columns",
            )
        if len(inputs) < 2:
            return self._map(lambda column: ufunc(column))
        first, second = inputs
        return self._each(op, second) if first is self else self._each(op, first, True)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return numpy_function(function, args, kwargs)

    if TYPE_CHECKING:

        def _require(self, labels: list[Any], call: str) -> list[Any]: ...

        # Made below, from the list of operators.
        def __add__(self: _Self, other: Any) -> _Self: ...
        def __radd__(self: _Self, other: Any) -> _Self: ...
        def __sub__(self: _Self, other: Any) -> _Self: ...
        def __rsub__(self: _Self, other: Any) -> _Self: ...
        def __mul__(self: _Self, other: Any) -> _Self: ...
        def __rmul__(self: _Self, other: Any) -> _Self: ...
        def __truediv__(self: _Self, other: Any) -> _Self: ...
        def __rtruediv__(self: _Self, other: Any) -> _Self: ...
        def __floordiv__(self: _Self, other: Any) -> _Self: ...
        def __rfloordiv__(self: _Self, other: Any) -> _Self: ...
        def __mod__(self: _Self, other: Any) -> _Self: ...
        def __rmod__(self: _Self, other: Any) -> _Self: ...
        def __pow__(self: _Self, other: Any) -> _Self: ...
        def __rpow__(self: _Self, other: Any) -> _Self: ...
        def __and__(self: _Self, other: Any) -> _Self: ...
        def __rand__(self: _Self, other: Any) -> _Self: ...
        def __or__(self: _Self, other: Any) -> _Self: ...
        def __ror__(self: _Self, other: Any) -> _Self: ...
        def __xor__(self: _Self, other: Any) -> _Self: ...
        def __rxor__(self: _Self, other: Any) -> _Self: ...
        def __lt__(self: _Self, other: Any) -> _Self: ...
        def __le__(self: _Self, other: Any) -> _Self: ...
        def __gt__(self: _Self, other: Any) -> _Self: ...
        def __ge__(self: _Self, other: Any) -> _Self: ...

        add: Callable[..., Any]
        sub: Callable[..., Any]
        mul: Callable[..., Any]
        div: Callable[..., Any]
        truediv: Callable[..., Any]
        floordiv: Callable[..., Any]
        mod: Callable[..., Any]
        pow: Callable[..., Any]
        radd: Callable[..., Any]
        rsub: Callable[..., Any]
        rmul: Callable[..., Any]
        rdiv: Callable[..., Any]
        rtruediv: Callable[..., Any]
        rfloordiv: Callable[..., Any]
        rmod: Callable[..., Any]
        rpow: Callable[..., Any]
        subtract: Callable[..., Any]
        multiply: Callable[..., Any]
        divide: Callable[..., Any]
        eq: Callable[..., Any]
        ne: Callable[..., Any]
        lt: Callable[..., Any]
        le: Callable[..., Any]
        gt: Callable[..., Any]
        ge: Callable[..., Any]


def _operator(op: str, reflected: bool) -> Callable[..., Any]:
    def method(self: Partition, other: Any) -> Partition:
        return self._each(op, other, reflected)

    return method


def _comparison(op: str) -> Callable[..., Any]:
    def method(self: Partition, other: Any, axis: object = "columns", level: object = None) -> Partition:
        only(f"DataFrame.{op}", level=(level, None), axis=(axis, "columns", 1, 0, "index"))
        return self._each(op, other, down=axis in (0, "index"))

    method.__name__ = op
    method.__qualname__ = f"Partition.{op}"
    method.__doc__ = f"The method form of `{SYMBOLS[op]}`; see `pandas.DataFrame.{op}`."
    return method


def _method(op: str, reflected: bool, name: str) -> Callable[..., Any]:
    def method(
        self: Partition, other: Any, axis: object = "columns", level: object = None, fill_value: object = None
    ) -> Partition:
        only(f"DataFrame.{name}", level=(level, None), axis=(axis, "columns", 1, 0, "index"))
        if fill_value is not None:
            if isinstance(other, Column | Summary):
                refuse(
                    f"`DataFrame.{name}` with `fill_value` takes a value or a partition, in pandas too",
                    "Fill the column first: `column.fillna(value)`",
                )
            return self._filled(op, other, fill_value, reflected)
        return self._each(op, other, reflected, down=axis in (0, "index"))

    method.__name__ = name
    method.__qualname__ = f"Partition.{name}"
    method.__doc__ = (
        f"The method form of an operator, which fills missing cells; see `pandas.DataFrame.{name}`."
    )
    return method


for _op in SYMBOLS:
    setattr(Elementwise, f"__{_op}__", _operator(_op, False))
    if _op not in COMPARISONS:
        setattr(Elementwise, f"__r{_op}__", _operator(_op, True))
for _name, (_core_op, _swap) in METHODS.items():
    _form = _comparison(_name) if _name in COMPARISONS else _method(_core_op, _swap, _name)
    setattr(Elementwise, _name, _form)
