"""Columns to rows: `p.melt(...)`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlm_hypervisor import _core
from rlm_hypervisor._text import clipped
from rlm_hypervisor.partition.refusal import boolean, is_label, labels_of, only, refuse

if TYPE_CHECKING:
    from rlm_hypervisor.partition.frame import Partition


class Reshaping:
    """The methods of Partition that change what is a row."""

    __slots__ = ()

    if TYPE_CHECKING:
        _frame: _core.Frame

        def _require(self, labels: list[Any], call: str) -> list[Any]: ...

    def melt(
        self,
        id_vars: Any = None,
        value_vars: Any = None,
        var_name: Any = None,
        value_name: Any = "value",
        col_level: object = None,
        ignore_index: bool = True,
    ) -> Partition:
        """One row for each row and each of the columns `value_vars` (default: all but `id_vars`).

        First all rows of the first of them, then those of the next. The columns are `id_vars`, the name of the
        column the value is of, and the value. Columns whose types have nothing in common are refused.
        """
        from rlm_hypervisor.partition.frame import Partition

        call = "DataFrame.melt"
        only(call, col_level=(col_level, None))
        ids = _listed(id_vars, call, "id_vars")
        self._require(ids, f"`{call}`")
        values = (
            [label for label in self._frame.columns if label not in ids]
            if value_vars is None
            else self._require(_listed(value_vars, call, "value_vars"), f"`{call}`")
        )
        variable = "variable" if var_name is None else var_name
        if not values:
            refuse(f"`{call}` has no columns to make rows of", "Name them in `value_vars`", call=call)
        if not isinstance(variable, str) or not isinstance(value_name, str):
            refuse(
                f"`{call}` takes strings for `var_name` and `value_name`",
                "Give strings, or leave them out",
                call=call,
            )
        made = [*ids, variable, value_name]
        if len(set(made)) != len(made):
            refuse(
                f"`{call}` would give several columns one name: {made!r}",
                "Give other names: `var_name='name', value_name='amount'`",
                call=call,
            )
        if not all(isinstance(label, str) for label in values):
            refuse(
                f"`{call}` of columns that are not called by strings: {clipped(values)}",
                "Rename the columns first: `p.rename(columns=str)`",
                call=call,
            )
        parts = []
        for label in values:
            frame = self._frame.select(ids) if ids else self._frame.column(label).to_frame(value_name)
            named = frame.assign(variable, label).assign(value_name, self._frame.column(label))
            parts.append(named.select(made))
        return Partition(_core.Frame.concat(parts, boolean(call, "ignore_index", ignore_index), False))


def _listed(given: Any, call: str, name: str) -> list[Any]:
    labels = [] if given is None else [given] if is_label(given) else labels_of(given)
    if labels is None or len(set(labels)) != len(labels):
        refuse(
            f"`{call}` takes different labels for `{name}`, not `{clipped(given)}`",
            "Give each label once",
            call=call,
        )
    return labels


def melt(
    frame: Any,
    id_vars: Any = None,
    value_vars: Any = None,
    var_name: Any = None,
    value_name: Any = "value",
    col_level: object = None,
    ignore_index: bool = True,
) -> Any:
    """`pd.melt` of a partition."""
    return frame.melt(id_vars, value_vars, var_name, value_name, col_level, ignore_index)
