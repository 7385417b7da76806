"""What a Column puts in the place of its values: conditions, bounds, look-ups, missing values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.errors import SchemaMismatchError
from rlm_hypervisor.partition.alignment import united
from rlm_hypervisor.partition.constant import constant, is_missing
from rlm_hypervisor.partition.dtypes import DType
from rlm_hypervisor.partition.operators import COMPARISONS, Operators, apply, wrap
from rlm_hypervisor.partition.refusal import boolean, labels_of, only, refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column

GIVEN_NOTHING: Any = ...
"""The default of arguments for which None means something."""


def nothing(value: object) -> bool:
    """Whether a constant is missing: None, NaN, `pd.NA`, `pd.NaT`."""
    return value is None or is_missing(value) or (isinstance(value, float) and value != value)


def condition(cond: Any, owner: Any, call: str) -> Any:
    """A boolean column (or a function of the owner that gives one)."""
    if callable(cond) and not isinstance(cond, Operators):
        cond = cond(owner)
    if isinstance(cond, Operators):
        if cond._frame.dtypes[0] != "bool":
            refuse(
                f"`{call}` is given {cond!r}, and a condition must be of booleans", "Compare: `p['x'] > 3`"
            )
        return cond
    if isinstance(cond, bool):
        return cond
    refuse(
        f"`{call}` takes a condition made of the partition's columns, not `{clipped(cond)}`",
        "Compare a column: `p['x'] > 3`",
        call=call,
    )


class Replacing:
    """The base of Column that knows how to replace values."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame
        name: Any
        dtype: Any

        def isna(self) -> Column: ...
        def notna(self) -> Column: ...

    def _named(self, value: Any) -> Column:
        """A column computed from this one, under the same name."""
        from rlm_hypervisor.partition.column import Column

        return Column(value._frame.with_name(self.name))

    def _other(self, other: Any, call: str) -> Any:
        if callable(other) and not isinstance(other, Operators):
            other = other(self)
        if other is GIVEN_NOTHING or nothing(other):
            return float("nan") if str(self._frame.dtypes[0]).startswith("float") else None
        if isinstance(other, Operators):
            return other
        return constant(other, f"`{call}`")

    def where(
        self,
        cond: Any,
        other: Any = GIVEN_NOTHING,
        *,
        inplace: bool = False,
        axis: object = None,
        level: object = None,
    ) -> Column:
        """The values where the condition holds, elsewhere `other` (default: missing).

        Both may be columns of the same rows or functions of this one; integers that may be missing are floats.
        """
        call = "Series.where"
        only(call, inplace=(inplace, False), axis=(axis, None, 0, "index"), level=(level, None))
        kept = condition(cond, self, call)
        return self._named(apply("where", kept, self, self._other(other, call)))

    def mask(
        self,
        cond: Any,
        other: Any = GIVEN_NOTHING,
        *,
        inplace: bool = False,
        axis: object = None,
        level: object = None,
    ) -> Column:
        """The values where the condition does not hold, elsewhere `other` (default: missing)."""
        call = "Series.mask"
        only(call, inplace=(inplace, False), axis=(axis, None, 0, "index"), level=(level, None))
        gone = condition(cond, self, call)
        kept = not gone if isinstance(gone, bool) else apply("not", gone)
        return self._named(apply("where", kept, self, self._other(other, call)))

    def clip(
        self,
        lower: Any = None,
        upper: Any = None,
        *,
        axis: object = None,
        inplace: bool = False,
        **kwargs: object,
    ) -> Column:
        """Within bounds: numbers, times, scalars or columns; a missing bound is none."""
        call = "Series.clip"
        only(
            call,
            axis=(axis, None, 0, "index"),
            inplace=(inplace, False),
            **{k: (v,) for k, v in kwargs.items()},
        )
        lower, upper = (None if nothing(bound) else bound for bound in (lower, upper))
        for bound in (lower, upper):
            if labels_of(bound) is not None:
                refuse(
                    f"`{call}` takes single bounds or columns, not `{clipped(bound)}`",
                    "Give a number, or a column of the same partition",
                    call=call,
                )
        if lower is not None and upper is not None and not (_is_column(lower) or _is_column(upper)):
            lower, upper = _ordered(lower, upper)
        result: Any = self
        if lower is not None:
            result = self._bound(result, "ge", lower)
        if upper is not None:
            result = self._bound(result, "le", upper)
        return self._named(result)

    def _bound(self, result: Any, op: str, bound: Any) -> Any:
        kept = apply(op, result, bound, call="`Series.clip`") | apply("isna", result)
        if isinstance(bound, Operators):
            kept = kept | apply("isna", bound)
        return apply("where", kept, result, bound)

    def replace(
        self,
        to_replace: Any = None,
        value: Any = GIVEN_NOTHING,
        *,
        inplace: bool = False,
        regex: Any = False,
    ) -> Column:
        """One value by another, a list by one or a list, or a dict; `regex=True` on text."""
        call = "Series.replace"
        only(call, inplace=(inplace, False))
        if regex is not False:
            return self._replaced_by_pattern(to_replace, value, regex)
        if isinstance(to_replace, dict):
            if value is not GIVEN_NOTHING:
                refuse(
                    f"`{call}` with a dict takes no `value`", "Put the new values into the dict", call=call
                )
            return self._replaced(list(to_replace), list(to_replace.values()), call)
        if to_replace is None or value is GIVEN_NOTHING:
            refuse(
                f"`{call}` needs to know what to replace and by what",
                "Give both: `.replace('a', 'b')`, or a dict: `.replace({'a': 'b'})`",
                call=call,
            )
        keys = labels_of(to_replace)
        values = labels_of(value)
        if keys is None:
            if values is not None:
                refuse(
                    f"`{call}` cannot put several values in the place of one", "Give one new value", call=call
                )
            if isinstance(value, Operators):
                return self._named(apply("where", apply("eq", self, to_replace), value, self))
            return self._replaced([to_replace], [value], call)
        values = [value] * len(keys) if values is None else values
        if len(values) != len(keys):
            refuse(
                f"`{call}` got {len(values)} new values for {len(keys)}",
                "Give one for each, or one for all",
                call=call,
            )
        return self._replaced(keys, values, call)

    def _replaced(self, keys: list[Any], values: list[Any], call: str) -> Column:
        if any(key is None for key in keys):
            refuse(f"`{call}` of None is not native", "Use `fillna(value)`", call=call)
        if any(value is None for value in values) and self._frame.dtypes[0] != "str":
            refuse(f"`{call}` by None makes objects of a column", "Use `float('nan')`", call=call)
        found = [constant(key, f"`{call}`") for key in keys]
        new = [constant(value, f"`{call}`") for value in values]
        if not found:
            return self._named(self)
        return self._named(wrap(_core.Frame.call("replace_values", [self._frame, found, new])))

    def _replaced_by_pattern(self, to_replace: Any, value: Any, regex: Any) -> Column:
        call = "Series.replace"
        pairs: list[tuple[Any, Any]]
        if regex is not True:
            to_replace = regex
        if isinstance(to_replace, dict):
            pairs = list(to_replace.items())
        elif isinstance(to_replace, str) and isinstance(value, str):
            pairs = [(to_replace, value)]
        else:
            pairs = []
        if not pairs or not all(isinstance(part, str) for pair in pairs for part in pair):
            refuse(
                f"`{call}` with `regex=True` takes a pattern and a text, or a dict of these",
                "Give both: `.replace('^a', 'b', regex=True)`",
                call=call,
            )
        if self._frame.dtypes[0] != "str":
            refuse(
                f"`{call}` with `regex=True` is for text, not {self._frame.dtypes[0]}",
                "Leave `regex` out, or convert the column to text: `.astype(str)`",
                call=call,
            )
        if len(pairs) > 1:
            refuse(
                f"`{call}` with several patterns at once is not native in this version",
                "Replace one after the other",
                call=call,
            )
        result: Any = self
        return self._named(result.str.replace(pairs[0][0], pairs[0][1], regex=True))

    def case_when(self, caselist: Any) -> Column:
        """The value of the first condition that holds, else the own: `[(condition, value), ...]`."""
        call = "Series.case_when"
        if not isinstance(caselist, list) or not caselist:
            refuse(
                f"`{call}` takes a list of (condition, value) pairs, not `{clipped(caselist)}`",
                "Give pairs: `[(p['x'] > 0, 'plus'), (p['x'] < 0, 'minus')]`",
                call=call,
            )
        args: list[Any] = []
        for pair in caselist:
            if not isinstance(pair, tuple) or len(pair) != 2:
                refuse(
                    f"`{call}` takes (condition, value) pairs, not `{clipped(pair)}`",
                    "Give pairs: `[(p['x'] > 0, 'plus')]`",
                    call=call,
                )
            args += [condition(pair[0], self, call), self._other(pair[1], call)]
        _one_kind([self, *args[1::2]], call)
        return self._named(apply("select", *args, self))

    def dot(self, other: Any) -> Any:
        """The sum of products with a column of the same rows, which is missing if any of them is."""
        if not _is_column(other):
            refuse("`Series.dot` takes a column of the same rows", "Multiply and sum", call="Series.dot")
        products = apply("mul", self, other)
        return apply("given", products.sum(), products.isna().sum() == 0)

    def combine_first(self, other: Any) -> Column:
        """The values, and those of another column where they are missing, over the labels of both."""
        call = "Series.combine_first"
        if not _is_column(other):
            refuse(f"`{call}` takes a column", "Fill with one value: `s.fillna(0)`", call=call)
        own, theirs = united([self._frame, other._frame], f"`{call}`")
        return self._named(apply("fillna", wrap(own), wrap(theirs)))

    def dropna(
        self,
        *,
        axis: object = 0,
        inplace: bool = False,
        how: object = None,
        ignore_index: bool = False,
    ) -> Column:
        """Without the rows whose value is missing."""
        call = "Series.dropna"
        only(call, axis=(axis, 0, "index"), inplace=(inplace, False), how=(how, None, "any", "all"))
        from rlm_hypervisor.partition.column import Column

        frame = self._frame.filter(self.notna()._frame)
        return Column(frame.reset_index(True) if boolean(call, "ignore_index", ignore_index) else frame)

    def _mapped(self, mapping: Any, call: str) -> Column:
        """Each value looked up in a dict; missing where it is not there."""
        if not isinstance(mapping, dict):
            mapping = mapping.to_dict()
        if hasattr(type(mapping), "__missing__"):
            refuse(
                f"`{call}` with a dict that makes its own defaults is not native",
                "Map with a plain dict, and `fillna(default)`",
                call=call,
            )
        if not mapping:
            refuse(f"`{call}` got an empty dict", "Give at least one entry: `{'a': 'b'}`", call=call)
        own = DType(self._frame.dtypes[0])
        for key in mapping:
            if (
                isinstance(key, bool) != (own == "bool")
                and isinstance(key, bool | int | float)
                and own.is_number
            ):
                refuse(
                    f"`{call}` looks up {key!r} among values of type {own}: booleans and numbers are told apart",
                    "Use keys of the column's own type",
                    call=call,
                )
        keys = [None if nothing(key) else constant(key, f"`{call}`") for key in mapping]
        values = [None if nothing(value) else constant(value, f"`{call}`") for value in mapping.values()]
        return self._named(wrap(_core.Frame.call("map_values", [self._frame, keys, values])))


