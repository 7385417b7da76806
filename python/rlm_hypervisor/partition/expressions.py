"""Expressions as text: `p.query("x > 3 and k == @key")`, `p.eval("z = x + y")`."""

from __future__ import annotations

import ast
import math
import operator
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.operators import Operators, apply
from rlm_hypervisor.partition.refusal import missing_column, only, refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.frame import Partition

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep

_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitXor: operator.xor,
}
_COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FUNCTIONS = (
    *(
        "sin",
        "cos",
        "tan",
        "exp",
        "log",
        "expm1",
        "log1p",
        "sqrt",
        "sinh",
        "cosh",
        "tanh",
        "arcsin",
        "arccos",
    ),
    *("arctan", "arccosh", "arcsinh", "arctanh", "abs", "log10", "floor", "ceil", "arctan2"),
)
"""Functions that expressions know, as in pandas."""


class Expressions:
    """The base of Partition that knows expressions as text."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

        def copy(self, deep: bool = True) -> Partition: ...

    def query(
        self,
        expr: str,
        *,
        parser: str = "pandas",
        engine: str | None = None,
        local_dict: Any = None,
        global_dict: Any = None,
        resolvers: object = None,
        level: int = 0,
        inplace: bool = False,
    ) -> Partition:
        """The rows for which an expression over the columns holds.

        `@name` is a variable of the caller, names in backticks are labels with spaces; `in`, `not in`, chained
        comparisons, `and`, `or`, `not` and methods of columns work as in pandas.
        """
        call = "DataFrame.query"
        only(call, parser=(parser, "pandas"), engine=(engine, None, "python", "numexpr"), level=(level, 0))
        only(call, resolvers=(resolvers, None), inplace=(inplace, False))
        found = _evaluated(self, expr, _scope(local_dict, global_dict), call, False)
        if not isinstance(found, Operators) or found._frame.kind != "series":
            refuse(f"`{call}` of {expr!r} is no condition on rows", "Compare a column: 'x > 3'", call=call)
        return self.copy()[found]  # type: ignore[no-any-return]

    def eval(self, expr: str, *, inplace: bool = False, **kwargs: Any) -> Any:
        """What an expression over the columns gives; `"z = x + y"` gives the partition with that column."""
        call = "DataFrame.eval"
        scope = _scope(kwargs.pop("local_dict", None), kwargs.pop("global_dict", None))
        only(call, inplace=(inplace, False), **{name: (value, None) for name, value in kwargs.items()})
        return _evaluated(self, expr, scope, call, True)


def _scope(local: Any, globals_: Any) -> Mapping[str, Any]:
    """The variables of the user's function that called."""
    if local is not None or globals_ is not None:
        return {**(globals_ or {}), **(local or {})}
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return {**frame.f_globals, **frame.f_locals}


def _evaluated(owner: Any, expr: Any, scope: Mapping[str, Any], call: str, assigns: bool) -> Any:
    if not isinstance(expr, str) or not expr.strip():
        refuse(
            f"`{call}` takes an expression as text, not `{clipped(expr)}`",
            "Give a string: `p.query('x > 3')`",
            call=call,
        )
    text, names = _plain(expr)
    try:
        body = ast.parse(text.strip()).body
    except SyntaxError as error:
        refuse(
            f"`{call}` cannot read {expr!r}: {error.msg}",
            "Write it as one Python expression, with names that are no identifiers in backticks",
            call=call,
        )
    statements = [statement for statement in body if isinstance(statement, ast.Assign)]
    if not statements:
        if len(body) != 1 or not isinstance(body[0], ast.Expr):
            refuse(
                f"`{call}` takes one expression, not {expr!r}",
                "Call it once for each, or assign: `p.eval('a = x + y')`",
                call=call,
            )
        return _Reader(owner, names, scope, call).read(body[0].value)
    if not assigns or len(statements) != len(body):
        refuse(
            f"`{call}` of {expr!r} mixes assignments and others",
            "Call `eval` once with the assignments, and once with the rest",
            call=call,
        )
    result = owner.copy()
    for statement in statements:
        target = statement.targets[0]
        if len(statement.targets) != 1 or not isinstance(target, ast.Name):
            refuse(
                f"`{call}` assigns to one column at a time",
                "Write each assignment on a line of its own",
                call=call,
            )
        result[names.get(target.id, target.id)] = _Reader(result, names, scope, call).read(statement.value)
    return result


def _plain(expr: str) -> tuple[str, dict[str, str]]:
    """The expression as Python reads it: quoted labels and `@` under names of ours; `&` and `|` bind as words."""
    written: list[str] = []
    names: dict[str, str] = {}
    at = 0
    while at < len(expr):
        sign = expr[at]
        if sign in "'\"":
            end = at + 1
            while end < len(expr) and expr[end] != sign:
                end += 2 if expr[end] == "\\" else 1
            written.append(expr[at : end + 1])
            at = end + 1
        elif sign == "`":
            end = expr.find("`", at + 1)
            end = len(expr) if end < 0 else end
            name = f"__quoted_{len(names)}"
            names[name] = expr[at + 1 : end]
            written.append(name)
            at = end + 1
        else:
            written.append({"@": "__local_", "&": " and ", "|": " or "}.get(sign, sign))
            at += 1
    return "".join(written), names


