"""NumPy's functions over columns that are no ufuncs: `np.where`, `np.select`, `np.clip`, ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.constant import constant
from rlm_hypervisor.partition.operators import Operators, apply
from rlm_hypervisor.partition.refusal import refuse
from rlm_hypervisor.partition.replacing import condition


def _value(value: Any, call: str) -> Any:
    if isinstance(value, Operators):
        return value
    return constant(value, f"`{call}`")


def _chosen(conditions: list[Any], values: list[Any], otherwise: Any, call: str) -> Any:
    """The value of the first condition that holds: what NumPy's functions of that kind have in common."""
    if not any(isinstance(item, Operators) and item._frame.kind == "series" for item in conditions):
        refuse(
            f"`{call}` needs a condition made of the partition's columns",
            "Compare a column: `np.where(p['x'] > 0, 1, 0)`",
            call=call,
        )
    chosen = [_value(value, call) for value in (*values, otherwise)]
    text = any(isinstance(value, str) for value in chosen)
    columns = any(isinstance(value, Operators) for value in chosen)
    if text and not columns and any(isinstance(value, float) and value != value for value in chosen):
        refuse(
            f"`{call}` of a text and NaN makes the text 'nan' of it in NumPy",
            "Use None for what is missing",
            call=call,
        )
    strings = text or any(isinstance(v, Operators) and v._frame.dtypes[0] == "str" for v in chosen)
    if not strings and any(value is None for value in chosen):
        refuse(f"`{call}` with None makes objects of numbers", "Use `np.nan`", call=call)
    pairs = [
        part
        for cond, value in zip(conditions, chosen, strict=False)
        for part in (condition(cond, None, call), value)
    ]
    result = apply("select", *pairs, chosen[-1], call=f"`{call}`")
    from rlm_hypervisor.partition.column import Column

    return Column(result._frame.with_name(None))


def where(condition: Any, x: Any = ..., y: Any = ...) -> Any:
    """`np.where(condition, x, y)`: its answer has no name."""
    if x is ... or y is ...:
        refuse("`numpy.where` of a condition alone gives positions of rows", "Select rows: `p[condition]`")
    return _chosen([condition], [x], y, "numpy.where")


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """`np.select(conditions, choices, default)`."""
    if not isinstance(condlist, list | tuple) or not isinstance(choicelist, list | tuple):
        refuse(
            "`numpy.select` takes a list of conditions and a list of choices",
            "Give two lists: `np.select([p['x'] > 0], [1], default=0)`",
            call="numpy.select",
        )
    if len(condlist) != len(choicelist) or not condlist:
        refuse(
            f"`numpy.select` got {len(condlist)} conditions and {len(choicelist)} choices",
            "Give one choice for each condition",
            call="numpy.select",
        )
    return _chosen(list(condlist), list(choicelist), default, "numpy.select")


def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """`np.clip(column, low, high)`, as the method of pandas answers it."""
    return a.clip(a_min if min is None else min, a_max if max is None else max)


def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """`np.nan_to_num(column)`: NaN as 0, infinities as the largest numbers."""
    kind = x._frame.dtypes[0]
    if not kind.startswith("float"):
        refuse(
            f"`numpy.nan_to_num` is native on floats only, not on {kind}",
            "Convert it first: `.astype('float64')`, or use `.fillna(0)`",
            call="numpy.nan_to_num",
        )
    largest = 1.7976931348623157e308 if kind == "float64" else 3.4028234663852886e38
    high = largest if posinf is None else posinf
    low = -largest if neginf is None else neginf
    infinite = apply("isinf", x)
    result = apply("select", apply("isnan", x), nan, infinite & (x > 0), high, infinite, low, x)
    from rlm_hypervisor.partition.column import Column

    return Column(result._frame.with_name(None))


def average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False) -> Any:
    """`np.average(column, weights=column)`: NaN where a value or weight is missing, as NumPy has it."""
    call = "numpy.average"
    if axis not in (None, 0) or returned:
        refuse(f"`{call}` with `axis` or `returned` is not native", "Leave them out", call=call)
    if weights is None:
        return a._reduce("mean", skipna=False)
    if not isinstance(weights, Operators) or weights._frame.kind != "series":
        refuse(
            f"`{call}` takes a column of the same rows for `weights`", "Assign them as a column", call=call
        )
    total = weights._reduce("sum", skipna=False)  # type: ignore[attr-defined]
    found = (a * weights)._reduce("sum", skipna=False) / total
    return apply("ensure", found, apply("ne", total, 0), f"`{call}`: the weights add up to 0")


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "where": where,
    "average": average,
    "select": select,
    "clip": clip,
    "nan_to_num": nan_to_num,
}
"""Name in NumPy -> what answers for it."""


def by_numpy(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Calls the function of that name; a TypeError of its arguments is a refusal."""
    try:
        return FUNCTIONS[name](*args, **kwargs)
    except TypeError as error:
        refuse(
            f"`numpy.{name}` with these arguments is not native: {clipped(error)}",
            "Use the column's own methods: `.clip(...)`, `.where(...)`, `.fillna(...)`",
            call=f"numpy.{name}",
        )


def _missing(obj: Any, wanted: bool, call: str) -> Any:
    from rlm_hypervisor.partition.element import Element, isinstance_of

    if isinstance_of(obj):
        return Element(apply("isna" if wanted else "notna", obj._column), "bool")
    if hasattr(obj, "isna") and hasattr(obj, "notna"):
        return obj.isna() if wanted else obj.notna()
    if isinstance(obj, Operators):
        return apply("isna" if wanted else "notna", obj)
    refuse(f"`pandas.{call}` of `{clipped(obj)}` is not native", "Pass a column or partition")


def isna(obj: Any) -> Any:
    """`pd.isna(column)`."""
    return _missing(obj, True, "isna")


def notna(obj: Any) -> Any:
    """`pd.notna(column)`."""
    return _missing(obj, False, "notna")
