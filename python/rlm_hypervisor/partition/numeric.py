"""`pandas.to_numeric` of a column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.patterns import UNSET
from rlm_hypervisor.partition.refusal import only, refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column


def to_numeric(
    arg: Any, errors: str = "raise", downcast: object = None, dtype_backend: object = UNSET
) -> Column:
    """`pandas.to_numeric` of a column: text as float64 (missing where unreadable with `errors="coerce"`)."""
    from rlm_hypervisor.partition.column import Column

    call = "pandas.to_numeric"
    only(call, errors=(errors, "raise", "coerce"), downcast=(downcast, None))
    if dtype_backend is not UNSET and "no_default" not in str(dtype_backend):
        refuse(
            f"`{call}` with `dtype_backend` is not native: answers have pandas' default types",
            "Leave it out, or convert afterwards: `.astype('Int64')`",
            call=call,
        )
    if not isinstance(arg, Column):
        refuse(
            f"`{call}` takes a column, not `{clipped(arg)}`",
            "Give a column of the partition: `pd.to_numeric(p['x'])`",
            call=call,
        )
    return apply("to_numeric", arg, errors == "coerce", call=f"`{call}`")  # type: ignore[no-any-return]
