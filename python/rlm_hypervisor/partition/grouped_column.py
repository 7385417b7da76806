"""What a function of the user's sees of a group-by's column: `p.groupby("k")["x"].agg(lambda s: s.max() - s.min())`.

It is called once. Row-wise work on its argument stays a column of the rows; an aggregate of it is a value per
group, whose arithmetic is put off until all aggregates that functions ask for are computed at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from rlm_hypervisor import _core
from rlm_hypervisor.partition import functions as fn
from rlm_hypervisor.partition.column import Column
from rlm_hypervisor.partition.operators import UFUNCS, Operators, apply, give_operators
from rlm_hypervisor.partition.refusal import refuse, refuse_value
from rlm_hypervisor.partition.scalar import Scalar

Item = tuple[Any, "list[_core.Frame]", str, dict[str, Any]]
"""(label, inputs, function, parameters) of one aggregate."""

REDUCING = frozenset(
    (
        *("sum", "mean", "min", "max", "count", "size", "std", "var", "nunique", "median", "quantile", "sem"),
        *("skew", "kurt", "kurtosis", "prod", "product", "any", "all", "idxmin", "idxmax", "corr", "cov"),
        *("tolist", "to_list", "unique"),
    )
)
"""What is a value per group."""


class GroupValue:
    """A value per group that is not computed yet: an aggregate, or arithmetic of such."""

    __slots__ = ("_args", "_item", "_op")
    _is_symbolic = True
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, item: Item | None, op: str = "", args: tuple[Any, ...] = ()) -> None:
        self._item = item
        self._op = op
        self._args = args

    def items(self) -> list[Item]:
        """The aggregates it is made of."""
        if self._item is not None:
            return [self._item]
        return [item for arg in self._args if isinstance(arg, GroupValue) for item in arg.items()]

    def resolve(self, columns: list[Any]) -> Any:
        """The column it is, given those of its `items`, which are used up from the front."""
        if self._item is not None:
            return columns.pop(0)
        args = [arg.resolve(columns) if isinstance(arg, GroupValue) else arg for arg in self._args]
        return apply(self._op, *args)

    def _binary(self, op: str, other: Any, reflected: bool) -> GroupValue:
        return self._call(op, other, self) if reflected else self._call(op, self, other)

    def _call(self, op: str, *args: object) -> GroupValue:
        for arg in args:
            if isinstance(arg, Column | GroupedColumn):
                _broadcast()
        return GroupValue(None, op, args)

    def round(self, decimals: int = 0) -> GroupValue:
        """The value rounded half to even."""
        return self._call("round", self, decimals)

    __round__ = round

    def __abs__(self) -> GroupValue:
        return self._call("abs", self)

    def __neg__(self) -> GroupValue:
        return self._call("neg", self)

    def __invert__(self) -> GroupValue:
        return self._call("not", self)

    def __bool__(self) -> NoReturn:
        refuse_value("the truth of a group's value", "Combine conditions with `&`, `|` and `~`")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: object, **kwargs: object) -> Any:
        op = UFUNCS.get(ufunc.__name__)
        if op is None or method != "__call__" or kwargs:
            refuse(
                f"`numpy.{ufunc.__name__}` of a group's value is not native in this version",
                "Use the methods of the group's columns: `.mean()`, `.abs()`, arithmetic",
            )
        return self._call(op, *inputs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in ("days", "seconds"):
            return self._call(f"dt_{name}", self)
        if name == "total_seconds":
            return lambda: self._call("dt_total_seconds", self)
        refuse(f"`.{name}` of a group's value is not native in this version", "Compute with aggregates")

    def __repr__(self) -> str:
        return "<a value per group, not known while tracing>"


class _Recorder(Column):
    """A column whose aggregates are values per group."""

    __slots__ = ()

    def _reduce(self, name: str, *others: Any, **params: Any) -> Any:
        inputs = [] if name == "size" else [self._frame, *(other._frame for other in others)]
        # pandas calls the methods of a series for each group: the rules of whole columns hold.
        return GroupValue((None, inputs, name, {"grouped": False, **params}))

    @property
    def size(self) -> Any:
        """The number of rows of each group."""
        return self._reduce("size")

    def tolist(self) -> Any:
        """The values of each group."""
        return self._reduce("list")

    to_list = tolist

    def unique(self) -> Any:
        """Each value of each group once, in order of appearance."""
        return GroupValue(None, "list_unique", (self.tolist(),))


class _Frequent:
    """`s.mode()` and `s.value_counts()` within a group: its first value is one per group."""

    __slots__ = ("_column", "_least")
    _is_symbolic = True

    def __init__(self, column: Column, least: bool) -> None:
        self._column = column
        self._least = least

    def _value(self) -> GroupValue:
        lists = _Recorder(self._column._frame).tolist()
        said = "the most frequent value of a group was asked for, and one has none that is not missing"
        return GroupValue(None, "required", (GroupValue(None, "list_mode", (lists, self._least)), said))

    @property
    def iloc(self) -> _Frequent:
        """By place: the first value."""
        return self

    iat = iloc

    @property
    def index(self) -> _Frequent:
        """The values that were counted, most frequent first."""
        if self._least:
            self._refuse("`.index` of a mode")
        return _InOrder(self._column, False)

    def idxmax(self) -> GroupValue:
        """The most frequent value."""
        if self._least:
            self._refuse("`.idxmax()` of a mode")
        return self._value()

    def __getitem__(self, key: object) -> GroupValue:
        if not self._least or key != 0 or isinstance(key, bool):
            self._refuse(f"`[{key!r}]` of the most frequent values")
        return self._value()

    def _refuse(self, what: str) -> NoReturn:
        refuse(
            f"{what} of a group is not native",
            "The most frequent one is `s.mode().iloc[0]`, or `s.value_counts().index[0]`",
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        self._refuse(f"`.{name}` of the most frequent values")


class _InOrder(_Frequent):
    """The values that `value_counts` counted."""

    __slots__ = ()

    def __getitem__(self, key: object) -> GroupValue:
        if key != 0 or isinstance(key, bool):
            self._refuse(f"`[{key!r}]` of the counted values")
        return self._value()


class GroupedColumn:
    """A column within groups: what is row by row stays one, what reduces is a `GroupValue`."""

    __slots__ = ("_column",)
    _is_symbolic = True
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, column: Column) -> None:
        self._column = column

    def _wrapped(self, value: Any) -> Any:
        if isinstance(value, Column):
            return GroupedColumn(value)
        if isinstance(value, Operators):
            _broadcast()
        return value

    def _binary(self, op: str, other: Any, reflected: bool) -> Any:
        if isinstance(other, GroupValue):
            _broadcast()
        return self._call(op, other, self) if reflected else self._call(op, self, other)

    def _call(self, op: str, *args: object) -> Any:
        plain = []
        for arg in args:
            if isinstance(arg, GroupValue):
                _broadcast()
            plain.append(arg._column if isinstance(arg, GroupedColumn) else arg)
        return self._wrapped(apply(op, *plain))

    def mode(self, dropna: bool = True) -> _Frequent:
        """The most frequent values of each group, of which the first, the least, can be taken: `s.mode().iloc[0]`."""
        if dropna is not True:
            refuse("`mode` of a group with `dropna=False` is not native", "Fill missing values first")
        return _Frequent(self._column, True)

    def value_counts(self) -> _Frequent:
        """Of the counted values the first can be taken: `s.value_counts().index[0]`, `.idxmax()`."""
        return _Frequent(self._column, False)

    @property
    def iloc(self) -> _Positions:
        """The first or last row of each group: `s.iloc[0]`, `s.iloc[-1]`."""
        return _Positions(self._column)

    def __getitem__(self, key: object) -> NoReturn:
        refuse(
            "selecting rows within a group is not native in a function of `agg`",
            "Aggregate a condition, `(s > 3).sum()`, or filter before grouping",
        )

    def __len__(self) -> int:
        refuse_value("`len()` of a group", "Use `s.size`")

    def joined(self, separator: str) -> GroupValue:
        """The texts of each group as one; a run fails where one is missing, as Python does."""
        lists = _Recorder(self._column._frame).tolist()
        said = "the texts of a group are joined, and one of them is missing"
        return GroupValue(None, "required", (GroupValue(None, "list_join", (lists, separator)), said))

    def __iter__(self) -> Any:
        refuse_value(
            "iteration over a group's values",
            "Use aggregates: `s.sum()`; texts are joined by `.agg(', '.join)`, values collected by `.agg(list)`",
        )

    def __bool__(self) -> NoReturn:
        refuse_value("the truth of a group's column", "Combine conditions with `&`, `|` and `~`")

    def __array__(self, *args: object, **kwargs: object) -> NoReturn:
        refuse_value("turning a group into a NumPy array", "Use its aggregates")

    def __abs__(self) -> Any:
        return self._call("abs", self)

    def __neg__(self) -> Any:
        return self._call("neg", self)

    def __invert__(self) -> Any:
        return self._call("not", self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: object, **kwargs: object) -> Any:
        if any(isinstance(value, GroupValue) for value in inputs):
            _broadcast()
        plain = [value._column if isinstance(value, GroupedColumn) else value for value in inputs]
        return self._wrapped(self._column.__array_ufunc__(ufunc, method, *plain, **kwargs))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from rlm_hypervisor.partition.operators import numpy_function

        plain = tuple(_Recorder(a._column._frame) if isinstance(a, GroupedColumn) else a for a in args)
        found = numpy_function(function, plain, kwargs)
        return found if isinstance(found, GroupValue) else self._wrapped(found)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in REDUCING:
            found = getattr(_Recorder(self._column._frame), name)
            return found if isinstance(found, GroupValue) else _checked(name, found)
        found = getattr(self._column, name)
        if not callable(found):
            return self._wrapped(found)

        def method(*args: Any, **kwargs: Any) -> Any:
            plain = [_plain(arg) for arg in args]
            return self._wrapped(found(*plain, **{key: _plain(value) for key, value in kwargs.items()}))

        return method

    def __repr__(self) -> str:
        return f"<column {self._column.name!r} within groups, its rows not known while tracing>"


class _Positions:
    """`s.iloc` of a group's column."""

    __slots__ = ("_column",)

    def __init__(self, column: Column) -> None:
        self._column = column

    def __getitem__(self, key: object) -> GroupValue:
        if key in (0, -1) and isinstance(key, int) and not isinstance(key, bool):
            return GroupValue((None, [self._column._frame], "row_first" if key == 0 else "row_last", {}))
        refuse(
            "`iloc` within a group is native for the first row (0) and the last (-1) only",
            "Sort the group first and take its first or last row: `g.sort_values('x').iloc[0]`",
        )


