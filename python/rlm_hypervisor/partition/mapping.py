"""Functions of single values and look-ups: `p["x"].map(...)`, `.apply(...)`, `.transform(...)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.operators import wrap
from rlm_hypervisor.partition.refusal import only, refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.column import Column


class Mapping:
    """The base of Column that knows functions of single values."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

        def _mapped(self, mapping: Any, call: str) -> Column: ...

    def map(self, func: Any = None, na_action: Any = None, engine: object = None, **kwargs: Any) -> Column:
        """Each value looked up in a dict, or in a series by its index (missing where it is not there).

        The index of the series must not repeat a label; that is checked while the task runs.
        """
        from rlm_hypervisor.partition.tables import series

        call = "Series.map"
        only(call, engine=(engine, None), na_action=(na_action, None, "ignore"))
        by = None if isinstance(func, dict) or callable(func) else series(func, f"`{call}`")
        if by is not None:
            looked_up: Column = wrap(self._frame.lookup(by._frame, False))  # type: ignore[assignment]
            return looked_up.where(self.notna()) if na_action == "ignore" else looked_up  # type: ignore[attr-defined]
        if isinstance(func, dict) or (
            type(func).__module__.partition(".")[0] == "pandas" and hasattr(func, "to_dict")
        ):
            found = self._mapped(func, call)
            return found.where(self.notna()) if na_action == "ignore" else found  # type: ignore[attr-defined]
        refuse(f"`{call}` takes a dict or a series, not `{clipped(func)}`", call=call)
