"""A column beside another one, or among its own values: `a.equals(b)`, `s.searchsorted(3)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor.partition.constant import constant
from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import only, refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.scalar import Scalar


def alike(pairs: list[tuple[Any, Any]]) -> Scalar:
    """Whether the columns of each pair are the same in every row, missing values included."""
    count = None
    for one, other in pairs:
        same = apply("eq", one, other) | (one.isna() & other.isna())
        differ = (~same).sum()
        count = differ if count is None else count + differ
    return count == 0  # type: ignore[return-value]


class ColumnPairs:
    """The part of Column that goes with another one."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

    def equals(self, other: Any) -> Any:
        """Whether a column of the same rows has the same type and values, missing ones included."""
        call = "Series.equals"
        if not hasattr(other, "_frame") or not self._frame.same_rows(other._frame):
            refuse(
                f"`{call}` is native for columns of the same rows",
                "Compare the answers: `a.to_pandas().equals(b.to_pandas())`",
                call=call,
            )
        if self._frame.dtypes != other._frame.dtypes:
            return False
        return alike([(self, other)])

    def infer_objects(self, copy: object = None) -> Any:
        """The same: columns have types of their own already."""
        only("Series.infer_objects", copy=(copy, None, True, False))
        return self.copy()  # type: ignore[attr-defined]

    def searchsorted(self, value: Any, side: str = "left", sorter: object = None) -> Any:
        """How many values lie before `value` in a column in ascending order; a run fails where it is in none."""
        call = "Series.searchsorted"
        only(call, side=(side, "left", "right"), sorter=(sorter, None))
        own: Any = self
        below = apply("lt" if side == "left" else "le", own, constant(value, f"`{call}`")).sum()
        message = f"`{call}`: the values are in no ascending order"
        # Missing ones are last.
        held = own.dropna().is_monotonic_increasing & ((own.isna() & own.shift(-1).notna()).sum() == 0)
        return apply("ensure", below, held, message)
