"""Arithmetic, comparison and logic, the same for columns and scalars: one method per operator of the core."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from rlm_hypervisor import _core
from rlm_hypervisor.partition.alignment import ARITHMETIC, together
from rlm_hypervisor.partition.constant import constant
from rlm_hypervisor.partition.refusal import refuse, refuse_value

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column
    from rlm_hypervisor.partition.scalar import Scalar

SYMBOLS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "and": "&",
    "or": "|",
    "xor": "^",
}
"""Binary operators of the core and how Python writes them."""

COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
"""Those that Python reflects by another of them."""

UFUNCS = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "truediv",
    "true_divide": "truediv",
    "floor_divide": "floordiv",
    "remainder": "mod",
    "mod": "mod",
    "power": "pow",
    "equal": "eq",
    "not_equal": "ne",
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "logical_and": "and",
    "bitwise_and": "and",
    "logical_or": "or",
    "bitwise_or": "or",
    "logical_xor": "xor",
    "bitwise_xor": "xor",
    "absolute": "abs",
    "fabs": "abs",
    "logical_not": "not",
    "invert": "not",
    "isnan": "isnan",
    "isnat": "isna",
    "negative": "neg",
    **{
        name: name
        for name in (
            *(
                "log",
                "log2",
                "log10",
                "log1p",
                "exp",
                "exp2",
                "expm1",
                "sqrt",
                "cbrt",
                "square",
                "reciprocal",
            ),
            *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"),
            *(
                "arcsinh",
                "arccosh",
                "arctanh",
                "degrees",
                "radians",
                "floor",
                "ceil",
                "trunc",
                "rint",
                "sign",
            ),
            *("isfinite", "isinf", "signbit", "hypot", "arctan2"),
            *("maximum", "minimum", "fmax", "fmin"),
        )
    },
    "rad2deg": "degrees",
    "deg2rad": "radians",
}
"""NumPy's element-wise functions that are operators of the core."""

_ONLY_BOOL = {
    "logical_and",
    "bitwise_and",
    "logical_or",
    "bitwise_or",
    "logical_xor",
    "bitwise_xor",
    "logical_not",
    "invert",
}
_ONLY_FLOAT = {"fabs"}
_ONLY_TIMES = {"isnat"}

REDUCTIONS = {
    "sum": "sum",
    "mean": "mean",
    "min": "min",
    "amin": "min",
    "max": "max",
    "amax": "max",
    "std": "std",
    "var": "var",
}
"""NumPy's functions over a whole column; `std` and `var` with NumPy's own `ddof=0`."""

_Self = TypeVar("_Self", bound="Operators")


def wrap(frame: _core.Frame) -> Column | Scalar:
    """A core series as a Column, a core scalar as a Scalar."""
    if frame.kind == "scalar":
        from rlm_hypervisor.partition.scalar import Scalar

        return Scalar(frame)
    from rlm_hypervisor.partition.column import Column

    return Column(frame)


def operand(value: object, call: str) -> Any:
    """An argument of an operator: what a Column or Scalar stands for, or a constant."""
    if isinstance(value, Operators):
        return value._frame
    return constant(value, call)


def apply(op: str, *args: object, call: str | None = None) -> Any:
    """Calls an operator of the core."""
    call = call or (f"`{SYMBOLS[op]}`" if op in SYMBOLS else f"`{op}`")
    operands = [operand(arg, call) for arg in args]
    return wrap(_core.Frame.call(op, together(operands, call) if op in ARITHMETIC else operands))


