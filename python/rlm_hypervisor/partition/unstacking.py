"""Levels of a column's index as columns: `p.groupby(["k", "g"])["x"].sum().unstack()`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlm_hypervisor import _core
    from rlm_hypervisor.partition.wide import Wide


class Unstacking:
    """The base of Column that makes columns of its index."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

    def unstack(self, level: Any = -1, fill_value: Any = None, sort: bool = True) -> Wide:
        """A table with a column for each value of a level of the index (or of several): the last step of an operation.

        `fill_value` is for cells that there is no row for.
        """
        from rlm_hypervisor.partition.spreading import unstacked

        values = [(self._frame.columns[0], self._frame)]
        return unstacked(self._frame, values, level, fill_value, sort, "Series.unstack", False)
