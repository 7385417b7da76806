"""Element: one value of a column, as a function of single values sees it; it behaves like Python's own."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from rlm_hypervisor.errors import RLMError
from rlm_hypervisor.partition import exploring
from rlm_hypervisor.partition.constant import constant, is_missing
from rlm_hypervisor.partition.operators import COMPARISONS, SYMBOLS, Operators, apply, give_operators
from rlm_hypervisor.partition.refusal import refuse

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_CLASSES: dict[str, type] = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "time": datetime.datetime,
    "span": datetime.timedelta,
    "list": list,
}
_ADVICE = "Write it with column arithmetic, `np.where` or `np.select`"


def kind_of(dtype: str) -> str | None:
    """What Python calls a value of that type: int, float, bool, str, time, span or list; None for others."""
    for prefix, kind in (
        ("int", "int"),
        ("uint", "int"),
        ("float", "float"),
        ("bool", "bool"),
        ("str", "str"),
        ("datetime", "time"),
        ("timedelta", "span"),
        ("list", "list"),
    ):
        if dtype.startswith(prefix):
            return kind
    return None


def element(column: Any, numpy: bool = False) -> Element:
    """The element of a column: integers and floats as wide as Python's."""
    dtype = column._frame.dtypes[0]
    kind = kind_of(dtype)
    if kind is None or dtype == "uint64":
        advice = "Take fields: `.struct.field(...)`" if dtype.startswith("struct<") else _ADVICE
        refuse(f"a function of single values of type {dtype} is not native", advice, call="apply")
    wide = {"int": "int64", "float": "float64"}.get(kind, dtype)
    return Element(column if dtype == wide else apply("astype", column, wide), kind, numpy)


class Element:
    """One value, not known yet; `if` of it runs the function once for each way."""

    __slots__ = ("_column", "_kind", "_numpy")
    _is_symbolic = True
    _takes_operators = True

    def __hash__(self) -> int:
        self._end("a value as a key of a dict or a set (of a whole column it is `p['x'].map({...})`)")

    def __init__(self, column: Any, kind: str, numpy: bool = False) -> None:
        self._column = column
        self._kind = kind
        # Computed by NumPy, whose numbers divide by zero and wrap.
        self._numpy = numpy

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """What `isinstance` is told: the type of the value it stands for; a missing text is a float."""
        users = not sys._getframe(1).f_code.co_filename.startswith(_PACKAGE)
        if users and self._kind == "list" and exploring.current() is not None:
            self._end("the class of a list, which is a NumPy array where it comes from a file,")
        if users and self._kind == "str" and exploring.current() is not None:
            return self._class()
        return _CLASSES[self._kind]

    def _class(self) -> type:
        if self._kind == "list":
            self._end("the class of a list, which is a NumPy array where it comes from a file,")
        if self._kind == "str" and _path().decide(self._missing()):
            return float
        return _CLASSES[self._kind]

    # Decisions.
    def _missing(self) -> Any:
        return apply("isna", self._column)

    def __bool__(self) -> bool:
        column = self._column
        if self._kind == "bool":
            condition = apply("and", column, True)
        elif self._kind in ("int", "float"):
            condition = apply("ne", column, 0)
        elif self._kind == "str":
            condition = apply("ne", column, "")
        elif self._kind == "list":
            self._end("the truth of a list (ask for its `len()`)")
        else:
            condition = apply("notna", column)
        return _path().decide(condition)

    def _present(self, error: Callable[[], Exception]) -> None:
        """The path on which a text or list is missing ends as Python's does: the value is NaN or None there."""
        if self._kind in ("str", "list") and _path().decide(self._missing()):
            raise error()

    # Operators.
    def _binary(self, op: str, other: Any, reflected: bool = False) -> Any:
        if getattr(type(other), "_takes_operators", False) and not isinstance_of(other):
            return NotImplemented
        try:
            return _operate(op, other, self) if reflected else _operate(op, self, other)
        except RLMError as error:
            path = _path()
            path.failure = path.failure or error
            raise

    def __neg__(self) -> Any:
        return (
            self._binary("mul", -1)
            if self._kind in ("int", "bool")
            else self._unary("neg", ("float", "span"))
        )

    def __pos__(self) -> Any:
        return self._binary("mul", 1) if self._kind == "bool" else self._unary("", ("int", "float", "span"))

    def __abs__(self) -> Any:
        if self._kind == "bool":
            return self._binary("mul", 1)
        return self._unary("abs", ("int", "float", "span"))

    def __invert__(self) -> Any:
        if self._kind == "bool" and self._numpy:
            return self._unary("not", ("bool",))
        self._end("`~`")

    def _unary(self, op: str, kinds: tuple[str, ...]) -> Any:
        if self._kind not in kinds:
            raise TypeError(f"bad operand type for {op}(): '{self._kind}'")
        return Element(apply(op, self._column), self._kind, self._numpy) if op else self

    def __round__(self, ndigits: Any = None) -> Any:
        if self._kind not in ("int", "float", "bool"):
            raise TypeError(f"type {self._kind} doesn't define __round__ method")
        if self._kind != "float":
            return whole(self) if ndigits is None else self._binary("mul", 1)
        if ndigits is not None and not isinstance(ndigits, int):
            self._end("`round` to a number of places that is a value")
        rounded = Element(apply("round", self._column, ndigits or 0), "float", self._numpy)
        return whole(rounded) if ndigits is None else rounded

    def __trunc__(self) -> Any:
        return whole(self)

    def __floor__(self) -> Any:
        return (
            whole(Element(apply("floor", self._column), self._kind)) if self._kind == "float" else whole(self)
        )

    def __ceil__(self) -> Any:
        return (
            whole(Element(apply("ceil", self._column), self._kind)) if self._kind == "float" else whole(self)
        )

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        return other // self, other % self

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        try:
            found = getattr(ufunc, method)(
                *(value._column if isinstance_of(value) else value for value in inputs), **kwargs
            )
        except RLMError as error:
            path = _path()
            path.failure = path.failure or error
            raise
        return element(found, True)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        self._end(f"`numpy.{getattr(function, '__name__', 'function')}`")

    # What text can do.
    def __contains__(self, part: Any) -> bool:
        if self._kind == "list":
            return bool(lists().contains(self, part))
        if self._kind != "str" or not isinstance(part, str):
            self._end("`in` of a value")
        self._present(lambda: TypeError("argument of type 'float' is not iterable"))
        return _path().decide(self._column.str.contains(part, regex=False).fillna(False))

    def __getitem__(self, key: Any) -> Any:
        if self._kind == "list":
            return lists().item(self, key)
        whole = isinstance(key, int) and not isinstance(key, bool) and not isinstance_of(key)
        if self._kind != "str" or not (isinstance(key, slice) or whole):
            self._end("`[]` of a value")
        self._present(lambda: TypeError("'float' object is not subscriptable"))
        if whole:
            length = self._column.str.len()
            short = apply("le", length, key) if key >= 0 else apply("lt", length, -key)
            if _path().decide(short.fillna(False)):
                raise IndexError("string index out of range")
            key = slice(key, key + 1 or None)
        return Element(self._column.str.slice(key.start, key.stop, key.step), "str")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        from rlm_hypervisor.partition.element_methods import attribute

        return attribute(self, name)

    # What would need the value itself.
    def _end(self, call: str) -> NoReturn:
        _path().fail(f"{call} in a function of single values is not native", _ADVICE, call)
        raise AssertionError

    def __float__(self) -> NoReturn:
        self._end("`float()` by other code than the function itself")

    def __int__(self) -> NoReturn:
        self._end("`int()` by other code than the function itself")

    def __index__(self) -> NoReturn:
        self._end("a value as an index")

    def __len__(self) -> NoReturn:
        self._end("`len()` by other code than the function itself")

    def __iter__(self) -> NoReturn:
        self._end("iteration over a value")

    def __str__(self) -> NoReturn:
        self._end("`str()` by other code than the function itself")

    def __format__(self, spec: str) -> NoReturn:
        self._end("a text with a value in it (an f-string)")

    def __array__(self, *args: object, **kwargs: object) -> NoReturn:
        self._end("a NumPy array of a value")

    def __repr__(self) -> str:
        return f"<value of type {self._kind}, not known while tracing>"


