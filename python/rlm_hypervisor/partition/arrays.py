"""What pandas takes out of a column: its values as an array, a list, or a dict; here still of rows not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, cast

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.constant import constant
from rlm_hypervisor.partition.operators import SYMBOLS, Operators, apply, give_operators, numpy_function
from rlm_hypervisor.partition.refusal import boolean, only, refuse, refuse_value, whole_number
from rlm_hypervisor.partition.scalar import Scalar

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column

_ROWWISE = frozenset(("where", "select", "clip", "round", "around", "nan_to_num", "isin"))
_REDUCED = {"amin": "min", "amax": "max"}
_ADVICE = "Use the column itself: `p['x']` has more methods, and those of NumPy: `np.log(p['x'])`"


class Taken:
    """The values of a column without its index."""

    __slots__ = ("_frame",)
    _is_symbolic = True
    _called = "array"
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, frame: _core.Frame) -> None:
        self._frame = frame

    def _column(self) -> Any:
        from rlm_hypervisor.partition.column import Column

        return Column(self._frame)

    def core(self) -> _core.Frame:
        """The core's form of it as an answer: a series numbered from 0."""
        return self._frame.reset_index(True).with_name(None)

    def __len__(self) -> NoReturn:
        refuse_value(f"`len()` of {self._words()}", "Use `p.shape[0]`, a scalar, in expressions")

    def __iter__(self) -> NoReturn:
        refuse_value(
            f"iteration over {self._words()}", "Write it with column arithmetic, `isin`, `map` and aggregates"
        )

    def __contains__(self, value: object) -> bool:
        refuse_value(
            f"`in` of {self._words()}", "Write `(p['x'] == value).sum() > 0`, which is a scalar; or `isin`"
        )

    def __bool__(self) -> NoReturn:
        refuse_value(f"the truth of {self._words()}", "Compare a scalar in an expression: `p.shape[0] > 0`")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        refuse(f"`.{name}` of {self._words()} is not native", _ADVICE, call=name)

    def _words(self) -> str:
        return f"a column's values as {'an' if self._called == 'array' else 'a'} {self._called}"

    def __repr__(self) -> str:
        return f"<{self._called} of the values of a column, not known while tracing>"


class Listing(Taken):
    """What `p["x"].tolist()` gives: what `isin` takes."""

    __slots__ = ()
    _called = "list"

    def core(self) -> _core.Frame:
        """An answer is a series, which has a `to_pandas().tolist()` of its own."""
        refuse(
            "the operation returns a list made of a column",
            "Return the column, and make the list of the answer: `result.to_pandas().tolist()`",
        )


class Lookup(Taken):
    """What `s.to_dict()` gives of a series: what `map` looks values up in."""

    __slots__ = ()
    _called = "dict"

    def core(self) -> _core.Frame:
        """An answer is a series, which has a `to_dict()` of its own."""
        refuse(
            "the operation returns a dict made of a column",
            "Return the series, and make the dict of the answer: `result.to_dict()`",
        )

    def by_label(self) -> _core.Frame:
        """The series by its index; of a label that is there twice the last row, as in a dict."""
        frame = self._frame
        names = frame.index_names or []
        if len(names) != 1:
            refuse(
                "a dict of a series is looked up in where the index has one level",
                "Set one column as index first: `p.set_index('k')['v'].to_dict()`",
            )
        value, key = ("rlm", "value"), ("rlm", "key")
        table = frame.to_frame(value).assign(key, frame.level(0)).reset_index(True)
        table = table.distinct([key], "last").set_index([key], True, False)
        return table.with_level_names(names).column(value)