def _plain(value: Any) -> Any:
    if isinstance(value, GroupValue):
        _broadcast()
    return value._column if isinstance(value, GroupedColumn) else value


def _checked(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def reduced(*args: Any, **kwargs: Any) -> Any:
        value = method(*[_plain(arg) for arg in args], **{key: _plain(arg) for key, arg in kwargs.items()})
        if not isinstance(value, GroupValue):
            refuse(f"`.{name}()` within a group is not one value per group", "Ask for one at a time")
        return value

    return reduced


def _broadcast() -> NoReturn:
    refuse(
        "a function of `agg` mixes the rows of a group with a value of all of it",
        "Give the rows their group's value first: `p['x'] - p.groupby('k')['x'].transform('mean')`",
    )


give_operators(GroupValue)
give_operators(GroupedColumn)


def called(function: Callable[[Any], Any], frame: _core.Frame, label: str, call: str) -> GroupValue:
    """What a function of the user's makes of a column within groups."""
    value = function(GroupedColumn(Column(frame)))
    if isinstance(value, GroupValue):
        return value
    shown = "a value of all rows, not of each group" if isinstance(value, Scalar) else repr(value)
    refuse(
        f"{call}: the function `{label}` gives {shown}",
        "Build it from aggregates of its argument: `lambda s: s.max() - s.min()`",
        call=call,
    )


def item_of(label: Any, frame: _core.Frame, given: fn.Function, call: str) -> Item | tuple[Any, GroupValue]:
    """An aggregate of a column under a label, or what a function of the user's makes of it."""
    if given.traced is not None:
        return (label, called(given.traced, frame, given.label, f"`{call}`"))
    return (label, [] if given.name == "size" else [frame], given.name, given.params)


def numbered(found: list[fn.Function]) -> list[fn.Function]:
    """Lambdas among several functions get numbers, as in pandas."""
    if len(found) < 2:
        return found
    numbers = iter(range(len(found)))
    return [f._replace(label=f"<lambda_{next(numbers)}>") if f.label == "<lambda>" else f for f in found]