def lists() -> Any:
    """What values that are lists can do."""
    from rlm_hypervisor.partition import element_lists

    return element_lists


def isinstance_of(value: Any) -> bool:
    """Whether something is an Element, whatever it says of its class."""
    return type(value) is Element


def _path() -> exploring.Path:
    path = exploring.current()
    if path is None:
        refuse(
            "a value outlived the function of single values it belongs to",
            "Return what you need of it from the function",
            call="apply",
        )
    return path


give_operators(Element)


class _Part:
    """A side of an operator: its value for the core, its kind, whether it is NumPy's."""

    __slots__ = ("kind", "literal", "numpy", "value")

    def __init__(self, given: Any) -> None:
        self.literal: Any = None
        if isinstance_of(given):
            self.value, self.kind, self.numpy = given._column, given._kind, given._numpy
            return
        if isinstance(given, Operators):
            if given._frame.kind != "scalar":
                refuse(
                    "a function of single values uses a whole column",
                    "Pass what it needs as another value: `p.apply(function, axis=1)`",
                    call="apply",
                )
            self.value, self.kind, self.numpy = given, kind_of(given._frame.dtypes[0]), True
            return
        self.numpy = type(given).__module__.partition(".")[0] == "numpy"
        plain = given.item() if self.numpy and hasattr(given, "item") else given
        self.value = constant(given, "a function of single values")
        self.literal = plain
        self.kind = (
            "bool"
            if isinstance(plain, bool)
            else "int"
            if isinstance(plain, int)
            else "float"
            if isinstance(plain, float)
            else "str"
            if isinstance(plain, str)
            else "none"
            if plain is None or is_missing(plain)
            else "span"
            if isinstance(plain, datetime.timedelta)
            else "time"
        )

    def number(self) -> None:
        """Booleans count as integers."""
        if self.kind == "bool":
            self.kind = "int"
            self.value = apply("astype", self.value, "int64") if self.literal is None else int(self.literal)

    def is_zero(self) -> bool:
        """Whether it is 0, which the path decides."""
        if self.literal is not None:
            return bool(self.literal == 0)
        return _path().decide(apply("eq", self.value, 0))

    def given(self) -> None:
        """Missing on the other paths, so that it cannot fail there."""
        guard = _path().guard()
        if self.literal is None and guard is not None:
            self.value = apply("given", self.value, guard)