class Operators:
    """What a Column and a Scalar have in common."""

    __slots__ = ("_frame",)
    __hash__ = None  # type: ignore[assignment]
    _is_symbolic = True
    _kind = "value"

    def __init__(self, frame: _core.Frame) -> None:
        self._frame = frame

    def _binary(self, op: str, other: object, reflected: bool = False) -> Any:
        # A partition works column by column, and an array knows which rows it is of.
        if getattr(other, "_takes_operators", False):
            return NotImplemented
        return apply(op, other, self) if reflected else apply(op, self, other)

    # Every binary operator and its reflection.
    def __add__(self: _Self, other: object) -> _Self:
        return self._binary("add", other)  # type: ignore[no-any-return]

    def __radd__(self: _Self, other: object) -> _Self:
        return self._binary("add", other, True)  # type: ignore[no-any-return]

    def __sub__(self: _Self, other: object) -> _Self:
        return self._binary("sub", other)  # type: ignore[no-any-return]

    def __rsub__(self: _Self, other: object) -> _Self:
        return self._binary("sub", other, True)  # type: ignore[no-any-return]

    def __mul__(self: _Self, other: object) -> _Self:
        return self._binary("mul", other)  # type: ignore[no-any-return]

    def __rmul__(self: _Self, other: object) -> _Self:
        return self._binary("mul", other, True)  # type: ignore[no-any-return]

    def __truediv__(self: _Self, other: object) -> _Self:
        return self._binary("truediv", other)  # type: ignore[no-any-return]

    def __rtruediv__(self: _Self, other: object) -> _Self:
        return self._binary("truediv", other, True)  # type: ignore[no-any-return]

    def __floordiv__(self: _Self, other: object) -> _Self:
        return self._binary("floordiv", other)  # type: ignore[no-any-return]

    def __rfloordiv__(self: _Self, other: object) -> _Self:
        return self._binary("floordiv", other, True)  # type: ignore[no-any-return]

    def __mod__(self: _Self, other: object) -> _Self:
        return self._binary("mod", other)  # type: ignore[no-any-return]

    def __rmod__(self: _Self, other: object) -> _Self:
        return self._binary("mod", other, True)  # type: ignore[no-any-return]

    def __pow__(self: _Self, other: object) -> _Self:
        return self._binary("pow", other)  # type: ignore[no-any-return]

    def __rpow__(self: _Self, other: object) -> _Self:
        return self._binary("pow", other, True)  # type: ignore[no-any-return]

    def __and__(self: _Self, other: object) -> _Self:
        return self._binary("and", other)  # type: ignore[no-any-return]

    def __rand__(self: _Self, other: object) -> _Self:
        return self._binary("and", other, True)  # type: ignore[no-any-return]

    def __or__(self: _Self, other: object) -> _Self:
        return self._binary("or", other)  # type: ignore[no-any-return]

    def __ror__(self: _Self, other: object) -> _Self:
        return self._binary("or", other, True)  # type: ignore[no-any-return]

    def __xor__(self: _Self, other: object) -> _Self:
        return self._binary("xor", other)  # type: ignore[no-any-return]

    def __rxor__(self: _Self, other: object) -> _Self:
        return self._binary("xor", other, True)  # type: ignore[no-any-return]

    def __eq__(self: _Self, other: object) -> _Self:  # type: ignore[override]
        return self._binary("eq", other)  # type: ignore[no-any-return]

    def __ne__(self: _Self, other: object) -> _Self:  # type: ignore[override]
        return self._binary("ne", other)  # type: ignore[no-any-return]

    def __lt__(self: _Self, other: object) -> _Self:
        return self._binary("lt", other)  # type: ignore[no-any-return]

    def __le__(self: _Self, other: object) -> _Self:
        return self._binary("le", other)  # type: ignore[no-any-return]

    def __gt__(self: _Self, other: object) -> _Self:
        return self._binary("gt", other)  # type: ignore[no-any-return]

    def __ge__(self: _Self, other: object) -> _Self:
        return self._binary("ge", other)  # type: ignore[no-any-return]

    def __neg__(self: _Self) -> _Self:
        return apply("neg", self)  # type: ignore[no-any-return]

    def __pos__(self: _Self) -> _Self:
        return self

    def __abs__(self: _Self) -> _Self:
        return apply("abs", self)  # type: ignore[no-any-return]

    def __invert__(self: _Self) -> _Self:
        return apply("not", self)  # type: ignore[no-any-return]

    def __round__(self: _Self, decimals: int | None = None) -> _Self:
        return apply("round", self, 0 if decimals is None else decimals)  # type: ignore[no-any-return]

    def __divmod__(self: _Self, other: object) -> tuple[_Self, _Self]:
        return self // other, self % other

    def __matmul__(self, other: object) -> Any:
        return self.dot(other)  # type: ignore[attr-defined]

    # What would need the value itself.
    def __bool__(self) -> NoReturn:
        refuse_value(
            f"the truth of a {self._kind} (`if`, `and`, `or`, `not`, `min`, `max`, a chained comparison)",
            "Combine conditions with `&`, `|` and `~`, and select rows with `p[condition]`",
        )

    def __float__(self) -> NoReturn:
        self._end("float()")

    def __int__(self) -> NoReturn:
        self._end("int()")

    def __index__(self) -> NoReturn:
        self._end("using it as a whole number")

    def __complex__(self) -> NoReturn:
        self._end("complex()")

    def __array__(self, *args: object, **kwargs: object) -> NoReturn:
        self._end("turning it into a NumPy array")

    def _end(self, call: str) -> NoReturn:
        refuse_value(
            f"{call} of a {self._kind}",
            "Keep to columns and scalars of the partition, and take values from the answer",
        )

    # NumPy's functions.
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: object, **kwargs: object) -> Any:
        name = ufunc.__name__
        if name == "divmod" and method == "__call__" and not kwargs:
            return apply("floordiv", *inputs), apply("mod", *inputs)
        op = UFUNCS.get(name)
        if op is None or method != "__call__" or kwargs:
            call = f"numpy.{name}" if method == "__call__" else f"numpy.{name}.{method}"
            extra = f" with `{', '.join(kwargs)}`" if kwargs else ""
            refuse(
                f"`{call}`{extra} on a {self._kind} is not native in this version",
                f"Native are {', '.join(UFUNCS)}",
                call=call,
            )
        kinds = [value._frame.dtypes[0] for value in inputs if isinstance(value, Operators)]
        if name in _ONLY_BOOL and any(kind != "bool" for kind in kinds):
            refuse(
                f"`numpy.{name}` is native on booleans only, not on {', '.join(kinds)}",
                "Compare first: `p['x'] > 0`",
                call=f"numpy.{name}",
            )
        if name in _ONLY_FLOAT and any(not kind.startswith("float") for kind in kinds):
            refuse(
                f"`numpy.{name}` is native on floats only, not on {', '.join(kinds)}",
                "Use `.abs()`",
                call=f"numpy.{name}",
            )
        if name in _ONLY_TIMES and any(not kind.startswith(("datetime", "timedelta")) for kind in kinds):
            refuse(f"`numpy.{name}` is native on times only, not on {', '.join(kinds)}", "Use `.isna()`")
        return apply(op, *inputs, call=f"`numpy.{name}`")

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return numpy_function(function, args, kwargs)