class _Reader:
    """Evaluates the parts of an expression."""

    def __init__(self, owner: Any, names: dict[str, str], scope: Mapping[str, Any], call: str) -> None:
        self.owner, self.names, self.scope, self.call = owner, names, scope, call

    def refuse(self, what: str, advice: str = "") -> NoReturn:
        refuse(f"`{self.call}`: {what}", advice, call=self.call)

    def read(self, node: ast.expr) -> Any:
        """The value of a part."""
        found = getattr(self, f"read_{type(node).__name__.lower()}", None)
        if found is None:
            self.refuse(f"{type(node).__name__} is not native in an expression", "Write it in Python")
        return found(node)

    def read_constant(self, node: ast.Constant) -> Any:
        """A number, text, True, False, None."""
        return node.value

    def read_name(self, node: ast.Name) -> Any:
        """A column, a level of the index, a variable of the caller."""
        name = node.id
        if name.startswith("__local_"):
            name = name.removeprefix("__local_")
            if name not in self.scope:
                self.refuse(
                    f"the variable @{name} is not there",
                    "Name a variable of the function that calls it, or pass `local_dict={'name': value}`",
                )
            return self.scope[name]
        label = self.names.get(name, name)
        if label in self.owner:
            return self.owner[label]
        levels = self.owner._frame.index_names or []
        if label in levels:
            return self.owner.index.get_level_values(label)
        if label == "index":
            return self.owner.index
        if label in ("inf", "Inf"):
            return math.inf
        if label in ("Timestamp", "datetime") and label in self.scope:
            return self.scope[label]
        raise missing_column(label, self.owner._frame.columns, f"`{self.call}`")

    def read_list(self, node: ast.List | ast.Tuple) -> list[Any]:
        """A list of values."""
        return [self.read(item) for item in node.elts]

    read_tuple = read_list
    read_set = read_list

    def read_unaryop(self, node: ast.UnaryOp) -> Any:
        """`-x`, `not x`, `~x`."""
        value = self.read(node.operand)
        if isinstance(node.op, ast.Not | ast.Invert):
            return ~value if isinstance(value, Operators) else not value
        return -value if isinstance(node.op, ast.USub) else value

    def read_boolop(self, node: ast.BoolOp) -> Any:
        """`and`, `or`."""
        result = self.read(node.values[0])
        for part in node.values[1:]:
            value = self.read(part)
            result = result & value if isinstance(node.op, ast.And) else result | value
        return result

    def read_binop(self, node: ast.BinOp) -> Any:
        """Arithmetic."""
        if type(node.op) not in _BINARY:
            self.refuse(
                f"the operator {type(node.op).__name__} is not native in an expression",
                "Write it with columns: `p[p['x'] ... ]`",
            )
        return _BINARY[type(node.op)](self.read(node.left), self.read(node.right))

    def read_compare(self, node: ast.Compare) -> Any:
        """Comparisons, one or a chain of them."""
        left = self.read(node.left)
        result: Any = None
        for op, part in zip(node.ops, node.comparators, strict=True):
            right = self.read(part)
            value = self.compared(op, left, right)
            result = value if result is None else result & value
            left = right
        return result

    def compared(self, op: ast.cmpop, left: Any, right: Any) -> Any:
        """One comparison; equality with a list is membership."""
        if isinstance(op, ast.In | ast.NotIn | ast.Eq | ast.NotEq):
            wanted = isinstance(op, ast.In | ast.Eq)
            equality = isinstance(op, ast.Eq | ast.NotEq)
            if equality and not isinstance(right, list | tuple | set):
                if not isinstance(left, list | tuple | set):
                    return left == right if wanted else left != right
                left, right = right, left
            if not hasattr(left, "isin"):
                self.refuse(
                    "`in` takes a column on its left and a list on its right",
                    "Write `x in [1, 2]`, or `p[p['x'].isin(values)]`",
                )
            found = left.isin(right if not isinstance(right, str) else [right])
            return found if wanted else ~found
        if type(op) not in _COMPARE:
            self.refuse(
                f"the comparison {type(op).__name__} is not native in an expression",
                "Write it with columns: `p[p['x'].isin([...])]`",
            )
        return _COMPARE[type(op)](left, right)

    def read_attribute(self, node: ast.Attribute) -> Any:
        """A method or accessor of a column, an attribute of a variable."""
        if node.attr.startswith("_"):
            self.refuse(
                f"`.{node.attr}` is not native in an expression",
                "Write it with columns: `p[p['x'].str.startswith('a')]`",
            )
        return getattr(self.read(node.value), node.attr)

    def read_subscript(self, node: ast.Subscript) -> Any:
        """A part of a variable, e.g. `@limits["x"]`."""
        return self.read(node.value)[self.read(node.slice)]

    def read_call(self, node: ast.Call) -> Any:
        """A method, or one of the functions that expressions know."""
        args = [self.read(arg) for arg in node.args]
        kwargs = {item.arg: self.read(item.value) for item in node.keywords if item.arg is not None}
        if isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
            if kwargs or not any(isinstance(arg, Operators) for arg in args):
                self.refuse(
                    f"`{node.func.id}` takes columns",
                    "Name a column in it, or compute the constant outside and use `@name`",
                )
            return apply(node.func.id, *args)
        return self.read(node.func)(*args, **kwargs)