_NUMBERS = ("int", "float", "bool")


def _operate(op: str, left: Any, right: Any) -> Any:
    a, b = _Part(left), _Part(right)
    numpy = a.numpy or b.numpy
    numbers = a.kind in _NUMBERS and b.kind in _NUMBERS
    if op in COMPARISONS:
        if op not in ("eq", "ne") and not numbers:
            if a.kind != b.kind:
                raise TypeError(f"'{SYMBOLS[op]}' not supported between '{a.kind}' and '{b.kind}'")
            for side in (left, right):
                if isinstance_of(side):
                    side._present(
                        lambda: TypeError(f"'{SYMBOLS[op]}' not supported between 'float' and 'str'")
                    )
        return Element(apply(op, a.value, b.value), "bool", numpy)
    if op in ("and", "or", "xor"):
        if (a.kind, b.kind) != ("bool", "bool"):
            _path().fail(f"`{SYMBOLS[op]}` of values of type {a.kind} and {b.kind} is not native", _ADVICE)
        return Element(apply(op, a.value, b.value), "bool", numpy)
    if numbers:
        if numpy and (a.kind == "bool" or b.kind == "bool"):
            _path().fail(f"`{SYMBOLS[op]}` of NumPy's booleans is not native", _ADVICE)
        a.number()
        b.number()
        return _arithmetic(op, a, b, numpy)
    if op == "add" and (a.kind, b.kind) == ("str", "str"):
        for side in (left, right):
            if isinstance_of(side):
                side._present(lambda: TypeError("unsupported operand type(s) for +: 'float' and 'str'"))
        return Element(apply("add", a.value, b.value), "str")
    if op in ("add", "sub") and {a.kind, b.kind} <= {"time", "span"}:
        return element(apply(op, a.value, b.value))
    if a.kind in ("str", "none") or b.kind in ("str", "none"):
        if op in ("mul", "mod") and "str" in (a.kind, b.kind):
            _path().fail(f"`{SYMBOLS[op]}` of text is not native", _ADVICE)
        raise TypeError(f"unsupported operand type(s) for {SYMBOLS[op]}: '{a.kind}' and '{b.kind}'")
    return element(apply(op, a.value, b.value))


def _arithmetic(op: str, a: _Part, b: _Part, numpy: bool) -> Element:
    integers = (a.kind, b.kind) == ("int", "int")
    if op in ("truediv", "floordiv", "mod"):
        if not numpy and b.is_zero():
            raise ZeroDivisionError("division by zero")
        if integers and op != "truediv":
            b.given()
            return Element(apply(op, a.value, b.value), "int", numpy)
        return Element(apply(op, a.value, b.value), "float", numpy)
    if op == "pow":
        return _power(a, b, integers, numpy)
    if integers and not numpy:
        a.given()
        b.given()
        return Element(apply(f"checked_{op}", a.value, b.value), "int")
    return Element(apply(op, a.value, b.value), "int" if integers else "float", numpy)


def _power(a: _Part, b: _Part, integers: bool, numpy: bool) -> Element:
    exponent = b.literal
    if numpy and not integers:
        return Element(apply("pow", a.value, b.value), "float", True)
    if exponent is None:
        _path().fail("`**` by an exponent that is a value is not native", _ADVICE)
    if exponent < 0 and a.is_zero():
        raise ZeroDivisionError("0.0 cannot be raised to a negative power")
    if integers and exponent >= 0:
        a.given()
        return Element(apply("pow" if numpy else "checked_pow", a.value, b.value), "int", numpy)
    base = apply("astype", a.value, "float64") if isinstance(a.value, Operators) else float(a.value)
    if not float(exponent).is_integer() and _path().decide(apply("lt", base, 0)):
        raise ValueError("a negative number to a fractional power is complex")
    result = apply("pow", base, float(exponent))
    if _path().decide(apply("and", apply("isinf", result), apply("isfinite", base))):
        raise OverflowError("(34, 'Numerical result out of range')")
    return Element(result, "float")


def whole(value: Element) -> Element:
    """`int(value)`."""
    if value._kind == "int":
        return value
    if value._kind == "bool":
        return Element(apply("astype", value._column, "int64"), "int")
    column = value._column
    if _path().decide(apply("isna", column)):
        raise ValueError("cannot convert float NaN to integer")
    if _path().decide(apply("isinf", column)):
        raise OverflowError("cannot convert float infinity to integer")
    guard = _path().guard()
    # Elsewhere 0: a missing value could not be converted.
    column = apply("where", guard, column, 0.0)
    return Element(apply("astype", column, "int64"), "int")
