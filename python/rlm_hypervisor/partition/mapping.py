"""Functions of single values and look-ups: `p["x"].map(...)`, `.apply(...)`, `.transform(...)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.operators import Operators
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
        """Each value looked up in a dict (missing where it is not there)."""
        call = "Series.map"
        only(call, engine=(engine, None), na_action=(na_action, None, "ignore"))
        if isinstance(func, dict) or (
            type(func).__module__.partition(".")[0] == "pandas" and hasattr(func, "to_dict")
        ):
            found = self._mapped(func, call)
            return found.where(self.notna()) if na_action == "ignore" else found  # type: ignore[attr-defined]
        if isinstance(func, Operators):
            refuse(f"`{call}` by another column is not native in this version", call=call)
        refuse(f"`{call}` takes a dict, not `{clipped(func)}`", call=call)