class Array(Taken):
    """What `p["x"].values` and `to_numpy()` give: values with NumPy's arithmetic, by position, without an index."""

    __slots__ = ()
    _takes_operators = True

    @property
    def dtype(self) -> Any:
        """The type of the values."""
        return self._column().dtype

    @property
    def size(self) -> Scalar:
        """The number of values, as a scalar that is not known yet."""
        return Scalar(self._frame.rows())

    @property
    def shape(self) -> tuple[Scalar]:
        """The number of values, as a scalar that is not known yet."""
        return (self.size,)

    @property
    def ndim(self) -> int:
        """Always 1."""
        return 1

    def _binary(self, op: str, other: Any, reflected: bool) -> Any:
        if isinstance(other, Array):
            self._beside(other._frame, op)
            value = other._column()
        elif isinstance(other, Operators) and other._frame.kind == "series":
            self._beside(other._frame, op)
            column = self._column()
            found = apply(op, other, column) if reflected else apply(op, column, other)
            return found.rename(other.name)  # type: ignore[attr-defined]
        else:
            value = other if isinstance(other, Operators) else constant(other, f"`{SYMBOLS[op]}`")
        column = self._column()
        return Array((apply(op, value, column) if reflected else apply(op, column, value))._frame)

    def _beside(self, other: _core.Frame, op: str) -> None:
        if not self._frame.same_rows(other):
            refuse(
                f"`{SYMBOLS[op]}` of arrays of different rows pairs them by position, which is not native",
                "Bring the rows together by a key first: `p.merge(q, on='key')`",
            )

    def __neg__(self) -> Array:
        return Array(apply("neg", self._column())._frame)

    def __abs__(self) -> Array:
        return Array(apply("abs", self._column())._frame)

    def __invert__(self) -> Array:
        return Array(apply("not", self._column())._frame)

    def astype(self, dtype: Any) -> Array:
        """As another type."""
        return Array(self._column().astype(dtype)._frame)

    def round(self, decimals: int = 0) -> Array:
        """Rounded half to even."""
        return Array(self._column().round(decimals)._frame)

    def copy(self) -> Array:
        """The same again."""
        return Array(self._frame)

    ravel = flatten = copy

    def tolist(self) -> Listing:
        """The values as a list."""
        return Listing(self._frame)

    def __getitem__(self, key: Any) -> Any:
        """A value by position, values by a slice or by a condition."""
        if isinstance(key, Array | Operators):
            self._beside(key._frame, "and")
            return Array(self._frame.filter(key._frame))
        if isinstance(key, slice):
            return Array(self._column().iloc[key]._frame)
        if isinstance(key, int) and not isinstance(key, bool):
            return self._column().iat[key]
        refuse(
            f"`[{clipped(key)}]` of {self._words()} is not native", "Give a position, a slice or a condition"
        )

    def _reduced(self, name: str, axis: object, **params: Any) -> Scalar:
        """As NumPy does it: a missing value makes the result missing."""
        only(f"numpy.{name}", axis=(axis, None, 0, -1))
        return cast("Scalar", getattr(self._column(), name)(skipna=False, **params))

    def sum(self, axis: object = None) -> Scalar:
        """The sum; missing where a value is missing."""
        return self._reduced("sum", axis)

    def mean(self, axis: object = None) -> Scalar:
        """The mean; missing where a value is missing."""
        return self._reduced("mean", axis)

    def min(self, axis: object = None) -> Scalar:
        """The smallest value; missing where a value is missing."""
        return self._reduced("min", axis)

    def max(self, axis: object = None) -> Scalar:
        """The largest value; missing where a value is missing."""
        return self._reduced("max", axis)

    def std(self, axis: object = None, ddof: int = 0) -> Scalar:
        """The standard deviation, by `n - ddof`; missing where a value is missing."""
        return self._reduced("std", axis, ddof=whole_number("numpy.std", "ddof", ddof))

    def var(self, axis: object = None, ddof: int = 0) -> Scalar:
        """The variance, by `n - ddof`; missing where a value is missing."""
        return self._reduced("var", axis, ddof=whole_number("numpy.var", "ddof", ddof))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        columns = [as_column(value) for value in inputs]
        found = self._column().__array_ufunc__(ufunc, method, *columns, **kwargs)
        labelled = any(isinstance(value, Operators) and value._frame.kind == "series" for value in inputs)
        return found if labelled else Array(found._frame)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = getattr(function, "__name__", "function")
        method = _REDUCED.get(name, name)
        if args and args[0] is self and method in ("sum", "mean", "min", "max", "std", "var"):
            return getattr(self, method)(*args[1:], **kwargs)
        if name not in _ROWWISE:
            refuse(f"`numpy.{name}` of {self._words()} is not native", _ADVICE, call=f"numpy.{name}")
        found = numpy_function(function, _columns(args), {key: _columns(v) for key, v in kwargs.items()})
        return Array(found._frame) if hasattr(found, "_frame") else found

    def __array__(self, *args: object, **kwargs: object) -> NoReturn:
        refuse_value("turning a column's values into a real NumPy array", _ADVICE)


def as_column(value: Any) -> Any:
    """An array as a column of the same rows; anything else as it is."""
    return value._column() if isinstance(value, Array) else value


def _columns(value: Any) -> Any:
    """The same with columns in the place of arrays."""
    if isinstance(value, list | tuple):
        return type(value)(_columns(item) for item in value)
    return as_column(value)


give_operators(Array)


class Takeable:
    """The base of Column that gives its values as an array, a list or a dict."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

        def astype(self, dtype: object, copy: object = None, errors: str = "raise") -> Column: ...

    @property
    def values(self) -> Array:
        """The values without an index: NumPy's arithmetic by position, assigned to columns of the same rows, `isin`.

        As an answer they are a series numbered from 0. Of times in a zone it is refused.
        """
        return self._array("Series.values")

    @property
    def array(self) -> Array:
        """The same as `values`."""
        return self._array("Series.array")

    def to_numpy(self, dtype: Any = None, copy: bool = False, na_value: Any = ...) -> Array:
        """The same as `values`, as another type if asked for; for `na_value` fill the column first."""
        call = "Series.to_numpy"
        boolean(call, "copy", copy)
        if na_value is not ...:
            refuse(f"`{call}` with `na_value` is not native", "Fill first: `p['x'].fillna(value)`", call=call)
        return self._array(call) if dtype is None else self.astype(dtype)._array(call)

    def _array(self, call: str) -> Array:
        if ", " in self._frame.dtypes[0]:
            refuse(
                f"`{call}` of times in a zone is not native",
                "Take them in UTC: `p['t'].dt.tz_convert(None).values`",
                call=call,
            )
        return Array(self._frame)

    def tolist(self) -> Listing:
        """The values as a list, which `isin` takes: `p[p["k"].isin(q["k"].tolist())]`.

        Returned from an operation it is refused.
        """
        return Listing(self._frame)

    to_list = tolist

    def to_dict(self, *, into: Any = dict) -> Lookup:
        """Index to value, which `map` takes: `p["k"].map(p.groupby("k")["x"].mean().to_dict())`.

        Of a label that is there twice the last row counts. Returned from an operation it is refused.
        """
        only("Series.to_dict", into=(into, dict))
        return Lookup(self._frame)