def numpy_function(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`np.sum(column)` and the like, as pandas answers them; other functions are refused by name."""
    name = getattr(function, "__name__", "function")
    method = REDUCTIONS.get(name)
    if method and args and hasattr(args[0], method) and len(args) == 1:
        ddof = kwargs.pop("ddof", 0) if method in ("std", "var") else None
        if kwargs.pop("axis", None) in (None, 0) and not kwargs:
            return getattr(args[0], method)(**({} if ddof is None else {"ddof": ddof}))
    if name not in REDUCTIONS and args and hasattr(args[0], "_reduce"):
        from rlm_hypervisor.partition.numpy_reductions import FUNCTIONS

        if name in FUNCTIONS:
            return FUNCTIONS[name](*args, **kwargs)
    if name in ("round", "around") and args and len(args) + len(kwargs) <= 2 and set(kwargs) <= {"decimals"}:
        return args[0].round(*args[1:], **kwargs)
    from rlm_hypervisor.partition import numpy_functions

    if name in numpy_functions.FUNCTIONS:
        return numpy_functions.by_numpy(name, args, kwargs)
    refuse(
        f"`numpy.{name}` on a partition's columns is not native in this version",
        "Use the partition's own methods",
        call=f"numpy.{name}",
    )


def give_operators(kind: type) -> None:
    """Gives a class all operators and their reflections, each by its own `_binary(op, other, reflected)`."""

    def method(op: str, reflected: bool) -> Callable[..., Any]:
        return lambda self, other: self._binary(op, other, reflected)

    for op in SYMBOLS:
        setattr(kind, f"__{op}__", method(op, False))
        if op not in COMPARISONS:
            setattr(kind, f"__r{op}__", method(op, True))
