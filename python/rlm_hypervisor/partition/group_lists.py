"""Group-bys whose answers are lists: `groupby(...)["x"].unique()`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor.partition.operators import apply
from rlm_hypervisor.partition.refusal import refuse

if TYPE_CHECKING:
    from rlm_hypervisor import _core


class SeriesGroupLists:
    """The part of a column's group-by that collects values."""

    __slots__ = ()

    if TYPE_CHECKING:
        _as_index: bool
        _frame: _core.Frame

        def _aggregate(self, items: Any, series: bool = False) -> Any: ...

    def unique(self) -> Any:
        """The different values of each group as a list, in order of appearance; missing ones are one of them."""
        if not self._as_index:
            refuse(
                "`SeriesGroupBy.unique` with `as_index=False` is not native", "Call `reset_index()` after it"
            )
        label = self._frame.columns[0]
        lists = self._aggregate([(label, [self._frame], "list", {})], series=True)
        return apply("list_unique", lists, call="`unique`")
