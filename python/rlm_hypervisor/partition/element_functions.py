"""Python's own functions within a function of single values: `float(x)`, `len(x)`, `math.log(x)`, `isinstance`.

Python insists that these give values of its own. So the function is run with other globals, in which these
names answer for elements; for anything else they are what they were.
"""

from __future__ import annotations

import builtins
import dis
import functools
import math
import types
from collections.abc import Callable
from typing import Any

from rlm_hypervisor.partition.element import Element, _path, element, isinstance_of, whole
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import refuse


def _float(value: Any = 0.0) -> Any:
    if not isinstance_of(value):
        return float(value)
    if value._kind == "str":
        value._end("`float()` of text")
    if value._kind not in ("int", "float", "bool"):
        raise TypeError("float() argument must be a string or a real number")
    if value._kind == "bool":
        value = whole(value)
    return Element(apply("astype", value._column, "float64"), "float")


def _int(value: Any = 0, *args: Any) -> Any:
    if not isinstance_of(value):
        return int(value, *args)
    if value._kind == "str" or args:
        value._end("`int()` of text")
    if value._kind not in ("int", "float", "bool"):
        raise TypeError("int() argument must be a string, a bytes-like object or a real number")
    return whole(value)


def _str(value: Any = "", *args: Any) -> Any:
    if not isinstance_of(value):
        return str(value, *args)
    if value._kind == "str":
        missing = value._missing()
        return "nan" if _path().decide(missing) else value
    if value._kind not in ("int", "float", "bool"):
        value._end(f"`str()` of a {value._kind}")
    text = apply("astype", value._column, "str")
    if value._kind == "float":
        text = apply("fillna", text, "nan")
    return Element(text, "str")


def _bool(value: Any = False) -> Any:
    return bool(value)


def _len(value: Any) -> Any:
    if not isinstance_of(value):
        return len(value)
    if value._kind not in ("str", "list"):
        raise TypeError(f"object of type '{value._kind}' has no len()")
    value._present(lambda: TypeError("object of type 'float' has no len()"))
    return element(value._column.str.len())


def _type(value: Any, *args: Any, **kwargs: Any) -> Any:
    if args or not isinstance_of(value):
        return type(value, *args, **kwargs)
    return value._class()


_ALIASES = {id(_float): float, id(_int): int, id(_str): str, id(_bool): bool}


def _real(classes: Any) -> Any:
    """Our stand-ins for Python's classes as those classes."""
    if isinstance(classes, tuple):
        return tuple(map(_real, classes))
    return _ALIASES.get(id(classes), classes)


def _isinstance(value: Any, classes: Any) -> bool:
    real = _real(classes)
    return issubclass(value._class(), real) if isinstance_of(value) else isinstance(value, real)


BUILTINS: dict[str, Callable[..., Any]] = {
    "float": _float,
    "int": _int,
    "str": _str,
    "bool": _bool,
    "len": _len,
    "type": _type,
    "isinstance": _isinstance,
}
"""Names of Python's that a function of single values sees otherwise."""

_DOMAINS: dict[str, Callable[[Any], Any]] = {
    "sqrt": lambda x: x < 0,
    "log": lambda x: x <= 0,
    "log2": lambda x: x <= 0,
    "log10": lambda x: x <= 0,
    "log1p": lambda x: x <= -1,
    "asin": lambda x: apply("gt", apply("abs", x), 1),
    "acos": lambda x: apply("gt", apply("abs", x), 1),
    "sin": lambda x: apply("isinf", x),
    "cos": lambda x: apply("isinf", x),
    "tan": lambda x: apply("isinf", x),
}
"""Where the functions of `math` raise a ValueError."""

_RANGES = ("exp", "exp2", "expm1", "sinh", "cosh")
"""The functions of `math` that raise an OverflowError where NumPy's give infinity."""

_OPERATORS = {
    **{name: name for name in ("sqrt", "log", "log2", "log10", "log1p", "exp", "exp2", "expm1", "cbrt")},
    **{name: name for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "degrees", "radians")},
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "asinh": "arcsinh",
    "fabs": "abs",
}
"""Functions of `math` of one number, and our operators for them."""


def _mathematical(name: str) -> Callable[..., Any]:
    original = getattr(math, name)
    operator = _OPERATORS[name]

    @functools.wraps(original)
    def function(x: Any, *args: Any) -> Any:
        if not isinstance_of(x) and not any(map(isinstance_of, args)):
            return original(x, *args)
        if args or not isinstance_of(x):
            if name == "log" and len(args) == 1 and not isinstance_of(args[0]):
                return function(x) / math.log(args[0])
            _path().fail(
                f"`math.{name}` with these arguments is not native", "Give one number", f"math.{name}"
            )
        column = _float(x)._column
        outside = _DOMAINS.get(name)
        if outside is not None and _path().decide(outside(column)):
            raise ValueError("math domain error")
        result = apply(operator, column)
        if name in _RANGES and _path().decide(apply("isinf", result) & apply("isfinite", column)):
            raise OverflowError("math range error")
        return Element(result, "float")

    return function