def _is_column(value: object) -> bool:
    return isinstance(value, Operators) and value._frame.kind == "series"


def _ordered(lower: Any, upper: Any) -> tuple[Any, Any]:
    """pandas swaps bounds that are the wrong way round."""
    if isinstance(lower, Operators) or isinstance(upper, Operators):
        return apply("minimum", lower, upper), apply("maximum", lower, upper)
    return min(lower, upper), max(lower, upper)


def _one_kind(values: list[Any], call: str) -> None:
    """Booleans and numbers in one column would be objects in pandas."""
    kinds = set()
    for value in values:
        if isinstance(value, Operators):
            kinds.add(value._frame.dtypes[0] == "bool")
        elif value is not None:
            kinds.add(isinstance(value, bool))
    if len(kinds) > 1:
        refuse(
            f"`{call}` would mix booleans and other values in one column",
            "Convert the booleans: `.astype('int64')`",
            call=call,
        )


def set_rows(column: Any, label: Any, rows: Any, value: Any) -> Any:
    """The column with the value in the rows of a condition, as assignment does it: the type must stay."""
    call = f"... [condition, {label!r}] = ..."
    if rows.dtype != "bool":
        refuse(f"`{call}` is given {rows!r}, and a condition must be of booleans", "Compare: `p['x'] > 3`")
    if not isinstance(value, Operators):
        value = constant(value, f"`{call}`")
    if nothing(value):
        value = float("nan") if column.dtype.kind == "f" else None
        if column.dtype.kind in "iub":
            refuse(
                f"`{call}` puts a missing value into {column.dtype} values",
                "pandas changes the type then; say so with `p['x'].mask(condition)`",
                call="DataFrame.loc",
            )
    result = apply("where", rows, value, column)
    if result.dtype != column.dtype:
        raise SchemaMismatchError(
            f"`{call}` would make {result.dtype} of {column.dtype} values: pandas refuses that too. "
            "Convert the column first: `.astype(...)`",
            details={"call": "DataFrame.loc", "column": str(label)},
        )
    return result


def filled_binary(op: str, column: Any, other: Any, fill: Any, reflected: bool) -> Any:
    """An operator whose missing values are filled, unless both sides are missing."""
    if nothing(fill):
        return column._binary(op, other, reflected)
    fill = constant(fill, "`fill_value`")
    if not _is_column(other):
        filled = apply("fillna", column, fill)
        other = fill if nothing(other) else other
        return apply(op, other, filled) if reflected else apply(op, filled, other)
    own, theirs = united([column._frame, other._frame], f"`{op}`")
    column, other = wrap(own), wrap(theirs)
    left, right = apply("fillna", column, fill), apply("fillna", other, fill)
    result = apply(op, right, left) if reflected else apply(op, left, right)
    if op in COMPARISONS:
        refuse(
            f"`{op}` with `fill_value` is not native", "Fill first: `s.fillna(value)`", call=f"Series.{op}"
        )
    both = apply("isna", column) & apply("isna", other)
    return apply("given", result, apply("not", both))
