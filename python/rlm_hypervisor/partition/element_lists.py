"""Lists as single values: `len(x)`, `x[0]`, `x[1:]`, `"a" in x` in a function that is applied to a column of lists."""

from __future__ import annotations

from typing import Any

from rlm_hypervisor.partition.element import Element, _path, element, isinstance_of
from rlm_hypervisor.partition.operators import apply


def contains(value: Element, part: Any) -> bool:
    """`part in value`, for a constant."""
    if isinstance_of(part) or not isinstance(part, str | int | float) or part != part:
        value._end("`in` a list for what is no constant")
    value._present(lambda: TypeError("argument of type 'NoneType' is not iterable"))
    return _path().decide(apply("list_contains", value._column, part, call="`in`").fillna(False))


def item(value: Element, key: Any) -> Any:
    """`value[key]`: a value by its place, or a shorter list."""
    value._present(lambda: TypeError("'NoneType' object is not subscriptable"))
    if isinstance(key, slice):
        bounds = (key.start, key.stop, key.step)
        if not all(bound is None or _is_place(bound) for bound in bounds) or key.step == 0:
            value._end("a slice of a list by what are no constants")
        return Element(apply("list_slice", value._column, *bounds, call="`[]`"), "list")
    if not _is_place(key):
        value._end("`[]` of a list by what is no constant")
    length = apply("list_len", value._column)
    short = apply("le", length, key) if key >= 0 else apply("lt", length, -key)
    if _path().decide(short.fillna(False)):
        raise IndexError("list index out of range")
    found = apply("list_get", value._column, key, False, call="`[]`")
    dtype = found._frame.dtypes[0]
    if dtype.startswith(("int", "uint")) and dtype not in ("int64", "uint64"):
        # Wider, and missing where there is none.
        found = apply("astype", found, "Int64")
    return element(found)


def _is_place(key: Any) -> bool:
    return isinstance(key, int) and not isinstance(key, bool) and not isinstance_of(key)