def _predicate(name: str) -> Callable[..., Any]:
    original = getattr(math, name)

    @functools.wraps(original)
    def function(x: Any) -> Any:
        if not isinstance_of(x):
            return original(x)
        if x._kind not in ("int", "float"):
            raise TypeError(f"must be real number, not {x._kind}")
        return Element(apply(name, x._column), "bool")

    return function


def _whole(name: str) -> Callable[..., Any]:
    original = getattr(math, name)

    @functools.wraps(original)
    def function(x: Any) -> Any:
        return getattr(type(x), f"__{name}__")(x) if isinstance_of(x) else original(x)

    return function


def _pair(name: str, operator: str) -> Callable[..., Any]:
    original = getattr(math, name)

    @functools.wraps(original)
    def function(*args: Any) -> Any:
        if not any(map(isinstance_of, args)):
            return original(*args)
        if len(args) != 2:
            _path().fail(f"`math.{name}` of {len(args)} values is not native", "Give two", f"math.{name}")
        if operator == "pow":
            return _float(args[0]) ** (_float(args[1]) if isinstance_of(args[1]) else float(args[1]))
        parts = [_float(arg)._column if isinstance_of(arg) else float(arg) for arg in args]
        return Element(apply(operator, *parts), "float")

    return function


MATHS: dict[str, Callable[..., Any]] = {
    **{name: _mathematical(name) for name in _OPERATORS if hasattr(math, name)},
    **{name: _predicate(name) for name in ("isnan", "isinf", "isfinite")},
    **{name: _whole(name) for name in ("floor", "ceil", "trunc")},
    "hypot": _pair("hypot", "hypot"),
    "atan2": _pair("atan2", "arctan2"),
    "pow": _pair("pow", "pow"),
}
"""Functions of the module `math` for elements."""

_ORIGINALS = {id(getattr(math, name)): function for name, function in MATHS.items()}


class _Math:
    """The module `math` as a function of single values sees it."""

    def __getattr__(self, name: str) -> Any:
        found = MATHS.get(name)
        return getattr(math, name) if found is None else found


_MATH = _Math()


def prepared(function: Any, call: str) -> Callable[..., Any]:
    """The function as it is run on elements."""
    for name, ours in BUILTINS.items():
        if function is getattr(builtins, name):
            return ours
    if id(function) in _ORIGINALS:
        return _ORIGINALS[id(function)]
    if isinstance(function, types.MethodDescriptorType) and function.__objclass__ is str:
        name = function.__name__
        return lambda value, *args: getattr(value, name)(*args)
    if isinstance(function, functools.partial):
        return functools.partial(prepared(function.func, call), *function.args, **function.keywords)
    if isinstance(function, types.MethodType):
        return types.MethodType(prepared(function.__func__, call), function.__self__)
    if isinstance(function, types.FunctionType):
        return _copied(function, {}, call)
    return function  # type: ignore[no-any-return]


def _copied(
    function: types.FunctionType, copies: dict[int, types.FunctionType], call: str
) -> types.FunctionType:
    """The function with other globals, and so the functions that it calls."""
    known = copies.get(id(function))
    if known is not None:
        return known
    _check(function.__code__, call)
    own = function.__globals__
    globals_: dict[str, Any] = dict(own)
    globals_.update({name: ours for name, ours in BUILTINS.items() if name not in own})
    copy = types.FunctionType(
        function.__code__,
        globals_,
        function.__name__,
        function.__defaults__,
        _closure(function, copies, call),
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copies[id(function)] = copy
    for name in _names(function.__code__):
        if name in own:
            globals_[name] = _replaced(own[name], copies, call)
    return copy


def _replaced(value: Any, copies: dict[int, types.FunctionType], call: str) -> Any:
    if value is math:
        return _MATH
    if id(value) in _ORIGINALS:
        return _ORIGINALS[id(value)]
    if isinstance(value, types.FunctionType) and _is_users(value):
        return _copied(value, copies, call)
    return value


def _is_users(function: types.FunctionType) -> bool:
    from rlm_hypervisor.partition.trace import _is_users

    return _is_users(function.__code__.co_filename)


def _closure(
    function: types.FunctionType, copies: dict[int, types.FunctionType], call: str
) -> tuple[types.CellType, ...] | None:
    if function.__closure__ is None:
        return None
    cells = []
    for cell in function.__closure__:
        try:
            value = cell.cell_contents
        except ValueError:
            cells.append(cell)
            continue
        new = value if value is function else _replaced(value, copies, call)
        cells.append(cell if new is value else types.CellType(new))
    return tuple(cells)


def _names(code: types.CodeType) -> set[str]:
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names(constant)
    return found


def _check(code: types.CodeType, call: str) -> None:
    """Refuses `is` of a value with anything but None: an element is never the same object."""
    before = None
    for instruction in dis.get_instructions(code):
        if instruction.opname == "IS_OP" and not (
            before is not None and before.opname == "LOAD_CONST" and before.argval is None
        ):
            refuse(
                f"{call}: `is` in a function of single values is native with None only",
                "Use `==`, or `pd.isna(x)` for missing values",
                call=call,
            )
        before = instruction
